//! What an expression sees: the saga, and the event that came in. Names that have no value yet are
//! missing, not null.

use std::borrow::Cow;

use serde_json::Value;

use crate::expr::{Resolved, Scope};
use crate::plan::Plan;
use crate::saga::record::{Cause, Ending};
use crate::saga::state::{Phase, Run, Saga, StepKey};
use crate::time::Timestamp;

/// What expressions of a running saga see.
#[derive(Clone, Copy, Debug)]
pub struct SagaScope<'a> {
    saga: &'a Saga,
    plan: &'a Plan,
    now: Timestamp,
    event: Option<&'a Value>,
    branch: u32,
}

impl<'a> SagaScope<'a> {
    /// The view of one saga at one instant.
    #[must_use]
    pub fn new(saga: &'a Saga, plan: &'a Plan, now: Timestamp, event: Option<&'a Value>) -> Self {
        SagaScope { saga, plan, now, event, branch: 0 }
    }

    /// The same as steps of that branch see it.
    #[must_use]
    pub fn within(self, branch: u32) -> Self {
        SagaScope { branch, ..self }
    }

    fn step(&self, path: &[Box<str>]) -> Resolved<'_> {
        let [id, field, ..] = path else { return Resolved::Missing };
        let Some(ix) = self.plan.by_path.get(id) else { return Resolved::Missing };
        let Some(key) = self.saga.seen_from(self.plan, *ix, self.branch) else {
            return Resolved::Missing;
        };
        let Some(run) = self.saga.run(key) else { return self.never_reached(key, field) };
        match &**field {
            "echo" => run
                .echo
                .as_deref()
                .map_or(Resolved::Missing, |echo| Resolved::Found(Cow::Borrowed(echo), 2)),
            "outcome" => outcome_word(run).map_or_else(
                || self.never_reached(key, field),
                |word| Resolved::Found(Cow::Owned(word.into()), 2),
            ),
            // What an undo of the catalog repeats; no definition can read it.
            "with" => run.command.as_ref().map_or(Resolved::Missing, |issued| {
                Resolved::Found(Cow::Borrowed(&issued.with), 2)
            }),
            "result" => {
                let result = run.child.as_ref().and_then(|child| child.result.as_deref());
                result.map_or(Resolved::Missing, |result| Resolved::Found(Cow::Borrowed(result), 2))
            }
            "outcomes" => Resolved::Found(Cow::Owned(self.outcomes(run)), 2),
            "collected" => Resolved::Found(Cow::Owned(self.collected(run)), 2),
            "attempts" => Resolved::Found(Cow::Owned(run.attempt.into()), 2),
            _ => Resolved::Missing,
        }
    }

    /// A step that the saga turned around before counts as skipped: an undo or `finally` may ask.
    fn never_reached(&self, key: StepKey, field: &str) -> Resolved<'_> {
        let undoing = |run: &Run| matches!(run.phase, Phase::Undoing { .. });
        let is_over = self.saga.unwinding.is_some()
            || self.saga.verdict.is_some()
            || self.saga.runs.iter().any(undoing)
            || self.is_behind(key);
        match field {
            "outcome" if is_over => Resolved::Found(Cow::Owned(Ending::Skipped.as_str().into()), 2),
            "attempts" if is_over => Resolved::Found(Cow::Owned(0.into()), 2),
            _ => Resolved::Missing,
        }
    }

    /// Whether something around the step has ended, so that it never comes to it.
    fn is_behind(&self, key: StepKey) -> bool {
        let around = |key: &StepKey| self.saga.owner(self.plan, *key);
        let mut around = std::iter::successors(around(&key), around);
        around.any(|key| self.saga.run(key).and_then(Run::outcome).is_some())
    }

    /// How the elements of a loop ended, one after the other.
    fn outcomes(&self, run: &Run) -> Value {
        let roofs: Vec<&Run> = self.saga.roofs(self.plan, run.key).collect();
        let count = run.elements.as_ref().map_or(0, |elements| elements.len());
        let mut words = vec![Value::from(Ending::Skipped.as_str()); count];
        for roof in roofs {
            let place = self.saga.branch(roof.key.branch).map(|branch| branch.index as usize);
            if let (Some(word), Some(place)) = (outcome_word(roof), place)
                && let Some(there) = words.get_mut(place)
            {
                *there = word.into();
            }
        }
        Value::Array(words)
    }

    /// What the elements that succeeded left, in the order of the elements.
    fn collected(&self, run: &Run) -> Value {
        let roofs = self.saga.roofs(self.plan, run.key);
        let left = roofs.filter_map(|roof| {
            let place = self.saga.branch(roof.key.branch)?.index;
            let value = roof.echo.as_deref()?;
            (roof.outcome() == Some(Ending::Succeeded)).then(|| (place, value.clone()))
        });
        let mut left: Vec<(u32, Value)> = left.collect();
        left.sort_by_key(|(place, _)| *place);
        Value::Array(left.into_iter().map(|(_, value)| value).collect())
    }

    /// Why what is done is undone: the saga turned around, or a group before its next attempt.
    fn turned(&self) -> Option<(Cause, &str)> {
        let attempt = self.saga.runs.iter().find_map(|run| {
            let Phase::Undoing { cause, reason } = &run.phase else { return None };
            Some((*cause, &**reason))
        });
        self.saga.unwinding.as_ref().map(|(cause, reason)| (*cause, &**reason)).or(attempt)
    }

    fn of_saga(&self, path: &[Box<str>]) -> Resolved<'_> {
        let Some(name) = path.first() else { return Resolved::Missing };
        let verdict = self.saga.verdict.as_ref();
        let value: Option<Value> = match &**name {
            "id" => Some(self.saga.id.0.into()),
            "now" => Some(self.now.to_string().into()),
            "trigger" => Some((&*self.saga.trigger).into()),
            "state" => {
                let state = verdict.map_or(self.saga.state, |verdict| verdict.state);
                Some(state.as_str().into())
            }
            "cause" => verdict
                .and_then(|verdict| verdict.cause)
                .or_else(|| self.turned().map(|(cause, _)| cause))
                .map(|cause| cause.as_str().into()),
            "reason" => verdict
                .and_then(|verdict| verdict.reason.as_deref())
                .or_else(|| self.turned().map(|(_, reason)| reason))
                .map(Value::from),
            _ => None,
        };
        value.map_or(Resolved::Missing, |value| Resolved::Found(Cow::Owned(value), 1))
    }
}

