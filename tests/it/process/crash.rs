//! The launcher is killed after every n-th commit of every shipped saga, and the saga ends as if
//! nothing had happened \[R2, R3, R4, P4, L5, W9\]. A host's own crash is not tried here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use sagaflow::coordinator::fold;
use sagaflow::ids::{SagaId, Seq};
use sagaflow::launcher::Loaded;
use sagaflow::log::LogRead;
use sagaflow::saga::record::Record;

use super::{House, Peer};

/// One way through a saga.
struct Case {
    saga: &'static str,
    target: &'static str,
    /// What starts it: a `report` or a `start_saga`.
    start: Value,
    /// Commands that the target cannot do.
    fails: &'static [&'static str],
    /// How its bracket ends.
    ends: &'static str,
}

/// A target whose answers stick to the `command_id`, across all its reconnects.
#[derive(Default)]
struct Target {
    /// Commands in the order in which they were first handed, without their session.
    asked: Vec<Value>,
    answers: BTreeMap<String, Value>,
    done: Vec<String>,
}

impl Target {
    fn answer(&mut self, command: &Value, fails: &[&str]) -> Value {
        let mut frame = command.clone();
        frame.as_object_mut().expect("a frame").shift_remove("session");
        let id = command["command_id"].as_str().expect("every command has one").to_owned();
        let first = self.asked.iter().find(|asked| asked["command_id"] == *id);
        match first {
            Some(first) => assert_eq!(*first, frame, "one command_id, one command"),
            None => self.asked.push(frame),
        }
        if let Some(answer) = self.answers.get(&id) {
            return answer.clone();
        }
        let answer = self.act(command, fails);
        self.answers.insert(id, answer.clone());
        answer
    }

    fn act(&mut self, command: &Value, fails: &[&str]) -> Value {
        let cmd = command["cmd"].as_str().expect("a frame");
        let mut answer = json!({
            "saga_id": command["saga_id"], "step": command["step"],
            "command_id": command["command_id"],
        });
        let (what, fields) = if fails.contains(&cmd) {
            ("report_saga_action_failed", json!({"reason": "the machine says no"}))
        } else {
            let (event, fields) = self.event(cmd, command);
            self.done.push(cmd.to_owned());
            answer["event"] = event.into();
            ("report", fields)
        };
        answer["cmd"] = what.into();
        let fields = fields.as_object().expect("fields").clone();
        answer.as_object_mut().expect("a line").extend(fields);
        answer
    }

    fn was(&self, cmd: &str) -> bool {
        self.done.iter().any(|done| done == cmd)
    }

    /// A world with the tabs `t1` and `t2` in `w1`, `t5` in `w2`, and the block `b1` in `t1`.
    fn event(&self, cmd: &str, with: &Value) -> (&'static str, Value) {
        let home = if with["tab_id"] == "t5" { "w2" } else { "w1" };
        match cmd {
            "get_workspace" => {
                let tabs = if self.was("move_tab") { json!([]) } else { json!(["t1", "t2"]) };
                let id = &with["workspace_id"];
                ("workspace_read", json!({"workspace_id": id, "tab_ids": tabs}))
            }
            "get_tab" if self.was("delete_tab") => {
                ("tab_missing", json!({"tab_id": with["tab_id"]}))
            }
            "get_tab" => (
                "tab_read",
                json!({"tab_id": with["tab_id"], "workspace_id": home, "index": 0,
                    "block_ids": ["b1"]}),
            ),
            "get_block" if self.was("delete_block") => {
                ("block_missing", json!({"block_id": with["block_id"]}))
            }
            "get_block" => (
                "block_read",
                json!({"block_id": with["block_id"], "tab_id": "t1", "workspace_id": "w1",
                    "index": 0}),
            ),
            "create_workspace" => {
                ("workspace_created", json!({"workspace_id": with["workspace_id"]}))
            }
            "delete_workspace" => {
                ("workspace_deleted", json!({"workspace_id": with["workspace_id"]}))
            }
            "create_tab" => (
                "tab_created",
                json!({"tab_id": with["tab_id"], "workspace_id": with["workspace_id"]}),
            ),
            "delete_tab" => ("tab_deleted", json!({"tab_id": with["tab_id"]})),
            "delete_block" => ("block_deleted", json!({"block_id": with["block_id"]})),
            "move_tab" | "move_tab_back" => (
                "tab_moved",
                json!({"tab_id": with["tab_id"], "workspace_id": with["dst_workspace_id"]}),
            ),
            "move_block" | "move_block_back" => {
                ("block_moved", json!({"block_id": with["block_id"], "tab_id": with["dst_tab_id"]}))
            }
            "purge_blocks" => ("blocks_purged", json!({"block_ids": with["block_ids"]})),
            "layout_delete_node_by_block" => {
                ("layout_node_deleted", json!({"tab_id": with["tab_id"]}))
            }
            "spawn_pool_window" => ("pool_window_added", json!({"label": "p2"})),
            "reap_panes" => ("panes_reaped", json!({"label": with["label"]})),
            "drain_pool_if_last" => ("pool_not_last", json!({"label": with["label"]})),
            other => panic!("nobody taught the target {other}"),
        }
    }
}

