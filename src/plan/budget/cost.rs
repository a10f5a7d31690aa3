//! What a step costs beside time: commands and records, at most and at least. Time is that of the
//! module above; which steps a path takes is in `forecast`.
//!
//! Records are counted as `saga::decide` writes them. Answers that come late or twice are not.

use std::collections::BTreeSet;
use std::ops::Add;

use super::{Share, share, undo_of, undoers};
use crate::limits::{FOR_EACH_MAX, FORWARD_RETRY_FIRST, FORWARD_RETRY_MAX};
use crate::plan::{ForEach, Join, OnTimeout, Plan, Retry, StepIx, Undo, Verb};
use crate::time::Millis;

/// An upper bound of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// What timeouts, retries and pauses add up to.
    pub sure: Millis,
    /// Whether it waits, beside that, for something that no timeout of a step bounds.
    pub open: bool,
}

impl Longest {
    /// The same under a bound.
    #[must_use]
    pub fn within(self, bound: Option<Millis>) -> Longest {
        match bound {
            Some(bound) if self.open => Longest { sure: bound, open: false },
            Some(bound) => Longest { sure: self.sure.min(bound), open: false },
            None => self,
        }
    }

    /// The bound, if there is one.
    #[must_use]
    pub fn bounded(self) -> Option<Millis> {
        (!self.open).then_some(self.sure)
    }

    /// The longer of two that run at the same time.
    #[must_use]
    pub fn or(self, other: Longest) -> Longest {
        Longest { sure: self.sure.max(other.sure), open: self.open || other.open }
    }
}

impl Add for Longest {
    type Output = Longest;

    fn add(self, other: Longest) -> Longest {
        let sure = Millis(self.sure.0.saturating_add(other.sure.0));
        Longest { sure, open: self.open || other.open }
    }
}

/// What a stretch of a saga costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The least time, when every answer comes at once.
    pub best: Millis,
    /// The most time.
    pub worst: Longest,
    /// Commands sent at most.
    pub commands: u64,
    /// Records written at most.
    pub records: u64,
}

impl Cost {
    pub(super) fn of_records(records: u64) -> Cost {
        Cost { records, ..Cost::default() }
    }

    /// Either of two: the better best and the worse of all else.
    pub(super) fn or(self, other: Cost) -> Cost {
        Cost {
            best: self.best.min(other.best),
            worst: self.worst.or(other.worst),
            commands: self.commands.max(other.commands),
            records: self.records.max(other.records),
        }
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost {
            best: Millis(self.best.0.saturating_add(other.best.0)),
            worst: self.worst + other.worst,
            commands: self.commands.saturating_add(other.commands),
            records: self.records.saturating_add(other.records),
        }
    }
}

/// How a step that runs goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// In the end it succeeds, or fails otherwise than by time.
    Answered,
    /// Its last attempt passes its timeout.
    TimedOut,
}

/// A step that runs. `inside` is what one attempt costs within, for a group; `past`: the point of
/// no return lies behind or is this step, so that it is tried again until the deadline \[R13\].
pub(super) fn of_step(plan: &Plan, ix: StepIx, how: How, inside: Cost, past: bool) -> Cost {
    let share = share(plan, ix);
    let step = plan.step(ix);
    let group = step.verb.holds_steps();
    let attempts = u64::from(share.attempts);
    let mut cost = if group {
        let one = around_group(inside);
        let undoing = undoing(plan, &undone_by(plan, &[ix]));
        // Entered, undoing, and the pause before the next one.
        let failed = within(plan, ix, past) + undoing + Cost::of_records(3);
        let times = |count: u64| count.saturating_mul(attempts - 1);
        Cost {
            commands: times(failed.commands).saturating_add(one.commands),
            records: times(failed.records).saturating_add(one.records),
            ..one
        }
    } else {
        let tries = if past { tries_until_deadline(plan, ix) } else { attempts };
        let (commands, records) = of_attempt(plan, ix);
        Cost {
            commands: commands.saturating_mul(tries),
            records: records.saturating_mul(tries).saturating_add(settling(plan, ix)),
            ..Cost::default()
        }
    };
    let last = if group { inside.worst.within(step.timeout).sure } else { share.attempt };
    cost.worst = Longest { sure: share.tries(last), open: is_open(plan, ix, &share, inside) };
    cost.worst.open |= past && goes_on(plan, ix);
    cost.best = match how {
        How::Answered => inside.best.max(delay(plan, ix)),
        How::TimedOut => soonest_timeout(plan, ix, &share),
    };
    cost
}

