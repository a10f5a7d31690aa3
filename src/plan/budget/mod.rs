//! The longest time that steps may take by their own timeouts, retries and pauses: the one
//! arithmetic of time. What else a step costs is in `cost`; nothing here knows a running saga.
//!
//! Targets are taken to listen: what waits for one that is away is not counted.

mod cost;
mod forecast;

use std::collections::BTreeSet;

use crate::plan::{Backoff, Body, Call, Join, OnTimeout, Plan, Retry, StepIx, Undo, Verb};
use crate::time::Millis;

pub use cost::{Cost, Longest};
pub use forecast::{Bounds, End, Forecast, Path, Turn, forecast};

/// Time that one step may take, in all its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The step.
    pub step: StepIx,
    /// Its attempts.
    pub attempts: u32,
    /// What one of them may take.
    pub attempt: Millis,
    /// The pauses between them.
    pub pauses: Millis,
    /// Undoing what a group's failed attempts did, before the next ones.
    pub undoing: Millis,
    /// What `on_timeout` may take.
    pub instead: Millis,
    /// Whether it waits for something that no timeout of a step bounds.
    pub open: bool,
}

impl Share {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Millis {
        Millis(self.tries(self.attempt).0.saturating_add(self.instead.0))
    }

    fn longest(&self) -> Longest {
        Longest { sure: self.total(), open: self.open }
    }

    /// All attempts, of which the last one takes so long.
    fn tries(&self, last: Millis) -> Millis {
        let failed = self.attempt.0.saturating_mul(u64::from(self.attempts - 1));
        let between = self.pauses.0.saturating_add(self.undoing.0);
        Millis(failed.saturating_add(between).saturating_add(last.0))
    }
}

/// The share of each step of the way forward, in order, without those that take no time.
#[must_use]
pub fn shares(plan: &Plan) -> Vec<Share> {
    let all = plan.main.iter().map(|ix| share(plan, *ix));
    all.filter(|share| share.total() > Millis(0)).collect()
}

/// The sum of shares.
#[must_use]
pub fn sum(shares: &[Share]) -> Millis {
    Millis(shares.iter().fold(0, |sum, share| sum.saturating_add(share.total().0)))
}

/// So many shares are said; of more, the longest.
const SHARES_SAID: usize = 6;

/// The sum in words: `draft 5s + publish 30s (3 times 9s, pauses 3s)`.
#[must_use]
pub fn words(plan: &Plan, shares: &[Share]) -> String {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(shares[*at].total()));
    order.truncate(SHARES_SAID);
    order.sort_unstable();
    let mut words: Vec<String> = order.iter().map(|at| of_step(plan, &shares[*at])).collect();
    if shares.len() > SHARES_SAID {
        words.push(format!("{} more", shares.len() - SHARES_SAID));
    }
    words.join(" + ")
}

fn of_step(plan: &Plan, share: &Share) -> String {
    let mut parts = Vec::new();
    if share.attempts > 1 {
        parts.push(format!("{} times {}", share.attempts, share.attempt));
    }
    if share.pauses > Millis(0) {
        parts.push(format!("pauses {}", share.pauses));
    }
    if share.undoing > Millis(0) {
        parts.push(format!("undoing between them {}", share.undoing));
    }
    if share.instead > Millis(0) {
        parts.push(format!("`on_timeout` {}", share.instead));
    }
    let path = &plan.step(share.step).path;
    if parts.is_empty() {
        format!("{path} {}", share.total())
    } else {
        format!("{path} {} ({})", share.total(), parts.join(", "))
    }
}

fn share(plan: &Plan, ix: StepIx) -> Share {
    let step = plan.step(ix);
    let (attempts, pauses) = match &step.retry {
        Some(retry) => (retry.attempts.max(1), pauses(retry)),
        None => (1, Millis(0)),
    };
    let instead = match &step.on_timeout {
        OnTimeout::Fail | OnTimeout::Continue => Longest::default(),
        OnTimeout::Steps(steps) => list(plan, steps),
    };
    let attempt = attempt(plan, ix) + question(plan, ix);
    let undone = if attempts > 1 { undone_within(plan, ix) } else { Longest::default() };
    Share {
        step: ix,
        attempts,
        attempt: attempt.sure,
        pauses,
        undoing: Millis(undone.sure.0.saturating_mul(u64::from(attempts - 1))),
        instead: instead.sure,
        open: attempt.open || undone.open || instead.open,
    }
}

fn list(plan: &Plan, steps: &[StepIx]) -> Longest {
    let shares = steps.iter().map(|ix| share(plan, *ix));
    shares.fold(Longest::default(), |sum, share| sum + share.longest())
}

