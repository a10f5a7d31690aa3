//! A step in doubt whose target can be asked \[R11, R12, R13, R14, R19, P4\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, ends, go, it, refuse};
use crate::world::World;

const ASKED: &str = r#"
timeout: 10m
vars: { n: 0 }
steps:
  - id: one
    issue: once
    await: { echo: did, save: { n: "${{ event.n }}" } }
    timeout: 10s
    probe:
      issue: look
      await: { echo: did }
      timeout: 5s
      done_when: event.n > 0
      save: { n: "${{ event.n }}" }
  - { id: two, issue: b, await: { echo: did }, timeout: 10s }
result: { n: "${{ vars.n }}" }
"#;

/// The target answers the newest question.
fn found(world: &mut World, n: i64) {
    let asked = world.last("look");
    world.echo(&asked, "did", json!({ "n": n })).expect("it is the target's to say");
}

fn silent(saga: &str) -> World {
    let mut world = it(saga);
    go(&mut world, "k");
    world.advance(Millis(10_500));
    assert_eq!(world.last("look").owed.step.as_ref(), "one.probe");
    world
}

#[test]
fn r11_a_step_that_the_probe_finds_done_has_succeeded_and_saves_what_the_probe_says() {
    let mut world = silent(ASKED);
    found(&mut world, 7);
    did(&mut world, "b");
    assert_eq!(world.verdict(1).result.expect("it has one")["n"], 7);
}

#[test]
fn r11_a_step_that_the_probe_finds_not_done_has_failed_and_is_not_undone() {
    let mut world = silent(ASKED);
    found(&mut world, 0);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::TimedOut)));
    assert!(verdict.reason.expect("it has one").contains("`one` timed out after 10s"));
}

#[test]
fn r11_a_probe_that_nobody_answers_leaves_the_doubt_and_is_not_asked_again_before_the_undo() {
    for answer in [None, Some("refused"), Some("did")] {
        let mut world = silent(ASKED);
        let asked = world.last("look");
        match answer {
            None => world.advance(Millis(5_500)),
            Some("refused") => refuse(&mut world, "look"),
            // It says something, and not what anybody asked.
            Some(_) => world.advance(Millis(6_000)),
        }
        did(&mut world, "un_once");
        assert_eq!(world.state(1), State::Compensated, "{answer:?}");
        let asked_once = world.commands().iter().filter(|cmd| cmd.contains("look")).count();
        assert_eq!(asked_once, 1, "{} was asked again", asked.id());
    }
}

#[test]
fn r11_after_not_done_a_retry_is_a_new_command_and_after_done_there_is_none() {
    let retried = ASKED.replace(
        "    probe:\n",
        "    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout] }\n    probe:\n",
    );
    let mut world = silent(&retried);
    found(&mut world, 0);
    world.advance(Millis(1_000));
    assert_eq!(world.last("once").id(), "1.one.2");
    world.advance(Millis(10_500));
    assert_eq!(world.last("look").id(), "1.one.probe.2");
    found(&mut world, 3);
    did(&mut world, "b");
    assert_eq!(world.verdict(1).result.expect("it has one")["n"], 3);
}

#[test]
fn r11_an_idempotent_command_is_sent_again_only_where_nobody_answers_the_probe() {
    let mut world = silent(
        r#"
timeout: 10m
steps:
  - id: one
    issue: a
    await: { echo: did }
    timeout: 10s
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout] }
    probe: { issue: look, await: { echo: did }, timeout: 5s, done_when: event.n > 0 }
"#,
    );
    assert_eq!(world.sent().iter().filter(|sent| sent.cmd() == "a").count(), 1);
    world.advance(Millis(6_500));
    let again = world.last("a");
    assert_eq!((again.id(), again.owed.attempt), ("1.one.1", 2));
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn p4_what_an_older_session_may_have_got_is_asked_about_in_the_newer_one() {
    let mut world = it(ASKED);
    go(&mut world, "k");
    world.disconnect("host");
    world.connect("host");
    assert_eq!(world.last("look").owed.step.as_ref(), "one.probe");
    // The session breaks again: the question comes once more, under its own id.
    world.disconnect("host");
    world.connect("host");
    assert_eq!(world.last("look").id(), "1.one.probe.1");
    found(&mut world, 1);
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(world.commands().iter().filter(|cmd| cmd.contains("once")).count(), 1);
}

