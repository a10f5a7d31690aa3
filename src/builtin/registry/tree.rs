//! What becomes of the tree when a pod leaves it: who hangs where, and who may write again what
//! the one that left had held. Decides nothing: it is told who leaves.

use std::sync::Arc;

use super::{Ended, Pod, Registry};
use crate::builtin::scope::Rule;
use crate::limits::{POD_TOMBSTONE, POD_TOMBSTONES_MAX};
use crate::time::Timestamp;

impl Registry {
    /// Takes what a pod holds; what hangs below it hangs one level higher. One that was recorded is
    /// still known.
    pub(super) fn release(&mut self, name: &str, generation: u64, now: Timestamp) {
        let Some(pod) = self.pod_mut(name, generation) else { return };
        let recorded = pod.recorded;
        if let Some(hold) = pod.hold.take() {
            self.hang_higher(name, &hold.owner);
        }
        if !recorded {
            self.bury(name, now);
        }
        self.end_due();
    }

    /// Forgets a pod, and takes what it holds.
    pub(super) fn remove(&mut self, name: &str, generation: u64, now: Timestamp) {
        if self.bearer(name, generation).is_none() {
            return;
        }
        if let Some(hold) = self.pod_mut(name, generation).and_then(|pod| pod.hold.take()) {
            self.hang_higher(name, &hold.owner);
        }
        self.bury(name, now);
        self.end_due();
    }

    /// Hangs what stands directly below `name` below its owner.
    fn hang_higher(&mut self, name: &str, owner: &Arc<str>) {
        for (child, pod) in &mut self.pods {
            if let Some(hold) = &mut pod.hold
                && *hold.owner == *name
            {
                hold.owner = Arc::clone(owner);
                self.changed.insert(Arc::clone(child));
            }
        }
    }

    /// Makes a pod one that ended.
    fn bury(&mut self, name: &str, now: Timestamp) {
        let Some((name, pod)) = self.pods.remove_entry(name) else { return };
        let ended = Ended { generation: pod.generation, until: now + POD_TOMBSTONE };
        self.changed.insert(Arc::clone(&name));
        self.ended.insert(name, ended);
        if self.ended.len() > POD_TOMBSTONES_MAX {
            let oldest = self.ended.iter().min_by_key(|(_, ended)| ended.until);
            let oldest = oldest.map(|(name, _)| Arc::clone(name));
            oldest.iter().for_each(|name| self.forget(name));
        }
    }

    /// Forgets that a name had a bearer; its next one still counts on from there.
    fn forget(&mut self, name: &Arc<str>) {
        if let Some(ended) = self.ended.remove(name) {
            self.counters.floor = self.counters.floor.max(ended.generation);
            self.changed.insert(Arc::clone(name));
            self.changed.insert(super::COUNTERS.into());
        }
    }

    /// Forgets the names that ended long enough ago.
    pub(super) fn forget_ended(&mut self, now: Timestamp) {
        let over = self.ended.iter().filter(|(_, ended)| ended.until <= now);
        let over: Vec<Arc<str>> = over.map(|(name, _)| Arc::clone(name)).collect();
        over.iter().for_each(|name| self.forget(name));
    }

    /// Of what a newcomer denies itself: the rules that stand for what another pod has, one for
    /// each such rule, which it gets when that is free. All others it denies itself for good.
    pub(super) fn split_due(&self, name: &str, owner: &str, deny: &mut Vec<Rule>) -> Vec<Rule> {
        let above: Vec<&str> = self.upwards(owner).collect();
        let others =
            self.pods.iter().filter(|(other, _)| ***other != *name && !above.contains(&&***other));
        let mut due = Vec::new();
        for rule in others.flat_map(|(_, pod)| &pod.granted).filter(|rule| rule.writes()) {
            if let Some(at) = deny.iter().position(|denied| denied == rule) {
                due.push(deny.remove(at));
            }
        }
        due
    }

    /// Ends the denials that stand for pods of which none is known any more.
    fn end_due(&mut self) {
        let with_due = |pod: &Pod| pod.hold.as_ref().is_some_and(|hold| !hold.due.is_empty());
        let names = self.pods.iter().filter(|(_, pod)| with_due(pod));
        let names: Vec<Arc<str>> = names.map(|(name, _)| Arc::clone(name)).collect();
        for name in names {
            let chain: Vec<&str> = self.upwards(&name).skip(1).collect();
            let own: Vec<&Rule> = self.pods.get(&name).into_iter().flat_map(Pod::writes).collect();
            // Whoever handed it all of its part is in nobody's way; another one above it is.
            let others = self.pods.iter().filter(|(other, _)| {
                **other != name && own.iter().any(|rule| !self.passes(&chain, other, rule))
            });
            let taken: Vec<Rule> =
                others.flat_map(|(_, pod)| &pod.granted).filter(|r| r.writes()).cloned().collect();
            let Some(hold) = self.pods.get_mut(&name).and_then(|pod| pod.hold.as_mut()) else {
                continue;
            };
            let before = hold.due.len();
            hold.due.retain(|due| taken.iter().any(|rule| rule.overlaps(due)));
            if hold.due.len() != before {
                self.changed.insert(name);
            }
        }
    }
}
