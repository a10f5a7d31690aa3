//! What satisfies a wait and what does not \[R5, R6, R21, R22, R23\].

use sagaflow::coordinator::RefusalCode;
use sagaflow::ids::SagaId;
use sagaflow::log::LogRead;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, ends, go, it, of, sagas};
use crate::world::World;

const ONE: &str =
    "timeout: 10m\nsteps: [{ id: one, issue: a, await: { echo: did }, timeout: 10s }]";

#[test]
fn r5_an_organic_report_never_satisfies_an_echo() {
    let mut world = it(ONE);
    go(&mut world, "k");
    world.report("host", "did", json!({})).expect("it is declared");
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn r5_another_sagas_echo_never_satisfies_this_one() {
    let mut world = it(ONE);
    go(&mut world, "k");
    go(&mut world, "k");
    did(&mut world, "a");
    assert_eq!((world.state(1), world.state(2)), (State::Running, State::Completed));
}

#[test]
fn r5_another_steps_echo_and_another_clients_answer_count_for_nothing() {
    let mut world = it("timeout: 10m\ndefaults: { timeout: 10s }\nsteps: [{ id: one, issue: a, \
            await: { echo: did } }, { id: two, issue: b, await: { echo: did } }]");
    go(&mut world, "k");
    let two = Some((1, "two"));
    world.report_with("host", "did", json!({}), two, None).expect("it is the host's to say");
    assert_eq!(ends(&world), Vec::<String>::new(), "`two` was not entered");
    let one = Some((1, "one"));
    let refused = world.report_with("tool", "did", json!({}), one, None).expect_err("not a tool's");
    assert_eq!(refused.code, RefusalCode::NotAllowed);
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn r5_any_of_takes_the_first_alternative_in_order() {
    let mut world = it(r#"
timeout: 10m
vars: { way: "" }
steps:
  - id: one
    issue: a
    await:
      any_of:
        - { echo: did, where: event.n == 1, save: { way: narrow } }
        - { echo: did, save: { way: wide } }
        - { echo: did_too, save: { way: other } }
    timeout: 10s
result: { way: "${{ vars.way }}" }
"#);
    for (event, fields, way) in [
        ("did", json!({"n": 1}), "narrow"),
        ("did", json!({"n": 2}), "wide"),
        ("did_too", json!({}), "other"),
    ] {
        go(&mut world, "k");
        let asked = world.last("a");
        world.echo(&asked, event, fields).expect("it is the host's to say");
        let result = world.verdict(asked.owed.saga.0).result.expect("it has one");
        assert_eq!(result["way"], way);
    }
}

#[test]
fn r22_all_of_waits_for_every_alternative_in_any_order_across_a_crash() {
    let mut world = it(r#"
timeout: 10m
vars: { one: "", two: "" }
steps:
  - id: both
    issue: a
    await:
      all_of:
        - { echo: did, save: { one: "${{ event.k }}" } }
        - { echo: did_too, save: { two: "${{ event.k }}" } }
    timeout: 10s
result: { one: "${{ vars.one }}", two: "${{ vars.two }}" }
"#);
    go(&mut world, "k");
    let asked = world.last("a");
    world.echo(&asked, "did_too", json!({"k": "second"})).expect("it is the host's to say");
    world.echo(&asked, "did_too", json!({"k": "twice"})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Running);
    world.crash();
    world.connect("host");
    world.echo(&asked, "did", json!({"k": "first"})).expect("it is the host's to say");
    let result = world.verdict(1).result.expect("it has one");
    assert_eq!(*result, json!({"one": "first", "two": "second"}));
}

#[test]
fn r22_fail_on_is_looked_at_before_the_wait() {
    let mut world = it(r#"
timeout: 10m
steps:
  - id: one
    issue: look
    await: { echo: did }
    fail_on: [{ echo: did, where: event.n > 1, reason: "too many: ${{ event.n }}" }]
    timeout: 10s
"#);
    go(&mut world, "k");
    let asked = world.last("look");
    world.echo(&asked, "did", json!({"n": 2})).expect("it is the host's to say");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::ActionFailed)));
    assert_eq!(verdict.reason.as_deref(), Some("too many: 2"));
}

#[test]
fn r22_a_declared_failure_fails_the_step_unless_the_wait_names_it() {
    let mut world = it(ONE);
    go(&mut world, "k");
    let asked = world.last("a");
    world.echo(&asked, "refused", json!({"why": "full"})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Failed);

    let mut world =
        it("timeout: 10m\nsteps: [{ id: one, issue: a, await: { any_of: [{ echo: did }, \
            { echo: refused }] }, timeout: 10s }]");
    go(&mut world, "k");
    let asked = world.last("a");
    world.echo(&asked, "refused", json!({})).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Completed);
}

const NUDGED: &str = r"
timeout: 10m
cancel_on: [{ event: nudged, where: event.k == input.k }]
steps:
  - { id: one, await: { event: nudged, where: event.k == input.k }, timeout: 10s }
";

#[test]
fn r22_cancel_on_is_offered_an_event_before_the_wait() {
    let mut world = it(NUDGED);
    go(&mut world, "k");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.verdict(1).cause, Some(Cause::Cancelled));
}

