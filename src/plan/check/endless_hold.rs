//! W006: a wait that nothing bounds in a saga that others of its key cannot pass: what never comes
//! keeps all of them out. Of an undo that the catalog brings nobody has said so.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::{Plan, Policy, StepIx};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let plan = &subject.saga.plan;
    let kept_out = match plan.eviction.policy {
        Policy::Refuse | Policy::Ignore => "turned away",
        Policy::Queue => "kept waiting",
        Policy::Replace | Policy::Parallel | Policy::Join => return,
    };
    for (ix, step, written) in subject.steps().filter(|(_, step, _)| step.wait.is_some()) {
        let policy = subject.saga.saga.eviction.policy.span;
        if written.by_catalog {
            // It has the time of its step, and what was said of that may have been a person's.
            if step.timeout.is_none() && subject.saga.saga.defaults.timeout.is_none() {
                out.add_endless_hold(written.what(), &step.path, kept_out, policy);
            }
        } else if plan.timeout.is_none() && plan.is_forward(ix) && !is_bounded(plan, ix) {
            out.add_endless_hold(written.step.head(), &step.path, kept_out, policy);
        }
    }
}

/// Whether the step or one around it has a time.
fn is_bounded(plan: &Plan, ix: StepIx) -> bool {
    let mut at = Some(ix);
    while let Some(one) = at {
        if plan.step(one).timeout.is_some() {
            return true;
        }
        at = Plan::owner(plan.step(one).body);
    }
    false
}

impl Diagnostics {
    fn add_endless_hold(&mut self, at: Span, step: &str, kept_out: &str, policy: Span) {
        let message = format!(
            "nothing bounds the wait of `{step}`, and as long as it lasts others of its key are \
             {kept_out}"
        );
        self.push(
            Diagnostic::new(Code::EndlessHold, at, message)
                .also(policy, "what happens to others")
                .help("give the step or the saga a `timeout`, or let newcomers `replace` it"),
        );
    }
}
