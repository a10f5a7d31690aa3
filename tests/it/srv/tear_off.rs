//! `tear_off_tab`, `tear_off_block` and `restore_torn_off_tab`: what they claim about srv
//! afterwards.

use serde_json::json;

use sagaflow::coordinator::RefusalCode;
use sagaflow::ids::SagaId;
use sagaflow::log::LogRead;
use sagaflow::saga::record::{Cause, Record, State};

use super::{Desk, Fault, furnished, texts};

fn tab(tab: &str, home: &str) -> serde_json::Value {
    json!({"tab_id": tab, "source_workspace_id": home})
}

fn block(block: &str, tab: &str, home: &str) -> serde_json::Value {
    json!({"block_id": block, "source_tab_id": tab, "source_workspace_id": home})
}

fn back(tab: &str, from: &str, to: &str) -> serde_json::Value {
    json!({"tab_id": tab, "source_workspace_id": from, "dest_workspace_id": to})
}

/// bg_a01, and bg_a23: the row that people read says completed, with its input and its result.
#[test]
fn bg_a01_a_torn_off_tab_is_alone_in_a_new_workspace() {
    let mut desk = Desk::new();
    let saga = desk.run("tear_off_tab", tab("t2", "home"));
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.result(saga), json!({"new_workspace_id": "ws-1"}));
    assert_eq!(desk.effects(), ["workspace create_workspace", "move move_tab"]);
    let mut expected = furnished();
    expected.workspaces.get_mut("home").unwrap().tabs = texts(&["t1", "t3"]);
    expected.workspaces.entry("ws-1".to_owned()).or_default().tabs = texts(&["t2"]);
    assert_eq!(desk.srv, expected);

    let stored = desk.world.log().saga(SagaId(saga)).expect("it can be read").expect("it is there");
    assert_eq!(stored.saga.progress.state.to_string(), "completed");
    assert!(!stored.saga.progress.is_open());
    let input: serde_json::Value = serde_json::from_str(&stored.saga.input).expect("it is JSON");
    assert_eq!(input, tab("t2", "home"));
    let result = stored.saga.progress.result.expect("it has one");
    assert_eq!(result, r#"{"new_workspace_id":"ws-1"}"#);
    let issued = desk.world.facts().filter(|fact| matches!(fact.record, Record::Issued(_)));
    assert_eq!(issued.count(), 4, "two questions, two effects");
}

/// bg_a02, bg_a03: srv is asked before anything is done; its no is a bracket that failed, with
/// nothing to undo.
#[test]
fn bg_a02_a_tab_that_cannot_be_torn_off_stays() {
    let cases = [
        (tab("t1", "nowhere"), "workspace nowhere does not exist"),
        (tab("t4", "home"), "tab t4 is not in workspace home"),
        (tab("ghost", "home"), "tab ghost is not in workspace home"),
        (tab("t5", "lone"), "cannot tear off the last tab of workspace lone"),
    ];
    for (input, words) in cases {
        let mut desk = Desk::new();
        let saga = desk.run("tear_off_tab", input);
        desk.assert_refused(saga, words);
        assert_eq!(desk.undone(saga), []);
        assert_eq!(desk.effects(), [""; 0]);
    }
}

/// bg_a03: of two that take the tabs of a workspace of two, the later one finds the last tab and
/// leaves it.
#[test]
fn bg_a03_the_last_tab_is_never_torn_off() {
    let mut desk = Desk::new();
    let first = desk.run("tear_off_tab", tab("t1", "home"));
    let second = desk.run("tear_off_tab", tab("t2", "home"));
    let third = desk.run("tear_off_tab", tab("t3", "home"));
    desk.assert_ended(first, State::Completed);
    desk.assert_ended(second, State::Completed);
    desk.assert_ended(third, State::Failed);
    let words = "cannot tear off the last tab of workspace home";
    assert_eq!(desk.verdict(third).reason.as_deref(), Some(words));
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t3"]);
}

