//! `pool_respawn_on_promote`: a promoted window is owed a new one, by its own answer.

use serde_json::json;

use sagaflow::saga::record::State;

use super::{answer, promote, sent, shipped, tell};

#[test]
fn bg_p01_a_promotion_asks_the_host_for_a_window() {
    let mut world = shipped();
    promote(&mut world, "w1");
    let spawn = world.last("spawn_pool_window");
    assert_eq!((&*spawn.owed.target, spawn.id()), ("host", "1.refill.1"));
}

#[test]
fn bg_p02_its_own_echo_ends_it_with_the_label() {
    let mut world = shipped();
    promote(&mut world, "w1");
    let spawn = sent(&world, 1, "spawn_pool_window");
    answer(&mut world, &spawn, "pool_window_added", "w2");
    let result = world.verdict(1).result.expect("a completed saga has one");
    assert_eq!(*result, json!({"refilled_label": "w2"}));
}

#[test]
fn bg_p03_an_organic_window_is_not_its_own() {
    let mut world = shipped();
    promote(&mut world, "w1");
    tell(&mut world, "pool_window_added", json!({"label": "w2"}));
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn bg_p04_another_sagas_window_is_not_its_own() {
    let mut world = shipped();
    promote(&mut world, "w1");
    promote(&mut world, "w2");
    let second = sent(&world, 2, "spawn_pool_window");
    answer(&mut world, &second, "pool_window_added", "w3");
    assert_eq!((world.state(1), world.state(2)), (State::Running, State::Completed));
}

#[test]
fn bg_p05_other_news_of_the_pool_leaves_it_waiting() {
    let mut world = shipped();
    promote(&mut world, "w1");
    tell(&mut world, "window_opened", json!({"label": "w2"}));
    tell(&mut world, "pool_window_removed", json!({"label": "w3"}));
    promote(&mut world, "w4");
    assert_eq!(world.open(), [1, 2], "another promotion is another saga");
}

#[test]
fn bg_p06_the_first_of_two_echoes_counts() {
    let mut world = shipped();
    promote(&mut world, "w1");
    let spawn = sent(&world, 1, "spawn_pool_window");
    answer(&mut world, &spawn, "pool_window_added", "first");
    answer(&mut world, &spawn, "pool_window_added", "second");
    let result = world.verdict(1).result.expect("a completed saga has one");
    assert_eq!(*result, json!({"refilled_label": "first"}));
    assert_eq!(world.terminals(1), ["saga_completed"]);
}

#[test]
fn bg_p07_its_bracket_opens_and_closes_around_the_window() {
    let mut world = shipped();
    let before = world.story().len();
    promote(&mut world, "w1");
    let spawn = sent(&world, 1, "spawn_pool_window");
    answer(&mut world, &spawn, "pool_window_added", "w2");
    let told = ["pool_window_promoted", "saga_started 1", "pool_window_added", "saga_completed 1"];
    // An echo carries its saga's id, so the story shows it with it.
    let story: Vec<String> = world.story()[before..].to_vec();
    assert_eq!(story.len(), told.len());
    assert!(story.iter().zip(told).all(|(found, told)| found.starts_with(told)), "{story:?}");
}
