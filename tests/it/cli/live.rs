//! Commands against a real launcher and real hosts. Every wait is for a word of one of them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{Did, is_of_built_in, package, run, sagaflow, scratch};

/// A process of ours that ends with the test, whatever becomes of it.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Sends a signal and returns the exit code of what follows; `None`: the signal ended it.
    pub fn signal(&mut self, signal: Signal) -> Option<i32> {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it runs");
        self.0.wait().expect("it ends").code()
    }
}

/// A directory with a launcher on it.
pub struct Stage {
    pub here: tempfile::TempDir,
    sagas: String,
}

/// A launcher that serves, or a host that is connected.
pub struct Launcher {
    pub process: Process,
    _stderr: BufReader<ChildStderr>,
}

/// A scripted host that is connected.
pub struct Host {
    pub process: Process,
    lines: BufReader<ChildStdout>,
}

impl Stage {
    /// With the shipped sagas of those who connect.
    pub fn new(files: &[(&str, &str)]) -> Stage {
        let here = scratch(files);
        let sagas = here.path().join("shipped");
        std::fs::create_dir(&sagas).expect("room on the disk");
        for entry in std::fs::read_dir(package().join("sagas")).expect("they are shipped") {
            let path = entry.expect("it can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            if !is_of_built_in(name) {
                std::fs::copy(&path, sagas.join(name)).expect("room on the disk");
            }
        }
        let sagas = sagas.to_str().expect("UTF-8").to_owned();
        Stage { here, sagas }
    }

    /// With the sagas among the files.
    pub fn of_its_own(files: &[(&str, &str)]) -> Stage {
        Stage { here: scratch(files), sagas: "sagas".to_owned() }
    }

    pub fn launcher(&self) -> Launcher {
        self.launcher_with(&[])
    }

    /// Starts a launcher, and returns when it says that it listens.
    pub fn launcher_with(&self, args: &[&str]) -> Launcher {
        let mut command = sagaflow(self.here.path(), &["run", "--sagas", &self.sagas]);
        command.args(args).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = child.stderr.take().expect("piped");
        let mut launcher = Launcher { process: Process(child), _stderr: BufReader::new(stderr) };
        let mut said = String::new();
        while !said.contains("listening on") {
            let read = launcher._stderr.read_line(&mut said).expect("UTF-8");
            assert!(read > 0, "the launcher ended: {said}");
        }
        launcher
    }

    /// Starts a host, and returns when it is connected.
    pub fn host(&self, script: &str, args: &[&str]) -> Host {
        let target = if script.contains("target: srv") { "srv.yaml" } else { "host.yaml" };
        std::fs::write(self.here.path().join(target), script).expect("room on the disk");
        let fixed = ["host", "--json", "--script", target, "--sagas", &self.sagas];
        let mut command = sagaflow(self.here.path(), &fixed);
        command.args(args).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("piped");
        let mut host = Host { process: Process(child), lines: BufReader::new(stdout) };
        host.until("connected");
        host
    }

    pub fn run(&self, args: &[&str]) -> Did {
        run(self.here.path(), args)
    }

    /// All events from the first on, until so many of that name have come.
    pub fn events_until(&self, name: &str, count: usize) -> Vec<Value> {
        let args = ["watch", "--json", "--steps", "--since", "0"];
        let mut command = sagaflow(self.here.path(), &args);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("piped");
        let _watch = Process(child);
        let (mut events, mut missing) = (Vec::new(), count);
        for line in BufReader::new(stdout).lines() {
            let event: Value = serde_json::from_str(&line.expect("UTF-8")).expect("JSON");
            missing -= usize::from(event["event"] == name);
            events.push(event);
            if missing == 0 {
                return events;
            }
        }
        panic!("the launcher ended before {name}: {events:?}")
    }
}