/// Whether a step's time is unbounded, what runs in its place left aside: that is added by itself.
fn is_open(plan: &Plan, ix: StepIx, share: &Share, inside: Cost) -> bool {
    let step = plan.step(ix);
    match &step.on_timeout {
        // The alternative alone may be what has no bound.
        OnTimeout::Steps(_) if step.timeout.is_some() => false,
        OnTimeout::Steps(_) | OnTimeout::Fail | OnTimeout::Continue => {
            share.open || inside.worst.within(step.timeout).open
        }
    }
}

/// One attempt of a group: entered, what is inside, and its outcome.
fn around_group(inside: Cost) -> Cost {
    inside + Cost::of_records(2)
}

/// All that may be inside a group, in its most costly way.
pub(super) fn within(plan: &Plan, ix: StepIx, past: bool) -> Cost {
    match &plan.step(ix).verb {
        Verb::Group(steps) => of_list(plan, steps, past),
        Verb::Parallel { branches, join } => of_branches(plan, branches, *join, past),
        Verb::ForEach(each) => of_loop(plan, each, past),
        Verb::Issue { .. }
        | Verb::Await
        | Verb::Emit { .. }
        | Verb::Delay(_)
        | Verb::Call(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => Cost::default(),
    }
}

/// Branches that run at once: the time is that of the longest, all else adds up. Losers are undone
/// before the way goes on.
fn of_branches(plan: &Plan, branches: &[StepIx], join: Join, past: bool) -> Cost {
    let each: Vec<Cost> = branches.iter().map(|roof| of_any(plan, *roof, past)).collect();
    let longest = each.iter().fold(Longest::default(), |longest, one| longest.or(one.worst));
    let sum = each.iter().fold(Cost::default(), |sum, one| sum + *one);
    let best = each.iter().map(|one| one.best);
    let best = match join {
        Join::All | Join::Settled => best.max(),
        Join::Any => best.min(),
    };
    let all = Cost { best: best.unwrap_or_default(), worst: longest, ..sum };
    match join {
        Join::All | Join::Settled => all,
        Join::Any => {
            let undone = undoing(plan, &undone_by(plan, branches));
            let lost = undone + Cost::of_records(1);
            Cost { best: all.best, ..all + lost }
        }
    }
}

/// A loop: nobody knows how many elements there will be. All at once take the time of one.
fn of_loop(plan: &Plan, each: &ForEach, past: bool) -> Cost {
    let one = of_branches(plan, std::slice::from_ref(&each.roof), each.join, past);
    let most = FOR_EACH_MAX as u64;
    let worst = Longest { open: one.worst.open || each.max_parallel.is_some(), ..one.worst };
    Cost {
        best: Millis(0),
        worst,
        commands: one.commands.saturating_mul(most),
        records: one.records.saturating_mul(most),
    }
}

/// A list of steps, each in its most costly way.
pub(super) fn of_list(plan: &Plan, steps: &[StepIx], past: bool) -> Cost {
    steps.iter().fold(Cost::default(), |sum, ix| sum + of_any(plan, *ix, past))
}

fn of_any(plan: &Plan, ix: StepIx, past: bool) -> Cost {
    let step = plan.step(ix);
    let inside = within(plan, ix, past);
    let answered = of_step(plan, ix, How::Answered, inside, past);
    let ran = match &step.on_timeout {
        OnTimeout::Fail => answered,
        OnTimeout::Continue => answered.or(of_step(plan, ix, How::TimedOut, inside, past)),
        OnTimeout::Steps(steps) => {
            let timed_out = of_step(plan, ix, How::TimedOut, inside, past);
            answered.or(timed_out + of_list(plan, steps, past))
        }
    };
    if step.condition.is_some() { ran.or(Cost::of_records(1)) } else { ran }
}

/// Steps whose own undo runs when all of these may have happened.
pub(super) fn undone_by(plan: &Plan, steps: &[StepIx]) -> BTreeSet<StepIx> {
    let mut found = BTreeSet::new();
    steps.iter().for_each(|ix| undoers(plan, *ix, &mut found));
    found
}

/// Undoing these steps, one after the other.
pub(super) fn undoing(plan: &Plan, steps: &BTreeSet<StepIx>) -> Cost {
    steps.iter().fold(Cost::default(), |sum, ix| {
        let marks = Cost::of_records(1 + stood_for(plan, *ix).len() as u64);
        let asked = of_questions(plan, *ix);
        let one = of_list(plan, undo_of(plan, *ix), false) + asked + marks;
        // Each element is undone, and those of a loop in order one after the other.
        let most = (FOR_EACH_MAX as u64).saturating_pow(plan.step(*ix).loops);
        let in_order = |at: &StepIx| plan.step(*at).verb.is_in_order();
        let open = one.worst.open || plan.loops_around(*ix).iter().any(in_order);
        sum + Cost {
            worst: Longest { open, ..one.worst },
            commands: one.commands.saturating_mul(most),
            records: one.records.saturating_mul(most),
            ..one
        }
    })
}

/// The question about a step before it is undone: asked, answered, and what that settles.
fn of_question(plan: &Plan, ix: StepIx) -> Cost {
    let Some(probe) = &plan.step(ix).probe else { return Cost::default() };
    let (commands, records) = of_attempt(plan, probe.step);
    Cost { best: Millis(0), worst: super::question(plan, ix), commands, records: records + 1 }
}

/// The same about all that an undo stands for: they are asked at once.
fn of_questions(plan: &Plan, ix: StepIx) -> Cost {
    let loops = plan.step(ix).loops;
    let asked = std::iter::once(ix).chain(stood_for(plan, ix));
    let all = asked.fold(Cost::default(), |sum, one| {
        let question = of_question(plan, one);
        let deeper = plan.step(one).loops.saturating_sub(loops);
        let most = (FOR_EACH_MAX as u64).saturating_pow(deeper);
        let commands = question.commands.saturating_mul(most);
        sum + Cost { commands, records: question.records.saturating_mul(most), ..question }
    });
    Cost { worst: super::questions(plan, ix), ..all }
}

/// Other steps that an undo stands for: what it covers, and all inside of that and of its step.
pub(super) fn stood_for(plan: &Plan, ix: StepIx) -> Vec<StepIx> {
    let covers = match &plan.step(ix).undo {
        Undo::Step { covers, .. } => covers.as_slice(),
        Undo::Nothing => &[],
    };
    let mut roofs = covers.to_vec();
    roofs.push(ix);
    let stands = |step: &StepIx| {
        covers.contains(step) || roofs.iter().any(|roof| plan.is_within(*step, *roof))
    };
    let all = (0..plan.steps.len()).filter_map(|at| u32::try_from(at).ok()).map(StepIx);
    all.filter(|step| stands(step) && !plan.is_undo(*step)).collect()
}

/// Commands and records of one attempt of a step that is no group.
fn of_attempt(plan: &Plan, ix: StepIx) -> (u64, u64) {
    let step = plan.step(ix);
    // Each alternative of an `all_of` is an event, and a mark unless it is the last.
    let answer = match &step.wait {
        Some(wait) if wait.all => (2 * wait.alternatives.len() as u64).saturating_sub(1),
        Some(_) => 1,
        None => 0,
    };
    let asked = of_question(plan, ix);
    match &step.verb {
        Verb::Issue { .. } => {
            let armed = u64::from(plan.is_undo(ix));
            // Without a wait: that it was sent.
            let answer = if step.wait.is_some() { answer } else { 1 };
            (1 + asked.commands, 2 + answer + armed + asked.records)
        }
        Verb::Await => (0, 2 + answer),
        Verb::Emit { .. } => (0, 2 + answer + u64::from(step.wait.is_some())),
        Verb::Delay(_) => (0, 2),
        // Entered, what became of the sub-saga three times, its outcome; and all of its own.
        Verb::Call(call) => (call.costs.commands, 6 + call.costs.records),
        // What it undoes was counted with the sub-saga.
        Verb::Recall => (0, 3),
        Verb::Group(_) | Verb::Parallel { .. } | Verb::ForEach(_) | Verb::Fail(_) | Verb::Done => {
            (0, 1)
        }
    }
}

/// Records of an answer that settles a doubt after its step was given up \[R19\].
fn settling(plan: &Plan, ix: StepIx) -> u64 {
    let step = plan.step(ix);
    match &step.verb {
        Verb::Issue { .. } if step.wait.is_some() => of_attempt(plan, ix).1,
        Verb::Issue { .. }
        | Verb::Await
        | Verb::Emit { .. }
        | Verb::Delay(_)
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Call(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => 0,
    }
}

fn delay(plan: &Plan, ix: StepIx) -> Millis {
    match &plan.step(ix).verb {
        Verb::Delay(span) => *span,
        Verb::Call(call) => call.costs.best,
        Verb::Issue { .. }
        | Verb::Await
        | Verb::Emit { .. }
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => Millis(0),
    }
}

/// Whether past the point of no return a failure of the step is tried again until the deadline.
fn goes_on(plan: &Plan, ix: StepIx) -> bool {
    let step = plan.step(ix);
    let tried = match &step.verb {
        Verb::Issue { .. } | Verb::Await | Verb::Call(_) => true,
        Verb::Emit { .. } => step.wait.is_some(),
        Verb::Delay(_)
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => false,
    };
    tried && !step.best_effort && step.on_timeout == OnTimeout::Fail && plan.timeout.is_some()
}

/// Attempts of a step past the point of no return when each fails at once: its own, then one after
/// each pause until the deadline.
fn tries_until_deadline(plan: &Plan, ix: StepIx) -> u64 {
    let own = plan.step(ix).retry.as_ref().map_or(1, |retry| retry.attempts.max(1));
    let (true, Some(deadline)) = (goes_on(plan, ix), plan.timeout) else { return own.into() };
    // The pauses double, up to the longest: the few that grow are walked, the rest divided.
    let (mut left, mut tries, mut failed) = (deadline.0, u64::from(own), own);
    loop {
        let pause = FORWARD_RETRY_FIRST.0 << failed.saturating_sub(1).min(16);
        if left == 0 {
            return tries;
        }
        if pause >= FORWARD_RETRY_MAX.0 {
            return tries + left.div_ceil(FORWARD_RETRY_MAX.0);
        }
        left = left.saturating_sub(pause);
        (tries, failed) = (tries + 1, failed + 1);
    }
}

/// The soonest that a step may end by its timeout.
fn soonest_timeout(plan: &Plan, ix: StepIx, share: &Share) -> Millis {
    match &plan.step(ix).retry {
        Some(retry) if retry.on_timeout => {
            let pauses = shortest(retry, share.pauses);
            // Attempts before the last may fail at once, where that is tried again too.
            let quick = retry.on_failed || retry.on_unreachable;
            let waited = if quick { 1 } else { u64::from(share.attempts) };
            Millis(share.attempt.0.saturating_mul(waited).saturating_add(pauses.0))
        }
        Some(_) | None => share.attempt,
    }
}

/// The pauses with all that `jitter` may take off.
fn shortest(retry: &Retry, pauses: Millis) -> Millis {
    Millis((pauses.0 as f64 * (1.0 - retry.jitter)) as u64)
}