/// Two at once see two tabs left each; srv alone can keep the last one, and the one that comes too
/// late is undone.
#[test]
fn two_tear_offs_at_once_leave_nothing_half_done() {
    let mut desk = Desk::new();
    desk.srv.workspaces.get_mut("home").unwrap().tabs = texts(&["t1", "t2"]);
    desk.srv.tabs.remove("t3");
    let first = desk.start("tear_off_tab", tab("t1", "home")).expect("it may start");
    let second = desk.start("tear_off_tab", tab("t2", "home")).expect("another tab, another key");
    desk.finish();
    for saga in [first, second] {
        let state = desk.verdict(saga).state;
        assert!(matches!(state, State::Completed | State::Compensated), "{state:?}");
    }
    let homes: Vec<_> = ["t1", "t2"].iter().map(|tab| desk.srv.home_of(tab)).collect();
    assert!(homes.iter().all(Option::is_some), "every tab is somewhere: {homes:?}");
    let empty = desk.srv.workspaces.iter().filter(|(id, w)| *id != "home" && w.tabs.is_empty());
    assert_eq!(empty.count(), 0);
}

#[test]
fn bg_a04_a_torn_off_block_is_alone_in_a_new_tab_of_a_new_workspace() {
    let mut desk = Desk::new();
    let saga = desk.run("tear_off_block", block("b2", "t1", "home"));
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.result(saga), json!({"new_workspace_id": "ws-1", "new_tab_id": "tab-1"}));
    let effects = ["workspace create_workspace", "tab create_tab", "move move_block"];
    assert_eq!(desk.effects(), effects);
    assert_eq!(desk.srv.workspaces["ws-1"].tabs, ["tab-1"]);
    assert_eq!(desk.srv.tabs["tab-1"].blocks, ["b2"]);
    assert_eq!(desk.srv.tabs["t1"].blocks, ["b1", "b3"]);
    let leaves = &desk.srv.tabs["tab-1"].leaves;
    assert_eq!(leaves.iter().map(|leaf| &*leaf.block).collect::<Vec<_>>(), ["b2"]);
}

#[test]
fn bg_a05_a_ghost_block_is_not_torn_off() {
    let cases = [
        (block("ghost", "t1", "home"), "block ghost does not exist"),
        (block("b4", "t1", "home"), "block b4 is not in tab t1"),
        (block("b1", "t1", "dest"), "tab t1 is not in workspace dest"),
    ];
    for (input, words) in cases {
        let mut desk = Desk::new();
        let saga = desk.run("tear_off_block", input);
        desk.assert_refused(saga, words);
    }
}

/// One undo stands for two steps: the workspace goes, and its tab with it.
#[test]
fn one_delete_workspace_undoes_the_workspace_and_the_tab() {
    let mut desk = Desk::with_fault("move", Fault::Failed("tab_missing"));
    let saga = desk.run("tear_off_block", block("b2", "t1", "home"));
    desk.assert_ended(saga, State::Compensated);
    assert_eq!(desk.srv, furnished());
    let effects =
        ["workspace create_workspace", "tab create_tab", "workspace.undo delete_workspace"];
    assert_eq!(desk.effects(), effects);
    let undone = desk.undone(saga);
    assert_eq!(undone, [("workspace".to_owned(), true), ("tab".to_owned(), true)]);
}

/// Undoing goes backwards: the block is put back where it was before the workspace is deleted,
/// which then is empty.
#[test]
fn what_is_in_doubt_is_undone_first_and_to_the_old_place() {
    let mut desk = Desk::with_fault("move", Fault::Mute);
    let saga = desk.run("tear_off_block", block("b2", "t1", "home"));
    desk.assert_ended(saga, State::Compensated);
    assert_eq!(desk.verdict(saga).cause, Some(Cause::TimedOut));
    assert_eq!(desk.srv, furnished());
    let undos = ["move.undo move_block_back", "workspace.undo delete_workspace"];
    assert_eq!(desk.effects()[3..], undos);
}

