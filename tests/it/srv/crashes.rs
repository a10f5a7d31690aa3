//! A launcher that dies, or an srv that goes away, between any two things that happen: the end is
//! the same, or nothing is left.

use serde_json::Value;

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;

use super::faults::all;
use super::model::Model;
use super::{Desk, Fault, furnished};

/// What befalls the launcher or srv at one moment.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// The launcher dies and is down that long.
    Crash(Millis),
    /// srv is gone that long.
    Away(Millis),
    /// Somebody wants it undone; the wire holds.
    Cancel,
    /// srv is busy that long before it takes up what is on the wire.
    Busy(Millis),
}

/// How a run ended: state, result, what srv owns.
#[derive(Debug, PartialEq)]
struct End {
    state: State,
    result: Value,
    srv: Model,
}

/// Runs a saga with a mishap after that many things have happened; `None`: the run is over before.
/// What is on the wire at that moment is lost, or done without an answer.
fn run(
    saga: &str,
    input: &Value,
    at: usize,
    mishap: Mishap,
    done: bool,
    fault: Option<&str>,
) -> Option<Desk> {
    let mut desk = Desk::new();
    if let Some(step) = fault {
        desk.trouble(step, Fault::Refused);
    }
    let id = desk.start(saga, input.clone()).expect("it may start");
    for _ in 0..at {
        desk.step();
    }
    if desk.world.open().is_empty() {
        return None;
    }
    match mishap {
        Mishap::Crash(down) => {
            desk.lose_the_wire(done);
            desk.crash(down);
        }
        Mishap::Away(away) => {
            desk.lose_the_wire(done);
            desk.reconnect(away);
        }
        Mishap::Busy(span) => desk.world.advance(span),
        Mishap::Cancel => {
            let asked = desk.world.signal(SagaId(id), Signal::Cancel, "changed my mind");
            desk.finish();
            let cancelled = desk.verdict(id).cause == Some(Cause::Cancelled);
            assert_eq!(cancelled, asked.is_ok(), "{saga} at {at}: {asked:?}");
        }
    }
    desk.finish();
    assert_eq!(desk.world.terminals(id).len(), 1, "{saga} at {at}, {mishap:?}");
    Some(desk)
}

fn end(desk: &Desk) -> End {
    End { state: desk.verdict(1).state, result: desk.result(1), srv: desk.srv.clone() }
}

/// Runs a saga with that mishap after each thing that happens, and looks at each end.
fn everywhere(mishap: Mishap, fault: Option<(&str, &str)>, look: impl Fn(&str, &str, &End, &Desk)) {
    for (saga, input) in all() {
        if fault.is_some_and(|(name, _)| name != saga) {
            continue;
        }
        let step = fault.map(|(_, step)| step);
        let mut undisturbed = Desk::new();
        if let Some(step) = step {
            undisturbed.trouble(step, Fault::Refused);
        }
        undisturbed.run(saga, input.clone());
        let expected = end(&undisturbed);
        for done in [false, true] {
            for at in 0.. {
                let Some(desk) = run(saga, &input, at, mishap, done, step) else { break };
                let what = format!("{saga}, {mishap:?} after {at}, wire done: {done}");
                look(saga, &what, &expected, &desk);
            }
        }
    }
}

/// Every command was handed over under one number an attempt, and done once.
fn assert_once(desk: &Desk, what: &str) {
    let mut done = desk.done.clone();
    done.sort();
    done.dedup();
    assert_eq!(done.len(), desk.done.len(), "{what}: done twice: {:?}", desk.done);
}

fn is_the_same(_: &str, what: &str, expected: &End, desk: &Desk) {
    assert_eq!(end(desk), *expected, "{what}");
    assert_once(desk, what);
}

/// bg_z01, bg_l03 [L5]: the launcher dies after each turn; the saga ends as if nothing had
/// happened.
#[test]
fn a_crash_after_any_turn_changes_no_end() {
    everywhere(Mishap::Crash(Millis(0)), None, is_the_same);
}

/// The same in the middle of failing and undoing.
#[test]
fn a_crash_in_the_middle_of_undoing_changes_no_end() {
    for fault in [
        ("tear_off_tab", "move"),
        ("tear_off_block", "move"),
        ("promote_block_to_tab", "move"),
        ("delete_block", "delete"),
    ] {
        everywhere(Mishap::Crash(Millis(0)), Some(fault), is_the_same);
        everywhere(Mishap::Away(Millis(0)), Some(fault), is_the_same);
    }
}

/// [P4]: srv's connection breaks after each turn; it is asked again under the same number.
#[test]
fn an_srv_that_reconnects_changes_no_end() {
    everywhere(Mishap::Away(Millis(0)), None, is_the_same);
}

