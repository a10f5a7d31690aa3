//! \[L5\]: a launcher's start on a log with many open sagas among many more that have ended, all of
//! them written by the engine. In process, by its parts, then as a process of its own whose host
//! comes back.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sagaflow::clock::Clock;
use sagaflow::ipc::inbox::Inbox;
use sagaflow::ipc::session::Allow;
use sagaflow::launcher::{Core, Identity, Manners, Turns, restore};
use sagaflow::limits::{INBOX_BYTES, INBOX_MAX, RETENTION};
use sagaflow::log::{Log, LogRead, Retention, SqliteLog, StoredSaga};
use sagaflow::saga::record::Record;
use sagaflow::time::{Millis, Timestamp};

use crate::house::House;
use crate::measure::{ms, size};
use crate::stage::{Command, Manner, Stage, definitions, placed};

const OPEN: u64 = 100_000;
const ENDED: u64 = 1_000_000;
const ROUNDS: usize = 5;
/// Later than the steps' deadlines, earlier than their sagas'.
const OVERDUE: Millis = Millis(8 * 86_400_000);

/// Runs it with so many open sagas beside so many ended ones; a directory after them keeps the log,
/// and measures the one that it has.
pub fn run(args: &[String]) {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let (open, ended) = (number(0).unwrap_or(OPEN).max(1), number(1).unwrap_or(ENDED));
    let house = House::new(args.get(2).map(String::as_str));
    let path = house.log();
    if !path.exists() {
        fill(&path, open, ended);
    }
    println!("{open} open sagas beside {ended} ended ones, {} MB of log", size(&path) / 1_000_000);
    println!("  reading the open ones alone: {:.0} ms", ms(read(&path, false)));
    println!("  reading and parsing them: {:.0} ms", ms(read(&path, true)));
    let mut starts: Vec<Parts> = (0..ROUNDS).map(|_| start(&path, open, Millis(0))).collect();
    for parts in &starts {
        parts.print("in process");
    }
    forget(&path);
    start(&path, open, Millis(0)).print("in process, cold");
    starts.sort_by_key(Parts::whole);
    starts[ROUNDS / 2].print("in process, median");
    for _ in 0..ROUNDS {
        process(&house, open);
    }
    if args.get(2).is_none() {
        start(&path, open, OVERDUE).print("in process, all overdue");
        sweep(&path);
    }
}

/// Writes the log through the engine: of so many sagas one stays open, at each of its steps in
/// turn, so that open ones lie among ended ones. Each report has an id, so that a start has as many
/// to remember as it ever may.
fn fill(path: &Path, open: u64, ended: u64) {
    let manner = Manner { name: "fill", lines: false, subscribed: false };
    let mut stage = Stage::new(path, manner, wall());
    let every = ended / open + 1;
    let stays = |command: &Command| {
        let saga = command.saga();
        saga.is_multiple_of(every) && saga / every % 3 == command.step()
    };
    let (mut begun, mut answers) = (0, Vec::new());
    let mut said = 0;
    let mut id = || {
        said += 1;
        Some(said)
    };
    while begun < every * open || !answers.is_empty() {
        let upto = (begun + 1_000).min(every * open);
        let mut lines = std::mem::take(&mut answers);
        lines.extend((begun..upto).map(|order| placed(order, id())));
        begun = upto;
        let heard = stage.turn(&lines);
        let commands = heard.lines().filter_map(Command::read);
        answers.extend(commands.filter(|one| !stays(one)).map(|one| one.answer(id())));
    }
    Box::new(stage.core.into_log()).close().expect("the log is closed");
}

fn wall() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
    Timestamp(i64::try_from(since.as_millis()).expect("it is earlier than we can count"))
}

/// Lets the system forget what it keeps of a file in memory.
fn forget(path: &Path) {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    let file = File::open(path).expect("the log is there");
    file.sync_all().expect("the disk works");
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("it is a file");
}

