//! The process of a pod, from its spawning to its end: one task each, which alone says what becomes
//! of it. Pods outlive their launcher; the next one finds them by number and start.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::{duration, probe};
use super::files::stderr_tail;
use super::render;
use crate::ipc::local::{Said, Speaker};
use crate::ipc::protocol::Echo;
use crate::limits::POD_TRY_EVERY;
use crate::targets::process::{Child, Exit, ProcessId, end_lost, gone};

/// Which pod a task is about.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub name: Arc<str>,
    pub generation: u64,
    pub socket: Arc<str>,
    /// By which its processes are known to be its.
    pub mark: String,
}

impl Pod {
    /// An event about it.
    pub fn said<const N: usize>(
        &self,
        event: &'static str,
        fields: [(&str, Value); N],
        echo: Option<Echo>,
    ) -> Said {
        let mut all = Map::new();
        all.insert("pod_name".into(), (*self.name).into());
        all.insert("generation".into(), self.generation.into());
        all.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Said { event, fields: all, echo }
    }

    pub fn start_failed(&self, reason: &str, stderr_tail: &str, echo: Echo) -> Said {
        let fields = [("reason", reason.into()), ("stderr_tail", stderr_tail.into())];
        self.said("pod_start_failed", fields, Some(echo))
    }

    pub fn ready(&self, pid: u32, echo: Echo) -> Said {
        self.said("pod_ready", [("socket", (*self.socket).into()), ("pid", pid.into())], Some(echo))
    }
}

/// The processes that are watched now, by their pods' names.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    pods: Arc<Mutex<BTreeMap<Arc<str>, Watched>>>,
}

/// One of them, for whoever wants its end.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub generation: u64,
    /// The command that starts it; nothing: one before this launcher did.
    pub command_id: Option<Arc<str>>,
    /// Whether its socket accepted, and that was said.
    ready: Arc<AtomicBool>,
    end: watch::Sender<Option<Duration>>,
    over: watch::Receiver<bool>,
}

impl Watched {
    /// Asks for its end, with that grace; asked before it was spawned it will be heard then.
    pub fn end(&self, grace: Duration) {
        self.end.send_replace(Some(grace));
    }

    /// Whether somebody asked for its end.
    pub fn is_asked(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// From now on its end is one that concerns others.
    pub fn is_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Returns when its process is gone and that was said.
    pub async fn over(&mut self) {
        // Its task ended without a word: the launcher ends.
        self.over.wait_for(|over| *over).await.ok();
    }
}

/// The right to be the process of a pod, for one task. Given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub pod: Pod,
    watching: Watching,
    ready: Arc<AtomicBool>,
    end: watch::Receiver<Option<Duration>>,
    over: watch::Sender<bool>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.watching.look().remove(&self.pod.name);
        self.over.send_replace(true);
    }
}

impl Watching {
    /// Who is watched under that name.
    pub fn find(&self, name: &str) -> Option<Watched> {
        self.look().get(name).cloned()
    }

    /// Takes the place of a pod whose process nobody watches.
    pub fn take(&self, pod: &Pod, command_id: Option<Arc<str>>, is_ready: bool) -> Option<Place> {
        let mut pods = self.look();
        if pods.contains_key(&pod.name) {
            return None;
        }
        let (end, asked) = watch::channel(None);
        let (told, over) = watch::channel(false);
        let ready = Arc::new(AtomicBool::new(is_ready));
        let (generation, is_ready) = (pod.generation, Arc::clone(&ready));
        let watched = Watched { generation, command_id, ready: is_ready, end, over };
        pods.insert(Arc::clone(&pod.name), watched);
        drop(pods);
        Some(Place { pod: pod.clone(), watching: self.clone(), ready, end: asked, over: told })
    }

    fn look(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Watched>> {
        // Nothing is done with it in hand that could panic halfway.
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether somebody asked for its end already.
    pub fn is_asked(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Returns when somebody asks for its end, with the grace.
    async fn asked(&mut self) -> Duration {
        loop {
            if let Some(grace) = *self.end.borrow_and_update() {
                return grace;
            }
            if self.end.changed().await.is_err() {
                // Nobody can ask any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// From an open gate to the end: waits until the socket accepts, says so, and then waits for
    /// the process.
    pub async fn live(mut self, mut child: Child, speaker: Speaker, echo: Echo, until: Instant) {
        let socket = self.pod.socket.clone();
        let failed = tokio::select! {
            biased;
            _ = self.asked() => Some("it was ended before its socket accepted".to_owned()),
            exit = child.wait() => Some(format!("it ended before its socket accepted: {exit}")),
            accepts = accepts(Path::new(&*socket), until) => accepts.err(),
        };
        if let Some(reason) = failed {
            child.end(Duration::ZERO).await;
            let tail = stderr_tail(&socket).await;
            speaker.say(vec![self.pod.start_failed(&reason, &tail, echo)]).await.ok();
            return;
        }
        let ready = self.pod.ready(child.id().pid, echo);
        if speaker.say(vec![ready]).await.is_err() {
            return;
        }
        let asked = tokio::select! {
            _ = child.wait() => None,
            grace = self.asked() => Some(grace),
        };
        let exit = child.end(asked.unwrap_or_default()).await;
        self.exited(&speaker, exit, asked.is_some().then_some("kill")).await;
    }

    /// The rest of a process that an earlier launcher started: how it ends is told to nobody but
    /// its parent, and that is gone. One that never came to listen ends without a word: it may not
    /// have begun, and whoever wants it started asks again.
    pub async fn live_on(mut self, process: ProcessId, speaker: Speaker) {
        let asked = tokio::select! {
            () = gone(&process) => None,
            grace = self.asked() => Some(grace),
        };
        end_lost(&process, &self.pod.mark, asked.unwrap_or_default()).await;
        if asked.is_none() && !self.ready.load(Ordering::Acquire) {
            return;
        }
        let exit = Exit { code: None, signal: None };
        let killed_by = if asked.is_some() { "kill" } else { "unknown" };
        self.exited(&speaker, exit, Some(killed_by)).await;
    }

    async fn exited(&self, speaker: &Speaker, exit: Exit, killed_by: Option<&str>) {
        let killed_by = killed_by.or(exit.signal.map(|_| "signal"));
        let tail = stderr_tail(&self.pod.socket).await;
        let text = render::exited(&self.pod.name, &exit.to_string());
        let code = exit.code.unwrap_or(-1);
        let mut said = self.pod.said(
            "pod_exited",
            [("exit_code", code.into()), ("stderr_tail", tail.into()), ("text", text.into())],
            None,
        );
        if let Some(killed_by) = killed_by {
            said.fields.insert("killed_by".into(), killed_by.into());
        }
        speaker.say(vec![said]).await.ok();
    }
}

/// Returns once a socket accepts; in words why it did not until then.
pub(super) async fn accepts(socket: &Path, until: Instant) -> Result<(), String> {
    let trying = async {
        while probe(socket).await.is_err() {
            sleep(duration(POD_TRY_EVERY)).await;
        }
    };
    let late = |_| format!("its socket {} did not accept in time", socket.display());
    timeout_at(until, trying).await.map_err(late)
}
