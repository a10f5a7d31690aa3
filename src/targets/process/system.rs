//! What the system tells of processes: one file alone reads `/proc`. Where there is none, it knows
//! only whether a process number is taken.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process as the system shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Its number.
    pub pid: u32,
    /// Whether it still runs: a zombie does not.
    pub runs: bool,
    /// The group that it belongs to.
    pub group: u32,
    /// When it began, in ticks since the system did.
    pub start: u64,
}

/// A handle that becomes readable when the process ends; nothing: the system has none. In a
/// runtime.
#[expect(
    deprecated,
    reason = "what took its place needs unsafe code, for kinds of handles that could be closed \
              behind its back; an `OwnedFd` cannot"
)]
pub(super) fn watch(pid: u32) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(linux::pidfd(pid).ok()?, Interest::READABLE).ok()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{OwnedFd, Stat, io};

    use std::fs;

    pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
        let flags = rustix::process::PidfdFlags::NONBLOCK;
        let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let pid = raw.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(rustix::process::pidfd_open(pid, flags)?)
    }

    /// The process of that number.
    pub fn stat(pid: u32) -> Option<Stat> {
        parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name of the program stands in brackets and may hold anything, brackets too: what counts
    /// begins behind the last one.
    pub fn parse(pid: u32, text: &[u8]) -> Option<Stat> {
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // Fields 3 (state), 5 (group) and 22 (start), counted from one.
        let runs = !matches!(fields.next()?, "Z" | "X" | "x");
        let group = fields.nth(1)?.parse().ok()?;
        let start = fields.nth(16)?.parse().ok()?;
        Some(Stat { pid, runs, group, start })
    }

    /// All processes.
    pub fn all() -> Vec<Stat> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| stat(name.parse().ok()?)).collect()
    }

    /// Whether that variable has that value in the process's first environment.
    pub fn carries(pid: u32, name: &str, value: &str) -> bool {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        let wanted = format!("{name}={value}");
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    }

    /// A word for this run of the system.
    pub fn boot() -> String {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        text.chars().filter(char::is_ascii_hexdigit).take(8).collect()
    }

    /// Ticks since the system began; a tick is a hundredth of a second on every Linux.
    pub fn uptime() -> u64 {
        let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds = text.split_ascii_whitespace().next().unwrap_or_default();
        let (whole, hundredths) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let whole: u64 = whole.parse().unwrap_or_default();
        whole * 100 + hundredths.parse::<u64>().unwrap_or_default()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_program_s_name_may_hold_blanks_and_brackets() {
            let fields = "S 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 990011 1 2";
            for name in ["sh", "a b", ") Z 1 2", "(((", "x) S"] {
                let text = format!("42 ({name}) {fields}");
                let stat = Stat { pid: 42, runs: true, group: 77, start: 990_011 };
                assert_eq!(parse(42, text.as_bytes()), Some(stat), "{name}");
            }
            let dead = format!("42 (sh) {}", fields.replacen('S', "Z", 1));
            assert_eq!(parse(42, dead.as_bytes()).map(|stat| stat.runs), Some(false));
            assert_eq!(parse(42, b"42 (sh"), None);
            assert_eq!(parse(42, b"42 (sh) S 1"), None);
        }

        #[test]
        fn this_process_is_there() {
            let own = stat(std::process::id()).expect("it runs");
            assert!(own.runs && own.start <= uptime());
            assert!(all().contains(&own));
            assert_eq!(boot().len(), 8);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use super::{OwnedFd, Stat, io};

    use nix::sys::signal::kill;
    use nix::unistd::{Pid, getpgid};

    pub fn pidfd(_pid: u32) -> io::Result<OwnedFd> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub fn stat(pid: u32) -> Option<Stat> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?);
        let runs = !matches!(kill(raw, None), Err(nix::errno::Errno::ESRCH));
        let group = getpgid(Some(raw)).ok()?;
        let group = u32::try_from(group.as_raw()).ok()?;
        runs.then_some(Stat { pid, runs, group, start: 0 })
    }

    pub fn all() -> Vec<Stat> {
        Vec::new()
    }

    pub fn carries(_pid: u32, _name: &str, _value: &str) -> bool {
        false
    }

    pub fn boot() -> String {
        "00000000".to_owned()
    }

    pub fn uptime() -> u64 {
        0
    }
}

pub(super) use linux::{all, boot, carries, stat, uptime};
