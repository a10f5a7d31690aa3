//! A world for tests: the real coordinator and log rows, virtual time, and hosts that answer when
//! told to. No socket.
//!
//! After every turn the log is folded from empty and compared with the live state \[R3\], so every
//! test that runs sagas
//! is also a test of recovery.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

mod heard;
mod looks;

pub use heard::Heard;

use sagaflow::coordinator::{Client, Coordinator, IncomingReport, Refusal, Signal};
use sagaflow::definition::Catalog;
use sagaflow::ids::{SagaId, Seq, SessionNo};
use sagaflow::launcher::{Draft, Loaded, restore, turn_of};
use sagaflow::log::{Log, LogRead, MemoryLog, Row};
use sagaflow::plan::Plan;
use sagaflow::saga::owed::Owed;
use sagaflow::saga::record::{Dedup, Record};
use sagaflow::time::{Millis, Timestamp};
use serde_json::{Map, Value};

/// When every world begins.
pub const START: Timestamp = Timestamp(1_800_000_000_000);

/// A command that reached a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub target: Arc<str>,
    pub session: SessionNo,
    pub owed: Arc<Owed>,
}

impl Sent {
    pub fn id(&self) -> &str {
        &self.owed.command_id
    }

    pub fn cmd(&self) -> &str {
        &self.owed.cmd
    }

    pub fn with(&self, field: &str) -> &Value {
        &self.owed.with[field]
    }
}

pub struct World {
    pub coordinator: Coordinator,
    pub log: MemoryLog,
    pub now: Timestamp,
    /// Everything that was published, in order.
    pub events: Vec<Heard>,
    /// Everything that reached targets, in order; a resent command comes again.
    pub sent: Vec<Sent>,
    /// Everything that was recorded, in order.
    pub records: Vec<(Seq, Option<SagaId>, Record)>,
    catalog: Arc<Catalog>,
    plans: Vec<Arc<Plan>>,
    /// What ran before the definitions were changed.
    older: Vec<Arc<Plan>>,
    clients: BTreeMap<String, Client>,
    handed: BTreeSet<(Arc<str>, SessionNo, Seq)>,
    /// Whether every turn folds the log; off only where the same turns were folded before.
    pub folds: bool,
    next_pid: u64,
}

impl World {
    /// A booted world with these definitions: `(file name, text)`.
    pub fn new(files: &[(&str, &str)]) -> World {
        let (catalog, plans) = read(files);
        World::of(catalog, plans)
    }

    /// The launcher dies and comes back on its log with other definitions.
    pub fn crash_to(&mut self, files: &[(&str, &str)]) {
        let (catalog, plans) = read(files);
        self.older.append(&mut self.plans);
        (self.catalog, self.plans) = (catalog, plans);
        self.crash();
    }

    /// A booted world with the shipped sagas.
    pub fn shipped() -> World {
        // Compiled once: a sweep makes hundreds of worlds.
        static SHIPPED: LazyLock<(Arc<Catalog>, Vec<Arc<Plan>>)> = LazyLock::new(|| {
            let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
            let files = sagaflow::launcher::read_directory(&directory).expect("sagas/ can be read");
            sound(Loaded::of(files))
        });
        World::of(SHIPPED.0.clone(), SHIPPED.1.clone())
    }

    fn of(catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) -> World {
        let mut world = World {
            coordinator: Coordinator::new(catalog.clone(), plans.clone()),
            log: MemoryLog::new(),
            now: START,
            events: Vec::new(),
            sent: Vec::new(),
            records: Vec::new(),
            catalog,
            plans,
            older: Vec::new(),
            clients: BTreeMap::new(),
            handed: BTreeSet::new(),
            folds: true,
            next_pid: 100,
        };
        world.coordinator.begin_turn(START);
        world.coordinator.boot(1, "test");
        world.turn();
        world
    }

    /// Another world with the same definitions, as it was in the beginning.
    pub fn again(&self) -> World {
        World::of(self.catalog.clone(), self.plans.clone())
    }

    /// Commits what was decided, publishes, hands commands over, and folds the log \[R2, R3\].
    pub fn turn(&mut self) {
        loop {
            self.commit();
            if self.folds {
                let corrupt = self.coordinator.corrupt();
                assert!(corrupt.is_empty(), "decided against its own facts: {corrupt:?}");
                self.assert_fold();
            }
            let written = self.hand_over();
            if written.is_empty() {
                return;
            }
            for owed in written {
                self.coordinator.sent(owed.saga, &owed.command_id);
            }
        }
    }

    /// Hands over what connected targets have not got in this session; those that tell `sent`.
    fn hand_over(&mut self) -> Vec<Arc<Owed>> {
        let mut tell = Vec::new();
        let targets: Vec<Arc<str>> = self.coordinator.owing_targets().cloned().collect();
        for target in targets {
            let sessions = &self.coordinator.world().targets;
            let Some(session) = sessions.get(&target).and_then(|t| t.open) else { continue };
            let owed: Vec<Arc<Owed>> = self.coordinator.owed_to(&target).cloned().collect();
            for owed in owed {
                if self.handed.insert((target.clone(), session, owed.order)) {
                    if owed.tells_sent {
                        tell.push(owed.clone());
                    }
                    self.sent.push(Sent { target: target.clone(), session, owed });
                }
            }
        }
        tell
    }

