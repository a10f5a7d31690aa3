//! The launcher's own socket among pods: they report here to who spawned them. Decides nothing;
//! each report becomes an event, stamped with the bearer of the name that tells it.

use std::io;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Shell;
use super::client::duration;
use super::lines::LinesOf;
use super::render;
use super::wire::{self, PodEvent};
use crate::builtin::scope;
use crate::ipc::local::Said;
use crate::ipc::transport::{Acceptor, Stream, own_uid};
use crate::limits::{ACCEPT_BACKOFF_MAX, FRAME_BYTES_MAX, POD_REPORTERS, POD_SEND, POD_SILENT};
use crate::targets::process::group_of;

/// Takes reports for as long as the launcher takes them.
pub(super) async fn serve(acceptor: Acceptor, shell: Shell) {
    let room = Arc::new(Semaphore::new(POD_REPORTERS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match acceptor.accept().await {
            Ok((stream, uid)) if uid == own_uid() => stream,
            Ok((_, uid)) => {
                tracing::warn!(uid, "a process of another user wanted to report as a pod");
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "pods cannot be accepted for a moment");
                sleep(duration(ACCEPT_BACKOFF_MAX)).await;
                continue;
            }
        };
        let peer = stream.peer_pid();
        let pids = peer.into_iter().chain(peer.and_then(group_of)).collect();
        let reports = Reports { shell: shell.clone(), pids };
        tokio::spawn(async move {
            if let Err(error) = reports.take(stream).await {
                tracing::debug!(%error, "a pod's connection broke");
            }
            drop(permit);
        });
    }
}

/// One connection of a pod.
struct Reports {
    shell: Shell,
    /// Who opened it, and the leader of its group.
    pids: Vec<u32>,
}

impl Reports {
    async fn take(&self, stream: Stream) -> io::Result<()> {
        let (read, mut write) = stream.split();
        let mut lines = LinesOf::new(read, FRAME_BYTES_MAX);
        // What every pod says to who connects; the launcher has no conversation to show.
        let nothing = json!({"entries": [], "greeting": "", "status": "idle"});
        let told = write.write_all(&wire::event("snapshot", &nothing)).await;
        if let Err(error) = told {
            // It closed already, and what it said before is there to be read.
            tracing::debug!(%error, "a pod did not wait to be told anything");
        }
        while let Ok(line) = timeout(duration(POD_SILENT), lines.next()).await {
            let Some(line) = line? else { return Ok(()) };
            match wire::read_report(&line) {
                Ok(event) => {
                    if self.shell.speaker.say(vec![self.said(&event)]).await.is_err() {
                        return Ok(());
                    }
                }
                Err(message) => {
                    let error = json!({"code": "invalid_request", "message": message});
                    let line = wire::event("error", &error);
                    let told = timeout(duration(POD_SEND), write.write_all(&line)).await;
                    told.map_err(|_| io::ErrorKind::TimedOut)??;
                }
            }
        }
        Ok(())
    }

    /// Which bearer of a name a report is about: the one whose process tells it, where that is
    /// known, and else the one that is known now.
    fn generation(&self, name: &str) -> u64 {
        let told = self.shell.watching.bearer(name, &self.pids);
        told.unwrap_or_else(|| self.shell.mirror.generation(name))
    }

    /// A report as the event that it becomes.
    fn said(&self, event: &PodEvent) -> Said {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        let (name, pod_name) = match event {
            PodEvent::TurnEnded { pod_name } => ("pod_turn_ended", pod_name),
            PodEvent::Errored { pod_name, message } => {
                put("message", message.as_str().into());
                ("pod_errored", pod_name)
            }
            PodEvent::ShutDown { pod_name } => ("pod_shut_down", pod_name),
            PodEvent::ScopeSubDelegated { parent_pod, sub_pod, sub_socket, scope } => {
                put("parent_pod", parent_pod.as_str().into());
                put("sub_pod", sub_pod.as_str().into());
                put("sub_socket", sub_socket.as_str().into());
                put("scope", scope::to_value(scope));
                ("pod_scope_sub_delegated", sub_pod)
            }
        };
        put("pod_name", pod_name.as_str().into());
        put("generation", self.generation(pod_name).into());
        put("text", render::visible(event).into());
        Said { event: name, fields, echo: None }
    }
}
