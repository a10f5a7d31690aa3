//! The schemas are fresh, know every key that the reader knows, and refuse what a schema can.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::definition::keys::{ALL, Mapping, STEP, Shape};
use crate::definition::read::{FileKind, json_of, load};

fn root(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn texts(directory: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(root(directory)).expect("the directory is in the repository");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the directory can be read").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter(|path| FileKind::of(&path.to_string_lossy()).is_some())
        .map(|path| {
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("it was listed a moment ago"))
        })
        .collect()
}

struct Validators {
    saga: jsonschema::Validator,
    catalog: jsonschema::Validator,
    test: jsonschema::Validator,
}

impl Validators {
    fn new(vocabulary: Option<Vocabulary<'_>>) -> Validators {
        let [saga, catalog, test, _] = files(vocabulary).map(|(name, text)| {
            let schema: Value = serde_json::from_str(&text).expect("the printer prints JSON");
            if let Err(wrong) = jsonschema::draft202012::meta::validate(&schema) {
                panic!("{name} is no schema: {wrong} at {}", wrong.instance_path());
            }
            jsonschema::draft202012::options().build(&schema).expect("it is a schema")
        });
        Validators { saga, catalog, test }
    }

    /// What the schema of that file says about it.
    fn faults(&self, path: &str, text: &str) -> Vec<String> {
        let value = json_of(text).expect("the text is YAML");
        let validator = match FileKind::of(path).expect("the name says what it is") {
            FileKind::Saga => &self.saga,
            FileKind::Catalog => &self.catalog,
            FileKind::Test => &self.test,
        };
        let shown = |wrong: jsonschema::ValidationError<'_>| {
            format!("{path}{}: {wrong}", wrong.instance_path())
        };
        validator.iter_errors(&value).map(shown).collect()
    }
}

#[test]
fn the_committed_schemas_are_fresh() {
    for (name, text) in files(None) {
        let path = root("schemas").join(name);
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::create_dir_all(root("schemas")).expect("the repository can be written");
            fs::write(&path, &text).expect("the repository can be written");
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "schemas/{name} is stale; run `UPDATE=1 cargo test`");
    }
}

