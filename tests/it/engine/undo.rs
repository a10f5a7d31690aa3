//! What a failed saga undoes, in which order, and what it leaves alone \[R12, R19, R20, P10\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{alone, did, ends, go, it, refuse};
use crate::world::World;

const THREE: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, with: { k: first }, await: { echo: did } }
  - { id: two, issue: b, await: { echo: did } }
  - { id: three, issue: c, await: { echo: did } }
";

/// \[bg_3_10_P4\]
#[test]
fn r12_a_failed_saga_undoes_in_reverse_order_of_completion() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "c");
    assert_eq!(world.state(1), State::Compensating);
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "c", "un_b", "un_a"], "what was refused is not undone");
    assert_eq!(world.last("un_a").with("k"), "first", "an undo repeats what its command said");
    assert_eq!(world.state(1), State::Compensated);
    assert_eq!(world.terminals(1), ["saga_failed"]);
}

#[test]
fn r12_one_undo_at_a_time_each_after_the_end_of_the_one_before() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "c");
    assert_eq!(world.commands().last().map(String::as_str), Some("un_b"));
    world.advance(Millis(9_999));
    assert_eq!(world.commands().len(), 4);
}

#[test]
fn r12_a_step_that_timed_out_may_have_happened_and_is_undone_first() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(10_000));
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::TimedOut)));
}

#[test]
fn p10_a_step_that_was_never_handed_to_anybody_is_not_undone() {
    let mut world = alone(THREE);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    assert_eq!(ends(&world), ["one failed", "unwinding timed_out", "ended failed"]);
    world.connect("host");
    assert!(world.sent().is_empty(), "nothing of an ended saga is sent: {:?}", world.commands());
}

#[test]
fn p10_a_session_that_closed_after_the_command_was_issued_leaves_a_doubt() {
    let mut world = it(THREE);
    go(&mut world, "k");
    world.disconnect("host");
    world.advance(Millis(10_000));
    world.connect("host");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn p10_a_session_that_closed_before_the_command_was_issued_leaves_none() {
    let mut world = it(THREE);
    world.disconnect("host");
    go(&mut world, "k");
    world.advance(Millis(10_000));
    assert_eq!(ends(&world), ["one failed", "unwinding timed_out", "ended failed"]);
}

#[test]
fn p10_a_cancelled_saga_does_not_undo_what_is_known_unsent() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    world.disconnect("host");
    world.crash();
    assert_eq!(world.trail(1).last().map(String::as_str), Some("two issued"));
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    let ends = ends(&world);
    assert!(ends.contains(&"two in_doubt".to_owned()), "a session was open when it was issued");
}

#[test]
fn r19_a_late_echo_before_the_undo_is_issued_settles_the_doubt() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    let b = world.last("b");
    did(&mut world, "b");
    world.advance(Millis(10_000));
    // `three` is in doubt and its undo is out; the doubt of a fourth is tested with `on_timeout`.
    assert_eq!(world.last("un_c").owed.step.as_ref(), "three.undo");
    world.echo(&b, "did", json!({})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Compensating);
}

const DOUBT_FIRST: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did }, on_timeout: continue }
  - { id: two, issue: b, await: { echo: did } }
";

/// `one` is in doubt, `two` is done, and the undo of `two` is out.
fn doubted() -> World {
    let mut world =
        it(&format!("{DOUBT_FIRST}  - {{ id: three, issue: c, await: {{ echo: did }} }}"));
    go(&mut world, "k");
    world.advance(Millis(10_000));
    did(&mut world, "b");
    refuse(&mut world, "c");
    assert_eq!(world.last("un_b").owed.step.as_ref(), "two.undo");
    world
}

#[test]
fn r19_a_late_success_is_undone_all_the_same() {
    let mut world = doubted();
    did(&mut world, "a");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert!(ends(&world).contains(&"one succeeded".to_owned()), "{:?}", ends(&world));
    assert_eq!(world.state(1), State::Compensated, "the decision to unwind stands");
}

