//! SF305: a command that nothing can undo, issued while the saga may still turn around.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Verb;
use crate::plan::compile::Passed;
use crate::plan::outline::Part;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps() {
        let Verb::Issue { command, irreversible: true, .. } = &step.verb else { continue };
        let safe = written.part != Part::Forward || written.pivot == Passed::Surely || step.pivot;
        if !safe {
            out.add_irreversible(written.what(), command, written.pivot);
        }
    }
}

impl Diagnostics {
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
