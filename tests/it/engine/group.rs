//! Groups: one roof, one retry with undo between the attempts, one undo for all \[R11, R12\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{did, ends, go, it, refuse};
use crate::world::{Sent, World};

const RETRIED: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed, timeout] }
  - { id: last, issue: c, await: { echo: did } }
";

/// The first attempt has failed at `two`.
fn failed_once() -> World {
    let mut world = it(RETRIED);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world
}

#[test]
fn r11_a_groups_next_attempt_begins_after_the_failed_one_is_undone() {
    let mut world = failed_once();
    assert_eq!(world.commands(), ["a", "b", "un_a"]);
    did(&mut world, "un_a");
    assert_eq!(world.commands().len(), 3, "it pauses first");
    world.advance(Millis(2_000));
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
    let ids: Vec<&str> = world.sent().iter().map(Sent::id).collect();
    let wanted = ["1.one.1", "1.two.1", "1.one.undo.1", "1.one.2", "1.two.2", "1.last.1"];
    assert_eq!(ids, wanted, "no number comes twice");
}

#[test]
fn r12_only_the_last_attempt_of_a_group_is_undone_when_a_later_step_fails() {
    let mut world = failed_once();
    did(&mut world, "un_a");
    world.advance(Millis(2_000));
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "c");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.last("un_a").id(), "1.one.undo.2");
    assert_eq!(world.commands()[3..], ["a", "b", "c", "un_b", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r11_a_group_whose_attempts_are_spent_fails_the_saga() {
    let mut world = failed_once();
    did(&mut world, "un_a");
    world.advance(Millis(2_000));
    did(&mut world, "a");
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::ActionFailed)));
}

#[test]
fn r14_a_group_whose_attempt_cannot_be_undone_is_not_tried_again() {
    let mut world = failed_once();
    refuse(&mut world, "un_a");
    assert_eq!(world.state(1), State::FailedCompensation);
    assert_eq!(world.commands(), ["a", "b", "un_a"]);
}

#[test]
fn l5_a_crash_while_an_attempt_is_undone_changes_nothing() {
    let mut world = failed_once();
    world.crash();
    world.connect("host");
    did(&mut world, "un_a");
    world.crash();
    world.advance(Millis(2_000));
    world.connect("host");
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r12_a_cancel_while_an_attempt_is_undone_undoes_once() {
    let mut world = failed_once();
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    assert_eq!(world.state(1), State::Compensating);
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "un_a"]);
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(1).cause, Some(Cause::Cancelled));
}

#[test]
fn r12_a_cancel_between_two_attempts_has_nothing_left_to_undo() {
    let mut world = failed_once();
    did(&mut world, "un_a");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    assert_eq!(world.commands(), ["a", "b", "un_a"]);
    assert!(world.coordinator().next_due().is_none());
}

