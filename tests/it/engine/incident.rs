//! Incidents: what cannot be undone stays until an operator speaks \[R14\].

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::saga::record::State;
use sagaflow::time::Millis;
use serde_json::json;

use super::{alone, did, ends, go, it, of, refuse};
use crate::world::World;

const TWO: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: b, await: { echo: did } }
";

/// `one` could not be undone.
fn incident() -> World {
    let mut world = it(TWO);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    refuse(&mut world, "un_a");
    assert_eq!(world.state(1), State::FailedCompensation);
    world
}

#[test]
fn r14_an_incident_is_kept_and_survives_a_crash() {
    let mut world = incident();
    world.crash();
    let (saga, _) = world.coordinator().saga(SagaId(1)).expect("incidents stay");
    assert!(saga.is_incident());
    assert_eq!(world.terminals(1), ["saga_failed"]);
}

#[test]
fn r14_retry_tries_the_failed_undo_again_under_a_new_id() {
    let mut world = incident();
    world.signal(SagaId(1), Signal::Retry, "the disk is back").expect("it is an incident");
    assert_eq!(world.last("un_a").id(), "1.one.undo.2");
    world.crash();
    world.connect("host");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
    assert_eq!(world.terminals(1), ["saga_failed"], "never a second bracket");
    let resolved = world.published("saga_resolved")[0].fields.clone();
    assert_eq!(resolved, json!({"saga_id": 1, "outcome": "compensated"}));
}

