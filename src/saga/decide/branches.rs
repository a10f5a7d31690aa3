//! Branches: all of them begin, and one rule says when their step ends \[R22\]. How they are undone
//! is in `undo`.

use std::sync::Arc;

use crate::plan::{Body, Join, StepIx, Verb};
use crate::saga::decide::{Decision, Next};
use crate::saga::record::{Cause, Ending, Record, Undoing};
use crate::saga::state::{Extent, Phase, Run, StepKey};

impl Decision<'_> {
    /// Begins the next branch; before the one after it is looked whether it is still wanted, for
    /// the first may have decided all.
    pub(super) fn start_branches(&mut self, owner: StepIx) -> Next {
        let open = self.run(owner).is_some_and(|run| matches!(run.phase, Phase::Waiting { .. }));
        let branches = self.plan.step(owner).verb.branches();
        let idle = |roof: &&StepIx| self.run(**roof).is_none_or(|run| run.phase == Phase::Idle);
        let Some(roof) = branches.iter().find(idle).filter(|_| open) else { return Next::Rest };
        self.pending.push(Next::Branches(owner));
        Next::Enter(Body::Branches(owner), self.plan.step(*roof).position)
    }

    /// All steps of a branch are behind it.
    pub(super) fn branch_succeeded(&mut self, owner: StepIx, roof: StepIx) -> Next {
        match self.join_of(owner) {
            Join::Any => self.won(owner, roof),
            Join::All | Join::Settled if self.all_ended(owner) => self.joined(owner),
            Join::All | Join::Settled => Next::Rest,
        }
    }

    /// A branch failed for good.
    pub(super) fn branch_failed(&mut self, owner: StepIx, cause: Cause, reason: Arc<str>) -> Next {
        match (self.join_of(owner), self.all_ended(owner)) {
            (Join::All, _) | (Join::Any, true) => self.group_failed(owner, cause, reason),
            (Join::Settled, true) => self.joined(owner),
            (Join::Any | Join::Settled, false) => Next::Rest,
        }
    }

    fn join_of(&self, owner: StepIx) -> Join {
        match &self.plan.step(owner).verb {
            Verb::Parallel { join, .. } => *join,
            Verb::Group(_)
            | Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Fail(_)
            | Verb::Done => Join::All,
        }
    }

    fn all_ended(&self, owner: StepIx) -> bool {
        let mut roofs = self.plan.step(owner).verb.branches().iter();
        roofs.all(|roof| self.run(*roof).and_then(Run::outcome).is_some())
    }

    fn joined(&mut self, owner: StepIx) -> Next {
        self.push_outcome(owner, Ending::Succeeded, None);
        Next::After(owner)
    }

    /// The first success: the others are cancelled in the same turn, and then undone.
    fn won(&mut self, owner: StepIx, winner: StepIx) -> Next {
        let plan = self.plan;
        let (cause, reason) = (Cause::Cancelled, format!("`{}` was first", plan.step(winner).path));
        let reason: Arc<str> = Arc::from(reason);
        // What undoes an earlier attempt inside a loser goes on.
        let lost = self.open_steps(|step| {
            plan.is_within(step, owner)
                && step != winner
                && !plan.is_within(step, winner)
                && !plan.is_undo(step)
        });
        self.close_steps(&lost, cause, &reason);
        if !self.has_lost_work(owner, winner) {
            return self.joined(owner);
        }
        let step = self.path(owner);
        self.push(Record::Undoing(Undoing { step, cause, reason }));
        Next::Undo(Some(owner))
    }

    fn has_lost_work(&self, owner: StepIx, winner: StepIx) -> bool {
        let mut inside = self.saga.runs.iter().map(|run| run.key).filter(|key| {
            self.plan.is_within(key.step, owner) && !self.plan.is_within(key.step, winner)
        });
        inside.any(|key| self.saga.needs_undo_in(self.plan, key, Extent::Losers(owner)))
    }

    /// What the losers did is undone: the way goes on, unless an undo failed.
    pub(super) fn losers_undone(&mut self, owner: StepIx) -> Next {
        let stuck = self
            .saga
            .runs
            .iter()
            .any(|run| run.undone == Some(false) && self.plan.is_within(run.key.step, owner));
        if !stuck {
            return self.joined(owner);
        }
        let reason: Arc<str> = Arc::from("what a losing branch did could not be undone");
        let cause = Cause::ActionFailed;
        self.push_outcome(owner, Ending::InDoubt, Some((cause, reason.clone())));
        Next::Failed(owner, cause, reason)
    }

    /// The places that an undo takes on its way: in each list of steps around the step, what of it
    /// is being undone. Lists of one saga, or of one branch, are undone one step after the other.
    pub(super) fn places_of(&self, step: StepIx) -> impl Iterator<Item = (Option<StepIx>, StepIx)> {
        let plan = self.plan;
        let mut next = Some((step, step));
        std::iter::from_fn(move || {
            let (item, mut at) = next.take()?;
            loop {
                let body = plan.step(at).body;
                let Some(owner) = crate::plan::Plan::owner(body) else { return Some((None, item)) };
                if let Body::Branches(_) = body {
                    next = Some((owner, owner));
                    return Some((Some(at), item));
                }
                at = owner;
            }
        })
    }

    /// What the open undos undo.
    pub(super) fn undone_now(&self) -> Vec<StepIx> {
        let open = self.saga.runs.iter().filter(|run| run.is_open());
        let mut found = Vec::new();
        for run in open {
            let mut body = self.plan.step(run.key.step).body;
            while let Some(owner) = crate::plan::Plan::owner(body) {
                if matches!(body, Body::Undo(_)) {
                    found.push(owner);
                    break;
                }
                body = self.plan.step(owner).body;
            }
        }
        found
    }

    /// Whether the step is undone when that scope is: all of the saga, a group's attempt, or the
    /// branches that lost.
    pub(super) fn is_undone_with(&self, step: StepIx, scope: Option<StepIx>) -> bool {
        let Some(group) = scope else { return true };
        let winner = self.saga.winner(self.plan, StepKey::trunk(group));
        self.plan.is_within(step, group)
            && winner.is_none_or(|winner| !self.plan.is_within(step, winner))
    }
}
