//! Starts that must not be, and what they say: other launchers, other formats, other users. What
//! flags and definitions may look like is in `cli`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use rusqlite::Connection;
use serde_json::json;

use sagaflow::ids::{SagaId, Seq};
use sagaflow::log::LogRead;

use super::{House, Launcher};

/// Starts a launcher that must not serve; its exit code and its words.
fn refused(house: &House) -> (i32, String) {
    let mut launcher = Launcher::start(house.run());
    let said = launcher.said();
    (launcher.wait().expect("it ends by itself"), said)
}

/// A house that a launcher lived in: one saga that waits for the host.
fn lived_in() -> House {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let launcher = house.launch();
    let mut host = house.register("host");
    host.say(&json!({"cmd": "report", "event": "window_closed", "label": "main"}));
    host.until("reap_panes");
    launcher.kill();
    house
}

/// All that the data directory holds, but for `-shm`, which holds no facts.
fn bytes(house: &House) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(house.at("data")).expect("it is there");
    let mut all: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("it can be read")))
        .filter(|(name, bytes)| !name.ends_with("-shm") && !bytes.is_empty())
        .collect();
    all.sort();
    all
}

/// Spoils the log of a dead launcher: the next start exits with 5, helps, and touches nothing.
fn check_spoilt(spoil: impl FnOnce(&Path), words: &[&str]) {
    let house = lived_in();
    spoil(&house.log_path());
    let before = bytes(&house);
    let (exit, said) = refused(&house);
    assert_eq!(exit, 5, "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    assert!(bytes(&house) == before, "the log was touched: {said}");
    assert!(!house.socket().exists() || super::Peer::try_connect(&house.socket()).is_none());
}

fn folded(path: &Path) -> Connection {
    let log = Connection::open(path).expect("it is a database");
    log.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).expect("nobody else reads");
    log
}

#[test]
fn l1_a_log_of_a_newer_version_is_refused_untouched() {
    check_spoilt(
        |path| folded(path).pragma_update(None, "user_version", 99).expect("it can be written"),
        &["format 99", "newer", "--data"],
    );
}

#[test]
fn l1_a_truncated_log_is_refused_untouched() {
    check_spoilt(
        |path| {
            drop(folded(path));
            let half = fs::metadata(path).expect("it is there").len() / 2;
            let file = fs::OpenOptions::new().write(true).open(path).expect("it is ours");
            file.set_len(half).expect("it can be cut");
        },
        &["damaged", "recover"],
    );
}

#[test]
fn l1_what_is_no_log_is_refused_untouched() {
    check_spoilt(
        |path| {
            drop(folded(path));
            fs::write(path, "a letter to a friend, and no database at all\n".repeat(40)).unwrap();
        },
        &["not a", "untouched"],
    );
}

/// Highest ids that cannot be read are no zero \[R8\].
#[test]
fn bg_g10_r8_without_its_high_water_marks_a_log_is_not_served() {
    check_spoilt(
        |path| {
            let log = folded(path);
            log.execute("drop table mark", []).expect("it can be written");
        },
        &["log"],
    );
}

#[test]
fn bg_g10_r8_l10_nothing_that_is_numbered_begins_again() {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let mut last = [0; 4];
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
        let launcher = &mut house.launch();
        let mut host = house.peer();
        let registered = host.register("host", json!({}));
        let accepted = host.ask(&json!({"cmd": "report", "id": host.pid,
            "event": "window_closed", "label": host.pid.to_string()}));
        // What earlier sagas still want is asked again first.
        let mut command = host.until("reap_panes");
        while command["label"].as_str() != Some(&*host.pid.to_string()) {
            command = host.until("reap_panes");
        }
        let now = [
            &registered["client_id"],
            &registered["session"],
            &accepted["version"],
            &command["saga_id"],
        ]
        .map(|number| number.as_u64().expect("a number"));
        for (now, last) in now.iter().zip(last) {
            assert!(*now > last, "{now:?} after {last:?}");
        }
        last = now;
        launcher.signal(signal);
        launcher.wait();
    }
}

#[test]
fn w11_a_stale_socket_is_replaced_and_a_second_launcher_is_told_so() {
    let house = lived_in();
    assert!(house.socket().exists(), "left behind by the kill");
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    let (exit, said) = refused(&house);
    assert_eq!(exit, 4, "{said}");
    assert!(said.contains("another launcher") && said.contains("--data"), "{said}");
    assert_eq!(tool.ask(&json!({"cmd": "ping", "id": 1}))["event"], "pong", "nobody is disturbed");
}

