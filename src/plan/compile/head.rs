//! What stands around the steps: guards, contention, first variables, the result, what cancels.
//! Compiles no step.

use std::sync::Arc;

use super::Compiler;
use super::exprs::{Place, Stage};
use super::trigger::open_object;
use crate::definition::step::Verb as VerbNode;
use crate::expr::{Ast, ObjectType, Template};
use crate::plan::flow::Flow;
use crate::plan::{Alternative, Eviction, Reaction, Require, Source, Verb, types};

impl Compiler<'_> {
    /// Guards that are checked before anything exists \[R10\].
    pub(super) fn require(&mut self) -> Vec<Require> {
        let saga = self.saga;
        let empty = Flow::nothing();
        let mut place = Place::new(Stage::Require, &empty).with_facts(self.given.clone());
        let mut list = Vec::new();
        for guard in &saga.require {
            let that = self.condition(&guard.that, &place);
            let otherwise = self.words(&guard.otherwise, &place);
            if let Some(that) = that {
                place = place.proving(&that);
                list.push(Require { that, otherwise });
            }
        }
        self.given = place.facts;
        list
    }

    /// Who gives way \[R17\].
    pub(super) fn eviction(&mut self) -> Eviction {
        let eviction = &self.saga.eviction;
        let empty = Flow::nothing();
        let place = Place::new(Stage::Require, &empty).with_facts(self.given.clone());
        let key = eviction.key.iter().filter_map(|key| self.key(key, &place)).collect();
        Eviction {
            key,
            policy: eviction.policy.value,
            queue_max: eviction.queue_max.as_ref().map(|max| max.value),
            save: Vec::new(),
        }
    }

    /// What a newcomer sets in the saga that it joins, at any time \[R17\]. `event` is what would
    /// have started it.
    pub(super) fn join_save(&mut self, start: &Flow) -> Vec<(Arc<str>, Template)> {
        let save = &self.saga.eviction.save;
        if save.is_empty() {
            return Vec::new();
        }
        let flow = self.flows.anywhere(start);
        let place = Place::new(Stage::Join, &flow)
            .with_event(self.types.trigger.clone())
            .with_facts(self.given.clone());
        let (list, ty) = self.saves(save, &place);
        for (name, field) in ty.fields {
            self.note_var_type(&name, field.ty, save);
        }
        list
    }

    /// Variables that are set from the start.
    pub(super) fn vars(&mut self) -> Vec<(Arc<str>, Template)> {
        let saga = self.saga;
        let empty = Flow::nothing();
        let (vars, ty) =
            self.named(&saga.vars, &Place::new(Stage::Vars, &empty).with_facts(self.given.clone()));
        for (name, field) in ty.fields {
            self.note_var_type(&name, field.ty, &saga.vars);
        }
        vars
    }

    /// What a caller gets, read wherever the way forward may end well.
    pub(super) fn result(&mut self) -> (Vec<(Arc<str>, Template)>, ObjectType) {
        let saga = self.saga;
        let mut ends = std::mem::take(&mut self.ends).into_iter();
        let Some(first) = ends.next() else { return (Vec::new(), ObjectType::default()) };
        let end = ends.fold(first, |all, one| self.flows.meet(all, &one));
        self.named(&saga.result, &Place::new(Stage::Result, &end).with_facts(self.given.clone()))
    }

    /// What cancels it, at any time.
    pub(super) fn cancel_on(&mut self, start: &Flow) -> Vec<Alternative> {
        let saga = self.saga;
        let flow = self.flows.anywhere(start);
        let mut list = Vec::new();
        for one in &saga.cancel_on {
            let decl = self.event(&one.name);
            let fields = decl.map_or_else(open_object, |decl| types::of_fields(&decl.fields));
            let place =
                Place::new(Stage::Watch, &flow).with_event(fields).with_facts(self.given.clone());
            let filter = one.filter.as_ref().and_then(|filter| self.condition(filter, &place));
            let pins = self.pins(one, filter.as_ref(), &[]);
            let event = one.name.value.as_str().into();
            list.push(Alternative { source: Source::Event, event, filter, pins, save: Vec::new() });
        }
        list
    }

    /// What holds in every reachable state.
    pub(super) fn always(&mut self, start: &Flow) -> Vec<Ast> {
        let saga = self.saga;
        let flow = self.flows.anywhere(start);
        let place = Place::new(Stage::Always, &flow).with_facts(self.given.clone());
        saga.always.iter().filter_map(|text| self.condition(text, &place)).collect()
    }

    /// What it does on the side, whatever step is open.
    pub(super) fn reactions(&mut self, start: &Flow) -> Vec<Reaction> {
        let saga = self.saga;
        let flow = self.flows.anywhere(start);
        let mut list = Vec::new();
        for one in &saga.reactions {
            let decl = self.event(&one.on.name);
            let fields = decl.map_or_else(open_object, |decl| types::of_fields(&decl.fields));
            let place =
                Place::new(Stage::Watch, &flow).with_event(fields).with_facts(self.given.clone());
            let filter = one.on.filter.as_ref().and_then(|filter| self.condition(filter, &place));
            let source = self.source_of(one.on.source);
            let pins = match source {
                Source::Event | Source::Organic => self.pins(&one.on, filter.as_ref(), &[]),
                Source::Echo | Source::Signal => Vec::new(),
            };
            let place = match &filter {
                Some(filter) => place.proving(filter),
                None => place,
            };
            let deed = self.deed(&one.deed, &place);
            let event = one.on.name.value.as_str().into();
            let on = Alternative { source, event, filter, pins, save: Vec::new() };
            list.extend(deed.map(|deed| Reaction { on, deed }));
        }
        list
    }

    fn deed(&mut self, deed: &VerbNode, place: &Place<'_>) -> Option<Verb> {
        if let VerbNode::Issue { command, with, with_span } = deed {
            let decl = self.command(command);
            let at = with_span.unwrap_or(command.span);
            return Some(self.issue(command, decl, with, at, place).0);
        }
        let VerbNode::Emit { event, with, with_span } = deed else { return None };
        let decl = self.event(event);
        let at = with_span.unwrap_or(event.span);
        let fields = decl.as_ref().map(|decl| &decl.fields);
        let with = self.payload(&event.value, fields, with, at, place);
        Some(Verb::Emit { event: event.value.as_str().into(), with })
    }
}