    /// \[R3\]: the fold of the whole log is the live state, and so is what boot would restore.
    fn assert_fold(&self) {
        let mut folded = Coordinator::new(self.catalog.clone(), self.plans.clone());
        folded.begin_turn(self.now);
        let mut rows: Vec<Row> = Vec::new();
        let mut each = |row: Result<Row, _>| {
            rows.push(row.expect("the memory log is sound"));
            ControlFlow::Continue(())
        };
        self.log.rows_since(Seq(0), &mut each).expect("the memory log can be read");
        let mut by_saga: BTreeMap<SagaId, Vec<(Seq, Timestamp, Record)>> = BTreeMap::new();
        for row in rows {
            let records: Vec<Record> = row.records().expect("rows hold records");
            for (offset, record) in records.into_iter().enumerate() {
                let seq = Seq(row.seq.0 + offset as u64);
                folded.restore_record(seq, row.at, &record);
                if let Some(id) = row.saga_id {
                    folded.restore_began(id, row.at, &record);
                    by_saga.entry(id).or_default().push((seq, row.at, record));
                }
            }
        }
        for (id, records) in by_saga {
            let hash = records.iter().find_map(|(_, _, record)| {
                let Record::Began(began) = record else { return None };
                Some(began.definition.clone())
            });
            let mut all = self.plans.iter().chain(&self.older);
            let plan = all.find(|plan| Some(&plan.hash) == hash.as_ref());
            let plan = plan.expect("the definition was loaded once").clone();
            folded.restore_saga(id, plan, &records).expect("records do not clash");
        }
        folded.begin_turn(self.now);
        assert_eq!(self.coordinator.difference(&folded), None, "R3: the fold is the live state");
    }

    /// The launcher dies and comes back on its log; connections are gone.
    pub fn crash(&mut self) {
        let restored = restore(&self.log, self.catalog.clone(), self.plans.clone());
        self.coordinator = restored.expect("the memory log can be read");
        self.clients.clear();
        self.handed.clear();
        self.coordinator.begin_turn(self.now);
        self.coordinator.boot(1, "test");
        self.coordinator.tick();
        self.turn();
    }

    /// Commits what was decided, and dies before anything of it is told or handed over \[R2\].
    pub fn commit_and_crash(&mut self) {
        self.commit();
        self.crash();
    }

    fn commit(&mut self) {
        let (mut facts, mut draft) = (Vec::new(), Draft::default());
        self.coordinator.take_facts(&mut facts);
        draft.write(&facts, self.coordinator.now());
        let out = self.coordinator.take_turn();
        let (rows, events) = draft.take();
        let turn = turn_of(rows, &out, self.coordinator.world());
        if !turn.is_empty() {
            self.log.append(&turn).expect("the memory log takes all");
        }
        self.events.extend(events.iter().map(Heard::of));
        self.records.extend(facts.into_iter().map(|f| (f.seq, f.saga, f.record)));
    }

    /// A clean stop and a new start on the same log \[L8\].
    pub fn restart_cleanly(&mut self) {
        self.coordinator.begin_turn(self.now);
        self.coordinator.quit();
        self.coordinator.stopped();
        self.turn();
        self.crash();
    }

    /// Connects a client of that kind, named like it; a target gets what it is owed.
    pub fn connect(&mut self, kind: &str) -> Client {
        self.next_pid += 1;
        let pid = self.next_pid;
        self.coordinator.begin_turn(self.now);
        let registered =
            self.coordinator.register(kind, (kind, "1"), pid).expect("it may register");
        let (kind_arc, id) = (Arc::from(kind), registered.client_id);
        let client = Client { id, kind: kind_arc, name: Arc::from(kind) };
        self.clients.insert(kind.to_owned(), client.clone());
        self.turn();
        client
    }

    pub fn disconnect(&mut self, kind: &str) {
        let client = self.clients.remove(kind).expect("it is connected");
        self.coordinator.begin_turn(self.now);
        self.coordinator.leave(client.id);
        self.turn();
    }

    /// The connected client of that kind; a tool is always at hand.
    pub fn client(&mut self, kind: &str) -> Client {
        match self.clients.get(kind) {
            Some(client) => client.clone(),
            None if kind == "tool" => self.connect("tool"),
            None => panic!("no {kind} is connected"),
        }
    }

    /// An organic report by a client of that kind.
    pub fn report(&mut self, kind: &str, event: &str, fields: Value) -> Result<Seq, Refusal> {
        self.report_with(kind, event, fields, None, None)
    }

