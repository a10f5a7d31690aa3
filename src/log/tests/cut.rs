//! Files of the log that somebody cuts in place under the writer, and those who only tidy up
//! \[R2\].

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{NOON, Scratch, births, commit, free, note, row};
use crate::log::migrate::beside;
use crate::log::wal::{self, Wal};
use crate::log::{AppendError, Log, LogRead, LogReader, OpenError, SqliteLog, Turn};

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
    assert!(!whole.is_torn() && whole.pages.len() > 10, "{whole:?}");
    tidy(&scratch, "PRAGMA wal_checkpoint(RESTART)");
    commit(&mut log, &free(row(21, Some(1), NOON, &note())));
    // Frames of the round before are still behind the new ones, and count for nothing.
    let next = wal::read(&wal_of(&scratch)).expect("it can be read");
    assert!(!next.is_torn() && next.pages.len() < whole.pages.len(), "{next:?}");
    cut(&wal_of(&scratch), 0);
    assert_eq!(wal::read(&wal_of(&scratch)).expect("it can be read"), Wal::default());
}

/// The files of a log whose process was killed after [`filled`], in a directory of their own.
fn killed() -> Scratch {
    let scratch = Scratch::new();
    let log = filled(&scratch);
    let kept = Scratch::new();
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(&scratch.path(), suffix), beside(&kept.path(), suffix)).expect("room");
    }
    drop(log);
    kept
}

/// The frames of the -wal: where each begins, and whether it commits.
fn frames(path: &Path) -> Vec<(usize, bool)> {
    let bytes = fs::read(path).expect("it is there");
    let starts = (32..bytes.len()).step_by(24 + 4_096);
    starts.map(|at| (at, bytes[at + 4..at + 8] != [0; 4])).collect()
}

fn write_over(path: &Path, range: std::ops::Range<usize>) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[range].fill(0);
    fs::write(path, bytes).expect("it is ours");
}

/// Who opens what is left is told the same, for writing and for reading, and how to go on; nothing
/// is touched, and the way that is named is one.
fn check_refused(scratch: &Scratch, expected: &str) {
    let files =
        || ["", "-wal", "-shm"].map(|suffix| fs::read(beside(&scratch.path(), suffix)).ok());
    let before = files();
    let refused = SqliteLog::open(&scratch.path()).expect_err("something is missing");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    let read = LogReader::open(&scratch.path()).expect_err("something is missing");
    assert!(files() == before, "it was touched: {refused}");
    let said = refused.to_string();
    assert_eq!(said, read.to_string());
    assert!(said.contains(expected), "`{expected}` is missing in: {said}");
    // Beside a launcher that runs, the ways on would do more harm.
    assert!(said.contains("stop the launcher if it still runs"), "{said}");
    assert!(said.contains("itself holds: records up to number 15 of 2026-11-21T"), "{said}");
    assert!(said.contains("ids are given out a second time"), "{said}");
    for way in said.lines().filter(|line| line.starts_with("  ") && !line.starts_with("    ")) {
        check_way(scratch, way);
    }
}

/// What is left opens once that was done, and is sound.
fn check_way(scratch: &Scratch, way: &str) {
    let copy = Scratch::new();
    for suffix in ["", "-wal", "-shm"] {
        fs::copy(beside(&scratch.path(), suffix), beside(&copy.path(), suffix)).ok();
    }
    let (from, to) = (scratch.directory.path(), copy.directory.path());
    let way = way.replace(&from.display().to_string(), &to.display().to_string());
    let did = std::process::Command::new("sh").args(["-c", &way]).output();
    let with_shell = way.contains("sqlite3");
    fs::remove_dir_all(beside(to, "-kept")).ok();
    if did.as_ref().is_ok_and(|did| did.status.code() == Some(127)) {
        eprintln!("skipped: this machine has no sqlite3 program");
        return;
    }
    assert!(did.is_ok_and(|did| did.status.success()), "{way}");
    let log = copy.open();
    let newest = log.high_water().expect("it can be read").seq.0;
    assert!(newest == 15 || with_shell && (16..20).contains(&newest), "{way}: {newest}");
    assert_eq!(log.full_check().expect("it can be read"), Vec::<String>::new());
}

#[test]
fn r8_a_log_whose_process_was_killed_opens_with_all_that_was_committed() {
    let scratch = killed();
    assert_eq!(scratch.open().high_water().expect("it can be read").seq.0, 20);
}

/// What a launcher leaves whose -wal was emptied: a hole, and its last commit behind it.
#[test]
fn r8_a_wal_without_its_beginning_is_refused() {
    for without_shm in [false, true] {
        let scratch = killed();
        write_over(&wal_of(&scratch), 0..32);
        if without_shm {
            fs::remove_file(beside(&scratch.path(), "-shm")).expect("it is there");
        }
        check_refused(&scratch, "-wal is gone, and commits stand behind it");
    }
}

#[test]
fn r8_a_wal_that_was_cut_after_its_process_was_killed_is_refused() {
    for part in [1, 2] {
        let scratch = killed();
        cut(&wal_of(&scratch), length(&wal_of(&scratch)) * part / 3);
        let said = SqliteLog::open(&scratch.path()).expect_err("it was cut").to_string();
        assert!(
            said.contains("pragma wal_checkpoint") && said.contains(" committed pages of the -wal"),
            "{said}"
        );
        check_refused(&scratch, "-wal was cut or written over)");
    }
    let scratch = killed();
    cut(&wal_of(&scratch), length(&wal_of(&scratch)) - 1);
    check_refused(&scratch, "-wal was cut or written over)");
}

