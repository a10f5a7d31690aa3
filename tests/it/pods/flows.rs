//! The shipped sagas of pods with real processes, as an operator would run them.

use std::os::unix::net::UnixListener;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{alive, listed, run, shipped, stand_in, watcher, write};
use crate::process::Peer;

fn spawn(tool: &mut Peer, name: &str, path: &str, message: &str) -> Value {
    let input = json!({
        "pod_name": name, "scope": write(path), "argv": stand_in::argv("listens"),
        "message": message,
    });
    run(tool, "pod_spawn", &input)
}

/// Waits until that many pods are known.
fn until_known(tool: &mut Peer, names: &[&str]) {
    while listed(tool, &["pod_name"]) != names.iter().map(|name| json!([name])).collect::<Vec<_>>()
    {
        tool.until("pod_removed");
    }
}

/// bg_pods_a24, bg_pods_a19: spawned with its first message, asked to shut down, and gone before
/// its scope is free.
#[test]
fn bg_pods_a19_a_pod_that_is_stopped_is_asked_first() {
    let house = shipped();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let spawned = spawn(&mut tool, "b", "/w", "hello");
    let result = &spawned["result"];
    assert_eq!((&result["started"], &result["refusal"]), (&json!(true), &json!("")), "{spawned}");
    let stopped = run(&mut tool, "pod_stop", &json!({"pod_name": "b"}));
    assert_eq!(stopped["state"], "completed", "{stopped}");
    assert!(!alive(&result["pid"]));
    let exited = tool.until("pod_exited");
    assert_eq!(
        (&exited["exit_code"], exited.get("killed_by")),
        (&json!(0), None),
        "it was not killed"
    );
    until_known(&mut tool, &[]);
    // A pod that is too busy for its first message stays, and the asker is told.
    let busy = spawn(&mut tool, "c", "/w", "busy");
    assert_eq!(busy["state"], "completed", "{busy}");
    assert_eq!(busy["result"]["refusal"], "already_running");
    until_known(&mut tool, &["c"]);
}

/// bg_pods_a20: what was told of and answers nobody is stopped all the same.
#[test]
fn bg_pods_a20_a_pod_that_answers_nobody_is_stopped() {
    let house = shipped();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let spawned = spawn(&mut tool, "b", "/w", "spawned c /nowhere/sock []");
    assert_eq!(spawned["state"], "completed", "{spawned}");
    tool.until("pod_scope_sub_delegated");
    let recorded = |line: &Value| line["pod_name"] == "c";
    while !recorded(&tool.until("pod_recorded")) {}
    let stopped = run(&mut tool, "pod_stop", &json!({"pod_name": "c"}));
    assert_eq!(stopped["state"], "completed", "{stopped}");
    until_known(&mut tool, &["b"]);
}

/// bg_3_10_p5, bg_pods_a05, bg_pods_a21: a pod of a pod is known by its parent's report alone, told
/// once or twice. Nobody tells of its end; a sweep finds that it does not answer, and its scope is
/// its parent's again.
#[test]
fn bg_3_10_p5_an_end_that_nobody_reports_is_found_by_asking() {
    let house = shipped();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let socket = house.at("c.sock");
    let sub = UnixListener::bind(&socket).expect("room");
    let scope = write("/w/c");
    let told = format!("spawned c {} {scope}", socket.display());
    let spawned = spawn(&mut tool, "b", "/w", &told);
    assert_eq!(spawned["result"]["started"], true, "{spawned}");
    let recorded = |line: &Value| line["pod_name"] == "c" && line["created"] == true;
    while !recorded(&tool.until("pod_recorded")) {}
    let pods = listed(&mut tool, &["pod_name", "parent_pod", "callback", "state"]);
    assert_eq!(pods[1], json!(["c", "b", house.at("data/pods/b/sock"), "told"]));
    // Told again: nothing new.
    run(&mut tool, "say", &json!({"pod_name": "b", "text": told}));
    let again = tool.until("pod_recorded");
    assert_eq!((&again["pod_name"], &again["created"]), (&json!("c"), &json!(false)));
    let denied = |tool: &mut Peer| listed(tool, &["effective_write"])[0][0]["deny"].clone();
    assert_eq!(denied(&mut tool)[0]["target"], "/w/c");
    let swept = run(&mut tool, "pod_sweep", &json!({}));
    assert_eq!(swept["result"]["alive"], json!(["b", "c"]), "{swept}");

    drop(sub);
    let swept = run(&mut tool, "pod_sweep", &json!({}));
    assert_eq!(swept["result"]["unreachable"], json!(["c"]), "{swept}");
    until_known(&mut tool, &["b"]);
    assert_eq!(denied(&mut tool), json!([]));
    // Late news of it brings nothing back: nobody answers there.
    run(&mut tool, "say", &json!({"pod_name": "b", "text": told}));
    let late = tool.until("pod_recorded");
    assert_eq!((&late["created"], &late["tombstoned"]), (&json!(false), &json!(true)));
    while tool.until("pod_silent")["pod_name"] != "c" {}
    until_known(&mut tool, &["b"]);
}

/// bg_pods_a23: a launcher that comes back keeps who answers and forgets who does not.
#[test]
fn bg_pods_a23_who_does_not_answer_after_a_restart_is_forgotten() {
    let house = shipped();
    let launcher = house.launch();
    let mut tool = watcher(&house);
    let [a, b] = ["a", "b"].map(|name| spawn(&mut tool, name, &format!("/{name}"), ""));
    launcher.kill();
    let pid = b["result"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    kill(Pid::from_raw(pid.expect("a number")), Signal::SIGKILL).expect("it is ours");
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    until_known(&mut tool, &["a"]);
    assert!(alive(&a["result"]["pid"]));
    let next = spawn(&mut tool, "c", "/b", "");
    assert_eq!(next["state"], "completed", "{next}");
}
