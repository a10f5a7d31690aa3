//! Branches and loops that undo: several things at once, or one an element \[R12, R14\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::State;
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, go, it, refuse};
use crate::world::World;

const TWO: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: zero, issue: c, await: { echo: did } }
  - id: one
    issue: a
    await: { echo: did }
    compensate:
      parallel:
        left: [{ issue: un_a, await: { echo: undid } }, { issue: un_b, await: { echo: undid } }]
        right: [{ issue: un_s, await: { echo: undid } }]
      join: all
      timeout: 30s
  - { id: two, issue: b, await: { echo: did } }
";

/// The undo of `one` has begun.
fn undoing(rest: &str) -> World {
    let mut world = it(rest);
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "c");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world
}

#[test]
fn r12_the_branches_of_an_undo_run_at_once_and_all_of_them_undo() {
    let mut world = undoing(TWO);
    assert_eq!(world.commands()[3..], ["un_a", "un_s"]);
    assert_eq!(world.last("un_a").id(), "1.one.undo.left.0.1");
    did(&mut world, "un_s");
    did(&mut world, "un_a");
    did(&mut world, "un_b");
    assert_eq!(world.commands()[3..], ["un_a", "un_s", "un_b", "un_c"], "then what came before");
    did(&mut world, "un_c");
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn r14_an_undo_whose_branch_fails_has_failed() {
    let mut world = undoing(TWO);
    refuse(&mut world, "un_s");
    did(&mut world, "un_c");
    assert_eq!(world.verdict(1).state, State::FailedCompensation);
    let all = ["one.undo.right.0 failed", "one compensation_failed", "zero compensated"];
    let trail = world.trail(1);
    for line in all {
        assert!(trail.iter().any(|told| told == line), "{line} is not in {trail:?}");
    }
}

#[test]
fn r14_the_clock_of_an_undo_with_branches_rests_while_its_target_is_away() {
    let mut world = it(TWO);
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "c");
    did(&mut world, "a");
    world.disconnect("srv");
    world.disconnect("host");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    world.advance(Millis(60_000));
    assert_eq!(world.state(1), State::Compensating);
    world.connect("srv");
    world.connect("host");
    // `two` may have happened.
    for cmd in ["un_b", "un_s", "un_a", "un_b", "un_c"] {
        did(&mut world, cmd);
    }
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn l5_a_crash_while_branches_undo_changes_nothing() {
    let mut world = undoing(TWO);
    for cmd in ["un_s", "un_a", "un_b", "un_c"] {
        world.crash();
        world.connect("host");
        world.connect("srv");
        did(&mut world, cmd);
    }
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn r12_a_loop_may_undo_one_element_after_the_other() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
vars: { parts: ["x", "y"] }
steps:
  - id: one
    issue: once
    await: { echo: did }
    compensate:
      for_each: { in: vars.parts, as: part, max_parallel: 1 }
      steps:
        - { issue: un_a, with: { k: "${{ part }}" }, await: { echo: undid } }
        - { issue: un_b, await: { echo: undid } }
      join: all
  - { id: two, issue: b, await: { echo: did } }
"#);
    go(&mut world, "k");
    did(&mut world, "once");
    refuse(&mut world, "b");
    assert_eq!(world.last("un_a").id(), "1.one.undo[0].0.1");
    assert_eq!(world.last("un_a").with("k"), &json!("x"));
    did(&mut world, "un_a");
    did(&mut world, "un_b");
    world.crash();
    world.connect("host");
    let second = world.last("un_a");
    assert_eq!((second.id(), second.with("k")), ("1.one.undo[1].0.1", &json!("y")));
    world.echo(&second, "undid", Value::Null).expect("it is the target's to say");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn r22_in_an_undo_too_the_first_success_cancels_the_others() {
    let mut world = undoing(&TWO.replace("join: all", "join: any"));
    did(&mut world, "un_s");
    assert_eq!(world.commands()[3..], ["un_a", "un_s", "un_c"], "what lost goes on no more");
    did(&mut world, "un_a");
    did(&mut world, "un_c");
    assert_eq!(world.verdict(1).state, State::Compensated);
    let lost = world.trail(1).contains(&"one.undo.left.0 in_doubt".to_owned());
    assert!(lost, "{:?}", world.trail(1));
}
