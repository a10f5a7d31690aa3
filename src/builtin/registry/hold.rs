//! What pods hold, and who must not hold it too: owners, conflicts, authority, and what is free.
//! Chooses nothing: who asks decides what a conflict means.

use std::sync::Arc;

use super::{Effective, Hold, Pod, Registry};
use crate::builtin::scope::{Permission, Rule};
use crate::limits::{PODS_BYTES_MAX, PODS_MAX};

impl Pod {
    /// The rules by which it holds something that others must not write.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Rule> {
        let holds = self.hold.is_some();
        self.granted.iter().filter(move |rule| holds && rule.writes())
    }

    /// The rules by which it denied itself something.
    pub(super) fn denies(&self) -> impl Iterator<Item = &Rule> {
        self.hold.iter().flat_map(|hold| hold.deny.iter().chain(&hold.due))
    }

    /// Whether it said itself that it does not write there at all.
    fn keeps_off(&self, rule: &Rule) -> bool {
        self.denies().any(|deny| denies_all(deny, rule))
    }
}

/// Whether one of the rules covers all of that one.
pub(super) fn covered(by: &[Rule], rule: &Rule) -> bool {
    by.iter().any(|one| one.covers(rule))
}

/// Whether nothing of what `rule` writes is left by that denial. To deny reading denies writing.
fn denies_all(deny: &Rule, rule: &Rule) -> bool {
    Rule { permission: Permission::Write, ..deny.clone() }.covers(rule)
}

/// About how many bytes a pod adds to the list of all: its rules stand there as its scope, as what
/// it may write, and as what others may not.
fn listed_bytes(name: &str, words: usize, rules: &[&[Rule]]) -> usize {
    let rule = |rule: &Rule| 3 * (rule.target.as_str().len() + 64);
    let rules: usize = rules.iter().flat_map(|list| list.iter()).map(rule).sum();
    400 + 4 * name.len() + words + rules
}

impl Registry {
    /// Whether one more pod can be known, with these words and rules: all of them must fit into
    /// one answer.
    pub(super) fn has_room(&self, name: &str, words: &[&str], rules: &[&[Rule]]) -> bool {
        let of = |(name, pod): (&Arc<str>, &Pod)| {
            let none = Vec::new();
            let (deny, due) = pod.hold.as_ref().map_or((&none, &none), |h| (&h.deny, &h.due));
            let segment = pod.hold.as_ref().map_or(0, |hold| hold.segment_id.len());
            let words = pod.socket.len() + pod.callback.len() + pod.parent.len() + segment;
            listed_bytes(name, words, &[&pod.scope, deny, due])
        };
        let own = listed_bytes(name, words.iter().map(|word| word.len()).sum(), rules);
        let all: usize = self.pods.iter().map(of).sum();
        self.pods.len() < PODS_MAX && all + own <= PODS_BYTES_MAX
    }

    pub(super) fn hold(&self, name: &str) -> Option<&Hold> {
        self.pods.get(name)?.hold.as_ref()
    }

    /// From `name` up to the top, each with its hold. Ends, whatever the owners are: nobody stands
    /// above more pods than there are.
    pub(super) fn upwards<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let above = |name: &&'a str| self.hold(name).map(|hold| &*hold.owner);
        let first = self.hold(name).map(|_| name);
        std::iter::successors(first, move |name| above(name).filter(|up| self.hold(up).is_some()))
            .take(self.pods.len())
    }

    fn depth(&self, name: &str) -> usize {
        self.upwards(name).count()
    }

    /// The pods that stand directly below.
    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Pod> {
        let below = move |pod: &&Pod| pod.hold.as_ref().is_some_and(|hold| *hold.owner == *name);
        self.pods.values().filter(below).filter(move |_| !name.is_empty())
    }

    /// Who holds a part of what these rules write, if `owner` hands them on: of several the one
    /// that stands deepest, for it is the one that works there. `deny` is what the newcomer will
    /// not write though its rules say so.
    pub(super) fn competitor<'a>(
        &'a self,
        name: &str,
        owner: &str,
        scope: &'a [Rule],
        deny: &[Rule],
    ) -> Option<(&'a Arc<str>, &'a Rule)> {
        let chain: Vec<&str> = self.upwards(owner).collect();
        let meets = |other: &str, pod: &Pod, rule: &Rule| {
            let overlaps = |theirs: &Rule| {
                theirs.overlaps(rule) && !deny.iter().any(|deny| denies_all(deny, theirs))
            };
            pod.writes().any(overlaps) && !pod.keeps_off(rule) && !self.passes(&chain, other, rule)
        };
        let mut found: Option<(usize, (&Arc<str>, &Rule))> = None;
        for (other, pod) in self.pods.iter().filter(|(other, _)| ***other != *name) {
            let mut writes = scope.iter().filter(|rule| rule.writes());
            if let Some(rule) = writes.find(|rule| meets(other, pod, rule)) {
                let depth = self.depth(other);
                if found.is_none_or(|(deepest, _)| depth > deepest) {
                    found = Some((depth, (other, rule)));
                }
            }
        }
        found.map(|(_, found)| found)
    }

    /// Whether `other` may overlap what the first of `chain` hands on: it is that one itself, or
    /// stands above it and handed all of that part down to each one between. One of them would not
    /// do: when it leaves, the next one hangs in its place.
    pub(super) fn passes(&self, chain: &[&str], other: &str, rule: &Rule) -> bool {
        let holds = |name: &&str| {
            self.pods.get(*name).is_some_and(|pod| pod.writes().any(|own| own.covers(rule)))
        };
        let at = chain.iter().position(|name| *name == other);
        at.is_some_and(|at| chain[..at].iter().all(holds))
    }

    /// Of what a pod says that it handed on to one of its own: the rules that it was entitled to
    /// hand on and that nobody else holds. It says so after the deed, so the rest is told and not
    /// held.
    pub(super) fn entitled(&self, name: &str, parent: &str, scope: &[Rule]) -> Vec<Rule> {
        let Some(pod) = self.pods.get(parent) else { return Vec::new() };
        let Some(hold) = &pod.hold else { return Vec::new() };
        let own = |rule: &Rule| {
            covered(&pod.granted, rule) && !pod.denies().any(|deny| deny.overlaps(rule))
        };
        let alone =
            |rule: &Rule| self.competitor(name, parent, std::slice::from_ref(rule), &[]).is_none();
        let entitled = |rule: &&Rule| own(rule) || covered(&hold.delegation, rule);
        scope.iter().filter(entitled).filter(|rule| alone(rule)).cloned().collect()
    }

    /// What a pod may write now. Never kept: what hangs below it changes.
    #[must_use]
    pub fn effective_write(&self, name: &str) -> Effective {
        let Some(pod) = self.pods.get(name) else { return Effective::default() };
        let allow: Vec<Rule> = pod.writes().cloned().collect();
        let handed = self.children(name).flat_map(Pod::writes);
        let mut deny: Vec<Rule> = pod.denies().chain(handed).cloned().collect();
        deny.retain(|denied| allow.iter().any(|rule| rule.overlaps(denied)));
        deny.sort();
        deny.dedup();
        Effective { allow, deny }
    }
}
