//! What the whole engine costs, in process, beside two bare rusqlite programs, by turns in one run.
//! `bare` writes the same facts, a row each, and a line for each saga at its start and its end;
//! `bare, our rows` is given the engine's own rows, texts ready made, and does nothing but write
//! them. No sockets: those are in `load`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, params};
use sagaflow::log::{Log, Progress, Row, SagaRow, SagaWrite, Turn};
use sagaflow::saga::record::Record;
use tempfile::TempDir;

use crate::measure::{Run, Watch, median, size};
use crate::stage::{Command, Manner, Parts, START, Stage, placed};

const SLICES: usize = 30;
const LOADS: [(u64, u64); 3] = [(1, 3_000), (64, 30_000), (1_000, 60_000)];
const MANNERS: [Manner; 3] = [
    Manner { name: "engine", lines: false, subscribed: true },
    Manner { name: "engine, nobody listens", lines: false, subscribed: false },
    Manner { name: "engine, lines and ids", lines: true, subscribed: true },
];

/// Runs all, or the one number in flight that is given; a second number: slices.
pub fn run(args: &[String]) {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let slices = number(1).map_or(SLICES, |slices| slices.max(1) as usize);
    for (in_flight, sagas) in LOADS {
        if number(0).is_none_or(|only| only == in_flight) {
            compare(in_flight, sagas, slices);
        }
    }
}

/// All programs take the same turns, a slice of them by turns, each on a file of its own: the rate
/// of a shared disk drifts within a second, and so only what lies side by side is compared.
fn compare(in_flight: u64, sagas: u64, slices: usize) {
    println!("{in_flight} in flight, {sagas} sagas of 3 steps, in {slices} slices");
    let turns = dry_run(in_flight, sagas);
    let facts: Vec<Vec<Fact>> = turns.iter().map(facts_of).collect();
    let mut bares =
        [("bare", Bare::new(&turns, Some(&facts))), ("bare, our rows", Bare::new(&turns, None))];
    let mut engines = MANNERS.map(|manner| Engine::new(in_flight, sagas, manner));
    // What each took of each slice, the bare ones first: on the clock and on a processor.
    let mut took = vec![Vec::new(); bares.len() + engines.len()];
    for slice in 0..slices {
        let upto = turns.len() * (slice + 1) / slices;
        // Another one begins each slice, so that none always follows the same one.
        let count = took.len();
        for place in (0..count).map(|place| (place + slice) % count) {
            took[place].push(match place.checked_sub(bares.len()) {
                None => bares[place].1.play(upto),
                Some(place) => engines[place].play(upto),
            });
        }
    }
    let names = bares.each_ref().map(|(name, _)| *name);
    for (name, bare) in bares {
        bare.run(sagas).print(name);
    }
    for engine in &engines {
        print_parts(&engine.stage.parts, sagas);
    }
    for (engine, ours) in engines.into_iter().zip(&took[names.len()..]) {
        let manner = engine.manner.name;
        engine.run().print(manner);
        for (name, theirs) in names.iter().zip(&took) {
            print_ratios(&format!("{manner} / {name}"), ours, theirs);
        }
    }
}

/// What a slice took: on the clock and on a processor.
type Took = (Duration, Duration);

/// A program's figures over a bare one's: slice by slice, and the rates of all slices together.
fn print_ratios(name: &str, ours: &[Took], theirs: &[Took]) {
    let rate = |(ours, theirs): (&Took, &Took)| theirs.0.as_secs_f64() / ours.0.as_secs_f64();
    let cpu = |(ours, theirs): (&Took, &Took)| ours.1.as_secs_f64() / theirs.1.as_secs_f64();
    let mut rates: Vec<f64> = ours.iter().zip(theirs).map(rate).collect();
    let mut cpus: Vec<f64> = ours.iter().zip(theirs).map(cpu).collect();
    let sum = |all: &[Took]| all.iter().map(|took| took.0).sum::<Duration>().as_secs_f64();
    println!(
        "  {name}: rate {}, all together {:.2}, CPU {}",
        median(&mut rates),
        sum(theirs) / sum(ours),
        median(&mut cpus)
    );
}

