//! The JSON Schemas before two judges and an editor's own server: what is right passes, what a
//! schema can refuse is refused, and an editor completes, explains and underlines by them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sagaflow::definition::read::node::{Kind, Node, Resolved};
use sagaflow::definition::read::{FileKind, document, load};
use sagaflow::diag::{Diagnostics, SourceMap};
use sagaflow::schema::{self, Vocabulary};
use serde_json::{Map, Value, json};

use crate::diagnostics::{cases, common, read};
use crate::editor::{Editor, message};

/// Examples of SF0xx and SF1xx that no schema refuses, each with the reason.
const BEYOND: &str = include_str!("../schemas/beyond.txt");

fn root(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// One file before the judges.
struct Document {
    name: String,
    set: usize,
    schema: usize,
    text: String,
    value: Value,
}

/// All that is judged: sets of schemas, and documents that each belong to one.
#[derive(Default)]
struct Court {
    sets: Vec<[Value; 4]>,
    documents: Vec<Document>,
}

impl Court {
    /// The schemas for the catalog and the sagas of these files, or the general ones.
    fn set(&mut self, of: Option<Vec<(String, Vec<u8>)>>) -> usize {
        let files = match of {
            None => schema::files(None),
            Some(files) => {
                let (library, _) = load(files);
                schema::files(Some(Vocabulary { catalog: &library.catalog, sagas: &library.sagas }))
            }
        };
        let parsed = files.map(|(_, text)| serde_json::from_str(&text).expect("it is JSON"));
        // Most examples have the same vocabulary, and a set is dear to compile.
        self.sets.iter().position(|known| *known == parsed).unwrap_or_else(|| {
            self.sets.push(parsed);
            self.sets.len() - 1
        })
    }

    /// Calls a file; `None` when it is no YAML.
    fn call(&mut self, name: &str, set: usize, file: &str, bytes: &[u8]) -> Option<()> {
        let mut found = Diagnostics::default();
        let (_, node) = document(file.to_owned(), bytes, &mut SourceMap::default(), &mut found);
        let schema = match FileKind::of(file).expect("its name says what it is") {
            FileKind::Saga => 0,
            FileKind::Catalog => 1,
            FileKind::Test => 2,
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        let value = value_of(&node?);
        self.documents.push(Document { name: name.to_owned(), set, schema, text, value });
        Some(())
    }

    /// What the `jsonschema` crate says of each document.
    fn first(&self) -> BTreeMap<String, Vec<String>> {
        let build = |schema: &Value| {
            jsonschema::draft202012::options().build(schema).expect("it is a schema")
        };
        let validators: Vec<[jsonschema::Validator; 4]> =
            self.sets.iter().map(|set| set.each_ref().map(build)).collect();
        let mut verdicts = BTreeMap::new();
        for one in &self.documents {
            let faults = validators[one.set][one.schema].iter_errors(&one.value);
            let faults = faults.map(|fault| format!("{}: {fault}", fault.instance_path()));
            verdicts.insert(one.name.clone(), faults.collect());
        }
        verdicts
    }

    /// What Ajv says of each, and whether another reader of YAML reads it as we do. `None` without
    /// Node.
    fn second(&self) -> Option<BTreeMap<String, (Vec<String>, bool)>> {
        let documents: Vec<Value> = self
            .documents
            .iter()
            .map(|one| {
                json!({
                    "name": one.name, "set": one.set, "schema": one.schema,
                    "text": one.text, "value": one.value,
                })
            })
            .collect();
        let case = json!({ "sets": self.sets, "documents": documents });
        let mut judge = Command::new("node")
            .arg("judge.mjs")
            .current_dir(modules()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it ran a moment ago");
        let mut stdin = judge.stdin.take().expect("it is piped");
        stdin.write_all(case.to_string().as_bytes()).expect("it reads");
        drop(stdin);
        let out = judge.wait_with_output().expect("it ends");
        assert!(out.status.success(), "the judge fell ill; its words stand above");
        let all: BTreeMap<String, Value> = serde_json::from_slice(&out.stdout).expect("JSON");
        let verdict = |(name, one): (String, Value)| {
            let faults = one["faults"].as_array().expect("a list").iter();
            let faults = faults.map(|fault| fault.as_str().unwrap_or_default().to_owned());
            (name, (faults.collect(), one["reads"] == true))
        };
        Some(all.into_iter().map(verdict).collect())
    }
}

/// A tree as JSON, by the rules of our reader.
fn value_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => Value::Null,
            Resolved::Bool(word) => Value::Bool(word),
            Resolved::Number(number) => Value::Number(number),
            Resolved::Str => Value::String(scalar.value().to_owned()),
        },
        Kind::List(items) => items.iter().map(value_of).collect(),
        Kind::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, node)| (key.value().to_owned(), value_of(node)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// A directory with the second judge and the editors' server in it; `None` where there is no Node.
fn modules() -> Option<&'static Path> {
    static MODULES: OnceLock<Option<PathBuf>> = OnceLock::new();
    MODULES
        .get_or_init(|| match installed() {
            Ok(directory) => Some(directory),
            Err(why) => {
                let must = std::env::var_os("SAGAFLOW_NEEDS_NODE").is_some();
                assert!(!must, "SAGAFLOW_NEEDS_NODE is set, but {why}");
                eprintln!("skipped: the schemas were not shown to Ajv and to an editor: {why}");
                None
            }
        })
        .as_deref()
}

/// Installs what `package-lock.json` says, once for each version of it.
fn installed() -> Result<PathBuf, String> {
    let said = |program: &str, args: &[&str], directory: &Path| {
        let out = Command::new(program).args(args).current_dir(directory).output();
        let out = out.map_err(|error| format!("{program} cannot be run: {error}"))?;
        let words = String::from_utf8_lossy(&out.stderr).into_owned();
        if out.status.success() { Ok(()) } else { Err(format!("{program} failed: {words}")) }
    };
    let from = root("tests/schemas");
    said("node", &["--version"], &from)?;
    let directory = root("target/schema-proofs");
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    // Tests run at once, also those of another run: one of them installs.
    let lock = fs::File::create(directory.join(".lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let done = directory.join(".done");
    let lock_text = fs::read_to_string(from.join("package-lock.json")).expect("it is committed");
    for name in ["package.json", "package-lock.json", "judge.mjs"] {
        fs::copy(from.join(name), directory.join(name)).map_err(|error| error.to_string())?;
    }
    if fs::read_to_string(&done).is_ok_and(|text| text == lock_text) {
        return Ok(directory);
    }
    said("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], &directory)?;
    fs::write(&done, lock_text).map_err(|error| error.to_string())?;
    Ok(directory)
}

#[test]
fn what_we_ship_passes_before_both_judges_and_reads_the_same_everywhere() {
    let mut court = Court::default();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in fs::read_dir(root("sagas")).expect("it is in the repository") {
        let path = entry.expect("it can be read").path();
        if FileKind::of(&path.to_string_lossy()).is_some() {
            files.push(read(&path));
        }
    }
    let general = court.set(None);
    let special = court.set(Some(files.clone()));
    for (set, title) in [(general, "general"), (special, "special")] {
        for (name, bytes) in &files {
            court.call(&format!("{title} {name}"), set, name, bytes).expect("it is YAML");
        }
    }
    assert!(files.len() > 15);
    for (name, faults) in court.first() {
        assert_eq!(faults, [""; 0], "{name}");
    }
    for (name, (faults, reads)) in court.second().unwrap_or_default() {
        assert_eq!(faults, [""; 0], "{name}");
        assert!(reads, "{name} is read otherwise by `yaml`");
    }
}

/// The examples that no schema refuses, by name.
fn beyond() -> BTreeMap<&'static str, &'static str> {
    let lines = BEYOND.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(": ").expect("a name and a reason")).collect()
}

#[test]
fn what_a_schema_can_refuse_both_judges_refuse() {
    let mut court = Court::default();
    let mut unread = BTreeSet::new();
    let mut examples: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (stem, case) in cases() {
        if !case.code.starts_with("SF0") && !case.code.starts_with("SF1") {
            continue;
        }
        let mut files = vec![common()];
        files.extend(case.files.iter().map(|path| read(path)));
        let set = court.set(Some(files.clone()));
        for (name, bytes) in files.iter().skip(1) {
            if court.call(name, set, name, bytes).is_none() {
                unread.insert(stem.clone());
            }
            examples.entry(stem.clone()).or_default().push(name.clone());
        }
    }
    let beyond = beyond();
    let first = court.first();
    let second = court.second();
    let mut wrong = Vec::new();
    for (stem, files) in &examples {
        let by_first = files.iter().any(|name| first.get(name).is_some_and(|f| !f.is_empty()));
        let said = beyond.get(stem.as_str());
        let no_yaml = unread.contains(stem);
        match (by_first || no_yaml, said) {
            (false, None) => {
                wrong.push(format!("{stem} passes the schema, and no reason is given"));
            }
            (true, Some(_)) if !no_yaml => {
                wrong.push(format!("{stem} is refused: delete it from tests/schemas/beyond.txt"));
            }
            _ => {}
        }
        if let Some(second) = &second {
            let by_second =
                files.iter().any(|name| second.get(name).is_some_and(|(f, _)| !f.is_empty()));
            if by_first != by_second {
                wrong.push(format!("{stem}: jsonschema {by_first}, Ajv {by_second}"));
            }
        }
    }
    for stem in beyond.keys().filter(|stem| !examples.contains_key(**stem)) {
        wrong.push(format!("{stem} is in tests/schemas/beyond.txt and nowhere else"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples.len() > 60);
}

const SAGA: &str = "\
# yaml-language-server: $schema=../schemas/saga.schema.json
saga: tidy
trigger: { event: window_closed }
input: { label: \"${{ trigger.label }}\" }
eviction: { key: input.label, policy: ignore }
timeout: 30s
steps:
  - id: reap
    issue: reap_panes
    with:
      lable: \"${{ input.label }}\"
    await:
      echo: 
    timeout: 10s
";

/// The server that VS Code, Neovim, Helix and Zed run for YAML, on a file with our schema.
#[test]
fn an_editor_completes_explains_and_underlines_by_the_schema() {
    let Some(modules) = modules() else { return };
    let here = tempfile::tempdir().expect("a scratch directory");
    let sagas = here.path().join("sagas");
    let schemas = here.path().join("schemas");
    for directory in [&sagas, &schemas] {
        fs::create_dir(directory).expect("room on the disk");
    }
    let catalog = fs::read(root("sagas/launcher_host.catalog.yaml")).expect("it is shipped");
    let (library, _) = load(vec![("launcher_host.catalog.yaml".to_owned(), catalog)]);
    let vocabulary = Vocabulary { catalog: &library.catalog, sagas: &[] };
    for (name, text) in schema::files(Some(vocabulary)) {
        fs::write(schemas.join(name), text).expect("room on the disk");
    }
    let path = sagas.join("tidy.saga.yaml");
    fs::write(&path, SAGA).expect("room on the disk");
    let uri = format!("file://{}", path.display());

    let mut command = Command::new("node");
    command.arg(modules.join("node_modules/yaml-language-server/bin/yaml-language-server"));
    command.arg("--stdio").current_dir(here.path());
    let mut editor = Editor::start(command);
    let able = json!({ "textDocument": {
        "completion": { "completionItem": { "snippetSupport": true } },
        "hover": { "contentFormat": ["markdown"] },
    } });
    let root = format!("file://{}", here.path().display());
    let greeting = json!({ "processId": null, "rootUri": root, "capabilities": able });
    assert!(editor.ask("initialize", greeting).get("result").is_some());
    editor.tell("initialized", json!({}));
    let yaml = json!({ "validate": true, "hover": true, "completion": true });
    let settings = json!({ "settings": { "yaml": yaml, "http": {} } });
    editor.tell("workspace/didChangeConfiguration", settings);
    let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": SAGA });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));

    // The file is told of once while its schema is still being read, and again with it.
    let found = loop {
        let told = editor.note("textDocument/publishDiagnostics");
        let list = told["diagnostics"].as_array().expect("a list").clone();
        if told["uri"] == uri && !list.is_empty() {
            break list;
        }
    };
    let on = |line: usize, words: &str| {
        found
            .iter()
            .any(|one| one["range"]["start"]["line"] == line && message(one).contains(words))
    };
    assert!(on(10, "lable"), "the wrong field is underlined: {found:#?}");

    let place = |words: &str| {
        let at = SAGA.find(words).expect("they are there") + words.len();
        let line = SAGA[..at].matches('\n').count();
        let start = SAGA[..at].rfind('\n').map_or(0, |at| at + 1);
        json!({
            "textDocument": { "uri": uri },
            "position": { "line": line, "character": at - start },
        })
    };
    let offered = editor.ask("textDocument/completion", place("echo: "));
    let items = offered["result"]["items"].as_array().expect("a list").iter();
    let labels: Vec<&str> = items.filter_map(|item| item["label"].as_str()).collect();
    assert!(labels.contains(&"panes_reaped"), "an event's name is offered: {labels:?}");
    let explained = editor.ask("textDocument/hover", place("evic"));
    let text = explained["result"]["contents"].to_string();
    assert!(text.contains("Who gives way"), "{explained}");
    editor.tell("exit", Value::Null);
}
