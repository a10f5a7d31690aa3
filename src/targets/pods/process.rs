//! The process of a pod, from its spawning to its end: one task each, which alone says what becomes
//! of it. Pods outlive their launcher; the next one finds them by number and start.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::{duration, probe};
use super::files::{keep_short, stderr_tail};
use super::render;
use crate::ipc::local::{Command, Said, Speaker};
use crate::ipc::protocol::Echo;
use crate::limits::{POD_ENDED_MAX, POD_TRY_EVERY};
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

    /// That it is not started; `pid`: the process that is gone with that.
    pub fn start_failed(&self, reason: &str, tail: &str, pid: Option<u64>, echo: Echo) -> Said {
        let fields = [("reason", reason.into()), ("stderr_tail", tail.into())];
        let mut said = self.said("pod_start_failed", fields, Some(echo));
        if let Some(pid) = pid {
            said.fields.insert("pid".into(), pid.into());
        }
        said
    }

    pub fn ready(&self, pid: u32, echo: Echo) -> Said {
        self.said("pod_ready", [("socket", (*self.socket).into()), ("pid", pid.into())], Some(echo))
    }
}

/// The processes that are watched now, and the starts that wait for the end of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    all: Arc<Mutex<All>>,
}

#[derive(Debug, Default)]
struct All {
    /// By their pods' names.
    pods: BTreeMap<Arc<str>, Watched>,
    /// By their commands.
    waiting: BTreeMap<Arc<str>, Wait>,
    /// Processes that ended, the latest first: what they said last may be read after their end.
    ended: VecDeque<(Arc<str>, Watched)>,
}

/// A start that waits, for whoever wants that it never comes to it.
#[derive(Debug)]
struct Wait {
    name: Arc<str>,
    generation: u64,
    asked: watch::Sender<bool>,
    over: watch::Receiver<bool>,
}

/// One of them, for whoever wants its end.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub generation: u64,
    /// The command that starts it; nothing: one before this launcher did.
    pub command_id: Option<Arc<str>>,
    /// Whether its socket accepted, and that was said.
    ready: Arc<AtomicBool>,
    /// Its process; 0: it has none yet.
    pid: Arc<AtomicU32>,
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
    pid: Arc<AtomicU32>,
    end: watch::Receiver<Option<Duration>>,
    over: watch::Sender<bool>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.watching.look();
        let watched = all.pods.remove_entry(&self.pod.name);
        if let Some(ended) = watched.filter(|(_, ended)| ended.pid.load(Ordering::Acquire) != 0) {
            all.ended.push_front(ended);
            all.ended.truncate(POD_ENDED_MAX);
        }
        drop(all);
        self.over.send_replace(true);
    }
}

/// A start that waits for the end of the process that is there. Heard of by whoever ends its pod
/// from the moment in which it was asked for; no more when dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    command_id: Arc<str>,
    watching: Watching,
    asked: watch::Receiver<bool>,
    over: watch::Sender<bool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.watching.look().waiting.remove(&self.command_id);
        self.over.send_replace(true);
    }
}

impl Waiting {
    /// Returns when somebody asked for the end of its pod.
    pub async fn asked(&mut self) {
        // Nobody can ask any more where this fails, and it never does while this is there.
        self.asked.wait_for(|asked| *asked).await.ok();
    }

    /// Takes the place that it waited for. Whoever asks for the end of the pod finds this or the
    /// place, at every moment. In words why it has none.
    pub fn go(&self, pod: &Pod) -> Result<Place, &'static str> {
        let place = self.watching.take(pod, Some(Arc::clone(&self.command_id)), false);
        // Under the same look as asking: from here on the place is asked too.
        let asked = {
            let mut all = self.watching.look();
            all.waiting.remove(&self.command_id);
            *self.asked.borrow()
        };
        if asked { Err(ENDED) } else { place.ok_or("its process ended just now") }
    }
}

/// Why a start that was overtaken by an end does not come to be.
pub(super) const ENDED: &str = "it was ended";

impl Watching {
    /// Who is watched under that name.
    pub fn find(&self, name: &str) -> Option<Watched> {
        self.look().pods.get(name).cloned()
    }

    /// Enters a start that waits; nothing: it does already, or has the place.
    pub fn wait(&self, pod: &Pod, command_id: &Arc<str>) -> Option<Waiting> {
        let mut all = self.look();
        let has_place = all.pods.get(&pod.name).and_then(|now| now.command_id.as_ref());
        if has_place == Some(command_id) || all.waiting.contains_key(command_id) {
            return None;
        }
        let (asks, asked) = watch::channel(false);
        let (told, over) = watch::channel(false);
        let (name, generation) = (Arc::clone(&pod.name), pod.generation);
        all.waiting.insert(Arc::clone(command_id), Wait { name, generation, asked: asks, over });
        drop(all);
        let command_id = Arc::clone(command_id);
        Some(Waiting { command_id, watching: self.clone(), asked, over: told })
    }