impl Host {
    /// Its next word of that kind.
    pub fn until(&mut self, what: &str) -> Value {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "the host ended before {what}");
            let said: Value = serde_json::from_str(&line).expect("JSON");
            if said["what"] == what {
                return said;
            }
        }
    }
}

const SRV: &str = "\
target: srv
commands:
  get_workspace: { reply: workspace_read, with: { tab_ids: [t1, t2] } }
  get_tab: { reply: tab_read, with: { workspace_id: w1, index: 1, block_ids: [] } }
";

const TEAR_OFF: [&str; 4] = ["start", "tear_off_tab", "tab_id=t1", "source_workspace_id=w1"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    args.iter().chain(more).copied().collect()
}

#[test]
fn ps_and_show_tell_the_same_of_a_live_launcher_and_of_its_log() {
    let stage = Stage::new(&[]);
    let mut launcher = stage.launcher();
    let _host = stage.host("commands: {}", &[]);
    let emitted = stage.run(&["emit", "window_closed", "label=main", "--json"]);
    assert_eq!(emitted.exit, 0, "{}", emitted.stderr);
    assert_eq!(emitted.json()["event"], "window_closed");
    stage.events_until("saga_completed", 1);

    let list = stage.run(&["ps", "--json"]).json();
    let brief = json!([list[0]["saga_id"], list[0]["name"], list[0]["state"], list[0]["input"]]);
    assert_eq!(brief, json!([1, "window_cleanup_cascade", "completed", {"label": "main"}]));
    let one = stage.run(&["show", "1", "--json"]).json();
    let steps = one["steps"].as_array().expect("steps");
    let brief: Vec<_> = steps.iter().map(|step| (&step["id"], &step["command_id"])).collect();
    assert_eq!(
        brief,
        [(&json!("reap"), &json!("1.reap.1")), (&json!("drain"), &json!("1.drain.1"))]
    );
    assert_eq!(steps[0]["echo"], json!({"label": "main"}));
    let table = stage.run(&["ps"]);
    assert!(table.stdout.contains("window_cleanup_cascade"), "{}", table.stdout);
    assert_eq!(table.stderr, "");

    assert_eq!(launcher.process.signal(Signal::SIGKILL), None);
    for args in [&["ps", "--json"][..], &["ps", "--json", "--data", ".sagaflow"]] {
        assert_eq!(stage.run(args).json(), list, "{args:?}");
    }
    let dead = stage.run(&["show", "1", "--json"]);
    assert_eq!(dead.json(), one);
    assert!(dead.stderr.contains("no launcher runs"), "{}", dead.stderr);
    assert_eq!(stage.run(&["show", "7"]).exit, 1);
}

#[test]
fn start_prints_the_id_and_with_wait_the_end() {
    let stage = Stage::new(&[]);
    let _launcher = stage.launcher();
    let _srv = stage.host(SRV, &[]);
    let done = stage.run(&with(&TEAR_OFF, &["--wait", "--json"]));
    let result = json!({"new_workspace_id": "ws-1"});
    let end = json!({"saga_id": 1, "state": "completed", "cause": null, "result": result,
        "reason": null});
    let mut told = done.json();
    told.as_object_mut().expect("an object").retain(|name, _| end.get(name).is_some());
    assert_eq!((done.exit, told), (0, end));

    let id = stage.run(&TEAR_OFF);
    assert_eq!((id.exit, id.stdout.as_str()), (0, "2\n"), "{}", id.stderr);

    let lost =
        stage.run(&["start", "tear_off_tab", "tab_id=t9", "source_workspace_id=w1", "--wait"]);
    assert_eq!((lost.exit, lost.stdout.as_str()), (1, ""));
    assert!(lost.stderr.contains("tab t9 is not in workspace w1"), "{}", lost.stderr);
}

