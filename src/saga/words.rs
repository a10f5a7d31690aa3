//! The words that records, frames and people share: a saga's state, a step's end, a cause, the
//! launcher's phase. Says nothing of when they change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The launcher's own phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No host has registered yet.
    #[default]
    Starting,
    /// A host has registered.
    Running,
    /// A clean shutdown has begun.
    Quitting,
    /// The last word.
    Dead,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Done.
    Succeeded,
    /// Known not to have happened.
    Failed,
    /// May have happened.
    InDoubt,
    /// Its `if` was false.
    Skipped,
}

/// Why a step failed; becomes the saga's `cause` \[R16\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A step's or the saga's time was up.
    TimedOut,
    /// It gave way \[R17\].
    Evicted,
    /// A person, a client or `cancel_on` asked for it.
    Cancelled,
    /// The target refused, or a `fail_on` came.
    ActionFailed,
    /// A `fail` step.
    FailStep,
    /// Its target was away too long \[P2, P3\].
    Unreachable,
    /// An expression had a bad value at run time.
    Fault,
    /// `on_restart` \[L5\].
    Restart,
    /// `on_shutdown` \[L8\].
    Shutdown,
}

/// State of a saga as people see it \[R16\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for the holder of its key.
    Queued,
    /// On its way.
    Running,
    /// Undoes what it did.
    Compensating,
    /// Done.
    Completed,
    /// Failed, and nothing was to undo.
    Failed,
    /// Failed, and undone.
    Compensated,
    /// Failed, and could not be undone: an incident \[R14\].
    FailedCompensation,
}

/// What became of a sub-saga, as its caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It exists and has not ended: it waits for its key, runs, or undoes.
    Begun,
    /// It runs, and its own point of no return lies behind.
    Committed,
    /// Its steps are done, and it can still be undone.
    Held,
    /// Done.
    Completed,
    /// Failed, and nothing was to undo.
    Failed,
    /// Failed, and undone.
    Compensated,
    /// Failed, and could not be undone: an incident.
    FailedCompensation,
    /// An incident that an operator settled.
    Resolved,
}

impl Fate {
    /// The word in `show`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Begun => "begun",
            Fate::Committed => "committed",
            Fate::Held => "held",
            Fate::Completed => "completed",
            Fate::Failed => "failed",
            Fate::Compensated => "compensated",
            Fate::FailedCompensation => "failed_compensation",
            Fate::Resolved => "resolved",
        }
    }

    /// Whether the sub-saga has not ended.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            Fate::Begun | Fate::Committed | Fate::Held => true,
            Fate::Completed
            | Fate::Failed
            | Fate::Compensated
            | Fate::FailedCompensation
            | Fate::Resolved => false,
        }
    }

    /// Whether it has not ended and something is still under way.
    #[must_use]
    pub fn is_going(self) -> bool {
        self.is_live() && self != Fate::Held
    }
}

/// The words for a saga's state, in the order of \[R16\]; the last one is of a saga that was set
/// aside \[L9\].
pub const STATES: [&str; 8] = [
    "queued",
    "running",
    "compensating",
    "completed",
    "failed",
    "compensated",
    "failed_compensation",
    "corrupt",
];

impl Cause {
    /// The word in frames, logs and `ps`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::TimedOut => "timed_out",
            Cause::Evicted => "evicted",
            Cause::Cancelled => "cancelled",
            Cause::ActionFailed => "action_failed",
            Cause::FailStep => "fail_step",
            Cause::Unreachable => "unreachable",
            Cause::Fault => "fault",
            Cause::Restart => "restart",
            Cause::Shutdown => "shutdown",
        }
    }
}

impl State {
    /// The word in frames, logs and `ps`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Compensating => "compensating",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Compensated => "compensated",
            State::FailedCompensation => "failed_compensation",
        }
    }

    /// Whether the saga's bracket is closed.
    #[must_use]
    pub fn is_end(self) -> bool {
        match self {
            State::Queued | State::Running | State::Compensating => false,
            State::Completed | State::Failed | State::Compensated | State::FailedCompensation => {
                true
            }
        }
    }
}

impl Phase {
    /// The word in frames and snapshots.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Running => "running",
            Phase::Quitting => "quitting",
            Phase::Dead => "dead",
        }
    }
}

impl Ending {
    /// The word in `steps.ID.outcome`, frames and `show`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Ending::Succeeded => "succeeded",
            Ending::Failed => "failed",
            Ending::InDoubt => "in_doubt",
            Ending::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::schema_for;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;
    use crate::definition::keys::{CAUSES, ENDS};

    /// The variants of a type whose words are all of these.
    fn all_of<T: DeserializeOwned + JsonSchema>(words: &[&str]) -> Vec<T> {
        let variants = schema_for!(T).to_value()["oneOf"].as_array().map_or(0, Vec::len);
        assert_eq!(variants, words.len(), "{words:?}");
        let read = |word: &&str| serde_json::from_value(Value::from(*word)).expect("it is one");
        words.iter().map(read).collect()
    }

    #[test]
    fn r16_definitions_read_the_words_that_sagas_end_with() {
        let causes: Vec<Cause> = all_of(CAUSES);
        assert!(causes.iter().map(|cause| cause.as_str()).eq(CAUSES.iter().copied()));
        let states: Vec<State> = all_of(&STATES[..7]);
        let ends = states.into_iter().filter(|state| state.is_end());
        assert!(ends.map(State::as_str).eq(ENDS.iter().copied()));
    }
}