#[test]
fn r8_a_wal_that_was_emptied_or_deleted_after_its_process_was_killed_is_refused() {
    let scratch = killed();
    cut(&wal_of(&scratch), 0);
    check_refused(&scratch, "-wal holds nothing, where ");
    let scratch = killed();
    fs::remove_file(wal_of(&scratch)).expect("it is there");
    check_refused(&scratch, "-wal is gone, where ");
}

/// The machine was started again since then, or somebody deleted the -shm: the -wal speaks alone.
#[test]
fn r8_a_gap_in_a_wal_is_refused_where_nothing_else_speaks() {
    let scratch = killed();
    fs::remove_file(beside(&scratch.path(), "-shm")).expect("it is there");
    let (second, _) = frames(&wal_of(&scratch))[1];
    write_over(&wal_of(&scratch), second..second + 200);
    check_refused(&scratch, "there is a gap in it, and 5 commits stand behind that");
}

/// A power cut may leave any part of the last commit, of which nobody was told. What is left of it
/// is no loss, and is not taken for one later.
#[test]
fn r2_what_a_power_cut_leaves_of_the_last_commit_is_no_loss() {
    let scratch = killed();
    fs::remove_file(beside(&scratch.path(), "-shm")).expect("it is there");
    let wal = wal_of(&scratch);
    let frames = frames(&wal);
    let commits: Vec<usize> = (0..frames.len()).filter(|at| frames[*at].1).collect();
    let first_of_last = frames[commits[commits.len() - 2] + 1].0;
    write_over(&wal, first_of_last..first_of_last + 4_096);
    assert_eq!(wal::read(&wal).expect("it can be read").behind_a_gap, 1);
    let mut log = scratch.open();
    assert_eq!(log.high_water().expect("it can be read").seq.0, 19);
    commit(&mut log, &large(20));
    assert_eq!(wal::read(&wal).expect("it can be read").behind_a_gap, 0);
    assert_eq!(log.full_check().expect("it can be read"), Vec::<String>::new());
}

/// A file of zeros is what a power cut leaves of a -wal that was only just begun.
#[test]
fn a_wal_in_which_nothing_was_written_yet_is_no_loss() {
    let scratch = killed();
    fs::remove_file(beside(&scratch.path(), "-shm")).expect("it is there");
    fs::write(wal_of(&scratch), [0; 40_000]).expect("room");
    assert_eq!(scratch.open().high_water().expect("it can be read").seq.0, 15);
}

/// All that the -wal held is in the log's own file: whoever then takes the -wal away takes nothing.
#[test]
fn a_wal_that_holds_nothing_of_its_own_may_go() {
    let scratch = Scratch::new();
    let log = filled(&scratch);
    let moved = log.raw().query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get::<_, i64>(0));
    assert_eq!(moved, Ok(0));
    let kept = Scratch::new();
    for suffix in ["", "-shm"] {
        fs::copy(beside(&scratch.path(), suffix), beside(&kept.path(), suffix)).expect("room");
    }
    drop(log);
    assert_eq!(kept.open().high_water().expect("it can be read").seq.0, 20);
}

/// Readers that look at the files while a launcher writes them take no half for a whole.
#[test]
fn l3_a_log_that_is_written_just_now_is_not_taken_for_damaged() {
    let scratch = Scratch::new();
    let mut log = filled(&scratch);
    let path = scratch.path();
    let reader = std::thread::spawn(move || {
        for _ in 0..40 {
            crate::log::kept::look(&path).expect("it is written, not damaged");
        }
    });
    let mut seq = 21;
    while !reader.is_finished() {
        commit(&mut log, &large(seq));
        seq += 1;
    }
    reader.join().expect("it was not refused");
}

/// Bytes that somebody wrote over between two commits are not moved into the log's own file.
#[test]
fn r2_a_wal_that_was_written_over_is_noticed_at_a_clean_end() {
    let scratch = Scratch::new();
    let log = filled(&scratch);
    let (third, _) = frames(&wal_of(&scratch))[2];
    write_over(&wal_of(&scratch), third + 24..third + 24 + 4_096);
    let before = fs::read(scratch.path()).expect("it is there");
    match Box::new(log).close() {
        Err(AppendError::Lost { path, how, .. }) => {
            assert_eq!((path, &*how), (wal_of(&scratch), "cut or written over"));
        }
        other => panic!("nobody noticed: {other:?}"),
    }
    assert!(fs::read(scratch.path()).expect("it is there") == before);
    check_refused(&scratch, "-wal was cut or written over)");
}

/// \[L1\]: pages that are in neither file are missed though the -wal holds something, and before
/// anybody asks for what was on them.
#[test]
fn l1_a_log_that_was_cut_beside_its_wal_is_refused() {
    let scratch = killed();
    cut(&scratch.path(), length(&scratch.path()) - 8 * 4_096);
    let refused = SqliteLog::open(&scratch.path()).expect_err("its end is missing").to_string();
    assert!(refused.contains("it was cut short: ") && refused.contains("is nowhere"), "{refused}");
    assert!(refused.contains(".recover"), "{refused}");
    let read = LogReader::open(&scratch.path()).expect_err("its end is missing").to_string();
    assert_eq!(read, refused);
}
