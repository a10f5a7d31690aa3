//! The point of no return \[R13\]: undone before it, forward behind it, and what it refuses.

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{alone, did, ends, go, it, refuse};
use crate::world::{Sent, World};

const PIVOT: &str = r#"
timeout: 10m
defaults: { timeout: 10s }
cancel_on: [{ event: stopped, where: event.k == input.k }]
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: b, await: { echo: did }, pivot: true, compensate: { issue: un_b,
      await: { echo: undid } } }
  - { id: after, issue: c, await: { echo: did }, compensate: none }
"#;

/// The pivot has succeeded, and `after` is out.
fn past() -> World {
    let mut world = it(PIVOT.replace(", compensate: none", "").as_str());
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    assert_eq!(world.commands(), ["a", "b", "c"]);
    world
}

#[test]
fn r13_a_pivot_that_is_refused_is_undone_like_any_step() {
    let mut world = it(PIVOT.replace(", compensate: none", "").as_str());
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r13_a_pivot_in_doubt_that_can_be_undone_is_undone() {
    let mut world = it(PIVOT.replace(", compensate: none", "").as_str());
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(10_000));
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r13_past_the_pivot_a_doubt_is_asked_again_under_the_same_id() {
    let mut world = past();
    world.advance(Millis(60_000));
    let again: Vec<&str> = world.sent()[2..].iter().map(Sent::id).collect();
    assert!(again.len() > 3, "{again:?}");
    assert!(again.iter().all(|id| *id == "1.after.1"), "{again:?}");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

/// \[bg_3_10_P4\]
#[test]
fn r13_past_the_pivot_a_refusal_goes_on_forward() {
    let mut world = past();
    refuse(&mut world, "c");
    world.advance(Millis(60_000));
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
    assert!(!world.commands().iter().any(|cmd| cmd.starts_with("un_")));
}

#[test]
fn r13_past_the_pivot_the_deadline_leaves_an_incident_and_undoes_nothing() {
    let mut world = past();
    world.advance(Millis(600_000));
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::FailedCompensation, Some(Cause::TimedOut)));
    assert!(!world.commands().iter().any(|cmd| cmd.starts_with("un_")));
    let failed = world.published("saga_failed")[0].fields.clone();
    assert_eq!(failed["outcome"], json!("failed_compensation"), "the state, and not the cause");
}

#[test]
fn r13_past_the_pivot_cancel_is_refused_and_recorded() {
    let mut world = past();
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough").expect_err("it is past");
    assert_eq!(refused.code, RefusalCode::Refused);
    assert_eq!(world.trail(1).last().map(String::as_str), Some("refused cancelled"));
    world.report("tool", "stopped", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.trail(1).iter().filter(|line| *line == "refused cancelled").count(), 2);
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r13_before_the_pivot_cancel_on_undoes() {
    let mut world = it(PIVOT.replace(", compensate: none", "").as_str());
    go(&mut world, "k");
    did(&mut world, "a");
    world.report("tool", "stopped", json!({"k": "other"})).expect("it is declared");
    assert_eq!(world.state(1), State::Running);
    world.report("tool", "stopped", json!({"k": "k"})).expect("it is declared");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::Cancelled)));
}

const BURN: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: burn, await: { echo: did }, pivot: true }
";

#[test]
fn r13_an_irreversible_pivot_is_passed_as_soon_as_it_may_have_happened() {
    let mut world = it(BURN);
    go(&mut world, "k");
    did(&mut world, "a");
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough");
    assert!(refused.is_err(), "it may have burnt already");
    world.advance(Millis(30_000));
    assert!(world.commands().iter().skip(1).all(|cmd| cmd == "burn"), "{:?}", world.commands());
    assert!(world.sent()[1..].iter().all(|sent| sent.id() == "1.turn.1"));
    did(&mut world, "burn");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r13_an_irreversible_pivot_that_is_known_unsent_is_not_passed() {
    let mut world = alone(BURN.replace("issue: a,", "issue: s,").as_str());
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "s");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("nothing burnt yet");
    did(&mut world, "un_s");
    assert_eq!(ends(&world)[1], "turn failed");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r13_an_irreversible_pivot_that_is_refused_fails_and_is_undone_like_any_step() {
    let mut world = it(BURN);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "burn");
    assert_eq!(world.state(1), State::Compensating, "it is known not to have happened");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "burn", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r13_an_irreversible_pivot_refused_after_a_doubt_is_still_not_passed() {
    let mut world = it(BURN);
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(10_500));
    refuse(&mut world, "burn");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

/// \[bg_3_10_P14\]
#[test]
fn r13_a_crash_past_the_pivot_goes_on_forward_whatever_on_restart_says() {
    let text = PIVOT.replace(", compensate: none", "") + "on_restart: compensate\n";
    let mut world = it(&text);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    world.crash();
    world.connect("host");
    assert_eq!(world.last("c").id(), "1.after.1");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r13_with_no_deadline_it_goes_on_until_retry_is_spent() {
    let mut world = it(r"
timeout: none
defaults: { timeout: 10s }
steps:
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - id: after
    issue: c
    await: { echo: did }
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout, failed, unreachable] }
");
    go(&mut world, "k");
    did(&mut world, "b");
    world.advance(Millis(21_000));
    assert_eq!(world.commands(), ["b", "c", "c"]);
    assert_eq!(world.state(1), State::FailedCompensation);
}

#[test]
fn r13_a_group_around_a_passed_pivot_is_not_undone_for_another_attempt() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: turn, issue: b, await: { echo: did }, pivot: true }
      - { id: stop, fail: no way on }
    timeout: 60s
    retry: { attempts: 3, backoff: constant, delay: 1s, on: [failed, timeout] }
");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    world.advance(Millis(600_000));
    assert_eq!(world.commands(), ["a", "b"]);
    assert_eq!(world.state(1), State::FailedCompensation);
}
