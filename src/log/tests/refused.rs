//! Files that are not opened, and what is said then; and the ones that are, old and new. Damage
//! that shows only while reading is in `hurt`.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ffi};

use super::{NOON, Scratch, births, commit, free, incidents, note, open_sagas, row, rows_since};
use crate::ids::{SagaId, Seq};
use crate::log::migrate::explain;
use crate::log::{Filter, Log, LogRead, LogReader, OpenError, SqliteLog};
use crate::saga::record::Record;
use crate::time::Timestamp;

/// A closed log of one saga.
fn sound(scratch: &Scratch) -> PathBuf {
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    Box::new(log).close().expect("the log is closed");
    scratch.path()
}

/// Every file of the directory but the -shm, which readers share and which holds no facts.
fn files(scratch: &Scratch) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(scratch.directory.path()).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("the directory is listed").path());
    let facts = paths.filter(|path| !path.to_string_lossy().ends_with("-shm"));
    let mut files: Vec<_> = facts
        .filter(|path| path.is_file() && fs::metadata(path).is_ok_and(|file| file.len() > 0))
        .map(|path| (path.clone(), fs::read(path).expect("the file is read")))
        .collect();
    files.sort();
    files
}

/// Opens what `spoil` left, for writing and for reading; answers what was said, the same twice.
fn refused(spoil: impl FnOnce(&Path)) -> String {
    let scratch = Scratch::new();
    spoil(&sound(&scratch));
    let before = files(&scratch);
    let error = SqliteLog::open(&scratch.path()).expect_err("the log is refused");
    let read = LogReader::open(&scratch.path()).expect_err("the log is refused to readers too");
    assert!(files(&scratch) == before, "the files were touched: {error}");
    assert_eq!(error.to_string(), read.to_string());
    let said = error.to_string().replace(&scratch.path().display().to_string(), "LOG");
    said.replace(&scratch.directory.path().display().to_string(), "DIR")
}

/// What is done to a log's bytes.
type Spoil = fn(&mut Vec<u8>);

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("the log is read");
    change(&mut bytes);
    fs::write(path, bytes).expect("the log is written");
}

/// A full disk that is found out by the -shm calls itself an error of the disk.
#[test]
fn l7_a_disk_without_room_at_the_start_is_told_with_its_cure() {
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let said = explain(Path::new("LOG"), &error).to_string();
        assert!(said.ends_with("; free some space on that disk"), "{code}: {said}");
    }
    let other = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_READ), None);
    assert!(!explain(Path::new("LOG"), &other).to_string().contains("space"));
}

#[test]
fn l1_a_newer_log_is_refused_and_both_formats_are_named() {
    let said = refused(|path| edit(path, |bytes| bytes[60..64].copy_from_slice(&[0, 0, 0, 9])));
    assert_eq!(
        said,
        "the log LOG has format 9, and this sagaflow knows formats up to 4; \
         start the newer sagaflow that wrote it, or give another --data directory"
    );
}

/// The newer program was killed right after it migrated: the file itself still says 4.
#[test]
fn l1_a_newer_log_is_refused_when_only_its_wal_says_so() {
    let said = refused(|path| {
        let newer = Connection::open(path).expect("the log is opened");
        newer.pragma_update(None, "user_version", 5).expect("the log is written");
        let wal = format!("{}-wal", path.display());
        let kept = fs::read(&wal).expect("the -wal is read");
        drop(newer);
        edit(path, |bytes| bytes[60..64].copy_from_slice(&[0, 0, 0, 4]));
        fs::write(wal, kept).expect("the -wal is written");
    });
    assert!(said.starts_with("the log LOG has format 5, and this"), "{said}");
}