/// [W3]: only what stands beside the envelope's names has to keep clear of them.
#[test]
fn a_callers_fields_may_be_called_like_the_envelopes() {
    let saga = "saga: hi\ntrigger: { call: { fields: { id: { type: integer }, \
                kind: { type: string } } } }\ninput: { id: \"${{ trigger.id }}\", \
                kind: \"${{ trigger.kind }}\" }\neviction: { policy: parallel }\ntimeout: 5s\n\
                steps: [{ id: now, done: true }]\n\
                result: { id: \"${{ input.id }}\", kind: \"${{ input.kind }}\" }\n";
    let stage = Stage::of_its_own(&[("sagas/hi.saga.yaml", saga)]);
    let _launcher = stage.launcher();
    let done = stage.run(&["start", "hi", "id=7", "kind=host", "--wait", "--json"]);
    assert_eq!(done.exit, 0, "{}", done.stderr);
    assert_eq!(done.json()["result"], json!({"id": 7, "kind": "host"}));
}

#[test]
fn what_the_launcher_refuses_exits_with_1_and_its_words() {
    let stage = Stage::new(&[]);
    let _launcher = stage.launcher();
    for (args, words) in [
        (&["emit", "window_cloesd"][..], "unknown_event"),
        (&["emit", "window_closed", "label=3"], "label='\"3\"'"),
        (&["start", "tear_off_tab", "tab_id=true", "source_workspace_id=w"], "tab_id='\"true\"'"),
        (&["start", "tear_off_tba"], "unknown_saga"),
        (&["start", "tear_off_tab"], "`tab_id`"),
        (&["start", "window_cleanup_cascade"], "refused"),
        (&["show", "9"], "9"),
        (&["cancel", "9"], "sagaflow ps"),
    ] {
        let did = stage.run(args);
        assert_eq!(did.exit, 1, "{args:?}: {}", did.stderr);
        assert!(did.stderr.contains(words), "{args:?}: {}", did.stderr);
    }
}

#[test]
fn an_incident_is_shown_first_tried_again_and_settled() {
    let stage = Stage::new(&[]);
    let _launcher = stage.launcher();
    let fails = "  move_tab: { fail: the tab is pinned }\n  delete_workspace:\n    \
        [{ fail: it is locked }, { fail: it is locked still }]\n";
    let _srv = stage.host(&format!("{SRV}{fails}"), &[]);
    let ended = stage.run(&with(&TEAR_OFF, &["--wait", "--json"])).json();
    assert_eq!(ended["state"], "failed_compensation");
    assert_eq!(ended["reason"], "the tab is pinned");

    assert_eq!(stage.run(&["retry", "1", "--reason", "again"]).exit, 0);
    stage.events_until("saga_resolved", 1);
    let newer =
        stage.run(&["start", "tear_off_tab", "tab_id=t9", "source_workspace_id=w1", "--wait"]);
    assert_eq!(newer.exit, 1);
    let first = stage.run(&["ps"]).stdout;
    let first = first.lines().nth(1).expect("a row");
    assert!(first.starts_with("1 ") && first.contains("failed_compensation"), "R14: {first}");

    let settled = stage.run(&["resolve", "1", "--reason", "removed by hand", "--json"]);
    assert_eq!(settled.json()["signal"], "resolve", "{}", settled.stderr);
    let shown = stage.run(&["show", "1", "--json"]).json();
    assert_eq!(shown["resolved"]["reason"], "removed by hand");
    assert_eq!(stage.run(&["resolve", "1", "--reason", "twice"]).exit, 1);
}

#[test]
fn cancel_undoes_what_was_done() {
    let stage = Stage::new(&[]);
    let _launcher = stage.launcher();
    let mut srv = stage.host(&format!("{SRV}  move_tab: {{ silent: true }}\n"), &[]);
    assert_eq!(stage.run(&TEAR_OFF).exit, 0);
    while srv.until("command")["cmd"] != "move_tab" {}
    assert_eq!(stage.run(&["cancel", "1", "--reason", "changed my mind"]).exit, 0);
    stage.events_until("saga_failed", 1);
    let shown = stage.run(&["show", "1", "--json"]).json();
    let told = json!([shown["state"], shown["cause"], shown["reason"]]);
    assert_eq!(told, json!(["compensated", "cancelled", "changed my mind"]));
    let page = stage.run(&["show", "1"]).stdout;
    assert!(page.contains("↩ workspace.undo"), "{page}");
}

