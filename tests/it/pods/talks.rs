//! What is sent to pods, and what they report.

use serde_json::{Value, json};

use super::stand_in::{say, tell};
use super::{house, listed, own_socket, run, up, watcher};

/// bg_pods_a17, bg_pods_a16: a run is taken, refused, or nobody is there to take it.
#[test]
fn bg_pods_a17_a_pod_says_whether_it_took_what_it_was_sent() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    up(&mut tool, "b", "", "/w", "listens");
    let mut send = |name: &str, text: &str| {
        let told = run(&mut tool, "say", &json!({"pod_name": name, "text": text}));
        told["result"]["answer"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    assert_eq!(send("b", "hello"), "by user_message");
    assert_eq!(send("b", "busy"), "already_running: a run was delivered");
    assert!(send("who", "hello").starts_with("unknown_pod: "));
    // bg_pods_a07: that its turn ended is told, and changes nothing that is known.
    let ended = tool.until("pod_turn_ended");
    assert_eq!((&ended["pod_name"], &ended["generation"]), (&json!("b"), &json!(1)));
    assert_eq!(ended["text"], "pod `b` ended its turn");
    assert_eq!(listed(&mut tool, &["pod_name", "state"]), [json!(["b", "ready"])]);
}

/// bg_pods_a06, bg_pods_a09: a pod tells of one of its own; its report is no agent's affair.
#[test]
fn bg_pods_a06_what_a_pod_spawned_is_reported_with_its_scope() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    up(&mut tool, "b", "", "/w", "listens");
    let text = r#"spawned c /run/c/sock [{"target":"/w/c/","permission":"write"}]"#;
    run(&mut tool, "say", &json!({"pod_name": "b", "text": text}));
    let told = tool.until("pod_scope_sub_delegated");
    let rule = json!({"target": "/w/c", "permission": "write", "recursive": true});
    assert_eq!((&told["parent_pod"], &told["scope"][0]), (&json!("b"), &rule));
    assert_eq!((&told["pod_name"], &told["sub_pod"]), (&json!("c"), &json!("c")));
    assert_eq!((&told["generation"], &told["text"]), (&json!(0), &json!("")));
}

/// bg_pods_a03, bg_pods_a02: who has no parent tells nobody, and nothing comes of it.
#[test]
fn bg_pods_a03_a_launcher_without_a_parent_tells_nobody() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let told = run(&mut tool, "tell", &json!({"pod_event": "turn_ended"}));
    assert_eq!(told["state"], "completed", "{told}");
}

/// bg_pods_a06: a launcher that is a pod tells its parent what its pods spawned, as its own child
/// sees it: each level names itself. A word that cannot be told is one that is dropped.
#[test]
fn bg_pods_a06_a_launcher_that_is_a_pod_tells_its_own_parent() {
    let mut house = house();
    let settings = format!(
        "pods: {{ name: lead, runtime_dir: {0}/run/pods, parent_socket: {0}/parent }}\n",
        house.dir.path().display()
    );
    house.write("launcher.yaml", &settings);
    house.args = ["--config", "launcher.yaml"].map(str::to_owned).to_vec();
    let _launcher = house.launch();
    assert!(house.at("run/pods/pods.sock").exists(), "who says where listens from the start");
    let mut tool = watcher(&house);
    let delegated = json!({
        "pod_event": "scope_sub_delegated", "sub_pod": "c", "scope": super::write("/w/c"),
    });
    // Nobody listens there yet.
    assert_eq!(run(&mut tool, "tell", &delegated)["state"], "completed");
    let parent = std::os::unix::net::UnixListener::bind(house.at("parent")).expect("room");
    for (input, expected) in [
        (
            delegated,
            json!({
                "kind": "scope_sub_delegated", "parent_pod": "lead", "sub_pod": "c",
                "sub_socket": "/run/sub/sock",
                "scope": [{"target": "/w/c", "permission": "write", "recursive": true}],
            }),
        ),
        (
            json!({"pod_event": "errored", "message": "no way"}),
            json!({
                "kind": "errored", "pod_name": "lead", "message": "no way",
            }),
        ),
        (json!({"pod_event": "shut_down"}), json!({"kind": "shut_down", "pod_name": "lead"})),
    ] {
        // It is told when the parent has heard it, and the saga goes on then.
        tool.say(&json!({"cmd": "start_saga", "saga": "tell", "input": input, "wait": true}));
        assert_eq!(heard(&parent)["params"], expected);
        assert_eq!(tool.until("saga_result")["state"], "completed");
    }
}

