//! Every step of every srv saga failing in every way: no effect is left, or what the definition
//! declares.

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::plan::{Body, Plan, StepIx, Verb};
use sagaflow::saga::record::{Record, State};
use serde_json::{Value, json};

use crate::world::Sent;

use super::{Desk, Fault, furnished};

/// Every shipped srv saga with an input that lets every one of its steps run.
pub fn all() -> [(&'static str, Value); 9] {
    let (tab, block) = ("source_tab_id", "block_id");
    [
        ("tear_off_tab", json!({"tab_id": "t2", "source_workspace_id": "home"})),
        ("tear_off_block", json!({block: "b2", tab: "t1", "source_workspace_id": "home"})),
        (
            "restore_torn_off_tab",
            json!({"tab_id": "t5", "source_workspace_id": "lone", "dest_workspace_id": "home"}),
        ),
        ("promote_block_to_tab", json!({block: "b2", tab: "t1", "workspace_id": "home"})),
        (
            "redock_floating_pane",
            json!({
                block: "b2", tab: "t1", "source_workspace_id": "home",
                "target_tab_id": "t4", "target_workspace_id": "dest",
            }),
        ),
        ("delete_block", json!({block: "b2", "tab_id": "t1"})),
        ("delete_tab", json!({"workspace_id": "home", "tab_id": "t1"})),
        ("delete_workspace", json!({"workspace_id": "home"})),
        ("close_pane", json!({"block_ids": ["b2", "b3"]})),
    ]
}

/// Paths of the steps that issue a command, in the order in which an undisturbed run comes to them.
fn steps(saga: &str, input: &Value) -> Vec<String> {
    let mut desk = Desk::new();
    let id = desk.run(saga, input.clone());
    desk.assert_ended(id, State::Completed);
    desk.done.iter().map(|done| done.split(' ').next().expect("a path").to_owned()).collect()
}

/// How a saga may end when that fault befalls one of its steps.
#[derive(Debug, PartialEq)]
enum Declared {
    /// It fails, and nothing of it is left.
    Nothing,
    /// It completes: the step is one that may fail.
    Completes,
    /// Its point of no return may have been passed: an incident, and srv is asked what is left.
    Incident,
}

fn declared(plan: &Plan, path: &str, fault: Fault) -> Declared {
    let ix = plan.find(path).expect("it is a step");
    let step = plan.step(ix);
    let irreversible = matches!(step.verb, Verb::Issue { irreversible: true, .. });
    let known = matches!(fault, Fault::Refused | Fault::Failed(_));
    // The list in which it stands, or in which what is around it stands.
    let around = std::iter::successors(Some(ix), |ix| Plan::owner(plan.step(*ix).body));
    let top = around.last().expect("it begins with the step itself");
    let place = |of: &dyn Fn(StepIx) -> bool| plan.main.iter().position(|ix| of(*ix));
    let pivot = place(&|ix| plan.step(ix).pivot);
    let is_behind = pivot.is_some() && place(&|ix| ix == top) > pivot;
    let is_left = plan.name.as_ref() == "close_pane" && path.ends_with(".delete");
    if step.body == Body::Finally || plan.step(top).body == Body::Finally {
        Declared::Completes
    } else if is_left {
        // Each is tried by itself, and what is left at the end is an incident.
        Declared::Incident
    } else if step.best_effort {
        Declared::Completes
    } else if is_behind || step.pivot && irreversible && !known {
        Declared::Incident
    } else {
        Declared::Nothing
    }
}

fn plan_of(desk: &Desk, saga: u64) -> Plan {
    let (_, plan) = desk.world.coordinator().saga(SagaId(saga)).expect("it is open");
    plan.clone()
}

/// Runs a saga with a fault in one step, and holds its end to what is declared.
fn check(saga: &str, input: &Value, path: &str, fault: Fault) {
    let mut desk = Desk::with_fault(path, fault);
    let id = desk.start(saga, input.clone()).expect("it may start");
    let plan = plan_of(&desk, id);
    desk.finish();
    let what = format!("{saga}, step {path}, {fault:?}: {:?}", desk.verdict(id));
    assert_eq!(desk.world.terminals(id).len(), 1, "{what}");
    let state = desk.verdict(id).state;
    match declared(&plan, path, fault) {
        Declared::Completes => assert_eq!(state, State::Completed, "{what}"),
        Declared::Incident => assert_eq!(state, State::FailedCompensation, "{what}"),
        Declared::Nothing => {
            assert_eq!(desk.srv, furnished(), "{what}, {:?}", desk.done);
            let undone = desk.undone(id);
            let expected = if undone.is_empty() { State::Failed } else { State::Compensated };
            assert_eq!(state, expected, "{what}");
            assert!(undone.iter().all(|(_, ok)| *ok), "{what}");
        }
    }
    assert_reverse(&desk, &what);
}

/// [R12]: undos come in the reverse order of the ends of what they undo.
fn assert_reverse(desk: &Desk, what: &str) {
    let issued = |record: &Record| {
        let Record::Issued(issued) = record else { return None };
        Some(issued.step.to_string())
    };
    let steps: Vec<String> =
        desk.world.records().iter().filter_map(|fact| issued(&fact.record)).collect();
    let mut forward: Vec<&str> = Vec::new();
    let mut undos: Vec<&str> = Vec::new();
    for step in &steps {
        match step.split_once(".undo") {
            Some((undone, _)) if !undos.contains(&undone) => undos.push(undone),
            Some(_) => {}
            None => forward.push(step),
        }
    }
    let place = |step: &&str| forward.iter().position(|other| other == step);
    let places: Vec<_> = undos.iter().map(place).collect();
    assert!(places.windows(2).all(|pair| pair[0] > pair[1]), "{what}: undone in order {undos:?}");
}

/// bg_z01, bg_y10, bg_y11, bg_y12: every step refused, failed by an event, silent, and done without
/// an answer.
#[test]
fn every_step_that_fails_leaves_no_effect_or_what_is_declared() {
    for (saga, input) in all() {
        for path in steps(saga, &input) {
            for fault in [
                Fault::Refused,
                Fault::Failed("workspace_missing"),
                Fault::Failed("tab_missing"),
                Fault::Failed("block_missing"),
                Fault::Silent,
                Fault::Mute,
            ] {
                if let Fault::Failed(event) = fault
                    && !answers_so(saga, &input, &path, event)
                {
                    continue;
                }
                check(saga, &input, &path, fault);
            }
        }
    }
}

/// Whether the catalog lets that step's command fail so, and the definition does not take it for a
/// success.
fn answers_so(saga: &str, input: &Value, path: &str, event: &str) -> bool {
    let mut desk = Desk::new();
    let id = desk.start(saga, input.clone()).expect("it may start");
    let plan = plan_of(&desk, id);
    let step = plan.step(plan.find(path).expect("it is a step"));
    let Verb::Issue { command, .. } = &step.verb else { return false };
    plan.commands[command].failures.iter().any(|failure| **failure == *event)
}

/// [R13] [R14]: the undo itself fails for good: an incident, whose other undos are done all the
/// same.
#[test]
fn an_undo_that_fails_is_an_incident() {
    for (saga, failing, undo) in [
        ("tear_off_tab", "move", "workspace.undo"),
        ("tear_off_block", "move", "workspace.undo"),
        ("promote_block_to_tab", "move", "tab.undo"),
    ] {
        for fault in [Fault::Refused, Fault::Silent, Fault::Mute] {
            let mut desk = Desk::with_fault(failing, Fault::Mute);
            desk.trouble(undo, fault);
            let input = all().into_iter().find(|(name, _)| *name == saga).expect("it is shipped").1;
            let id = desk.run(saga, input);
            desk.assert_ended(id, State::FailedCompensation);
            let undone = desk.undone(id);
            assert_eq!(undone[0], ("move".to_owned(), true), "{saga} {fault:?}");
            assert!(undone[1..].iter().all(|(_, ok)| !ok), "{saga} {fault:?}: {undone:?}");
        }
    }
}

/// [R11]: an undo whose answer was lost is asked again under its number, and srv says what it said.
#[test]
fn an_undo_whose_answer_was_lost_is_asked_again() {
    for saga in ["tear_off_tab", "tear_off_block", "promote_block_to_tab"] {
        let mut desk = Desk::with_fault("move", Fault::Refused);
        let undo = if saga == "promote_block_to_tab" { "tab.undo" } else { "workspace.undo" };
        desk.trouble(undo, Fault::MuteOnce);
        let input = all().into_iter().find(|(name, _)| *name == saga).expect("it is shipped").1;
        let id = desk.run(saga, input);
        desk.assert_ended(id, State::Compensated);
        assert_eq!(desk.srv, furnished());
        let undos = desk.world.sent().iter().filter(|sent| &*sent.owed.step == undo);
        let ids: Vec<&str> = undos.map(Sent::id).collect();
        assert_eq!(ids, [format!("1.{undo}.1"), format!("1.{undo}.1")]);
    }
}

/// [R14]: an operator has an incident tried again once srv can; its bracket has closed already.
#[test]
fn an_incident_that_is_tried_again_leaves_nothing() {
    for saga in ["tear_off_tab", "tear_off_block", "promote_block_to_tab"] {
        let mut desk = Desk::with_fault("move", Fault::Refused);
        for undo in ["workspace.undo", "tab.undo"] {
            desk.trouble(undo, Fault::Refused);
        }
        let input = all().into_iter().find(|(name, _)| *name == saga).expect("it is shipped").1;
        let id = desk.run(saga, input);
        desk.assert_ended(id, State::FailedCompensation);
        desk.no_more_trouble();
        let asked = desk.world.signal(SagaId(id), Signal::Retry, "srv is well again");
        asked.expect("it is an incident");
        desk.finish();
        assert_eq!(desk.srv, furnished(), "{saga}");
        assert_eq!(desk.world.state(id), State::Compensated);
        assert_eq!(desk.world.terminals(id).len(), 1);
        assert_eq!(desk.world.published("saga_resolved").len(), 1);
    }
}
