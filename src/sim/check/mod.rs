//! Every history of a saga, as far as its own steps can tell histories apart: explored breadth
//! first on the interpreter that runs it, so that what is found first is the shortest. Reads no
//! file, and has no second meaning of a saga: it only chooses what happens.

mod act;
mod choices;
mod digest;
mod expand;
mod explore;
mod facts;
mod future;
mod hindsight;
mod judge;
mod later;
mod likeness;
mod reads;
mod rules;
mod story;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::definition::Catalog;
use crate::plan::{Plan, Policy, Verb};
use crate::saga::state::Saga;

pub use explore::{Bounds, Checked, Detail, Halt, Progress, check, check_on};
pub(super) use hindsight::judge_facts;
pub use judge::{Broken, Property};
pub use story::Story;

use later::Later;
use reads::Reads;

/// What is the same in all histories of one saga.
#[derive(Debug)]
struct Setting {
    catalog: Arc<Catalog>,
    /// The saga's own plan, then those of the sagas that it calls, and that these call.
    plans: Vec<Arc<Plan>>,
    /// What each of them reads.
    reads: Vec<Reads>,
    /// The targets that they send commands to.
    targets: Vec<Arc<str>>,
    /// What moments are told apart by.
    detail: Detail,
    /// Whom a newcomer may concern that is merged, where one may be.
    newcomer: Option<Later>,
}

impl Setting {
    fn of(
        catalog: &Arc<Catalog>,
        plan: &Arc<Plan>,
        others: &[Arc<Plan>],
        detail: Detail,
    ) -> Setting {
        let mut plans = vec![plan.clone()];
        let mut at = 0;
        while let Some(plan) = plans.get(at).cloned() {
            at += 1;
            for step in &plan.steps {
                let Verb::Call(call) = &step.verb else { continue };
                let called = others.iter().find(|one| one.name == call.saga);
                let is_new = plans.iter().all(|known| known.name != call.saga);
                plans.extend(called.filter(|_| is_new).cloned());
            }
        }
        let commands = plans.iter().flat_map(|plan| plan.commands.values());
        let mut targets: Vec<Arc<str>> = commands.map(|command| command.target.clone()).collect();
        targets.sort();
        targets.dedup();
        let reads: Vec<Reads> = plans.iter().map(|plan| Reads::of(plan)).collect();
        let is_merged = detail != Detail::All && plan.eviction.policy == Policy::Join;
        let newcomer = is_merged.then(|| Later::of_any(plan, &reads[0]));
        Setting { catalog: catalog.clone(), plans, reads, targets, detail, newcomer }
    }

    /// Whether everything is told apart that can be.
    fn tells_all(&self) -> bool {
        self.detail == Detail::All
    }

    /// The plan of the saga that is explored.
    fn plan(&self) -> &Arc<Plan> {
        &self.plans[0]
    }

    /// What the expressions of that saga read.
    fn reads_of(&self, name: &str) -> &Reads {
        let place = self.plans.iter().position(|plan| *plan.name == *name);
        &self.reads[place.unwrap_or_default()]
    }

    /// Whether the saga at that place of a moment is worth a look: the saga itself, what it calls,
    /// and a rival that can make a difference.
    fn concerns(&self, place: usize, saga: &Saga) -> bool {
        place == 0 || self.is_called(saga) || self.meets()
    }

    fn is_called(&self, saga: &Saga) -> bool {
        saga.name != self.plan().name
    }

    /// Whether a rival can make any difference to the saga: by its key, or by taking events.
    fn meets(&self) -> bool {
        self.plan().waits_for_events || self.plan().eviction.policy != Policy::Parallel
    }
}
