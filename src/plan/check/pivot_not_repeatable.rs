//! SF307: a step after the pivot that cannot be tried again, though forward is the only way left.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Verb;
use crate::plan::compile::Passed;
use crate::plan::outline::Part;

use super::{Subject, issued};

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps() {
        let behind = written.part == Part::Forward && written.pivot != Passed::No;
        // What nothing can undo must stand behind a pivot that is sure: that is said there.
        let misplaced = matches!(&step.verb, Verb::Issue { irreversible: true, .. })
            && written.pivot == Passed::Maybe;
        if !behind || misplaced || step.best_effort {
            continue;
        }
        if let Some((command, false)) = issued(step) {
            out.add_pivot_not_repeatable(written.what(), command);
        }
    }
}

impl Diagnostics {
    fn add_pivot_not_repeatable(&mut self, at: Span, command: &str) {
        let message = format!(
            "after the pivot a step is tried until it succeeds, and `{command}` cannot be sent \
             again: it is not idempotent"
        );
        let help = format!(
            "declare `{command}` with `idempotent: true` if its target repeats answers, give the \
             step a `probe`, or let it be `best_effort: true`"
        );
        self.push(Diagnostic::new(Code::PivotNotRepeatable, at, message).help(help));
    }
}
