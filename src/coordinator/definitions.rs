//! The definitions at hand: the current one of each name, and those that open sagas still use
//! \[L4\].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plan::Plan;

/// Plans by name and by the events that trigger them.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    by_name: BTreeMap<Arc<str>, Arc<Plan>>,
    by_event: BTreeMap<Arc<str>, Vec<Arc<Plan>>>,
}

impl Definitions {
    /// Indexes the plans that new sagas use.
    #[must_use]
    pub fn new(plans: Vec<Arc<Plan>>) -> Definitions {
        let mut definitions = Definitions::default();
        for plan in plans {
            for trigger in &plan.trigger.events {
                let plans = definitions.by_event.entry(trigger.event.clone()).or_default();
                // Two alternatives of one name are one look: an event starts at most one saga
                // [R21].
                if !plans.iter().any(|known| Arc::ptr_eq(known, &plan)) {
                    plans.push(plan.clone());
                }
            }
            definitions.by_name.insert(plan.name.clone(), plan);
        }
        definitions
    }

    /// The definition of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Plan>> {
        self.by_name.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.by_name.values()
    }

    /// Definitions that an event of that name may start.
    #[must_use]
    pub fn triggered_by(&self, event: &str) -> Vec<Arc<Plan>> {
        self.by_event.get(event).cloned().unwrap_or_default()
    }
}
