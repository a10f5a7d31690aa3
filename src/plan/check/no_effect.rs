//! W007: a setting that can have no effect, so that its author believes what is not so.

use crate::definition::step::{OnTimeout, RetryChoice, RetryOn, Step as StepNode};
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::{Backoff, Policy, Step, Verb};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let saga = subject.saga.saga;
    if saga.eviction.policy.value == Policy::Parallel
        && let Some(key) = saga.eviction.key.first()
    {
        out.add_no_effect(key.span, "key", "sagas that run in parallel contend for nothing");
    }
    let default = saga.defaults.retry.as_ref();
    if let Some(retry) = default {
        pauses(&retry.value, out);
    }
    for (_, step, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let text = written.step;
        if let Some(retry) = &text.retry {
            pauses(&retry.value, out);
            attempts(&retry.value, default.is_some(), out);
        }
        if step.timeout.is_none() && waits_itself(step) {
            timeouts(text, out);
        }
    }
}

/// Whether the step's own time is all that can pass: inside a group others have theirs.
fn waits_itself(step: &Step) -> bool {
    matches!(step.verb, Verb::Issue { .. } | Verb::Await)
}

fn attempts(retry: &RetryChoice, is_override: bool, out: &mut Diagnostics) {
    let RetryChoice::Retry(retry) = retry else { return };
    if retry.attempts.value == 1 && !is_override {
        let why = "attempts count the first, so this step is never tried again";
        out.add_no_effect(retry.attempts.span, "retry", why);
    }
}

fn pauses(retry: &RetryChoice, out: &mut Diagnostics) {
    let RetryChoice::Retry(retry) = retry else { return };
    let Some(most) = retry.max_delay else { return };
    if retry.backoff.value == Backoff::Constant {
        let why = "a pause with `backoff: constant` does not grow";
        out.add_no_effect(most.span, "max_delay", why);
    } else if retry.attempts.value == 2 && most.value >= retry.delay.value {
        let why = "two attempts have one pause between them, which is `delay`";
        out.add_no_effect(most.span, "max_delay", why);
    }
}

/// What waits for a time that the step does not have.
fn timeouts(text: &StepNode, out: &mut Diagnostics) {
    let why = "this step has no `timeout` that could pass";
    if let Some(entry) = &text.on_timeout
        && entry.value != OnTimeout::Fail
    {
        out.add_no_effect(entry.span, "on_timeout", why);
    }
    if let Some(RetryChoice::Retry(retry)) = text.retry.as_ref().map(|retry| &retry.value) {
        for on in retry.on.iter().filter(|on| on.value == RetryOn::Timeout) {
            out.add_no_effect(on.span, "timeout", why);
        }
    }
}

impl Diagnostics {
    fn add_no_effect(&mut self, at: Span, what: &str, why: &str) {
        let message = format!("`{what}` has no effect here: {why}");
        self.push(Diagnostic::new(Code::NoEffect, at, message));
    }
}
