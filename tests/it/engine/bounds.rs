//! Sagas that make much of little: what one of them may send, keep and tell is bounded, and nobody
//! else pays \[W1\].

use sagaflow::ids::SagaId;
use sagaflow::ipc::frames::{CommandFrame, command};
use sagaflow::limits::{FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX};
use sagaflow::saga::record::{Cause, State};
use serde_json::json;

use super::{did, go, it, of};
use crate::world::World;

/// As long as an event may be and a saga may take in.
fn long() -> String {
    "x".repeat(PAYLOAD_BYTES_MAX - 100)
}

/// The longest line that a target got.
fn longest(world: &World) -> usize {
    let lines = world.sent().iter().map(|sent| {
        let owed = &sent.owed;
        let mut line = String::new();
        command(
            &mut line,
            &CommandFrame {
                cmd: &owed.cmd,
                command_id: &owed.command_id,
                saga_id: owed.saga,
                step: &owed.step,
                attempt: owed.attempt,
                session: sent.session,
                fields: owed.with.as_object().expect("fields are an object"),
            },
        );
        line.len()
    });
    lines.max().unwrap_or(0)
}

/// The first saga fails at that step by those words, and another one goes on.
fn check_refused(mut world: World, step: &str) {
    go(&mut world, &"x".repeat(PAYLOAD_BYTES_MAX * 3 / 5));
    let verdict = world.verdict(1);
    assert_eq!(verdict.cause, Some(Cause::Fault));
    let reason = verdict.reason.expect("it has one");
    assert!(reason.contains("longer than") && reason.len() < 1_000, "{reason}");
    let failed = format!("{step} failed");
    assert!(world.trail(1).contains(&failed), "{:?}", world.trail(1));
    assert!(longest(&world) <= FRAME_BYTES_MAX);
    go(&mut world, "k");
    did(&mut world, "a");
    assert_eq!(world.state(2), State::Completed);
}

#[test]
fn w1_a_command_that_would_be_longer_than_a_line_fails_its_step() {
    check_refused(
        it("timeout: none\nsteps: [{ id: one, issue: a, with: { k: '${{ input.k + input.k }}' }, \
            await: { echo: did }, timeout: none }]"),
        "one",
    );
    check_refused(
        it("timeout: none\nsteps: [{ id: one, issue: a, \
            with: { k: 'a ${{ input.k }} b ${{ input.k }}' }, \
            await: { echo: did }, timeout: none }]"),
        "one",
    );
}

/// Twice as long at every step, it was a gigabyte after ten.
#[test]
fn w1_a_variable_that_grows_with_each_step_comes_to_an_end() {
    let saved = "await: { echo: did, save: { v: '${{ vars.v + vars.v }}' } }";
    let mut world = it(&format!(
        "vars: {{ v: '${{{{ input.k }}}}' }}\ntimeout: none\nsteps:\n  \
         - {{ id: one, issue: a, {saved}, timeout: none }}\n  \
         - {{ id: two, issue: b, {saved}, timeout: none }}\n\
         result: {{ n: '${{{{ size(vars.v) }}}}' }}\n"
    ));
    go(&mut world, &"x".repeat(PAYLOAD_BYTES_MAX / 3));
    did(&mut world, "a");
    did(&mut world, "b");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::Fault)));
}

/// \[R10\]: before anything exists.
#[test]
fn w1_what_a_saga_would_take_in_many_times_does_not_start_it() {
    let copies: Vec<String> = (0..50).map(|n| format!("c{n}: '${{{{ trigger.k }}}}'")).collect();
    let mut world = of(&format!(
        "saga: it\ntrigger: {{ call: {{ fields: {{ k: {{ type: string }} }} }} }}\n\
         input: {{ {} }}\neviction: {{ policy: parallel }}\ntimeout: none\n\
         steps: [{{ id: one, issue: tell, await: none }}]",
        copies.join(", ")
    ));
    let refusal = world.start("it", json!({"k": long()})).expect_err("it is too much");
    assert!(refusal.message.contains("longer than"), "{}", refusal.message);
    assert!(refusal.message.len() < 1_000);
    assert_eq!(world.start("it", json!({"k": "short"})), Ok(SagaId(1)));
}
