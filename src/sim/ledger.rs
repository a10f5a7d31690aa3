//! What targets did, or may have done, and has not been undone. Kept from what reached them and
//! what they answered, never from what the saga believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::definition::CatalogUndo;
use crate::expr::reads;
use crate::ids::SagaId;
use crate::plan::{Body, Plan, StepIx, Undo, Verb};
use crate::saga::record::Ending;
use crate::saga::state::{Run, Saga, StepKey};

/// Something that a command left in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Whose it is.
    pub saga: SagaId,
    /// The step that asked for it.
    pub step: StepKey,
    /// The command.
    pub cmd: Arc<str>,
    /// Whether its target has said that it was done; else it may have been.
    pub sure: bool,
    /// Whether nothing can undo it.
    pub irreversible: bool,
}

/// All effects that stand, or may.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    by_command: BTreeMap<Arc<str>, Effect>,
    /// Steps whose undo a target has carried out since they were last asked for.
    undone: BTreeSet<(SagaId, StepKey)>,
}

impl Ledger {
    /// A command reached its target; that of a saga that observes reaches none.
    pub fn handed(&mut self, saga: &Saga, plan: &Plan, path: &str, command_id: &Arc<str>) {
        if saga.observes {
            return;
        }
        let Some(key) = saga.find(plan, path) else { return };
        let Verb::Issue { command, irreversible, .. } = &plan.step(key.step).verb else { return };
        if !plan.is_forward(key.step) || self.by_command.contains_key(command_id) {
            return;
        }
        let of_step = plan.step(key.step);
        let undoes = of_step.undo != Undo::Nothing || of_step.covered_by.is_some();
        let declared = plan.commands.get(command).map(|declared| &declared.undo);
        if !undoes && !irreversible && !matches!(declared, Some(CatalogUndo::Command(_))) {
            return;
        }
        for undoer in undoers(saga, plan, key) {
            self.undone.remove(&(saga.id, undoer));
        }
        let irreversible = *irreversible && !undoes;
        let effect =
            Effect { saga: saga.id, step: key, cmd: command.clone(), sure: false, irreversible };
        self.by_command.insert(command_id.clone(), effect);
    }

    /// Its target answered: it did it, or it did not.
    pub fn answered(&mut self, saga: &Saga, plan: &Plan, path: &str, command_id: &str, did: bool) {
        if let Some(effect) = self.by_command.get_mut(command_id) {
            effect.sure |= did;
            if !did {
                self.by_command.remove(command_id);
            }
        }
        let key = saga.find(plan, path);
        if let Some(asked) = key.filter(|key| plan.is_probe(key.step))
            && let Some(owner) = saga.owner(plan, asked)
        {
            self.found(saga.id, owner, did);
        }
        let Some(key) = key.filter(|_| did) else { return };
        let mut at = key;
        while let Some(owner) = saga.owner(plan, at) {
            if matches!(plan.step(at.step).body, Body::Undo(_)) {
                self.undone.insert((saga.id, owner));
            }
            at = owner;
        }
    }

    /// A target was asked about that step, and told whether it was done.
    fn found(&mut self, saga: SagaId, key: StepKey, done: bool) {
        self.by_command.retain(|_, one| done || one.saga != saga || one.step != key);
        for one in self.by_command.values_mut().filter(|one| one.saga == saga && one.step == key) {
            one.sure = true;
        }
    }

    /// The saga holds that step for undone. It is, if a target has carried out an undo of it, or
    /// if there was nothing to carry out.
    pub fn undone(&mut self, saga: &Saga, plan: &Plan, key: StepKey) {
        let carried_out = |undoer: &StepKey| {
            self.undone.contains(&(saga.id, *undoer)) || is_waived(saga, plan, *undoer)
        };
        if undoers(saga, plan, key).iter().any(carried_out) {
            self.by_command.retain(|_, one| one.saga != saga.id || one.step != key);
        }
    }

    /// What stands, or may, with the commands that did it.
    pub fn standing(&self, saga: SagaId) -> impl Iterator<Item = (&Arc<str>, &Effect)> {
        self.by_command.iter().filter(move |(_, effect)| effect.saga == saga)
    }

    /// Whether an undo of that step was carried out and is not yet written down.
    #[must_use]
    pub fn is_undone(&self, saga: SagaId, key: StepKey) -> bool {
        self.undone.contains(&(saga, key))
    }

    /// Forgets what is known of a saga that is over.
    pub fn forget(&mut self, saga: SagaId) {
        self.by_command.retain(|_, effect| effect.saga != saga);
        self.undone.retain(|(of, _)| *of != saga);
    }
}

/// The steps whose undo may stand for this one's: its own, one that covers it, a group's.
fn undoers(saga: &Saga, plan: &Plan, key: StepKey) -> Vec<StepKey> {
    let mut found = Vec::new();
    let mut at = Some(key);
    while let Some(key) = at {
        found.push(key);
        let covered = plan.step(key.step).covered_by;
        found.extend(covered.map(|step| StepKey { branch: key.branch, step }));
        at = match plan.step(key.step).body {
            Body::Group(_) | Body::Branches(_) | Body::OnTimeout(_) => saga.owner(plan, key),
            Body::Main | Body::Finally | Body::Undo(_) | Body::Probe(_) => None,
        };
    }
    found
}

/// Whether the undo asks no target: it has no command, or its `if` says, from what the saga has
/// learned, that there is nothing to undo. An `if` that looks at nothing of the kind says no such
/// thing.
fn is_waived(saga: &Saga, plan: &Plan, undoer: StepKey) -> bool {
    let Undo::Step { step: undo, .. } = plan.step(undoer.step).undo else { return false };
    if !issues(plan, undo) {
        return true;
    }
    let run = saga.run(StepKey { branch: undoer.branch, step: undo });
    let skipped = run.and_then(Run::outcome) == Some(Ending::Skipped);
    let looks = plan
        .step(undo)
        .condition
        .iter()
        .flat_map(reads)
        .any(|read| read.path.first().is_some_and(|root| matches!(&**root, "steps" | "vars")));
    skipped && looks
}

fn issues(plan: &Plan, step: StepIx) -> bool {
    let within = |ix: StepIx| plan.is_within(ix, step) || ix == step;
    let all = (0u32..).map(StepIx).zip(&plan.steps);
    all.into_iter().any(|(ix, one)| within(ix) && matches!(one.verb, Verb::Issue { .. }))
}
