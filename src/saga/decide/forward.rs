//! Going forward: entering steps and passing behind them. What a failure does is in `failure`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expr::{self, Template};
use crate::limits::EMIT_DEPTH;
use crate::plan::{Body, StepIx, Verb};
use crate::saga::decide::{Decision, Next, SagaScope};
use crate::saga::record::{Cause, Ending, Entered, Issued, Record, Reissued, State, Verdict};
use crate::saga::state::StepKey;
use crate::time::Timestamp;

impl Decision<'_> {
    pub(super) fn scope<'s>(&'s self, branch: u32, event: Option<&'s Value>) -> SagaScope<'s> {
        SagaScope::new(self.saga, self.plan, self.now, event).within(branch)
    }

    /// Evaluates named values, in order.
    pub(super) fn values(
        &self,
        branch: u32,
        fields: &[(Arc<str>, Template)],
        event: Option<&Value>,
    ) -> Result<Map<String, Value>, Arc<str>> {
        expr::eval_fields(fields, &self.scope(branch, event))
            .map_err(|(name, error)| Arc::from(format!("`{name}` cannot be evaluated: {error}")))
    }

    pub(super) fn words(
        &self,
        branch: u32,
        template: &Template,
        event: Option<&Value>,
    ) -> Arc<str> {
        match template.eval(&self.scope(branch, event)) {
            Ok(Value::String(words)) => Arc::from(words),
            Ok(other) => Arc::from(other.to_string()),
            Err(error) => Arc::from(format!("its words cannot be evaluated: {error}")),
        }
    }

    pub(super) fn enter(&mut self, branch: u32, body: Body, position: usize) -> Next {
        let Some(step) = self.plan.body(body).get(position).copied() else {
            return self.leave(branch, body);
        };
        let step = StepKey { branch, step };
        let plan = self.plan;
        if let Some(condition) = &plan.step(step.step).condition {
            match expr::eval_bool(condition, &self.scope(branch, None)) {
                Ok(true) => {}
                Ok(false) => {
                    self.push_outcome(step, Ending::Skipped, None);
                    return Next::After(step);
                }
                Err(error) => {
                    let reason = format!("`if` cannot be evaluated: {error}");
                    return self.fault(step, Arc::from(reason));
                }
            }
        }
        self.attempt(step)
    }

    /// Begins the first or a further attempt of a step.
    pub(super) fn attempt(&mut self, step: StepKey) -> Next {
        let plan = self.plan;
        let attempt = self.run(step).map_or(0, |run| run.attempt) + 1;
        let plan_step = plan.step(step.step);
        let due = plan_step.timeout.map(|timeout| self.now + timeout);
        match &plan_step.verb {
            Verb::Issue { .. } => self.issue(step, attempt, due),
            Verb::Await => self.wait(step, attempt, due),
            Verb::Emit { event, with } => {
                if self.depth >= EMIT_DEPTH {
                    let reason = format!("`emit` is {EMIT_DEPTH} deep already");
                    return self.fault(step, Arc::from(reason));
                }
                let fields = self.values(step.branch, with, None).and_then(|fields| {
                    plan.check_event(event, fields).map_err(|error| Arc::from(error.to_string()))
                });
                match fields {
                    Ok(fields) => self.emitted(step, event, Value::Object(fields)),
                    Err(reason) => return self.fault(step, reason),
                }
                if plan_step.wait.is_some() {
                    return self.wait(step, attempt, due);
                }
                self.push_outcome(step, Ending::Succeeded, None);
                Next::After(step)
            }
            Verb::Delay(span) => {
                let over = self.now + *span;
                self.wait(step, attempt, Some(over))
            }
            Verb::Group(_) => {
                self.wait(step, attempt, due.filter(|_| !self.waits_for_session(step)));
                Next::Enter(step.branch, Body::Group(step.step), 0)
            }
            Verb::Parallel { .. } => {
                self.wait(step, attempt, due.filter(|_| !self.waits_for_session(step)));
                Next::Branches(step)
            }
            Verb::ForEach(each) => {
                let due = due.filter(|_| !self.waits_for_session(step));
                self.begin_loop(step, each, attempt, due)
            }
            Verb::Call(_) => self.call(step, attempt, due),
            Verb::Recall => self.recall(step, attempt),
            Verb::Fail(reason) => {
                let reason = self.words(step.branch, reason, None);
                self.push_outcome(step, Ending::Failed, Some((Cause::FailStep, reason.clone())));
                Next::Failed(step, Cause::FailStep, reason)
            }
            Verb::Done => {
                self.push_outcome(step, Ending::Succeeded, None);
                self.complete()
            }
        }
    }

    pub(super) fn wait(&mut self, step: StepKey, attempt: u32, due: Option<Timestamp>) -> Next {
        let step = self.path(step);
        self.push(Record::Entered(Entered { step, attempt, due, elements: None }));
        Next::Rest
    }

    fn issue(&mut self, step: StepKey, attempt: u32, due: Option<Timestamp>) -> Next {
        let plan = self.plan;
        let Verb::Issue { command, target, with, .. } = &plan.step(step.step).verb else {
            return Next::Rest;
        };
        // An undo's clock starts when a session can take it [R14].
        let observed = self.saga.observes;
        let waits = plan.is_undo(step.step) && !observed && !self.targets.is_open(target);
        let due = if waits { None } else { due };
        // An operator asks for it again: it may have happened, so it is the same command [R11].
        if self.run(step).is_some_and(|run| run.doubted) {
            if self.plan.step(step.step).probe.is_some() {
                let reason = Arc::from("an operator tries it again");
                return self.ask(step, attempt, (Cause::TimedOut, reason));
            }
            let path = self.path(step);
            self.push(Record::Reissued(Reissued { step: path, attempt, due }));
            return self.handed(step, waits);
        }
        let with = match self.values(step.branch, with, None) {
            Ok(values) => values,
            Err(reason) => return self.fault(step, reason),
        };
        let with = match plan.check_command(command, with) {
            Ok(with) => with,
            Err(error) => {
                let reason = format!("`{command}` cannot be issued: {error}");
                return self.fault(step, Arc::from(reason));
            }
        };
        let number = self.run(step).map_or(0, |run| run.commands) + 1;
        let path = self.path(step);
        self.push(Record::Issued(Box::new(Issued {
            command_id: Arc::from(format!("{}.{path}.{number}", self.saga.id)),
            step: path,
            attempt,
            target: target.clone(),
            cmd: command.clone(),
            with: Arc::new(Value::Object(with)),
            due,
            observed,
        })));
        // Nobody writes it to a session, so nothing is left to wait for [P5].
        if observed && plan.step(step.step).wait.is_none() {
            self.push_outcome(step, Ending::Succeeded, None);
            return Next::After(step);
        }
        self.handed(step, waits)
    }

    fn handed(&mut self, step: StepKey, waits: bool) -> Next {
        if !waits {
            self.arm_around(step);
        }
        Next::Rest
    }

    /// An undo's clock starts when a session gets its first command \[R14\].
    fn waits_for_session(&self, step: StepKey) -> bool {
        !self.saga.observes && self.plan.is_undo(step.step) && self.issues_within(step.step)
    }

    fn issues_within(&self, group: StepIx) -> bool {
        self.plan.step(group).verb.inside().iter().any(|inside| {
            matches!(self.plan.step(*inside).verb, Verb::Issue { .. })
                || self.issues_within(*inside)
        })
    }

    /// A bad value at run time: the step is known not to have happened.
    pub(super) fn fault(&mut self, step: StepKey, reason: Arc<str>) -> Next {
        self.push_outcome(step, Ending::Failed, Some((Cause::Fault, reason.clone())));
        Next::Failed(step, Cause::Fault, reason)
    }

    pub(super) fn after(&mut self, step: StepKey) -> Next {
        let plan_step = self.plan.step(step.step);
        match plan_step.body {
            Body::Undo(undone) => {
                self.undo_ended(StepKey { branch: step.branch, step: undone }, step)
            }
            Body::Probe(asked) => {
                self.probe_answered(StepKey { branch: step.branch, step: asked }, step)
            }
            Body::Branches(_) => match self.saga.owner(self.plan, step) {
                Some(owner) => self.branch_succeeded(owner, step),
                None => Next::Rest,
            },
            body @ (Body::Main | Body::Finally | Body::Group(_) | Body::OnTimeout(_)) => {
                Next::Enter(step.branch, body, plan_step.position + 1)
            }
        }
    }

    fn leave(&mut self, branch: u32, body: Body) -> Next {
        match body {
            Body::Main => self.complete(),
            Body::Finally => self.close(),
            Body::Group(step) => self.leave_group(StepKey { branch, step }),
            Body::OnTimeout(step) => Next::After(StepKey { branch, step }),
            // A compensation is a list of one, and its end is `undo_ended`; branches are no list
            // that is gone through.
            Body::Undo(_) | Body::Branches(_) | Body::Probe(_) => Next::Rest,
        }
    }

    /// All is done: the result is read, and the verdict stands.
    fn complete(&mut self) -> Next {
        // `done` inside groups: what led here succeeded.
        for group in self.open_steps(|step| self.is_forward(step)) {
            self.push_outcome(group, Ending::Succeeded, None);
        }
        match self.values(0, &self.plan.result, None) {
            Ok(values) => {
                let result =
                    (!self.plan.result.is_empty()).then(|| Arc::new(Value::Object(values)));
                let state = State::Completed;
                Next::Finish(Verdict { state, cause: None, reason: None, result })
            }
            Err(reason) => self.unwind(Cause::Fault, Arc::from(format!("result: {reason}"))),
        }
    }

    /// Whether the step belongs to the way forward, and not to undoing or `finally`.
    pub(super) fn is_forward(&self, step: StepKey) -> bool {
        self.plan.is_forward(step.step)
    }
}
