//! Commands that print what is compiled in or what lies in a directory: explain, catalog, schema,
//! completions.

use super::{package, run, scratch};

#[test]
fn explain_prints_the_page_of_a_code() {
    let page = run(package(), &["explain", "sf101"]);
    assert_eq!(page.exit, 0);
    assert!(page.stdout.starts_with("# SF101"), "{}", page.stdout);
    let json = run(package(), &["explain", "W001", "--json"]).json();
    assert_eq!((&json["code"], &json["severity"]), (&"W001".into(), &"warning".into()));
    assert!(json["page"].as_str().is_some_and(|page| page.starts_with("# W001")));
}

#[test]
fn the_catalog_is_merged_with_what_is_built_in() {
    let json = run(package(), &["catalog", "--json"]).json();
    let reap = &json["commands"]["reap_panes"];
    assert_eq!(reap["target"], "host");
    assert_eq!(reap["echoes"], serde_json::json!(["panes_reaped"]));
    assert_eq!(reap["fields"]["label"]["required"], true);
    assert_eq!(json["targets"]["host"]["disconnect_timeout"], "30s");
    assert!(json["events"]["saga_started"].is_object(), "built in");

    let alone = run(scratch(&[]).path(), &["catalog", "--json"]).json();
    assert!(alone["events"]["process_spawned"].is_object());
    assert!(alone["commands"].get("reap_panes").is_none());

    let text = run(package(), &["catalog"]).stdout;
    assert!(text.contains("target host"), "{text}");
    assert!(text.contains("  reap_panes(label: string)"), "{text}");
    assert!(text.contains("crash_detected?: boolean"), "{text}");
}

#[test]
fn a_catalog_as_json_is_a_catalog() {
    let json = run(package(), &["catalog", "--json"]).stdout;
    let mut document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let builtin = run(scratch(&[]).path(), &["catalog", "--json"]).json();
    // What is built in cannot be declared again.
    for kind in ["targets", "events", "commands"] {
        let own = document[kind].as_object_mut().expect("a mapping");
        own.retain(|name, _| builtin[kind].get(name).is_none());
    }
    let here = scratch(&[("sagas/all.catalog.yaml", &document.to_string())]);
    let did = run(here.path(), &["validate"]);
    assert_eq!(did.exit, 0, "{}\n{}", did.stdout, did.stderr);
}

#[test]
fn schemas_are_written_and_found_fresh_or_stale() {
    let here = scratch(&[]);
    assert_eq!(run(here.path(), &["schema", "--check"]).exit, 1, "nothing is written yet");
    assert_eq!(run(here.path(), &["schema", "--write", "schemas"]).exit, 0);
    assert_eq!(run(here.path(), &["schema", "--check"]).exit, 0);
    std::fs::write(here.path().join("schemas/saga.schema.json"), "{}").expect("room");
    let stale = run(here.path(), &["schema", "--check"]);
    assert_eq!(stale.exit, 1);
    assert!(stale.stderr.contains("saga.schema.json; write them anew"), "{}", stale.stderr);
    assert!(!stale.stderr.contains("catalog.schema.json"), "{}", stale.stderr);

    let laid_out = run(here.path(), &["schema"]);
    let all = run(here.path(), &["schema", "--json"]);
    assert!(laid_out.stdout.lines().count() > 100, "people read it");
    assert_eq!(all.stdout.lines().count(), 1, "tools read it");
    assert_eq!(laid_out.json(), all.json());
    let all = all.json();
    let names: Vec<&String> = all.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        ["saga", "catalog", "test", "launcher"]
            .map(|kind| format!("{kind}.schema.json"))
            .each_ref()
    );
}

#[test]
fn schemas_of_a_directory_know_its_names() {
    let sagas = package().join("sagas");
    let args = ["schema", "--sagas", sagas.to_str().expect("UTF-8")];
    let special = run(scratch(&[]).path(), &args).stdout;
    assert!(special.contains("reap_panes"), "a command of that directory");
    let general = run(scratch(&[]).path(), &["schema"]).stdout;
    assert!(!general.contains("reap_panes"));
}

#[test]
fn schemas_of_a_directory_with_a_wrong_catalog_are_not_made() {
    let catalog = "commands: { nudge: { target: hots, echoes: [], idempotent: true, undo: none } }";
    let here = scratch(&[("sagas/c.catalog.yaml", catalog)]);
    let refused = run(here.path(), &["schema", "--sagas", "sagas"]);
    assert_eq!(refused.exit, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("SF103"), "{}", refused.stderr);
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(package(), &["completions", shell]);
        assert_eq!(script.exit, 0, "{}", script.stderr);
        for command in ["validate", "watch", "resolve"] {
            assert!(script.stdout.contains(command), "{shell}: {command}");
        }
    }
}
