//! What undoes a step: the author's `compensate`, else the catalog's `undo`. Whether it may stand
//! there is judged by rules.

use std::sync::Arc;

use super::observe::Said;
use super::payload::issue_of;
use super::steps::{Seat, Way};
use super::{Compiler, Passed, PendingUndo, Written};
use crate::definition::CommandDecl;
use crate::definition::catalog::CatalogUndo;
use crate::definition::step::{Compensate, Verb as VerbNode};
use crate::diag::At;
use crate::expr::{self, Template};
use crate::plan::flow::Flow;
use crate::plan::outline::{self, Part};
use crate::plan::{Await, Body, FailOn, StepIx, Undo, Verb, types};
use crate::time::Millis;

/// What an undo undoes.
#[derive(Clone, Debug)]
pub(super) struct Undone {
    /// The id of the step.
    pub id: String,
    /// Variables that the step itself saves.
    pub saved: Vec<String>,
    /// The step's timeout, which bounds an undo that has no other.
    pub timeout: Option<Millis>,
}

impl<'a> Compiler<'a> {
    /// Compiles all undos, now that every step and variable of the way forward is known.
    pub(super) fn compile_undos(&mut self) {
        for pending in std::mem::take(&mut self.undos) {
            let undo = self.undo_of(&pending);
            if let Undo::Step { covers, .. } = &undo {
                for covered in covers {
                    self.steps[covered.0 as usize].covered_by = Some(pending.owner);
                }
            }
            self.steps[pending.owner.0 as usize].undo = undo;
        }
    }

    fn undo_of(&mut self, pending: &PendingUndo<'a>) -> Undo {
        let node = pending.step;
        match node.compensate.as_ref().map(|compensate| &compensate.value) {
            Some(Compensate::None) => Undo::Nothing,
            Some(Compensate::Step { step, covers }) => {
                let (flow, way) = self.way_of(pending);
                let step = self.undo_step(step, pending.owner, flow, &way);
                Undo::Step { step, covers: self.covers(covers, pending.owner) }
            }
            // Past the pivot there is no way back; on some paths only, the interpreter knows.
            None if self.written[pending.owner.0 as usize].pivot == Passed::Surely => Undo::Nothing,
            None if matches!(node.verb, VerbNode::Call { .. }) => self.recall(pending),
            None => self.undo_by_catalog(pending),
        }
    }

    /// What can be read in an undo: the point before its step, and the doubt about all that came
    /// later.
    fn way_of(&mut self, pending: &PendingUndo<'a>) -> (Flow, Way) {
        let node = pending.step;
        let timeout = self.steps[pending.owner.0 as usize].timeout;
        let mut flow = self.flows.anywhere(&pending.before);
        let id = node.id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        let saves = outline::saves_of(node);
        self.flows.doubt(&mut flow, &id, &saves);
        let saved = saves.into_iter().map(|(var, _)| var.to_owned()).collect();
        let undone = Some(Undone { id, saved, timeout });
        (flow, Way { part: Part::Undo, undone, ..pending.way.clone() })
    }

    fn covers(&mut self, names: &[At<String>], owner: StepIx) -> Vec<StepIx> {
        let mut covers = Vec::new();
        for name in names {
            let known = self.outline.steps.get(name.value.as_str());
            let ix = self.by_path.get(name.value.as_str());
            match (known, ix) {
                (Some(known), Some(ix)) if known.part == Part::Forward => covers.push(*ix),
                (Some(_) | None, _) => {
                    let own = self.steps[owner.0 as usize].path.clone();
                    self.found.add_covers_unknown(name, &own, &self.outline);
                }
            }
        }
        covers
    }

