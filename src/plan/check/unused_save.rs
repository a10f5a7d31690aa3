//! SF605: a `save` into a variable that nothing reads.

use std::collections::BTreeSet;

use crate::definition::Named;
use crate::diag::{At, Code, Diagnostic, Diagnostics};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let mut said = BTreeSet::new();
    for (_, _, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let waits = written.step.wait.iter().flat_map(|wait| wait.value.alternatives());
        let asked = written.step.probe.iter().flat_map(|probe| &probe.save);
        say(waits.flat_map(|one| &one.save).chain(asked), subject, &mut said, out);
    }
    say(subject.saga.saga.eviction.save.iter(), subject, &mut said, out);
}

fn say<'a>(
    saves: impl Iterator<Item = &'a Named>,
    subject: &Subject<'_>,
    said: &mut BTreeSet<&'a str>,
    out: &mut Diagnostics,
) {
    for save in saves {
        let name = save.name.value.as_str();
        if !subject.saga.vars_read.contains(name) && said.insert(name) {
            out.add_unused_save(&save.name);
        }
    }
}

impl Diagnostics {
    fn add_unused_save(&mut self, name: &At<String>) {
        let message = format!("nothing reads `vars.{}`", name.value);
        let help = "remove the `save`, or put the value where it is needed, as in `result`";
        self.push(Diagnostic::new(Code::UnusedSave, name.span, message).help(help));
    }
}
