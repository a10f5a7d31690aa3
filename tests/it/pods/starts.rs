//! How pods begin and end, and what is left where one cannot begin.

use serde_json::json;

use super::{alive, house, listed, run, stand_in, up, watcher, write};

/// bg_pods_a24: it runs, it is known, and what it may write is not its owner's any more.
#[test]
fn bg_pods_a24_a_pod_is_reserved_started_and_recorded() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    assert_eq!(up(&mut tool, "a", "", "/w", "listens")["state"], "completed");
    let spawned = tool.until("pod_spawned");
    assert_eq!((&spawned["pod_name"], &spawned["generation"]), (&json!("a"), &json!(1)));
    let b = up(&mut tool, "b", "a", "/w/b", "listens")["result"].clone();
    assert!(alive(&b["pid"]));
    let pods = listed(&mut tool, &["pod_name", "owner", "state", "recorded", "pid"]);
    assert_eq!(pods[0], json!(["a", "", "ready", true, spawned["pid"]]));
    assert_eq!(pods[1], json!(["b", "a", "ready", true, b["pid"]]));
    let free = listed(&mut tool, &["effective_write"]);
    assert_eq!(free[0][0]["deny"][0]["target"], "/w/b");
    assert_eq!(free[1][0]["deny"], json!([]));
}

/// bg_pods_a26, bg_3_10_p4: nothing is left of a pod that does not come to listen, and its last
/// words are told.
#[test]
fn bg_pods_a26_a_pod_that_never_listens_leaves_nothing() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    up(&mut tool, "a", "", "/w", "listens");
    let died = up(&mut tool, "b", "a", "/w/b", "dies");
    assert_eq!(died["state"], "compensated", "{died}");
    let why = died["reason"].as_str().expect("words");
    assert!(why.contains("exit code 3") && why.contains("b has no luck"), "{why}");
    let deaf = json!({
        "pod_name": "b", "owner": "a", "scope": write("/w/b"), "argv": stand_in::argv("deaf"),
        "ready_timeout_ms": 300,
    });
    let late = run(&mut tool, "up", &deaf);
    assert_eq!(late["state"], "compensated", "{late}");
    let spawned = [tool.until("pod_spawned"), tool.until("pod_spawned"), tool.until("pod_spawned")];
    assert!(!alive(&spawned[1]["pid"]) && !alive(&spawned[2]["pid"]));
    assert_eq!(listed(&mut tool, &["pod_name"]), [json!(["a"])]);
    assert_eq!(listed(&mut tool, &["effective_write"])[0][0]["deny"], json!([]));
}

/// bg_pods_a25, bg_pods_a27: what is refused leaves no process and nothing reserved.
#[test]
fn bg_pods_a25_what_is_refused_leaves_nothing() {
    let house = house();
    house.write("a_file", "");
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let mut check = |changes: serde_json::Value, words: &str| {
        let mut input = json!({
            "pod_name": "b", "scope": write(house.dir.path().to_str().expect("UTF-8")),
            "argv": stand_in::argv("listens"),
        });
        let all = input.as_object_mut().expect("it is one");
        all.extend(changes.as_object().expect("it is one").clone());
        let told = run(&mut tool, "up", &input);
        let why = told["reason"].as_str().unwrap_or_else(|| panic!("{told}"));
        assert!(why.contains(words), "{why}");
        assert!(listed(&mut tool, &["pod_name"]).is_empty());
    };
    check(json!({"owner": "nobody"}), "unknown_owner");
    check(json!({"scope": []}), "bad_scope");
    check(json!({"cwd": "b"}), "`b` is not an absolute path");
    check(json!({"cwd": "/elsewhere"}), "does not let it read its cwd");
    check(json!({"cwd": house.at("missing")}), "the working directory");
    check(json!({"cwd": house.at("a_file")}), "the working directory");
    check(json!({"start_cwd": "b"}), "`b` is not an absolute path");
    check(json!({"argv": ["no-such-program-anywhere"]}), "there is no program");
}

