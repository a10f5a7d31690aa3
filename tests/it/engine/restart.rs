//! Boot and shutdown in the middle of anything \[L5, L8\], deadlines across a crash \[R9\],
//! numbers that never begin
//! again \[R8\], and report ids that outlive the launcher \[W9\].

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::limits::{BOOT_BATCH, BOOT_BATCHES, EXITED_KEPT, LEAP};
use sagaflow::log::{Log, LogRead, Retention};
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, ends, go, it, refuse};
use crate::world::{Sent, World};

const TWO: &str = r"
timeout: 100s
defaults: { timeout: 20s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: b, await: { echo: did } }
";

fn midway(more: &str) -> World {
    let mut world = it(&format!("{TWO}{more}"));
    go(&mut world, "k");
    did(&mut world, "a");
    world
}

fn crash(world: &mut World) {
    world.crash();
    world.connect("host");
}

#[test]
fn l5_a_crash_after_every_turn_changes_nothing() {
    let mut calm =
        it(&format!("{TWO}finally: [{{ id: tidy, issue: look, await: {{ echo: did }} }}]"));
    let mut shaken = calm.again();
    shaken.connect("host");
    for (world, shakes) in [(&mut calm, false), (&mut shaken, true)] {
        let mut step = |act: &mut dyn FnMut(&mut World)| {
            act(world);
            if shakes {
                crash(world);
            }
        };
        step(&mut |world| go(world, "k"));
        step(&mut |world| drop(did(world, "a")));
        step(&mut |world| refuse(world, "b"));
        step(&mut |world| drop(did(world, "un_a")));
        step(&mut |world| drop(did(world, "look")));
    }
    assert_eq!(calm.trail(1), shaken.trail(1));
    assert_eq!(calm.state(1), State::Compensated);
    let ids = |world: &World| world.sent().iter().map(|s| s.id().to_owned()).collect::<Vec<_>>();
    let (calm_ids, mut shaken_ids) = (ids(&calm), ids(&shaken));
    assert!(shaken_ids.len() > calm_ids.len(), "the host was asked again");
    shaken_ids.dedup();
    assert_eq!(calm_ids, shaken_ids, "under the same ids");
}

/// More of them than wait between the thread that reads and the one that folds.
#[test]
fn l5_many_sagas_go_on_where_they_were() {
    let mut world = it(TWO);
    world.fold_every_turn(false);
    let many = (BOOT_BATCH * BOOT_BATCHES + 2 * BOOT_BATCH + 1) as u64;
    (0..many).for_each(|k| go(&mut world, &k.to_string()));
    crash(&mut world);
    assert_eq!(world.sent().len() as u64, 2 * many, "each is asked for again");
    let (before, after) = world.sent().split_at(many as usize);
    assert!(before.iter().map(Sent::id).eq(after.iter().map(Sent::id)), "in the same order");
    assert_eq!(world.coordinator().sagas().count() as u64, many);
}

#[test]
fn l5_on_restart_resume_is_what_happens_unless_said() {
    let mut world = midway("");
    crash(&mut world);
    assert_eq!(world.last("b").id(), "1.two.1");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn l5_on_restart_compensate_undoes_after_a_crash_and_not_after_a_stop() {
    let mut world = midway("on_restart: compensate\n");
    world.restart_cleanly();
    world.connect("host");
    assert_eq!(world.state(1), State::Running, "a clean stop is no crash");
    crash(&mut world);
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::Restart)));
}

#[test]
fn l5_on_restart_fail_with_nothing_to_undo_is_failed() {
    let mut world = it(
        "timeout: 100s\non_restart: fail\nsteps: [{ id: one, issue: look, await: { echo: did }, \
            timeout: 10s }]",
    );
    go(&mut world, "k");
    crash(&mut world);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::Restart)));
    assert_eq!(world.terminals(1).len(), 1);
}

#[test]
fn l5_on_restart_fail_ends_an_undo_under_way_too() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
on_restart: fail
steps:
  - id: all
    group:
      - { id: zero, issue: c, await: { echo: did } }
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed, timeout] }
finally: [{ id: tidy, issue: look, await: { echo: did } }]
");
    go(&mut world, "k");
    did(&mut world, "c");
    did(&mut world, "a");
    refuse(&mut world, "b");
    let undo = world.last("un_a");
    crash(&mut world);
    assert_eq!(world.last("look").id(), "1.tidy.1");
    world.echo(&undo, "undid", Value::Null).expect("it is the target's to say");
    did(&mut world, "look");
    assert_eq!(world.commands().iter().filter(|cmd| *cmd == "un_c").count(), 0, "it only ends");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::FailedCompensation, Some(Cause::Restart)));
    world.signal(SagaId(1), Signal::Retry, "now undo it").expect("it is an incident");
    did(&mut world, "un_a");
    did(&mut world, "un_c");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn l5_a_crash_while_undoing_asks_again_under_the_same_id() {
    let mut world = midway("on_restart: compensate\n");
    refuse(&mut world, "b");
    let undo = world.last("un_a");
    crash(&mut world);
    assert_eq!(world.last("un_a").id(), undo.id());
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed), "the first cause stands");
}

