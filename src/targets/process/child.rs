//! One child: its gate, its pipes, its end. What it is for is its owner's affair.

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child as StdChild, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::groups;
use super::shim::{GO, READY};
use super::system;
use super::{LOOK_EVERY, ProcessId, Processes, Signal, SpawnError};

/// How a process ended. Neither: the system does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, where it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |signal| Signal::try_from(signal).map_or("a signal", Signal::as_str);
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "ended by {}", name(signal)),
            (None, None) => f.write_str("ended, nobody knows how"),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        Exit { code: status.code(), signal: status.signal() }
    }
}

/// A child that was started. Dropped before its end, it is killed with all of its group, where it
/// dies with its launcher, and else let go.
#[derive(Debug)]
pub struct Child {
    id: ProcessId,
    program: String,
    dies_with_launcher: bool,
    /// Nothing once it is over.
    waiter: Option<Waiter>,
    exit: Option<Exit>,
    gate: Option<Gate>,
    stdin: Option<ChildStdin>,
    writer: Option<AbortHandle>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// Keeps the thread that started it: its end would be the child's.
    home: Processes,
}

/// The two ends that a closed gate has.
#[derive(Debug)]
pub(super) struct Gate {
    /// Where the word is said; afterwards the program's input.
    pub stdin: ChildStdin,
    /// Where the shim tells why its program did not begin.
    pub status: pipe::Receiver,
    /// The end that the shim opens by its name. Closed once it did.
    pub held: Option<OwnedFd>,
}

/// What a child is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// Which process.
    pub id: ProcessId,
    /// The program as it was named.
    pub program: String,
    /// See [`super::Spec`].
    pub dies_with_launcher: bool,
    /// What waits for its end.
    pub waiter: Waiter,
    /// Its gate, closed.
    pub gate: Gate,
    /// What it writes, where it is ours.
    pub stdout: Option<ChildStdout>,
    /// What it complains, where it is ours.
    pub stderr: Option<ChildStderr>,
}

impl Child {
    pub(super) fn new(parts: Parts, home: Processes) -> Child {
        Child {
            id: parts.id,
            program: parts.program,
            dies_with_launcher: parts.dies_with_launcher,
            waiter: Some(parts.waiter),
            exit: None,
            gate: Some(parts.gate),
            stdin: None,
            writer: None,
            stdout: parts.stdout,
            stderr: parts.stderr,
            home,
        }
    }

    /// Which process it is; also the number of its group.
    #[must_use]
    pub fn id(&self) -> &ProcessId {
        &self.id
    }

    /// Lets it begin, and returns when its program runs. Its number must be durable before.
    ///
    /// # Errors
    /// Its program did not begin; nothing of it is left then.
    pub async fn open_gate(&mut self) -> Result<(), SpawnError> {
        let Some(mut gate) = self.gate.take() else { return Ok(()) };
        match self.pass(&mut gate).await {
            Ok(()) => {
                self.stdin = Some(gate.stdin);
                Ok(())
            }
            Err(error) => {
                drop(gate);
                self.end(Duration::ZERO).await;
                Err(error)
            }
        }
    }

    async fn pass(&mut self, gate: &mut Gate) -> Result<(), SpawnError> {
        if gate.stdin.write_all(GO).await.is_err() {
            return Err(SpawnError::Lost(self.wait().await));
        }
        if !cfg!(target_os = "linux") {
            return Ok(());
        }
        let mut told = Vec::new();
        let mut part = [0; 512];
        loop {
            let read = tokio::select! {
                biased;
                read = gate.status.read(&mut part) => read.map_err(SpawnError::System)?,
                exit = self.wait(), if gate.held.is_some() => return Err(SpawnError::Lost(exit)),
            };
            told.extend_from_slice(&part[..read]);
            // The shim has its own end now; when that closes, the program has begun.
            gate.held = None;
            if read > 0 {
                continue;
            }
            return match told.strip_prefix(&[READY]) {
                Some([]) => Ok(()),
                Some(words) => {
                    let words = String::from_utf8_lossy(words).into_owned();
                    Err(SpawnError::Exec { program: self.program.clone(), words })
                }
                None => Err(SpawnError::Lost(self.wait().await)),
            };
        }
    }

    /// Gives it all of its input and closes that. Returns at once: a child that does not read
    /// makes nobody wait. Does nothing the second time, and before the gate is open.
    pub fn write_stdin(&mut self, bytes: Vec<u8>) {
        let Some(mut stdin) = self.stdin.take() else { return };
        let write = async move {
            // Whoever does not want its input is no fault of ours.
            stdin.write_all(&bytes).await.ok();
            stdin.shutdown().await.ok();
        };
        self.writer = Some(self.home.runtime().spawn(write).abort_handle());
    }

