//! Undoing: backwards, one at a time, each undo a step of its own \[R12, R14\]. When to undo is
//! decided in `failure`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::plan::{Body, OnTimeout, Undo};
use crate::saga::decide::{Decision, Next};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{Cause, Ending, Record, State, Undone, Verdict};
use crate::saga::state::{Extent, Phase, Run, StepKey};

/// What there is to undo.
enum Found {
    /// That step, now.
    Begin(StepKey),
    /// These, of several branches.
    AtOnce(Vec<StepKey>),
    /// Something, once what is being undone is over.
    Busy,
    /// Nothing more.
    Nothing,
}

impl Decision<'_> {
    /// Finds what is next to undo, in the whole saga, in one group's attempt, or in branches that
    /// lost.
    pub(super) fn next_undo(&mut self, scope: Option<StepKey>) -> Next {
        let turned = self.saga.state == State::Compensating && self.saga.verdict.is_none();
        if scope.is_none() && !turned {
            return Next::Rest;
        }
        let found = if scope.is_some_and(|group| self.plan.is_undo(group.step)) {
            // Nothing takes back what an undo did: it waits for its sub-sagas alone.
            if self.awaits_child_in(scope) { Found::Busy } else { Found::Nothing }
        } else if self.plan.has_branches() {
            self.undo_at_once(scope)
        } else if self.is_undoing_now() || self.awaits_child_in(scope) {
            Found::Busy
        } else {
            self.undo_in_order(scope)
        };
        match (found, scope) {
            (Found::Begin(key), _) => self.begin_undo(key),
            (Found::AtOnce(keys), _) => {
                self.pending.extend(keys.into_iter().rev().map(|key| Next::UndoOf(key, scope)));
                Next::Rest
            }
            (Found::Busy, _) => Next::Rest,
            (Found::Nothing, Some(group)) => self.group_is_undone(group),
            (Found::Nothing, None) => self.all_is_undone(),
        }
    }

    /// Begins an undo that was found to be next, unless what came in between has begun it.
    pub(super) fn begin_if_needed(&mut self, key: StepKey, scope: Option<StepKey>) -> Next {
        let undo = self.undo_of_step(key);
        let questions = self.doubts_of(key).into_iter().filter_map(|step| self.question(step));
        let mut begun = undo.into_iter().chain(questions);
        let open = begun.any(|step| self.run(step).is_some_and(Run::is_open));
        let needed = self.saga.needs_undo_in(self.plan, key, self.extent_of(scope));
        if open || !needed || self.saga.verdict.is_some() {
            return Next::Rest;
        }
        self.begin_undo(key)
    }

    /// The step that undoes that one.
    pub(super) fn undo_of_step(&self, key: StepKey) -> Option<StepKey> {
        match &self.plan.step(key.step).undo {
            Undo::Step { step, .. } => Some(StepKey { step: *step, ..key }),
            Undo::Nothing => None,
        }
    }

    fn begin_undo(&mut self, key: StepKey) -> Next {
        // The answers may spare the undo, or tell it what there is to undo.
        let doubts = self.doubts_of(key).into_iter();
        let mut doubts = doubts.filter(|step| self.can_be_settled(*step));
        if let Some(first) = doubts.next() {
            let rest: Vec<StepKey> = doubts.collect();
            self.pending.extend(rest.into_iter().rev().map(Next::Question));
            return Next::Enter(first.branch, Body::Probe(first.step), 0);
        }
        match self.undo_of_step(key) {
            // Its answer came when it had been given up already.
            Some(undo) if self.run(undo).and_then(Run::outcome) == Some(Ending::Succeeded) => {
                Next::After(undo)
            }
            Some(_) | None => Next::Enter(key.branch, Body::Undo(key.step), 0),
        }
    }

    /// Asks what became of a step whose undo waits for that, unless it is asked or known already.
    pub(super) fn ask_before_undo(&self, step: StepKey) -> Next {
        let asked = self.question(step).and_then(|asks| self.run(asks));
        let open = asked.is_some_and(Run::is_open) || self.saga.verdict.is_some();
        if open || !self.can_be_settled(step) {
            return Next::Rest;
        }
        Next::Enter(step.branch, Body::Probe(step.step), 0)
    }

    /// What is in doubt of all that the step's undo stands for.
    fn doubts_of(&self, key: StepKey) -> Vec<StepKey> {
        let own = self.run(key).into_iter();
        let all = own.chain(self.saga.stood_for(self.plan, key));
        let doubted = all.filter(|run| run.outcome() == Some(Ending::InDoubt));
        doubted.filter(|run| run.undone.is_none()).map(|run| run.key).collect()
    }

    fn undo_in_order(&self, scope: Option<StepKey>) -> Found {
        let (mut keys, extent) = (self.backwards(scope), self.extent_of(scope));
        #[cfg(test)]
        if fault::is(Fault::ForgetsOneDebt) {
            keys.find(|key| self.saga.needs_undo_in(self.plan, *key, extent));
        }
        let next = keys.find(|key| self.saga.needs_undo_in(self.plan, *key, extent));
        next.map_or(Found::Nothing, Found::Begin)
    }

    /// The same where branches are: each list of steps is undone one after the other, and several
    /// branches at once.
    fn undo_at_once(&self, scope: Option<StepKey>) -> Found {
        let (extent, winner) = (self.extent_of(scope), self.winner_in(scope));
        let mut busy: BTreeSet<StepKey> = self.undone_now().into_iter().collect();
        busy.extend(self.children_awaited(scope));
        let mut free_keys = Vec::new();
        let mut taken: BTreeMap<Option<StepKey>, StepKey> = BTreeMap::new();
        for (list, item) in busy.iter().flat_map(|step| self.places_of(*step)) {
            taken.entry(list).or_insert(item);
        }
        let mut found = if busy.iter().any(|s| self.is_undone_with(*s, scope, winner)) {
            Found::Busy
        } else {
            Found::Nothing
        };
        for key in self.backwards(scope) {
            if busy.contains(&key) || !self.saga.needs_undo_in(self.plan, key, extent) {
                continue;
            }
            let holds = self.plan.step(key.step).verb.holds_steps();
            let mut free =
                !(holds && busy.iter().any(|step| self.saga.is_within(self.plan, *step, key)));
            for (list, item) in self.places_of(key) {
                free &= *taken.entry(list).or_insert(item) == item;
            }
            if free {
                free_keys.push(key);
            }
            found = Found::Busy;
        }
        if free_keys.is_empty() { found } else { Found::AtOnce(free_keys) }
    }

    /// What ended, the last first. A group whose attempt is being undone has not: its own undo
    /// comes before all.
    fn backwards(&self, scope: Option<StepKey>) -> impl Iterator<Item = StepKey> {
        let own = match self.extent_of(scope) {
            Extent::Attempt(group) => Some(group),
            Extent::Whole | Extent::Losers(_) => None,
        };
        let (ended, winner) = (self.saga.order.iter().rev().copied(), self.winner_in(scope));
        own.into_iter().chain(ended.filter(move |key| self.is_undone_with(*key, scope, winner)))
    }

    pub(super) fn winner_in(&self, scope: Option<StepKey>) -> Option<StepKey> {
        scope.and_then(|owner| self.saga.winner(self.plan, owner))
    }

    fn extent_of(&self, scope: Option<StepKey>) -> Extent {
        match scope {
            None => Extent::Whole,
            Some(owner) if self.saga.winner(self.plan, owner).is_some() => Extent::Losers(owner),
            Some(group) => Extent::Attempt(group),
        }
    }

    /// Whether an undo is open; it has to end first.
    fn is_undoing_now(&self) -> bool {
        let undoes = |ix| self.plan.is_undo(ix) || self.plan.is_probe(ix);
        self.saga.runs.iter().any(|run| run.is_open() && undoes(run.key.step))
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
    fn group_is_undone(&mut self, group: StepKey) -> Next {
        let phase = self.run(group).map(|run| run.phase.clone());
        let Some(Phase::Undoing { cause, reason }) = phase else { return Next::Rest };
        if self.saga.winner(self.plan, group).is_some() {
            return self.losers_undone(group);
        }
        let inside = |run: &Run| run.key == group || self.saga.is_within(self.plan, run.key, group);
        let stuck = self.saga.runs.iter().any(|run| run.undone == Some(false) && inside(run));
        if stuck {
            return self.give_up_stuck(group, cause, reason);
        }
        if let Some(delay) = self.pause(group, cause, true) {
            self.back_off(group, delay, false, (cause, reason));
            return Next::Rest;
        }
        self.push_outcome(group, Ending::Failed, Some((cause, reason.clone())));
        Next::GiveUp(group, cause, reason)
    }

    /// What was given up inside of a step could not be undone: whatever waves a failure through
    /// around it, and whoever else wins or tries again, the saga has become an incident \[R14\].
    pub(super) fn give_up_stuck(&mut self, owner: StepKey, cause: Cause, reason: Arc<str>) -> Next {
        self.push_outcome(owner, Ending::InDoubt, Some((cause, reason.clone())));
        let forward = self.is_forward(owner) && self.saga.state == State::Running;
        if forward && self.saga.verdict.is_none() {
            self.unwind(cause, reason)
        } else {
            Next::GiveUp(owner, cause, reason)
        }
    }

    /// The compensating step is over and did not fail.
    pub(super) fn undo_ended(&mut self, undone: StepKey, undo: StepKey) -> Next {
        let outcome = |step| self.run(step).and_then(Run::outcome);
        let replaced = matches!(self.plan.step(undo.step).on_timeout, OnTimeout::Steps(_));
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

    pub(super) fn undo_failed(&mut self, undone: StepKey, reason: &Arc<str>) -> Next {
        self.push_undone(undone, Some(reason));
        Next::Undo(self.undo_scope(undone))
    }

    /// Records the undo of a step and of all that it stands for.
    fn push_undone(&mut self, undone: StepKey, failure: Option<&Arc<str>>) {
        let stood_for = self.saga.stood_for(self.plan, undone);
        let left = stood_for.filter(|run| run.may_have_happened() && run.undone.is_none());
        let left = left.map(|run| run.key);
        #[cfg(test)]
        let left = left.filter(|_| !fault::is(Fault::CoversNothing));
        let left: Vec<StepKey> = left.collect();
        for step in std::iter::once(undone).chain(left) {
            let (step, attempt) = (self.path(step), self.attempt_of(step));
            let (ok, reason) = (failure.is_none(), failure.cloned());
            self.push(Record::Undone(Undone { step, ok, attempt, reason }));
        }
    }

    /// The innermost group whose attempt is being undone around that step; none: the whole saga.
    /// Those of the way forward ended when it turned around.
    pub(super) fn undo_scope(&self, undone: StepKey) -> Option<StepKey> {
        let undoing = self.saga.runs.iter().filter(|r| matches!(r.phase, Phase::Undoing { .. }));
        undoing
            .map(|run| run.key)
            .rfind(|group| *group == undone || self.saga.is_within(self.plan, undone, *group))
    }
}
