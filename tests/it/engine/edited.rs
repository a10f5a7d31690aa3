//! Logs that somebody edited by hand: whatever stands in one saga's records, the launcher sets that
//! saga aside or goes on with it, and never falls \[L9\].

use std::ops::ControlFlow;

use sagaflow::coordinator::Signal;
use sagaflow::ids::{SagaId, Seq};
use sagaflow::log::{Filter, Log, LogRead, MemoryLog, Row, SagaWrite, Turn};
use sagaflow::time::Millis;
use serde_json::Value;

use super::{did, go, it, refuse};
use crate::world::World;

/// One change of a saga's records; numbers are places.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Delete(usize),
    /// The second says what the first says.
    Copy(usize, usize),
    Swap(usize, usize),
    /// The first speaks of the second's step.
    Step(usize, usize),
}

/// All rows of a log, a record a row.
fn rows(log: &MemoryLog) -> Vec<Row> {
    let mut all = Vec::new();
    let mut each = |row: Result<Row, _>| {
        let row = row.expect("the memory log is sound");
        let records: Vec<Value> = row.records().expect("rows hold records");
        for (seq, record) in (row.seq.0..).map(Seq).zip(records) {
            let body = Value::from(vec![record]).to_string();
            all.push(Row { seq, n: 1, body, ..row.clone() });
        }
        ControlFlow::Continue(())
    };
    log.rows_since(Seq(0), &mut each).expect("the memory log can be read");
    all
}

/// The same log with the edit made in the records of its sagas.
fn edited(log: &MemoryLog, edit: Edit) -> MemoryLog {
    let (own, others): (Vec<Row>, Vec<Row>) =
        rows(log).into_iter().partition(|row| row.saga_id.is_some());
    let mut own = own;
    match edit {
        Edit::Delete(at) => drop(own.remove(at)),
        Edit::Copy(from, to) => own[to].body = own[from].body.clone(),
        Edit::Swap(a, b) => {
            let body = std::mem::take(&mut own[a].body);
            own[a].body = std::mem::replace(&mut own[b].body, body);
        }
        Edit::Step(at, from) => own[at].body = with_step_of(&own[at].body, &own[from].body),
    }
    let sagas = log.list(&Filter::default(), 100).expect("the memory log can be read");
    let defined = |hash| log.definition(hash).expect("it can be read").expect("it was written");
    let mut copy = MemoryLog::new();
    let turn = Turn {
        definitions: sagas.iter().take(1).map(|saga| defined(&saga.definition)).collect(),
        sagas: sagas.into_iter().map(SagaWrite::Create).collect(),
        rows: others.into_iter().chain(own).collect(),
        ids: Vec::new(),
        marks: Vec::new(),
        world: log.world().expect("it can be read"),
        known: Vec::new(),
    };
    copy.append(&turn).expect("it is a log");
    copy
}

fn with_step_of(body: &str, other: &str) -> String {
    let read = |body: &str| -> Value { serde_json::from_str(body).expect("it was written") };
    let (mut body, other) = (read(body), read(other));
    let step = |record: &Value| record.as_object()?.values().next()?.get("step").cloned();
    if let (Some(step), Some(record)) = (step(&other[0]), body[0].as_object_mut())
        && let Some(fields) = record.values_mut().next()
        && fields.get("step").is_some()
    {
        fields["step"] = step;
    }
    body.to_string()
}

/// Everything that can happen to what the log still tells of.
fn shake(mut world: World) {
    // Their rows are the launcher's to write; those of what breaks later are the turn's.
    let at_boot: Vec<SagaId> = world.coordinator().corrupt().keys().copied().collect();
    world.connect("host");
    let answered = |world: &mut World| {
        for sent in world.sent().to_vec() {
            let event = if sent.cmd().starts_with("un_") { "undid" } else { "did" };
            world.echo(&sent, event, Value::Null).ok();
        }
    };
    go(&mut world, "k");
    answered(&mut world);
    world.disconnect("host");
    world.connect("host");
    for sent in world.sent().to_vec() {
        world.fail(&sent, "no");
    }
    world.advance(Millis(60_000));
    for signal in [Signal::Cancel, Signal::Retry, Signal::Resolve] {
        world.signal(SagaId(1), signal, "edited").ok();
        answered(&mut world);
        world.advance(Millis(600_000));
    }
    for id in world.coordinator().corrupt().keys().filter(|id| !at_boot.contains(id)) {
        let row = world.log().saga(*id).expect("it can be read").expect("it is kept").saga;
        assert_eq!((&*row.progress.state, row.progress.ended_at), ("corrupt", None));
        assert!(world.coordinator().saga(*id).is_none());
    }
    assert!(world.state(2).is_end(), "another saga goes on");
}

/// Makes every edit of the log as it is, and boots on what comes of it.
fn edit_everywhere(world: &World) {
    let own = rows(world.log()).iter().filter(|row| row.saga_id.is_some()).count();
    let singles = (0..own).map(Edit::Delete);
    let pairs = (0..own).flat_map(|a| (0..own).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let pairs = pairs.flat_map(|(a, b)| [Edit::Copy(a, b), Edit::Swap(a, b), Edit::Step(a, b)]);
    for edit in singles.chain(pairs) {
        let mut other = world.again();
        *other.log_mut() = edited(world.log(), edit);
        other.set_clock(world.now());
        other.fold_every_turn(false);
        let shaken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            other.crash();
            shake(other);
        }));
        assert!(shaken.is_ok(), "{edit:?} makes the launcher fall");
    }
}

const ALL: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did }, retry: { attempts: 2, backoff: constant,
          delay: 1s, on: [timeout, failed] } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed, timeout] }
  - { id: last, issue: once, await: { echo: did } }
  - { id: hear, await: { event: nudged, where: event.k == input.k }, timeout: 30s }
finally:
  - { id: tidy, issue: look, await: { echo: did } }
";

#[test]
fn l9_no_edit_of_a_retried_saga_makes_the_launcher_fall() {
    let mut world = it(ALL);
    go(&mut world, "k");
    did(&mut world, "a");
    refuse(&mut world, "b");
    edit_everywhere(&world);
    did(&mut world, "un_a");
    world.advance(Millis(2_000));
    edit_everywhere(&world);
}

#[test]
fn l9_no_edit_of_an_undone_saga_makes_the_launcher_fall() {
    let mut world = it(ALL);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    edit_everywhere(&world);
    refuse(&mut world, "once");
    did(&mut world, "un_b");
    edit_everywhere(&world);
    refuse(&mut world, "un_a");
    did(&mut world, "look");
    edit_everywhere(&world);
}
