//! What people and tools see of a saga: pure functions from its records to JSON, and from that JSON
//! to text. Reads no log, asks no launcher and decides nothing about a saga.
//!
//! `ps` and `show` print the same whether a launcher answered or a file was read, for both go
//! through here: records become a [`Picture`], a picture becomes JSON, and `text` is told nothing
//! but that JSON.

mod fold;
mod json;
mod redact;
mod story;
pub mod text;

use std::sync::Arc;

use serde_json::Value;

use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::plan::secrets::HIDDEN;
use crate::saga::record::{Cause, Ending, Record, State};
use crate::time::Timestamp;

pub use redact::{Sensitive, hide};

/// A record in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its number, which is also the `version` of the event that it is.
    pub seq: Seq,
    /// When its turn was.
    pub at: Timestamp,
    /// What happened.
    pub record: Record,
}

impl Fact {
    /// The facts of one row of the log, numbered from its first.
    pub fn of_row(first: Seq, at: Timestamp, records: Vec<Record>) -> impl Iterator<Item = Fact> {
        (first.0..).map(Seq).zip(records).map(move |(seq, record)| Fact { seq, at, record })
    }
}

/// All that people are told about one saga.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Its id.
    pub saga_id: SagaId,
    /// Its definition's name.
    pub name: Arc<str>,
    /// Its definition's hash.
    pub definition: Option<DefinitionHash>,
    /// Its state \[R16\].
    pub state: Shown,
    /// How it came to fail.
    pub cause: Option<Cause>,
    /// The same in words; for a corrupt one the two facts that clash.
    pub reason: Option<Arc<str>>,
    /// The event that started it, or `call`.
    pub trigger: Arc<str>,
    /// The client that asked for it.
    pub client: Option<Arc<str>>,
    /// The saga and step that called it.
    pub parent: Option<(SagaId, Arc<str>)>,
    /// The sagas that it called, in the order in which they began.
    pub children: Vec<SagaId>,
    /// Whether it sends nothing and looks on while others act.
    pub observes: bool,
    /// Whether its steps are done and its end waits for its caller.
    pub held: bool,
    /// Its frozen input.
    pub input: Arc<Value>,
    /// What a caller gets.
    pub result: Option<Arc<Value>>,
    /// When it came to exist, queued or not.
    pub created_at: Timestamp,
    /// When it started; absent while it is queued.
    pub started_at: Option<Timestamp>,
    /// When it ended; absent while it is open.
    pub ended_at: Option<Timestamp>,
    /// When its way forward times out.
    pub due: Option<Timestamp>,
    /// How an operator settled it \[R14\].
    pub resolved: Option<Settlement>,
    /// Its steps, undoing ones included, in the order in which they were first entered.
    pub steps: Vec<StepPicture>,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
}

/// A state as people see it: one of the saga's own, or set aside \[L9\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What the records say.
    Is(State),
    /// Its records contradict each other or its plan.
    Corrupt,
}

impl Shown {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Shown::Is(state) => state.as_str(),
            Shown::Corrupt => "corrupt",
        }
    }
}

/// An operator's word on an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// When.
    pub at: Timestamp,
    /// The client's name.
    pub by: Arc<str>,
    /// In the operator's words.
    pub reason: Arc<str>,
}

/// Where a step stands, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Its command is owed or sent, and not answered.
    Issued,
    /// It waits for something that it did not ask for.
    Waiting,
    /// It failed and will be tried again.
    BackingOff,
    /// In doubt, and its `probe` is asked.
    Probing,
    /// A group whose failed attempt is being undone.
    Undoing,
    /// Done.
    Succeeded,
    /// Known not to have happened.
    Failed,
    /// May have happened.
    InDoubt,
    /// Its `if` was false.
    Skipped,
    /// Undone.
    Compensated,
    /// Could not be undone.
    CompensationFailed,
}

