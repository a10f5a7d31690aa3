//! A disk that is full, a file that holds nonsense, a stranger who holds the lock. Files that are
//! not even opened are in `refused`.

use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{NOON, Scratch, births, commit, free, note, open_sagas, row, rows_since};
use crate::ids::{SagaId, Seq};
use crate::log::{
    AppendError, Filter, Log, LogRead, LogReader, ReadError, Row, SqliteLog, StoredSaga, Turn,
};

/// A turn that needs some pages.
fn bulky(seq: u64) -> Turn {
    let mut turn = births(seq, NOON, &[seq]);
    turn.rows[0].body = Value::from(vec!["x".repeat(20_000)]).to_string();
    turn
}

/// Appends until the disk is full; answers the first turn that did not fit.
fn fill(log: &mut SqliteLog) -> (u64, Turn) {
    for seq in 1..1_000 {
        let turn = bulky(seq);
        match log.append(&turn) {
            Ok(()) => {}
            Err(AppendError::Full { .. }) => return (seq, turn),
            Err(error) => panic!("a full disk is no fatal fault: {error}"),
        }
    }
    panic!("the disk never filled");
}

fn l7_holds(log: &mut SqliteLog, make_room: impl FnOnce(&SqliteLog)) {
    let (seq, turn) = fill(log);
    let before = (log.commits(), rows_since(log, 0).len(), open_sagas(log).len());
    for _ in 0..3 {
        let again = log.append(&turn).expect_err("the disk is still full");
        assert!(matches!(again, AppendError::Full { .. }), "{again}");
    }
    let after = (log.commits(), rows_since(log, 0).len(), open_sagas(log).len());
    assert_eq!(after, before, "nothing of the turn is there");
    make_room(log);
    commit(log, &turn);
    assert_eq!(rows_since(log, seq - 1).len(), 1);
    assert_eq!(log.full_check().expect("the log is read"), Vec::<String>::new());
}

#[test]
fn l7_a_turn_that_does_not_fit_is_rolled_back_whole_and_fits_later() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    log.raw().pragma_update(None, "max_page_count", 64).expect("the limit is set");
    l7_holds(&mut log, |log| {
        log.raw().pragma_update(None, "max_page_count", 10_000).expect("the limit is lifted");
    });
}

/// A disk of one mebibyte, where the machine allows it.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    fn new(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).expect("the directory is made");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&at).output();
        match mount {
            Ok(done) if done.status.success() => Some(SmallDisk { at }),
            Ok(_) | Err(_) => {
                eprintln!("skipped: this user may not mount a small disk");
                None
            }
        }
    }
}

impl SmallDisk {
    /// From now on nothing can be written there, by nobody.
    fn freeze(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.at).status();
        assert!(done.is_ok_and(|done| done.success()), "the disk cannot be frozen");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _left_mounted = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}

#[test]
fn l7_a_really_full_disk_is_told_from_a_broken_one() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::new(scratch.directory.path().join("disk")) else { return };
    let ballast = disk.at.join("ballast");
    fs::write(&ballast, vec![0; 300_000]).expect("there is room at first");
    let mut log = SqliteLog::open(&disk.at.join("log.db")).expect("the log opens");
    l7_holds(&mut log, |_| fs::remove_file(&ballast).expect("the ballast is removed"));
    drop(log);
}

/// A log is made whole or not at all: what had no room was left behind under another name, and
/// the log refused for ever after.
#[test]
fn l1_a_log_that_is_made_on_a_disk_with_little_room_is_whole_or_not_there() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::new(scratch.directory.path().join("disk")) else { return };
    let (path, ballast) = (disk.at.join("log.db"), disk.at.join("ballast"));
    let (mut made, mut refused) = (0, 0);
    for room in (0..60).map(|pages| pages * 4_096) {
        fs::write(&ballast, vec![1; (1 << 20) - room]).ok();
        match SqliteLog::open(&path) {
            Ok(_) => made += 1,
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains("room") || said.contains("space"), "{said}");
                refused += 1;
            }
        }
        fs::remove_file(&ballast).expect("it is there");
        let log = SqliteLog::open(&path).expect("there is room now");
        assert_eq!(log.full_check().expect("it can be read"), Vec::<String>::new());
        drop(log);
        for entry in fs::read_dir(&disk.at).expect("it is there") {
            fs::remove_file(entry.expect("it is there").path()).expect("it is ours");
        }
    }
    assert!(made > 0 && refused > 0, "{made} made, {refused} refused");
}

