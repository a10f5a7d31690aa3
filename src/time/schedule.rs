//! When the clock starts something: every so often, or at minutes of the calendar. Remembers
//! nothing.

use std::fmt;

use super::cron::Cron;
use super::{Millis, Timestamp};

/// A rule of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// So often, counted from when the launcher first knew of it.
    Every(Millis),
    /// At the minutes that a cron text picks, in UTC.
    Cron(Cron),
}

impl Schedule {
    /// The first tick after an instant up to which all ticks are done; `None`: it never comes.
    #[must_use]
    pub fn after(&self, done: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Every(span) => Some(done + *span),
            Schedule::Cron(cron) => cron.after(done),
        }
    }

    /// Up to where ticks are done once one of them fires at `now`: those that were missed with it
    /// are not made up for. The grid of `every` stays where it was.
    #[must_use]
    pub fn done_at(&self, done: Timestamp, now: Timestamp) -> Timestamp {
        match self {
            Schedule::Every(span) => {
                let times = now.since(done).0 / span.0.max(1);
                done + Millis(span.0.saturating_mul(times))
            }
            Schedule::Cron(_) => now,
        }
    }
}

impl fmt::Display for Schedule {
    /// As an author would write it: one text for one rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Every(span) => write!(f, "every {span}"),
            Schedule::Cron(cron) => write!(f, "cron {cron}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r9_missed_ticks_are_done_with_the_one_that_fires() {
        let every = Schedule::Every(Millis(10));
        assert_eq!(every.after(Timestamp(5)), Some(Timestamp(15)));
        assert_eq!(every.done_at(Timestamp(5), Timestamp(15)), Timestamp(15));
        assert_eq!(every.done_at(Timestamp(5), Timestamp(49)), Timestamp(45), "the grid stays");
        let cron = Schedule::Cron(Cron::parse("0 * * * *").expect("it can be read"));
        let now = Timestamp(7_300_000);
        assert_eq!(cron.done_at(Timestamp(0), now), now);
        assert_eq!(cron.after(now), Some(Timestamp(10_800_000)));
    }
}
