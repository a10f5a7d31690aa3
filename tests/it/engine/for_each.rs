//! Loops: one branch an element, with names, variables and an undo of its own \[R5, R12, R22\].

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{go, it, of, refuse};
use crate::world::{Sent, World};

/// A loop over three labels, with two steps for each, before one more step.
fn each(join: &str, more: &str) -> World {
    let mut world = it(&format!(
        r#"
timeout: 10m
defaults: {{ timeout: 10s }}
steps:
  - id: each
    for_each: {{ in: "['x', 'y', 'z']", as: label{more} }}
    steps:
      - id: one
        issue: a
        with: {{ k: "${{{{ label }}}}" }}
        await: {{ echo: did, save: {{ n: "${{{{ event.n }}}}" }} }}
      - {{ id: two, issue: b, with: {{ k: "${{{{ label }}}}${{{{ vars.n }}}}" }}, await: {{ echo: did }} }}
    join: {join}
  - {{ id: last, issue: once, await: {{ echo: did }} }}
result: {{ outcomes: "${{{{ steps.each.outcomes }}}}" }}
"#
    ));
    go(&mut world, "k");
    world
}

/// The newest command under that path.
fn at(world: &World, path: &str) -> Sent {
    let found = world.sent().iter().rev().find(|sent| &*sent.owed.step == path);
    found.unwrap_or_else(|| panic!("{path} was not sent: {:?}", paths(world))).clone()
}

fn paths(world: &World) -> Vec<String> {
    world.sent().iter().map(|sent| sent.owed.step.to_string()).collect()
}

fn did(world: &mut World, path: &str, n: u32) {
    let sent = at(world, path);
    let (event, fields) = match sent.cmd().starts_with("un_") {
        true => ("undid", Value::Null),
        false => ("did", json!({"n": n})),
    };
    world.echo(&sent, event, fields).expect("it is the target's to say");
}

#[test]
fn r5_each_element_has_a_path_and_variables_of_its_own() {
    let mut world = each("all", "");
    assert_eq!(paths(&world), ["each[0].one", "each[1].one", "each[2].one"]);
    assert_eq!(at(&world, "each[1].one").id(), "1.each[1].one.1");
    for (place, n) in [(2, 7), (0, 5), (1, 6)] {
        did(&mut world, &format!("each[{place}].one"), n);
    }
    assert_eq!(at(&world, "each[0].two").with("k"), "x5");
    assert_eq!(at(&world, "each[2].two").with("k"), "z7");
    world.crash();
    world.connect("host");
    for place in 0..3 {
        did(&mut world, &format!("each[{place}].two"), 0);
    }
    super::did(&mut world, "once");
    let result = json!({"outcomes": ["succeeded", "succeeded", "succeeded"]});
    assert_eq!(world.verdict(1).result.as_deref(), Some(&result));
}

#[test]
fn max_parallel_of_one_keeps_the_order_forwards_and_backwards() {
    let mut world = each("all", ", max_parallel: 1");
    for place in 0..3 {
        did(&mut world, &format!("each[{place}].one"), 0);
        did(&mut world, &format!("each[{place}].two"), 0);
    }
    refuse(&mut world, "once");
    for place in [2, 1, 0] {
        did(&mut world, &format!("each[{place}].two.undo"), 0);
        did(&mut world, &format!("each[{place}].one.undo"), 0);
    }
    assert_eq!(world.state(1), State::Compensated);
    let went: Vec<String> = paths(&world);
    assert_eq!(went[..3], ["each[0].one", "each[0].two", "each[1].one"]);
    assert_eq!(went[7..9], ["each[2].two.undo", "each[2].one.undo"]);
}

