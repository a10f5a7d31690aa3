//! Questions, and callers that wait. Single lines and their errors are in `wire`.

use serde_json::{Value, json};

use super::House;

/// Every private answer carries the asker's id and goes to nobody else.
#[test]
fn bg_s05_bg_p02_bg_w04_answers_go_to_the_asker_alone_with_its_id() {
    let house = House::shipped();
    let _launcher = house.launch();
    let mut host = house.register("host");
    let mut tool = house.register("tool");
    let mut idle = house.peer();
    idle.register("renderer", json!({"subscribe": []}));

    let pong = tool.ask(&json!({"cmd": "ping", "id": 1, "nonce": {"a": [1]}}));
    assert_eq!((&pong["event"], &pong["nonce"]), (&json!("pong"), &json!({"a": [1]})));
    let before = pong["version"].as_u64().expect("as of now");

    let start = json!({"cmd": "report", "id": "r", "event": "pool_window_promoted", "label": "p"});
    assert_eq!(tool.ask(&start)["event"], "accepted");
    let command = host.until("spawn_pool_window");
    let list = tool.ask(&json!({"cmd": "list_sagas", "id": "l"}));
    assert_eq!(list["sagas"][0]["state"], "running", "{list}");
    assert_eq!(list["sagas"][0]["name"], "pool_respawn_on_promote");
    let snapshot = tool.ask(&json!({"cmd": "get_snapshot", "id": "s"}));
    assert_eq!(snapshot["lifecycle"], "running");
    assert_eq!(snapshot["targets"]["host"]["state"], "connected");
    assert_eq!(snapshot["processes"].as_array().expect("a list").len(), 3, "{snapshot}");
    assert_eq!(snapshot["sagas"][0]["saga_id"], 1);
    host.echo(&command, "pool_window_added", json!({"label": "p2"}));
    tool.until("saga_completed");
    let saga = tool.ask(&json!({"cmd": "get_saga", "id": "g", "saga_id": 1}));
    assert_eq!(saga["saga"]["result"], json!({"refilled_label": "p2"}), "{saga}");
    assert_eq!(saga["saga"]["steps"][0]["command_id"], "1.refill.1");

    let events = tool.ask(&json!({"cmd": "get_events", "id": "e", "since": before}));
    let listed = super::names(events["events"].as_array().expect("a list"));
    let told =
        ["pool_window_promoted", "saga_started", "saga_step", "pool_window_added", "saga_step"];
    assert_eq!(listed, [&told[..], &["saga_completed"]].concat(), "bracket events as well [W7]");
    let now = events["version"].clone();
    assert_eq!(tool.ask(&json!({"cmd": "ping", "id": 2}))["version"], now, "answers consume none");

    assert!(idle.settle().is_empty(), "`subscribe: []` means nothing [W13]");
    let heard = super::names(&host.settle());
    assert_eq!(heard, ["pool_window_added", "saga_completed"], "no answer of another's");
}

#[test]
fn a_caller_that_waits_gets_the_result_and_steps_come_to_those_who_name_them() {
    let house = House::shipped();
    let _launcher = house.launch();
    let mut srv = house.peer();
    srv.register("srv", json!({"subscribe": []}));
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": ["saga_step", "saga_*"]}));
    let input = json!({"tab_id": "t1", "source_workspace_id": "w1"});
    let start = json!({"cmd": "start_saga", "id": "c", "saga": "tear_off_tab", "input": input,
        "wait": true});
    tool.passed.clear();
    let accepted = tool.ask(&start);
    assert_eq!((&accepted["event"], &accepted["saga_id"]), (&json!("saga_accepted"), &json!(1)));
    let command = srv.until("get_workspace");
    srv.say(&json!({"cmd": "report_saga_action_failed", "saga_id": 1, "step": "source",
        "reason": "no such workspace"}));
    assert_eq!(command["command_id"], "1.source.1");
    let lines = tool.upto("saga_result");
    let result = lines.last().expect("it ends with one");
    assert_eq!(result["id"], "c");
    assert_eq!(result["state"], "failed");
    assert_eq!(
        (&result["cause"], &result["reason"]),
        (&json!("action_failed"), &json!("no such workspace"))
    );
    let early = tool.passed.drain(..);
    let lines: Vec<Value> = early.chain(lines).collect();
    let steps: Vec<_> = lines.iter().filter(|line| line["event"] == "saga_step").collect();
    assert_eq!(steps.len(), 2, "{lines:#?}");
    assert_eq!((&steps[0]["step"], &steps[0]["state"]), (&json!("source"), &json!("issued")));
    assert_eq!(steps[1]["state"], "failed");
    let failed = lines.iter().find(|line| line["event"] == "saga_failed").expect("its bracket");
    let (reason, outcome) = (&failed["reason"], &failed["outcome"]);
    assert_eq!((reason, outcome), (&json!("no such workspace"), &json!("failed")));
    assert_eq!(lines.iter().filter(|line| line["event"] == "saga_failed").count(), 1, "I03, R1");
}
