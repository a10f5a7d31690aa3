//! Commands that sagas owe to targets, in the order in which they became owed \[R4, P1\], and when
//! an absent target's wait is over \[P3\].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::definition::catalog::Catalog;
use crate::ids::{SagaId, Seq};
use crate::limits::DISCONNECT_TIMEOUT;
use crate::saga::owed::{Duty, Owed, duties};
use crate::saga::targets::Targets;
use crate::time::{Millis, Timestamp};

use super::Live;

#[derive(Clone, Debug, Default)]
struct OfTarget {
    commands: BTreeMap<Seq, Arc<Owed>>,
    /// When to look whether anything waited too long; never while a session is open.
    check: Option<Timestamp>,
}

/// How what is owed to a target changed.
#[derive(Clone, Debug)]
pub enum Debt {
    /// It is owed that command.
    New(Arc<Owed>),
    /// It is owed that command no more.
    Over(Arc<Owed>),
}

/// All owed commands by target and order.
#[derive(Clone, Debug, Default)]
pub(super) struct OwedIndex {
    targets: BTreeMap<Arc<str>, OfTarget>,
}

fn patience(target: &str, catalog: &Catalog) -> Millis {
    catalog.targets.get(target).map_or(DISCONNECT_TIMEOUT, |target| target.disconnect_timeout)
}

/// Takes up what the saga owes now, and tells how that differs from before. Of a loop with a
/// thousand elements one changes at a time: what stands before and behind it is left as it is.
fn replace_changed(live: &mut Live) -> Vec<Debt> {
    let duties: Vec<Duty<'_>> = duties(&live.saga).collect();
    let same = |(duty, owed): &(&Duty<'_>, &Arc<Owed>)| duty.order() == owed.order;
    let head = duties.iter().zip(&live.owed).take_while(same).count();
    let behind = duties[head..].iter().rev().zip(live.owed[head..].iter().rev());
    let tail = behind.take_while(same).count();
    let changed = &duties[head..duties.len() - tail];
    let tell = |duty: &Duty<'_>| Arc::new(duty.tell(&live.saga, &live.plan));
    let new: Vec<Arc<Owed>> = changed.iter().map(tell).collect();
    let old: Vec<Arc<Owed>> =
        live.owed.splice(head..live.owed.len() - tail, new.iter().cloned()).collect();
    let orders = |some: &[Arc<Owed>]| some.iter().map(|one| one.order).collect::<BTreeSet<_>>();
    let (before, after) = (orders(&old), orders(&new));
    let over = old.into_iter().filter(|one| !after.contains(&one.order)).map(Debt::Over);
    let new = new.into_iter().filter(|one| !before.contains(&one.order)).map(Debt::New);
    over.chain(new).collect()
}

impl OwedIndex {
    /// Brings a saga's commands up to date, and notes how they changed.
    pub(super) fn change(
        &mut self,
        live: &mut Live,
        targets: &Targets,
        now: Timestamp,
        catalog: &Catalog,
        debts: &mut Vec<Debt>,
    ) {
        // A command's order is its own: while the orders are the same, so is all the rest.
        let orders = duties(&live.saga).map(|duty| duty.order());
        if orders.eq(live.owed.iter().map(|owed| owed.order)) {
            return;
        }
        for command in replace_changed(live) {
            match command {
                Debt::Over(command) => {
                    if let Some(target) = self.targets.get_mut(&command.target) {
                        target.commands.remove(&command.order);
                    }
                    debts.push(Debt::Over(command));
                }
                Debt::New(command) => {
                    self.add(&command, targets, now, catalog);
                    debts.push(Debt::New(command));
                }
            }
        }
    }

    fn add(&mut self, new: &Arc<Owed>, targets: &Targets, now: Timestamp, catalog: &Catalog) {
        let target = match self.targets.get_mut(&new.target) {
            Some(target) => target,
            None => self.targets.entry(new.target.clone()).or_default(),
        };
        target.commands.insert(new.order, new.clone());
        if !targets.is_open(&new.target) && !new.undoes {
            let over = now + patience(&new.target, catalog);
            target.check = Some(target.check.map_or(over, |check| check.min(over)));
        }
    }

    /// Whether any saga ever owed that target something.
    pub(super) fn knows(&self, target: &str) -> bool {
        self.targets.contains_key(target)
    }

    /// Sagas that owe that target something.
    pub(super) fn sagas_of(&self, target: &str) -> BTreeSet<SagaId> {
        self.of(target).map(|command| command.saga).collect()
    }

    /// Commands owed to that target, in order.
    pub(super) fn of(&self, target: &str) -> impl Iterator<Item = &Arc<Owed>> {
        self.targets.get(target).into_iter().flat_map(|target| target.commands.values())
    }

    /// Commands that came to be owed to that target after that record, in order.
    pub(super) fn of_since(&self, target: &str, since: Seq) -> impl Iterator<Item = &Arc<Owed>> {
        let of_target = self.targets.get(target).into_iter();
        of_target.flat_map(move |target| target.commands.range(since..).map(|(_, owed)| owed))
    }

    /// All targets that something is owed to.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Arc<str>> {
        self.targets.iter().filter(|(_, t)| !t.commands.is_empty()).map(|(name, _)| name)
    }

    /// A target's session closed: its wait begins \[P3\].
    pub(super) fn target_left(&mut self, target: &str, now: Timestamp, catalog: &Catalog) {
        if let Some(of_target) = self.targets.get_mut(target) {
            of_target.check = Some(now + patience(target, catalog));
        }
    }

    /// A target has a session: nothing waits any more.
    pub(super) fn target_came(&mut self, target: &str) {
        if let Some(of_target) = self.targets.get_mut(target) {
            of_target.check = None;
        }
    }

    /// When the first absent target has to be looked at.
    pub(super) fn next_check(&self) -> Option<Timestamp> {
        self.targets.values().filter_map(|target| target.check).min()
    }

    /// Targets to look at now; the look sets the next one with [`OwedIndex::check_again`].
    pub(super) fn due_targets(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let due = self.targets.iter_mut().filter(|(_, t)| t.check.is_some_and(|at| at <= now));
        due.map(|(name, target)| {
            target.check = None;
            name.clone()
        })
        .collect()
    }

    /// Sets when to look at a target next, if that is earlier.
    pub(super) fn check_again(&mut self, target: &str, at: Timestamp) {
        if let Some(of_target) = self.targets.get_mut(target) {
            of_target.check = Some(of_target.check.map_or(at, |check| check.min(at)));
        }
    }
}
