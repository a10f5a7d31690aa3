//! `validate`: the three formats, and what is read when one file, a directory or nothing is named.

use serde_json::json;

use super::{package, run, scratch};

pub const CATALOG: &str = "\
targets: { host: {} }
events:
  closed: { fields: { label: { type: string } } }
commands:
  close:
    target: host
    fields: { label: { type: string } }
    echoes: [closed]
    idempotent: true
    undo: none
";

pub const BAD: &str = "\
saga: tidy
trigger: { call: { fields: { label: { type: string } } } }
input: { label: \"${{ trigger.label }}\" }
eviction: { key: input.label, policy: refuse }
timout: 10s
steps:
  - id: close
    issue: close
    with: { label: \"${{ input.label }}\" }
    await: { echo: closed }
    timeout: soon
";

fn bad() -> tempfile::TempDir {
    scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", BAD)])
}

#[test]
fn the_shipped_sagas_are_valid() {
    let did = run(package(), &["validate"]);
    assert_eq!(did.exit, 0, "{}", did.stdout);
    assert_eq!(did.stdout, "", "no findings are no data");
    assert!(did.stderr.contains("nothing wrong"), "{}", did.stderr);
}

#[test]
fn a_file_that_is_named_in_two_ways_is_one_file() {
    let here = bad();
    let whole = here.path().join("sagas/tidy.saga.yaml");
    let whole = whole.to_str().expect("UTF-8");
    for paths in [&["sagas", "./sagas"][..], &["sagas", whole], &["sagas/../sagas", "sagas"]] {
        let did = run(here.path(), &[&["validate", "--json"], paths].concat());
        assert_eq!(did.json()["files"], 2, "{paths:?}: {}", did.stdout);
        assert!(!did.stdout.contains("SF106"), "{paths:?}: {}", did.stdout);
    }
}

#[test]
fn all_mistakes_come_at_once_with_their_places() {
    let did = run(bad().path(), &["validate"]);
    assert_eq!(did.exit, 1);
    for words in [
        "error[SF009]",
        "sagas/tidy.saga.yaml:5:1",
        "did you mean `timeout`",
        "error[SF013]",
        "sagas/tidy.saga.yaml:11:14",
    ] {
        assert!(did.stdout.contains(words), "{words} is missing in:\n{}", did.stdout);
    }
    assert!(did.stderr.contains("2 files"), "{}", did.stderr);
}

#[test]
fn tools_get_one_object() {
    let json = run(bad().path(), &["validate", "--format", "json"]).json();
    assert_eq!(json["files"], 2);
    let first = json["diagnostics"]
        .as_array()
        .and_then(|list| list.iter().find(|one| one["code"] == "SF009"))
        .expect("the unknown key is found");
    let place = json!([first["severity"], first["file"], first["line"], first["column"]]);
    assert_eq!(place, json!(["error", "sagas/tidy.saga.yaml", 5, 1]));
    assert!(first["message"].as_str().is_some_and(|words| words.contains("timout")));
    assert!(first["help"].as_str().is_some_and(|words| words.contains("timeout")));
    assert_eq!(run(package(), &["validate", "--json"]).json()["diagnostics"], json!([]));
}

#[test]
fn github_gets_annotations() {
    let did = run(bad().path(), &["validate", "--format", "github"]);
    assert_eq!(did.exit, 1);
    let line = "::error file=sagas/tidy.saga.yaml,line=5,col=1,";
    assert!(did.stdout.lines().any(|found| found.starts_with(line)), "{}", did.stdout);
}

/// What code scanning asks of SARIF 2.1.0, judged by a schema of the essential parts.
#[test]
fn code_scanning_gets_sarif() {
    let did = run(bad().path(), &["validate", "--format", "sarif"]);
    assert_eq!(did.exit, 1);
    let log = did.json();
    let text = |least: usize| {
        json!({"type": "object", "required": ["text"],
        "properties": {"text": {"type": "string", "minLength": least}}})
    };
    let number = json!({"type": "integer", "minimum": 1});
    let region = json!({"type": "object", "additionalProperties": false,
        "required": ["startLine", "startColumn", "endLine", "endColumn"],
        "properties": {"startLine": number, "startColumn": number, "endLine": number,
            "endColumn": number}});
    let location = json!({"type": "object", "required": ["physicalLocation"], "properties": {
        "physicalLocation": {"required": ["artifactLocation", "region"], "properties": {
            "artifactLocation": {"required": ["uri"]}, "region": region}}}});
    let rule = json!({"required": ["id", "shortDescription", "help", "defaultConfiguration"],
        "properties": {"shortDescription": text(1), "help": text(100)}});
    let fix = json!({"required": ["artifactChanges"], "properties": {"artifactChanges":
        {"minItems": 1, "items": {"required": ["artifactLocation", "replacements"],
            "properties": {"replacements": {"minItems": 1, "items":
                {"required": ["deletedRegion"], "properties": {"deletedRegion": region}}}}}}}});
    let result = json!({"required": ["ruleId", "ruleIndex", "level", "message", "locations"],
        "properties": {"level": {"enum": ["error", "warning"]}, "message": text(1),
            "locations": {"minItems": 1, "items": location}, "fixes": {"items": fix}}});
    let schema = json!({"type": "object", "required": ["version", "$schema", "runs"],
        "properties": {"version": {"const": "2.1.0"}, "runs": {"minItems": 1, "maxItems": 1,
            "items": {"required": ["tool", "columnKind", "results"], "properties": {
                "columnKind": {"const": "unicodeCodePoints"},
                "tool": {"properties": {"driver": {"required": ["name", "rules"],
                    "properties": {"rules": {"items": rule}}}}},
                "results": {"minItems": 1, "items": result}}}}}});
    let judge = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> = judge.iter_errors(&log).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{log:#}");

    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("a list");
    let first = results.iter().find(|one| one["ruleId"] == "SF009").expect("it is found");
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "sagas/tidy.saga.yaml");
    let region = json!({"startLine": 5, "startColumn": 1, "endLine": 5, "endColumn": 7});
    assert_eq!(place["region"], region);
    for one in results {
        let at = one["ruleIndex"].as_u64().expect("a number") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][at]["id"], one["ruleId"]);
    }
    let clean = super::run(package(), &["validate", "--format", "sarif"]);
    assert_eq!((clean.exit, &clean.json()["runs"][0]["results"]), (0, &json!([])));
}

