//! The one place that reads clocks. `now` never falls \[R9\]; deciding code gets it as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Millis, Timestamp};

/// How far the wall clock may run from the steady one before that is a jump worth a record.
const JUMP: Millis = Millis(1_000);

/// Jumps that wait to be told. Beyond: the last two are told as one, over all that both went.
const JUMPS_MAX: usize = 16;

/// Wall and steady clock together.
#[derive(Debug)]
pub struct Clock {
    last: Timestamp,
    read_at: Instant,
    /// How far the wall clock is behind, as it was told last.
    behind: Millis,
    /// Jumps that nobody was told of yet, in their order.
    jumps: Vec<Jump>,
}

/// What the wall clock said, and what was expected of it.
pub type Jump = (Timestamp, Timestamp);

/// A reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The instant to decide with.
    pub now: Timestamp,
    /// Its jumps since the last reading: one there and one back are two.
    pub jumps: Vec<Jump>,
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
        Clock { last, read_at: steady(), behind: last.since(wall), jumps: Vec::new() }
    }

    /// Reads the time: the greater of the wall clock and the last reading plus what has passed
    /// since.
    pub fn read(&mut self) -> Reading {
        let now = self.now();
        Reading { now, jumps: std::mem::take(&mut self.jumps) }
    }

    /// The same for who only waits: a jump that is seen here is told at the next reading.
    pub fn now(&mut self) -> Timestamp {
        let elapsed = self.read_at.elapsed();
        let now = self.advance(wall(), elapsed);
        // What is less than a millisecond is not lost: it counts from the old instant.
        self.read_at += Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(0));
        now
    }

    fn advance(&mut self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        let passed = Millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let expected = self.last + passed;
        let behind = expected.since(wall);
        let jumped = wall.since(expected) > JUMP || behind.0.abs_diff(self.behind.0) > JUMP.0;
        self.last = expected.max(wall);
        if jumped {
            self.behind = behind;
            let full = self.jumps.len() == JUMPS_MAX;
            match self.jumps.last_mut() {
                Some((there, from)) if full => {
                    (*there, *from) = (wall.max(*there), expected.min(*from));
                }
                Some(_) | None => self.jumps.push((wall, expected)),
            }
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ten_seconds() -> Clock {
        let (last, behind) = (Timestamp(10_000), Millis(0));
        Clock { last, read_at: steady(), behind, jumps: Vec::new() }
    }

    #[test]
    fn r9_now_never_falls_when_the_wall_clock_is_set_back() {
        let mut clock = at_ten_seconds();
        assert_eq!(clock.advance(Timestamp(4_000), Duration::from_millis(5)), Timestamp(10_005));
    }

    #[test]
    fn r9_a_jump_forward_is_taken_and_told() {
        let mut clock = at_ten_seconds();
        assert_eq!(clock.advance(Timestamp(60_000), Duration::from_millis(5)), Timestamp(60_000));
        assert_eq!(clock.jumps, [(Timestamp(60_000), Timestamp(10_005))]);
    }

    /// \[L6\]: the way there is a leap of the log's time, though the wall clock is right again.
    #[test]
    fn r9_one_wrong_reading_is_told_as_a_jump_there_and_a_jump_back() {
        let mut clock = at_ten_seconds();
        clock.advance(Timestamp(60_000), Duration::from_millis(5));
        clock.advance(Timestamp(10_010), Duration::from_millis(5));
        let there = (Timestamp(60_000), Timestamp(10_005));
        assert_eq!(clock.jumps, [there, (Timestamp(10_010), Timestamp(60_005))]);
    }

    #[test]
    fn r9_a_jump_that_was_seen_while_waiting_is_told_once_and_not_lost() {
        let mut clock = Clock::start(Timestamp::default());
        clock.last = Timestamp::default();
        clock.now();
        assert_eq!(clock.read().jumps.len(), 1, "it was half a century");
        assert_eq!(clock.read().jumps, []);
    }
}
