//! Clients that come back to a log that is hurt, and many that come back at once \[W7, W13, R7\].

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{House, Peer, lamps};

/// More events than the ring holds, reported by a launcher that is dead now.
fn flooded(events: u64) -> House {
    let house = lamps::house();
    let launcher = house.launch();
    let mut tool = house.peer();
    tool.register("tool", json!({"subscribe": []}));
    for first in (0..events).step_by(1_000) {
        let line = |n| json!({"cmd": "report", "event": "pressed", "n": n});
        let lines = (first..events.min(first + 1_000)).map(|n| format!("{}\n", line(n)));
        assert!(tool.send(lines.collect::<String>()));
        tool.settle();
    }
    launcher.kill();
    house
}

/// Spoils the row in which that event lies, and says which versions that are.
fn spoil(house: &House, n: u64, how: &str) -> (u64, u64) {
    let log = Connection::open(house.log_path()).expect("it is a database");
    log.pragma_update(None, "foreign_keys", false).expect("it can be set");
    let holds = format!("%{{\"n\":{n}}}%");
    let row = "select seq, seq + n - 1 from fact where body like ?1";
    let range = log.query_row(row, [&holds], |row| Ok((row.get(0)?, row.get(1)?)));
    let (from, to): (i64, i64) = range.expect("it was reported");
    let spoilt = log.execute(&format!("update fact set {how} where seq = ?1"), [from]);
    assert_eq!(spoilt, Ok(1));
    (from.cast_unsigned(), to.cast_unsigned())
}

/// Comes back for everything; the versions of all events, and the ranges that are told as lost.
fn come_back(house: &House) -> (Vec<u64>, Vec<(u64, u64)>) {
    let mut late = house.peer();
    late.say_register("renderer", json!({"resume_from": 0, "subscribe": ["pressed"]}));
    late.until("registered");
    let last = json!({"cmd": "report", "event": "pressed", "n": 99_999});
    late.say(&last);
    let (mut versions, mut lost) = (Vec::new(), Vec::new());
    loop {
        let line = late.line();
        match line["event"].as_str() {
            Some("lagged") => lost.push((
                line["missed_from"].as_u64().expect("a number"),
                line["missed_to"].as_u64().expect("a number"),
            )),
            Some("pressed") => versions.push(line["version"].as_u64().expect("a number")),
            _ => panic!("{line}"),
        }
        if line["n"] == 99_999 {
            return (versions, lost);
        }
    }
}

#[test]
fn w7_w13_a_replay_goes_on_after_a_row_that_cannot_be_read_and_tells_of_it() {
    let house = flooded(6_000);
    let hurt = spoil(&house, 700, "body = 'nonsense'");
    let _launcher = house.launch();
    let (versions, lost) = come_back(&house);
    assert_eq!(lost, [hurt]);
    let told = versions.len() as u64 + (hurt.1 - hurt.0 + 1);
    assert_eq!(told, 6_001, "all others, and the live one");
    assert!(versions.is_sorted_by(|a, b| a < b));
}

#[test]
fn w7_w13_a_replay_that_fails_in_the_middle_tells_how_much_is_missing() {
    let house = flooded(6_000);
    let _launcher = house.launch();
    // No row of ours is like that, so nobody knows what else of the file is true.
    let hurt = spoil(&house, 700, "saga_id = -1");
    let (versions, lost) = come_back(&house);
    let [(from, to)] = lost[..] else { panic!("one range is lost: {lost:?}") };
    assert_eq!(from, hurt.0);
    assert!(versions.iter().all(|version| *version < from || *version > to), "{from}-{to}");
    assert_eq!(versions.iter().filter(|version| **version > to).count(), 1, "live goes on");
}

/// Who does not read what he missed costs no thread, and keeps nobody else from reading it.
#[test]
fn r7_w13_clients_that_come_back_and_do_not_read_hinder_nobody() {
    let house = flooded(12_000);
    let launcher = house.launch();
    let stuck: Vec<Peer> = (0..64)
        .map(|_| {
            let mut late = house.peer();
            late.say_register("renderer", json!({"resume_from": 0}));
            late
        })
        .collect();
    let (versions, lost) = come_back(&house);
    assert_eq!((versions.len(), lost.len()), (12_001, 0));
    let threads = fs::read_dir(format!("/proc/{}/task", launcher.pid()));
    if let Ok(threads) = threads {
        assert!(threads.count() < 16, "a thread for each");
    }
    for mut late in stuck.into_iter().take(2) {
        let pressed = late.upto("process_spawned");
        assert!(!pressed.is_empty());
        let mut heard = 0;
        while heard < 12_000 {
            heard += usize::from(late.line()["event"] == "pressed");
        }
    }
    let mut tool = house.register("tool");
    let page: Value = tool.ask(&json!({"cmd": "get_events", "id": 1, "since": 0}));
    assert_eq!(page["event"], "event_list");
}
