//! Answers to queries, read from what is durable. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::ids::{ConnId, SagaId, Seq};
use crate::ipc::frames::{self, Line};
use crate::ipc::protocol::{AskId, ClientFrame, SagaFilter};
use crate::ipc::server::Asked;
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::{ANSWER_BYTES_MAX, LIST_SAGAS, REPLAY_BATCHES};
use crate::log::{Filter, Log, LogRead, ReadError};

use super::core::{Core, Tell};
use super::events::event_page;
use super::picture::Pictures;
use super::reader::Job;

/// What was decided when a question was asked, as far as the log does not tell it.
#[derive(Clone, Debug)]
pub(super) struct AsOf {
    /// The newest version.
    pub version: Seq,
    /// The next saga's id.
    pub next_saga: SagaId,
    /// Sagas that were set aside, with the facts that clash \[L9\].
    pub corrupt: Arc<BTreeMap<SagaId, String>>,
}

impl<L: Log> Core<L> {
    /// Answers what memory can answer, and lets the log's reader answer the rest: nobody decides
    /// while a question is read \[R7\].
    pub(super) fn answer(&mut self, conn: ConnId, frame: ClientFrame, asked: Option<Asked>) {
        if let Some(line) = self.answer_from_memory(&frame) {
            return self.tell(conn, Tell::Line(line));
        }
        let Some(to) = self.conns.get(&conn).map(|conn| conn.outbox.clone()) else { return };
        let as_of = self.as_of();
        let Some(reader) = &mut self.reader else {
            let answered = answer(&self.log, &mut self.pictures, &frame, &as_of);
            let line = answered.unwrap_or_else(|error| frames::error(&error));
            return self.tell(conn, Tell::Line(line));
        };
        let id = frame.id().cloned();
        if !reader.hand(Job::Question { to, frame, as_of, asked }) {
            let words = "too many questions wait; ask again later";
            let busy = ProtocolError::mild(ErrorCode::Busy, words).with_id(id);
            self.tell(conn, Tell::Line(frames::error(&busy)));
        }
    }

    fn as_of(&self) -> AsOf {
        AsOf {
            version: self.version(),
            next_saga: self.coordinator.world().next_saga,
            corrupt: self.coordinator.corrupt_now(),
        }
    }

    fn answer_from_memory(&self, frame: &ClientFrame) -> Option<Line> {
        match frame {
            ClientFrame::GetSnapshot { id } => {
                Some(frames::snapshot(id.as_ref(), &self.snapshot(), self.version()))
            }
            ClientFrame::GetEvents { id, since } => {
                let events = self.ring.after(*since)?.map(|event| event.line.trim_end());
                Some(frames::event_list(id.as_ref(), events, false, self.version()).line)
            }
            ClientFrame::ListSagas { .. }
            | ClientFrame::GetSaga { .. }
            | ClientFrame::Register(_)
            | ClientFrame::Report(_)
            | ClientFrame::ActionFailed(_)
            | ClientFrame::StartSaga(_)
            | ClientFrame::SignalSaga(_)
            | ClientFrame::Ping { .. }
            | ClientFrame::Goodbye => None,
        }
    }

