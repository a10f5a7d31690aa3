//! `validate --fix`: what is sure is cured in place, what is not is left to the author.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::validate::{BAD, CATALOG};
use super::{run, sagaflow, scratch};

/// A mistake of each kind: sure, sure and uncovering another, and not sure.
fn mistaken() -> String {
    let text = BAD.replace("timeout: soon", "timeout: 5 sec # as the host needs");
    text.replace("eviction: {", "eviction:  {").replace("echo: closed", "echo: closd")
}

#[test]
fn what_is_sure_is_cured_in_place_and_the_rest_is_told() {
    let catalog = CATALOG.replace("echoes: [closed]", "echos: [closed]");
    let here = scratch(&[("sagas/a.catalog.yaml", &catalog), ("real/tidy", &mistaken())]);
    let real = here.path().join("real/tidy");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let link = here.path().join("sagas/tidy.saga.yaml");
    symlink("../real/tidy", &link).expect("room");

    // A file that was not asked for is left alone, whatever is wrong in it.
    let did = run(here.path(), &["validate", "sagas/tidy.saga.yaml", "--fix"]);
    assert_eq!(did.exit, 1);
    assert!(did.stdout.contains("unknown key `echos`"), "{}", did.stdout);
    assert_eq!(fs::read_to_string(here.path().join("sagas/a.catalog.yaml")).ok(), Some(catalog));

    let did = run(here.path(), &["validate", "--fix"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stderr.contains("fixed sagas/a.catalog.yaml:8:5: SF009: write `echoes`"));
    let expected = mistaken()
        .replace("timout: 10s", "timeout: 10s")
        .replace("closd", "closed")
        .replace("5 sec #", "5s #");
    assert_eq!(fs::read_to_string(&real).ok(), Some(expected));
    let mode = fs::metadata(&real).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    let left: Vec<_> = fs::read_dir(here.path().join("real")).expect("ours").collect();
    assert_eq!(left.len(), 1, "nothing else stays: {left:?}");
    let again = run(here.path(), &["validate", "--fix"]);
    assert!(again.stderr.contains("nothing wrong") && !again.stderr.contains("fixed"));
}

#[test]
fn what_is_read_only_is_left_as_it_is() {
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", &mistaken())]);
    let path = here.path().join("sagas/tidy.saga.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("it is ours");
    for args in [&["validate", "--fix"][..], &["fmt"]] {
        let did = run(here.path(), args);
        assert_eq!(did.exit, 1, "{}{}", did.stdout, did.stderr);
        let words = "cannot write sagas/tidy.saga.yaml: it is read-only; it is as it was";
        assert!(did.stderr.contains(words), "{}", did.stderr);
        assert_eq!(fs::read_to_string(&path).ok(), Some(mistaken()));
    }
    assert_eq!(fs::read_dir(here.path().join("sagas")).expect("ours").count(), 2);
}

#[test]
fn a_name_that_is_no_utf8_is_a_name() {
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG)]);
    let path = here.path().join("sagas").join(OsStr::from_bytes(b"caf\xe9.saga.yaml"));
    fs::write(&path, mistaken()).expect("room");
    let did = run(here.path(), &["validate", "--fix"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stderr.contains("fixed sagas/caf\\xe9.saga.yaml:5:1"), "{}", did.stderr);
    let filled = run(here.path(), &["test", "--fill"]);
    assert_eq!(filled.exit, 0, "{}{}", filled.stdout, filled.stderr);
    assert!(here.path().join("sagas").join(OsStr::from_bytes(b"caf\xe9.test.yaml")).exists());
    assert_eq!(run(here.path(), &["fmt"]).exit, 0);
    let other = here.path().join(OsStr::from_bytes(b"d\xe9"));
    fs::rename(here.path().join("sagas"), &other).expect("room");
    let mut command = sagaflow(here.path(), &["run", "--check-only", "--sagas"]);
    let checked = super::did(command.arg(&other).output().expect("the binary runs"));
    assert!(checked.stderr.contains("1 saga, nothing wrong"), "{}", checked.stderr);
}

#[test]
fn what_is_not_sure_is_left_and_makes_the_exit_code() {
    let text = BAD.replace("policy: refuse", "policy: whatever");
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", &text)]);
    let did = run(here.path(), &["validate", "--fix", "--json"]);
    assert_eq!(did.exit, 1);
    let told = did.json();
    assert_eq!(
        told["fixed"],
        json!([{"code": "SF009", "file": "sagas/tidy.saga.yaml", "line": 5, "column": 1,
            "message": "write `timeout`"}])
    );
    let codes: Vec<&str> = told["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["code"].as_str())
        .collect();
    assert_eq!(codes, ["SF015", "SF013"]);
}

#[test]
fn a_dry_run_shows_the_change_and_makes_none() {
    let text = mistaken();
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", &text)]);
    for flags in [&["--dry-run"][..], &["--diff"], &["--fix", "--dry-run"]] {
        let args: Vec<&str> = ["validate"].iter().chain(flags).copied().collect();
        let did = run(here.path(), &args);
        assert_eq!(did.exit, 1, "the files are as wrong as before");
        for line in ["--- sagas/tidy.saga.yaml", "-timout: 10s", "+timeout: 10s"] {
            assert!(did.stdout.lines().any(|one| one == line), "{line}:\n{}", did.stdout);
        }
        assert!(did.stdout.contains("+    timeout: 5s # as the host needs\n"), "{}", did.stdout);
        assert!(did.stderr.contains("would fix sagas/tidy.saga.yaml:5:1: SF009"), "{}", did.stderr);
    }
    let told = run(here.path(), &["validate", "--fix", "--dry-run", "--json"]).json();
    assert!(told["diff"].as_str().is_some_and(|diff| diff.contains("+timeout: 10s")));
    assert_eq!(fs::read_to_string(here.path().join("sagas/tidy.saga.yaml")).ok(), Some(text));
}

#[test]
fn tools_are_told_the_edits() {
    let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", BAD)]);
    let told = run(here.path(), &["validate", "--json"]).json();
    let fixes: Vec<_> = told["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one.get("fix"))
        .collect();
    let fix = json!({"message": "write `timeout`", "file": "sagas/tidy.saga.yaml", "edits": [
        {"line": 5, "column": 1, "end_line": 5, "end_column": 7, "text": "timeout"}]});
    assert_eq!(fixes, [&fix]);
}

#[test]
fn warnings_can_be_denied() {
    let catalog = CATALOG.replace("type: string } } }\ncommands", "enum: [007, b] } } }\ncommands");
    let here = scratch(&[("sagas/a.catalog.yaml", &catalog)]);
    let fine = run(here.path(), &["validate", "--json"]);
    assert_eq!(fine.json()["diagnostics"][0]["severity"], "warning", "{}", fine.stdout);
    assert_eq!(fine.exit, 0);
    assert_eq!(run(here.path(), &["validate", "--deny-warnings"]).exit, 1);
    assert_eq!(run(here.path(), &["validate", "--deny-warnings", "--fix"]).exit, 0);
}
