//! Records: the closed list of durable facts. What a fact means for a saga is in `apply`, not here.
//!
//! Stored as JSON objects of one key, the kind. A change of this file is a change of the stored
//! format: it needs an upcast and an old sample under `tests/log/`.

mod world;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{DefinitionHash, SagaId};
use crate::time::Timestamp;

pub use world::{
    Boot, ClockJump, Lifecycle, Process, Scheduled, Service, Session, Stopped, Ticked,
};

pub use crate::saga::kin::{Child, Parent};
pub use crate::saga::reactions::{Reacted, ReactionOver};
pub use crate::saga::said::{Operator, Signalled};
pub use crate::saga::words::{Cause, Ending, Fate, Phase, State};

/// One durable fact. Its number is its row's `seq` plus its place in the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A launcher took the log; every session and process of an earlier one is over \[P10, W5\].
    Boot(Boot),
    /// The launcher stopped cleanly \[L8\].
    Stopped(Stopped),
    /// The wall clock jumped \[R9\].
    Clock(ClockJump),
    /// The clock is to start a saga from now on: a definition with that schedule was loaded.
    Scheduled(Scheduled),
    /// No definition has that schedule any more.
    Unscheduled(Scheduled),
    /// A schedule's tick fired, whether or not a saga began \[R9, R10\].
    Ticked(Ticked),
    /// A client reported an event.
    Event(Box<Event>),
    /// A client registered.
    ProcessSpawned(Process),
    /// A registered client's connection ended \[W10\].
    ProcessExited(Process),
    /// The launcher's own phase changed.
    Lifecycle(Lifecycle),
    /// A target's session began \[P10\].
    SessionOpened(Session),
    /// A target's session ended.
    SessionClosed(Session),
    /// A saga exists.
    Began(Box<Began>),
    /// A queued saga starts \[R18\].
    Dequeued(Dequeued),
    /// A newcomer was merged into the saga \[R17\].
    Joined(Box<Joined>),
    /// A step's command is owed to its target.
    Issued(Box<Issued>),
    /// The same command is owed again under its number \[R11\].
    Reissued(Reissued),
    /// A step that issues nothing waits.
    Entered(Entered),
    /// A waiting undo's clock starts: its target has a session \[R14\].
    Armed(Armed),
    /// A command that awaits nothing was written to a session \[P5\].
    Sent(StepOnly),
    /// One of the alternatives of an `all_of` came.
    Matched(Matched),
    /// A step ended, or its doubt was settled \[R19\].
    Outcome(Box<Outcome>),
    /// A step will be tried again.
    Backoff(Pause),
    /// A group's failed attempt is being undone before the next one.
    Undoing(Undoing),
    /// An attempt ended in doubt, and the step's `probe` is asked \[R11\].
    Probing(Probing),
    /// A step published an event.
    Emitted(Emitted),
    /// The saga turns around: what it did is to be undone.
    Unwinding(Unwinding),
    /// A step was undone, or could not be.
    Undone(Undone),
    /// The verdict stands; `finally` runs.
    Finishing(Verdict),
    /// The end \[R1\].
    Ended(Verdict),
    /// A queued saga ended before it started: it has no bracket \[R18\].
    Dropped(Verdict),
    /// Something asked of the saga was refused.
    Refused(Refused),
    /// An answer came too late to matter \[R19\].
    Late(Late),
    /// A reaction fired \[P5\].
    Reacted(Box<Reacted>),
    /// A reaction's command was written to a session, or will never be.
    ReactionOver(ReactionOver),
    /// Somebody said something that a step awaits.
    Signalled(Box<Signalled>),
    /// What became of the sub-saga that a step called, as its caller is told.
    Child(Box<Child>),
    /// A sub-saga has done all its steps; its end waits until its caller cannot undo it any more.
    Held(Verdict),
    /// A sub-saga's caller takes back what it did, or is doing.
    Recalled(Unwinding),
    /// An operator asks for an incident's failed steps to be tried again \[R14\].
    Retried(Operator),
    /// An operator settles an incident \[R14\].
    Resolved(Operator),
    /// A retried incident ended anew; no second bracket \[R14\].
    Settled(Verdict),
}