    pub fn report_with(
        &mut self,
        kind: &str,
        event: &str,
        fields: Value,
        echo: Option<(u64, &str)>,
        id: Option<&str>,
    ) -> Result<Seq, Refusal> {
        self.say(kind, event, fields, echo, (None, id))
    }

    fn say(
        &mut self,
        kind: &str,
        event: &str,
        fields: Value,
        echo: Option<(u64, &str)>,
        ids: (Option<&str>, Option<&str>),
    ) -> Result<Seq, Refusal> {
        self.coordinator.begin_turn(self.now);
        let done = self.take(kind, event, fields, echo, ids);
        self.turn();
        done
    }

    /// A report that is decided in the turn that began last, and not yet committed.
    pub fn hear(&mut self, kind: &str, event: &str, fields: Value, echo: Option<(u64, &str)>) {
        let done = self.take(kind, event, fields, echo, (None, None));
        done.expect("it is the client's to say");
    }

    fn take(
        &mut self,
        kind: &str,
        event: &str,
        fields: Value,
        echo: Option<(u64, &str)>,
        (command_id, id): (Option<&str>, Option<&str>),
    ) -> Result<Seq, Refusal> {
        let client = self.client(kind);
        let fields = object(fields);
        let digest = format!("{event}{fields:?}").bytes().map(u64::from).sum();
        let report = IncomingReport {
            event: Arc::from(event),
            fields,
            echo: echo.map(|(saga, step)| (SagaId(saga), Arc::from(step))),
            command_id: command_id.map(Arc::from),
            dedup: id.map(|id| Dedup { id: Arc::from(id), digest }),
        };
        self.coordinator.report(&client, report)
    }

    /// The target's answer to a command.
    pub fn echo(&mut self, sent: &Sent, event: &str, fields: Value) -> Result<Seq, Refusal> {
        let (target, saga) = (sent.target.clone(), sent.owed.saga.0);
        let step = sent.owed.step.clone();
        self.report_with(&target, event, fields, Some((saga, &step)), None)
    }

    /// The target's answer to that very command, by its `command_id`.
    pub fn answer(&mut self, sent: &Sent, event: &str, fields: Value) -> Result<Seq, Refusal> {
        let step = (sent.owed.saga.0, &*sent.owed.step);
        let (target, id) = (sent.target.clone(), sent.owed.command_id.clone());
        self.say(&target, event, fields, Some(step), (Some(&id), None))
    }

    /// The target's refusal of a command.
    pub fn fail(&mut self, sent: &Sent, reason: &str) {
        self.refuse(sent, None, reason);
    }

    /// The target's refusal of that very command, by its `command_id`.
    pub fn fail_exactly(&mut self, sent: &Sent, reason: &str) {
        self.refuse(sent, Some(sent.id()), reason);
    }

    fn refuse(&mut self, sent: &Sent, command_id: Option<&str>, reason: &str) {
        let client = self.client(&sent.target.clone());
        self.coordinator.begin_turn(self.now);
        let step = (sent.owed.saga, &*sent.owed.step);
        let done = self.coordinator.action_failed(&client, step, command_id, &Arc::from(reason));
        done.expect("it is the target's to say");
        self.turn();
    }

    pub fn start(&mut self, saga: &str, input: Value) -> Result<SagaId, Refusal> {
        let client = self.client("tool");
        self.coordinator.begin_turn(self.now);
        let done = self.coordinator.start(&client, saga, object(input), None);
        self.turn();
        done
    }

    pub fn signal(&mut self, saga: SagaId, signal: Signal, reason: &str) -> Result<(), Refusal> {
        let client = self.client("tool");
        self.coordinator.begin_turn(self.now);
        let done = self.coordinator.signal(&client, saga, signal, Some(reason));
        self.turn();
        done
    }

    /// Lets time pass, stopping at everything that is due.
    pub fn advance(&mut self, span: Millis) {
        let end = self.now + span;
        loop {
            let due = self.coordinator.next_due().filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            self.coordinator.begin_turn(self.now);
            self.coordinator.tick();
            self.turn();
            if due.is_none() {
                return;
            }
        }
    }
}

fn read(files: &[(&str, &str)]) -> (Arc<Catalog>, Vec<Arc<Plan>>) {
    let texts = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    sound(Loaded::of(texts.collect()))
}

/// What runs, of definitions without a mistake.
fn sound(loaded: Loaded) -> (Arc<Catalog>, Vec<Arc<Plan>>) {
    let wrong: Vec<String> =
        loaded.diagnostics.iter().map(|d| format!("{:?} {}", d.code, d.message)).collect();
    assert!(!loaded.diagnostics.has_errors(), "the definitions are wrong: {wrong:#?}");
    (Arc::new(loaded.library.catalog), loaded.plans)
}

fn object(value: Value) -> Map<String, Value> {
    if value.is_null() {
        return Map::new();
    }
    let Value::Object(map) = value else { panic!("fields must be an object, not {value}") };
    map
}
