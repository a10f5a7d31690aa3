//! How a step fails, and how it is tried again \[R11\]: which `command_id`, which pause,
//! which outcome.

use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{did, go, it, refuse};
use crate::world::World;

const RETRY: &str = "retry: { attempts: 3, backoff: constant, delay: 2s, on: [timeout, failed] }";

fn retried(verb: &str) -> World {
    let mut world = it(&format!(
        "timeout: 10m\nsteps:\n  - {{ id: x, issue: {verb}, await: {{ echo: did }}, \
            timeout: 10s, {RETRY} }}"
    ));
    go(&mut world, "k");
    world
}

fn ids(world: &World) -> Vec<(&str, u32)> {
    world.sent().iter().map(|sent| (sent.id(), sent.owed.attempt)).collect()
}

#[test]
fn r11_after_a_known_failure_the_next_attempt_has_a_new_command_id() {
    let mut world = retried("a");
    refuse(&mut world, "a");
    world.advance(Millis(2_000));
    assert_eq!(ids(&world), [("1.x.1", 1), ("1.x.2", 2)]);
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r11_after_a_doubt_the_same_command_is_sent_again() {
    let mut world = retried("a");
    world.advance(Millis(12_000));
    assert_eq!(ids(&world), [("1.x.1", 1), ("1.x.1", 2)]);
    refuse(&mut world, "a");
    world.advance(Millis(2_000));
    assert_eq!(ids(&world).last(), Some(&("1.x.2", 3)), "what was refused is not asked again");
}

#[test]
fn r11_attempts_count_the_first_and_then_the_step_has_failed() {
    let mut world = retried("a");
    for _ in 0..3 {
        refuse(&mut world, "a");
        world.advance(Millis(2_000));
    }
    assert_eq!(ids(&world).len(), 3);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::ActionFailed)));
    assert_eq!(verdict.reason.as_deref(), Some("no such thing"), "the reason is verbatim");
}

#[test]
fn r11_an_answer_during_the_pause_after_a_doubt_settles_it() {
    let mut world = retried("a");
    world.advance(Millis(11_000));
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(ids(&world).len(), 1);
}

#[test]
fn r11_an_answer_to_an_older_command_answers_nothing() {
    let mut world = retried("a");
    let first = world.last("a");
    refuse(&mut world, "a");
    world.advance(Millis(2_000));
    world.answer(&first, "did", json!({})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Running, "it named the command that was refused");
    let second = world.last("a");
    world.answer(&second, "did", json!({})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r11_a_step_that_may_not_be_sent_twice_stays_in_doubt_and_is_undone() {
    let retry = "retry: { attempts: 3, backoff: constant, delay: 2s, on: [failed] }";
    let mut world = it(&format!(
        "timeout: 10m\nsteps:\n  - {{ id: x, issue: once, await: {{ echo: did }}, timeout: 10s, \
            {retry} }}"
    ));
    go(&mut world, "k");
    world.advance(Millis(10_000));
    assert_eq!(world.commands(), ["once", "un_once"]);
    did(&mut world, "un_once");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::TimedOut)));
}

/// When each attempt was made, in seconds, if each is refused at once.
fn paces(retry: &str) -> Vec<i64> {
    let mut world = it(&format!(
        "timeout: 100m\nsteps:\n  - {{ id: x, issue: a, await: {{ echo: did }}, timeout: 10s, \
            retry: {retry} }}"
    ));
    go(&mut world, "k");
    let began = world.now();
    let mut paces = Vec::new();
    while world.state(1) == State::Running {
        paces.push((world.now().0 - began.0) / 1_000);
        refuse(&mut world, "a");
        let Some(due) = world.coordinator().next_due() else { break };
        let span = due.since(world.now());
        world.advance(span);
    }
    paces
}

#[test]
fn r11_each_kind_of_backoff_grows_as_it_says() {
    let paced = |kind: &str, more: &str| {
        paces(&format!("{{ attempts: 5, backoff: {kind}, delay: 2s, {more} on: [failed] }}"))
    };
    assert_eq!(paced("constant", ""), [0, 2, 4, 6, 8]);
    assert_eq!(paced("linear", ""), [0, 2, 6, 12, 20]);
    assert_eq!(paced("exponential", ""), [0, 2, 6, 14, 30]);
    assert_eq!(paced("exponential", "max_delay: 5s,"), [0, 2, 6, 11, 16]);
}