    fn snapshot(&self) -> Map<String, Value> {
        let world = self.coordinator.world();
        let processes: Vec<Value> = world
            .processes
            .values()
            .map(|entry| {
                let p = &entry.process;
                let mut shown = json!({
                    "pid": p.pid, "kind": p.client_kind, "name": p.name,
                    "client_version": p.client_version, "client_id": p.client_id,
                    "state": if entry.running { "running" } else { "exited" },
                    "since": entry.since.to_string(),
                });
                if let Some(service) = &p.service {
                    shown["service"] = json!({
                        "name": service.name, "exit_code": service.exit_code,
                        "killed_by": service.killed_by,
                    });
                }
                shown
            })
            .collect();
        let mut targets = Map::new();
        for name in self.coordinator.known_targets() {
            let owed = self.coordinator.owed_to(&name).count();
            let session = world.targets.get(&name).and_then(|target| target.open);
            let state = if session.is_some() { "connected" } else { "away" };
            targets.insert(
                name.to_string(),
                json!({ "state": state, "session": session, "owed": owed }),
            );
        }
        let sagas: Vec<Value> = self
            .coordinator
            .sagas()
            .rev()
            .take(LIST_SAGAS)
            .map(|(saga, _)| {
                json!({ "saga_id": saga.id, "name": saga.name, "state": saga.state.as_str() })
            })
            .collect();
        let mut body = Map::new();
        body.insert("lifecycle".into(), json!(world.phase.as_str()));
        body.insert("processes".into(), Value::Array(processes));
        body.insert("targets".into(), Value::Object(targets));
        body.insert("sagas".into(), Value::Array(sagas));
        let schedules = self.coordinator.schedules().map(|tick| {
            let next = tick.next.map(|next| next.to_string());
            json!({ "saga": tick.saga, "schedule": tick.schedule, "next": next })
        });
        body.insert("schedules".into(), schedules.collect());
        body.insert("turned_away".into(), json!(self.coordinator.turned_away()));
        body
    }

    /// The result of a saga for a caller that waits: now, or at its end.
    pub(super) fn tell_result(&mut self, conn: ConnId, ask: Option<AskId>, saga: SagaId) {
        let open = self.coordinator.saga(saga).is_some_and(|(saga, _)| saga.is_open());
        if open {
            let waiters = self.waiters.entry(saga).or_default();
            // Who asks again under its id waits for one result, not for one more each time [W9].
            if !waiters.contains(&(conn, ask.clone())) {
                waiters.push((conn, ask));
            }
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.awaits.insert(saga);
            }
            return;
        }
        let line = match self.log.head(saga) {
            Ok(Some(head)) => {
                let progress = &head.progress;
                let result = progress.result.as_deref().and_then(|r| serde_json::from_str(r).ok());
                let result: Option<Value> = result;
                let what = frames::SagaResult {
                    saga_id: saga,
                    state: &progress.state,
                    cause: progress.cause.as_deref(),
                    result: result.as_ref(),
                    reason: progress.reason.as_deref(),
                };
                frames::saga_result(ask.as_ref(), &what, self.version())
            }
            Ok(None) => {
                let words = format!("saga {saga} is no longer kept");
                let error = ProtocolError::mild(ErrorCode::UnknownSaga, words);
                frames::error(&error.with_id(ask))
            }
            Err(error) => frames::error(&unread(&error, ask.as_ref())),
        };
        self.tell(conn, Tell::Line(line));
    }

    /// Sends a client what it missed \[W13\]: from the ring at once, or from the log by its reader,
    /// so that nobody else waits for it \[R7\].
    pub(super) fn replay(&mut self, conn: ConnId, since: Seq, upto: Seq) {
        let Some(to) = self.conns.get(&conn) else { return };
        let session = to.session.clone();
        if let Some(events) = self.ring.after(since) {
            for event in events {
                if event.version <= upto && session.wants(&event.name) {
                    to.outbox.push_event(event.version, event.line.clone());
                }
            }
            return;
        }
        let lines = to.outbox.push_replay(REPLAY_BATCHES);
        let first = lines.clone();
        let job = Job::Replay { since, upto, session, lines };
        if !self.reader.as_mut().is_some_and(|reader| reader.hand(job)) {
            // There is room: nothing of this replay was sent.
            first.try_send(frames::lagged(None, since.next(), upto, upto)).ok();
        }
    }
}

