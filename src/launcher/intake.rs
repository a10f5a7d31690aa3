//! What a message of a connection means: who may say it, and what the coordinator is asked \[W5,
//! W6\]. Tells nothing before the commit.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::coordinator::{Client, IncomingReport, Refusal, RefusalCode, Said, Signal};
use crate::ids::{ConnId, SagaId, Seq};
use crate::ipc::frames;
use crate::ipc::protocol::{
    ActionFailed, AskId, ClientFrame, Echo, Register, Report, SignalSaga, StartSaga,
};
use crate::ipc::server::{Asked, Inbound};
use crate::ipc::session::{Member, Session};
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::PARKED_LINES;
use crate::log::Log;
use crate::saga::record::Dedup;

use super::core::{Conn, Core, Parked, Tell};

impl<L: Log> Core<L> {
    pub(super) fn take(&mut self, message: Inbound) {
        let conn = message.conn();
        if let Some(from) = self.conns.get_mut(&conn)
            && let Some(parked) = &mut from.parked
        {
            let ends = matches!(message, Inbound::Closed { .. });
            if ends || parked.messages.len() < PARKED_LINES {
                parked.messages.push_back(message);
                return;
            }
            // Nothing of it was taken, and nothing will be.
            from.parked = None;
            let words = "too much was said before the older client of this target was gone";
            return self.refuse(conn, &ProtocolError::fatal(ErrorCode::Busy, words));
        }
        match message {
            Inbound::Opened { conn, outbox } => {
                let (session, from) = (Session::New, Seq(u64::MAX));
                let (awaits, lines) = (BTreeSet::new(), Vec::new());
                let parked = None;
                self.conns.insert(conn, Conn { outbox, session, from, awaits, parked, lines });
            }
            Inbound::Frame { conn, frame, asked } => self.frame(conn, frame, asked),
            Inbound::Bad { conn, error } => {
                let Some(from) = self.conns.get(&conn) else { return };
                let error = from.session.blame(error);
                self.refuse(conn, &error);
            }
            Inbound::Sent { command_ids, .. } => {
                for command_id in command_ids {
                    if let Some(saga) = saga_of(&command_id) {
                        self.coordinator.sent(saga, &command_id);
                    }
                }
            }
            Inbound::Closed { conn, .. } => self.closed(conn),
        }
    }

    fn frame(&mut self, conn: ConnId, frame: ClientFrame, asked: Option<Asked>) {
        let Some(from) = self.conns.get(&conn) else { return };
        let coordinator = &self.coordinator;
        let admitted = from.session.admit(&frame, &self.allow, |kind| coordinator.is_target(kind));
        if let Err(error) = admitted {
            return self.refuse(conn, &error);
        }
        let stopping = self.stopping && !self.serves(conn);
        match frame {
            ClientFrame::Register(_)
            | ClientFrame::Report(_)
            | ClientFrame::StartSaga(_)
            | ClientFrame::SignalSaga(_)
                if stopping =>
            {
                let error = ProtocolError::mild(ErrorCode::Busy, "the launcher is shutting down");
                self.refuse(conn, &error.with_id(frame.id().cloned()));
            }
            ClientFrame::Register(register) => self.register_or_park(conn, register),
            ClientFrame::Report(report) => self.report(conn, report),
            ClientFrame::ActionFailed(failed) => self.action_failed(conn, &failed),
            ClientFrame::StartSaga(start) => self.start_saga(conn, start),
            ClientFrame::SignalSaga(signal) => self.signal_saga(conn, &signal),
            ClientFrame::GetSnapshot { .. }
            | ClientFrame::GetEvents { .. }
            | ClientFrame::ListSagas { .. }
            | ClientFrame::GetSaga { .. } => self.later(conn, Tell::Question(frame, asked)),
            ClientFrame::Ping { id, nonce } => self.later(conn, Tell::Pong(id, nonce)),
            ClientFrame::Goodbye => {
                self.pipes.values_mut().for_each(|pipe| pipe.leave(conn));
                self.leave(conn);
                self.later(conn, Tell::Close);
            }
        }
    }