#[test]
fn one_file_is_checked_against_the_catalogs_beside_it() {
    let here = bad();
    let one = run(here.path(), &["validate", "sagas/tidy.saga.yaml", "--json"]).json();
    assert_eq!(one["files"], 1);
    let text = one.to_string();
    assert!(!text.contains("SF102"), "the command is known: {text}");

    std::fs::create_dir(here.path().join("new")).expect("room");
    std::fs::copy(here.path().join("sagas/tidy.saga.yaml"), here.path().join("new/b.saga.yaml"))
        .expect("room");
    let args = ["validate", "new/b.saga.yaml", "--sagas", "sagas", "--json"];
    let with = run(here.path(), &args).json().to_string();
    assert!(!with.contains("SF102"), "--sagas gives the vocabulary: {with}");
}

#[test]
fn names_and_types_are_held_to_the_catalog() {
    let saga = BAD.replace("timout: 10s", "timeout: 10s").replace("timeout: soon", "timeout: 1s");
    let check = |from: &str, to: &str, code: &str| {
        let saga = saga.replace(from, to);
        let here = scratch(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/tidy.saga.yaml", &saga)]);
        let did = run(here.path(), &["validate", "--json"]);
        let codes: Vec<String> = did.json()["diagnostics"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["code"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(codes, if code.is_empty() { vec![] } else { vec![code] }, "{to}");
        assert_eq!(did.exit, i32::from(!code.is_empty()));
    };
    check("", "", "");
    check("issue: close", "issue: clos", "SF102");
    check("echo: closed", "echo: closd", "SF101");
    check("${{ input.label }}", "${{ input.lable }}", "SF203");
    check("timeout: 10s", "timeout: 500ms", "SF402");
}

/// All errors at once: what cannot be read hides nothing of what can.
#[test]
fn what_cannot_be_read_is_found_beside_all_else_and_not_waited_for() {
    let here = bad();
    let sagas = here.path().join("sagas");
    let link = |from: &str, name: &str| {
        std::os::unix::fs::symlink(from, sagas.join(name)).expect("room on the disk");
    };
    nix::unistd::mkfifo(&sagas.join("pipe.saga.yaml"), nix::sys::stat::Mode::S_IRWXU)
        .expect("a pipe can be made");
    std::fs::create_dir(sagas.join("dir.saga.yaml")).expect("room on the disk");
    link("loop.saga.yaml", "loop.saga.yaml");
    link("nowhere", "gone.test.yaml");
    link("/dev/zero", "endless.saga.yaml");
    let unreadable = ["pipe.saga", "dir.saga", "loop.saga", "gone.test", "endless.saga"];
    let valid = run(here.path(), &["validate", "--json"]);
    assert_eq!(valid.exit, 1, "{}", valid.stderr);
    let found = valid.json()["diagnostics"].as_array().expect("a list").clone();
    for name in unreadable {
        let own = |one: &&serde_json::Value| one["file"] == format!("sagas/{name}.yaml");
        let codes: Vec<_> = found.iter().filter(own).map(|one| one["code"].clone()).collect();
        assert_eq!(codes, ["SF025"], "{name}: {found:?}");
    }
    assert!(found.len() > unreadable.len(), "what stands in the others is found too: {found:?}");
    let words = "sagas/pipe.saga.yaml:1:1";
    let plain = "the file cannot be read: it is no plain file";
    for args in [&["validate"][..], &["run", "--check-only"], &["fmt", "--check"], &["check"]] {
        let did = run(here.path(), args);
        assert_eq!(did.exit, 1, "{args:?}: {}", did.stderr);
        let said = format!("{}{}", did.stdout, did.stderr);
        assert!(said.contains(words) && said.contains(plain), "{args:?}: {said}");
    }
    // Of one file that was asked for, a catalog beside it that cannot be read is told of too.
    link("lost.catalog.yaml", "lost.catalog.yaml");
    std::fs::write(sagas.join("one.saga.yaml"), "saga: one\n").expect("room on the disk");
    let one = run(here.path(), &["validate", "sagas/one.saga.yaml"]);
    assert!(one.stdout.contains("sagas/lost.catalog.yaml:1:1"), "{}", one.stdout);
    let new = run(here.path(), &["new", "another"]);
    assert_eq!(new.exit, 2, "{}", new.stderr);
}

#[test]
fn a_file_without_end_is_read_no_further_than_needed_to_refuse_it() {
    let here = bad();
    let endless = std::fs::File::create(here.path().join("sagas/endless.saga.yaml"));
    // A hole: no disk holds what this file claims to hold, and no memory has to.
    endless.and_then(|file| file.set_len(1 << 40)).expect("a sparse file can be made");
    let did = run(here.path(), &["validate"]);
    assert_eq!(did.exit, 1, "{}", did.stderr);
    assert!(did.stdout.contains("error[SF004]"), "{}", did.stdout);
    std::fs::rename(here.path().join("sagas/endless.saga.yaml"), here.path().join("endless"))
        .expect("it is ours");
    let shipped = super::package().join("sagas");
    let sagas = shipped.to_str().expect("it is UTF-8");
    for args in [
        &["run", "--check-only", "--sagas", sagas, "--config", "endless"][..],
        &["host", "--data", "none", "--sagas", sagas, "--script", "endless"],
    ] {
        let did = run(here.path(), args);
        assert_eq!(did.exit, 1, "{}", did.stderr);
        assert!(did.stderr.contains("error[SF004]"), "{}", did.stderr);
    }
}