fn print_parts(parts: &Parts, sagas: u64) {
    let us = |time: Duration| time.as_secs_f64() * 1e6 / sagas as f64;
    let Parts { parse, decide, rows, commit, hand_over } = *parts;
    println!(
        "    us a saga: parse {:.1}, decide {:.1}, rows {:.1}, commit {:.1}, hand over {:.1}",
        us(parse),
        us(decide),
        us(rows),
        us(commit),
        us(hand_over)
    );
}

/// The turns that the engine makes of it.
fn dry_run(in_flight: u64, sagas: u64) -> Vec<Turn> {
    let mut engine = Engine::new(in_flight, sagas, MANNERS[0]);
    engine.stage.kept = Some(Vec::new());
    engine.play(usize::MAX);
    engine.stage.kept.take().expect("they were kept")
}

/// The engine, kept at `in_flight` sagas, at all their steps at once, until `sagas` have ended.
struct Engine {
    stage: Stage,
    manner: Manner,
    in_flight: u64,
    sagas: u64,
    begun: u64,
    ended: u64,
    /// Sagas whose last answers lie with `answers`.
    closing: u64,
    /// Sagas that ended in the last turn.
    freed: u64,
    said: u64,
    answers: Vec<String>,
    scratch: TempDir,
}

impl Engine {
    fn new(in_flight: u64, sagas: u64, manner: Manner) -> Engine {
        let scratch = tempfile::tempdir().expect("the machine has a disk");
        let stage = Stage::new(&log_in(&scratch), manner, START);
        let (begun, ended, closing, freed, said) = (0, 0, 0, 0, 0);
        let answers = Vec::new();
        Engine {
            stage,
            manner,
            in_flight,
            sagas,
            begun,
            ended,
            closing,
            freed,
            said,
            answers,
            scratch,
        }
    }

    /// Goes on up to that turn; what that took.
    fn play(&mut self, upto: usize) -> Took {
        let (time, cpu) = (self.stage.time, self.stage.cpu);
        while self.stage.turns.len() < upto && self.ended < self.sagas {
            self.turn();
        }
        (self.stage.time - time, self.stage.cpu - cpu)
    }

    fn turn(&mut self) {
        // A quarter of them begins in each of the first turns, so that later ones are alike.
        let turn = self.stage.turns.len() as u64;
        let ramp = if turn < 4 { (self.in_flight + 3 - turn) / 4 } else { 0 };
        let begin = (ramp + self.freed).min(self.sagas - self.begun);
        let mut lines: Vec<String> = std::mem::take(&mut self.answers);
        for order in self.begun..self.begun + begin {
            lines.push(placed(order, self.id()));
        }
        self.begun += begin;
        let heard = self.stage.turn(&lines);
        self.ended += self.closing;
        (self.freed, self.closing) = (self.closing, 0);
        for command in heard.lines().filter_map(Command::read) {
            self.closing += u64::from(command.is_last());
            let id = self.id();
            self.answers.push(command.answer(id));
        }
    }

    fn id(&mut self) -> Option<u64> {
        self.said += 1;
        self.manner.lines.then_some(self.said)
    }

    /// What it did in all.
    fn run(self) -> Run {
        let Engine { stage, sagas, ended, scratch, .. } = self;
        assert_eq!(ended, sagas, "every saga ends");
        assert_eq!(stage.core.coordinator().sagas().count(), 0, "ended sagas leave the memory");
        let Stage { core, turns, time, cpu, .. } = stage;
        Box::new(core.into_log()).close().expect("the log is closed");
        Run { sagas, time, cpu, turns, bytes: size(&log_in(&scratch)) }
    }
}

fn log_in(scratch: &TempDir) -> PathBuf {
    scratch.path().join("log.db")
}

/// A fact as a program has it before it is written.
struct Fact {
    seq: u64,
    saga: Option<i64>,
    at: i64,
    record: Record,
}

fn facts_of(turn: &Turn) -> Vec<Fact> {
    let of_row = |row: &Row| {
        let (saga, at, first) = (row.saga_id.map(|id| id.0.cast_signed()), row.at.0, row.seq.0);
        let records: Vec<Record> = row.records().expect("the engine wrote it");
        (first..).zip(records).map(move |(seq, record)| Fact { seq, saga, at, record })
    };
    turn.rows.iter().flat_map(of_row).collect()
}

