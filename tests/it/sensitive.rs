//! What the catalog calls sensitive is shown to nobody, and is there for the saga all the same.

use sagaflow::ids::SagaId;
use sagaflow::launcher::Pictures;
use sagaflow::log::{Log, LogRead, Retention};
use sagaflow::time::{Millis, Timestamp};
use serde_json::json;

use crate::world::World;

const CATALOG: &str = r#"
targets: { vault: {} }
events:
  opened: { fields: { token: { type: string, sensitive: true } } }
commands:
  open:
    target: vault
    fields: { secret: { type: string, sensitive: true }, header: { type: string } }
    echoes: [opened]
    idempotent: true
    undo: none
"#;

const SAGA: &str = r#"
saga: unlock
trigger: { call: { fields: { password: { type: string, sensitive: true } } } }
input: { password: "${{ trigger.password }}" }
eviction: { policy: parallel }
timeout: 10s
signals: { code: { fields: { pin: { type: string, sensitive: true } } } }
steps:
  - { id: ask, await: { signal: code, save: { pin: "${{ event.pin }}" } }, timeout: none }
  - id: open
    issue: open
    with: { secret: "${{ input.password }}", header: "Bearer ${{ input.password }}" }
    await: { echo: opened, save: { token: "${{ event.token }}" } }
    timeout: 5s
result: { token: "${{ vars.token }}", pin: "${{ vars.pin }}" }
"#;

#[test]
fn a_sensitive_value_is_shown_nowhere_and_reaches_its_target() {
    let mut world = World::new(&[("a.catalog.yaml", CATALOG), ("a.saga.yaml", SAGA)]);
    world.connect("vault");
    world.start("unlock", json!({"password": "hunter2hunter2"})).expect("it may start");
    world.say_to(1, "code", json!({"pin": "pin-987654"}), None).expect("it is awaited");
    let open = world.last("open");
    assert_eq!(open.with("header"), "Bearer hunter2hunter2");
    world.echo(&open, "opened", json!({"token": "tok-123456"})).expect("it is the vault's to say");
    let stored = world.log().saga(SagaId(1)).expect("the log can be read").expect("it is kept");
    let picture = Pictures::default().of(world.log(), &stored, None);
    for shown in [picture.summary().to_string(), picture.detail().to_string()] {
        assert!(shown.contains("unlock"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("tok-123456"), "{shown}");
        assert!(!shown.contains("pin-987654"), "{shown}");
    }
    assert!(picture.detail().to_string().contains("Bearer [redacted]"));
}

/// The one that knows what is secret is the sub-saga, or the caller: each of its own.
const FAMILY_CATALOG: &str = r#"
targets: { vault: {} }
events:
  opened: { fields: { token: { type: string, sensitive: true }, who: { type: string } } }
  used: {}
commands:
  open: { target: vault, echoes: [opened], idempotent: true, undo: none }
  use: { target: vault, fields: { with: { type: string } }, echoes: [used], idempotent: true,
      undo: none }
"#;

const CALLER: &str = r#"
saga: caller
trigger: { call: { fields: { password: { type: string, sensitive: true } } } }
input: { password: "${{ trigger.password }}" }
eviction: { policy: parallel }
timeout: 1m
defaults: { timeout: 10s }
steps:
  - { id: get, call: fetch, with: { hint: "my ${{ input.password }}" }, compensate: none }
  - id: use
    issue: use
    with: { with: "Bearer ${{ steps.get.result.token }}" }
    await: { echo: used }
  - { id: again, call: spend, with: { what: "${{ steps.get.result.token }}" } }
result: { token: "${{ steps.get.result.token }}", who: "${{ steps.get.result.who }}" }
"#;

const FETCH: &str = r#"
saga: fetch
trigger: { call: { fields: { hint: { type: string } } } }
input: { hint: "${{ trigger.hint }}" }
eviction: { policy: parallel }
timeout: 20s
steps:
  - id: open
    issue: open
    await: { echo: opened, save: { token: "${{ event.token }}", who: "${{ event.who }}" } }
    timeout: 10s
result: { token: "${{ vars.token }}", who: "${{ vars.who }}" }
"#;

const SPEND: &str = r#"
saga: spend
trigger: { call: { fields: { what: { type: string } } } }
input: { what: "${{ trigger.what }}" }
eviction: { policy: parallel }
timeout: 20s
steps: [{ id: rest, delay: 10s }]
"#;

fn family() -> World {
    let mut world = World::new(&[
        ("a.catalog.yaml", FAMILY_CATALOG),
        ("a.saga.yaml", CALLER),
        ("b.saga.yaml", FETCH),
        ("c.saga.yaml", SPEND),
    ]);
    world.connect("vault");
    world.start("caller", json!({"password": "hunter2hunter2"})).expect("it may start");
    let open = world.last("open");
    let said = json!({"token": "tok-123456", "who": "somebody"});
    world.echo(&open, "opened", said).expect("it is the vault's to say");
    let used = world.last("use");
    assert_eq!(used.with("with"), "Bearer tok-123456");
    world.echo(&used, "used", json!({})).expect("it is the vault's to say");
    world
}

fn shown(world: &World, saga: u64) -> String {
    let stored = world.log().saga(SagaId(saga)).expect("the log can be read").expect("it is kept");
    let picture = Pictures::default().of(world.log(), &stored, None);
    format!("{}{}", picture.summary(), picture.detail())
}

/// What a sub-saga's vocabulary calls sensitive came up with its result and was shown of its
/// caller, and a caller's went down with the call: neither knew the other's vocabulary.
#[test]
fn what_is_sensitive_in_a_saga_is_shown_of_none_that_it_calls_or_that_called_it() {
    let world = family();
    for saga in 1..=3 {
        let shown = shown(&world, saga);
        assert!(!shown.contains("hunter2"), "{saga}: {shown}");
        assert!(!shown.contains("tok-123456"), "{saga}: {shown}");
    }
    let caller = shown(&world, 1);
    assert!(caller.contains("Bearer [redacted]"), "{caller}");
    let called = shown(&world, 2);
    assert!(called.contains("my [redacted]"), "{called}");
    assert!(called.contains("somebody"), "what is not sensitive is shown: {called}");
}

#[test]
fn of_a_sub_saga_that_is_kept_no_more_no_result_is_shown() {
    let mut world = family();
    let shown_before = shown(&world, 1);
    assert!(shown_before.contains("saga 2 "), "{shown_before}");
    let keep = Retention { sagas: Millis(0), events: Millis(0), events_max: 0 };
    let later = Timestamp(i64::MAX / 2);
    while !world.log_mut().sweep(later, &keep).expect("the memory log forgets").finished {}
    assert!(world.log().saga(SagaId(2)).expect("it can be read").is_none(), "it had ended");
    for saga in [1, 3] {
        let shown = shown(&world, saga);
        assert!(!shown.contains("tok-123456"), "{shown}");
    }
}