#[test]
fn bg_r01_bg_r04_a_crash_leaves_nothing_unresolved_and_a_second_boot_repeats_nothing() {
    let mut world = it(&TWO.replace("100s", "1000s"));
    for k in ["k", "l", "m"] {
        go(&mut world, k);
    }
    crash(&mut world);
    let records = world.records().len();
    crash(&mut world);
    let of_sagas = world.records()[records..].iter().filter(|fact| fact.saga.is_some()).count();
    assert_eq!(of_sagas, 0, "bg_r03: a boot decides nothing about what simply goes on");
    assert_eq!(world.open(), [1, 2, 3]);
}

#[test]
fn bg_r02_a_boot_on_an_empty_log_has_nothing_to_do() {
    let mut world = it(TWO);
    world.crash();
    assert!(world.open().is_empty());
    assert!(world.coordinator().next_due().is_none());
}

#[test]
fn r9_a_deadline_that_passed_while_it_was_down_fires_at_boot() {
    let mut world = midway("");
    world.disconnect("host");
    world.set_clock(world.now() + Millis(50_000));
    world.crash();
    assert_eq!(ends(&world)[1..3], ["two in_doubt", "unwinding timed_out"]);
    world.connect("host");
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r9_deadlines_are_instants_and_a_crash_does_not_move_them() {
    let mut world = midway("");
    let due = world.coordinator().next_due();
    world.advance(Millis(5_000));
    crash(&mut world);
    assert_eq!(world.coordinator().next_due(), due);
}

#[test]
fn r9_now_never_falls() {
    let mut world = midway("");
    let now = world.now();
    world.set_clock(sagaflow::time::Timestamp(now.0 - 3_600_000));
    crash(&mut world);
    assert_eq!(world.coordinator().now(), now, "at boot it is the newest record's time at least");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn r8_saga_ids_go_on_after_a_crash() {
    let mut world = it(TWO);
    for _ in 0..2 {
        go(&mut world, "k");
    }
    for saga in 1..=2 {
        world.signal(SagaId(saga), Signal::Cancel, "enough").expect("it runs");
        did(&mut world, "un_a");
    }
    assert!(world.open().is_empty());
    crash(&mut world);
    go(&mut world, "k");
    assert_eq!(world.open(), [3], "bg_c02: ended sagas count too");
    assert_eq!(world.last("a").id(), "3.one.1");
}

/// Ids came from what the log still held, or from nothing at all.
#[test]
fn bg_11_19_r8_l6_ids_go_on_when_all_that_used_them_is_forgotten() {
    let mut world = it(TWO);
    go(&mut world, "k");
    did(&mut world, "a");
    did(&mut world, "b");
    assert!(world.open().is_empty());
    let before = world.coordinator().world().clone();
    let keep = Retention { sagas: Millis(0), events: Millis(0), events_max: 0 };
    let later = world.now() + Millis(1);
    while !world.log_mut().sweep(later, &keep).expect("the memory log forgets").finished {}
    assert!(world.log().saga(SagaId(1)).expect("it can be read").is_none());
    // The fold from nothing is no measure of what retention took.
    world.fold_every_turn(false);
    crash(&mut world);
    let after = world.coordinator().world();
    assert!(after.next_seq > before.next_seq);
    assert!(after.next_client > before.next_client && after.next_session > before.next_session);
    go(&mut world, "k");
    assert_eq!(world.open(), [2]);
}

#[test]
fn r8_numbers_of_clients_sessions_and_records_never_begin_again() {
    let mut world = it(TWO);
    let before = world.coordinator().world().clone();
    world.crash();
    let after = world.coordinator().world();
    assert!(after.next_seq > before.next_seq);
    assert_eq!(after.next_client, before.next_client);
    assert_eq!(after.next_session, before.next_session);
}

#[test]
fn w5_processes_of_a_crowd_that_a_crash_cut_off_are_forgotten_with_the_next_one() {
    let mut world = it(TWO);
    for _ in 0..2 * EXITED_KEPT {
        world.connect("tool");
    }
    assert!(world.coordinator().world().processes.len() > 2 * EXITED_KEPT);
    world.crash();
    world.connect("host");
    assert_eq!(world.coordinator().world().processes.len(), EXITED_KEPT + 1);
}

#[test]
fn l8_a_clean_stop_parks_what_does_not_say_otherwise() {
    let mut world = midway("");
    world.restart_cleanly();
    assert_eq!(world.state(1), State::Running);
    assert!(world.terminals(1).is_empty());
    world.connect("host");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn l8_bg_c17_on_shutdown_cancel_undoes_and_parks_what_it_has_not_undone() {
    let mut world = midway("on_shutdown: cancel\n");
    go(&mut world, "l");
    world.coordinator_mut().quit();
    world.turn();
    assert!(world.coordinator().is_settling());
    for saga in [2, 1] {
        assert_eq!(world.state(saga), State::Compensating);
    }
    did(&mut world, "un_a");
    assert_eq!(world.verdict(2).cause, Some(Cause::Shutdown));
    world.coordinator_mut().stopped();
    world.turn();
    crash(&mut world);
    did(&mut world, "un_b");
    did(&mut world, "un_a");
    assert_eq!(world.verdict(1).cause, Some(Cause::Shutdown));
    assert_eq!((world.terminals(1).len(), world.terminals(2).len()), (1, 1));
}

#[test]
fn l8_on_shutdown_cancel_waits_for_finally_too() {
    let mut world =
        it("timeout: 100s\non_shutdown: cancel\ndefaults: { timeout: 10s }\nsteps: [{ id: one, \
            issue: look, await: { echo: did } }]\nfinally: [{ id: tidy, issue: a, \
            await: { echo: did } }]");
    go(&mut world, "k");
    world.coordinator_mut().quit();
    world.turn();
    assert!(world.coordinator().is_settling(), "`finally` is part of its end");
    did(&mut world, "a");
    assert!(!world.coordinator().is_settling());
    assert_eq!(world.verdict(1).cause, Some(Cause::Shutdown));
}

#[test]
fn w9_a_report_id_is_good_for_one_deed_also_after_a_crash() {
    let mut world = it(TWO);
    let report = |world: &mut World, k: &str| {
        world.report_with("tool", "go", json!({"k": k}), None, Some("r-1"))
    };
    let first = report(&mut world, "k").expect("it is declared");
    assert_eq!(report(&mut world, "k"), Ok(first), "accepted again, with the first version");
    crash(&mut world);
    assert_eq!(report(&mut world, "k"), Ok(first));
    assert_eq!(world.open(), [1]);
    let refused = report(&mut world, "other").expect_err("the same id for other content");
    assert_eq!(refused.code, RefusalCode::InvalidCommand);
}

#[test]
fn w9_the_window_is_the_same_with_and_without_a_crash() {
    let mut world = it(TWO);
    let report = |world: &mut World| {
        world.report_with("tool", "nudged", json!({"k": "k"}), None, Some("r-1"))
    };
    let first = report(&mut world).expect("it is declared");
    world.advance(Millis(599_000));
    assert_eq!(report(&mut world), Ok(first));
    world.advance(Millis(2_000));
    let mut crashed = world.again();
    let second = report(&mut world).expect("it is declared");
    assert!(second > first, "ten minutes are over");

    let first = report(&mut crashed).expect("it is declared");
    crashed.advance(Millis(601_000));
    crashed.crash();
    assert!(report(&mut crashed).expect("it is declared") > first);
}

#[test]
fn r4_what_was_handed_over_is_forgotten_at_boot_and_nothing_else() {
    let mut world = midway("");
    let owed: Vec<_> = world.coordinator().owed_to("host").cloned().collect();
    world.crash();
    let again: Vec<_> = world.coordinator().owed_to("host").cloned().collect();
    assert_eq!(owed, again);
}

#[test]
fn r2_nothing_reaches_a_target_before_its_record_is_durable() {
    let mut world = it(TWO);
    world.hear("tool", "go", json!({"k": "k"}), None);
    // The commit never happened: so nothing did.
    world.crash();
    world.connect("host");
    assert!(world.sent().is_empty());
    assert!(world.open().is_empty());
}

#[test]
fn r3_a_saga_with_every_kind_of_record_folds_to_itself() {
    // The fold is compared after every turn of every world; this one has many kinds of records.
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did }, retry: { attempts: 2, backoff: constant,
          delay: 1s, on: [timeout] } }
      - { id: two, issue: b, await: { all_of: [{ echo: did }, { echo: did_too }] } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed, timeout] }
");
    go(&mut world, "k");
    world.advance(Millis(11_000));
    did(&mut world, "a");
    let two = world.last("b");
    world.echo(&two, "did_too", Value::Null).expect("it is the host's to say");
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    world.advance(Millis(1_000));
    did(&mut world, "a");
    world.advance(Millis(10_000));
    refuse(&mut world, "un_b");
    did(&mut world, "un_a");
    world.signal(SagaId(1), Signal::Resolve, "seen").expect("it is an incident");
    assert_eq!(world.state(1), State::FailedCompensation);
}

