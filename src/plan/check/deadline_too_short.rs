//! SF402: a saga deadline that passes before its own steps have had the time that they were given.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Plan;
use crate::plan::budget::{self, Share};
use crate::time::Millis;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let plan = &subject.saga.plan;
    let Some(deadline) = plan.timeout else { return };
    let shares = budget::shares(plan);
    let worst = budget::sum(&shares);
    if worst > deadline {
        let sum = shown(plan, &shares);
        out.add_deadline_too_short(subject.saga.saga.timeout.span, deadline, worst, &sum);
    }
}

/// So many shares are shown; of more, the longest.
const SHARES_SHOWN: usize = 6;

fn shown(plan: &Plan, shares: &[Share]) -> String {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(shares[*at].total()));
    order.truncate(SHARES_SHOWN);
    order.sort_unstable();
    let mut words: Vec<String> = order.iter().map(|at| of_step(plan, &shares[*at])).collect();
    if shares.len() > SHARES_SHOWN {
        words.push(format!("{} more", shares.len() - SHARES_SHOWN));
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

impl Diagnostics {
    fn add_deadline_too_short(&mut self, at: Span, deadline: Millis, worst: Millis, sum: &str) {
        let message = format!(
            "the deadline of {deadline} passes before the steps have used up their own time, \
             {worst}"
        );
        self.push(
            Diagnostic::new(Code::DeadlineTooShort, at, message)
                .help(format!("at worst: {sum}"))
                .help(format!("write `timeout: {worst}` or more, or shorten the steps"))
                .fix(format!("write `{worst}`"), at, worst.to_string()),
        );
    }
}
