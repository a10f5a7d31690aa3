//! A turn's facts as the log stores them: the only place that turns records into bytes. Decides
//! nothing.

use crate::bus::{Name, Published};
use crate::coordinator::{Fact, SagaHead, TurnOut, World, bus_event};
use crate::ids::Seq;
use crate::line::Batch;
use crate::log::{self, DefinitionRow, Mark, Progress, Row, SagaRow, SagaWrite, Turn};
use crate::saga::record::Record;
use crate::time::Timestamp;
use crate::view::Shown;

use super::tell::write_event;

/// A turn's facts, made into rows for the log and events for the bus as they are decided.
#[derive(Debug, Default)]
pub struct Draft {
    /// Runs of facts of one saga, or of none.
    rows: Vec<Row>,
    /// Those of them that brought a client's own id.
    ids: Vec<Seq>,
    /// What is published after the commit, in order.
    events: Batch<(Seq, Name)>,
    /// One buffer for all: a row's text is copied from it once, at its own length.
    text: Vec<u8>,
}

impl Draft {
    /// Takes the next facts in.
    pub fn write(&mut self, facts: &[Fact], now: Timestamp) {
        for run in facts.chunk_by(|a, b| a.saga == b.saga) {
            self.text.clear();
            for fact in run {
                self.text.push(if self.text.is_empty() { b'[' } else { b',' });
                serde_json::to_writer(&mut self.text, &fact.record).expect(
                    "records hold strings, numbers and JSON values, which always serialise",
                );
                if let Some(event) = bus_event(fact.seq, fact.saga, &fact.record) {
                    self.events.add(|text| write_event(text, &event));
                }
            }
            self.text.push(b']');
            let body = std::str::from_utf8(&self.text).expect("JSON is UTF-8").to_owned();
            let (seq, n, saga_id) = (run[0].seq, run.len() as u32, run[0].saga);
            if run.iter().any(|fact| brought_id(&fact.record)) {
                self.ids.push(seq);
            }
            self.rows.push(Row { seq, n, saga_id, at: now, body });
        }
    }

    /// All that was taken in so far: rows, which of them brought ids, and what is published after
    /// their commit.
    pub fn take(&mut self) -> (Vec<Row>, Vec<Seq>, Vec<Published>) {
        let publish = |((version, name), line)| Published { version, name, line };
        let events = self.events.take().into_iter().map(publish).collect();
        (std::mem::take(&mut self.rows), std::mem::take(&mut self.ids), events)
    }
}

/// Whether a client's own id came with what it tells: a start looks for it \[W9\].
pub(super) fn brought_id(record: &Record) -> bool {
    match record {
        Record::Event(event) => event.dedup.is_some(),
        Record::Signalled(said) => said.dedup.is_some(),
        Record::Began(began) => began.dedup.is_some(),
        Record::Joined(joined) => joined.dedup.is_some(),
        Record::Boot(_)
        | Record::Stopped(_)
        | Record::Clock(_)
        | Record::Scheduled(_)
        | Record::Unscheduled(_)
        | Record::Ticked(_)
        | Record::ProcessSpawned(_)
        | Record::ProcessExited(_)
        | Record::Lifecycle(_)
        | Record::SessionOpened(_)
        | Record::SessionClosed(_)
        | Record::Dequeued(_)
        | Record::Issued(_)
        | Record::Reissued(_)
        | Record::Entered(_)
        | Record::Armed(_)
        | Record::Sent(_)
        | Record::Reacted(_)
        | Record::ReactionOver(_)
        | Record::Matched(_)
        | Record::Outcome(_)
        | Record::Backoff(_)
        | Record::Undoing(_)
        | Record::Probing(_)
        | Record::Emitted(_)
        | Record::Unwinding(_)
        | Record::Undone(_)
        | Record::Finishing(_)
        | Record::Ended(_)
        | Record::Dropped(_)
        | Record::Refused(_)
        | Record::Late(_)
        | Record::Child(_)
        | Record::Held(_)
        | Record::Recalled(_)
        | Record::Retried(_)
        | Record::Resolved(_)
        | Record::Settled(_) => false,
    }
}

/// Makes the transaction of a turn whose facts are these rows, some of which brought ids.
#[must_use]
pub fn turn(rows: Vec<Row>, ids: Vec<Seq>, out: &TurnOut, world: &World) -> Turn {
    let mut turn = Turn { rows, ids, ..Turn::default() };
    for plan in &out.definitions {
        turn.definitions.push(DefinitionRow {
            hash: plan.hash.clone(),
            name: plan.name.clone(),
            source: plan.source.clone(),
            catalog: plan.catalog.clone(),
            calls: plan.callees.iter().map(|callee| callee.hash.clone()).collect(),
            first_seen_at: out.now,
        });
    }
    for line in &out.lines {
        let mut progress = progress(&line.saga);
        if let Some(clash) = &line.clash {
            progress = corrupt(progress, clash);
        }
        turn.sagas.push(if line.created {
            SagaWrite::Create(saga_row(&line.saga, progress))
        } else {
            SagaWrite::Update { saga_id: line.saga.id, progress }
        });
    }
    for (target, name, body) in &out.known {
        let body = body.as_ref().map(ToString::to_string);
        turn.known.push(log::Known { target: target.clone(), name: name.clone(), body });
    }
    if out.writes_world {
        turn.marks.push((Mark::ClientId, world.next_client.0 - 1));
        turn.marks.push((Mark::Session, world.next_session.0 - 1));
        let seq = Seq(world.next_seq.0 - 1);
        turn.world = Some(log::World { seq, body: world.snapshot().to_string() });
    }
    turn
}

/// What people see of a saga that is set aside. It has not ended: every start looks at it again,
/// and retention never takes it \[L9\].
pub(super) fn corrupt(progress: Progress, clash: &str) -> Progress {
    let state = Shown::Corrupt.as_str().into();
    Progress { state, cause: None, reason: Some(clash.into()), ended_at: None, ..progress }
}

fn saga_row(saga: &SagaHead, progress: Progress) -> SagaRow {
    SagaRow {
        saga_id: saga.id,
        name: saga.name.clone(),
        definition: saga.definition.clone(),
        trigger_event: saga.trigger.clone(),
        input: saga.input.to_string(),
        created_at: saga.began_at,
        progress,
    }
}

fn progress(saga: &SagaHead) -> Progress {
    Progress {
        cause: saga.cause.map(|cause| cause.as_str().into()),
        reason: saga.reason.clone(),
        result: saga.result.as_ref().map(ToString::to_string),
        started_at: saga.started_at,
        ended_at: saga.ended_at,
        resolved_at: saga.resolved.as_ref().map(|(_, at)| *at),
        resolution: saga.resolved.as_ref().map(|(words, _)| words.clone()),
        ..Progress::new(saga.state.as_str())
    }
}
