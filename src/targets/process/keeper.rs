//! The keeper: a small process that outlives a launcher that was killed, ends what that left, and
//! goes. It holds no decisions: it is told each group, and told again when the group is over.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::SigSet;
use tokio::sync::mpsc::WeakSender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::child::Waiter;
use super::groups;
use super::shim::KEEP_CHILDREN;
use super::spawner::Job;
use super::system;
use super::{LOOK_EVERY, ProcessId, Signal};

/// What a lost group gets between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);
/// Pause before a keeper that ended is started again.
const AGAIN: Duration = Duration::from_secs(1);

/// The launcher's side.
#[derive(Debug)]
pub(super) struct Keeper {
    binary: PathBuf,
    jobs: WeakSender<Job>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The keeper that runs.
    keeping: Option<Keeping>,
    /// Keepers that were started.
    started: u64,
    /// What it was told, and a next one must be told, by group.
    kept: BTreeMap<u32, String>,
}

#[derive(Debug)]
struct Keeping {
    /// Which of those that were started.
    number: u64,
    /// Its process, which is not reaped before this is forgotten.
    pid: u32,
    line: ChildStdin,
}

impl Keeper {
    /// One that is started with the first child.
    pub fn new(binary: PathBuf, jobs: WeakSender<Job>) -> Arc<Keeper> {
        Arc::new(Keeper { binary, jobs, state: Mutex::default() })
    }

    /// Tells it of a group. On the thread that starts processes.
    pub fn keep(self: &Arc<Keeper>, id: &ProcessId, mark: &str) {
        let mut state = self.state();
        let line = format!("+{} {} {mark}\n", id.pid, id.start);
        let told = state.tell(&line);
        state.kept.insert(id.pid, line);
        if !told {
            self.start_in(&mut state);
        }
    }

    /// Tells it that a group is over, before its number can be another's.
    pub fn forget(&self, group: u32) {
        let mut state = self.state();
        if state.kept.remove(&group).is_some() {
            // One that cannot be told has ended, and the next one is told what is kept.
            state.tell(&format!("-{group}\n"));
        }
    }

    /// Starts another one, where one is needed. On the thread that starts processes.
    pub fn start_again(self: &Arc<Keeper>) {
        let mut state = self.state();
        if state.keeping.is_none() && !state.kept.is_empty() {
            self.start_in(&mut state);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_in(self: &Arc<Keeper>, state: &mut State) {
        if let Err(error) = self.try_start(state) {
            tracing::warn!(%error, "no keeper could be started: if the launcher is killed, what \
                                    its processes started may stay");
        }
    }

    fn try_start(self: &Arc<Keeper>, state: &mut State) -> io::Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg0("sagaflow").arg(KEEP_CHILDREN).process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let line = child.stdin.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        // One that does not read is no keeper: better to know it than to wait for it.
        let flags = OFlag::from_bits_retain(fcntl(&line, FcntlArg::F_GETFL)?);
        fcntl(&line, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        state.started += 1;
        state.keeping = Some(Keeping { number: state.started, pid: child.id(), line });
        self.clone().watch(child, state.started);
        let all: String = state.kept.values().map(String::as_str).collect();
        if state.tell(&all) { Ok(()) } else { Err(io::Error::from(io::ErrorKind::BrokenPipe)) }
    }

    /// Has another one started when this one ends.
    fn watch(self: Arc<Keeper>, child: std::process::Child, number: u64) {
        let mut waiter = Waiter::new(child);
        // It is dropped with the runtime, when the launcher ends.
        tokio::spawn(async move {
            let exit = waiter.wait().await;
            self.ended(number);
            waiter.reap();
            if self.jobs.upgrade().is_none() {
                return;
            }
            tracing::warn!(%exit, "the keeper of processes ended; another one is started");
            sleep(AGAIN).await;
            if let Some(jobs) = self.jobs.upgrade() {
                jobs.send(Job::Keep).await.ok();
            }
        });
    }
}

impl Keeper {
    fn ended(&self, number: u64) {
        let mut state = self.state();
        if state.keeping.as_ref().is_some_and(|keeping| keeping.number == number) {
            state.keeping = None;
        }
    }
}

impl State {
    fn tell(&mut self, text: &str) -> bool {
        let Some(keeping) = &mut self.keeping else { return false };
        if keeping.line.write_all(text.as_bytes()).is_ok() {
            return true;
        }
        // It took half of it, or none. Its pipe must not close while it lives: it would take that
        // for the launcher's end, and end everything.
        groups::signal(keeping.pid, Signal::SIGKILL);
        self.keeping = None;
        false
    }
}

/// The keeper's own life: hears of groups until its launcher ends, then ends theirs.
pub(super) fn keep() -> ExitCode {
    // Whoever ends the launcher by its terminal or its group does not mean us: we come after it.
    SigSet::all().thread_block().ok();
    name_yourself();
    let kept = hear(BufReader::new(io::stdin()));
    if kept.is_empty() {
        return ExitCode::SUCCESS;
    }
    let since = system::uptime();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        let mut ends: JoinSet<()> = JoinSet::new();
        for (group, told) in kept {
            ends.spawn(end(group, told, since));
        }
        ends.join_all().await;
    });
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
fn name_yourself() {
    nix::sys::prctl::set_name(c"sagaflow-keeper").ok();
}

#[cfg(not(target_os = "linux"))]
fn name_yourself() {}

/// Start and mark of each group that is still to be kept when the launcher's end of the pipe
/// closes.
fn hear(lines: impl io::BufRead) -> BTreeMap<u32, (String, String)> {
    let mut kept = BTreeMap::new();
    for line in lines.lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let Some(first) = words.next().filter(|first| first.is_ascii()) else { continue };
        let Some((sign, number)) = first.split_at_checked(1) else { continue };
        let Ok(group) = number.parse::<u32>() else { continue };
        match (sign, words.next(), words.next()) {
            ("+", Some(start), Some(mark)) => {
                kept.insert(group, (start.to_owned(), mark.to_owned()));
            }
            ("-", None, None) => drop(kept.remove(&group)),
            // Half of a line: the launcher was killed while it wrote.
            _ => {}
        }
    }
    kept
}

/// Ends a group of a launcher that ended at `since`.
async fn end(group: u32, (start, mark): (String, String), since: u64) {
    // The launcher had not reaped its leader, so until it ended the group's number was nobody
    // else's: who is in it and is older than that is ours, whatever its environment says now.
    let is_ours = || {
        let members = groups::living(group);
        let older = members.iter().any(|member| member.start <= since);
        let id = start.parse().map(|start| ProcessId { pid: group, start });
        older || id.is_ok_and(|id| groups::is_of(&id, &mark))
    };
    if !is_ours() {
        return;
    }
    groups::ask(group, Signal::SIGTERM);
    let over = async {
        while is_ours() {
            sleep(LOOK_EVERY).await;
        }
    };
    if timeout(GRACE, over).await.is_ok() {
        return;
    }
    while is_ours() && groups::signal(group, Signal::SIGKILL) {
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_not_kept() {
        let told = "+7 0011aabb-1 a\n+8 0011aabb-2 b\n-7\nnonsense\n\n+x y z\n+9 0011aabb-3 c\n+8";
        let kept = hear(told.as_bytes());
        assert_eq!(kept.keys().copied().collect::<Vec<u32>>(), [8, 9]);
        assert_eq!(kept[&8], ("0011aabb-2".to_owned(), "b".to_owned()));
    }
}