#[test]
fn r19_a_late_refusal_needs_no_undo() {
    let mut world = doubted();
    refuse(&mut world, "a");
    did(&mut world, "un_b");
    assert_eq!(world.commands(), ["a", "b", "c", "un_b"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r19_an_answer_after_the_undo_was_issued_is_only_written_down() {
    let mut world = doubted();
    did(&mut world, "un_b");
    let a = world.last("a");
    world.echo(&a, "did", json!({})).expect("it is the host's to say");
    assert_eq!(world.trail(1).last().map(String::as_str), Some("one late"));
    did(&mut world, "un_a");
    assert!(ends(&world).contains(&"one compensated".to_owned()));
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r19_the_undo_may_read_a_late_echo() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    on_timeout: continue
    compensate:
      issue: un_a
      with: { k: "${{ steps.one.outcome == 'succeeded' ? steps.one.echo.k : 'unknown' }}" }
      await: { echo: undid }
  - { id: two, issue: b, await: { echo: did } }
  - { id: three, issue: c, await: { echo: did } }
"#);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    did(&mut world, "b");
    refuse(&mut world, "c");
    let a = world.last("a");
    world.echo(&a, "did", json!({"k": "new"})).expect("it is the host's to say");
    did(&mut world, "un_b");
    assert_eq!(world.last("un_a").with("k"), "new");
}

#[test]
fn r19_an_echo_settles_a_doubt_while_the_saga_goes_forward() {
    let mut world = it(DOUBT_FIRST);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    did(&mut world, "a");
    did(&mut world, "b");
    let wanted = ["one in_doubt", "one succeeded", "two succeeded", "ended completed"];
    assert_eq!(ends(&world), wanted);
}

#[test]
fn r12_covers_runs_one_undo_for_several_where_the_owners_turn_comes() {
    let mut world = it(COVERS);
    go(&mut world, "k");
    for cmd in ["a", "b", "c"] {
        did(&mut world, cmd);
    }
    refuse(&mut world, "look");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "c", "look", "un_b", "un_a"]);
    let ends = ends(&world);
    assert!(ends.contains(&"three compensated".to_owned()), "{ends:?}");
    assert_eq!(world.state(1), State::Compensated);
}

const COVERS: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { issue: un_a, await: { echo: undid }, covers: [three] }
  - { id: two, issue: b, await: { echo: did } }
  - { id: three, issue: c, await: { echo: did } }
  - { id: four, issue: look, await: { echo: did } }
";

#[test]
fn r12_covers_undoes_even_when_its_own_step_is_known_not_to_have_happened() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    best_effort: true
    compensate: { issue: un_a, await: { echo: undid }, covers: [two] }
  - { id: two, issue: b, await: { echo: did } }
");
    go(&mut world, "k");
    refuse(&mut world, "a");
    world.advance(Millis(10_000));
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn bg_11_7_an_undo_that_fails_is_an_incident_and_the_others_are_still_tried() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "c");
    refuse(&mut world, "un_b");
    did(&mut world, "un_a");
    let ends = ends(&world);
    assert!(ends.contains(&"two compensation_failed".to_owned()), "{ends:?}");
    assert!(ends.contains(&"one compensated".to_owned()), "{ends:?}");
    assert_eq!(world.state(1), State::FailedCompensation);
}

#[test]
fn r12_an_undo_that_its_if_skips_in_doubt_counts_as_failed() {
    let saga = r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { if: "steps.one.outcome == 'succeeded'", issue: un_a, await: { echo: undid } }
  - { id: two, issue: b, await: { echo: did } }
"#;
    let mut world = it(saga);
    go(&mut world, "k");
    world.advance(Millis(10_000));
    assert_eq!(world.state(1), State::FailedCompensation);
}

#[test]
fn r12_an_undo_that_its_if_skips_after_success_is_nothing_to_undo() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { if: "input.k == 'other'", issue: un_a, await: { echo: undid } }
  - { id: two, issue: b, await: { echo: did } }
