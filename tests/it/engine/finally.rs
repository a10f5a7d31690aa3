//! `finally` runs exactly once on every end, after undoing, and changes no outcome \[R15\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::json;

use super::{did, go, it, of, refuse};
use crate::world::World;

const SAGA: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}", n: "${{ trigger.n }}" }
eviction: { key: input.k, policy: replace }
timeout: 30s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: b, await: { echo: did }, timeout: 15s }
finally:
  - id: tidy
    issue: c
    with: { k: "${{ saga.state }} ${{ has(saga.cause) ? saga.cause : 'well' }}" }
    await: { echo: did }
"#;

fn begun() -> World {
    let mut world = of(SAGA);
    world.connect("host");
    go(&mut world, "k");
    did(&mut world, "a");
    world
}

/// `finally` was asked once, in these words, and the saga ends only after it.
fn tidied(world: &mut World, words: &str, state: State) {
    let asked: Vec<_> = world.sent().iter().filter(|sent| sent.cmd() == "c").cloned().collect();
    assert_eq!(asked.len(), 1, "{:?}", world.commands());
    assert_eq!(asked[0].with("k"), words);
    assert!(world.terminals(1).is_empty(), "the bracket closes after `finally`");
    world.crash();
    world.connect("host");
    assert_eq!(world.last("c").id(), "1.tidy.1");
    did(world, "c");
    assert_eq!(world.state(1), state);
    assert_eq!(world.terminals(1).len(), 1);
}

/// \[bg_3_10_P12\]
#[test]
fn r15_after_success() {
    let mut world = begun();
    did(&mut world, "b");
    tidied(&mut world, "completed well", State::Completed);
}

#[test]
fn r15_after_undoing() {
    let mut world = begun();
    refuse(&mut world, "b");
    assert!(!world.commands().contains(&"c".to_owned()), "undoing comes first");
    did(&mut world, "un_a");
    tidied(&mut world, "compensated action_failed", State::Compensated);
}

#[test]
fn r15_after_a_timeout() {
    let mut world = begun();
    world.advance(Millis(15_000));
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    tidied(&mut world, "compensated timed_out", State::Compensated);
}

#[test]
fn r15_after_a_failed_undo() {
    let mut world = begun();
    refuse(&mut world, "b");
    refuse(&mut world, "un_a");
    tidied(&mut world, "failed_compensation action_failed", State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
    let once = world.commands().iter().filter(|cmd| *cmd == "c").count();
    assert_eq!(once, 2, "asked once, and once again after the crash");
}

#[test]
fn r15_after_a_cancel() {
    let mut world = begun();
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    tidied(&mut world, "compensated cancelled", State::Compensated);
}

#[test]
fn r15_after_an_eviction_and_before_the_newcomer_starts() {
    let mut world = begun();
    go(&mut world, "k");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.state(2), State::Queued);
    tidied(&mut world, "compensated evicted", State::Compensated);
    assert_eq!(world.state(2), State::Running);
}

#[test]
fn r15_its_failure_is_recorded_and_changes_no_outcome() {
    for refused in [true, false] {
        let mut world = begun();
        did(&mut world, "b");
        if refused {
            refuse(&mut world, "c");
        } else {
            world.advance(Millis(10_000));
        }
        assert_eq!(world.state(1), State::Completed);
        let word = if refused { "tidy failed" } else { "tidy in_doubt" };
        assert!(world.trail(1).contains(&word.to_owned()), "{:?}", world.trail(1));
    }
}

#[test]
fn r15_all_its_steps_run_even_when_the_first_fails() {
    let mut world = it(r"
timeout: 30s
steps: [{ id: one, issue: look, await: { echo: did }, timeout: 10s }]
finally:
  - { id: first, issue: a, await: { echo: did }, timeout: 10s }
  - { id: second, issue: b, await: { echo: did }, timeout: 10s }
");
    go(&mut world, "k");
    did(&mut world, "look");
    refuse(&mut world, "a");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r15_it_runs_past_the_sagas_own_deadline() {
    let mut world = begun();
    world.advance(Millis(12_000));
    did(&mut world, "b");
    world.advance(Millis(9_000));
    assert!(world.terminals(1).is_empty());
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r15_cancel_while_it_runs_is_refused() {
    let mut world = begun();
    did(&mut world, "b");
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough").expect_err("it is ending");
    assert!(refused.message.contains("ending already"), "{}", refused.message);
    did(&mut world, "c");
    assert_eq!(world.verdict(1).cause, None);
}

#[test]
fn r15_on_restart_fail_runs_it_too() {
    let mut world = of(&format!("{SAGA}on_restart: fail\n"));
    world.connect("host");
    go(&mut world, "k");
    world.crash();
    world.connect("host");
    did(&mut world, "c");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::FailedCompensation, Some(Cause::Restart)));
    assert_eq!(world.published("saga_failed")[0].fields["cause"], json!("restart"));
}
