//! The scripted agent: behaves like a print-mode agent CLI, or like a pod, as its message says. For
//! the demo and for tests; no command of people, so it is in no help.

mod deeds;
mod pod;
mod print;
mod report;
mod script;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the binary is called with to be this.
pub const WORD: &str = "scripted-agent";

/// An agent that does what its message says: `!exit 3`, `!hang`, `!flood 1000`, …; every other line
/// of a message is said back.
#[derive(Debug, Parser)]
#[command(name = "sagaflow scripted-agent")]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    print: Print,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Play a pod: listen, take methods, report to a parent
    Pod(Pod),
    /// Do nothing, for ever
    Idle,
}

/// A turn of a print-mode CLI: a message on stdin, frames on stdout.
#[derive(Debug, Default, clap::Args)]
struct Print {
    /// Go on in this session
    #[arg(long, value_name = "ID")]
    resume: Option<String>,
    /// The id of a session that begins
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The field that bears the session's id
    #[arg(long, value_name = "NAME", default_value = "session_id")]
    session_field: String,
    /// Where sessions are remembered; one that is not there cannot be resumed
    #[arg(long, value_name = "DIR")]
    memory: Option<PathBuf>,
    /// A file that gets a line when a message is begun, and one when it is done
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// What is done before what the message says
    #[arg(long = "do", value_name = "DEED")]
    deeds: Vec<String>,
    /// As of agents that this one stands in for
    #[arg(short, long, hide = true)]
    print: bool,
    #[arg(long, hide = true)]
    output_format: Option<String>,
    #[arg(long, hide = true)]
    verbose: bool,
    /// Read nothing
    #[arg(long)]
    deaf: bool,
}

/// A process that hosts an agent, as its parent sees it.
#[derive(Debug, clap::Args)]
struct Pod {
    #[arg(long)]
    name: String,
    #[arg(long)]
    socket: PathBuf,
    /// The parent's socket; empty: there is none
    #[arg(long, default_value = "")]
    callback: String,
    /// Never listen
    #[arg(long)]
    never_bind: bool,
    /// Refuse every run, as if one went on
    #[arg(long)]
    busy: bool,
    /// Never say that a run was taken
    #[arg(long)]
    silent: bool,
    /// Close each connection behind its snapshot
    #[arg(long)]
    hang_up: bool,
    /// A snapshot of at least that many bytes
    #[arg(long, default_value_t = 0)]
    snapshot_bytes: usize,
    /// Outlive TERM
    #[arg(long)]
    ignore_term: bool,
    /// What is written to stderr first
    #[arg(long, default_value = "")]
    complain: String,
}

/// Runs it, if that is what the arguments ask for.
pub fn hidden(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let name = args.next()?;
    if args.next()? != WORD {
        return None;
    }
    let args = Args::parse_from(std::iter::once(name).chain(args));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Some(ExitCode::from(match runtime {
        Ok(runtime) => runtime.block_on(async {
            match args.role {
                None => print::turn(&args.print).await,
                Some(Role::Pod(pod)) => pod::live(pod).await,
                Some(Role::Idle) => std::future::pending().await,
            }
        }),
        Err(_) => 1,
    }))
}
