//! Sub-sagas: a step calls another saga, its result comes up, deadline and cancel go down, and
//! undoing the step undoes the child \[R1, R12, R15, R23, R24\].

mod deep;
mod explored;
mod undo;

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{CATALOG, did, go, refuse, sagas};
use crate::world::World;

const PARENT: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: sub, call: child, with: { k: "${{ input.k }}" }, timeout: 2m }
  - { id: two, issue: c, with: { k: "${{ steps.sub.result.n }}" }, await: { echo: did } }
result: { n: "${{ steps.sub.result.n }}" }
"#;

const CHILD: &str = r#"
saga: child
trigger: { call: { fields: { k: { type: string } } } }
input: { k: "${{ trigger.k }}" }
eviction: { key: input.k, policy: queue, queue_max: 10 }
timeout: 1m
defaults: { timeout: 10s }
require:
  - { that: input.k != "bad", otherwise: "no such key" }
steps:
  - { id: work, issue: b, await: { echo: did, save: { n: "${{ event.k }}" } } }
  - { id: more, issue: s, await: { echo: did } }
finally:
  - { id: say, issue: tell, await: none }
result: { n: "${{ vars.n }}" }
"#;

/// A parent whose step calls, begun with that key; the step before it is done.
fn begun(k: &str) -> World {
    let mut world = sagas(&[PARENT, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, k);
    did(&mut world, "a");
    world
}

/// The same with all steps of the child done.
fn held() -> World {
    let mut world = begun("k");
    let sent = world.last("b");
    world.echo(&sent, "did", json!({"k": "n1"})).expect("it is declared");
    did(&mut world, "s");
    world
}

fn brackets(world: &World) -> Vec<String> {
    let story = world.story().into_iter();
    story.filter(|name| name.starts_with("saga_")).collect()
}

#[test]
fn l4_a_caller_that_runs_calls_the_text_that_stood_beside_it() {
    let mut world = sagas(&[PARENT, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    // Its result is called otherwise now, it asks for something else, and its caller knows.
    let child = CHILD.replace("result: { n:", "result: { m:").replace("issue: b", "issue: c");
    let parent = PARENT.replace("steps.sub.result.n", "steps.sub.result.m");
    let files = |parent, child| {
        [("c.catalog.yaml", CATALOG), ("0.saga.yaml", parent), ("1.saga.yaml", child)]
    };
    world.crash_to(&files(&parent, &child));
    world.connect("host");
    world.connect("srv");
    go(&mut world, "l");
    let first = world.sent().iter().find(|sent| sent.id() == "1.one.1").cloned();
    world.echo(&first.expect("it was sent"), "did", Value::Null).expect("it is declared");
    let work = did(&mut world, "b");
    did(&mut world, "s");
    did(&mut world, "c");
    assert_eq!(world.state(1), State::Completed, "{:?}", world.verdict(1));
    // Who began today calls what is there today, and no file is asked for what was.
    did(&mut world, "a");
    assert_eq!(world.last("c").owed.saga.0, work.owed.saga.0 + 1);
    world.crash_to(&[("c.catalog.yaml", CATALOG)]);
    world.connect("host");
    world.connect("srv");
    did(&mut world, "c");
    did(&mut world, "s");
    did(&mut world, "c");
    assert_eq!(world.state(2), State::Completed);
}

#[test]
fn r23_a_call_begins_its_saga_in_the_transaction_of_its_caller() {
    let mut world = sagas(&[PARENT, CHILD]);
    world.connect("host");
    go(&mut world, "k");
    let sent = world.last("a");
    world.begin_turn();
    world.hear("host", "did", Value::Null, Some((sent.owed.saga.0, &sent.owed.step)));
    world.commit_and_crash();
    world.connect("host");
    assert_eq!(world.last("b").id(), "2.work.1");
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn r15_the_result_comes_up_at_once_and_the_end_waits_for_the_caller() {
    let mut world = held();
    assert_eq!(world.last("c").with("k"), "n1");
    assert_eq!(world.state(2), State::Running, "its caller may still undo it");
    assert!(!world.commands().contains(&"tell".to_owned()), "so its `finally` waits");
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.verdict(1).result.as_deref(), Some(&json!({"n": "n1"})));
    assert_eq!(world.verdict(2).state, State::Completed);
    assert_eq!(world.commands(), ["a", "b", "s", "c", "tell"]);
    let wanted = ["saga_started 1", "saga_started 2", "saga_completed 1", "saga_completed 2"];
    assert_eq!(brackets(&world), wanted, "R1: one bracket each");
}

#[test]
fn r12_undoing_the_step_undoes_the_child_backwards() {
    let mut world = held();
    refuse(&mut world, "c");
    assert_eq!(world.state(1), State::Compensating);
    assert_eq!(world.state(2), State::Compensating);
    did(&mut world, "un_s");
    assert!(!world.commands().contains(&"un_a".to_owned()), "R20: what came before waits");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.commands()[4..], ["un_s", "un_b", "tell", "un_a"]);
    assert_eq!(world.verdict(2).state, State::Compensated);
    assert_eq!(world.verdict(2).cause, Some(Cause::Cancelled));
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed));
    let wanted = ["saga_started 1", "saga_started 2", "saga_failed 2", "saga_failed 1"];
    assert_eq!(brackets(&world), wanted);
}