#[test]
fn r12_a_groups_own_compensation_stands_for_all_that_is_inside() {
    let saga = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    compensate: { issue: un_c, await: { echo: undid } }
  - { id: last, issue: look, await: { echo: did } }
";
    let mut world = it(saga);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "look");
    did(&mut world, "un_c");
    assert_eq!(world.commands(), ["a", "b", "look", "un_c"]);
    let ended = ends(&world);
    for step in ["all", "one", "two"] {
        assert!(ended.contains(&format!("{step} compensated")), "{ended:?}");
    }

    let mut world = it(saga);
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(10_000));
    // Its undo is out: what comes now is too late to settle anything.
    did(&mut world, "b");
    assert_eq!(world.trail(1).last().map(String::as_str), Some("two late"));
    did(&mut world, "un_c");
    assert_eq!(world.commands(), ["a", "b", "un_c"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r12_a_group_that_undoes_is_a_list_of_steps() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate:
      group:
        - { issue: un_b, await: { echo: undid } }
        - { issue: un_a, await: { echo: undid } }
  - { id: two, issue: look, await: { echo: did } }
");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "look");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.last("un_a").owed.step.as_ref(), "one.undo.1");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_a_list_of_undoing_steps_waits_for_its_target_too() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { group: [{ issue: un_a, await: { echo: undid } }], timeout: 20s }
  - { id: two, issue: look, await: { echo: did } }
");
    go(&mut world, "k");
    did(&mut world, "a");
    world.disconnect("host");
    world.advance(Millis(300_000));
    assert_eq!(world.state(1), State::Compensating, "its clock begins when it is handed over");
    world.connect("host");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r11_the_groups_own_timeout_ends_what_is_open_inside() {
    let mut world = it(r"
timeout: 10m
steps:
  - id: all
    group: [{ id: one, issue: a, await: { echo: did }, timeout: 50s }, { id: two, issue: b,
        await: { echo: did }, timeout: 50s }]
    timeout: 60s
    on_timeout: continue
  - { id: last, issue: c, await: { echo: did }, timeout: 10s }
");
    go(&mut world, "k");
    world.advance(Millis(40_000));
    did(&mut world, "a");
    world.advance(Millis(20_000));
    assert_eq!(ends(&world), ["one succeeded", "two in_doubt", "all in_doubt"]);
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

/// `on_timeout` belongs to the `timeout` beside it; it waved through what timed out inside.
#[test]
fn r11_a_timeout_inside_of_a_group_is_not_the_groups_own() {
    for then in ["continue", "[{ id: other, issue: look, await: { echo: did } }]"] {
        let mut world = it(&format!(
            r"
timeout: 10m
defaults: {{ timeout: 10s }}
steps:
  - id: all
    group: [{{ id: one, issue: a, await: {{ echo: did }} }}]
    timeout: 60s
    on_timeout: {then}
  - {{ id: last, issue: c, await: {{ echo: did }} }}
"
        ));
        go(&mut world, "k");
        world.advance(Millis(10_000));
        assert_eq!(ends(&world), ["one in_doubt", "all in_doubt", "unwinding timed_out"]);
        did(&mut world, "un_a");
        assert_eq!(world.state(1), State::Compensated);
        assert_eq!(world.verdict(1).cause, Some(Cause::TimedOut));
    }
}

/// What may fail a group, its own clock aside, fails inside of it: so `retry.on` looks there.
#[test]
fn r11_a_group_is_tried_again_by_the_cause_inside_of_it() {
    for (on, again) in [("timeout", true), ("failed", false), ("unreachable", false)] {
        let mut world = it(&format!(
            r"
timeout: 10m
defaults: {{ timeout: 10s }}
steps:
  - id: all
    group: [{{ id: one, issue: a, await: {{ echo: did }} }}]
    timeout: 60s
    retry: {{ attempts: 2, backoff: constant, delay: 1s, on: [{on}] }}
"
        ));
        go(&mut world, "k");
        world.advance(Millis(10_000));
        did(&mut world, "un_a");
        world.advance(Millis(1_000));
        let tries = world.commands().iter().filter(|cmd| *cmd == "a").count();
        assert_eq!(tries, if again { 2 } else { 1 }, "{on}: {:?}", world.trail(1));
        let ended = if again { State::Running } else { State::Compensated };
        assert_eq!(world.state(1), ended, "{on}");
    }
}

/// Its last attempt is the one that counts.
#[test]
fn r11_a_groups_own_timeout_is_tried_again_before_its_on_timeout_is_asked() {
    let mut world = it(r"
timeout: 10m
steps:
  - id: all
    group: [{ id: one, issue: a, await: { echo: did }, timeout: 50s }]
    timeout: 20s
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout] }
    on_timeout: [{ id: other, issue: look, await: { echo: did }, timeout: 10s }]
");
    go(&mut world, "k");
    world.advance(Millis(20_000));
    did(&mut world, "un_a");
    world.advance(Millis(21_000));
    assert_eq!(world.commands(), ["a", "un_a", "a", "look"], "{:?}", world.trail(1));
    did(&mut world, "look");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r22_done_inside_a_group_ends_the_saga_and_undoes_nothing() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: stop, if: "input.n == 0", done: true }
      - { id: two, issue: b, await: { echo: did } }
"#);
    go(&mut world, "k");
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(world.commands(), ["a"]);
}

#[test]
fn r16_a_fail_step_undoes_and_is_its_own_cause() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: stop, if: "input.n == 0", fail: "no good: ${{ input.k }}" }
"#);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::FailStep)));
    assert_eq!(verdict.reason.as_deref(), Some("no good: k"));
    assert_eq!(world.published("saga_failed")[0].fields["outcome"], json!("compensated"));
}

#[test]
fn r11_the_undo_of_an_attempt_knows_why_it_is_undone() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - id: one
        issue: a
        await: { echo: did }
        compensate:
          issue: un_a
          with: { k: "${{ saga.state }} ${{ saga.cause }} ${{ saga.reason }}" }
          await: { echo: undid }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 1m
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }
"#);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    assert_eq!(world.last("un_a").with("k"), "running action_failed no such thing");
    did(&mut world, "un_a");
    world.advance(Millis(1_000));
    did(&mut world, "a");
    refuse(&mut world, "b");
    assert_eq!(world.last("un_a").with("k"), "compensating action_failed no such thing");
}

/// A group with an undo of its own, in which something runs in the place of a step.
fn alternative(group: &str) -> World {
    let mut world = it(&format!(
        "timeout: 10m\ndefaults: {{ timeout: 10s }}\nsteps:\n{group}\n    compensate: {{ issue: un_c, \
         await: {{ echo: undid }} }}\n  - {{ id: last, issue: look, await: {{ echo: did }} }}\n"
    ));
    go(&mut world, "k");
    world.advance(Millis(5_000));
    world
}

#[test]
fn r19_what_ran_in_a_steps_place_is_only_recorded_once_its_groups_undo_is_issued() {
    let mut world = alternative(
        r"  - id: all
    group:
      - id: slow
        await: { event: nudged, where: event.k == input.k }
        timeout: 5s
        on_timeout: [{ id: other, issue: a, await: { echo: did } }]",
    );
    world.advance(Millis(10_000));
    assert_eq!(world.commands(), ["a", "un_c"]);
    did(&mut world, "a");
    assert!(world.trail(1).contains(&"other late".to_owned()), "{:?}", world.trail(1));
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r12_what_ran_in_a_groups_place_is_undone_by_its_own_undo_and_the_group_is_not() {
    let mut world = alternative(
        r"  - id: all
    group: [{ id: slow, await: { event: nudged, where: event.k == input.k }, timeout: 1h }]
    timeout: 5s
    on_timeout: [{ id: other, issue: a, await: { echo: did } }]",
    );
    did(&mut world, "a");
    refuse(&mut world, "look");
    assert_eq!(world.commands(), ["a", "look", "un_a"]);
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated, "{:?}", world.trail(1));
}
