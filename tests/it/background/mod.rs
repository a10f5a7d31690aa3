//! Scenarios of the earlier launcher, each under its name there: what its two sagas and their
//! coordinator had to hold. What was replaced has a row in docs/decisions/background.md.

mod asked;
mod cleanup;
mod coordinator;
mod defects;
mod flows;
mod respawn;

use serde_json::{Value, json};

use crate::world::{Sent, World};

/// The shipped sagas, with the host there.
fn shipped() -> World {
    let mut world = World::shipped();
    world.connect("host");
    world
}

/// A report of the host that answers nothing.
fn tell(world: &mut World, event: &str, fields: Value) {
    world.report("host", event, fields).expect("it is the host's to say");
}

fn close(world: &mut World, label: &str) {
    tell(world, "window_closed", json!({"label": label, "crash_detected": false}));
}

fn promote(world: &mut World, label: &str) {
    tell(world, "pool_window_promoted", json!({"label": label}));
}

/// The host's answer about a window.
fn answer(world: &mut World, sent: &Sent, event: &str, label: &str) {
    world.echo(sent, event, json!({"label": label})).expect("it is the host's to say");
}

/// The command of that name that a saga sent last.
fn sent(world: &World, saga: u64, cmd: &str) -> Sent {
    let found = world.sent().iter().rev().find(|s| s.owed.saga.0 == saga && s.cmd() == cmd);
    found.unwrap_or_else(|| panic!("saga {saga} sent no {cmd}: {:?}", world.commands())).clone()
}

/// Takes a cleanup from its first command to its end.
fn finish_cleanup(world: &mut World, saga: u64, label: &str) {
    let reap = sent(world, saga, "reap_panes");
    answer(world, &reap, "panes_reaped", label);
    let drain = sent(world, saga, "drain_pool_if_last");
    answer(world, &drain, "pool_not_last", label);
}

/// Every saga that began has exactly one end, and nothing ended that did not begin.
fn assert_brackets(world: &World) {
    for started in world.published("saga_started") {
        let saga = started.fields["saga_id"].as_u64().expect("a bracket names its saga");
        assert_eq!(world.terminals(saga).len(), 1, "saga {saga}");
    }
    let ends = world.published("saga_completed").len() + world.published("saga_failed").len();
    assert_eq!(ends, world.published("saga_started").len());
}
