//! Launchers that end, one way or the other, and what their sagas are after the next start
//! \[L5, L8\].

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use sagaflow::ids::SagaId;
use sagaflow::launcher::hangup_is_ignored;
use sagaflow::log::{LogRead, LogReader};

use super::{House, Launcher, Peer, lamps};

/// A saga that has lit its lamp and waits for the note; the note's command.
fn lit(house: &House, saga: &str) -> (Peer, Value) {
    let mut lamp = house.register("lamp");
    let id = json!(lamps::start(&mut house.register("tool"), saga, 1));
    let light = lamp.until_of(&id, "light");
    lamp.echo(&light, "lit", json!({"n": 1}));
    let note = lamp.until_of(&id, "note");
    (lamp, note)
}

/// State and cause, from the log.
fn end(house: &House, saga: u64) -> (String, String) {
    let stored = house.log().saga(SagaId(saga)).expect("it can be read").expect("it is kept");
    let progress = stored.saga.progress;
    (progress.state.to_string(), progress.cause.map(|cause| cause.to_string()).unwrap_or_default())
}

fn is(state: &str, cause: &str) -> (String, String) {
    (state.to_owned(), cause.to_owned())
}

/// What ends a launcher cleanly; who runs the tests under `nohup` has no hangups.
fn ends() -> Vec<Signal> {
    let mut all = vec![Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    all.truncate(if hangup_is_ignored() { 2 } else { 3 });
    all
}

fn stop(launcher: &mut Launcher, signal: Signal) {
    launcher.signal(signal);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
}

#[test]
fn bg_c17_l8_a_clean_stop_parks_sagas_and_the_next_start_goes_on() {
    let house = lamps::house();
    for signal in ends() {
        let mut launcher = house.launch();
        let (mut lamp, note) = lit(&house, "resumes");
        let id = note["saga_id"].as_u64().expect("a command names its saga");
        stop(&mut launcher, signal);
        let told = lamp.rest();
        let phases = told.iter().filter_map(|line| line["to"].as_str());
        assert_eq!(phases.collect::<Vec<_>>(), ["quitting", "dead"], "{told:#?}");
        assert_eq!(end(&house, id), is("running", ""));
        assert!(house.log().full_check().expect("it can be checked").is_empty());

        let mut launcher = house.launch();
        let mut lamp = house.register("lamp");
        let again = lamp.until("note");
        assert_eq!(again["command_id"], note["command_id"], "P4: the same command");
        lamp.echo(&again, "noted", json!({"n": 1}));
        lamp.until("saga_completed");
        stop(&mut launcher, signal);
        assert_eq!(end(&house, id), is("completed", ""));
    }
}

#[test]
fn l8_a_clean_stop_is_no_crash_to_those_that_undo_after_one() {
    let house = lamps::house();
    let mut launcher = house.launch();
    let (_lamp, note) = lit(&house, "undoes");
    stop(&mut launcher, Signal::SIGTERM);
    let mut launcher = house.launch();
    let mut lamp = house.register("lamp");
    assert_eq!(lamp.until("note")["command_id"], note["command_id"]);
    stop(&mut launcher, Signal::SIGTERM);
}

#[test]
fn bg_c17_l8_a_saga_that_asks_for_it_is_undone_before_the_launcher_is_gone() {
    let house = lamps::house();
    let mut launcher = house.launch();
    let (mut lamp, note) = lit(&house, "cancels");
    launcher.signal(Signal::SIGTERM);
    let undo = lamp.until("darken");
    let mut late = house.peer();
    late.say_register("tool", json!({"id": 1}));
    assert_eq!(late.until("error")["code"], "busy", "intake has stopped");
    lamp.echo(&undo, "dark", json!({"n": 1}));
    let failed = lamp.until("saga_failed");
    assert_eq!(failed["state"], "compensated", "{failed}");
    assert_eq!(failed["cause"], "shutdown");
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    let id = note["saga_id"].as_u64().expect("a command names its saga");
    assert_eq!(end(&house, id), is("compensated", "shutdown"));
}

/// A terminal that closes tells its processes from two sides.
#[test]
fn l8_a_second_hangup_does_not_cut_a_clean_stop_short() {
    let Some(Signal::SIGHUP) = ends().pop() else { return };
    let house = lamps::house();
    let mut launcher = house.launch();
    let (mut lamp, note) = lit(&house, "cancels");
    launcher.signal(Signal::SIGHUP);
    let undo = lamp.until("darken");
    launcher.signal(Signal::SIGHUP);
    lamp.echo(&undo, "dark", json!({"n": 1}));
    lamp.until("saga_failed");
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    let id = note["saga_id"].as_u64().expect("a command names its saga");
    assert_eq!(end(&house, id), is("compensated", "shutdown"));
}

#[test]
fn a_launcher_that_was_started_to_outlive_its_terminal_does() {
    let house = lamps::house();
    let mut launcher = house.launch_without_hangups();
    let (mut lamp, note) = lit(&house, "resumes");
    launcher.signal(Signal::SIGHUP);
    lamp.echo(&note, "noted", json!({"n": 1}));
    lamp.until("saga_completed");
    stop(&mut launcher, Signal::SIGTERM);
}

/// \[R15\]: `finally` is part of every end, of this one too.
#[test]
fn r15_l8_a_saga_that_is_cancelled_by_a_stop_does_what_it_does_on_every_end() {
    let house = lamps::house();
    let mut launcher = house.launch();
    let mut lamp = house.register("lamp");
    let id = lamps::start(&mut house.register("tool"), "tidies", 1);
    lamp.until("note");
    launcher.signal(Signal::SIGTERM);
    lamp.until("tell");
    let last = lamp.until("note");
    lamp.echo(&last, "noted", json!({"n": 3}));
    assert_eq!(lamp.until("saga_failed")["cause"], "shutdown");
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    assert_eq!(end(&house, id).1, "shutdown");
}

#[test]
fn l8_what_is_not_undone_in_time_is_parked_compensating_and_undone_after_the_next_start() {
    let house = lamps::house();
    let mut launcher = house.launch();
    let (mut lamp, note) = lit(&house, "cancels");
    let id = note["saga_id"].as_u64().expect("a command names its saga");
    launcher.signal(Signal::SIGTERM);
    let undo = lamp.until("darken");
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    assert_eq!(end(&house, id), is("compensating", "shutdown"));

    let _launcher = house.launch();
    let mut lamp = house.register("lamp");
    let again = lamp.until("darken");
    assert_eq!(again["command_id"], undo["command_id"]);
    lamp.echo(&again, "dark", json!({"n": 1}));
    lamp.until("saga_failed");
    assert_eq!(end(&house, id), is("compensated", "shutdown"));
}

#[test]
fn l8_a_second_signal_ends_it_at_once_and_nothing_is_lost() {
    let house = lamps::house();
    let mut launcher = house.launch();
    let (mut lamp, note) = lit(&house, "cancels");
    launcher.signal(Signal::SIGTERM);
    let undo = lamp.until("darken");
    launcher.signal(Signal::SIGINT);
    assert_eq!(launcher.wait(), Some(130), "{}", launcher.said());
    let id = note["saga_id"].as_u64().expect("a command names its saga");
    assert_eq!(end(&house, id), is("compensating", "shutdown"));
    let _launcher = house.launch();
    assert_eq!(house.register("lamp").until("darken")["command_id"], undo["command_id"]);
}

/// A peer that reads nothing and says nothing does not hold a launcher back.
#[test]
fn l8_silent_peers_keep_no_launcher_from_stopping() {
    let house = lamps::house();
    let mut launcher = house.launch();
    let _silent = house.peer();
    let _idle = house.register("tool");
    stop(&mut launcher, Signal::SIGTERM);
    assert!(!house.socket().exists(), "a clean stop removes its socket");
}

#[test]
fn bg_r01_bg_r02_bg_r03_bg_r04_l5_after_a_crash_each_definition_says_what_becomes_of_its_sagas() {
    let house = lamps::house();
    let launcher = house.launch();
    let mut ids = Vec::new();
    for saga in ["resumes", "undoes", "fails"] {
        let (_lamp, note) = lit(&house, saga);
        ids.push(note["saga_id"].as_u64().expect("a command names its saga"));
    }
    launcher.kill();
    let [resumes, undoes, fails] = ids[..] else { panic!("three sagas were started") };

    let launcher = house.launch();
    assert_eq!(end(&house, resumes), is("running", ""));
    assert_eq!(end(&house, undoes), is("compensating", "restart"));
    assert_eq!(end(&house, fails), is("failed_compensation", "restart"), "its lamp is still lit");
    let mut lamp = house.register("lamp");
    let first = [lamp.line(), lamp.line()];
    assert_eq!(super::names(&first), ["> note", "> darken"], "in the order of owing");
    lamp.echo(&first[1], "dark", json!({"n": 1}));
    lamp.until("saga_failed");
    assert_eq!(end(&house, undoes), is("compensated", "restart"));
    launcher.kill();

    // A second crash repeats nothing.
    let _launcher = house.launch();
    let mut tool = house.register("tool");
    let since = json!({"cmd": "get_events", "id": 1, "since": 0});
    let all = tool.ask(&since)["events"].clone();
    let brackets: Vec<_> = all.as_array().expect("a list").iter().collect();
    for id in [undoes, fails] {
        let ends = brackets.iter().filter(|e| e["event"] == "saga_failed" && e["saga_id"] == id);
        assert_eq!(ends.count(), 1, "R1: one terminal of saga {id}");
    }
    assert_eq!(house.register("lamp").until("note")["saga_id"], resumes);
}

#[test]
fn l8_a_stop_that_comes_with_the_boot_is_as_clean_as_a_later_one() {
    let house = lamps::house();
    let mut launcher = Launcher::start(house.run());
    let booted = || {
        let log = LogReader::open(&house.log_path()).ok()?;
        log.high_water().ok().filter(|marks| marks.seq.0 > 0)
    };
    while booted().is_none() {
        std::thread::yield_now();
    }
    stop(&mut launcher, Signal::SIGTERM);
    assert!(house.log().full_check().expect("it can be checked").is_empty());
}
