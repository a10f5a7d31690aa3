//! What a turn leaves behind: facts to commit, and what to tell afterwards. Serialises nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::limits::WORLD_EVERY;
use crate::plan::Plan;
use crate::saga::record::{
    Boot, Cause, Ending, Lifecycle, Parent, Process, Record, State, Verdict,
};
use crate::saga::state::Saga;
use crate::time::Timestamp;

use super::owed::Debt;
use super::timetable::Due;
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
#[derive(Clone, Debug, Default)]
pub struct TurnOut {
    /// The turn's instant.
    pub now: Timestamp,
    /// Sagas whose readable row changed, for the same commit.
    pub lines: Vec<SagaLine>,
    /// Definitions that sagas of this turn use \[L4\].
    pub definitions: Vec<Arc<Plan>>,
    /// Whether what belongs to no saga is to be written: it changed, or was written long ago.
    pub writes_world: bool,
    /// Sagas that came to an end; an incident that was tried again comes to one more.
    pub ended: Vec<(SagaId, Verdict)>,
    /// How what is owed changed, in order.
    pub debts: Vec<Debt>,
    /// What built-in targets know now and did not before: target, name, and what is known of it, if
    /// anything.
    pub known: Vec<(Arc<str>, Arc<str>, Option<Value>)>,
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

/// An event of the bus, not yet a line. It is a view of its record \[L10\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BusEvent<'a> {
    /// Its version: the number of the record that it is \[L10\].
    pub version: Seq,
    /// What it says.
    pub told: Told<'a>,
}

