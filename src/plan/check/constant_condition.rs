//! SF602: a condition, or a part of one, that always says the same: it reads nothing, or compares a
//! thing with itself.

use crate::definition::saga::TriggerKind;
use crate::definition::{Source, Text};
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::expr;

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let saga = subject.saga.saga;
    let mut conditions: Vec<&Text> = saga.require.iter().map(|guard| &guard.that).collect();
    conditions.extend(&saga.always);
    let mut filters: Vec<(&Text, Source)> = Vec::new();
    let reacts = saga.reactions.iter().map(|one| &one.on);
    filters.extend(reacts.filter_map(|one| Some((one.filter.as_ref()?, one.source))));
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
        let waits = waits.chain(step.fail_on.iter().map(|entry| &entry.on));
        filters.extend(waits.filter_map(|one| Some((one.filter.as_ref()?, one.source))));
    }
    filters.extend(
        saga.cancel_on.iter().filter_map(|one| Some((one.filter.as_ref()?, Source::Event))),
    );
    let conditions = conditions.into_iter().map(|text| (text, false));
    let filters = filters.into_iter().map(|(text, source)| (text, source == Source::Event));
    for (text, needs_identity) in conditions.chain(filters) {
        let Ok(ast) = expr::parse(&text.value) else { continue };
        for part in expr::idle_parts(&ast) {
            if needs_identity && part == ast.at() {
                // It pins nothing: that is said.
                continue;
            }
            let words = text.value.get(part.clone()).unwrap_or(&text.value);
            // The whole is marked as it was written, with its quotes.
            let at = if part == ast.at() { text.span } else { text.at(part) };
            out.add_constant_condition(at, words);
        }
    }
}

impl Diagnostics {
    fn add_constant_condition(&mut self, at: Span, text: &str) {
        let message = format!("`{text}` always says the same, whatever is read");
        let help =
            "remove the condition, or compare with what the saga knows: `input`, `vars`, `steps`";
        self.push(Diagnostic::new(Code::ConstantCondition, at, message).help(help));
    }
}
