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

    fn end(&mut self, verdict: Verdict) {
        let retrying = self.saga.retrying;
        self.push(if retrying { Record::Settled(verdict) } else { Record::Ended(verdict) });
    }
}
