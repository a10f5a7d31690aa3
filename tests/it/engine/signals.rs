//! What a person or client says to a saga \[R5, R21, R22, W9\].

use sagaflow::coordinator::RefusalCode;
use sagaflow::saga::record::{Cause, Record, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, ends, go, it, refuse};
use crate::world::World;

const APPROVED: &str = r#"
timeout: 10m
signals:
  approve: { doc: It may go on., fields: { by: { type: string }, n: { type: integer, default: 1 } } }
  deny: { fields: { why: { type: string, default: no reason } } }
vars: { by: "" }
steps:
  - { id: one, issue: a, await: { echo: did }, timeout: 10s }
  - id: gate
    await: { signal: approve, where: event.n > 0, save: { by: "${{ event.by }}" } }
    fail_on: [{ signal: deny, reason: "denied: ${{ event.why }}" }]
    timeout: 1m
    on_timeout: fail
  - { id: two, issue: b, await: { echo: did }, timeout: 10s }
result: { by: "${{ vars.by }}" }
"#;

fn gate() -> World {
    let mut world = it(APPROVED);
    go(&mut world, "k");
    did(&mut world, "a");
    world
}

#[test]
fn a_signal_satisfies_the_wait_and_what_it_carries_is_saved() {
    let mut world = gate();
    world.say_to(1, "approve", json!({"by": "ann"}), None).expect("it is awaited");
    did(&mut world, "b");
    assert_eq!(world.verdict(1).result.expect("it has one")["by"], "ann");
}

#[test]
fn r22_a_signal_of_fail_on_fails_the_step_and_the_saga_undoes() {
    let mut world = gate();
    world.say_to(1, "deny", json!({"why": "too dear"}), None).expect("it is awaited");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::ActionFailed)));
    assert_eq!(verdict.reason.as_deref(), Some("denied: too dear"));
}

