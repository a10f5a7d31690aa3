//! Who is due when. One entry a saga at most; knows no clock \[R9\].

use std::collections::BTreeSet;

use crate::ids::SagaId;
use crate::time::Timestamp;

/// Deadlines in order.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    entries: BTreeSet<(Timestamp, SagaId)>,
}

impl Timetable {
    /// Moves a saga's entry.
    pub(super) fn change(&mut self, id: SagaId, old: Option<Timestamp>, new: Option<Timestamp>) {
        if let Some(old) = old {
            self.entries.remove(&(old, id));
        }
        if let Some(new) = new {
            self.entries.insert((new, id));
        }
    }

    /// When the first saga is due.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// The first saga that is due by `now`. Its entry stays until the saga's own state moves it.
    pub(super) fn pop_due(&self, now: Timestamp) -> Option<SagaId> {
        self.entries.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }
}