/// The next line that a pod's parent is told.
fn heard(parent: &std::os::unix::net::UnixListener) -> Value {
    use std::io::{BufRead as _, Write as _};
    let (mut stream, _) = parent.accept().expect("somebody tells");
    stream.set_read_timeout(Some(super::FOR_EVER)).expect("it is not zero");
    stream.write_all(b"{\"event\":\"snapshot\"}\n").expect("it listens");
    let mut line = String::new();
    std::io::BufReader::new(stream).read_line(&mut line).expect("a line");
    serde_json::from_str(&line).expect("JSON")
}

/// A pod that shuts down says so before it ends; both carry the bearer that it was.
#[test]
fn a_pod_that_shuts_down_says_so_and_exits() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    up(&mut tool, "b", "", "/w", "listens");
    run(&mut tool, "say", &json!({"pod_name": "b", "method": "shutdown"}));
    let down = tool.until("pod_shut_down");
    let exited = tool.until("pod_exited");
    assert_eq!((&down["generation"], &exited["generation"]), (&json!(1), &json!(1)));
    assert_eq!((&exited["exit_code"], exited.get("killed_by")), (&json!(0), None));
    assert_eq!(exited["text"], "the process of pod `b` is gone: exit code 0");
    // bg_pods_a08: gone is not forgotten; that is for who relies on it.
    assert_eq!(listed(&mut tool, &["pod_name", "state"]), [json!(["b", "exited"])]);
    // A sweep finds that it holds what nobody uses, and frees that alone.
    let swept = run(&mut tool, "look", &json!({"reclaim": true, "probe": "b"}));
    assert_eq!(swept["result"]["reclaimed"], json!(["b"]));
    assert_eq!(swept["result"]["alive"], false);
    let pods = listed(&mut tool, &["pod_name", "recorded", "holds"]);
    assert_eq!(pods, [json!(["b", true, false])]);
}

/// bg_pods_a12: the words of a turn that failed come through, whatever they are.
#[test]
fn what_pods_report_is_bounded_and_what_is_no_report_is_refused() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    up(&mut tool, "b", "", "/w", "listens");
    let socket = own_socket(&house);
    let long = "no\n".repeat(20_000);
    let errored = json!({"kind": "errored", "pod_name": "b", "message": long});
    assert_eq!(tell(&socket, &errored), None);
    let told = tool.until("pod_errored");
    let message = told["message"].as_str().expect("words");
    assert!(message.starts_with("no\nno") && message.len() < 20_000);
    let text = told["text"].as_str().expect("a line");
    assert!(text.starts_with("pod `b` failed: no no") && !text.contains('\n'));
    for (line, words) in [
        ("rubbish", "no method"),
        (r#"{"method":"run","params":{}}"#, "`run` is not taken here"),
        (r#"{"method":"pod_event","params":{"kind":"born"}}"#, "no pod event `born`"),
    ] {
        let answer = say(&socket, line).expect("it is refused in words");
        assert_eq!(answer["data"]["code"], "invalid_request");
        let message = answer["data"]["message"].as_str().expect("words");
        assert!(message.contains(words), "{message}");
    }
    // A connection outlives a line that is refused.
    let two = format!("rubbish\n{}", report("turn_ended"));
    assert!(say(&socket, &two).is_some());
    assert_eq!(tool.until("pod_turn_ended")["pod_name"], "b");
}

fn report(kind: &str) -> Value {
    json!({"method": "pod_event", "params": {"kind": kind, "pod_name": "b"}})
}
