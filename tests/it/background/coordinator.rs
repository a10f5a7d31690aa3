//! What the coordinator had to hold: who starts what, by whose word it ends, and that it ends once.

use serde_json::{Value, json};

use sagaflow::ids::SagaId;
use sagaflow::log::LogRead;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;

use super::{answer, assert_brackets, close, finish_cleanup, promote, sent, shipped, tell};
use crate::world::World;

/// One command and its answer, for definitions of these tests' own.
const CATALOG: &str = "\
targets: { host: {} }
events: { go: {}, done_it: {} }
commands:
  act: { target: host, echoes: [done_it], idempotent: true, undo: none }
";

fn world(saga: &str) -> World {
    let head = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\n";
    let text = format!("{head}{saga}");
    let mut world = World::new(&[("c.catalog.yaml", CATALOG), ("it.saga.yaml", &text)]);
    world.connect("host");
    world
}

/// What a sequence starts, by the table: event, fields, saga.
fn table(label: &str) -> Vec<(&'static str, Value, Option<&'static str>)> {
    let of = |label: &str| json!({"label": label});
    let closed = |crash| json!({"label": label, "crash_detected": crash});
    vec![
        ("pool_window_promoted", of(label), Some("pool_respawn_on_promote")),
        ("window_closed", closed(false), Some("window_cleanup_cascade")),
        ("window_closed", closed(true), None),
        ("window_opened", of(label), None),
        ("pool_window_added", of(label), None),
        ("pool_window_removed", of(label), None),
        ("panes_reaped", of(label), None),
        ("pool_drained", of(label), None),
        ("pool_not_last", of(label), None),
    ]
}

#[test]
fn bg_c01_coming_and_going_processes_start_nothing() {
    let mut world = shipped();
    for kind in ["renderer", "srv", "tool"] {
        world.connect(kind);
        world.disconnect(kind);
    }
    world.restart_cleanly();
    assert!(world.published("lifecycle_phase_changed").len() >= 3);
    assert!(world.published("saga_started").is_empty());
}

#[test]
fn bg_c02_saga_ids_strictly_increase() {
    let mut world = shipped();
    for label in ["a", "b", "c"] {
        promote(&mut world, label);
    }
    assert_eq!(world.open(), [1, 2, 3]);
}

#[test]
fn bg_c03_bg_c04_bg_c06_each_event_starts_what_the_table_says() {
    for (event, fields, saga) in table("w1") {
        let mut world = shipped();
        tell(&mut world, event, fields);
        let started: Vec<_> =
            world.published("saga_started").iter().map(|e| e.fields["name"].clone()).collect();
        let wanted: Vec<Value> = saga.into_iter().map(Value::from).collect();
        assert_eq!(started, wanted, "{event}");
    }
}

#[test]
fn bg_c05_a_crashed_window_starts_nothing_whatever_its_label() {
    let mut world = shipped();
    for label in ["main", "w-1", "ümläut ☂", "a b", "null", "0"] {
        tell(&mut world, "window_closed", json!({"label": label, "crash_detected": true}));
    }
    assert!(world.published("saga_started").is_empty());
}

#[test]
fn bg_c07_foreign_brackets_are_nobodys_to_report() {
    let mut world = shipped();
    let started = json!({"name": "window_cleanup_cascade"});
    world.report("host", "saga_started", started).expect_err("the launcher's own word");
    world.report("host", "saga_completed", json!({})).expect_err("the launcher's own word");
    assert!(world.open().is_empty());
}

#[test]
fn bg_c08_any_sequence_starts_what_the_table_says() {
    for seed in 0..64_u64 {
        let mut world = shipped();
        let mut dice = seed;
        let mut wanted = Vec::new();
        for turn in 0..=(seed % 40) {
            // A linear congruence is chance enough for picking rows, and the same every time.
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(turn | 1);
            let rows = table(&format!("w{turn}"));
            let row = usize::try_from(dice >> 33).expect("31 bits fit") % rows.len();
            let (event, fields, saga) = rows[row].clone();
            tell(&mut world, event, fields);
            wanted.extend(saga);
        }
        let started: Vec<_> = world.published("saga_started");
        let started: Vec<_> =
            started.iter().map(|e| e.fields["name"].as_str().unwrap_or_default()).collect();
        assert_eq!(started, wanted, "seed {seed}");
    }
}

#[test]
fn bg_c10_two_closes_before_any_echo_both_complete() {
    let mut world = shipped();
    close(&mut world, "w1");
    close(&mut world, "w2");
    finish_cleanup(&mut world, 2, "w2");
    finish_cleanup(&mut world, 1, "w1");
    assert!(world.published("saga_failed").is_empty());
    assert_eq!((world.state(1), world.state(2)), (State::Completed, State::Completed));
}

#[test]
fn bg_c11_two_promotions_end_by_their_own_echoes_in_either_order() {
    for order in [[1, 2], [2, 1]] {
        let mut world = shipped();
        promote(&mut world, "w1");
        promote(&mut world, "w2");
        for saga in order {
            let spawn = sent(&world, saga, "spawn_pool_window");
            answer(&mut world, &spawn, "pool_window_added", &format!("new-{saga}"));
            let result = world.verdict(saga).result.expect("completed");
            assert_eq!(result["refilled_label"], format!("new-{saga}"));
        }
    }
}

