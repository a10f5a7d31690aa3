//! After the commit: events, answers, then commands into the outboxes. Decides nothing and writes
//! no byte.

use crate::bus::{Name, Published};
use crate::coordinator::{BusEvent, Debt, Told, TurnOut, own_fields};
use crate::host_pipe::Owed as LinkOwed;
use crate::ids::{ConnId, SagaId, Seq};
use crate::ipc::frames::{self, Line};
use crate::ipc::outbox::Queue;
use crate::log::Log;
use crate::saga::record::{Cause, State, Verdict};
use crate::view::Shown;

use super::core::{Conn, Core, Pending, Tell};

/// A line on its way into an outbox: a turn's lines go in under one lock, so that they can be one
/// write.
#[derive(Debug)]
pub(super) enum Push {
    Event(Seq, Line),
    Reply(Line),
}

impl<L: Log> Core<L> {
    /// Tells the world what is durable now: events, answers, then commands.
    pub fn hand_over(&mut self, pending: Pending) {
        self.show_pods(&pending);
        let Pending { out, events, .. } = pending;
        let mut told = std::mem::take(&mut self.told).into_iter().peekable();
        for event in events {
            while let Some((_, conn, tell)) = told.next_if(|(after, ..)| *after < event.version) {
                self.tell(conn, tell);
            }
            self.publish(event);
        }
        for (_, conn, tell) in told {
            self.tell(conn, tell);
        }
        let TurnOut { ended, lines, debts, .. } = out;
        for (saga, verdict) in ended {
            let Verdict { state, cause, reason, result } = &verdict;
            self.answer_waiters(&frames::SagaResult {
                saga_id: saga,
                state: state.as_str(),
                cause: cause.map(Cause::as_str),
                result: result.as_deref(),
                reason: reason.as_deref(),
            });
        }
        for line in lines {
            if let Some(clash) = &line.clash {
                let state = Shown::Corrupt.as_str();
                let (saga_id, reason) = (line.saga.id, Some(&**clash));
                let told = frames::SagaResult { saga_id, state, cause: None, result: None, reason };
                self.answer_waiters(&told);
            }
        }
        self.flush();
        self.note(debts);
        self.hand_commands();
        self.tell_supervisors();
        self.answer_some();
        self.flush();
    }

    fn publish(&mut self, event: Published) {
        for conn in self.conns.values_mut() {
            if event.version < conn.from || !conn.session.wants(&event.name) {
                continue;
            }
            // Whoever picks a few out of many and is slow keeps those few in memory, and no others.
            let picks = conn.session.picks();
            let line = if picks { event.line.alone() } else { event.line.clone() };
            conn.lines.push(Push::Event(event.version, line));
        }
        self.ring.push(event);
    }

    /// Puts what was told into the outboxes.
    fn flush(&mut self) {
        for conn in self.conns.values_mut() {
            conn.flush();
        }
    }

    /// Takes note of how what the sagas owe their targets changed \[R4\].
    pub(super) fn note(&mut self, debts: impl IntoIterator<Item = Debt>) {
        for debt in debts {
            match debt {
                Debt::New(owed) => {
                    let pipe = match self.pipes.get_mut(&owed.target) {
                        Some(pipe) => pipe,
                        None => self.pipes.entry(owed.target.clone()).or_default(),
                    };
                    let (order, command_id) = (owed.order, owed.command_id.clone());
                    pipe.owe(LinkOwed { order, command_id, command: owed });
                }
                Debt::Over(owed) => {
                    if let Some(pipe) = self.pipes.get_mut(&owed.target) {
                        pipe.owe_no_more(owed.order);
                    }
                }
            }
        }
    }

    fn hand_commands(&mut self) {
        for pipe in self.pipes.values_mut() {
            pipe.hand_over(|text, owed, session| {
                let command = &owed.command;
                let empty = serde_json::Map::new();
                let frame = frames::CommandFrame {
                    cmd: &command.cmd,
                    command_id: &command.command_id,
                    saga_id: command.saga,
                    step: &command.step,
                    attempt: command.attempt,
                    session,
                    fields: command.with.as_object().unwrap_or(&empty),
                };
                frames::command(text, &frame);
                command.tells_sent
            });
        }
    }

