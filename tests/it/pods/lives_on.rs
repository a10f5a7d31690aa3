//! Pods and launchers that end: pods outlive a launcher, the next one finds them, and what was on
//! its way is finished or undone.

use serde_json::json;

use super::{alive, house, listed, own_socket, run, stand_in, up, watcher, write};

/// bg_pods_a22, bg_pods_a23, bg_pods_a21: after a crash the pods that live are known and can be
/// used, and one that ended meanwhile is found to be gone.
#[test]
fn bg_pods_a22_pods_outlive_their_launcher_and_are_found_again() {
    let house = house();
    let launcher = house.launch();
    let mut tool = watcher(&house);
    let [a, b] = ["a", "b"].map(|name| up(&mut tool, name, "", &format!("/{name}"), "listens"));
    launcher.kill();
    assert!(alive(&a["result"]["pid"]) && alive(&b["result"]["pid"]));
    // Only this one's process ends while nobody looks.
    let pid = i32::try_from(b["result"]["pid"].as_i64().expect("a number")).expect("a pid");
    let signal = nix::sys::signal::Signal::SIGKILL;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("it is ours");
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    // It was told before this client heard anything, or is told now.
    let mut states = listed(&mut tool, &["pod_name", "state"]);
    while states[1] != json!(["b", "exited"]) {
        let exited = tool.until("pod_exited");
        assert_eq!((&exited["pod_name"], &exited["killed_by"]), (&json!("b"), &json!("unknown")));
        states = listed(&mut tool, &["pod_name", "state"]);
    }
    assert_eq!(states[0], json!(["a", "ready"]));
    let sent = run(&mut tool, "say", &json!({"pod_name": "a", "text": "hello"}));
    assert_eq!(sent["result"]["answer"], "by user_message");
    assert_eq!(tool.until("pod_turn_ended")["generation"], 1, "it reports where it always did");
    let down = run(&mut tool, "down", &json!({"pod_name": "a"}));
    assert_eq!(down["result"], json!({"killed": true, "removed": true}));
    assert!(!alive(&a["result"]["pid"]));
    let swept = run(&mut tool, "look", &json!({"reclaim": true}));
    assert_eq!(swept["result"]["reclaimed"], json!(["b"]));
}

/// A clean stop ends no pod, and takes the launcher's own socket away.
#[test]
fn a_clean_stop_ends_no_pod() {
    let house = house();
    let mut launcher = house.launch();
    let mut tool = watcher(&house);
    let pid = up(&mut tool, "b", "", "/w", "listens")["result"]["pid"].clone();
    launcher.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0));
    assert!(alive(&pid) && !own_socket(&house).exists());
    let _launcher = house.launch();
    let mut tool = watcher(&house);
    assert_eq!(listed(&mut tool, &["pod_name", "state"]), [json!(["b", "ready"])]);
    run(&mut tool, "down", &json!({"pod_name": "b"}));
    assert!(!alive(&pid));
}

/// bg_3_10_p14, [T4], [R2]: whatever the commit after which the launcher dies while a pod starts,
/// the pod runs once or not at all, and afterwards the registry and the processes agree.
#[test]
fn bg_3_10_p14_a_start_that_a_crash_interrupts_is_finished_once() {
    for commits in 1..=8 {
        let house = house();
        let Some(launcher) = house.launch_to_crash(commits) else { continue };
        let mut tool = house.peer();
        tool.say_register("tool", json!({}));
        let input = json!({
            "pod_name": "b", "scope": write("/w"), "argv": stand_in::argv("listens"),
        });
        tool.say(&json!({"cmd": "start_saga", "saga": "up", "input": input, "wait": true}));
        // It ends before the launcher dies, or with it.
        while tool.try_line().is_some_and(|line| line["event"] != "saga_result") {}
        launcher.kill();
        let _launcher = house.launch();
        let mut tool = watcher(&house);
        // What the crash left goes on by itself; what it never began is begun here.
        let again = run(&mut tool, "up", &input);
        let is_up = |pods: &[serde_json::Value]| {
            pods.first().is_some_and(|pod| pod[0] == "ready" && pod[1] == true)
        };
        let mut pods = listed(&mut tool, &["state", "recorded", "pid"]);
        while !is_up(&pods) {
            assert_eq!(again["state"], "failed", "another one starts it: {again}");
            tool.until("pod_recorded");
            pods = listed(&mut tool, &["state", "recorded", "pid"]);
        }
        assert!(pods.len() == 1 && alive(&pods[0][2]), "after {commits} commits");
        run(&mut tool, "down", &json!({"pod_name": "b"}));
        let socket = house.at("data/pods/b/sock");
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_err(), "after {commits}");
    }
}

/// bg_3_10_p11, [T4], [L1]: a removal that a crash interrupts is done afterwards, and no scope is
/// lost between forgetting a pod and freeing what it held: both are one.
#[test]
fn bg_3_10_p11_a_clean_up_that_a_crash_interrupts_leaks_nothing() {
    for commits in 1..=6 {
        let house = house();
        let launcher = house.launch();
        let pid = up(&mut watcher(&house), "b", "", "/w", "listens")["result"]["pid"].clone();
        launcher.kill();
        if let Some(launcher) = house.launch_to_crash(commits) {
            let mut tool = house.peer();
            tool.say_register("tool", json!({}));
            let down = json!({"pod_name": "b"});
            tool.say(&json!({"cmd": "start_saga", "saga": "down", "input": down, "wait": true}));
            while tool.try_line().is_some_and(|line| line["event"] != "saga_result") {}
            launcher.kill();
        }
        let _launcher = house.launch();
        let mut tool = watcher(&house);
        run(&mut tool, "down", &json!({"pod_name": "b"}));
        assert!(!alive(&pid), "after {commits} commits");
        assert!(listed(&mut tool, &["pod_name"]).is_empty(), "after {commits} commits");
        let next = up(&mut tool, "c", "", "/w", "listens");
        assert_eq!(next["state"], "completed", "after {commits} commits: {next}");
    }
}
