//! The thread that decides: connections' messages in, one turn, one commit, then everything that it
//! owes the world \[R2\].
//! Moves no bytes and reads no clock; what happens in a turn is the coordinator's to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::bus::{Published, Ring};
use crate::coordinator::{Client, Coordinator, TurnOut};
use crate::host_pipe::{Handed, Owed as LinkOwed, Pipe};
use crate::ids::{ClientId, ConnId, SagaId, Seq, SessionNo};
use crate::ipc::ProtocolError;
use crate::ipc::frames::{self, Line};
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::{AskId, ClientFrame};
use crate::ipc::server::{Asked, Inbound};
use crate::ipc::session::{Allow, Session};
use crate::limits::{QUESTIONS_PER_TURN, RING_EVENTS};
use crate::log::{AppendError, Log, SagaWrite};
use crate::saga::owed::Owed;
use crate::saga::record::{Cause, Verdict};
use crate::time::Timestamp;
use crate::view::Shown;

use super::picture::Pictures;
use super::reader::Reader;
use super::rows;

/// Who this launcher is, as frames and records say it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: &'static str,
}

/// The deciding core with its log and its connections' ways out.
#[derive(Debug)]
pub struct Core<L> {
    pub(super) coordinator: Coordinator,
    pub(super) log: L,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) by_client: BTreeMap<ClientId, ConnId>,
    pub(super) pipes: BTreeMap<Arc<str>, Pipe<Owed>>,
    pub(super) ring: Ring,
    /// Callers that wait for a saga's end.
    pub(super) waiters: BTreeMap<SagaId, Vec<(ConnId, Option<AskId>)>>,
    /// Questions that are not answered yet, in order.
    questions: VecDeque<(ConnId, ClientFrame, Option<Asked>)>,
    /// What is to be told when the turn is durable, by the version that it comes after.
    pub(super) told: Vec<(Seq, ConnId, Tell)>,
    pub(super) allow: Allow,
    pub(super) identity: Identity,
    /// Who reads the log for those that ask; absent: it lives in memory.
    pub(super) reader: Option<Reader>,
    /// New work is refused: a clean shutdown has begun \[L8\].
    pub(super) stopping: bool,
    /// Rows that the next commit writes as well.
    extra: Vec<SagaWrite>,
    pub(super) pictures: Pictures,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) outbox: Arc<Outbox>,
    pub(super) session: Session,
    /// The first version that it sees live.
    pub(super) from: Seq,
    /// Sagas whose end it waits for.
    pub(super) awaits: BTreeSet<SagaId>,
    /// It waits until the older client of its target has said its last \[W12\].
    pub(super) parked: Option<Parked>,
}

/// All that a waiting connection brought, in its order: first its registration, perhaps last its
/// end.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) behind: ConnId,
    pub(super) messages: VecDeque<Inbound>,
}

/// What one connection is to be told once the turn is durable.
#[derive(Debug)]
pub(super) enum Tell {
    /// A line.
    Line(Line),
    /// It serves a target from now on.
    Serve(Arc<str>, SessionNo),
    /// Bus events after one version up to another \[W13\].
    Replay(Seq, Seq),
    /// That it is heard.
    Pong(Option<AskId>, serde_json::Value),
    /// An answer that reads what is durable.
    Question(ClientFrame, Option<Asked>),
    /// The result of a saga that may have ended.
    Result(Option<AskId>, SagaId),
    /// Nothing more.
    Close,
    /// Nothing more, to a peer that sends nothing more either.
    Gone,
}

impl<L: Log> Core<L> {
    /// A core that has restored its coordinator from `log`.
    #[must_use]
    pub fn new(coordinator: Coordinator, log: L, identity: Identity, allow: Allow) -> Core<L> {
        let since = Seq(coordinator.world().next_seq.0 - 1);
        let mut core = Core {
            coordinator,
            log,
            conns: BTreeMap::new(),
            by_client: BTreeMap::new(),
            pipes: BTreeMap::new(),
            ring: Ring::new(RING_EVENTS, since),
            waiters: BTreeMap::new(),
            questions: VecDeque::new(),
            told: Vec::new(),
            allow,
            identity,
            reader: None,
            stopping: false,
            extra: Vec::new(),
            pictures: Pictures::default(),
        };
        let all: BTreeSet<SagaId> = core.coordinator.sagas().map(|(saga, _)| saga.id).collect();
        core.sync(&all);
        core
    }