    /// Asks for the end of that bearer of a name (`0`: any), of its process and of all starts that
    /// wait. The generation of the process, if there is one, and what to wait for.
    pub fn end(&self, name: &str, generation: u64, grace: Duration) -> (Option<u64>, Overs) {
        let fits = |of: u64| generation == 0 || generation == of;
        let all = self.look();
        let process = all.pods.get(name).filter(|now| fits(now.generation));
        let waiting = all.waiting.values().filter(|w| *w.name == *name && fits(w.generation));
        let mut overs = Vec::new();
        for wait in waiting {
            wait.asked.send_replace(true);
            overs.push(wait.over.clone());
        }
        if let Some(process) = process {
            process.end(grace);
            overs.push(process.over.clone());
        }
        (process.map(|now| now.generation), Overs(overs))
    }

    /// Takes the place of a pod whose process nobody watches.
    pub fn take(&self, pod: &Pod, command_id: Option<Arc<str>>, is_ready: bool) -> Option<Place> {
        let mut all = self.look();
        if all.pods.contains_key(&pod.name) {
            return None;
        }
        let (end, asked) = watch::channel(None);
        let (told, over) = watch::channel(false);
        let ready = Arc::new(AtomicBool::new(is_ready));
        let pid = Arc::new(AtomicU32::new(0));
        let watched = Watched {
            generation: pod.generation,
            command_id,
            ready: Arc::clone(&ready),
            pid: Arc::clone(&pid),
            end,
            over,
        };
        all.pods.insert(Arc::clone(&pod.name), watched);
        drop(all);
        let watching = self.clone();
        Some(Place { pod: pod.clone(), watching, ready, pid, end: asked, over: told })
    }

    /// Which bearer of a name one of these processes is, or was last.
    pub fn bearer(&self, name: &str, pids: &[u32]) -> Option<u64> {
        let all = self.look();
        let mut every = all.pods.iter().chain(all.ended.iter().map(|(name, was)| (name, was)));
        let found = every.find(|(of, watched)| {
            ***of == *name && pids.contains(&watched.pid.load(Ordering::Acquire))
        });
        found.map(|(_, watched)| watched.generation)
    }

    fn look(&self) -> MutexGuard<'_, All> {
        // Nothing is done with it in hand that could panic halfway.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ends that somebody asked for.
#[derive(Debug)]
pub(super) struct Overs(Vec<watch::Receiver<bool>>);

impl Overs {
    /// Returns when all of them came, and were said.
    pub async fn all(self) {
        for mut over in self.0 {
            over.wait_for(|over| *over).await.ok();
        }
    }
}

impl Place {
    /// Whether somebody asked for its end already.
    pub fn is_asked(&self) -> bool {
        self.end.borrow().is_some()
    }

    fn is_process(&self, pid: u32) {
        self.pid.store(pid, Ordering::Release);
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
    pub async fn live(
        mut self,
        mut child: Child,
        speaker: Speaker,
        command: Command,
        until: Instant,
    ) {
        let (socket, echo) = (self.pod.socket.clone(), command.echo());
        self.is_process(child.id().pid);
        let failed = tokio::select! {
            biased;
            _ = self.asked() => Some("it was ended before its socket accepted".to_owned()),
            exit = child.wait() => Some(format!("it ended before its socket accepted: {exit}")),
            accepts = accepts(Path::new(&*socket), until) => accepts.err(),
        };
        if let Some(reason) = failed {
            child.end(Duration::ZERO).await;
            let tail = stderr_tail(&socket).await;
            let pid = Some(child.id().pid.into());
            speaker.say(vec![self.pod.start_failed(&reason, &tail, pid, echo)]).await.ok();
            return;
        }
        let ready = self.pod.ready(child.id().pid, echo);
        if speaker.say(vec![ready]).await.is_err() {
            return;
        }
        // It is done: what becomes of the process from now on is no part of it [P5].
        drop(command);
        let asked = tokio::select! {
            _ = child.wait() => None,
            grace = self.asked() => Some(grace),
            never = keep_short(&socket) => match never {},
        };
        let exit = child.end(asked.unwrap_or_default()).await;
        self.exited(&speaker, exit, asked.is_some().then_some("kill")).await;
    }

    /// The rest of a process that an earlier launcher started: how it ends is told to nobody but
    /// its parent, and that is gone. One that never came to listen ends without a word: it may not
    /// have begun, and whoever wants it started asks again.
    pub async fn live_on(mut self, process: ProcessId, speaker: Speaker) {
        self.is_process(process.pid);
        let socket = self.pod.socket.clone();
        let asked = tokio::select! {
            () = gone(&process) => None,
            grace = self.asked() => Some(grace),
            never = keep_short(&socket) => match never {},
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
