//! The paths of a saga, and what each costs at best and at worst. Evaluates no condition: a path
//! that no value leads to is listed all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cost::{self, Cost, How};
use super::undoers;
use crate::limits::PLAN_PATHS_MAX;
use crate::plan::{OnTimeout, Plan, Policy, StepIx, Verb};
use crate::time::Millis;

/// What a saga may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The first paths in the order of the text, each step's success first.
    pub paths: Vec<Path>,
    /// How many there are in all.
    pub total: u64,
    /// A bound that holds on every path, also on those that are not listed.
    pub any: Bounds,
}

/// One way through a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// What tells it from the others, in order.
    pub turns: Vec<(Arc<str>, Turn)>,
    /// How it ends when nothing else goes wrong.
    pub end: End,
    /// What it costs.
    pub bounds: Bounds,
}

/// How a step that forks is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its `if` is false.
    Skipped,
    /// It runs, and nothing more is to be told.
    Runs,
    /// That alternative of its `await` comes: its place, and the event.
    Answer(usize, Arc<str>),
    /// Its timeout passes, and `on_timeout` says how it goes on.
    TimesOut,
}

/// How a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All its steps are behind it, or a `done`.
    Completes,
    /// At a `fail`: what was done is undone, unless the point of no return lies behind.
    Fails,
}

/// What a path costs. A time that is `None` has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The least time to its end, `finally` included.
    pub best: Millis,
    /// The most time to its end, `finally` included.
    pub worst: Option<Millis>,
    /// The most time from turning around to its end, `finally` included.
    pub undo_worst: Option<Millis>,
    /// The most commands sent, if it turns around where that costs most.
    pub commands: u64,
    /// The most records written, likewise.
    pub records: u64,
}

/// Lists the paths of a saga.
#[must_use]
pub fn forecast(plan: &Plan) -> Forecast {
    let mut walks = vec![Walk::default()];
    follow(plan, &plan.main, &mut walks);
    let paths: Vec<Path> = walks.into_iter().map(|walk| path(plan, walk)).collect();
    let total = ways(plan, &plan.main).total();
    let any = if total == paths.len() as u64 {
        paths.iter().map(|path| path.bounds).reduce(Bounds::or).unwrap_or_default()
    } else {
        ceiling(plan)
    };
    Forecast { paths, total, any }
}

impl Bounds {
    fn or(self, other: Bounds) -> Bounds {
        let longer = |a: Option<Millis>, b: Option<Millis>| Some(a?.max(b?));
        Bounds {
            best: self.best.min(other.best),
            worst: longer(self.worst, other.worst),
            undo_worst: longer(self.undo_worst, other.undo_worst),
            commands: self.commands.max(other.commands),
            records: self.records.max(other.records),
        }
    }
}

/// A path as far as it was followed.
#[derive(Clone, Debug, Default)]
struct Walk {
    turns: Vec<(Arc<str>, Turn)>,
    cost: Cost,
    /// What it cost until the point of no return, once that lies behind.
    before: Option<Cost>,
    /// Steps whose own undo runs if it turns around.
    undoers: BTreeSet<StepIx>,
    end: Option<End>,
}

/// Follows all walks through a list of steps. Those beyond the bound are dropped from the end, so
/// that the first ones are complete.
fn follow(plan: &Plan, steps: &[StepIx], walks: &mut Vec<Walk>) {
    for ix in steps {
        let mut next = Vec::new();
        for walk in walks.drain(..) {
            if next.len() >= PLAN_PATHS_MAX {
                break;
            }
            if walk.end.is_some() {
                next.push(walk);
            } else {
                enter(plan, *ix, walk, &mut next);
            }
        }
        next.truncate(PLAN_PATHS_MAX);
        *walks = next;
    }
}

fn enter(plan: &Plan, ix: StepIx, walk: Walk, out: &mut Vec<Walk>) {
    let step = plan.step(ix);
    let first = out.len();
    runs(plan, ix, &walk, out);
    if can_time_out(plan, ix) {
        times_out(plan, ix, &walk, out);
    }
    for ran in &mut out[first..] {
        // Its failure is recorded, and the saga goes on.
        if step.best_effort && ran.end == Some(End::Fails) {
            ran.end = None;
        }
    }
    if step.condition.is_some() {
        if let [only] = &mut out[first..]
            && only.turns.len() == walk.turns.len()
        {
            only.turns.push((step.path.clone(), Turn::Runs));
        }
        let mut skipped = walk;
        skipped.turns.push((step.path.clone(), Turn::Skipped));
        skipped.cost = skipped.cost + Cost::of_records(1);
        out.push(skipped);
    }
}

