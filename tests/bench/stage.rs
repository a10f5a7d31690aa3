//! The real engine on a stage: definitions from text, a core on a log, and one connection without
//! a socket whose other end is played by the bench. Measures itself, decides nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sagaflow::coordinator::Coordinator;
use sagaflow::ids::ConnId;
use sagaflow::ipc::outbox::Outbox;
use sagaflow::ipc::protocol::parse_line;
use sagaflow::ipc::server::Inbound;
use sagaflow::ipc::session::Allow;
use sagaflow::launcher::{Core, Identity, Loaded};
use sagaflow::log::{SqliteLog, Turn};
use sagaflow::time::{Millis, Timestamp};
use serde::Deserialize;

use crate::measure::Watch;

/// When the stage's clock begins.
pub const START: Timestamp = Timestamp(1_795_240_800_000);

/// What may be said about an order.
pub const CATALOG: &str = r#"
targets: { host: { doc: "Stock, till and post office in one." } }
events:
  order_placed: { fields: { order: { type: string }, pieces: { type: integer } } }
  stock_reserved: { fields: { order: { type: string } } }
  card_charged: { fields: { order: { type: string }, receipt: { type: string } } }
  parcel_sent: { fields: { order: { type: string } } }
commands:
  reserve_stock:
    { target: host, fields: { order: { type: string }, pieces: { type: integer } },
      echoes: [stock_reserved], idempotent: true, undo: none }
  charge_card:
    { target: host, fields: { order: { type: string } }, echoes: [card_charged],
      idempotent: true, undo: none }
  send_parcel:
    { target: host, fields: { order: { type: string }, receipt: { type: string } },
      echoes: [parcel_sent], idempotent: true, undo: none }
"#;

/// Three durable steps on one target, the second one's answer kept and told. Their time is long: no
/// machine is so slow that another thing is measured.
pub const SAGA: &str = r#"
saga: order
trigger: { event: order_placed }
input: { order: "${{ trigger.order }}", pieces: "${{ trigger.pieces }}" }
eviction: { key: input.order, policy: refuse }
timeout: 30d
defaults: { timeout: 7d }
steps:
  - id: reserve
    issue: reserve_stock
    with: { order: "${{ input.order }}", pieces: "${{ input.pieces }}" }
    await: { echo: stock_reserved, where: event.order == input.order }
  - id: charge
    issue: charge_card
    with: { order: "${{ input.order }}" }
    await:
      { echo: card_charged, where: event.order == input.order, save: { receipt: "${{ event.receipt }}" } }
  - id: send
    issue: send_parcel
    with: { order: "${{ input.order }}", receipt: "${{ vars.receipt }}" }
    await: { echo: parcel_sent, where: event.order == input.order }
result: { receipt: "${{ vars.receipt }}" }
"#;

/// Both, as a directory has them.
pub const FILES: [(&str, &str); 2] = [("order.catalog.yaml", CATALOG), ("order.saga.yaml", SAGA)];

