//! `init` and `new`: what they write is valid and runs, and what is there stays as it is.

use std::fs;
use std::path::Path;

use super::live::Stage;
use super::{package, run, scratch};

fn validate(here: &Path) {
    let did = run(here, &["validate"]);
    assert_eq!((did.exit, did.stdout.as_str()), (0, ""), "{}", did.stderr);
    assert!(did.stderr.contains("nothing wrong"), "{}", did.stderr);
}

#[test]
fn a_directory_made_ready_runs_its_saga() {
    let stage = Stage::of_its_own(&[(".gitignore", "/target")]);
    let here = stage.here.path();
    let did = run(here, &["init"]);
    assert_eq!(did.exit, 0, "{}", did.stderr);
    let ignored = fs::read_to_string(here.join(".gitignore")).expect("it was there");
    assert_eq!(ignored, "/target\n.sagaflow/\n");
    validate(here);
    let general = run(here, &["schema", "--check"]);
    assert_eq!(general.exit, 1, "they know this catalog");
    assert!(general.stderr.contains("--check --write schemas --sagas sagas"), "{}", general.stderr);
    let fresh = run(here, &["schema", "--check", "--sagas", "sagas"]);
    assert_eq!(fresh.exit, 0, "{}", fresh.stderr);

    let next: Vec<&str> =
        did.stdout.lines().map(|line| line.split(" #").next().unwrap_or_default().trim()).collect();
    assert_eq!(next[..2], ["sagaflow run", "sagaflow host --script seats.host.yaml"]);
    let start = next[2].strip_prefix("sagaflow ").expect("a command of ours");
    let _launcher = stage.launcher();
    let script = fs::read_to_string(here.join("seats.host.yaml")).expect("it was written");
    let _host = stage.host(&script, &[]);
    let start: Vec<&str> = start.split(' ').chain(["--json"]).collect();
    let done = stage.run(&start).json();
    assert_eq!((&done["state"], &done["result"]["ticket"]), (&"completed".into(), &"T-12A".into()));
}

#[test]
fn what_is_there_is_not_overwritten() {
    let here = scratch(&[("seats.host.yaml", "mine")]);
    let did = run(here.path(), &["init"]);
    assert_eq!(did.exit, 1);
    assert!(did.stderr.contains("seats.host.yaml is there already"), "{}", did.stderr);
    assert!(!here.path().join("sagas").exists(), "all or nothing");
    assert!(!here.path().join(".gitignore").exists(), "all or nothing");

    let here = scratch(&[]);
    assert_eq!(run(here.path(), &["init"]).exit, 0);
    let again = run(here.path(), &["init"]);
    assert_eq!(again.exit, 1);
    assert!(again.stderr.contains("sagaflow new NAME"), "{}", again.stderr);
    let twice = run(here.path(), &["new", "book_seat"]);
    assert_eq!(twice.exit, 1);
    assert!(twice.stderr.contains("`book_seat` already"), "{}", twice.stderr);
    let wrong = run(here.path(), &["new", "BookSeat"]);
    assert_eq!(wrong.exit, 2);
    assert!(wrong.stderr.contains("snake_case"), "{}", wrong.stderr);
}

#[test]
fn what_cannot_be_written_whole_is_not_begun() {
    // Something that is no directory stands where the schemas go: the last ones that are written.
    let here = scratch(&[("schemas", "mine")]);
    let did = run(here.path(), &["init"]);
    assert_eq!(did.exit, 1);
    assert!(did.stderr.contains("cannot write schemas/saga.schema.json"), "{}", did.stderr);
    assert!(did.stderr.contains("nothing was written"), "{}", did.stderr);
    assert!(!did.stderr.contains("wrote"), "{}", did.stderr);
    for name in ["sagas/seats.catalog.yaml", "sagas/book_seat.saga.yaml", "seats.host.yaml"] {
        assert!(!here.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_new_saga_brings_a_catalog_where_there_is_none() {
    let here = scratch(&[]);
    assert_eq!(run(here.path(), &["new", "ship_parcel"]).exit, 0);
    validate(here.path());
    assert!(here.path().join("sagas/ship_parcel.catalog.yaml").exists());
    let text = fs::read_to_string(here.path().join("sagas/ship_parcel.saga.yaml")).expect("text");
    let schema = "# yaml-language-server: $schema=../schemas/saga.schema.json\n";
    assert!(text.starts_with(schema) && text.contains("issue: do_ship_parcel"), "{text}");
}

#[test]
fn a_new_saga_is_made_of_the_catalog_at_hand() {
    let shipped = fs::read_to_string(package().join("sagas/launcher_host.catalog.yaml"));
    let sensitive = "targets: { t: {} }\nevents: { a: {}, b: {} }\ncommands:\n  c: { target: t, \
        fields: { secret: { type: string, sensitive: true }, n: { enum: [1, 2] } }, \
        echoes: [a, b], idempotent: false, undo: irreversible }\n";
    let targets = "targets: { t: {} }\n".to_owned();
    for catalog in [shipped.expect("we ship it"), sensitive.to_owned(), targets] {
        let here = scratch(&[("sagas/a.catalog.yaml", &catalog)]);
        let did = run(here.path(), &["new", "it"]);
        assert_eq!(did.exit, 0, "{}", did.stderr);
        assert!(!here.path().join("sagas/it.catalog.yaml").exists(), "there is one");
        validate(here.path());
    }
}

#[test]
fn nothing_is_made_of_a_catalog_that_is_wrong() {
    let here = scratch(&[("sagas/a.catalog.yaml", "targets: [t]\n")]);
    let did = run(here.path(), &["new", "it"]);
    assert_eq!(did.exit, 1);
    assert!(did.stderr.contains("the catalog is not valid"), "{}", did.stderr);
    assert!(!here.path().join("sagas/it.saga.yaml").exists());
}
