//! Where rules meet: corners in which two or three of them speak at once.

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::log::{Log, Row, Turn};
use sagaflow::saga::record::State;
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, ends, go, it, of, refuse};
use crate::world::Sent;

#[test]
fn r12_a_groups_own_undo_runs_for_every_attempt() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed, timeout] }
    compensate: { issue: un_c, await: { echo: undid } }
");
    go(&mut world, "k");
    for _ in 0..2 {
        did(&mut world, "a");
        refuse(&mut world, "b");
        assert_eq!(world.commands().last().map(String::as_str), Some("un_c"));
        did(&mut world, "un_c");
        world.advance(Millis(2_000));
    }
    assert_eq!(world.commands(), ["a", "b", "un_c", "a", "b", "un_c"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r11_an_undo_that_on_restart_fail_cut_off_is_asked_again_under_its_id() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
on_restart: fail
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed, timeout] }
");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world.crash();
    world.connect("host");
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "now").expect("it is an incident");
    let ids: Vec<&str> = world.sent().iter().map(Sent::id).collect();
    assert_eq!(ids, ["1.one.1", "1.two.1", "1.one.undo.1", "1.one.undo.1"]);
}

#[test]
fn r14_retry_goes_on_from_the_stuck_step_and_not_from_finally() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - { id: after, issue: c, await: { echo: did } }
finally: [{ id: tidy, issue: look, await: { echo: did } }]
");
    go(&mut world, "k");
    did(&mut world, "b");
    world.advance(Millis(60_000));
    refuse(&mut world, "look");
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.commands().last().map(String::as_str), Some("c"), "{:?}", world.trail(1));
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r13_a_result_that_cannot_be_read_past_the_pivot_is_never_undone() {
    let mut world = it(r#"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
result: { n: "${{ 1 / input.n }}" }
"#);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.commands(), ["a", "b"]);
    assert_eq!(world.state(1), State::FailedCompensation);
}

#[test]
fn r13_a_best_effort_step_at_the_deadline_past_the_pivot_turns_nothing_around() {
    let mut world = it(r"
timeout: 15s
steps:
  - { id: one, issue: a, await: { echo: did }, timeout: 4s }
  - { id: turn, issue: b, await: { echo: did }, pivot: true, timeout: 4s }
  - { id: maybe, issue: c, await: { echo: did }, best_effort: true, timeout: none }
  - { id: last, issue: look, await: { echo: did }, timeout: 4s }
");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    world.advance(Millis(15_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.commands(), ["a", "b", "c", "c"], "{:?}", world.trail(1));
    did(&mut world, "c");
    did(&mut world, "look");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r14_retry_of_an_alternative_past_the_pivot_keeps_the_outcome_before_it() {
    let mut world = it(r#"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - id: slow
    issue: c
    await: { echo: did }
    on_timeout: [{ id: other, issue: look, await: { echo: did } }]
result: { how: "${{ steps.slow.outcome }}" }
"#);
    go(&mut world, "k");
    did(&mut world, "b");
    world.advance(Millis(60_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.commands().last().map(String::as_str), Some("look"));
    did(&mut world, "look");
    assert_eq!(world.state(1), State::Completed, "{:?}", world.trail(1));
    assert_eq!(world.verdict(1).result.expect("it says")["how"], json!("in_doubt"));
}

#[test]
fn r22_an_open_wait_gets_an_event_before_a_doubt_that_is_over() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { any_of: [{ echo: did }, { event: nudged, where: event.k == input.k }] }
    on_timeout: continue
  - { id: two, await: { event: nudged, where: event.k == input.k }, timeout: 20s }
");
    go(&mut world, "k");
    world.advance(Millis(10_000));
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.state(1), State::Completed, "{:?}", world.trail(1));
}

#[test]
fn r22_an_open_wait_gets_an_event_before_the_fail_on_of_a_doubt_that_is_over() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    fail_on: [{ event: nudged, where: event.k == input.k }]
    on_timeout: continue
  - { id: two, await: { event: nudged, where: event.k == input.k }, timeout: 20s }
");
    go(&mut world, "k");
    world.advance(Millis(10_000));
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.state(1), State::Completed, "{:?}", world.trail(1));
}

#[test]
fn r19_all_of_partly_matched_at_a_crash_and_in_doubt_is_settled_by_the_rest() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { all_of: [{ echo: did }, { echo: did_too }] }
    on_timeout: continue
  - { id: two, issue: look, await: { echo: did }, timeout: 20s }
");
    go(&mut world, "k");
    did(&mut world, "a");
    world.crash();
    world.connect("host");
    world.advance(Millis(10_000));
    let a = world.last("a");
    world.echo(&a, "did_too", Value::Null).expect("ok");
    assert_eq!(ends(&world), ["one in_doubt", "one succeeded"]);
}

#[test]
fn r18_l9_a_saga_that_waits_for_one_that_is_set_aside_at_a_start_is_not_stranded() {
    let mut world = of(r"
saga: it
trigger: { event: go }
input: { k: '${{ trigger.k }}' }
eviction: { key: input.k, policy: queue, queue_max: 4 }
timeout: 60s
steps: [{ id: one, issue: a, await: { echo: did }, timeout: 10s }]
");
    for _ in 0..3 {
        go(&mut world, "k");
    }
    assert_eq!((world.state(1), world.state(2)), (State::Running, State::Queued));
    // Somebody wrote into the log that the first one was dropped while it waited.
    let next = world.coordinator().world().next_seq;
    let body = r#"[{"dropped":{"state":"failed"}}]"#.to_owned();
    let row = Row { seq: next, n: 1, saga_id: Some(SagaId(1)), at: world.now(), body };
    world.log_mut().append(&Turn { rows: vec![row], ..Turn::default() }).expect("it takes all");
    world.fold_every_turn(false);
    world.crash();
    assert!(world.coordinator().corrupt().contains_key(&SagaId(1)));
    assert_eq!((world.state(2), world.state(3)), (State::Running, State::Queued));
    world.connect("host");
    did(&mut world, "a");
    assert_eq!((world.state(2), world.state(3)), (State::Completed, State::Running));
}

/// What stands around the group undoes it all at the end of the saga; an attempt ends before that.
#[test]
fn r12_an_attempt_of_a_group_inside_one_with_its_own_undo_leaves_nothing() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: around
    group:
      - id: inside
        group: [{ id: one, issue: a, await: { echo: did } }]
        retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed, timeout] }
    timeout: 60s
    compensate: { issue: un_c, await: { echo: undid } }
");
    go(&mut world, "k");
    world.advance(Millis(10_000));
    assert_eq!(world.commands(), ["a", "un_a"], "it may have happened");
    did(&mut world, "un_a");
    world.advance(Millis(1_000));
    refuse(&mut world, "a");
    assert_eq!(world.commands(), ["a", "un_a", "a"]);
    assert_eq!(world.state(1), State::Failed, "and now it is known not to have happened");
}
