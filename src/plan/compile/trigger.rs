//! What starts a saga, and the types of `trigger` and `input` that follow. Says nothing of the
//! steps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use super::exprs::{Place, Stage};
use crate::definition::EventDecl;
use crate::definition::saga::{TriggerAlternative, TriggerKind};
use crate::expr::{Ast, Facts, ObjectType};
use crate::plan::flow::Flow;
use crate::plan::{CallTrigger, EventTrigger, ScheduleTrigger, Trigger, types};

impl Compiler<'_> {
    /// Compiles the trigger with its inputs.
    pub(super) fn trigger(&mut self) -> Trigger {
        let saga = self.saga;
        let alternatives = &saga.trigger.alternatives;
        let fields: Vec<ObjectType> =
            alternatives.iter().map(|one| self.trigger_fields(one)).collect();
        let known = !fields.is_empty() && fields.iter().all(|one| !one.open);
        self.types.trigger = if known { types::common(&fields) } else { open_object() };
        let mut inputs: Vec<ObjectType> = Vec::new();
        let mut events = Vec::new();
        let mut call = None;
        let mut schedules = Vec::new();
        for (one, own) in alternatives.iter().zip(&fields) {
            // The saga's own `input` must hold for all triggers, so it reads what they share.
            let (list, reads) = match &one.input {
                Some(list) => (list, own.clone()),
                None => (&saga.input, self.types.trigger.clone()),
            };
            let when = self.when(one, own);
            let mut place = Place::of_trigger(Stage::Input, reads);
            if let Some(when) = &when {
                place = place.proving(when);
            }
            if alternatives.len() == 1 {
                self.given = place.facts.clone();
            }
            let (input, ty) = self.named(list, &place);
            inputs.push(ty);
            match &one.kind {
                TriggerKind::Call { fields } => {
                    call = Some(CallTrigger { fields: fields.clone(), input });
                }
                TriggerKind::Schedule(schedule) => {
                    let schedule = schedule.value.clone();
                    schedules.push(ScheduleTrigger { schedule, input });
                }
                TriggerKind::Event { event, .. } => {
                    events.push(EventTrigger { event: event.value.as_str().into(), when, input });
                }
            }
        }
        self.types.input = inputs.first().cloned().unwrap_or_default();
        for (one, other) in alternatives.iter().zip(&inputs).skip(1) {
            if let Some(difference) = difference(&self.types.input, other) {
                self.found.add_triggers_disagree(one.span, alternatives[0].span, &difference);
            }
        }
        Trigger { events, call, schedules }
    }

    fn when(&mut self, one: &TriggerAlternative, own: &ObjectType) -> Option<Ast> {
        match &one.kind {
            TriggerKind::Call { .. } | TriggerKind::Schedule(_) => None,
            TriggerKind::Event { when, .. } => {
                let place = Place::of_trigger(Stage::When, own.clone());
                self.condition(when.as_ref()?, &place)
            }
        }
    }

    /// What `trigger` holds when this alternative started the saga.
    fn trigger_fields(&mut self, one: &TriggerAlternative) -> ObjectType {
        let decl: Option<Arc<EventDecl>> = match &one.kind {
            TriggerKind::Call { fields } => Some(fields.clone()),
            TriggerKind::Event { event, .. } => self.event(event),
            TriggerKind::Schedule(_) => return ObjectType::default(),
        };
        decl.map_or_else(open_object, |decl| types::of_fields(&decl.fields))
    }
}

impl Place<'_> {
    /// Before the saga exists: only `trigger` can be read.
    fn of_trigger(stage: Stage, trigger: ObjectType) -> Place<'static> {
        Place {
            branch: crate::plan::outline::Branch(0),
            elements: Vec::new(),
            stage,
            flow: Cow::Owned(Flow::nothing()),
            trigger: Some(trigger),
            event: None,
            facts: Facts::default(),
            undone: None,
        }
    }
}

/// Nothing is known, so anything may be read: an unknown event was reported already.
pub(super) fn open_object() -> ObjectType {
    ObjectType { fields: BTreeMap::new(), open: true }
}

/// How two inputs differ, in words.
fn difference(first: &ObjectType, other: &ObjectType) -> Option<String> {
    for (name, field) in &first.fields {
        match other.fields.get(name) {
            None => return Some(format!("`{name}` is missing here")),
            Some(found) if !types::fits(&found.ty, &field.ty) => {
                let (here, there) = (&found.ty, &field.ty);
                return Some(format!("`{name}` is {here} here and {there} there"));
            }
            Some(_) => {}
        }
    }
    let surplus = other.fields.keys().find(|name| !first.fields.contains_key(*name));
    surplus.map(|name| format!("`{name}` stands only here"))
}
