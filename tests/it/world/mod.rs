//! The simulated world of `sagaflow::sim` with a real log, in the words of tests. No socket.
//!
//! After every turn the log is folded from empty and compared with the live state \[R3\], so every
//! test that runs sagas
//! is also a test of recovery.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock};

mod heard;
mod looks;
mod rows;

pub use heard::Heard;
pub use sagaflow::sim::Sent;

use rows::Rows;
use sagaflow::coordinator::{Client, Fact, IncomingReport, Refusal, Said, Signal};
use sagaflow::definition::Catalog;
use sagaflow::ids::{SagaId, Seq};
use sagaflow::launcher::Loaded;
use sagaflow::log::MemoryLog;
use sagaflow::plan::Plan;
use sagaflow::saga::record::Dedup;
use sagaflow::sim;
use sagaflow::time::{Millis, Timestamp};
use serde_json::{Map, Value};

pub struct World {
    sim: sim::World<Rows>,
}

impl Deref for World {
    type Target = sim::World<Rows>;

    fn deref(&self) -> &Self::Target {
        &self.sim
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.sim
    }
}

impl World {
    /// A booted world with these definitions: `(file name, text)`.
    pub fn new(files: &[(&str, &str)]) -> World {
        let (catalog, plans) = read(files);
        World::of(catalog, plans)
    }

    /// A booted world with the shipped sagas of those who connect.
    pub fn shipped() -> World {
        // Compiled once: a sweep makes hundreds of worlds.
        static SHIPPED: LazyLock<(Arc<Catalog>, Vec<Arc<Plan>>)> = LazyLock::new(|| {
            let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
            let mut texts =
                sagaflow::launcher::read_directory(&directory).expect("sagas/ can be read");
            texts.files.retain(|(path, _)| {
                !crate::cli::is_of_built_in(path.rsplit('/').next().unwrap_or(path))
            });
            sound(Loaded::of_texts(texts))
        });
        World::of(SHIPPED.0.clone(), SHIPPED.1.clone())
    }

    fn of(catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) -> World {
        let mut sim = sim::World::on(Rows::default(), catalog, plans);
        sim.compare_every_turn(true);
        World { sim }
    }

    /// Another world with the same definitions, as it was in the beginning.
    pub fn again(&self) -> World {
        World::of(self.catalog().clone(), self.plans().to_vec())
    }

    pub fn log(&self) -> &MemoryLog {
        &self.shelf().log
    }

    pub fn log_mut(&mut self) -> &mut MemoryLog {
        &mut self.shelf_mut().log
    }

    /// Everything that was published, in order.
    pub fn events(&self) -> &[Heard] {
        &self.shelf().events
    }

    /// Whether every turn folds the log; off only where the same turns were folded before, or
    /// where the log does not hold all of them.
    pub fn fold_every_turn(&mut self, folds: bool) {
        self.sim.compare_every_turn(folds);
    }

    /// Everything that was recorded, in order.
    pub fn records(&self) -> Vec<&Fact> {
        self.facts().collect()
    }

    /// Sets the clock, and lets nothing happen.
    pub fn set_clock(&mut self, now: Timestamp) {
        self.sim.set_clock(now);
    }

    /// Begins a turn that the test fills by hand, and ends with [`World::turn`].
    pub fn begin_turn(&mut self) {
        let now = self.now();
        self.coordinator_mut().begin_turn(now);
    }

    fn sound(&self) {
        assert_eq!(self.broken(), None);
    }

    /// Commits what was decided, publishes, hands commands over, and folds the log \[R2, R3\].
    pub fn turn(&mut self) {
        self.sim.turn();
        self.sound();
    }

    /// Something is decided in a turn of its own.
    fn done<T>(&mut self, what: impl FnOnce(&mut sim::World<Rows>) -> T) -> T {
        let done = what(&mut self.sim);
        self.sound();
        done
    }

    /// The launcher dies and comes back on its log; connections are gone.
    pub fn crash(&mut self) {
        self.done(sim::World::restart);
    }

    /// The launcher dies and comes back on its log with other definitions.
    pub fn crash_to(&mut self, files: &[(&str, &str)]) {
        let (catalog, plans) = read(files);
        self.done(|sim| sim.restart_with(catalog, plans));
    }

    /// Commits what was decided, and dies before anything of it is told or handed over \[R2\].
    pub fn commit_and_crash(&mut self) {
        self.commit();
        self.crash();
    }

