//! Files of the log that somebody cuts in place under the writer, and those who only tidy up
//! \[R2\].

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{NOON, Scratch, births, commit, free, note, row};
use crate::log::migrate::beside;
use crate::log::wal::{self, Wal};
use crate::log::{AppendError, Log, SqliteLog, Turn};

fn wal_of(scratch: &Scratch) -> PathBuf {
    beside(&scratch.path(), "-wal")
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).expect("it is there").len()
}

fn cut(path: &Path, to: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("it is ours");
    file.set_len(to).expect("it can be cut");
}

/// A turn whose record fills more than a page.
fn large(seq: u64) -> Turn {
    let record = serde_json::json!({"late": {"step": "x".repeat(10_000), "what": "reap"}});
    free(row(seq, Some(1), NOON, &[record]))
}

/// A log with a saga and records up to number 20; all but the last five are in the file itself.
fn filled(scratch: &Scratch) -> SqliteLog {
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    for seq in 2..=20 {
        if seq == 16 {
            tidy(scratch, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        commit(&mut log, &large(seq));
    }
    log
}

/// What a person does with a shell.
fn tidy(scratch: &Scratch, sql: &str) {
    let shell = Connection::open(scratch.path()).expect("it is a database");
    shell.execute_batch(sql).expect("it is allowed");
    shell.close().expect("it is closed");
}

/// The next turn is committed, and the log says that this is worth nothing.
fn check_lost(log: &mut SqliteLog, file: &Path) {
    let next = free(row(21, Some(1), NOON, &note()));
    match log.append(&next) {
        Err(AppendError::Lost { path, how, .. }) => {
            assert_eq!((path, &*how), (file.to_owned(), "cut"));
        }
        other => panic!("nobody noticed: {other:?}"),
    }
}

#[test]
fn r2_a_wal_that_is_cut_is_noticed_by_the_next_commit() {
    for part in [0, 1, 2] {
        let scratch = Scratch::new();
        let mut log = filled(&scratch);
        cut(&wal_of(&scratch), length(&wal_of(&scratch)) * part / 3);
        check_lost(&mut log, &wal_of(&scratch));
    }
}

/// It grows again by more than it lost, and only the hole is left to see.
#[test]
fn r2_a_wal_that_is_cut_and_grows_beyond_what_it_was_is_noticed() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    let before = length(&wal_of(&scratch));
    cut(&wal_of(&scratch), 0);
    let turn = Turn { rows: (2..60).flat_map(|seq| large(seq).rows).collect(), ..Turn::default() };
    assert!(matches!(log.append(&turn), Err(AppendError::Lost { .. })));
    assert!(length(&wal_of(&scratch)) > 2 * before);
}

#[test]
fn r2_a_log_that_is_cut_is_noticed_by_the_next_commit() {
    let scratch = Scratch::new();
    let mut log = filled(&scratch);
    cut(&scratch.path(), length(&scratch.path()) - 4_096);
    check_lost(&mut log, &scratch.path());
}

/// What is moved into the log by a person, and a log that a person packs, are whole.
#[test]
fn who_tidies_up_beside_the_writer_takes_nothing_away() {
    let scratch = Scratch::new();
    let mut log = filled(&scratch);
    tidy(&scratch, "DELETE FROM fact WHERE seq BETWEEN 2 AND 18");
    let before = length(&scratch.path());
    let mut seq = 21;
    for sql in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint(RESTART)"] {
        tidy(&scratch, sql);
        for _ in 0..3 {
            commit(&mut log, &free(row(seq, Some(1), NOON, &note())));
            seq += 1;
        }
    }
    assert!(length(&scratch.path()) < before, "it shrank");
}

#[test]
fn a_wal_is_read_as_sqlite_wrote_it() {
    let scratch = Scratch::new();
    let mut log = filled(&scratch);
    let whole = wal::read(&wal_of(&scratch)).expect("it can be read");
    assert!(!whole.torn && whole.pages.len() > 10, "{whole:?}");
    tidy(&scratch, "PRAGMA wal_checkpoint(RESTART)");
    commit(&mut log, &free(row(21, Some(1), NOON, &note())));
    // Frames of the round before are still behind the new ones, and count for nothing.
    let next = wal::read(&wal_of(&scratch)).expect("it can be read");
    assert!(!next.torn && next.pages.len() < whole.pages.len(), "{next:?}");
    cut(&wal_of(&scratch), 0);
    assert_eq!(wal::read(&wal_of(&scratch)).expect("it can be read"), Wal::default());
}
