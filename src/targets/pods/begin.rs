//! To start a pod and to end it: who asks is answered when its socket accepts, or when no process
//! of it is left. What becomes of a process in between is told by its own task (`process`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::client::probe;
use super::files;
use super::process::{self, Place, Pod};
use super::{Hearing, Shell, number, text, watched};
use crate::builtin::scope::ScopePath;
use crate::ipc::local::Command;
use crate::targets::process::{Output, Spec, Stdin};

impl Shell {
    /// Begins to start a pod. Its place is taken before this returns, so that whoever asks for its
    /// end afterwards is heard.
    pub(super) fn start(&self, command: Command, hearing: &mut Hearing) {
        let (name, generation) = (text(&command, "pod_name"), number(&command, "generation"));
        let found = self.mirror.look().bearer(name, generation).map(|pod| {
            (watched(name, pod.generation, &pod.socket), pod.callback.clone(), pod.holds())
        });
        let refused = match &found {
            Some((_, _, true)) => hearing.begin(self).err(),
            Some((_, _, false)) => Some("it was released".to_owned()),
            None => Some("no pod of that name is reserved".to_owned()),
        };
        let (pod, callback) = match found {
            Some((pod, callback, _)) => (pod, callback),
            None => (watched(name, generation, ""), Arc::default()),
        };
        let shell = self.clone();
        if let Some(reason) = refused {
            tokio::spawn(async move {
                let said = pod.start_failed(&reason, "", command.echo());
                shell.speaker.say(vec![said]).await.ok();
            });
            return;
        }
        let until = Instant::now() + Duration::from_millis(number(&command, "ready_timeout_ms"));
        match self.place(&command, &pod) {
            Some(place) => drop(tokio::spawn(shell.spawn(command, place, callback, until))),
            None => drop(tokio::spawn(shell.wait_ready(command, pod, callback, until))),
        }
    }

    fn place(&self, command: &Command, pod: &Pod) -> Option<Place> {
        self.watching.take(pod, Some(Arc::clone(&command.command_id)), false)
    }

    /// Spawns a pod's process, lets it begin once it is durable that it exists, and stays with it.
    async fn spawn(self, command: Command, place: Place, callback: Arc<str>, until: Instant) {
        let (pod, echo) = (place.pod.clone(), command.echo());
        let fail = async |reason: String| {
            let said = pod.start_failed(&reason, "", echo.clone());
            self.speaker.say(vec![said]).await.ok();
        };
        if probe(Path::new(&*pod.socket)).await.is_ok() {
            return fail(format!("somebody listens on {} already", pod.socket)).await;
        }
        if let Err(reason) = files::prepare(&pod.socket).await {
            return fail(reason).await;
        }
        let spec = match self.spec(&command, &pod, &callback) {
            Ok(spec) => spec,
            Err(reason) => return fail(reason).await,
        };
        let mut child = match self.processes.spawn(spec).await {
            Ok(child) => child,
            Err(error) => return fail(error.to_string()).await,
        };
        let (pid, start) = (child.id().pid, child.id().start.to_string());
        let fields = [("pid", pid.into()), ("process_start", start.into())];
        let spawned = pod.said("pod_spawned", fields, Some(echo.clone()));
        // The process waits. If the launcher ends here, it leaves without having acted.
        if self.speaker.say_durably(vec![spawned]).await.is_err() {
            return;
        }
        if place.is_asked() {
            child.end(Duration::ZERO).await;
            return fail("it was ended before it began".into()).await;
        }
        if let Err(error) = child.open_gate().await {
            return fail(error.to_string()).await;
        }
        place.live(child, self.speaker.clone(), echo, until).await;
    }

    fn spec(&self, command: &Command, pod: &Pod, callback: &str) -> Result<Spec, String> {
        let fill = |word: &str| {
            word.replace("{name}", &pod.name)
                .replace("{socket}", &pod.socket)
                .replace("{callback}", callback)
        };
        let argv = command.fields.get("argv").and_then(Value::as_array);
        let argv = argv.into_iter().flatten().filter_map(Value::as_str).map(fill).collect();
        let env = command.fields.get("env").and_then(Value::as_object);
        let env = env
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let cwd = match text(command, "cwd") {
            "" => self.mirror.look().cwd(&pod.name).map(PathBuf::from),
            told => {
                let path = ScopePath::parse(told).map_err(|why| format!("its cwd: {why}"))?;
                Some(PathBuf::from(path.as_str()))
            }
        };
        Ok(Spec {
            argv,
            cwd,
            env: env.collect(),
            stdin: Stdin::Null,
            stdout: Output::Null,
            stderr: Output::File(files::stderr_log(&pod.socket)),
            dies_with_launcher: false,
            mark: pod.mark.clone(),
        })
    }

    /// Answers a start of a pod whose process is there already, begun by an earlier launcher or by
    /// another command. One that ended by itself and had not come to listen is begun anew.
    async fn wait_ready(self, command: Command, pod: Pod, callback: Arc<str>, until: Instant) {
        let Some(mut now) = self.watching.find(&pod.name) else {
            return self.begin_anew(command, pod, callback, until).await;
        };
        if now.command_id.as_ref() == Some(&command.command_id) {
            return; // Its answer is on its way.
        }
        let failed = tokio::select! {
            () = now.over() => None,
            accepts = process::accepts(Path::new(&*pod.socket), until) => Some(accepts.err()),
        };
        let said = match failed {
            Some(None) => {
                now.is_ready();
                let pid = self.mirror.look().pod(&pod.name).and_then(|pod| {
                    pod.phase.process().and_then(|(pid, _)| u32::try_from(pid).ok())
                });
                pod.ready(pid.unwrap_or_default(), command.echo())
            }
            Some(Some(reason)) => {
                now.end(Duration::ZERO);
                now.over().await;
                let tail = files::stderr_tail(&pod.socket).await;
                pod.start_failed(&reason, &tail, command.echo())
            }
            None if now.is_asked() => pod.start_failed("it was ended", "", command.echo()),
            None => return self.begin_anew(command, pod, callback, until).await,
        };
        self.speaker.say(vec![said]).await.ok();
    }

    async fn begin_anew(self, command: Command, pod: Pod, callback: Arc<str>, until: Instant) {
        let still = self.mirror.look().bearer(&pod.name, pod.generation).is_some();
        match self.place(&command, &pod).filter(|_| still) {
            Some(place) => self.spawn(command, place, callback, until).await,
            None => {
                let said = pod.start_failed("its process ended just now", "", command.echo());
                self.speaker.say(vec![said]).await.ok();
            }
        }
    }

    pub(super) async fn kill(self, command: Command) {
        let (name, generation) = (text(&command, "pod_name"), number(&command, "generation"));
        let watched_now = self.watching.find(name);
        let fits = |of: u64| generation == 0 || generation == of;
        let (existed, generation) = match watched_now.filter(|now| fits(now.generation)) {
            Some(mut now) => {
                now.end(Duration::from_millis(number(&command, "grace_ms")));
                now.over().await;
                (true, now.generation)
            }
            None => {
                let registry = self.mirror.look();
                (false, registry.bearer(name, generation).map_or(0, |pod| pod.generation))
            }
        };
        let pod = watched(name, generation, "");
        let said = pod.said("pod_killed", [("existed", existed.into())], Some(command.echo()));
        self.speaker.say(vec![said]).await.ok();
    }
}
