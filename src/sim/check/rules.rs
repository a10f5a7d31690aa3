//! What the engine promises of single facts, whatever the saga: how often it asks, when it stops
//! waiting, in which order it undoes, what an answer does. Looks at one fact at a time.

use crate::plan::{Body, Plan, Source, Undo, Verb};
use crate::saga::record::{Ending, Record, State};
use crate::saga::state::{Phase, Saga, StepKey};
use crate::sim::ledger::Ledger;
use crate::sim::world::World;
use crate::time::Timestamp;

use super::judge::{Broken, Property, broken};

/// What is wrong with a fact of a saga, folded already.
pub(super) fn of_fact(
    plan: &Plan,
    saga: &Saga,
    at: Timestamp,
    record: &Record,
    ledger: &Ledger,
) -> Option<Broken> {
    let key = saga.find(plan, record.step()?)?;
    if let Record::Issued(r) = record {
        return bound(plan, saga, key, (at, r.due))
            .or_else(|| tries(plan, saga, key))
            .or_else(|| backwards(plan, saga, key, ledger));
    }
    if let Record::Reissued(r) = record {
        return bound(plan, saga, key, (at, r.due)).or_else(|| tries(plan, saga, key));
    }
    None
}

/// A command has the deadline that its step says; that of an undo may begin later \[R14\].
fn bound(
    plan: &Plan,
    saga: &Saga,
    key: StepKey,
    (at, due): (Timestamp, Option<Timestamp>),
) -> Option<Broken> {
    let timeout = plan.step(key.step).timeout?;
    if due == Some(at + timeout) || (plan.is_undo(key.step) && due.is_none()) {
        return None;
    }
    let path = saga.path(plan, key);
    let words = format!("step `{path}` is not bound by its timeout of {timeout}");
    Some(broken(Property::Deadlines, words))
}

/// A step is tried as often as it says; past the pivot it goes on until the deadline \[R11, R13\].
fn tries(plan: &Plan, saga: &Saga, key: StepKey) -> Option<Broken> {
    let step = plan.step(key.step);
    let most = step.retry.as_ref().map_or(1, |retry| retry.attempts);
    let run = saga.run(key)?;
    let pivots = plan.steps.iter().any(|step| step.pivot);
    let forward_again = pivots && plan.is_forward(key.step);
    // A question may be asked anew when what it was about has changed its course.
    let asks = plan.is_probe(key.step);
    if run.attempt <= most || forward_again || saga.retrying || asks {
        return None;
    }
    let path = saga.path(plan, key);
    let words = format!("step `{path}` is tried {} times, and {most} are said", run.attempt);
    Some(broken(Property::Asking, words))
}

/// What was done last is undone first \[R12\].
fn backwards(plan: &Plan, saga: &Saga, key: StepKey, ledger: &Ledger) -> Option<Broken> {
    if plan.has_branches() {
        return None;
    }
    let mut undone = key;
    while !matches!(plan.step(undone.step).body, Body::Undo(_)) {
        undone = saga.owner(plan, undone)?;
    }
    let undone = saga.owner(plan, undone)?;
    let issued = |key: StepKey| saga.run(key).and_then(|run| run.command.as_ref()).map(|c| c.seq);
    let first = issued(undone)?;
    let later = ledger.standing(saga.id).find(|(_, effect)| {
        let of_step = plan.step(effect.step.step);
        let is_open = saga.run(effect.step).is_some_and(|run| run.undone.is_none());
        let own = matches!(of_step.undo, Undo::Step { .. }) && of_step.covered_by.is_none();
        let main = of_step.body == Body::Main && plan.step(undone.step).body == Body::Main;
        own && main && is_open && issued(effect.step) > Some(first)
    });
    let (_, effect) = later?;
    let (path, later) = (saga.path(plan, undone), saga.path(plan, effect.step));
    let words = format!("step `{path}` is undone before `{later}`, which was done after it");
    Some(broken(Property::Backwards, words))
}

