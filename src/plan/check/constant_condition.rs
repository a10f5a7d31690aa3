//! SF602: a condition that reads nothing, so that it always says the same.

use crate::definition::saga::TriggerKind;
use crate::definition::{Alternative, Text};
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::expr;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let saga = subject.saga.saga;
    let mut conditions: Vec<&Text> = saga.require.iter().map(|guard| &guard.that).collect();
    conditions.extend(&saga.always);
    conditions.extend(saga.reactions.iter().filter_map(|one| filter(&one.on)));
    for one in &saga.trigger.alternatives {
        match &one.kind {
            TriggerKind::Event { when, .. } => conditions.extend(when),
            TriggerKind::Call { .. } | TriggerKind::Schedule(_) => {}
        }
    }
    for (_, _, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let step = written.step;
        conditions.extend(&step.condition);
        conditions.extend(step.probe.iter().map(|probe| &probe.done_when));
        let waits = step.wait.iter().flat_map(|wait| wait.value.alternatives());
        conditions.extend(waits.filter_map(filter));
        conditions.extend(step.fail_on.iter().filter_map(|entry| filter(&entry.on)));
    }
    for text in conditions {
        if expr::parse(&text.value).is_ok_and(|ast| expr::reads(&ast).is_empty()) {
            out.add_constant_condition(text.span, &text.value);
        }
    }
}

/// The `where` of a wait for an echo; one for an `event` needs identity anyway.
fn filter(one: &Alternative) -> Option<&Text> {
    match one.source {
        crate::definition::Source::Echo | crate::definition::Source::Signal => one.filter.as_ref(),
        crate::definition::Source::Event => None,
    }
}

impl Diagnostics {
    fn add_constant_condition(&mut self, at: Span, text: &str) {
        let message = format!("`{text}` reads nothing, so it always says the same");
        let help =
            "remove the condition, or compare with what the saga knows: `input`, `vars`, `steps`";
        self.push(Diagnostic::new(Code::ConstantCondition, at, message).help(help));
    }
}
