//! What waits for an absent target, how long, and what is never sent \[P2, P3, P4, P5\],
//! as the engine decides it.

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{alone, did, ends, go, it};
use crate::world::{Sent, World};

const ONE: &str = "timeout: 10m\nsteps: [{ id: one, issue: a, await: { echo: did }, timeout: 5m }]";
const SRV: &str = "timeout: 10m\nsteps: [{ id: one, issue: s, await: { echo: did }, timeout: 5m }]";

fn started(saga: &str, count: u64) -> World {
    let mut world = alone(saga);
    for _ in 0..count {
        go(&mut world, "k");
    }
    world
}

fn asked(world: &World) -> Vec<u64> {
    world.sent().iter().map(|sent| sent.owed.saga.0).collect()
}

#[test]
fn p2_one_more_than_the_buffer_fails_the_oldest() {
    let mut world = started(ONE, 4);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::Unreachable)));
    assert_eq!(verdict.reason.as_deref(), Some("unreachable: buffer overflow"));
    world.connect("host");
    assert_eq!(asked(&world), [2, 3, 4], "in the order in which they became owed");
}

#[test]
fn p2_with_fail_newest_the_new_one_fails() {
    let mut world = started(SRV, 4);
    assert_eq!(world.verdict(4).cause, Some(Cause::Unreachable));
    world.connect("srv");
    assert_eq!(asked(&world), [1, 2, 3]);
}

#[test]
fn p2_bg_h05_the_bound_holds_after_a_crash() {
    let mut world = started(ONE, 3);
    world.crash();
    go(&mut world, "k");
    assert_eq!(world.state(1), State::Failed);
    world.connect("host");
    assert_eq!(asked(&world), [2, 3, 4]);
}

#[test]
fn p2_bg_6_5_4_what_was_handed_over_once_is_not_counted() {
    let mut world = it(ONE);
    for _ in 0..5 {
        go(&mut world, "k");
    }
    world.disconnect("host");
    for _ in 0..3 {
        go(&mut world, "k");
    }
    assert_eq!(world.open().len(), 8, "five may have been sent, three wait");
    go(&mut world, "k");
    assert_eq!(world.state(6), State::Failed, "the oldest that is known unsent");
}

#[test]
fn p2_undos_are_not_counted() {
    let mut world = it(ONE);
    for _ in 0..5 {
        go(&mut world, "k");
    }
    world.disconnect("host");
    for saga in 1..=5 {
        world.signal(SagaId(saga), Signal::Cancel, "enough").expect("it runs");
    }
    for _ in 0..3 {
        go(&mut world, "k");
    }
    assert_eq!(world.open().len(), 8);
    world.advance(Millis(3_600_000));
    assert_eq!(world.open(), [1, 2, 3, 4, 5], "undos wait as long as it takes");
}

#[test]
fn bg_c19_an_overflow_gives_a_live_saga_exactly_one_terminal() {
    let mut world = started(ONE, 4);
    assert_eq!(world.terminals(1), ["saga_failed"]);
    world.advance(Millis(600_000));
    world.connect("host");
    for saga in 1..=4 {
        assert_eq!(world.terminals(saga).len(), 1);
    }
    assert!(world.open().is_empty());
}

#[test]
fn p3_bg_i04_bg_6_5_3_a_quiet_system_reports_an_absent_host_by_a_timer() {
    let mut world = it(ONE);
    world.disconnect("host");
    go(&mut world, "k");
    world.advance(Millis(29_999));
    assert_eq!(world.state(1), State::Running);
    world.advance(Millis(1));
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::Unreachable)));
}

#[test]
fn p3_bg_h17_bg_6_5_2_what_waits_before_the_first_session_expires_too() {
    let mut world = started(SRV, 1);
    world.advance(Millis(5_000));
    assert_eq!(world.verdict(1).cause, Some(Cause::Unreachable), "srv's own patience is 5 s");
    go(&mut world, "k");
    world.advance(Millis(5_000));
    assert_eq!(world.verdict(2).cause, Some(Cause::Unreachable), "and it does so every time");
}

#[test]
fn p3_the_wait_counts_from_the_latest_of_owed_closed_and_boot() {
    let mut world = it(ONE);
    go(&mut world, "k");
    world.advance(Millis(20_000));
    world.disconnect("host");
    world.advance(Millis(20_000));
    go(&mut world, "k");
    world.advance(Millis(9_999));
    assert_eq!(world.state(1), State::Running, "30 s after the session closed");
    world.crash();
    world.advance(Millis(29_999));
    assert_eq!(world.open(), [1, 2], "30 s after boot");
    world.advance(Millis(1));
    assert_eq!(ends(&world)[0], "one in_doubt", "it was handed over once");
    assert_eq!(world.state(1), State::Compensating);
    assert_eq!(world.state(2), State::Failed, "it never was");
}

