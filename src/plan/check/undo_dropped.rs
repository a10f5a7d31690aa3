//! SF302: `compensate: none` before the pivot, where the catalog knows a command that undoes.

use crate::definition::catalog::CatalogUndo;
use crate::definition::step::Compensate;
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Undo;
use crate::plan::compile::Passed;
use crate::plan::outline::Part;

use super::{Subject, issued};

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps() {
        let Some(compensate) = &written.step.compensate else { continue };
        let dropped = compensate.value == Compensate::None && step.undo == Undo::Nothing;
        if !dropped || written.part != Part::Forward || written.pivot == Passed::Surely {
            continue;
        }
        let Some((command, _)) = issued(step) else { continue };
        let decl = subject.catalog.commands.get(command);
        if let Some(CatalogUndo::Command(undo)) = decl.map(|decl| &decl.undo) {
            out.add_undo_dropped(compensate.span, command, undo);
        }
    }
}

impl Diagnostics {
    fn add_undo_dropped(&mut self, at: Span, command: &str, undo: &str) {
        let message = format!(
            "`compensate: none` leaves behind what `{command}` did, though `{undo}` undoes it"
        );
        self.push(
            Diagnostic::new(Code::UndoDropped, at, message)
                .help(format!("leave `compensate` out, so that `{undo}` runs"))
                .help("if this use of it needs no undo, declare a command of its own for it"),
        );
    }
}
