//! `lsp`: an editor's conversation with the real binary, over its two streams.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use serde_json::{Value, json};

use super::{sagaflow, scratch};
use crate::editor::Editor;

const CATALOG: &str = "\
targets: { host: {} }
events:
  closed: { doc: It was closed., fields: { label: { type: string } } }
commands:
  close:
    target: host
    doc: Closes a window.
    fields: { label: { type: string } }
    echoes: [closed]
    idempotent: true
    undo: none
";

const SAGA: &str = "\
saga: tidy
trigger: { call: { fields: { label: { type: string } } } }
input: { label: \"${{ trigger.label }}\" } # é☂😀
eviction: { key: input.label, policy: refuse }
timeout: 30s
steps:
  - id: shut
    issue: close
    with: { label: \"${{ input.label }}\" }
    await: { echo: closed }
    timeout: 10s
  - { id: say, if: steps.shut.outcome == \"succeeded\", delay: 1s }
";

const TEST: &str = "\
saga: tidy
cases:
  - name: all goes well
    when: { call: true, with: { label: main } }
    script:
      - expect: { issue: close, with: { label: main } }
        reply: { echo: closed, with: { label: main } }
      - advance: 1s
    end: { state: completed }
";

/// An editor on a directory of its own.
struct Desk {
    editor: Editor,
    directory: tempfile::TempDir,
}

impl Deref for Desk {
    type Target = Editor;

    fn deref(&self) -> &Editor {
        &self.editor
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Editor {
        &mut self.editor
    }
}

impl Desk {
    fn start(saga: &str) -> Desk {
        let files =
            [("s/a.catalog.yaml", CATALOG), ("s/tidy.saga.yaml", saga), ("s/tidy.test.yaml", TEST)];
        let directory = scratch(&files);
        let editor = Editor::start(sagaflow(directory.path(), &["lsp", "--stdio"]));
        Desk { editor, directory }
    }

    /// Greets the server as an editor that counts in UTF-16 does.
    fn greeted(saga: &str) -> Desk {
        let mut desk = Desk::start(saga);
        let answer = desk.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(answer["result"]["capabilities"]["positionEncoding"], "utf-16");
        desk.tell("initialized", json!({}));
        desk
    }

    /// The codes of the next findings told of a file, with their lines.
    fn findings(&mut self, name: &str) -> Vec<(String, u64)> {
        loop {
            let params = self.note("textDocument/publishDiagnostics");
            if params["uri"] == self.uri(name) {
                let list = params["diagnostics"].as_array().expect("a list").clone();
                let one = |one: &Value| {
                    let line = one["range"]["start"]["line"].as_u64().expect("a line");
                    (one["code"].as_str().expect("a code").to_owned(), line)
                };
                return list.iter().map(one).collect();
            }
        }
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}/s/{name}", self.directory.path().display())
    }

    fn open(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn write(&mut self, name: &str, text: &str) {
        let document = json!({ "uri": self.uri(name), "version": 2 });
        let params = json!({ "textDocument": document, "contentChanges": [{ "text": text }] });
        self.tell("textDocument/didChange", params);
    }

    /// Asks about the place right behind these words of the saga.
    fn at(&mut self, method: &str, text: &str, words: &str, more: Value) -> Value {
        let at = text.find(words).expect("they are there") + words.len();
        let line = text[..at].matches('\n').count();
        let before = &text[text[..at].rfind('\n').map_or(0, |at| at + 1)..at];
        let mut params = json!({
            "textDocument": { "uri": self.uri("tidy.saga.yaml") },
            "position": { "line": line, "character": before.encode_utf16().count() },
        });
        if let (Some(all), Value::Object(more)) = (params.as_object_mut(), more) {
            all.extend(more);
        }
        self.ask(method, params)
    }
}

fn labels(answer: &Value) -> Vec<String> {
    let items = answer["result"]["items"].as_array().expect("a list").iter();
    items.map(|item| item["label"].as_str().expect("a label").to_owned()).collect()
}

#[test]
fn mistakes_are_told_as_one_types_and_vanish_when_they_are_mended() {
    let mut editor = Desk::greeted(SAGA);
    editor.open("tidy.saga.yaml", SAGA);
    assert_eq!(editor.findings("tidy.saga.yaml"), []);
    editor.write("tidy.saga.yaml", &SAGA.replace("issue: close", "issue: clos"));
    assert_eq!(editor.findings("tidy.saga.yaml")[0], ("SF102".to_owned(), 7));
    editor.write("tidy.saga.yaml", "saga: [");
    assert_eq!(editor.findings("tidy.saga.yaml")[0].0, "SF001");
    editor.write("tidy.saga.yaml", SAGA);
    assert_eq!(editor.findings("tidy.saga.yaml"), []);
    // What is wrong in a catalog on the screen is told of sagas that only lie beside it.
    editor.open("a.catalog.yaml", &CATALOG.replace("echoes: [closed]", "echoes: [shut]"));
    assert_eq!(editor.findings("a.catalog.yaml")[0].0, "SF101");
    let uri = editor.uri("a.catalog.yaml");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(editor.findings("a.catalog.yaml"), []);
}

#[test]
fn names_are_explained_completed_and_found() {
    let mut editor = Desk::greeted(SAGA);
    editor.open("tidy.saga.yaml", SAGA);
    let none = json!({});
    let hover = editor.at("textDocument/hover", SAGA, "issue: clo", none.clone());
    let text = hover["result"]["contents"]["value"].as_str().unwrap_or_default();
    assert!(text.contains("Closes a window.") && text.contains("`label`: string"), "{hover}");
    let range =
        json!({ "start": { "line": 7, "character": 11 }, "end": { "line": 7, "character": 16 } });
    assert_eq!(hover["result"]["range"], range);
    let typing = SAGA.replace("echo: closed", "echo: cl");
    editor.write("tidy.saga.yaml", &typing);
    let offered = editor.at("textDocument/completion", &typing, "echo: cl", none.clone());
    assert_eq!(labels(&offered).first().map(String::as_str), Some("closed"));
    let typing = SAGA.replace("steps.shut.outcome", "steps.");
    editor.write("tidy.saga.yaml", &typing);
    let offered = editor.at("textDocument/completion", &typing, "if: steps.", none.clone());
    assert_eq!(labels(&offered), ["say", "shut"]);
    editor.write("tidy.saga.yaml", SAGA);
    let found = editor.at("textDocument/definition", SAGA, "issue: clo", none.clone());
    assert_eq!(found["result"][0]["uri"], editor.uri("a.catalog.yaml"));
    assert_eq!(found["result"][0]["range"]["start"]["line"], 4);
    let found = editor.at("textDocument/references", SAGA, "issue: clo", none);
    assert_eq!(found["result"].as_array().map(Vec::len), Some(3), "{found}");
}

#[test]
fn a_name_is_changed_everywhere_or_not_at_all() {
    let mut editor = Desk::greeted(SAGA);
    editor.open("tidy.saga.yaml", SAGA);
    let answer =
        editor.at("textDocument/rename", SAGA, "id: shut", json!({ "newName": "close_it" }));
    let edits = &answer["result"]["changes"][editor.uri("tidy.saga.yaml")];
    assert_eq!(edits.as_array().map(Vec::len), Some(2), "{answer}");
    let answer =
        editor.at("textDocument/rename", SAGA, "issue: clo", json!({ "newName": "shut_it" }));
    let changes = answer["result"]["changes"].as_object().expect("changes");
    assert_eq!(changes.len(), 3, "catalog, saga and test: {answer}");
    for (new, why) in [("say", "taken"), ("Not a name", "snake_case")] {
        let answer = editor.at("textDocument/rename", SAGA, "id: shut", json!({ "newName": new }));
        assert!(
            answer["error"]["message"].as_str().is_some_and(|text| text.contains(why)),
            "{answer}"
        );
    }
}

#[test]
fn a_file_is_laid_out_cured_outlined_and_tested() {
    let untidy =
        SAGA.replace("  - id: shut\n    issue: close\n", "  - issue: close\n    id: shut\n");
    let mut editor = Desk::greeted(&untidy);
    let wrong = untidy.replace("policy: refuse", "policy: refus");
    editor.open("tidy.saga.yaml", &wrong);
    let file = json!({ "textDocument": { "uri": editor.uri("tidy.saga.yaml") } });
    let laid = editor.ask("textDocument/formatting", file.clone());
    assert_eq!(laid["result"][0]["newText"], SAGA.replace("policy: refuse", "policy: refus"));
    let range =
        json!({ "start": { "line": 3, "character": 0 }, "end": { "line": 3, "character": 60 } });
    let params = json!({ "textDocument": file["textDocument"], "range": range, "context": {} });
    let cures = editor.ask("textDocument/codeAction", params);
    let edit = &cures["result"][0]["edit"]["changes"][editor.uri("tidy.saga.yaml")][0];
    assert_eq!(edit["newText"], "refuse", "{cures}");
    let outline = editor.ask("textDocument/documentSymbol", file.clone());
    assert_eq!(outline["result"][0]["children"][1]["name"], "say");
    let lenses = editor.ask("textDocument/codeLens", file);
    let command = &lenses["result"][0]["command"];
    assert_eq!(
        (&command["title"], &command["command"]),
        (&json!("run tests"), &json!("sagaflow.test"))
    );
    editor.write("tidy.saga.yaml", SAGA);
    let run = json!({ "command": "sagaflow.test", "arguments": command["arguments"] });
    assert_eq!(editor.ask("workspace/executeCommand", run)["result"], Value::Null);
    let said = editor.note("window/showMessage");
    assert_eq!(said["type"], 3, "{said}");
    let bad = json!({ "command": "sagaflow.test", "arguments": ["file:///etc/passwd"] });
    assert_eq!(editor.ask("workspace/executeCommand", bad)["error"]["code"], -32602);
}

#[test]
fn a_conversation_has_an_order() {
    let mut editor = Desk::start(SAGA);
    editor.tell("textDocument/didOpen", json!({}));
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32002);
    assert!(editor.ask("initialize", json!({})).get("result").is_some());
    assert_eq!(editor.ask("initialize", json!({}))["error"]["code"], -32600);
    assert_eq!(editor.ask("textDocument/unheardOf", json!({}))["error"]["code"], -32601);
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32602);
    assert_eq!(editor.ask("shutdown", Value::Null)["result"], Value::Null);
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32600);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.editor.left(), 0);
}