/// What an event of the bus says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told<'a> {
    /// In the vocabulary's words: reported by a client or published by a saga.
    Declared {
        /// Its name.
        name: &'a Arc<str>,
        /// The saga and step that it echoes.
        echo: Option<(SagaId, &'a str)>,
        /// Its fields.
        fields: &'a Value,
    },
    /// The launcher took the log.
    LauncherStarted(&'a Boot),
    /// A client registered.
    ProcessSpawned(&'a Process),
    /// A registered client's connection ended.
    ProcessExited(&'a Process),
    /// The launcher's own phase changed.
    PhaseChanged(&'a Lifecycle),
    /// A saga's bracket opens \[R1\].
    SagaStarted {
        /// The saga.
        saga: SagaId,
        /// Its name.
        name: &'a str,
        /// The step that called it.
        parent: Option<&'a Parent>,
        /// Whether it sends nothing.
        observes: bool,
    },
    /// A saga's bracket closes \[R1\].
    SagaEnded {
        /// The saga.
        saga: SagaId,
        /// How it ended.
        verdict: &'a Verdict,
    },
    /// An incident was settled \[R14\].
    SagaResolved {
        /// The saga.
        saga: SagaId,
        /// How.
        outcome: &'a str,
    },
    /// A step changed.
    SagaStep {
        /// The saga.
        saga: SagaId,
        /// Instance path of the step.
        step: &'a str,
        /// What became of it.
        state: &'a str,
        /// Sendings (or enterings) so far.
        attempt: u32,
        /// Why, where there is a why.
        reason: Option<&'a str>,
    },
}

impl BusEvent<'_> {
    /// Its name, where it is the launcher's own; absent: it is declared.
    #[must_use]
    pub fn own_name(&self) -> Option<&'static str> {
        Some(match self.told {
            Told::Declared { .. } => return None,
            Told::LauncherStarted(_) => "launcher_started",
            Told::ProcessSpawned(_) => "process_spawned",
            Told::ProcessExited(_) => "process_exited",
            Told::PhaseChanged(_) => "lifecycle_phase_changed",
            Told::SagaStarted { .. } => "saga_started",
            Told::SagaEnded { verdict, .. } if verdict.state == State::Completed => {
                "saga_completed"
            }
            Told::SagaEnded { .. } => "saga_failed",
            Told::SagaResolved { .. } => "saga_resolved",
            Told::SagaStep { .. } => "saga_step",
        })
    }
}

/// The fields of what the launcher tells of itself, for triggers, waits and the bus alike.
#[must_use]
pub fn own_fields(told: &Told<'_>) -> Value {
    match told {
        Told::LauncherStarted(boot) => {
            json!({
                "launcher_pid": boot.pid, "launcher_version": boot.version, "pods": boot.pods
            })
        }
        Told::ProcessSpawned(p) => {
            let version = &p.client_version;
            let own =
                json!({"pid": p.pid, "client_kind": p.client_kind, "client_version": version});
            with_service(own, p)
        }
        Told::ProcessExited(p) => {
            with_service(json!({"pid": p.pid, "client_kind": p.client_kind}), p)
        }
        Told::PhaseChanged(change) => {
            json!({"from": change.from.as_str(), "to": change.to.as_str()})
        }
        Told::Declared { .. }
        | Told::SagaStarted { .. }
        | Told::SagaEnded { .. }
        | Told::SagaResolved { .. }
        | Told::SagaStep { .. } => Value::Null,
    }
}

impl Coordinator {
    /// How many facts wait to be taken.
    #[must_use]
    pub fn facts_waiting(&self) -> usize {
        self.facts.len()
    }

    /// Takes the facts that were decided since they were last taken, to be committed before
    /// anything else is done \[R2\]. A long turn's are taken in parts, while they are at hand.
    pub fn take_facts(&mut self, into: &mut Vec<Fact>) {
        into.clear();
        std::mem::swap(&mut self.facts, into);
        for fact in &*into {
            self.out.writes_world |= changes_world(&fact.record);
            if !changes_row(&fact.record) {
                continue;
            }
            if let Some(live) = fact.saga.and_then(|id| self.live.get_mut(&id)) {
                live.row = live.row.stale();
                if matches!(fact.record, Record::Began(_)) {
                    define(&mut self.defined, &live.plan);
                }
            }
            self.out.ended.extend(fact.saga.zip(end(&fact.record)));
        }
        if let Some(last) = into.last() {
            self.out.writes_world |= last.seq.0 - self.world_written.0 >= WORLD_EVERY;
        }
    }

    /// Ends the turn whose facts were taken: what else to commit, and what to tell afterwards.
    /// Ended sagas leave the memory.
    pub fn take_turn(&mut self) -> TurnOut {
        debug_assert!(self.facts.is_empty(), "facts are taken first");
        let mut out = std::mem::take(&mut self.out);
        out.now = self.now;
        out.known = self.builtin.take_changed();
        if out.writes_world {
            self.world_written = Seq(self.world.next_seq.0 - 1);
        }
        out.definitions = std::mem::take(&mut self.defined).into_values().collect();
        self.take_lines(&mut out);
        out
    }

    fn take_lines(&mut self, out: &mut TurnOut) {
        for id in std::mem::take(&mut self.touched) {
            let Some(live) = self.live.get_mut(&id) else { continue };
            live.touched = false;
            if live.row != RowState::Clean {
                let created = live.row == RowState::New;
                let clash = live.clash.clone();
                out.lines.push(SagaLine { created, clash, saga: head(&live.saga) });
                live.row = RowState::Clean;
            }
            let over = !live.saga.is_open() && !live.saga.is_incident();
            if over && let Some(live) = self.live.remove(&id) {
                self.times.change(Due::Saga(id), live.due, None);
                self.waits.forget(id, &live);
                if let Some((_, users)) = self.older.get_mut(&live.plan.hash) {
                    *users -= 1;
                    if *users == 0 {
                        self.older.remove(&live.plan.hash);
                    }
                }
                if let Some(clash) = live.clash {
                    self.set_aside(id, clash);
                }
            }
        }
    }
}

/// What the supervisor of a process knows of it, beside what everybody knows.
fn with_service(mut fields: Value, process: &Process) -> Value {
    if let (Value::Object(fields), Some(service)) = (&mut fields, &process.service) {
        fields.insert("name".to_owned(), json!(service.name));
        if let Some(code) = service.exit_code {
            fields.insert("exit_code".to_owned(), json!(code));
        }
        if let Some(who) = &service.killed_by {
            fields.insert("killed_by".to_owned(), json!(who));
        }
    }
    fields
}

/// The bus event that a record is, or that derives from it \[L10\].
#[must_use]
pub fn bus_event(seq: Seq, saga: Option<SagaId>, record: &Record) -> Option<BusEvent<'_>> {
    let told = match (record, saga) {
        (Record::Event(report), _) => Told::Declared {
            name: &report.name,
            echo: report.saga_id.zip(report.step.as_deref()),
            fields: &report.fields,
        },
        (Record::Emitted(emitted), _) if emitted.observed => return None,
        (Record::Emitted(emitted), _) => {
            Told::Declared { name: &emitted.event, echo: None, fields: &emitted.fields }
        }
        (Record::Boot(boot), _) => Told::LauncherStarted(boot),
        // It was told when its supervisor started it, or when it registered first.
        (Record::ProcessSpawned(process), _) if process.continues => return None,
        (Record::ProcessSpawned(process), _) => Told::ProcessSpawned(process),
        (Record::ProcessExited(process), _) => Told::ProcessExited(process),
        (Record::Lifecycle(change), _) => Told::PhaseChanged(change),
        (Record::Began(began), Some(saga)) if !began.queued => {
            let parent = began.parent.as_deref();
            Told::SagaStarted { saga, name: &began.name, parent, observes: began.observes }
        }
        (Record::Dequeued(dequeued), Some(saga)) => {
            let parent = dequeued.parent.as_deref();
            Told::SagaStarted { saga, name: &dequeued.name, parent, observes: dequeued.observes }
        }
        (Record::Ended(verdict), Some(saga)) => Told::SagaEnded { saga, verdict },
        (Record::Settled(verdict), Some(saga)) => {
            Told::SagaResolved { saga, outcome: verdict.state.as_str() }
        }
        (Record::Resolved(_), Some(saga)) => Told::SagaResolved { saga, outcome: "resolved" },
        (record, Some(saga)) => step_event(record, saga)?,
        (_, None) => return None,
    };
    Some(BusEvent { version: seq, told })
}

/// What `saga_step` says of a record.
fn step_event(record: &Record, saga: SagaId) -> Option<Told<'_>> {
    let (step, state, attempt, reason) = match record {
        Record::Issued(r) => (&r.step, "issued", r.attempt, None),
        Record::Reissued(r) => (&r.step, "issued", r.attempt, None),
        Record::Probing(r) => (&r.step, "in_doubt", r.attempt, Some(&r.reason)),
        Record::Outcome(r) if r.outcome == Ending::Skipped => {
            (&r.step, r.outcome.as_str(), 0, r.reason.as_ref())
        }
        Record::Outcome(r) => (&r.step, r.outcome.as_str(), r.attempt, r.reason.as_ref()),
        Record::Undone(r) if r.ok => (&r.step, "compensated", r.attempt, None),
        Record::Undone(r) => (&r.step, "compensation_failed", r.attempt, r.reason.as_ref()),
        Record::Boot(_)
        | Record::Stopped(_)
        | Record::Clock(_)
        | Record::Scheduled(_)
        | Record::Unscheduled(_)
        | Record::Ticked(_)
        | Record::Event(_)
        | Record::ProcessSpawned(_)
        | Record::ProcessExited(_)
        | Record::Lifecycle(_)
        | Record::SessionOpened(_)
        | Record::SessionClosed(_)
        | Record::Began(_)
        | Record::Dequeued(_)
        | Record::Joined(_)
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
        | Record::Signalled(_)
        | Record::Reacted(_)
        | Record::ReactionOver(_)
        | Record::Child(_)
        | Record::Held(_)
        | Record::Recalled(_)
        | Record::Retried(_)
        | Record::Resolved(_)
        | Record::Settled(_) => return None,
    };
    let reason = reason.map(|reason| &**reason);
    Some(Told::SagaStep { saga, step, state, attempt, reason })
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
            | Record::Scheduled(_)
            | Record::Unscheduled(_)
            | Record::Ticked(_)
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

/// Keeps a text, and those of all that it calls \[L4\]. There is no circle of calls.
fn define(defined: &mut BTreeMap<DefinitionHash, Arc<Plan>>, plan: &Arc<Plan>) {
    if !defined.contains_key(&plan.hash) {
        defined.insert(plan.hash.clone(), plan.clone());
        plan.callees.iter().for_each(|callee| define(defined, callee));
    }
}