#[test]
fn r21_a_signal_that_nobody_awaits_is_refused_leaves_no_record_and_may_be_said_again() {
    let mut world = it(APPROVED);
    go(&mut world, "k");
    let records = world.records().len();
    let early = world.say_to(1, "approve", json!({"by": "ann"}), Some("s-1"));
    let early = early.expect_err("`one` is open");
    assert_eq!(early.code, RefusalCode::Refused);
    assert!(early.message.contains("does not await `approve` now"), "{}", early.message);
    assert_eq!(world.records().len(), records);
    did(&mut world, "a");
    // The same id: nothing was taken under it.
    world.say_to(1, "approve", json!({"by": "ann"}), Some("s-1")).expect("now it is awaited");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn w9_a_signal_that_is_repeated_under_its_id_is_taken_once_also_across_a_crash() {
    let mut world = it(r#"
timeout: 10m
signals: { next: {} }
steps:
  - { id: one, await: { signal: next }, timeout: none }
  - { id: two, await: { signal: next }, timeout: none }
  - { id: three, await: { signal: next }, timeout: none }
"#);
    go(&mut world, "k");
    let first = world.say_to(1, "next", Value::Null, Some("s-1")).expect("it is awaited");
    assert_eq!(world.say_to(1, "next", Value::Null, Some("s-1")), Ok(first));
    world.crash();
    assert_eq!(world.say_to(1, "next", Value::Null, Some("s-1")), Ok(first));
    assert_eq!(ends(&world), ["one succeeded"]);
    world.say_to(1, "next", Value::Null, Some("s-2")).expect("it is awaited");
    let last = world.say_to(1, "next", Value::Null, Some("s-3")).expect("it is awaited");
    // It has ended by that very signal, and who did not hear so asks again.
    assert_eq!(world.say_to(1, "next", Value::Null, Some("s-3")), Ok(last));
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let mut world = gate();
    let mut said = |signal: &str, input: Value| {
        let refusal = world.say_to(1, signal, input, None).expect_err(signal);
        (refusal.code, refusal.message)
    };
    let (code, words) = said("aprove", json!({}));
    assert!(code == RefusalCode::Refused && words.contains("did you mean `approve`?"), "{words}");
    let (code, words) = said("approve", json!({}));
    assert!(code == RefusalCode::InvalidPayload && words.contains("`by`"), "{words}");
    let (code, words) = said("approve", json!({"by": "ann", "m": 1}));
    assert!(code == RefusalCode::InvalidPayload && words.contains("`m`"), "{words}");
    let (code, words) = said("approve", json!({"by": "ann", "n": 0}));
    assert!(code == RefusalCode::Refused && words.contains("`where`"), "{words}");
    assert_eq!(world.state(1), State::Running);
    let never = world.say_to(7, "approve", json!({"by": "ann"}), None).expect_err("no saga 7");
    assert_eq!(never.code, RefusalCode::UnknownSaga);
}

#[test]
fn a_signal_that_nobody_says_times_out_as_the_author_says() {
    for (then, state) in [
        ("on_timeout: fail", State::Compensated),
        ("on_timeout: continue", State::Completed),
        ("on_timeout: [{ id: instead, delay: 1s }]", State::Completed),
    ] {
        let mut world = it(&APPROVED.replace("on_timeout: fail", then));
        go(&mut world, "k");
        did(&mut world, "a");
        world.advance(Millis(61_000));
        did(&mut world, if state == State::Compensated { "un_a" } else { "b" });
        assert_eq!(world.state(1), state, "{then}");
    }
}

#[test]
fn r5_a_report_is_no_signal_and_a_signal_no_report_though_they_have_one_name() {
    let mut world = it(r#"
timeout: 10m
signals: { nudged: { fields: { k: { type: string } } } }
steps:
  - { id: one, await: { signal: nudged }, timeout: none }
  - { id: two, await: { event: nudged, where: event.k == input.k }, timeout: none }
"#);
    go(&mut world, "k");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(ends(&world), Vec::<String>::new());
    world.say_to(1, "nudged", json!({"k": "k"}), None).expect("it is awaited");
    world.say_to(1, "nudged", json!({"k": "k"}), None).expect_err("`two` waits for a report");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r22_of_several_alternatives_a_signal_may_win_and_its_fields_are_common_ones() {
    let mut world = it(r#"
timeout: 10m
signals: { skip: { fields: { k: { type: string } } } }
steps:
  - id: one
    issue: a
    await: { any_of: [{ echo: did }, { signal: skip }] }
    timeout: 10s
    on_timeout: fail
result: { k: "${{ steps.one.echo.k }}" }
"#);
    go(&mut world, "k");
    world.say_to(1, "skip", json!({"k": "said"}), None).expect("it is awaited");
    assert_eq!(world.verdict(1).result.expect("it has one")["k"], "said");
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed, "an answer that comes later changes nothing");
}

#[test]
fn each_element_of_a_loop_takes_the_signal_that_names_it_also_across_a_crash() {
    let mut world = it(r#"
timeout: 10m
signals: { done: { fields: { number: { type: integer } } } }
steps:
  - id: each
    for_each: { in: "[1, 2, 3]", as: number }
    steps:
      - { id: gate, await: { signal: done, where: event.number == number }, timeout: none }
    join: all
"#);
    go(&mut world, "k");
    for number in [2, 3] {
        world.say_to(1, "done", json!({ "number": number }), None).expect("it is awaited");
        world.crash();
    }
    world.say_to(1, "done", json!({"number": 2}), None).expect_err("that one is over");
    world.say_to(1, "done", json!({"number": 1}), None).expect("it is awaited");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn all_of_takes_signals_and_reports_in_any_order() {
    let mut world = it(r#"
timeout: 10m
signals: { fine: {}, sure: {} }
steps:
  - id: one
    await:
      all_of:
        - { signal: fine }
        - { signal: sure }
        - { event: nudged, where: event.k == input.k }
    timeout: none
"#);
    go(&mut world, "k");
    world.say_to(1, "sure", Value::Null, None).expect("it is awaited");
    world.say_to(1, "sure", Value::Null, None).expect_err("once is enough");
    world.crash();
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    world.say_to(1, "fine", Value::Null, None).expect("it is awaited");
    assert_eq!(world.state(1), State::Completed);
}

/// [R19] A person who knows better settles a doubt before the undo begins.
#[test]
fn r19_a_signal_settles_a_doubt_whose_undo_has_not_begun() {
    let mut world = it(r#"
timeout: 10m
signals: { it_worked: {} }
steps:
  - id: one
    issue: a
    await: { any_of: [{ echo: did }, { signal: it_worked }] }
    timeout: 10s
    on_timeout: continue
  - { id: two, issue: b, await: { echo: did }, timeout: 1m }
"#);
    go(&mut world, "k");
    world.advance(Millis(11_000));
    assert_eq!(ends(&world), ["one in_doubt"]);
    world.say_to(1, "it_worked", Value::Null, None).expect("it settles a doubt");
    assert_eq!(ends(&world), ["one in_doubt", "one succeeded"]);
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn what_was_said_is_told_with_the_saga_by_whom_and_with_which_fields() {
    let mut world = gate();
    world.say_to(1, "approve", json!({"by": "ann"}), None).expect("it is awaited");
    let said = world.records().into_iter().filter_map(|fact| {
        let Record::Signalled(said) = &fact.record else { return None };
        Some((said.by.to_string(), said.fields.to_string()))
    });
    let said: Vec<(String, String)> = said.collect();
    assert_eq!(said, [("tool".to_owned(), r#"{"by":"ann","n":1}"#.to_owned())]);
}
