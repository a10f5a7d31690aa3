//! A newcomer that is merged may come as late as something asks for what it changes: before that
//! its coming and everything else lead to the same, in whichever order.

use std::collections::BTreeSet;

use crate::ids::SagaId;
use crate::plan::{Plan, StepIx};
use crate::saga::record::Record;
use crate::saga::state::{Phase, Saga};

use super::act::{Act, Deed, Done, Node};
use super::reads::{Reads, Site};

/// Who is concerned by what a newcomer changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Later {
    /// Steps that read it.
    readers: BTreeSet<StepIx>,
    /// Variables that the newcomer reads itself.
    read: BTreeSet<String>,
    /// Whether it is looked at whatever happens.
    always: bool,
}

/// What something else does, as far as it may concern a newcomer.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    steps: BTreeSet<StepIx>,
    saved: BTreeSet<String>,
    turns: bool,
}

impl Later {
    /// Of any newcomer to a saga of that plan.
    pub(super) fn of_any(plan: &Plan, reads: &Reads) -> Later {
        let saved = plan.eviction.save.iter().map(|(name, _)| &**name);
        Later::of_changes(saved, reads)
    }

    /// Of a newcomer at that moment; none, where it would not be merged.
    pub(super) fn of_moment(node: &Node, reads: &Reads) -> Option<Later> {
        let mut merged = node.clone();
        let done = merged.happen(&Deed { act: Act::Rival, dies: None });
        let saga = &node.world.coordinator().saga(node.main()?)?.0;
        let joined = done.facts().iter().find_map(|(_, fact)| {
            let Record::Joined(joined) = &fact.record else { return None };
            (fact.saga == Some(saga.id)).then_some(joined)
        })?;
        let saved = joined.save.iter();
        let changed = saved.filter(|(name, value)| saga.vars.get(*name) != Some(*value));
        Some(Later::of_changes(changed.map(|(name, _)| &**name), reads))
    }

    fn of_changes<'a>(names: impl Iterator<Item = &'a str>, reads: &Reads) -> Later {
        let sites: BTreeSet<Site> = names.flat_map(|name| reads.of_var(name)).collect();
        let always = sites.contains(&Site::Ever) || sites.contains(&Site::Watch);
        let readers = sites.iter().filter_map(|site| site.step()).collect();
        Later { readers, read: reads.vars_of(Site::Join), always }
    }

    /// Whether that would have been otherwise, had the newcomer come before.
    pub(super) fn changes(&self, saga: Option<&Saga>, seen: &Seen) -> bool {
        let waits = |run: &crate::saga::state::Run| {
            matches!(run.phase, Phase::Waiting { .. }) && self.readers.contains(&run.key.step)
        };
        let listens = saga.is_some_and(|saga| saga.runs.iter().any(waits));
        seen.turns
            || self.always
            || listens
            || !self.readers.is_disjoint(&seen.steps)
            || !self.read.is_disjoint(&seen.saved)
    }
}

impl Seen {
    /// Notes what was seen beside.
    pub(super) fn add(&mut self, other: Seen) {
        self.steps.extend(other.steps);
        self.saved.extend(other.saved);
        self.turns |= other.turns;
    }

    /// Notes what was done to the saga.
    pub(super) fn note(&mut self, plan: &Plan, main: Option<SagaId>, done: &Done) {
        for (_, fact) in done.facts().iter().filter(|(_, fact)| fact.saga == main) {
            let record = &fact.record;
            if let Record::Outcome(outcome) = record {
                self.saved.extend(outcome.save.keys().cloned());
            } else if let Record::Matched(matched) = record {
                self.saved.extend(matched.save.keys().cloned());
            }
            self.turns |= matches!(
                record,
                Record::Unwinding(_)
                    | Record::Finishing(_)
                    | Record::Held(_)
                    | Record::Ended(_)
                    | Record::Dropped(_)
                    | Record::Settled(_)
            );
            self.steps.extend(record.step().and_then(|path| plan.find(path)));
        }
    }
}
