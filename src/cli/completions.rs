//! `sagaflow completions`: completions for a shell, made from the commands themselves.

use clap_complete::Shell;

use super::exit::{Exit, Outcome};
use super::out;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "For bash: sagaflow completions bash > \
    ~/.local/share/bash-completion/completions/sagaflow")]
pub struct Args {
    /// For which shell
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "sagaflow", &mut script);
    out::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
