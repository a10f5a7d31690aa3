//! The life of one service: start, ready, end, pause, start again, until somebody says stop.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::launcher::supervised::Members;
use crate::limits::{
    SERVICE_BYTES_AT_ONCE, SERVICE_RAN_WELL, SERVICE_TAIL_CHARS, SERVICE_TAIL_LINES,
};
use crate::saga::record::Service;
use crate::targets::process::{Child, Exit, Lines, Signal, group_of};

use super::start::{ended, start};
use super::{Declared, Place, Ready, Restart};

/// How far a service has come, for those that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not ready, and may become so.
    Coming,
    /// Ready once.
    Up,
    /// Over without ever having been ready.
    GivenUp,
}

/// How long what it wrote last is waited for when its group is gone.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The time in which a service is read no further than [`SERVICE_BYTES_AT_ONCE`].
const AT_ONCE: Duration = Duration::from_millis(100);
/// Between two tries to connect.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// How one run ended.
struct Ended {
    exit: Exit,
    /// Why it was ended, where it was.
    by: Option<&'static str>,
    was_ready: bool,
    ran_for: Duration,
    tail: Vec<String>,
}

/// One service.
pub struct Life {
    /// What it is.
    pub declared: Declared,
    /// Where it lives.
    pub place: Place,
    /// True when it is to end.
    pub stop: watch::Receiver<bool>,
    /// How far it has come.
    pub state: watch::Sender<State>,
    /// Ends in a row that were no good.
    ends: u32,
}

impl Life {
    /// A service that was not started yet.
    pub fn new(
        declared: Declared,
        place: Place,
        stop: watch::Receiver<bool>,
        state: watch::Sender<State>,
    ) -> Life {
        Life { declared, place, stop, state, ends: 0 }
    }

