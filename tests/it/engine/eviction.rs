//! Who gives way \[R17, R18, R24\]: every policy, with keys and lists of keys,
//! through undoing and crashes.

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::saga::decide::{Input, Place, decide};
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, go, of, refuse};
use crate::world::World;

fn world(eviction: &str) -> World {
    let mut world = of(&format!(
        r#"
saga: it
trigger:
  any_of:
    - {{ event: go, input: {{ k: "${{{{ trigger.k }}}}", l: "${{{{ trigger.l }}}}" }} }}
    - {{ call: {{ fields: {{ k: {{ type: string }} }} }}, input: {{ k: "${{{{ trigger.k }}}}",
        l: "" }} }}
eviction: {eviction}
timeout: 10m
defaults: {{ timeout: 10s }}
steps:
  - {{ id: one, issue: a, with: {{ k: "${{{{ input.k }}}}" }}, await: {{ echo: did }} }}
"#
    ));
    world.connect("host");
    world
}

fn states(world: &World, sagas: &[u64]) -> Vec<State> {
    sagas.iter().map(|saga| world.state(*saga)).collect()
}

/// Answers what that saga's step asked.
fn finish(world: &mut World, saga: u64) {
    let asked = world.sent().iter().rev().find(|sent| sent.owed.saga == SagaId(saga));
    let asked = asked.expect("it asked").clone();
    let event = if asked.cmd() == "un_a" { "undid" } else { "did" };
    world.echo(&asked, event, Value::Null).expect("it is the host's to say");
}

use State::{Compensated, Completed, Failed, Queued, Running};

#[test]
fn r17_parallel_lets_both_run() {
    let mut world = world("{ policy: parallel }");
    go(&mut world, "k");
    go(&mut world, "k");
    assert_eq!(states(&world, &[1, 2]), [Running, Running]);
}

#[test]
fn r17_refuse_tells_the_caller_who_holds_the_key() {
    let mut world = world("{ key: input.k, policy: refuse }");
    go(&mut world, "k");
    let refused = world.start("it", json!({"k": "k"})).expect_err("the key is held");
    assert_eq!(refused.code, RefusalCode::Refused);
    assert!(refused.message.contains("saga 1"), "{}", refused.message);
    assert_eq!(world.start("it", json!({"k": "other"})), Ok(SagaId(2)), "no id was used up");
    finish(&mut world, 1);
    assert_eq!(world.start("it", json!({"k": "k"})), Ok(SagaId(3)));
}

#[test]
fn r17_ignore_drops_and_counts_an_event_and_tells_a_caller() {
    let mut world = world("{ key: input.k, policy: ignore }");
    go(&mut world, "k");
    go(&mut world, "k");
    assert_eq!(world.coordinator().sagas().count(), 1);
    assert_eq!(world.coordinator().turned_away().get("it"), Some(&1));
    let refused = world.start("it", json!({"k": "k"})).expect_err("the key is held");
    assert!(refused.message.contains("saga 1"), "{}", refused.message);
}

#[test]
fn r17_without_a_key_the_name_is_the_key() {
    let mut world = world("{ policy: refuse }");
    go(&mut world, "k");
    world.start("it", json!({"k": "other"})).expect_err("one at a time");
}

#[test]
fn r18_queue_starts_in_order_of_arrival_and_has_no_bracket_before() {
    let mut world = world("{ key: input.k, policy: queue, queue_max: 5 }");
    for _ in 0..3 {
        go(&mut world, "k");
    }
    assert_eq!(states(&world, &[1, 2, 3]), [Running, Queued, Queued]);
    assert_eq!(world.published("saga_started").len(), 1);
    world.advance(Millis(5_000));
    finish(&mut world, 1);
    assert_eq!(states(&world, &[1, 2, 3]), [Completed, Running, Queued]);
    finish(&mut world, 2);
    finish(&mut world, 3);
    let story = world.story();
    let brackets: Vec<&String> = story.iter().filter(|line| line.starts_with("saga_")).collect();
    let wanted = [
        "saga_started 1",
        "saga_completed 1",
        "saga_started 2",
        "saga_completed 2",
        "saga_started 3",
        "saga_completed 3",
    ];
    assert_eq!(brackets, wanted);
}