    fn serves(&self, conn: ConnId) -> bool {
        self.pipes.values().any(|pipe| pipe.conn() == Some(conn))
    }

    /// The older client of a target says its last before the newer one comes \[W12\].
    fn register_or_park(&mut self, conn: ConnId, register: Register) {
        // Nobody is sent away for a newcomer who may not come.
        if let Err(refusal) = self.may_register(&register) {
            return self.refuse(conn, &error_of(&refusal, register.id.as_ref()));
        }
        let older = self.pipes.get_mut(&register.kind).and_then(crate::host_pipe::Pipe::supersede);
        let waits_for = older.or_else(|| self.parked_for(&register.kind));
        match waits_for.filter(|older| self.conns.contains_key(older)) {
            Some(behind) => {
                let frame = ClientFrame::Register(register);
                let messages = VecDeque::from([Inbound::Frame { conn, frame, asked: None }]);
                if let Some(conn) = self.conns.get_mut(&conn) {
                    conn.parked = Some(Parked { behind, messages });
                }
            }
            None => self.register(conn, &register),
        }
    }

    /// The connection that somebody already waits behind for that target.
    fn parked_for(&self, kind: &str) -> Option<ConnId> {
        let parked = self.conns.values().filter_map(|conn| conn.parked.as_ref());
        let same = parked.filter(|parked| match parked.messages.front() {
            Some(Inbound::Frame { frame: ClientFrame::Register(first), .. }) => {
                *first.kind == *kind
            }
            Some(_) | None => false,
        });
        same.map(|parked| parked.behind).next()
    }

    fn register(&mut self, conn: ConnId, register: &Register) {
        let before = self.coordinator.world().next_seq;
        let registered = match self.enrol(register) {
            Ok(registered) => registered,
            Err(refusal) => return self.refuse(conn, &error_of(&refusal, register.id.as_ref())),
        };
        for older in &registered.superseded {
            self.close_superseded(*older);
        }
        let version = self.version();
        let Some(to) = self.conns.get_mut(&conn) else { return };
        to.session = Session::Registered(Member::new(registered.client_id, register));
        // A client that resumes finds its own registration in the replay, in its place.
        to.from = if register.resume_from.is_some() { version.next() } else { before };
        self.by_client.insert(registered.client_id, conn);
        let line = frames::registered(&frames::Registered {
            id: register.id.as_ref(),
            client_id: registered.client_id,
            launcher_pid: self.identity.pid,
            launcher_version: self.identity.version,
            session: registered.session,
            version,
        });
        self.later(conn, Tell::Line(line));
        if let Some(since) = register.resume_from {
            self.later(conn, Tell::Replay(since, version));
        }
        if let Some(session) = registered.session {
            self.later(conn, Tell::Serve(register.kind.clone(), session));
        }
    }

    fn close_superseded(&mut self, client: crate::ids::ClientId) {
        let Some(older) = self.by_client.remove(&client) else { return };
        if let Some(conn) = self.conns.get(&older) {
            let words = "a newer client registered as this target";
            let error = ProtocolError::fatal(ErrorCode::Superseded, words);
            conn.outbox.close_now(Some(frames::error(&error)));
        }
    }

    fn report(&mut self, conn: ConnId, report: Report) {
        let Some(from) = self.client(conn) else { return };
        let dedup = report
            .id
            .as_ref()
            .map(|id| Dedup { id: Arc::from(id.to_string()), digest: digest_of_report(&report) });
        let (echo, command_id) = match report.echo {
            Some(echo) => (Some((echo.saga_id, echo.step)), echo.command_id),
            None => (None, None),
        };
        let Report { event, fields, id, .. } = report;
        let incoming = IncomingReport { event, fields, echo, command_id, dedup };
        self.told_of(conn, id.as_ref(), |it| it.coordinator.report(&from, incoming));
    }

    fn action_failed(&mut self, conn: ConnId, failed: &ActionFailed) {
        let Some(from) = self.client(conn) else { return };
        let ActionFailed { id, echo, reason } = failed;
        let step = (echo.saga_id, &*echo.step);
        let done = self.coordinator.action_failed(&from, step, echo.command_id.as_deref(), reason);
        self.accept(conn, id.as_ref(), done);
    }