    /// What it writes, the first time.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// What it complains, the first time.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.stderr.take()
    }

    /// Waits for its own end; others of its group may still run. Giving up waiting loses nothing.
    pub async fn wait(&mut self) -> Exit {
        let exit = match (&mut self.waiter, self.exit) {
            (_, Some(exit)) => exit,
            (Some(waiter), None) => waiter.wait().await,
            (None, None) => Exit { code: None, signal: None },
        };
        self.exit = Some(exit);
        exit
    }

    /// Sends a signal to all of its group.
    pub fn signal(&self, signal: Signal) {
        // After it is over its number may be somebody else's.
        if self.waiter.is_some() {
            groups::signal(self.id.pid, signal);
        }
    }

    /// Ends it with all of its group: TERM, `grace`, KILL. Returns when none of it runs; how it
    /// ended.
    pub async fn end(&mut self, grace: Duration) -> Exit {
        self.end_with(Signal::SIGTERM, grace).await
    }

    /// Ends what is left of its group when it has ended by itself; it too if it has not.
    pub async fn kill_leftovers(&mut self) -> Exit {
        self.end(Duration::ZERO).await
    }

    /// As [`Child::end`], asking by another signal first.
    pub async fn end_with(&mut self, asked: Signal, grace: Duration) -> Exit {
        let group = self.id.pid;
        if self.waiter.is_some() && !grace.is_zero() && asked != Signal::SIGKILL {
            groups::ask(group, asked);
            let quiet = async {
                self.wait().await;
                // What it still started while it was asked has not heard of it.
                groups::ask(group, asked);
                until_empty(group).await;
            };
            timeout(grace, quiet).await.ok();
        }
        if self.waiter.is_some() {
            groups::signal(group, Signal::SIGKILL);
        }
        let exit = self.wait().await;
        if let Some(waiter) = &mut self.waiter {
            finish(group, waiter, &self.home).await;
        }
        self.waiter = None;
        self.gate = None;
        if let Some(writer) = self.writer.take() {
            writer.abort();
        }
        exit
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take().filter(|_| self.dies_with_launcher) {
            writer.abort();
        }
        self.gate = None;
        let Some(mut waiter) = self.waiter.take() else { return };
        let (group, home, dies) = (self.id.pid, self.home.clone(), self.dies_with_launcher);
        if dies {
            groups::signal(group, Signal::SIGKILL);
        }
        self.home.runtime().spawn(async move {
            waiter.wait().await;
            match dies {
                true => finish(group, &mut waiter, &home).await,
                false => waiter.reap(),
            }
        });
    }
}

/// Kills what is left of a group whose leader has ended. Its number is nobody else's before the
/// leader is reaped, so that comes last.
async fn finish(group: u32, waiter: &mut Waiter, home: &Processes) {
    // What may not be signalled cannot be waited for: it changed its user.
    while groups::signal(group, Signal::SIGKILL) && !is_empty(group).await {
        sleep(LOOK_EVERY).await;
    }
    home.keeper().forget(group);
    waiter.reap();
}

async fn until_empty(group: u32) {
    while !is_empty(group).await {
        sleep(LOOK_EVERY).await;
    }
}

/// Reading all processes takes longer than a task may.
async fn is_empty(group: u32) -> bool {
    let looked = tokio::task::spawn_blocking(move || groups::is_empty(group));
    // It does not panic, and is not aborted while somebody waits for it.
    looked.await.unwrap_or(true)
}

/// Waits for a process's end without taking its number from it.
#[derive(Debug)]
pub(super) struct Waiter {
    child: StdChild,
    handle: Option<AsyncFd<OwnedFd>>,
}

impl Waiter {
    /// For a child of this process. In a runtime.
    pub fn new(child: StdChild) -> Waiter {
        let handle = system::watch(child.id());
        Waiter { child, handle }
    }

    /// Its exit, once it has one. Giving up waiting loses nothing.
    pub async fn wait(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.look() {
                return exit;
            }
            match &self.handle {
                Some(handle) => match handle.readable().await {
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => self.handle = None,
                },
                None => sleep(LOOK_EVERY).await,
            }
            if let Some(exit) = self.look() {
                return exit;
            }
        }
    }

    fn look(&self) -> Option<Exit> {
        let unknown = Exit { code: None, signal: None };
        let raw = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let Some(pid) = raw else { return Some(unknown) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) => {
                Some(Exit { code: status.exit_status(), signal: status.terminating_signal() })
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => None,
            // Somebody told the system that nobody wants to know.
            Err(_) => Some(unknown),
        }
    }

    /// Gives its number back to the system.
    pub fn reap(&mut self) {
        self.child.try_wait().ok();
    }
}
