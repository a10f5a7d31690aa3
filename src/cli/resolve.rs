//! `sagaflow resolve`: settles an incident that a person mended. It changes nothing else.

use super::exit::Outcome;
use super::operate::{To, say};

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What was done about it; kept in the log for ever
    #[arg(long, value_name = "WORDS")]
    reason: String,
    #[command(flatten)]
    to: To,
}

/// Settles the incident with the operator's words.
pub(super) fn run(args: &Args) -> Outcome {
    say(&args.to, "resolve", Some(&args.reason))
}
