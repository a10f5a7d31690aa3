//! What a turn leaves behind: facts to commit, and what to tell afterwards. Serialises nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::limits::WORLD_EVERY;
use crate::plan::Plan;
use crate::saga::record::{Cause, Ending, Record, State, Verdict};
use crate::saga::state::Saga;
use crate::time::Timestamp;

use super::{Coordinator, Fact};

/// Whether a saga's readable row has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowState {
    /// It has none yet.
    New,
    /// It says what is.
    Clean,
    /// Something that people see has changed.
    Stale,
}

impl RowState {
    /// Something that people see has changed.
    pub(super) fn stale(self) -> RowState {
        match self {
            RowState::New => RowState::New,
            RowState::Clean | RowState::Stale => RowState::Stale,
        }
    }
}

/// What one turn decided.
#[derive(Debug, Default)]
pub struct TurnOut {
    /// The turn's instant.
    pub now: Timestamp,
    /// To be committed before anything else is done \[R2\].
    pub facts: Vec<Fact>,
    /// Sagas whose readable row changed, for the same commit.
    pub lines: Vec<SagaLine>,
    /// Definitions that sagas of this turn use \[L4\].
    pub definitions: Vec<Arc<Plan>>,
    /// Whether what belongs to no saga is to be written: it changed, or was written long ago.
    pub writes_world: bool,
    /// To be published after the commit, in this order.
    pub events: Vec<BusEvent>,
    /// Sagas that came to an end; an incident that was tried again comes to one more.
    pub ended: Vec<(SagaId, Verdict)>,
    /// Sagas that changed, so that what they owe may have changed.
    pub touched: BTreeSet<SagaId>,
}

/// What people see of a saga in its readable row.
#[derive(Clone, Debug)]
pub struct SagaLine {
    /// Whether the row is new.
    pub created: bool,
    /// The facts that clash, where the saga is set aside \[L9\].
    pub clash: Option<String>,
    /// The saga, as far as its row goes; its steps are left out.
    pub saga: SagaHead,
}

/// A saga without its steps.
#[derive(Clone, Debug)]
pub struct SagaHead {
    /// Its id.
    pub id: SagaId,
    /// Its name.
    pub name: Arc<str>,
    /// Its definition.
    pub definition: DefinitionHash,
    /// What started it.
    pub trigger: Arc<str>,
    /// Its frozen input.
    pub input: Arc<Value>,
    /// Its state.
    pub state: State,
    /// Why it turned around or failed.
    pub cause: Option<Cause>,
    /// The same in words.
    pub reason: Option<Arc<str>>,
    /// What a caller gets.
    pub result: Option<Arc<Value>>,
    /// When it came to exist.
    pub began_at: Timestamp,
    /// When its bracket opened.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// An operator's word on an incident, and when it was said.
    pub resolved: Option<(Arc<str>, Timestamp)>,
}

/// An event of the bus, not yet a line.
#[derive(Clone, Debug, PartialEq)]
pub struct BusEvent {
    /// Its version: the number of the record that it is \[L10\].
    pub version: Seq,
    /// Its name.
    pub name: Arc<str>,
    /// The saga and step that it echoes.
    pub echo: Option<(SagaId, Arc<str>)>,
    /// Its fields.
    pub fields: Arc<Value>,
}

impl Coordinator {
    /// Takes the turn: what to commit, and what to tell afterwards. Ended sagas leave the memory.
    pub fn take_turn(&mut self) -> TurnOut {
        let mut out = TurnOut {
            now: self.now,
            facts: std::mem::take(&mut self.facts),
            touched: std::mem::take(&mut self.touched),
            ..TurnOut::default()
        };
        let mut definitions: BTreeMap<DefinitionHash, Arc<Plan>> = BTreeMap::new();
        for fact in &out.facts {
            out.writes_world |= changes_world(&fact.record);
            let saga = fact.saga.and_then(|id| self.live.get_mut(&id));
            if let (Some(live), true) = (saga, changes_row(&fact.record)) {
                live.row = live.row.stale();
                if matches!(fact.record, Record::Began(_)) {
                    definitions.insert(live.plan.hash.clone(), live.plan.clone());
                }
            }
            out.ended.extend(fact.saga.zip(end(&fact.record)));
            out.events.extend(bus_event(fact.seq, fact.saga, &fact.record));
        }
        if let Some(last) = out.facts.last() {
            out.writes_world |= last.seq.0 - self.world_written.0 >= WORLD_EVERY;
            if out.writes_world {
                self.world_written = last.seq;
            }
        }
        out.definitions = definitions.into_values().collect();
        self.take_lines(&mut out);
        out
    }

