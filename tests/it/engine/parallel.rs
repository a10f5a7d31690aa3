//! Branches: what runs at once, who wins, and how they are undone \[R12, R13, R22\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{did, ends, go, it, refuse};
use crate::world::World;

/// Two branches, of which the first has two steps, between two more steps.
fn both(join: &str, more: &str) -> World {
    let mut world = it(&format!(
        r"
timeout: 10m
defaults: {{ timeout: 10s }}
steps:
  - {{ id: first, issue: look, await: {{ echo: did }} }}
  - id: both
    parallel:
      left:
        - {{ id: one, issue: a, await: {{ echo: did }} }}
        - {{ id: two, issue: b, await: {{ echo: did }} }}
      right:
        - {{ id: three, issue: c, await: {{ echo: did }} }}
    join: {join}
{more}
  - {{ id: last, issue: once, await: {{ echo: did }}, retry: none }}
"
    ));
    go(&mut world, "k");
    did(&mut world, "look");
    world
}

#[test]
fn r5_branches_run_at_once_under_paths_of_their_own() {
    let mut world = both("all", "");
    assert_eq!(world.commands(), ["look", "a", "c"]);
    assert_eq!(world.last("a").id(), "1.both.left.one.1");
    did(&mut world, "c");
    did(&mut world, "a");
    did(&mut world, "b");
    assert_eq!(world.commands(), ["look", "a", "c", "b", "once"]);
    did(&mut world, "once");
    assert_eq!(world.state(1), State::Completed);
    let ended = ["both.right succeeded", "both.left succeeded", "both succeeded"];
    let trail = ends(&world);
    assert!(ended.iter().all(|line| trail.iter().any(|told| told == line)), "{trail:?}");
}

#[test]
fn r12_the_first_failure_of_all_cancels_the_rest_and_both_branches_are_undone_at_once() {
    let mut world = both("all", "");
    did(&mut world, "a");
    refuse(&mut world, "c");
    // `two` is open and so in doubt: its branch is undone backwards.
    assert_eq!(world.commands(), ["look", "a", "c", "b", "un_b"]);
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed));
}

#[test]
fn r12_branches_are_undone_at_once_and_each_backwards() {
    let mut world = both("all", "");
    for cmd in ["a", "b", "c"] {
        did(&mut world, cmd);
    }
    refuse(&mut world, "once");
    assert_eq!(world.commands()[5..], ["un_c", "un_b"]);
    did(&mut world, "un_b");
    assert_eq!(world.commands()[7..], ["un_a"]);
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::Compensating);
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r22_the_first_success_of_any_cancels_the_losers_and_undoes_them_before_it_goes_on() {
    let mut world = both("any", "");
    did(&mut world, "a");
    did(&mut world, "c");
    assert_eq!(world.commands(), ["look", "a", "c", "b", "un_b"]);
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.commands().last().map(String::as_str), Some("once"));
    did(&mut world, "once");
    assert_eq!(world.state(1), State::Completed);
    assert!(ends(&world).contains(&"both.left in_doubt".to_owned()));
}

#[test]
fn r12_only_the_winner_is_undone_when_a_later_step_fails() {
    let mut world = both("any", "");
    did(&mut world, "c");
    did(&mut world, "un_a");
    refuse(&mut world, "once");
    assert_eq!(world.commands()[3..], ["un_a", "once", "un_c"]);
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_a_loser_that_cannot_be_undone_turns_the_saga_around() {
    let mut world = both("any", "");
    did(&mut world, "c");
    refuse(&mut world, "un_a");
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::FailedCompensation);
}

