//! A step is in doubt and somebody can be asked: its `probe`, before it is tried again or undone
//! \[R11, P4\]. What a doubt that stays leads to is in `failure` and `undo`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expr;
use crate::plan::Body;
use crate::saga::decide::{Decision, Next};
use crate::saga::record::{Cause, Ending, Outcome, Probing, Record};
use crate::saga::state::{Phase, Run, StepKey};

impl Decision<'_> {
    /// An attempt ended in doubt: its question is asked.
    pub(super) fn ask(
        &mut self,
        step: StepKey,
        attempt: u32,
        (cause, reason): (Cause, Arc<str>),
    ) -> Next {
        let path = self.path(step);
        self.push(Record::Probing(Probing { step: path, attempt, cause, reason }));
        Next::Enter(step.branch, Body::Probe(step.step), 0)
    }

    /// Whether that step is in doubt and can be asked about, and was not since it was last sent.
    pub(super) fn can_be_settled(&self, step: StepKey) -> bool {
        let Some(run) = self.run(step) else { return false };
        let Some(asks) = self.question(step) else { return false };
        let sent = run.command.as_ref().map(|command| command.owed);
        let answered = self.run(asks).is_some_and(|asked| {
            Some(asked.entered) > sent
                && asked.outcome().is_some_and(|outcome| outcome != Ending::Skipped)
        });
        run.outcome() == Some(Ending::InDoubt) && !answered
    }

    /// The step that asks what became of that one.
    pub(super) fn question(&self, step: StepKey) -> Option<StepKey> {
        let probe = self.plan.step(step.step).probe.as_ref()?;
        Some(StepKey { branch: step.branch, step: probe.step })
    }

    /// The step itself was answered while its question was open; whether one was.
    pub(super) fn close_question(&mut self, step: StepKey) -> bool {
        let asks = self.question(step);
        let open = asks.filter(|asks| self.run(*asks).is_some_and(Run::is_open));
        let Some(asks) = open else { return false };
        self.push_outcome(asks, Ending::Skipped, None);
        true
    }

    /// The question was answered. What cannot be made sense of is no answer.
    pub(super) fn probe_answered(&mut self, step: StepKey, asks: StepKey) -> Next {
        let plan = self.plan;
        let Some(probe) = &plan.step(step.step).probe else { return Next::Rest };
        let event = self.run(asks).and_then(|run| run.echo.clone());
        let scope = self.scope(step.branch, event.as_deref());
        let answer = match expr::eval_bool(&probe.done_when, &scope) {
            Ok(true) => self.values(step.branch, &probe.save, event.as_deref()).ok().map(Some),
            Ok(false) => Some(None),
            Err(_) => None,
        };
        self.probed(step, answer)
    }

    /// The question is over: the step was done, and this is saved; it was not; or nobody knows.
    pub(super) fn probed(
        &mut self,
        step: StepKey,
        answer: Option<Option<Map<String, Value>>>,
    ) -> Next {
        let phase = self.run(step).map(|run| run.phase.clone());
        match (phase, answer) {
            (Some(Phase::Probing { .. }), Some(Some(save))) => {
                self.push_found(step, save);
                Next::After(step)
            }
            (Some(Phase::Probing { cause, reason }), answer) => {
                self.attempt_over(step, (cause, reason), answer.is_some())
            }
            (Some(Phase::Ended { .. }), Some(Some(save))) => {
                self.push_found(step, save);
                Next::Undo(self.undo_scope(step))
            }
            (Some(Phase::Ended { cause, reason, .. }), Some(None)) => {
                self.push_outcome(step, Ending::Failed, cause.zip(reason));
                Next::Undo(self.undo_scope(step))
            }
            (Some(Phase::Ended { .. }), None) => Next::Undo(self.undo_scope(step)),
            (
                Some(
                    Phase::Idle
                    | Phase::Waiting { .. }
                    | Phase::Pausing { .. }
                    | Phase::Undoing { .. },
                )
                | None,
                _,
            ) => Next::Rest,
        }
    }

    fn push_found(&mut self, step: StepKey, save: Map<String, Value>) {
        let outcome = Outcome {
            step: self.path(step),
            outcome: Ending::Succeeded,
            attempt: self.attempt_of(step),
            cause: None,
            reason: None,
            echo: None,
            save,
        };
        self.push(Record::Outcome(Box::new(outcome)));
    }
}
