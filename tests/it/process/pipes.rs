//! The way to a target that comes, goes, reads nothing, or is long away \[P1–P10, R7, R20\].

use serde_json::{Value, json};

use sagaflow::ids::SagaId;
use sagaflow::log::LogRead;

use super::{House, Peer, lamps, names};

/// State, cause and reason, from the log.
fn end(house: &House, saga: u64) -> [String; 3] {
    let stored = house.log().saga(SagaId(saga)).expect("it can be read").expect("it is kept");
    let progress = stored.saga.progress;
    let cause = progress.cause.map(|cause| cause.to_string()).unwrap_or_default();
    let reason = progress.reason.map(|reason| reason.to_string()).unwrap_or_default();
    [progress.state.to_string(), cause, reason]
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().filter_map(|line| line["n"].as_u64()).collect()
}

fn tool(house: &House) -> Peer {
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": ["saga_completed", "saga_failed"]}));
    tool
}

/// A lamp that hears commands alone.
fn lamp(house: &House) -> Peer {
    let mut lamp = house.peer();
    lamp.register("lamp", json!({"subscribe": []}));
    lamp
}

#[test]
fn bg_h05_bg_c19_bg_3_10_r3_p2_a_buffer_that_runs_over_fails_the_oldest_and_each_saga_ends_once() {
    let house = lamps::house();
    let launcher = house.launch();
    let mut tool = tool(&house);
    let ids: Vec<u64> = (1..=5).map(|n| lamps::start(&mut tool, "notes", n)).collect();
    let failed = [tool.until("saga_failed"), tool.until("saga_failed"), tool.until("saga_failed")];
    for (failed, id) in failed.iter().zip(&ids) {
        assert_eq!(failed["saga_id"], *id, "the oldest first");
        assert_eq!(failed["reason"], "unreachable: buffer overflow");
        assert_eq!((&failed["state"], &failed["cause"]), (&json!("failed"), &json!("unreachable")));
    }
    // What is left in the buffer outlives the launcher, and nothing more is failed.
    launcher.kill();
    let _launcher = house.launch();
    let mut lamp = lamp(&house);
    let asked = lamp.settle();
    assert_eq!(numbers(&asked), [4, 5], "in order, and nothing of an ended saga [P5]");
    for command in &asked {
        lamp.echo(command, "noted", json!({"n": command["n"]}));
    }
    lamp.settle();
    for id in &ids[3..] {
        assert_eq!(end(&house, *id)[0], "completed");
    }
}

#[test]
fn bg_i04_bg_h17_bg_6_5_2_bg_6_5_3_p3_a_target_that_stays_away_fails_its_step_with_no_later_send() {
    let house = lamps::house();
    let _launcher = house.launch();
    let mut tool = tool(&house);
    // It was never here, and then it left: the clock runs in both cases.
    let id = lamps::start(&mut tool, "calls", 1);
    assert_eq!(tool.until("saga_failed")["saga_id"], id);
    let [state, cause, reason] = end(&house, id);
    assert_eq!((&*state, &*cause), ("failed", "unreachable"), "known unsent [P10]");
    assert!(reason.starts_with("unreachable: `far` was away"), "{reason}");

    let mut far = house.register("far");
    let id = lamps::start(&mut tool, "calls", 2);
    assert_eq!(far.until("signal_far")["saga_id"], id);
    drop(far);
    let failed = tool.until("saga_failed");
    assert_eq!((&failed["saga_id"], &failed["cause"]), (&json!(id), &json!("unreachable")));
}

