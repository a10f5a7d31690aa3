//! `sagaflow cancel`: asks a saga to give up and to undo what it did. Past its pivot it refuses.

use super::exit::Outcome;
use super::out::Shape;
use super::place::Where;
use super::signal::{Say, say};

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which saga
    #[arg(value_name = "ID")]
    saga_id: u64,
    /// Why; kept in the log and told with its end
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Asks for the end; the undoing goes on after this returned.
pub(super) fn run(args: &Args) -> Outcome {
    say(&Say {
        saga_id: args.saga_id,
        signal: "cancel",
        reason: args.reason.as_deref(),
        place: &args.place,
        shape: args.shape,
    })
}
