//! What one target is owed and what its session was handed. Pure: it has no socket and no clock,
//! and fails nothing.
//!
//! Nothing is ever pushed here. The coordinator says what a saga owes now, and the difference to
//! what was handed over is what there is to do; so a reconnect is nothing but forgetting what was
//! handed over \[R4\].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::{Seq, SessionNo};

/// A command that a target is owed. `C` is what is needed to write its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed<C> {
    /// The record that made it owed: commands go out in this order \[P1\].
    pub order: Seq,
    /// Its idempotency key.
    pub command_id: Arc<str>,
    /// What it says.
    pub command: C,
}

/// The link to one target.
#[derive(Clone, Debug)]
pub struct Link<C> {
    session: Option<SessionNo>,
    owed: BTreeMap<Seq, Owed<C>>,
    /// Owed, and not handed to the session that is open.
    waiting: BTreeSet<Seq>,
    /// Handed to the session that is open, and owed no more; the peer may not have got them yet.
    retracted: Vec<Arc<str>>,
}

impl<C> Default for Link<C> {
    fn default() -> Self {
        Self {
            session: None,
            owed: BTreeMap::new(),
            waiting: BTreeSet::new(),
            retracted: Vec::new(),
        }
    }
}

impl<C> Link<C> {
    /// The open session.
    #[must_use]
    pub fn session(&self) -> Option<SessionNo> {
        self.session
    }

    /// All that is owed, in order, handed over or not.
    pub fn owed(&self) -> impl Iterator<Item = &Owed<C>> {
        self.owed.values()
    }

    /// How many commands wait to be handed over.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes note of a command that is owed from now on. To note one twice changes nothing.
    pub fn owe(&mut self, command: Owed<C>) {
        let order = command.order;
        if self.owed.insert(order, command).is_none() {
            self.waiting.insert(order);
        }
    }

    /// Takes note that the command of that order is owed no more: it is never sent again, and taken
    /// back where that is still possible \[P5\].
    pub fn owe_no_more(&mut self, order: Seq) {
        let Some(gone) = self.owed.remove(&order) else { return };
        if !self.waiting.remove(&order) && self.session.is_some() {
            self.retracted.push(gone.command_id);
        }
    }

    /// A session begins: nothing was handed to it yet. The caller has said `registered` to it
    /// \[P4\].
    pub fn session_opened(&mut self, session: SessionNo) {
        self.session = Some(session);
        self.hand_nothing();
    }

    /// A session ended. False, and nothing changes, when it is not the one that is open \[P6\].
    pub fn session_closed(&mut self, session: SessionNo) -> bool {
        if self.session != Some(session) {
            return false;
        }
        self.session = None;
        self.hand_nothing();
        true
    }

    /// The next command to hand to the open session; it counts as handed over from now on.
    pub fn hand_next(&mut self) -> Option<(&Owed<C>, SessionNo)> {
        let session = self.session?;
        let order = self.waiting.pop_first()?;
        let owed = self.owed.get(&order).expect("what waits is owed: both change together");
        Some((owed, session))
    }

    /// Commands to take back from the open session's queue, where they may still be.
    pub fn take_retracted(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.retracted)
    }

    fn hand_nothing(&mut self) {
        self.waiting = self.owed.keys().copied().collect();
        self.retracted.clear();
    }
}
