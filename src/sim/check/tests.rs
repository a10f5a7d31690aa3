//! Seeded faults of the engine: each is found by exploring small sagas, and without a fault nothing
//! is found in them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Bounds, check};
use crate::definition::Catalog;
use crate::definition::read::load;
use crate::plan::{Plan, compile_library};
use crate::saga::fault::{Fault, seeded};

const CATALOG: &str = r#"
targets: { host: { disconnect_timeout: 30s } }
events:
  go: { fields: { k: { type: string } } }
  did: { fields: { n: { type: integer, default: 0 } } }
  refused: {}
  undid: {}
commands:
  a: { target: host, echoes: [did], failures: [refused], idempotent: true, undo: un_a }
  b: { target: host, echoes: [did], failures: [refused], idempotent: true, undo: un_a }
  once: { target: host, echoes: [did], failures: [refused], idempotent: false, undo: un_a }
  look: { target: host, echoes: [did], failures: [refused], idempotent: true, undo: none }
  un_a: { target: host, echoes: [undid], failures: [refused], idempotent: true, undo: none }
"#;

const HEAD: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
"#;

const LINEAR: &str = r#"
eviction: { policy: parallel }
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did, save: { m: 1 } } }
  - { id: two, issue: once, await: { echo: did } }
  - { id: three, if: vars.m == 1 && steps.two.echo.n >= 0, issue: b, await: { echo: did } }
  - { id: four, issue: a, await: { echo: did }, on_timeout: continue }
  - { id: five, issue: look, await: { echo: did } }
"#;

const RETRIED: &str = r#"
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout, failed, unreachable] }
  - { id: two, issue: look, await: { echo: did } }
finally:
  - { id: tidy, issue: look, await: { echo: did } }
"#;

const PIVOT: &str = r#"
eviction: { policy: parallel }
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - { id: after, issue: look, await: { echo: did } }
"#;

const GROUP: &str = r#"
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed, timeout, unreachable] }
"#;

const ANY: &str = r#"
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left: [{ id: one, issue: a, await: { echo: did } }]
      right:
        - { id: two, issue: b, await: { echo: did } }
        - { id: three, issue: look, await: { echo: did } }
    join: any
"#;

const COVERS: &str = r#"
eviction: { policy: parallel }
timeout: 100s
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { issue: un_a, await: { echo: undid }, covers: [two] }
  - { id: two, issue: b, await: { echo: did } }
  - { id: three, issue: look, await: { echo: did } }
"#;

const REPLACED: &str = r#"
eviction: { key: input.k, policy: replace }
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: look, await: { echo: did } }
"#;

/// Nothing but the saga's own deadline can end it.
const LATE: &str = r#"
eviction: { key: input.k, policy: refuse }
timeout: 10s
steps:
  - { id: wait, await: { event: go, where: 'event.k == input.k && event.k == input.k + "!"' } }
"#;

fn compiled(rest: &str) -> (Arc<Catalog>, Arc<Plan>) {
    let saga = format!("{HEAD}{rest}");
    let files = [("c.catalog.yaml", CATALOG), ("it.saga.yaml", saga.as_str())];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let (library, mut found) = load(files.into());
    let (plans, more) = compile_library(&library);
    found.append(more);
    let wrong: Vec<String> = found.iter().map(|one| one.message.clone()).collect();
    (Arc::new(library.catalog), plans.first().unwrap_or_else(|| panic!("{wrong:#?}")).clone())
}

fn all() -> Vec<(Arc<Catalog>, Arc<Plan>)> {
    let all = [LINEAR, RETRIED, PIVOT, GROUP, ANY, COVERS, REPLACED, LATE];
    all.into_iter().map(compiled).collect()
}

#[test]
fn an_engine_without_a_fault_keeps_all_promises() {
    for (place, (catalog, plan)) in all().iter().enumerate() {
        let checked = check(catalog, plan, &[], Bounds::default(), &mut |_| {});
        let found = checked.counterexample.map(|(broken, _)| broken);
        assert_eq!((found, checked.halted), (None, None), "saga {place}");
    }
}

/// What finds the fault: a promise, or the engine's own assertions.
fn found(fault: Fault, sagas: &[(Arc<Catalog>, Arc<Plan>)]) -> Option<String> {
    sagas.iter().find_map(|(catalog, plan)| {
        // Some faults know no end.
        let bounds = Bounds { states: 1_500, ..Bounds::default() };
        let run = || check(catalog, plan, &[], bounds, &mut |_| {});
        match catch_unwind(AssertUnwindSafe(|| seeded(fault, run))) {
            Ok(checked) => checked.counterexample.map(|(broken, _)| broken.words),
            Err(_) => Some("the engine's own assertion".to_owned()),
        }
    })
}

#[test]
fn every_seeded_fault_of_the_engine_is_found() {
    let sagas = all();
    let unseen: Vec<Fault> =
        Fault::ALL.into_iter().filter(|fault| found(*fault, &sagas).is_none()).collect();
    assert_eq!(unseen, [], "no promise is broken by these");
}