#[test]
fn r11_jitter_shortens_pauses_the_same_way_in_every_run() {
    let retry = "{ attempts: 5, backoff: constant, delay: 100s, jitter: 0.5, on: [failed] }";
    let paced = paces(retry);
    assert_eq!(paced, paces(retry));
    let pauses: Vec<i64> = paced.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (50..=100).contains(pause)), "{pauses:?}");
    assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]), "{pauses:?}");
}

#[test]
fn r11_best_effort_records_the_failure_and_carries_on() {
    let mut world = it(r"
timeout: 10m
steps:
  - { id: x, issue: a, await: { echo: did }, timeout: 10s, best_effort: true }
  - { id: w, issue: b, await: { echo: did }, timeout: 10s }
");
    go(&mut world, "k");
    refuse(&mut world, "a");
    did(&mut world, "b");
    assert_eq!(super::ends(&world), ["x failed", "w succeeded", "ended completed"]);
}

#[test]
fn r11_a_bad_value_at_run_time_fails_the_step_as_a_fault() {
    let mut world = it(r#"
timeout: 10m
steps:
  - { id: x, issue: a, await: { echo: did }, timeout: 10s }
  - { id: w, issue: b, with: { k: "n${{ 10 / input.n }}" }, await: { echo: did }, timeout: 10s }
"#);
    go(&mut world, "k");
    did(&mut world, "a");
    assert_eq!(world.commands(), ["a", "un_a"], "nothing of `w` was sent");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::Fault)));
    let reason = verdict.reason.expect("a fault has words");
    assert!(reason.contains("`k` cannot be evaluated"), "{reason}");
}

#[test]
fn r11_on_timeout_continue_goes_on_and_keeps_the_doubt() {
    let mut world = it(r"
timeout: 10m
steps:
  - { id: x, issue: a, await: { echo: did }, timeout: 10s, on_timeout: continue }
  - { id: w, issue: b, await: { echo: did }, timeout: 10s }
");
    go(&mut world, "k");
    world.advance(Millis(10_000));
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    let ends = super::ends(&world);
    assert_eq!(ends[..3], ["x in_doubt", "w failed", "unwinding action_failed"]);
    assert_eq!(ends[3..], ["x.undo succeeded", "x compensated", "ended compensated"]);
}

#[test]
fn r11_on_timeout_continue_is_for_timeouts_and_not_for_refusals() {
    let mut world = it(r"
timeout: 10m
steps:
  - { id: x, issue: a, await: { echo: did }, timeout: 10s, on_timeout: continue }
");
    go(&mut world, "k");
    refuse(&mut world, "a");
    assert_eq!(world.state(1), State::Failed);
}

const INSTEAD: &str = r"
timeout: 10m
steps:
  - id: x
    issue: a
    await: { echo: did }
    timeout: 10s
    on_timeout: [{ id: z, issue: c, await: { echo: did }, timeout: 10s }]
  - { id: w, issue: b, await: { echo: did }, timeout: 10s }
";

#[test]
fn r11_on_timeout_steps_run_in_its_place() {
    let mut world = it(INSTEAD);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    did(&mut world, "c");
    did(&mut world, "b");
    assert_eq!(
        super::ends(&world),
        ["x in_doubt", "z succeeded", "w succeeded", "ended completed"]
    );
}

#[test]
fn r12_the_doubt_behind_on_timeout_steps_keeps_its_undo() {
    let mut world = it(INSTEAD);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    did(&mut world, "c");
    refuse(&mut world, "b");
    did(&mut world, "un_c");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "c", "b", "un_c", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r11_an_alternative_that_fails_too_fails_the_step() {
    let mut world = it(INSTEAD);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    refuse(&mut world, "c");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed));
    assert_eq!(world.state(1), State::Compensated);
}
