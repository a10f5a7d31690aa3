//! `sagaflow retry`: lets an incident try its failed steps again. Of nothing else.

use super::exit::Outcome;
use super::operate::{To, say};

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Why; kept in the log
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    #[command(flatten)]
    to: To,
}

/// Asks for another try; how it ends is told by `show`.
pub(super) fn run(args: &Args) -> Outcome {
    say(&args.to, "retry", args.reason.as_deref())
}