/// The line that begins an order.
pub fn placed(order: u64, id: Option<u64>) -> String {
    let id = id_field(id);
    format!(r#"{{"cmd":"report",{id}"event":"order_placed","order":"order-{order}","pieces":3}}"#)
}

fn id_field(id: Option<u64>) -> String {
    id.map(|id| format!(r#""id":{id},"#)).unwrap_or_default()
}

/// A command frame, as far as the host looks at it.
#[derive(Debug, Deserialize)]
pub struct Command {
    cmd: String,
    command_id: String,
    saga_id: u64,
    step: String,
    order: String,
}

impl Command {
    /// Reads a line that the launcher wrote; events and answers are none.
    pub fn read(line: &str) -> Option<Command> {
        line.starts_with(r#"{"kind":"command""#)
            .then(|| serde_json::from_str(line).expect("the launcher writes JSON"))
    }

    /// The saga that wants it.
    pub fn saga(&self) -> u64 {
        self.saga_id
    }

    /// Which of its saga's steps it is, from zero.
    pub fn step(&self) -> u64 {
        match self.cmd.as_str() {
            "reserve_stock" => 0,
            "charge_card" => 1,
            _ => 2,
        }
    }

    /// Whether it is the last one of its saga.
    pub fn is_last(&self) -> bool {
        self.step() == 2
    }

    /// What the host answers.
    pub fn answer(&self, id: Option<u64>) -> String {
        let Command { cmd: _, command_id, saga_id, step, order } = self;
        let (event, more) = match self.step() {
            0 => ("stock_reserved", String::new()),
            1 => ("card_charged", format!(r#","receipt":"receipt-{saga_id}""#)),
            _ => ("parcel_sent", String::new()),
        };
        let id = id_field(id);
        format!(
            r#"{{"cmd":"report",{id}"event":"{event}","saga_id":{saga_id},"step":"{step}","command_id":"{command_id}","order":"{order}"{more}}}"#
        )
    }
}

/// The definitions above.
pub fn definitions() -> Loaded {
    let files = FILES.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let loaded = Loaded::of(files.into());
    let found: Vec<_> = loaded.diagnostics.iter().map(|found| &found.message).collect();
    assert!(!loaded.diagnostics.has_errors(), "the bench's own saga is wrong: {found:?}");
    loaded
}

/// How the stage treats the engine.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Its name in the table.
    pub name: &'static str,
    /// Lines are parsed on the deciding thread and carry ids: all of the wire's work but moving
    /// bytes. In the launcher the connections' tasks do the parsing.
    pub lines: bool,
    /// The connection gets every event of the bus.
    pub subscribed: bool,
}

/// Where a turn's time goes, on the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// Reading lines, where that is measured.
    pub parse: Duration,
    /// Deciding and folding.
    pub decide: Duration,
    /// Records to rows.
    pub rows: Duration,
    /// The transaction.
    pub commit: Duration,
    /// Events and commands into the outbox.
    pub hand_over: Duration,
}

/// The engine with its one connection.
pub struct Stage {
    /// The core.
    pub core: Core<SqliteLog>,
    outbox: Arc<Outbox>,
    manner: Manner,
    now: Timestamp,
    /// Time of all turns by part.
    pub parts: Parts,
    /// Every turn's time.
    pub turns: Vec<Duration>,
    /// All turns on the clock.
    pub time: Duration,
    /// All turns on a processor.
    pub cpu: Duration,
    /// What was committed, where it is kept.
    pub kept: Option<Vec<Turn>>,
}

const CONN: ConnId = ConnId(1);

impl Stage {
    /// A fresh launcher with its host registered, at that time.
    pub fn new(path: &Path, manner: Manner, now: Timestamp) -> Stage {
        let loaded = definitions();
        let catalog = Arc::new(loaded.defined.catalog.clone());
        let mut coordinator = Coordinator::new(catalog, loaded.plans);
        coordinator.begin_turn(now);
        coordinator.boot(1, "bench");
        let log = SqliteLog::open(path).expect("a fresh log opens");
        let identity = Identity { pid: 1, version: "bench" };
        let core = Core::new(coordinator, log, identity, Allow::default());
        let outbox = Arc::new(Outbox::new(usize::MAX));
        let (parts, turns) = (Parts::default(), Vec::new());
        let (time, cpu, kept) = (Duration::ZERO, Duration::ZERO, None);
        let mut stage = Stage { core, outbox, manner, now, parts, turns, time, cpu, kept };
        let opened = Inbound::Opened { conn: CONN, outbox: stage.outbox.clone() };
        let subscribe = if manner.subscribed { "" } else { r#","subscribe":[]"# };
        let hello = format!(
            r#"{{"cmd":"register","kind":"host","name":"main","pid":1,"version":"1"{subscribe}}}"#
        );
        stage.core.decide([opened, inbound(&hello)], now);
        let pending = stage.core.end_turn();
        stage.core.commit(&pending).expect("the turn is committed");
        stage.core.hand_over(pending);
        stage.heard();
        stage
    }

    /// One turn with these lines; what the connection hears of it.
    pub fn turn(&mut self, lines: &[String]) -> String {
        let parsed: Vec<Inbound> = match self.manner.lines {
            true => Vec::new(),
            false => lines.iter().map(|line| inbound(line)).collect(),
        };
        self.now = self.now + Millis(3);
        let watch = Watch::start();
        let mut part = Instant::now();
        let mut lap =
            |of: &mut Duration| *of += std::mem::replace(&mut part, Instant::now()).elapsed();
        let parsed = match self.manner.lines {
            true => lines.iter().map(|line| inbound(line)).collect(),
            false => parsed,
        };
        lap(&mut self.parts.parse);
        self.core.decide(parsed, self.now);
        lap(&mut self.parts.decide);
        let pending = self.core.end_turn();
        lap(&mut self.parts.rows);
        self.core.commit(&pending).expect("the turn is committed");
        lap(&mut self.parts.commit);
        if let Some(kept) = &mut self.kept {
            kept.push(pending.turn().clone());
        }
        self.core.hand_over(pending);
        lap(&mut self.parts.hand_over);
        let (time, cpu) = watch.read();
        self.turns.push(time);
        self.time += time;
        self.cpu += cpu;
        self.heard()
    }

    fn heard(&mut self) -> String {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        self.outbox.drain(&mut bytes, &mut sent);
        String::from_utf8(bytes).expect("the launcher writes UTF-8")
    }
}

fn inbound(line: &str) -> Inbound {
    let frame = parse_line(line.as_bytes()).expect("the bench speaks the wire");
    Inbound::Frame { conn: CONN, frame, asked: None }
}
