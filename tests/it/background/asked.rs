//! What the authors of the earlier launcher found wanting, or asked for, as far as the engine
//! answers it: each test fails on what they had. What the wire and the faces answer is tested
//! there.

use serde_json::{Value, json};

use sagaflow::coordinator::{RefusalCode, Signal};
use sagaflow::ids::SagaId;
use sagaflow::launcher::Loaded;
use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;

use crate::engine::{CATALOG, alone, did, go, it, of, refuse};
use crate::world::{Sent, World};

/// Every pair of the list, in both orders, and each with itself.
fn pairs<T: Copy>(list: &[T]) -> impl Iterator<Item = (T, T)> {
    list.iter().flat_map(|one| list.iter().map(|other| (*one, *other)))
}

/// The log was durable and nothing came of it: at boot whatever had run was marked as failed.
#[test]
fn bg_11_1_what_ran_at_a_crash_runs_on_to_the_end_that_it_would_have_had() {
    let saga = "timeout: 10m\ndefaults: { timeout: 60s }\nsteps:\n  - { id: one, issue: a, await: \
                { echo: did } }\n  - { id: two, issue: b, await: { echo: did } }\n";
    let mut world = it(saga);
    for _ in 0..3 {
        go(&mut world, "k");
    }
    let first: Vec<Sent> = world.sent().to_vec();
    world.echo(&first[1], "did", Value::Null).expect("it is the host's to say");
    world.echo(&first[2], "did", Value::Null).expect("it is the host's to say");
    let second = world.last("b");
    world.fail(&second, "no");
    world.crash();
    world.connect("host");
    let states = [1, 2, 3].map(|saga| world.state(saga));
    assert_eq!(states, [State::Running, State::Running, State::Compensating]);
    did(&mut world, "un_a");
    world.echo(&first[0], "did", Value::Null).expect("it is the host's to say");
    for sent in world.sent().to_vec().iter().filter(|sent| sent.cmd() == "b") {
        world.echo(sent, "did", Value::Null).expect("it is the host's to say");
    }
    let states = [1, 2, 3].map(|saga| world.state(saga));
    assert_eq!(states, [State::Completed, State::Completed, State::Compensated]);
}

/// A window that was asked for counted as a window that is there.
#[test]
fn bg_11_2_what_was_only_taken_note_of_is_not_done() {
    let catalog = r"
targets: { host: {} }
events:
  go: {}
  window_requested: {}
  window_there: {}
commands:
  open_window: { target: host, echoes: [window_requested, window_there], idempotent: true,
      undo: none }
";
    let saga = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: 10m\n\
                steps: [{ id: open, issue: open_window, await: { echo: window_there }, timeout: \
                60s }]";
    let mut world = World::new(&[("c.catalog.yaml", catalog), ("it.saga.yaml", saga)]);
    world.connect("host");
    world.report("tool", "go", Value::Null).expect("it is declared");
    let sent = world.last("open_window");
    world.echo(&sent, "window_requested", Value::Null).expect("it is the host's to say");
    world.advance(Millis(59_000));
    assert_eq!(world.state(1), State::Running, "asked for, and not there");
    world.echo(&sent, "window_there", Value::Null).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Completed);
}