    /// The catalog's `undo` of the step's command, if it has one.
    fn undo_by_catalog(&mut self, pending: &PendingUndo<'a>) -> Undo {
        let VerbNode::Issue { command, .. } = &pending.step.verb else { return Undo::Nothing };
        let Some(decl) = self.catalog.commands.get(command.value.as_str()).cloned() else {
            return Undo::Nothing;
        };
        let CatalogUndo::Command(undo) = &decl.undo else { return Undo::Nothing };
        let Some(undo) = self.catalog.commands.get(undo).cloned() else { return Undo::Nothing };
        let with = self.undo_payload(pending, &decl, &undo);
        let timeout = match &self.saga.defaults.timeout {
            Some(default) => default.value.millis(),
            None => self.steps[pending.owner.0 as usize].timeout,
        };
        let path: Arc<str> = format!("{}.undo", self.steps[pending.owner.0 as usize].path).into();
        let said = self.said_by_undo(pending, &path, &with);
        let answer = |event| self.answer(event, &said);
        let alternatives: Vec<_> = undo.echoes.iter().map(answer).collect();
        let answer = |event| FailOn { on: self.answer(event, &said), reason: None };
        let fail_on = undo.failures.iter().map(answer).collect();
        let waits = !alternatives.is_empty();
        let retry = self.default_retry();
        let ix = self.undo_unwritten(pending, issue_of(&undo, with));
        let step = &mut self.steps[ix.0 as usize];
        step.wait = waits.then_some(Await { all: false, alternatives });
        step.fail_on = fail_on;
        step.timeout = timeout.filter(|_| waits);
        step.retry = retry;
        Undo::Step { step: ix, covers: Vec::new() }
    }

    /// What an undo of the catalog says of this saga: what its step did not say as a literal.
    fn said_by_undo<'s>(
        &self,
        pending: &PendingUndo<'a>,
        path: &'s str,
        with: &'s [(Arc<str>, Template)],
    ) -> Said<'s> {
        let done = &self.steps[pending.owner.0 as usize].verb;
        let own = Said::of(path, done, pending.step.head());
        let said = with.iter().map(|(name, _)| &**name).filter(|name| own.fields.contains(name));
        Said { path, fields: said.collect(), at: pending.step.head() }
    }

    /// The undo of a `call`: what its sub-saga did is undone by that one's own undos.
    fn recall(&mut self, pending: &PendingUndo<'a>) -> Undo {
        Undo::Step { step: self.undo_unwritten(pending, Verb::Recall), covers: Vec::new() }
    }

    /// A step of an undo that no author wrote.
    fn undo_unwritten(&mut self, pending: &PendingUndo<'a>, verb: Verb) -> StepIx {
        let path: Arc<str> = format!("{}.undo", self.steps[pending.owner.0 as usize].path).into();
        let ix = StepIx(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
        self.by_path.entry((&*path).into()).or_insert(ix);
        self.written.push(Written {
            step: pending.step,
            by_catalog: true,
            part: Part::Undo,
            pivot: Passed::No,
            reachable: true,
        });
        let seat = Seat { body: Body::Undo(pending.owner), position: 0, path };
        self.steps.push(seat.step(verb, pending.way.loops));
        ix
    }

    /// The undo's fields: those of the same names, with the very values that the command was issued
    /// with.
    fn undo_payload(
        &mut self,
        pending: &PendingUndo<'a>,
        decl: &CommandDecl,
        undo: &CommandDecl,
    ) -> Vec<(Arc<str>, Template)> {
        let VerbNode::Issue { command, with, .. } = &pending.step.verb else { return Vec::new() };
        let id = pending.step.id.as_ref().map_or("", |id| &id.value);
        let mut payload = Vec::new();
        for field in &undo.fields.list {
            let declared = decl.fields.get(&field.name);
            let given = with.iter().any(|one| *one.name.value == *field.name)
                || declared.is_some_and(|own| own.default.is_some());
            if !given {
                if field.required {
                    self.found.add_undo_lacks_field(pending.step.head(), command, undo, field);
                }
                continue;
            }
            let own = declared.map(|own| expr::json_schema_type(&own.schema));
            let wanted = expr::json_schema_type(&field.schema);
            if let Some(own) = own.filter(|own| !types::fits(own, &wanted)) {
                self.found.add_wrong_type(command.span, &undo.name, field, &own);
            }
            // An id that is missing, or no name, was told of when it was read.
            let text = format!("steps.{id}.with.{}", field.name);
            let Ok(value) = expr::parse(&text) else { continue };
            payload.push((field.name.clone(), Template::Whole(value)));
        }
        payload
    }

    /// The defaults' retry for a step that says none.
    fn default_retry(&self) -> Option<crate::plan::Retry> {
        super::policy::of_choice(&self.saga.defaults.retry.as_ref()?.value)
    }

    /// What can be read in `finally`: nothing of the way forward is sure.
    pub(super) fn finally(&mut self, start: &Flow) -> Vec<StepIx> {
        let way = Way::trunk(Part::Finally, self.given.clone());
        let saga = self.saga;
        let flow = self.flows.anywhere(start);
        self.list(&saga.finally, Body::Finally, "", flow, &way).0
    }
}
