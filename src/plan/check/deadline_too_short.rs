//! SF402: a saga deadline that passes before its own steps have had the time that they were given.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::budget;
use crate::time::Millis;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let plan = &subject.saga.plan;
    let Some(deadline) = plan.timeout else { return };
    let shares = budget::shares(plan);
    let worst = budget::sum(&shares);
    if worst > deadline {
        let sum = budget::words(plan, &shares);
        out.add_deadline_too_short(subject.saga.saga.timeout.span, deadline, worst, &sum);
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
                .help(format!("write `timeout: {worst}` or more, or shorten the steps")),
        );
    }
}
