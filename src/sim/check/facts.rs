//! Facts in a few words, for transcripts. Judges none.

use std::sync::Arc;

use crate::coordinator::Fact;
use crate::saga::record::{Ending, Record};
use crate::sim::world::START;
use crate::time::Timestamp;
use crate::view::text::Tone;

/// Seconds since the beginning.
pub(super) fn clock(at: Timestamp) -> String {
    let since = at.since(START).0;
    format!("{}.{:03}", since / 1000, since % 1000)
}

fn due(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(", due {}", clock(at)))
}

/// A fact in a few words; nothing of those that only concern the launcher.
pub(super) fn words(fact: &Fact) -> Option<(Tone, String)> {
    let saga = fact.saga?;
    let plain = |text: String| Some((Tone::Plain, text));
    let why = |reason: &Option<Arc<str>>| {
        reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
    };
    let record = &fact.record;
    if let Record::Began(began) = record {
        let word = if began.queued { "waits for its key" } else { "began" };
        return plain(format!("{}/{saga} {word}{}", began.name, due(began.due)));
    }
    if let Record::Dequeued(r) = record {
        return plain(format!("{}/{saga} starts{}", r.name, due(r.due)));
    }
    if let Record::Issued(r) = record {
        return plain(format!("{} issued{}", r.command_id, due(r.due)));
    }
    if let Record::Reissued(r) = record {
        let (step, attempt) = (&r.step, r.attempt);
        return plain(format!("{saga}.{step} issued again, attempt {attempt}{}", due(r.due)));
    }
    if let Record::Entered(r) = record {
        return plain(format!("{saga}.{} waits{}", r.step, due(r.due)));
    }
    if let Record::Outcome(r) = record {
        let tone = match r.outcome {
            Ending::Succeeded => Tone::Good,
            Ending::Failed | Ending::InDoubt => Tone::Bad,
            Ending::Skipped => Tone::Faint,
        };
        let text = format!("{saga}.{} {}{}", r.step, r.outcome.as_str(), why(&r.reason));
        return Some((tone, text));
    }
    if let Record::Backoff(r) = record {
        let until = clock(r.until);
        return Some((Tone::Bad, format!("{saga}.{} again at {until}: {}", r.step, r.reason)));
    }
    if let Record::Undoing(r) = record {
        return Some((Tone::Busy, format!("{saga}.{} is undone before it goes on", r.step)));
    }
    if let Record::Unwinding(r) = record {
        let cause = r.cause.as_str();
        return Some((Tone::Busy, format!("saga {saga} turns around, {cause}: {}", r.reason)));
    }
    if let Record::Undone(r) = record {
        let word = if r.ok { "compensated" } else { "compensation_failed" };
        return Some((Tone::Busy, format!("{saga}.{} {word}{}", r.step, why(&r.reason))));
    }
    if let Record::Emitted(r) = record {
        return plain(format!("{saga}.{} emits {}", r.step, r.event));
    }
    if let Record::Late(r) = record {
        return plain(format!("{saga}.{}: {} came too late", r.step, r.what));
    }
    if let Record::Ended(verdict) | Record::Dropped(verdict) | Record::Settled(verdict) = record {
        let cause = verdict.cause.map(|cause| format!(", {}", cause.as_str()));
        let (state, cause) = (verdict.state.as_str(), cause.unwrap_or_default());
        return Some((Tone::Strong, format!("saga {saga} ended {state}{cause}")));
    }
    None
}
