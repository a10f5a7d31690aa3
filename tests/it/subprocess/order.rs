//! What is said of turns, and in which order.

use serde_json::{Value, json};

use super::Stage;
use crate::process::names;

const ALL: &[&str] = &[
    "turn_claimed",
    "turn_started",
    "agent_message_accepted",
    "turn_output",
    "session_captured",
    "turn_ended",
    "turn_spawn_failed",
    "controller_status",
    "turn_health",
    "turn_stopped",
    "block_forgotten",
];

fn statuses(stage: &mut Stage, block: &str) -> Vec<(u64, String)> {
    let told = stage.told(block, &["controller_status"]);
    let version = |one: &Value| one["status_version"].as_u64().expect("a number");
    let word = |one: &Value| one["status"].as_str().expect("a word").to_owned();
    told.iter().map(|one| (version(one), word(one))).collect()
}

/// [T1], [T4]
#[test]
fn bg_b35_t1_a_turn_is_told_from_its_claim_to_its_end_in_one_order() {
    let mut stage = Stage::new();
    let mut input = stage.input("b", "cat; printf 'last without an end'; exit 3");
    input["message"] = json!("{\"type\":\"echo\",\"session_id\":\"s1\"}");
    input["message_id"] = json!("m1");
    let saga = stage.start("turn", &input);
    stage.until(&saga, "saga_completed");
    let told = stage.told("b", ALL);
    let expected = [
        "turn_claimed",
        "turn_started",
        "agent_message_accepted",
        "controller_status",
        "turn_health",
        "turn_output",
        "session_captured",
        "turn_output",
        "turn_health",
        "controller_status",
        "turn_ended",
    ];
    assert_eq!(names(&told), expected);
    assert!(told.iter().all(|one| one["saga_id"] == saga && one["step"] == "run"));
    assert!(told.iter().all(|one| one["generation"] == 1));
    assert_eq!(told[1]["pid"], told[0]["pid"]);
    assert_eq!(told[2]["message_id"], "m1");
    assert_eq!((&told[5]["frame_type"], &told[5]["offset"]), (&json!("echo"), &json!(0)));
    assert_eq!(told[6]["session_id"], "s1");
    assert_eq!(told[7]["line"], "last without an end");
    let ended = &told[10];
    assert_eq!((&ended["exit_code"], &ended["session_id"]), (&json!(3), &json!("s1")));
    assert_eq!(ended["failure"], "unknown_non_zero");
    assert_eq!(ended.get("killed_by"), None);
}

/// [P10]: whatever the machine does, the end is told after the last line.
#[test]
fn bg_b35_bg_3_10_p10_an_end_never_overtakes_the_last_line() {
    let mut stage = Stage::new();
    let turns: Vec<_> = (0..20)
        .map(|n| {
            let script = format!("i=0; while [ $i -lt {} ]; do echo $i; i=$((i+1)); done", n * 37);
            stage.shell(&format!("b{n}"), &script)
        })
        .collect();
    for saga in &turns {
        stage.until(saga, "saga_completed");
    }
    for n in 0..20 {
        let told = stage.told(&format!("b{n}"), &["turn_output", "turn_ended"]);
        let (ended, lines) = told.split_last().expect("it ended");
        assert_eq!(ended["event"], "turn_ended");
        let numbers: Vec<_> = lines.iter().map(|line| line["line"].clone()).collect();
        let expected: Vec<_> = (0..n * 37).map(|n: u32| json!(n.to_string())).collect();
        assert_eq!(numbers, expected);
    }
}

