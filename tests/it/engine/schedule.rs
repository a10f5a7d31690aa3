//! Sagas that the clock starts \[R9\]: ticks are facts, so that none fires twice and those that
//! were missed fire once, through crashes, edits and a clock that leaps.

use sagaflow::saga::record::{Record, State};
use sagaflow::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::{did, of, refuse};
use crate::world::World;

use State::{Completed, Failed, Queued, Running};

/// A saga that the clock starts, with more of its head.
fn text(schedule: &str, more: &str) -> String {
    format!(
        r"
saga: it
trigger: {{ schedule: {{ {schedule} }} }}
{more}
timeout: 10m
steps:
  - {{ id: one, issue: look, await: {{ echo: did }}, timeout: 10s }}
"
    )
}

fn world(schedule: &str, more: &str) -> World {
    let mut world = of(&text(schedule, more));
    world.connect("host");
    world
}

fn edit(world: &mut World, text: &str) {
    world.crash_to(&[("c.catalog.yaml", super::CATALOG), ("it.saga.yaml", text)]);
    world.connect("host");
}

const PARALLEL: &str = "eviction: { policy: parallel }";

/// How many sagas began so far, and how many ticks there were.
fn count(world: &World) -> (usize, usize) {
    let records = world.records();
    let of = |picks: fn(&Record) -> bool| records.iter().filter(|f| picks(&f.record)).count();
    (of(|r| matches!(r, Record::Began(_))), of(|r| matches!(r, Record::Ticked(_))))
}

fn next(world: &World) -> Option<Timestamp> {
    world.coordinator().schedules().next().and_then(|tick| tick.next)
}

#[test]
fn r9_every_tick_starts_one_and_the_first_comes_after_one_span() {
    let mut world = world("every: 60s", PARALLEL);
    world.advance(Millis(59_999));
    assert_eq!(count(&world), (0, 0));
    world.advance(Millis(1));
    assert_eq!(count(&world), (1, 1));
    let (saga, _) = world.coordinator().sagas().next().expect("it began");
    assert_eq!((&*saga.trigger, &*saga.fields), ("schedule", &json!({})));
    world.advance(Millis(120_000));
    assert_eq!(count(&world), (3, 3));
}

#[test]
fn r9_a_crash_restarts_no_clock_and_fires_no_tick_twice() {
    let mut world = world("every: 60s", PARALLEL);
    world.advance(Millis(40_000));
    world.crash();
    world.advance(Millis(20_000));
    assert_eq!(count(&world), (1, 1), "it counts from the first load");
    world.crash();
    assert_eq!(count(&world), (1, 1));
    world.advance(Millis(59_999));
    assert_eq!(count(&world), (1, 1));
    world.advance(Millis(1));
    assert_eq!(count(&world), (2, 2));
}

#[test]
fn r9_ticks_that_were_missed_fire_once_and_the_grid_stays() {
    for restart in [World::crash, World::restart_cleanly] {
        let mut world = world("every: 60s", PARALLEL);
        let start = world.now();
        world.set_clock(start + Millis(330_000));
        restart(&mut world);
        assert_eq!(count(&world), (1, 1), "five were missed");
        assert_eq!(next(&world), Some(start + Millis(360_000)));
        world.advance(Millis(30_000));
        assert_eq!(count(&world), (2, 2));
    }
}

#[test]
fn r9_a_clock_that_leaps_fires_once_and_one_that_falls_back_does_not_fire_again() {
    // Nobody is connected: a day later nobody remembers who was.
    let mut world = of(&text("cron: \"* * * * *\"", PARALLEL));
    let start = world.now();
    world.set_clock(start + Millis(86_400_000));
    world.advance(Millis(0));
    assert_eq!(count(&world), (1, 1), "a day's minutes are one");
    world.set_clock(start);
    world.advance(Millis(600_000));
    assert_eq!(count(&world), (1, 1), "these minutes are over");
    world.crash();
    assert_eq!(count(&world), (1, 1));
}

#[test]
fn r9_cron_ticks_at_full_minutes_in_utc() {
    let mut world = of(&text("cron: \"30 4 * * *\"", PARALLEL));
    let half_past_four = |at: Timestamp| at.to_string().ends_with("T04:30:00.000Z");
    for times in 1..=3 {
        let due = next(&world).expect("it comes");
        assert!(half_past_four(due), "{due}");
        world.advance(due.since(world.now()));
        assert_eq!(count(&world), (times, times));
        world.crash();
    }
}

#[test]
fn l4_an_edit_beside_the_schedule_leaves_its_clock_alone() {
    let mut world = world("every: 60s", PARALLEL);
    world.advance(Millis(40_000));
    edit(&mut world, &text("every: 1m", "eviction: { policy: ignore }\non_restart: fail"));
    world.advance(Millis(20_000));
    assert_eq!(count(&world), (1, 1), "60s and 1m are one");
}

