//! The one place that reads clocks. `now` never falls \[R9\]; deciding code gets it as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Millis, Timestamp};

/// How far the wall clock may run from the steady one before that is a jump worth a record.
const JUMP: Millis = Millis(1_000);

/// Wall and steady clock together.
#[derive(Debug)]
pub struct Clock {
    last: Timestamp,
    read_at: Instant,
    /// How far the wall clock is behind, as it was told last.
    behind: Millis,
}

/// A reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The instant to decide with.
    pub now: Timestamp,
    /// What the wall clock said and what was expected of it, when it jumped.
    pub jump: Option<(Timestamp, Timestamp)>,
}

#[expect(clippy::disallowed_methods, reason = "this module is the clock")]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this module is the clock")]
fn steady() -> Instant {
    Instant::now()
}

impl Clock {
    /// Starts at the greater of the wall clock and the newest record's time \[R9\].
    #[must_use]
    pub fn start(newest: Timestamp) -> Clock {
        let wall = wall();
        let last = wall.max(newest);
        Clock { last, read_at: steady(), behind: last.since(wall) }
    }

    /// Reads the time: the greater of the wall clock and the last reading plus what has passed
    /// since.
    pub fn read(&mut self) -> Reading {
        let elapsed = self.read_at.elapsed();
        let reading = self.advance(wall(), elapsed);
        // What is less than a millisecond is not lost: it counts from the old instant.
        self.read_at += Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(0));
        reading
    }

    fn advance(&mut self, wall: Timestamp, elapsed: Duration) -> Reading {
        let passed = Millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let expected = self.last + passed;
        let behind = expected.since(wall);
        let jumped = wall.since(expected) > JUMP || behind.0.abs_diff(self.behind.0) > JUMP.0;
        self.last = expected.max(wall);
        self.behind = if jumped { behind } else { self.behind };
        Reading { now: self.last, jump: jumped.then_some((wall, expected)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r9_now_never_falls_when_the_wall_clock_is_set_back() {
        let mut clock = Clock { last: Timestamp(10_000), read_at: steady(), behind: Millis(0) };
        let reading = clock.advance(Timestamp(4_000), Duration::from_millis(5));
        assert_eq!(reading.now, Timestamp(10_005));
    }

    #[test]
    fn r9_a_jump_forward_is_taken_and_told() {
        let mut clock = Clock { last: Timestamp(10_000), read_at: steady(), behind: Millis(0) };
        let reading = clock.advance(Timestamp(60_000), Duration::from_millis(5));
        assert_eq!(reading.now, Timestamp(60_000));
        assert_eq!(reading.jump, Some((Timestamp(60_000), Timestamp(10_005))));
    }
}
