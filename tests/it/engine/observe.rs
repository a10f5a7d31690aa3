//! `mode: observe`: everything but sending. What the code reports that still acts stands for the
//! answers \[R3, R5, R6, R12, R19, P2, P3, P5, P10, L4\].

use sagaflow::coordinator::RefusalCode;
use sagaflow::saga::record::{Cause, Record, State};
use sagaflow::time::Millis;
use serde_json::{Value, json};

use crate::world::World;

const CATALOG: &str = r#"
targets: { host: { buffer: 2, disconnect_timeout: 5s } }
events:
  go: { fields: { k: { type: string } } }
  made: { fields: { k: { type: string }, n: { type: integer, default: 0 } } }
  not_made: { fields: { k: { type: string } } }
  unmade: { fields: { k: { type: string } } }
  seen: { fields: { k: { type: string }, there: { type: boolean } } }
  told: { fields: { k: { type: string } } }
commands:
  make: { target: host, fields: { k: { type: string } }, echoes: [made], failures: [not_made],
      idempotent: true, undo: unmake }
  make_once: { target: host, fields: { k: { type: string } }, echoes: [made],
      failures: [not_made], idempotent: false, undo: unmake }
  unmake: { target: host, fields: { k: { type: string } }, echoes: [unmade], idempotent: true,
      undo: none }
  burn: { target: host, fields: { k: { type: string } }, echoes: [made], idempotent: true,
      undo: irreversible }
  look: { target: host, fields: { k: { type: string } }, echoes: [seen], idempotent: true,
      undo: none }
  tell: { target: host, fields: { k: { type: string } }, echoes: [], idempotent: true, undo: none }
"#;

const HEAD: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
eviction: { policy: parallel }
timeout: 10m
mode: observe
defaults: { timeout: 10s }
"#;

/// Two steps: the first is undone when the second fails.
const TWO: &str = r#"
steps:
  - id: one
    issue: make
    with: { k: "${{ input.k }}" }
    await: { echo: made, where: event.k == input.k, save: { n: "${{ event.n }}" } }
  - id: two
    issue: make
    with: { k: "${{ input.k + '2' }}" }
    await: { echo: made, where: event.k == input.k + '2' }
result: { n: "${{ vars.n }}" }
"#;

fn world(sagas: &[&str]) -> World {
    let names: Vec<String> = (0..sagas.len()).map(|n| format!("{n}.saga.yaml")).collect();
    let mut files = vec![("c.catalog.yaml", CATALOG)];
    files.extend(names.iter().map(String::as_str).zip(sagas.iter().copied()));
    World::new(&files)
}

/// A world with the saga and the host that the other code drives.
fn observing(rest: &str) -> World {
    let mut world = world(&[&format!("{HEAD}{rest}")]);
    world.connect("host");
    world
}

/// The host, or whoever knows, reports what the other code did.
fn hear(world: &mut World, event: &str, k: &str) {
    world.report("host", event, json!({ "k": k })).expect("it is declared");
}

fn begun(rest: &str) -> World {
    let mut world = observing(rest);
    hear(&mut world, "go", "k");
    world
}

#[test]
fn r5_others_reports_stand_for_the_answers_and_nobody_is_sent_anything() {
    let mut world = begun(TWO);
    hear(&mut world, "made", "other");
    assert_eq!(world.trail(1), ["one issued"], "`where` says whose it is");
    world.report("host", "made", json!({"k": "k", "n": 7})).expect("it is declared");
    hear(&mut world, "made", "k2");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.verdict(1).result.as_deref(), Some(&json!({"n": 7})));
    assert!(world.commands().is_empty());
    let said = |record: &&Record| {
        matches!(record, Record::Began(began) if began.observes)
            || matches!(record, Record::Issued(issued) if issued.observed)
    };
    assert_eq!(world.of_saga(1).filter(said).count(), 3);
    let started = world.published("saga_started")[0];
    assert_eq!(started.fields["mode"], "observe");
}

#[test]
fn r5_an_answer_to_another_saga_and_an_emitted_event_stand_for_none() {
    let live = HEAD.replace("mode: observe", "mode: live").replace("saga: it", "saga: live");
    let live = format!("{live}{TWO}finally: [{{ id: say, emit: made, with: {{ k: kk2 }} }}]\n");
    let mut world = world(&[&format!("{HEAD}{TWO}"), &live]);
    world.connect("host");
    hear(&mut world, "go", "k");
    let asked = world.last("make");
    assert_eq!(asked.owed.saga.0, 2, "the live one sends");
    world.echo(&asked, "made", json!({"k": "k"})).expect("it is the target's to say");
    assert_eq!(world.trail(1), ["one issued"]);
    hear(&mut world, "made", "k");
    assert_eq!(world.trail(1), ["one issued", "one succeeded", "two issued"]);
    let asked = world.last("make");
    world.echo(&asked, "made", json!({"k": "k2"})).expect("it is the target's to say");
    assert_eq!(world.published("made").last().map(|e| &e.fields["k"]), Some(&json!("kk2")));
    assert_eq!(world.state(1), State::Running);
}

