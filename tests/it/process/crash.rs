//! The launcher is killed after every n-th commit of every shipped saga, and the saga ends as if
//! nothing had happened \[R2, R3, R4, P4, L5, W9\]. A host's own crash is not tried here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use sagaflow::coordinator::fold;
use sagaflow::coordinator::{Told, bus_event};
use sagaflow::ids::{SagaId, Seq};
use sagaflow::launcher::Loaded;
use sagaflow::log::LogRead;
use sagaflow::saga::record::Record;

use super::{House, OF_BUILT_IN, Peer};

/// One way through some sagas.
pub(super) struct Case {
    pub(super) house: fn(&str) -> House,
    pub(super) saga: &'static str,
    pub(super) target: &'static str,
    /// What starts them: each a `report` or a `start_saga`, with an id.
    pub(super) starts: Vec<Value>,
    /// Commands that the target cannot do: names, or ends of command ids.
    pub(super) fails: &'static [&'static str],
    /// How their brackets end, in the order of their ids.
    pub(super) ends: Vec<&'static str>,
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
    /// What it says to a command; nothing where nobody waits for it.
    fn answer(&mut self, command: &Value, fails: &[&str]) -> Option<Value> {
        let mut frame = command.clone();
        frame.as_object_mut().expect("a frame").shift_remove("session");
        let id = command["command_id"].as_str().expect("every command has one").to_owned();
        let first = self.asked.iter().find(|asked| asked["command_id"] == *id);
        match first {
            Some(first) => assert_eq!(*first, frame, "one command_id, one command"),
            None => self.asked.push(frame),
        }
        if command["cmd"] == "tell" {
            return None;
        }
        if let Some(answer) = self.answers.get(&id) {
            return Some(answer.clone());
        }
        let answer = self.act(command, fails);
        self.answers.insert(id, answer.clone());
        Some(answer)
    }

    fn act(&mut self, command: &Value, fails: &[&str]) -> Value {
        let cmd = command["cmd"].as_str().expect("a frame");
        let mut answer = json!({
            "saga_id": command["saga_id"], "step": command["step"],
            "command_id": command["command_id"],
        });
        let id = command["command_id"].as_str().expect("every command has one");
        let (what, fields) = if fails.iter().any(|fail| *fail == cmd || id.ends_with(fail)) {
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
                let fields =
                    json!({"workspace_id": id, "tab_ids": tabs, "block_ids": ["b1", "b2"]});
                ("workspace_read", fields)
            }
            "get_tab" if self.was("delete_tab") => {
                ("tab_missing", json!({"tab_id": with["tab_id"]}))
            }
            "get_tab" => (
                "tab_read",
                json!({"tab_id": with["tab_id"], "workspace_id": home, "index": 0,
                    "block_ids": ["b1"]}),
            ),
            "get_block" if self.was("delete_block") || self.was("delete_workspace") => {
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
            "get_pane" => (
                "pane_read",
                json!({"tab_id": "t1", "block_ids": with["block_ids"], "node_id": "n1"}),
            ),
            "guard_blocks" => ("blocks_guarded", json!({"block_ids": with["block_ids"]})),
            "lift_guard" => ("guard_lifted", json!({"block_ids": with["block_ids"]})),
            "stop_block" => ("block_stopped", json!({"block_id": with["block_id"]})),
            "layout_queue_backend_actions" => {
                ("layout_actions_queued", json!({"tab_id": with["tab_id"]}))
            }
            "layout_delete_node_by_block" | "layout_delete_node" => {
                ("layout_node_deleted", json!({"tab_id": with["tab_id"]}))
            }
            "spawn_pool_window" => ("pool_window_added", json!({"label": "p2"})),
            "reap_panes" => ("panes_reaped", json!({"label": with["label"]})),
            "drain_pool_if_last" => ("pool_not_last", json!({"label": with["label"]})),
            "light" => ("lit", json!({"n": with["n"]})),
            "darken" => ("dark", json!({"n": with["n"]})),
            "note" => ("noted", json!({"n": with["n"]})),
            "seal" => ("sealed", json!({"n": with["n"]})),
            other => panic!("nobody taught the target {other}"),
        }
    }
}

/// How a run went, without what may differ between runs: versions and sessions.
#[derive(Debug, PartialEq)]
struct Run {
    ends: Vec<Value>,
    asked: Vec<Value>,
}