/// Nothing is left, or all was done; or, once something that nothing brings back may have happened,
/// an incident.
fn leaves_nothing(saga: &str, what: &str, expected: &End, desk: &Desk) {
    assert_once(desk, what);
    let found = end(desk);
    match found.state {
        // The tab is back; the workspace that it left empty may stay, as the definition says.
        State::Completed if saga == "restore_torn_off_tab" => {
            assert_eq!(desk.srv.home_of("t5"), Some(("home", 3)), "{what}");
        }
        // So may the leaf of a block that is gone.
        State::Completed if saga.starts_with("delete_") || saga == "close_pane" => {
            assert_eq!(desk.srv.tab_of("b2"), None, "{what}");
        }
        State::Completed => assert_eq!(found, *expected, "{what}"),
        State::Failed | State::Compensated => assert_eq!(desk.srv, furnished(), "{what}"),
        State::FailedCompensation => {
            let brings_back = !saga.starts_with("delete_") && saga != "close_pane";
            assert!(!brings_back, "{what}: {:?}", desk.verdict(1));
        }
        State::Queued | State::Running | State::Compensating => panic!("{what}: not over"),
    }
}

/// The same, and what ran in a block runs as long as the block is there, and no longer.
fn and_purges(saga: &str, what: &str, expected: &End, desk: &Desk) {
    let (runs, there) = (desk.srv.running.contains("b2"), desk.srv.tab_of("b2").is_some());
    // What a pane's closing has stopped is not started again.
    let stopped = saga == "close_pane" && there;
    assert!(runs == there || stopped, "{what}: {:?}", desk.done);
    leaves_nothing(saga, what, expected, desk);
}

/// [R9]: the launcher is down for longer than the deadline, which then fires at boot.
#[test]
fn a_launcher_that_was_down_too_long_leaves_nothing() {
    everywhere(Mishap::Crash(Millis(60_000)), None, and_purges);
}

/// [R14] [P10]: srv is away for longer than a step waits; what may have been sent is undone once
/// srv is back.
#[test]
fn an_srv_that_was_away_too_long_leaves_nothing() {
    everywhere(Mishap::Away(Millis(2_500)), None, and_purges);
    everywhere(Mishap::Away(Millis(60_000)), None, leaves_nothing);
}

/// [R13]: a cancel before the point of no return leaves nothing; behind it, it is refused and the
/// saga completes.
#[test]
fn a_cancel_at_any_moment_leaves_nothing_or_is_refused() {
    everywhere(Mishap::Cancel, None, |saga, what, expected, desk| {
        and_purges(saga, what, expected, desk);
        assert_ne!(desk.verdict(1).state, State::FailedCompensation, "{what}");
    });
}

/// [R19] [R20]: answers that come too late change nothing for the worse: an undo follows what it
/// undoes on the wire, so srv does both, in order.
#[test]
fn an_srv_that_answers_too_late_leaves_nothing() {
    for span in [1_200, 4_000, 10_000] {
        everywhere(Mishap::Busy(Millis(span)), None, leaves_nothing);
    }
}

/// Twice is not worse than once: a crash at any moment, and another one at any later moment.
#[test]
fn two_crashes_change_no_end() {
    for (saga, input) in all() {
        if !matches!(saga, "tear_off_block" | "delete_block") {
            continue;
        }
        let play = |first: usize, second: usize| {
            let mut desk = Desk::with_fault("move", Fault::Refused);
            desk.start(saga, input.clone()).expect("it may start");
            for at in 0.. {
                if at == first || at == second {
                    desk.lose_the_wire(at == second);
                    desk.crash(Millis(0));
                }
                if !desk.step() {
                    break;
                }
            }
            desk
        };
        let undisturbed = play(usize::MAX, usize::MAX);
        for first in 0..10 {
            for second in first + 1..10 {
                let desk = play(first, second);
                let what = format!("{saga}, crashes after {first} and {second}");
                assert_eq!(end(&desk), end(&undisturbed), "{what}");
                assert_once(&desk, &what);
                assert_eq!(desk.world.terminals(1).len(), 1, "{what}");
            }
        }
    }
}

/// [R5]: an answer that comes twice counts once.
#[test]
fn answers_that_come_twice_change_no_end() {
    for (saga, input) in all() {
        let mut once = Desk::new();
        once.run(saga, input.clone());
        let mut twice = Desk::new();
        twice.stutter();
        twice.run(saga, input);
        assert_eq!(end(&twice), end(&once), "{saga}");
        assert_eq!(twice.done, once.done, "{saga}");
    }
}
