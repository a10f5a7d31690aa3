//! A launcher at its first start, for who plays or explores one saga. Lets nothing happen.

use std::sync::Arc;

use crate::definition::Catalog;
use crate::plan::Plan;

use super::{TOOL, World};

/// The launcher's own word, that only its start says.
pub(super) const LAUNCHER_STARTED: &str = "launcher_started";

impl World {
    /// A booted launcher with these definitions, and everybody but targets at hand.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) -> World {
        // A saga that a launcher's start begins does not begin with the world: it is told later
        // that one started, and then loads it.
        let started = |plan: &Arc<Plan>| {
            let mut events = plan.trigger.events.iter();
            events.any(|trigger| *trigger.event == *LAUNCHER_STARTED)
        };
        let loaded = plans.iter().filter(|plan| !started(plan)).cloned().collect();
        let mut world = World::on((), catalog, loaded);
        world.plans = plans;
        world.connect(&Arc::from(TOOL));
        world
    }
}
