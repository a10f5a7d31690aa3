//! SF503: `replace` of a saga that has a point of no return, past which nothing replaces it.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Policy;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    if subject.saga.plan.eviction.policy != Policy::Replace {
        return;
    }
    let pivot = subject.steps().find_map(|(_, step, written)| {
        written.step.pivot.filter(|_| step.pivot && !written.by_catalog)
    });
    if let Some(pivot) = pivot {
        out.add_replace_past_pivot(subject.saga.saga.eviction.policy.span, pivot);
    }
}

impl Diagnostics {
    fn add_replace_past_pivot(&mut self, at: Span, pivot: Span) {
        let message =
            "`replace` undoes the running saga, and past its pivot that one cannot be undone";
        self.push(
            Diagnostic::new(Code::ReplacePastPivot, at, message)
                .also(pivot, "the point of no return")
                .help("let newcomers wait (`queue` with a `queue_max`) or be refused (`refuse`)"),
        );
    }
}
