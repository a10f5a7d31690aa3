//! Sub-sagas: what a caller wants of those that its steps called, and what a sub-saga is to its
//! caller. Both are questions asked of state; who carries them over is `coordinator::family`.

use std::sync::Arc;

use crate::ids::SagaId;
use crate::plan::{Join, Plan, StepIx, Undo, Verb};
use crate::saga::apply::Corrupt;
use crate::saga::record::{Cause, Child, Ending, Fate, Record, State};
use crate::saga::state::{ChildOf, Extent, Phase, Run, Saga, StepKey};
use crate::saga::targets::Targets;

/// What a caller wants of a sub-saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// That it begins, for this step.
    Call(StepKey),
    /// That it turns around, or gives up its place.
    Recall {
        /// Which one.
        child: SagaId,
        /// Why.
        cause: Cause,
        /// The same in words.
        reason: Arc<str>,
    },
    /// That it ends: nobody can undo it any more.
    Release(SagaId),
}

impl Saga {
    /// Whether its steps are done and its end waits for its caller.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_some() && self.verdict.is_none() && self.state == State::Running
    }

    /// What it is to its caller.
    #[must_use]
    pub fn fate(&self, plan: &Plan, targets: &Targets) -> Fate {
        match self.state {
            State::Running if self.is_held() => Fate::Held,
            State::Running if self.is_past_pivot(plan, targets) => Fate::Committed,
            State::Queued | State::Running | State::Compensating => Fate::Begun,
            State::Completed => Fate::Completed,
            State::Failed => Fate::Failed,
            State::Compensated => Fate::Compensated,
            State::FailedCompensation if self.resolved.is_some() => Fate::Resolved,
            State::FailedCompensation => Fate::FailedCompensation,
        }
    }

    /// The outermost caller above it, or itself.
    #[must_use]
    pub fn root(&self) -> SagaId {
        self.parent.as_ref().map_or(self.id, |parent| parent.root)
    }

    /// What it wants of its sub-sagas now. There may be a thousand of them, and it is asked each
    /// time that one of them changes: what holds for all is looked for once.
    #[must_use]
    pub fn wants(&self, plan: &Plan) -> Vec<Want> {
        let whole = self.may_turn_around(plan);
        let undoes = |run: &Run| run.is_open() && plan.step(run.key.step).verb.is_recall();
        let undoes = self.runs.iter().any(undoes);
        let calls = self.runs.iter().filter(|run| is_call(plan, run.key.step));
        calls.filter_map(|run| self.want(plan, run, whole, undoes)).collect()
    }

    /// `whole`: all that it did may still be undone; `undoes`: what some call did is.
    fn want(&self, plan: &Plan, run: &Run, whole: bool, undoes: bool) -> Option<Want> {
        let Some(child) = run.child.as_ref().filter(|child| child.fate.is_live()) else {
            return self.wants_call(run).then_some(Want::Call(run.key));
        };
        let going = matches!(run.phase, Phase::Waiting { .. });
        let undone = undoes && self.recall_of(plan, run.key).is_some();
        if undone || (child.fate.is_going() && !going) {
            let (cause, reason) = self.why_recalled(run);
            return Some(Want::Recall { child: child.id, cause, reason });
        }
        let held = child.fate == Fate::Held && !self.may_undo(plan, run, whole);
        held.then_some(Want::Release(child.id))
    }

    /// Whether the step waits for a sub-saga that has not begun.
    #[must_use]
    pub fn wants_call(&self, run: &Run) -> bool {
        let live = run.child.as_ref().is_some_and(|child| child.fate.is_live());
        self.is_open() && !live && matches!(run.phase, Phase::Waiting { .. })
    }

    fn why_recalled(&self, run: &Run) -> (Cause, Arc<str>) {
        let of_step = match &run.phase {
            Phase::Undoing { cause, reason } => Some((*cause, reason.clone())),
            Phase::Ended { cause, reason, .. } => cause.zip(reason.clone()),
            // A question is about a command, and a call has none.
            Phase::Idle | Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Probing { .. } => {
                None
            }
        };
        let why = of_step.or_else(|| self.unwinding.clone());
        let (cause, words) = match why {
            Some((Cause::TimedOut, words)) => (Cause::TimedOut, words),
            Some((_, words)) => (Cause::Cancelled, words),
            None => (Cause::Cancelled, Arc::from("it is undone")),
        };
        (cause, Arc::from(format!("saga {} takes it back: {words}", self.id)))
    }

    /// Whether it may still come to undo all that it did.
    fn may_turn_around(&self, plan: &Plan) -> bool {
        // A pivot that is still open may turn out not to have happened: that is not past it yet.
        let passed =
            |run: &Run| run.outcome().is_some() && self.has_passed(run, plan, &Targets::default());
        let past = || self.runs.iter().any(passed);
        match &self.verdict {
            None => self.unwinding.is_some() || !past(),
            // A saga that ended without undoing may be asked to by an operator.
            Some(end) => {
                end.state == State::FailedCompensation && self.resolved.is_none() && !past()
            }
        }
    }

    /// Whether what the step's sub-saga did may still be undone by this saga.
    fn may_undo(&self, plan: &Plan, run: &Run, whole: bool) -> bool {
        if whole && self.is_to_be_undone(plan, run, Extent::Whole) {
            return true;
        }
        let up = |key: &StepKey| self.owner(plan, *key);
        let mut around = std::iter::successors(up(&run.key), up);
        around.any(|owner| {
            let step = plan.step(owner.step);
            let extent = match step.verb.join() {
                Some(Join::Any) => Extent::Losers(owner),
                Some(Join::All | Join::Settled) | None => Extent::Attempt(owner),
            };
            let tries = step.retry.is_some() || matches!(extent, Extent::Losers(_));
            tries
                && self.run(owner).is_some_and(Run::is_open)
                && self.is_to_be_undone(plan, run, extent)
        })
    }

    /// The open step that undoes what the step's sub-saga did.
    #[must_use]
    pub fn recall_of(&self, plan: &Plan, call: StepKey) -> Option<StepKey> {
        let Undo::Step { step, .. } = plan.step(call.step).undo else { return None };
        let key = StepKey { branch: call.branch, step };
        let is_recall = plan.step(step).verb.is_recall();
        (is_recall && self.run(key).is_some_and(Run::is_open)).then_some(key)
    }

    /// Whether the step has ended and its sub-saga has not: nothing before it is undone until that
    /// is over \[R20\].
    #[must_use]
    pub fn awaits_child(&self, plan: &Plan, run: &Run) -> bool {
        run.outcome() == Some(Ending::InDoubt)
            && run.child.as_ref().is_some_and(|child| child.fate.is_going())
            && is_call(plan, run.key.step)
    }

    /// Folds what lies between a sub-saga and its caller.
    pub(super) fn told_by_caller(&mut self, record: &Record) -> Result<(), Corrupt> {
        self.expect_state(State::Running, "held or recalled")?;
        if let Record::Held(verdict) = record {
            self.held = Some(verdict.clone());
        } else {
            self.recalled = true;
        }
        Ok(())
    }

    /// Folds what became of a sub-saga; that is told also of a saga that has ended.
    pub(super) fn child(&mut self, plan: &Plan, news: &Child) -> Result<(), Corrupt> {
        let key = self.key(plan, &news.step)?;
        let run = self.run_mut(key);
        let before = run.child.as_ref().filter(|child| child.id == news.child);
        let committed = match news.fate {
            Fate::Committed | Fate::Completed => true,
            // It stays where it was when it could not go on.
            Fate::FailedCompensation | Fate::Resolved => {
                before.is_some_and(|child| child.committed)
            }
            // What seemed to have been the point of no return had not happened after all.
            Fate::Begun | Fate::Held | Fate::Failed | Fate::Compensated => false,
        };
        let result = news.result.clone().or_else(|| before?.result.clone());
        let reason = news.reason.clone();
        let (id, fate, hides) = (news.child, news.fate, news.hides);
        run.child = Some(Box::new(ChildOf { id, fate, committed, result, reason, hides }));
        Ok(())
    }

    /// Whether something of it is sensitive, in its own words or in those of sagas that it called.
    #[must_use]
    pub fn hides(&self, plan: &Plan) -> bool {
        let events = plan.events.values().chain(plan.signals.values()).map(|one| &one.fields);
        let asked = plan.trigger.call.iter().map(|call| &call.fields.fields);
        let commands = plan.commands.values().map(|one| &one.fields);
        let mut all = events.chain(asked).chain(commands).flat_map(|fields| &fields.list);
        all.any(|field| field.sensitive)
            || self.runs.iter().any(|run| run.child.as_ref().is_some_and(|child| child.hides))
    }
}

/// Whether the step calls a saga.
fn is_call(plan: &Plan, step: StepIx) -> bool {
    matches!(plan.step(step).verb, Verb::Call(_))
}
