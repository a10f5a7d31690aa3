//! `pending_shutdown`: a window in which a person may say no, which others join.

use serde_json::{Value, json};

use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Record, State};
use sagaflow::time::Millis;

use super::{Desk, Fault};

fn ask(desk: &mut Desk, blocks: &[&str], action: &str, by: &str) -> u64 {
    let input = json!({"block_ids": blocks, "action": action, "by": by});
    desk.start("pending_shutdown", input).expect("it starts or joins")
}

fn keep(desk: &mut Desk, block: &str) {
    let fields = json!({"block_id": block, "by": "me"});
    desk.world.report("tool", "keep_running", fields).expect("it is declared");
}

fn audited(desk: &Desk) -> Vec<String> {
    let told = desk.world.published("shutdown_audited").into_iter();
    told.map(|event| event.fields["by"].as_str().expect("a name").to_owned()).collect()
}

fn outcome(desk: &Desk) -> Value {
    desk.result(1)["outcome"].clone()
}

/// bg_o02: the action is done once, and a word that comes then is too late.
#[test]
fn bg_o01_a_second_request_gets_the_first_ones_id_and_deadline() {
    let mut desk = Desk::new();
    assert_eq!(ask(&mut desk, &["b1"], "stop", "ann"), 1);
    desk.world.advance(Millis(10_000));
    assert_eq!(ask(&mut desk, &["b1"], "stop", "cid"), 1);
    desk.world.advance(Millis(4_999));
    assert!(desk.srv.running.contains("b1") && desk.world.commands().is_empty());
    desk.world.advance(Millis(1));
    keep(&mut desk, "b1");
    let late = desk.world.published("shutdown_proceeds").len();
    desk.finish();
    assert_eq!((late, outcome(&desk)), (1, json!("shut_down")));
    assert_eq!(desk.effects(), ["stops[0].stop stop_block"]);
    assert_eq!(audited(&desk), ["ann", "cid"]);
}

#[test]
fn bg_o03_a_stronger_wish_takes_over_and_a_weaker_one_is_remembered() {
    let mut desk = Desk::new();
    ask(&mut desk, &["b1", "b2"], "self_quit", "ann");
    ask(&mut desk, &["b2"], "close_pane", "cid");
    ask(&mut desk, &["b2", "b3"], "stop", "dan");
    desk.finish();
    let result = json!({"outcome": "shut_down", "action": "close_pane", "block_ids": ["b2"]});
    assert_eq!(desk.result(1), result);
    assert_eq!(audited(&desk), ["ann", "cid", "dan"]);
    assert_eq!((desk.srv.tab_of("b2"), desk.srv.running.contains("b1")), (None, true));
}

#[test]
fn bg_o04_equal_wishes_are_merged() {
    let mut desk = Desk::new();
    ask(&mut desk, &["b1"], "stop", "ann");
    ask(&mut desk, &["b1", "b4"], "stop", "cid");
    desk.finish();
    assert_eq!(desk.result(1)["block_ids"], json!(["b1", "b4"]));
    assert!(!desk.srv.running.contains("b1") && !desk.srv.running.contains("b4"));
}

#[test]
fn bg_o05_overlapping_sets_share_one_window_and_any_member_keeps_it() {
    for member in ["b1", "b2", "b3"] {
        let mut desk = Desk::new();
        ask(&mut desk, &["b1", "b2"], "stop", "ann");
        assert_eq!(ask(&mut desk, &["b2", "b3"], "stop", "cid"), 1);
        assert_eq!(ask(&mut desk, &["b3"], "stop", "dan"), 1, "it covers what joined");
        desk.crash(Millis(0));
        keep(&mut desk, member);
        desk.finish();
        assert_eq!(outcome(&desk), "kept_by_user", "{member}");
        assert_eq!(desk.effects(), [""; 0]);
        assert_eq!(audited(&desk), ["ann", "cid", "dan"]);
    }
}

#[test]
fn bg_o06_a_word_for_a_foreign_block_or_a_second_one_keeps_nothing() {
    let mut desk = Desk::new();
    ask(&mut desk, &["b1"], "stop", "ann");
    keep(&mut desk, "b7");
    assert_eq!(desk.world.state(1), State::Running);
    keep(&mut desk, "b1");
    keep(&mut desk, "b1");
    let ended = desk.records_of(1).filter(|record| matches!(record, Record::Ended(_)));
    assert_eq!((ended.count(), outcome(&desk)), (1, json!("kept_by_user")));
}

/// The window runs out and somebody says no at one instant: it is the one or the other.
#[test]
fn bg_o07_it_is_never_both_kept_and_shut_down() {
    for first in [true, false] {
        let mut desk = Desk::new();
        ask(&mut desk, &["b1"], "stop", "ann");
        if first {
            desk.world.set_clock(desk.world.now() + Millis(15_000));
            keep(&mut desk, "b1");
        } else {
            desk.world.advance(Millis(15_000));
            keep(&mut desk, "b1");
        }
        desk.finish();
        let kept = outcome(&desk) == "kept_by_user";
        assert_eq!(kept, desk.srv.running.contains("b1"), "{first}");
        assert_eq!(desk.world.terminals(1).len(), 1);
    }
}

#[test]
fn bg_o08_a_window_that_runs_out_over_nothing_is_superseded() {
    let mut desk = Desk::new();
    ask(&mut desk, &["ghost"], "close_pane", "ann");
    desk.finish();
    assert_eq!((outcome(&desk), desk.effects()), (json!("superseded"), vec![]));
}

#[test]
fn a_block_that_does_not_stop_is_told() {
    let mut desk = Desk::with_fault("stops[0].stop", Fault::Refused);
    ask(&mut desk, &["b1"], "stop", "ann");
    desk.finish();
    desk.assert_ended(1, State::FailedCompensation);
    assert_eq!(SagaId(1), desk.world.began().next().expect("it began"));
}
