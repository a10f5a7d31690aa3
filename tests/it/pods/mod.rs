//! Pods as real processes under a real launcher: started, sent to, heard, ended, and found again.
//! `/proc` and the registry are the judges; time is never asserted.

mod flows;
mod lives_on;
mod stand_in;
mod starts;
mod talks;
mod tree;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::package;
use crate::process::{FOR_EVER, House, Peer};

/// One saga for each thing that can be done with a pod.
const SAGAS: &[(&str, &str)] = &[
    ("sagas/up.saga.yaml", include_str!("up.saga.yaml")),
    ("sagas/down.saga.yaml", include_str!("down.saga.yaml")),
    ("sagas/say.saga.yaml", include_str!("say.saga.yaml")),
    ("sagas/tell.saga.yaml", include_str!("tell.saga.yaml")),
    ("sagas/look.saga.yaml", include_str!("look.saga.yaml")),
];

fn house() -> House {
    House::with(SAGAS)
}

/// The same beside the shipped flows of pods, as they are shipped, their times included: no wait of
/// them is for a slow machine.
fn shipped() -> House {
    let house = house();
    let sagas = std::fs::read_dir(package().join("sagas")).expect("they are shipped");
    for entry in sagas {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        let flow = ["pod_", "scope_", "registry_"].iter().any(|flow| name.starts_with(flow));
        if name == "agents.catalog.yaml" || flow && name.ends_with(".saga.yaml") {
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            house.write(&format!("sagas/{name}"), &text);
        }
    }
    house
}

/// Where pods report to.
fn own_socket(house: &House) -> PathBuf {
    house.at("data/pods/pods.sock")
}

fn write(path: &str) -> Value {
    json!([{"target": path, "permission": "write"}])
}

/// A client that hears all about pods.
fn watcher(house: &House) -> Peer {
    let mut peer = house.peer();
    peer.register("tool", json!({"subscribe": ["pod_*", "saga_*"]}));
    peer
}

/// Starts a saga and returns its end.
fn run(tool: &mut Peer, saga: &str, input: &Value) -> Value {
    tool.say(&json!({"cmd": "start_saga", "saga": saga, "input": input, "wait": true}));
    tool.until("saga_result")
}

/// Reserves, starts and records a pod that behaves so; the end of its saga.
fn up(tool: &mut Peer, name: &str, owner: &str, path: &str, how: &str) -> Value {
    let input = json!({
        "pod_name": name, "owner": owner, "scope": write(path), "delegation": write(path),
        "argv": stand_in::argv(how),
    });
    run(tool, "up", &input)
}

/// The pods that are known, by what is asked of each.
fn listed(tool: &mut Peer, what: &[&str]) -> Vec<Value> {
    let pods = run(tool, "look", &json!({}))["result"]["pods"].clone();
    let Value::Array(pods) = pods else { panic!("{pods}") };
    pods.iter().map(|pod| what.iter().map(|key| pod[key].clone()).collect()).collect()
}

fn alive(pid: &Value) -> bool {
    let pid = pid.as_u64().and_then(|pid| u32::try_from(pid).ok());
    sagaflow::targets::process::ProcessId::of(pid.expect("a number")).is_some()
}
