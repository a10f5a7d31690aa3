//! Calls below calls, in branches and groups, and over crashes \[L5, R22\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{CHILD, PARENT, begun};
use crate::engine::{did, go, refuse, sagas};
use crate::world::World;

#[test]
fn r12_what_calls_is_called_and_undone_at_any_depth() {
    let middle = r#"
saga: middle
trigger: { call: { fields: { k: { type: string } } } }
eviction: { policy: parallel }
timeout: 5m
steps:
  - { id: deep, call: child, with: { k: "${{ trigger.k }}" } }
result: { n: "${{ steps.deep.result.n }}" }
"#;
    let parent = PARENT.replace("call: child", "call: middle");
    let mut world = sagas(&[&parent, middle, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    let sent = world.last("b");
    world.echo(&sent, "did", json!({"k": "n1"})).expect("it is declared");
    did(&mut world, "s");
    assert_eq!(world.states(), ["running", "running", "running"], "both are held");
    world.crash();
    world.connect("host");
    world.connect("srv");
    refuse(&mut world, "c");
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(3).state, State::Compensated);
    assert_eq!(world.verdict(2).state, State::Compensated);
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn l5_a_crash_between_any_two_steps_changes_nothing() {
    let mut world = begun("k");
    let crash = |world: &mut World| {
        world.crash();
        world.connect("host");
        world.connect("srv");
    };
    crash(&mut world);
    did(&mut world, "b");
    crash(&mut world);
    did(&mut world, "s");
    crash(&mut world);
    assert_eq!(world.state(2), State::Running);
    refuse(&mut world, "c");
    crash(&mut world);
    did(&mut world, "un_s");
    crash(&mut world);
    did(&mut world, "un_b");
    crash(&mut world);
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(2).state, State::Compensated);
}

#[test]
fn l5_a_caller_that_compensates_after_a_crash_takes_its_child_with_it() {
    let parent = PARENT.replace("timeout: 10m", "timeout: 10m\non_restart: compensate");
    let mut world = sagas(&[&parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    world.crash();
    world.connect("host");
    world.connect("srv");
    assert_eq!(world.states(), ["compensating", "compensating"]);
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).cause, Some(Cause::Restart));
    assert_eq!(world.verdict(2).state, State::Compensated);
}

#[test]
fn l5_a_caller_that_gives_up_after_a_crash_can_still_be_undone_by_hand() {
    let parent = PARENT.replace("timeout: 10m", "timeout: 10m\non_restart: fail");
    let mut world = sagas(&[&parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "s");
    world.crash();
    world.connect("host");
    world.connect("srv");
    assert_eq!(world.state(1), State::FailedCompensation);
    assert_eq!(world.state(2), State::Running, "it is held as long as its caller may be asked");
    world.signal(SagaId(1), Signal::Retry, "undo it").expect("it is an incident");
    did(&mut world, "un_c");
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
    assert_eq!(world.verdict(2).state, State::Compensated);
}

#[test]
fn r14_resolving_the_caller_lets_held_children_end() {
    let parent = PARENT.replace("timeout: 10m", "timeout: 10m\non_restart: fail");
    let mut world = sagas(&[&parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "s");
    world.crash();
    world.connect("host");
    world.signal(SagaId(1), Signal::Resolve, "it is fine").expect("it is an incident");
    assert_eq!(world.verdict(2).state, State::Completed);
}

#[test]
fn r22_the_losers_child_is_undone_before_the_way_goes_on() {
    let parent = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: race
    parallel:
      quick: [{ id: fast, issue: a, await: { echo: did } }]
      slow: [{ id: sub, call: child, with: { k: x } }]
    join: any
  - { id: two, issue: c, await: { echo: did } }
"#;
    let mut world = sagas(&[parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "b");
    did(&mut world, "a");
    assert_eq!(world.state(2), State::Compensating);
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.verdict(2).state, State::Compensated);
    assert_eq!(world.commands(), ["a", "b", "s", "un_s", "un_b", "tell", "c"]);
}

#[test]
fn r12_a_group_that_is_tried_again_undoes_its_child_first() {
    let parent = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: sub, call: child, with: { k: x } }
      - { id: two, issue: c, await: { echo: did } }
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }
"#;
    let mut world = sagas(&[parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "b");
    did(&mut world, "s");
    refuse(&mut world, "c");
    assert_eq!(world.state(2), State::Compensating);
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    world.advance(Millis(1_000));
    assert_eq!(world.last("b").owed.saga, SagaId(3));
    did(&mut world, "b");
    did(&mut world, "s");
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.verdict(3).state, State::Completed);
}
