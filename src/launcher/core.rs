//! The thread that decides: connections' messages in, one turn, one commit, then everything that it
//! owes the world \[R2\].
//! Moves no bytes and reads no clock; what happens in a turn is the coordinator's to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::bus::{Published, Ring};
use crate::coordinator::{Client, Coordinator, Fact, TurnOut};
use crate::host_pipe::Pipe;
use crate::ids::{ClientId, ConnId, SagaId, Seq, SessionNo};
use crate::ipc::ProtocolError;
use crate::ipc::frames::{self, Line};
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::{AskId, ClientFrame};
use crate::ipc::server::{Asked, Inbound};
use crate::ipc::session::{Allow, Member, Session};
use crate::limits::{FACTS_AT_HAND, QUESTIONS_PER_TURN, RING_EVENTS};
use crate::log::{AppendError, Log, SagaWrite};
use crate::saga::owed::Owed;
use crate::targets::pods::{Mirror, Settings};
use crate::time::Timestamp;

use super::picture::Pictures;
use super::reader::Reader;
use super::rows::{self, Draft};
use super::supervised::{Input, Services};
use super::tell::Push;

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
    /// The connections of built-in targets.
    built_in: BTreeMap<Arc<str>, ConnId>,
    pub(super) pipes: BTreeMap<Arc<str>, Pipe<Arc<Owed>>>,
    pub(super) ring: Ring,
    /// Callers that wait for a saga's end.
    pub(super) waiters: BTreeMap<SagaId, Vec<(ConnId, Option<AskId>)>>,
    /// Questions that are not answered yet, in order.
    pub(super) questions: VecDeque<(ConnId, ClientFrame, Option<Asked>)>,
    /// What is to be told when the turn is durable, by the version that it comes after.
    pub(super) told: Vec<(Seq, ConnId, Tell)>,
    pub(super) allow: Allow,
    pub(super) identity: Identity,
    /// Who reads the log for those that ask; absent: it lives in memory.
    pub(super) reader: Option<Reader>,
    /// New work is refused: a clean shutdown has begun \[L8\].
    pub(super) stopping: bool,
    /// This turn's facts as rows and lines, as far as they were written down.
    draft: Draft,
    /// A buffer for facts on their way there.
    facts: Vec<Fact>,
    /// Rows that the next commit writes as well.
    extra: Vec<SagaWrite>,
    pub(super) pictures: Pictures,
    /// What the pods target sees of its registry.
    pods: Option<Mirror>,
    pub(super) services: Services,
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
    /// Lines of this turn that are not in its outbox yet.
    pub(super) lines: Vec<Push>,
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
        Core {
            coordinator,
            log,
            conns: BTreeMap::new(),
            by_client: BTreeMap::new(),
            built_in: BTreeMap::new(),
            pipes: BTreeMap::new(),
            ring: Ring::new(RING_EVENTS, since),
            waiters: BTreeMap::new(),
            questions: VecDeque::new(),
            told: Vec::new(),
            allow,
            identity,
            reader: None,
            stopping: false,
            draft: Draft::default(),
            facts: Vec::new(),
            extra: Vec::new(),
            pictures: Pictures::default(),
            pods: None,
            services: Services::default(),
        }
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

    /// Whether a process runs for any block.
    #[must_use]
    pub fn runs_blocks(&self) -> bool {
        self.coordinator.builtin().blocks.iter().any(|(_, block)| block.turn.is_some())
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
    pub fn decide<I>(&mut self, inputs: I, now: Timestamp)
    where
        I: IntoIterator,
        I::Item: Into<Input>,
    {
        self.coordinator.begin_turn(now);
        for input in inputs {
            match input.into() {
                Input::Inbound(message) => self.take(message),
                Input::Service(word) => self.hear(word),
            }
            if self.coordinator.facts_waiting() >= FACTS_AT_HAND {
                self.write_down();
            }
        }
        self.coordinator.tick();
        for (target, session) in self.coordinator.open_builtin() {
            if let Some(conn) = self.built_in.get(&target) {
                self.later(*conn, Tell::Serve(target, session));
            }
        }
    }

    /// Lets a target be served inside of this launcher, over this connection.
    pub fn attach(&mut self, target: &str, conn: ConnId, outbox: Arc<Outbox>) {
        self.coordinator.serve_builtin();
        let session = Session::Registered(Member::built_in(target));
        let (from, awaits, lines, parked) = (Seq(u64::MAX), BTreeSet::new(), Vec::new(), None);
        self.conns.insert(conn, Conn { outbox, session, from, awaits, parked, lines });
        self.built_in.insert(Arc::from(target), conn);
    }

    /// Tells the registry of pods where they are, and lets the target that starts them see it.
    pub(super) fn mirror_pods(&mut self, settings: &Settings) -> Mirror {
        let registry = &mut self.coordinator.builtin_mut().pods;
        registry.set_runtime_dir(&settings.runtime_dir.to_string_lossy());
        registry.set_own_name(&settings.name);
        let mirror = Mirror::new(registry.clone());
        self.pods = Some(mirror.clone());
        mirror
    }

    /// Shows what became durable of the registry, before any command goes out that relies on it.
    pub(super) fn show_pods(&self, pending: &Pending) {
        let known = pending.out.known.iter().filter(|(target, ..)| &**target == "pods");
        if let Some(mirror) = &self.pods {
            known.for_each(|(_, name, body)| mirror.follow(name, body.as_ref()));
        }
    }

    /// Makes rows and lines of what was decided so far: while it is in the processor's caches, that
    /// is half the work of doing so at the end of a long turn.
    fn write_down(&mut self) {
        let mut facts = std::mem::take(&mut self.facts);
        self.coordinator.take_facts(&mut facts);
        self.draft.write(&facts, self.coordinator.now());
        facts.clear();
        self.facts = facts;
    }

    /// Ends the deciding: what has to be committed, and what is told afterwards.
    pub fn end_turn(&mut self) -> Pending {
        self.write_down();
        let out = self.coordinator.take_turn();
        let (rows, ids, events) = self.draft.take();
        let mut turn = rows::turn(rows, ids, &out, self.coordinator.world());
        turn.sagas.append(&mut self.extra);
        Pending { out, events, turn }
    }

    /// Commits a turn; a full disk leaves it as it was, to be tried again \[L7\].
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn commit(&mut self, pending: &Pending) -> Result<(), AppendError> {
        if pending.turn.is_empty() { Ok(()) } else { self.log.append(&pending.turn) }
    }

    /// Answers a few questions: that takes time, and commands and deadlines come first \[R7\].
    pub(super) fn answer_some(&mut self) {
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

    pub(super) fn forget(&mut self, conn: ConnId) {
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
    pub(super) out: TurnOut,
    /// What is published, in order.
    pub(super) events: Vec<Published>,
    pub(super) turn: crate::log::Turn,
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
