//! W003: a command's answer that its step neither awaits nor fails on: when it comes, the step
//! waits on until its time is over, and is then in doubt about what it was told.

use crate::definition::Source;
use crate::definition::step::Verb;
use crate::diag::{At, Code, Diagnostic, Diagnostics, Span};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, _, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let step = written.step;
        let Verb::Issue { command, .. } = &step.verb else { continue };
        let Some(declared) = subject.catalog.commands.get(command.value.as_str()) else { continue };
        let awaited = step.wait.iter().flat_map(|wait| wait.value.alternatives());
        // One that waits for something else than its answer has said that it needs none.
        let Some(first) = awaited.clone().find(|one| one.source == Source::Echo) else { continue };
        let heard = |name: &str| {
            let failing = step.fail_on.iter().map(|entry| &entry.on);
            // What a reaction answers to is told while the step waits: it is no end of it.
            let reactions = subject.saga.saga.reactions.iter().map(|one| &one.on);
            let aside = reactions.filter(|one| one.source == Source::Echo);
            awaited.clone().chain(failing).chain(aside).any(|one| one.name.value == name)
        };
        let unheard: Vec<&str> =
            declared.echoes.iter().map(|name| &**name).filter(|name| !heard(name)).collect();
        if !unheard.is_empty() {
            out.add_unheard_answer(command, &unheard, first.name.span);
        }
    }
}

impl Diagnostics {
    fn add_unheard_answer(&mut self, command: &At<String>, unheard: &[&str], awaited: Span) {
        let names: Vec<String> = unheard.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(" or ");
        let message = format!(
            "`{}` may also answer with {names}, and then this step waits until its time is over",
            command.value
        );
        self.push(
            Diagnostic::new(Code::UnheardAnswer, awaited, message)
                .label("this answer alone is heard")
                .also(command.span, "issued here")
                .help("take it too, in an `any_of`, or let it fail the step at once, in `fail_on`"),
        );
    }
}