/// How a run went, without what may differ between runs: versions and sessions.
#[derive(Debug, PartialEq)]
struct Run {
    end: Value,
    asked: Vec<Value>,
}

/// Runs the case to its end; the launcher is killed after `crash` commits and started again.
/// Returns whether it was killed at all.
fn run(case: &Case, crash: Option<u64>) -> (Run, bool) {
    let house = House::shipped_but(|saga| saga == case.saga);
    let mut target = Target::default();
    let mut launcher = match crash {
        Some(commits) => house.launch_to_crash(commits),
        None => Some(house.launch()),
    };
    let mut crashed = launcher.is_none();
    let end = loop {
        let alive = launcher.get_or_insert_with(|| house.launch());
        if let Some(end) = talk(&house, case, &mut target) {
            break end;
        }
        assert!(!crashed, "a launcher died that was not told to: {}", alive.said());
        assert_eq!(alive.wait(), None, "SIGKILL ended it: {}", alive.said());
        launcher = None;
        crashed = true;
    };
    if let Some(launcher) = launcher {
        launcher.kill();
    }
    check_log(&house, &end);
    (Run { end, asked: target.asked }, crashed)
}

/// Speaks with one launcher until the saga ended, or the launcher did (`None`).
fn talk(house: &House, case: &Case, target: &mut Target) -> Option<Value> {
    let mut peer = Peer::try_connect(&house.socket())?;
    let register = json!({
        "cmd": "register", "kind": case.target, "name": "crash-test", "pid": peer.pid,
        "version": "1", "subscribe": ["saga_*"], "resume_from": 0
    });
    peer.say(&register);
    loop {
        let line = peer.try_line()?;
        match line["event"].as_str() {
            // At least once, under the same id: what an earlier launcher took is not taken twice.
            Some("registered") => peer.say(&case.start),
            Some("saga_completed" | "saga_failed") => return Some(line),
            Some("error") => panic!("the launcher says {line}"),
            Some(_) => true,
            None => {
                let answer = target.answer(&line, case.fails);
                peer.say(&answer)
            }
        };
    }
}

/// The log of a run that is over: one terminal, a fold without a clash, no damage.
fn check_log(house: &House, end: &Value) {
    let log = house.log();
    let id = SagaId(end["saga_id"].as_u64().expect("a bracket names its saga"));
    let (mut began, mut ended, mut terminals, mut starts) = (0, 0, 0, 0);
    let mut records = Vec::new();
    log.rows_since(Seq(0), &mut |row| {
        let row = row.expect("the log is sound");
        let of_row: Vec<Record> = row.records().expect("a row holds records");
        for (offset, record) in of_row.into_iter().enumerate() {
            let seq = Seq(row.seq.0 + offset as u64);
            began += u32::from(matches!(record, Record::Began(_)));
            ended += u32::from(matches!(record, Record::Ended(_)));
            if let Some(event) = sagaflow::coordinator::bus_event(seq, row.saga_id, &record) {
                terminals += u32::from(["saga_completed", "saga_failed"].contains(&&*event.name));
                starts += u32::from(&*event.name == "saga_started");
            }
            if row.saga_id == Some(id) {
                records.push((seq, row.at, record));
            }
        }
        ControlFlow::Continue(())
    })
    .expect("the log can be read");
    let counts = (began, starts, ended, terminals);
    assert_eq!(counts, (1, 1, 1, 1), "R1: one start and one terminal, of {end}");

    let stored = log.saga(id).expect("it can be read").expect("it is kept");
    let files = sagaflow::launcher::read_directory(&house.at("sagas")).expect("they are there");
    let plans = Loaded::of(files).plans;
    let plan = plans.iter().find(|plan| plan.hash == stored.saga.definition).expect("its plan");
    let folded = fold(id, plan, &records).expect("R3: its records do not clash");
    assert_eq!(folded.state.as_str(), &*stored.saga.progress.state);
    assert!(!folded.is_open());
    assert_eq!(log.full_check().expect("it can be checked"), Vec::<String>::new());
}

/// Every n, until the saga ends before the launcher would be killed.
fn check(case: &Case) {
    let (mut undisturbed, _) = run(case, None);
    assert_eq!(undisturbed.end["event"], case.ends, "{:#}", undisturbed.end);
    let mut keys: Vec<_> = undisturbed.asked.iter().map(key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), undisturbed.asked.len(), "one command_id for each attempt");
    forget_version(&mut undisturbed.end);
    for commits in 1.. {
        let (mut disturbed, crashed) = run(case, Some(commits));
        forget_version(&mut disturbed.end);
        assert_eq!(disturbed, undisturbed, "killed after commit {commits}");
        if !crashed {
            return;
        }
    }
}

