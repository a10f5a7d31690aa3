//! SF309: `covers` names a step that this undo cannot undo as well: itself, or one that comes
//! earlier.

use crate::definition::step::Compensate;
use crate::diag::{At, Code, Diagnostic, Diagnostics};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let outline = &subject.saga.outline;
    let mut covered_by: Vec<(&str, &str)> = Vec::new();
    for known in outline.steps.values() {
        let Some(id) = &known.step.id else { continue };
        let Some(Compensate::Step { covers, .. }) =
            known.step.compensate.as_ref().map(|compensate| &compensate.value)
        else {
            continue;
        };
        for name in covers {
            let Some(other) = outline.steps.get(name.value.as_str()) else { continue };
            if other.order <= known.order {
                out.add_covers_earlier(name, &id.value);
            }
            match covered_by.iter().find(|(covered, _)| *covered == name.value) {
                Some((_, first)) => out.add_covered_twice(name, first, &id.value),
                None => covered_by.push((&name.value, &id.value)),
            }
        }
    }
}

impl Diagnostics {
    fn add_covers_earlier(&mut self, name: &At<String>, own: &str) {
        let message =
            format!("the undo of `{own}` covers `{}`, which does not come after it", name.value);
        let help =
            "undoing goes backwards: cover later steps, or put the `covers` into the earlier one";
        self.push(Diagnostic::new(Code::CoversStranger, name.span, message).help(help));
    }

    fn add_covered_twice(&mut self, name: &At<String>, first: &str, second: &str) {
        let message = format!(
            "`{}` is covered by the undo of `{first}` and by that of `{second}`",
            name.value
        );
        let help = "one undo stands for a step: remove it from one of the two";
        self.push(Diagnostic::new(Code::CoversStranger, name.span, message).help(help));
    }
}