#[test]
fn w6_who_answers_a_saga_that_asked_nobody_is_told_so() {
    let mut world = begun(TWO);
    let said = world.report_with("host", "made", json!({"k": "k"}), Some((1, "one")), None);
    let refusal = said.expect_err("nobody was asked");
    assert_eq!(refusal.code, RefusalCode::NotAllowed);
    assert!(refusal.message.contains("observes"), "{}", refusal.message);
    assert_eq!(world.trail(1), ["one issued"]);
}

#[test]
fn r11_a_failure_of_the_catalog_is_known_by_what_it_repeats_of_the_command() {
    let mut world = begun(TWO);
    hear(&mut world, "not_made", "other");
    assert_eq!(world.state(1), State::Running);
    hear(&mut world, "not_made", "k");
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.cause), (State::Failed, Some(Cause::ActionFailed)));
}

#[test]
fn r12_p10_a_silent_step_is_in_doubt_and_its_undo_waits_for_the_report_that_it_was_done() {
    for host in [true, false] {
        let mut world = begun(TWO);
        if !host {
            world.disconnect("host");
        }
        world.report("tool", "made", json!({"k": "k"})).expect("it is declared");
        world.advance(Millis(10_000));
        assert_eq!(world.state(1), State::Compensating, "no session is waited for");
        assert_eq!(world.trail(1)[3..], ["two in_doubt", "unwinding timed_out", "two.undo issued"]);
        world.report("tool", "unmade", json!({"k": "k2"})).expect("it is declared");
        world.report("tool", "unmade", json!({"k": "k"})).expect("it is declared");
        assert_eq!(world.verdict(1).state, State::Compensated);
        assert!(world.commands().is_empty());
    }
}

#[test]
fn r14_an_undo_that_nobody_reports_leaves_an_incident() {
    let mut world = begun(TWO);
    hear(&mut world, "not_made", "k");
    assert_eq!(world.verdict(1).state, State::Failed);
    hear(&mut world, "go", "l");
    hear(&mut world, "made", "l");
    hear(&mut world, "not_made", "l2");
    world.advance(Millis(10_000));
    assert_eq!(world.verdict(2).state, State::FailedCompensation);
}

#[test]
fn r19_a_late_report_settles_a_doubt_before_its_undo_began() {
    let mut world = begun(&format!("{TWO}# late\n").replace(
        "await: { echo: made, where: event.k == input.k, save: { n: \"${{ event.n }}\" } }",
        "await: { echo: made, where: event.k == input.k, save: { n: \"${{ event.n }}\" } }\n    \
         retry: { attempts: 2, backoff: constant, delay: 5s, on: [timeout] }",
    ));
    world.advance(Millis(11_000));
    assert_eq!(world.trail(1), ["one issued"], "between two attempts");
    hear(&mut world, "made", "k");
    assert_eq!(world.trail(1), ["one issued", "one succeeded", "two issued"]);
}

#[test]
fn r11_a_retry_after_doubt_asks_again_on_record_alone() {
    let mut world = begun(&TWO.replace(
        "save: { n: \"${{ event.n }}\" } }",
        "save: { n: \"${{ event.n }}\" } }\n    retry: { attempts: 2, backoff: constant, delay: \
         5s, on: [timeout] }",
    ));
    world.advance(Millis(16_000));
    assert!(world.of_saga(1).any(|record| matches!(record, Record::Reissued(_))));
    hear(&mut world, "made", "k");
    hear(&mut world, "made", "k2");
    assert_eq!((world.verdict(1).state, world.commands().len()), (State::Completed, 0));
}

#[test]
fn p2_p3_p4_targets_that_are_away_or_come_back_change_nothing() {
    let steps = TWO.replace("issue: make\n", "issue: make_once\n");
    let mut world = world(&[&format!("{HEAD}{steps}")]);
    for k in ["k", "l", "m", "n"] {
        world.report("tool", "go", json!({ "k": k })).expect("it is declared");
    }
    assert_eq!(world.open().len(), 4, "four wait, and a buffer of two is not theirs");
    world.advance(Millis(6_000));
    world.connect("host");
    world.disconnect("host");
    world.connect("host");
    assert_eq!(world.open().len(), 4);
    assert!(world.commands().is_empty());
    world.advance(Millis(5_000));
    assert_eq!(world.states(), ["compensating"; 4]);
}

