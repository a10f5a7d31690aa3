//! The shipped sagas of turns and pods with real processes, and what their guides have typed. The
//! agent is the scripted one.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::live::{Launcher, Stage};
use super::pages::type_in;
use super::{is_of_built_in, package};
use crate::blocks::block;

/// Looks at a fact so often, at most.
const LOOKS_MAX: usize = 20_000;

/// A directory with the shipped sagas of turns and pods, and a `claude` that plays.
fn stage() -> Stage {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(package().join("sagas")).expect("they are shipped") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        if is_of_built_in(&name) || name == "agents.catalog.yaml" {
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            files.push((format!("sagas/{name}"), text));
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    Stage::of_its_own(&files)
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_sagaflow")
}

/// Types a block of a guide; what it printed. The real agent gives way to the scripted one.
fn typed(stage: &Stage, key: (&str, &str)) -> String {
    let here = stage.here.path().to_str().expect("UTF-8");
    let text = block(key).text;
    let text = text.replace(r#""claude""#, &format!(r#""{}", "scripted-agent""#, binary()));
    let text = text.replace(r#"["sagaflow""#, &format!(r#"["{}""#, binary()));
    let text = text.replace("/home/me", here);
    let did = type_in(stage.here.path(), &text);
    assert_eq!(did.exit, 0, "{text}\n{}{}", did.stdout, did.stderr);
    did.stdout
}

/// Looks until something is so.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::yield_now();
    }
    panic!("it never came to be");
}

fn sagas(stage: &Stage) -> Vec<Value> {
    stage.run(&["ps", "--json"]).json().as_array().expect("a list").clone()
}

/// The states of all sagas of that name, in their order, once all of them are over.
fn ends(stage: &Stage, name: &str) -> Vec<String> {
    until(|| {
        let mut own: Vec<Value> = sagas(stage).into_iter().filter(|s| s["name"] == name).collect();
        own.sort_by_key(|saga| saga["saga_id"].as_u64());
        let over = own.iter().all(|saga| !saga["ended_at"].is_null());
        let state = |saga: &Value| saga["state"].as_str().expect("a word").to_owned();
        over.then(|| own.iter().map(state).collect())
    })
}

fn turn(stage: &Stage, message: &str, more: &[&str]) -> super::Did {
    let argv = format!("argv={}", json!([binary(), "scripted-agent"]));
    let message = format!("message={}", json!(message));
    let args = ["start", "agent_turn", "block_id=docs", &argv, &message];
    stage.run(&args.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn what_the_guide_of_agents_has_typed_happens() {
    let stage = stage();
    let _launcher = stage.launcher();
    let first = "sagaflow start agent_turn block_id=docs message='What is in this directory?' \\";
    let said = typed(&stage, ("docs/guide/agents.md", first));
    assert!(said.contains(r#""exit_code":0"#), "{said}");
    assert!(said.contains("What is in this directory?"), "as the agent said it: {said}");
    assert!(said.contains("docs"), "the block: {said}");

    for _ in 0..3 {
        assert_eq!(turn(&stage, "!hang", &[]).exit, 0);
    }
    until(|| stage.run(&["output", "docs"]).stdout.contains("hanging").then_some(()));
    let stop = "sagaflow emit agent_stop_requested block_id=docs";
    typed(&stage, ("docs/guide/agents.md", stop));
    let ends = ends(&stage, "agent_turn");
    // The second request may find the first turn still ending, or the next one running.
    let fine = ["completed", "compensated", "failed"];
    assert!(ends[1..3].iter().all(|end| fine.contains(&&**end)), "{ends:?}");
    assert_eq!(ends[3], "failed", "it never began");
    assert_eq!(turn(&stage, "still here", &["--wait"]).exit, 0);
}

#[test]
fn a_turn_that_fails_says_how_and_the_next_one_has_its_turn() {
    let stage = stage();
    let _launcher = stage.launcher();
    for (message, reason) in [
        ("!exit 3", "exit code"),
        ("!fail API Error: 429 rate limit", "rate_limited"),
        ("!error API Error: 401 unauthorized", "auth"),
        ("!crash SIGKILL", "killed"),
    ] {
        let did = turn(&stage, message, &["--wait"]);
        assert_eq!(did.exit, 1, "{message}: {}", did.stdout);
        let said = did.stderr.contains(reason) || reason == "exit code";
        assert!(said, "{message}: {}", did.stderr);
    }
    let args = ["start", "agent_turn", "block_id=docs", "argv=[\"no-such-agent\"]", "message=hi"];
    let did = stage.run(&[&args[..], &["--wait"]].concat());
    assert_eq!(did.exit, 1);
    assert!(did.stderr.contains("the turn did not begin"), "{}", did.stderr);
    assert_eq!(turn(&stage, "well", &["--wait"]).exit, 0);
}

fn pods(stage: &Stage) -> Vec<Value> {
    stage.run(&["pods", "--json"]).json().as_array().expect("a list").clone()
}

fn names(stage: &Stage) -> Vec<String> {
    let name = |pod: Value| pod["pod_name"].as_str().expect("a name").to_owned();
    pods(stage).into_iter().map(name).collect()
}

fn spawn(stage: &Stage, name: &str, message: &str) -> i32 {
    let words = ["{name}", "{socket}", "{callback}"];
    let argv = json!([
        binary(),
        "scripted-agent",
        "pod",
        "--name",
        words[0],
        "--socket",
        words[1],
        "--callback",
        words[2],
    ]);
    let target = stage.here.path().join(name);
    let scope = json!([{"target": target, "permission": "write", "recursive": true}]);
    let pairs = [
        format!("pod_name={name}"),
        format!("argv={argv}"),
        format!("scope={scope}"),
        format!("message={}", json!(message)),
        "--wait".to_owned(),
        "--json".to_owned(),
    ];
    let args = ["start", "pod_spawn"].into_iter().chain(pairs.iter().map(String::as_str));
    let did = stage.run(&args.collect::<Vec<_>>());
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    let pid = did.json()["result"]["pid"].as_i64().expect("a process id");
    i32::try_from(pid).expect("a process id")
}

fn stop(stage: &Stage, name: &str) {
    let did = stage.run(&["start", "pod_stop", &format!("pod_name={name}"), "--wait"]);
    assert_eq!(did.exit, 0, "{name}: {}{}", did.stdout, did.stderr);
}

#[test]
fn what_the_guide_of_pods_has_typed_happens() {
    let stage = stage();
    let _launcher = stage.launcher();
    let first = "sagaflow start pod_spawn pod_name=writer message='Begin with the index.' \\";
    let said = typed(&stage, ("docs/guide/pods.md", first));
    assert!(said.contains(r#""started":true"#), "{said}");
    assert!(said.contains("writer ") && said.contains(" ready "), "as `pods` lists it: {said}");
    assert_eq!(names(&stage), Vec::<String>::new());
}

#[test]
fn a_pod_that_dies_is_forgotten_and_what_it_spawned_is_not() {
    let stage = stage();
    let _launcher = stage.launcher();
    let pid = spawn(&stage, "b", "!spawn c");
    until(|| (names(&stage) == ["b", "c"]).then_some(()));
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
    until(|| (names(&stage) == ["c"]).then_some(()));
    assert_eq!(ends(&stage, "pod_cleanup"), ["completed"]);
    spawn(&stage, "b", "");
    assert_eq!(pods(&stage)[0]["generation"], 2, "the name is free, and borne anew");
    stop(&stage, "b");
    stop(&stage, "c");
    assert_eq!(names(&stage), Vec::<String>::new());
}

#[test]
fn pods_outlive_their_launcher_and_the_next_one_looks_after_them() {
    let stage = stage();
    let mut launcher: Launcher = stage.launcher();
    let dies = spawn(&stage, "dies", "");
    spawn(&stage, "lives", "");
    launcher.process.signal(Signal::SIGKILL);
    kill(Pid::from_raw(dies), Signal::SIGKILL).expect("it runs");
    let _next = stage.launcher();
    until(|| (names(&stage) == ["lives"]).then_some(()));
    assert_eq!(ends(&stage, "registry_restore"), ["completed"]);
    let swept = sagas(&stage).into_iter().find(|saga| saga["name"] == "pod_sweep");
    assert_eq!(swept.expect("it was called")["result"]["alive"], json!(["lives"]));
    stop(&stage, "lives");
}
