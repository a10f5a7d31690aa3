//! `policy: join` \[R17\]: a newcomer is merged into the saga that runs, in one record; what it
//! saves, what waits read of that, which keys it brings, through crashes and undoing.

use std::sync::Arc;

use sagaflow::coordinator::RefusalCode;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Dedup, Record, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, go, of, refuse, sagas};
use crate::world::World;

use State::{Compensating, Completed, Queued, Running};

/// A window of ten seconds that a newcomer may widen and a person may end; then the deed, then a
/// word.
const WINDOW: &str = r#"
saga: it
trigger:
  any_of:
    - { event: go, input: { k: "${{ trigger.k }}", l: "${{ trigger.l }}" } }
    - { call: { fields: { k: { type: string }, l: { type: string, default: "" } } },
        input: { k: "${{ trigger.k }}", l: "${{ trigger.l }}" } }
input: {}
vars: { last: "${{ input.k }}", all: "${{ [input.k] }}" }
eviction:
  key: [input.k, input.l]
  policy: join
  save: { last: "${{ event.k }}", all: "${{ distinct(vars.all + [event.k]) }}" }
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: window
    await: { event: nudged, where: event.k == vars.last }
    timeout: 10s
    on_timeout: continue
  - { id: act, issue: a, with: { k: "${{ vars.last }}" }, await: { echo: did } }
finally:
  - { id: word, issue: look, await: { echo: did } }
result: { all: "${{ vars.all }}" }
"#;

fn window() -> World {
    let mut world = of(&WINDOW.replace("input: {}\n", ""));
    world.connect("host");
    world
}

fn pair(world: &mut World, k: &str, l: &str) {
    world.report("tool", "go", json!({"k": k, "l": l})).expect("it is declared");
}

fn joins(world: &World, saga: u64) -> usize {
    world.of_saga(saga).filter(|record| matches!(record, Record::Joined(_))).count()
}

fn nudge(world: &mut World, k: &str) {
    world.report("tool", "nudged", json!({"k": k})).expect("it is declared");
}

#[test]
fn r17_a_newcomer_joins_in_one_record_and_no_clock_restarts() {
    let mut world = window();
    pair(&mut world, "x", "z");
    world.advance(Millis(9_000));
    pair(&mut world, "y", "z");
    assert_eq!(joins(&world, 1), 1);
    assert_eq!(world.coordinator().sagas().count(), 1);
    assert_eq!(world.published("saga_started").len(), 1);
    assert!(world.coordinator().turned_away().is_empty(), "it was not turned away");
    world.advance(Millis(1_000));
    let asked = did(&mut world, "a");
    assert_eq!(asked.with("k"), "y", "the window ended when the first one had said");
    did(&mut world, "look");
    assert_eq!(world.verdict(1).result.as_deref(), Some(&json!({"all": ["x", "y"]})));
}

#[test]
fn r17_a_caller_gets_the_running_sagas_id_also_when_it_asks_again() {
    let mut world = window();
    pair(&mut world, "x", "");
    assert_eq!(world.start("it", json!({"k": "x"})), Ok(SagaId(1)));
    let client = world.client("tool");
    let ask = |world: &mut World| {
        let dedup = Dedup { id: Arc::from("\"c-1\""), digest: 7 };
        let input = json!({"k": "x"}).as_object().cloned().unwrap_or_default();
        world.begin_turn();
        let done = world.coordinator_mut().start(&client, "it", input, Some(dedup));
        world.turn();
        done
    };
    assert_eq!(ask(&mut world), Ok(SagaId(1)));
    assert_eq!(joins(&world, 1), 2);
    assert_eq!(ask(&mut world), Ok(SagaId(1)), "W9: the same id does nothing again");
    world.crash();
    assert_eq!(ask(&mut world), Ok(SagaId(1)), "W9: nor after a crash");
    assert_eq!(joins(&world, 1), 2);
}

