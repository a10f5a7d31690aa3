//! Sub-sagas: a step calls one, waits for its end, and undoes it by its own undos. Who begins and
//! ends sagas is the coordinator.

use std::sync::Arc;

use serde_json::Value;

use crate::ids::SagaId;
use crate::saga::decide::{Decision, Next};
use crate::saga::record::{Cause, Child, Ending, Fate, Record, State, Undoing, Unwinding, Verdict};
use crate::saga::state::{ChildOf, Phase, StepKey};
use crate::time::Timestamp;

/// What became of a sub-saga.
#[derive(Clone, Debug)]
pub struct ChildNews {
    /// Instance path of the step that called it.
    pub step: Arc<str>,
    /// The sub-saga.
    pub child: SagaId,
    /// What became of it.
    pub fate: Fate,
    /// Its result.
    pub result: Option<Arc<Value>>,
    /// Why it did not complete.
    pub reason: Option<Arc<str>>,
    /// Whether something of it is sensitive.
    pub hides: bool,
}

impl Decision<'_> {
    /// Begins an attempt of a `call`; the coordinator finds that a sub-saga is wanted.
    pub(super) fn call(&mut self, step: StepKey, attempt: u32, due: Option<Timestamp>) -> Next {
        let known = self.child_of(step).map(|child| (child.id, child.fate));
        match known.filter(|_| self.saga.retrying) {
            // What it did is in doubt, and who settles that does it there [R14].
            Some((id, Fate::FailedCompensation)) => {
                let reason: Arc<str> = Arc::from(unsettled(id));
                let cause = Cause::ActionFailed;
                self.push_outcome(step, Ending::InDoubt, Some((cause, reason.clone())));
                Next::Failed(step, cause, reason)
            }
            Some((_, Fate::Completed)) => self.called(step),
            Some((
                _,
                Fate::Failed
                | Fate::Compensated
                | Fate::Resolved
                | Fate::Begun
                | Fate::Committed
                | Fate::Held,
            ))
            | None => self.wait(step, attempt, due),
        }
    }

    fn called(&mut self, step: StepKey) -> Next {
        self.push_outcome(step, Ending::Succeeded, None);
        Next::After(step)
    }

    fn child_of(&self, step: StepKey) -> Option<&ChildOf> {
        self.run(step).and_then(|run| run.child.as_deref())
    }

    /// Whether the step's sub-saga has not ended.
    pub(super) fn has_live_child(&self, step: StepKey) -> bool {
        self.child_of(step).is_some_and(|child| child.fate.is_live())
    }

    /// The sub-saga could not begin: known, and nothing happened.
    pub(super) fn not_called(&mut self, path: &str, cause: Cause, reason: &Arc<str>) {
        let Some(step) = self.saga.find(self.plan, path) else { return };
        if !self.run(step).is_some_and(|run| self.saga.wants_call(run)) {
            return;
        }
        let next = self.attempt_failed(step, (cause, reason.clone()), true);
        self.go(next);
    }

    /// The time of a `call` is up: its sub-saga turns around, and its end is awaited.
    pub(super) fn call_timed_out(&mut self, step: StepKey, why: (Cause, Arc<str>)) -> Next {
        if !self.has_live_child(step) {
            return self.attempt_failed(step, why, true);
        }
        let ((cause, reason), step) = (why, self.path(step));
        self.push(Record::Undoing(Undoing { step, cause, reason }));
        Next::Rest
    }

    /// Takes what became of a sub-saga.
    pub(super) fn child(&mut self, news: &ChildNews) {
        let Some(step) = self.saga.find(self.plan, &news.step) else { return };
        let Some(run) = self.run(step) else { return };
        let ours = match run.child.as_ref() {
            Some(child) if child.id == news.child => child.fate != news.fate,
            Some(_) | None => self.saga.wants_call(run),
        };
        if !ours {
            return;
        }
        let ChildNews { step: path, child, fate, result, reason, hides } = news.clone();
        let record = Child { step: path, child, fate, result, reason, hides };
        self.push(Record::Child(Box::new(record)));
        if !self.saga.is_open() {
            return;
        }
        if let Some(undo) = self.saga.recall_of(self.plan, step) {
            let next = self.recalled(undo, step);
            return self.go(next);
        }
        let next = match self.run(step).map(|run| run.phase.clone()) {
            Some(Phase::Waiting { .. }) => self.child_answers(step, news, None),
            Some(Phase::Undoing { cause, reason }) => {
                self.child_answers(step, news, Some((cause, reason)))
            }
            Some(Phase::Ended { outcome: Ending::InDoubt, .. }) => self.settle(step, news),
            Some(
                Phase::Ended { .. } | Phase::Idle | Phase::Pausing { .. } | Phase::Probing { .. },
            )
            | None => Next::Rest,
        };
        self.go(next);
    }

    /// What the end of a sub-saga means for the open step; `given_up`: its time was up before.
    fn child_answers(
        &mut self,
        step: StepKey,
        news: &ChildNews,
        given_up: Option<(Cause, Arc<str>)>,
    ) -> Next {
        match news.fate {
            Fate::Begun | Fate::Committed => Next::Rest,
            // Past its own point of no return it may have gone on to its end all the same.
            Fate::Held | Fate::Completed => self.called(step),
            Fate::Failed | Fate::Compensated => {
                let why = given_up.unwrap_or_else(|| (Cause::ActionFailed, words(news)));
                self.attempt_failed(step, why, true)
            }
            Fate::FailedCompensation | Fate::Resolved => {
                let reason: Arc<str> =
                    Arc::from(format!("{}: {}", unsettled(news.child), words(news)));
                let cause = Cause::ActionFailed;
                self.push_outcome(step, Ending::InDoubt, Some((cause, reason.clone())));
                Next::Failed(step, cause, reason)
            }
        }
    }

    /// A step that was given up learns what became of its sub-saga \[R19\]; what waited for that
    /// is undone now.
    fn settle(&mut self, step: StepKey, news: &ChildNews) -> Next {
        match news.fate {
            Fate::Begun | Fate::Committed => return Next::Rest,
            Fate::Held | Fate::Completed => self.push_outcome(step, Ending::Succeeded, None),
            Fate::Failed | Fate::Compensated => {
                let why = (Cause::ActionFailed, words(news));
                self.push_outcome(step, Ending::Failed, Some(why));
            }
            Fate::FailedCompensation | Fate::Resolved => {}
        }
        Next::Undo(self.undo_scope(step))
    }

    /// Begins to undo what a `call` did.
    pub(super) fn recall(&mut self, undo: StepKey, attempt: u32) -> Next {
        let Some(call) = self.saga.owner(self.plan, undo) else { return Next::Rest };
        if self.has_live_child(call) {
            return self.wait(undo, attempt, None);
        }
        self.recalled(undo, call)
    }

    /// Whether what a `call` did is undone, once its sub-saga has ended.
    fn recalled(&mut self, undo: StepKey, call: StepKey) -> Next {
        let child = self.child_of(call).map(|child| (child.id, child.fate, child.reason.clone()));
        let reason = match child {
            Some((_, Fate::Begun | Fate::Committed | Fate::Held, _)) => return Next::Rest,
            Some((_, Fate::Failed | Fate::Compensated | Fate::Resolved, _)) | None => {
                return self.called(undo);
            }
            Some((id, Fate::Completed, _)) => {
                format!("saga {id} has completed, and nothing undoes it any more")
            }
            Some((id, Fate::FailedCompensation, why)) => {
                format!("{}: {}", unsettled(id), why.as_deref().unwrap_or("no reason was given"))
            }
        };
        let (cause, reason): (_, Arc<str>) = (Cause::ActionFailed, Arc::from(reason));
        self.push_outcome(undo, Ending::Failed, Some((cause, reason.clone())));
        Next::Failed(undo, cause, reason)
    }

    /// Steps that were given up inside of that one, whose sub-sagas have not ended.
    pub(super) fn awaits_child_in(&self, scope: Option<StepKey>) -> bool {
        let winner = self.winner_in(scope);
        self.plan.has_calls
            && self.saga.runs.iter().any(|run| {
                self.saga.awaits_child(self.plan, run)
                    && self.is_undone_with(run.key, scope, winner)
            })
    }

    /// The same, by name.
    pub(super) fn children_awaited(&self, scope: Option<StepKey>) -> Vec<StepKey> {
        if !self.plan.has_calls {
            return Vec::new();
        }
        let runs = self.saga.runs.iter().filter(|run| self.saga.awaits_child(self.plan, run));
        let keys = runs.map(|run| run.key);
        let winner = self.winner_in(scope);
        keys.filter(|key| self.is_undone_with(*key, scope, winner)).collect()
    }

    /// Its caller takes it back: it turns around, if it still can.
    pub(super) fn take_back(&mut self, cause: Cause, reason: &Arc<str>) {
        match self.saga.state {
            State::Queued => {
                let (cause, reason) = (Some(cause), Some(reason.clone()));
                let state = State::Failed;
                self.push(Record::Dropped(Verdict { state, cause, reason, result: None }));
            }
            State::Running if self.saga.verdict.is_none() && !self.saga.recalled => {
                let reason = reason.clone();
                self.push(Record::Recalled(Unwinding { cause, reason: reason.clone() }));
                if !self.saga.is_past_pivot(self.plan, self.targets) {
                    let next = self.unwind(cause, reason);
                    return self.go(next);
                }
                self.release();
            }
            State::Running
            | State::Compensating
            | State::Completed
            | State::Failed
            | State::Compensated
            | State::FailedCompensation => {}
        }
    }

    /// Nobody can undo it any more: what waited for that ends.
    pub(super) fn release(&mut self) {
        if !self.saga.is_held() {
            return;
        }
        if let Some(verdict) = self.saga.held.clone() {
            self.go(Next::Finish(verdict));
        }
    }

    /// Whether its end has to wait until its caller cannot undo it any more.
    pub(super) fn is_to_be_held(&self, verdict: &Verdict) -> bool {
        let holds = self.saga.parent.as_ref().is_some_and(|parent| parent.holds);
        holds
            && verdict.state == State::Completed
            && self.saga.held.is_none()
            && !self.saga.recalled
            && !self.saga.is_past_pivot(self.plan, self.targets)
    }
}

fn words(news: &ChildNews) -> Arc<str> {
    news.reason.clone().unwrap_or_else(|| Arc::from("no reason was given"))
}

fn unsettled(child: SagaId) -> String {
    format!("saga {child} is an incident, `retry` or `resolve` it first")
}