#[test]
fn bg_c12_bg_c13_each_start_has_one_end_and_comes_before_it() {
    let mut world = shipped();
    close(&mut world, "w1");
    promote(&mut world, "w2");
    finish_cleanup(&mut world, 1, "w1");
    let spawn = sent(&world, 2, "spawn_pool_window");
    answer(&mut world, &spawn, "pool_window_added", "w3");
    assert_brackets(&world);
    let at = |name: &str| world.story().iter().position(|told| told == name);
    for saga in [1, 2] {
        assert!(at(&format!("saga_started {saga}")) < at(&format!("saga_completed {saga}")));
    }
}

#[test]
fn bg_c14_a_saga_that_ends_as_it_starts_has_one_end() {
    for (step, end) in [("done: true", State::Completed), ("fail: never", State::Failed)] {
        let mut world = world(&format!("timeout: 1s\nsteps: [{{ id: only, {step} }}]\n"));
        tell(&mut world, "go", json!({}));
        assert_eq!(world.state(1), end);
        assert_brackets(&world);
    }
}

#[test]
fn bg_c15_a_deadline_without_an_echo_ends_it() {
    let mut world =
        world("timeout: 5s\nsteps: [{ id: only, issue: act, await: { echo: done_it } }]\n");
    tell(&mut world, "go", json!({}));
    world.advance(Millis(5_000));
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::TimedOut)));
    assert_eq!(verdict.reason.as_deref(), Some("saga timeout"));
    assert!(world.open().is_empty());
}

#[test]
fn bg_c16_an_echo_in_the_instant_of_the_deadline_wins_once() {
    let mut world = shipped();
    promote(&mut world, "w1");
    world.set_clock(world.now() + Millis(5_000));
    let spawn = sent(&world, 1, "spawn_pool_window");
    answer(&mut world, &spawn, "pool_window_added", "w2");
    world.advance(Millis(1));
    assert_eq!(world.terminals(1), ["saga_completed"]);
}

#[test]
fn bg_c17_a_shutdown_that_cancels_ends_all_that_is_open_with_its_cause() {
    let steps = "steps: [{ id: only, issue: act, await: { echo: done_it } }]\n";
    let mut world = world(&format!("timeout: 5s\non_shutdown: cancel\n{steps}"));
    tell(&mut world, "go", json!({}));
    tell(&mut world, "go", json!({}));
    world.restart_cleanly();
    for saga in [1, 2] {
        assert_eq!(world.verdict(saga).cause, Some(Cause::Shutdown));
    }
    assert!(world.open().is_empty());
    assert_brackets(&world);
}

/// The defect `bg_3_10_R1`, too: the old one asked between deciding a command and sending it.
#[test]
fn bg_c18_after_the_deadline_a_late_echo_sends_no_further_command() {
    let mut world = shipped();
    close(&mut world, "w1");
    let reap = sent(&world, 1, "reap_panes");
    world.advance(Millis(30_000));
    assert_eq!(world.state(1), State::Failed);
    answer(&mut world, &reap, "panes_reaped", "w1");
    assert_eq!(world.commands(), ["reap_panes"]);
    assert_brackets(&world);
}

/// The defect `bg_3_10_R6`, too: there is no receiver that could lag between an echo and its saga.
#[test]
fn bg_c20_an_echo_that_was_committed_is_never_lost() {
    let mut world = shipped();
    close(&mut world, "w1");
    world.begin_turn();
    world.hear("host", "panes_reaped", json!({"label": "w1"}), Some((1, "reap")));
    world.commit_and_crash();
    world.connect("host");
    assert_eq!(world.commands(), ["reap_panes", "drain_pool_if_last"]);
}

#[test]
fn bg_i03_a_failed_action_fails_its_saga_and_takes_it_out_of_flight() {
    let mut world = shipped();
    close(&mut world, "w1");
    let reap = sent(&world, 1, "reap_panes");
    world.fail(&reap, "no such window");
    let failed = world.published("saga_failed")[0];
    assert_eq!(failed.fields["reason"], "no such window");
    assert_eq!(failed.fields["cause"], "action_failed");
    assert!(world.open().is_empty());
}

#[test]
fn bg_l01_a_completed_saga_is_one_row_with_its_input_and_one_step() {
    let mut world = shipped();
    promote(&mut world, "w1");
    let spawn = sent(&world, 1, "spawn_pool_window");
    answer(&mut world, &spawn, "pool_window_added", "w2");
    let stored = world.log().saga(SagaId(1)).expect("the log can be read").expect("it is there");
    let row = stored.saga;
    assert_eq!((&*row.progress.state, row.progress.reason), ("completed", None));
    assert!(row.progress.ended_at.is_some());
    assert_eq!(row.input, json!({"promoted_label": "w1"}).to_string());
    assert_eq!(world.trail(1), ["refill issued", "refill succeeded", "ended completed"]);
}
