//! A `fail_on` by an event or a signal: whoever says so does not know what the target did. The
//! attempt is over, and in doubt \[R12, R19\].

use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{alone, did, ends, go, it};
use crate::world::World;

const BY_EVENT: &str = "
timeout: 10m
defaults: { timeout: 10s }
signals: { deny: {} }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - id: two
    issue: b
    await: { echo: did }
    fail_on: [{ event: stopped, where: event.k == input.k }, { signal: deny }]
  - { id: last, issue: c, await: { echo: did } }
";

fn stop(world: &mut World) {
    world.report("tool", "stopped", json!({"k": "k"})).expect("it is declared");
}

/// At `two`, which was sent.
fn sent() -> World {
    let mut world = it(BY_EVENT);
    go(&mut world, "k");
    did(&mut world, "a");
    world
}

/// What was sent is undone, as after a timeout; but it is a failure.
fn is_undone(mut world: World) {
    assert_eq!(world.commands(), ["a", "b", "un_b"]);
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::ActionFailed)));
    assert!(ends(&world).contains(&"two in_doubt".to_owned()), "{:?}", ends(&world));
}

#[test]
fn r12_an_event_that_fails_a_step_leaves_it_in_doubt_and_it_is_undone() {
    let mut world = sent();
    stop(&mut world);
    is_undone(world);
}

#[test]
fn r12_a_signal_that_fails_a_step_leaves_it_in_doubt_and_it_is_undone() {
    let mut world = sent();
    world.say_to(1, "deny", json!({}), None).expect("it is awaited");
    is_undone(world);
}

#[test]
fn p10_what_was_not_sent_is_known_not_to_have_happened_whoever_fails_it() {
    let mut away = alone(&BY_EVENT.replace("issue: a, await", "issue: s, await"));
    away.connect("srv");
    go(&mut away, "k");
    let s = away.last("s");
    away.echo(&s, "did", json!(null)).expect("it is the target's to say");
    stop(&mut away);
    assert!(ends(&away).contains(&"two failed".to_owned()), "{:?}", ends(&away));
}

#[test]
fn r19_only_the_targets_answer_settles_a_doubt_that_is_over() {
    let late = BY_EVENT.replace("signal: deny }]", "signal: deny }]\n    on_timeout: continue");
    let mut world = it(&late);
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(10_000));
    stop(&mut world);
    assert_eq!(ends(&world).last().map(String::as_str), Some("two in_doubt"));
    super::refuse(&mut world, "c");
    assert_eq!(world.commands(), ["a", "b", "c", "un_b"], "it may have happened");
}

#[test]
fn r13_an_irreversible_pivot_that_an_event_fails_is_passed() {
    let mut world = it("
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - id: two
    issue: burn
    await: { echo: did }
    fail_on: [{ event: stopped, where: event.k == input.k }]
    pivot: true
");
    go(&mut world, "k");
    did(&mut world, "a");
    stop(&mut world);
    world.advance(Millis(1_000));
    assert_eq!(world.commands(), ["a", "burn", "burn"], "asked again, and nothing is undone");
    let ids: Vec<String> = world.sent().iter().map(|sent| sent.id().to_owned()).collect();
    assert_eq!(ids[1], ids[2], "under the same id");
    did(&mut world, "burn");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r11_after_an_event_that_fails_it_a_retry_asks_under_the_same_id() {
    let again = BY_EVENT.replace(
        "signal: deny }]",
        "signal: deny }]\n    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }",
    );
    let mut world = it(&again);
    go(&mut world, "k");
    did(&mut world, "a");
    stop(&mut world);
    world.advance(Millis(1_000));
    assert_eq!(world.last("b").id(), "1.two.1");
    did(&mut world, "b");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}
