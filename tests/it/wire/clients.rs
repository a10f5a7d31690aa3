//! Clients that come, go, come back, repeat themselves and take over.

use serde_json::{Value, json};

use super::{Launcher, names};

fn report(label: &str) -> Value {
    json!({"cmd": "report", "event": "pool_window_removed", "label": label})
}

/// The same under an id that it shares with others.
fn same(mut line: Value) -> Value {
    line["id"] = "same".into();
    line
}

/// What the next command of a saga is answered with.
fn echo(command: &Value, event: &str) -> Value {
    json!({"cmd": "report", "event": event, "saga_id": command["saga_id"], "step": command["step"],
        "command_id": command["command_id"], "label": command["label"]})
}

#[test]
fn bg_s04_w10_an_end_without_goodbye_frees_the_process_to_register_again() {
    let launcher = Launcher::start();
    let mut watcher = launcher.join("tool", 1, &["process_*"]);
    for round in 0..2 {
        drop(launcher.join("srv", 9, &[]));
        assert_eq!(watcher.until("process_spawned")["pid"], 9, "round {round}");
        assert_eq!(watcher.until("process_exited")["pid"], 9, "round {round}");
    }
}

#[test]
fn bg_s05_w7_answers_go_to_the_asker_alone_and_consume_no_version() {
    let launcher = Launcher::start();
    let mut watcher = launcher.join("tool", 1, &["*"]);
    let mut asker = launcher.join("tool", 2, &[]);
    watcher.until("process_spawned");
    let before = asker.ask(report("a"))["version"].as_u64().expect("it has one");
    for cmd in ["get_snapshot", "ping", "list_sagas"] {
        assert_eq!(asker.ask(json!({"cmd": cmd}))["version"], before, "{cmd}");
    }
    assert_eq!(asker.ask(json!({"cmd": "get_events", "since": 0}))["version"], before);
    let after = asker.ask(report("b"))["version"].as_u64().expect("it has one");
    let seen = [watcher.hear(), watcher.hear()].map(|line| line.expect("it is open"));
    assert_eq!(names(&seen), ["pool_window_removed"; 2]);
    assert_eq!(seen[0]["version"], before);
    assert_eq!(seen[1]["version"], after);
}

/// Versions were given under one lock and published under another, answers used some of them up,
/// and brackets were in no replay at all: who came back saw gaps and took them for losses.
#[test]
fn bg_11_15_w7_a_replay_is_what_was_live_brackets_included_and_answers_use_no_number() {
    let launcher = Launcher::start();
    let mut live = launcher.join("tool", 1, &["*"]);
    let mut asker = launcher.join("tool", 4, &[]);
    let mut host = launcher.join("host", 2, &[]);
    host.say(&json!({"cmd": "report", "event": "window_closed", "label": "w"}));
    for event in ["panes_reaped", "pool_not_last"] {
        let command = host.command();
        asker.ask(json!({"cmd": "get_snapshot"}));
        host.say(&echo(&command, event));
    }
    let mut seen = Vec::new();
    while seen.last().is_none_or(|line: &Value| line["event"] != "saga_completed") {
        seen.push(live.hear().expect("it is open"));
    }
    let replay = asker.ask(json!({"cmd": "get_events", "since": 0}))["events"].clone();
    let mut replay: Vec<Value> = replay.as_array().expect("a list").clone();
    // Steps come live to those who name them.
    replay.retain(|line| line["event"] != "saga_step");
    let version = |line: &Value| line["version"].as_u64().expect("a number");
    assert!(replay.iter().map(version).is_sorted_by(|a, b| a < b), "{replay:?}");
    // What was there before it came, and what came later, is in the replay alone.
    let heard = version(&seen[0])..=version(&seen[seen.len() - 1]);
    let both = replay.iter().filter(|line| heard.contains(&version(line)));
    assert!(both.eq(&seen), "{replay:?}\n{seen:?}");
    let brackets = names(&replay).into_iter().filter(|name| name.starts_with("saga_"));
    assert_eq!(brackets.collect::<Vec<_>>(), ["saga_started", "saga_completed"]);
}

#[test]
fn w9_the_same_id_again_is_answered_again_and_does_nothing_else() {
    let launcher = Launcher::start();
    let mut tool = launcher.join("tool", 1, &[]);
    let mut watcher = launcher.join("tool", 2, &["pool_*"]);
    let first = tool.ask(same(report("a")));
    assert_eq!(tool.ask(same(report("a"))), first);
    let changed = tool.ask(same(report("b")));
    assert_eq!(changed["code"], "invalid_command");
    tool.say(&report("last"));
    assert_eq!(watcher.until("pool_window_removed")["label"], "a");
    assert_eq!(watcher.until("pool_window_removed")["label"], "last");
}

#[test]
fn w9_what_an_id_stood_for_is_remembered_over_a_restart() {
    let launcher = Launcher::start();
    let first = launcher.join("tool", 1, &[]).ask(same(report("a")));
    let launcher = launcher.restart();
    let mut tool = launcher.join("tool", 1, &[]);
    assert_eq!(tool.ask(same(report("a"))), first);
    assert_eq!(tool.ask(same(report("b")))["code"], "invalid_command");
}

