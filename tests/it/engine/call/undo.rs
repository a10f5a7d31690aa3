//! How a call is undone: by its saga, by its own undo, or not at all; and past a pivot.
//! \[R12, R13\]

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::State;
use sagaflow::time::Millis;

use super::{CHILD, PARENT};
use crate::engine::{did, go, refuse, sagas};
use crate::world::World;

const PIVOT: &str = r#"
saga: child
trigger: { call: { fields: { k: { type: string } } } }
eviction: { policy: parallel }
timeout: 1m
defaults: { timeout: 10s }
steps:
  - { id: work, issue: b, await: { echo: did } }
  - { id: burned, issue: burn, await: { echo: did }, pivot: true }
  - { id: more, issue: s, await: { echo: did } }
"#;

fn past_pivot(policy: &str) -> World {
    let parent = PARENT
        .replace("timeout: 2m", &format!("timeout: 2m, {policy}"))
        .replace("with: { k: \"${{ steps.sub.result.n }}\" }, ", "")
        .replace("result: { n: \"${{ steps.sub.result.n }}\" }", "");
    let mut world = sagas(&[&parent, PIVOT]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    world
}

#[test]
fn r13_a_child_past_its_pivot_takes_the_pivot_of_its_caller_with_it() {
    let mut world = past_pivot("pivot: true");
    did(&mut world, "burn");
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough").expect_err("it is past");
    assert!(refused.message.contains("point of no return"), "{}", refused.message);
    did(&mut world, "s");
    assert_eq!(world.verdict(2).state, State::Completed, "nothing undoes it: it is not held");
    refuse(&mut world, "c");
    world.advance(Millis(500));
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
}

#[test]
fn r13_before_the_childs_pivot_a_cancel_still_undoes_both() {
    let mut world = past_pivot("pivot: true, compensate: none");
    // `burn` may have been sent: that is past the point of no return.
    assert!(world.signal(SagaId(1), Signal::Cancel, "enough").is_err());
    let mut world = sagas(&[&PARENT.replace("timeout: 2m", "pivot: true"), CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it is not past");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn r13_a_child_past_its_pivot_is_waited_for_and_then_undone_by_the_callers_own_undo() {
    let mut world = past_pivot("compensate: { issue: un_c, await: { echo: undid }, timeout: 5s }");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("the caller is not past");
    assert_eq!(world.state(2), State::Running, "it goes on forward");
    did(&mut world, "burn");
    did(&mut world, "s");
    assert_eq!(world.verdict(2).state, State::Completed);
    did(&mut world, "un_c");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.commands(), ["a", "b", "burn", "s", "un_c", "un_a"]);
}

#[test]
fn r15_without_an_undo_the_child_ends_by_itself() {
    let mut world = sagas(&[&PARENT.replace("timeout: 2m", "compensate: none"), CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "s");
    assert_eq!(world.verdict(2).state, State::Completed);
    refuse(&mut world, "c");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert!(!world.commands().contains(&"un_b".to_owned()));
}

#[test]
fn r12_a_call_may_undo_and_may_clean_up() {
    let parent = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { call: child, with: { k: undo }, timeout: 1m }
  - { id: two, issue: c, await: { echo: did } }
finally:
  - { id: last, call: child, with: { k: last } }
"#;
    let mut world = sagas(&[parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "c");
    did(&mut world, "b");
    did(&mut world, "s");
    assert_eq!(world.verdict(2).state, State::Completed, "an undo is not held");
    assert_eq!(world.last("b").owed.saga, SagaId(3));
    assert_eq!(world.state(1), State::Compensating, "`finally` waits for its saga");
    did(&mut world, "b");
    did(&mut world, "s");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(3).state, State::Completed);
}

/// A pivot that was sent may still be refused: until it is known, nothing is let go.
#[test]
fn r13_a_pivot_that_is_refused_has_let_no_child_go() {
    let parent = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: sub, call: child, with: { k: x } }
  - { id: turn, issue: burn, await: { echo: did }, pivot: true }
"#;
    let begun = || {
        let mut world = sagas(&[parent, CHILD]);
        world.connect("host");
        world.connect("srv");
        go(&mut world, "k");
        did(&mut world, "b");
        did(&mut world, "s");
        assert_eq!(world.commands().last().map(String::as_str), Some("burn"));
        assert_eq!(world.state(2), State::Running, "it is held");
        world
    };
    let mut world = begun();
    refuse(&mut world, "burn");
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(1).state, State::Compensated);
    let mut world = begun();
    did(&mut world, "burn");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.verdict(2).state, State::Completed);
}

#[test]
fn r13_a_childs_pivot_that_is_refused_leaves_its_caller_free() {
    let mut world = past_pivot("pivot: true");
    refuse(&mut world, "burn");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(2).state, State::Compensated);
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
}

/// A command may have been sent as soon as its target has a session: without a fact of the
/// sub-saga's own its caller learns of it.
#[test]
fn r13_a_childs_pivot_that_a_new_session_gets_is_its_callers_too() {
    let parent = PARENT
        .replace("issue: a", "issue: s")
        .replace("timeout: 2m", "timeout: 2m, pivot: true")
        .replace("with: { k: \"${{ steps.sub.result.n }}\" }, ", "")
        .replace("result: { n: \"${{ steps.sub.result.n }}\" }", "");
    let mut world = sagas(&[&parent, &PIVOT.replace("issue: b,", "issue: s,")]);
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "s");
    did(&mut world, "s");
    world.connect("host");
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough").expect_err("it is past");
    assert!(refused.message.contains("point of no return"), "{}", refused.message);
    did(&mut world, "burn");
    did(&mut world, "s");
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
}

/// What a called saga does in an undo is awaited before the undo is tried again, or goes on.
#[test]
fn r12_an_undo_waits_for_the_saga_that_it_called_before_its_next_attempt() {
    let parent = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate:
      group: [{ call: child, with: { k: undo } }]
      timeout: 5s
      retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout] }
  - { id: two, issue: c, await: { echo: did } }
"#;
    let mut world = sagas(&[parent, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "c");
    world.advance(Millis(5_000));
    assert_eq!(world.states(), ["compensating", "compensating"], "its time was up");
    did(&mut world, "un_b");
    world.advance(Millis(1_000));
    assert_eq!(world.last("b").id(), "3.work.1");
    did(&mut world, "b");
    did(&mut world, "s");
    assert_eq!(world.verdict(1).state, State::Compensated, "{:?}", world.trail(1));
    assert_eq!(world.verdict(3).state, State::Completed);
}