#[test]
fn an_editor_that_vanishes_ends_its_server() {
    assert_eq!(Desk::start(SAGA).editor.left(), 1);
    let mut editor = Desk::greeted(SAGA);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.editor.left(), 1, "without `shutdown` it is no clean end");
}

/// Nobody would read what a run says to a server that is gone, and it may last for minutes.
#[test]
fn runs_end_with_their_server() {
    let branch = |at| {
        let step = |of| {
            format!(
                "        - {{ id: s{at}_{of}, issue: close, with: {{ label: \"${{{{ input.label \
                 }}}}\" }}, await: {{ echo: closed }}, timeout: 1s, best_effort: true }}\n"
            )
        };
        format!("      b{at}:\n{}{}{}", step(1), step(2), step(3))
    };
    let wide = format!(
        "saga: tidy\ntrigger: {{ call: {{ fields: {{ label: {{ type: string }} }} }} }}\ninput: {{ \
         label: \"${{{{ trigger.label }}}}\" }}\neviction: {{ key: input.label, policy: refuse \
         }}\ntimeout: 30s\nalways: [size(input.label) < 100]\nsteps:\n  - id: all\n    \
         parallel:\n{}    join: settled\n",
        (0..8).map(branch).collect::<String>()
    );
    let mut editor = Desk::greeted(&wide);
    let (name, uri) = ("tidy.saga.yaml", editor.uri("tidy.saga.yaml"));
    let run = json!({ "command": "sagaflow.check", "arguments": [uri] });
    assert_eq!(editor.ask("workspace/executeCommand", run)["result"], Value::Null);
    let file = editor.directory.path().join("s").join(name);
    let goes_on = || {
        let all = std::fs::read_dir("/proc").expect("there is one").flatten();
        let mut lines = all.filter_map(|one| std::fs::read(one.path().join("cmdline")).ok());
        let file = file.as_os_str().as_encoded_bytes();
        lines.any(|line| line.windows(file.len()).any(|part| part == file))
    };
    assert!(goes_on(), "the run was started");
    let Desk { editor, directory } = editor;
    editor.left();
    // It was told to end before its server did, and is a process for a moment more.
    for _look in 0..2_000 {
        if !goes_on() {
            drop(directory);
            return;
        }
        std::thread::yield_now();
    }
    panic!("the run goes on without its server");
}

