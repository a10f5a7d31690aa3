//! Scenarios held to the vocabulary: names, payloads, and whether a case can begin at all. Plays
//! nothing.

use std::sync::Arc;

use crate::definition::keys::SIGNALS;
use crate::definition::saga::{Saga, TriggerKind};
use crate::definition::scenario::{Happening, Play, Reply, Scenarios, Script, Start, When, With};
use crate::definition::{CommandDecl, EventDecl, Fields, Library};
use crate::diag::{At, Code, Diagnostic, Diagnostics, Span, nearest};

/// Checks all scenarios of a library.
pub(in crate::plan) fn scenarios(library: &Library, found: &mut Diagnostics) {
    for file in &library.scenarios {
        let saga = library.sagas.iter().find(|saga| saga.name.value == file.saga.value);
        let names = library.sagas.iter().map(|saga| saga.name.value.as_str());
        // A saga that could not be read is missing through no fault of its scenarios.
        if saga.is_none() && library.lost.len() == library.sagas.len() {
            let what = format!("no saga is called `{}`", file.saga.value);
            let help = "a test file stands beside the saga that it names";
            found.push(unknown(Code::UnknownSaga, &file.saga, what, names, help));
        }
        Checker { defined: library, saga: saga.map(|saga| &**saga), found }.file(file);
    }
}

fn has_call(saga: &Saga) -> bool {
    saga.trigger.alternatives.iter().any(|one| matches!(one.kind, TriggerKind::Call { .. }))
}

struct Checker<'a> {
    defined: &'a Library,
    saga: Option<&'a Saga>,
    found: &'a mut Diagnostics,
}