impl StepState {
    /// The word in frames and in `show`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StepState::Issued => "issued",
            StepState::Waiting => "waiting",
            StepState::BackingOff => "backing_off",
            StepState::Probing => "probing",
            StepState::Undoing => "undoing",
            StepState::Succeeded => "succeeded",
            StepState::Failed => "failed",
            StepState::InDoubt => "in_doubt",
            StepState::Skipped => "skipped",
            StepState::Compensated => "compensated",
            StepState::CompensationFailed => "compensation_failed",
        }
    }

    /// Where an ending leaves a step.
    #[must_use]
    pub fn of(ending: Ending) -> StepState {
        match ending {
            Ending::Succeeded => StepState::Succeeded,
            Ending::Failed => StepState::Failed,
            Ending::InDoubt => StepState::InDoubt,
            Ending::Skipped => StepState::Skipped,
        }
    }

    /// Whether it is still on its way.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            StepState::Issued
            | StepState::Waiting
            | StepState::BackingOff
            | StepState::Probing
            | StepState::Undoing => true,
            StepState::Succeeded
            | StepState::Failed
            | StepState::InDoubt
            | StepState::Skipped
            | StepState::Compensated
            | StepState::CompensationFailed => false,
        }
    }
}

/// One step of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPicture {
    /// Its instance path.
    pub id: Arc<str>,
    /// Where it stands.
    pub state: StepState,
    /// Sendings or enterings that its policy asked for.
    pub attempt: u32,
    /// Its newest command.
    pub command: Option<CommandPicture>,
    /// The newest saga that it called.
    pub child: Option<SagaId>,
    /// When its newest attempt times out, or its pause is over; absent once it ended.
    pub due: Option<Timestamp>,
    /// When it was first entered.
    pub started_at: Timestamp,
    /// When it ended; that it was undone later is in the timeline.
    pub ended_at: Option<Timestamp>,
    /// Name of the event that satisfied it.
    pub answer: Option<Arc<str>>,
    /// Fields of what satisfied it.
    pub echo: Option<Arc<Value>>,
    /// Why it failed or is in doubt.
    pub cause: Option<Cause>,
    /// The same in words.
    pub reason: Option<Arc<str>>,
}

/// The newest command of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandPicture {
    /// The idempotency key.
    pub id: Arc<str>,
    /// Its name.
    pub cmd: Arc<str>,
    /// Who is to do it.
    pub target: Arc<str>,
    /// Its fields.
    pub with: Arc<Value>,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The record's number.
    pub version: Seq,
    /// When.
    pub at: Timestamp,
    /// The record's kind.
    pub kind: &'static str,
    /// The step that it speaks of.
    pub step: Option<Arc<str>>,
    /// The state that the step, or without a step the saga, came to by it.
    pub state: Option<&'static str>,
    /// What happened, in words.
    pub text: String,
}

impl Picture {
    /// The picture that a saga's facts give; `None` when they do not begin with its birth.
    #[must_use]
    pub fn of(saga_id: SagaId, facts: &[Fact]) -> Option<Picture> {
        fold::picture(saga_id, facts)
    }

    /// The same saga, set aside with the two facts that clash \[L9\].
    #[must_use]
    pub fn corrupt(mut self, clash: impl Into<Arc<str>>) -> Picture {
        self.state = Shown::Corrupt;
        self.reason = Some(clash.into());
        self
    }

    /// The same without its input and result, where nobody can tell what of them is sensitive.
    #[must_use]
    pub fn without_values(mut self) -> Picture {
        let hidden = Arc::new(Value::from(HIDDEN));
        self.result = self.result.map(|_| hidden.clone());
        self.input = hidden;
        self
    }

    /// The step that it stands at: the newest open one; of an incident, the one that could not be
    /// undone; of another that failed, the one whose failure ended it.
    #[must_use]
    pub fn step(&self) -> Option<&Arc<str>> {
        let open = self.steps.iter().rev().find(|step| step.state.is_open());
        let stuck = self.steps.iter().find(|step| step.state == StepState::CompensationFailed);
        let culprit = self.steps.iter().find(|step| {
            step.cause.is_some() && step.cause == self.cause && step.reason == self.reason
        });
        let ended = stuck.or(culprit).filter(|_| self.ended_at.is_some());
        open.or(ended).map(|step| &step.id)
    }

    /// One object of `ps --json` and of a `saga_list` frame.
    #[must_use]
    pub fn summary(&self) -> Value {
        json::summary(self)
    }

    /// The object of `show --json` and of a `saga` frame.
    #[must_use]
    pub fn detail(&self) -> Value {
        json::detail(self)
    }
}

#[cfg(test)]
mod tests;
