//! What may have been sent, and whether the point of no return lies behind \[P10, R13\]. What
//! follows from that is decided elsewhere.

use crate::plan::{Plan, StepIx, Verb};
use crate::saga::record::Ending;
use crate::saga::state::{Command, Phase, Run, Saga};
use crate::saga::targets::Targets;

impl Saga {
    /// Whether that step's newest command may have been sent \[P10\]. Where the saga observes, the
    /// code that acts may have done what the command asks for, whoever is connected.
    #[must_use]
    pub fn may_have_been_sent(&self, run: &Run, targets: &Targets) -> bool {
        let sent = |c: &Command| targets.had_session_since(&c.target, c.seq);
        run.command.as_ref().is_some_and(|command| self.observes || sent(command))
    }

    /// Whether the point of no return lies behind \[R13\].
    #[must_use]
    pub fn is_past_pivot(&self, plan: &Plan, targets: &Targets) -> bool {
        self.runs.iter().any(|run| self.has_passed(run, plan, targets))
    }

    /// Whether that step is a pivot and lies behind.
    #[must_use]
    pub fn has_passed(&self, run: &Run, plan: &Plan, targets: &Targets) -> bool {
        if !plan.step(run.key.step).pivot {
            return false;
        }
        // A sub-saga that cannot turn around any more takes its caller with it.
        if run.child.as_ref().is_some_and(|child| child.committed) {
            return true;
        }
        match &run.phase {
            Phase::Ended { outcome: Ending::Succeeded, .. } => true,
            Phase::Ended { outcome: Ending::InDoubt, .. }
            | Phase::Pausing { in_doubt: true, .. }
            | Phase::Probing { .. }
            | Phase::Undoing { .. } => is_irreversible(plan, run.key.step),
            Phase::Waiting { .. } => {
                is_irreversible(plan, run.key.step) && self.may_have_been_sent(run, targets)
            }
            Phase::Idle
            | Phase::Pausing { in_doubt: false, .. }
            | Phase::Ended { outcome: Ending::Failed | Ending::Skipped, .. } => false,
        }
    }
}

/// Whether the catalog says that the step's command cannot be undone.
fn is_irreversible(plan: &Plan, ix: StepIx) -> bool {
    matches!(&plan.step(ix).verb, Verb::Issue { irreversible: true, .. })
}
