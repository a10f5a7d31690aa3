//! Undoing: backwards, one at a time, each undo a step of its own \[R12, R14\]. When to undo is
//! decided in `failure`.

use std::sync::Arc;

use crate::plan::{Body, OnTimeout, StepIx, Undo};
use crate::saga::decide::{Decision, Next};
use crate::saga::record::{Cause, Ending, Record, State, Undone, Verdict};
use crate::saga::state::{Phase, Run, StepKey};

impl Decision<'_> {
    /// Finds what is next to undo, in the whole saga or in one group's attempt.
    pub(super) fn next_undo(&mut self, scope: Option<StepIx>) -> Next {
        if self.is_undoing_now() {
            return Next::Rest;
        }
        let inside = |step: StepIx| scope.is_none_or(|group| self.plan.is_within(step, group));
        // A group whose attempt is being undone has not ended: its own undo comes before all.
        let own = scope.map(StepKey::trunk);
        let ended = self.saga.order.iter().rev().copied().filter(|key| inside(key.step));
        let next = own.into_iter().chain(ended).find(|key| self.saga.needs_undo(self.plan, *key));
        match (next, scope) {
            (Some(key), _) => Next::Enter(Body::Undo(key.step), 0),
            (None, Some(group)) => self.group_is_undone(group),
            (None, None) => self.all_is_undone(),
        }
    }

    /// Whether an undo is open; it has to end first.
    fn is_undoing_now(&self) -> bool {
        self.saga.runs.iter().any(|run| run.is_open() && self.plan.is_undo(run.key.step))
    }

    fn all_is_undone(&mut self) -> Next {
        let (cause, reason) = match &self.saga.unwinding {
            Some((cause, reason)) => (*cause, reason.clone()),
            None => (Cause::Restart, Arc::from("the launcher restarted")),
        };
        let any = |mark: bool| self.saga.runs.iter().any(|run| run.undone == Some(mark));
        let state = match (any(false), any(true)) {
            (true, _) => State::FailedCompensation,
            (false, true) => State::Compensated,
            (false, false) => State::Failed,
        };
        Next::Finish(Verdict { state, cause: Some(cause), reason: Some(reason), result: None })
    }

    /// The failed attempt left no effect: the next one may begin, unless an undo failed.
    fn group_is_undone(&mut self, group: StepIx) -> Next {
        let phase = self.run(group).map(|run| run.phase.clone());
        let Some(Phase::Undoing { cause, reason }) = phase else { return Next::Rest };
        let inside = |run: &Run| run.key.step == group || self.plan.is_within(run.key.step, group);
        let stuck = self.saga.runs.iter().any(|run| run.undone == Some(false) && inside(run));
        let delay = if stuck { None } else { self.pause(group, cause, true) };
        if let Some(delay) = delay {
            self.back_off(group, delay, false, (cause, reason));
            return Next::Rest;
        }
        let outcome = if stuck { Ending::InDoubt } else { Ending::Failed };
        self.push_outcome(group, outcome, Some((cause, reason.clone())));
        Next::Failed(group, cause, reason)
    }

    /// The compensating step is over and did not fail.
    pub(super) fn undo_ended(&mut self, undone: StepIx, undo: StepIx) -> Next {
        let outcome = |step| self.run(step).and_then(Run::outcome);
        let replaced = matches!(self.plan.step(undo).on_timeout, OnTimeout::Steps(_));
        match outcome(undo) {
            // Nobody looked whether the effect is there: that is no undo (language, `compensate`).
            Some(Ending::Skipped) if outcome(undone) == Some(Ending::InDoubt) => {
                let reason = "its undo was skipped while the step was in doubt";
                return self.undo_failed(undone, &Arc::from(reason));
            }
            // Waved through by `best_effort` or `on_timeout: continue`, it still undid nothing.
            Some(Ending::Failed | Ending::InDoubt) if !replaced => {
                let reason = self.run(undo).and_then(Run::reason);
                let reason = reason.unwrap_or_else(|| Arc::from("its undo failed"));
                return self.undo_failed(undone, &reason);
            }
            Some(Ending::Succeeded | Ending::Skipped | Ending::Failed | Ending::InDoubt) | None => {
            }
        }
        self.push_undone(undone, None);
        Next::Undo(self.undo_scope(undone))
    }

    pub(super) fn undo_failed(&mut self, undone: StepIx, reason: &Arc<str>) -> Next {
        self.push_undone(undone, Some(reason));
        Next::Undo(self.undo_scope(undone))
    }

    /// Records the undo of a step and of all that it stands for.
    fn push_undone(&mut self, undone: StepIx, failure: Option<&Arc<str>>) {
        let covers = match &self.plan.step(undone).undo {
            Undo::Step { covers, .. } => covers.as_slice(),
            Undo::Nothing => &[],
        };
        let inside = self.saga.runs.iter().map(|run| run.key.step).filter(|step| {
            let mut roofs = covers.iter().chain(std::iter::once(&undone));
            roofs.any(|roof| self.plan.is_within(*step, *roof)) && !self.plan.is_undo(*step)
        });
        let stood_for: Vec<StepIx> = covers
            .iter()
            .copied()
            .chain(inside)
            .filter(|step| {
                self.run(*step).is_some_and(|r| r.may_have_happened() && r.undone.is_none())
            })
            .collect();
        for step in std::iter::once(undone).chain(stood_for) {
            let (step, attempt) = (self.path(step), self.attempt_of(step));
            let (ok, reason) = (failure.is_none(), failure.cloned());
            self.push(Record::Undone(Undone { step, ok, attempt, reason }));
        }
    }

    /// The innermost group whose attempt is being undone around that step; the whole saga once it
    /// turned around.
    fn undo_scope(&self, undone: StepIx) -> Option<StepIx> {
        if self.saga.state == State::Compensating {
            return None;
        }
        let undoing = self.saga.runs.iter().filter(|r| matches!(r.phase, Phase::Undoing { .. }));
        undoing
            .map(|run| run.key.step)
            .rfind(|group| *group == undone || self.plan.is_within(undone, *group))
    }
}
