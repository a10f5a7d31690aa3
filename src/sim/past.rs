//! The log of a world: many lives share it up to where they part, and its fold is what lives.
//! Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::coordinator::{Coordinator, Fact, Restored};
use crate::ids::{SagaId, Seq};
use crate::plan::Plan;
use crate::saga::record::Record;
use crate::time::Timestamp;

use super::shelf::Shelf;
use super::world::{START, World};

/// Facts of a life up to some moment, shared by all lives that go on from there.
#[derive(Debug)]
pub struct Past {
    before: Option<Arc<Past>>,
    facts: Vec<(Timestamp, Fact)>,
}

impl Past {
    /// These facts after those before.
    pub(super) fn of(before: Option<Arc<Past>>, facts: Vec<(Timestamp, Fact)>) -> Arc<Past> {
        Arc::new(Past { before, facts })
    }

    /// The facts since the moment before.
    #[must_use]
    pub fn newest(&self) -> &[(Timestamp, Fact)] {
        &self.facts
    }

    /// When the newest fact came.
    pub(super) fn last(&self) -> Option<Timestamp> {
        let parts = std::iter::successors(Some(self), |part| part.before.as_deref());
        parts.into_iter().find_map(|part| part.facts.last()).map(|(at, _)| *at)
    }

    /// The whole log of a life: its past, then what came since.
    pub(super) fn all<'a>(
        past: Option<&'a Past>,
        since: &'a [(Timestamp, Fact)],
    ) -> Vec<&'a (Timestamp, Fact)> {
        let mut parts = vec![since];
        let mut at = past;
        while let Some(part) = at {
            parts.push(&part.facts);
            at = part.before.as_deref();
        }
        parts.into_iter().rev().flatten().collect()
    }
}

impl Drop for Past {
    /// One after the other: a long life costs no stack.
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(mut past) = before.and_then(Arc::into_inner) {
            before = past.before.take();
        }
    }
}

impl<S: Shelf> World<S> {
    /// Lays the facts so far aside and forgets what was sent: lives that go on from here share
    /// them. What is asked for afterwards is about what comes then.
    pub fn settle(&mut self) -> Arc<Past> {
        let facts = std::mem::take(&mut self.facts);
        let past = Past::of(self.past.take(), facts);
        self.past = Some(past.clone());
        self.sent.clear();
        let (coordinator, sessions) = (&self.coordinator, &self.coordinator.world().targets);
        self.handed.retain(|(target, session, order)| {
            sessions.get(target).and_then(|target| target.open) == Some(*session)
                && coordinator.owed_to(target).any(|owed| owed.order == *order)
        });
        past
    }

    /// The fold of the whole log; what clashes is kept as [`World::broken`].
    pub(super) fn folded(&mut self) -> Coordinator {
        let mut folded = Coordinator::new(self.catalog.clone(), self.plans.clone());
        let log = Past::all(self.past.as_deref(), &self.facts);
        let plans: Vec<&Arc<Plan>> = self.plans.iter().chain(&self.older).collect();
        let clash = fold(&log, &plans, &mut folded);
        self.broken = clash.or_else(|| self.broken.take());
        folded.begin_turn(self.now);
        folded
    }

    /// \[R3\]: the fold of the log is the live state.
    pub fn compare(&mut self) {
        let folded = self.folded();
        if let Some(difference) = self.coordinator.difference(&folded) {
            self.broken = Some(format!("the fold of the log is not the live state: {difference}"));
        }
        if let Some((saga, clash)) = self.coordinator.corrupt().first_key_value() {
            self.broken = Some(format!("saga {saga} was decided against its own facts: {clash}"));
        }
    }
}

/// Folds a whole log into a coordinator that knows nothing yet; what clashed, if anything did.
pub(super) fn fold(
    log: &[&(Timestamp, Fact)],
    plans: &[&Arc<Plan>],
    folded: &mut Coordinator,
) -> Option<String> {
    let mut broken = None;
    let time = log.last().map_or(START, |(at, _)| *at);
    let seq = log.last().map_or(Seq(0), |(_, fact)| fact.seq);
    folded.restore_numbers(Restored { seq, time, ..Restored::default() });
    let mut by_saga: BTreeMap<SagaId, Vec<(Seq, Timestamp, Record)>> = BTreeMap::new();
    for (at, fact) in log {
        folded.restore_record(fact.seq, *at, &fact.record);
        if let Some(id) = fact.saga {
            folded.restore_asked(id, *at, &fact.record);
            by_saga.entry(id).or_default().push((fact.seq, *at, fact.record.clone()));
        }
    }
    for (id, records) in by_saga {
        let hash = records.iter().find_map(|(_, _, record)| {
            let Record::Began(began) = record else { return None };
            Some(began.definition.clone())
        });
        let plan = plans.iter().find(|plan| Some(&plan.hash) == hash.as_ref());
        let Some(plan) = plan.map(|plan| (*plan).clone()) else { continue };
        if let Err(clash) = folded.restore_saga(id, plan, &records) {
            broken = Some(format!("saga {id} cannot be folded: {clash}"));
        }
    }
    broken
}
