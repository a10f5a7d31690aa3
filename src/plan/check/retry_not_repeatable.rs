//! SF308: a retry after doubt of a command that may have happened and cannot be sent again.

use crate::definition::step::{Retry, RetryChoice, RetryOn};
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::{Body, StepIx, Undo, Verb};

use super::{Subject, issued};

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let default = subject.saga.saga.defaults.retry.as_ref().map(|retry| &retry.value);
    for (ix, step, written) in subject.steps() {
        let Some((command, false)) = issued(step) else { continue };
        around(subject, ix, command, out);
        let own = written.step.retry.as_ref().filter(|_| !written.by_catalog);
        let choice = own.map(|retry| &retry.value);
        let (choice, by_default) = match (choice, default) {
            (Some(own), _) => (own, false),
            (None, Some(default)) => (default, true),
            (None, None) => continue,
        };
        let RetryChoice::Retry(retry) = choice else { continue };
        let Some((at, word)) = in_doubt(retry) else { continue };
        let issue = written.what();
        if by_default {
            out.add_default_retry_not_repeatable(issue, at, command, word);
        } else {
            out.add_retry_not_repeatable(at, issue, command, word);
        }
    }
}

/// The same where what is around the command is tried again: what may have happened and has no undo
/// would happen twice.
fn around(subject: &Subject<'_>, ix: StepIx, command: &str, out: &mut Diagnostics) {
    let (plan, written) = (&subject.saga.plan, subject.written(ix));
    let step = plan.step(ix);
    let is_undone = step.undo != Undo::Nothing || step.covered_by.is_some();
    if is_undone
        || written.by_catalog
        || matches!(step.verb, Verb::Issue { irreversible: true, .. })
    {
        return;
    }
    let mut body = step.body;
    loop {
        let (owner, is_tried) = match body {
            Body::Main | Body::Finally | Body::Undo(_) | Body::Probe(_) => return,
            // They run when no attempt is left.
            Body::OnTimeout(owner) => (owner, false),
            Body::Group(owner) | Body::Branches(owner) => (owner, true),
        };
        let retry = subject.written(owner).step.retry.as_ref().map(|retry| &retry.value);
        // Its own undo runs between the attempts, and stands for what is inside.
        let is_left = is_tried && plan.step(owner).undo == Undo::Nothing;
        if let Some(RetryChoice::Retry(retry)) = retry.filter(|_| is_left)
            && let Some((at, word)) = in_doubt(retry)
        {
            out.add_retry_not_repeatable(at, written.what(), command, word);
        }
        body = plan.step(owner).body;
    }
}

/// The first word of `on` that tries again after doubt.
fn in_doubt(retry: &Retry) -> Option<(Span, &'static str)> {
    retry.on.iter().find_map(|on| match on.value {
        RetryOn::Timeout => Some((on.span, "timeout")),
        RetryOn::Unreachable => Some((on.span, "unreachable")),
        RetryOn::Failed => None,
    })
}

impl Diagnostics {
    fn add_retry_not_repeatable(&mut self, at: Span, issue: Span, command: &str, word: &str) {
        let message = format!(
            "after `{word}` nobody knows whether `{command}` happened, and it cannot be sent \
             again: it is not idempotent"
        );
        self.push(
            Diagnostic::new(Code::RetryNotRepeatable, at, message).also(issue, "issued here").help(
                "write `on: [failed]`, declare the command with `idempotent: true`, or give the \
                       step a `probe`",
            ),
        );
    }

    fn add_default_retry_not_repeatable(
        &mut self,
        issue: Span,
        default: Span,
        command: &str,
        word: &str,
    ) {
        let message = format!(
            "the default retry sends `{command}` again after `{word}`, and it is not idempotent"
        );
        self.push(
            Diagnostic::new(Code::RetryNotRepeatable, issue, message)
                .also(default, "the default")
                .help("give this step its own `retry` with `on: [failed]`, or `retry: none`"),
        );
    }
}