/// The word of `steps.ID.outcome`; an open step has none.
fn outcome_word(run: &Run) -> Option<&'static str> {
    match (run.undone, &run.phase) {
        (Some(true), _) => Some("compensated"),
        (Some(false), _) => Some("compensation_failed"),
        (None, Phase::Ended { outcome, .. }) => Some(outcome.as_str()),
        // Between two attempts a doubt is a doubt already.
        (None, Phase::Pausing { in_doubt: true, .. } | Phase::Probing { .. }) => {
            Some(Ending::InDoubt.as_str())
        }
        (
            None,
            Phase::Pausing { in_doubt: false, .. }
            | Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Undoing { .. },
        ) => None,
    }
}

impl Scope for SagaScope<'_> {
    fn resolve(&self, root: &str, path: &[Box<str>]) -> Resolved<'_> {
        match root {
            "input" => Resolved::Found(Cow::Borrowed(&self.saga.input), 0),
            "trigger" => Resolved::Found(Cow::Borrowed(&self.saga.fields), 0),
            "event" => self
                .event
                .map_or(Resolved::Missing, |event| Resolved::Found(Cow::Borrowed(event), 0)),
            "vars" => path
                .first()
                .and_then(|name| self.saga.var(self.branch, name))
                .map_or(Resolved::Missing, |value| Resolved::Found(Cow::Borrowed(value), 1)),
            "steps" => self.step(path),
            "saga" => self.of_saga(path),
            name => self
                .saga
                .element(self.plan, self.branch, name)
                .map_or(Resolved::Missing, |value| Resolved::Found(Cow::Borrowed(value), 0)),
        }
    }
}

/// What expressions see before anything of a saga exists \[R10\].
#[derive(Clone, Copy, Debug)]
pub struct BeginScope<'a> {
    /// Fields of what starts it.
    pub trigger: &'a Value,
    /// Its input, once that is read.
    pub input: &'a Value,
}

impl Scope for BeginScope<'_> {
    fn resolve(&self, root: &str, _path: &[Box<str>]) -> Resolved<'_> {
        match root {
            "trigger" => Resolved::Found(Cow::Borrowed(self.trigger), 0),
            "input" => Resolved::Found(Cow::Borrowed(self.input), 0),
            _ => Resolved::Missing,
        }
    }
}
