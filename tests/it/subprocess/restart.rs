//! Turns and launchers that end: what is lost is said, and nothing runs twice.

use nix::sys::signal::Signal;
use serde_json::json;

use super::Stage;

/// [T1], [T4]
#[test]
fn t1_a_turn_that_its_launcher_lost_is_over_at_the_next_start() {
    let mut stage = Stage::new();
    let saga = stage.shell("b", "trap '' TERM; sleep 600 & echo up; wait; sleep 600");
    let waiting = stage.shell("b", "echo next");
    stage.until(&saga, "turn_output");
    stage.crash();
    stage.until(&waiting, "saga_completed");
    let ended = stage.told("b", &["turn_ended"]);
    assert_eq!(ended.len(), 2);
    assert_eq!((&ended[0]["killed_by"], &ended[0]["exit_code"]), (&json!("launcher"), &json!(-1)));
    assert_eq!((&ended[0]["saga_id"], &ended[0]["generation"]), (&saga, &json!(1)));
    assert_eq!(stage.lines("b"), ["up", "next"]);
    let statuses = stage.told("b", &["controller_status"]);
    let versions: Vec<_> = statuses.iter().map(|one| one["status_version"].clone()).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    assert_eq!(stage.running(), [0; 0]);
}

/// [L8], [T1]: what a turn says at a clean stop is told, and so is its end; what waited behind it
/// is the next launcher's.
#[test]
fn a_clean_stop_tells_how_turns_ended_and_begins_none() {
    let mut stage = Stage::new();
    let saga =
        stage.shell("b", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    let waiting = stage.shell("b", "echo next");
    stage.until(&saga, "turn_output");
    stage.launcher.signal(Signal::SIGTERM);
    stage.until(&saga, "saga_completed");
    assert_eq!(stage.launcher.wait(), Some(0), "{}", stage.launcher.said());
    assert_eq!(stage.running(), [0; 0]);
    stage.launcher = stage.house.launch();
    stage.listen();
    let again = stage.shell("b", "echo again");
    stage.until(&again, "saga_completed");
    let ended = stage.told("b", &["turn_ended"]);
    assert_eq!((ended.len(), &ended[0]["killed_by"]), (3, &json!("launcher")));
    assert_eq!((&ended[1]["saga_id"], &ended[1]["exit_code"]), (&waiting, &json!(0)));
    assert_eq!(stage.lines("b"), ["up", "bye", "next", "again"]);
}

/// Whatever the commit after which the launcher dies, the message is given to nobody or to one
/// process, and that is said.
fn crash_at_any_commit(saga: &str) {
    let mut begun = 0;
    for commits in 1..=9 {
        let house = super::house();
        let Some(launcher) = house.launch_to_crash(commits) else { continue };
        let mut tool = house.peer();
        tool.say_register("tool", json!({}));
        // What it does is told by a file, whoever listens.
        let trace = house.at("trace");
        let script = format!("cat >>{}", trace.display());
        let input = json!({
            "block": "b", "argv": ["sh", "-c", script], "message": "m",
            "env": {"HOUSE": house.dir.path()}
        });
        tool.say(&json!({"cmd": "start_saga", "saga": saga, "input": input}));
        while tool.try_line().is_some_and(|line| line["event"] != "turn_ended") {}
        drop(launcher);
        let mut stage = Stage::of(house);
        // Whoever stops it hears when the block is at rest, whatever was resumed before.
        stage.end("stop", "b");
        let runs = std::fs::read_to_string(&trace).unwrap_or_default().lines().count();
        let lost = stage.told("b", &["turn_ended"]);
        let lost = lost.iter().filter(|one| one.get("killed_by").is_some()).count();
        let asked = stage.told_of_all(&["saga_started"]).len() - 1;
        assert!(runs <= 1, "after {commits} commits it ran {runs} times");
        assert!(runs + lost >= asked, "after {commits} commits: {runs} runs, {lost} lost");
        assert_eq!(stage.running(), [0; 0]);
        begun += runs;
    }
    assert!(begun > 1, "no turn ran at all");
}

/// [T4], [R2]
#[test]
fn t4_a_crash_at_any_commit_runs_no_turn_twice_and_loses_none_without_saying_so() {
    crash_at_any_commit("turn");
}

/// [P5]
#[test]
fn p5_a_turn_that_nobody_awaits_is_owed_until_it_is_claimed() {
    crash_at_any_commit("fire");
}

#[test]
fn a_second_launcher_takes_over_what_the_first_one_lost_once_only() {
    let mut stage = Stage::new();
    let saga = stage.shell("b", "sleep 600");
    stage.until(&saga, "turn_started");
    stage.crash();
    stage.crash();
    let last = stage.shell("b", "true");
    stage.until(&last, "saga_completed");
    let ended = stage.told("b", &["turn_ended"]);
    let lost: Vec<_> = ended.iter().filter(|one| one["killed_by"] == "launcher").collect();
    assert_eq!(lost.len(), 1, "{lost:#?}");
}
