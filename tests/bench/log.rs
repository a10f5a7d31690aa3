//! What the log costs beside a bare rusqlite program that writes the same facts, by turns in one
//! run, because the disk's own rate drifts. The engine above the log is not measured here.

use std::time::Duration;

use rusqlite::{Connection, params};
use sagaflow::ids::{DefinitionHash, SagaId, Seq};
use sagaflow::log::{DefinitionRow, Log, Progress, Row, SagaRow, SagaWrite, SqliteLog, Turn};
use sagaflow::time::{Millis, Timestamp};

use crate::measure::{Run, Watch, median, size};

/// Turns that a saga of three durable steps takes.
const PHASES: u64 = 4;
const START: Timestamp = Timestamp(1_795_240_800_000);
const ROUNDS: usize = 5;

/// Runs all.
pub fn run() {
    for (in_flight, sagas) in [(1, 600), (64, 40_000), (1_000, 120_000)] {
        println!("{in_flight} in flight, {sagas} sagas a run, {PHASES} rows a saga");
        let mut ratios: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            let bare = bare(in_flight, sagas, false);
            let log = ours(in_flight, sagas);
            let indexed = self::bare(in_flight, sagas, true);
            if round == 0 {
                continue; // The first one warms the disk's and the allocator's caches.
            }
            ratios[0].push(log.rate() / bare.rate());
            ratios[1].push(log.rate() / indexed.rate());
            for (name, run) in [("bare", &bare), ("bare + index", &indexed), ("log", &log)] {
                run.print(name);
            }
        }
        for (name, ratios) in ["bare", "bare + index"].iter().zip(&mut ratios) {
            println!("  log / {name}: {}", median(ratios));
        }
    }
}

/// About 250 bytes of records, as a saga's turn has them.
fn body(saga: u64, phase: u64) -> String {
    let (label, next) = (format!("window-{saga}"), phase + 1);
    let done = format!(
        r#""outcome":{{"step":"step_{phase}","outcome":"succeeded","echo":{{"label":"{label}"}}}}"#
    );
    let issued = format!(
        r#""issued":{{"step":"step_{next}","command_id":"{saga}.step_{next}.1","attempt":1,"#
    );
    let with = format!(
        r#""target":"host","cmd":"reap_panes","with":{{"label":"{label}"}},"due":{}}}"#,
        START.0
    );
    format!("[{{{done}}},{{{issued}{with}}}]")
}

