//! Every history of a saga, as far as its own steps can tell histories apart: explored breadth
//! first on the interpreter that runs it, so that what is found first is the shortest. Reads no
//! file, and has no second meaning of a saga: it only chooses what happens.

mod act;
mod choices;
mod explore;
mod facts;
mod judge;
mod likeness;
mod reads;
mod story;
mod values;

use std::sync::Arc;

use crate::definition::Catalog;
use crate::plan::{Plan, Policy};

pub use explore::{Bounds, Checked, Halt, Progress, check};
pub(super) use judge::judge_facts;
pub use judge::{Broken, Property};
pub use story::Story;

use reads::Reads;

/// What is the same in all histories of one saga.
#[derive(Debug)]
struct Setting {
    catalog: Arc<Catalog>,
    plan: Arc<Plan>,
    reads: Reads,
    /// The targets that it sends commands to.
    targets: Vec<Arc<str>>,
}

impl Setting {
    fn of(catalog: &Arc<Catalog>, plan: &Arc<Plan>) -> Setting {
        let mut targets: Vec<Arc<str>> =
            plan.commands.values().map(|command| command.target.clone()).collect();
        targets.sort();
        targets.dedup();
        Setting { catalog: catalog.clone(), plan: plan.clone(), reads: Reads::of(plan), targets }
    }

    /// Whether a rival can make any difference to the saga: by its key, or by taking events.
    fn meets(&self) -> bool {
        self.plan.waits_for_events || self.plan.eviction.policy != Policy::Parallel
    }
}