#[test]
fn l1_what_is_not_a_whole_log_is_refused_with_what_to_do() {
    let cases: [(&str, Spoil); 6] = [
        ("LOG is not a sagaflow log (it does not begin as an SQLite file does)", |bytes| {
            bytes.splice(0..16, *b"saga: not a log\n");
        }),
        ("LOG is not a sagaflow log (an SQLite file of another program)", |bytes| {
            bytes[68..72].fill(0);
        }),
        ("the log LOG is damaged (it is empty)", Vec::clear),
        ("the log LOG is damaged (it ends within its header)", |bytes| bytes.truncate(60)),
        ("the log LOG is damaged (it was cut short: ", |bytes| {
            bytes.truncate(bytes.len() - 4_096);
        }),
        ("the log LOG is damaged (", |bytes| bytes[100..4_096].fill(0x5a)),
    ];
    for (expected, spoil) in cases {
        let said = refused(|path| edit(path, spoil));
        assert!(said.starts_with(expected), "{said}");
        let cures = ["sqlite3 LOG .recover", "move the file away", "mv LOG DIR/damaged/"];
        assert!(cures.iter().any(|cure| said.contains(cure)), "{said}");
    }
}

/// What is said is short, whatever stands in the file: no page of SQL hides the cure.
fn check_short(said: &str, expected: &str, cure: &str) {
    assert!(said.starts_with(expected), "{said}");
    assert!(said.contains(cure), "{said}");
    assert!(said.len() < 500 && !said.contains("CREATE TABLE"), "{said}");
}

fn change(path: &Path, sql: &str) {
    let log = Connection::open(path).expect("it is a database");
    log.execute_batch(sql).expect("it is changed");
    log.close().expect("it is closed");
}

#[test]
fn l1_a_log_whose_format_was_reset_is_refused_with_what_to_do() {
    let said = refused(|path| change(path, "pragma user_version = 0"));
    check_short(&said, "the log LOG is damaged (its format number", "restore a copy");
}

#[test]
fn l1_tables_of_somebody_else_are_refused_with_what_to_do() {
    let foreign = |path: &Path| {
        fs::remove_file(path).expect("the log is removed");
        change(path, "create table invoice (number integer)");
    };
    let said = refused(foreign);
    let expected = "LOG is not a sagaflow log (an SQLite file of another program)";
    check_short(&said, expected, "move the file away");
    let said = refused(|path| {
        foreign(path);
        change(path, &format!("pragma application_id = {}", 0x7361_6761));
    });
    let expected = "LOG is not a sagaflow log (an SQLite file without a table of ours)";
    check_short(&said, expected, "move the file away");
}

#[test]
fn l1_a_log_that_lacks_a_table_is_refused_with_what_to_do() {
    let said = refused(|path| change(path, "drop table mark"));
    let expected = "the log LOG is damaged (its tables are not those of its format: no such table";
    check_short(&said, expected, "restore a copy");
}

#[test]
fn a_directory_in_the_place_of_the_log_is_refused() {
    let said = refused(|path| {
        fs::remove_file(path).expect("the log is removed");
        fs::create_dir(path).expect("a directory is made");
    });
    assert!(said.starts_with("LOG is not a sagaflow log (it is not a plain file)"), "{said}");
}

/// Begun afresh beside it, the old -wal would be poured into the new file.
#[test]
fn a_log_that_is_gone_while_its_wal_is_there_is_not_begun_afresh() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    fs::remove_file(scratch.path()).expect("the log is removed");
    let before = files(&scratch);
    let error = SqliteLog::open(&scratch.path()).expect_err("the log is refused");
    assert!(error.to_string().contains("it is gone, but "), "{error}");
    assert!(files(&scratch) == before);
}

#[test]
fn a_log_that_cannot_be_made_says_why() {
    let scratch = Scratch::new();
    let missing = scratch.directory.path().join("no/such/log.db");
    let error = SqliteLog::open(&missing).expect_err("there is no such directory");
    assert!(matches!(error, OpenError::Access { .. }));
    assert!(error.to_string().ends_with("the data directory does not exist"), "{error}");
}

