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
        of_choice(choice, verb)
    }
}

/// The retry of a step with that verb; nothing for the word `none`.
pub(super) fn of_choice(choice: &RetryChoice, verb: &Verb) -> Option<Retry> {
    match choice {
        RetryChoice::None => None,
        RetryChoice::Retry(retry) => Some(compile(retry, verb)),
    }
}

/// Whether the step waits for others: a group's steps and a delay bound themselves.
pub(in crate::plan) fn needs_bound(verb: &Verb, waits: bool) -> bool {
    match verb {
        Verb::Issue { .. } | Verb::Await | Verb::Emit { .. } => waits,
        Verb::Delay(_) | Verb::Group(_) | Verb::Parallel { .. } | Verb::Fail(_) | Verb::Done => {
            false
        }
    }
}

/// Without `on`, everything is tried again that may be: after doubt only what is idempotent.
fn compile(retry: &RetryNode, verb: &Verb) -> Retry {
    let asks_again = match verb {
        Verb::Issue { idempotent, .. } => *idempotent,
        Verb::Await
        | Verb::Emit { .. }
        | Verb::Delay(_)
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::Fail(_)
        | Verb::Done => true,
    };
    let named = |what: RetryOn| retry.on.iter().any(|on| on.value == what);
    let unsaid = retry.on.is_empty();
    Retry {
        attempts: retry.attempts.value,
        backoff: retry.backoff.value,
        delay: retry.delay.value,
        max_delay: retry.max_delay.as_ref().map(|max| max.value),
        jitter: retry.jitter.as_ref().map_or(0.0, |jitter| jitter.value),
        on_timeout: if unsaid { asks_again } else { named(RetryOn::Timeout) },
        on_unreachable: if unsaid { asks_again } else { named(RetryOn::Unreachable) },
        on_failed: unsaid || named(RetryOn::Failed),
    }
}