#[test]
fn r12_a_child_that_failed_leaves_nothing_to_undo() {
    let mut world = begun("k");
    did(&mut world, "b");
    refuse(&mut world, "s");
    assert_eq!(world.state(1), State::Running, "the child undoes first");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(2).state, State::Compensated);
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(1).reason.as_deref(), Some("no such thing"), "the leaf's own words");
    assert_eq!(world.commands(), ["a", "b", "s", "un_b", "tell", "un_a"]);
}

#[test]
fn r10_a_child_that_is_refused_fails_its_step() {
    let mut world = begun("bad");
    assert_eq!(world.states(), ["compensating"], "it never existed");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).reason.as_deref(), Some("no such key"));
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed));
}

#[test]
fn r18_a_child_that_is_queued_lets_its_step_wait() {
    let mut world = begun("k");
    go(&mut world, "k");
    did(&mut world, "a");
    assert_eq!(world.state(4), State::Queued);
    assert_eq!(world.commands(), ["a", "b", "a"]);
    // The first family is through, and the key is free.
    did(&mut world, "b");
    did(&mut world, "s");
    assert_eq!(world.state(4), State::Queued, "R24: a held one holds its key");
    let sent = world.last("c");
    assert_eq!(sent.owed.saga, SagaId(1));
    did(&mut world, "c");
    assert_eq!(world.state(4), State::Running);
    assert_eq!(world.last("b").owed.saga, SagaId(4));
}

#[test]
fn r13_a_cancel_goes_down_and_the_caller_waits_for_the_childs_end() {
    let mut world = begun("k");
    did(&mut world, "b");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    assert_eq!(world.state(2), State::Compensating);
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.commands(), ["a", "b", "s", "un_s", "un_b", "tell", "un_a"]);
    let reason = "saga 1 takes it back: enough";
    assert_eq!(world.verdict(2).reason.as_deref(), Some(reason));
    assert_eq!(world.verdict(1).cause, Some(Cause::Cancelled));
    assert_eq!(world.verdict(1).state, State::Compensated);
}

#[test]
fn r18_a_cancel_drops_a_queued_child() {
    let mut world = begun("k");
    go(&mut world, "k");
    did(&mut world, "a");
    world.signal(SagaId(3), Signal::Cancel, "enough").expect("it runs");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(4).state, State::Failed);
    assert_eq!(world.verdict(3).state, State::Compensated);
    let brackets = brackets(&world);
    assert!(!brackets.iter().any(|name| name.ends_with(" 4")), "it never started: {brackets:?}");
}

#[test]
fn r14_a_child_that_cannot_undo_makes_an_incident_of_its_caller_too() {
    let mut world = begun("k");
    // The child's own step gives up, and its undo never comes back.
    world.advance(Millis(10_000));
    assert_eq!(world.state(2), State::Compensating);
    assert_eq!(world.state(1), State::Running, "R20: it waits for the child's end");
    world.advance(Millis(10_000));
    assert_eq!(world.verdict(2).state, State::FailedCompensation);
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::FailedCompensation);
}

