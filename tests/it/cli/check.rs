//! `check`: every history of a saga, as authors meet it: what holds, what does not and how that
//! looks, what tools get.

use serde_json::Value;

use super::usage::unread;
use super::{Did, package, run, scratch};

pub const CATALOG: &str = "\
targets: { host: { disconnect_timeout: 30s } }
events:
  go: { fields: { k: { type: string } } }
  made: {}
  unmade: {}
  told: {}
commands:
  make: { target: host, fields: { k: { type: string } }, echoes: [made], idempotent: true,
      undo: unmake }
  unmake: { target: host, fields: { k: { type: string } }, echoes: [unmade], idempotent: true,
      undo: none }
  tell: { target: host, echoes: [told], idempotent: true, undo: none }
";

const SAGA: &str = r#"saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
eviction: { key: input.k, policy: ignore }
timeout: 1m
defaults: { timeout: 10s }
steps:
  - id: make
    issue: make
    with: { k: "${{ input.k }}" }
    await: { echo: made }
  - { id: tell, issue: tell, await: { echo: told } }
"#;

/// The step's own undo, which looks at something that says nothing of whether it happened.
const LEAKS: &str = r#"    await: { echo: made }
    compensate:
      if: input.k == "no such key"
      issue: unmake
      with: { k: "${{ input.k }}" }
      await: { echo: unmade }
"#;

fn leaking() -> String {
    SAGA.replace("    await: { echo: made }\n", LEAKS)
}

fn checked(saga: &str, more: &[&str]) -> (tempfile::TempDir, Did) {
    let here = scratch(&[("sagas/c.catalog.yaml", CATALOG), ("sagas/it.saga.yaml", saga)]);
    let did = run(here.path(), &[&["check"], more].concat());
    (here, did)
}

#[test]
fn a_saga_that_keeps_its_promises_is_explored_to_the_end() {
    let (here, did) = checked(SAGA, &[]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stdout.contains("ok    it  "), "{}", did.stdout);
    assert!(did.stdout.contains("all histories"), "{}", did.stdout);
    assert!(did.stderr.contains("no promise broken"), "{}", did.stderr);
    for path in ["sagas", "sagas/it.saga.yaml"] {
        let same = run(here.path(), &["check", path]);
        assert_eq!((same.exit, same.stdout), (0, did.stdout.clone()), "{path}: {}", same.stderr);
    }
}

#[test]
fn r12_the_shortest_history_that_leaks_is_shown_and_becomes_a_case_that_fails() {
    let (here, did) = checked(&leaking(), &[]);
    assert_eq!(did.exit, 1, "{}{}", did.stdout, did.stderr);
    let words = "it ended compensated, and `make` of step `make` (1.make.1) happened";
    assert!(did.stdout.contains(words), "{}", did.stdout);
    assert!(did.stdout.contains("0.000  > host     make { k: k }"), "{}", did.stdout);
    assert!(did.stderr.contains("--write"), "{}", did.stderr);
    let written = run(here.path(), &["check", "--write"]);
    assert!(written.stderr.contains("added a case to sagas/it.test.yaml"), "{}", written.stderr);
    let played = run(here.path(), &["test"]);
    assert_eq!(played.exit, 1, "{}{}", played.stdout, played.stderr);
    assert!(played.stdout.contains(words), "{}", played.stdout);
    let again = run(here.path(), &["check", "--write"]);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    let path = here.path().join("sagas/it.saga.yaml");
    std::fs::write(path, SAGA).expect("room on the disk");
    let mended = run(here.path(), &["check"]);
    assert_eq!(mended.exit, 0, "{}", mended.stdout);
}

#[test]
fn a_counterexample_is_written_though_nobody_reads_it() {
    let (here, _) = checked(&leaking(), &[]);
    assert_eq!(unread(here.path(), &["check", "--write"]), Some(1));
    let played = run(here.path(), &["test"]);
    assert_eq!(played.exit, 1, "{}{}", played.stdout, played.stderr);
}