/// The index of waits follows the variable: who is looked up is who it says now \[R6\].
#[test]
fn r17_a_wait_that_reads_the_variable_is_woken_by_its_new_value_alone() {
    let mut world = window();
    pair(&mut world, "x", "z");
    pair(&mut world, "y", "z");
    nudge(&mut world, "x");
    assert_eq!(world.commands(), Vec::<String>::new(), "nobody waits for `x` any more");
    world.crash();
    world.connect("host");
    nudge(&mut world, "y");
    assert_eq!(world.commands(), ["a"]);
}

#[test]
fn r24_the_saga_holds_what_its_newcomers_contend_for() {
    let mut world = window();
    pair(&mut world, "x", "y");
    pair(&mut world, "y", "z");
    world.crash();
    world.connect("host");
    pair(&mut world, "z", "w");
    pair(&mut world, "other", "key");
    assert_eq!((joins(&world, 1), world.open()), (2, vec![1, 2]));
}

#[test]
fn r17_one_that_meets_several_joins_the_oldest_and_takes_no_key_of_another() {
    let mut world = window();
    pair(&mut world, "x", "x");
    pair(&mut world, "z", "z");
    pair(&mut world, "z", "x");
    assert_eq!((joins(&world, 1), joins(&world, 2)), (1, 0));
    pair(&mut world, "z", "z");
    assert_eq!((joins(&world, 1), joins(&world, 2)), (1, 1), "`z` is the second one's still");
}

#[test]
fn r17_a_saga_that_undoes_or_ends_is_not_joined_the_newcomer_waits() {
    let mut world = window();
    go(&mut world, "x");
    world.advance(Millis(10_000));
    did(&mut world, "a");
    // It is in its `finally` now.
    go(&mut world, "x");
    assert_eq!((world.state(1), world.state(2), joins(&world, 1)), (Running, Queued, 0));
    go(&mut world, "x");
    assert_eq!(joins(&world, 2), 1, "the next one joins the one that waits");
    did(&mut world, "look");
    assert_eq!((world.state(1), world.state(2)), (Completed, Running));
    world.advance(Millis(10_000));
    world.advance(Millis(10_000));
    assert_eq!(world.state(2), Compensating, "its deed is in doubt");
    go(&mut world, "x");
    assert_eq!((world.state(3), joins(&world, 2)), (Queued, 1));
    did(&mut world, "un_a");
    did(&mut world, "look");
    assert_eq!(world.state(3), Running);
}

#[test]
fn r10_a_newcomer_is_held_to_the_guards_before_it_joins() {
    let text = WINDOW.replace(
        "input: {}\n",
        "require: [{ that: \"input.k != 'bad'\", otherwise: not this one }]\n",
    );
    let mut world = of(&text);
    go(&mut world, "x");
    let refused = world.start("it", json!({"k": "bad"})).expect_err("a guard refuses it");
    assert_eq!((refused.message.as_str(), joins(&world, 1)), ("not this one", 0));
}

#[test]
fn r17_what_cannot_be_saved_refuses_the_newcomer_and_changes_nothing() {
    let text =
        WINDOW.replace("input: {}\n", "").replace("event.k }}\", all", "[event.k][1] }}\", all");
    let mut world = of(&text);
    go(&mut world, "x");
    let before = world.of_saga(1).count();
    let refused = world.start("it", json!({"k": "x"})).expect_err("there is no second element");
    assert_eq!(refused.code, RefusalCode::Refused);
    assert!(refused.message.contains("saga 1"), "{}", refused.message);
    assert_eq!((joins(&world, 1), world.of_saga(1).count()), (0, before));
}