    fn accept(&mut self, conn: ConnId, id: Option<&AskId>, done: Result<(), Refusal>) {
        match (done, id) {
            (Ok(()), Some(id)) => {
                let line = frames::accepted(id, self.version());
                self.later(conn, Tell::Line(line));
            }
            (Ok(()), None) => {}
            (Err(refusal), id) => self.refuse(conn, &error_of(&refusal, id)),
        }
    }

    fn start_saga(&mut self, conn: ConnId, start: StartSaga) {
        let Some(from) = self.client(conn) else { return };
        let StartSaga { id, saga, input, wait } = start;
        let dedup = id.as_ref().map(|id| Dedup {
            id: Arc::from(id.to_string()),
            digest: digest(&["start", &saga, &text_of(&input)]),
        });
        match self.coordinator.start(&from, &saga, input, dedup) {
            Ok(saga_id) => {
                let line = frames::saga_accepted(id.as_ref(), saga_id, self.version());
                self.later(conn, Tell::Line(line));
                if wait {
                    self.later(conn, Tell::Result(id, saga_id));
                }
            }
            Err(refusal) => self.refuse(conn, &error_of(&refusal, id.as_ref())),
        }
    }

    fn signal_saga(&mut self, conn: ConnId, frame: &SignalSaga) {
        let Some(from) = self.client(conn) else { return };
        let SignalSaga { id, saga_id, signal, reason, .. } = frame;
        let Some(signal) = Signal::parse(signal) else { return self.say(conn, &from, frame) };
        let done = self.coordinator.was_issued(*saga_id).and_then(|()| {
            match self.how_it_ended(*saga_id) {
                Some(ended) => {
                    let who = signal.who_takes_it();
                    Err(refused(format!("saga {saga_id} has ended, it is {ended}; {who}")))
                }
                None => self.coordinator.signal(&from, *saga_id, signal, reason.as_deref()),
            }
        });
        self.accept(conn, id.as_ref(), done);
    }

    /// A signal of the saga's own.
    fn say(&mut self, conn: ConnId, from: &Client, frame: &SignalSaga) {
        let SignalSaga { id, saga_id, signal, reason, input } = frame;
        let dedup = id.as_ref().map(|id| Dedup {
            id: Arc::from(id.to_string()),
            digest: digest(&["signal", &saga_id.to_string(), signal, &text_of(input)]),
        });
        let (signal, input, reason) = (signal.clone(), input.clone(), reason.clone());
        let said = Said { signal, input, reason, dedup };
        self.told_of(conn, id.as_ref(), |it| it.coordinator.say(from, *saga_id, said));
    }

    /// Answers `accepted` with the version of what was taken, or refuses it.
    fn told_of(
        &mut self,
        conn: ConnId,
        id: Option<&AskId>,
        take: impl FnOnce(&mut Self) -> Result<Seq, Refusal>,
    ) {
        let before = self.coordinator.world().next_seq;
        match (take(self), id) {
            (Ok(version), Some(id)) => {
                let line = frames::accepted(id, version);
                // A repetition's first version may be long past: its answer comes now.
                let after = if version < before { self.version() } else { version };
                self.told.push((after, conn, Tell::Line(line)));
            }
            (Ok(_), None) => {}
            (Err(refusal), id) => self.refuse(conn, &error_of(&refusal, id)),
        }
    }

    /// The state in which a saga rests that the coordinator has no more use for.
    fn how_it_ended(&self, saga: SagaId) -> Option<String> {
        if self.coordinator.saga(saga).is_some() || self.coordinator.corrupt().contains_key(&saga) {
            return None;
        }
        let progress = self.log.head(saga).ok()??.progress;
        progress.ended_at?;
        let resolved = if progress.resolved_at.is_some() { " and resolved" } else { "" };
        Some(format!("{}{resolved}", progress.state))
    }

