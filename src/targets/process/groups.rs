//! Process groups: who is in one, whose it is, and signals to all of it. Waits for nothing.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::system::{self, Stat};
use super::{MARK, ProcessId};

/// The members of a group that still run.
pub(super) fn living(group: u32) -> Vec<Stat> {
    let there = system::all().into_iter();
    there.filter(|stat| stat.group == group && stat.runs).collect()
}

/// Whether a group has members that still run.
pub(super) fn is_empty(group: u32) -> bool {
    // Sooner asked than all processes are read; but zombies count as members.
    is_unknown(group) || cfg!(target_os = "linux") && living(group).is_empty()
}

/// Whether no process at all is in that group.
fn is_unknown(group: u32) -> bool {
    raw(group).is_none_or(|group| killpg(group, None) == Err(Errno::ESRCH))
}

/// Signals all of a group; its leader where that left its own group. Returns whether anybody could
/// be signalled.
pub(super) fn signal(group: u32, signal: Signal) -> bool {
    let Some(group) = raw(group) else { return false };
    match killpg(group, signal) {
        Err(Errno::ESRCH) => kill(group, signal).is_ok(),
        other => other.is_ok(),
    }
}

/// Asks a group to end: members that were stopped could not hear it.
pub(super) fn ask(group: u32, asked: Signal) {
    signal(group, asked);
    signal(group, Signal::SIGCONT);
}

/// Whether the group of that number is still that process's own: its leader is there, or a member
/// carries the mark.
pub(super) fn is_of(id: &ProcessId, mark: &str) -> bool {
    id.is_alive() || living(id.pid).iter().any(|member| system::carries(member.pid, MARK, mark))
}

/// The processes that carry a mark, in any group.
#[must_use]
pub fn members_with(mark: &str) -> Vec<u32> {
    let runs = system::all().into_iter().filter(|stat| stat.runs);
    runs.map(|stat| stat.pid).filter(|pid| system::carries(*pid, MARK, mark)).collect()
}

/// Zero and one would be everybody's group and the system's first process.
fn raw(group: u32) -> Option<Pid> {
    i32::try_from(group).ok().filter(|group| *group > 1).map(Pid::from_raw)
}

/// The group of a process that runs.
#[must_use]
pub fn group_of(pid: u32) -> Option<u32> {
    system::stat(pid).filter(|stat| stat.runs).map(|stat| stat.group)
}
