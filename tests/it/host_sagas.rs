//! The shipped sagas of the host: which report counts as an answer and which does not, and what
//! becomes of them when the host fails, is silent or goes away. They undo nothing.

use serde_json::{Value, json};

use sagaflow::saga::record::{Cause, Record, State};
use sagaflow::time::Millis;

use crate::world::{Sent, World};

const REFILL: &str = "pool_respawn_on_promote";
const CLEANUP: &str = "window_cleanup_cascade";

/// A world whose host has reported what starts that saga; it is saga 1.
fn started(saga: &str) -> World {
    let mut world = World::shipped();
    world.connect("host");
    trigger(&mut world, saga, "w1");
    world
}

fn trigger(world: &mut World, saga: &str, label: &str) {
    let event = if saga == REFILL { "pool_window_promoted" } else { "window_closed" };
    world.report("host", event, json!({"label": label})).expect("it is declared");
}

fn label(label: &str) -> Value {
    json!({"label": label})
}

/// What a host answers to that command.
fn reply(world: &mut World, sent: &Sent) {
    let event = match sent.cmd() {
        "spawn_pool_window" => "pool_window_added",
        "reap_panes" => "panes_reaped",
        "drain_pool_if_last" => "pool_drained",
        other => panic!("no saga issues `{other}`"),
    };
    let fields = sent.owed.with.get("label").cloned().unwrap_or_else(|| json!("fresh"));
    world.echo(sent, event, json!({ "label": fields })).expect("it is declared");
}

fn result(world: &World, saga: u64) -> Value {
    let ended = world.published("saga_completed");
    let ended = ended.into_iter().find(|event| event.fields["saga_id"] == saga);
    ended.expect("it completed").fields["result"].clone()
}

/// bg_p01, bg_p02, bg_p07, bg_c03, bg_c13.
#[test]
fn bg_p02_its_own_answer_completes_the_refill_and_names_the_window() {
    let mut world = started(REFILL);
    let spawn = world.last("spawn_pool_window");
    assert_eq!(spawn.id(), "1.refill.1");
    world.echo(&spawn, "pool_window_added", label("w9")).expect("it is declared");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(result(&world, 1), json!({"refilled_label": "w9"}));
    let story = world.story();
    let place = |line: &str| story.iter().position(|other| other == line);
    assert!(place("saga_started 1") < place("saga_completed 1"), "{story:?}");
}

/// bg_p03, bg_p04, bg_p05 [R5]: what is not this saga's own answer lets it wait.
#[test]
fn bg_p03_nobody_elses_window_refills_the_pool() {
    let mut world = started(REFILL);
    trigger(&mut world, REFILL, "w2");
    let spawn = world.last("spawn_pool_window");
    assert_eq!(spawn.owed.saga.0, 2);
    world.report("host", "pool_window_added", label("w9")).expect("it is declared");
    world.echo(&spawn, "pool_window_added", label("w8")).expect("it is declared");
    for event in ["window_opened", "pool_window_removed"] {
        world.report("host", event, label("w9")).expect("it is declared");
    }
    assert_eq!(world.state(1), State::Running);
    assert_eq!(world.state(2), State::Completed);
}

#[test]
fn bg_p06_of_two_answers_the_first_counts() {
    let mut world = started(REFILL);
    let spawn = world.last("spawn_pool_window");
    for name in ["first", "second"] {
        world.echo(&spawn, "pool_window_added", label(name)).expect("it is declared");
    }
    assert_eq!(result(&world, 1), json!({"refilled_label": "first"}));
    assert_eq!(world.terminals(1).len(), 1);
}

/// bg_c11: each promotion is completed by its own answer, in whatever order they come.
#[test]
fn bg_c11_two_refills_are_answered_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        let mut world = started(REFILL);
        trigger(&mut world, REFILL, "w2");
        let asked = world.sent().to_vec();
        for at in order {
            let name = format!("for-{}", asked[at].owed.saga);
            world.echo(&asked[at], "pool_window_added", label(&name)).expect("it is declared");
        }
        for saga in [1, 2] {
            let name = format!("for-{saga}");
            assert_eq!(result(&world, saga), json!({ "refilled_label": name }));
        }
    }
}

