//! Files of the log that somebody takes away, or only looks at, under a running launcher \[R2\].

use std::fs;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, flock};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};

use sagaflow::log::LogRead;

use super::{House, Launcher, Peer};
use crate::cli::run;

fn report(id: &str) -> Value {
    json!({"cmd": "report", "id": id, "event": "pool_window_removed", "label": id})
}

fn wal(house: &House) -> std::path::PathBuf {
    house.log_path().with_file_name(format!("{}-wal", sagaflow::launcher::LOG_FILE))
}

/// A launcher that was told one thing, and who told it.
fn told_one() -> (House, Launcher, Peer) {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let launcher = house.launch();
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": ["pool_*"]}));
    assert_eq!(tool.ask(&report("before"))["event"], "accepted");
    tool.until("pool_window_removed");
    (house, launcher, tool)
}

/// Takes something away; the next report is told to nobody, and the launcher says these words.
fn check_taken(take: impl FnOnce(&House), words: &[&str]) -> House {
    let (house, mut launcher, mut tool) = told_one();
    take(&house);
    assert!(tool.say(&report("after")));
    assert_eq!(tool.rest(), Vec::<Value>::new(), "it was told, and nobody will know it");
    assert_eq!(launcher.wait(), Some(5), "{}", launcher.said());
    let said = launcher.said();
    for word in words.iter().chain(&["start the launcher again"]) {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    house
}

fn copy_over(path: &Path) {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).expect("room");
    fs::rename(copy, path).expect("ours");
}

#[test]
fn r2_a_log_that_is_deleted_under_the_launcher_ends_it_and_nothing_of_it_is_told() {
    let take = |house: &House| fs::remove_file(house.log_path()).expect("it is there");
    check_taken(take, &["sagaflow.db was deleted or moved away", "is not in the files"]);
}

/// What a rotation of logs does, or `: > sagaflow.db`.
#[test]
fn r2_a_log_that_is_emptied_under_the_launcher_ends_it_and_nothing_of_it_is_told() {
    let take = |house: &House| {
        let log = fs::OpenOptions::new().write(true).open(house.log_path());
        log.and_then(|log| log.set_len(0)).expect("it is ours");
    };
    check_taken(take, &["sagaflow.db was emptied", "is not in the files"]);
}

/// What comes after the hole is on the disk, and no launcher would find it there.
#[test]
fn r2_a_wal_that_is_emptied_under_the_launcher_ends_it_and_nothing_of_it_is_told() {
    let take = |house: &House| {
        let wal = fs::OpenOptions::new().write(true).open(wal(house));
        wal.and_then(|wal| wal.set_len(0)).expect("it is ours");
    };
    check_taken(take, &["sagaflow.db-wal was cut", "is not in the files"]);
}

#[test]
fn r2_a_log_that_is_replaced_under_the_launcher_ends_it_and_nothing_of_it_is_told() {
    let take = |house: &House| copy_over(&house.log_path());
    check_taken(take, &["sagaflow.db was replaced by another file", "is not in the files"]);
}

#[test]
fn r2_a_wal_that_is_replaced_under_the_launcher_ends_it_and_nothing_of_it_is_told() {
    let take = |house: &House| copy_over(&wal(house));
    check_taken(take, &["sagaflow.db-wal was replaced by another file", "is not in the files"]);
}

#[test]
fn r2_a_data_directory_that_is_moved_away_ends_the_launcher_and_nothing_of_it_is_told() {
    let take = |house: &House| fs::rename(house.at("data"), house.at("elsewhere")).expect("ours");
    let house = check_taken(take, &["sagaflow.db was deleted or moved away"]);
    fs::rename(house.at("elsewhere"), house.at("data")).expect("ours");
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    assert_eq!(tool.ask(&report("before"))["event"], "accepted");
}

/// All that was ever told is in the log afterwards, the -wal's content included.
#[test]
fn r2_what_a_wal_held_that_is_deleted_under_the_launcher_is_saved() {
    let take = |house: &House| fs::remove_file(wal(house)).expect("it is there");
    let house = check_taken(take, &["sagaflow.db-wal was deleted", "was saved into the log"]);
    let seq = house.log().high_water().expect("it can be read").seq;
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    for id in ["before", "after"] {
        let again = tool.ask(&report(id));
        assert_eq!(again["event"], "accepted", "{again}");
        assert!(again["version"].as_u64().expect("a number") <= seq.0, "W9: taken once: {again}");
    }
}