    /// Lets questions and replays of what the ring has lost be read from the log at `path` by a
    /// thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn read_beside(&mut self, path: std::path::PathBuf) -> std::io::Result<()> {
        self.reader = Some(Reader::start(path)?);
        Ok(())
    }

    /// Adds readable rows to the next commit.
    pub(super) fn also_write(&mut self, rows: Vec<SagaWrite>) {
        self.extra.extend(rows);
    }

    /// The coordinator, for looking.
    #[must_use]
    pub fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The log, for looking and for its upkeep.
    pub fn log(&mut self) -> &mut L {
        &mut self.log
    }

    /// The log, when nothing is decided any more.
    #[must_use]
    pub fn into_log(self) -> L {
        self.log
    }

    /// When something is due without any message.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.coordinator.next_due()
    }

    /// One turn up to its commit: reports in order of arrival, then deadlines \[R22\]. What follows
    /// is [`Core::commit`], and when that succeeded [`Core::hand_over`].
    pub fn decide(&mut self, inbound: impl IntoIterator<Item = Inbound>, now: Timestamp) {
        self.coordinator.begin_turn(now);
        for message in inbound {
            self.take(message);
        }
        self.coordinator.tick();
    }

    /// Ends the deciding: what has to be committed, and what is told afterwards.
    pub fn end_turn(&mut self) -> Pending {
        let out = self.coordinator.take_turn();
        let mut turn = rows::turn(&out, self.coordinator.world());
        turn.sagas.append(&mut self.extra);
        Pending { out, turn }
    }

    /// Commits a turn; a full disk leaves it as it was, to be tried again \[L7\].
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn commit(&mut self, pending: &Pending) -> Result<(), AppendError> {
        if pending.turn.is_empty() { Ok(()) } else { self.log.append(&pending.turn) }
    }

    /// Tells the world what is durable now: events, answers, then commands.
    pub fn hand_over(&mut self, pending: Pending) {
        let TurnOut { events, ended, lines, touched, .. } = pending.out;
        let mut told = std::mem::take(&mut self.told).into_iter().peekable();
        for event in events {
            while let Some((_, conn, tell)) = told.next_if(|(after, ..)| *after < event.version) {
                self.tell(conn, tell);
            }
            let empty = serde_json::Map::new();
            let fields = event.fields.as_object().unwrap_or(&empty);
            let echo = event.echo.as_ref().map(|(saga, step)| (*saga, &**step));
            let line = frames::bus_event(&event.name, echo, fields, event.version);
            self.publish(Published { version: event.version, name: event.name, line });
        }
        for (_, conn, tell) in told {
            self.tell(conn, tell);
        }
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
        self.sync(&touched);
        self.hand_commands();
        self.answer_some();
    }

    /// Answers a few questions: that takes time, and commands and deadlines come first \[R7\].
    fn answer_some(&mut self) {
        for _ in 0..QUESTIONS_PER_TURN {
            let Some((conn, frame, asked)) = self.questions.pop_front() else { return };
            self.answer(conn, frame, asked);
        }
    }

    /// Whether questions wait for the next turn.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.questions.is_empty()
    }

    fn publish(&mut self, event: Published) {
        for conn in self.conns.values() {
            if event.version >= conn.from && conn.session.wants(&event.name) {
                conn.outbox.push_event(event.version, event.line.clone());
            }
        }
        self.ring.push(event);
    }

    /// Takes note of what the sagas owe their targets now \[R4\].
    fn sync(&mut self, sagas: &BTreeSet<SagaId>) {
        for id in sagas {
            let owed = self.coordinator.owed_by(*id);
            for command in owed {
                if !self.pipes.contains_key(&command.target) {
                    self.pipes.insert(command.target.clone(), Pipe::default());
                }
            }
            for (target, pipe) in &mut self.pipes {
                let for_target = owed.iter().filter(|command| command.target == *target);
                pipe.sync(*id, for_target.map(link_owed));
            }
        }
    }

    fn hand_commands(&mut self) {
        for pipe in self.pipes.values_mut() {
            pipe.hand_over(|owed, session| {
                let command = &owed.command;
                let empty = serde_json::Map::new();
                let line = frames::command(&frames::CommandFrame {
                    cmd: &command.cmd,
                    command_id: &command.command_id,
                    saga_id: command.saga,
                    step: &command.step,
                    attempt: command.attempt,
                    session,
                    fields: command.with.as_object().unwrap_or(&empty),
                });
                Handed { line, notify_sent: command.tells_sent }
            });
        }
    }

    fn answer_waiters(&mut self, result: &frames::SagaResult<'_>) {
        let version = self.version();
        for (conn, ask) in self.waiters.remove(&result.saga_id).unwrap_or_default() {
            if let Some(conn) = self.conns.get_mut(&conn) {
                conn.awaits.remove(&result.saga_id);
            }
            let line = frames::saga_result(ask.as_ref(), result, version);
            self.tell(conn, Tell::Line(line));
        }
    }

    pub(super) fn tell(&mut self, conn: ConnId, tell: Tell) {
        let Some(to) = self.conns.get(&conn) else { return };
        match tell {
            Tell::Line(line) => to.outbox.push_reply(line),
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

    fn forget(&mut self, conn: ConnId) {
        let Some(gone) = self.conns.remove(&conn) else { return };
        for saga in gone.awaits {
            if let Some(waiting) = self.waiters.get_mut(&saga) {
                waiting.retain(|(waiter, _)| *waiter != conn);
                if waiting.is_empty() {
                    self.waiters.remove(&saga);
                }
            }
        }
    }

    /// The newest version.
    pub(super) fn version(&self) -> Seq {
        Seq(self.coordinator.world().next_seq.0 - 1)
    }

    /// Says something after all that this turn decided so far.
    pub(super) fn later(&mut self, conn: ConnId, tell: Tell) {
        self.told.push((self.version(), conn, tell));
    }

    pub(super) fn refuse(&mut self, conn: ConnId, error: &ProtocolError) {
        self.later(conn, Tell::Line(frames::error(error)));
        if error.fatal {
            self.later(conn, Tell::Close);
        }
    }

    pub(super) fn client(&self, conn: ConnId) -> Option<Client> {
        let member = self.conns.get(&conn)?.session.member()?;
        Some(Client { id: member.client_id, kind: member.kind.clone(), name: member.name.clone() })
    }
}

/// A turn that was decided and is not durable yet.
#[derive(Debug)]
pub struct Pending {
    out: TurnOut,
    turn: crate::log::Turn,
}

impl Pending {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.turn.is_empty()
    }

    /// What is to be committed.
    #[must_use]
    pub fn turn(&self) -> &crate::log::Turn {
        &self.turn
    }
}

fn link_owed(owed: &Owed) -> LinkOwed<Owed> {
    LinkOwed {
        order: owed.order,
        saga_id: owed.saga,
        command_id: owed.command_id.clone(),
        command: owed.clone(),
    }
}