/// See [`Record::Event`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Name of the event.
    pub name: Arc<str>,
    /// Its declared fields, defaults filled in.
    pub fields: Arc<Value>,
    /// The reporting client's name.
    pub client: Arc<str>,
    /// The saga that it answers; absent: organic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_id: Option<SagaId>,
    /// The step that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Arc<str>>,
    /// The command that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<Arc<str>>,
    /// The client's own id, for at-least-once delivery \[W9\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<Dedup>,
}

/// A client's id and what it stood for \[W9\].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dedup {
    /// The client's own id, as JSON.
    pub id: Arc<str>,
    /// Digest of the content that it carried.
    pub digest: u64,
}

/// See [`Record::Began`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Began {
    /// The saga's name.
    pub name: Arc<str>,
    /// Its definition \[L4\].
    pub definition: DefinitionHash,
    /// The event's name, or `call`.
    pub trigger: Arc<str>,
    /// The fields of what started it.
    pub fields: Arc<Value>,
    /// Its frozen input.
    pub input: Arc<Value>,
    /// Its variables' initial values.
    pub vars: Map<String, Value>,
    /// What it contends for \[R17\].
    pub keys: Vec<Value>,
    /// Whether it waits for the holder of its key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub queued: bool,
    /// Its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The client that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Arc<str>>,
    /// That client's id of the request \[W9\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<Dedup>,
    /// The step that called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<Parent>>,
    /// Whether it observes: nothing that it owes is sent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observes: bool,
}

/// See [`Record::Dequeued`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dequeued {
    /// The saga's name.
    pub name: Arc<str>,
    /// Its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The step that called it, as it stands in its first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<Parent>>,
    /// Whether it observes, as its first record says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observes: bool,
}

/// See [`Record::Joined`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// The event's name, or `call`.
    pub trigger: Arc<str>,
    /// The fields of what would have started the newcomer.
    pub fields: Arc<Value>,
    /// What the saga contends for from now on as well \[R24\].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Value>,
    /// Variables that the newcomer sets.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub save: Map<String, Value>,
    /// The client that asked for the newcomer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Arc<str>>,
    /// That client's id of the request \[W9\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<Dedup>,
}

/// See [`Record::Issued`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Issued {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// The idempotency key.
    pub command_id: Arc<str>,
    /// Sendings that the step's policy asked for, this one included.
    pub attempt: u32,
    /// Who is to do it.
    pub target: Arc<str>,
    /// The command.
    pub cmd: Arc<str>,
    /// Its fields.
    pub with: Arc<Value>,
    /// When the attempt times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Whether nobody is sent it: its saga observes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observed: bool,
}

/// See [`Record::Reissued`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reissued {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// Sendings that the step's policy asked for, this one included.
    pub attempt: u32,
    /// When the attempt times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

/// See [`Record::Entered`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entered {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// Counts from one.
    pub attempt: u32,
    /// When it times out, or for a `delay` when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What a `for_each` goes through, frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<Arc<Vec<Value>>>,
}

/// See [`Record::Armed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Armed {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// When the attempt times out.
    pub due: Timestamp,
}

/// See [`Record::Sent`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepOnly {
    /// Instance path of the step.
    pub step: Arc<str>,
}

/// See [`Record::Matched`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Matched {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// Place of the alternative in the step's `await`.
    pub alternative: u32,
    /// Variables that it sets.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub save: Map<String, Value>,
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

/// See [`Record::Outcome`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// How it ended.
    pub outcome: Ending,
    /// The attempt that ended so; the first is not written down.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u32,
    /// Why, unless it succeeded or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// Fields of what satisfied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<Arc<Value>>,
    /// Variables that it sets.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub save: Map<String, Value>,
}