/// \[bg_3_10_P5\]
#[test]
fn r12_what_was_cut_off_in_doubt_is_asked_about_before_it_is_undone() {
    for (answer, state) in
        [(Some(0), State::Failed), (Some(1), State::Compensated), (None, State::Compensated)]
    {
        let mut world = it(ASKED);
        go(&mut world, "k");
        world.signal(SagaId(1), Signal::Cancel, "enough").expect("it goes forward");
        assert_eq!(ends(&world)[..1], ["one in_doubt"]);
        match answer {
            Some(n) => found(&mut world, n),
            None => world.advance(Millis(5_500)),
        }
        if state == State::Compensated {
            did(&mut world, "un_once");
        }
        assert_eq!(world.state(1), state, "{answer:?}");
    }
}

#[test]
fn r12_a_question_that_a_cancel_cut_off_is_asked_again() {
    let mut world = silent(ASKED);
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it goes forward");
    assert_eq!(world.last("look").id(), "1.one.probe.2");
    found(&mut world, 0);
    assert_eq!(world.state(1), State::Failed);
}

#[test]
fn r19_an_answer_of_the_step_itself_ends_the_question() {
    let mut world = silent(ASKED);
    let asked = world.last("look");
    let step = world.last("once");
    world.echo(&step, "did", json!({"n": 9})).expect("it is the target's to say");
    world.echo(&asked, "did", json!({"n": 0})).expect("it is the target's to say");
    did(&mut world, "b");
    assert_eq!(world.verdict(1).result.expect("it has one")["n"], 9);
    let mut world = silent(ASKED);
    refuse(&mut world, "once");
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed));
    assert_eq!(world.state(1), State::Failed);
}

#[test]
fn r19_an_answer_that_comes_while_its_undo_waits_for_the_probe_settles_the_doubt() {
    for (event, state) in [("did", State::Compensated), ("refused", State::Failed)] {
        let mut world = it(ASKED);
        go(&mut world, "k");
        world.signal(SagaId(1), Signal::Cancel, "enough").expect("it goes forward");
        let step = world.last("once");
        world.echo(&step, event, Value::Null).expect("it is the target's to say");
        if state == State::Compensated {
            did(&mut world, "un_once");
        }
        assert_eq!(world.state(1), state);
    }
}

const UNDONE_BY_ONCE: &str = r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate:
      issue: once
      await: { echo: did }
      probe: { issue: look, await: { echo: did }, done_when: event.n > 0 }
  - { id: two, fail: over }
"#;

#[test]
fn r14_an_undo_in_doubt_is_asked_about() {
    for (answer, state) in [
        (Some(1), State::Compensated),
        (Some(0), State::FailedCompensation),
        (None, State::FailedCompensation),
    ] {
        let mut world = it(UNDONE_BY_ONCE);
        go(&mut world, "k");
        did(&mut world, "a");
        world.advance(Millis(10_500));
        let asked = world.last("look");
        assert_eq!(asked.owed.step.as_ref(), "one.undo.probe");
        match answer {
            Some(n) => found(&mut world, n),
            None => world.advance(Millis(10_500)),
        }
        assert_eq!(world.state(1), state, "{answer:?}");
    }
}