/// [P7] of the background: nothing is stranded, whenever it comes.
#[test]
fn bg_b30_bg_b34_bg_3_10_p7_queued_messages_run_in_order_and_none_is_stranded() {
    let mut stage = Stage::new();
    let mut sagas = Vec::new();
    for n in 0..12 {
        let mut input = stage.input("b", "cat");
        input["message"] = json!(n.to_string());
        input["message_id"] = json!(format!("m{n}"));
        sagas.push(stage.start("turn", &input));
        if n % 4 == 3 {
            // The next one comes about when this one ends.
            stage.until(&sagas[n - 1], "turn_ended");
        }
    }
    for saga in &sagas {
        stage.until(saga, "saga_completed");
    }
    let expected: Vec<_> = (0..12).map(|n| n.to_string()).collect();
    assert_eq!(stage.lines("b"), expected);
    let accepted = stage.told("b", &["agent_message_accepted"]);
    let ids: Vec<_> = accepted.iter().map(|one| one["message_id"].clone()).collect();
    assert_eq!(ids, (0..12).map(|n| json!(format!("m{n}"))).collect::<Vec<_>>());
    let generations: Vec<_> = accepted.iter().map(|one| one["generation"].clone()).collect();
    assert_eq!(generations, (1..=12).map(|n| json!(n)).collect::<Vec<_>>());
}

#[test]
fn bg_b38_a_message_without_an_id_is_accepted_without_a_word() {
    let mut stage = Stage::new();
    stage.run("b", "cat");
    assert_eq!(stage.told("b", &["agent_message_accepted"]), [Value::Null; 0]);
}

/// [P13] of the background: whoever comes late sees the last status, and versions only grow.
#[test]
fn bg_b23_bg_3_10_p13_who_comes_late_finds_the_status_that_holds() {
    let mut stage = Stage::new();
    stage.run("b", "true");
    let saga = stage.shell("b", "read x; read y");
    stage.until(&saga, "turn_ended");
    let saga = stage.shell("b", "sleep 600");
    stage.until(&saga, "turn_started");
    stage.until(&saga, "controller_status");
    let now = statuses(&mut stage, "b");
    let versions: Vec<_> = now.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5]);
    assert_eq!(now.last().map(|(_, word)| word.as_str()), Some("running"));
    assert!(stage.end("stop", "b"));
    assert_eq!(statuses(&mut stage, "b").last(), Some(&(6, "done".to_owned())));
}

/// [P8] of the background.
#[test]
fn bg_b31_bg_3_10_p8_a_turn_that_cannot_begin_says_so_and_the_next_one_runs() {
    let mut stage = Stage::new();
    let first = stage.shell("b", "read x; echo one");
    let mut input = stage.input("b", "");
    input["argv"] = json!(["/nowhere/agent"]);
    input["message_id"] = json!("m2");
    let second = stage.start("turn", &input);
    let third = stage.shell("b", "echo three");
    stage.until(&first, "saga_completed");
    let failed = stage.until(&second, "saga_failed");
    let reason = failed["reason"].as_str().expect("a text");
    assert!(reason.contains("/nowhere/agent"), "{reason}");
    stage.until(&third, "saga_completed");
    assert_eq!(stage.lines("b"), ["one", "three"]);
    let told = stage.told("b", &["turn_spawn_failed", "controller_status", "turn_claimed"]);
    let expected = [
        "turn_claimed",
        "controller_status",
        "controller_status",
        "turn_spawn_failed",
        "controller_status",
        "turn_claimed",
        "controller_status",
        "controller_status",
    ];
    assert_eq!(names(&told), expected);
    assert_eq!((&told[4]["status"], &told[4]["exit_code"]), (&json!("done"), &json!(-1)));
    assert_eq!(stage.told("b", &["agent_message_accepted"]), [Value::Null; 0]);
    assert_eq!(stage.running(), [0; 0]);
}

#[test]
fn a_block_has_one_turn_at_a_time_whoever_asks() {
    let mut stage = Stage::new();
    let first = stage.shell("b", "sleep 600");
    stage.until(&first, "turn_started");
    let input = stage.input("b", "echo two");
    let second = stage.start("beside", &input);
    let failed = stage.until(&second, "saga_failed");
    assert_eq!(failed["reason"], "a turn of this block runs");
    let refused = stage.told("b", &["turn_spawn_failed"]);
    assert_eq!(refused.len(), 1);
    // The refused one undid nothing: it had nothing.
    assert_eq!(stage.running().len(), 2, "the shell and its sleep");
    assert!(stage.end("stop", "b"));
    assert_eq!(stage.running(), [0; 0]);
}
