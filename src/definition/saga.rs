//! A saga as written. Names in it are not looked up here.

use std::sync::Arc;

use crate::definition::await_::Alternative;
use crate::definition::catalog::EventDecl;
use crate::definition::duration::Bound;
use crate::definition::step::{RetryChoice, Step, Verb};
use crate::definition::value::{Named, Text};
use crate::diag::{At, Span};
use crate::time::Schedule;

/// One `*.saga.yaml`.
#[derive(Clone, Debug)]
pub struct Saga {
    /// The whole document; its file is the saga's file.
    pub span: Span,
    /// The name.
    pub name: At<String>,
    /// What it is for.
    pub doc: Option<At<String>>,
    /// Free labels.
    pub labels: Vec<(At<String>, At<String>)>,
    /// What starts it.
    pub trigger: Trigger,
    /// Named values taken from `trigger`.
    pub input: Vec<Named>,
    /// Initial values of variables, from `input`.
    pub vars: Vec<Named>,
    /// Guards.
    pub require: Vec<Require>,
    /// Who gives way.
    pub eviction: Eviction,
    /// Deadline of the way forward.
    pub timeout: At<Bound>,
    /// For steps that do not say.
    pub defaults: Defaults,
    /// The way forward.
    pub steps: Vec<Step>,
    /// Steps that run on every end.
    pub finally: Vec<Step>,
    /// What a caller gets.
    pub result: Vec<Named>,
    /// What cancels it: `event` alternatives without `save`.
    pub cancel_on: Vec<Alternative>,
    /// What it does on the side while it runs.
    pub reactions: Vec<Reaction>,
    /// What a person or client may say to it, each declared like an event.
    pub signals: Vec<Arc<EventDecl>>,
    /// Conditions that hold in every reachable state.
    pub always: Vec<Text>,
    /// After a crash.
    pub on_restart: OnRestart,
    /// At a clean shutdown.
    pub on_shutdown: OnShutdown,
    /// Whether it sends; live where it does not say.
    pub mode: Mode,
}

/// What starts a saga.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The whole mapping.
    pub span: Span,
    /// One, or those of `any_of`.
    pub alternatives: Vec<TriggerAlternative>,
}

/// One way to start a saga.
#[derive(Clone, Debug)]
pub struct TriggerAlternative {
    /// Its mapping.
    pub span: Span,
    /// What it is.
    pub kind: TriggerKind,
    /// Its own `input`, under `any_of` only; absent: the saga's.
    pub input: Option<Vec<Named>>,
}

/// What starts a saga.
#[derive(Clone, Debug)]
pub enum TriggerKind {
    /// A report.
    Event {
        /// Its name.
        event: At<String>,
        /// A condition that reads `trigger`.
        when: Option<Text>,
    },
    /// A caller, by name; the declaration is called `call` and types the caller's fields.
    Call {
        /// The caller's fields.
        fields: Arc<EventDecl>,
    },
    /// The clock; `trigger` has no fields then.
    Schedule(At<Schedule>),
}

/// One entry of `reactions`.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// What comes in: an `event`, or an `echo` to any of the saga's commands. Its `save` is empty.
    pub on: Alternative,
    /// What is done: `issue` or `emit`.
    pub deed: Verb,
    /// The key of the deed.
    pub deed_span: Span,
}

/// One entry of `require`.
#[derive(Clone, Debug, PartialEq)]
pub struct Require {
    /// The whole mapping.
    pub span: Span,
    /// What must be true; reads `trigger` and `input`.
    pub that: Text,
    /// The refusal's words, with `${{ }}`.
    pub otherwise: Text,
}

/// Contention.
#[derive(Clone, Debug, PartialEq)]
pub struct Eviction {
    /// The whole mapping.
    pub span: Span,
    /// Expressions, of which one in common is contention; empty: the saga's name is the key.
    pub key: Vec<Text>,
    /// Who gives way.
    pub policy: At<Policy>,
    /// Newcomers that may wait under `queue`.
    pub queue_max: Option<At<u64>>,
    /// Variables that a newcomer sets under `join`.
    pub save: Vec<Named>,
}

/// Who gives way when two sagas of one key meet \[R17\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The running one is evicted, then the newcomer starts.
    Replace,
    /// The newcomer is refused with a reason.
    Refuse,
    /// The newcomer is dropped and counted.
    Ignore,
    /// The newcomer waits in order.
    Queue,
    /// Both run.
    Parallel,
    /// The newcomer is merged into the running one.
    Join,
}

/// `defaults`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Timeout of steps that do not say.
    pub timeout: Option<At<Bound>>,
    /// Retry of steps that do not say.
    pub retry: Option<At<RetryChoice>>,
}

/// After a crash of the launcher \[L5\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRestart {
    /// Goes on where the log ends.
    Resume,
    /// Undoes what it did.
    Compensate,
    /// Ends it without undoing.
    Fail,
}

/// At a clean shutdown \[L8\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnShutdown {
    /// Resumes at the next start.
    Park,
    /// Undoes what it did, as far as `stop_timeout` allows.
    Cancel,
}

/// Whether a saga acts, or looks on while other code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its commands are sent.
    Live,
    /// Nobody is sent anything; what others report stands for the answers.
    Observe,
}
