//! The rules that a compiled saga must hold: one rule, one file, one code. Changes no plan.

mod call_across;
mod call_cycle;
mod constant_condition;
mod covers_stranger;
mod deadline_too_short;
mod endless_hold;
mod irreversible;
mod never_wins;
mod no_bound;
mod no_effect;
mod parallel_confused;
mod pivot_misplaced;
mod pivot_not_repeatable;
mod queue_unbounded;
mod replace_past_pivot;
mod retry_not_repeatable;
mod scenarios;
mod self_trigger;
mod signal_unanswered;
mod unawaited_signal;
mod undo_after_pivot;
mod undo_dropped;
mod undo_not_repeatable;
mod undo_skips;
mod unheard_answer;
mod unreachable_step;
mod unread_variable;
mod unused_save;

use crate::definition::Catalog;
use crate::diag::Diagnostics;
use crate::plan::compile::{Compiled, Written};
use crate::plan::{Body, Step, StepIx, Verb};

pub(in crate::plan) use scenarios::scenarios;

/// What a rule looks at.
pub struct Subject<'a> {
    /// The saga.
    pub saga: &'a Compiled<'a>,
    /// All declarations.
    pub catalog: &'a Catalog,
}

/// A rule about one saga.
type Rule = fn(&Subject<'_>, &mut Diagnostics);

/// Rules about one saga, in the order of their codes.
const RULES: &[Rule] = &[
    undo_dropped::check,
    undo_not_repeatable::check,
    irreversible::check,
    undo_after_pivot::check,
    pivot_not_repeatable::check,
    retry_not_repeatable::check,
    covers_stranger::check,
    pivot_misplaced::check,
    undo_skips::check,
    no_bound::check,
    deadline_too_short::check,
    signal_unanswered::check,
    queue_unbounded::check,
    replace_past_pivot::check,
    parallel_confused::check,
    unreachable_step::check,
    constant_condition::check,
    unused_save::check,
    unheard_answer::check,
    never_wins::check,
    unread_variable::check,
    endless_hold::check,
    no_effect::check,
    unawaited_signal::check,
];

/// Holds one saga to all rules.
pub fn saga(subject: &Subject<'_>, out: &mut Diagnostics) {
    for rule in RULES {
        rule(subject, out);
    }
}

/// Holds all sagas together to the rules that need them all.
pub fn library(sagas: &[Compiled<'_>], out: &mut Diagnostics) {
    self_trigger::check(sagas, out);
    call_cycle::check(sagas, out);
    call_across::check(sagas, out);
}

impl<'a> Subject<'a> {
    /// Every step with its text.
    fn steps(&self) -> impl Iterator<Item = (StepIx, &'a Step, &'a Written<'a>)> {
        let steps = self.saga.plan.steps.iter().zip(&self.saga.written);
        (0u32..).map(StepIx).zip(steps).map(|(ix, (step, written))| (ix, step, written))
    }

    /// Whether a loop calls its element so.
    fn is_element(&self, name: &str) -> bool {
        let mut steps = self.saga.plan.steps.iter();
        steps.any(|step| step.verb.element().is_some_and(|element| **element == *name))
    }

    fn written(&self, ix: StepIx) -> &'a Written<'a> {
        &self.saga.written[ix.0 as usize]
    }
}

/// The command that a step issues, and whether its doubts can be settled: its target repeats its
/// answer, or can be asked. Not of a question itself.
fn issued(step: &Step) -> Option<(&str, bool)> {
    match &step.verb {
        Verb::Issue { .. } if matches!(step.body, Body::Probe(_)) => None,
        Verb::Issue { command, idempotent, .. } => {
            Some((command, *idempotent || step.probe.is_some()))
        }
        Verb::Await
        | Verb::Emit { .. }
        | Verb::Delay(_)
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Call(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => None,
    }
}