#[test]
fn what_is_no_message_harms_nobody() {
    let mut editor = Desk::greeted(SAGA);
    let large = 17 * 1024 * 1024;
    let mut huge = format!("Content-Length: {large}\r\n\r\n").into_bytes();
    huge.resize(huge.len() + large, b'x');
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = format!("Content-Length: {}\r\n\r\n{deep}", deep.len());
    for (bad, code) in [
        (b"Content-Length: pig\r\n\r\n".as_slice(), -32700),
        (b"nonsense\r\n\r\n", -32700),
        (b"Content-Length: 3\r\n\r\n{]}", -32700),
        (b"Content-Length: 2\r\n\r\n[]", -32600),
        (deep.as_bytes(), -32700),
        (&huge, -32700),
    ] {
        editor.raw(bad);
        let answer = editor.hear();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(code)));
    }
    // Odd words about files are passed over.
    for params in [
        json!(null),
        json!([1]),
        json!({ "textDocument": { "uri": 7, "text": [] } }),
        json!({ "textDocument": { "uri": "untitled:a.saga.yaml", "text": "" } }),
        json!({ "textDocument": { "uri": "file:///%zz.saga.yaml", "text": "" } }),
        json!({ "textDocument": { "uri": "file:///nowhere/a.saga.yaml", "text": "\u{0}{" } }),
    ] {
        for method in ["didOpen", "didChange", "didClose", "didSave"] {
            editor.tell(&format!("textDocument/{method}"), params.clone());
        }
    }
    editor.open("tidy.saga.yaml", SAGA);
    assert_eq!(editor.findings("tidy.saga.yaml"), []);
    let far = json!({ "position": { "line": 4_000_000_000_u64, "character": u64::MAX } });
    let answer = editor.at("textDocument/completion", SAGA, "saga: tidy", far);
    assert!(answer.get("result").is_some(), "{answer}");
    assert!(Path::new(editor.directory.path()).exists());
}