#[test]
fn r18_beyond_queue_max_it_refuses() {
    let mut world = world("{ key: input.k, policy: queue, queue_max: 1 }");
    go(&mut world, "k");
    go(&mut world, "k");
    let refused = world.start("it", json!({"k": "k"})).expect_err("one may wait");
    assert!(refused.message.contains("the most is 1"), "{}", refused.message);
}

#[test]
fn r18_queue_max_counts_those_that_wait_even_where_nobody_holds() {
    let mut world = world("{ key: [input.k, input.l], policy: queue, queue_max: 1 }");
    pair(&mut world, "x", "x");
    pair(&mut world, "x", "z");
    // `z` is held by nobody, but a saga waits for it.
    world.start("it", json!({"k": "z"})).expect_err("one waits for `z` already");
}

#[test]
fn r18_a_queued_saga_has_no_deadline_and_starts_its_clock_when_it_starts() {
    let mut world = world("{ key: input.k, policy: queue, queue_max: 5 }");
    go(&mut world, "k");
    go(&mut world, "k");
    world.disconnect("host");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    world.advance(Millis(74_000));
    assert_eq!(world.state(2), Queued, "twelve minutes, and its holder still undoes");
    world.connect("host");
    finish(&mut world, 1);
    assert_eq!(world.state(2), Running);
    let (saga, _) = world.coordinator().saga(SagaId(2)).expect("it runs");
    assert_eq!(saga.due, Some(world.now() + Millis(600_000)));
}

#[test]
fn r18_a_queued_saga_that_is_cancelled_has_no_bracket() {
    let mut world = world("{ key: input.k, policy: queue, queue_max: 5 }");
    for _ in 0..3 {
        go(&mut world, "k");
    }
    world.signal(SagaId(2), Signal::Cancel, "never mind").expect("it waits");
    assert_eq!(world.state(2), Failed);
    assert!(world.terminals(2).is_empty());
    finish(&mut world, 1);
    assert_eq!(world.state(3), Running);
    assert!(!world.story().contains(&"saga_started 2".to_owned()));
}

#[test]
fn r18_the_queue_survives_a_crash() {
    let mut world = world("{ key: input.k, policy: queue, queue_max: 5 }");
    for _ in 0..3 {
        go(&mut world, "k");
    }
    world.crash();
    world.connect("host");
    assert_eq!(states(&world, &[1, 2, 3]), [Running, Queued, Queued]);
    finish(&mut world, 1);
    assert_eq!(states(&world, &[2, 3]), [Running, Queued]);
}

