//! Stored output, as people read it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::Stage;
use crate::cli::{run, sagaflow};

fn read(stage: &Stage, args: &[&str]) -> String {
    let mut all = vec!["output", "--data", "data"];
    all.extend(args);
    let did = run(stage.house.dir.path(), &all);
    assert_eq!((did.exit, did.stderr.as_str()), (0, ""), "{args:?}");
    did.stdout
}

#[test]
fn output_is_read_from_files_whether_a_launcher_runs_or_not() {
    let mut stage = Stage::new();
    stage.run("b", "echo one; echo; echo '  two  '");
    stage.run("b", "echo three");
    assert_eq!(read(&stage, &["b"]), "one\n  two\nthree\n");
    stage.launcher.signal(Signal::SIGKILL);
    stage.launcher.wait();
    assert_eq!(read(&stage, &["b", "--from", "4"]), "  two\nthree\n");
    let json = read(&stage, &["b", "--json", "--from", "10"]);
    assert_eq!(json, "{\"offset\":10,\"line\":\"three\"}\n");
}

#[test]
fn offsets_that_are_told_lead_to_the_lines_that_are_stored() {
    let mut stage = Stage::new();
    stage.run("b", "i=0; while [ $i -lt 50 ]; do echo \"line $i\"; i=$((i+1)); done");
    stage.run("b", "echo last");
    for told in stage.told("b", &["turn_output"]).iter().step_by(7) {
        let from = told["offset"].to_string();
        let lines = read(&stage, &["b", "--json", "--from", &from]);
        let first: Value =
            serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
        assert_eq!(first, json!({"offset": told["offset"], "line": told["line"]}));
    }
}

#[test]
fn who_follows_gets_lines_as_they_come_and_before_there_are_any() {
    let mut stage = Stage::new();
    let mut follow =
        sagaflow(stage.house.dir.path(), &["output", "b", "--data", "data", "--follow"]);
    let mut follow = Reaped(follow.stdout(Stdio::piped()).spawn().expect("the binary runs"));
    let mut lines = BufReader::new(follow.0.stdout.take().expect("it is piped")).lines();
    let mut next = || lines.next().expect("it goes on").expect("UTF-8");
    let saga = stage.shell("b", "echo one; trap 'exit 0' TERM; while :; do sleep 0.05; done");
    assert_eq!(next(), "one");
    stage.end("stop", "b");
    stage.until(&saga, "turn_ended");
    stage.run("b", "echo two");
    assert_eq!(next(), "two");
}

/// A process that ends with its test.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_block_of_which_nothing_is_stored_is_said_to_be_unknown() {
    let mut stage = Stage::new();
    let did = run(stage.house.dir.path(), &["output", "b", "--data", "data"]);
    assert_eq!(did.exit, 1);
    assert!(did.stderr.contains("`b`") && did.stderr.contains("sagaflow blocks"), "{}", did.stderr);
    stage.run("b", "echo one");
    assert!(stage.end("forget", "b"));
    assert_eq!(run(stage.house.dir.path(), &["output", "b", "--data", "data"]).exit, 1);
}

#[test]
fn what_a_disk_does_not_take_is_told_all_the_same() {
    let mut stage = Stage::new();
    // No directory can be made where a file stands.
    stage.house.write("data/output", "in the way");
    let ended = stage.run("b", "echo told");
    assert_eq!(ended["exit_code"], 0);
    assert_eq!(stage.lines("b"), ["told"]);
}
