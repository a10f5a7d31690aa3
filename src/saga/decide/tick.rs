//! Time: what is due, oldest first \[R9, R22\]. Where time comes from is not known here.

use std::sync::Arc;

use crate::plan::Verb;
use crate::saga::decide::{Decision, Next};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{Cause, Ending, Entered, Record, State};
use crate::saga::state::{Phase, Saga, StepKey};
use crate::time::Timestamp;

/// What is due first.
enum Due {
    Saga,
    Step(StepKey),
}

impl Decision<'_> {
    pub(super) fn tick(&mut self) {
        while let Some((at, due)) = self.first_due() {
            if at > self.now || self.clash.is_some() {
                return;
            }
            let next = match due {
                Due::Saga => self.unwind(Cause::TimedOut, Arc::from("saga timeout")),
                Due::Step(step) => self.step_due(step),
            };
            self.go(next);
        }
    }

    fn first_due(&self) -> Option<(Timestamp, Due)> {
        let steps = self
            .saga
            .runs
            .iter()
            .filter_map(|run| run_due(&run.phase).map(|at| (at, Due::Step(run.key))));
        let first = steps.min_by_key(|(at, _)| *at);
        match (first, saga_due(self.saga)) {
            // A step's own bound names the cause better than the saga's, so it goes first.
            (Some((step, due)), Some(saga)) if step <= saga => Some((step, due)),
            (_, Some(saga)) => Some((saga, Due::Saga)),
            (first, None) => first,
        }
    }

    fn step_due(&mut self, step: StepKey) -> Next {
        let Some(run) = self.run(step) else { return Next::Rest };
        if let Phase::Pausing { in_doubt, .. } = run.phase {
            return self.try_again(step, in_doubt);
        }
        let plan = self.plan;
        let plan_step = plan.step(step.step);
        if matches!(plan_step.verb, Verb::Delay(_)) {
            self.push_outcome(step, Ending::Succeeded, None);
            return Next::After(step);
        }
        // The clock of an undoing group stands while a command inside has not been handed over.
        if plan.is_undo(step.step) && self.waits_within(step) {
            return self.stop_clock(step);
        }
        let after = plan_step.timeout.map(|timeout| format!(" after {timeout}"));
        let reason = format!("step `{}` timed out{}", self.path(step), after.unwrap_or_default());
        let why = (Cause::TimedOut, Arc::from(reason));
        match &plan_step.verb {
            Verb::Group(_) | Verb::Parallel { .. } | Verb::ForEach(_) => {
                self.group_over(step, why.0, why.1)
            }
            #[cfg(test)]
            Verb::Issue { .. } if fault::is(Fault::TimeoutSucceeds) => {
                self.push_outcome(step, Ending::Succeeded, None);
                Next::After(step)
            }
            Verb::Issue { .. } => {
                let known = !self.maybe_sent(step);
                self.attempt_failed(step, why, known)
            }
            Verb::Call(_) => self.call_timed_out(step, why),
            Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Recall
            | Verb::Fail(_)
            | Verb::Done => self.attempt_failed(step, why, true),
        }
    }

    fn stop_clock(&mut self, step: StepKey) -> Next {
        let attempt = self.run(step).map_or(1, |run| run.attempt);
        let step = self.path(step);
        self.push(Record::Entered(Entered { step, attempt, due: None, elements: None }));
        Next::Rest
    }
}

fn run_due(phase: &Phase) -> Option<Timestamp> {
    match phase {
        Phase::Waiting { due } => *due,
        Phase::Pausing { until, .. } => Some(*until),
        Phase::Idle | Phase::Probing { .. } | Phase::Undoing { .. } | Phase::Ended { .. } => None,
    }
}

/// The saga's own deadline, which bounds the way forward only \[R14\].
fn saga_due(saga: &Saga) -> Option<Timestamp> {
    #[cfg(test)]
    if fault::is(Fault::NoSagaDeadline) {
        return None;
    }
    let goes_on = saga.state == State::Running && saga.verdict.is_none() && saga.held.is_none();
    if goes_on { saga.due } else { None }
}

/// When the saga next has something to do by itself.
#[must_use]
pub fn next_due(saga: &Saga) -> Option<Timestamp> {
    if !saga.is_open() {
        return None;
    }
    let steps = saga.runs.iter().filter_map(|run| run_due(&run.phase));
    steps.chain(saga_due(saga)).min()
}
