//! Scripts and what a host makes of them, without a socket.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::actor::{Actor, Answer, Plan};
use super::ledger::Ledger;
use super::script::Script;
use crate::definition::{Catalog, read};
use crate::diag::{Diagnostics, SourceMap, render};
use crate::ids::{SagaId, SessionNo};
use crate::ipc::client::Command;
use crate::time::Millis;

const CATALOG: &str = "
targets: { host: {} }
events:
  closed: { fields: { label: { type: string }, count: { type: integer } } }
commands:
  close:
    { target: host, fields: { label: { type: string } }, echoes: [closed], idempotent: true, undo: none }
";

fn catalog() -> Catalog {
    let (library, found) =
        read::load(vec![("a.catalog.yaml".to_owned(), CATALOG.as_bytes().to_vec())]);
    assert!(!found.has_errors(), "{}", render::human(&found, &library.sources, false));
    library.catalog
}

fn script(text: &str) -> Result<Script, String> {
    let (mut sources, mut found) = (SourceMap::default(), Diagnostics::default());
    let read = Script::read("host.yaml", text.as_bytes(), &catalog(), &mut sources, &mut found);
    if found.is_empty() {
        return Ok(read.expect("a script without findings is whole"));
    }
    Err(render::human(&found, &sources, false))
}

fn actor(text: &str) -> Actor {
    Actor::new(script(text).expect("a good script"), catalog(), BTreeMap::new())
}

fn close(command_id: &str) -> Command {
    Command {
        cmd: "close".to_owned(),
        command_id: command_id.to_owned(),
        saga_id: SagaId(1),
        step: "a".to_owned(),
        attempt: 1,
        session: SessionNo(1),
        fields: serde_json::from_value(json!({"label": "main"})).expect("an object"),
        raw: String::new(),
    }
}

fn reply(event: &str, fields: Value) -> Answer {
    let fields = serde_json::from_value(fields).expect("an object");
    Answer::Reply { event: event.to_owned(), fields }
}

#[test]
fn an_answer_takes_its_fields_from_the_command() {
    let mut host = actor("commands: {}");
    let expected = reply("closed", json!({"label": "main", "count": 0}));
    assert_eq!(host.plan(&close("1.a.1")), Plan::Answer(Millis(0), expected));

    let mut host = actor(
        "commands: { close: { reply: closed, after: 20ms, \
         with: { count: 7, label: \"${{ command.label }}-${{ command.saga_id }}\" } } }",
    );
    let expected = reply("closed", json!({"label": "main-1", "count": 7}));
    assert_eq!(host.plan(&close("1.a.1")), Plan::Answer(Millis(20), expected));
}

#[test]
fn behaviours_come_in_order_and_the_last_one_stays() {
    let mut host = actor(
        "commands:\n  close:\n    - { silent: true }\n    - { disconnect: true }\n    \
         - { fail: \"locked: ${{ command.label }}\" }\n",
    );
    let fail = Plan::Answer(Millis(0), Answer::Fail { reason: "locked: main".to_owned() });
    let plans = ["1", "1", "1", "2"].map(|id| host.plan(&close(id)));
    assert_eq!(plans, [Plan::Silent, Plan::Disconnect(Millis(0)), fail.clone(), fail]);
}

/// bg_X01, bg_X02, bg_X03: done once, answered twice alike. bg_X04: the first decision stays,
/// though the script has moved on. bg_X07: another command is another matter.
#[test]
fn a_command_that_comes_again_is_answered_alike() {
    let mut host =
        actor("commands: { close: [{ reply: closed, with: { count: 1 } }, { fail: locked }] }");
    let Plan::Answer(_, first) = host.plan(&close("1.a.1")) else { panic!("an answer is due") };
    assert_eq!(host.plan(&close("1.a.1")), Plan::OnItsWay);
    host.answered("1.a.1", first.clone());
    assert_eq!(host.plan(&close("1.a.1")), Plan::Again(first));
    let fail = Answer::Fail { reason: "locked".to_owned() };
    assert_eq!(host.plan(&close("1.a.2")), Plan::Answer(Millis(0), fail), "a new command");
}

#[test]
fn answers_survive_the_host_itself_and_a_torn_line_was_never_given() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("ledger");
    let given = reply("closed", json!({"label": "main", "count": 1}));
    let (mut ledger, answered) = Ledger::open(&path).expect("a new file");
    assert!(answered.is_empty());
    ledger.write("1.a.1", &given).expect("room on the disk");
    let mut torn = std::fs::read(&path).expect("the file");
    torn.extend_from_slice(b"{\"command_id\":\"1.a.2\",\"ans");
    std::fs::write(&path, torn).expect("room on the disk");

    let (mut ledger, answered) = Ledger::open(&path).expect("the file is a ledger");
    assert_eq!(answered, BTreeMap::from([("1.a.1".to_owned(), given.clone())]));
    ledger.write("1.a.3", &given).expect("room on the disk");
    let (_, answered) = Ledger::open(&path).expect("the torn line is gone");
    assert_eq!(answered.len(), 2);

    std::fs::write(&path, "hello\n").expect("room on the disk");
    let wrong = Ledger::open(&path).expect_err("no ledger");
    assert!(wrong.contains("ledger:1 is no answer of a host"), "{wrong}");
}

#[test]
fn a_file_that_is_no_ledger_is_left_as_it_is() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("ledger");
    let entry = r#"{"command_id":"1.a.1","answer":{"fail":{"reason":"x"}}}"#;
    let second = format!("{entry}\nnotes without an end");
    for (text, line) in [("notes", 1), ("one\ntwo", 1), (second.as_str(), 2)] {
        std::fs::write(&path, text).expect("room on the disk");
        let wrong = Ledger::open(&path).expect_err("no ledger");
        assert!(wrong.contains(&format!("ledger:{line} is no answer of a host")), "{wrong}");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), text);
    }
    for torn in [1, 5, entry.len() - 1] {
        std::fs::write(&path, format!("{entry}\n{}", &entry[..torn])).expect("room on the disk");
        assert_eq!(Ledger::open(&path).expect("a ledger that was torn").1.len(), 1);
    }
}

#[test]
fn a_bad_script_is_told_with_places_and_cures() {
    let check = |text: &str, words: &[&str]| {
        let wrong = script(text).expect_err("a bad script");
        for word in words {
            assert!(wrong.contains(word), "{word:?} is missing in:\n{wrong}");
        }
    };
    check("comands: {}", &["host.yaml:1:1", "did you mean `commands`"]);
    check("commands: { clos: { silent: true } }", &["`clos` is not declared", "`close`"]);
    check("commands: { close: { replay: closed } }", &["did you mean `reply`"]);
    check("commands: { close: { reply: closed, fail: locked } }", &["SF016"]);
    check("commands: { close: { fail: x, with: { a: 1 } } }", &["goes with `reply`"]);
    check("commands: { close: { fail: \"${{ command. }}\" } }", &["SF201"]);
    check("commands: { close: { silent: true, after: soon } }", &["SF013"]);
}