/// Nothing is lost when the log has no room for what its -wal holds: so it is no failure.
#[test]
fn l8_a_clean_end_on_a_full_disk_is_one() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::new(scratch.directory.path().join("disk")) else { return };
    let path = disk.at.join("log.db");
    let mut log = SqliteLog::open(&path).expect("the log opens");
    for seq in 1..=8 {
        commit(&mut log, &bulky(seq));
    }
    let ballast = disk.at.join("ballast");
    let mut file = fs::File::create(&ballast).expect("there is room");
    while file.write_all(&[1; 4_096]).is_ok() {}
    Box::new(log).close().expect("all is on the disk");
    let reader = LogReader::open(&path).expect("it is read where it lies");
    assert_eq!(rows_since(&reader, 0).len(), 8);
    drop((reader, file));
    fs::remove_file(&ballast).expect("it is there");
    let mut log = SqliteLog::open(&path).expect("the log opens");
    assert_eq!(rows_since(&log, 0).len(), 8);
    commit(&mut log, &bulky(9));
    Box::new(log).close().expect("the log is closed");
    assert!(fs::metadata(path).is_ok_and(|log| log.len() > 150_000), "all is in the one file");
}

/// `ps` on a dead launcher's directory that the asker may not write, or on a read-only copy.
#[test]
fn a_log_is_read_where_nothing_can_be_written() {
    let scratch = Scratch::new();
    let Some(disk) = SmallDisk::new(scratch.directory.path().join("100% disk?")) else { return };
    let (closed, killed) = (disk.at.join("closed.db"), disk.at.join("killed.db"));
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    fs::copy(scratch.path(), &killed).expect("the log is copied");
    let wal = |path: &Path| format!("{}-wal", path.display());
    fs::copy(wal(&scratch.path()), wal(&killed)).expect("the -wal is copied");
    Box::new(log).close().expect("the log is closed");
    fs::copy(scratch.path(), &closed).expect("the log is copied");
    disk.freeze();

    // SQLite itself would open it for reading, and fail at the first turn.
    let said = SqliteLog::open(&closed).expect_err("it cannot be written").to_string();
    assert!(said.contains("closed.db cannot be opened") && said.contains("read-only"), "{said}");

    let reader = LogReader::open(&closed).expect("a closed log is read");
    assert_eq!(rows_since(&reader, 0).len(), 1);
    let said = LogReader::open(&killed).expect_err("its -wal cannot be read").to_string();
    assert!(said.contains("copy the directory and give the copy as --data"), "{said}");
}

/// Others are never waited for twice: who holds the lock is a stranger, and the launcher ends.
#[test]
fn l7_any_other_failure_is_fatal() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    log.raw().pragma_update(None, "busy_timeout", 0).expect("the timeout is set");
    let stranger = rusqlite::Connection::open(scratch.path()).expect("the log is opened");
    stranger.execute_batch("BEGIN IMMEDIATE").expect("the stranger takes the lock");
    let error = log.append(&births(1, NOON, &[1])).expect_err("the log is locked");
    assert!(matches!(error, AppendError::Fatal { .. }), "{error}");
    let said = error.to_string();
    assert!(said.starts_with("the log cannot be written: database is locked; see what"), "{said}");
}

fn spoil(log: &SqliteLog, sql: &str) {
    log.raw().execute_batch(sql).expect("the file is spoilt");
}

/// Opens a log of three sagas after `sql` has spoilt the second; answers what is said of it.
fn l9_said(sql: &str) -> String {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1, 2, 3]));
    spoil(&log, sql);
    let mut said = String::new();
    for StoredSaga { saga, rows } in open_sagas(&log) {
        let records =
            rows.and_then(|rows| rows.iter().try_for_each(|row| row.records::<Value>().map(drop)));
        match records {
            Ok(()) => assert_ne!(saga.saga_id, SagaId(2), "the damage was not seen"),
            Err(damage) => {
                assert_eq!((saga.saga_id, damage.saga_id), (SagaId(2), Some(SagaId(2))));
                said = damage.to_string();
            }
        }
    }
    assert_eq!(log.list(&Filter::default(), 9).expect("the log is read").len(), 3);
    log.saga(SagaId(2)).expect("the log is read").expect("the saga is shown all the same");
    said
}