/// A step that may have happened is undone; one that cannot have is not \[R12\].
#[test]
fn bg_i02_bg_i05_p10_p4_who_was_asked_before_leaving_is_asked_again_and_undone() {
    let house = lamps::house();
    let _launcher = house.launch();
    let mut tool = tool(&house);
    let sure = lamps::start(&mut tool, "resumes", 1);
    let cancel = |id: u64| {
        json!({"cmd": "signal_saga", "id": format!("cancel-{id}"), "saga_id": id,
            "signal": "cancel", "reason": "enough"})
    };
    // Nobody was ever asked to light lamp 1.
    assert_eq!(tool.ask(&cancel(sure))["event"], "accepted");
    assert_eq!(tool.until("saga_failed")["outcome"], "cancelled");
    assert_eq!(end(&house, sure)[0], "failed");

    let mut first = lamp(&house);
    assert!(first.settle().is_empty(), "nothing of an ended saga is sent [P5]");
    let id = lamps::start(&mut tool, "resumes", 2);
    let light = first.until("light");
    drop(first);
    let mut second = lamp(&house);
    let again = second.until("light");
    assert_eq!(again["command_id"], light["command_id"]);
    assert_eq!(again["attempt"], light["attempt"]);
    assert!(again["session"].as_u64() > light["session"].as_u64());
    drop(second);
    assert_eq!(tool.ask(&cancel(id))["event"], "accepted");
    // The undo waits for its target however long, and goes alone.
    let mut third = lamp(&house);
    let undo = third.line();
    assert_eq!((&undo["cmd"], &undo["step"]), (&json!("darken"), &json!("light.undo")));
    third.echo(&undo, "dark", json!({"n": 2}));
    assert_eq!(tool.until("saga_failed")["state"], "compensated");
}

#[test]
fn bg_i06_bg_6_5_4_p1_commands_of_many_sagas_reach_their_target_in_the_order_of_owing() {
    let house = lamps::house();
    let _launcher = house.launch();
    let mut lamp = lamp(&house);
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": []}));
    let starts: String = (0..1_000)
        .map(|n| {
            let input = json!({"n": n});
            json!({"cmd": "start_saga", "saga": "notes", "input": input}).to_string() + "\n"
        })
        .collect();
    assert!(tool.send(starts));
    for n in 0..1_000 {
        let command = lamp.until("note");
        assert_eq!(command["n"], n);
        lamp.echo(&command, "noted", json!({"n": n}));
    }
    lamp.settle();
    let done = house.log().list(&sagaflow::log::Filter::default(), 2_000).expect("it can be read");
    assert_eq!(done.len(), 1_000);
    assert!(done.iter().all(|saga| &*saga.progress.state == "completed"));
    let files = std::fs::read_dir(house.at("data")).expect("it is there");
    let bytes = files.map(|file| file.and_then(|file| file.metadata()).expect("it is there").len());
    assert!(bytes.sum::<u64>() < 10 * 1024 * 1024, "a thousand sagas are a few megabytes");
}

/// A target that reads nothing, with more in its way than any socket holds, while others work.
#[test]
fn bg_3_10_r5_r7_a_target_that_reads_nothing_delays_nobody_else() {
    let house = lamps::house();
    let _launcher = house.launch();
    let stuck = house.register("lamp");
    let mut deaf = house.peer();
    deaf.register("renderer", json!({}));
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": []}));
    let start = |n: u64| {
        json!({"cmd": "start_saga", "saga": "notes", "input": {"n": n}}).to_string() + "\n"
    };
    let starts: String = (0..3_000).map(start).collect();
    assert!(tool.send(starts));
    let mut far = house.register("far");
    let id = lamps::start(&mut tool, "calls", 1);
    let command = far.until("signal_far");
    far.echo(&command, "noted", json!({"n": 1}));
    far.until("saga_completed");
    assert_eq!(end(&house, id)[0], "completed");
    drop((stuck, deaf));
}

/// Registering and leaving at once opens no session that nobody closes \[P10, W10\].
#[test]
fn p6_w10_a_target_that_registers_and_leaves_in_one_breath_is_away() {
    let house = lamps::house();
    let _launcher = house.launch();
    let mut tool = tool(&house);
    lamps::start(&mut tool, "notes", 1);
    for leaves in ["{\"cmd\":\"goodbye\"}\n", ""] {
        let mut hasty = house.peer();
        hasty.send(format!(
            "{{\"cmd\":\"register\",\"kind\":\"lamp\",\"pid\":{},\"subscribe\":[]}}\n{leaves}",
            hasty.pid
        ));
        hasty.shut();
        let heard = names(&hasty.rest());
        if !leaves.is_empty() {
            assert_eq!(heard, ["registered"], "a closed session is handed nothing");
        }
        let targets = tool.ask(&json!({"cmd": "get_snapshot", "id": "s"}))["targets"].clone();
        assert_eq!(targets["lamp"]["state"], "away", "{targets}");
    }
    assert_eq!(lamp(&house).until("note")["n"], 1);
}
