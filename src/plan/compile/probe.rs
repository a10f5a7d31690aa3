//! Probes: the question about a step in doubt, what its answer means, and what it has to save. When
//! it is asked is not known here.

use super::Compiler;
use super::steps::{Seat, Way};
use super::trigger::open_object;
use crate::definition::step::{Probe as ProbeNode, Step as StepNode, Verb as VerbNode};
use crate::definition::{CatalogUndo, Named};
use crate::diag::{At, Code, Diagnostic, Diagnostics, Span};
use crate::plan::flow::Flow;
use crate::plan::{Body, Probe, StepIx, outline};
use crate::time::Millis;

/// The step that a probe asks about.
#[derive(Clone, Copy)]
pub(super) struct Probed<'a> {
    pub ix: StepIx,
    pub timeout: Option<Millis>,
    pub before: &'a Flow,
    pub way: &'a Way,
}

impl<'a> Compiler<'a> {
    /// The probe of a step; nothing where what it asks for cannot be read.
    pub(super) fn probe(
        &mut self,
        node: &'a StepNode,
        probe: &'a ProbeNode,
        of: Probed<'_>,
    ) -> Option<Box<Probe>> {
        self.hold_to_questions(probe);
        let path = format!("{}.probe", self.steps[of.ix.0 as usize].path).into();
        let seat = Seat { body: Body::Probe(of.ix), position: 0, path };
        let pivot = self.pivot;
        let (step, _) = self.step(&probe.step, seat, of.before.clone(), of.way);
        self.pivot = pivot;
        let asks = &mut self.steps[step.0 as usize];
        // The question has one attempt: the step's own `retry` asks it again.
        asks.retry = None;
        asks.echo_is_read = true;
        if probe.step.timeout.is_none() && self.saga.defaults.timeout.is_none() {
            asks.timeout = of.timeout;
        }
        let answer = self.echo_of(&probe.step).unwrap_or_else(open_object);
        let place = self.place_of(of.way, of.before).with_event(answer);
        let done_when = self.condition(&probe.done_when, &place);
        let place = match &done_when {
            Some(done_when) => place.proving(done_when),
            None => place,
        };
        let (save, saved) = self.saves(&probe.save, &place);
        for (name, field) in saved.fields {
            self.note_var_type(&name, field.ty, &probe.save);
        }
        self.hold_to_saves(node, &probe.save, probe.step.head());
        Some(Box::new(Probe { step, done_when: done_when?, save }))
    }

    /// What the step's own wait may save, the probe saves as well: whoever reads it later cannot
    /// know how the step came to succeed.
    fn hold_to_saves(&mut self, node: &StepNode, save: &[Named], at: Span) {
        let Some(wait) = &node.wait else { return };
        for name in outline::saved(&wait.value) {
            if !save.iter().any(|one| one.name.value == name) {
                self.found.add_probe_saves_not(at, name);
            }
        }
    }

    /// A question brings nothing about that would have to be undone.
    fn hold_to_questions(&mut self, probe: &ProbeNode) {
        let VerbNode::Issue { command, .. } = &probe.step.verb else { return };
        let declared = self.catalog.commands.get(command.value.as_str());
        if declared.is_some_and(|declared| declared.undo != CatalogUndo::None) {
            self.found.add_probe_acts(command);
        }
    }
}

impl Diagnostics {
    fn add_probe_saves_not(&mut self, at: Span, name: &str) {
        let message = format!(
            "the step's `await` saves `vars.{name}`, and its `probe` does not: where the probe \
             finds the step done, the variable would be missing"
        );
        let help = format!("add `{name}: …` to the probe's `save`, read from its answer");
        self.push(Diagnostic::new(Code::ProbeSavesNot, at, message).help(help));
    }

    fn add_probe_acts(&mut self, command: &At<String>) {
        let message = format!(
            "`{}` asks nothing, it does something: the catalog says how it is undone, or that it \
             cannot be",
            command.value
        );
        let help = "ask with a command that changes nothing, declared with `undo: none`";
        self.push(Diagnostic::new(Code::ProbeActs, command.span, message).help(help));
    }

    /// `steps.ID.echo` of a step that a probe may have found done.
    pub(super) fn add_probed_echo(&mut self, name: &At<String>, step: Span) {
        let message = format!(
            "step `{}` has a `probe`: where that finds it done, no echo ever came",
            name.value
        );
        self.push(
            Diagnostic::new(Code::ExprNotSet, name.span, message)
                .also(step, "the step")
                .help("let its `await` and its `probe` save what is needed, and read the variable"),
        );
    }
}
