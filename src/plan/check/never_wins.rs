//! W004: an alternative that comes too late, because an earlier one takes all that it would take.

use crate::definition::saga::TriggerKind;
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::expr;
use crate::plan::{Alternative, Source};

use super::Subject;

/// What takes a report: whose it is, its name, and the condition on it.
struct Taker<'a> {
    source: Source,
    event: &'a str,
    filter: Option<String>,
    at: Span,
}

impl Taker<'_> {
    /// Whether it takes all that the other would.
    fn forestalls(&self, other: &Taker<'_>) -> bool {
        let same = (self.source, self.event) == (other.source, other.event);
        same && (self.filter.is_none() || self.filter == other.filter)
    }
}

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    for (_, step, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let failing = step.fail_on.iter().map(|entry| &entry.on);
        let failing = failing.zip(written.step.fail_on.iter().map(|entry| entry.on.span));
        let mut takers: Vec<Taker<'_>> = failing.map(|(one, at)| taker(one, at)).collect();
        let fails = takers.len();
        let awaited = step.wait.iter().flat_map(|wait| &wait.alternatives);
        let text = written.step.wait.iter().flat_map(|wait| wait.value.alternatives());
        takers.extend(awaited.zip(text).map(|(one, text)| taker(one, text.span)));
        let all = step.wait.as_ref().is_some_and(|wait| wait.all);
        // Those of an `all_of` do not stand in each other's way.
        judge(&takers, |earlier, later| earlier < fails || later < fails || !all, out);
    }
    let triggers =
        subject.saga.saga.trigger.alternatives.iter().filter_map(|one| match &one.kind {
            TriggerKind::Event { event, when } => {
                let filter = when.as_ref().map(|when| printed(&when.value));
                Some(Taker { source: Source::Event, event: &event.value, filter, at: one.span })
            }
            TriggerKind::Call { .. } | TriggerKind::Schedule(_) => None,
        });
    judge(&triggers.collect::<Vec<_>>(), |_, _| true, out);
}

fn taker(one: &Alternative, at: Span) -> Taker<'_> {
    let filter = one.filter.as_ref().map(ToString::to_string);
    Taker { source: one.source, event: &one.event, filter, at }
}

/// The condition as we would write it, so that blanks make no difference.
fn printed(text: &str) -> String {
    expr::parse(text).map_or_else(|_| text.to_owned(), |ast| ast.to_string())
}

fn judge(takers: &[Taker<'_>], meet: impl Fn(usize, usize) -> bool, out: &mut Diagnostics) {
    for (later, one) in takers.iter().enumerate() {
        let mut before = takers.iter().enumerate().take(later);
        let first = before.find(|(earlier, taker)| meet(*earlier, later) && taker.forestalls(one));
        if let Some((_, first)) = first {
            out.add_never_wins(one.event, one.at, first.at);
        }
    }
}

impl Diagnostics {
    fn add_never_wins(&mut self, event: &str, at: Span, first: Span) {
        let message = format!("every `{event}` that this would take is taken before");
        self.push(
            Diagnostic::new(Code::NeverWins, at, message)
                .label("this one never wins")
                .also(first, "this one is looked at first")
                .help("remove one of them, or give the first a narrower condition"),
        );
    }
}