/// Deadline, failure, pipe, eviction and shutdown each ended sagas by themselves.
#[test]
fn bg_11_3_whatever_wants_to_end_a_saga_in_whatever_order_it_ends_once_and_asks_nothing_more() {
    let saga =
        "timeout: 20s\nsteps: [{ id: one, issue: look, await: { echo: did }, timeout: 20s }]";
    type Ender = (&'static str, fn(&mut World));
    let enders: [Ender; 5] = [
        ("answer", |world| drop(did(world, "look"))),
        ("failure", |world| refuse(world, "look")),
        ("deadline", |world| world.advance(Millis(20_000))),
        ("cancel", |world| drop(world.signal(SagaId(1), Signal::Cancel, "enough"))),
        ("absence", |world| {
            world.disconnect("host");
            world.advance(Millis(40_000));
            world.connect("host");
        }),
    ];
    for ((first, one), (second, other)) in pairs(&enders) {
        let mut world = it(saga);
        go(&mut world, "k");
        one(&mut world);
        let (ended, asked) = (world.terminals(1), world.sent().len());
        other(&mut world);
        assert_eq!((ended.len(), world.terminals(1)), (1, ended), "{first}, then {second}");
        assert_eq!(world.sent().len(), asked, "{first}, then {second}");
    }
}

/// Without ids an echo completed two sagas; then overlapping triggers were dropped, then evicted.
#[test]
fn bg_11_4_sagas_of_one_kind_side_by_side_take_each_its_own_answer() {
    let mut world =
        it("timeout: 10m\nsteps: [{ id: one, issue: a, await: { echo: did }, timeout: 60s }]");
    for _ in 0..2 {
        go(&mut world, "same");
    }
    let [first, second] = [world.sent()[0].clone(), world.sent()[1].clone()];
    world.report("host", "did", Value::Null).expect("it is declared");
    assert_eq!(world.open(), [1, 2], "nobody's answer answers nobody");
    world.echo(&second, "did", Value::Null).expect("it is the host's to say");
    assert_eq!(world.open(), [1]);
    world.echo(&first, "did", Value::Null).expect("it is the host's to say");
    assert_eq!([world.state(1), world.state(2)], [State::Completed; 2]);
}

/// One rule for all kinds: whoever came second was dropped, or put out whoever came first.
#[test]
fn bg_11_5_each_definition_says_over_which_key_and_how_its_sagas_contend() {
    let saga = |policy: &str| {
        format!(
            "saga: it\ntrigger: {{ event: go }}\ninput: {{ k: \"${{{{ trigger.k }}}}\" }}\n\
             {policy}timeout: 10m\nsteps: [{{ id: one, issue: look, await: {{ echo: did }}, \
             timeout: 60s }}]\n"
        )
    };
    let open = |policy: &str| {
        let mut world = of(&saga(policy));
        world.connect("host");
        for k in ["a", "a", "b"] {
            go(&mut world, k);
        }
        world.open()
    };
    assert_eq!(open("eviction: { policy: parallel }\n"), [1, 2, 3]);
    assert_eq!(open("eviction: { key: input.k, policy: ignore }\n"), [1, 2], "each key its own");
    assert_eq!(open("eviction: { policy: ignore }\n"), [1], "the name is the key");
    assert_eq!(open("eviction: { key: input.k, policy: replace }\n"), [2, 3]);
    let files = [("c.catalog.yaml", CATALOG.into()), ("it.saga.yaml", saga("").into_bytes())];
    let loaded = Loaded::of(files.map(|(name, text)| (name.to_owned(), text)).into());
    assert!(loaded.diagnostics.has_errors(), "who says nothing does not run");
}

/// The memory of what was done lay in the process that did it, and went with it; and it knew a
/// command by its kind, so that a second attempt was taken for a repetition.
#[test]
fn bg_11_6_who_remembers_command_ids_acts_once_whoever_of_the_two_crashes() {
    let retry = "retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }";
    let mut world = it(&format!(
        "timeout: 10m\nsteps: [{{ id: one, issue: a, await: {{ echo: did }}, timeout: 60s, \
         {retry} }}]"
    ));
    go(&mut world, "k");
    let mut done: Vec<String> = Vec::new();
    // It acts, writes that down, and is gone before it can say so; then the launcher is.
    for gone in [World::crash, |world: &mut World| world.disconnect("host")] {
        let id = world.last("a").id().to_owned();
        if !done.contains(&id) {
            done.push(id);
        }
        gone(&mut world);
        world.connect("host");
    }
    assert_eq!(world.sent().len(), 3, "it was asked each time");
    assert_eq!(done, ["1.one.1"], "and under one id");
    let again = world.last("a");
    world.fail(&again, "not yet");
    world.advance(Millis(1_000));
    assert_eq!(world.last("a").id(), "1.one.2", "another attempt is no repetition");
    did(&mut world, "a");
    assert_eq!(world.state(1), State::Completed);
}

/// What was pending at a crash was given up, done or not.
#[test]
fn bg_11_9_what_was_pending_at_a_crash_is_asked_again_if_it_may_be_and_else_taken_back() {
    for (command, again, end) in [
        ("look", &["look", "look"][..], State::Completed),
        ("a", &["a", "a"], State::Completed),
        ("once", &["once", "un_once"], State::Compensated),
    ] {
        let mut world = it(&format!(
            "timeout: 10m\nsteps: [{{ id: one, issue: {command}, await: {{ echo: did }}, \
             timeout: 5m }}]"
        ));
        go(&mut world, "k");
        world.crash();
        world.connect("host");
        assert_eq!(world.commands(), again);
        did(&mut world, again[1]);
        assert_eq!(world.state(1), end, "{command}");
    }
}

/// Memory was changed first, then the store, and what failed in between had happened in one of
/// them alone.
#[test]
fn bg_11_10_all_that_an_answer_brings_about_is_durable_or_none_of_it_is() {
    let saga = "timeout: 10m\ndefaults: { timeout: 60s }\nsteps:\n  - { id: one, issue: a, await: \
                { echo: did } }\n  - { id: say, emit: nudged, with: { k: x } }\n  - { id: two, \
                issue: b, await: { echo: did } }\n";
    for commits in [false, true] {
        let mut world = it(saga);
        go(&mut world, "k");
        let (trail, told) = (world.trail(1), world.events().len());
        world.begin_turn();
        world.hear("host", "did", json!({"k": "", "n": 0}), Some((1, "one")));
        if commits {
            world.commit_and_crash();
        } else {
            world.crash();
        }
        let more = &world.trail(1)[trail.len()..];
        let nudged = world.events()[told..].iter().filter(|event| &*event.name == "nudged").count();
        world.connect("host");
        if commits {
            assert_eq!(more, ["one succeeded", "say succeeded", "two issued"]);
            assert_eq!((nudged, world.last("b").id()), (1, "1.two.1"));
        } else {
            assert!(more.is_empty(), "{more:?}");
            assert_eq!((nudged, world.commands()), (0, vec!["a".to_owned(); 2]));
        }
    }
}

/// Every command and event was a variant of one enum that all processes shared, and a strange one
/// had a rejection of its own in each of them, or a panic.
#[test]
fn bg_11_14_a_vocabulary_is_a_file_and_what_is_not_in_it_is_refused_where_it_comes_in() {
    let saga = |command: &str| {
        format!(
            "saga: it\ntrigger: {{ event: go }}\neviction: {{ policy: parallel }}\ntimeout: 5s\n\
             steps: [{{ id: one, issue: {command}, await: {{ echo: floating }} }}]\n"
        )
    };
    let catalog = "targets: { lift: {} }\nevents: { go: {}, floating: {} }\ncommands:\n  \
                   levitate: { target: lift, echoes: [floating], idempotent: true, undo: none }\n";
    let mut world = World::new(&[("c.catalog.yaml", catalog), ("it.saga.yaml", &saga("levitate"))]);
    world.connect("lift");
    world.report("tool", "go", Value::Null).expect("it is declared");
    let refused = world.report("lift", "sinking", Value::Null).expect_err("nobody declares it");
    assert_eq!(refused.code, RefusalCode::UnknownEvent);
    let sent = world.last("levitate");
    world.echo(&sent, "floating", Value::Null).expect("it is the lift's to say");
    assert_eq!(world.state(1), State::Completed);

    let files = [("c.catalog.yaml", catalog.to_owned()), ("it.saga.yaml", saga("gravitate"))];
    let files = files.map(|(name, text)| (name.to_owned(), text.into_bytes()));
    let loaded = Loaded::of(files.into());
    let codes: Vec<_> = loaded.diagnostics.iter().map(|found| found.code.as_str()).collect();
    assert_eq!(codes, ["SF102"], "found before anything runs");
}

/// A clean stop, a crash and a failure all read `failed`, and ordinary failures were relabelled as
/// crashes at the next boot.
#[test]
fn bg_11_16_how_a_saga_came_to_its_end_is_a_word_of_its_own() {
    let saga = |more: &str| {
        format!(
            "{more}\ntimeout: 10m\nsteps: [{{ id: one, issue: look, await: {{ echo: did }}, \
             timeout: 60s }}]"
        )
    };
    type Ender = fn(&mut World);
    let stop: Ender = World::restart_cleanly;
    let crash: Ender = World::crash;
    let cases: [(&str, Ender, Option<Cause>); 6] = [
        ("", |world| world.advance(Millis(60_000)), Some(Cause::ActionFailed)),
        ("", |world| drop(world.signal(SagaId(1), Signal::Cancel, "no")), Some(Cause::Cancelled)),
        ("", stop, None),
        ("", crash, None),
        ("on_shutdown: cancel", stop, Some(Cause::Shutdown)),
        ("on_restart: fail", crash, Some(Cause::Restart)),
    ];
    for (number, (more, ender, cause)) in cases.into_iter().enumerate() {
        let mut world = it(&saga(more));
        go(&mut world, "k");
        if number == 0 {
            refuse(&mut world, "look");
        } else {
            ender(&mut world);
        }
        let Some(cause) = cause else {
            assert_eq!(world.state(1), State::Running, "{number}: it only rests");
            continue;
        };
        assert_eq!(world.verdict(1).cause, Some(cause), "{number}");
        let before = world.of_saga(1).count();
        world.crash();
        assert_eq!(world.of_saga(1).count(), before, "{number}: no boot says it anew");
    }
}

/// A changed command made old rows unreadable.
#[test]
fn bg_11_18_l4_a_saga_ends_by_the_definition_and_the_words_with_which_it_began() {
    let mut world =
        it("timeout: 10m\ndefaults: { timeout: 60s }\nsteps:\n  - { id: one, issue: a, await: { \
            echo: did } }\n  - { id: two, issue: b, await: { echo: did } }\n");
    go(&mut world, "k");
    // The event, both commands and their undoing are gone, and the saga asks for something else.
    let catalog = r"
targets: { host: {} }
events: { go: { fields: { k: { type: string } } }, rung: {} }
commands:
  ring: { target: host, echoes: [rung], idempotent: true, undo: none }
";
    let saga = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: 10m\n\
                steps: [{ id: one, issue: ring, await: { echo: rung }, timeout: 60s }]";
    world.crash_to(&[("c.catalog.yaml", catalog), ("it.saga.yaml", saga)]);
    world.connect("host");
    did(&mut world, "a");
    refuse(&mut world, "b");
    did(&mut world, "un_a");
    assert_eq!(world.state(1), State::Compensated);
    go(&mut world, "k");
    assert_eq!(world.last("ring").id(), "2.one.1", "who begins now begins with what is now");
    let refused = world.report("host", "did", Value::Null).expect_err("nobody needs it any more");
    assert_eq!(refused.code, RefusalCode::UnknownEvent);
}

/// The host did by itself what the saga asked it to do, and each took the other's report for its
/// own.
#[test]
fn bg_11_21_work_that_is_done_by_others_too_is_told_apart() {
    let mut world = alone(
        "timeout: 10m\nsteps: [{ id: one, issue: a, await: { echo: did, save: { k: \"${{ event.k \
         }}\" } }, timeout: 60s }]\nresult: { k: \"${{ vars.k }}\" }",
    );
    world.connect("host");
    go(&mut world, "k");
    world.report("host", "did", json!({"k": "old code"})).expect("it is declared");
    assert_eq!(world.state(1), State::Running);
    let sent = world.last("a");
    world.echo(&sent, "did", json!({"k": "its own"})).expect("it is the host's to say");
    let completed = &world.published("saga_completed")[0].fields;
    assert_eq!(completed["result"]["k"], "its own");
    let told: Vec<_> =
        world.published("did").iter().map(|event| !event.fields["saga_id"].is_null()).collect();
    assert_eq!(told, [false, true], "both are told, each as what it is");
}

/// "Written to the pipe" counted as done with.
#[test]
fn bg_6_5_7_p4_a_command_is_owed_until_it_is_answered_and_not_until_it_is_written() {
    let mut world =
        it("timeout: 10m\nsteps: [{ id: one, issue: a, await: { echo: did }, timeout: 5m }]");
    go(&mut world, "k");
    for _ in 0..3 {
        world.disconnect("host");
        world.connect("host");
    }
    let ids: Vec<&str> = world.sent().iter().map(Sent::id).collect();
    assert_eq!(ids, ["1.one.1"; 4], "whoever comes next is asked");
    did(&mut world, "a");
    world.disconnect("host");
    world.connect("host");
    assert_eq!(world.sent().len(), 4, "and after the answer nobody");
}

/// Which saga a buffered command belonged to was known of three kinds of commands only; what was
/// dropped of the others failed nobody, and its saga waited for ever.
#[test]
fn bg_6_4_7_whatever_command_is_dropped_its_own_saga_fails() {
    for command in ["a", "once", "burn", "look", "tell_once"] {
        let wait = if command == "tell_once" { "" } else { ", await: { echo: did }" };
        let mut world = alone(&format!(
            "timeout: 10m\nsteps: [{{ id: one, issue: {command}{wait}, timeout: 5m, pivot: true }}]"
        ));
        for _ in 0..4 {
            go(&mut world, "k");
        }
        assert_eq!(world.open(), [2, 3, 4], "{command}: three fit");
        assert_eq!(world.verdict(1).cause, Some(Cause::Unreachable), "{command}");
        world.advance(Millis(30_000));
        assert!(world.open().is_empty(), "{command}: and none waits for ever");
    }
}