fn hash() -> DefinitionHash {
    DefinitionHash("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into())
}

fn input(saga: u64) -> String {
    format!(r#"{{"label":"window-{saga}"}}"#)
}

fn born(saga: u64, at: Timestamp) -> SagaRow {
    SagaRow {
        saga_id: SagaId(saga),
        name: "window_cleanup_cascade".into(),
        definition: hash(),
        trigger_event: "window_closed".into(),
        input: input(saga),
        created_at: at,
        progress: Progress { started_at: Some(at), ..Progress::new("running") },
    }
}

fn done(saga: u64, from: Timestamp, at: Timestamp) -> SagaWrite {
    let progress = Progress {
        result: Some(r#"{"drained":false}"#.to_owned()),
        started_at: Some(from),
        ended_at: Some(at),
        ..Progress::new("completed")
    };
    SagaWrite::Update { saga_id: SagaId(saga), progress }
}

/// The saga and the phase of each row of turn `turn`: every turn some begin and some end.
fn plan(turn: u64, in_flight: u64, sagas: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..in_flight).filter_map(move |slot| {
        let step = turn.checked_sub(slot % PHASES)?;
        let saga = step / PHASES * in_flight + slot + 1;
        (saga <= sagas).then_some((saga, step % PHASES))
    })
}

/// Drives `commit` with every turn's rows until no saga is left; only `commit` is timed.
fn drive<T>(
    in_flight: u64,
    sagas: u64,
    mut make: impl FnMut(u64, Vec<(u64, u64)>) -> T,
    mut commit: impl FnMut(&T),
) -> (Duration, Duration, Vec<Duration>) {
    let (mut time, mut busy, mut turns) = (Duration::ZERO, Duration::ZERO, Vec::new());
    for turn in 0.. {
        let rows: Vec<_> = plan(turn, in_flight, sagas).collect();
        if rows.is_empty() {
            break;
        }
        let made = make(turn, rows);
        let watch = Watch::start();
        commit(&made);
        let (took, worked) = watch.read();
        busy += worked;
        time += took;
        turns.push(took);
    }
    (time, busy, turns)
}

fn now(turn: u64) -> Timestamp {
    START + Millis(turn * 7)
}

fn ours(in_flight: u64, sagas: u64) -> Run {
    let scratch = tempfile::tempdir().expect("the machine has a disk");
    let path = scratch.path().join("log.db");
    let mut log = SqliteLog::open(&path).expect("a fresh log opens");
    let mut seq = 0;
    let make = |turn: u64, rows: Vec<(u64, u64)>| turn_of(now(turn), &mut seq, rows);
    let commit = |turn: &Turn| log.append(turn).expect("the turn is committed");
    let (time, cpu, turns) = drive(in_flight, sagas, make, commit);
    Box::new(log).close().expect("the log is closed");
    Run { sagas, time, cpu, turns, bytes: size(&path) }
}

fn turn_of(at: Timestamp, seq: &mut u64, rows: Vec<(u64, u64)>) -> Turn {
    let mut turn = Turn::default();
    for (saga, phase) in rows {
        if phase == 0 {
            turn.sagas.push(SagaWrite::Create(born(saga, at)));
        }
        if phase == PHASES - 1 {
            turn.sagas.push(done(saga, at, at));
        }
        let saga_id = Some(SagaId(saga));
        turn.rows.push(Row { seq: Seq(*seq + 1), n: 2, saga_id, at, body: body(saga, phase) });
        *seq += 2;
    }
    if *seq <= 2 * turn.rows.len() as u64 {
        turn.definitions.push(DefinitionRow {
            hash: hash(),
            name: "window_cleanup_cascade".into(),
            source: "saga: window_cleanup_cascade\n".into(),
            catalog: "{}".into(),
            calls: Vec::new(),
            first_seen_at: at,
        });
    }
    turn
}

/// The least that writes the same: the rows, and a line for each saga at its start and its end.
fn bare(in_flight: u64, sagas: u64, indexed: bool) -> Run {
    let scratch = tempfile::tempdir().expect("the machine has a disk");
    let path = scratch.path().join("bare.db");
    let db = Connection::open(&path).expect("a fresh file opens");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE saga (saga_id INTEGER PRIMARY KEY, name TEXT, state TEXT, definition TEXT,
           event TEXT, input TEXT, result TEXT, started_at TEXT, ended_at TEXT);
         CREATE TABLE fact (seq INTEGER PRIMARY KEY, saga_id INTEGER, at INTEGER, body TEXT);",
    )
    .expect("the tables are made");
    if indexed {
        db.execute_batch("CREATE INDEX fact_of_saga ON fact (saga_id)").expect("it is made");
    }
    let mut seq = 0;
    let make = |turn: u64, rows: Vec<(u64, u64)>| {
        let at = now(turn);
        let bodies = rows.into_iter().map(|(saga, phase)| (saga, phase, body(saga, phase)));
        (at, at.to_string(), bodies.collect::<Vec<_>>())
    };
    let commit = |(at, text, rows): &(Timestamp, String, Vec<(u64, u64, String)>)| {
        bare_commit(&db, &mut seq, *at, text, rows).expect("the transaction is committed");
    };
    let (time, cpu, turns) = drive(in_flight, sagas, make, commit);
    drop(db);
    Run { sagas, time, cpu, turns, bytes: size(&path) }
}

fn bare_commit(
    db: &Connection,
    seq: &mut i64,
    at: Timestamp,
    text: &str,
    rows: &[(u64, u64, String)],
) -> Result<(), rusqlite::Error> {
    let hash = hash();
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut fact = db.prepare_cached("INSERT INTO fact VALUES (?1, ?2, ?3, ?4)")?;
    let mut start = db.prepare_cached(
        "INSERT INTO saga VALUES (?1, ?2, 'running', ?3, 'window_closed', ?4, NULL, ?5, NULL)",
    )?;
    let mut end = db.prepare_cached(
        "UPDATE saga SET state = 'completed', result = ?2, ended_at = ?3 WHERE saga_id = ?1",
    )?;
    for (saga, phase, body) in rows {
        let id = i64::try_from(*saga).unwrap_or(i64::MAX);
        if *phase == 0 {
            start.execute(params![id, "window_cleanup_cascade", &*hash.0, input(*saga), text])?;
        }
        if *phase == PHASES - 1 {
            end.execute(params![id, r#"{"drained":false}"#, text])?;
        }
        *seq += 2;
        fact.execute(params![*seq, id, at.0, body])?;
    }
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}
