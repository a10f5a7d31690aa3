//! What operators ask of a launcher and its log beside sagas.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use nix::sys::signal::Signal;

use super::live::Stage;

const CATALOG: &str = "\
targets: { lamp: { doc: A lamp. } }
events: { dusk: {}, lit: {} }
commands: { light: { target: lamp, echoes: [lit], idempotent: true, undo: none } }
";

const SAGA: &str = "\
saga: light_up
trigger: { event: dusk }
eviction: { policy: ignore }
timeout: 1h
steps:
  - { id: light, issue: light, await: { echo: lit }, timeout: 30m }
";

fn stage() -> Stage {
    Stage::of_its_own(&[("sagas/lamp.catalog.yaml", CATALOG), ("sagas/light.saga.yaml", SAGA)])
}

#[test]
fn r10_r17_ps_counts_the_triggers_that_were_turned_away() {
    let stage = stage();
    let _launcher = stage.launcher();
    for _ in 0..3 {
        assert_eq!(stage.run(&["emit", "dusk"]).exit, 0);
    }
    let table = stage.run(&["ps"]);
    assert!(table.stderr.contains("light_up: 2 not started"), "{}", table.stderr);
    assert_eq!(stage.run(&["ps", "--name", "other"]).stderr, "no sagas\n");
}

#[test]
fn r9_ps_and_the_snapshot_tell_when_the_clock_starts_what() {
    let saga = SAGA.replace("{ event: dusk }", "{ schedule: { cron: \"0 0 29 2 *\" } }");
    let files = [("sagas/lamp.catalog.yaml", CATALOG), ("sagas/light.saga.yaml", &*saga)];
    let stage = Stage::of_its_own(&files);
    let _launcher = stage.launcher();
    let table = stage.run(&["ps"]);
    assert!(table.stderr.contains("light_up: cron 0 0 29 2 *, next "), "{}", table.stderr);
    assert!(table.stderr.contains("-02-29T00:00:00.000Z"), "{}", table.stderr);
    assert_eq!(stage.run(&["ps", "--name", "other"]).stderr, "no sagas\n");
}

#[test]
fn l1_a_full_check_on_request_finds_what_was_damaged() {
    let stage = stage();
    let mut launcher = stage.launcher();
    assert_eq!(stage.run(&["emit", "dusk"]).exit, 0);
    let beside = stage.run(&["ps", "--check-log"]);
    assert_eq!((beside.exit, &*beside.stdout), (0, "the log is sound\n"), "{}", beside.stderr);
    assert_eq!(launcher.process.signal(Signal::SIGTERM), Some(0));
    let log = stage.here.path().join(".sagaflow/sagaflow.db");
    let place: u32 = rusqlite::Connection::open(&log)
        .and_then(|db| {
            let root = "SELECT (rootpage - 1) * page_size FROM sqlite_schema, pragma_page_size \
                WHERE name = 'fact_of_saga'";
            db.query_row(root, [], |row| row.get(0))
        })
        .expect("the log has that index");
    let mut file = OpenOptions::new().write(true).open(&log).expect("the log is there");
    file.seek(SeekFrom::Start(place.into())).expect("a place in the file");
    file.write_all(&[0xff; 64]).expect("room on the disk");
    let hurt = stage.run(&["ps", "--check-log", "--json"]);
    assert_eq!(hurt.exit, 1, "{}", hurt.stderr);
    assert_eq!(hurt.json()["sound"], false);
}