/// Runs the case to its end; the launcher is killed after `crash` commits and started again.
/// Returns whether it was killed at all.
fn run(case: &Case, crash: Option<u64>) -> (Run, bool) {
    let house = (case.house)(case.saga);
    let mut target = Target::default();
    let mut launcher = match crash {
        Some(commits) => house.launch_to_crash(commits),
        None => Some(house.launch()),
    };
    let mut crashed = launcher.is_none();
    let ends = loop {
        let alive = launcher.get_or_insert_with(|| house.launch());
        if let Some(ends) = talk(&house, case, &mut target) {
            break ends;
        }
        assert!(!crashed, "a launcher died that was not told to: {}", alive.said());
        assert_eq!(alive.wait(), None, "SIGKILL ended it: {}", alive.said());
        launcher = None;
        crashed = true;
    };
    if let Some(launcher) = launcher {
        launcher.kill();
    }
    check_log(&house, &ends);
    let mut run = Run { ends: ends.into_values().collect(), asked: target.asked };
    for end in &mut run.ends {
        end.as_object_mut().expect("an event").shift_remove("version");
    }
    // Within a saga the order is fixed, between sagas it is not.
    run.asked.sort_by_key(|command| command["saga_id"].as_u64());
    (run, crashed)
}

/// The ends of brackets by saga.
type Ends = BTreeMap<u64, Value>;

/// Speaks with one launcher until all sagas ended, or the launcher did (`None`).
fn talk(house: &House, case: &Case, target: &mut Target) -> Option<Ends> {
    let mut peer = Peer::try_connect(&house.socket())?;
    let register = json!({
        "cmd": "register", "kind": case.target, "name": "crash-test", "pid": peer.pid,
        "version": "1", "subscribe": ["saga_*"], "resume_from": 0
    });
    peer.say(&register);
    let mut ends = Ends::new();
    while ends.len() < case.ends.len() {
        let line = peer.try_line()?;
        match line["event"].as_str() {
            // At least once, under the same id: what an earlier launcher took is not taken twice.
            Some("registered") => {
                for start in &case.starts {
                    peer.say(start);
                }
            }
            Some("saga_completed" | "saga_failed") => {
                let id = line["saga_id"].as_u64().expect("a bracket names its saga");
                let again = ends.insert(id, line);
                assert_eq!(again, None, "R1: a second terminal");
            }
            Some("error") => panic!("the launcher says {line}"),
            Some(_) => {}
            None => {
                if let Some(answer) = target.answer(&line, case.fails) {
                    peer.say(&answer);
                }
            }
        }
    }
    Some(ends)
}

/// The log of a run that is over: one terminal a saga, folds without a clash, no damage.
fn check_log(house: &House, ends: &Ends) {
    let log = house.log();
    let (mut began, mut ended, mut terminals, mut starts) = (0, 0, 0, 0);
    let mut records: BTreeMap<SagaId, Vec<_>> = BTreeMap::new();
    log.rows_since(Seq(0), &mut |row| {
        let row = row.expect("the log is sound");
        let of_row: Vec<Record> = row.records().expect("a row holds records");
        for (offset, record) in of_row.into_iter().enumerate() {
            let seq = Seq(row.seq.0 + offset as u64);
            began += usize::from(matches!(record, Record::Began(_)));
            ended += usize::from(matches!(record, Record::Ended(_)));
            if let Some(event) = bus_event(seq, row.saga_id, &record) {
                terminals += usize::from(matches!(event.told, Told::SagaEnded { .. }));
                starts += usize::from(matches!(event.told, Told::SagaStarted { .. }));
            }
            if let Some(id) = row.saga_id {
                records.entry(id).or_default().push((seq, row.at, record));
            }
        }
        ControlFlow::Continue(())
    })
    .expect("the log can be read");
    let counts = (began, starts, ended, terminals);
    let each = ends.len();
    assert_eq!(counts, (each, each, each, each), "R1: one start, one terminal, of {ends:#?}");

    let files = sagaflow::launcher::read_directory(&house.at("sagas")).expect("they are there");
    let plans = Loaded::of_texts(files).plans;
    for (id, records) in &records {
        let stored = log.saga(*id).expect("it can be read").expect("it is kept");
        let plan = plans.iter().find(|plan| plan.hash == stored.saga.definition);
        let folded = fold(*id, plan.expect("it is loaded"), records).expect("R3: no clash");
        assert_eq!(folded.state.as_str(), &*stored.saga.progress.state);
        assert!(!folded.is_open());
    }
    assert_eq!(log.full_check().expect("it can be checked"), Vec::<String>::new());
}

/// Every n, until the sagas end before the launcher would be killed.
pub(super) fn check(case: &Case) {
    let (undisturbed, _) = run(case, None);
    let ends: Vec<_> = undisturbed.ends.iter().map(|end| &end["event"]).collect();
    assert_eq!(ends, case.ends, "{:#?}", undisturbed.ends);
    let mut keys: Vec<_> = undisturbed.asked.iter().map(key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), undisturbed.asked.len(), "one command_id for each attempt");
    for commits in 1.. {
        let (disturbed, crashed) = run(case, Some(commits));
        assert_eq!(disturbed, undisturbed, "killed after commit {commits}");
        if !crashed {
            return;
        }
    }
}