impl Checker<'_> {
    fn file(&mut self, file: &Scenarios) {
        for case in &file.cases {
            match &case.play {
                Play::Own(script) => self.script(script),
                Play::SameAs(other) => {
                    let own = file.cases.iter().filter(|one| matches!(one.play, Play::Own(_)));
                    let mut names = own.map(|one| one.name.value.as_str());
                    if !names.clone().any(|name| name == other.value) {
                        let what = format!("no case with a script is called `{}`", other.value);
                        let help = "`same_as` names a case of this file that has a `when`";
                        let one = unknown(Code::UnknownCase, other, what, &mut names, help);
                        self.found.push(one);
                    }
                }
            }
        }
    }

    fn script(&mut self, script: &Script) {
        self.when(&script.when);
        for entry in &script.entries {
            match &entry.what {
                Happening::Expect { command, with, reply }
                | Happening::Answer { command, with, reply } => self.expect(command, with, reply),
                Happening::Report { event, with } => drop(self.event(event, with)),
                Happening::Call(with) => {
                    let started = At::new((), entry.span);
                    self.call(with, started);
                }
                Happening::Signal { name, with } => self.signal(name, with),
                Happening::Disconnect(target) | Happening::Connect(target) => self.target(target),
                Happening::Advance(_) | Happening::Crash => {}
            }
        }
    }

    fn when(&mut self, when: &When) {
        let event = match &when.start {
            Start::Event(event) => event,
            Start::Call => return self.call(&when.with, At::new((), when.span)),
            Start::Schedule => return self.schedule(when.span),
        };
        self.event(event, &when.with);
        let Some(saga) = self.saga else { return };
        let triggers = saga.trigger.alternatives.iter().filter_map(|one| match &one.kind {
            TriggerKind::Event { event, .. } => Some(event.value.as_str()),
            TriggerKind::Call { .. } | TriggerKind::Schedule(_) => None,
        });
        let known: Vec<&str> = triggers.collect();
        if !known.contains(&event.value.as_str()) && !saga.trigger.alternatives.is_empty() {
            let message = format!("`{}` does not start `{}`", event.value, saga.name.value);
            let one = Diagnostic::new(Code::NotStarted, event.span, message);
            self.found.push(one.help(match known.as_slice() {
                [] if has_call(saga) => {
                    "it is started by a caller: `when: { call: true, with: … }`".to_owned()
                }
                [] => "it is started by the clock: `when: { schedule: true }`".to_owned(),
                known => format!("it is started by `{}`", known.join("`, `")),
            }));
        }
    }

    /// A start by name.
    fn call(&mut self, with: &With, at: At<()>) {
        let Some(saga) = self.saga else { return };
        let called = saga.trigger.alternatives.iter().find_map(|one| match &one.kind {
            TriggerKind::Call { fields } => Some(Arc::clone(fields)),
            TriggerKind::Event { .. } | TriggerKind::Schedule(_) => None,
        });
        match called {
            Some(declared) => self.payload("call", &declared.fields, with, true),
            None if saga.trigger.alternatives.is_empty() => {}
            None => {
                let message = format!("`{}` is not started by a caller", saga.name.value);
                let one = Diagnostic::new(Code::NotStarted, at.span, message);
                let help = "write the event that starts it: `event: …`, or `schedule: true`";
                self.found.push(one.help(help));
            }
        }
    }

    /// A start by the clock.
    fn schedule(&mut self, at: Span) {
        let Some(saga) = self.saga else { return };
        let alternatives = &saga.trigger.alternatives;
        let ticks = alternatives.iter().any(|one| matches!(one.kind, TriggerKind::Schedule(_)));
        if !ticks && !alternatives.is_empty() {
            let message = format!("`{}` has no `schedule`", saga.name.value);
            let one = Diagnostic::new(Code::NotStarted, at, message);
            self.found.push(one.help("write what starts it: `event: …` or `call: true`"));
        }
    }

    fn expect(&mut self, command: &At<String>, with: &With, reply: &Reply) {
        let Some(declared) = self.command(command) else {
            if let Reply::Echo { event, with } = reply {
                self.event(event, with);
            }
            return;
        };
        self.payload(&command.value, &declared.fields, with, false);
        let Reply::Echo { event, with } = reply else { return };
        let Some(echo) = self.event(event, with) else { return };
        let mut answers = declared.echoes.iter().chain(&declared.failures).map(|name| &**name);
        if !answers.clone().any(|name| *name == *echo.name) {
            let what = format!("`{}` never answers with `{}`", command.value, event.value);
            let help = "what anybody may report is written as a `report`";
            let one = unknown(Code::NeverAnswered, event, what, &mut answers, help);
            self.found.push(one.also(command.span, "expected here"));
        }
    }

    fn command(&mut self, name: &At<String>) -> Option<Arc<CommandDecl>> {
        let commands = &self.defined.catalog.commands;
        let declared = commands.get(&*name.value).cloned();
        if declared.is_none() {
            let what = format!("command `{}` is not in the catalog", name.value);
            let help = "declare it under `commands` of a `*.catalog.yaml`";
            let known = commands.keys().map(|name| &**name);
            self.found.push(unknown(Code::UnknownCommand, name, what, known, help));
        }
        declared
    }

    fn event(&mut self, name: &At<String>, with: &With) -> Option<Arc<EventDecl>> {
        let events = &self.defined.catalog.events;
        let Some(declared) = events.get(&*name.value).cloned() else {
            let what = format!("event `{}` is not in the catalog", name.value);
            let help = "declare it under `events` of a `*.catalog.yaml`";
            let known = events.keys().map(|name| &**name);
            self.found.push(unknown(Code::UnknownEvent, name, what, known, help));
            return None;
        };
        if declared.bracket {
            let message = format!("`{}` is published by the launcher alone", name.value);
            let one = Diagnostic::new(Code::BracketEvent, name.span, message);
            self.found.push(one.help("the saga's own end is compared with `end`"));
            return None;
        }
        self.payload(&name.value, &declared.fields, with, true);
        Some(declared)
    }

    fn payload(&mut self, owner: &str, fields: &Fields, with: &With, whole: bool) {
        for (name, value) in &with.list {
            match fields.get(&name.value) {
                None => {
                    let what = format!("`{owner}` has no field `{}`", name.value);
                    let known: Vec<&str> = fields.names().collect();
                    let known = known.into_iter();
                    let help = "it has no fields at all";
                    self.found.push(unknown(Code::UnknownField, name, what, known, help));
                }
                Some(field) => {
                    if let Err(wrong) = field.hold(&value.value) {
                        let one = Diagnostic::new(Code::WrongFieldType, value.span, wrong.message);
                        let help = "a string that reads as a number or a boolean is written in \
                                    quotes";
                        self.found.push(one.help(help));
                    }
                }
            }
        }
        let given = |name: &str| with.list.iter().any(|(one, _)| one.value == name);
        let needed = fields.list.iter().filter(|field| whole && field.required);
        for field in needed.filter(|field| !given(&field.name)) {
            let message =
                format!("`{owner}` needs the field `{}`, {}", field.name, field.must_be());
            let one = Diagnostic::new(Code::MissingField, with.span, message);
            self.found.push(one.help(format!("add `{}: …` to `with`", field.name)));
        }
    }

    fn signal(&mut self, name: &At<String>, with: &With) {
        let Some(saga) = self.saga else { return };
        if let Some(declared) = saga.signals.iter().find(|one| *one.name == *name.value).cloned() {
            return self.payload(&name.value, &declared.fields, with, true);
        }
        if !SIGNALS.contains(&name.value.as_str()) {
            let what = format!("`{}` is not a signal of `{}`", name.value, saga.name.value);
            let own: Vec<&str> = saga.signals.iter().map(|one| &*one.name).collect();
            let mut known = own.into_iter().chain(SIGNALS.iter().copied());
            self.found.push(unknown(Code::UnknownSignal, name, what, &mut known, ""));
        }
    }

    fn target(&mut self, name: &At<String>) {
        let targets = &self.defined.catalog.targets;
        if !targets.contains_key(&*name.value) {
            let what = format!("target `{}` is not in the catalog", name.value);
            let help = "declare it under `targets` of a `*.catalog.yaml`";
            let known = targets.keys().map(|name| &**name);
            self.found.push(unknown(Code::UnknownTarget, name, what, known, help));
        }
    }
}

/// So many names are still read by a person.
const SHORT: usize = 8;

fn unknown<'a>(
    code: Code,
    name: &At<String>,
    message: String,
    known: impl Iterator<Item = &'a str>,
    otherwise: &str,
) -> Diagnostic {
    let known: Vec<&str> = known.collect();
    let found = Diagnostic::new(code, name.span, message);
    if let Some(near) = nearest(&name.value, known.iter().copied()) {
        return found.help(format!("did you mean `{near}`?")).respell(name, known);
    }
    match known.len() {
        1..=SHORT => found.help(format!("known: `{}`", known.join("`, `"))),
        _ => found.help(otherwise),
    }
}
