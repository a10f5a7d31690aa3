//! `sagaflow cancel`: asks a saga to give up and to undo what it did. Past its pivot it refuses.

use super::exit::Outcome;
use super::operate::{To, say};

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Why; kept in the log and told with its end
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    #[command(flatten)]
    to: To,
}

/// Asks for the end; the undoing goes on after this returned.
pub(super) fn run(args: &Args) -> Outcome {
    say(&args.to, "cancel", args.reason.as_deref())
}