#[test]
fn any_fails_only_when_all_branches_have_failed() {
    let mut world = both("any", "");
    refuse(&mut world, "c");
    assert_eq!(world.state(1), State::Running);
    did(&mut world, "a");
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn settled_goes_on_whatever_becomes_of_its_branches() {
    let mut world = both("settled", "");
    refuse(&mut world, "c");
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Running);
    refuse(&mut world, "b");
    assert_eq!(world.commands().last().map(String::as_str), Some("once"));
    refuse(&mut world, "once");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r12_a_late_echo_of_a_loser_settles_it_before_its_undo_begins() {
    let mut world = both("all", "");
    let early = world.last("a");
    refuse(&mut world, "c");
    assert_eq!(world.commands(), ["look", "a", "c", "un_a"]);
    world.echo(&early, "did", json!({})).expect("it may be late");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r11_a_retried_parallel_begins_again_after_both_branches_are_undone() {
    let retry = "    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed] }";
    let mut world = both("all", retry);
    did(&mut world, "a");
    did(&mut world, "c");
    refuse(&mut world, "b");
    assert_eq!(world.commands()[4..], ["un_c", "un_a"]);
    did(&mut world, "un_a");
    world.crash();
    world.connect("host");
    did(&mut world, "un_c");
    world.advance(Millis(2_000));
    for cmd in ["a", "b", "c"] {
        did(&mut world, cmd);
    }
    assert_eq!(world.last("a").id(), "1.both.left.one.2");
    did(&mut world, "once");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn a_parallel_that_takes_too_long_fails_with_all_its_branches() {
    let mut world = both("settled", "    timeout: 5s");
    did(&mut world, "c");
    world.advance(Millis(5_000));
    assert_eq!(world.commands()[3..], ["un_a", "un_c"]);
    did(&mut world, "un_a");
    did(&mut world, "un_c");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(1).cause, Some(Cause::TimedOut));
}

#[test]
fn r12_a_cancel_while_losers_are_undone_undoes_each_once() {
    let mut world = both("any", "");
    did(&mut world, "c");
    assert_eq!(world.commands().last().map(String::as_str), Some("un_a"));
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    assert_eq!(world.commands()[3..], ["un_a", "un_c"]);
    did(&mut world, "un_c");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
    assert_eq!(world.commands().len(), 5);
}

#[test]
fn p4_a_lost_session_fails_one_branch_and_leaves_the_other_alone() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left: [{ id: one, issue: once, await: { echo: did } }]
      right: [{ id: two, issue: once, await: { echo: did } }]
    join: all
");
    go(&mut world, "k");
    world.disconnect("host");
    world.connect("host");
    let doubts = ends(&world).iter().filter(|line| line.ends_with("in_doubt")).count();
    assert_eq!(doubts, 5, "{:?}", world.trail(1));
}

const PIVOT: &str = r"
timeout: 60s
defaults: { timeout: 10s }
steps:
  - { id: first, issue: look, await: { echo: did } }
  - id: both
    parallel:
      left: [{ id: turn, issue: b, await: { echo: did }, pivot: true }]
      right: [{ id: beside, issue: c, await: { echo: did } }]
    join: all
";

#[test]
fn r13_behind_a_pivot_in_one_branch_the_other_goes_on_forward() {
    let mut world = it(PIVOT);
    go(&mut world, "k");
    did(&mut world, "look");
    did(&mut world, "b");
    refuse(&mut world, "c");
    assert_eq!(world.state(1), State::Running);
    world.advance(Millis(1_000));
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r13_before_the_pivot_has_happened_both_branches_are_undone() {
    let mut world = it(PIVOT);
    go(&mut world, "k");
    did(&mut world, "look");
    did(&mut world, "c");
    refuse(&mut world, "b");
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_an_operators_retry_enters_every_branch_that_was_cut_off() {
    let mut world = it(r"
timeout: 60s
defaults: { timeout: 30s }
steps:
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - id: both
    parallel:
      left: [{ id: one, issue: a, await: { echo: did } }]
      right: [{ id: two, issue: c, await: { echo: did } }]
    join: all
");
    go(&mut world, "k");
    did(&mut world, "b");
    world.advance(Millis(60_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    did(&mut world, "a");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed, "{:?}", world.trail(1));
}

#[test]
fn what_a_branch_left_undone_is_read_as_skipped_behind_it() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left:
        - { id: one, issue: look, await: { echo: did } }
        - { id: two, issue: look, await: { echo: did } }
      right: [{ id: three, issue: c, await: { echo: did, save: { n: "${{ event.n }}" } } }]
    join: any
result: { two: "${{ steps.two.outcome }}", n: "${{ vars.n }}" }
"#
    .replace(r#", save: { n: "${{ event.n }}" }"#, "")
    .replace(r#", n: "${{ vars.n }}""#, "")
    .as_str());
    go(&mut world, "k");
    did(&mut world, "c");
    assert_eq!(world.verdict(1).result.as_deref(), Some(&json!({"two": "skipped"})));
}

#[test]
fn branches_inside_branches_are_undone_each_in_its_place() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: outer
    parallel:
      left:
        - { id: one, issue: a, await: { echo: did } }
        - id: inner
          parallel:
            up: [{ id: two, issue: b, await: { echo: did } }]
            down: [{ id: three, issue: c, await: { echo: did } }]
          join: all
      right: [{ id: four, issue: once, await: { echo: did } }]
    join: all
  - { id: last, issue: look, await: { echo: did } }
");
    go(&mut world, "k");
    for cmd in ["a", "b", "c", "once"] {
        did(&mut world, cmd);
    }
    assert_eq!(world.last("b").id(), "1.outer.left.inner.up.two.1");
    refuse(&mut world, "look");
    assert_eq!(world.commands()[5..], ["un_once", "un_c", "un_b"]);
    did(&mut world, "un_b");
    assert_eq!(world.commands().len(), 8);
    did(&mut world, "un_c");
    assert_eq!(world.commands()[8..], ["un_a"]);
    did(&mut world, "un_a");
    did(&mut world, "un_once");
    assert_eq!(world.state(1), State::Compensated);
}
