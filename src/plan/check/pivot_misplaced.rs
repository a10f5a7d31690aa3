//! SF311: a pivot where there is no return to cut off, or a second one.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::Body;
use crate::plan::compile::Passed;
use crate::plan::outline::Part;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let mut first = None;
    for (ix, step, written) in subject.steps() {
        let Some(at) = written.step.pivot.filter(|_| !written.by_catalog) else { continue };
        let second = written.pivot == Passed::Surely;
        match written.part {
            Part::Undo => out.add_pivot_misplaced(at, "an undo has no way back of its own"),
            Part::Finally => out.add_pivot_misplaced(at, "`finally` runs when all is decided"),
            Part::Forward if step.best_effort => out.add_pivot_misplaced(
                at,
                "a step whose failure does not matter is no point of no return",
            ),
            Part::Forward if stands_in_for_timeout(subject, ix) => out.add_pivot_misplaced(
                at,
                "a step that runs only after a timeout is no point of no return",
            ),
            Part::Forward => match first {
                Some(first) if second => out.add_second_pivot(at, first),
                Some(_) | None => first = Some(at),
            },
        }
    }
}

fn stands_in_for_timeout(subject: &Subject<'_>, ix: crate::plan::StepIx) -> bool {
    let mut body = subject.saga.plan.step(ix).body;
    loop {
        match body {
            Body::OnTimeout(_) => return true,
            Body::Main | Body::Finally | Body::Undo(_) => return false,
            Body::Group(owner) => body = subject.saga.plan.step(owner).body,
        }
    }
}

impl Diagnostics {
    fn add_pivot_misplaced(&mut self, at: Span, why: &str) {
        let message = format!("no pivot may stand here: {why}");
        let help = "put `pivot: true` on the step of the way forward after which nothing is undone";
        self.push(Diagnostic::new(Code::PivotMisplaced, at, message).help(help));
    }

    fn add_second_pivot(&mut self, at: Span, first: Span) {
        let message = "a second pivot: behind the first one there is no return already";
        self.push(
            Diagnostic::new(Code::PivotMisplaced, at, message)
                .also(first, "the first one is here")
                .help("keep the one after which nothing may be undone"),
        );
    }
}
