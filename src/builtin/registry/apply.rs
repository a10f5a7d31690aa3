//! The fold of the target's events: the only way in which the registry changes. Judges nothing:
//! what was told happened; what names no bearer that is known changes nothing.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::answer::{flag, number, text};
use super::{Hold, Phase, Pod, Registry};
use crate::builtin::scope::{self, Rule, ScopePath};
use crate::time::Timestamp;

pub(super) fn apply(
    registry: &mut Registry,
    event: &str,
    fields: &Map<String, Value>,
    now: Timestamp,
) {
    let (name, generation) = (text(fields, "pod_name"), number(fields, "generation"));
    match event {
        "pod_reserved" => reserved(registry, name, generation, fields),
        "pod_recorded" => recorded(registry, name, generation, fields),
        "pod_released" if flag(fields, "existed", false) => registry.release(name, generation, now),
        "pod_removed" if flag(fields, "existed", false) => registry.remove(name, generation, now),
        "stale_reclaimed" => {
            let list = fields.get("pods").and_then(Value::as_array);
            for pod in list.into_iter().flatten().filter_map(Value::as_object) {
                let (name, generation) = (text(pod, "pod_name"), number(pod, "generation"));
                if is_over(registry, name, generation, pod) {
                    registry.release(name, generation, now);
                }
            }
        }
        "pod_spawned" => {
            let pid = number(fields, "pid");
            let process_start: Arc<str> = text(fields, "process_start").into();
            if let Some(pod) = registry.pod_mut(name, generation) {
                pod.phase = Phase::Spawned { pid, process_start };
            }
        }
        "pod_ready" => {
            if let Some(pod) = registry.pod_mut(name, generation)
                && let Phase::Spawned { pid, process_start } = &pod.phase
            {
                pod.phase = Phase::Ready { pid: *pid, process_start: Arc::clone(process_start) };
            }
        }
        // A refusal names no process, and may be one to start a second beside one that lives.
        "pod_start_failed" => {
            let known = registry.bearer(name, generation).map(|pod| &pod.phase);
            if matches!(known, Some(Phase::Spawned { pid, .. }) if *pid == number(fields, "pid")) {
                no_process(registry, name, generation, Phase::Reserved);
            }
        }
        "pod_killed" | "pod_exited" => no_process(registry, name, generation, Phase::Exited),
        _ => {}
    }
}

/// Whether the process that was found to be gone is the last that is known of that pod: another may
/// have been started since somebody looked.
fn is_over(registry: &Registry, name: &str, generation: u64, told: &Map<String, Value>) -> bool {
    registry.bearer(name, generation).is_some_and(|pod| match &pod.phase {
        Phase::Exited => true,
        Phase::Spawned { pid, process_start } | Phase::Ready { pid, process_start } => {
            *pid == number(told, "pid") && **process_start == *text(told, "process_start")
        }
        Phase::Told | Phase::Reserved => false,
    })
}

/// A pod has no process any more. Its name and scope are its own until somebody takes them.
fn no_process(registry: &mut Registry, name: &str, generation: u64, phase: Phase) {
    if let Some(pod) = registry.pod_mut(name, generation)
        && pod.phase.process().is_some()
    {
        pod.phase = phase;
    }
}

fn list(fields: &Map<String, Value>, name: &str) -> Vec<Rule> {
    scope::rules(fields.get(name)).unwrap_or_default()
}

fn reserved(registry: &mut Registry, name: &str, generation: u64, fields: &Map<String, Value>) {
    if registry.pods.contains_key(name) || name.is_empty() {
        return;
    }
    let owner = text(fields, "owner");
    let (scope, mut deny) = (list(fields, "scope"), list(fields, "deny"));
    let due = registry.split_due(name, owner, &mut deny);
    let hold = Hold {
        owner: owner.into(),
        token: text(fields, "token").into(),
        deny,
        due,
        delegation: list(fields, "delegation"),
        segment_id: text(fields, "segment_id").into(),
        cwd: ScopePath::parse(text(fields, "cwd")).ok(),
    };
    let pod = Pod {
        generation,
        parent: owner.into(),
        socket: text(fields, "socket").into(),
        callback: text(fields, "callback").into(),
        granted: scope.clone(),
        scope,
        recorded: false,
        hold: Some(hold),
        phase: Phase::Reserved,
    };
    insert(registry, name, pod);
}

fn recorded(registry: &mut Registry, name: &str, generation: u64, fields: &Map<String, Value>) {
    if generation == 0 || name.is_empty() || flag(fields, "tombstoned", false) {
        return;
    }
    let parent = text(fields, "parent_pod");
    let scope = list(fields, "scope");
    match registry.pods.get(name) {
        Some(pod) if pod.generation != generation => {}
        Some(pod) if pod.hold.is_some() || !pod.recorded => {
            if let Some(pod) = registry.pod_mut(name, generation) {
                pod.recorded = true;
            }
        }
        Some(pod) => {
            let same = *pod.parent == *parent
                && *pod.socket == *text(fields, "socket")
                && *pod.callback == *text(fields, "callback")
                && pod.scope == scope;
            let pod = if same { None } else { registry.pod_mut(name, generation) };
            if let Some(pod) = pod {
                pod.parent = parent.into();
                pod.socket = text(fields, "socket").into();
                pod.callback = text(fields, "callback").into();
                pod.scope = scope;
            }
        }
        None => told(registry, name, generation, scope, fields),
    }
}

/// A pod that somebody else reserved and started, and told of afterwards.
fn told(
    registry: &mut Registry,
    name: &str,
    generation: u64,
    scope: Vec<Rule>,
    fields: &Map<String, Value>,
) {
    let parent = text(fields, "parent_pod");
    let granted = registry.entitled(name, parent, &scope);
    let hold = (!granted.is_empty()).then(|| Hold {
        owner: parent.into(),
        token: Arc::default(),
        deny: Vec::new(),
        due: Vec::new(),
        delegation: Vec::new(),
        segment_id: Arc::default(),
        cwd: None,
    });
    let pod = Pod {
        generation,
        parent: parent.into(),
        socket: text(fields, "socket").into(),
        callback: text(fields, "callback").into(),
        scope,
        granted,
        recorded: true,
        hold,
        phase: Phase::Told,
    };
    insert(registry, name, pod);
}

fn insert(registry: &mut Registry, name: &str, pod: Pod) {
    let name: Arc<str> = name.into();
    registry.ended.remove(&name);
    registry.changed.insert(Arc::clone(&name));
    registry.pods.insert(name, pod);
}