#[test]
fn r14_an_operators_retry_of_an_undo_in_doubt_asks_first() {
    let mut world = it(UNDONE_BY_ONCE);
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(21_000));
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.last("look").id(), "1.one.undo.probe.2");
    let sent = world.commands().iter().filter(|cmd| cmd.contains("once")).count();
    assert_eq!(sent, 1, "it must not be sent twice");
    found(&mut world, 1);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_the_question_about_an_undo_waits_for_its_target() {
    let mut world = it(UNDONE_BY_ONCE);
    go(&mut world, "k");
    did(&mut world, "a");
    world.disconnect("host");
    world.advance(Millis(600_000));
    assert_eq!(world.state(1), State::Compensating);
    world.connect("host");
    found(&mut world, 1);
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r13_past_the_pivot_a_doubt_is_asked_about_until_the_deadline() {
    let mut world = it(r#"
timeout: 60s
defaults: { timeout: 5s }
steps:
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - id: one
    issue: once
    await: { echo: did }
    probe: { issue: look, await: { echo: did }, done_when: event.n > 0 }
"#);
    go(&mut world, "k");
    did(&mut world, "b");
    world.advance(Millis(12_500));
    let asked = world.commands().iter().filter(|cmd| cmd.contains("look")).count();
    assert!(asked >= 2, "{:?}", world.commands());
    assert_eq!(world.commands().iter().filter(|cmd| cmd.contains("once")).count(), 1);
    found(&mut world, 0);
    world.advance(Millis(5_000));
    assert_eq!(world.last("once").id(), "1.one.2", "known not to have happened, it is sent anew");
    world.advance(Millis(60_000));
    assert_eq!(world.state(1), State::FailedCompensation);
}

#[test]
fn r12_a_groups_attempt_asks_about_its_doubts_before_the_next_one() {
    let mut world = silent(
        r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - id: one
        issue: once
        await: { echo: did }
        timeout: 10s
        probe: { issue: look, await: { echo: did }, timeout: 5s, done_when: event.n > 0 }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 1m
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout] }
"#,
    );
    world.advance(Millis(5_500));
    // Nobody answered: it may have happened, so it is undone before the next attempt.
    did(&mut world, "un_once");
    world.advance(Millis(1_000));
    assert_eq!(world.last("once").id(), "1.one.2");
    did(&mut world, "once");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r11_branches_are_asked_about_each_by_itself_also_across_a_crash() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: each
    for_each: { in: "[1, 2]", as: number }
    steps:
      - id: one
        issue: once
        await: { echo: did }
        probe:
          issue: look
          await: { echo: did, where: event.n == number }
          done_when: number == 1
    join: settled
result: { how: "${{ steps.each.outcomes }}" }
"#);
    go(&mut world, "k");
    world.advance(Millis(10_500));
    world.crash();
    world.connect("host");
    for n in [1, 2] {
        let path = format!("each[{}].one.probe", n - 1);
        let asked = world.sent().iter().rev().find(|sent| *sent.owed.step == *path).cloned();
        let asked = asked.expect("it was asked");
        world.echo(&asked, "did", json!({ "n": n })).expect("it is the target's to say");
    }
    let result = world.verdict(1).result.expect("it has one");
    assert_eq!(result["how"], json!(["succeeded", "failed"]));
}

#[test]
fn a_question_that_is_open_survives_a_crash() {
    let mut world = silent(ASKED);
    world.crash();
    world.connect("host");
    assert_eq!(world.last("look").id(), "1.one.probe.1");
    found(&mut world, 2);
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

/// What one undo stands for is asked about before it, all at once.
const STOOD_FOR: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: zero, issue: tell, await: none }
  - id: all
    parallel:
      left:
        - id: one
          issue: once
          await: { echo: did }
          probe: { issue: look, await: { echo: did }, timeout: 5s, done_when: event.n == 1 }
      right:
        - id: two
          issue: once
          await: { echo: did }
          probe: { issue: look, await: { echo: did }, timeout: 5s, done_when: event.n == 1 }
    join: all
    compensate: { issue: un_c, await: { echo: undid } }
";

/// It was cancelled, and the two questions are answered so.
fn asked_of_both(answers: [i64; 2]) -> World {
    let mut world = it(STOOD_FOR);
    go(&mut world, "k");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    assert_eq!(world.commands(), ["tell", "once", "once", "look", "look"]);
    let asked: Vec<_> = world.sent().iter().filter(|sent| sent.cmd() == "look").cloned().collect();
    for (sent, n) in asked.iter().zip(answers) {
        assert_eq!(world.commands().len(), 5, "the undo waits for both");
        world.echo(sent, "did", json!({ "n": n })).expect("it is the target's to say");
    }
    world
}

#[test]
fn r12_what_a_groups_own_undo_stands_for_is_asked_about_before_it() {
    let mut world = asked_of_both([0, 1]);
    did(&mut world, "un_c");
    let trail = world.trail(1);
    assert!(trail.contains(&"all.left.one failed".to_owned()), "{trail:?}");
    assert!(trail.contains(&"all.right.two compensated".to_owned()), "{trail:?}");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r12_a_group_whose_doubts_turn_out_to_be_nothing_is_not_undone() {
    let world = asked_of_both([0, 0]);
    assert_eq!(world.state(1), State::Failed, "{:?}", world.trail(1));
}

#[test]
fn r12_what_another_undo_covers_is_asked_about_before_it() {
    let covers = |n: i64| {
        let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: zero
    issue: look
    await: { echo: did }
    compensate: { issue: un_c, await: { echo: undid }, covers: [one] }
  - id: one
    issue: once
    await: { echo: did }
    probe: { issue: look, await: { echo: did }, timeout: 5s, done_when: event.n == 1 }
");
        go(&mut world, "k");
        did(&mut world, "look");
        world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
        world.crash();
        world.connect("host");
        found(&mut world, n);
        world
    };
    let mut world = covers(1);
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::Compensated);
    let mut world = covers(0);
    did(&mut world, "un_c");
    assert!(world.trail(1).contains(&"one failed".to_owned()), "{:?}", world.trail(1));
    assert_eq!(world.state(1), State::Compensated, "`zero` was done");
}