#[test]
fn l4_another_schedule_counts_anew_and_one_that_is_gone_is_forgotten() {
    let mut world = world("every: 60s", PARALLEL);
    world.advance(Millis(40_000));
    edit(&mut world, &text("every: 30s", PARALLEL));
    world.advance(Millis(29_999));
    assert_eq!(count(&world), (0, 0));
    world.advance(Millis(1));
    assert_eq!(count(&world), (1, 1));
    edit(&mut world, &text("every: 60s", PARALLEL));
    assert_eq!(count(&world), (1, 1), "what it missed meanwhile was not its");
    world.advance(Millis(60_000));
    assert_eq!(count(&world), (2, 2));
}

#[test]
fn r17_a_tick_meets_a_running_saga_like_any_newcomer() {
    let mut ignored = world("every: 5s", "eviction: { policy: ignore }");
    ignored.advance(Millis(10_000));
    assert_eq!(count(&ignored), (1, 2));
    assert_eq!(ignored.coordinator().turned_away().get("it"), Some(&1));
    let mut queued = world("every: 5s", "eviction: { policy: queue, queue_max: 1 }");
    queued.advance(Millis(10_000));
    assert_eq!((queued.state(1), queued.state(2)), (Running, Queued));
    did(&mut queued, "look");
    assert_eq!((queued.state(1), queued.state(2)), (Completed, Running));
    let mut joined = world("every: 5s", "eviction: { policy: join }");
    joined.advance(Millis(10_000));
    let joins = joined.of_saga(1).filter(|record| matches!(record, Record::Joined(_)));
    assert_eq!((joins.count(), count(&joined)), (1, (1, 2)));
}

/// A saga's own deadline frees its key before the tick of the same instant asks for it.
#[test]
fn r18_a_saga_that_ends_when_the_next_tick_comes_makes_room_for_it() {
    let mut world = world("every: 10s", "eviction: { policy: ignore }");
    world.advance(Millis(20_000));
    assert_eq!((world.state(1), world.state(2)), (Failed, Running));
    assert!(world.coordinator().turned_away().is_empty());
}

#[test]
fn r10_a_guard_that_refuses_a_tick_leaves_no_saga() {
    let guard = "input: { n: 1 }\nrequire: [{ that: input.n == 2, otherwise: never }]";
    let text = text("every: 10s", &format!("{guard}\n{PARALLEL}"));
    let mut world = of(&text);
    world.advance(Millis(10_000));
    assert_eq!(count(&world), (0, 1));
    assert_eq!(world.coordinator().turned_away().get("it"), Some(&1));
}

#[test]
fn l8_a_launcher_that_is_about_to_stop_starts_nothing() {
    let mut world = world("every: 10s", PARALLEL);
    world.begin_turn();
    world.coordinator_mut().quit();
    world.turn();
    assert_eq!(next(&world), None);
    world.advance(Millis(60_000));
    assert_eq!(count(&world), (0, 0));
    world.crash();
    assert_eq!(count(&world), (1, 1), "the next one finds it missed");
}

#[test]
fn a_saga_may_be_started_by_the_clock_and_by_a_caller() {
    let mut world = of(r#"
saga: it
trigger:
  any_of:
    - { schedule: { every: 10s }, input: { why: the clock } }
    - { schedule: { cron: "0 * * * *" }, input: { why: the hour } }
    - { call: { fields: { why: { type: string } } }, input: { why: "${{ trigger.why }}" } }
eviction: { policy: parallel }
timeout: 10m
steps:
  - { id: one, if: saga.trigger == 'schedule', issue: look, await: { echo: did }, timeout: 10s }
result: { why: "${{ input.why }}" }
"#);
    world.connect("host");
    world.start("it", json!({"why": "a person"})).expect("it is called");
    let why = |world: &World, saga: u64| world.verdict(saga).result.map(|r| r["why"].clone());
    assert_eq!(why(&world, 1), Some(Value::from("a person")));
    world.advance(Millis(10_000));
    did(&mut world, "look");
    assert_eq!(why(&world, 2), Some(Value::from("the clock")));
    assert_eq!(world.coordinator().schedules().count(), 2);
}

#[test]
fn a_saga_that_only_the_clock_starts_is_not_called() {
    let mut world = world("every: 10s", PARALLEL);
    let refused = world.start("it", json!({})).expect_err("it has no call trigger");
    assert!(refused.message.contains("by the clock"), "{}", refused.message);
    world.advance(Millis(10_000));
    refuse(&mut world, "look");
    assert_eq!(world.state(1), Failed);
}
