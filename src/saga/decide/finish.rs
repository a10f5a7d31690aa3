//! The end: `finally` on every way out, then exactly one terminal record \[R1, R15\].

use crate::plan::Body;
use crate::saga::decide::{Decision, Next};
use crate::saga::record::{Record, Verdict};

impl Decision<'_> {
    pub(super) fn finish(&mut self, verdict: Verdict) -> Next {
        if self.is_to_be_held(&verdict) {
            self.push(Record::Held(verdict));
            return Next::Rest;
        }
        // A retried incident ran its `finally` at its first end.
        if self.plan.finally.is_empty() || self.saga.retrying {
            self.end(verdict);
            return Next::Rest;
        }
        self.push(Record::Finishing(verdict));
        Next::Enter(0, Body::Finally, 0)
    }

    /// `finally` is over.
    pub(super) fn close(&mut self) -> Next {
        if let Some(verdict) = self.saga.verdict.clone() {
            self.end(verdict);
        }
        Next::Rest
    }

    /// Nothing is left but what is told: the end, or first a word to those that reactions owe
    /// something \[P5\].
    fn end(&mut self, verdict: Verdict) {
        if !self.saga.reactions.owed.is_empty() {
            if self.saga.verdict.is_none() {
                self.push(Record::Finishing(verdict));
            }
            return;
        }
        let retrying = self.saga.retrying;
        self.push(if retrying { Record::Settled(verdict) } else { Record::Ended(verdict) });
    }

    /// Ends what only waited for its reactions: its verdict stands, and nothing else is open.
    pub(super) fn end_at_last(&mut self) {
        let open = self.saga.runs.iter().any(crate::saga::state::Run::is_open);
        if self.saga.is_open() && !open && self.saga.reactions.owed.is_empty() {
            self.close();
        }
    }
}
