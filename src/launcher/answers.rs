//! Answers to queries, read from what is durable. Changes nothing.

use std::ops::ControlFlow;

use serde_json::{Map, Value, json};

use crate::bus::Published;
use crate::coordinator::bus_event;
use crate::ids::{ConnId, SagaId, Seq};
use crate::ipc::frames::{self, Line};
use crate::ipc::protocol::{AskId, ClientFrame, SagaFilter};
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::{LIST_SAGAS, REPLAY_LINES};
use crate::log::{Filter, Log, LogRead, LogReader, ReadError};
use crate::saga::record::Record;

use super::core::{Core, Tell};

impl<L: Log> Core<L> {
    pub(super) fn answer(&mut self, conn: ConnId, frame: ClientFrame) {
        let version = self.version();
        let answered = match frame {
            ClientFrame::GetSnapshot { id } => {
                Ok(frames::snapshot(id.as_ref(), &self.snapshot(), version))
            }
            ClientFrame::GetEvents { id, since } => self.events(id.as_ref(), since),
            ClientFrame::ListSagas { id, filter } => self.list(id.as_ref(), &filter),
            ClientFrame::GetSaga { id, saga_id } => self.one(id.as_ref(), saga_id),
            ClientFrame::Register(_)
            | ClientFrame::Report(_)
            | ClientFrame::ActionFailed(_)
            | ClientFrame::StartSaga(_)
            | ClientFrame::SignalSaga(_)
            | ClientFrame::Ping { .. }
            | ClientFrame::Goodbye => return,
        };
        let line = match answered {
            Ok(line) => line,
            Err(error) => frames::error(&error),
        };
        self.tell(conn, Tell::Line(line));
    }