fn key(command: &Value) -> (String, String) {
    (command["step"].to_string(), command["attempt"].to_string())
}

fn forget_version(end: &mut Value) {
    end.as_object_mut().expect("an event").shift_remove("version");
}

fn window_closed() -> Value {
    json!({"cmd": "report", "id": "start", "event": "window_closed", "label": "main"})
}

fn promoted() -> Value {
    json!({"cmd": "report", "id": "start", "event": "pool_window_promoted", "label": "p1"})
}

#[test]
fn bg_z01_bg_r05_window_cleanup_cascade_survives_a_kill_after_every_commit() {
    let (saga, start) = ("window_cleanup_cascade", window_closed());
    check(&Case { saga, target: "host", start, fails: &[], ends: "saga_completed" });
}

#[test]
fn pool_respawn_on_promote_survives_a_kill_after_every_commit() {
    let (saga, start) = ("pool_respawn_on_promote", promoted());
    check(&Case { saga, target: "host", start, fails: &[], ends: "saga_completed" });
}

/// A saga of srv, by its call.
fn check_srv(saga: &'static str, input: &Value, fails: &'static [&'static str]) {
    let ends = if fails.is_empty() { "saga_completed" } else { "saga_failed" };
    let start = json!({"cmd": "start_saga", "id": "start", "saga": saga, "input": input});
    check(&Case { saga, target: "srv", start, fails, ends });
}

fn tear_off_tab(fails: &'static [&'static str]) {
    let input = json!({"tab_id": "t1", "source_workspace_id": "w1"});
    check_srv("tear_off_tab", &input, fails);
}

fn tear_off_block(fails: &'static [&'static str]) {
    let input = json!({"block_id": "b1", "source_tab_id": "t1", "source_workspace_id": "w1"});
    check_srv("tear_off_block", &input, fails);
}

fn promote_block_to_tab(fails: &'static [&'static str]) {
    let input = json!({"block_id": "b1", "source_tab_id": "t1", "workspace_id": "w1"});
    check_srv("promote_block_to_tab", &input, fails);
}

#[test]
fn tear_off_tab_survives_a_kill_after_every_commit() {
    tear_off_tab(&[]);
}

#[test]
fn tear_off_tab_that_is_undone_survives_a_kill_after_every_commit() {
    tear_off_tab(&["move_tab"]);
}

#[test]
fn tear_off_block_survives_a_kill_after_every_commit() {
    tear_off_block(&[]);
}

#[test]
fn tear_off_block_that_is_undone_survives_a_kill_after_every_commit() {
    tear_off_block(&["move_block"]);
}

#[test]
fn restore_torn_off_tab_survives_a_kill_after_every_commit() {
    let input = json!({"tab_id": "t1", "source_workspace_id": "w1", "dest_workspace_id": "w2"});
    check_srv("restore_torn_off_tab", &input, &[]);
}

#[test]
fn promote_block_to_tab_survives_a_kill_after_every_commit() {
    promote_block_to_tab(&[]);
}

#[test]
fn promote_block_to_tab_that_cannot_be_undone_survives_a_kill_after_every_commit() {
    promote_block_to_tab(&["move_block", "delete_tab"]);
}

#[test]
fn redock_floating_pane_survives_a_kill_after_every_commit() {
    let input = json!({"block_id": "b1", "source_tab_id": "t1", "source_workspace_id": "w1",
        "target_tab_id": "t5", "target_workspace_id": "w2"});
    check_srv("redock_floating_pane", &input, &[]);
}

#[test]
fn delete_block_survives_a_kill_after_every_commit() {
    check_srv("delete_block", &json!({"tab_id": "t1", "block_id": "b1"}), &[]);
}

#[test]
fn delete_tab_survives_a_kill_after_every_commit() {
    check_srv("delete_tab", &json!({"workspace_id": "w1", "tab_id": "t1"}), &[]);
}

/// What is shipped and what is killed here are the same list.
#[test]
fn every_shipped_saga_is_killed() {
    let own = std::fs::read_to_string(file!()).expect("tests run in the package");
    let directory = crate::cli::package().join("sagas");
    for entry in std::fs::read_dir(directory).expect("it is shipped") {
        let name = entry.expect("it can be listed").file_name().into_string().expect("UTF-8");
        let Some(saga) = name.strip_suffix(".saga.yaml") else { continue };
        let test = format!("{saga}_survives_a_kill_after_every_commit");
        assert!(own.contains(&test), "write a test {test}");
    }
}