#[test]
fn a_host_comes_back_and_answers_alike_even_after_it_was_killed() {
    let stage = Stage::new(&[]);
    let mut launcher = stage.launcher();
    let script = "commands: { reap_panes: { silent: true } }";
    let mut host = stage.host(script, &[]);
    assert_eq!(stage.run(&["emit", "window_closed", "label=main"]).exit, 0);
    let asked = host.until("command");
    assert_eq!(asked["plan"], "silent");
    launcher.process.signal(Signal::SIGKILL);
    host.until("disconnected");
    let _launcher = stage.launcher();
    let again = host.until("command");
    assert_eq!(again["command_id"], asked["command_id"], "P4: the same command again");
    drop(host);

    let echoes = "commands: {}";
    let mut host = stage.host(echoes, &["--ledger", "ledger"]);
    assert_eq!(host.until("command")["plan"], "answer");
    stage.events_until("saga_completed", 1);
    host.process.signal(Signal::SIGKILL);
    let ledger = std::fs::read_to_string(stage.here.path().join("ledger")).expect("the ledger");
    let asked: Vec<&str> = ledger.lines().collect();
    assert!(asked[0].contains("1.reap.1") && asked[1].contains("1.drain.1"), "{ledger}");
}

#[test]
fn w12_the_older_host_leaves_the_field_to_the_newer() {
    let stage = Stage::new(&[]);
    let _launcher = stage.launcher();
    let mut older = stage.host("commands: {}", &[]);
    let _newer = stage.host("commands: {}", &[]);
    assert_eq!(older.process.0.wait().expect("it ends").code(), Some(1));
}

/// bg_D02: the newest first, each with why it failed, from a dead launcher's log too.
#[test]
fn ps_filters_and_counts_the_same_live_and_offline() {
    let stage = Stage::new(&[]);
    let mut launcher = stage.launcher();
    let _srv = stage.host(&format!("{SRV}  move_tab: {{ fail: pinned }}\n"), &[]);
    let _host = stage.host("commands: {}", &[]);
    for label in ["a", "b", "c"] {
        let label = format!("label={label}");
        assert_eq!(stage.run(&["emit", "window_closed", &label]).exit, 0);
    }
    assert_eq!(stage.run(&with(&TEAR_OFF, &["--wait"])).exit, 1);
    stage.events_until("saga_completed", 3);
    let check = |more: &[&str]| {
        let ids = |args: &[&str], ids: &[u64]| {
            let list = stage.run(&with(&with(&["ps", "--json"], args), more)).json();
            let found: Vec<u64> = list
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|s| s["saga_id"].as_u64())
                .collect();
            assert_eq!(found, ids, "{args:?} {more:?}");
        };
        ids(&[], &[4, 3, 2, 1]);
        ids(&["--limit", "2"], &[4, 3]);
        ids(&["--state", "completed"], &[3, 2, 1]);
        ids(&["--state", "completed", "--limit", "1"], &[3]);
        ids(&["--state", "compensated", "--state", "running"], &[4]);
        ids(&["--name", "tear_off_tab"], &[4]);
        ids(&["--name", "delete_tab"], &[]);
        let newest = stage.run(&with(&["ps", "--json", "--limit", "1"], more)).json();
        assert_eq!(newest[0]["reason"], "pinned");
    };
    check(&[]);
    launcher.process.signal(Signal::SIGTERM);
    check(&["--data", ".sagaflow"]);
}

