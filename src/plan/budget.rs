//! The longest time that the way forward may take by its own timeouts, retries and pauses. Undoing
//! and `finally` are not counted.

use crate::plan::{Backoff, OnTimeout, Plan, Retry, StepIx, Verb};
use crate::time::Millis;

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
    /// What `on_timeout` may take.
    pub instead: Millis,
}

impl Share {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Millis {
        let tries = self.attempt.0.saturating_mul(u64::from(self.attempts));
        Millis(tries.saturating_add(self.pauses.0).saturating_add(self.instead.0))
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

fn share(plan: &Plan, ix: StepIx) -> Share {
    let step = plan.step(ix);
    let (attempts, pauses) = match &step.retry {
        Some(retry) => (retry.attempts.max(1), pauses(retry)),
        None => (1, Millis(0)),
    };
    let instead = match &step.on_timeout {
        OnTimeout::Fail | OnTimeout::Continue => Millis(0),
        OnTimeout::Steps(steps) => list(plan, steps),
    };
    Share { step: ix, attempts, attempt: attempt(plan, ix), pauses, instead }
}

fn list(plan: &Plan, steps: &[StepIx]) -> Millis {
    let shares: Vec<Share> = steps.iter().map(|ix| share(plan, *ix)).collect();
    sum(&shares)
}

fn attempt(plan: &Plan, ix: StepIx) -> Millis {
    let step = plan.step(ix);
    let bound = step.timeout;
    match &step.verb {
        // A wait without a bound of its own ends with the saga, so it adds nothing that is sure.
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } if step.wait.is_some() => {
            bound.unwrap_or(Millis(0))
        }
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } | Verb::Fail(_) | Verb::Done => {
            Millis(0)
        }
        Verb::Delay(span) => *span,
        Verb::Group(steps) => {
            let inside = list(plan, steps);
            bound.map_or(inside, |bound| bound.min(inside))
        }
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
