//! W005: a variable with a first value that nothing reads. One that is saved and not read is an
//! error, SF605.

use crate::diag::{At, Code, Diagnostic, Diagnostics};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for var in &subject.saga.saga.vars {
        if !subject.saga.vars_read.contains(var.name.value.as_str()) {
            out.add_unread_variable(&var.name);
        }
    }
}

impl Diagnostics {
    fn add_unread_variable(&mut self, name: &At<String>) {
        let message = format!("nothing reads `vars.{}`", name.value);
        let help = "remove it, or read it where it was meant to be read";
        self.push(Diagnostic::new(Code::UnreadVariable, name.span, message).help(help));
    }
}
