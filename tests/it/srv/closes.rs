//! `delete_workspace` and `close_pane`: loops over what srv owns, and what they claim about it
//! afterwards.

use serde_json::{Value, json};

use sagaflow::saga::record::State;

use super::{Desk, Fault, furnished};

fn workspace(id: &str) -> Value {
    json!({"workspace_id": id})
}

fn pane(blocks: &[&str]) -> Value {
    json!({"block_ids": blocks})
}

#[test]
fn bg_a20_a_workspace_goes_with_its_tabs_and_blocks_and_counts_them() {
    let mut desk = Desk::new();
    let saga = desk.run("delete_workspace", workspace("home"));
    desk.assert_ended(saga, State::Completed);
    let result = json!({"tabs_deleted": 3, "blocks_deleted": 4, "workspace_deleted": true});
    assert_eq!(desk.result(saga), result);
    assert!(!desk.srv.workspaces.contains_key("home"));
    assert_eq!(desk.srv.tabs.keys().collect::<Vec<_>>(), ["t4", "t5"]);
    assert_eq!(desk.srv.running.iter().collect::<Vec<_>>(), ["b5", "b6", "b7"]);
    let deletes = ["tabs[0].delete_tab", "tabs[1].delete_tab", "tabs[2].delete_tab", "delete"];
    let done = desk.effects().into_iter().filter(|done| done.contains("delete_"));
    assert_eq!(done.map(|d| d.split(' ').next().unwrap()).collect::<Vec<_>>(), deletes);
}

#[test]
fn bg_a21_a_workspace_that_is_not_there_is_an_error() {
    let mut desk = Desk::new();
    let saga = desk.run("delete_workspace", workspace("ghost"));
    desk.assert_refused(saga, "workspace ghost does not exist");
    assert_eq!(desk.effects(), [""; 0]);
}

#[test]
fn bg_a22_an_empty_workspace_counts_nothing() {
    let mut desk = Desk::new();
    desk.srv.workspaces.get_mut("lone").unwrap().tabs.clear();
    desk.srv.tabs.remove("t5");
    let saga = desk.run("delete_workspace", workspace("lone"));
    let result = json!({"tabs_deleted": 0, "blocks_deleted": 0, "workspace_deleted": true});
    assert_eq!(desk.result(saga), result);
    assert_eq!(desk.effects(), ["delete delete_workspace"]);
}

/// A tab that cannot be deleted stops it: those before it are gone, those behind it are there, and
/// a person is told.
#[test]
fn a_tab_that_cannot_be_deleted_leaves_the_rest_of_the_workspace() {
    let mut desk = Desk::with_fault("tabs[1].delete_tab", Fault::Refused);
    let saga = desk.run("delete_workspace", workspace("home"));
    desk.assert_ended(saga, State::FailedCompensation);
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t2", "t3"]);
    assert!(!desk.srv.running.contains("b1") && desk.srv.running.contains("b4"));
}

/// Somebody put a block into it while its tabs went: srv keeps it, and the result says so.
#[test]
fn a_workspace_that_is_filled_meanwhile_is_kept() {
    let mut desk = Desk::new();
    let saga = desk.start("delete_workspace", workspace("lone")).expect("it may start");
    desk.serve_until("delete");
    desk.srv.workspaces.get_mut("lone").unwrap().tabs.push("t4".to_owned());
    desk.finish();
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.result(saga)["workspace_deleted"], false);
}

/// bg_a28: what runs in a block has saved its state and ended before its block is deleted.
#[test]
fn bg_a24_a_pane_goes_with_all_its_members_and_its_leaf() {
    let mut desk = Desk::new();
    let saga = desk.run("close_pane", pane(&["b2", "b3", "b2"]));
    desk.assert_ended(saga, State::Completed);
    let result = json!({"tab_id": "t1", "block_ids": ["b2", "b3"], "leaf_removed": true});
    assert_eq!(desk.result(saga), result);
    let t1 = &desk.srv.tabs["t1"];
    assert_eq!((&*t1.blocks, t1.leaves.len(), t1.actions.len()), (&["b1".to_owned()][..], 1, 1));
    assert!(desk.srv.guards.is_empty(), "the guard is lifted");
    let expected = [
        "guard guard_blocks",
        "stops[0].stop stop_block",
        "stops[1].stop stop_block",
        "blocks[0].delete delete_block",
        "blocks[1].delete delete_block",
        "leaf layout_delete_node",
        "prune layout_queue_backend_actions",
        "lift lift_guard",
        "gone[0].purge purge_blocks",
        "gone[1].purge purge_blocks",
    ];
    let mut effects = desk.effects();
    effects.sort_by_key(|done| expected.iter().position(|one| one == done));
    assert_eq!(effects, expected);
}