/// After a crash nobody could say what had been done: steps were shown of some sagas only, those of
/// failed ones stayed pending for ever, and later the log was in memory.
#[test]
fn bg_11_17_the_log_of_a_dead_launcher_tells_every_step_of_every_saga() {
    let stage = Stage::new(&[]);
    let mut launcher = stage.launcher();
    let _srv = stage.host(&format!("{SRV}  move_tab: {{ fail: pinned }}\n"), &[]);
    let drain = "[{ reply: pool_drained }, { silent: true }]";
    let _host = stage.host(&format!("commands: {{ drain_pool_if_last: {drain} }}"), &[]);
    for label in ["label=a", "label=b"] {
        assert_eq!(stage.run(&["emit", "window_closed", label]).exit, 0);
        stage.events_until("panes_reaped", if label == "label=a" { 1 } else { 2 });
    }
    assert_eq!(stage.run(&with(&TEAR_OFF, &["--wait"])).exit, 1);
    stage.events_until("saga_completed", 1);
    launcher.process.signal(Signal::SIGKILL);

    let steps = |saga: &str| {
        let shown = stage.run(&["show", saga, "--json", "--data", ".sagaflow"]).json();
        let list = shown["steps"].as_array().expect("steps").clone();
        let word = |value: &Value| value.as_str().expect("a word").to_owned();
        let words =
            list.iter().map(|step| format!("{} {}", word(&step["id"]), word(&step["state"])));
        (word(&shown["state"]), words.collect::<Vec<String>>())
    };
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let done = list(&["reap succeeded", "drain succeeded"]);
    assert_eq!(steps("1"), ("completed".to_owned(), done));
    let half = list(&["reap succeeded", "drain issued"]);
    assert_eq!(steps("2"), ("running".to_owned(), half));
    let undone = list(&[
        "source succeeded",
        "tab succeeded",
        "workspace compensated",
        "move failed",
        "workspace.undo succeeded",
    ]);
    assert_eq!(steps("3"), ("compensated".to_owned(), undone));
}

#[test]
fn watch_tells_people_and_tools_what_happens() {
    let stage = Stage::new(&[]);
    let mut launcher = stage.launcher();
    let _host = stage.host("commands: {}", &[]);
    stage.run(&["emit", "window_closed", "label=main window"]);
    let events = stage.events_until("saga_completed", 1);
    let versions: Vec<u64> = events.iter().filter_map(|e| e["version"].as_u64()).collect();
    assert!(versions.is_sorted(), "W7: {versions:?}");
    let steps: Vec<_> = events.iter().filter(|event| event["event"] == "saga_step").collect();
    assert_eq!(steps[0]["state"], "issued", "--steps asks for them by name");

    let watch = |args: &[&str]| {
        let mut command = sagaflow(stage.here.path(), &with(&["watch", "--since", "0"], args));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        child.expect("the binary runs")
    };
    let mut all = Process(watch(&[]));
    let mut lines = BufReader::new(all.0.stdout.take().expect("piped")).lines();
    let mut next = |word: &str| {
        let found = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(word)));
        found.expect("it comes").expect("UTF-8")
    };
    assert!(next("window_closed").ends_with("  label=\"main window\"  crash_detected=false"));
    assert!(next("saga_started").contains("  1  name=window_cleanup_cascade"));
    next("saga_completed");
    let mut some = Process(watch(&["saga_*"]));
    let mut stdout = BufReader::new(some.0.stdout.take().expect("piped"));
    let mut told = String::new();
    stdout.read_line(&mut told).expect("UTF-8");
    assert_eq!(launcher.process.signal(Signal::SIGTERM), Some(0));
    stdout.read_to_string(&mut told).expect("UTF-8");
    assert!(told.contains("saga_completed") && !told.contains("window_closed"), "{told}");
    assert_eq!(some.0.wait().expect("it ends").code(), Some(3));
    let mut talk = String::new();
    some.0.stderr.take().expect("piped").read_to_string(&mut talk).expect("UTF-8");
    assert!(talk.contains("the launcher ended"), "{talk}");
}
