//! SF403: a wait for a signal, and nobody said what happens if nobody says it.

use crate::definition::Source;
use crate::diag::{Code, Diagnostic, Diagnostics, Span};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let waits = written.step.wait.iter().flat_map(|wait| wait.value.alternatives());
        let mut signals = waits.filter(|one| one.source == Source::Signal);
        // Without a timeout of its own there is no such moment: the saga's deadline ends it.
        if step.timeout.is_none() || written.step.on_timeout.is_some() {
            continue;
        }
        if let Some(first) = signals.next() {
            out.add_signal_unanswered(first.name.span, &first.name.value, &step.path);
        }
    }
}

impl Diagnostics {
    fn add_signal_unanswered(&mut self, at: Span, signal: &str, step: &str) {
        let message =
            format!("step `{step}` waits for `{signal}`, and nobody said what if nobody says it");
        let help = "write `on_timeout: fail`, `continue`, or the steps to take instead; or \
                    `timeout: none`, to wait as long as the saga may";
        self.push(Diagnostic::new(Code::SignalUnanswered, at, message).help(help));
    }
}