#[test]
fn w13_p8_who_resumes_gets_what_came_in_between_once_and_then_what_is_live() {
    let launcher = Launcher::start();
    let mut tool = launcher.join("tool", 1, &[]);
    let seen = tool.ask(report("seen"))["version"].clone();
    tool.say(&report("missed"));
    let mut late = launcher.connect();
    late.say(&json!({"cmd": "register", "kind": "tool", "pid": 2, "resume_from": seen,
        "subscribe": ["pool_*"]}));
    late.until("registered");
    assert_eq!(late.until("pool_window_removed")["label"], "missed");
    tool.say(&report("live"));
    assert_eq!(late.until("pool_window_removed")["label"], "live");
}

#[test]
fn bg_i01_bg_h08_w12_r20_a_newer_host_takes_over_and_is_asked_again_under_the_same_id() {
    let launcher = Launcher::start();
    let mut older = launcher.join("host", 1, &[]);
    older.say(&json!({"cmd": "report", "event": "window_closed", "label": "w"}));
    let asked = older.command();
    let mut newer = launcher.join("host", 2, &[]);
    let last = older.until("error");
    assert_eq!((&last["code"], &last["fatal"]), (&json!("superseded"), &json!(true)));
    assert_eq!(older.hear(), None);
    let again = newer.command();
    assert_eq!(again["command_id"], asked["command_id"]);
    assert!(again["session"].as_u64() > asked["session"].as_u64());
    newer.say(&echo(&again, "panes_reaped"));
    let drain = newer.command();
    newer.say(&echo(&drain, "pool_not_last"));
    let mut tool = launcher.join("tool", 3, &[]);
    let saga = tool.ask(json!({"cmd": "get_saga", "saga_id": 1}))["saga"].clone();
    assert_eq!(saga["state"], "completed", "{saga}");
}

#[test]
fn w12_a_process_takes_over_from_itself() {
    let launcher = Launcher::start();
    let mut older = launcher.join("host", 1, &[]);
    let _newer = launcher.join("host", 1, &[]);
    assert_eq!(older.until("error")["code"], "superseded");
}

#[test]
fn p4_a_host_that_comes_late_gets_what_waited_after_its_registration() {
    let launcher = Launcher::start();
    let mut tool = launcher.join("tool", 1, &["saga_started"]);
    for label in ["a", "b"] {
        tool.ask(json!({"cmd": "report", "event": "window_closed", "label": label}));
    }
    let mut host = launcher.connect();
    host.say(&json!({"cmd": "register", "kind": "host", "pid": 9, "subscribe": []}));
    let heard = [(); 3].map(|()| host.hear().expect("it is open"));
    assert_eq!(names(&heard), ["registered", "command", "command"]);
    assert_eq!(heard[1]["label"], "a");
    assert_eq!(heard[2]["label"], "b");
}

#[test]
fn w5_an_unregistered_peer_hears_nothing_of_the_bus() {
    let launcher = Launcher::start();
    let mut silent = launcher.connect();
    let mut tool = launcher.join("tool", 1, &[]);
    tool.ask(report("a"));
    silent.say(&json!({"cmd": "ping"}));
    assert_eq!(silent.hear().expect("it is open")["code"], "not_registered");
}

#[test]
fn w13_who_subscribes_to_nothing_hears_only_answers() {
    let launcher = Launcher::start();
    let mut quiet = launcher.join("tool", 1, &[]);
    launcher.join("tool", 2, &[]).ask(report("a"));
    quiet.say(&json!({"cmd": "ping", "nonce": 1}));
    assert_eq!(quiet.hear().expect("it is open")["event"], "pong");
}

#[test]
fn w5_boot_marks_the_records_of_all_processes_exited() {
    let launcher = Launcher::start();
    let _tool = launcher.join("tool", 1, &[]);
    let launcher = launcher.restart();
    let mut tool = launcher.join("tool", 2, &[]);
    let snapshot = tool.ask(json!({"cmd": "get_snapshot"}));
    let processes = snapshot["processes"].as_array().expect("a list").iter();
    let states: Vec<(&Value, &Value)> = processes.map(|one| (&one["pid"], &one["state"])).collect();
    assert_eq!(states, [(&json!(1), &json!("exited")), (&json!(2), &json!("running"))]);
}

#[test]
fn a_snapshot_shows_targets_that_never_came_and_what_waits_for_them() {
    let launcher = Launcher::start();
    let mut tool = launcher.join("tool", 1, &[]);
    tool.ask(json!({"cmd": "report", "event": "window_closed", "label": "w"}));
    let targets = tool.ask(json!({"cmd": "get_snapshot"}))["targets"].clone();
    let away = |owed: u64| json!({"state": "away", "session": null, "owed": owed});
    assert_eq!(targets, json!({"host": away(1), "srv": away(0)}));
}

#[test]
fn r14_who_signals_a_saga_that_has_ended_is_told_how_it_ended_and_what_takes_the_signal() {
    let launcher = Launcher::start();
    let mut host = launcher.join("host", 1, &[]);
    host.say(&json!({"cmd": "report", "event": "window_closed", "label": "w"}));
    for event in ["panes_reaped", "pool_not_last"] {
        let command = host.command();
        host.say(&echo(&command, event));
    }
    let signals = [("cancel", "cancelled"), ("retry", "retried"), ("resolve", "resolved")];
    for (signal, done) in signals {
        let said = host.ask(json!({"cmd": "signal_saga", "saga_id": 1, "signal": signal,
            "reason": "why not"}));
        let message = said["message"].as_str().expect("words");
        assert_eq!(said["code"], "refused", "{said}");
        for word in ["has ended, it is completed", "can be", done] {
            assert!(message.contains(word), "{message}");
        }
    }
}