fn runs(plan: &Plan, ix: StepIx, walk: &Walk, out: &mut Vec<Walk>) {
    let step = plan.step(ix);
    match &step.verb {
        Verb::Group(steps) => {
            let mut inside = vec![Walk { before: walk.before, ..Walk::default() }];
            follow(plan, steps, &mut inside);
            out.extend(inside.into_iter().map(|inside| around(plan, ix, walk, inside)));
        }
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } => {
            let ran = pass(plan, ix, How::Answered, walk);
            let forks = alternatives(plan, ix);
            let answers = step.wait.iter().flat_map(|wait| &wait.alternatives).take(forks);
            for (place, answer) in answers.enumerate() {
                let mut one = ran.clone();
                one.turns.push((step.path.clone(), Turn::Answer(place, answer.event.clone())));
                out.push(one);
            }
            if forks == 0 {
                out.push(ran);
            }
        }
        // What forks inside of branches is not told apart: each is taken in its most costly way.
        Verb::Delay(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Call(_)
        | Verb::Recall => {
            out.push(pass(plan, ix, How::Answered, walk));
        }
        Verb::Done => {
            let ran = pass(plan, ix, How::Answered, walk);
            out.push(Walk { end: Some(End::Completes), ..ran });
        }
        Verb::Fail(_) => {
            let ran = pass(plan, ix, How::Answered, walk);
            out.push(Walk { end: Some(End::Fails), ..ran });
        }
    }
}

/// Alternatives of a step by which paths differ: none, where there is only one way to succeed and
/// to go on.
fn alternatives(plan: &Plan, ix: StepIx) -> usize {
    let Some(wait) = &plan.step(ix).wait else { return 0 };
    let only = wait.all || wait.alternatives.len() < 2;
    if !only {
        wait.alternatives.len()
    } else {
        // Beside a way that times out, the answer is worth its name.
        usize::from(can_time_out(plan, ix) && !wait.all && !wait.alternatives.is_empty())
    }
}

fn can_time_out(plan: &Plan, ix: StepIx) -> bool {
    let step = plan.step(ix);
    let waits =
        step.verb.holds_steps() || step.wait.is_some() || matches!(step.verb, Verb::Call(_));
    waits && step.timeout.is_some() && step.on_timeout != OnTimeout::Fail
}

fn times_out(plan: &Plan, ix: StepIx, walk: &Walk, out: &mut Vec<Walk>) {
    let mut late = pass(plan, ix, How::TimedOut, walk);
    late.turns.push((plan.step(ix).path.clone(), Turn::TimesOut));
    let mut late = vec![late];
    if let OnTimeout::Steps(steps) = &plan.step(ix).on_timeout {
        follow(plan, steps, &mut late);
    }
    out.append(&mut late);
}

/// Goes past a step in which no path forks.
fn pass(plan: &Plan, ix: StepIx, how: How, walk: &Walk) -> Walk {
    let mut walk = walk.clone();
    let within = holds_pivot(plan, ix);
    let past = walk.before.is_some() || plan.step(ix).pivot || within;
    let inside = cost::within(plan, ix, past);
    let spent = cost::of_step(plan, ix, how, inside, past);
    if walk.before.is_none() {
        if within {
            undoers(plan, ix, &mut walk.undoers);
        }
        if plan.step(ix).pivot || within {
            // The pivot itself may be known to have failed, which turns the saga around.
            walk.before = Some(walk.cost + spent);
        } else {
            undoers(plan, ix, &mut walk.undoers);
        }
    }
    walk.cost = walk.cost + spent;
    walk
}

/// Whether the point of no return is in one of its branches.
fn holds_pivot(plan: &Plan, ix: StepIx) -> bool {
    let inside = plan.step(ix).verb.branches();
    !inside.is_empty()
        && (0u32..)
            .map(StepIx)
            .zip(&plan.steps)
            .any(|(at, one)| one.pivot && plan.is_within(at, ix))
}

/// Goes past a group by that way through it.
fn around(plan: &Plan, ix: StepIx, walk: &Walk, inside: Walk) -> Walk {
    let mut walk = walk.clone();
    let past = walk.before.is_some();
    let spent = |inside| cost::of_step(plan, ix, How::Answered, inside, past);
    if !past {
        walk.before = inside.before.map(|before| walk.cost + spent(before));
        let own = plan.step(ix).covered_by.unwrap_or(ix);
        if super::undo_of(plan, own).is_empty() {
            walk.undoers.extend(inside.undoers);
        } else {
            walk.undoers.insert(own);
        }
        if plan.step(ix).pivot {
            walk.before = Some(walk.cost + spent(inside.cost));
        }
    }
    walk.cost = walk.cost + spent(inside.cost);
    walk.turns.extend(inside.turns);
    walk.end = inside.end;
    walk
}

