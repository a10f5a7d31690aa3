//! SF304: a compensating command that cannot be sent again, so that a lost answer would end in an
//! incident.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::compile::Written;
use crate::plan::outline::Part;

use super::{Subject, issued};

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps() {
        if written.part != Part::Undo {
            continue;
        }
        if let Some((command, false)) = issued(step) {
            out.add_undo_not_repeatable(place(written), command, written.by_catalog);
        }
    }
}

fn place(written: &Written<'_>) -> Span {
    if written.by_catalog { written.step.head() } else { written.what() }
}

impl Diagnostics {
    fn add_undo_not_repeatable(&mut self, at: Span, command: &str, by_catalog: bool) {
        let who = if by_catalog { "the catalog undoes this step with" } else { "the undo issues" };
        let message = format!(
            "{who} `{command}`, which is not idempotent: when its answer is lost it can neither be \
             sent again nor be trusted"
        );
        let help = format!(
            "let the target repeat its answer for a `command_id` and declare `{command}` with \
             `idempotent: true`, or give the undo a `probe`"
        );
        self.push(Diagnostic::new(Code::UndoNotRepeatable, at, message).help(help));
    }
}
