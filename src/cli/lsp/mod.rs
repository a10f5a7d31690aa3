//! `sagaflow lsp`: a language server on stdin and stdout, for editors. Finds nothing itself: the
//! checks, the layout and the meanings are those of the floors below.

mod answers;
mod desk;
mod frames;
mod places;
mod runs;
mod server;

use std::io;

use super::exit::Outcome;

/// Arguments of `lsp`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As editors say it; stdin and stdout are all there is
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves until the editor leaves.
pub(super) fn run(args: &Args) -> Outcome {
    let Args { stdio: _ } = args;
    Ok(server::serve(io::stdout().lock())?)
}
