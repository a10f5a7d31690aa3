//! What sagas know of each other when one calls another: the fields that it takes, the result that
//! comes up, what it costs. Knows nothing of running sagas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Plan;
use super::budget::{self, Longest};
use super::verb::Costs;
use crate::definition::saga::TriggerKind;
use crate::definition::step::{Compensate, OnTimeout};
use crate::definition::{EventDecl, Saga, Step, Verb};
use crate::diag::At;
use crate::expr::ObjectType;
use crate::time::Millis;

/// A saga as those see it that call it.
#[derive(Clone, Debug)]
pub struct Callee {
    /// The fields of its `call` trigger, if it has one.
    pub fields: Option<Arc<EventDecl>>,
    /// What its `result` holds; absent: it is not compiled, for it calls in a circle.
    pub result: Option<ObjectType>,
    /// What it costs.
    pub costs: Costs,
}

/// All sagas that may be called.
#[derive(Clone, Debug, Default)]
pub struct Callees {
    by_name: BTreeMap<String, Callee>,
    /// Whether all definitions at hand could be read: a name that is not here is then unknown.
    is_whole: bool,
}

impl Callees {
    /// The sagas of a library, before any of them is compiled.
    #[must_use]
    pub fn of(sagas: &[Arc<Saga>], is_whole: bool) -> Callees {
        let one = |saga: &Arc<Saga>| {
            let fields = saga.trigger.alternatives.iter().find_map(|one| match &one.kind {
                TriggerKind::Call { fields } => Some(fields.clone()),
                TriggerKind::Event { .. } | TriggerKind::Schedule(_) => None,
            });
            (saga.name.value.clone(), Callee { fields, result: None, costs: Costs::default() })
        };
        Callees { by_name: sagas.iter().map(one).collect(), is_whole }
    }

    /// A saga of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Callee> {
        self.by_name.get(name)
    }

    /// Whether a saga that is not here does not exist.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_name.keys().map(String::as_str)
    }

    /// Notes what compiling a saga has shown of it.
    pub fn learn(&mut self, plan: &Plan, result: &ObjectType) {
        if let Some(callee) = self.by_name.get_mut(&*plan.name) {
            callee.result = Some(result.clone());
            callee.costs = costs(plan);
        }
    }
}

impl Plan {
    /// It and all that it calls, directly or around others, each once.
    #[must_use]
    pub fn family(self: &Arc<Plan>) -> Vec<Arc<Plan>> {
        let mut family = vec![self.clone()];
        let mut at = 0;
        while let Some(one) = family.get(at).cloned() {
            let new = one
                .callees
                .iter()
                .filter(|callee| !family.iter().any(|known| known.name == callee.name));
            let new: Vec<Arc<Plan>> = new.cloned().collect();
            family.extend(new);
            at += 1;
        }
        family
    }
}

fn costs(plan: &Plan) -> Costs {
    let shares = budget::shares(plan);
    let forward =
        Longest { sure: budget::sum(&shares), open: shares.iter().any(|share| share.open) };
    let bounds = budget::forecast(plan).any;
    let undoing = bounds.undo_worst;
    Costs {
        has_pivot: plan.steps.iter().any(|step| step.pivot),
        best: bounds.best,
        forward: forward.within(plan.timeout),
        undoing: Longest { sure: undoing.unwrap_or(Millis(0)), open: undoing.is_none() },
        commands: bounds.commands,
        records: bounds.records,
    }
}

/// Places of the sagas, those that call nobody first, then those that call only these, and so on.
/// Those of a circle come last, in any order.
#[must_use]
pub fn levels(sagas: &[Arc<Saga>]) -> Vec<Vec<usize>> {
    let place: BTreeMap<&str, usize> =
        sagas.iter().enumerate().map(|(at, saga)| (saga.name.value.as_str(), at)).collect();
    let calls: Vec<BTreeSet<usize>> = sagas
        .iter()
        .map(|saga| {
            let names = calls_of(saga).into_iter();
            names.filter_map(|name| place.get(name.value.as_str()).copied()).collect()
        })
        .collect();
    let mut left: BTreeSet<usize> = (0..sagas.len()).collect();
    let mut levels = Vec::new();
    while !left.is_empty() {
        let ready: Vec<usize> =
            left.iter().copied().filter(|at| calls[*at].is_disjoint(&left)).collect();
        let level = if ready.is_empty() { left.iter().copied().collect() } else { ready };
        for at in &level {
            left.remove(at);
        }
        levels.push(level);
    }
    levels
}

/// The names of the sagas that a definition calls, in the order of the text.
#[must_use]
pub fn calls_of(saga: &Saga) -> Vec<&At<String>> {
    let mut found = Vec::new();
    list(&saga.steps, &mut found);
    list(&saga.finally, &mut found);
    found
}

fn list<'a>(steps: &'a [Step], found: &mut Vec<&'a At<String>>) {
    for one in steps {
        step(one, found);
    }
}

fn step<'a>(one: &'a Step, found: &mut Vec<&'a At<String>>) {
    match &one.verb {
        Verb::Call { saga, .. } => found.push(saga),
        Verb::Group(steps) => list(steps, found),
        Verb::Parallel { branches, .. } => {
            branches.iter().for_each(|branch| step(&branch.roof, found));
        }
        Verb::ForEach(each) => step(&each.roof, found),
        Verb::Issue { .. }
        | Verb::Await
        | Verb::Emit { .. }
        | Verb::Delay(_)
        | Verb::Fail(_)
        | Verb::Done => {}
    }
    if let Some(OnTimeout::Steps(steps)) = one.on_timeout.as_ref().map(|on| &on.value) {
        list(steps, found);
    }
    if let Some(Compensate::Step { step: undo, .. }) = one.compensate.as_ref().map(|c| &c.value) {
        step(undo, found);
    }
}
