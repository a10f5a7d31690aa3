//! What a saga does on the side \[R21, R22, R23, P3, P5\].

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Record, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{alone, did, go, it, refuse};
use crate::world::World;

const REACTS: &str = r#"
timeout: 10m
reactions:
  - { event: nudged, where: event.k == input.k, issue: a, with: { k: "${{ event.k }}" } }
  - { event: nudged, where: event.k == input.k, emit: told }
  - { echo: did_too, issue: tell }
steps:
  - { id: one, issue: b, await: { echo: did }, timeout: 1m }
  - { id: two, await: { event: nudged, where: event.k == input.k }, timeout: 1m }
"#;

fn sent(world: &World, cmd: &str) -> usize {
    world.sent().iter().filter(|sent| sent.cmd() == cmd).count()
}

fn nudge(world: &mut World, k: &str) {
    world.report("tool", "nudged", json!({ "k": k })).expect("it is declared");
}

#[test]
fn r22_each_match_fires_once_in_order_and_changes_nothing_else() {
    let mut world = it(REACTS);
    go(&mut world, "k");
    nudge(&mut world, "other");
    assert_eq!((sent(&world, "a"), world.published("told").len()), (0, 0));
    nudge(&mut world, "k");
    nudge(&mut world, "k");
    assert_eq!((sent(&world, "a"), world.published("told").len()), (2, 2));
    assert_eq!(world.last("a").id(), "1.reaction[0].2");
    assert_eq!(world.last("a").owed.step.as_ref(), "reaction[0]");
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn r22_an_echo_is_any_answer_to_the_saga_and_an_organic_report_is_none() {
    let mut world = it(REACTS);
    go(&mut world, "k");
    world.report("host", "did_too", json!({})).expect("it is declared");
    assert_eq!(sent(&world, "tell"), 0);
    let asked = world.last("b");
    world.echo(&asked, "did_too", Value::Null).expect("it is the target's to say");
    assert_eq!((sent(&world, "tell"), world.state(1)), (1, State::Running));
}

#[test]
fn r22_a_report_that_a_wait_took_is_seen_by_reactions_unless_it_ended_the_saga() {
    let mut world = it(&REACTS.replace("timeout: 1m }\n\"#", "timeout: 1m }"));
    go(&mut world, "k");
    did(&mut world, "b");
    nudge(&mut world, "k");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(sent(&world, "a"), 0, "it had ended");
    let more =
        format!("{REACTS}  - {{ id: three, issue: c, await: {{ echo: did }}, timeout: 1m }}");
    let mut world = it(&more);
    go(&mut world, "k");
    did(&mut world, "b");
    nudge(&mut world, "k");
    assert_eq!((sent(&world, "a"), sent(&world, "c")), (1, 1));
}

#[test]
fn r21_what_started_the_saga_is_not_reacted_to_and_what_turned_it_around_neither() {
    let mut world = it(r#"
timeout: 10m
reactions: [{ event: go, where: event.k == input.k, issue: tell }]
cancel_on: [{ event: stopped, where: event.k == input.k }]
steps: [{ id: one, issue: b, await: { echo: did }, timeout: 1m }]
"#);
    go(&mut world, "k");
    assert_eq!(sent(&world, "tell"), 0);
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it goes forward");
    let before = sent(&world, "tell");
    go(&mut world, "k");
    assert_eq!(sent(&world, "tell"), before, "it undoes");
}

#[test]
fn p5_the_saga_ends_when_what_its_reactions_owe_was_sent() {
    let mut world = it(r#"
timeout: 10m
reactions: [{ event: nudged, where: event.k == input.k, issue: s }]
steps: [{ id: one, issue: b, await: { echo: did }, timeout: 1m }]
"#);
    go(&mut world, "k");
    nudge(&mut world, "k");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Running, "`srv` is away");
    world.crash();
    assert_eq!(world.state(1), State::Running);
    world.connect("srv");
    assert_eq!((world.state(1), sent(&world, "s")), (State::Completed, 1));
}

#[test]
fn p3_what_waits_too_long_is_a_failure_on_record_and_the_saga_ends() {
    let mut world = it(r#"
timeout: 10m
reactions: [{ event: nudged, where: event.k == input.k, issue: s }]
steps: [{ id: one, issue: b, await: { echo: did }, timeout: 1m }]
finally: [{ id: tidy, issue: look, await: { echo: did }, timeout: 1m }]
"#);
    go(&mut world, "k");
    nudge(&mut world, "k");
    refuse(&mut world, "b");
    did(&mut world, "look");
    assert_eq!(world.terminals(1).len(), 0);
    world.advance(Millis(6_000));
    assert_eq!(world.state(1), State::Failed);
    let failed = world
        .records()
        .into_iter()
        .any(|fact| matches!(&fact.record, Record::ReactionOver(over) if over.failure.is_some()));
    assert!(failed);
}

#[test]
fn p5_what_no_session_was_told_is_sent_again_under_its_id_after_a_crash() {
    let mut world = alone(REACTS);
    go(&mut world, "k");
    nudge(&mut world, "k");
    world.crash();
    world.connect("host");
    assert_eq!(world.last("a").id(), "1.reaction[0].1");
    nudge(&mut world, "k");
    assert_eq!(world.last("a").id(), "1.reaction[0].2");
}

#[test]
fn r23_a_circle_of_a_reaction_ends() {
    let mut world = it(r#"
timeout: 10m
reactions:
  - { event: nudged, where: event.k == input.k, emit: nudged, with: { k: "${{ event.k }}" } }
steps: [{ id: one, issue: b, await: { echo: did }, timeout: 1m }]
"#);
    go(&mut world, "k");
    nudge(&mut world, "k");
    assert!(world.published("nudged").len() <= 20);
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn a_value_that_cannot_be_had_fails_the_reaction_alone_and_so_does_a_refusal() {
    let mut world = it(r#"
timeout: 10m
reactions:
  - { event: go, where: event.k == input.k, issue: a, with: { k: "${{ string(1 / event.n) }}" } }
steps: [{ id: one, issue: b, await: { echo: did }, timeout: 1m }]
"#);
    go(&mut world, "k");
    go(&mut world, "k");
    assert_eq!((sent(&world, "a"), world.state(1)), (0, State::Running));
    world.report("tool", "go", json!({"k": "k", "n": 1})).expect("it is declared");
    refuse(&mut world, "a");
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn r5_a_reactions_command_is_its_targets_alone_to_refuse() {
    let mut world = it(REACTS);
    world.connect("srv");
    go(&mut world, "k");
    nudge(&mut world, "k");
    let asked = world.last("a");
    let srv = world.client("srv");
    let step = (asked.owed.saga, &*asked.owed.step);
    let reason = std::sync::Arc::from("not mine");
    world.begin_turn();
    let refused = world.coordinator_mut().action_failed(&srv, step, None, &reason);
    assert_eq!(refused.expect_err("it is the host's").code, RefusalCode::NotAllowed);
    world.turn();
    assert!(!world.of_saga(1).any(|record| matches!(record, Record::ReactionOver(over) if
        over.failure.is_some())));
}