    fn answer_waiters(&mut self, result: &frames::SagaResult<'_>) {
        let Some(waiters) = self.waiters.remove(&result.saga_id) else { return };
        let version = self.version();
        for (conn, ask) in waiters {
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.awaits.remove(&result.saga_id);
            }
            let line = frames::saga_result(ask.as_ref(), result, version);
            self.tell(conn, Tell::Line(line));
        }
    }

    pub(super) fn tell(&mut self, conn: ConnId, tell: Tell) {
        let Some(to) = self.conns.get_mut(&conn) else { return };
        if let Tell::Line(line) = tell {
            return to.lines.push(Push::Reply(line));
        }
        // What was said before goes in before whatever else fills or ends the outbox.
        to.flush();
        match tell {
            Tell::Line(_) => {}
            Tell::Close => to.outbox.close_after_flush(),
            Tell::Gone => {
                to.outbox.close_after_flush();
                self.forget(conn);
            }
            Tell::Serve(target, session) => {
                let outbox = to.outbox.clone();
                self.pipes.entry(target).or_default().open(session, conn, outbox);
            }
            Tell::Replay(since, upto) => self.replay(conn, since, upto),
            Tell::Pong(id, nonce) => {
                let line = frames::pong(id.as_ref(), &nonce, self.version());
                self.tell(conn, Tell::Line(line));
            }
            Tell::Question(frame, asked) => self.questions.push_back((conn, frame, asked)),
            Tell::Result(ask, saga) => self.tell_result(conn, ask, saga),
        }
    }
}

impl Conn {
    /// Puts what it was told into its outbox, and wakes its writer once.
    fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let lines = self.lines.drain(..);
        self.outbox.with(|queue: &mut Queue| {
            for line in lines {
                match line {
                    Push::Event(version, line) => queue.event(version, line),
                    Push::Reply(line) => queue.reply(line),
                }
            }
        });
    }
}

/// Appends an event's line; what the bus has beside it.
pub(super) fn write_event(text: &mut String, event: &BusEvent<'_>) -> (Seq, Name) {
    let version = event.version;
    let empty = serde_json::Map::new();
    let own = event.own_name().unwrap_or_default();
    match event.told {
        Told::Declared { name, echo, fields } => {
            let fields = fields.as_object().unwrap_or(&empty);
            frames::bus_event(text, name, echo, fields, version);
            return (version, Name::Declared(name.clone()));
        }
        Told::LauncherStarted(_)
        | Told::ProcessSpawned(_)
        | Told::ProcessExited(_)
        | Told::PhaseChanged(_) => {
            let fields = own_fields(&event.told);
            let fields = fields.as_object().unwrap_or(&empty);
            frames::bus_event(text, own, None, fields, version);
        }
        Told::SagaStarted { saga: saga_id, name, parent, observes } => {
            let parent = parent.map(|parent| (parent.saga, &*parent.step));
            let what = frames::SagaStarted { saga_id, name, parent, observes };
            frames::saga_started(text, &what, version);
        }
        Told::SagaEnded { saga, verdict } => write_end(text, saga, verdict, version),
        Told::SagaResolved { saga, outcome } => {
            frames::saga_resolved(text, saga, outcome, version);
        }
        Told::SagaStep { saga, step, state, attempt, reason } => {
            let what = frames::SagaStep { saga_id: saga, step, state, attempt, reason };
            frames::saga_step(text, &what, version);
        }
    }
    (version, Name::Own(own))
}

fn write_end(text: &mut String, saga_id: SagaId, verdict: &Verdict, version: Seq) {
    let Verdict { state, cause, reason, result } = verdict;
    if *state == State::Completed {
        return frames::saga_completed(text, saga_id, result.as_deref(), version);
    }
    let (reason, state, cause) = (reason.as_deref(), state.as_str(), cause.map(Cause::as_str));
    frames::saga_failed(text, &frames::SagaFailed { saga_id, reason, state, cause }, version);
}

/// An event as the bus has it, in a text of its own.
pub(super) fn published(event: &BusEvent<'_>) -> Published {
    let mut text = String::with_capacity(192);
    let (version, name) = write_event(&mut text, event);
    Published { version, name, line: text.into() }
}
