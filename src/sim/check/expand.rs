//! One moment, and all that may follow from it. Knows no other moment.

use std::sync::Arc;

use serde_json::Value;

use crate::plan::StepIx;
use crate::saga::record::{Ending, Record, State};
use crate::saga::state::Saga;

use super::Setting;
use super::act::{Act, Deed, Done, Node};
use super::choices::choices;
use super::judge::{Broken, Folded};
use super::later::{Later, Seen};
use super::likeness::likeness;

/// A moment that follows from another one.
pub(super) struct Next {
    pub(super) deed: Deed,
    /// What does not hold, once that has happened.
    pub(super) broken: Option<Broken>,
    /// Steps that were come to.
    pub(super) reached: Vec<StepIx>,
    /// How the saga is to end, where that was decided.
    pub(super) end: Option<(State, Option<Arc<Value>>)>,
    /// The likeness of that moment; nothing, where no saga began, or where something else leads to
    /// the same.
    pub(super) likeness: Option<u128>,
    /// The moment, where it is worth to go on from it.
    pub(super) node: Option<Node>,
}

/// What may follow.
pub(super) struct Expanded {
    pub(super) all: Vec<Next>,
    /// Whether it is all: a moment from which not everything is gone on may end otherwise.
    pub(super) is_all: bool,
}

/// Lets everything happen that may happen at that moment.
pub(super) fn expand(setting: &Setting, node: &Node) -> Expanded {
    let mut round = Round::new(setting, node);
    for act in choices(setting, node) {
        if !matches!(act, Act::Rival) || round.is_time_for_a_rival() {
            round.go(&act);
        }
    }
    Expanded { all: round.all, is_all: node.fresh.is_none() }
}

/// Lets a saga begin.
pub(super) fn begin(setting: &Setting, root: &Node, act: &Act) -> Vec<Next> {
    let mut round = Round::new(setting, root);
    round.go(act);
    round.all
}

struct Round<'a> {
    setting: &'a Setting,
    node: &'a Node,
    /// What else may happen, as far as it may concern a newcomer.
    seen: Seen,
    /// Whom the newcomer concerns that comes now.
    later: Option<Arc<Later>>,
    all: Vec<Next>,
}

impl<'a> Round<'a> {
    fn new(setting: &'a Setting, node: &'a Node) -> Round<'a> {
        Round { setting, node, seen: Seen::default(), later: None, all: Vec::new() }
    }

    fn saga(&self) -> Option<&'a Saga> {
        let saga = self.node.main().and_then(|id| self.node.world.coordinator().saga(id));
        saga.map(|(saga, _)| saga)
    }

    /// Whether anything would be otherwise that may happen now, had a rival come before; if not,
    /// it is tried when it has happened.
    fn is_time_for_a_rival(&mut self) -> bool {
        let Some(any) = &self.setting.newcomer else { return true };
        let saga = self.saga();
        let merges = saga.is_some_and(|saga| {
            saga.state == State::Running && saga.verdict.is_none() && saga.held.is_none()
        });
        // It is not merged: that it waits is no affair of the saga's.
        if !merges {
            return true;
        }
        if !any.changes(saga, &self.seen) {
            return false;
        }
        let reads = self.setting.reads_of(&self.setting.plan().name);
        let Some(later) = Later::of_moment(self.node, reads) else { return true };
        let changes = later.changes(saga, &self.seen);
        self.later = Some(Arc::new(later));
        changes
    }

    /// Lets it happen; where it is of several commits, also with a crash after each.
    fn go(&mut self, act: &Act) {
        let commits = self.try_one(Deed { act: act.clone(), dies: None });
        if matches!(act, Act::Crash | Act::Linger) {
            return;
        }
        for commit in 1..commits {
            self.try_one(Deed { act: act.clone(), dies: Some(commit) });
        }
    }

    fn try_one(&mut self, deed: Deed) -> u64 {
        let mut next = self.node.clone();
        let folded = Folded::before(&self.setting.plans, &next);
        let done = next.happen(&deed);
        let broken = folded.after(&mut next, &done);
        let reached = self.reached(&next, &done);
        let end = end_of(&next, &done);
        let goes_on = self.goes_on(&mut next, &deed, &done) && !next.books.sagas.is_empty();
        let likeness = (goes_on && broken.is_none()).then(|| likeness(self.setting, &next));
        let node = likeness.map(|_| next);
        self.all.push(Next { deed, broken, reached, end, likeness, node });
        done.commits
    }

    /// Whether nothing else leads to the same: what would have happened just as well before a
    /// rival was merged does.
    fn goes_on(&mut self, next: &mut Node, deed: &Deed, done: &Done) -> bool {
        if self.setting.newcomer.is_none() {
            return true;
        }
        if matches!(deed.act, Act::Rival) {
            next.fresh = self.later.clone().filter(|_| next.met);
            return true;
        }
        let mut seen = Seen::default();
        seen.note(self.setting.plan(), next.main(), done);
        let Some(fresh) = next.fresh.take() else {
            self.seen.add(seen);
            return true;
        };
        fresh.changes(self.saga(), &seen)
    }

    /// The steps of the saga that were come to.
    fn reached(&self, next: &Node, done: &Done) -> Vec<StepIx> {
        let plan = self.setting.plan();
        let own = done.facts().iter().filter(|(_, fact)| fact.saga == next.main());
        let reached = own.filter_map(|(_, fact)| {
            let skips = matches!(&fact.record, Record::Outcome(o) if o.outcome == Ending::Skipped);
            fact.record.step().filter(|_| !skips).and_then(|path| plan.find(path))
        });
        reached.collect()
    }
}

/// How the saga is to end, where that was decided: `finally` changes nothing of it.
fn end_of(next: &Node, done: &Done) -> Option<(State, Option<Arc<Value>>)> {
    let mut own = done.facts().iter().filter(|(_, fact)| fact.saga == next.main());
    own.find_map(|(_, fact)| {
        let (Record::Finishing(verdict) | Record::Ended(verdict) | Record::Dropped(verdict)) =
            &fact.record
        else {
            return None;
        };
        Some((verdict.state, verdict.result.clone()))
    })
}
