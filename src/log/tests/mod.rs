//! Tests of the log: what both stores promise (`contract`), what people see (`readable`), what is
//! refused (`refused`), what a full disk and nonsense in the file do (`hurt`), and who cuts it
//! (`cut`). Common tools here.

mod contract;
mod cut;
mod hurt;
mod readable;
mod refused;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::log::{
    DefinitionRow, Log, LogRead, Progress, Row, SagaRow, SagaWrite, SqliteLog, StoredSaga, Turn,
};
use crate::time::{Millis, Timestamp};

/// 2026-11-21T06:00:00.000Z.
const NOON: Timestamp = Timestamp(1_795_240_800_000);
const DAY: Millis = Millis(86_400_000);

/// A data directory of one test.
struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Scratch { directory: tempfile::tempdir().expect("the test machine has a disk") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("log.db")
    }

    fn open(&self) -> SqliteLog {
        SqliteLog::open(&self.path()).expect("the log opens")
    }

    /// What the system's own `sqlite3` says; nothing where there is none.
    fn shell(&self, sql: &str) -> Option<String> {
        let output = Command::new("sqlite3").arg("-readonly").arg(self.path()).arg(sql).output();
        let Ok(output) = output else {
            eprintln!("skipped: this machine has no sqlite3 program");
            return None;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).expect("sqlite3 prints UTF-8"))
    }
}

fn hash() -> DefinitionHash {
    DefinitionHash("c0ffee".into())
}

fn definition() -> DefinitionRow {
    DefinitionRow {
        hash: hash(),
        name: "window_cleanup_cascade".into(),
        source: "saga: window_cleanup_cascade\n".into(),
        catalog: "{}".into(),
        calls: Vec::new(),
        first_seen_at: NOON,
    }
}

/// The birth of a running saga.
fn born(id: u64, at: Timestamp) -> SagaRow {
    SagaRow {
        saga_id: SagaId(id),
        name: "window_cleanup_cascade".into(),
        definition: hash(),
        trigger_event: "window_closed".into(),
        input: r#"{"label":"main"}"#.to_owned(),
        created_at: at,
        progress: Progress { started_at: Some(at), ..Progress::new("running") },
    }
}

/// An end in `state` for a saga that started at `from`.
fn end(state: &'static str, from: Timestamp, at: Timestamp) -> Progress {
    Progress { started_at: Some(from), ended_at: Some(at), ..Progress::new(state) }
}

fn row(seq: u64, saga: Option<u64>, at: Timestamp, records: &[Value]) -> Row {
    Row {
        seq: Seq(seq),
        n: u32::try_from(records.len()).expect("a test has few records"),
        saga_id: saga.map(SagaId),
        at,
        body: Value::from(records).to_string(),
    }
}

/// One record that says nothing much.
fn note() -> [Value; 1] {
    [json!({"late": {"step": "reap", "what": "panes_reaped"}})]
}

/// A turn in which sagas are born, each with one record from `seq` on.
fn births(seq: u64, at: Timestamp, ids: &[u64]) -> Turn {
    Turn {
        definitions: vec![definition()],
        sagas: ids.iter().map(|id| SagaWrite::Create(born(*id, at))).collect(),
        rows: (seq..).zip(ids).map(|(seq, id)| row(seq, Some(*id), at, &note())).collect(),
        ..Turn::default()
    }
}

fn ends(id: u64, progress: Progress) -> Turn {
    let sagas = vec![SagaWrite::Update { saga_id: SagaId(id), progress }];
    Turn { sagas, ..Turn::default() }
}

fn free(row: Row) -> Turn {
    Turn { rows: vec![row], ..Turn::default() }
}

fn commit(log: &mut dyn Log, turn: &Turn) {
    log.append(turn).expect("the turn is committed");
}

fn open_sagas(log: &dyn LogRead) -> Vec<StoredSaga> {
    let mut found = Vec::new();
    let mut each = |saga| {
        found.push(saga);
        ControlFlow::Continue(())
    };
    log.open_sagas(&mut each).expect("the log is read");
    found
}

fn incidents(log: &dyn LogRead) -> Vec<u64> {
    let mut found = Vec::new();
    let mut each = |saga: StoredSaga| {
        found.push(saga.saga.saga_id.0);
        ControlFlow::Continue(())
    };
    log.incidents(&mut each).expect("the log is read");
    found
}

fn rows_since(log: &dyn LogRead, since: u64) -> Vec<Row> {
    let mut found = Vec::new();
    let mut each = |row: Result<Row, _>| {
        found.push(row.expect("the row is sound"));
        ControlFlow::Continue(())
    };
    log.rows_since(Seq(since), &mut each).expect("the log is read");
    found
}

fn ids(sagas: &[SagaRow]) -> Vec<u64> {
    sagas.iter().map(|saga| saga.saga_id.0).collect()
}

fn words(text: &str) -> Option<Arc<str>> {
    Some(text.into())
}