    fn take_lines(&mut self, out: &mut TurnOut) {
        for id in &out.touched {
            let Some(live) = self.live.get_mut(id) else { continue };
            if live.row != RowState::Clean {
                let created = live.row == RowState::New;
                let clash = live.clash.clone();
                out.lines.push(SagaLine { created, clash, saga: head(&live.saga) });
                live.row = RowState::Clean;
            }
            let over = !live.saga.is_open() && !live.saga.is_incident();
            if over && let Some(live) = self.live.remove(id) {
                self.times.change(*id, live.due, None);
                self.waits.forget(*id, &live);
                if let Some((_, users)) = self.older.get_mut(&live.plan.hash) {
                    *users -= 1;
                    if *users == 0 {
                        self.older.remove(&live.plan.hash);
                    }
                }
                self.corrupt.extend(live.clash.map(|clash| (*id, clash)));
            }
        }
    }
}

/// The bus event that a record is, or that derives from it \[L10\].
#[must_use]
pub fn bus_event(seq: Seq, saga: Option<SagaId>, record: &Record) -> Option<BusEvent> {
    let event = |name: &str, fields: Value| {
        let (name, fields) = (Arc::from(name), Arc::new(fields));
        Some(BusEvent { version: seq, name, echo: None, fields })
    };
    match (record, saga) {
        (Record::Event(report), _) => Some(BusEvent {
            version: seq,
            name: report.name.clone(),
            echo: report.saga_id.zip(report.step.clone()),
            fields: report.fields.clone(),
        }),
        (Record::Emitted(emitted), _) => Some(BusEvent {
            version: seq,
            name: emitted.event.clone(),
            echo: None,
            fields: emitted.fields.clone(),
        }),
        (Record::Boot(boot), _) => event(
            "launcher_started",
            json!({"launcher_pid": boot.pid, "launcher_version": boot.version}),
        ),
        (Record::ProcessSpawned(p), _) => event(
            "process_spawned",
            json!({"pid": p.pid, "client_kind": p.client_kind, "client_version": p.client_version}),
        ),
        (Record::ProcessExited(p), _) => {
            event("process_exited", json!({"pid": p.pid, "client_kind": p.client_kind}))
        }
        (Record::Lifecycle(change), _) => event(
            "lifecycle_phase_changed",
            json!({"from": change.from.as_str(), "to": change.to.as_str()}),
        ),
        (Record::Began(began), Some(id)) if !began.queued => {
            event("saga_started", json!({"saga_id": id, "name": began.name}))
        }
        (Record::Dequeued(dequeued), Some(id)) => {
            event("saga_started", json!({"saga_id": id, "name": dequeued.name}))
        }
        (Record::Ended(verdict), Some(id)) => {
            let (name, fields) = bracket_end(id, verdict);
            event(name, Value::Object(fields))
        }
        (Record::Settled(verdict), Some(id)) => {
            event("saga_resolved", json!({"saga_id": id, "outcome": verdict.state.as_str()}))
        }
        (Record::Resolved(_), Some(id)) => {
            event("saga_resolved", json!({"saga_id": id, "outcome": "resolved"}))
        }
        (record, Some(id)) => {
            step_event(record, id).and_then(|fields| event("saga_step", Value::Object(fields)))
        }
        (_, None) => None,
    }
}

/// The one terminal of a saga's bracket \[R1\].
fn bracket_end(id: SagaId, verdict: &Verdict) -> (&'static str, Map<String, Value>) {
    let mut fields = Map::new();
    fields.insert("saga_id".into(), json!(id));
    if verdict.state == State::Completed {
        if let Some(result) = &verdict.result {
            fields.insert("result".into(), (**result).clone());
        }
        return ("saga_completed", fields);
    }
    fields.insert("reason".into(), json!(verdict.reason));
    fields.insert("outcome".into(), json!(outcome_word(verdict)));
    fields.insert("state".into(), json!(verdict.state));
    fields.insert("cause".into(), json!(verdict.cause));
    ("saga_failed", fields)
}