/// bg_11_7: an undo that srv refuses is an incident, and what is the user's is not deleted to tidy
/// up.
#[test]
fn a_workspace_that_still_holds_the_block_is_kept_and_is_an_incident() {
    let mut desk = Desk::with_fault("move", Fault::Mute);
    desk.trouble("move.undo", Fault::Refused);
    let saga = desk.run("tear_off_block", block("b2", "t1", "home"));
    desk.assert_ended(saga, State::FailedCompensation);
    assert_eq!(desk.srv.tab_of("b2"), Some(("tab-1", 0)));
    assert!(desk.undone(saga).iter().all(|(_, ok)| !ok), "{:?}", desk.undone(saga));
}

#[test]
fn bg_a06_a_workspace_that_a_restored_tab_leaves_empty_is_deleted() {
    let mut desk = Desk::new();
    let saga = desk.run("restore_torn_off_tab", back("t5", "lone", "home"));
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.result(saga), json!({"source_workspace_deleted": true}));
    assert_eq!(desk.effects(), ["move move_tab", "delete_source delete_workspace"]);
    assert!(!desk.srv.workspaces.contains_key("lone"));
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t1", "t2", "t3", "t5"]);
}

#[test]
fn bg_a07_a_workspace_that_still_has_a_tab_is_kept() {
    let mut desk = Desk::new();
    let mut input = back("t2", "home", "dest");
    input["insert_index"] = json!(0);
    let saga = desk.run("restore_torn_off_tab", input);
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.result(saga), json!({"source_workspace_deleted": false}));
    assert_eq!(desk.effects(), ["move move_tab"]);
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t1", "t3"]);
    assert_eq!(desk.srv.workspaces["dest"].tabs, ["t2", "t4"]);
}

#[test]
fn a_tab_that_cannot_be_restored_stays() {
    let cases = [
        (back("ghost", "lone", "home"), "tab ghost does not exist"),
        (back("t4", "lone", "home"), "tab t4 is not in workspace lone"),
        (back("t5", "lone", "nowhere"), "workspace nowhere does not exist"),
    ];
    for (input, words) in cases {
        let mut desk = Desk::new();
        let saga = desk.run("restore_torn_off_tab", input);
        desk.assert_refused(saga, words);
    }
}

/// [R10]: what the input alone tells is refused before anything exists.
#[test]
fn a_restore_to_where_the_tab_is_leaves_no_trace() {
    let mut desk = Desk::new();
    let records = desk.world.records().len();
    let refusal = desk.start("restore_torn_off_tab", back("t1", "home", "home")).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Refused);
    assert_eq!(refusal.message, "tab t1 is already in workspace home");
    let new = &desk.world.records()[records..];
    assert!(new.iter().all(|fact| fact.saga.is_none()), "{new:?}");
    assert_eq!(desk.run("restore_torn_off_tab", back("t5", "lone", "home")), 1, "no id was spent");
}

/// With the tab back the wish is met: a source that cannot be deleted is left, and the saga has not
/// failed.
#[test]
fn a_source_that_cannot_be_deleted_does_not_fail_a_restore() {
    for (step, fault) in [
        ("left", Fault::Refused),
        ("left", Fault::Silent),
        ("delete_source", Fault::Failed("workspace_not_empty")),
        ("delete_source", Fault::Silent),
    ] {
        let mut desk = Desk::with_fault(step, fault);
        let saga = desk.run("restore_torn_off_tab", back("t5", "lone", "home"));
        desk.assert_ended(saga, State::Completed);
        assert_eq!(desk.result(saga), json!({"source_workspace_deleted": false}), "{step}");
        assert_eq!(desk.srv.home_of("t5"), Some(("home", 3)));
    }
}
