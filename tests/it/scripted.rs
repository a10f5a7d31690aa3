//! The agent to try with does what its message says: as a print-mode CLI, and as a pod.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Output, Stdio};

use serde_json::{Value, json};

use crate::cli::{package, sagaflow};

fn turn(args: &[&str], message: &str) -> Output {
    let mut command = sagaflow(package(), &["scripted-agent"]);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    writeln!(stdin, "{message}").expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn frames(did: &Output) -> Vec<Value> {
    let lines = String::from_utf8(did.stdout.clone()).expect("UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or(json!(line))).collect()
}

#[test]
fn a_turn_says_its_message_back_and_bears_its_session_on_each_frame() {
    let did = turn(&["--session", "s-1"], "hello\n!session s-2; again");
    assert_eq!(did.status.code(), Some(0));
    let told: Vec<_> = frames(&did)
        .iter()
        .map(|frame| (frame["type"].clone(), frame["session_id"].clone()))
        .collect();
    let expected =
        [("system", "s-1"), ("assistant", "s-1"), ("assistant", "s-2"), ("result", "s-2")];
    assert_eq!(told, expected.map(|(kind, id)| (json!(kind), json!(id))));
}

#[test]
fn a_session_is_gone_on_with_where_it_is_remembered() {
    let memory = tempfile::tempdir().expect("a scratch directory");
    let memory = memory.path().to_str().expect("UTF-8");
    turn(&["--memory", memory, "--session", "s-1"], "one");
    let second = turn(&["--memory", memory, "--resume", "s-1"], "two");
    assert_eq!(frames(&second)[0]["turn"], 2, "{second:?}");
    let lost = turn(&["--memory", memory, "--resume", "s-9"], "three");
    assert_eq!(lost.status.code(), Some(1));
    let only = &frames(&lost)[0];
    assert_eq!((&only["is_error"], &only["session_id"]), (&json!(true), &Value::Null));
}

#[test]
fn a_turn_ends_as_it_is_told() {
    let last = |did: &Output| frames(did).pop().unwrap_or_default();
    let did = turn(&[], "!exit 3");
    assert_eq!((did.status.code(), last(&did)["type"].clone()), (Some(3), json!("system")));
    let did = turn(&[], "!fail overloaded");
    assert_eq!((did.status.code(), last(&did)["is_error"].clone()), (Some(1), json!(true)));
    let did = turn(&[], "!error 401 unauthorized");
    assert_eq!((did.status.code(), last(&did)["is_error"].clone()), (Some(0), json!(true)));
    for (signal, number) in [("SIGKILL", 9), ("SIGSEGV", 11)] {
        assert_eq!(turn(&[], &format!("!crash {signal}")).status.signal(), Some(number));
    }
    let did = turn(&["--do", "!flood 200 50"], "!session; !torn and then");
    assert_eq!((did.status.code(), frames(&did).len()), (Some(0), 202));
    assert!(did.stdout.ends_with(b"and then"), "without a line's end");
    let did = turn(&[], "!stderr oh; !dance");
    assert_eq!((did.status.code(), did.stdout.len()), (Some(2), 0), "it begins with nothing");
}

/// A pod, ended with the test.
struct Alive(Child);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn pod(base: &Path, name: &str, callback: &Path) -> Alive {
    let mut command = sagaflow(package(), &["scripted-agent", "pod", "--name", name, "--socket"]);
    command.arg(base.join(name).join("sock")).arg("--callback").arg(callback);
    Alive(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the binary runs"))
}

/// A connection behind its snapshot.
fn connect(socket: &Path) -> (UnixStream, BufReader<UnixStream>) {
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle"));
    until(&mut lines, "snapshot");
    (stream, lines)
}

fn until(lines: &mut BufReader<UnixStream>, event: &str) -> Value {
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).expect("it is there") > 0, "no {event} came");
        let heard: Value = serde_json::from_str(&line).expect("an event");
        if heard["event"] == event {
            return heard;
        }
    }
}

fn say(stream: &mut UnixStream, method: &Value) {
    writeln!(stream, "{method}").expect("it reads");
}

/// The next report that a parent gets.
fn report(parent: &UnixListener) -> Value {
    let (mut stream, _) = parent.accept().expect("it reports");
    writeln!(stream, "{}", json!({"event": "snapshot", "data": {}})).expect("it reads");
    let mut line = String::new();
    stream.read_to_string(&mut line).expect("one line, and its end");
    let said: Value = serde_json::from_str(&line).expect("a method");
    assert_eq!(said["method"], "pod_event");
    said["params"].clone()
}

fn run(text: &str) -> Value {
    json!({"method": "run", "params": {"input": [{"kind": "text", "text": text}]}})
}

#[test]
fn a_pod_takes_methods_and_tells_its_parent() {
    let base = tempfile::tempdir().expect("a scratch directory");
    let parent = UnixListener::bind(base.path().join("up")).expect("room");
    let mut alive = pod(base.path(), "child", &base.path().join("up"));
    let (mut stream, mut lines) = connect(&base.path().join("child/sock"));
    say(&mut stream, &run("hello"));
    until(&mut lines, "user_message");
    until(&mut lines, "run_end");
    assert_eq!(report(&parent), json!({"kind": "turn_ended", "pod_name": "child"}));
    say(&mut stream, &run("!fail it broke"));
    let errored = json!({"kind": "errored", "pod_name": "child", "message": "it broke"});
    assert_eq!(report(&parent), errored);
    say(&mut stream, &run("!hang"));
    until(&mut lines, "user_message");
    say(&mut stream, &run("more"));
    assert_eq!(until(&mut lines, "error")["data"]["code"], "already_running");
    say(&mut stream, &json!({"method": "dance"}));
    assert_eq!(until(&mut lines, "error")["data"]["code"], "invalid_request");
    say(&mut stream, &json!({"method": "shutdown"}));
    assert_eq!(report(&parent), json!({"kind": "shut_down", "pod_name": "child"}));
    assert!(alive.0.wait().expect("it ends").success());
}

#[test]
fn a_pod_spawns_one_of_its_own_and_passes_on_what_that_delegates() {
    let base = tempfile::tempdir().expect("a scratch directory");
    let parent = UnixListener::bind(base.path().join("up")).expect("room");
    let _alive = pod(base.path(), "b", &base.path().join("up"));
    let (mut stream, _lines) = connect(&base.path().join("b/sock"));
    say(&mut stream, &run("!spawn c"));
    let reports = [report(&parent), report(&parent)];
    let said = reports.iter().find(|one| one["kind"] == "scope_sub_delegated");
    let said = said.expect("it tells of its own");
    assert_eq!((&said["parent_pod"], &said["sub_pod"]), (&json!("b"), &json!("c")));

    let (mut child, _heard) = connect(&base.path().join("c/sock"));
    say(&mut child, &run("!spawn d"));
    let said = loop {
        let said = report(&parent);
        if said["kind"] == "scope_sub_delegated" {
            break said;
        }
    };
    assert_eq!((&said["parent_pod"], &said["sub_pod"]), (&json!("b"), &json!("d")));
    for name in ["d", "c"] {
        let (mut own, _heard) = connect(&base.path().join(name).join("sock"));
        say(&mut own, &json!({"method": "shutdown"}));
        while base.path().join(name).join("sock").exists() {
            std::thread::yield_now();
        }
    }
}