/// bg_w01, bg_w02, bg_w03, bg_w04: the answer to the second question is the result.
#[test]
fn bg_w03_the_drain_decision_is_the_result() {
    for (event, drained) in [("pool_drained", true), ("pool_not_last", false)] {
        let mut world = started(CLEANUP);
        assert_eq!(world.last("reap_panes").with("label"), "w1");
        let reap = world.last("reap_panes");
        world.echo(&reap, "panes_reaped", label("w1")).expect("it is declared");
        let drain = world.last("drain_pool_if_last");
        assert_eq!(drain.with("label"), "w1");
        assert_eq!(world.state(1), State::Running);
        world.echo(&drain, event, label("w1")).expect("it is declared");
        assert_eq!(result(&world, 1), json!({ "drained": drained }));
    }
}

/// A report that comes while a step waits: by this saga's number, another's, or nobody's.
struct Stray {
    step: &'static str,
    event: &'static str,
    label: &'static str,
    echo: Option<(u64, &'static str)>,
}

/// bg_w05, bg_w06, bg_w07, bg_w08, bg_w09, bg_w10 [R5].
#[test]
fn bg_w05_what_is_not_its_own_answer_lets_the_cascade_wait() {
    let (reap, drain) = ("reap", "drain");
    let stray = |step, event, label, echo| Stray { step, event, label, echo };
    let strays = [
        stray(reap, "panes_reaped", "w1", None),
        stray(reap, "panes_reaped", "w1", Some((2, "reap"))),
        stray(reap, "panes_reaped", "other", Some((1, "reap"))),
        stray(reap, "pool_drained", "w1", Some((1, "reap"))),
        stray(reap, "pool_drained", "w1", Some((1, "drain"))),
        stray(reap, "window_closed", "w3", None),
        stray(drain, "pool_drained", "w1", None),
        stray(drain, "pool_drained", "other", Some((1, "drain"))),
        stray(drain, "pool_not_last", "other", Some((1, "drain"))),
        stray(drain, "pool_drained", "w1", Some((2, "drain"))),
    ];
    for Stray { step, event, label: name, echo } in strays {
        let mut world = started(CLEANUP);
        trigger(&mut world, CLEANUP, "w2");
        let mut at = "reap_panes";
        if step == drain {
            let first = world.sent()[0].clone();
            reply(&mut world, &first);
            at = "drain_pool_if_last";
        }
        let told = world.report_with("host", event, label(name), echo, None);
        told.expect("a stray report is recorded all the same");
        let what = format!("{event} {name} {echo:?} during {step}");
        assert_eq!(world.state(1), State::Running, "{what}");
        let mine = world.sent().iter().rev().find(|sent| sent.owed.saga.0 == 1);
        assert_eq!(mine.map(Sent::cmd), Some(at), "{what}");
    }
}

/// bg_c05: nobody is left to report on the panes of a window that crashed.
#[test]
fn bg_c05_a_window_that_crashed_starts_nothing() {
    let mut world = World::shipped();
    world.connect("host");
    for name in ["w1", "main", "x"] {
        let fields = json!({"label": name, "crash_detected": true});
        world.report("host", "window_closed", fields).expect("it is declared");
    }
    assert_eq!(world.published("saga_started").len(), 0);
    assert_eq!(world.commands(), [""; 0]);
}

/// bg_c10: two clean closes before any answer: two sagas, both complete, none fails.
#[test]
fn bg_c10_two_closes_at_once_both_complete() {
    let mut world = started(CLEANUP);
    trigger(&mut world, CLEANUP, "w2");
    let mut at = 0;
    while let Some(sent) = world.sent().get(at).cloned() {
        reply(&mut world, &sent);
        at += 1;
    }
    assert_eq!(world.published("saga_completed").len(), 2);
    assert_eq!(world.published("saga_failed").len(), 0);
    assert_eq!(world.open(), [0_u64; 0]);
}

/// How a host fails to answer.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Refuses,
    Silent,
    Away,
}