#[test]
fn r18_a_long_queue_of_sagas_that_end_at_once_is_emptied() {
    let mut world = of(r#"
saga: it
trigger: { event: go }
input: { n: "${{ trigger.n }}" }
eviction: { policy: queue, queue_max: 4000 }
timeout: 10m
steps:
  - { id: first, if: "input.n == 1", issue: look, await: { echo: did }, timeout: 10s }
  - { id: over, done: true }
"#);
    world.connect("host");
    world.report("tool", "go", json!({"k": "k", "n": 1})).expect("it is declared");
    for _ in 0..4_000 {
        world.hear("tool", "go", json!({"k": "k"}), None);
    }
    // All in one turn, and no deeper than one saga.
    did(&mut world, "look");
    assert!(world.open().is_empty());
}

#[test]
fn r17_replace_evicts_the_holder_and_starts_after_it_has_undone() {
    let mut world = world("{ key: input.k, policy: replace }");
    go(&mut world, "k");
    go(&mut world, "other");
    go(&mut world, "k");
    assert_eq!(states(&world, &[1, 2, 3]), [State::Compensating, Running, Queued]);
    finish(&mut world, 1);
    assert_eq!(states(&world, &[1, 2, 3]), [Compensated, Running, Running]);
    let verdict = world.verdict(1);
    assert_eq!(verdict.cause, Some(Cause::Evicted));
    assert_eq!(verdict.reason.as_deref(), Some("evicted by saga 3 of the same key"));
    let story = world.story();
    let at = |line: &str| story.iter().position(|l| l == line).expect("it was published");
    assert!(at("saga_failed 1") < at("saga_started 3"));
}

#[test]
fn r18_under_replace_one_waits_and_a_newer_one_takes_its_place() {
    let mut world = world("{ key: input.k, policy: replace }");
    for _ in 0..3 {
        go(&mut world, "k");
    }
    assert_eq!(states(&world, &[2, 3]), [Failed, Queued]);
    assert!(world.terminals(2).is_empty(), "it never started");
    finish(&mut world, 1);
    assert_eq!(world.state(3), Running);
}

#[test]
fn r18_under_replace_the_place_in_a_queue_that_nobody_holds_is_taken_too() {
    let mut world = world("{ key: [input.k, input.l], policy: replace }");
    pair(&mut world, "x", "x");
    pair(&mut world, "x", "z");
    pair(&mut world, "z", "z");
    assert_eq!(states(&world, &[2, 3]), [Failed, Running], "nobody holds `z`");
}

#[test]
fn r17_an_evicted_saga_that_had_nothing_to_undo_failed_as_evicted() {
    let mut world = world("{ key: input.k, policy: replace }");
    world.disconnect("host");
    go(&mut world, "k");
    go(&mut world, "k");
    assert_eq!(states(&world, &[1, 2]), [Failed, Running]);
    assert_eq!(world.published("saga_failed")[0].fields["outcome"], json!("evicted"));
}

#[test]
fn r24_a_key_is_held_until_undoing_is_over() {
    let mut world = world("{ key: input.k, policy: refuse }");
    go(&mut world, "k");
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    world.start("it", json!({"k": "k"})).expect_err("undoing holds it");
    finish(&mut world, 1);
    world.start("it", json!({"k": "k"})).expect("it is free");
}

#[test]
fn r24_eviction_past_a_pivot_waits_for_the_end() {
    let mut world = super::it(
        r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did }, pivot: true }
  - { id: two, issue: b, await: { echo: did } }
",
    );
    go(&mut world, "k");
    did(&mut world, "a");
    // `validate` allows no `replace` past a pivot, so the question is put to the saga itself.
    let (saga, plan) = world.coordinator().saga(SagaId(1)).expect("it runs");
    let (mut saga, reason) = (saga.clone(), "evicted".into());
    let mut seq = world.coordinator().world().next_seq;
    let place = Place { now: world.now(), depth: 0, seq: &mut seq };
    let mut records = Vec::new();
    let (targets, input) = (&world.coordinator().world().targets, Input::Evict { reason: &reason });
    decide(plan, &mut saga, targets, input, place, &mut records).expect("its facts are its own");
    assert_eq!(records, [], "it goes on, and its key is held until it ends");
    assert!(saga.is_active());
}

fn pair(world: &mut World, k: &str, l: &str) {
    world.report("tool", "go", json!({"k": k, "l": l})).expect("it is declared");
}

#[test]
fn r17_lists_contend_when_they_share_an_element() {
    let mut world = world("{ key: [input.k, input.l], policy: queue, queue_max: 9 }");
    pair(&mut world, "x", "z");
    pair(&mut world, "z", "w");
    pair(&mut world, "u", "v");
    pair(&mut world, "w", "t");
    assert_eq!(states(&world, &[1, 2, 3, 4]), [Running, Queued, Running, Queued]);
    world.crash();
    world.connect("host");
    finish(&mut world, 1);
    assert_eq!(states(&world, &[2, 4]), [Running, Queued], "the fourth came after the second");
    finish(&mut world, 2);
    assert_eq!(world.state(4), Running);
}

