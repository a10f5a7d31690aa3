//! W008: a signal that no step awaits: whoever says it is refused, at any time.

use crate::definition::{EventDecl, Source};
use crate::diag::{Code, Diagnostic, Diagnostics};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let written = || subject.steps().filter(|(_, _, one)| !one.by_catalog).map(|(_, _, one)| one);
    for signal in &subject.saga.saga.signals {
        let heard = written().any(|written| {
            let awaited = written.step.wait.iter().flat_map(|wait| wait.value.alternatives());
            let mut all = awaited.chain(written.step.fail_on.iter().map(|entry| &entry.on));
            all.any(|one| one.source == Source::Signal && *one.name.value == *signal.name)
        });
        if !heard {
            out.add_unawaited_signal(signal);
        }
    }
}

impl Diagnostics {
    fn add_unawaited_signal(&mut self, signal: &EventDecl) {
        let message =
            format!("no step awaits signal `{}`, so whoever says it is refused", signal.name);
        let help = format!("await it, as `{{ signal: {} }}`, or remove it", signal.name);
        self.push(Diagnostic::new(Code::UnawaitedSignal, signal.span, message).help(help));
    }
}