/// Says `stopped` and then `nudged`, so that what follows from the first comes after both.
const SAYS: &str = r"
saga: says
trigger: { event: told }
eviction: { policy: parallel }
timeout: 10m
steps:
  - { id: one, emit: stopped, with: { k: k } }
  - { id: two, emit: nudged, with: { k: k } }
";

/// Two of a key take turns, and each goes on when it hears `stopped`.
const HEARS: &str = r#"
saga: hears
trigger: { any_of: [{ event: go }, { event: stopped, when: "trigger.k == 'k'" }] }
input: { k: "${{ trigger.k }}" }
eviction: { key: input.k, policy: queue, queue_max: 1 }
timeout: 10m
cancel_on: [{ event: nudged, where: event.k == input.k }]
steps: [{ id: hear, await: { event: stopped, where: event.k == input.k }, timeout: 5m }]
"#;

#[test]
fn r5_an_event_that_is_older_than_the_saga_does_not_cancel_it() {
    let mut world = sagas(&[SAYS, HEARS]);
    world.report("tool", "told", Value::Null).expect("it is declared");
    assert_eq!((world.state(1), world.state(2)), (State::Completed, State::Running));
    world.crash();
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.verdict(2).cause, Some(Cause::Cancelled), "this one is not");
}

#[test]
fn r18_an_event_that_is_older_than_its_turn_cancels_who_waited() {
    let mut world = sagas(&[SAYS, &HEARS.replace("trigger.k == 'k'", "trigger.k == 'other'")]);
    go(&mut world, "k");
    go(&mut world, "k");
    world.report("tool", "told", Value::Null).expect("it is declared");
    assert_eq!((world.state(1), world.state(2)), (State::Completed, State::Failed));
    assert_eq!(world.verdict(2).cause, Some(Cause::Cancelled));
}

#[test]
fn r18_who_waits_for_its_turn_is_cancelled_by_what_would_cancel_it_then() {
    let mut world = sagas(&[HEARS]);
    go(&mut world, "k");
    go(&mut world, "k");
    go(&mut world, "l");
    go(&mut world, "l");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!([1, 2, 3, 4].map(|id| world.state(id)), {
        use State::{Failed, Queued, Running};
        [Failed, Failed, Running, Queued]
    });
    assert_eq!(world.verdict(2).cause, Some(Cause::Cancelled));
    assert!(world.terminals(2).is_empty(), "it has no bracket");
    world.crash();
    world.report("tool", "nudged", json!({"k": "l"})).expect("it is declared");
    assert_eq!(world.open(), Vec::<u64>::new());
}

#[test]
fn r22_a_cancel_that_is_refused_leaves_the_event_to_the_wait() {
    let pivot =
        "steps:\n  - { id: turn, issue: burn, await: { echo: did }, timeout: 10s, pivot: true }";
    let mut world = it(&NUDGED.replace("steps:", pivot));
    go(&mut world, "k");
    did(&mut world, "burn");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(ends(&world)[1..], ["refused cancelled", "one succeeded", "ended completed"]);
}