/// The least that writes the same in the engine's own transactions: facts a row each, or the
/// engine's own rows, and a line for each saga at its start and its end.
struct Bare<'a> {
    turns: &'a [Turn],
    facts: Option<&'a [Vec<Fact>]>,
    db: Connection,
    times: Vec<Duration>,
    time: Duration,
    cpu: Duration,
    scratch: TempDir,
}

impl<'a> Bare<'a> {
    fn new(turns: &'a [Turn], facts: Option<&'a [Vec<Fact>]>) -> Bare<'a> {
        let scratch = tempfile::tempdir().expect("the machine has a disk");
        let db = open(&log_in(&scratch)).expect("a fresh file opens");
        let (time, cpu) = (Duration::ZERO, Duration::ZERO);
        Bare { turns, facts, db, times: Vec::new(), time, cpu, scratch }
    }

    /// Goes on up to that turn; what that took.
    fn play(&mut self, upto: usize) -> Took {
        let (time, cpu) = (self.time, self.cpu);
        for place in self.times.len()..upto {
            let turn = &self.turns[place];
            let at = turn.rows.first().map(|row| row.at.to_string()).unwrap_or_default();
            let facts = self.facts.map(|facts| &*facts[place]);
            let watch = Watch::start();
            commit(&self.db, turn, facts, &at).expect("the transaction is committed");
            let (time, cpu) = watch.read();
            self.times.push(time);
            self.time += time;
            self.cpu += cpu;
        }
        (self.time - time, self.cpu - cpu)
    }

    /// What it did in all.
    fn run(self, sagas: u64) -> Run {
        let Bare { db, times: turns, time, cpu, scratch, .. } = self;
        // Closing moves all into the one file.
        drop(db);
        Run { sagas, time, cpu, turns, bytes: size(&log_in(&scratch)) }
    }
}

fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE saga (saga_id INTEGER PRIMARY KEY, name TEXT, definition TEXT, event TEXT,
           input TEXT, state TEXT, result TEXT, started_at TEXT, ended_at TEXT);
         CREATE TABLE fact (seq INTEGER PRIMARY KEY, saga_id INTEGER, at INTEGER, body TEXT);",
    )?;
    Ok(db)
}

fn commit(
    db: &Connection,
    turn: &Turn,
    facts: Option<&[Fact]>,
    at: &str,
) -> Result<(), rusqlite::Error> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut insert = db.prepare_cached("INSERT INTO fact VALUES (?1, ?2, ?3, ?4)")?;
    let mut start =
        db.prepare_cached("INSERT INTO saga VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, ?7, NULL)")?;
    let mut end = db.prepare_cached(
        "UPDATE saga SET state = ?2, result = ?3, ended_at = ?4 WHERE saga_id = ?1",
    )?;
    for write in &turn.sagas {
        match write {
            SagaWrite::Create(saga) => begin(&mut start, saga, at)?,
            SagaWrite::Update { saga_id, progress: Progress { state, result, .. } } => {
                end.execute(params![saga_id.0.cast_signed(), &**state, result, at])?;
            }
        }
    }
    match facts {
        Some(facts) => {
            for Fact { seq, saga, at, record } in facts {
                let body = serde_json::to_string(record).expect("records serialise");
                insert.execute(params![seq.cast_signed(), saga, at, body])?;
            }
        }
        None => {
            for row in &turn.rows {
                let saga = row.saga_id.map(|id| id.0.cast_signed());
                insert.execute(params![row.seq.0.cast_signed(), saga, row.at.0, row.body])?;
            }
        }
    }
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

fn begin(start: &mut CachedStatement<'_>, saga: &SagaRow, at: &str) -> Result<(), rusqlite::Error> {
    let SagaRow { saga_id, name, definition, trigger_event, input, progress, .. } = saga;
    let state = &*progress.state;
    let id = saga_id.0.cast_signed();
    start.execute(params![id, &**name, &*definition.0, &**trigger_event, input, state, at])?;
    Ok(())
}