#[test]
fn shipped_files_fit_the_general_and_the_specialised_schemas() {
    let shipped = texts("sagas");
    let (library, _) = load(shipped.clone());
    let vocabulary = Vocabulary { catalog: &library.catalog, sagas: &library.sagas };
    for validators in [Validators::new(None), Validators::new(Some(vocabulary))] {
        for (path, bytes) in &shipped {
            let faults = validators.faults(path, &String::from_utf8_lossy(bytes));
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
}

#[test]
fn a_specialised_schema_knows_the_names_and_fields_of_the_catalog() {
    let common = fs::read(root("tests/diagnostics/common.catalog.yaml")).expect("it is committed");
    let (library, _) = load(vec![("common.catalog.yaml".to_owned(), common)]);
    let vocabulary = Vocabulary { catalog: &library.catalog, sagas: &library.sagas };
    let validators = Validators::new(Some(vocabulary));
    let saga = |step: &str| {
        format!(
            "saga: reap\ntrigger: {{ event: window_closed }}\neviction: {{ policy: ignore }}\n\
             timeout: 5s\nsteps:\n  - {step}\n"
        )
    };
    let good = "{ id: a, issue: open_window, await: none, \
                with: { label: \"${{ input.x }}\", side: left } }";
    assert_eq!(validators.faults("a.saga.yaml", &saga(good)), [""; 0]);
    for bad in [
        "{ id: a, issue: open_windw, await: none, with: { label: x } }",
        "{ id: a, issue: open_window, await: none, with: { lable: x } }",
        "{ id: a, issue: open_window, await: none, with: { label: x, side: up } }",
        "{ id: a, issue: open_window, await: none }",
        "{ id: a, issue: open_window, with: { label: x } }",
        "{ id: a, issue: open_window, with: { label: x }, await: { echo: panes_reaped } }",
        "{ id: a, emit: panes_reaped, with: { label: x, count: many } }",
        "{ id: a, await: { event: saga_failed, where: x } }",
    ] {
        assert!(!validators.faults("a.saga.yaml", &saga(bad)).is_empty(), "{bad} passes");
    }
}

#[test]
fn the_language_s_own_test_file_fits_the_schema() {
    let text = r#"
saga: window_cleanup_cascade
cases:
  - name: the last window drains the pool
    when: { event: window_closed, with: { label: main } }
    script:
      - expect: { issue: reap_panes, with: { label: main } }
        reply: { echo: panes_reaped, with: { label: main } }
      - advance: 10s
      - { expect: { issue: drain_pool_if_last }, reply: none }
    end: { state: failed, cause: timed_out, result: { drained: true } }
  - name: a crash after any commit changes nothing
    same_as: the last window drains the pool
    explore: { crash: every_commit, duplicate: 1, disconnect: 1 }
"#;
    let validators = Validators::new(None);
    assert_eq!(validators.faults("a.test.yaml", text), [""; 0]);
    let bad = text.replace("advance: 10s", "advence: 10s");
    assert!(!validators.faults("a.test.yaml", &bad).is_empty());
}

/// A saga that uses every key there is. That it is read without a finding holds the reader to the
/// table; that every key occurs in it holds the table to the reader.
const EVERYTHING: &str = include_str!("everything.saga.yaml");
const EVERYTHING_CATALOG: &str = include_str!("everything.catalog.yaml");

#[test]
fn the_reader_and_the_table_know_the_same_keys() {
    let (_, found) = load(vec![
        ("everything.catalog.yaml".to_owned(), EVERYTHING_CATALOG.as_bytes().to_vec()),
        ("everything.saga.yaml".to_owned(), EVERYTHING.as_bytes().to_vec()),
    ]);
    assert!(found.is_empty(), "{found:#?}");
    let validators = Validators::new(None);
    assert_eq!(validators.faults("everything.saga.yaml", EVERYTHING), [""; 0]);
    assert_eq!(validators.faults("everything.catalog.yaml", EVERYTHING_CATALOG), [""; 0]);

    let mut seen = BTreeSet::new();
    let saga = json_of(EVERYTHING).expect("it was read");
    let catalog = json_of(EVERYTHING_CATALOG).expect("it was read");
    walk(&SAGA, &saga, &mut seen);
    walk(&CATALOG, &catalog, &mut seen);
    let scenarios = ALL.iter().position(|mapping| mapping.name == "test").expect("it is listed");
    for mapping in &ALL[..scenarios] {
        for key in mapping.keys {
            let place = (mapping.name, key.name);
            // These shut each other out, so one file shows some of them only.
            let elsewhere = [
                ("saga", "input"),
                ("eviction", "save"),
                ("trigger", "event"),
                ("trigger", "when"),
                ("trigger", "call"),
                ("trigger", "schedule"),
            ];
            let shown = seen.contains(&place) || elsewhere.contains(&place);
            assert!(shown, "`{}` of {} is in no file", key.name, mapping.what);
        }
    }
}

/// Under every optional key of a step that takes a mapping stands also the word for none.
#[test]
fn none_may_stand_where_a_mapping_of_a_step_stands() {
    let catalog = "targets: { host: {} }
events: { went: { fields: { at: { type: object, properties: { x: { type: integer } }, required: [x] } } } }
commands: { go: { target: host, echoes: [], idempotent: true, undo: none } }
";
    let saga = "saga: it
trigger: { event: went }
input: { x: \"${{ trigger.at.x + 1 }}\" }
eviction: { policy: ignore }
timeout: 5s
defaults: { retry: none }
steps:
  - { id: a, issue: go, await: none, probe: none, retry: none, compensate: none }
  - id: b
    issue: go
    compensate: { issue: go, await: none, probe: none, retry: none }
";
    let files = [("a.catalog.yaml", catalog), ("it.saga.yaml", saga)];
    let bytes = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let (library, found) = load(bytes.into());
    let (_, wrong) = crate::plan::compile_library(&library);
    assert!(found.is_empty() && wrong.is_empty(), "{found:#?} {wrong:#?}");
    let vocabulary = Vocabulary { catalog: &library.catalog, sagas: &library.sagas };
    for validators in [Validators::new(None), Validators::new(Some(vocabulary))] {
        for (path, text) in files {
            assert_eq!(validators.faults(path, text), [""; 0]);
        }
        let bad = catalog.replace("[x]", "[5]");
        assert!(!validators.faults("a.catalog.yaml", &bad).is_empty(), "{bad}");
    }
    for word in STEP.keys {
        let optional = word.need == crate::definition::keys::Need::Optional;
        let verb = crate::definition::keys::VERBS.contains(&word.name);
        let refuses = matches!(word.shape, Shape::Map(_)) && optional && !verb;
        assert!(!refuses, "`{}: none` is refused", word.name);
    }
}

/// Notes each key of the value under the mapping that it belongs to.
fn walk(mapping: &'static Mapping, value: &Value, seen: &mut BTreeSet<(&str, &str)>) {
    let Some(map) = value.as_object() else { return };
    for (name, value) in map {
        let Some(key) = mapping.key(name) else { continue };
        seen.insert((mapping.name, key.name));
        match &key.shape {
            Shape::Map(inner) | Shape::MapOrNone(inner) | Shape::WordsOrMap(_, inner) => {
                walk(inner, value, seen);
            }
            Shape::List(inner) | Shape::WordsOrList(_, inner) => {
                for item in value.as_array().into_iter().flatten() {
                    walk(inner, item, seen);
                }
            }
            Shape::NamedLists(inner) => {
                let lists = value.as_object().into_iter().flat_map(|map| map.values());
                for item in lists.filter_map(Value::as_array).flatten() {
                    walk(inner, item, seen);
                }
            }
            Shape::Named(inner) | Shape::NamedBut(_, inner) => {
                for item in value.as_object().into_iter().flat_map(|map| map.values()) {
                    walk(inner, item, seen);
                }
            }
            Shape::Text
            | Shape::Texts
            | Shape::Patterns
            | Shape::Template
            | Shape::Condition
            | Shape::Conditions
            | Shape::ConditionList
            | Shape::Name
            | Shape::Ref(_)
            | Shape::Refs(_)
            | Shape::StepIds
            | Shape::Duration
            | Shape::Bound
            | Shape::Words(_)
            | Shape::WordList(_)
            | Shape::CatalogUndo
            | Shape::Flag
            | Shape::True
            | Shape::Integer(_)
            | Shape::Share
            | Shape::Any
            | Shape::Values
            | Shape::Labels
            | Shape::Fields
            | Shape::InnerFields => {}
        }
    }
}
