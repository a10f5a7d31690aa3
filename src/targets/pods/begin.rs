//! To start a pod and to end it: who asks is answered when its socket accepts, or when no process
//! of it is left. What becomes of a process in between is told by its own task (`process`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::client::probe;
use super::files;
use super::process::{self, ENDED, Place, Pod, Waiting};
use super::{Hearing, Shell, number, text, watched};
use crate::builtin::registry;
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
                let said = pod.start_failed(&reason, "", None, command.echo());
                shell.speaker.say(vec![said]).await.ok();
            });
            return;
        }
        let until = Instant::now() + Duration::from_millis(number(&command, "ready_timeout_ms"));
        if let Some(place) = self.watching.take(&pod, Some(Arc::clone(&command.command_id)), false)
        {
            tokio::spawn(shell.spawn(command, place, callback, until));
        } else if let Some(waiting) = self.watching.wait(&pod, &command.command_id) {
            tokio::spawn(shell.wait_ready(command, waiting, pod, callback, until));
        } else {
            // The answer of the first is on its way.
        }
    }

    /// Spawns a pod's process, lets it begin once it is durable that it exists, and stays with it.
    async fn spawn(self, command: Command, place: Place, callback: Arc<str>, until: Instant) {
        let (pod, echo) = (place.pod.clone(), command.echo());
        // Who has the place knows that an earlier process of this bearer is gone.
        let earlier = self.process_of(&pod);
        let fail_with = async |reason: String, pid: Option<u64>| {
            let said = pod.start_failed(&reason, "", pid, echo.clone());
            self.speaker.say(vec![said]).await.ok();
        };
        let fail = async |reason: String| fail_with(reason, earlier).await;
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
        // What is durable is folded: if the registry does not know this process, the pod was
        // released while it was made, and its scope may be another's.
        let holds = self.holds(&pod);
        if !holds || self.process_of(&pod) != Some(pid.into()) {
            child.end(Duration::ZERO).await;
            return fail_with("it was released before it began".into(), None).await;
        }
        if place.is_asked() {
            child.end(Duration::ZERO).await;
            return fail_with("it was ended before it began".into(), Some(pid.into())).await;
        }
        if let Err(error) = child.open_gate().await {
            return fail_with(error.to_string(), Some(pid.into())).await;
        }
        place.live(child, self.speaker.clone(), command, until).await;
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

    fn holds(&self, pod: &Pod) -> bool {
        let registry = self.mirror.look();
        registry.bearer(&pod.name, pod.generation).is_some_and(registry::Pod::holds)
    }

    /// The process of that bearer, as far as is known.
    fn process_of(&self, pod: &Pod) -> Option<u64> {
        let registry = self.mirror.look();
        let known = registry.bearer(&pod.name, pod.generation);
        known.and_then(|pod| pod.phase.process()).map(|(pid, _)| pid)
    }

    /// Answers a start of a pod whose process is there already, begun by an earlier launcher or by
    /// another command. One that ended by itself and had not come to listen is begun anew; that of
    /// an earlier bearer of the name is waited for, as long as a start may take.
    async fn wait_ready(
        self,
        command: Command,
        mut waiting: Waiting,
        pod: Pod,
        callback: Arc<str>,
        until: Instant,
    ) {
        let refused = match self.watching.find(&pod.name) {
            None => None,
            Some(mut now) if now.generation != pod.generation => tokio::select! {
                biased;
                () = waiting.asked() => Some((ENDED.to_owned(), String::new())),
                () = now.over() => None,
                () = sleep_until(until) => {
                    let earlier = now.generation;
                    let why = format!("bearer {earlier} of its name still runs; end that first");
                    Some((why, String::new()))
                }
            },
            Some(mut now) => tokio::select! {
                biased;
                () = waiting.asked() => Some((ENDED.to_owned(), String::new())),
                // What says that it was ended would else be taken for the end of the next one.
                () = now.over() => now.is_asked().then(|| (ENDED.to_owned(), String::new())),
                accepts = process::accepts(Path::new(&*pod.socket), until) => match accepts {
                    Ok(()) => {
                        now.is_ready();
                        let pid = self.process_of(&pod).and_then(|pid| u32::try_from(pid).ok());
                        let ready = pod.ready(pid.unwrap_or_default(), command.echo());
                        self.speaker.say(vec![ready]).await.ok();
                        return;
                    }
                    Err(reason) => {
                        now.end(Duration::ZERO);
                        now.over().await;
                        Some((reason, files::stderr_tail(&pod.socket).await))
                    }
                },
            },
        };
        let place = match refused {
            Some(refused) => Err(refused),
            None => self.begin_anew(&waiting, &pod).map_err(|why| (why.into(), String::new())),
        };
        match place {
            Ok(place) => {
                drop(waiting);
                self.spawn(command, place, callback, until).await;
            }
            Err((reason, tail)) => {
                let said = pod.start_failed(&reason, &tail, None, command.echo());
                self.speaker.say(vec![said]).await.ok();
            }
        }
    }

    fn begin_anew(&self, waiting: &Waiting, pod: &Pod) -> Result<Place, &'static str> {
        let place = waiting.go(pod)?;
        if self.holds(pod) { Ok(place) } else { Err("it was released") }
    }

    pub(super) async fn kill(self, command: Command) {
        let (name, generation) = (text(&command, "pod_name"), number(&command, "generation"));
        let grace = Duration::from_millis(number(&command, "grace_ms"));
        let (ended, overs) = self.watching.end(name, generation, grace);
        overs.all().await;
        let known = || self.mirror.look().bearer(name, generation).map_or(0, |pod| pod.generation);
        let pod = watched(name, ended.unwrap_or_else(known), "");
        let existed = ended.is_some();
        let said = pod.said("pod_killed", [("existed", existed.into())], Some(command.echo()));
        self.speaker.say(vec![said]).await.ok();
    }
}
