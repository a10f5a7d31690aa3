//! How a running turn does, from what it says and for how long it says nothing. A word to who
//! watches: silence is not death, so nothing is ended by it.

use std::collections::VecDeque;

use crate::time::Millis;

use super::failure::Failure;
use super::frame::Says;

/// How a turn does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// None runs.
    #[default]
    Idle,
    /// It speaks.
    Healthy,
    /// It speaks of trouble that passes.
    Degraded,
    /// It says nothing.
    Stalled,
    /// It has said nothing for long, or told of what does not pass.
    Dead,
    /// It ended badly.
    Exited,
}

impl Health {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Health::Idle => "idle",
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Stalled => "stalled",
            Health::Dead => "dead",
            Health::Exited => "exited",
        }
    }
}

/// When silence and trouble count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Silence beyond which a turn is stalled.
    pub stalled: Millis,
    /// Silence beyond which it is dead.
    pub dead: Millis,
    /// How long it may make room in what it remembers without a word.
    pub compacting: Millis,
    /// How long trouble counts.
    pub window: Millis,
    /// How much passing trouble within that time makes it degraded.
    pub degraded: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            stalled: Millis(30_000),
            dead: Millis(120_000),
            compacting: Millis(600_000),
            window: Millis(300_000),
            degraded: 5,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Passing,
    Fatal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Active,
    Ended { well: bool },
}

/// Watches one block's turns. All times are of one clock that only grows.
#[derive(Debug)]
pub struct Monitor {
    thresholds: Thresholds,
    phase: Phase,
    /// When something was said that shows progress.
    spoke: Millis,
    compacting_since: Option<Millis>,
    troubles: VecDeque<(Millis, Trouble)>,
    told: Health,
}

/// What a line's words mean for health: whether they show progress, and what trouble they tell of.
fn weigh(says: &Says) -> (bool, Option<Trouble>) {
    match says {
        Says::Something | Says::Init | Says::Result => (true, None),
        Says::RateLimit => (false, Some(Trouble::Passing)),
        // Leaving the time of silence is not speaking: it grants no fresh patience.
        Says::Compacting | Says::Compacted => (false, None),
        Says::Error(words) => (true, Some(trouble(words))),
    }
}

fn trouble(words: &str) -> Trouble {
    match Failure::in_words(words) {
        Some(Failure::RateLimited | Failure::Overloaded | Failure::Network) => Trouble::Passing,
        Some(
            Failure::UsageLimit
            | Failure::Auth
            | Failure::ContextExceeded
            | Failure::MaxTurns
            | Failure::Killed
            | Failure::NoOutput
            | Failure::ErrorResult
            | Failure::UnknownNonZero,
        )
        | None => Trouble::Fatal,
    }
}