#[test]
fn r11_retry_of_an_undo_in_doubt_asks_again_under_the_same_id() {
    let mut world = it(TWO);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world.advance(Millis(600_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "it answers again").expect("it is an incident");
    assert_eq!(world.last("un_a").id(), "1.one.undo.1", "it may have happened: no second deed");
    world.crash();
    world.connect("host");
    assert_eq!(world.last("un_a").id(), "1.one.undo.1");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r11_retry_of_a_pivot_in_doubt_asks_again_under_the_same_id_also_with_its_target_away() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: turn, issue: burn, await: { echo: did }, pivot: true }
");
    go(&mut world, "k");
    world.advance(Millis(60_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.disconnect("host");
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    world.crash();
    world.connect("host");
    assert_eq!(world.last("burn").id(), "1.turn.1");
    did(&mut world, "burn");
    assert_eq!(world.state(1), State::Completed);
}

/// What is not idempotent is never sent twice by itself. An operator who says so is answered by the
/// same command: a target that did it, and knows its ids, then does it no second time.
#[test]
fn r11_r14_retry_of_a_doubt_that_may_not_be_repeated_asks_again_under_its_own_id() {
    for away in [false, true] {
        let mut world = it("timeout: 60s\ndefaults: { timeout: 10s }\nsteps: [{ id: turn, \
            issue: strike, await: { echo: did }, pivot: true }]");
        go(&mut world, "k");
        world.advance(Millis(60_000));
        for said in 1..=2 {
            assert_eq!(world.state(1), State::FailedCompensation);
            assert_eq!(world.commands().len(), said, "away {away}: none that nobody asked for");
            if away {
                world.disconnect("host");
            }
            world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
            if away {
                world.crash();
                world.connect("host");
            }
            assert_eq!(world.commands().len(), said + 1, "away {away}");
            if said == 1 {
                world.disconnect("host");
                world.connect("host");
            }
        }
        assert!(world.sent().iter().all(|sent| sent.id() == "1.turn.1"), "{:?}", world.sent());
        did(&mut world, "strike");
        assert_eq!(world.state(1), State::Completed);
    }
}

#[test]
fn r14_a_retry_that_fails_leaves_the_incident_and_can_be_said_again() {
    let mut world = incident();
    for _ in 0..2 {
        world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
        refuse(&mut world, "un_a");
        assert_eq!(world.state(1), State::FailedCompensation);
    }
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
    assert_eq!(world.terminals(1).len(), 1);
}

#[test]
fn r14_what_was_undone_is_not_undone_again_by_a_retry() {
    let mut world = it(&format!("{TWO}  - {{ id: three, issue: c, await: {{ echo: did }} }}"));
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    refuse(&mut world, "c");
    did(&mut world, "un_b");
    refuse(&mut world, "un_a");
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "c", "un_b", "un_a", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_resolve_needs_a_reason_and_takes_the_incident_off_the_list() {
    let mut world = incident();
    let refused = world.signal(SagaId(1), Signal::Resolve, " ").expect_err("a reason is needed");
    assert_eq!(refused.code, RefusalCode::InvalidPayload);
    world.signal(SagaId(1), Signal::Resolve, "cleaned by hand").expect("it is an incident");
    let resolved = world.published("saga_resolved")[0].fields.clone();
    assert_eq!(resolved, json!({"saga_id": 1, "outcome": "resolved"}));
    let again = world.signal(SagaId(1), Signal::Retry, "more").expect_err("it is settled");
    assert_eq!(again.code, RefusalCode::Refused);
    assert_eq!(world.terminals(1).len(), 1);
}

#[test]
fn r14_retry_past_the_pivot_goes_forward_from_the_stuck_step() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - { id: after, issue: c, await: { echo: did } }
  - { id: last, issue: look, await: { echo: did } }
");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    world.advance(Millis(60_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    did(&mut world, "c");
    did(&mut world, "look");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(world.terminals(1), ["saga_failed"]);
    assert_eq!(world.published("saga_resolved")[0].fields["outcome"], json!("completed"));
}

#[test]
fn r14_cancel_and_failures_change_nothing_while_it_undoes() {
    let mut world = it(TWO);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    let trail = world.trail(1);
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough").expect_err("it undoes");
    assert!(refused.message.contains("compensating already"), "{}", refused.message);
    refuse(&mut world, "b");
    assert_eq!(world.trail(1), trail);
}

#[test]
fn r14_the_sagas_timeout_does_not_end_undoing() {
    let mut world = it(&TWO.replace("timeout: 10m", "timeout: 21s"));
    go(&mut world, "k");
    world.advance(Millis(9_000));
    did(&mut world, "a");
    world.advance(Millis(9_000));
    refuse(&mut world, "b");
    world.advance(Millis(9_000));
    assert_eq!(world.state(1), State::Compensating, "the saga's 21 s are over");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_an_undo_whose_target_is_away_waits_and_its_clock_begins_with_the_session() {
    let mut world = it(TWO);
    go(&mut world, "k");
    did(&mut world, "a");
    world.disconnect("host");
    world.advance(Millis(3_600_000));
    assert_eq!(world.state(1), State::Compensating, "an hour is not too long");
    assert_eq!(ends(&world)[1], "two in_doubt");
    world.crash();
    world.connect("host");
    assert_eq!(world.last("un_b").id(), "1.two.undo.1");
    world.advance(Millis(10_000));
    assert!(ends(&world).contains(&"two compensation_failed".to_owned()), "{:?}", ends(&world));
}

#[test]
fn r14_an_incident_holds_no_key() {
    let mut world = of(&format!(
        r"
saga: it
trigger: {{ event: go }}
input: {{ k: '${{{{ trigger.k }}}}' }}
eviction: {{ key: input.k, policy: refuse }}
{TWO}"
    ));
    world.connect("host");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    go(&mut world, "k");
    assert_eq!(world.coordinator().sagas().count(), 1, "undoing holds its key");
    refuse(&mut world, "un_a");
    go(&mut world, "k");
    assert_eq!(world.state(2), State::Running);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    did(&mut world, "un_a");
    assert_eq!((world.state(1), world.state(2)), (State::Compensated, State::Running));
}

#[test]
fn r14_only_incidents_are_retried_and_resolved() {
    let mut world = alone(TWO);
    go(&mut world, "k");
    for signal in [Signal::Retry, Signal::Resolve] {
        let refused = world.signal(SagaId(1), signal, "why not").expect_err("it runs");
        assert!(refused.message.contains("not an incident"), "{}", refused.message);
    }
    let unknown = world.signal(SagaId(9), Signal::Retry, "why not").expect_err("there is none");
    assert_eq!(unknown.code, RefusalCode::UnknownSaga);
}

#[test]
fn l5_on_restart_fail_ends_without_undoing_and_retry_then_undoes() {
    let mut world = it(&format!("{TWO}on_restart: fail\n"));
    go(&mut world, "k");
    did(&mut world, "a");
    world.crash();
    assert_eq!(world.state(1), State::FailedCompensation, "something was to undo");
    world.connect("host");
    assert_eq!(world.commands(), ["a", "b"]);
    world.signal(SagaId(1), Signal::Retry, "undo it").expect("it is an incident");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "un_b", "un_a"]);
    assert_eq!(world.state(1), State::Compensated);
}
