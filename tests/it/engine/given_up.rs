//! What was given up inside of a step, an attempt or a branch that lost, and could not be undone:
//! an incident, whatever is around it \[R14\].

use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;

use super::{did, go, it, refuse};
use crate::world::World;

/// A group whose first attempt fails at `two` and whose undo of `one` is refused.
const STUCK: &str = "group:
          - { id: one, issue: a, await: { echo: did } }
          - { id: two, issue: b, await: { echo: did } }
        retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed] }";

fn world(steps: &str) -> World {
    let head = "timeout: 1h\ndefaults: { timeout: 60s }\nsteps:\n";
    let mut world = it(&format!("{head}{}", steps.replace("STUCK", STUCK)));
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world
}

/// The undo of `one` is refused: the saga turns around at once, and ends as an incident.
fn check(steps: &str, commands: &[&str]) {
    let mut world = world(steps);
    refuse(&mut world, "un_a");
    world.advance(Millis(60_000));
    assert_eq!(world.commands(), commands, "{steps}");
    let verdict = world.verdict(1);
    let wanted = (State::FailedCompensation, Some(Cause::ActionFailed));
    assert_eq!((verdict.state, verdict.cause), wanted, "{steps}");
}

#[test]
fn r14_an_attempt_that_cannot_be_undone_is_an_incident_inside_of_a_retried_group() {
    let steps = "
  - id: outer
    group:
      - id: inner
        STUCK
    retry: { attempts: 3, backoff: constant, delay: 1s, on: [failed] }
";
    check(steps, &["a", "b", "un_a"]);
}

#[test]
fn r14_an_attempt_that_cannot_be_undone_is_an_incident_under_best_effort() {
    let steps = "
  - id: outer
    group:
      - id: inner
        STUCK
    best_effort: true
  - { id: last, issue: c, await: { echo: did } }
";
    check(steps, &["a", "b", "un_a"]);
    let steps = steps.replace("STUCK", "STUCK\n        best_effort: true");
    check(&steps, &["a", "b", "un_a"]);
}

#[test]
fn r14_an_attempt_that_cannot_be_undone_is_an_incident_beside_a_branch_that_may_win() {
    for join in ["any", "settled"] {
        let steps = format!(
            "
  - id: both
    parallel:
      left:
      - id: inner
        STUCK
      right: [{{ id: wait, delay: 5s }}]
    join: {join}
"
        );
        check(&steps, &["a", "b", "un_a"]);
    }
}

/// The loser's undo is under way when the step around the race fails: all of that is undone before
/// the saga goes on.
const RACE: &str = "timeout: 10m
defaults: { timeout: 60s }
steps:
  - id: all
    parallel:
      left:
        - id: race
          parallel:
            slow: [{ id: one, issue: a, await: { echo: did } }]
            quick: [{ id: wait, issue: look, await: { echo: did } }]
          join: any
      right: [{ id: two, issue: b, await: { echo: did } }]
    join: all
    best_effort: true
  - { id: last, issue: c, await: { echo: did } }
";

fn race_failed() -> World {
    let mut world = it(RACE);
    go(&mut world, "k");
    did(&mut world, "look");
    assert_eq!(world.commands(), ["a", "look", "b", "un_a"]);
    refuse(&mut world, "b");
    assert_eq!(world.commands().len(), 4, "it waits for the loser's undo");
    world
}

#[test]
fn r12_a_race_whose_loser_is_being_undone_is_undone_before_a_failure_is_waved_through() {
    let mut world = race_failed();
    did(&mut world, "un_a");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r14_a_loser_that_cannot_be_undone_is_an_incident_though_the_race_was_given_up() {
    let mut world = race_failed();
    refuse(&mut world, "un_a");
    assert_eq!(world.commands().len(), 4);
    assert_eq!(world.state(1), State::FailedCompensation);
}

/// The world folds the log after each turn and holds it against the live state.
#[test]
fn r3_an_element_that_wins_at_once_leaves_no_number_to_the_next_one() {
    let mut world = it("timeout: 10m
defaults: { timeout: 60s }
steps:
  - id: each
    for_each: { in: \"['x', 'y', 'z']\", as: one }
    steps:
      - { id: work, if: \"one != 'x'\", issue: a, await: { echo: did } }
    join: any
  - id: again
    for_each: { in: \"['x', 'y']\", as: one }
    steps: [{ id: more, issue: b, await: { echo: did } }]
    join: settled
");
    go(&mut world, "k");
    world.crash();
    world.connect("host");
    assert_eq!(world.commands().last().map(String::as_str), Some("b"));
}