/// A command whose target has been asked already, and may not be asked again \[P4\].
pub(super) fn asked_again(plan: &Plan, saga: &Saga, path: &str) -> Option<Broken> {
    let key = saga.find(plan, path)?;
    let step = plan.step(key.step);
    let Verb::Issue { idempotent: false, command, .. } = &step.verb else { return None };
    let words = format!("`{command}` of step `{path}` is sent twice, and is not idempotent");
    step.wait.is_some().then(|| broken(Property::Asking, words))
}

/// A step that succeeded though nobody answered.
pub(super) fn unanswered(plan: &Plan, saga: &Saga, record: &Record) -> Option<Broken> {
    let Record::Outcome(outcome) = record else { return None };
    let key = saga.find(plan, &outcome.step)?;
    let step = plan.step(key.step);
    let by_echo = |on: &crate::plan::Alternative| on.source == Source::Echo;
    let asks = matches!(step.verb, Verb::Issue { .. })
        && step.wait.as_ref().is_some_and(|wait| wait.alternatives.iter().all(by_echo));
    let words = format!("step `{}` succeeded, and nobody answered", outcome.step);
    (asks && outcome.outcome == Ending::Succeeded).then(|| broken(Property::Answers, words))
}

/// Whether an answer to that step now settles a doubt \[R19\].
pub(super) fn settles(plan: &Plan, saga: &Saga, key: StepKey) -> bool {
    let in_doubt = saga.run(key).is_some_and(|run| {
        run.outcome() == Some(Ending::InDoubt) && run.undone.is_none() && run.command.is_some()
    });
    let began =
        |run: &crate::saga::state::Run| plan.is_undo(run.key.step) && run.phase != Phase::Idle;
    // Of several answers the first ones settle nothing.
    let one = plan.step(key.step).wait.as_ref().is_some_and(|wait| !wait.all);
    one && in_doubt && plan.is_forward(key.step) && !saga.runs.iter().any(began)
}

/// A saga that is on its way and waits for nothing: nothing will ever move it.
pub(super) fn idle(world: &World) -> Option<Broken> {
    // What reactions still have to send is no step's wait.
    let all = world.coordinator().sagas().filter(|(_, plan)| plan.reactions.is_empty());
    for (saga, plan) in all {
        let on_its_way =
            matches!(saga.state, State::Running | State::Compensating) && saga.held.is_none();
        // A step that gave its sub-saga up has ended, and the saga waits for the sub-saga's end.
        if on_its_way && !saga.runs.iter().any(|run| run.is_open() || saga.awaits_child(plan, run))
        {
            let words =
                format!("saga {} is {}, and waits for nothing", saga.id, saga.state.as_str());
            return Some(broken(Property::Ends, words));
        }
    }
    None
}

/// A command that waits for a target that is there, and that nobody owes it; or one that is owed
/// although its saga observes.
pub(super) fn unowed(world: &World) -> Option<Broken> {
    let coordinator = world.coordinator();
    for (saga, plan) in coordinator.sagas().filter(|(saga, _)| !saga.state.is_end()) {
        if saga.observes {
            if coordinator.owed_by(saga.id).is_empty() {
                continue;
            }
            let words = format!("saga {} observes, and something is to be sent", saga.id);
            return Some(broken(Property::Asking, words));
        }
        for run in saga.runs.iter().filter(|run| matches!(run.phase, Phase::Waiting { .. })) {
            let Some(command) = &run.command else { continue };
            let is_it = |owed: &std::sync::Arc<crate::saga::owed::Owed>| {
                owed.command_id == command.id && owed.order == command.owed
            };
            if !coordinator.owed_to(&command.target).any(is_it) {
                let path = saga.path(plan, run.key);
                let words = format!("step `{path}` waits for an answer that nobody was asked for");
                return Some(broken(Property::Asking, words));
            }
        }
    }
    None
}
