//! `window_cleanup_cascade`: reap, then drain, each by its own answer about its own window.

use serde_json::json;

use sagaflow::saga::record::State;

use super::{answer, close, finish_cleanup, sent, shipped, tell};
use crate::world::World;

/// A cleanup of `w1` that waits for its panes.
fn reaping() -> World {
    let mut world = shipped();
    close(&mut world, "w1");
    world
}

/// A cleanup of `w1` that waits for the word about the pool.
fn draining() -> World {
    let mut world = reaping();
    let reap = sent(&world, 1, "reap_panes");
    answer(&mut world, &reap, "panes_reaped", "w1");
    world
}

/// It still waits for its panes: nothing more was asked, nothing has ended.
fn assert_reaping(world: &World) {
    assert_eq!(world.commands(), ["reap_panes"]);
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn bg_w01_a_clean_close_asks_for_the_panes_of_that_window() {
    let world = reaping();
    let reap = world.last("reap_panes");
    assert_eq!((&*reap.owed.target, reap.with("label")), ("host", &json!("w1")));
}

#[test]
fn bg_w02_reaped_panes_ask_about_the_pool() {
    let world = draining();
    assert_eq!(world.last("drain_pool_if_last").with("label"), "w1");
    assert_eq!(world.state(1), State::Running, "nothing is decided");
}

#[test]
fn bg_w03_a_drained_pool_ends_it_as_drained() {
    let mut world = draining();
    let drain = sent(&world, 1, "drain_pool_if_last");
    answer(&mut world, &drain, "pool_drained", "w1");
    assert_eq!(*world.verdict(1).result.expect("completed"), json!({"drained": true}));
}

#[test]
fn bg_w04_a_window_that_was_not_the_last_ends_it_as_not_drained() {
    let mut world = draining();
    let drain = sent(&world, 1, "drain_pool_if_last");
    answer(&mut world, &drain, "pool_not_last", "w1");
    assert_eq!(*world.verdict(1).result.expect("completed"), json!({"drained": false}));
}

#[test]
fn bg_w05_organic_panes_are_not_its_own() {
    let mut world = reaping();
    tell(&mut world, "panes_reaped", json!({"label": "w1"}));
    assert_reaping(&world);
}

#[test]
fn bg_w06_another_sagas_panes_are_not_its_own() {
    let mut world = reaping();
    close(&mut world, "w2");
    finish_cleanup(&mut world, 2, "w2");
    assert_eq!((world.state(1), world.state(2)), (State::Running, State::Completed));
}

#[test]
fn bg_w07_its_own_echo_about_another_window_does_not_count() {
    let mut world = reaping();
    let reap = sent(&world, 1, "reap_panes");
    answer(&mut world, &reap, "panes_reaped", "w2");
    assert_reaping(&world);
}

#[test]
fn bg_w08_word_about_the_pool_is_no_word_about_the_panes() {
    let mut world = reaping();
    let reap = sent(&world, 1, "reap_panes");
    // Said under the step that waits for panes: accepted or refused, it moves nothing.
    drop(world.echo(&reap, "pool_drained", json!({"label": "w1"})));
    assert_reaping(&world);
}

#[test]
fn bg_w09_a_stray_close_of_the_same_window_changes_nothing() {
    let mut world = reaping();
    close(&mut world, "w1");
    assert_reaping(&world);
    assert_eq!(world.open(), [1], "the newcomer of the same window is ignored");
}

#[test]
fn bg_w10_word_about_another_windows_pool_decides_nothing() {
    let mut world = draining();
    let drain = sent(&world, 1, "drain_pool_if_last");
    for event in ["pool_drained", "pool_not_last"] {
        answer(&mut world, &drain, event, "w2");
        assert_eq!(world.state(1), State::Running, "{event}");
    }
    answer(&mut world, &drain, "pool_drained", "w1");
    assert_eq!(*world.verdict(1).result.expect("completed"), json!({"drained": true}));
}

#[test]
fn bg_l03_after_the_first_echo_one_step_is_done_and_one_waits() {
    let mut world = draining();
    world.crash();
    assert_eq!(world.trail(1), ["reap issued", "reap succeeded", "drain issued"]);
    assert_eq!(world.state(1), State::Running);
}