/// The state; only for a failed saga the cause, where that says more \[wire, `saga_failed`\].
fn outcome_word(verdict: &Verdict) -> &'static str {
    match (verdict.state, verdict.cause) {
        (State::Failed, Some(cause @ (Cause::Evicted | Cause::Cancelled | Cause::TimedOut))) => {
            cause.as_str()
        }
        (state, _) => state.as_str(),
    }
}

/// What `saga_step` says of a record.
fn step_event(record: &Record, id: SagaId) -> Option<Map<String, Value>> {
    let (step, state, attempt, reason) = match record {
        Record::Issued(r) => (&r.step, "issued", r.attempt, None),
        Record::Reissued(r) => (&r.step, "issued", r.attempt, None),
        Record::Outcome(r) if r.outcome == Ending::Skipped => {
            (&r.step, r.outcome.as_str(), 0, r.reason.as_ref())
        }
        Record::Outcome(r) => (&r.step, r.outcome.as_str(), r.attempt, r.reason.as_ref()),
        Record::Undone(r) if r.ok => (&r.step, "compensated", r.attempt, None),
        Record::Undone(r) => (&r.step, "compensation_failed", r.attempt, r.reason.as_ref()),
        Record::Boot(_)
        | Record::Stopped(_)
        | Record::Clock(_)
        | Record::Event(_)
        | Record::ProcessSpawned(_)
        | Record::ProcessExited(_)
        | Record::Lifecycle(_)
        | Record::SessionOpened(_)
        | Record::SessionClosed(_)
        | Record::Began(_)
        | Record::Dequeued(_)
        | Record::Entered(_)
        | Record::Armed(_)
        | Record::Sent(_)
        | Record::Matched(_)
        | Record::Backoff(_)
        | Record::Undoing(_)
        | Record::Emitted(_)
        | Record::Unwinding(_)
        | Record::Finishing(_)
        | Record::Ended(_)
        | Record::Dropped(_)
        | Record::Refused(_)
        | Record::Late(_)
        | Record::Retried(_)
        | Record::Resolved(_)
        | Record::Settled(_) => return None,
    };
    let mut fields = Map::new();
    fields.insert("saga_id".into(), json!(id));
    fields.insert("step".into(), json!(step));
    fields.insert("state".into(), json!(state));
    fields.insert("attempt".into(), json!(attempt));
    if let Some(reason) = reason {
        fields.insert("reason".into(), json!(reason));
    }
    Some(fields)
}

/// How a saga ended, if the record says so.
fn end(record: &Record) -> Option<Verdict> {
    if let Record::Ended(end) | Record::Dropped(end) | Record::Settled(end) = record {
        return Some(end.clone());
    }
    None
}

fn changes_world(record: &Record) -> bool {
    matches!(
        record,
        Record::Boot(_)
            | Record::Stopped(_)
            | Record::Clock(_)
            | Record::ProcessSpawned(_)
            | Record::ProcessExited(_)
            | Record::Lifecycle(_)
            | Record::SessionOpened(_)
            | Record::SessionClosed(_)
    )
}

fn changes_row(record: &Record) -> bool {
    matches!(
        record,
        Record::Began(_)
            | Record::Dequeued(_)
            | Record::Unwinding(_)
            | Record::Ended(_)
            | Record::Dropped(_)
            | Record::Settled(_)
            | Record::Retried(_)
            | Record::Resolved(_)
    )
}

fn head(saga: &Saga) -> SagaHead {
    let verdict = saga.verdict.as_ref().filter(|_| saga.state.is_end());
    let turned = saga.unwinding.as_ref();
    SagaHead {
        id: saga.id,
        name: saga.name.clone(),
        definition: saga.definition.clone(),
        trigger: saga.trigger.clone(),
        input: saga.input.clone(),
        state: saga.state,
        cause: verdict.and_then(|v| v.cause).or(turned.map(|(cause, _)| *cause)),
        reason: verdict
            .and_then(|v| v.reason.clone())
            .or_else(|| turned.map(|(_, words)| words.clone())),
        result: verdict.and_then(|v| v.result.clone()),
        began_at: saga.began_at,
        started_at: saga.started_at,
        ended_at: saga.ended_at,
        resolved: saga.resolved.as_ref().map(|o| o.reason.clone()).zip(saga.resolved_at),
    }
}
