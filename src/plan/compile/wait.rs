//! Waits: what may answer a step, what fails it, and the index keys of `event` waits. Times them
//! not at all.

use std::sync::Arc;

use super::Compiler;
use super::exprs::Place;
use super::observe::Said;
use super::trigger::open_object;
use crate::definition::step::{Step as StepNode, Verb as VerbNode};
use crate::definition::{
    Alternative as AlternativeNode, Await as AwaitNode, CommandDecl, EventDecl, Source as Written,
};
use crate::diag::At;
use crate::expr::{self, ObjectType, Pin, Type};
use crate::plan::{Alternative, Await, FailOn, Source, types};

/// What a pin may compare a field of `event` with; a literal says nothing of this saga.
pub(super) const BOUND: [&str; 4] = ["trigger", "input", "vars", "steps"];

impl Compiler<'_> {
    /// What satisfies the step.
    pub(super) fn wait(
        &mut self,
        node: &StepNode,
        command: Option<&CommandDecl>,
        place: &Place<'_>,
    ) -> Option<Await> {
        let Some(wait) = &node.wait else {
            if let (VerbNode::Issue { command: name, .. }, Some(command)) = (&node.verb, command)
                && !command.echoes.is_empty()
            {
                self.found.add_await_not_said(name.span, command);
            }
            return None;
        };
        let all = match &wait.value {
            AwaitNode::None => return None,
            AwaitNode::One(_) | AwaitNode::AnyOf(_) => false,
            AwaitNode::AllOf(_) => true,
        };
        let alternatives = wait.value.alternatives();
        let alternatives =
            alternatives.iter().map(|one| self.alternative(one, node, command, place)).collect();
        Some(Await { all, alternatives })
    }

    /// What fails the step: what the author says, then what the catalog adds.
    pub(super) fn fail_on(
        &mut self,
        node: &StepNode,
        command: Option<&CommandDecl>,
        said: &Said<'_>,
        place: &Place<'_>,
    ) -> Vec<FailOn> {
        let mut list = Vec::new();
        for entry in &node.fail_on {
            let on = self.alternative(&entry.on, node, command, place);
            let reason = entry.reason.as_ref().map(|reason| {
                let place = self.at_event(&entry.on, &on, place);
                self.words(reason, &place)
            });
            list.push(FailOn { on, reason });
        }
        let awaited = node.wait.iter().flat_map(|wait| wait.value.alternatives());
        let named = awaited.chain(node.fail_on.iter().map(|entry| &entry.on));
        let named = named.filter(|one| one.source != Written::Signal);
        let named: Vec<&str> = named.map(|one| one.name.value.as_str()).collect();
        for failure in command.iter().flat_map(|command| &command.failures) {
            if !named.contains(&&**failure) {
                list.push(FailOn { on: self.answer(failure, said), reason: None });
            }
        }
        list
    }

    fn alternative(
        &mut self,
        one: &AlternativeNode,
        node: &StepNode,
        command: Option<&CommandDecl>,
        place: &Place<'_>,
    ) -> Alternative {
        let decl = match one.source {
            Written::Echo | Written::Event => self.event(&one.name),
            Written::Signal => self.signal(&one.name),
        };
        if one.source == Written::Echo && decl.is_some() {
            self.hold_to_answers(one, node, command);
        }
        let fields = decl.map_or_else(open_object, |decl| types::of_fields(&decl.fields));
        let place = place.clone().with_event(fields);
        let filter = one.filter.as_ref().and_then(|filter| self.condition(filter, &place));
        let source = self.source_of(one.source);
        let pins = match source {
            // Either is said to this saga alone.
            Source::Echo | Source::Signal => Vec::new(),
            Source::Organic if one.filter.is_none() => {
                self.found.add_no_echo_identity(one, self.repeated(one, node));
                Vec::new()
            }
            Source::Event | Source::Organic => self.pins(one, filter.as_ref(), &place.elements),
        };
        let place = match &filter {
            Some(filter) => place.proving(filter),
            None => place,
        };
        let (save, saved) = self.saves(&one.save, &place);
        for (name, field) in saved.fields {
            self.note_var_type(&name, field.ty, &one.save);
        }
        Alternative { source, event: one.name.value.as_str().into(), filter, pins, save }
    }

    /// What can be read once an alternative came.
    fn at_event<'f>(
        &self,
        one: &AlternativeNode,
        compiled: &Alternative,
        place: &Place<'f>,
    ) -> Place<'f> {
        let place = place.clone().with_event(self.fields_of(one));
        match &compiled.filter {
            Some(filter) => place.proving(filter),
            None => place,
        }
    }

    /// What an alternative brings; anything, where nobody declares it.
    pub(super) fn fields_of(&self, one: &AlternativeNode) -> ObjectType {
        let name = one.name.value.as_str();
        let decl = match one.source {
            Written::Echo | Written::Event => self.catalog.events.get(name),
            Written::Signal => self.saga.signals.iter().find(|decl| *decl.name == *name),
        };
        decl.map_or_else(open_object, |decl| types::of_fields(&decl.fields))
    }

    /// A signal that the saga declares.
    fn signal(&mut self, name: &At<String>) -> Option<Arc<EventDecl>> {
        let declared = self.saga.signals.iter().find(|decl| *decl.name == *name.value).cloned();
        if declared.is_none() {
            self.found.add_unknown_signal(name, &self.saga.signals);
        }
        declared
    }

    /// An echo must be among what the command may answer.
    fn hold_to_answers(
        &mut self,
        one: &AlternativeNode,
        node: &StepNode,
        command: Option<&CommandDecl>,
    ) {
        let VerbNode::Issue { command: name, .. } = &node.verb else {
            self.found.add_nothing_issued(&one.name);
            return;
        };
        let Some(command) = command else { return };
        let mut answers = command.echoes.iter().chain(&command.failures);
        // An answer that the catalog misspells was said there, and may be this one.
        let knows = |answer: &Arc<str>| self.catalog.events.contains_key(answer);
        if answers.clone().all(knows) && !answers.any(|answer| **answer == *one.name.value) {
            self.found.add_never_answered(&one.name, command, name.span);
        }
    }

    /// The index keys of an `event` wait; one arm without a pin would match any saga's event.
    pub(super) fn pins(
        &mut self,
        one: &AlternativeNode,
        filter: Option<&crate::expr::Ast>,
        elements: &[(String, Type)],
    ) -> Vec<Pin> {
        let elements = elements.iter().map(|(name, _)| name.as_str());
        let bound: Vec<&str> = BOUND.iter().copied().chain(elements).collect();
        match (&one.filter, filter) {
            (None, _) => {
                self.found.add_no_identity(one, one.name.span);
                Vec::new()
            }
            // It could not be read, which was said.
            (Some(_), None) => Vec::new(),
            (Some(text), Some(filter)) => expr::pins(filter, &bound).unwrap_or_else(|| {
                self.found.add_no_identity(one, text.span);
                Vec::new()
            }),
        }
    }

    /// An event that may trigger, be awaited or be emitted.
    pub(super) fn event(&mut self, name: &At<String>) -> Option<Arc<EventDecl>> {
        let Some(decl) = self.catalog.events.get(name.value.as_str()) else {
            self.found.add_unknown_event(name, self.catalog);
            return None;
        };
        if decl.bracket {
            self.found.add_bracket_event(name);
        }
        self.used.events.insert(decl.name.clone());
        Some(decl.clone())
    }
}