#[test]
fn max_parallel_bounds_how_many_elements_are_open() {
    let mut world = each("settled", ", max_parallel: 2");
    assert_eq!(paths(&world), ["each[0].one", "each[1].one"]);
    let sent = at(&world, "each[0].one");
    world.fail(&sent, "no");
    assert_eq!(paths(&world)[2..], ["each[2].one"]);
    for path in ["each[1].one", "each[1].two", "each[2].one", "each[2].two"] {
        did(&mut world, path, 0);
    }
    super::did(&mut world, "once");
    let result = json!({"outcomes": ["failed", "succeeded", "succeeded"]});
    assert_eq!(world.verdict(1).result.as_deref(), Some(&result));
}

#[test]
fn r12_the_first_failure_of_all_cancels_the_others_and_undoes_every_element_at_once() {
    let mut world = each("all", "");
    did(&mut world, "each[0].one", 1);
    let sent = at(&world, "each[1].one");
    world.fail(&sent, "no");
    let undos: Vec<String> = paths(&world)[4..].to_vec();
    assert_eq!(undos, ["each[0].two.undo", "each[2].one.undo"]);
    did(&mut world, "each[2].one.undo", 0);
    did(&mut world, "each[0].two.undo", 0);
    did(&mut world, "each[0].one.undo", 0);
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(1).cause, Some(Cause::ActionFailed));
    assert_eq!(at(&world, "each[0].one.undo").with("k"), "x", "R12: the values that it had");
}

#[test]
fn r22_the_first_element_of_any_wins_and_the_others_are_undone() {
    let mut world = each("any", "");
    did(&mut world, "each[1].one", 0);
    did(&mut world, "each[1].two", 0);
    did(&mut world, "each[0].one.undo", 0);
    assert_ne!(world.commands().last().map(String::as_str), Some("once"));
    did(&mut world, "each[2].one.undo", 0);
    super::did(&mut world, "once");
    let result = json!({"outcomes": ["in_doubt", "succeeded", "in_doubt"]});
    assert_eq!(world.verdict(1).result.as_deref(), Some(&result));
}

#[test]
fn what_is_collected_is_in_the_order_of_the_elements() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: each
    for_each: { in: "[3, 4, 5]", as: number, collect: number * 10 + steps.one.echo.n }
    steps: [{ id: one, issue: look, await: { echo: did } }]
    join: settled
result: { all: "${{ steps.each.collected }}" }
"#);
    go(&mut world, "k");
    did(&mut world, "each[2].one", 2);
    let sent = at(&world, "each[1].one");
    world.fail(&sent, "no");
    did(&mut world, "each[0].one", 1);
    assert_eq!(world.verdict(1).result.as_deref(), Some(&json!({"all": [31, 52]})));
}

#[test]
fn a_loop_over_nothing_is_over_at_once() {
    for (join, state) in
        [("all", State::Completed), ("settled", State::Completed), ("any", State::Failed)]
    {
        let mut world = it(&format!(
            r"
timeout: 10m
steps:
  - id: each
    for_each: {{ in: 'filter_of', as: one }}
    steps: [{{ id: pause, delay: 1s }}]
    join: {join}
"
        )
        .replace("'filter_of'", "'[1].filter(x, x > 1)'"));
        go(&mut world, "k");
        assert_eq!(world.state(1), state, "{join}");
    }
}

#[test]
fn r11_a_loop_that_is_retried_begins_again_with_new_variables() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: each
    for_each: { in: "[1, 2]", as: number }
    steps:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: look, await: { echo: did } }
    join: all
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }
"#);
    go(&mut world, "k");
    did(&mut world, "each[0].one", 0);
    did(&mut world, "each[1].one", 0);
    let sent = at(&world, "each[0].two");
    world.fail(&sent, "no");
    did(&mut world, "each[0].one.undo", 0);
    world.crash();
    world.connect("host");
    did(&mut world, "each[1].one.undo", 0);
    world.advance(Millis(1_000));
    for path in ["each[0].one", "each[1].one", "each[0].two", "each[1].two"] {
        did(&mut world, path, 0);
    }
    assert_eq!(at(&world, "each[0].one").id(), "1.each[0].one.2");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn loops_inside_loops_and_branches_keep_their_places() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: outer
    for_each: { in: "['p', 'q']", as: left }
    steps:
      - id: fork
        parallel:
          up:
            - id: inner
              for_each: { in: "[1, 2]", as: right }
              steps:
                - id: work
                  issue: a
                  with: { k: "${{ left }}${{ right }}" }
                  await: { echo: did }
              join: all
          down: [{ id: other, issue: c, with: { k: "${{ left }}" }, await: { echo: did } }]
        join: all
    join: all
  - { id: last, issue: look, await: { echo: did } }