#[test]
fn p5_what_awaits_nothing_is_over_at_once_and_reactions_keep_no_end_waiting() {
    let mut world = begun(
        r#"
reactions:
  - { event: told, where: event.k == input.k, issue: tell, with: { k: "${{ event.k }}" } }
  - { echo: made, where: event.k == input.k, issue: tell, with: { k: "${{ event.k }}" } }
steps:
  - { id: say, issue: tell, with: { k: "${{ input.k }}" }, await: none }
  - id: one
    issue: look
    with: { k: "${{ input.k }}" }
    await: { echo: seen, where: event.k == input.k }
finally:
  - { id: bye, issue: tell, with: { k: "${{ input.k }}" }, await: none }
"#,
    );
    assert_eq!(world.trail(1), ["say issued", "say succeeded", "one issued"]);
    world.disconnect("host");
    world.report("tool", "told", json!({"k": "k"})).expect("it is declared");
    world.report("tool", "made", json!({"k": "k"})).expect("it is declared");
    world.report("tool", "seen", json!({"k": "k", "there": true})).expect("it is declared");
    assert_eq!(world.verdict(1).state, State::Completed);
    let fired = world.of_saga(1).filter(|one| matches!(one, Record::Reacted(it) if it.observed));
    assert_eq!(fired.count(), 2);
    world.connect("host");
    assert!(world.commands().is_empty());
}

#[test]
fn r23_what_it_emits_is_on_record_and_nobody_hears_it() {
    let listener = r#"
saga: listener
trigger: { event: told }
eviction: { policy: parallel }
timeout: 10m
steps: [{ id: rest, delay: 1s }]
"#;
    let rest = r#"
reactions: [{ event: made, where: event.k == input.k, emit: told, with: { k: "${{ input.k }}" } }]
steps:
  - { id: say, emit: told, with: { k: "${{ input.k }}" } }
  - { id: one, await: { event: seen, where: event.k == input.k } }
"#;
    let mut world = world(&[&format!("{HEAD}{rest}"), listener]);
    world.connect("host");
    hear(&mut world, "go", "k");
    hear(&mut world, "made", "k");
    assert_eq!(world.trail(1), ["say succeeded"]);
    let emitted =
        world.of_saga(1).filter(|one| matches!(one, Record::Emitted(it) if it.observed)).count();
    assert_eq!((emitted, world.published("told").len(), world.open().len()), (2, 0, 1));
    hear(&mut world, "told", "k");
    assert_eq!(world.open().len(), 2, "what others report starts sagas as ever");
}

#[test]
fn r11_a_probe_is_not_sent_either_and_is_answered_by_whoever_knows() {
    let rest = r#"
steps:
  - id: one
    issue: make_once
    with: { k: "${{ input.k }}" }
    await: { echo: made, where: event.k == input.k }
    probe:
      issue: look
      with: { k: "${{ input.k }}" }
      await: { echo: seen, where: event.k == input.k }
      timeout: 10s
      done_when: event.there
"#;
    let mut world = begun(rest);
    world.advance(Millis(10_000));
    assert_eq!(world.state(1), State::Running);
    world.report("host", "seen", json!({"k": "k", "there": true})).expect("it is declared");
    assert_eq!((world.verdict(1).state, world.commands().len()), (State::Completed, 0));
}

#[test]
fn r13_what_cannot_be_undone_is_passed_as_soon_as_others_may_have_done_it() {
    let rest = r#"
steps:
  - id: turn
    issue: burn
    with: { k: "${{ input.k }}" }
    await: { echo: made, where: event.k == input.k }
    pivot: true
"#;
    let mut world = begun(rest);
    let refused = world.signal(sagaflow::ids::SagaId(1), sagaflow::coordinator::Signal::Cancel, "");
    assert!(refused.is_err(), "{refused:?}");
    hear(&mut world, "made", "k");
    assert_eq!(world.verdict(1).state, State::Completed);
}

const CALLER: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
eviction: { policy: parallel }
timeout: 10m
mode: observe
defaults: { timeout: 10s }
steps:
  - { id: sub, call: child, with: { k: "${{ input.k }}" } }
  - id: two
    issue: make
    with: { k: "${{ input.k + '2' }}" }
    await: { echo: made, where: event.k == input.k + '2' }
"#;

const CHILD: &str = r#"
saga: child
trigger: { call: { fields: { k: { type: string } } } }
input: { k: "${{ trigger.k }}" }
eviction: { policy: parallel }
timeout: 1m
mode: observe
defaults: { timeout: 10s }
steps:
  - id: work
    issue: make
    with: { k: "${{ input.k }}" }
    await: { echo: made, where: event.k == input.k }