/// What cannot be had is found before anything of the log is written: the next start is no restart.
#[test]
fn w11_l5_a_socket_that_cannot_be_had_leaves_the_log_as_it_was() {
    let long = "very-long-".repeat(12);
    let taken = |house: &House| {
        fs::create_dir_all(house.at("run")).expect("room");
        fs::set_permissions(house.at("run"), fs::Permissions::from_mode(0o700)).expect("ours");
        fs::write(house.socket(), "a file").expect("room");
    };
    for (what, words) in [("long", "--socket"), ("taken", "not a socket")] {
        let mut house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
        let mut launcher = house.launch();
        launcher.signal(Signal::SIGTERM);
        assert_eq!(launcher.wait(), Some(0));
        let before = house.log().high_water().expect("it can be read").seq;
        match what {
            "long" => house.args = vec!["--socket".into(), format!("run/{long}/s")],
            _ => taken(&house),
        }
        let mut launcher = Launcher::start(house.run());
        let said = launcher.said();
        assert_eq!(launcher.wait(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(house.log().high_water().expect("it can be read").seq, before, "{what}");
    }
}

#[test]
fn w11_a_client_of_another_user_is_refused_on_connect() {
    let nobody = 65_534;
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root can be another user than the launcher");
        return;
    }
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    for path in [house.dir.path().to_owned(), house.at("sagas")] {
        chown(&path, Some(nobody), Some(nobody)).expect("root may");
    }
    let mut command = house.run();
    command.uid(nobody).gid(nobody);
    let mut launcher = match command.spawn() {
        Ok(mut child) => {
            drop(child.kill());
            drop(child.wait());
            Launcher::start(command)
        }
        Err(error) => {
            eprintln!("skipped: the binary cannot be run by another user here: {error}");
            return;
        }
    };
    assert!(launcher.serves(), "{}", launcher.said());
    let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(house.at("run")), mode(house.socket())), (0o700, 0o600));
    let mut stranger = house.peer();
    let refusal = stranger.line();
    assert_eq!((&refusal["code"], &refusal["fatal"]), (&json!("not_allowed"), &json!(true)));
    assert!(refusal["message"].as_str().expect("words").contains("uid 0"), "{refusal}");
    assert!(stranger.rest().is_empty());
}

/// What contradicts itself is one saga's own trouble \[L9\].
#[test]
fn l9_a_saga_whose_records_clash_is_set_aside_and_harms_no_other() {
    let house = House::shipped_but(|saga| saga == "window_cleanup_cascade");
    let launcher = house.launch();
    let mut host = house.register("host");
    for label in ["a", "b"] {
        host.say(&json!({"cmd": "report", "event": "window_closed", "label": label}));
        host.until("reap_panes");
    }
    launcher.kill();
    let log = Connection::open(house.log_path()).expect("it is a database");
    let sql = "update fact set body = replace(body, '\"reap\"', '\"reef\"') where saga_id = 1";
    assert!(log.execute(sql, []).expect("the table is known") > 0);
    drop(log);

    let _launcher = house.launch();
    let mut tool = house.register("tool");
    let saga = &tool.ask(&json!({"cmd": "get_saga", "id": 1, "saga_id": 1}))["saga"];
    assert_eq!(saga["state"], "corrupt", "{saga}");
    assert!(saga["reason"].as_str().expect("the facts that clash").contains("reef"), "{saga}");
    let cancel = json!({"cmd": "signal_saga", "id": 2, "saga_id": 1, "signal": "cancel"});
    assert_eq!(tool.ask(&cancel)["code"], "refused");
    let mut host = house.register("host");
    let reap = host.until("reap_panes");
    assert_eq!(reap["saga_id"], 2);
    host.echo(&reap, "panes_reaped", json!({"label": "b"}));
    let drain = host.until("drain_pool_if_last");
    host.echo(&drain, "pool_not_last", json!({"label": "b"}));
    tool.until("saga_completed");
    let stored = house.log().saga(SagaId(2)).expect("it can be read").expect("it is kept");
    assert_eq!(&*stored.saga.progress.state, "completed");
    assert!(house.log().high_water().expect("it can be read").seq > Seq(0));
}