/// The answer of the log to a question.
pub(super) fn answer(
    log: &dyn LogRead,
    pictures: &mut Pictures,
    frame: &ClientFrame,
    as_of: &AsOf,
) -> Result<Line, ProtocolError> {
    let id = frame.id();
    pictures.look_again();
    let read = match frame {
        ClientFrame::GetEvents { since, .. } => event_page(log, id, (*since, as_of.version)),
        ClientFrame::ListSagas { filter, .. } => list(log, pictures, (id, filter), as_of),
        ClientFrame::GetSaga { saga_id, .. } => match one(log, pictures, (id, *saga_id), as_of) {
            Ok(Some(line)) => Ok(line),
            Ok(None) => return Err(no_saga(*saga_id, as_of).with_id(id.cloned())),
            Err(error) => Err(error),
        },
        ClientFrame::GetSnapshot { .. }
        | ClientFrame::Register(_)
        | ClientFrame::Report(_)
        | ClientFrame::ActionFailed(_)
        | ClientFrame::StartSaga(_)
        | ClientFrame::SignalSaga(_)
        | ClientFrame::Ping { .. }
        | ClientFrame::Goodbye => {
            let words = "this is no question that the log answers";
            return Err(ProtocolError::mild(ErrorCode::Refused, words).with_id(id.cloned()));
        }
    };
    read.map_err(|error| unread(&error, id))
}

fn list(
    log: &dyn LogRead,
    pictures: &mut Pictures,
    (id, filter): (Option<&AskId>, &SagaFilter),
    as_of: &AsOf,
) -> Result<Line, ReadError> {
    let most = usize::try_from(filter.limit.unwrap_or(LIST_SAGAS as u64)).unwrap_or(LIST_SAGAS);
    let most = most.clamp(1, LIST_SAGAS);
    let wanted = Filter {
        states: filter.states.iter().map(|state| state.clone().into()).collect(),
        name: filter.name.clone(),
        before: filter.before,
    };
    let rows = log.list(&wanted, most + 1)?;
    let more = rows.len() > most;
    let mut sagas = Vec::new();
    for row in rows.iter().take(most) {
        let clash = as_of.corrupt.get(&row.saga_id).cloned();
        if let Some(stored) = log.saga(row.saga_id)? {
            let picture = pictures.of(log, &stored, clash);
            sagas.push((row.saga_id, picture.summary().to_string()));
        }
    }
    Ok(frames::saga_list(id, &sagas, more, as_of.version).line)
}

fn one(
    log: &dyn LogRead,
    pictures: &mut Pictures,
    (id, saga): (Option<&AskId>, SagaId),
    as_of: &AsOf,
) -> Result<Option<Line>, ReadError> {
    let Some(stored) = log.saga(saga)? else { return Ok(None) };
    // A picture is as long as the facts that it is made of, or longer.
    let facts: usize = stored.rows.iter().flatten().map(|row| row.body.len()).sum();
    let short = Some(()).filter(|()| facts <= ANSWER_BYTES_MAX).map(|()| {
        let clash = as_of.corrupt.get(&saga).cloned();
        let picture = pictures.of(log, &stored, clash);
        frames::saga(id, &picture.detail(), as_of.version)
    });
    let short = short.filter(|line| line.len() <= ANSWER_BYTES_MAX);
    Ok(Some(short.unwrap_or_else(|| frames::error(&too_long(saga).with_id(id.cloned())))))
}

/// Who wants all of it reads the log.
fn too_long(saga: SagaId) -> ProtocolError {
    let message = format!(
        "saga {saga} is told in more than {ANSWER_BYTES_MAX} bytes; \
         read it from the log: sagaflow show {saga} --data DIR"
    );
    ProtocolError::mild(ErrorCode::Refused, message)
}

fn no_saga(saga: SagaId, as_of: &AsOf) -> ProtocolError {
    let message = if saga.0 == 0 || saga >= as_of.next_saga {
        format!("saga {saga} was never issued")
    } else {
        format!("saga {saga} ended so long ago that it is no longer kept")
    };
    ProtocolError::mild(ErrorCode::UnknownSaga, message)
}

/// What an asker is told when the log cannot be read.
pub(super) fn unread(error: &dyn std::error::Error, id: Option<&AskId>) -> ProtocolError {
    ProtocolError::mild(ErrorCode::Refused, error.to_string()).with_id(id.cloned())
}
