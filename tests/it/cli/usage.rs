//! Exit codes and streams: what scripts of users rely on.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use super::validate::{BAD, CATALOG};
use super::{did, package, run, sagaflow, scratch};

/// Runs in an empty directory; the exit code is this, and stderr holds these words.
fn check(args: &[&str], exit: i32, words: &[&str]) {
    let here = scratch(&[]);
    let did = run(here.path(), args);
    assert_eq!(did.exit, exit, "{args:?}: {}", did.stderr);
    for word in words {
        assert!(did.stderr.contains(word), "{args:?}: {word:?} is missing in: {}", did.stderr);
    }
    let (talk, data) = (!did.stderr.is_empty(), !did.stdout.is_empty());
    assert!(exit == 0 || (talk && !data), "{args:?}: a failure is talk: {}", did.stdout);
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_right() {
    check(&["frobnicate"], 2, &["frobnicate", "Usage"]);
    check(&["validat"], 2, &["validate"]);
    check(&["emit"], 2, &["<EVENT>"]);
    check(&["emit", "x", "label"], 2, &["key=value"]);
    check(&["emit", "x", "a=1", "a=2"], 2, &["`a` is given twice"]);
    // Under another id than ours the answer would never come.
    for field in ["event", "id", "cmd", "kind", "version", "attempt", "session"] {
        check(&["emit", "x", &format!("{field}=y")], 2, &[&format!("`{field}`")]);
    }
    for args in [&["run"][..], &["validate"], &["plan", "x"], &["graph", "x"]] {
        check(args, 2, &["`sagas`", "--sagas DIR"]);
    }
    check(&["show", "three"], 2, &["three"]);
    check(&["resolve", "3"], 2, &["--reason"]);
    check(&["ps", "--json", "--format", "human"], 2, &["--json"]);
    check(&["ps", "--state", "sleeping"], 2, &["failed_compensation"]);
    check(&["validate", "nowhere"], 2, &["cannot read nowhere"]);
    check(&["validate"], 2, &["no directory `sagas`"]);
    check(&["validate", "."], 2, &["no *.saga.yaml"]);
    check(&["explain", "SF1O1"], 2, &["did you mean SF101?"]);
    check(&["completions", "cmd"], 2, &["zsh"]);
}

#[test]
fn no_launcher_exits_with_3_and_says_how_to_start_one() {
    for args in [
        &["emit", "window_closed"][..],
        &["start", "tear_off_tab", "--wait"],
        &["watch"],
        &["ps"],
        &["show", "1"],
        &["cancel", "1"],
        &["retry", "1"],
        &["resolve", "1", "--reason", "mended"],
        &["ps", "--socket", "nowhere.sock"],
    ] {
        check(args, 3, &["sagaflow run"]);
    }
}

#[test]
fn a_log_that_is_missing_or_no_log_exits_with_5() {
    check(&["ps", "--data", "nowhere"], 5, &["nowhere/sagaflow.db", "data directory"]);
    let here = scratch(&[("data/sagaflow.db", "this is no database, and long enough to be seen")]);
    let did = run(here.path(), &["show", "1", "--data", "data"]);
    assert_eq!(did.exit, 5, "{}", did.stderr);
    assert!(did.stderr.contains("data/sagaflow.db"), "{}", did.stderr);
}

#[test]
fn help_and_version_are_data() {
    let here = scratch(&[]);
    let version = run(here.path(), &["--version"]);
    assert_eq!((version.exit, version.stdout.as_str()), (0, "sagaflow 0.1.0\n"));
    let help = run(here.path(), &["--help"]);
    assert_eq!(help.exit, 0);
    assert!(help.stdout.contains("Exit codes: 0 fine"), "{}", help.stdout);
    assert_eq!(help.stderr, "");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = sagaflow(package(), &["catalog"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let mut talk = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut talk).expect("UTF-8");
    assert_eq!((child.wait().expect("it ends").code(), talk.as_str()), (Some(0), ""));
}

/// The exit code of a command whose output nobody reads.
pub fn unread(here: &Path, args: &[&str]) -> Option<i32> {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = sagaflow(here, args);
    command.stdout(writer).stderr(Stdio::null()).status().expect("the binary runs").code()
}

#[test]
fn a_verdict_stands_whether_it_is_read_or_not() {
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", BAD)]);
    for args in [
        &["validate"][..],
        &["validate", "--json"],
        &["validate", "--format", "sarif"],
        &["validate", "--format", "github"],
        &["validate", "--dry-run"],
    ] {
        assert_eq!(unread(here.path(), args), Some(1), "{args:?}");
    }
    assert_eq!(unread(package(), &["validate", "--json"]), Some(0));
}

#[test]
fn colours_are_for_terminals_and_for_who_forces_them() {
    let escapes = |name: Option<(&str, &str)>| {
        let mut command = sagaflow(package(), &["catalog"]);
        command.envs(name);
        did(command.output().expect("the binary runs")).stdout.contains('\u{1b}')
    };
    assert!(!escapes(None), "a pipe is no terminal");
    assert!(escapes(Some(("CLICOLOR_FORCE", "1"))));
    let mut both = sagaflow(package(), &["catalog"]);
    both.env("NO_COLOR", "1");
    assert!(!did(both.output().expect("the binary runs")).stdout.contains('\u{1b}'));
}