/// \[bg_3_10_P3\]
#[test]
fn r1_whatever_comes_second_is_ignored() {
    let mut world = midway("");
    did(&mut world, "b");
    assert_eq!(world.state(1), State::Completed);
    let b = world.last("b");
    world.echo(&b, "did", Value::Null).expect("a report for an ended saga is accepted");
    world.fail(&b, "too late");
    let refused = world.signal(SagaId(1), Signal::Cancel, "enough").expect_err("it has ended");
    assert_eq!(refused.code, RefusalCode::Refused);
    world.advance(Millis(1_000_000));
    crash(&mut world);
    assert_eq!(world.terminals(1), ["saga_completed"]);
}

/// \[L6, R9\]: so is a jump of the clock, also for the launcher that saw it.
#[test]
fn l6_a_jump_of_the_clock_is_known_after_every_boot() {
    let mut world = World::shipped();
    let (week, years) = (Millis(7 * 86_400_000), Millis(1_000 * 86_400_000));
    let expected = world.now();
    world.set_clock(world.now() + years);
    world.begin_turn();
    let now = world.now();
    world.coordinator_mut().clock_jumped(now, expected);
    world.turn();
    for _boot in 0..2 {
        let stretched = world.coordinator().world().leaps.stretch(world.now(), week);
        assert_eq!(stretched.0, week.0 + years.0 - LEAP.0);
        world.crash();
    }
}

