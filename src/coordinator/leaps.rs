//! Leaps of the time in the log: stretches that no launcher saw pass, because its clock jumped or
//! because none ran. The age of what is kept is judged without them \[L6\]. Deadlines are not: they
//! are instants \[R9\].

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::limits::{LEAP, LEAPS_KEPT};
use crate::time::{Millis, Timestamp};

/// The newest leaps, oldest first: from where, without what counts of it, to where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leaps {
    skipped: VecDeque<(Timestamp, Timestamp)>,
}

impl Leaps {
    /// The log's time went from one instant to another at once.
    pub(super) fn add(&mut self, from: Timestamp, to: Timestamp) {
        if to.since(from) > LEAP {
            self.skipped.push_back((from + LEAP, to));
            if self.skipped.len() > LEAPS_KEPT {
                self.skipped.pop_front();
            }
        }
    }

    /// How far back `kept` lies from `now` when what nobody saw pass is left out: `kept` and the
    /// leaps within it.
    #[must_use]
    pub fn stretch(&self, now: Timestamp, kept: Millis) -> Millis {
        let mut stretched = kept;
        for (from, to) in self.skipped.iter().rev() {
            if now.since(*to) >= stretched {
                break;
            }
            stretched = Millis(stretched.0.saturating_add(to.since(*from).0));
        }
        stretched
    }

    pub(super) fn snapshot(&self) -> Value {
        self.skipped.iter().map(|(from, to)| json!([from, to])).collect()
    }

    pub(super) fn restore(snapshot: &Value) -> Option<Leaps> {
        let instant = |value: &Value| value.as_i64().map(Timestamp);
        let leap = |value: &Value| Some((instant(value.get(0)?)?, instant(value.get(1)?)?));
        let skipped = snapshot.as_array()?.iter().map(leap).collect::<Option<_>>()?;
        Some(Leaps { skipped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much as counts of any leap.
    const BIT: u64 = LEAP.0;

    /// After leaps from one instant to another, how far back from `now` seven lie; all in bits.
    fn check(jumps: &[(u64, u64)], now: u64, expected: u64) {
        let instant = |bits: u64| Timestamp::default() + Millis(bits * BIT);
        let mut leaps = Leaps::default();
        for (from, to) in jumps {
            leaps.add(instant(*from), instant(*to));
        }
        let stretched = leaps.stretch(instant(now), Millis(7 * BIT));
        assert_eq!(stretched, Millis(expected * BIT), "{jumps:?}");
        let again = Leaps::restore(&leaps.snapshot());
        assert_eq!(again.as_ref(), Some(&leaps));
    }

    #[test]
    fn l6_time_that_nobody_saw_pass_makes_nothing_old() {
        check(&[], 100, 7);
        check(&[(100, 9_000)], 9_000, 8_906);
        check(&[(100, 9_000)], 9_005, 8_906);
        check(&[(100, 9_000), (9_001, 9_004)], 9_004, 8_908);
    }

    #[test]
    fn l6_a_leap_that_is_older_than_what_is_kept_plays_no_part() {
        check(&[(100, 9_000)], 9_007, 7);
        check(&[(100, 9_000)], 20_000, 7);
    }

    #[test]
    fn l6_a_bit_of_it_is_believed() {
        check(&[(100, 101)], 101, 7);
        check(&[(100, 102)], 102, 8);
        check(&[(102, 100)], 102, 7);
    }
}
