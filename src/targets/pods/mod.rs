//! The pods target: starts pods, ends them, talks to them and hears them. What they may write is
//! not decided here; the registry answers that in the turn that asks \[T4\].

mod begin;
mod client;
mod files;
mod lines;
mod listen;
mod mirror;
mod process;
mod render;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

pub use client::{Sent, probe, send, tell};
pub use mirror::Mirror;
pub use render::{render, visible};
pub use wire::{Heard, PodEvent};

use self::process::{Pod, Watching};
use super::process::{ProcessId, Processes};
use crate::builtin::registry::Phase;
use crate::builtin::scope;
use crate::ipc::local::{Command, Port, Said, Speaker};
use crate::ipc::transport::{BindError, Listener, Stale};
use crate::limits::{POD_COMMANDS, POD_ENDS};

/// What a launcher is told about its pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What the launcher itself is called among pods.
    pub name: String,
    /// Where each pod has a directory, and the launcher its socket; must be its own.
    pub runtime_dir: PathBuf,
    /// Where the launcher reports to, as a pod of another; nothing: it stands at the top.
    pub parent_socket: Option<PathBuf>,
}

/// Listens where pods report to.
///
/// # Errors
/// With what is wrong and what to do.
pub fn listen(settings: &Settings) -> Result<Listener, BindError> {
    let socket = settings.runtime_dir.join(crate::builtin::registry::OWN_SOCKET);
    Listener::bind(&socket, Stale::Replace)
}

/// Serves the target until the launcher ends. Without a `listener` it begins to listen when the
/// first pod is started, or at once when one is known.
pub async fn serve(
    mut port: Port,
    mirror: Mirror,
    processes: Processes,
    settings: Settings,
    listener: Option<Listener>,
) {
    let room = Arc::new(Semaphore::new(POD_COMMANDS));
    let shell = Shell {
        speaker: port.speaker(),
        mirror,
        processes,
        settings: Arc::new(settings),
        watching: Watching::default(),
    };
    let mut hearing = Hearing::default();
    let known = shell.find_again();
    match listener {
        Some(listener) => hearing.hear(&shell, listener),
        None if known => drop(hearing.begin(&shell)),
        None => {}
    }
    let mut kills = JoinSet::new();
    while let Some(command) = port.next().await {
        while kills.try_join_next().is_some() {}
        match command.cmd.as_str() {
            "start_pod" => shell.start(command, &mut hearing),
            "kill_pod" => drop(kills.spawn(shell.clone().kill(command))),
            _ => {
                let (shell, room) = (shell.clone(), Arc::clone(&room));
                tokio::spawn(async move {
                    // They wait for each other here, and no start and no end waits for them.
                    let Ok(_permit) = room.acquire().await else { return };
                    shell.answer(command).await;
                });
            }
        }
    }
    room.close();
    // What is not ended by then is owed still: nobody was told that it was done [P5].
    let all = async { while kills.join_next().await.is_some() {} };
    timeout(client::duration(POD_ENDS), all).await.ok();
}

/// What every task of the target has.
#[derive(Clone, Debug)]
struct Shell {
    speaker: Speaker,
    mirror: Mirror,
    processes: Processes,
    settings: Arc<Settings>,
    watching: Watching,
}

/// The task that hears pods, which ends with this.
#[derive(Debug, Default)]
struct Hearing {
    task: Option<AbortHandle>,
}

impl Drop for Hearing {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Hearing {
    fn hear(&mut self, shell: &Shell, listener: Listener) {
        match listener.accepting() {
            Ok(acceptor) => {
                let serving = listen::serve(acceptor, shell.clone());
                self.task = Some(tokio::spawn(serving).abort_handle());
            }
            Err(error) => tracing::error!(%error, "pods cannot report"),
        }
    }