/// See [`Record::Backoff`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// When it is tried again.
    pub until: Timestamp,
    /// Whether the attempt that ended may have happened.
    pub in_doubt: bool,
    /// Why it ended.
    pub cause: Cause,
    /// The same in words.
    pub reason: Arc<str>,
}

/// See [`Record::Undoing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Undoing {
    /// Instance path of the group.
    pub step: Arc<str>,
    /// Why its attempt ended.
    pub cause: Cause,
    /// The same in words.
    pub reason: Arc<str>,
}

/// See [`Record::Probing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probing {
    /// Instance path of the step in doubt.
    pub step: Arc<str>,
    /// The attempt that is in doubt.
    pub attempt: u32,
    /// Why it ended.
    pub cause: Cause,
    /// The same in words.
    pub reason: Arc<str>,
}

/// See [`Record::Emitted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Emitted {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// Name of the event.
    pub event: Arc<str>,
    /// Its fields.
    pub fields: Arc<Value>,
    /// Whether nobody is told: its saga observes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub observed: bool,
}

/// See [`Record::Unwinding`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unwinding {
    /// Why.
    pub cause: Cause,
    /// The failing step's reason verbatim, or the asker's.
    pub reason: Arc<str>,
}

/// See [`Record::Undone`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// Instance path of the step that was undone.
    pub step: Arc<str>,
    /// Whether its undo succeeded.
    pub ok: bool,
    /// The attempt that was undone; the first is not written down.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub attempt: u32,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

/// See [`Record::Finishing`] and [`Record::Ended`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The state that it ends in.
    pub state: State,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// What a caller gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Arc<Value>>,
}

/// See [`Record::Refused`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// What was asked.
    pub what: Arc<str>,
    /// Why it cannot be.
    pub why: Arc<str>,
}

/// See [`Record::Late`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Late {
    /// Instance path of the step.
    pub step: Arc<str>,
    /// What came.
    pub what: Arc<str>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Record {
    /// Instance path of the step that the record speaks of.
    #[must_use]
    pub fn step(&self) -> Option<&Arc<str>> {
        match self {
            Record::Issued(r) => Some(&r.step),
            Record::Reissued(r) => Some(&r.step),
            Record::Entered(r) => Some(&r.step),
            Record::Armed(r) => Some(&r.step),
            Record::Sent(r) => Some(&r.step),
            Record::Matched(r) => Some(&r.step),
            Record::Outcome(r) => Some(&r.step),
            Record::Backoff(r) => Some(&r.step),
            Record::Undoing(r) => Some(&r.step),
            Record::Reacted(r) => Some(&r.step),
            Record::ReactionOver(r) => Some(&r.step),
            Record::Probing(r) => Some(&r.step),
            Record::Emitted(r) => Some(&r.step),
            Record::Undone(r) => Some(&r.step),
            Record::Late(r) => Some(&r.step),
            Record::Child(r) => Some(&r.step),
            Record::Event(r) => r.step.as_ref(),
            Record::Boot(_)
            | Record::Stopped(_)
            | Record::Clock(_)
            | Record::Scheduled(_)
            | Record::Unscheduled(_)
            | Record::Ticked(_)
            | Record::ProcessSpawned(_)
            | Record::ProcessExited(_)
            | Record::Lifecycle(_)
            | Record::SessionOpened(_)
            | Record::SessionClosed(_)
            | Record::Began(_)
            | Record::Dequeued(_)
            | Record::Joined(_)
            | Record::Unwinding(_)
            | Record::Finishing(_)
            | Record::Ended(_)
            | Record::Dropped(_)
            | Record::Refused(_)
            | Record::Signalled(_)
            | Record::Held(_)
            | Record::Recalled(_)
            | Record::Retried(_)
            | Record::Resolved(_)
            | Record::Settled(_) => None,
        }
    }
}