#[test]
fn r24_a_list_waits_for_all_of_its_keys() {
    let mut world = world("{ key: [input.k, input.l], policy: queue, queue_max: 9 }");
    pair(&mut world, "x", "x");
    pair(&mut world, "z", "z");
    pair(&mut world, "x", "z");
    finish(&mut world, 1);
    assert_eq!(world.state(3), Queued);
    finish(&mut world, 2);
    assert_eq!(world.state(3), Running);
}

#[test]
fn r18_a_cancelled_waiter_lets_those_behind_it_pass() {
    let mut world = world("{ key: [input.k, input.l], policy: queue, queue_max: 9 }");
    pair(&mut world, "x", "x");
    pair(&mut world, "x", "z");
    pair(&mut world, "z", "z");
    assert_eq!(states(&world, &[2, 3]), [Queued, Queued]);
    world.signal(SagaId(2), Signal::Cancel, "never mind").expect("it waits");
    assert_eq!(world.state(3), Running);
}

#[test]
fn r10_require_is_checked_on_arrival_and_refuses_without_a_trace() {
    let mut world = of(r#"
saga: it
trigger: { call: { fields: { k: { type: string } } } }
input: { k: "${{ trigger.k }}" }
require: [{ that: "input.k != 'bad'", otherwise: "no ${{ input.k }} here" }]
eviction: { policy: queue, queue_max: 5 }
timeout: 10m
steps: [{ id: one, issue: a, await: { echo: did }, timeout: 10s }]
"#);
    world.connect("host");
    world.client("tool");
    let records = world.records().len();
    let refused = world.start("it", json!({"k": "bad"})).expect_err("a guard refuses");
    assert_eq!((refused.code, &*refused.message), (RefusalCode::Refused, "no bad here"));
    assert_eq!(world.records().len(), records, "no id, no record, no bracket");
    assert_eq!(world.start("it", json!({"k": "good"})), Ok(SagaId(1)));
    world.start("it", json!({"k": "bad"})).expect_err("a guard refuses before it may wait");
    assert_eq!(world.start("it", json!({"k": "good"})), Ok(SagaId(2)));
}

#[test]
fn r10_a_trigger_that_is_refused_is_counted() {
    let mut world = of(r#"
saga: it
trigger: { event: go }
input: { n: "${{ trigger.n }}" }
require: [{ that: "10 / input.n > 1", otherwise: too much }]
eviction: { policy: parallel }
timeout: 10m
steps: [{ id: one, issue: a, await: { echo: did }, timeout: 10s }]
"#);
    go(&mut world, "k");
    assert_eq!(world.coordinator().turned_away().get("it"), Some(&1));
    assert_eq!(world.coordinator().sagas().count(), 0);
}

/// \[bg_3_10_P7\]
#[test]
fn r17_a_failed_saga_frees_its_key_for_the_next_in_the_same_turn() {
    let mut world = world("{ key: input.k, policy: queue, queue_max: 5 }");
    go(&mut world, "k");
    go(&mut world, "k");
    refuse(&mut world, "a");
    assert_eq!(states(&world, &[1, 2]), [Failed, Running]);
    let ended = world.facts().find(|fact| {
        fact.saga == Some(SagaId(1))
            && matches!(fact.record, sagaflow::saga::record::Record::Ended(_))
    });
    let began = world.facts().find(|fact| {
        fact.saga == Some(SagaId(2))
            && matches!(fact.record, sagaflow::saga::record::Record::Dequeued(_))
    });
    let numbers = ended
        .map(|fact| fact.seq.0 + 1)
        .zip(began.map(|fact| fact.seq.0))
        .expect("both are recorded");
    assert_eq!(numbers.0, numbers.1, "end and dequeue are one transition");
}
