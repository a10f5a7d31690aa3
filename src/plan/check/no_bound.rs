//! SF401: a wait that nothing ends, and nobody said so.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::outline::Part;
use crate::plan::{Body, Plan, StepIx};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let saga = subject.saga.saga;
    for (ix, step, written) in subject.steps() {
        let waits = step.wait.is_some() && !bounded(&subject.saga.plan, ix);
        // The word `none`, of the step or of the defaults, is a choice.
        if !waits || written.step.timeout.is_some() || saga.defaults.timeout.is_some() {
            continue;
        }
        match written.part {
            Part::Forward if saga.timeout.value.millis().is_some() => {}
            Part::Forward => out.add_no_bound(written.step.head(), saga.timeout.span, &step.path),
            Part::Finally => out.add_no_bound_at_the_end(written.step.head(), &step.path),
            Part::Undo => out.add_no_bound_of_undo(written.step.head(), &step.path),
        }
    }
}

/// Whether the step or a group around it has a timeout.
fn bounded(plan: &Plan, ix: StepIx) -> bool {
    let mut at = Some(ix);
    while let Some(ix) = at {
        let step = plan.step(ix);
        if step.timeout.is_some() {
            return true;
        }
        at = match step.body {
            Body::Group(owner) | Body::Branches(owner) => Some(owner),
            Body::Main | Body::Finally | Body::OnTimeout(_) | Body::Undo(_) | Body::Probe(_) => {
                None
            }
        };
    }
    false
}

impl Diagnostics {
    fn add_no_bound(&mut self, at: Span, saga: Span, step: &str) {
        let message = format!("step `{step}` waits without a bound");
        self.push(
            Diagnostic::new(Code::NoBound, at, message)
                .also(saga, "nor does the saga have one")
                .help("give it a `timeout`, give all steps one under `defaults`, or say `none`"),
        );
    }

    fn add_no_bound_at_the_end(&mut self, at: Span, step: &str) {
        let message = format!(
            "step `{step}` of `finally` waits without a bound: the saga's `timeout` ends only the \
             way forward"
        );
        let help = "give it a `timeout`, give all steps one under `defaults`, or say `none`";
        self.push(Diagnostic::new(Code::NoBound, at, message).help(help));
    }

    fn add_no_bound_of_undo(&mut self, at: Span, step: &str) {
        let message = format!(
            "the undo `{step}` waits without a bound: the saga's `timeout` ends only the way \
             forward"
        );
        let help = "give the undo or its step a `timeout`, give all steps one under `defaults`, or \
                    say `none`";
        self.push(Diagnostic::new(Code::NoBound, at, message).help(help));
    }
}