#[test]
fn r6_an_event_reaches_the_sagas_that_wait_for_its_key_and_no_other() {
    let mut world = it("timeout: 10m\nsteps: [{ id: one, await: { event: nudged, \
            where: event.k == input.k || event.k == 'all-' + input.k }, timeout: 10s }]");
    for k in ["k", "l", "m"] {
        go(&mut world, k);
    }
    world.report("tool", "nudged", json!({"k": "l"})).expect("it is declared");
    assert_eq!(world.open(), [1, 3]);
    world.crash();
    world.report("tool", "nudged", json!({"k": "all-m"})).expect("it is declared");
    assert_eq!(world.open(), [1]);
}

#[test]
fn r6_one_event_may_be_seen_by_several_sagas() {
    let mut world = it(
        "timeout: 10m\nsteps: [{ id: one, await: { event: nudged, where: event.k == input.k }, \
            timeout: 10s }]",
    );
    go(&mut world, "k");
    go(&mut world, "k");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert!(world.open().is_empty());
}

/// An answer that comes before the turn that issued its command is over, as it would from a target
/// inside the launcher. \[bg_3_10_P1\]
#[test]
fn r5_an_echo_cannot_be_too_early() {
    let mut world = it(ONE);
    world.begin_turn();
    world.hear("tool", "go", json!({"k": "k"}), None);
    world.hear("host", "did", Value::Null, Some((1, "one")));
    world.turn();
    assert_eq!(world.state(1), State::Completed);
}