"#);
    go(&mut world, "k");
    let work = |outer, inner| format!("outer[{outer}].fork.up.inner[{inner}].work");
    assert_eq!(at(&world, &work(1, 0)).with("k"), "q1");
    for outer in 0..2 {
        did(&mut world, &format!("outer[{outer}].fork.down.other"), 0);
        did(&mut world, &work(outer, 1), 0);
        did(&mut world, &work(outer, 0), 0);
    }
    refuse(&mut world, "look");
    let undos: Vec<String> = paths(&world).split_off(7);
    assert_eq!(undos.len(), 6, "all at once: {undos:?}");
    for path in undos {
        did(&mut world, &path, 0);
    }
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn r6_each_element_waits_for_its_own_event() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: each
    for_each: { in: "['x', 'y']", as: label }
    steps: [{ id: wait, await: { event: nudged, where: event.k == label } }]
    join: all
"#);
    go(&mut world, "k");
    world.report("tool", "nudged", json!({"k": "y"})).expect("it is declared");
    assert!(world.trail(1).contains(&"each[1].wait succeeded".to_owned()));
    assert!(!world.trail(1).contains(&"each[0].wait succeeded".to_owned()));
    world.report("tool", "nudged", json!({"k": "x"})).expect("it is declared");
    assert_eq!(world.state(1), State::Completed);
}

#[test]
fn a_list_that_is_too_long_is_known_not_to_have_been_gone_through() {
    let mut world = of(r#"
saga: it
trigger: { call: { fields: { list: { type: array, items: { type: integer } } } } }
input: { list: "${{ trigger.list }}" }
eviction: { policy: parallel }
timeout: 1m
steps:
  - id: each
    for_each: { in: input.list, as: one }
    steps: [{ id: pause, delay: 1s }]
    join: all
"#);
    let list: Vec<u32> = (0..1_001).collect();
    world.start("it", json!({"list": list})).expect("it may be started");
    assert_eq!(world.verdict(1).cause, Some(Cause::Fault));
    world.start("it", json!({"list": list[1..]})).expect("it may be started");
    world.advance(Millis(1_000));
    assert_eq!(world.state(2), State::Completed);
}

#[test]
fn r12_all_elements_are_undone_at_once() {
    let mut world = it(r#"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: each
    for_each: { in: "['abcdefghij', 'abcdefghij']", as: word }
    steps:
      - id: inner
        for_each: { in: "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", as: number }
        steps: [{ id: one, issue: a, await: { echo: did } }]
        join: all
    join: all
"#);
    go(&mut world, "k");
    assert_eq!(world.commands().len(), 20);
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    let undos = world.commands().iter().filter(|cmd| *cmd == "un_a").count();
    assert_eq!(undos, 20);
}

#[test]
fn r12_a_cancel_in_the_middle_of_a_loop_undoes_what_was_begun() {
    let mut world = each("all", ", max_parallel: 1");
    did(&mut world, "each[0].one", 0);
    did(&mut world, "each[0].two", 0);
    world.signal(SagaId(1), Signal::Cancel, "enough").expect("it runs");
    for path in ["each[1].one.undo", "each[0].two.undo", "each[0].one.undo"] {
        did(&mut world, path, 0);
    }
    assert_eq!(world.state(1), State::Compensated);
}
