//! Faults of the engine, seeded one at a time so that tests see that none of them passes unseen
//! (`sim::check`). Compiled into unit tests alone.

use std::cell::Cell;

use crate::saga::record::{Cause, Ending, Outcome, Record, State};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A step in doubt counts as one that did not happen.
    DoubtIsNothing,
    /// An undo that failed counts as done.
    FailedUndoIsDone,
    /// An undo is written down as done and never asked for.
    UndoIsOnlyWritten,
    /// A saga whose step was refused does not turn around.
    NeverTurns,
    /// A saga ends twice.
    EndsTwice,
    /// What was compensated is told as completed.
    EndIsDenied,
    /// A command is issued without a deadline.
    NoDeadline,
    /// A doubt is forgotten during the pause before the next attempt.
    DoubtIsForgotten,
    /// What a step saves is lost.
    SavesNothing,
    /// What a step was answered is lost.
    ForgetsEcho,
    /// `finally` is left out.
    NoFinally,
    /// A step is written down as undone twice.
    UndoneTwice,
    /// Something changes that no record tells.
    UnwrittenChange,
    /// A saga that compensates holds no key any more.
    KeyFreedEarly,
    /// Nothing was ever sent.
    NeverSent,
    /// No pivot is ever passed.
    NoPivot,
    /// What an undo covers is forgotten.
    CoversNothing,
    /// Of what is undone, the first comes first.
    FirstUndoneFirst,
    /// The last step that has to be undone is overlooked.
    ForgetsOneDebt,
    /// Undos are not owed to anybody.
    UndoNotOwed,
    /// A late answer is dropped.
    LateIsDropped,
    /// The saga's own deadline is ignored.
    NoSagaDeadline,
    /// What may not be sent twice is.
    SentTwice,
    /// Branches that lost are left as they are.
    LosersStand,
    /// A group's failed attempt is left as it is.
    AttemptStands,
    /// A step is tried once too often.
    OneAttemptMore,
    /// A timeout counts as an answer.
    TimeoutSucceeds,
    /// Whoever waits for a key is never let in.
    RivalIsStranded,
    /// A key may be held by two.
    TwoHold,
}

impl Fault {
    /// All faults.
    pub const ALL: [Fault; 29] = [
        Fault::DoubtIsNothing,
        Fault::FailedUndoIsDone,
        Fault::UndoIsOnlyWritten,
        Fault::NeverTurns,
        Fault::EndsTwice,
        Fault::EndIsDenied,
        Fault::NoDeadline,
        Fault::DoubtIsForgotten,
        Fault::SavesNothing,
        Fault::ForgetsEcho,
        Fault::NoFinally,
        Fault::UndoneTwice,
        Fault::UnwrittenChange,
        Fault::KeyFreedEarly,
        Fault::NeverSent,
        Fault::NoPivot,
        Fault::CoversNothing,
        Fault::FirstUndoneFirst,
        Fault::ForgetsOneDebt,
        Fault::UndoNotOwed,
        Fault::LateIsDropped,
        Fault::NoSagaDeadline,
        Fault::SentTwice,
        Fault::LosersStand,
        Fault::AttemptStands,
        Fault::OneAttemptMore,
        Fault::TimeoutSucceeds,
        Fault::RivalIsStranded,
        Fault::TwoHold,
    ];
}

thread_local! {
    static SEEDED: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Runs with that fault in the engine.
pub fn seeded<T>(fault: Fault, run: impl FnOnce() -> T) -> T {
    SEEDED.set(Some(fault));
    let done = run();
    SEEDED.set(None);
    done
}

/// Whether the engine has that fault now.
#[must_use]
pub fn is(fault: Fault) -> bool {
    SEEDED.get() == Some(fault)
}

/// What becomes of a record between its choice and its fold.
#[must_use]
pub fn tampered(record: Record, is_undo: bool) -> Vec<Record> {
    let Some(fault) = SEEDED.get() else { return vec![record] };
    match (fault, record) {
        (Fault::DoubtIsNothing, Record::Outcome(mut outcome))
            if outcome.outcome == Ending::InDoubt =>
        {
            outcome.outcome = Ending::Failed;
            vec![Record::Outcome(outcome)]
        }
        (Fault::FailedUndoIsDone, Record::Undone(mut undone)) => {
            undone.ok = true;
            vec![Record::Undone(undone)]
        }
        (Fault::UndoIsOnlyWritten, Record::Issued(issued)) if is_undo => {
            vec![Record::Outcome(Box::new(Outcome {
                step: issued.step,
                outcome: Ending::Succeeded,
                attempt: issued.attempt,
                cause: None,
                reason: None,
                echo: None,
                save: serde_json::Map::new(),
            }))]
        }
        (Fault::NeverTurns, Record::Unwinding(turn)) if turn.cause == Cause::ActionFailed => {
            Vec::new()
        }
        (Fault::EndsTwice, Record::Ended(verdict)) => {
            vec![Record::Ended(verdict.clone()), Record::Ended(verdict)]
        }
        (Fault::EndIsDenied, Record::Ended(mut verdict)) if verdict.state == State::Compensated => {
            verdict.state = State::Completed;
            vec![Record::Ended(verdict)]
        }
        (Fault::NoDeadline, Record::Issued(mut issued)) => {
            issued.due = None;
            vec![Record::Issued(issued)]
        }
        (Fault::DoubtIsForgotten, Record::Backoff(mut pause)) => {
            pause.in_doubt = false;
            vec![Record::Backoff(pause)]
        }
        (Fault::SavesNothing, Record::Outcome(mut outcome)) => {
            outcome.save.clear();
            vec![Record::Outcome(outcome)]
        }
        (Fault::ForgetsEcho, Record::Outcome(mut outcome)) => {
            outcome.echo = None;
            vec![Record::Outcome(outcome)]
        }
        (Fault::NoFinally, Record::Finishing(verdict)) => vec![Record::Ended(verdict)],
        (Fault::UndoneTwice, Record::Undone(undone)) => {
            vec![Record::Undone(undone.clone()), Record::Undone(undone)]
        }
        (_, record) => vec![record],
    }
}
