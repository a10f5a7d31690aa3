//! What the whole engine costs, in process, beside two bare rusqlite programs, by turns in one run.
//! `bare` writes the same facts, a row each, and a line for each saga at its start and its end;
//! `bare, our rows` is given the engine's own rows, texts ready made, and does nothing but write
//! them. No sockets: those are in `load`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, params};
use sagaflow::log::{Log, Progress, Row, SagaRow, SagaWrite, Turn};
use sagaflow::saga::record::Record;

use crate::measure::{Run, Watch, median, size};
use crate::stage::{Command, Manner, Parts, START, Stage, placed};

const ROUNDS: usize = 5;
const LOADS: [(u64, u64); 3] = [(1, 400), (64, 20_000), (1_000, 60_000)];
const MANNERS: [Manner; 3] = [
    Manner { name: "engine", lines: false, subscribed: true },
    Manner { name: "engine, nobody listens", lines: false, subscribed: false },
    Manner { name: "engine, lines and ids", lines: true, subscribed: true },
];

/// The engine's figures over a bare program's, round by round.
#[derive(Default)]
struct Ratios {
    rates: Vec<f64>,
    cpus: Vec<f64>,
}

/// Runs all, or the one number in flight that is given; a second number: rounds.
pub fn run(args: &[String]) {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let rounds = number(1).map_or(ROUNDS, |rounds| rounds.max(1) as usize);
    for (in_flight, sagas) in LOADS {
        if number(0).is_none_or(|only| only == in_flight) {
            compare(in_flight, sagas, rounds);
        }
    }
}

fn compare(in_flight: u64, sagas: u64, rounds: usize) {
    println!("{in_flight} in flight, {sagas} sagas of 3 steps a run, {rounds} rounds");
    let (_, _, turns) = engine(in_flight, sagas, MANNERS[0], true);
    let facts: Vec<Vec<Fact>> = turns.iter().map(facts_of).collect();
    bare(&turns, None, sagas); // Warms the disk's and the allocator's caches, as the dry run did.
    let mut ratios: BTreeMap<(&str, &str), Ratios> = BTreeMap::new();
    for round in 0..rounds {
        let bares = [
            ("bare", bare(&turns, Some(&facts), sagas)),
            ("bare, our rows", bare(&turns, None, sagas)),
        ];
        for (name, bare) in &bares {
            bare.print(name);
        }
        for manner in MANNERS {
            let (run, parts, _) = engine(in_flight, sagas, manner, false);
            run.print(manner.name);
            if round + 1 == rounds {
                print_parts(&parts, sagas);
            }
            for (name, bare) in &bares {
                let Ratios { rates, cpus } = ratios.entry((manner.name, name)).or_default();
                rates.push(run.rate() / bare.rate());
                cpus.push(run.cpu_us() / bare.cpu_us());
            }
        }
    }
    for ((manner, bare), Ratios { mut rates, mut cpus }) in ratios {
        println!("  {manner} / {bare}: rate {}, CPU {}", median(&mut rates), median(&mut cpus));
    }
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

/// Keeps `in_flight` sagas going, at all their steps at once, until `sagas` have ended.
fn engine(in_flight: u64, sagas: u64, manner: Manner, keep: bool) -> (Run, Parts, Vec<Turn>) {
    let scratch = tempfile::tempdir().expect("the machine has a disk");
    let path = scratch.path().join("log.db");
    let mut stage = Stage::new(&path, manner, START);
    stage.kept = keep.then(Vec::new);
    let (mut begun, mut ended, mut said) = (0, 0, 0);
    let mut id = || {
        said += 1;
        manner.lines.then_some(said)
    };
    let (mut answers, mut closing, mut freed) = (Vec::new(), 0, 0);
    for turn in 0.. {
        // A quarter of them begins in each of the first turns, so that later ones are alike.
        let ramp = if turn < 4 { (in_flight + 3 - turn) / 4 } else { 0 };
        let begin = (ramp + freed).min(sagas - begun);
        let mut lines: Vec<String> = std::mem::take(&mut answers);
        lines.extend((begun..begun + begin).map(|order| placed(order, id())));
        begun += begin;
        if lines.is_empty() && closing == 0 && begun > 0 {
            break;
        }
        let heard = stage.turn(&lines);
        ended += closing;
        (freed, closing) = (closing, 0);
        for command in heard.lines().filter_map(Command::read) {
            closing += u64::from(command.is_last());
            answers.push(command.answer(id()));
        }
    }
    assert_eq!(ended, sagas, "every saga ends");
    assert_eq!(stage.core.coordinator().sagas().count(), 0, "ended sagas leave the memory");
    let Stage { core, parts, turns, time, cpu, kept, .. } = stage;
    Box::new(core.into_log()).close().expect("the log is closed");
    (Run { sagas, time, cpu, turns, bytes: size(&path) }, parts, kept.unwrap_or_default())
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
fn bare(turns: &[Turn], facts: Option<&[Vec<Fact>]>, sagas: u64) -> Run {
    let scratch = tempfile::tempdir().expect("the machine has a disk");
    let path = scratch.path().join("bare.db");
    let db = open(&path).expect("a fresh file opens");
    let mut run =
        Run { sagas, time: Duration::ZERO, cpu: Duration::ZERO, turns: Vec::new(), bytes: 0 };
    for (place, turn) in turns.iter().enumerate() {
        let at = turn.rows.first().map(|row| row.at.to_string()).unwrap_or_default();
        let facts = facts.map(|facts| &*facts[place]);
        let watch = Watch::start();
        commit(&db, turn, facts, &at).expect("the transaction is committed");
        let (time, cpu) = watch.read();
        run.time += time;
        run.cpu += cpu;
        run.turns.push(time);
    }
    drop(db);
    Run { bytes: size(&path), ..run }
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
