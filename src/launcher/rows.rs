//! A turn's facts as the log stores them: the only place that turns records into bytes. Decides
//! nothing.

use crate::coordinator::{Fact, SagaHead, TurnOut, World};
use crate::ids::Seq;
use crate::log::{self, DefinitionRow, Mark, Progress, Row, SagaRow, SagaWrite, Turn};
use crate::view::Shown;

/// Makes the transaction of a turn.
#[must_use]
pub fn turn(out: &TurnOut, world: &World) -> Turn {
    let mut turn = Turn { rows: rows(out), ..Turn::default() };
    for plan in &out.definitions {
        turn.definitions.push(DefinitionRow {
            hash: plan.hash.clone(),
            name: plan.name.clone(),
            source: plan.source.clone(),
            catalog: plan.catalog.clone(),
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
    if out.writes_world {
        turn.marks.push((Mark::ClientId, world.next_client.0 - 1));
        turn.marks.push((Mark::Session, world.next_session.0 - 1));
        let seq = Seq(world.next_seq.0 - 1);
        turn.world = Some(log::World { seq, body: world.snapshot().to_string() });
    }
    turn
}

/// Runs of facts of one saga, or of none, become rows.
fn rows(out: &TurnOut) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(out.facts.len());
    for fact in &out.facts {
        match rows.last_mut().filter(|row| row.saga_id == fact.saga) {
            Some(row) => {
                row.n += 1;
                row.body.push(',');
                push(&mut row.body, fact);
            }
            None => {
                let mut body = String::with_capacity(512);
                body.push('[');
                push(&mut body, fact);
                rows.push(Row { seq: fact.seq, n: 1, saga_id: fact.saga, at: out.now, body });
            }
        }
    }
    for row in &mut rows {
        row.body.push(']');
    }
    rows
}

fn push(body: &mut String, fact: &Fact) {
    let text = serde_json::to_string(&fact.record)
        .expect("records hold strings, numbers and JSON values, which always serialise");
    body.push_str(&text);
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