/// \[bg_3_10_P2\]
#[test]
fn r5_an_event_that_is_older_than_the_step_does_not_count() {
    let mut world =
        it("timeout: 10m\ndefaults: { timeout: 10s }\nsteps: [{ id: one, issue: look, \
            await: { echo: did } }, { id: two, await: { event: nudged, \
            where: event.k == input.k } }]");
    go(&mut world, "k");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    did(&mut world, "look");
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn r5_what_a_saga_emits_is_older_than_the_steps_that_follow() {
    let mut world = it("timeout: 10m\ndefaults: { timeout: 10s }\nsteps: [{ id: say, \
            emit: nudged, with: { k: '${{ input.k }}' } }, { id: hear, await: { \
            event: nudged, where: event.k == input.k } }]");
    go(&mut world, "k");
    assert_eq!(world.state(1), State::Running, "its own word came before it listened");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn l10_a_report_that_moves_nobody_is_no_part_of_a_saga_that_is_due_in_its_turn() {
    let mut world = it("timeout: 10m\nsteps: [{ id: rest, delay: 60s }]");
    go(&mut world, "k");
    world.set_clock(world.now() + Millis(60_000));
    world.begin_turn();
    world.hear("tool", "nudged", json!({"k": "k"}), None);
    world.coordinator_mut().tick();
    world.turn();
    let stored = world.log().saga(SagaId(1)).expect("it can be read").expect("it is kept");
    let told = stored.rows.expect("it is sound").iter().any(|row| row.body.contains("nudged"));
    assert_eq!((world.state(1), told), (State::Completed, false));
}

#[test]
fn r21_an_event_is_used_up_by_one_wait_of_a_saga() {
    let wait =
        |id| format!("{{ id: {id}, await: {{ event: nudged, where: event.k == input.k }} }}");
    let mut world = it(&format!(
        "timeout: 10m\ndefaults: {{ timeout: 10s }}\nsteps: [{}, {}]",
        wait("one"),
        wait("two")
    ));
    go(&mut world, "k");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(ends(&world), ["one succeeded"]);
}

#[test]
fn r21_the_event_that_starts_a_saga_satisfies_none_of_its_waits() {
    let mut world = of(r#"
saga: it
trigger: { any_of: [{ event: nudged, when: "trigger.k == 'k'" }, { event: nudged }] }
input: { k: "${{ trigger.k }}" }
eviction: { key: input.k, policy: ignore }
timeout: 10m
steps: [{ id: one, await: { event: nudged, where: event.k == input.k }, timeout: 10s }]
"#);
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.open(), [1], "one saga of a definition, and it still waits");
    world.report("tool", "nudged", json!({"k": "k"})).expect("it is declared");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r22_a_report_and_a_deadline_of_one_instant_give_one_winner() {
    let mut world = it(ONE);
    go(&mut world, "k");
    world.set_clock(world.now() + Millis(10_000));
    did(&mut world, "a");
    world.advance(Millis(1));
    assert_eq!(ends(&world), ["one succeeded", "ended completed"]);
    assert_eq!(world.terminals(1).len(), 1);
}

/// `go` makes `ping`, and each `nudged` of a key makes the next one.
fn chain() -> World {
    let link = |n: u32| {
        format!(
            r#"
saga: link_{n}
trigger: {{ event: nudged, when: "trigger.k == 'k{n}'" }}
eviction: {{ policy: parallel }}
timeout: 10m
steps: [{{ id: say, emit: nudged, with: {{ k: k{} }} }}]
"#,
            n + 1
        )
    };
    let texts: Vec<String> = (0..20).map(link).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    sagas(&texts)
}

#[test]
fn r23_a_chain_of_emits_is_one_transaction_and_ends_at_its_bound() {
    let mut world = chain();
    world.client("tool");
    world.report("tool", "nudged", json!({"k": "k0"})).expect("it is declared");
    let failed = world.published("saga_failed");
    assert_eq!(failed.len(), 1, "the seventeenth emit is one too many");
    assert_eq!(failed[0].fields["saga_id"], json!(17));
    assert_eq!(world.verdict(17).cause, Some(Cause::Fault));
    assert_eq!(world.published("saga_completed").len(), 16);
    let instants = world.events().iter().filter(|event| &*event.name == "nudged").count();
    assert_eq!(instants, 17);
}

#[test]
fn r23_an_emit_never_satisfies_an_echo_but_may_satisfy_an_event_wait() {
    let mut world = sagas(&[
        r#"
saga: listens
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
eviction: { policy: parallel }
timeout: 10m
steps: [{ id: one, await: { event: nudged, where: event.k == input.k }, timeout: 10s }]
"#,
        r#"
saga: speaks
trigger: { event: stopped }
input: { k: "${{ trigger.k }}" }
eviction: { policy: parallel }
timeout: 10m
steps: [{ id: say, emit: nudged, with: { k: "${{ input.k }}" } }]
"#,
    ]);
    go(&mut world, "k");
    world.report("tool", "stopped", json!({"k": "k"})).expect("it is declared");
    assert_eq!((world.state(1), world.state(2)), (State::Completed, State::Completed));
}

#[test]
fn r9_a_delay_is_a_durable_timer() {
    let mut world = it("timeout: 10m\nsteps: [{ id: rest, delay: 60s }]");
    go(&mut world, "k");
    world.advance(Millis(30_000));
    world.set_clock(world.now() + Millis(60_000));
    world.crash();
    assert_eq!(world.state(1), State::Completed, "what passed while it was down is over");
}

#[test]
fn r22_await_alone_fails_at_its_timeout_because_it_issued_nothing() {
    let mut world = it(
        "timeout: 10m\nsteps: [{ id: one, await: { event: nudged, where: event.k == input.k }, \
            timeout: 10s }]",
    );
    go(&mut world, "k");
    world.advance(Millis(10_000));
    assert_eq!(ends(&world), ["one failed", "unwinding timed_out", "ended failed"]);
    assert_eq!(world.published("saga_failed")[0].fields["outcome"], json!("timed_out"));
}

#[test]
fn r22_a_step_whose_if_is_false_is_skipped() {
    let mut world = it(r#"
timeout: 10m
steps:
  - { id: one, if: "input.n > 0", issue: a, await: { echo: did }, timeout: 10s }
result: { outcome: "${{ steps.one.outcome }}" }
"#);
    go(&mut world, "k");
    assert_eq!(world.verdict(1).result, Some(json!({"outcome": "skipped"}).into()));
    assert!(world.sent().is_empty());
    assert_eq!(world.published("saga_completed")[0].fields["saga_id"], Value::from(1));
}