    /// The client's record ends, its session closes; the connection may still be written to.
    fn leave(&mut self, conn: ConnId) {
        if let Some(Client { id, kind, .. }) = self.client(conn) {
            if self.by_client.remove(&id).is_some() {
                self.part(id);
            }
            if let Some(pipe) = self.pipes.get_mut(&kind) {
                pipe.close(conn);
            }
        }
    }

    fn closed(&mut self, conn: ConnId) {
        self.leave(conn);
        self.pipes.values_mut().for_each(|pipe| pipe.gone(conn));
        // A peer that only stopped sending still gets the answers to what it had sent.
        self.later(conn, Tell::Gone);
        let unparked: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, c)| c.parked.as_ref().is_some_and(|parked| parked.behind == conn))
            .map(|(id, _)| *id)
            .collect();
        for next in unparked {
            let parked = self.conns.get_mut(&next).and_then(|conn| conn.parked.take());
            for message in parked.map(|parked| parked.messages).unwrap_or_default() {
                self.take(message);
            }
        }
    }
}

fn refused(message: String) -> Refusal {
    Refusal { code: RefusalCode::Refused, message }
}

/// The saga that a command id speaks of; the ids are this engine's own.
fn saga_of(command_id: &str) -> Option<SagaId> {
    command_id.split('.').next()?.parse().ok().map(SagaId)
}

/// What a report says. Its parts are named one by one: how the program prints a type may change.
fn digest_of_report(report: &Report) -> u64 {
    let (saga, step, command) = match &report.echo {
        Some(Echo { saga_id, step, command_id }) => {
            (saga_id.to_string(), &**step, command_id.as_deref().unwrap_or_default())
        }
        None => (String::new(), "", ""),
    };
    digest(&["report", &report.event, &saga, step, command, &text_of(&report.fields)])
}

/// Fields as text, the same in whatever order their sender has them.
fn text_of(fields: &Map<String, Value>) -> String {
    let mut fields = Value::Object(fields.clone());
    fields.sort_all_objects();
    fields.to_string()
}

/// Sixty-four bits of a content, the same in every version of the program \[W9\].
fn digest(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let bytes: [u8; 32] = hasher.finalize().into();
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ])
}

fn error_of(refusal: &Refusal, id: Option<&AskId>) -> ProtocolError {
    let message = refusal.message.clone();
    let error = match refusal.code {
        RefusalCode::InvalidCommand => ProtocolError::mild(ErrorCode::InvalidCommand, message),
        RefusalCode::AlreadyRegistered => {
            ProtocolError::fatal(ErrorCode::AlreadyRegistered, message)
        }
        RefusalCode::UnknownEvent => ProtocolError::mild(ErrorCode::UnknownEvent, message),
        RefusalCode::InvalidPayload => ProtocolError::mild(ErrorCode::InvalidPayload, message),
        RefusalCode::UnknownSaga => ProtocolError::mild(ErrorCode::UnknownSaga, message),
        RefusalCode::Refused => ProtocolError::mild(ErrorCode::Refused, message),
        RefusalCode::NotAllowed => ProtocolError::mild(ErrorCode::NotAllowed, message),
    };
    error.with_id(id.cloned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(fields: &Value, echo: Option<Echo>) -> Report {
        let fields = fields.as_object().cloned().unwrap_or_default();
        Report { id: None, event: "did".into(), echo, fields }
    }

    /// The log keeps them: another program that reads it must come to the same.
    #[test]
    fn w9_a_content_has_the_same_digest_in_every_version_and_order() {
        let echo = Echo { saga_id: SagaId(3), step: "reap".into(), command_id: None };
        let (one, other) =
            (json!({"a": {"x": 1, "y": 2}, "b": 3}), json!({"b": 3, "a": {"y": 2, "x": 1}}));
        let digests =
            [&one, &other].map(|fields| digest_of_report(&report(fields, Some(echo.clone()))));
        assert_eq!(digests, [2_399_511_779_084_237_005; 2]);
        let organic = digest_of_report(&report(&one, None));
        assert_ne!(digests[0], organic);
    }
}