fn key(command: &Value) -> [String; 3] {
    ["saga_id", "step", "attempt"].map(|field| command[field].to_string())
}

fn shipped(saga: &str) -> House {
    House::shipped_but(|name| name == saga)
}

fn window_closed() -> Value {
    json!({"cmd": "report", "id": "start", "event": "window_closed", "label": "main"})
}

fn promoted() -> Value {
    json!({"cmd": "report", "id": "start", "event": "pool_window_promoted", "label": "p1"})
}

/// A saga of the host, by what triggers it and what happens then.
fn check_host(saga: &'static str, starts: Vec<Value>) {
    let (house, ends) = (shipped, vec!["saga_completed"]);
    check(&Case { house, saga, target: "host", starts, fails: &[], ends });
}

#[test]
fn bg_z01_bg_r05_window_cleanup_cascade_survives_a_kill_after_every_commit() {
    check_host("window_cleanup_cascade", vec![window_closed()]);
}

#[test]
fn pool_respawn_on_promote_survives_a_kill_after_every_commit() {
    check_host("pool_respawn_on_promote", vec![promoted()]);
}

/// A saga of srv, by its call.
fn check_srv(saga: &'static str, input: &Value, fails: &'static [&'static str]) {
    let ends = if fails.is_empty() { "saga_completed" } else { "saga_failed" };
    let starts = vec![json!({"cmd": "start_saga", "id": "start", "saga": saga, "input": input})];
    check(&Case { house: shipped, saga, target: "srv", starts, fails, ends: vec![ends] });
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

#[test]
fn delete_workspace_survives_a_kill_after_every_commit() {
    check_srv("delete_workspace", &json!({"workspace_id": "w1"}), &[]);
}

#[test]
fn close_pane_survives_a_kill_after_every_commit() {
    check_srv("close_pane", &json!({"block_ids": ["b1", "b2"]}), &[]);
}

#[test]
fn pending_shutdown_survives_a_kill_after_every_commit() {
    let start = |id: &str, blocks: Value| {
        json!({"cmd": "start_saga", "id": id, "saga": "pending_shutdown",
            "input": {"block_ids": blocks, "action": "stop", "by": id}})
    };
    // The second one joins the first, and somebody keeps what both cover.
    let starts = vec![
        start("a", json!(["b1"])),
        start("b", json!(["b1", "b2"])),
        json!({"cmd": "report", "id": "keep", "event": "keep_running", "block_id": "b2",
            "by": "me"}),
    ];
    let saga = "pending_shutdown";
    let ends = vec!["saga_completed"];
    check(&Case { house: shipped, saga, target: "srv", starts, fails: &[], ends });
}

#[test]
fn promoted_window_watch_survives_a_kill_after_every_commit() {
    let opened = json!({"cmd": "report", "id": "start", "event": "window_opened", "label": "p1",
        "from_pool": true});
    let registered =
        json!({"cmd": "report", "id": "alive", "event": "window_registered", "label": "p1"});
    check_host("promoted_window_watch", vec![opened, registered]);
}

/// Two of one key, so that one waits, each with a follower that its event starts.
fn check_rich(fails: &'static [&'static str], ends: [&'static str; 4]) {
    let start =
        |id: &str| json!({"cmd": "start_saga", "id": id, "saga": "rich", "input": {"n": 1}});
    let starts = vec![start("a"), start("b")];
    let house: fn(&str) -> House = |_| super::lamps::rich();
    check(&Case { house, saga: "rich", target: "lamp", starts, fails, ends: ends.to_vec() });
}

#[test]
fn all_that_a_saga_can_do_survives_a_kill_after_every_commit() {
    check_rich(&[".tries.1"], ["saga_completed"; 4]);
}

#[test]
fn all_that_a_saga_can_undo_survives_a_kill_after_every_commit() {
    let ends = ["saga_failed", "saga_failed", "saga_completed", "saga_completed"];
    check_rich(&["seal"], ends);
}

/// What is shipped and what is killed here are the same list.
#[test]
fn every_shipped_saga_is_killed() {
    let own = std::fs::read_to_string(file!()).expect("tests run in the package");
    let directory = crate::cli::package().join("sagas");
    for entry in std::fs::read_dir(directory).expect("it is shipped") {
        let name = entry.expect("it can be listed").file_name().into_string().expect("UTF-8");
        // What drives real processes is killed with them, elsewhere.
        let plain = name.strip_suffix(".saga.yaml").filter(|saga| !OF_BUILT_IN.contains(saga));
        let Some(saga) = plain else { continue };
        let test = format!("{saga}_survives_a_kill_after_every_commit");
        assert!(own.contains(&test), "write a test {test}");
    }
}
