//! Which process is meant: its number and when it began. The number alone is used again.

use std::fmt;
use std::str::FromStr;

use super::system;

/// When a process began, as text: `BOOT-TICKS`, the run of the system and the ticks since then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessStart(String);

/// One process, and never another one that got its number later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it began.
    pub start: ProcessStart,
}

impl ProcessId {
    /// The process that has that number now; nothing: none has, or it has ended.
    #[must_use]
    pub fn of(pid: u32) -> Option<ProcessId> {
        let stat = system::stat(pid).filter(|stat| stat.runs)?;
        Some(ProcessId { pid, start: ProcessStart::at(stat.start) })
    }

    /// The process that has that number, even where it has ended and nobody asked how.
    pub(super) fn of_child(pid: u32) -> Option<ProcessId> {
        let stat = system::stat(pid)?;
        Some(ProcessId { pid, start: ProcessStart::at(stat.start) })
    }

    /// Whether this very process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        ProcessId::of(self.pid).is_some_and(|now| now.start == self.start)
    }
}

impl ProcessStart {
    fn at(ticks: u64) -> ProcessStart {
        ProcessStart(format!("{}-{ticks}", system::boot()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pid, self.start)
    }
}

/// A text that is no start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a process's start is `BOOT-TICKS`: eight hex digits, a hyphen and a number")]
pub struct BadStart;

impl FromStr for ProcessStart {
    type Err = BadStart;

    fn from_str(text: &str) -> Result<ProcessStart, BadStart> {
        let (boot, ticks) = text.split_once('-').ok_or(BadStart)?;
        let boot_fits = boot.len() == 8 && boot.bytes().all(|byte| byte.is_ascii_hexdigit());
        let ticks_fit = ticks.bytes().all(|byte| byte.is_ascii_digit());
        if boot_fits && ticks_fit && ticks.parse::<u64>().is_ok() {
            Ok(ProcessStart(text.to_owned()))
        } else {
            Err(BadStart)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_used_again_is_another_process() {
        let own = ProcessId::of(std::process::id()).expect("it runs");
        assert!(own.is_alive());
        let ticks: u64 = own.start.as_str()[9..].parse().expect("a number");
        let boot = &own.start.as_str()[..8];
        for other in [format!("{boot}-{}", ticks + 1), format!("00000000-{ticks}")] {
            let start = other.parse().expect("a start");
            assert!(!ProcessId { pid: own.pid, start }.is_alive(), "{other}");
        }
    }

    #[test]
    fn only_a_start_is_read_as_one() {
        let good = "0011aaFF-123";
        assert_eq!(good.parse::<ProcessStart>().map(|start| start.to_string()), Ok(good.into()));
        for bad in ["", "-", "0011aaff", "0011aaff-", "0011aaf-1", "0011aaff-1x", "0011aagg-1"] {
            assert_eq!(bad.parse::<ProcessStart>(), Err(BadStart), "{bad}");
        }
    }
}
