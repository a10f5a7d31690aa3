//! SF607: a saga that acts and one that observes, one calling the other.

use std::collections::BTreeMap;

use crate::definition::saga::Mode;
use crate::diag::{At, Code, Diagnostic, Diagnostics};
use crate::plan::callees::calls_of;
use crate::plan::compile::Compiled;

pub(super) fn check(sagas: &[Compiled<'_>], out: &mut Diagnostics) {
    let modes: BTreeMap<&str, Mode> =
        sagas.iter().map(|saga| (&*saga.plan.name, saga.saga.mode)).collect();
    for saga in sagas {
        for name in calls_of(saga.saga) {
            let callee = modes.get(name.value.as_str());
            if callee.is_some_and(|callee| *callee != saga.saga.mode) {
                out.add_call_across(name, saga.saga.mode);
            }
        }
    }
}

impl Diagnostics {
    fn add_call_across(&mut self, at: &At<String>, caller: Mode) {
        let message = match caller {
            Mode::Observe => format!("this saga observes, and `{}` would send", at.value),
            Mode::Live => format!("this saga sends, and `{}` only observes", at.value),
        };
        let help = "give both one `mode`: who calls and who is called go over together";
        self.push(Diagnostic::new(Code::CallAcross, at.span, message).help(help));
    }
}
