//! Steps as written. Names in them are not looked up here.

use crate::definition::await_::{Await, FailOn};
use crate::definition::duration::Bound;
use crate::definition::value::{Named, Text};
use crate::diag::{At, Span};
use crate::time::Millis;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The whole mapping.
    pub span: Span,
    /// Its id; a `compensate` has none, and a step of a group inside one need not have one.
    pub id: Option<At<String>>,
    /// What it does.
    pub verb: Verb,
    /// The key of the verb.
    pub verb_span: Span,
    /// `if`.
    pub condition: Option<Text>,
    /// `await`; absent when not said. With [`Verb::Await`] it is always there.
    pub wait: Option<At<Await>>,
    /// What fails it.
    pub fail_on: Vec<FailOn>,
    /// Per attempt.
    pub timeout: Option<At<Bound>>,
    /// What a timeout does; absent: the step fails.
    pub on_timeout: Option<At<OnTimeout>>,
    /// Further attempts; absent: the saga's defaults.
    pub retry: Option<At<RetryChoice>>,
    /// The question asked when in doubt.
    pub probe: Option<Box<Probe>>,
    /// What undoes it; absent: the catalog's undo.
    pub compensate: Option<At<Compensate>>,
    /// `pivot: true`, where it was written.
    pub pivot: Option<Span>,
    /// `best_effort: true`, where it was written.
    pub best_effort: Option<Span>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Puts a command on its target's pipe.
    Issue {
        /// The command's name.
        command: At<String>,
        /// Its fields.
        with: Vec<Named>,
        /// The mapping of `with`, when it was written.
        with_span: Option<Span>,
    },
    /// Waits for something that others cause.
    Await,
    /// Publishes on the bus.
    Emit {
        /// The event's name.
        event: At<String>,
        /// Its fields.
        with: Vec<Named>,
        /// The mapping of `with`, when it was written.
        with_span: Option<Span>,
    },
    /// A durable timer.
    Delay(At<Millis>),
    /// Several steps under one roof.
    Group(Vec<Step>),
    /// Several lists of steps at once.
    Parallel {
        /// In the author's order.
        branches: Vec<Branch>,
        /// How they end together.
        join: At<Join>,
    },
    /// One branch an element.
    ForEach(Box<ForEach>),
    /// A sub-saga.
    Call {
        /// The saga's name.
        saga: At<String>,
        /// Fields of its `call` trigger.
        with: Vec<Named>,
        /// The mapping of `with`, when it was written.
        with_span: Option<Span>,
    },
    /// Fails its branch, with these words.
    Fail(Text),
    /// Ends the saga.
    Done,
}

/// One branch of a `parallel`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Its name, unique among its siblings.
    pub name: At<String>,
    /// Its steps: a group without an id or a policy.
    pub roof: Step,
}

/// A loop: one branch an element.
#[derive(Clone, Debug, PartialEq)]
pub struct ForEach {
    /// The list that it goes through.
    pub over: Text,
    /// The name of the element.
    pub element: At<String>,
    /// So many branches at a time; absent: all at once.
    pub max_parallel: Option<At<u32>>,
    /// Read at each success of an element.
    pub collect: Option<Text>,
    /// Its steps: a group without an id or a policy.
    pub roof: Step,
    /// How its branches end together.
    pub join: At<Join>,
}

/// How branches end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// The first failure cancels the rest.
    All,
    /// The first success cancels the rest, which are then undone.
    Any,
    /// Each runs to its end, whatever becomes of the others.
    Settled,
}

/// What a timeout does.
#[derive(Clone, Debug, PartialEq)]
pub enum OnTimeout {
    /// The word `fail`.
    Fail,
    /// The word `continue`.
    Continue,
    /// These run in its place.
    Steps(Vec<Step>),
}

/// `retry` of a step or of the defaults.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryChoice {
    /// The word `none`.
    None,
    /// Further attempts.
    Retry(Retry),
}

/// Further attempts \[R11\].
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How often in all; the first one counts. At least 1.
    pub attempts: At<u32>,
    /// How the pause grows.
    pub backoff: At<Backoff>,
    /// The first pause.
    pub delay: At<Millis>,
    /// The longest pause.
    pub max_delay: Option<At<Millis>>,
    /// Share of the pause that is spread, 0.0 to 1.0.
    pub jitter: Option<At<f64>>,
    /// After what.
    pub on: Vec<At<RetryOn>>,
}

/// How the pause between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Always `delay`.
    Constant,
    /// `delay` times the number of the attempt that failed.
    Linear,
    /// `delay`, doubled with each attempt.
    Exponential,
}

/// What a retry answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// An attempt's timeout.
    Timeout,
    /// Its target was unreachable.
    Unreachable,
    /// A known failure.
    Failed,
}

/// The question asked when in doubt \[R11\].
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The command that asks, its wait and its time; it has nothing else, and no id.
    pub step: Step,
    /// Reads the answer as `event`: whether the step was done.
    pub done_when: Text,
    /// Variables that it sets where the step was done, reading `event`.
    pub save: Vec<Named>,
}

/// `compensate` of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Compensate {
    /// The word `none`.
    None,
    /// A step that undoes this one.
    Step {
        /// The compensating step.
        step: Box<Step>,
        /// Later steps that it undoes as well.
        covers: Vec<At<String>>,
    },
}

impl Step {
    /// A group without an id or a policy: the steps of one branch.
    #[must_use]
    pub fn roof(span: Span, verb_span: Span, steps: Vec<Step>) -> Step {
        Step {
            span,
            id: None,
            verb: Verb::Group(steps),
            verb_span,
            condition: None,
            wait: None,
            fail_on: Vec::new(),
            timeout: None,
            on_timeout: None,
            retry: None,
            probe: None,
            compensate: None,
            pivot: None,
            best_effort: None,
        }
    }

    /// The place to point at when the whole step is meant: its id, else its verb.
    #[must_use]
    pub fn head(&self) -> Span {
        self.id.as_ref().map_or(self.verb_span, |id| id.span)
    }
}
