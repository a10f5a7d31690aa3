//! `sagaflow retry`: lets an incident try its failed steps again. Of nothing else.

use super::exit::Outcome;
use super::out::Shape;
use super::place::Where;
use super::signal::{Say, say};

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which saga
    #[arg(value_name = "ID")]
    saga_id: u64,
    /// Why; kept in the log
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Asks for another try; how it ends is told by `show`.
pub(super) fn run(args: &Args) -> Outcome {
    say(&Say {
        saga_id: args.saga_id,
        signal: "retry",
        reason: args.reason.as_deref(),
        place: &args.place,
        shape: args.shape,
    })
}
