//! `sagaflow resolve`: settles an incident that a person mended. It changes nothing else.

use super::exit::Outcome;
use super::out::Shape;
use super::place::Where;
use super::signal::{Say, say};

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which saga
    #[arg(value_name = "ID")]
    saga_id: u64,
    /// What was done about it; kept in the log for ever
    #[arg(long, value_name = "WORDS")]
    reason: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Settles the incident with the operator's words.
pub(super) fn run(args: &Args) -> Outcome {
    say(&Say {
        saga_id: args.saga_id,
        signal: "resolve",
        reason: Some(&args.reason),
        place: &args.place,
        shape: args.shape,
    })
}
