//! `fmt`: files in place, differences, stdin. How a text is laid out is tested with the layout.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::{did, package, run, sagaflow, scratch};

const UNTIDY: &str = "timeout:   none\nsaga: tidy # why\n";
const TIDY: &str = "saga: tidy # why\ntimeout: none\n";

fn text(directory: &tempfile::TempDir, name: &str) -> String {
    std::fs::read_to_string(directory.path().join(name)).expect("it is there")
}

#[test]
fn the_shipped_files_are_laid_out() {
    let did = run(package(), &["fmt", "--check", "sagas"]);
    assert_eq!((did.exit, did.stdout.as_str()), (0, ""), "{}", did.stderr);
}

#[test]
fn check_writes_nothing_and_shows_what_would_change() {
    let directory = scratch(&[("sagas/a.saga.yaml", UNTIDY), ("sagas/b.saga.yaml", TIDY)]);
    let did = run(directory.path(), &["fmt", "--check"]);
    assert_eq!(did.exit, 1);
    assert_eq!(
        did.stdout,
        "--- sagas/a.saga.yaml\n+++ sagas/a.saga.yaml\n@@ -1,2 +1,2 @@\n\
         -timeout:   none\n saga: tidy # why\n+timeout: none\n"
    );
    assert!(did.stderr.contains("would lay out sagas/a.saga.yaml"), "{}", did.stderr);
    assert!(!did.stderr.contains("b.saga.yaml"), "{}", did.stderr);
    assert_eq!(text(&directory, "sagas/a.saga.yaml"), UNTIDY);
    let json = run(directory.path(), &["fmt", "--check", "--json"]);
    let expected =
        json!({ "files": 2, "changed": ["sagas/a.saga.yaml"], "left": [], "diagnostics": [] });
    assert_eq!((json.exit, json.json()), (1, expected));
}

#[test]
fn files_are_laid_out_in_place_and_others_are_not_touched() {
    let directory = scratch(&[("sagas/a.saga.yaml", UNTIDY), ("sagas/notes.yaml", "b:   1\n")]);
    for said in ["1 file, 1 laid out", "1 file, none to lay out"] {
        let did = run(directory.path(), &["fmt"]);
        assert_eq!(did.exit, 0);
        assert!(did.stderr.contains(said), "{}", did.stderr);
        assert_eq!(text(&directory, "sagas/a.saga.yaml"), TIDY);
    }
    assert_eq!(text(&directory, "sagas/notes.yaml"), "b:   1\n");
    let count = std::fs::read_dir(directory.path().join("sagas")).expect("it is there").count();
    assert_eq!(count, 2, "nothing is left beside the files");
}

#[test]
fn what_cannot_be_read_is_left_with_its_diagnostic_and_the_rest_is_laid_out() {
    let directory = scratch(&[
        ("sagas/a.saga.yaml", "saga: [\n"),
        ("sagas/b.saga.yaml", UNTIDY),
        ("sagas/c.saga.yaml", "timeout: none\nsaga: !!str tagged\n"),
    ]);
    let did = run(directory.path(), &["fmt"]);
    assert_eq!(did.exit, 1);
    assert!(did.stdout.contains("error[SF001]"), "{}", did.stdout);
    assert!(did.stderr.contains("sagas/c.saga.yaml:2:7: left as it is"), "{}", did.stderr);
    assert_eq!(text(&directory, "sagas/a.saga.yaml"), "saga: [\n");
    assert_eq!(text(&directory, "sagas/b.saga.yaml"), TIDY);
}

#[test]
fn stdin_goes_to_stdout() {
    let piped = |input: &str, more: &[&str]| {
        let mut command = sagaflow(package(), &["fmt", "-"]);
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        did(child.wait_with_output().expect("it ends"))
    };
    let laid = piped(UNTIDY, &[]);
    assert_eq!((laid.exit, laid.stdout.as_str()), (0, TIDY));
    assert_eq!(piped(UNTIDY, &["--check"]).exit, 1);
    assert_eq!(piped(TIDY, &["--check"]).exit, 0);
    let broken = piped("saga: [\n", &[]);
    assert_eq!(broken.exit, 1);
    assert!(broken.stderr.contains("error[SF001]"), "{}", broken.stderr);
    assert_eq!(broken.stdout, "", "who writes it into a file gets no talk");
    assert!(piped("saga: [\n", &["--check"]).stdout.contains("SF001"));
    assert_eq!(run(package(), &["fmt", "-", "sagas"]).exit, 2);
}
