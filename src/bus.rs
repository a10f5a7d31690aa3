//! The replay ring: the newest bus events as lines, so that a client that comes back costs no read
//! of the log \[L10\].
//! Decides nothing; what is older than the ring is read from the log by the caller.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use crate::ids::Seq;
use crate::limits::RING_BYTES;
use crate::line::Line;

/// One event as it was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its version.
    pub version: Seq,
    /// Its name, for subscriptions.
    pub name: Name,
    /// Its line.
    pub line: Line,
}

/// Name of an event.
#[derive(Clone, Debug)]
pub enum Name {
    /// One that the launcher has for what it tells itself.
    Own(&'static str),
    /// One of the catalog.
    Declared(Arc<str>),
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Name::Own(name) => name,
            Name::Declared(name) => name,
        }
    }
}

/// The newest events, oldest first.
#[derive(Debug)]
pub struct Ring {
    events: VecDeque<Published>,
    most: usize,
    bytes: usize,
    /// Everything after this version is here.
    since: Seq,
}

impl Ring {
    /// An empty ring that holds everything after `since`.
    #[must_use]
    pub fn new(most: usize, since: Seq) -> Ring {
        Ring { events: VecDeque::with_capacity(most), most, bytes: 0, since }
    }

    /// Takes an event in; the oldest leave until there is room for it.
    pub fn push(&mut self, event: Published) {
        self.bytes += event.line.len();
        while (self.events.len() == self.most || self.bytes > RING_BYTES)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.line.len();
            self.since = oldest.version;
        }
        self.events.push_back(event);
    }

    /// All events after that version, or `None` when some of them have left the ring.
    #[must_use]
    pub fn after(&self, since: Seq) -> Option<impl Iterator<Item = &Published>> {
        if since < self.since {
            return None;
        }
        let from = self.events.partition_point(|event| event.version <= since);
        Some(self.events.range(from..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(most: usize, versions: impl IntoIterator<Item = u64>) -> Ring {
        let mut ring = Ring::new(most, Seq(0));
        for version in versions {
            let (name, line) = (Name::Own("e"), Line::from("{}\n"));
            ring.push(Published { version: Seq(version), name, line });
        }
        ring
    }

    fn after(ring: &Ring, since: u64) -> Option<Vec<u64>> {
        Some(ring.after(Seq(since))?.map(|event| event.version.0).collect())
    }

    #[test]
    fn bg_e01_a_full_ring_drops_its_oldest_and_says_so() {
        let ring = ring(3, [1, 2, 4, 7]);
        assert_eq!(after(&ring, 0), None);
        assert_eq!(after(&ring, 1), Some(vec![2, 4, 7]));
    }

    #[test]
    fn large_events_leave_the_ring_sooner() {
        let mut ring = ring(99, []);
        let line = Line::from(" ".repeat(RING_BYTES / 4));
        for version in 1..=9 {
            let (name, line) = (Name::Own("e"), line.clone());
            ring.push(Published { version: Seq(version), name, line });
        }
        assert_eq!(after(&ring, 4), None);
        assert_eq!(after(&ring, 5), Some(vec![6, 7, 8, 9]));
    }

    #[test]
    fn bg_e02_since_is_exclusive() {
        assert_eq!(after(&ring(9, [1, 2, 4]), 2), Some(vec![4]));
    }

    #[test]
    fn bg_e03_since_zero_is_everything() {
        assert_eq!(after(&ring(9, [1, 2, 4]), 0), Some(vec![1, 2, 4]));
    }

    #[test]
    fn bg_e04_since_beyond_the_newest_is_nothing() {
        assert_eq!(after(&ring(9, [1, 2, 4]), 9), Some(vec![]));
    }

    #[test]
    fn bg_e05_the_greatest_version_is_safe() {
        assert_eq!(after(&ring(2, [1, 2, 4]), u64::MAX), Some(vec![]));
    }

    #[test]
    fn bg_e06_an_empty_ring_is_never_truncated() {
        assert_eq!(after(&ring(2, []), 0), Some(vec![]));
    }
}
