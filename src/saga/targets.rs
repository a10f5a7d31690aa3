//! What is durably known of targets' sessions: enough to say whether a command may have been sent
//! \[P10\]. Holds no connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{Seq, SessionNo};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::time::Timestamp;

/// The fold of all session records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets {
    by_name: BTreeMap<Arc<str>, Target>,
}

/// One target's sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// The session that is open now.
    pub open: Option<SessionNo>,
    /// Number of the record that closed the last one.
    pub closed: Option<Seq>,
    /// When that was.
    pub closed_at: Option<Timestamp>,
}

impl Targets {
    /// Sessions of that target, if it ever had one.
    #[must_use]
    pub fn get(&self, target: &str) -> Option<&Target> {
        self.by_name.get(target)
    }

    /// Whether the target has a session now.
    #[must_use]
    pub fn is_open(&self, target: &str) -> bool {
        self.get(target).is_some_and(|t| t.open.is_some())
    }

    /// Whether the target had an open session at or after that record \[P10\].
    #[must_use]
    pub fn had_session_since(&self, target: &str, issued: Seq) -> bool {
        #[cfg(test)]
        if fault::is(Fault::NeverSent) {
            return false;
        }
        self.get(target)
            .is_some_and(|t| t.open.is_some() || t.closed.is_some_and(|closed| closed > issued))
    }

    /// Folds the opening of a session.
    pub fn opened(&mut self, target: &Arc<str>, session: SessionNo) {
        self.by_name.entry(target.clone()).or_default().open = Some(session);
    }

    /// Folds the closing of a session; that of another than the open one changes nothing \[P6\].
    pub fn closed(&mut self, target: &Arc<str>, session: SessionNo, seq: Seq, at: Timestamp) {
        let target = self.by_name.entry(target.clone()).or_default();
        if target.open == Some(session) {
            *target = Target { open: None, closed: Some(seq), closed_at: Some(at) };
        }
    }

    /// Folds a start of the launcher: it closes what was open \[P10\].
    pub fn booted(&mut self, seq: Seq, at: Timestamp) {
        for target in self.by_name.values_mut().filter(|t| t.open.is_some()) {
            *target = Target { open: None, closed: Some(seq), closed_at: Some(at) };
        }
    }

    /// All targets that ever had a session.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Target)> {
        self.by_name.iter()
    }

    /// Restores what a snapshot says of one target.
    pub fn restore(&mut self, name: Arc<str>, target: Target) {
        self.by_name.insert(name, target);
    }
}
