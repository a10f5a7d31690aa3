//! The `always` of sagas, judged while a world lives: after each commit, on a fold of its own.
//! Plays nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::coordinator::Fact;
use crate::ids::SagaId;
use crate::plan::Plan;
use crate::saga::always;
use crate::saga::record::Record;
use crate::saga::state::{Phase, Run, Saga};
use crate::time::Timestamp;

use super::script::flow;

/// The sagas that say `always`, as the log has them so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    sagas: BTreeMap<SagaId, (Arc<Plan>, Saga)>,
    broken: Option<String>,
}

impl Watch {
    /// What did not hold first, in which state; absent: all held.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Takes up what one transaction committed.
    pub fn committed(&mut self, plans: &[Arc<Plan>], now: Timestamp, facts: &[Fact]) {
        let mut touched = Vec::new();
        for fact in facts {
            let Some(id) = fact.saga else { continue };
            if let Record::Began(began) = &fact.record {
                let plan = plans.iter().find(|plan| plan.name == began.name);
                let Some(plan) = plan.filter(|plan| !plan.always.is_empty()) else { continue };
                let saga = Saga::began(id, began, fact.seq, now);
                self.sagas.insert(id, (plan.clone(), saga));
            } else if let Some((plan, saga)) = self.sagas.get_mut(&id) {
                // What clashes is the world's to tell.
                drop(saga.apply(plan, fact.seq, now, &fact.record));
            }
            if touched.last() != Some(&id) {
                touched.push(id);
            }
        }
        for id in touched {
            let Some((plan, saga)) = self.sagas.get(&id) else { continue };
            if self.broken.is_none()
                && let Some(broken) = always::broken(plan, saga, now)
            {
                self.broken = Some(format!("always: {broken}; {}", standing(plan, saga)));
            }
        }
    }
}

/// The state of a saga, in words.
fn standing(plan: &Plan, saga: &Saga) -> String {
    let mut words = vec![format!("saga {} is {}", saga.id, saga.state.as_str())];
    if !saga.vars.is_empty() {
        words.push(format!("vars {}", flow(&Value::Object(saga.vars.clone()))));
    }
    let runs = saga.runs.iter().filter_map(|run| {
        let word = word_of(run)?;
        Some(format!("{} {word}", saga.path(plan, run.key)))
    });
    let runs: Vec<String> = runs.collect();
    if !runs.is_empty() {
        words.push(runs.join(", "));
    }
    words.join("; ")
}

fn word_of(run: &Run) -> Option<&'static str> {
    match (run.undone, &run.phase) {
        (Some(true), _) => Some("compensated"),
        (Some(false), _) => Some("compensation_failed"),
        (None, Phase::Idle) => None,
        (None, Phase::Waiting { .. }) => Some("waits"),
        (None, Phase::Pausing { .. }) => Some("pauses"),
        (None, Phase::Probing { .. }) => Some("in_doubt"),
        (None, Phase::Undoing { .. }) => Some("undoes its attempt"),
        (None, Phase::Ended { outcome, .. }) => Some(outcome.as_str()),
    }
}
