//! Absent targets: what does not fit their buffer, and what waited too long \[P2, P3\]. Decided
//! from durable facts alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::definition::catalog::Overflow;
use crate::ids::{BUILT_IN_TARGETS, SagaId};
use crate::limits::{DISCONNECT_TIMEOUT, PIPE_BUFFER};
use crate::saga::decide::Input;
use crate::saga::owed::Owed;

use super::Coordinator;

impl Coordinator {
    /// Commands owed to that target, in the order in which they became owed.
    pub fn owed_to(&self, target: &str) -> impl Iterator<Item = &Arc<Owed>> {
        self.owed.of(target)
    }

    /// All targets that may be asked for: those of the catalog, those that ever came, and those
    /// that something is owed to.
    #[must_use]
    pub fn known_targets(&self) -> BTreeSet<Arc<str>> {
        // Those that are built in are nobody's concern until something is asked of them.
        let declared = self.catalog.targets.keys();
        let declared = declared.filter(|name| !BUILT_IN_TARGETS.contains(&&***name)).cloned();
        let came = self.world.targets.iter().map(|(name, _)| name.clone());
        declared.chain(came).chain(self.owed.targets().cloned()).collect()
    }

    /// Targets that something is owed to.
    pub fn owing_targets(&self) -> impl Iterator<Item = &Arc<str>> {
        self.owed.targets()
    }

    /// One known-unsent command more than the buffer holds fails its step \[P2\].
    pub(super) fn overflow(&mut self, target: &Arc<str>) {
        // A built-in target is there as soon as it is owed something: its session is opened before
        // the turn ends.
        if self.world.targets.is_open(target) || self.serves(target) {
            return;
        }
        let declared = self.catalog.targets.get(target);
        let most = declared.map_or(PIPE_BUFFER, |target| target.buffer);
        let policy = declared.map_or(Overflow::FailOldest, |target| target.overflow);
        let targets = &self.world.targets;
        // Whatever was issued before the last session closed may have been sent: only what is
        // younger is looked at, however many commands wait to be asked again.
        let closed = targets.get(target).and_then(|target| target.closed).unwrap_or_default();
        let mut unsent: std::collections::VecDeque<(SagaId, Arc<str>)> = self
            .owed
            .of_since(target, closed)
            .filter(|owed| !owed.undoes && !targets.had_session_since(target, owed.issued))
            .map(|owed| (owed.saga, owed.command_id.clone()))
            .collect();
        while unsent.len() > most {
            let victim = match policy {
                Overflow::FailOldest => unsent.pop_front(),
                Overflow::FailNewest => unsent.pop_back(),
            };
            let Some((saga, command_id)) = victim else { return };
            let command_id = &*command_id;
            let reason = Arc::from("unreachable: buffer overflow");
            self.decide(saga, Input::Unreachable { command_id, reason: &reason }, 0);
        }
    }

    /// Fails what waited for an absent target longer than its `disconnect_timeout` \[P3\].
    pub(super) fn check_targets(&mut self) {
        for target in self.owed.due_targets(self.now) {
            if self.world.targets.is_open(&target) {
                continue;
            }
            let declared = self.catalog.targets.get(&target);
            let patience = declared.map_or(DISCONNECT_TIMEOUT, |target| target.disconnect_timeout);
            let closed = self.world.targets.get(&target).and_then(|target| target.closed_at);
            let from = closed.map_or(self.world.booted_at, |at| at.max(self.world.booted_at));
            let over = move |owed: &Arc<Owed>| owed.since.max(from) + patience;
            let mut waiting = self.owed.of(&target).filter(|owed| !owed.undoes).peekable();
            let mut gone: Vec<(SagaId, Arc<str>)> = Vec::new();
            // What became owed later waits longer: the first that may go on waiting ends the look.
            while let Some(owed) = waiting.next_if(|owed| over(owed) <= self.now) {
                gone.push((owed.saga, owed.command_id.clone()));
            }
            let again = waiting.next().map(over);
            drop(waiting);
            if let Some(again) = again {
                self.owed.check_again(&target, again);
            }
            let reason = Arc::from(format!("unreachable: `{target}` was away for {patience}"));
            for (saga, command_id) in gone {
                let command_id = &*command_id;
                self.decide(saga, Input::Unreachable { command_id, reason: &reason }, 0);
            }
        }
    }
}
