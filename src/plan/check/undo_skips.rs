//! SF314: an undo whose `if` is false whenever its step was done, so that what the step did stays.

use crate::definition::Text;
use crate::definition::catalog::CatalogUndo;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::expr;
use crate::plan::{Step, Undo};

use super::{Subject, issued};

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps() {
        let (Undo::Step { step: undo, .. }, Some(id)) = (&step.undo, &written.step.id) else {
            continue;
        };
        let undo = subject.written(*undo);
        let Some(condition) = undo.step.condition.as_ref().filter(|_| !undo.by_catalog) else {
            continue;
        };
        // What was not read was found.
        let Ok(ast) = expr::parse(&condition.value) else { continue };
        let own = ["steps", &id.value, "outcome"].map(Box::from);
        if leaves_something(subject, step) && !expr::can_be_true_while(&ast, &own, "succeeded") {
            out.add_undo_skips(condition, &id.value);
        }
    }
}

/// Whether something is to be undone where the step was done. Of a command of which the catalog
/// says that it leaves nothing, only a doubt may be.
fn leaves_something(subject: &Subject<'_>, step: &Step) -> bool {
    let declared = issued(step).and_then(|(command, _)| subject.catalog.commands.get(command));
    declared.is_none_or(|declared| declared.undo != CatalogUndo::None)
}

impl Diagnostics {
    fn add_undo_skips(&mut self, condition: &Text, id: &str) {
        let message =
            format!("this is false whenever `{id}` succeeded, so what it did is never undone");
        self.push(Diagnostic::new(Code::UndoSkips, condition.span, message).help(format!(
            "let the undo run also where `steps.{id}.outcome` is `succeeded`: an undo \
                     runs only after a step that may have happened"
        )));
    }
}