/// What the log alone costs: the rows of the open sagas, perhaps parsed.
fn read(path: &Path, parse: bool) -> Duration {
    let from = Instant::now();
    let log = SqliteLog::open(path).expect("the log opens");
    let mut each = |saga: StoredSaga| {
        for row in saga.rows.expect("the rows are sound").iter().filter(|_| parse) {
            row.records::<Record>().expect("the row is sound");
        }
        ControlFlow::Continue(())
    };
    log.open_sagas(&mut each).expect("the log is read");
    from.elapsed()
}

/// Where a start's time goes.
struct Parts {
    open: Duration,
    definitions: Duration,
    restore: Duration,
    ring: Duration,
    turn: Duration,
}

impl Parts {
    fn whole(&self) -> Duration {
        let Parts { open, definitions, restore, ring, turn } = *self;
        open + definitions + restore + ring + turn
    }

    fn print(&self, name: &str) {
        let Parts { open, definitions, restore, ring, turn } = *self;
        println!(
            "  {name}: {:.0} ms = definitions {:.0} + open {:.0} + restore {:.0} + ring {:.0} + \
             first turn {:.0}",
            ms(self.whole()),
            ms(definitions),
            ms(open),
            ms(restore),
            ms(ring),
            ms(turn),
        );
    }
}

/// All that a launcher does before it serves, save its socket, so long after the newest record.
fn start(path: &Path, open_sagas: u64, after: Millis) -> Parts {
    let mut from = Instant::now();
    let mut lap = || std::mem::replace(&mut from, Instant::now()).elapsed();
    let loaded = definitions();
    let catalog = Arc::new(loaded.defined.catalog.clone());
    let definitions = lap();
    let log = SqliteLog::open(path).expect("the log opens");
    let open = lap();
    let coordinator = restore(&log, catalog, loaded.plans).expect("the log can be read");
    let restored = lap();
    assert_eq!(coordinator.sagas().count() as u64, open_sagas, "every open saga is restored");
    assert!(coordinator.corrupt().is_empty(), "none is set aside");
    lap();
    let newest = coordinator.now() + after;
    let identity = Identity { pid: 1, version: "bench" };
    let mut core = Core::new(coordinator, log, identity, Allow::default());
    core.refill_ring().expect("the log can be read");
    let ring = lap();
    let inbox = Arc::new(Inbox::new(INBOX_MAX, INBOX_BYTES));
    let mut turns = Turns::new(core, inbox, Clock::start(newest), Manners::default());
    turns.boot(1, "bench").expect("the turn is committed");
    Parts { open, definitions, restore: restored, ring, turn: lap() }
}

/// The real launcher, from its start until it serves, then until its host has again all that the
/// open sagas owe it.
fn process(house: &House, open: u64) {
    let from = Instant::now();
    let launcher = house.launch();
    let serves = from.elapsed();
    let usage = launcher.usage();
    let came = || -> io::Result<Duration> {
        let from = Instant::now();
        let mut host = launcher.register(2, "host", "[]")?;
        let mut commands = 0;
        while commands < open {
            commands += u64::from(Command::read(host.next()?).is_some());
        }
        Ok(from.elapsed())
    };
    let came = came().expect("every open saga asks again");
    let again = launcher.usage();
    println!(
        "  process: serves after {:.0} ms ({:.0} ms CPU, {:.0} MB, {} B a saga); its host has all \
         commands again {:.0} ms later ({:.0} MB at most)",
        ms(serves),
        ms(usage.cpu),
        usage.peak as f64 / 1e3,
        usage.held * 1024 / open,
        ms(came),
        again.peak as f64 / 1e3,
    );
}

/// Batches of retention on that log, when everything that ended is old.
fn sweep(path: &Path) {
    let mut log = SqliteLog::open(path).expect("the log opens");
    let keep = Retention { sagas: Millis(1), events: Millis(1), events_max: 0 };
    let mut batches: Vec<Duration> = (0..1_000)
        .map(|_| {
            let from = Instant::now();
            log.sweep(wall() + RETENTION, &keep).expect("the batch is committed");
            from.elapsed()
        })
        .collect();
    batches.sort();
    let at = |place: usize| ms(batches[place]);
    println!("  sweep, a batch: p50 {:.2} p99 {:.2} max {:.2} ms", at(500), at(990), at(999));
}