/// \[W11\]: the data is its owner's alone.
#[test]
fn the_files_are_readable_by_their_owner_only() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", scratch.path().display());
        let mode = fs::metadata(&path).expect("the file is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
}

/// A start that was cut short while it made the log leaves nothing that counts.
#[test]
fn a_half_made_log_is_made_again() {
    let scratch = Scratch::new();
    fs::write(format!("{}.new", scratch.path().display()), "half").expect("the file is written");
    assert_eq!(sound(&scratch), scratch.path());
    assert_eq!(files(&scratch).len(), 1);
}

#[test]
fn a_closed_log_is_one_file() {
    let scratch = Scratch::new();
    sound(&scratch);
    let names = fs::read_dir(scratch.directory.path()).expect("the directory is there");
    assert_eq!(names.count(), 1);
    assert_eq!(rows_since(&scratch.open(), 0).len(), 1);
}

/// \[L1\]: formats only move forward, and what an older program wrote is all there afterwards.
#[test]
fn l1_a_log_of_format_1_is_opened_with_all_that_it_holds() {
    let scratch = Scratch::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log/v1/log.db");
    fs::copy(sample, scratch.path()).expect("the sample is copied");
    let mut log = scratch.open();
    assert_eq!(log.full_check().expect("the log is read"), Vec::<String>::new());
    let states: Vec<_> = log
        .list(&Filter::default(), 9)
        .expect("the log is read")
        .into_iter()
        .map(|saga| (saga.saga_id.0, saga.progress.state.into_owned()))
        .collect();
    let expected =
        [(4, "running"), (3, "failed_compensation"), (2, "compensated"), (1, "completed")];
    assert_eq!(states, expected.map(|(id, state)| (id, state.to_owned())));
    assert_eq!((incidents(&log), open_sagas(&log).len()), (vec![3], 1));
    let water = log.high_water().expect("the log is read");
    assert_eq!((water.seq, water.saga_id), (Seq(43), SagaId(4)));
    assert_eq!((water.client_id.0, water.session.0), (2, 2));
    for row in rows_since(&log, 0) {
        row.records::<Record>().expect("today's records read old ones");
    }
    // Of these rows nobody knows whether a client's own id came with them [W9], so each is read,
    // also when others came after them.
    let old = rows_since(&log, 0).len();
    commit(&mut log, &free(row(44, None, NOON, &note())));
    let mut found = 0;
    let mut each = |_| {
        found += 1;
        ControlFlow::Continue(())
    };
    log.rows_with_ids(Timestamp(0), 999, &mut each).expect("the log is read");
    assert_eq!(found, old);
}

/// Nothing can be read from an empty file, and nothing tells of its being emptied but itself.
#[test]
fn r8_an_emptied_log_is_refused_without_advice_that_cannot_help() {
    let said = refused(|path| edit(path, Vec::clear));
    assert!(said.contains("it is empty") && said.contains("nothing can be read from it"), "{said}");
    assert!(said.contains("ids begin at 1 again") && !said.contains(".recover"), "{said}");
}

/// \[R8\]: a link to a disk that is not mounted would be replaced by a new log.
#[test]
fn r8_a_link_that_leads_nowhere_is_no_new_log() {
    let said = refused(|path| {
        fs::remove_file(path).expect("the log is removed");
        std::os::unix::fs::symlink("/not/mounted/log.db", path).expect("room");
    });
    assert!(said.contains("a symbolic link to /not/mounted/log.db, and nothing"), "{said}");
    assert!(said.contains("is its disk mounted?"), "{said}");
}

#[test]
fn a_pipe_in_the_place_of_a_file_of_the_log_is_refused_and_not_waited_for() {
    for suffix in ["", "-wal", "-shm"] {
        let said = refused(|path| {
            let path = crate::log::migrate::beside(path, suffix);
            fs::remove_file(&path).ok();
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("room");
        });
        assert!(said.contains("plain file") && said.contains("away"), "{said}");
    }
}
