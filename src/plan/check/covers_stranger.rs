//! SF309: `covers` names a step that this undo cannot undo as well: itself, one that comes earlier,
//! or one that is to be undone before its group is tried again.

use crate::definition::step::Compensate;
use crate::diag::{At, Code, Diagnostic, Diagnostics};
use crate::plan::{Body, Plan};

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
            if let Some(group) = tried_again_apart(subject, &name.value, &id.value) {
                out.add_covers_tried_again(name, &id.value, group);
            }
            if other.branch != known.branch {
                out.add_covers_other_branch(name, &id.value);
            }
            match covered_by.iter().find(|(covered, _)| *covered == name.value) {
                Some((_, first)) => out.add_covered_twice(name, first, &id.value),
                None => covered_by.push((&name.value, &id.value)),
            }
        }
    }
}

/// The group around the covered step, and not around the one that covers it, that has a `retry`: an
/// attempt of it is undone before the next one, and this undo comes later.
fn tried_again_apart<'a>(subject: &Subject<'a>, covered: &str, by: &str) -> Option<&'a str> {
    let plan = &subject.saga.plan;
    let (mut at, by) = (*plan.by_path.get(covered)?, *plan.by_path.get(by)?);
    while let Some(owner) = Plan::owner(plan.step(at).body) {
        let (group, inside) = (plan.step(owner), plan.step(at).body == Body::Group(owner));
        let again = group.retry.as_ref().is_some_and(|retry| retry.attempts > 1);
        if inside && again && !plan.is_within(by, owner) {
            return Some(&group.path);
        }
        at = owner;
    }
    None
}

impl Diagnostics {
    fn add_covers_earlier(&mut self, name: &At<String>, own: &str) {
        let message =
            format!("the undo of `{own}` covers `{}`, which does not come after it", name.value);
        let help =
            "undoing goes backwards: cover later steps, or put the `covers` into the earlier one";
        self.push(Diagnostic::new(Code::CoversStranger, name.span, message).help(help));
    }

    fn add_covers_tried_again(&mut self, name: &At<String>, own: &str, group: &str) {
        let message = format!(
            "the undo of `{own}` covers `{}`, which group `{group}` undoes before its next attempt",
            name.value
        );
        let help = format!(
            "give `{}` an undo of its own, or put `{own}` into `{group}`, or take the `retry` away",
            name.value
        );
        self.push(Diagnostic::new(Code::CoversStranger, name.span, message).help(help));
    }

    fn add_covers_other_branch(&mut self, name: &At<String>, own: &str) {
        let message =
            format!("the undo of `{own}` covers `{}`, which stands in another branch", name.value);
        let help = "branches are undone each by itself: cover steps of the same branch, or give \
                    the whole `parallel` a `compensate`";
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