/// Whether a process says of that file that it has it open as a log: by a lock on the bytes that
/// SQLite sets apart for that.
fn is_claimed(path: &Path) -> bool {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("it is ours");
    let mut lock = flock {
        l_type: i16::try_from(F_WRLCK).expect("it is small"),
        l_whence: i16::try_from(SEEK_SET).expect("it is small"),
        l_start: 0x4000_0000,
        l_len: 512,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).expect("it can be asked");
    i32::from(lock.l_type) != F_UNLCK
}

/// A shell that ends tidies the -wal away when it finds the log unused. That it is used must be
/// seen also after the launcher read the file by a second way: an unclean stop makes it check all.
#[test]
fn r2_l3_a_stranger_who_looks_at_the_log_and_leaves_harms_nothing() {
    let (house, launcher, _) = told_one();
    launcher.kill();
    assert!(!is_claimed(&house.log_path()));
    let mut command = house.run();
    command.env("SAGAFLOW_LOG", "info");
    let mut launcher = Launcher::start(command);
    assert!(launcher.says("the log is sound"), "{}", launcher.said());
    assert!(is_claimed(&house.log_path()), "a shell would find it unused");
    let shell = Connection::open(house.log_path()).expect("it is a database");
    let look = shell.query_row("select count(*) from saga", [], |row| row.get::<_, i64>(0));
    assert_eq!(look, Ok(0));
    shell.close().expect("it is closed");
    let mut tool = house.register("tool");
    assert_eq!(tool.ask(&report("after"))["event"], "accepted");
    assert!(wal(&house).exists());
}

/// \[R8\]: what a launcher leaves that ended so is refused by all who open it, in the same words.
fn check_refused(house: &House, word: &str) {
    let mut launcher = Launcher::start(house.run());
    assert_eq!(launcher.wait(), Some(5), "{}", launcher.said());
    let said = launcher.said();
    assert!(said.contains(word) && said.contains("ids are given out a second time"), "{said}");
    for more in [&[][..], &["--check-log"]] {
        let ps = run(house.dir.path(), &[&["ps", "--data", "data"], more].concat());
        assert_eq!((ps.exit, ps.stderr.trim_end()), (5, &*said), "it says what `run` says");
    }
}

#[test]
fn r8_a_wal_that_was_emptied_under_the_launcher_is_refused_by_the_next() {
    let house = check_taken(
        |house: &House| {
            let wal = fs::OpenOptions::new().write(true).open(wal(house));
            wal.and_then(|wal| wal.set_len(0)).expect("it is ours");
        },
        &["-wal was cut"],
    );
    check_refused(&house, "-wal is gone, and commits stand behind it");
    fs::remove_file(house.log_path().with_file_name("sagaflow.db-shm")).expect("it is there");
    check_refused(&house, "-wal is gone, and commits stand behind it");
}

#[test]
fn r8_a_wal_of_which_half_was_cut_is_refused_by_the_next_launcher_and_by_ps() {
    let house = check_taken(
        |house: &House| {
            let wal = fs::OpenOptions::new().write(true).open(wal(house)).expect("it is ours");
            let half = wal.metadata().expect("it is there").len() / 2;
            wal.set_len(half).expect("it is ours");
        },
        &["-wal was cut"],
    );
    check_refused(&house, "-wal was cut or written over");
}

/// \[R8\]: nothing in the log's own file tells of what the -wal held.
#[test]
fn r8_a_wal_that_is_deleted_after_a_kill_is_missed_by_the_next_launcher() {
    let (house, launcher, _) = told_one();
    launcher.kill();
    fs::remove_file(wal(&house)).expect("it is there");
    check_refused(&house, "-wal is gone, where ");
}

/// Who starts over is told that ids do too.
#[test]
fn a_launcher_that_begins_again_in_a_used_directory_says_so() {
    let (house, launcher, _) = told_one();
    launcher.kill();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("sagaflow.db{suffix}");
        fs::remove_file(house.log_path().with_file_name(name)).expect("it is there");
    }
    let mut launcher = house.launch();
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0));
    assert!(launcher.said().contains("ids begin at 1"), "{}", launcher.said());
}