#[test]
fn bg_a25_of_a_pane_one_member_goes_and_its_leaf_stays() {
    let mut desk = Desk::new();
    let saga = desk.run("close_pane", pane(&["b3"]));
    assert_eq!(desk.result(saga)["leaf_removed"], false);
    let t1 = &desk.srv.tabs["t1"];
    assert_eq!((&*t1.blocks, t1.actions.len()), (&["b1".to_owned(), "b2".to_owned()][..], 0));
    assert!(desk.srv.running.contains("b2") && !desk.srv.running.contains("b3"));
}

/// bg_a30: nothing is stopped for a close that is refused.
#[test]
fn bg_a26_blocks_of_several_tabs_are_not_closed() {
    let mut desk = Desk::new();
    let saga = desk.run("close_pane", pane(&["b1", "b4"]));
    desk.assert_refused(saga, "the blocks are in several tabs");
    assert_eq!(desk.effects(), [""; 0]);
}

#[test]
fn bg_a27_ghosts_are_passed_over_and_only_ghosts_are_an_error() {
    let mut desk = Desk::new();
    let saga = desk.run("close_pane", pane(&["ghost", "b1"]));
    assert_eq!(desk.result(saga)["block_ids"], json!(["b1"]));
    let mut desk = Desk::new();
    let saga = desk.run("close_pane", pane(&["ghost"]));
    desk.assert_refused(saga, "none of these blocks exists");
}

/// All are asked before any has answered, so the slowest alone takes time.
#[test]
fn bg_a29_blocks_are_stopped_side_by_side() {
    let mut desk = Desk::new();
    desk.start("close_pane", pane(&["b1", "b2", "b3"])).expect("it may start");
    desk.serve_until("stops[0].stop");
    let stops = desk.world.commands().into_iter().filter(|cmd| cmd == "stop_block");
    assert_eq!(stops.count(), 3);
}

/// While a pane closes its blocks are guarded, and nobody else closes them.
#[test]
fn bg_a33_a_block_that_is_closing_is_guarded() {
    let mut desk = Desk::new();
    desk.start("close_pane", pane(&["b2", "b3"])).expect("it may start");
    desk.serve_until("blocks[0].delete");
    assert_eq!(desk.srv.guards.len(), 2);
    let refused = desk.start("close_pane", pane(&["b3"])).expect_err("it closes already");
    assert!(refused.message.contains("saga 1"), "{}", refused.message);
    desk.finish();
    let mut desk = Desk::new();
    desk.srv.guards.insert("b3".to_owned(), "somebody".to_owned());
    let saga = desk.run("close_pane", pane(&["b2", "b3"]));
    desk.assert_ended(saga, State::Failed);
    let reason = desk.verdict(saga).reason;
    assert_eq!(reason.as_deref(), Some("one of these blocks is closing already"));
    assert_eq!(desk.srv.guards.len(), 1, "the other one's guard stays");
}

/// A block that srv cannot delete is told, and its leaf stays; the others are gone.
#[test]
fn a_member_that_cannot_be_deleted_is_an_incident_and_keeps_the_leaf() {
    let mut desk = Desk::with_fault("blocks[0].delete", Fault::Refused);
    let saga = desk.run("close_pane", pane(&["b2", "b3"]));
    desk.assert_ended(saga, State::FailedCompensation);
    let reason = desk.verdict(saga).reason;
    assert_eq!(reason.as_deref(), Some("srv could not delete 1 of the blocks"));
    let mut expected = furnished();
    let t1 = expected.tabs.get_mut("t1").unwrap();
    t1.blocks.retain(|block| block != "b3");
    expected.metas.remove("b3");
    expected.running.remove("b2");
    expected.running.remove("b3");
    assert_eq!(desk.srv, expected);
}