/// \[L6\]: a time in which no launcher ran is a fact, and the next boot knows it from the log.
#[test]
fn l6_how_long_no_launcher_ran_is_known_after_every_boot() {
    let mut world = World::shipped();
    let week = Millis(7 * 86_400_000);
    assert_eq!(world.coordinator().world().leaps.stretch(world.now(), week), week);
    world.set_clock(world.now() + Millis(1_000 * 86_400_000));
    for _boot in 0..2 {
        world.crash();
        let stretched = world.coordinator().world().leaps.stretch(world.now(), week);
        assert_eq!(stretched.0, week.0 + 1_000 * 86_400_000 - LEAP.0);
        world.set_clock(world.now() + Millis(1_000));
    }
}

/// \[L4\]: a saga's target may still speak as the catalog said when the saga began, or already as
/// it says now; the saga that a report answers comes first.
#[test]
fn l4_an_answer_fits_the_words_of_its_saga_or_those_of_today() {
    let catalog = |field: &str| {
        format!(
            "targets: {{ host: {{}} }}\nevents: {{ go: {{}}, did: {{ fields: {field} }} }}\n\
             commands: {{ a: {{ target: host, echoes: [did], idempotent: true, undo: none }} }}\n"
        )
    };
    let saga = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: 10m\n\
                steps: [{ id: one, issue: a, await: { echo: did }, timeout: 60s }]";
    let old = catalog("{ pane: { type: string } }");
    let new = catalog("{ panes: { type: integer, default: 0 } }");
    let mut world = World::new(&[("c.catalog.yaml", &old), ("it.saga.yaml", saga)]);
    world.connect("host");
    for _ in 0..2 {
        world.report("host", "go", Value::Null).expect("it is declared");
    }
    world.crash_to(&[("c.catalog.yaml", &new), ("it.saga.yaml", saga)]);
    world.connect("host");
    world.report("host", "go", Value::Null).expect("it is declared");
    let mut answer = |saga: u64, fields: Value| {
        let done = world.report_with("host", "did", fields, Some((saga, "one")), None);
        done.map(|_| {
            let told = &world.published("did").last().expect("it is told").fields;
            (told["pane"].clone(), told["panes"].clone())
        })
    };
    let refused = answer(1, json!({ "pain": 1 })).expect_err("nobody ever declared that");
    assert!(refused.message.contains("pane"), "its own words are named: {}", refused.message);
    assert_eq!(answer(1, json!({"pane": "p"})), Ok((json!("p"), Value::Null)));
    assert_eq!(answer(2, json!({"panes": 2})), Ok((Value::Null, json!(2))));
    assert_eq!(answer(3, Value::Null), Ok((Value::Null, json!(0))), "one that began today");
    for saga in 1..=3 {
        assert_eq!(world.state(saga), State::Completed);
    }
}
