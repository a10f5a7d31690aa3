//! SF305: a command that nothing can undo, issued while the saga may still turn around.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::compile::Passed;
use crate::plan::outline::Part;
use crate::plan::{Body, Verb};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps() {
        // That a question does something is said where it is read.
        let safe = matches!(step.body, Body::Probe(_))
            || written.part != Part::Forward
            || written.pivot == Passed::Surely
            || step.pivot;
        match &step.verb {
            Verb::Issue { command, irreversible: true, .. } if !safe => {
                out.add_irreversible(written.what(), command, written.pivot);
            }
            // What the author undoes otherwise, or leaves, need not be undone by the sub-saga.
            Verb::Call(call)
                if !safe && call.costs.has_pivot && written.step.compensate.is_none() =>
            {
                out.add_irreversible_call(written.what(), &call.saga);
            }
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
            | Verb::Done => {}
        }
    }
}

impl Diagnostics {
    fn add_irreversible_call(&mut self, at: Span, saga: &str) {
        let message = format!(
            "saga `{saga}` has a pivot, so nothing undoes it once it has completed, and a later \
             failure would have to undo this step"
        );
        let help = "give the step a `compensate` of its own, say `compensate: none`, make it the \
                    point of no return with `pivot: true`, or move it behind the pivot";
        self.push(Diagnostic::new(Code::Irreversible, at, message).help(help));
    }

    fn add_irreversible(&mut self, at: Span, command: &str, pivot: Passed) {
        let message = match pivot {
            Passed::No | Passed::Surely => format!(
                "nothing can undo `{command}`, and a later failure would have to undo this step"
            ),
            Passed::Maybe => format!(
                "nothing can undo `{command}`, and the pivot before it is not on every path"
            ),
        };
        let help = "make this step the point of no return with `pivot: true`, or move it behind \
                    the pivot";
        self.push(Diagnostic::new(Code::Irreversible, at, message).help(help));
    }
}
