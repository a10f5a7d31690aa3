//! SF311: a pivot where there is no return to cut off, or a second one.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::compile::{Passed, Written};
use crate::plan::outline::{Branch, Part};
use crate::plan::{Body, Plan, Verb};

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
            Part::Forward if in_a_loser(subject, ix) => out.add_pivot_misplaced(
                at,
                "a branch that may lose, fail by itself or run many times is no point of no return",
            ),
            Part::Forward => match first {
                Some((first, other))
                    if second || subject.saga.outline.at_once(other, branch(subject, written)) =>
                {
                    out.add_second_pivot(at, first);
                }
                Some(_) | None => first = Some((at, branch(subject, written))),
            },
        }
    }
}

fn branch(subject: &Subject<'_>, written: &Written<'_>) -> Branch {
    let known =
        written.step.id.as_ref().and_then(|id| subject.saga.outline.steps.get(id.value.as_str()));
    known.map_or(Branch(0), |known| known.branch)
}

fn stands_in_for_timeout(subject: &Subject<'_>, ix: crate::plan::StepIx) -> bool {
    let mut body = subject.saga.plan.step(ix).body;
    loop {
        match body {
            Body::OnTimeout(_) => return true,
            Body::Main | Body::Finally | Body::Undo(_) | Body::Probe(_) => return false,
            Body::Group(owner) | Body::Branches(owner) => {
                body = subject.saga.plan.step(owner).body;
            }
        }
    }
}

/// Whether the step stands in a branch that the others do not wait for.
fn in_a_loser(subject: &Subject<'_>, ix: crate::plan::StepIx) -> bool {
    let plan = &subject.saga.plan;
    let mut at = Some(ix);
    while let Some(ix) = at {
        at = Plan::owner(plan.step(ix).body);
        let may_lose = |verb: &Verb| verb.is_loop() || !verb.runs_all();
        if at.is_some_and(|owner| may_lose(&plan.step(owner).verb)) {
            return true;
        }
    }
    false
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