impl Monitor {
    /// A monitor of a block without a turn.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Monitor {
        Monitor {
            thresholds,
            phase: Phase::Idle,
            spoke: Millis(0),
            compacting_since: None,
            troubles: VecDeque::new(),
            told: Health::Idle,
        }
    }

    /// A turn began. What is returned here and below is the new health, where it is another one.
    pub fn begins(&mut self, now: Millis) -> Option<Health> {
        self.phase = Phase::Active;
        self.spoke = now;
        self.compacting_since = None;
        self.troubles.clear();
        self.look(now)
    }

    /// The turn said something.
    pub fn says(&mut self, says: &Says, now: Millis) -> Option<Health> {
        let (progress, trouble) = weigh(says);
        if progress {
            self.spoke = now;
        }
        match says {
            Says::Compacting => self.compacting_since = Some(now),
            Says::Compacted => self.compacting_since = None,
            Says::Something | Says::Init | Says::Result | Says::Error(_) | Says::RateLimit => {}
        }
        if let Some(trouble) = trouble {
            // No more than can make a difference.
            if self.troubles.len() >= self.thresholds.degraded.max(1) && trouble == Trouble::Passing
            {
                let passing = self.troubles.iter().position(|(_, t)| *t == Trouble::Passing);
                passing.map(|at| self.troubles.remove(at));
            }
            self.troubles.retain(|(_, known)| *known != Trouble::Fatal || trouble != *known);
            self.troubles.push_back((now, trouble));
        }
        self.look(now)
    }

    /// The turn ended.
    pub fn ends(&mut self, well: bool, now: Millis) -> Option<Health> {
        self.phase = Phase::Ended { well };
        self.look(now)
    }

    /// Time went by.
    pub fn look(&mut self, now: Millis) -> Option<Health> {
        let health = self.judge(now);
        (std::mem::replace(&mut self.told, health) != health).then_some(health)
    }

    /// What was told last, in words.
    #[must_use]
    pub fn detail(&self, now: Millis) -> String {
        match self.told {
            Health::Idle => "no turn runs".to_owned(),
            Health::Healthy => "it speaks".to_owned(),
            Health::Degraded => "it told of trouble several times".to_owned(),
            Health::Stalled | Health::Dead if self.is_fatal(now) => {
                "it told of an error".to_owned()
            }
            Health::Stalled | Health::Dead => {
                format!("it has said nothing for {} s", now.0.saturating_sub(self.spoke.0) / 1_000)
            }
            Health::Exited => "it ended badly".to_owned(),
        }
    }

    fn recent(&self, now: Millis) -> impl Iterator<Item = Trouble> {
        let window = self.thresholds.window.0;
        let recent = self.troubles.iter();
        recent.filter(move |(at, _)| now.0.saturating_sub(at.0) <= window).map(|(_, t)| *t)
    }

    fn is_fatal(&self, now: Millis) -> bool {
        self.recent(now).any(|trouble| trouble == Trouble::Fatal)
    }

    fn judge(&self, now: Millis) -> Health {
        match self.phase {
            Phase::Ended { well: true } => return Health::Idle,
            Phase::Ended { well: false } => return Health::Exited,
            Phase::Active if self.is_fatal(now) => return Health::Dead,
            Phase::Idle => return Health::Idle,
            Phase::Active => {}
        }
        let silence = now.0.saturating_sub(self.spoke.0);
        let compacts = self
            .compacting_since
            .is_some_and(|since| now.0.saturating_sub(since.0) <= self.thresholds.compacting.0);
        if !compacts && silence > self.thresholds.dead.0 {
            Health::Dead
        } else if !compacts && silence > self.thresholds.stalled.0 {
            Health::Stalled
        } else if self.recent(now).count() >= self.thresholds.degraded {
            Health::Degraded
        } else {
            Health::Healthy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const SECOND: u64 = 1_000;

    fn at(seconds: u64) -> Millis {
        Millis(seconds * SECOND)
    }

    fn error(words: &str) -> Says {
        Says::Error(words.to_owned())
    }

    fn active() -> Monitor {
        let mut monitor = Monitor::new(Thresholds::default());
        assert_eq!(monitor.begins(at(0)), Some(Health::Healthy));
        monitor
    }

    #[test]
    fn bg_b15_a_good_turn_goes_from_idle_to_healthy_to_idle() {
        let mut monitor = Monitor::new(Thresholds::default());
        assert_eq!(monitor.told, Health::Idle);
        assert_eq!(monitor.begins(at(0)), Some(Health::Healthy));
        assert_eq!(monitor.says(&Says::Something, at(1)), None);
        assert_eq!(monitor.ends(true, at(2)), Some(Health::Idle));
        assert_eq!(monitor.begins(at(3)), Some(Health::Healthy));
        assert_eq!(monitor.ends(false, at(4)), Some(Health::Exited));
        assert_eq!(monitor.look(at(999)), None);
    }

    #[test]
    fn bg_b16_what_does_not_pass_is_dead_and_its_failure_says_why() {
        let mut monitor = active();
        let words = "API Error: 401 Unauthorized";
        assert_eq!(monitor.says(&error(words), at(1)), Some(Health::Dead));
        assert_eq!(monitor.detail(at(1)), "it told of an error");
        assert_eq!(Failure::in_words(words), Some(Failure::Auth));
        assert_eq!(monitor.says(&Says::Something, at(2)), None, "it does not pass");
        assert_eq!(monitor.begins(at(3)), Some(Health::Healthy), "but with its turn");
    }

    #[test]
    fn bg_b17_lines_are_weighed() {
        assert_eq!(weigh(&Says::RateLimit), (false, Some(Trouble::Passing)));
        assert_eq!(weigh(&error("403 Forbidden")), (true, Some(Trouble::Fatal)));
        assert_eq!(weigh(&error("529 Overloaded")), (true, Some(Trouble::Passing)));
        assert_eq!(weigh(&error("something odd")), (true, Some(Trouble::Fatal)));
        assert_eq!(weigh(&Says::Result), (true, None));
        assert_eq!(weigh(&Says::Something), (true, None));
    }

    #[test]
    fn silence_stalls_and_a_word_wakes() {
        let mut monitor = active();
        assert_eq!(monitor.look(at(30)), None);
        assert_eq!(monitor.look(at(31)), Some(Health::Stalled));
        assert_eq!(monitor.detail(at(31)), "it has said nothing for 31 s");
        assert_eq!(monitor.look(at(121)), Some(Health::Dead));
        assert_eq!(monitor.says(&Says::RateLimit, at(122)), None, "that is no progress");
        assert_eq!(monitor.says(&Says::Something, at(123)), Some(Health::Healthy));
    }

    #[test]
    fn trouble_that_passes_degrades_when_there_is_much_of_it() {
        let mut monitor = active();
        for second in 1..=4 {
            assert_eq!(monitor.says(&error("overloaded"), at(second)), None);
        }
        assert_eq!(monitor.says(&error("overloaded"), at(5)), Some(Health::Degraded));
        for _ in 0..10_000 {
            assert_eq!(monitor.says(&error("overloaded"), at(6)), None);
        }
        assert!(monitor.troubles.len() <= 6, "a flood of trouble is not remembered");
        assert_eq!(monitor.says(&Says::Something, at(307)), Some(Health::Healthy));
    }

    #[test]
    fn bg_b19_making_room_may_take_long() {
        let mut monitor = active();
        assert_eq!(monitor.says(&Says::Compacting, at(10)), None);
        assert_eq!(monitor.look(at(242)), None, "so long it took once");
        assert_eq!(monitor.look(at(610)), None);
        assert_eq!(monitor.look(at(611)), Some(Health::Dead));
        let mut monitor = active();
        monitor.says(&Says::Compacting, at(10));
        assert_eq!(monitor.says(&Says::Compacted, at(200)), Some(Health::Dead), "no fresh grace");
        assert_eq!(monitor.says(&Says::Something, at(201)), Some(Health::Healthy));
        assert_eq!(monitor.look(at(322)), Some(Health::Dead));
    }

    fn step(monitor: &mut Monitor, input: u8, now: Millis) -> Option<Health> {
        match input {
            0 => monitor.begins(now),
            1 => monitor.ends(true, now),
            2 => monitor.ends(false, now),
            3 => monitor.says(&Says::Something, now),
            4 => monitor.says(&error("401"), now),
            5 => monitor.says(&error("overloaded"), now),
            6 => monitor.says(&Says::Compacting, now),
            7 => monitor.says(&Says::Compacted, now),
            _ => monitor.look(now),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// What was told last is what is so, and nothing is told twice.
        #[test]
        fn bg_b18_what_was_told_last_is_what_holds(
            inputs in proptest::collection::vec((0u8..9, 0u64..200), 0..60)
        ) {
            let mut monitor = Monitor::new(Thresholds::default());
            let (mut now, mut last) = (0, Health::Idle);
            for (input, pause) in inputs {
                now += pause;
                if let Some(told) = step(&mut monitor, input, at(now)) {
                    prop_assert_ne!(told, last);
                    last = told;
                }
                prop_assert_eq!(last, monitor.told);
                prop_assert_eq!(last, monitor.judge(at(now)));
            }
        }
    }
}