    /// All of it; returns when none of it runs and none will.
    pub async fn live(mut self) {
        let mut count = 0;
        while !*self.stop.borrow() {
            count += 1;
            let again = match start(&self.declared, &self.place, count).await {
                Ok(child) => {
                    let ended = self.run(child).await;
                    self.again_after(&ended)
                }
                Err(error) => {
                    self.ends = self.ends.saturating_add(1);
                    self.note_failure(&error.to_string(), &[]);
                    self.declared.restart != Restart::Never
                }
            };
            if !again {
                break;
            }
            let pause = Duration::from_millis(self.declared.backoff.after(self.ends).0);
            let mut stop = self.stop.clone();
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
        self.state.send_if_modified(|state| {
            let coming = *state == State::Coming;
            if coming {
                *state = State::GivenUp;
            }
            coming
        });
    }

    /// One run from its gate to the end of its group.
    async fn run(&mut self, mut child: Child) -> Ended {
        let began = Instant::now();
        let pid = u64::from(child.id().pid);
        let (found, mut seen) = mpsc::channel(1);
        let hears = match &self.declared.ready {
            Ready::Line(text) => Some((text.clone(), found)),
            Ready::Register(_) | Ready::Connect(_) | Ready::Started => None,
        };
        let reader = tokio::spawn(self.listen(&mut child, hears));
        let mut stop = self.stop.clone();
        let patience = Duration::from_millis(self.declared.ready_timeout.0);
        let ready = timeout(patience, self.becomes_ready(pid, &mut seen));
        let (mut was_ready, mut by) = (false, None);
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => by = Some("stop"),
            _ = child.wait() => {}
            ready = ready => match ready {
                Ok(()) => was_ready = true,
                Err(_) => by = Some("not_ready"),
            },
        }
        if was_ready {
            self.is_up(pid);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => by = Some("stop"),
                _ = child.wait() => {}
            }
        }
        let ran_for = began.elapsed();
        let grace = Duration::from_millis(self.declared.grace.0);
        let exit = child.end_with(self.declared.asks, grace).await;
        let tail = last_words(reader).await;
        let finished_first = self.is_finished(exit, by);
        if finished_first {
            self.is_up(pid);
        }
        ended(&self.place, pid, self.service(exit, by)).await;
        Ended { exit, by, was_ready: was_ready || finished_first, ran_for, tail }
    }

    /// A preparation that is over: it did what it had to, and is not started again for that.
    fn is_finished(&self, exit: Exit, by: Option<&str>) -> bool {
        by.is_none() && exit.code == Some(0) && self.declared.restart != Restart::Always
    }

    fn is_up(&self, pid: u64) {
        if *self.state.borrow() != State::Up {
            tracing::info!(service = %self.declared.name, pid, "ready");
            self.state.send_replace(State::Up);
        }
    }

    fn service(&self, exit: Exit, by: Option<&str>) -> Service {
        let by = match (by, exit.signal) {
            (Some(by), _) => Some(by.to_owned()),
            (None, Some(signal)) => Some(match Signal::try_from(signal) {
                Ok(signal) => signal.as_str().to_owned(),
                Err(_) => signal.to_string(),
            }),
            (None, None) => None,
        };
        let killed_by = by.map(Arc::from);
        Service { name: self.declared.name.clone(), exit_code: exit.code, killed_by }
    }

    /// Whether it is started again.
    fn again_after(&mut self, ended: &Ended) -> bool {
        let failed = ended.by == Some("not_ready") || ended.exit.code != Some(0);
        if ended.by == Some("stop") {
            return false;
        }
        if ended.was_ready && ended.ran_for >= Duration::from_millis(SERVICE_RAN_WELL.0) {
            self.ends = 0;
        }
        self.ends = self.ends.saturating_add(1);
        if failed {
            let why = match ended.by {
                Some(_) => format!("it was not ready within {}", self.declared.ready_timeout),
                None => format!("it ended: {}", ended.exit),
            };
            self.note_failure(&why, &ended.tail);
        }
        match self.declared.restart {
            Restart::Always => true,
            Restart::OnFailure => failed,
            Restart::Never => false,
        }
    }

    /// Says what went wrong: the first times, then ever more seldom, for one that fails for ever
    /// would fill a disk with it.
    fn note_failure(&self, why: &str, tail: &[String]) {
        if !self.ends.is_power_of_two() {
            return;
        }
        let what_next = match self.declared.restart {
            Restart::Never => "it is not started again".to_owned(),
            Restart::Always | Restart::OnFailure => {
                format!("it is started again in {}", self.declared.backoff.after(self.ends))
            }
        };
        let (name, ends) = (&self.declared.name, self.ends);
        let said = tail.join("\n    ");
        let said = if said.is_empty() { said } else { format!("\n    {said}") };
        tracing::warn!(service = %name, failures = ends, "{why}; {what_next}{said}");
    }

    async fn becomes_ready(&self, pid: u64, seen: &mut mpsc::Receiver<()>) {
        match &self.declared.ready {
            Ready::Register(kind) => registers(kind, pid, self.place.members.clone()).await,
            Ready::Connect(path) => {
                let cwd = self.declared.cwd.as_deref().unwrap_or(Path::new(""));
                connects(&cwd.join(path)).await;
            }
            Ready::Line(_) => {
                if seen.recv().await.is_none() {
                    // It writes nothing more, and its end is seen elsewhere.
                    std::future::pending::<()>().await;
                }
            }
            Ready::Started => {}
        }
    }

    /// Keeps what it writes; its last lines are what this returns.
    fn listen(
        &self,
        child: &mut Child,
        hears: Option<(String, mpsc::Sender<()>)>,
    ) -> impl Future<Output = Vec<String>> + use<> {
        let (stdout, stderr) = (child.stdout().map(Lines::new), child.stderr().map(Lines::new));
        let (journal, name) = (self.place.journal.clone(), self.declared.name.clone());
        let pid = child.id().pid;
        async move {
            let (mut stdout, mut stderr) = (stdout, stderr);
            let (mut tail, mut lost) = (VecDeque::new(), 0_u64);
            journal.write(&name, format!("== {name} begins as process {pid}"));
            let mut pace = Pace { since: Instant::now(), bytes: 0 };
            while stdout.is_some() || stderr.is_some() {
                let line = tokio::select! {
                    line = next(&mut stdout) => line,
                    line = next(&mut stderr) => line,
                };
                let Some(line) = line else { continue };
                pace.keep(line.len()).await;
                if let Some((text, found)) = &hears
                    && line.contains(text.as_str())
                {
                    found.try_send(()).ok();
                }
                if tail.len() == SERVICE_TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(line.chars().take(SERVICE_TAIL_CHARS).collect::<String>());
                if lost > 0 && journal.write(&name, format!("== {lost} lines were left out")) {
                    lost = 0;
                }
                lost += u64::from(!journal.write(&name, line));
            }
            tail.into()
        }
    }
}

/// How fast a service is read: one that floods waits itself, and nobody else does.
struct Pace {
    since: Instant,
    bytes: usize,
}

impl Pace {
    async fn keep(&mut self, bytes: usize) {
        self.bytes += bytes + 1;
        if self.bytes < SERVICE_BYTES_AT_ONCE {
            return;
        }
        sleep_until(self.since + AT_ONCE).await;
        *self = Pace { since: Instant::now(), bytes: 0 };
    }
}

/// The next line; its stream is dropped at its end.
async fn next<R: tokio::io::AsyncRead + Unpin>(lines: &mut Option<Lines<R>>) -> Option<String> {
    let Some(open) = lines else { return std::future::pending().await };
    match open.next().await {
        Ok(Some(line)) => Some(line.text),
        Ok(None) | Err(_) => {
            *lines = None;
            None
        }
    }
}

/// Its group is gone; only what left the group can still hold its pipes.
async fn last_words(reader: JoinHandle<Vec<String>>) -> Vec<String> {
    let abort = reader.abort_handle();
    let words = timeout(LAST_WORDS, reader).await;
    abort.abort();
    words.ok().and_then(Result::ok).unwrap_or_default()
}

async fn registers(kind: &str, pid: u64, mut members: watch::Receiver<Members>) {
    let is_its = |member: &u64| {
        *member == pid
            || u32::try_from(*member)
                .is_ok_and(|member| group_of(member).is_some_and(|group| u64::from(group) == pid))
    };
    let here = |members: &Members| {
        members.iter().any(|(other, member)| **other == *kind && is_its(member))
    };
    if members.wait_for(here).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn connects(path: &Path) {
    while UnixStream::connect(path).await.is_err() {
        sleep(TRY_EVERY).await;
    }
}
