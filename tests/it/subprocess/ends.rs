//! How turns are ended: asked, then made to, with all that they started.

use serde_json::{Value, json};

use super::Stage;

fn ended(stage: &mut Stage, block: &str) -> Vec<Value> {
    stage.told(block, &["turn_ended"])
}

/// Whether no process of the turns runs any more: looked at until it is so.
fn all_gone(stage: &Stage) {
    assert_eq!(stage.running(), [0; 0], "told to be gone, and not gone");
}

#[test]
fn bg_b05_bg_b24_a_block_without_a_turn_stops_at_once() {
    let mut stage = Stage::new();
    assert!(!stage.end("stop", "unknown"));
    assert!(!stage.end("forget", "unknown"));
    stage.run("b", "true");
    assert!(!stage.end("stop", "b"));
    let status = stage.told("b", &["controller_status"]);
    assert_eq!(status.last().expect("it ran")["status"], "done");
}

#[test]
fn bg_b36_a_turn_that_is_stopped_is_no_failure_and_has_no_code() {
    let mut stage = Stage::new();
    // It takes its time to go, and goes well.
    let saga =
        stage.shell("b", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    stage.until(&saga, "turn_output");
    assert!(stage.end("stop", "b"));
    stage.until(&saga, "saga_completed");
    let ended = ended(&mut stage, "b").remove(0);
    assert_eq!((&ended["exit_code"], &ended["killed_by"]), (&json!(-1), &json!("stop")));
    assert_eq!(ended["failure"], "");
    assert_eq!(stage.lines("b"), ["up", "bye"], "what it says at its end is told");
    all_gone(&stage);
}

#[test]
fn bg_b04_who_does_not_listen_is_killed_with_all_that_it_started() {
    let mut stage = Stage::new();
    let deaf = "trap '' TERM; (trap '' TERM; sleep 600) & echo up; while :; do sleep 0.05; done";
    let mut input = stage.input("b", deaf);
    input["grace_ms"] = json!(100);
    let saga = stage.start("turn", &input);
    stage.until(&saga, "turn_output");
    assert!(stage.end("stop", "b"));
    all_gone(&stage);
}

#[test]
fn bg_b33_bg_3_10_p9_a_stop_that_comes_before_the_process_is_kept() {
    for _ in 0..10 {
        let mut stage = Stage::new();
        let saga = stage.shell("b", "sleep 600");
        // No line is waited for: the stop meets the turn wherever it is.
        stage.end("stop", "b");
        let ended = stage.until(&saga, "turn_ended");
        assert_eq!(ended["killed_by"], "stop");
        stage.until(&saga, "saga_completed");
        all_gone(&stage);
    }
}

#[test]
fn bg_b32_a_stop_ends_one_turn_and_the_queue_goes_on() {
    let mut stage = Stage::new();
    let first = stage.shell("b", "sleep 600");
    let second = stage.shell("b", "echo two");
    stage.until(&first, "turn_started");
    assert!(stage.end("stop", "b"));
    stage.until(&first, "saga_completed");
    stage.until(&second, "saga_completed");
    assert_eq!(stage.lines("b"), ["two"]);
}

#[test]
fn a_cancelled_turn_is_ended_by_its_undo() {
    let mut stage = Stage::new();
    let saga = stage.shell("b", "sleep 600");
    stage.until(&saga, "turn_started");
    stage.ask(json!({"cmd": "signal_saga", "saga_id": saga, "signal": "cancel"}));
    assert_eq!(stage.until(&saga, "saga_failed")["state"], "compensated");
    all_gone(&stage);
    assert_eq!(ended(&mut stage, "b")[0]["killed_by"], "stop");
}

#[test]
fn many_stops_of_one_turn_are_all_answered_when_it_is_gone() {
    let mut stage = Stage::new();
    let saga = stage.shell("b", "sleep 600");
    stage.until(&saga, "turn_started");
    let stops: Vec<_> = (0..5).map(|_| stage.start("stop", &json!({"block": "b"}))).collect();
    for stop in &stops {
        stage.until(stop, "saga_completed");
    }
    all_gone(&stage);
    assert_eq!(ended(&mut stage, "b").len(), 1);
}

#[test]
fn what_a_turn_leaves_behind_ends_with_it() {
    let mut stage = Stage::new();
    // One holds its pipes, one does not.
    let ended = stage.run("b", "sleep 600 & sleep 600 >/dev/null 2>&1 & echo parent; exit 0");
    assert_eq!(ended["exit_code"], 0);
    assert_eq!(stage.lines("b"), ["parent"]);
    all_gone(&stage);
}

#[test]
fn what_left_its_group_and_holds_the_pipes_does_not_hold_the_turn() {
    let mut stage = Stage::new();
    let escape = "setsid sh -c 'echo $$; while :; do echo more; sleep 0.01; done' & exit 0";
    let ended = stage.run("b", escape);
    assert_eq!(ended["exit_code"], 0);
    // It was no part of the turn any more; the test started it, so the test ends it.
    for pid in stage.running() {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a process id"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
    }
}

#[test]
fn a_signal_of_a_stranger_is_told_as_one() {
    let mut stage = Stage::new();
    let ended = stage.run("b", "kill -9 $$");
    assert_eq!((&ended["exit_code"], &ended["killed_by"]), (&json!(-1), &json!("signal")));
    assert_eq!(ended["failure"], "killed");
}

#[test]
fn the_last_complaints_are_in_the_end() {
    let mut stage = Stage::new();
    let ended =
        stage.run("b", "i=0; while [ $i -lt 100 ]; do echo $i >&2; i=$((i+1)); done; exit 1");
    let expected: Vec<_> = (60..100).map(|n: u32| n.to_string()).collect();
    assert_eq!(ended["stderr_tail"], expected.join("\n"));
}

#[test]
fn a_message_that_nobody_reads_holds_nobody() {
    let mut stage = Stage::new();
    let mut input = stage.input("b", "exit 0");
    input["message"] = json!("x".repeat(300_000));
    let saga = stage.start("turn", &input);
    assert_eq!(stage.until(&saga, "turn_ended")["exit_code"], 0);
}

#[test]
fn a_message_is_whole_and_its_end_is_told() {
    let mut stage = Stage::new();
    let mut input = stage.input("b", "cat | wc -c");
    input["message"] = json!("x".repeat(300_000));
    let saga = stage.start("turn", &input);
    stage.until(&saga, "saga_completed");
    assert_eq!(stage.lines("b")[0].trim(), "300001");
}