/// bg_i03, bg_c15 [R12] [P3] [R16]: each step refused, unanswered, or its host gone for good: one
/// end, failed for that cause, with nothing undone and nothing owed.
#[test]
fn bg_i03_each_step_that_fails_ends_its_saga_failed() {
    let steps =
        [(REFILL, "spawn_pool_window"), (CLEANUP, "reap_panes"), (CLEANUP, "drain_pool_if_last")];
    for (saga, failing) in steps {
        for (trouble, cause) in [
            (Trouble::Refuses, Cause::ActionFailed),
            (Trouble::Silent, Cause::TimedOut),
            (Trouble::Away, Cause::TimedOut),
        ] {
            let mut world = started(saga);
            while world.sent().last().is_some_and(|sent| sent.cmd() != failing) {
                let sent = world.sent().last().expect("the loop looked").clone();
                reply(&mut world, &sent);
            }
            let sent = world.last(failing);
            match trouble {
                Trouble::Refuses => world.fail(&sent, "no such window"),
                Trouble::Silent => {}
                Trouble::Away => world.disconnect("host"),
            }
            world.advance(Millis(60_000));
            let what = format!("{saga}, {failing}, {trouble:?}");
            assert_eq!(world.state(1), State::Failed, "{what}");
            assert_eq!(world.terminals(1), ["saga_failed"], "{what}");
            let verdict = world.facts().rev().find_map(|fact| {
                let Record::Ended(verdict) = &fact.record else { return None };
                Some(verdict.clone())
            });
            assert_eq!(verdict.and_then(|verdict| verdict.cause), Some(cause), "{what}");
            assert_eq!(world.coordinator().owing_targets().count(), 0, "{what}");
        }
    }
}

/// bg_l03, bg_r05 [L5] [P4]: a crash or a lost host after each turn; each command is asked again
/// under its number, and the end is the same.
#[test]
fn a_crash_or_a_lost_host_after_any_turn_changes_no_end() {
    for saga in [REFILL, CLEANUP] {
        for at in 0..2 {
            for crash in [false, true] {
                let mut world = started(saga);
                for _ in 0..at {
                    let sent = world.sent().last().expect("something was asked").clone();
                    reply(&mut world, &sent);
                }
                if world.open().is_empty() {
                    continue;
                }
                let asked = world.sent().last().expect("something was asked").clone();
                if crash {
                    world.crash();
                } else {
                    world.disconnect("host");
                }
                world.connect("host");
                let again = world.sent().last().expect("something was asked").clone();
                assert_eq!(again.id(), asked.id(), "{saga} at {at}");
                assert_ne!(again.session, asked.session, "{saga} at {at}");
                while !world.open().is_empty() {
                    let sent = world.sent().last().expect("something was asked").clone();
                    reply(&mut world, &sent);
                }
                assert_eq!(world.state(1), State::Completed, "{saga} at {at}");
                assert_eq!(world.terminals(1).len(), 1);
            }
        }
    }
}

/// A window of the pool that became the user's: the watch is saga 1.
fn watched() -> World {
    let mut world = World::shipped();
    world.connect("host");
    let fields = json!({"label": "w1", "from_pool": true});
    world.report("host", "window_opened", fields).expect("it is declared");
    world
}

/// A promoted window that does not come alive is replaced by a fresh one.
#[test]
fn a_promoted_window_that_does_not_register_is_replaced() {
    let mut world = watched();
    world.report("host", "window_registered", label("w2")).expect("it is declared");
    world.advance(Millis(9_999));
    world.crash();
    world.connect("host");
    assert_eq!(world.commands(), [""; 0], "another window's life is not its");
    world.advance(Millis(1));
    let open = world.last("open_window");
    assert_eq!(open.with("label"), "fresh-1");
    let fields = json!({"label": "fresh-1", "from_pool": false});
    world.echo(&open, "window_opened", fields).expect("it is declared");
    assert_eq!(world.state(1), State::Completed);
    assert_eq!(result(&world, 1), json!({"alive": false}));
    assert_eq!(world.open(), [0; 0], "a fresh window is not of the pool, so nobody watches it");
}

#[test]
fn a_promoted_window_that_registers_or_is_closed_is_let_be() {
    let mut alive = watched();
    alive.report("host", "window_registered", label("w1")).expect("it is declared");
    assert_eq!(result(&alive, 1), json!({"alive": true}));
    let mut closed = watched();
    closed.report("host", "window_closed", label("w1")).expect("it is declared");
    assert_eq!(closed.verdict(1).cause, Some(Cause::Cancelled));
    closed.advance(Millis(60_000));
    assert!(!closed.commands().iter().any(|cmd| cmd == "open_window"));
    let mut own = World::shipped();
    own.connect("host");
    own.report("host", "window_opened", label("w1")).expect("it is declared");
    assert_eq!(own.open(), [0; 0], "a window that the user opened needs no watch");
}