#[test]
fn tools_get_one_array_of_what_was_explored() {
    let (_here, did) = checked(SAGA, &["--json"]);
    let good = did.json();
    assert_eq!(good[0]["saga"], "it");
    assert_eq!(good[0]["exhaustive"], true);
    assert_eq!(good[0]["counterexample"], Value::Null);
    assert!(good[0]["states"].as_u64() > Some(5), "{good}");
    let (_here, did) = checked(&leaking(), &["--format", "json"]);
    assert_eq!(did.exit, 1);
    let bad = &did.json()[0]["counterexample"];
    assert!(bad["message"].as_str().is_some_and(|words| words.contains("make")), "{bad}");
    assert!(bad["transcript"].as_array().is_some_and(|lines| lines.len() > 5), "{bad}");
    assert!(bad["case"].as_str().is_some_and(|case| case.starts_with("- name: ")), "{bad}");
}

#[test]
fn what_was_not_explored_is_said() {
    let (_here, did) = checked(SAGA, &["--depth", "2"]);
    assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stdout.contains("histories of up to 2 happenings only"), "{}", did.stdout);
    assert!(did.stderr.contains("1 not explored to the end"), "{}", did.stderr);
    let (_here, did) = checked(SAGA, &["--depth", "2", "--json"]);
    assert_eq!(did.json()[0]["exhaustive"], false);
    // The leak takes a turn more to come about.
    let (_here, did) = checked(&leaking(), &["--depth", "2"]);
    assert_eq!(did.exit, 0, "{}", did.stdout);
}

#[test]
fn steps_that_no_history_comes_to_are_named() {
    let odd = r#"  - { id: odd, if: 'input.k == "a" && input.k == "b"', delay: 1s }"#;
    let (_here, did) = checked(&format!("{SAGA}{odd}\n"), &[]);
    assert!(did.exit == 0, "{}{}", did.stdout, did.stderr);
    assert!(did.stdout.contains("no history comes to `odd`"), "{}", did.stdout);
}

#[test]
fn what_cannot_be_explored_is_refused() {
    let here = scratch(&[("sagas/c.catalog.yaml", CATALOG)]);
    for args in [&["check"][..], &["check", "nowhere"], &["check", "--depth", "0"]] {
        let did = run(here.path(), args);
        assert_eq!((did.exit, did.stdout.as_str()), (2, ""), "{args:?}: {}", did.stderr);
    }
    let (_here, did) = checked("saga: it\n", &[]);
    assert_eq!(did.exit, 1, "{}", did.stderr);
    assert!(did.stderr.contains("no saga is explored"), "{}", did.stderr);
}

#[test]
fn the_shipped_sagas_keep_their_promises_in_all_histories() {
    let files = std::fs::read_dir(package().join("sagas")).expect("they are shipped");
    let files = files.map(|file| file.expect("it can be listed").path());
    let sagas = files.filter(|path| path.to_string_lossy().ends_with(".saga.yaml"));
    let texts = sagas.map(|path| {
        let text = std::fs::read_to_string(&path).expect("a listed file can be read");
        (path.to_str().expect("UTF-8").to_owned(), text)
    });
    // What others may join for different reasons has more histories than a test has time for.
    let (joined, plain): (Vec<_>, Vec<_>) =
        texts.partition(|(_, text)| text.contains("policy: join\n"));
    let paths =
        |of: &[(String, String)]| of.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let (joined, plain) = (paths(&joined), paths(&plain));
    let check = |args: &[&str], paths: &[String]| {
        let args: Vec<&str> = args.iter().copied().chain(paths.iter().map(|p| &**p)).collect();
        let did = run(package(), &args);
        assert_eq!(did.exit, 0, "{}{}", did.stdout, did.stderr);
        did.json()
    };
    check(&["check", "--json", "--depth", "8"], &joined);
    let all = check(&["check", "--json"], &plain);
    for one in all.as_array().expect("an array") {
        assert_eq!(one["exhaustive"], true, "{one}");
        assert_eq!(one["unreached"], serde_json::json!([]), "{one}");
    }
}
