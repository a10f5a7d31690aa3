//! Sessions: what a turn is told to resume.

use serde_json::{Value, json};

use super::Stage;

/// Prints its arguments.
const ARGS: &str = "echo \"args:$*\"";

fn turn(stage: &mut Stage, script: &str, session: &str) -> Value {
    let mut input = stage.input("b", script);
    input["session_id"] = json!(session);
    input["resume_flag"] = json!("--resume");
    let saga = stage.start("turn", &input);
    stage.until(&saga, "turn_ended")
}

#[test]
fn bg_b37_a_session_that_was_captured_is_resumed_and_not_the_stale_one() {
    let mut stage = Stage::new();
    let id = |id: &str| format!("{ARGS}; echo '{{\"session_id\":\"{id}\"}}'");
    turn(&mut stage, &id("fresh"), "stale");
    turn(&mut stage, &id("fresh"), "stale");
    turn(&mut stage, &id("forked"), "");
    turn(&mut stage, ARGS, "");
    let lines = stage.lines("b");
    let args: Vec<_> = lines.iter().filter(|line| line.starts_with("args:")).collect();
    let resumes = |id: &str| format!("args:--resume {id}");
    assert_eq!(args, [&resumes("stale"), &resumes("fresh"), &resumes("fresh"), &resumes("forked")]);
    let captured = stage.told("b", &["session_captured"]);
    let ids: Vec<_> = captured.iter().map(|one| one["session_id"].clone()).collect();
    assert_eq!(ids, ["fresh", "forked"], "told only where it changed");
}

#[test]
fn bg_b06_a_waiting_message_is_kept_whole_and_its_session_is_not_taken_early() {
    let mut stage = Stage::new();
    let first = stage.input("b", "read x; echo '{\"session_id\":\"own\"}'; sleep 0.2");
    let first = stage.start("turn", &first);
    let mut input = stage.input("b", &format!("{ARGS}; cat"));
    input["session_id"] = json!("queued");
    input["resume_flag"] = json!("--resume");
    input["message"] = json!("intact");
    let second = stage.start("turn", &input);
    stage.until(&first, "turn_ended");
    stage.until(&second, "turn_ended");
    let lines = stage.lines("b");
    assert_eq!(lines[1..], ["args:--resume own", "intact"]);
}

#[test]
fn a_session_outlives_the_launcher_and_not_its_block() {
    let mut stage = Stage::new();
    turn(&mut stage, "echo '{\"session_id\":\"kept\"}'", "");
    stage.crash();
    turn(&mut stage, ARGS, "other");
    assert!(stage.end("forget", "b"));
    turn(&mut stage, ARGS, "other");
    let lines = stage.lines("b");
    assert_eq!(lines[1..], ["args:--resume kept", "args:--resume other"]);
    let started = stage.told("b", &["turn_started"]);
    let generations: Vec<_> = started.iter().map(|one| one["generation"].clone()).collect();
    assert_eq!(generations, [1, 2, 3], "a forgotten block goes on counting");
}

#[test]
fn a_program_that_names_an_option_as_its_session_is_not_believed() {
    let mut stage = Stage::new();
    turn(&mut stage, "echo '{\"session_id\":\"--yolo\"}'", "");
    turn(&mut stage, ARGS, "");
    assert_eq!(stage.lines("b")[1], "args:");
    let failed = {
        let mut input = stage.input("b", ARGS);
        (input["session_id"], input["resume_flag"]) = (json!("--yolo"), json!("--resume"));
        let saga = stage.start("turn", &input);
        stage.until(&saga, "saga_failed")
    };
    assert!(failed["reason"].as_str().is_some_and(|why| why.contains("--yolo")), "{failed}");
}
