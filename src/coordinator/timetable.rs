//! Who is due when: one entry a saga at most, and one a schedule; knows no clock \[R9\].

use std::collections::BTreeSet;

use crate::ids::SagaId;
use crate::time::Timestamp;

/// What is due. Of one instant sagas come first: one that ends gives its key free for the tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A saga's deadline or pause.
    Saga(SagaId),
    /// A schedule's tick, by its place in the list.
    Tick(usize),
}

/// Deadlines in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Timetable {
    entries: BTreeSet<(Timestamp, Due)>,
}

impl Timetable {
    /// Moves an entry.
    pub(super) fn change(&mut self, id: Due, old: Option<Timestamp>, new: Option<Timestamp>) {
        if let Some(old) = old {
            self.entries.remove(&(old, id));
        }
        if let Some(new) = new {
            self.entries.insert((new, id));
        }
    }

    /// When the first is due.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// The first that is due by `now`. Its entry stays until its own state moves it.
    pub(super) fn pop_due(&self, now: Timestamp) -> Option<Due> {
        self.entries.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }
}
