//! `promote_block_to_tab` and `redock_floating_pane`: what they claim about srv afterwards.

use serde_json::{Value, json};

use sagaflow::coordinator::RefusalCode;
use sagaflow::saga::record::State;

use super::{Desk, Fault, furnished};

fn promote(block: &str, tab: &str, home: &str) -> Value {
    json!({"block_id": block, "source_tab_id": tab, "workspace_id": home})
}

fn redock(block: &str, from: (&str, &str), to: (&str, &str)) -> Value {
    json!({
        "block_id": block,
        "source_tab_id": from.0,
        "source_workspace_id": from.1,
        "target_tab_id": to.0,
        "target_workspace_id": to.1,
    })
}

#[test]
fn bg_a08_a_promoted_block_has_a_new_tab_of_the_same_workspace() {
    let mut desk = Desk::new();
    let saga = desk.run("promote_block_to_tab", promote("b2", "t1", "home"));
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.result(saga), json!({"new_tab_id": "tab-1"}));
    assert_eq!(desk.effects(), ["tab create_tab", "move move_block"]);
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t1", "t2", "t3", "tab-1"]);
    assert_eq!(desk.srv.tabs["tab-1"].blocks, ["b2"]);
    assert_eq!(desk.srv.tabs["t1"].blocks, ["b1", "b3"]);
}

#[test]
fn bg_a09_a_block_of_another_tab_is_not_promoted() {
    let cases = [
        (promote("b4", "t1", "home"), "block b4 is not in tab t1"),
        (promote("ghost", "t1", "home"), "block ghost does not exist"),
        (promote("b1", "t1", "dest"), "tab t1 is not in workspace dest"),
    ];
    for (input, words) in cases {
        let mut desk = Desk::new();
        let saga = desk.run("promote_block_to_tab", input);
        desk.assert_refused(saga, words);
    }
}

/// bg_a19: `force` is for undoing: the new tab goes even when it has become the last one of its
/// workspace.
#[test]
fn bg_a19_a_forced_delete_takes_the_last_tab() {
    let mut desk = Desk::with_fault("move", Fault::Refused);
    let saga = desk.start("promote_block_to_tab", promote("b2", "t1", "home")).expect("it may");
    desk.serve_until("move");
    desk.srv.workspaces.get_mut("home").unwrap().tabs.retain(|tab| tab == "tab-1");
    desk.finish();
    desk.assert_ended(saga, State::Compensated);
    assert_eq!(desk.srv.workspaces["home"].tabs, [""; 0]);
    assert_eq!(desk.effects(), ["tab create_tab", "tab.undo delete_tab"]);
}

/// The new tab is deleted only while it is empty: a block that somebody put there is the user's.
#[test]
fn a_new_tab_with_a_block_of_the_user_is_kept_and_is_an_incident() {
    let mut desk = Desk::with_fault("move", Fault::Refused);
    let saga = desk.start("promote_block_to_tab", promote("b2", "t1", "home")).expect("it may");
    desk.serve_until("move");
    desk.srv.tabs.get_mut("t2").unwrap().blocks.clear();
    desk.srv.tabs.get_mut("tab-1").unwrap().blocks.push("b4".to_owned());
    desk.finish();
    desk.assert_ended(saga, State::FailedCompensation);
    assert_eq!(desk.srv.tab_of("b4"), Some(("tab-1", 0)));
    assert_eq!(desk.undone(saga), [("tab".to_owned(), false)]);
}

#[test]
fn bg_a10_a_redocked_pane_comes_at_the_end_or_where_it_is_told() {
    for (index, blocks) in [(None, ["b5", "b6", "b2"]), (Some(1), ["b5", "b2", "b6"])] {
        let mut desk = Desk::new();
        let mut input = redock("b2", ("t1", "home"), ("t4", "dest"));
        if let Some(index) = index {
            input["index"] = json!(index);
        }
        let saga = desk.run("redock_floating_pane", input);
        desk.assert_ended(saga, State::Completed);
        assert_eq!(desk.effects(), ["move move_block"]);
        assert_eq!(desk.srv.tabs["t4"].blocks, blocks);
        assert_eq!(desk.srv.tabs["t1"].blocks, ["b1", "b3"]);
    }
}

/// [R10]: no id, no record of a saga, no bracket.
#[test]
fn bg_a11_a_pane_is_not_redocked_to_its_own_tab() {
    let mut desk = Desk::new();
    let records = desk.world.records().len();
    let input = redock("b1", ("t1", "home"), ("t1", "home"));
    let refusal = desk.start("redock_floating_pane", input).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Refused);
    assert_eq!(refusal.message, "block b1 is already in tab t1");
    let new = &desk.world.records()[records..];
    assert!(new.iter().all(|fact| fact.saga.is_none()), "{new:?}");
    assert_eq!(desk.world.published("saga_started").len(), 0);
    assert_eq!(desk.world.commands(), [""; 0]);
}

#[test]
fn bg_a12_a_ghost_is_not_redocked() {
    let (home, dest) = (("t1", "home"), ("t4", "dest"));
    let cases = [
        (redock("ghost", home, dest), "block ghost does not exist"),
        (redock("b4", home, dest), "block b4 is not in tab t1"),
        (redock("b1", ("t1", "dest"), dest), "tab t1 is not in workspace dest"),
        (redock("b1", home, ("ghost", "dest")), "tab ghost does not exist"),
        (redock("b1", home, ("t4", "home")), "tab t4 is not in workspace home"),
    ];
    for (input, words) in cases {
        let mut desk = Desk::new();
        let saga = desk.run("redock_floating_pane", input);
        desk.assert_refused(saga, words);
    }
}

/// bg_11_8, bg_y04: where the block stood was asked before, so its undo puts it there and not at
/// the front.
#[test]
fn a_redock_in_doubt_is_put_back_to_its_old_place() {
    let mut desk = Desk::with_fault("move", Fault::Mute);
    let saga = desk.run("redock_floating_pane", redock("b3", ("t1", "home"), ("t4", "dest")));
    desk.assert_ended(saga, State::Compensated);
    assert_eq!(desk.effects(), ["move move_block", "move.undo move_block_back"]);
    assert_eq!(desk.srv, furnished());
}

/// [R17]: one saga at a time for a block; the next one is told who holds it.
#[test]
fn a_block_is_moved_by_one_saga_of_a_name_at_a_time() {
    let mut desk = Desk::new();
    let input = redock("b1", ("t1", "home"), ("t4", "dest"));
    let saga = desk.start("redock_floating_pane", input.clone()).expect("it may start");
    let refusal = desk.start("redock_floating_pane", input).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Refused);
    assert!(refusal.message.contains(&format!("saga {saga}")), "{}", refusal.message);
    desk.finish();
    desk.assert_ended(saga, State::Completed);
}
