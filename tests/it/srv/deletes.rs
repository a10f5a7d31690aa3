//! `delete_block` and `delete_tab`: what they claim about srv afterwards.

use serde_json::{Value, json};

use sagaflow::saga::record::{Cause, State};

use crate::world::Sent;

use super::{Desk, Fault, furnished};

fn block(block: &str, tab: &str) -> Value {
    json!({"tab_id": tab, "block_id": block})
}

fn tab(tab: &str, home: &str) -> Value {
    json!({"workspace_id": home, "tab_id": tab})
}

/// bg_a13, bg_a16: block, leaf and controller are gone, and nothing else is.
#[test]
fn bg_a13_a_deleted_block_is_gone_from_tab_layout_and_controllers() {
    let mut desk = Desk::new();
    let saga = desk.run("delete_block", block("b2", "t1"));
    desk.assert_ended(saga, State::Completed);
    let effects =
        ["delete delete_block", "prune layout_delete_node_by_block", "purge purge_blocks"];
    assert_eq!(desk.effects(), effects);
    let mut expected = furnished();
    let t1 = expected.tabs.get_mut("t1").unwrap();
    t1.blocks.retain(|block| block != "b2");
    t1.leaves.retain(|leaf| leaf.block != "b2");
    expected.metas.remove("b2");
    expected.running.remove("b2");
    assert_eq!(desk.srv, expected);
}

#[test]
fn bg_a14_a_second_delete_fails_and_touches_nothing() {
    let mut desk = Desk::new();
    let first = desk.run("delete_block", block("b2", "t1"));
    let effects = desk.effects().len();
    let after_first = desk.srv.clone();
    let second = desk.run("delete_block", block("b2", "t1"));
    desk.assert_ended(first, State::Completed);
    desk.assert_ended(second, State::Failed);
    assert_eq!(desk.verdict(second).reason.as_deref(), Some("block b2 does not exist"));
    assert_eq!(desk.effects().len(), effects);
    assert_eq!(desk.srv, after_first);
}

#[test]
fn bg_a15_a_block_is_not_deleted_through_another_tab() {
    for (input, words) in [
        (block("b2", "t2"), "block b2 is not in tab t2"),
        (block("b2", "ghost"), "block b2 is not in tab ghost"),
    ] {
        let mut desk = Desk::new();
        let saga = desk.run("delete_block", input);
        desk.assert_refused(saga, words);
        assert!(desk.srv.running.contains("b2"));
    }
}

/// bg_a16: where pruning fails the block is gone all the same, and so is what ran in it.
#[test]
fn bg_a16_a_leaf_that_cannot_be_pruned_does_not_fail_the_delete() {
    for fault in [Fault::Refused, Fault::Failed("tab_missing"), Fault::Silent, Fault::Mute] {
        let mut desk = Desk::with_fault("prune", fault);
        let saga = desk.run("delete_block", block("b2", "t1"));
        desk.assert_ended(saga, State::Completed);
        assert_eq!(desk.srv.tab_of("b2"), None);
        assert!(!desk.srv.running.contains("b2"), "{fault:?}");
    }
}

/// The block is still there: what runs in it is left alone, and the saga has failed with nothing to
/// undo.
#[test]
fn a_delete_that_srv_refuses_leaves_the_block_and_what_runs_in_it() {
    let mut desk = Desk::with_fault("delete", Fault::Refused);
    let saga = desk.run("delete_block", block("b2", "t1"));
    desk.assert_refused(saga, "srv could not");
    assert_eq!(desk.undone(saga), []);
}

/// Whether it was deleted is not known and cannot be taken back: an incident. `finally` looks, and
/// ends what ran in a block that is gone, and only then.
#[test]
fn a_delete_without_an_answer_is_an_incident_and_purges_what_is_gone() {
    for (fault, gone) in [(Fault::Mute, true), (Fault::Silent, false)] {
        let mut desk = Desk::with_fault("delete", fault);
        let saga = desk.run("delete_block", block("b2", "t1"));
        desk.assert_ended(saga, State::FailedCompensation);
        assert_eq!(desk.verdict(saga).cause, Some(Cause::TimedOut));
        assert_eq!(desk.srv.tab_of("b2").is_none(), gone);
        assert_eq!(desk.srv.running.contains("b2"), !gone);
    }
}

/// [R13]: past the point of no return the same command is sent again, and srv's answer has not
/// changed.
#[test]
fn a_delete_whose_answer_was_lost_is_asked_again_and_completes() {
    let mut desk = Desk::with_fault("delete", Fault::MuteOnce);
    let saga = desk.run("delete_block", block("b2", "t1"));
    desk.assert_ended(saga, State::Completed);
    let sent = desk.world.sent().iter().filter(|sent| sent.cmd() == "delete_block");
    let ids: Vec<&str> = sent.map(Sent::id).collect();
    assert_eq!(ids, ["1.delete.1", "1.delete.1"]);
}

/// bg_a31: its agents end with it.
#[test]
fn bg_a17_a_deleted_tab_takes_its_blocks_and_what_ran_in_them() {
    let mut desk = Desk::new();
    let saga = desk.run("delete_tab", tab("t1", "home"));
    desk.assert_ended(saga, State::Completed);
    assert_eq!(desk.effects(), ["delete delete_tab", "purge purge_blocks"]);
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t2", "t3"]);
    assert!(!desk.srv.tabs.contains_key("t1"));
    for block in ["b1", "b2", "b3"] {
        assert!(!desk.srv.running.contains(block), "{block}");
    }
    assert!(desk.srv.running.contains("b4"));
}

#[test]
fn bg_a18_a_tab_that_must_stay_stays() {
    for (input, words) in [
        (tab("t1", "nowhere"), "workspace nowhere does not exist"),
        (tab("t4", "home"), "tab t4 is not in workspace home"),
        (tab("t5", "lone"), "cannot delete the last tab of workspace lone"),
    ] {
        let mut desk = Desk::new();
        let saga = desk.run("delete_tab", input);
        desk.assert_refused(saga, words);
        assert_eq!(desk.effects(), [""; 0]);
    }
}

/// The question was answered, then the other tabs went: srv keeps the last tab, and its word fails
/// the saga.
#[test]
fn bg_a18_a_tab_that_has_become_the_last_one_stays() {
    let mut desk = Desk::new();
    let saga = desk.start("delete_tab", tab("t1", "home")).expect("it may start");
    desk.serve_until("delete");
    desk.srv.workspaces.get_mut("home").unwrap().tabs.retain(|tab| tab == "t1");
    desk.finish();
    desk.assert_ended(saga, State::Failed);
    let words = "cannot delete the last tab of workspace home";
    assert_eq!(desk.verdict(saga).reason.as_deref(), Some(words));
    assert!(desk.srv.tabs.contains_key("t1") && desk.srv.running.contains("b1"));
}

/// [R18]: deletes of one workspace wait for each other, so that the last tab is refused and never
/// deleted.
#[test]
fn deletes_of_one_workspace_take_turns_and_leave_the_last_tab() {
    let mut desk = Desk::new();
    let sagas = ["t1", "t2", "t3"].map(|id| desk.start("delete_tab", tab(id, "home")));
    let sagas = sagas.map(|id| id.expect("it may wait"));
    assert_eq!(desk.world.state(sagas[1]), State::Queued);
    desk.finish();
    desk.assert_ended(sagas[0], State::Completed);
    desk.assert_ended(sagas[1], State::Completed);
    desk.assert_ended(sagas[2], State::Failed);
    assert_eq!(desk.srv.workspaces["home"].tabs, ["t3"]);
}
