//! A world's turns as the launcher writes them: rows in a log, lines on the bus; and a start that
//! reads them.

use std::sync::Arc;

use sagaflow::coordinator::{Coordinator, Fact, TurnOut};
use sagaflow::definition::Catalog;
use sagaflow::launcher::{Draft, restore, turn_of};
use sagaflow::log::{Log, MemoryLog};
use sagaflow::plan::Plan;
use sagaflow::saga::record::Record;
use sagaflow::sim::Shelf;

use super::Heard;

#[derive(Debug, Default)]
pub struct Rows {
    pub log: MemoryLog,
    /// Everything that was published, in order.
    pub events: Vec<Heard>,
}

impl Shelf for Rows {
    fn keep(&mut self, facts: &[Fact], out: &TurnOut, coordinator: &Coordinator) {
        let mut draft = Draft::default();
        draft.write(facts, out.now);
        let (rows, ids, events) = draft.take();
        let records = rows.iter().flat_map(|row| row.records().expect("rows hold records"));
        let told: Vec<Record> = records.collect();
        assert!(told.iter().eq(facts.iter().map(|fact| &fact.record)), "rows tell what happened");
        let turn = turn_of(rows, ids, out, coordinator.world());
        if !turn.is_empty() {
            self.log.append(&turn).expect("the memory log takes all");
        }
        self.events.extend(events.iter().map(Heard::of));
    }

    fn start(&self, catalog: &Arc<Catalog>, plans: &[Arc<Plan>]) -> Option<Coordinator> {
        let restored = restore(&self.log, catalog.clone(), plans.to_vec());
        Some(restored.expect("the memory log can be read"))
    }
}
