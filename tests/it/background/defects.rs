//! Defects of the earlier launcher that a pure core answers: each test fails on the old behaviour.

use serde_json::json;

use sagaflow::ipc::ErrorCode;
use sagaflow::ipc::protocol::parse_line;
use sagaflow::launcher::Loaded;
use sagaflow::saga::record::State;
use sagaflow::time::Millis;

use super::{answer, assert_brackets, close, promote, sent, shipped, tell};
use crate::world::World;

/// A step that was finished after its saga had ended was written as succeeded.
#[test]
fn bg_3_10_r2_nothing_is_written_of_a_step_after_its_saga_ended() {
    let mut world = shipped();
    promote(&mut world, "w1");
    let spawn = sent(&world, 1, "spawn_pool_window");
    world.advance(Millis(5_000));
    let before = world.of_saga(1).count();
    answer(&mut world, &spawn, "pool_window_added", "w2");
    assert_eq!(world.of_saga(1).count(), before);
}

/// The pipe said `saga_failed` itself, and the coordinator a second time later.
#[test]
fn bg_3_10_r3_a_host_that_stays_away_gives_one_end() {
    let mut world = World::shipped();
    let tool = world.connect("tool");
    assert_eq!(&*tool.kind, "tool");
    world
        .report("tool", "window_closed", json!({"label": "w1", "crash_detected": false}))
        .expect("anybody may report");
    world.advance(Millis(60_000));
    assert_eq!(world.terminals(1), ["saga_failed"]);
    assert!(world.open().is_empty() && world.commands().is_empty());
}

/// Steps of failed sagas stayed pending for ever.
#[test]
fn bg_3_10_r4_a_step_that_timed_out_has_an_outcome() {
    let mut world = shipped();
    promote(&mut world, "w1");
    world.advance(Millis(5_000));
    assert_eq!(world.trail(1)[..2], ["refill issued", "refill in_doubt"]);
}

/// One saga whose host said nothing held up the loop, and with it the deadlines of all others.
#[test]
fn bg_3_10_r5_a_silent_saga_delays_nobody() {
    let mut world = shipped();
    close(&mut world, "w1");
    close(&mut world, "w2");
    world.advance(Millis(9_000));
    let second = sent(&world, 2, "reap_panes");
    answer(&mut world, &second, "panes_reaped", "w2");
    world.advance(Millis(1_000));
    assert_eq!(world.verdict(1).reason.as_deref(), Some("step `reap` timed out after 10s"));
    assert_eq!(world.state(2), State::Running);
}

/// A saga whose first row could not be written ran all the same.
#[test]
fn bg_3_10_r10_a_start_whose_record_is_lost_did_not_happen() {
    let mut world = shipped();
    world.begin_turn();
    world.hear("host", "pool_window_promoted", json!({"label": "w1"}), None);
    world.crash();
    assert!(world.open().is_empty() && world.sent().is_empty());
    assert!(world.published("saga_started").is_empty());
}

/// One deadline for the whole saga, which a slow first step used up for all.
#[test]
fn bg_3_10_r8_each_step_has_a_deadline_of_its_own() {
    let mut world = shipped();
    close(&mut world, "w1");
    world.advance(Millis(9_000));
    let reap = sent(&world, 1, "reap_panes");
    answer(&mut world, &reap, "panes_reaped", "w1");
    world.advance(Millis(9_000));
    assert_eq!(world.state(1), State::Running, "the second step has ten seconds, too");
    world.advance(Millis(1_000));
    assert_eq!(world.state(1), State::Failed);
}

/// Versions were given under a lock and published after it, so they came out of order.
#[test]
fn bg_3_10_r9_versions_come_in_the_order_of_their_events() {
    let mut world = shipped();
    for label in ["a", "b", "c"] {
        close(&mut world, label);
        promote(&mut world, label);
    }
    world.advance(Millis(60_000));
    let versions: Vec<_> = world.events().iter().map(|event| event.version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

/// A gate "only if the window still exists" swallowed every echo, for the close comes first.
#[test]
fn bg_t04_the_panes_of_a_window_that_is_closed_are_still_news() {
    let mut world = shipped();
    close(&mut world, "w1");
    let reap = sent(&world, 1, "reap_panes");
    answer(&mut world, &reap, "panes_reaped", "w1");
    assert_eq!(world.published("panes_reaped").len(), 1);
    tell(&mut world, "panes_reaped", json!({"label": "gone long ago"}));
    assert_eq!(world.published("panes_reaped").len(), 2);
}

#[test]
fn bg_t03_the_word_about_the_pool_carries_its_saga() {
    for word in ["pool_drained", "pool_not_last"] {
        let mut world = shipped();
        close(&mut world, "w1");
        let reap = sent(&world, 1, "reap_panes");
        answer(&mut world, &reap, "panes_reaped", "w1");
        let drain = sent(&world, 1, "drain_pool_if_last");
        answer(&mut world, &drain, word, "w1");
        let told = &world.published(word)[0].fields;
        assert_eq!((&told["saga_id"], &told["step"]), (&json!(1), &json!("drain")));
        assert_brackets(&world);
    }
}

#[test]
fn bg_t01_an_echo_is_the_targets_to_say() {
    let mut world = shipped();
    world.connect("renderer");
    close(&mut world, "w1");
    let echo = Some((1, "reap"));
    world
        .report_with("renderer", "panes_reaped", json!({"label": "w1"}), echo, None)
        .expect_err("only the host can know");
    assert_eq!(world.commands(), ["reap_panes"]);
}

/// What is for the host was taken by the launcher as a command of its own, and rejected by name.
#[test]
fn bg_t07_a_hosts_command_is_none_of_the_launchers() {
    for cmd in ["spawn_pool_window", "reap_panes", "drain_pool_if_last", "create_workspace"] {
        let line = json!({"cmd": cmd, "label": "w1"}).to_string();
        let error = parse_line(line.as_bytes()).expect_err(cmd);
        assert_eq!(error.code, ErrorCode::InvalidCommand, "{cmd}");
    }
}

/// A command of another kind killed the coordinator when it came to be sent.
#[test]
fn bg_3_10_r7_a_command_that_nobody_declares_is_found_before_anything_runs() {
    let saga = "saga: it\ntrigger: { event: process_exited }\neviction: { policy: parallel }\n\
                timeout: 5s\nsteps: [{ id: only, issue: format_disk }]\n";
    let loaded = Loaded::of(vec![("it.saga.yaml".to_owned(), saga.as_bytes().to_vec())]);
    assert!(loaded.diagnostics.iter().any(|d| d.code.as_str() == "SF102"));
    assert!(loaded.plans.is_empty());
}
