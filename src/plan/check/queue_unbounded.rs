//! SF502: a queue of newcomers that may grow without end.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Policy;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let eviction = &subject.saga.plan.eviction;
    if eviction.policy == Policy::Queue && eviction.queue_max.is_none() {
        out.add_queue_unbounded(subject.saga.saga.eviction.policy.span);
    }
}

impl Diagnostics {
    fn add_queue_unbounded(&mut self, at: Span) {
        let message = "newcomers queue without a bound";
        let help =
            "say how many may wait, like `queue_max: 100`; beyond that newcomers are refused";
        self.push(Diagnostic::new(Code::QueueUnbounded, at, message).help(help));
    }
}
