//! Waits of a saga that observes: nobody is asked, so an echo is anybody's report, and has to be
//! known by what it says. What is reported is not known here.

use std::sync::Arc;

use super::Compiler;
use super::wait::BOUND;
use crate::definition::saga::Mode;
use crate::definition::step::{Step as StepNode, Verb as VerbNode};
use crate::definition::value::ValueKind;
use crate::definition::{Alternative as AlternativeNode, FieldDecl, Source as Written};
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::expr::{self, Template};
use crate::plan::{Alternative, Source, Verb};

/// Why an echo needs a `where`.
pub(super) const NOBODY_IS_ASKED: &str =
    "with `mode: observe` nobody is asked, so an `echo` is anybody's report";

/// A step's command, as far as a report can repeat it.
pub(super) struct Said<'s> {
    /// Path of the step.
    pub path: &'s str,
    /// Fields whose values are this saga's own.
    pub fields: Vec<&'s str>,
    /// Where it is written.
    pub at: Span,
}

impl<'s> Said<'s> {
    /// What that verb says; a literal says nothing of this saga.
    pub fn of(path: &'s str, verb: &'s Verb, at: Span) -> Said<'s> {
        let with = if let Verb::Issue { with, .. } = verb { with.as_slice() } else { &[] };
        let own = with.iter().filter(|(_, value)| !matches!(value, Template::Literal(_)));
        Said { path, fields: own.map(|(name, _)| &**name).collect(), at }
    }
}

impl Compiler<'_> {
    /// Whether it sends nothing.
    pub(super) fn observes(&self) -> bool {
        self.saga.mode == Mode::Observe
    }

    /// Whose word that is here: nobody answers a saga that observes.
    pub(super) fn source_of(&self, written: Written) -> Source {
        match written {
            Written::Echo if self.observes() => Source::Organic,
            Written::Echo => Source::Echo,
            Written::Event => Source::Event,
            Written::Signal => Source::Signal,
        }
    }

    /// An alternative for an answer of which the author says no word. Who observes knows it by
    /// what it repeats of the command: fields of one name.
    pub(super) fn answer(&mut self, event: &Arc<str>, said: &Said<'_>) -> Alternative {
        let mut filter = None;
        if self.observes() {
            let declared = self.catalog.events.get(event);
            let repeats = |name: &&str| {
                declared.is_some_and(|event| event.fields.get(name).is_some_and(FieldDecl::always))
            };
            let fields: Vec<&str> = said.fields.iter().copied().filter(repeats).collect();
            filter = expr::repeats(said.path, &fields);
            if filter.is_none() && declared.is_some() {
                self.found.add_no_identity_said(said.at, event);
            }
        }
        let pins = filter.as_ref().and_then(|filter| expr::pins(filter, &BOUND));
        Alternative {
            source: self.source_of(Written::Echo),
            event: event.clone(),
            filter,
            pins: pins.unwrap_or_default(),
            save: Vec::new(),
        }
    }

    /// A `where` by what the report repeats of the step's own command, as its author would write
    /// it.
    pub(super) fn repeated(&self, one: &AlternativeNode, node: &StepNode) -> Option<String> {
        let VerbNode::Issue { with, .. } = &node.verb else { return None };
        let declared = self.catalog.events.get(one.name.value.as_str())?;
        with.iter().find_map(|given| {
            let ValueKind::Text(text) = &given.value.kind else { return None };
            let value = text.value.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim();
            let field = declared.fields.get(&given.name.value).filter(|field| field.always())?;
            let whole = !value.contains("${{") && value.split('.').count() > 1;
            whole.then(|| format!("event.{} == {value}", field.name))
        })
    }
}

impl Diagnostics {
    /// An echo without a `where`, of a saga that observes.
    pub(super) fn add_no_echo_identity(&mut self, one: &AlternativeNode, repeated: Option<String>) {
        let name = &one.name.value;
        let message =
            format!("nothing tells which `{name}` is meant, so that of any other saga would do");
        let help = match repeated {
            Some(repeated) => format!("perhaps `where: {repeated}`"),
            None => format!(
                "add a `where` with an `==` between a field of `{name}` and what this saga knows"
            ),
        };
        let found = Diagnostic::new(Code::NoIdentity, one.name.span, message).help(help);
        self.push(found.help(NOBODY_IS_ASKED));
    }

    /// An answer of which the author says no word, and that repeats nothing of its command.
    pub(super) fn add_no_identity_said(&mut self, at: Span, event: &str) {
        let message = format!(
            "`{event}` may answer here, and no field of it has the name of one that the command is \
             given"
        );
        let help = format!(
            "name it in an `await`, a `fail_on` or a `compensate` of your own, with a `where`; or \
             let `{event}` repeat what tells whose it is"
        );
        self.push(Diagnostic::new(Code::NoIdentity, at, message).help(help).help(NOBODY_IS_ASKED));
    }
}
