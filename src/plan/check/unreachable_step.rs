//! SF601: a step that no path reaches, because one before it always ends its branch.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let plan = &subject.saga.plan;
    for (_, step, written) in subject.steps() {
        if written.reachable || written.by_catalog || step.position == 0 {
            continue;
        }
        let before = plan.body(step.body).get(step.position - 1);
        if let Some(before) = before.map(|ix| subject.written(*ix)).filter(|w| w.reachable) {
            out.add_unreachable_step(written.step.head(), &step.path, before.what());
        }
    }
}

impl Diagnostics {
    fn add_unreachable_step(&mut self, at: Span, step: &str, before: Span) {
        let message = format!("step `{step}` is never reached");
        self.push(
            Diagnostic::new(Code::UnreachableStep, at, message)
                .also(before, "nothing goes on from here")
                .help("give the step before it an `if`, or remove what comes after it"),
        );
    }
}