fn path(plan: &Plan, walk: Walk) -> Path {
    let end = walk.end.unwrap_or(End::Completes);
    let undo = cost::undoing(plan, &walk.undoers);
    let turns_around = end == End::Fails && walk.before.is_none();
    let before = walk.before.unwrap_or(walk.cost);
    let bounds = bounds(plan, walk.cost, before, undo, turns_around);
    Path { turns: walk.turns, end, bounds }
}

/// From the cost of the whole way, of the way until it cannot turn around any more, and of undoing.
fn bounds(plan: &Plan, way: Cost, before: Cost, undo: Cost, turns_around: bool) -> Bounds {
    let last = cost::of_list(plan, &plan.finally, false);
    let forward = way.worst.within(plan.timeout);
    let undone = if turns_around { undo } else { Cost::default() };
    // The cancel or the like that turns it around, and that it does.
    let turned = before.records.saturating_add(undo.records).saturating_add(2);
    Bounds {
        best: (way + undone + last).best,
        worst: (forward + undone.worst + last.worst).bounded(),
        undo_worst: (undo.worst + last.worst).bounded(),
        commands: way
            .commands
            .max(before.commands.saturating_add(undo.commands))
            .saturating_add(last.commands),
        records: way.records.max(turned).saturating_add(last.records).saturating_add(frame(plan)),
    }
}

/// Records around the steps: what triggers it, its beginning and its end.
fn frame(plan: &Plan) -> u64 {
    let queued = matches!(plan.eviction.policy, Policy::Queue);
    3 + u64::from(queued) + u64::from(!plan.finally.is_empty())
}

/// What no path exceeds: every step in its most costly way, and all undone.
fn ceiling(plan: &Plan) -> Bounds {
    let pivot = plan.steps.iter().any(|step| step.pivot);
    let way = cost::of_list(plan, &plan.main, pivot);
    let undo = cost::undoing(plan, &cost::undone_by(plan, &plan.main));
    let mut all = bounds(plan, way, way, undo, true);
    // A `done` may end it before anything takes time.
    all.best = Millis(0);
    all
}

/// How many ways lead through a list of steps, by where they end.
#[derive(Clone, Copy, Debug)]
struct Ways {
    on: u64,
    done: u64,
    failed: u64,
}

impl Ways {
    fn total(self) -> u64 {
        self.on.saturating_add(self.done).saturating_add(self.failed)
    }

    fn on(on: u64) -> Ways {
        Ways { on, done: 0, failed: 0 }
    }

    fn or(self, other: Ways) -> Ways {
        Ways {
            on: self.on.saturating_add(other.on),
            done: self.done.saturating_add(other.done),
            failed: self.failed.saturating_add(other.failed),
        }
    }
}

fn ways(plan: &Plan, steps: &[StepIx]) -> Ways {
    steps.iter().fold(Ways::on(1), |before, ix| {
        let step = ways_of(plan, *ix);
        let many = |ways: u64| before.on.saturating_mul(ways);
        Ways { on: many(step.on), done: before.done, failed: before.failed }.or(Ways {
            on: 0,
            done: many(step.done),
            failed: many(step.failed),
        })
    })
}

fn ways_of(plan: &Plan, ix: StepIx) -> Ways {
    let step = plan.step(ix);
    let mut all = match &step.verb {
        Verb::Group(steps) => ways(plan, steps),
        Verb::Issue { .. }
        | Verb::Await
        | Verb::Emit { .. }
        | Verb::Delay(_)
        | Verb::Call(_)
        | Verb::Recall
        | Verb::Parallel { .. }
        | Verb::ForEach(_) => Ways::on(alternatives(plan, ix).max(1) as u64),
        Verb::Done => Ways { on: 0, done: 1, failed: 0 },
        Verb::Fail(_) => Ways { on: 0, done: 0, failed: 1 },
    };
    if can_time_out(plan, ix) {
        all = all.or(match &step.on_timeout {
            OnTimeout::Steps(steps) => ways(plan, steps),
            OnTimeout::Fail | OnTimeout::Continue => Ways::on(1),
        });
    }
    if step.best_effort {
        all = Ways { on: all.on.saturating_add(all.failed), failed: 0, ..all };
    }
    if step.condition.is_some() { all.or(Ways::on(1)) } else { all }
}