fn attempt(plan: &Plan, ix: StepIx) -> Longest {
    let step = plan.step(ix);
    match &step.verb {
        // A wait without a bound of its own ends with the saga, so it adds nothing that is sure.
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } if step.wait.is_some() => {
            Longest { sure: step.timeout.unwrap_or(Millis(0)), open: step.timeout.is_none() }
        }
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } | Verb::Fail(_) | Verb::Done => {
            Longest::default()
        }
        Verb::Delay(span) => Longest { sure: *span, open: false },
        Verb::Call(call) => call.costs.forward.within(step.timeout),
        Verb::Recall => recalled(plan, ix).map_or(Longest::default(), |call| call.costs.undoing),
        Verb::Group(steps) => list(plan, steps).within(step.timeout),
        Verb::ForEach(each) => {
            let one = share(plan, each.roof).longest();
            let open = one.open || each.max_parallel.is_some();
            Longest { open, ..one }.within(step.timeout)
        }
        Verb::Parallel { branches, join } => {
            let each = branches.iter().map(|roof| share(plan, *roof).longest());
            let longest = each.fold(Longest::default(), Longest::or);
            let undone = match join {
                Join::Any => undone_within(plan, ix),
                Join::All | Join::Settled => Longest::default(),
            };
            longest.within(step.timeout) + undone
        }
    }
}

/// The call that this step undoes.
fn recalled(plan: &Plan, undo: StepIx) -> Option<&Call> {
    let Body::Undo(owner) = plan.step(undo).body else { return None };
    if let Verb::Call(call) = &plan.step(owner).verb { Some(call) } else { None }
}

/// The question that an attempt in doubt leads to.
fn question(plan: &Plan, ix: StepIx) -> Longest {
    let probe = plan.step(ix).probe.as_ref();
    probe.map_or(Longest::default(), |probe| attempt(plan, probe.step))
}

/// The questions that are asked, all at once, before that step is undone.
fn questions(plan: &Plan, ix: StepIx) -> Longest {
    let others = cost::stood_for(plan, ix).into_iter().map(|one| question(plan, one));
    others.fold(question(plan, ix), Longest::or)
}

/// Undoing all that one attempt of a group did; nothing for another step, which is tried again as
/// it is.
fn undone_within(plan: &Plan, ix: StepIx) -> Longest {
    let mut steps = BTreeSet::new();
    if plan.step(ix).verb.holds_steps() {
        undoers(plan, ix, &mut steps);
    }
    let undo = |ix: &StepIx| questions(plan, *ix) + list(plan, undo_of(plan, *ix));
    steps.iter().fold(Longest::default(), |sum, ix| sum + undo(ix))
}

/// Steps whose own undo runs when all that a step stands for may have happened.
fn undoers(plan: &Plan, ix: StepIx, into: &mut BTreeSet<StepIx>) {
    let step = plan.step(ix);
    let by = step.covered_by.unwrap_or(ix);
    if plan.step(by).undo != Undo::Nothing {
        into.insert(by);
    } else {
        step.verb.inside().iter().for_each(|ix| undoers(plan, *ix, into));
    }
    if let OnTimeout::Steps(steps) = &step.on_timeout {
        steps.iter().for_each(|ix| undoers(plan, *ix, into));
    }
}

fn undo_of(plan: &Plan, ix: StepIx) -> &[StepIx] {
    match &plan.step(ix).undo {
        Undo::Step { step, .. } => std::slice::from_ref(step),
        Undo::Nothing => &[],
    }
}

fn pauses(retry: &Retry) -> Millis {
    let longest = retry.max_delay.unwrap_or(Millis(u64::MAX));
    let mut sum: u64 = 0;
    for failed in 1..retry.attempts.min(PAUSES_COUNTED) {
        sum = sum.saturating_add(pause(retry, failed).min(longest).0);
    }
    Millis(sum)
}

/// More attempts than these are not added up one by one: the sum is beyond any deadline.
const PAUSES_COUNTED: u32 = 10_000;

fn pause(retry: &Retry, failed: u32) -> Millis {
    let factor = match retry.backoff {
        Backoff::Constant => 1,
        Backoff::Linear => u64::from(failed),
        Backoff::Exponential => 1u64.checked_shl(failed - 1).unwrap_or(u64::MAX),
    };
    Millis(retry.delay.0.saturating_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_as_the_backoff_says_and_stop_at_the_longest() {
        let retry = |backoff, max_delay| Retry {
            attempts: 4,
            backoff,
            delay: Millis(100),
            max_delay,
            jitter: 0.0,
            on_timeout: true,
            on_unreachable: true,
            on_failed: true,
        };
        assert_eq!(pauses(&retry(Backoff::Constant, None)), Millis(300));
        assert_eq!(pauses(&retry(Backoff::Linear, None)), Millis(600));
        assert_eq!(pauses(&retry(Backoff::Exponential, None)), Millis(700));
        assert_eq!(pauses(&retry(Backoff::Exponential, Some(Millis(200)))), Millis(500));
    }
}