/// bg_pods_a33: what nobody reserved is not started.
#[test]
fn bg_pods_a33_a_pod_that_nobody_reserved_is_not_started() {
    let house = super::House::with(&[(
        "sagas/bare.saga.yaml",
        "saga: bare\ntrigger: { call: {} }\neviction: { policy: parallel }\ntimeout: none\nsteps:\n  \
         - id: start\n    issue: start_pod\n    with: { pod_name: b, argv: [sleep, \"60\"] }\n    \
         await: { echo: pod_ready }\n    fail_on: [{ echo: pod_start_failed, reason: \"${{ event.reason }}\" }]\n    \
         timeout: 2m\n",
    )]);
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let told = run(&mut tool, "bare", &json!({}));
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("reserved")), "{told}");
}

/// bg_pods_a19, bg_pods_a20: a pod is ended with all of its group, and again without harm.
#[test]
fn bg_pods_a19_a_pod_that_is_ended_is_gone_and_holds_nothing() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let pid = up(&mut tool, "b", "", "/w", "listens")["result"]["pid"].clone();
    let down = run(&mut tool, "down", &json!({"pod_name": "b"}));
    assert_eq!(down["result"], json!({"killed": true, "removed": true}));
    assert!(!alive(&pid));
    let exited = tool.until("pod_exited");
    assert_eq!((&exited["pod_name"], &exited["killed_by"]), (&json!("b"), &json!("kill")));
    assert_eq!(exited["exit_code"], -1);
    let again = run(&mut tool, "down", &json!({"pod_name": "b"}));
    assert_eq!(again["result"], json!({"killed": false, "removed": false}));
    assert!(listed(&mut tool, &["pod_name"]).is_empty());
}

/// [T2]: the process of an earlier bearer of a name is not that of the next one, though it listens
/// where that one is to listen.
#[test]
fn a_bearer_is_not_started_beside_one_before_it() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let pid = up(&mut tool, "b", "", "/w", "listens")["result"]["pid"].clone();
    let forgotten = run(&mut tool, "down", &json!({"pod_name": "b", "end": false}));
    assert_eq!(forgotten["result"], json!({"killed": false, "removed": true}));
    let next = json!({
        "pod_name": "b", "scope": write("/w"), "argv": stand_in::argv("listens"),
        "ready_timeout_ms": 300,
    });
    let refused = run(&mut tool, "up", &next);
    let why = refused["reason"].as_str().unwrap_or_else(|| panic!("{refused}"));
    assert!(why.contains("bearer 1 of its name still runs"), "{why}");
    assert!(alive(&pid) && listed(&mut tool, &["pod_name"]).is_empty());
    let ended = run(&mut tool, "down", &json!({"pod_name": "b"}));
    assert_eq!(ended["result"], json!({"killed": true, "removed": false}));
    assert!(!alive(&pid));
    assert_eq!(up(&mut tool, "b", "", "/w", "listens")["result"]["generation"], 3);
}

/// [T2]: what a process tells is of the bearer that it is, also when its name has a next one; that
/// one is started when the process is gone.
#[test]
fn what_an_earlier_bearer_tells_is_not_of_the_next() {
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    let pid = up(&mut tool, "b", "", "/w", "listens")["result"]["pid"].clone();
    run(&mut tool, "down", &json!({"pod_name": "b", "end": false}));
    let next = json!({"pod_name": "b", "scope": write("/w"), "argv": stand_in::argv("listens")});
    tool.say(&json!({"cmd": "start_saga", "saga": "up", "input": next}));
    while tool.until("pod_reserved")["generation"] != 2 {}
    let word = json!({"pod_name": "b", "method": "shutdown"});
    tool.say(&json!({"cmd": "start_saga", "saga": "say", "input": word}));
    assert_eq!(tool.until("pod_shut_down")["generation"], 1);
    let mut ready = tool.until("pod_ready");
    while ready["generation"] != 2 {
        ready = tool.until("pod_ready");
    }
    assert!(ready["pid"] != pid && alive(&ready["pid"]) && !alive(&pid), "{ready}");
}

/// bg_pods_a34: nobody else looks into a pod's directory or speaks to the launcher among pods.
#[test]
fn bg_pods_a34_sockets_of_pods_are_their_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = house();
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    assert!(!super::own_socket(&house).exists(), "who has no pods needs no socket");
    up(&mut tool, "b", "", "/w", "listens");
    let mode = |path: &str| {
        let found = house.at(path).symlink_metadata().expect("it is there");
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode("data/pods"), mode("data/pods/pods.sock")), (0o700, 0o600));
    assert_eq!((mode("data/pods/b"), mode("data/pods/b/stderr.log")), (0o700, 0o600));
}
