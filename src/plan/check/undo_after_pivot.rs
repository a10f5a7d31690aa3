//! SF306: a `compensate` after the pivot, where nothing is undone any more.

use crate::definition::step::Compensate;
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::compile::Passed;
use crate::plan::outline::Part;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let pivot = subject.steps().find(|(_, step, _)| step.pivot);
    let Some(pivot) = pivot.and_then(|(_, _, written)| written.step.pivot) else { return };
    for (_, step, written) in subject.steps() {
        let behind = written.part == Part::Forward && written.pivot == Passed::Surely;
        let Some(compensate) = written.step.compensate.as_ref().filter(|_| behind) else {
            continue;
        };
        match &compensate.value {
            Compensate::None => {}
            Compensate::Step { step: undo, .. } => {
                out.add_undo_after_pivot(undo.verb_span, &step.path, pivot);
            }
        }
    }
}

impl Diagnostics {
    fn add_undo_after_pivot(&mut self, at: Span, step: &str, pivot: Span) {
        let message =
            format!("the undo of `{step}` never runs: after the pivot the saga only goes forward");
        self.push(
            Diagnostic::new(Code::UndoAfterPivot, at, message)
                .also(pivot, "the point of no return")
                .help("remove the `compensate`, or move the pivot behind this step"),
        );
    }
}
