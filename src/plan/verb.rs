//! What a step does, and which steps are inside it. Does none of it.

use std::sync::Arc;

use super::StepIx;
use crate::expr::Template;
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
    /// Fails its branch.
    Fail(Template),
    /// Ends the saga.
    Done,
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
        match self {
            Verb::Group(_) | Verb::Parallel { .. } => true,
            Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Fail(_)
            | Verb::Done => false,
        }
    }

    /// The steps right inside: of a group its steps, of branches their roofs.
    #[must_use]
    pub fn inside(&self) -> &[StepIx] {
        match self {
            Verb::Group(steps) | Verb::Parallel { branches: steps, .. } => steps,
            Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Fail(_)
            | Verb::Done => &[],
        }
    }

    /// Whether all that is inside runs to its end where the step succeeds.
    #[must_use]
    pub fn runs_all(&self) -> bool {
        match self {
            Verb::Parallel { join: Join::Any | Join::Settled, .. } => false,
            Verb::Parallel { join: Join::All, .. }
            | Verb::Group(_)
            | Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Fail(_)
            | Verb::Done => true,
        }
    }

    /// The roofs of its branches.
    #[must_use]
    pub fn branches(&self) -> &[StepIx] {
        match self {
            Verb::Parallel { branches, .. } => branches,
            Verb::Group(_)
            | Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Fail(_)
            | Verb::Done => &[],
        }
    }
}