#[test]
fn r9_a_step_that_times_out_takes_its_child_back_before_it_goes_on() {
    let slow = PARENT
        .replace("timeout: 2m", "timeout: 5s, on_timeout: continue")
        .replace("with: { k: \"${{ steps.sub.result.n }}\" }, ", "");
    let slow = slow.replace("result: { n: \"${{ steps.sub.result.n }}\" }", "");
    let mut world = sagas(&[&slow, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    world.advance(Millis(5_000));
    assert_eq!(world.state(2), State::Compensating);
    assert!(!world.commands().contains(&"c".to_owned()), "its end is awaited");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(2).cause, Some(Cause::TimedOut));
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
}

#[test]
fn r11_a_retry_calls_a_new_child_after_the_former_has_ended() {
    let again = PARENT.replace(
        "timeout: 2m",
        "timeout: 2m, retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }",
    );
    let mut world = sagas(&[&again, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    assert_eq!(world.verdict(2).state, State::Failed);
    world.advance(Millis(1_000));
    assert_eq!(world.last("b").id(), "3.work.1");
    did(&mut world, "b");
    did(&mut world, "s");
    did(&mut world, "c");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.verdict(3).state, State::Completed);
}

#[test]
fn r14_an_incident_of_the_child_is_one_of_its_caller_until_it_is_settled() {
    let mut world = held();
    refuse(&mut world, "c");
    refuse(&mut world, "un_s");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(2).state, State::FailedCompensation);
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).state, State::FailedCompensation);
    // As long as the child is one, the caller cannot go on.
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.state(1), State::FailedCompensation);
    world.signal(SagaId(2), Signal::Retry, "mended").expect("it is an incident");
    did(&mut world, "un_s");
    assert_eq!(world.state(2), State::Compensated);
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r14_a_child_that_an_operator_resolved_lets_its_caller_go_on() {
    let mut world = held();
    refuse(&mut world, "c");
    refuse(&mut world, "un_s");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    world.signal(SagaId(2), Signal::Resolve, "undone by hand").expect("it is an incident");
    world.signal(SagaId(1), Signal::Retry, "again").expect("it is an incident");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r13_a_held_child_is_not_cancelled_by_itself() {
    let mut world = held();
    let refused = world.signal(SagaId(2), Signal::Cancel, "enough").expect_err("it is held");
    assert!(refused.message.contains("held for saga 1"), "{}", refused.message);
    world.advance(Millis(10_000));
    did(&mut world, "un_c");
    assert_eq!(world.state(2), State::Compensating, "`two` timed out in its caller");
}

#[test]
fn r9_a_held_childs_own_deadline_is_over() {
    let patient = PARENT
        .replace("await: { echo: did } }\nresult", "await: { echo: did }, timeout: 5m }\nresult");
    let mut world = sagas(&[&patient, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "s");
    world.advance(Millis(120_000));
    assert_eq!(world.state(2), State::Running);
    did(&mut world, "c");
    assert_eq!(world.verdict(2).state, State::Completed);
}

#[test]
fn r24_held_children_of_one_loop_do_not_stand_in_each_others_way() {
    let each = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
steps:
  - id: each
    for_each: { in: "[\"x\", \"x\", \"x\"]", as: k, collect: steps.sub.result.n }
    steps:
      - { id: sub, call: child, with: { k: "${{ k }}" } }
    join: all
result: { all: "${{ steps.each.collected }}" }
"#;
    let mut world = sagas(&[each, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    assert_eq!(world.states(), ["running", "running", "queued", "queued"]);
    // Somebody else waits for the key; the family goes past.
    world.start("child", json!({"k": "x"})).expect("it may wait");
    for n in ["1", "2", "3"] {
        let sent = world.last("b");
        world.echo(&sent, "did", json!({"k": n})).expect("it is declared");
        did(&mut world, "s");
    }
    assert_eq!(world.verdict(1).result.as_deref(), Some(&json!({"all": ["1", "2", "3"]})));
    assert_eq!(world.last("b").owed.saga, SagaId(5), "now it is free");
}

#[test]
fn r12_a_loop_of_calls_is_undone_child_by_child() {
    let each = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: each
    for_each: { in: "[\"x\", \"y\"]", as: k, max_parallel: 1 }
    steps:
      - { id: sub, call: child, with: { k: "${{ k }}" } }
    join: all
  - { id: two, issue: c, await: { echo: did } }
"#;
    let mut world = sagas(&[each, CHILD]);
    world.connect("host");
    world.connect("srv");
    go(&mut world, "k");
    for _ in 0..2 {
        did(&mut world, "b");
        did(&mut world, "s");
    }
    refuse(&mut world, "c");
    assert_eq!(world.states(), ["compensating", "running", "compensating"], "the last one first");
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    assert_eq!(world.last("un_s").owed.saga, SagaId(2));
    did(&mut world, "un_s");
    did(&mut world, "un_b");
    assert_eq!(world.verdict(1).state, State::Compensated);
}
