//! Timeouts and retries with the defaults applied. Whether they are wise is judged by rules.

use super::Compiler;
use super::undo::Undone;
use crate::definition::step::{Retry as RetryNode, RetryChoice, RetryOn, Step as StepNode};
use crate::plan::{Retry, Verb};
use crate::time::Millis;

impl Compiler<'_> {
    /// Its own word; for a wait the defaults', and for an undo, in the end, that of what it undoes.
    pub(super) fn timeout_of(
        &self,
        node: &StepNode,
        verb: &Verb,
        waits: bool,
        undone: Option<&Undone>,
    ) -> Option<Millis> {
        if let Some(own) = &node.timeout {
            return own.value.millis();
        }
        if !needs_bound(verb, waits) {
            return None;
        }
        match &self.saga.defaults.timeout {
            Some(default) => default.value.millis(),
            None => undone.and_then(|undone| undone.timeout),
        }
    }

    /// Its own word, else the defaults' for what is tried by itself: a command or a wait.
    pub(super) fn retry_of(&self, node: &StepNode, verb: &Verb, waits: bool) -> Option<Retry> {
        let choice = match &node.retry {
            Some(own) => &own.value,
            None if matches!(verb, Verb::Issue { .. }) || needs_bound(verb, waits) => {
                &self.saga.defaults.retry.as_ref()?.value
            }
            None => return None,
        };
        of_choice(choice)
    }
}

/// The retry that was written; nothing for the word `none`.
pub(super) fn of_choice(choice: &RetryChoice) -> Option<Retry> {
    match choice {
        RetryChoice::None => None,
        RetryChoice::Retry(retry) => Some(compile(retry)),
    }
}

/// Whether the step waits for others: a group's steps and a delay bound themselves.
pub(in crate::plan) fn needs_bound(verb: &Verb, waits: bool) -> bool {
    match verb {
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } => waits,
        Verb::Delay(_)
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Call(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => false,
    }
}

fn compile(retry: &RetryNode) -> Retry {
    let named = |what: RetryOn| retry.on.iter().any(|on| on.value == what);
    Retry {
        attempts: retry.attempts.value,
        backoff: retry.backoff.value,
        delay: retry.delay.value,
        max_delay: retry.max_delay.as_ref().map(|max| max.value),
        jitter: retry.jitter.as_ref().map_or(0.0, |jitter| jitter.value),
        on_timeout: named(RetryOn::Timeout),
        on_unreachable: named(RetryOn::Unreachable),
        on_failed: named(RetryOn::Failed),
    }
}