"#);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    assert_eq!(world.commands(), ["a", "b"]);
    assert_ne!(world.state(1), State::FailedCompensation);
}

#[test]
fn r12_an_undo_whose_failure_is_waved_through_is_still_a_failed_undo() {
    for wave in ["best_effort: true", "on_timeout: continue"] {
        let mut world = it(&format!(
            r"
timeout: 10m
defaults: {{ timeout: 10s }}
steps:
  - id: one
    issue: a
    await: {{ echo: did }}
    compensate: {{ issue: un_a, await: {{ echo: undid }}, {wave} }}
  - {{ id: two, issue: b, await: {{ echo: did }} }}
"
        ));
        go(&mut world, "k");
        did(&mut world, "a");
        refuse(&mut world, "b");
        world.advance(Millis(10_000));
        assert_eq!(world.state(1), State::FailedCompensation, "{wave}: nothing was undone");
    }
}

#[test]
fn r12_a_compensation_is_retried_as_it_says() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate:
      issue: un_a
      await: { echo: undid }
      retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout, failed] }
  - { id: two, issue: b, await: { echo: did } }
");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world.advance(Millis(11_000));
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "un_a", "un_a"]);
    assert_eq!(world.sent()[2].id(), world.sent()[3].id(), "in doubt, so it is the same command");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r20_an_undo_never_overtakes_what_it_undoes() {
    let mut world = it(THREE);
    go(&mut world, "k");
    did(&mut world, "a");
    world.disconnect("host");
    world.advance(Millis(10_000));
    world.connect("host");
    let orders: Vec<_> = world.sent().iter().map(|sent| sent.owed.order).collect();
    let mut sorted = orders.clone();
    sorted.sort();
    assert_eq!(orders, sorted);
    assert_eq!(world.commands(), ["a", "b", "un_b"]);
    assert!(
        world.sent()[2].session > world.sent()[1].session,
        "the frames tell the sessions apart"
    );
}

#[test]
fn r16_a_saga_with_nothing_to_undo_is_failed_and_says_why() {
    let mut world =
        it("timeout: 10m\nsteps: [{ id: x, issue: look, await: { echo: did }, timeout: 10s }]");
    go(&mut world, "k");
    refuse(&mut world, "look");
    let failed = world.published("saga_failed")[0].fields.clone();
    let wanted = json!({"saga_id": 1, "reason": "no such thing", "outcome": "failed",
        "state": "failed", "cause": "action_failed"});
    assert_eq!(failed, wanted);
}

/// A saga whose second undo has been given up, and whose first one runs.
fn one_undo_in_doubt() -> World {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: b, await: { echo: did } }
  - { id: three, issue: look, await: { echo: did } }
");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "look");
    world.advance(Millis(10_000));
    assert_eq!(world.commands()[3..], ["un_b", "un_a"]);
    world
}

#[test]
fn r11_an_undo_whose_answer_came_late_is_not_asked_for_again() {
    let mut world = one_undo_in_doubt();
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::FailedCompensation, "an operator looks at it");
    world.crash();
    world.signal(SagaId(1), Signal::Retry, "it was slow").expect("it is an incident");
    assert_eq!(world.state(1), State::Compensated, "{:?}", world.trail(1));
    assert_eq!(world.commands().len(), 5, "nothing was to be sent for that");
}

#[test]
fn r11_an_undo_whose_refusal_came_late_is_tried_anew() {
    let mut world = one_undo_in_doubt();
    refuse(&mut world, "un_b");
    did(&mut world, "un_a");
    world.signal(SagaId(1), Signal::Retry, "mended").expect("it is an incident");
    assert_eq!(world.last("un_b").id(), "1.two.undo.2", "the same one would be refused again");
    did(&mut world, "un_b");
    assert_eq!(world.state(1), State::Compensated);
}