    fn snapshot(&self) -> Map<String, Value> {
        let world = self.coordinator.world();
        let processes: Vec<Value> = world
            .processes
            .values()
            .map(|entry| {
                let p = &entry.process;
                json!({
                    "pid": p.pid, "kind": p.client_kind, "name": p.name,
                    "client_version": p.client_version, "client_id": p.client_id,
                    "state": if entry.running { "running" } else { "exited" },
                    "since": entry.since.to_string(),
                })
            })
            .collect();
        let mut targets = Map::new();
        for (name, target) in world.targets.iter() {
            let owed = self.coordinator.owed_to(name).count();
            let state = if target.open.is_some() { "connected" } else { "away" };
            targets.insert(
                name.to_string(),
                json!({ "state": state, "session": target.open, "owed": owed }),
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
        body
    }

    /// Events after a version: from the ring, or from the log where the ring has lost them \[L10\].
    fn events(&self, id: Option<&AskId>, since: Seq) -> Result<Line, ProtocolError> {
        let version = self.version();
        if let Some(events) = self.ring.after(since) {
            let lines = events.map(|event| event.line.trim_end());
            return Ok(frames::event_list(id, lines, false, version).line);
        }
        let forgotten = self.log.high_water().map_err(|error| failed(&error, id))?.forgotten;
        if since < forgotten {
            return Ok(frames::lagged(id, since.next(), forgotten, version));
        }
        let mut bytes = 0;
        let mut lines: Vec<Line> = Vec::new();
        let mut more = false;
        let mut each = |event: Published| {
            bytes += event.line.len();
            more = bytes > crate::limits::FRAME_BYTES_MAX;
            if more {
                return ControlFlow::Break(());
            }
            lines.push(event.line);
            ControlFlow::Continue(())
        };
        read_events(&self.log, since, &mut each).map_err(|error| failed(&error, id))?;
        let texts = lines.iter().map(|line| line.trim_end());
        Ok(frames::event_list(id, texts, more, version).line)
    }

    fn list(&mut self, id: Option<&AskId>, filter: &SagaFilter) -> Result<Line, ProtocolError> {
        let most = usize::try_from(filter.limit.unwrap_or(LIST_SAGAS as u64)).unwrap_or(LIST_SAGAS);
        let most = most.clamp(1, LIST_SAGAS);
        let wanted = Filter {
            states: filter.states.iter().map(|state| state.clone().into()).collect(),
            name: filter.name.clone(),
            before: filter.before,
        };
        let rows = self.log.list(&wanted, most + 1).map_err(|error| failed(&error, id))?;
        let more = rows.len() > most;
        let mut sagas = Vec::new();
        for row in rows.iter().take(most) {
            let stored = self.log.saga(row.saga_id).map_err(|error| failed(&error, id))?;
            let clash = self.coordinator.corrupt().get(&row.saga_id).cloned();
            if let Some(stored) = stored {
                let picture = self.pictures.of(&self.log, stored, clash);
                sagas.push((row.saga_id, picture.summary().to_string()));
            }
        }
        Ok(frames::saga_list(id, &sagas, more, self.version()).line)
    }

    fn one(&mut self, id: Option<&AskId>, saga: SagaId) -> Result<Line, ProtocolError> {
        let stored = self.log.saga(saga).map_err(|error| failed(&error, id))?;
        let clash = self.coordinator.corrupt().get(&saga).cloned();
        match stored {
            Some(stored) => {
                let picture = self.pictures.of(&self.log, stored, clash);
                Ok(frames::saga(id, &picture.detail(), self.version()))
            }
            None => {
                let message = if saga.0 == 0 || saga >= self.coordinator.world().next_saga {
                    format!("saga {saga} was never issued")
                } else {
                    format!("saga {saga} ended so long ago that it is no longer kept")
                };
                let error = ProtocolError::mild(ErrorCode::UnknownSaga, message);
                Err(error.with_id(id.cloned()))
            }
        }
    }

    /// The result of a saga for a caller that waits: now, or at its end.
    pub(super) fn tell_result(&mut self, conn: ConnId, ask: Option<AskId>, saga: SagaId) {
        let open = self.coordinator.saga(saga).is_some_and(|(saga, _)| saga.is_open());
        if open {
            self.waiters.entry(saga).or_default().push((conn, ask));
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.awaits.insert(saga);
            }
            return;
        }
        let line = match self.log.saga(saga) {
            Ok(Some(stored)) => {
                let progress = &stored.saga.progress;
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
            Err(error) => frames::error(&failed(&error, ask.as_ref())),
        };
        self.tell(conn, Tell::Line(line));
    }

    /// Sends a client what it missed \[W13\]: from the ring at once, or from the log by a thread of
    /// its own, so that nobody else waits for it \[R7\].
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
        let Ok(forgotten) = self.log.high_water().map(|marks| marks.forgotten) else { return };
        if since < forgotten {
            to.outbox.push_reply(frames::lagged(None, since.next(), forgotten, upto));
        }
        let sender = to.outbox.push_replay(REPLAY_LINES);
        let path = self.log_path.clone();
        let read = move |log: &dyn LogRead| {
            let mut each = |event: Published| {
                if event.version > upto {
                    return ControlFlow::Break(());
                }
                let wanted = session.wants(&event.name);
                match wanted && sender.blocking_send(event.line).is_err() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            if let Err(error) = read_events(log, since.max(forgotten), &mut each) {
                tracing::warn!(%error, "a replay ended early");
            }
        };
        let Some(path) = path else { return };
        std::thread::spawn(move || match LogReader::beside_writer(&path) {
            Ok(reader) => read(&reader),
            Err(error) => tracing::warn!(%error, "a replay could not begin"),
        });
    }
}

/// Reads bus events after a version, as they were published.
pub(super) fn read_events(
    log: &dyn LogRead,
    since: Seq,
    each: &mut dyn FnMut(Published) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    log.rows_since(since, &mut |row| {
        // A row that cannot be read is one saga's damage [L9]; the others' events go on.
        let Ok(row) = row else { return ControlFlow::Continue(()) };
        let Ok(records) = row.records::<Record>() else { return ControlFlow::Continue(()) };
        for (offset, record) in records.iter().enumerate() {
            let seq = Seq(row.seq.0 + offset as u64);
            if seq <= since {
                continue;
            }
            let Some(event) = bus_event(seq, row.saga_id, record) else { continue };
            let empty = Map::new();
            let fields = event.fields.as_object().unwrap_or(&empty);
            let echo = event.echo.as_ref().map(|(saga, step)| (*saga, &**step));
            let line = frames::bus_event(&event.name, echo, fields, seq);
            each(Published { version: seq, name: event.name, line })?;
        }
        ControlFlow::Continue(())
    })
}

fn failed(error: &ReadError, id: Option<&AskId>) -> ProtocolError {
    ProtocolError::mild(ErrorCode::Refused, error.to_string()).with_id(id.cloned())
}