#[test]
fn p3_unreachable_can_be_retried() {
    let retry = "retry: { attempts: 2, backoff: constant, delay: 1s, on: [unreachable] }";
    let mut world = alone(&format!(
        "timeout: 10m\nsteps: [{{ id: one, issue: a, await: {{ echo: did }}, timeout: 4m, \
            {retry} }}]"
    ));
    go(&mut world, "k");
    world.advance(Millis(32_000));
    world.connect("host");
    assert_eq!(world.last("a").id(), "1.one.2", "the first is known unsent");
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn p4_bg_i05_an_idempotent_command_is_sent_again_to_the_new_session() {
    let mut world = it(ONE);
    go(&mut world, "k");
    world.disconnect("host");
    world.connect("host");
    let ids: Vec<&str> = world.sent().iter().map(Sent::id).collect();
    assert_eq!(ids, ["1.one.1", "1.one.1"]);
    assert!(world.sent()[1].session > world.sent()[0].session);
    assert_eq!(world.sent()[1].owed.attempt, 1, "no policy asked for it");
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn p4_what_may_not_be_sent_twice_is_in_doubt_and_undone() {
    let mut world =
        it("timeout: 10m\nsteps: [{ id: one, issue: once, await: { echo: did }, timeout: 5m }]");
    go(&mut world, "k");
    world.disconnect("host");
    assert_eq!(world.state(1), State::Running);
    world.connect("host");
    assert_eq!(world.commands(), ["once", "un_once"]);
    did(&mut world, "un_once");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::Unreachable)));
}

#[test]
fn p4_what_was_never_handed_over_is_sent_once_even_if_not_idempotent() {
    let mut world =
        alone("timeout: 10m\nsteps: [{ id: one, issue: once, await: { echo: did }, timeout: 5m }]");
    go(&mut world, "k");
    world.crash();
    world.connect("host");
    assert_eq!(world.commands(), ["once"]);
    did(&mut world, "once");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn p5_bg_h18_bg_6_4_6_nothing_of_an_ended_saga_is_ever_sent() {
    let mut world = it(ONE);
    world.disconnect("host");
    go(&mut world, "k");
    go(&mut world, "k");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    world.connect("host");
    assert_eq!(asked(&world), [2]);
}

#[test]
fn p5_bg_3_10_r1_bg_c18_no_command_leaves_after_the_deadline() {
    let mut world =
        it("timeout: 10m\ndefaults: { timeout: 10s }\nsteps: [{ id: one, issue: look, \
            await: { echo: did } }, { id: two, issue: a, await: { echo: did } }]");
    go(&mut world, "k");
    let look = world.last("look");
    world.advance(Millis(10_000));
    assert_eq!(world.state(1), State::Failed);
    world.echo(&look, "did", json!({})).expect("a report for an ended saga is accepted");
    assert_eq!(world.commands(), ["look"]);
    assert_eq!(world.terminals(1).len(), 1);
}

const TOLD: &str = "timeout: 10m\nsteps: [{ id: one, issue: tell_once }, { id: two, issue: tell, \
    best_effort: true }]";

#[test]
fn p5_what_awaits_nothing_is_owed_until_it_is_written() {
    let mut world = started(TOLD, 1);
    assert_eq!(world.state(1), State::Running);
    world.connect("host");
    assert_eq!(world.commands(), ["tell_once", "tell"]);
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn p5_a_crash_before_it_is_written_sends_it_again_under_its_id() {
    let mut world = it(TOLD);
    world.hear("tool", "go", json!({"k": "k"}), None);
    world.commit_and_crash();
    assert!(world.sent().is_empty(), "the crash fell between commit and write");
    world.connect("host");
    assert_eq!(world.commands(), ["tell_once", "tell"], "also what is not idempotent");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn p3_what_awaits_nothing_gives_up_on_an_absent_target_too() {
    let mut world = started("timeout: 10m\nsteps: [{ id: one, issue: tell }]", 1);
    world.advance(Millis(30_000));
    assert_eq!(world.verdict(1).cause, Some(Cause::Unreachable));
}

#[test]
fn bg_i02_a_host_that_is_gone_fails_the_saga_and_it_is_out_of_flight() {
    let mut world =
        it("timeout: 60s\nsteps: [{ id: one, issue: look, await: { echo: did }, timeout: 50s }]");
    go(&mut world, "k");
    world.disconnect("host");
    world.advance(Millis(60_000));
    assert_eq!(world.terminals(1), ["saga_failed"]);
    assert!(world.open().is_empty());
    world.connect("host");
    go(&mut world, "k");
    did(&mut world, "look");
    assert_eq!(world.state(2), State::Completed, "later sagas are fine");
}

#[test]
fn r7_a_silent_target_delays_no_other_saga() {
    let mut world = alone(
        r#"
timeout: 10m
defaults: { timeout: 60s }
steps:
  - { id: one, if: "input.k == 'srv'", issue: s, await: { echo: did } }
  - { id: two, if: "input.k == 'host'", issue: look, await: { echo: did } }
"#,
    );
    world.connect("srv");
    world.connect("host");
    go(&mut world, "srv");
    go(&mut world, "host");
    did(&mut world, "look");
    assert_eq!((world.state(1), world.state(2)), (State::Running, State::Completed));
}

#[test]
fn p6_the_newer_session_survives_the_older_ones_end() {
    let mut world = it(ONE);
    let older = world.client("host");
    world.connect("host");
    world.coordinator_mut().leave(older.id);
    world.turn();
    go(&mut world, "k");
    assert_eq!(world.commands(), ["a"], "bg_h16: the late end of the older one closed nothing");
    let echo = world.last("a");
    world.echo(&echo, "did", Value::Null).expect("it is the host's to say");
}
