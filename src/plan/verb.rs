//! What a step does, and which steps are inside it. Does none of it.

use std::sync::Arc;

use super::StepIx;
use super::budget::Longest;
use crate::expr::{Ast, Template};
use crate::time::Millis;

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Puts a command on its target's pipe.
    Issue {
        /// Its declaration's name.
        command: Arc<str>,
        /// Its target.
        target: Arc<str>,
        /// Its fields.
        with: Vec<(Arc<str>, Template)>,
        /// Whether the target repeats its answer for a `command_id`.
        idempotent: bool,
        /// Whether the catalog says that nothing can undo it.
        irreversible: bool,
    },
    /// Waits for something that others cause.
    Await,
    /// Publishes on the bus.
    Emit {
        /// Name of the event.
        event: Arc<str>,
        /// Its fields.
        with: Vec<(Arc<str>, Template)>,
    },
    /// A durable timer.
    Delay(Millis),
    /// Several steps under one roof.
    Group(Vec<StepIx>),
    /// Several lists of steps at once, each under a roof of its own.
    Parallel {
        /// The roofs: groups without a policy.
        branches: Vec<StepIx>,
        /// How they end together.
        join: Join,
    },
    /// One branch an element.
    ForEach(Box<ForEach>),
    /// A sub-saga.
    Call(Box<Call>),
    /// Sees to it that the sub-saga of the step that it undoes is undone: the undo of a `call`.
    Recall,
    /// Fails its branch.
    Fail(Template),
    /// Ends the saga.
    Done,
}

/// A sub-saga, as its caller's definition knows it. Which text of it runs is decided when it is
/// called.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub saga: Arc<str>,
    /// Fields of its `call` trigger.
    pub with: Vec<(Arc<str>, Template)>,
    /// What it costs, as its definition was when this one was compiled; nothing in a plan that
    /// comes out of the log.
    pub costs: Costs,
}

/// What a sub-saga costs its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Whether it has a point of no return, so that it cannot be undone once it has completed.
    pub has_pivot: bool,
    /// The least time to its end.
    pub best: Millis,
    /// The most time of its way forward.
    pub forward: Longest,
    /// The most time of its undoing.
    pub undoing: Longest,
    /// Commands that it sends at most, undoing included.
    pub commands: u64,
    /// Records that it writes at most, undoing included.
    pub records: u64,
}

/// A loop: one branch an element.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The list that it goes through, read when it begins.
    pub over: Ast,
    /// The name of the element.
    pub element: Arc<str>,
    /// So many branches at a time; absent: all at once.
    pub max_parallel: Option<u32>,
    /// Read at each success of an element.
    pub collect: Option<Ast>,
    /// The steps of each element: a group without a policy.
    pub roof: StepIx,
    /// How its branches end together.
    pub join: Join,
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

impl Verb {
    /// Whether other steps are inside, whose ends decide its own.
    #[must_use]
    pub fn holds_steps(&self) -> bool {
        !self.inside().is_empty()
    }

    /// The steps right inside: of a group its steps, of branches their roofs.
    #[must_use]
    pub fn inside(&self) -> &[StepIx] {
        if let Verb::Group(steps) = self { steps } else { self.branches() }
    }

    /// The roofs of its branches; of a loop the one that all elements share.
    #[must_use]
    pub fn branches(&self) -> &[StepIx] {
        match self {
            Verb::Parallel { branches, .. } => branches,
            Verb::ForEach(each) => std::slice::from_ref(&each.roof),
            Verb::Group(_)
            | Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Call(_)
            | Verb::Recall
            | Verb::Fail(_)
            | Verb::Done => &[],
        }
    }

    /// How its branches end together, if it has any.
    #[must_use]
    pub fn join(&self) -> Option<Join> {
        match self {
            Verb::Parallel { join, .. } => Some(*join),
            Verb::ForEach(each) => Some(each.join),
            Verb::Group(_)
            | Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Call(_)
            | Verb::Recall
            | Verb::Fail(_)
            | Verb::Done => None,
        }
    }

    /// Whether all that is inside runs to its end where the step succeeds.
    #[must_use]
    pub fn runs_all(&self) -> bool {
        !matches!(self.join(), Some(Join::Any | Join::Settled))
    }

    /// Whether it undoes a `call`.
    #[must_use]
    pub fn is_recall(&self) -> bool {
        matches!(self, Verb::Recall)
    }

    /// The loop that it is, if it is one.
    #[must_use]
    pub fn as_loop(&self) -> Option<&ForEach> {
        if let Verb::ForEach(each) = self { Some(each) } else { None }
    }

    /// Whether it has a branch an element.
    #[must_use]
    pub fn is_loop(&self) -> bool {
        self.as_loop().is_some()
    }

    /// Whether its branches run one after the other.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        self.as_loop().is_some_and(|each| each.max_parallel == Some(1))
    }

    /// The name of a loop's element.
    #[must_use]
    pub fn element(&self) -> Option<&Arc<str>> {
        self.as_loop().map(|each| &each.element)
    }

    /// What is read at each success of an element.
    #[must_use]
    pub fn collect(&self) -> Option<&Ast> {
        self.as_loop().and_then(|each| each.collect.as_ref())
    }
}