#[test]
fn l9_nonsense_in_one_saga_is_told_of_that_saga_and_harms_no_other() {
    let cases = [
        ("UPDATE fact SET body = 'nonsense' WHERE seq = 2", "record 2 of saga 2: its body cannot"),
        ("UPDATE fact SET body = '' WHERE seq = 2", "record 2 of saga 2: its body cannot"),
        ("UPDATE fact SET body = '{}' WHERE seq = 2", "record 2 of saga 2: its body cannot"),
        (
            "UPDATE fact SET n = 2 WHERE seq = 2",
            "record 2 of saga 2: it says 2 records and holds 1",
        ),
        ("UPDATE fact SET n = 0 WHERE seq = 2", "record 2 of saga 2: it says that it holds 0"),
        ("UPDATE fact SET n = -7 WHERE seq = 2", "record 2 of saga 2: it says that it holds -7"),
        (
            "UPDATE fact SET body = CAST(x'5b22ff225d' AS TEXT) WHERE seq = 2",
            "record 2 of saga 2: its body is not text",
        ),
        (
            "UPDATE saga SET started_at = 'yesterday' WHERE saga_id = 2",
            "saga 2: `yesterday` in its row is not an instant",
        ),
        (
            "UPDATE saga SET name = CAST(x'ff' AS TEXT) WHERE saga_id = 2",
            "saga 2: column 1 of its row is not UTF-8",
        ),
    ];
    for (sql, expected) in cases {
        let said = l9_said(sql);
        assert!(said.starts_with(expected), "{sql}: {said}");
    }
}

#[test]
fn l9_nonsense_among_the_events_is_told_of_its_row_and_reading_goes_on() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    for seq in 1..=3 {
        commit(&mut log, &free(row(seq, None, NOON, &note())));
    }
    spoil(&log, "UPDATE fact SET body = CAST(x'ff' AS TEXT) WHERE seq = 2");
    let mut seen = Vec::new();
    let mut each = |row: Result<Row, _>| {
        seen.push(row.map(|row| row.seq).map_err(|damage| format!("{damage}")));
        ControlFlow::Continue(())
    };
    log.rows_since(Seq(0), &mut each).expect("the log is read");
    assert_eq!((&seen[0], &seen[2]), (&Ok(Seq(1)), &Ok(Seq(3))));
    assert!(seen[1].as_ref().is_err_and(|said| said.starts_with("record 2: its body is not text")));
}

/// \[R8\]: a launcher that cannot know the highest id does not start.
#[test]
fn numbers_below_zero_are_a_damage_and_not_a_start_from_zero() {
    let cases = ["INSERT INTO mark VALUES ('saga_id', -5)", "INSERT INTO mark VALUES ('seq', -1)"];
    for sql in cases {
        let log = Scratch::new().open();
        spoil(&log, sql);
        let error = log.high_water().expect_err("the mark is nonsense");
        assert!(matches!(error, ReadError::Damaged { .. }));
        assert!(error.to_string().contains("below zero"), "{error}");
    }
}

#[test]
fn a_full_check_finds_what_boot_does_not_look_at() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1, 2]));
    spoil(&log, "UPDATE fact SET body = 'nonsense' WHERE seq = 2");
    spoil(&log, "PRAGMA foreign_keys = OFF; DELETE FROM saga WHERE saga_id = 1");
    let found = log.full_check().expect("the log is read");
    assert_eq!(
        found,
        [
            "row 1 of fact names what is not in saga",
            "the body of record 2 is not what the row says",
        ]
    );
}

/// A page of zeros in the middle: some readings may still go well, none may panic or be wrong.
#[test]
fn a_damaged_page_is_an_error_and_no_panic() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    for seq in 1..=60 {
        commit(&mut log, &bulky(seq));
    }
    Box::new(log).close().expect("the log is closed");
    let sound = fs::read(scratch.path()).expect("the log is read");
    let pages = sound.len() / 4_096;
    let mut damaged = 0;
    for page in (1..pages).step_by(7) {
        damaged += u32::from(!survives(&scratch.path(), &sound, page));
    }
    assert!(damaged > 0, "no damage was ever found");
}

/// Whether the log can be read through with that page blanked.
fn survives(path: &Path, sound: &[u8], page: usize) -> bool {
    let mut bytes = sound.to_vec();
    bytes[page * 4_096..(page + 1) * 4_096].fill(0);
    fs::write(path, bytes).expect("the log is written");
    let Ok(log) = SqliteLog::open(path) else { return false };
    let mut each = |_: StoredSaga| ControlFlow::Continue(());
    let read = log.open_sagas(&mut each).and_then(|()| log.high_water().map(drop));
    let checked = log.full_check().is_ok_and(|found| found.is_empty());
    read.is_ok() && checked
}