"#;

#[test]
fn r12_what_it_calls_observes_too_and_is_undone_by_what_is_reported() {
    let mut world = world(&[CALLER, CHILD]);
    world.connect("host");
    hear(&mut world, "go", "k");
    hear(&mut world, "made", "k");
    hear(&mut world, "not_made", "k2");
    assert_eq!(world.states(), ["compensating", "compensating"]);
    hear(&mut world, "unmade", "k");
    assert_eq!(world.verdict(1).state, State::Compensated);
    assert_eq!(world.verdict(2).state, State::Compensated);
    assert!(world.commands().is_empty());
}

/// The text that a call runs is the one that stood beside its caller.
#[test]
fn l4_a_sub_saga_that_went_live_meanwhile_is_observed_all_the_same() {
    let late = CALLER.replace("steps:\n", "steps:\n  - { id: rest, delay: 1m }\n");
    let mut world = world(&[&late, CHILD]);
    world.connect("host");
    hear(&mut world, "go", "k");
    let live = CHILD.replace("mode: observe", "mode: live");
    let caller = late.replace("mode: observe", "mode: live");
    let files = [("c.catalog.yaml", CATALOG), ("0.saga.yaml", &*caller), ("1.saga.yaml", &*live)];
    world.crash_to(&files);
    world.connect("host");
    world.advance(Millis(60_000));
    assert_eq!(world.states(), ["running", "running"]);
    assert!(world.commands().is_empty());
}

#[test]
fn l4_going_live_changes_the_next_saga_and_none_that_runs() {
    let mut world = begun(TWO);
    let live = format!("{HEAD}{TWO}").replace("mode: observe", "mode: live");
    world.crash_to(&[("c.catalog.yaml", CATALOG), ("0.saga.yaml", &live)]);
    world.connect("host");
    assert!(world.commands().is_empty(), "the one that runs goes on observing");
    hear(&mut world, "go", "l");
    assert_eq!(world.last("make").owed.saga.0, 2);
    hear(&mut world, "made", "k");
    hear(&mut world, "made", "k2");
    assert_eq!(world.verdict(1).state, State::Completed);
    assert_eq!(world.commands(), ["make"]);
}

/// Reports in the order in which they come, with what is expected of them.
const STORIES: [&[(&str, &str)]; 3] = [
    &[("made", "k"), ("made", "k2")],
    &[("made", "k"), ("not_made", "k2"), ("unmade", "k")],
    &[("not_made", "k")],
];

#[test]
fn r3_a_crash_after_any_commit_changes_nothing() {
    for story in STORIES {
        let told = |crash_after: Option<usize>| {
            let mut world = begun(TWO);
            let reports = story.iter().enumerate();
            for (place, (event, k)) in reports {
                if crash_after == Some(place) {
                    world.crash();
                    world.connect("host");
                }
                hear(&mut world, event, k);
            }
            (world.trail(1), world.verdict(1), world.commands().len())
        };
        let plain = told(None);
        for place in 0..story.len() {
            assert_eq!(told(Some(place)), plain, "{story:?}, a crash before {place}");
        }
        // And in the commit that takes a report.
        for place in 0..story.len() {
            let mut world = begun(TWO);
            for (at, (event, k)) in story.iter().enumerate() {
                if at == place {
                    world.begin_turn();
                    world.hear("host", event, json!({ "k": k }), None);
                    world.commit_and_crash();
                    world.connect("host");
                } else {
                    hear(&mut world, event, k);
                }
            }
            assert_eq!((world.trail(1), world.verdict(1)), (plain.0.clone(), plain.1.clone()));
        }
    }
}

#[test]
fn r17_it_contends_as_ever() {
    let text = format!("{HEAD}{TWO}").replace("{ policy: parallel }", "{ policy: ignore }");
    let mut world = world(&[&text]);
    world.connect("host");
    hear(&mut world, "go", "k");
    hear(&mut world, "go", "l");
    assert_eq!(world.open(), [1]);
}

#[test]
fn r22_an_organic_report_is_used_up_by_one_wait() {
    let rest = r#"
steps:
  - id: one
    issue: make
    with: { k: "${{ input.k }}" }
    await: { echo: made, where: event.k == input.k }
  - id: two
    issue: make
    with: { k: "${{ input.k }}" }
    await: { echo: made, where: event.k == input.k }
"#;
    let mut world = begun(rest);
    hear(&mut world, "made", "k");
    assert_eq!(world.trail(1), ["one issued", "one succeeded", "two issued"]);
    let _ = world.report("host", "made", Value::Null).expect_err("it has no `k`");
    hear(&mut world, "made", "k");
    assert_eq!(world.verdict(1).state, State::Completed);
}
