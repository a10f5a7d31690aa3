//! Branches: all of them begin, and one rule says when their step ends \[R22\]. How they are undone
//! is in `undo`.

use std::sync::Arc;

use crate::expr;
use crate::limits::FOR_EACH_MAX;
use crate::plan::{Body, ForEach, Join, Verb};
use crate::saga::decide::{Decision, Next};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{Cause, Ending, Entered, Record, Undoing};
use crate::saga::state::{Extent, Phase, Run, StepKey};
use crate::time::Timestamp;

impl Decision<'_> {
    /// Begins a loop: its elements are frozen, and each gets a branch.
    pub(super) fn begin_loop(
        &mut self,
        step: StepKey,
        each: &ForEach,
        attempt: u32,
        due: Option<Timestamp>,
    ) -> Next {
        let elements = match expr::eval(&each.over, &self.scope(step.branch, None)) {
            Ok(list) if list.is_array() => list.as_array().cloned().unwrap_or_default(),
            Ok(_) => return self.fault(step, Arc::from("`in` is no list")),
            Err(error) => {
                return self.fault(step, Arc::from(format!("`in` cannot be evaluated: {error}")));
            }
        };
        let count = elements.len();
        if count > FOR_EACH_MAX {
            let reason =
                format!("`in` has {count} elements, and {FOR_EACH_MAX} may be gone through");
            return self.fault(step, Arc::from(reason));
        }
        let (path, elements) = (self.path(step), Some(Arc::new(elements)));
        self.push(Record::Entered(Entered { step: path, attempt, due, elements }));
        match (count, each.join) {
            (0, Join::All | Join::Settled) => self.joined(step),
            (0, Join::Any) => {
                let reason = Arc::from("there is no element that could succeed");
                self.group_failed(step, Cause::FailStep, reason)
            }
            (_, Join::All | Join::Any | Join::Settled) => Next::Branches(step),
        }
    }

    /// Begins the next branch; before the one after it is looked whether it is still wanted, for
    /// the first may have decided all.
    pub(super) fn start_branches(&mut self, owner: StepKey) -> Next {
        let open = self.run(owner).is_some_and(|run| matches!(run.phase, Phase::Waiting { .. }));
        // Asked only while it is open: to be asked gives an element its number, which its first
        // record must tell.
        let next = if open { self.next_branch(owner) } else { None };
        let Some(roof) = next else { return Next::Rest };
        self.pending.push(Next::Branches(owner));
        let position = self.plan.step(roof.step).position;
        Next::Enter(roof.branch, Body::Branches(owner.step), position)
    }

    fn next_branch(&mut self, owner: StepKey) -> Option<StepKey> {
        let Verb::ForEach(each) = &self.plan.step(owner.step).verb else {
            let roofs = self.plan.step(owner.step).verb.branches().iter();
            let mut roofs = roofs.map(|step| StepKey { branch: owner.branch, step: *step });
            return roofs.find(|key| self.run(*key).is_none_or(|run| run.phase == Phase::Idle));
        };
        let count = self.elements(owner);
        let (mut begun, mut open) = (0, 0);
        for run in self.saga.roofs(self.plan, owner).filter(|run| run.phase != Phase::Idle) {
            begun += 1;
            open += usize::from(run.is_open());
        }
        let room = each.max_parallel.is_none_or(|most| open < most as usize);
        if begun >= count || !room {
            return None;
        }
        let branch = self.saga.branch_for(owner, u32::try_from(begun).ok()?);
        Some(StepKey { branch, step: each.roof })
    }

    fn elements(&self, owner: StepKey) -> usize {
        self.run(owner).and_then(|run| run.elements.as_ref()).map_or(0, |list| list.len())
    }

    /// All steps of a branch are behind it.
    pub(super) fn branch_succeeded(&mut self, owner: StepKey, roof: StepKey) -> Next {
        match self.join_of(owner) {
            Join::Any => self.won(owner, roof),
            Join::All | Join::Settled if self.all_ended(owner) => self.joined(owner),
            Join::All | Join::Settled => Next::Branches(owner),
        }
    }

    /// A branch failed for good.
    pub(super) fn branch_failed(&mut self, owner: StepKey, cause: Cause, reason: Arc<str>) -> Next {
        match (self.join_of(owner), self.all_ended(owner)) {
            (Join::All, _) | (Join::Any, true) => self.group_failed(owner, cause, reason),
            (Join::Settled, true) => self.joined(owner),
            (Join::Any | Join::Settled, false) => Next::Branches(owner),
        }
    }

    fn join_of(&self, owner: StepKey) -> Join {
        self.plan.step(owner.step).verb.join().unwrap_or(Join::All)
    }

    fn all_ended(&self, owner: StepKey) -> bool {
        let verb = &self.plan.step(owner.step).verb;
        let all = if verb.is_loop() { self.elements(owner) } else { verb.branches().len() };
        let ended = self.saga.roofs(self.plan, owner).filter(|run| run.outcome().is_some());
        ended.count() == all
    }

    /// A group has succeeded; that of an element leaves what is collected.
    pub(super) fn leave_group(&mut self, group: StepKey) -> Next {
        let plan = self.plan;
        let collect = match plan.step(group.step).body {
            Body::Branches(owner) => plan.step(owner).verb.collect(),
            Body::Main
            | Body::Finally
            | Body::Group(_)
            | Body::OnTimeout(_)
            | Body::Undo(_)
            | Body::Probe(_) => None,
        };
        let read = |ast| {
            let scope = self.scope(group.branch, None);
            expr::eval(ast, &scope).map(|value| Arc::new(value.into_owned()))
        };
        let echo = match collect.map(read).transpose() {
            Ok(echo) => echo,
            Err(error) => {
                let reason = Arc::from(format!("`collect` cannot be evaluated: {error}"));
                return self.group_failed(group, Cause::Fault, reason);
            }
        };
        self.push_end(group, Ending::Succeeded, None, echo);
        Next::After(group)
    }

    fn joined(&mut self, owner: StepKey) -> Next {
        self.push_outcome(owner, Ending::Succeeded, None);
        Next::After(owner)
    }

    /// The first success: the others are cancelled in the same turn, and then undone.
    fn won(&mut self, owner: StepKey, winner: StepKey) -> Next {
        let (cause, reason) = (Cause::Cancelled, format!("`{}` was first", self.path(winner)));
        let reason: Arc<str> = Arc::from(reason);
        let mut lost = self.open_within(owner);
        lost.retain(|step| *step != winner && !self.saga.is_within(self.plan, *step, winner));
        self.close_steps(&lost, cause, &reason);
        if !self.has_lost_work(owner, winner) {
            return self.joined(owner);
        }
        let step = self.path(owner);
        self.push(Record::Undoing(Undoing { step, cause, reason }));
        Next::Undo(Some(owner))
    }

    fn has_lost_work(&self, owner: StepKey, winner: StepKey) -> bool {
        #[cfg(test)]
        if fault::is(Fault::LosersStand) {
            return false;
        }
        let lost = |run: &Run| {
            self.saga.is_within(self.plan, run.key, owner)
                && !self.saga.is_within(self.plan, run.key, winner)
        };
        let extent = Extent::Losers(owner);
        let to_undo = |run: &Run| lost(run) && self.saga.is_to_be_undone(self.plan, run, extent);
        self.saga.runs.iter().any(to_undo) || self.awaits_child_in(Some(owner))
    }

    /// What the losers did is undone: the way goes on, unless an undo failed.
    pub(super) fn losers_undone(&mut self, owner: StepKey) -> Next {
        let stuck =
            self.saga.runs.iter().any(|run| {
                run.undone == Some(false) && self.saga.is_within(self.plan, run.key, owner)
            });
        if !stuck {
            return self.joined(owner);
        }
        let reason: Arc<str> = Arc::from("what a losing branch did could not be undone");
        let cause = Cause::ActionFailed;
        self.give_up_stuck(owner, cause, reason)
    }

    /// The places that an undo takes on its way: in each list of steps around the step, what of it
    /// is being undone. Lists of one saga, or of one branch, are undone one step after the other.
    pub(super) fn places_of(
        &self,
        step: StepKey,
    ) -> impl Iterator<Item = (Option<StepKey>, StepKey)> {
        let plan = self.plan;
        let mut next = Some((step, step));
        std::iter::from_fn(move || {
            let (item, mut at) = next.take()?;
            loop {
                let Some(owner) = self.saga.owner(plan, at) else { return Some((None, item)) };
                let at_once = matches!(plan.step(at.step).body, Body::Branches(_))
                    && !plan.step(owner.step).verb.is_in_order();
                if at_once {
                    next = Some((owner, owner));
                    return Some((Some(at), item));
                }
                at = owner;
            }
        })
    }

    /// What the open undos undo.
    pub(super) fn undone_now(&self) -> Vec<StepKey> {
        let mut found = Vec::new();
        for run in self.saga.runs.iter().filter(|run| run.is_open()) {
            let mut at = run.key;
            while let Some(owner) = self.saga.owner(self.plan, at) {
                let undoes = match self.plan.step(at.step).body {
                    Body::Undo(_) => true,
                    // It is asked before it is undone.
                    Body::Probe(_) => self.run(owner).is_some_and(|run| run.outcome().is_some()),
                    Body::Main
                    | Body::Finally
                    | Body::Group(_)
                    | Body::Branches(_)
                    | Body::OnTimeout(_) => false,
                };
                if undoes {
                    found.push(owner);
                    break;
                }
                at = owner;
            }
        }
        found
    }

    /// Whether the step is undone when that scope is: all of the saga, a group's attempt, or the
    /// branches that lost.
    pub(super) fn is_undone_with(
        &self,
        step: StepKey,
        scope: Option<StepKey>,
        winner: Option<StepKey>,
    ) -> bool {
        let Some(group) = scope else { return true };
        self.saga.is_within(self.plan, step, group)
            && winner.is_none_or(|winner| !self.saga.is_within(self.plan, step, winner))
    }
}