    /// Listens, unless somebody does already.
    fn begin(&mut self, shell: &Shell) -> Result<(), String> {
        if self.task.is_none() {
            let listener = listen(&shell.settings).map_err(|error| {
                tracing::error!(%error, "pods cannot report");
                error.to_string()
            })?;
            self.hear(shell, listener);
        }
        Ok(())
    }
}

fn text<'a>(command: &'a Command, name: &str) -> &'a str {
    command.fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(command: &Command, name: &str) -> u64 {
    command.fields.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The word by which the processes of one bearer of a name are known to be its, also to a launcher
/// that comes later.
fn mark(socket: &str, generation: u64) -> String {
    let digest = Sha256::digest(socket.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("pod-{hex}-{generation}")
}

impl Shell {
    /// Watches the processes that earlier launchers started; whether any pod is known.
    fn find_again(&self) -> bool {
        let registry = self.mirror.look();
        for (name, pod) in registry.pods() {
            let process = pod.phase.process().and_then(|(pid, start)| process_id(pid, start));
            let is_ready = matches!(pod.phase, Phase::Ready { .. });
            let pod = watched(name, pod.generation, &pod.socket);
            let place = process
                .and_then(|process| Some((process, self.watching.take(&pod, None, is_ready)?)));
            if let Some((process, place)) = place {
                tokio::spawn(place.live_on(process, self.speaker.clone()));
            }
        }
        registry.pods().next().is_some()
    }

    async fn answer(&self, command: Command) {
        let said = match command.cmd.as_str() {
            "probe_pod" => self.probe(&command).await,
            "send_to_pod" => self.send(&command).await,
            "reclaim_stale" => self.reclaim_stale(&command).await,
            "tell_parent" => return self.tell_parent(&command).await,
            other => {
                let reason = format!("the pods target has no command `{other}`");
                self.speaker.failed(command.echo(), &reason).await.ok();
                return;
            }
        };
        self.speaker.say(vec![said]).await.ok();
    }

    async fn probe(&self, command: &Command) -> Said {
        let (name, generation) = (text(command, "pod_name"), number(command, "generation"));
        let known = self
            .mirror
            .look()
            .bearer(name, generation)
            .map(|pod| (pod.generation, pod.socket.as_ref().to_owned()));
        let (generation, known) = known.unwrap_or((generation, String::new()));
        let socket = match text(command, "socket") {
            "" => known,
            told => told.to_owned(),
        };
        let pod = watched(name, generation, &socket);
        let probed = match socket.as_str() {
            "" => Err("no pod of that name has a socket".to_owned()),
            socket => probe(Path::new(socket)).await,
        };
        let at = ("socket", Value::from(socket.as_str()));
        match probed {
            Ok(()) => pod.said("pod_alive", [at], Some(command.echo())),
            Err(why) => pod.said("pod_silent", [at, ("reason", why.into())], Some(command.echo())),
        }
    }

    async fn send(&self, command: &Command) -> Said {
        let (name, generation) = (text(command, "pod_name"), number(command, "generation"));
        let known = self
            .mirror
            .look()
            .bearer(name, generation)
            .map(|pod| (pod.generation, pod.socket.clone()));
        let (generation, socket) = known.unwrap_or_default();
        let pod = watched(name, generation, &socket);
        let sent = if socket.is_empty() {
            let message = format!("no pod `{name}` is known");
            Sent::Rejected { code: "unknown_pod".into(), message }
        } else {
            let params = command.fields.get("params").filter(|params| match params {
                Value::Object(fields) => !fields.is_empty(),
                Value::Null | Value::Bool(_) | Value::Number(_) => false,
                Value::String(_) | Value::Array(_) => true,
            });
            send(Path::new(&*socket), text(command, "method"), params).await
        };
        match sent {
            Sent::Accepted { by } => {
                pod.said("pod_accepted", [("by", by.into())], Some(command.echo()))
            }
            Sent::Rejected { code, message } => {
                let fields = [("code", code.into()), ("message", message.into())];
                pod.said("pod_rejected", fields, Some(command.echo()))
            }
        }
    }

    /// Which pods hold something and have no process any more.
    async fn reclaim_stale(&self, command: &Command) -> Said {
        let mut held: Vec<(Arc<str>, u64, Option<ProcessId>)> = {
            let registry = self.mirror.look();
            let held = registry.pods().filter(|(_, pod)| pod.holds());
            let held = held.filter_map(|(name, pod)| {
                let process = match &pod.phase {
                    // Who reserved it still wants to start it; who only told of it knows better.
                    Phase::Told | Phase::Reserved => return None,
                    Phase::Exited => None,
                    Phase::Spawned { pid, process_start } | Phase::Ready { pid, process_start } => {
                        process_id(*pid, process_start)
                    }
                };
                Some((name.clone(), pod.generation, process))
            });
            held.collect()
        };
        // One that is being started is not stale, whatever became of an earlier try; one that is
        // watched tells its own end.
        held.retain(|(name, _, _)| self.watching.find(name).is_none());
        let look = move || {
            let dead = held
                .into_iter()
                .filter(|(_, _, process)| !process.as_ref().is_some_and(ProcessId::is_alive));
            dead.collect::<Vec<_>>()
        };
        let dead = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        let names: Vec<Value> = dead.iter().map(|(name, _, _)| name.as_ref().into()).collect();
        let told = |(name, generation, process): &(Arc<str>, u64, Option<ProcessId>)| {
            let mut pod = json!({"pod_name": **name, "generation": generation});
            if let Some(process) = process {
                // Which one is gone: another may be there when this is folded.
                pod["pid"] = process.pid.into();
                pod["process_start"] = process.start.as_str().into();
            }
            pod
        };
        let pods: Vec<Value> = dead.iter().map(told).collect();
        let mut fields = Map::new();
        fields.insert("pod_names".into(), names.into());
        fields.insert("pods".into(), pods.into());
        Said { event: "stale_reclaimed", fields, echo: Some(command.echo()) }
    }

    async fn tell_parent(&self, command: &Command) {
        let Some(parent) = &self.settings.parent_socket else { return };
        let own = || self.settings.name.clone();
        let pod_name = match text(command, "pod_name") {
            "" => own(),
            told => told.to_owned(),
        };
        let event = match text(command, "pod_event") {
            "turn_ended" => PodEvent::TurnEnded { pod_name },
            "errored" => {
                PodEvent::Errored { pod_name, message: text(command, "message").to_owned() }
            }
            "shut_down" => PodEvent::ShutDown { pod_name },
            "scope_sub_delegated" => PodEvent::ScopeSubDelegated {
                // Each level sees its own child as the one that handed on.
                parent_pod: own(),
                sub_pod: text(command, "sub_pod").to_owned(),
                sub_socket: text(command, "sub_socket").to_owned(),
                scope: match scope::rules(command.fields.get("scope")) {
                    Ok(scope) => scope,
                    Err(why) => return tracing::warn!(%why, "the parent was not told of a pod"),
                },
            },
            other => return tracing::warn!(other, "there is no such word for a parent"),
        };
        tell(parent, &event).await;
    }
}

/// A process as the registry knows it.
fn process_id(pid: u64, start: &str) -> Option<ProcessId> {
    Some(ProcessId { pid: u32::try_from(pid).ok()?, start: start.parse().ok()? })
}

fn watched(name: &str, generation: u64, socket: &str) -> Pod {
    Pod { name: name.into(), generation, socket: socket.into(), mark: mark(socket, generation) }
}

#[cfg(test)]
mod tests;