/// A wait that the event satisfies as well sees what the newcomer saved.
#[test]
fn r21_the_event_that_joins_is_seen_by_waits_too() {
    let mut world = of(r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
vars: { times: 1 }
eviction: { key: input.k, policy: join, save: { times: "${{ vars.times + 1 }}" } }
timeout: 10m
steps:
  - { id: third, await: { event: go, where: event.k == input.k && vars.times == 3 }, timeout: 1m }
"#);
    go(&mut world, "x");
    go(&mut world, "x");
    assert_eq!(world.state(1), Running);
    go(&mut world, "x");
    assert_eq!((world.state(1), joins(&world, 1)), (Completed, 2));
}

/// A saga of a text that knew no `join` is waited for \[L4\].
#[test]
fn l4_a_saga_of_an_older_text_is_not_joined() {
    let text = |policy: &str| {
        format!(
            "saga: it\ntrigger: {{ event: go }}\neviction: {{ policy: {policy} }}\ntimeout: \
             10m\nsteps: [{{ id: one, issue: a, await: {{ echo: did }}, timeout: 10s }}]\n"
        )
    };
    let mut world = sagas(&[&text("refuse")]);
    go(&mut world, "x");
    world.crash_to(&[("c.catalog.yaml", super::CATALOG), ("0.saga.yaml", &text("join"))]);
    world.connect("host");
    go(&mut world, "x");
    go(&mut world, "x");
    assert_eq!((world.state(1), world.state(2), joins(&world, 2)), (Running, Queued, 1));
    refuse(&mut world, "a");
    assert_eq!(world.state(2), Running);
}

#[test]
fn r17_what_joins_is_told_in_the_story_without_secrets() {
    let mut world = window();
    pair(&mut world, "x", "z");
    pair(&mut world, "y", "z");
    let Some(Record::Joined(joined)) = world.of_saga(1).find(|r| matches!(r, Record::Joined(_)))
    else {
        panic!("it joined");
    };
    assert_eq!(Value::Object(joined.save.clone()), json!({"last": "y", "all": ["x", "y"]}));
    assert_eq!(joined.keys, [json!("y")]);
}

/// A saga that stands for a set hears of each of its elements, also of those that joined \[R6\].
#[test]
fn r6_a_wait_for_one_of_a_list_is_woken_by_each_of_its_elements() {
    let text = |list: &str| {
        format!(
            r#"
saga: it
trigger: {{ event: go }}
input: {{ k: "${{{{ trigger.k }}}}" }}
vars: {{ all: "${{{{ [input.k] }}}}" }}
eviction: {{ policy: join, save: {{ all: "${{{{ vars.all + [event.k] }}}}" }} }}
timeout: 10m
steps:
  - {{ id: one, await: {{ event: nudged, where: event.k in {list} }}, timeout: 1m }}
"#
        )
    };
    for (said, state) in [("x", Completed), ("y", Completed), ("z", Running)] {
        let mut world = of(&text("vars.all"));
        go(&mut world, "x");
        go(&mut world, "y");
        world.crash();
        nudge(&mut world, said);
        assert_eq!(world.state(1), state, "{said}");
    }
}

/// A sub-saga waits for those that came before it, also where nobody holds its key yet \[R18\].
#[test]
fn r18_a_call_under_join_does_not_overtake_who_waits() {
    let kid = r#"
saga: kid
trigger: { call: { fields: { l: { type: array, items: { type: string } } } } }
eviction: { key: trigger.l, policy: join }
timeout: 1m
defaults: { timeout: 10s }
steps:
  - { id: work, issue: a, await: { echo: did } }
  - { id: more, issue: b, await: { echo: did } }
"#;
    let caller = r#"
saga: it
trigger: { event: go }
eviction: { policy: parallel }
timeout: 10m
steps:
  - { id: sub, call: kid, with: { l: ["y"] } }
"#;
    let mut world = sagas(&[caller, kid]);
    world.connect("host");
    world.start("kid", json!({"l": ["x"]})).expect("it is the first");
    did(&mut world, "a");
    refuse(&mut world, "b");
    world.start("kid", json!({"l": ["x", "y"]})).expect("it may wait");
    go(&mut world, "k");
    assert_eq!(world.states(), ["compensating", "queued", "running", "queued"]);
    did(&mut world, "un_a");
    assert_eq!(world.states(), ["running", "running", "queued"], "one after the other");
    did(&mut world, "a");
    did(&mut world, "b");
    assert_eq!(world.states(), ["running", "running"]);
}