    /// A clean stop and a new start on the same log \[L8\].
    pub fn restart_cleanly(&mut self) {
        self.done(|sim| {
            sim.decide(|coordinator| {
                coordinator.quit();
                coordinator.stopped();
            });
        });
        self.crash();
    }

    /// Connects a client of that kind, named like it; a target gets what it is owed.
    pub fn connect(&mut self, kind: &str) -> Client {
        self.done(|sim| sim.register(&Arc::from(kind))).expect("it may register")
    }

    pub fn disconnect(&mut self, kind: &str) {
        assert!(self.is_connected(kind), "{kind} is connected");
        self.done(|sim| sim.disconnect(kind));
    }

    /// The connected client of that kind; a tool is always at hand.
    pub fn client(&mut self, kind: &str) -> Client {
        match self.sim.client(kind) {
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
        let client = self.client(kind);
        let report = report_of(event, fields, echo, ids);
        self.done(|sim| sim.decide(|coordinator| coordinator.report(&client, report)))
    }

    /// A report that is decided in the turn that began last, and not yet committed.
    pub fn hear(&mut self, kind: &str, event: &str, fields: Value, echo: Option<(u64, &str)>) {
        let client = self.client(kind);
        let report = report_of(event, fields, echo, (None, None));
        let done = self.coordinator_mut().report(&client, report);
        done.expect("it is the client's to say");
    }

    /// The target's answer to a command.
    pub fn echo(&mut self, sent: &Sent, event: &str, fields: Value) -> Result<Seq, Refusal> {
        let owed = &sent.owed;
        self.report_with(&owed.target, event, fields, Some((owed.saga.0, &owed.step)), None)
    }

    /// The target's answer to that very command, by its `command_id`.
    pub fn answer(&mut self, sent: &Sent, event: &str, fields: Value) -> Result<Seq, Refusal> {
        let owed = &sent.owed;
        let step = (owed.saga.0, &*owed.step);
        self.say(&owed.target, event, fields, Some(step), (Some(sent.id()), None))
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
        let client = self.client(&sent.owed.target);
        let (step, reason) = ((sent.owed.saga, &*sent.owed.step), Arc::from(reason));
        let done =
            self.done(|sim| sim.decide(|it| it.action_failed(&client, step, command_id, &reason)));
        done.expect("it is the target's to say");
    }

    pub fn start(&mut self, saga: &str, input: Value) -> Result<SagaId, Refusal> {
        self.client("tool");
        self.done(|sim| sim.start(saga, object(input)))
    }

    pub fn signal(&mut self, saga: SagaId, signal: Signal, reason: &str) -> Result<(), Refusal> {
        self.client("tool");
        self.done(|sim| sim.signal(saga, signal, reason))
    }

    /// A tool says something of a saga's own to it; `id`: the tool's own.
    pub fn say_to(
        &mut self,
        saga: u64,
        signal: &str,
        input: Value,
        id: Option<&str>,
    ) -> Result<Seq, Refusal> {
        let client = self.client("tool");
        let dedup = id.map(|id| Dedup { id: Arc::from(id), digest: signal.len() as u64 });
        let (signal, input) = (Arc::from(signal), object(input));
        let said = Said { signal, input, reason: None, dedup };
        self.done(|sim| sim.decide(|it| it.say(&client, SagaId(saga), said)))
    }

    /// Lets time pass, stopping at everything that is due.
    pub fn advance(&mut self, span: Millis) {
        self.done(|sim| sim.advance(span));
    }
}

fn report_of(
    event: &str,
    fields: Value,
    echo: Option<(u64, &str)>,
    (command_id, id): (Option<&str>, Option<&str>),
) -> IncomingReport {
    let fields = object(fields);
    let digest = format!("{event}{fields:?}").bytes().map(u64::from).sum();
    IncomingReport {
        event: Arc::from(event),
        fields,
        echo: echo.map(|(saga, step)| (SagaId(saga), Arc::from(step))),
        command_id: command_id.map(Arc::from),
        dedup: id.map(|id| Dedup { id: Arc::from(id), digest }),
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
    (Arc::new(loaded.defined.catalog), loaded.plans)
}

fn object(value: Value) -> Map<String, Value> {
    if value.is_null() {
        return Map::new();
    }
    let Value::Object(map) = value else { panic!("fields must be an object, not {value}") };
    map
}
