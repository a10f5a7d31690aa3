//! What a name means, for the person who points at it. Markdown.

use std::ops::Range;

use super::facts::{Owner, StepFacts};
use super::fields::FieldInfo;
use super::index::{Symbol, What};
use super::words::{chains, holes};
use super::{File, Workspace};
use crate::definition::catalog::CatalogUndo;
use crate::definition::keys::{Key, Mapping, Need, Shape};

impl Workspace {
    /// What stands at a place: its range and its meaning.
    #[must_use]
    pub fn hover(&self, name: &str, at: usize) -> Option<(Range<usize>, String)> {
        let found = self.at(name, at);
        let first = found.first()?;
        let file = self.files.get(name)?;
        let mut texts: Vec<String> = Vec::new();
        for one in &found {
            let text = match &one.what {
                What::Key(mapping, key) => of_key(mapping, key),
                What::Value(mapping, key) => of_value(mapping, key, &file.text[one.range.clone()]),
                What::Symbol(symbol) => self.of_symbol(symbol),
                What::Built(word) => self.of_built(file, word),
            };
            if !text.is_empty() && !texts.contains(&text) {
                texts.push(text);
            }
        }
        (!texts.is_empty()).then(|| (first.range.clone(), texts.join("\n\n---\n\n")))
    }

    /// A symbol in Markdown.
    pub(super) fn of_symbol(&self, symbol: &Symbol) -> String {
        match symbol {
            Symbol::Event(name) => self.of_event(name),
            Symbol::Command(name) => self.of_command(name),
            Symbol::Target(name) => match self.catalog.targets.get(name.as_str()) {
                Some(target) => format!(
                    "target `{name}`\n\n{}\n\nwhile it is away {} commands wait, for {}",
                    target.doc, target.buffer, target.disconnect_timeout
                ),
                None => format!("target `{name}`, in no catalog"),
            },
            Symbol::Saga(name) => self.of_saga(name),
            Symbol::Step(file, id) => match self.step(file, id) {
                Some(step) => self.of_step(id, step),
                None => format!("step `{id}`, which is not in this saga"),
            },
            Symbol::Var(file, name) => self.of_var(file, name),
            Symbol::Input(file, name) => self.of_input(file, name),
            Symbol::Element(file, name) => {
                let list = self.files.get(file).and_then(|file| file.facts.elements.get(name));
                format!("`{name}`: one element of `{}`", list.map_or("", String::as_str))
            }
            Symbol::Signal(_, name) => {
                let owner = owner_of_signal(symbol);
                let fields = owner.map(|owner| self.fields(&owner)).unwrap_or_default();
                format!("signal `{name}`{}", table(&fields))
            }
            Symbol::Field(owner, name) => {
                let fields = self.fields(owner);
                let whose = match owner {
                    Owner::Event(event) => format!("a field of the event `{event}`"),
                    Owner::Command(command) => format!("a field of the command `{command}`"),
                    Owner::Call(saga) => format!("given by who calls `{saga}`"),
                    Owner::Signal(_, signal) => format!("a field of the signal `{signal}`"),
                };
                match fields.iter().find(|field| field.name == *name) {
                    Some(field) => format!("{}\n\n{whose}", field.line()),
                    None => String::new(),
                }
            }
            Symbol::Case(_, name) => format!("case “{name}”"),
        }
    }

    fn of_event(&self, name: &str) -> String {
        let Some(event) = self.catalog.events.get(name) else {
            return format!("event `{name}`, in no catalog");
        };
        format!("event `{name}`\n\n{}{}", event.doc, table(&super::fields::of(&event.fields)))
    }

    fn of_command(&self, name: &str) -> String {
        let Some(command) = self.catalog.commands.get(name) else {
            return format!("command `{name}`, in no catalog");
        };
        let list = |names: &[std::sync::Arc<str>]| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let undo = match &command.undo {
            CatalogUndo::None => "there is nothing to undo".to_owned(),
            CatalogUndo::Irreversible => "nothing undoes it".to_owned(),
            CatalogUndo::Command(undo) => format!("`{undo}` undoes it"),
        };
        let again = match command.idempotent {
            true => "it may be sent again",
            false => "it is not idempotent",
        };
        let mut text = format!("command `{name}` to `{}`\n\n{}", command.target, command.doc);
        text.push_str(&table(&super::fields::of(&command.fields)));
        text.push_str(&format!("\n\nanswered by {}", list(&command.echoes)));
        if !command.failures.is_empty() {
            text.push_str(&format!("; refused by {}", list(&command.failures)));
        }
        text.push_str(&format!("; {undo}; {again}"));
        text
    }

    fn of_saga(&self, name: &str) -> String {
        let Some((_, file)) = self.saga(name) else {
            return format!("saga `{name}`, which is not in this directory");
        };
        let facts = &file.facts;
        let starts: Vec<String> = facts
            .trigger
            .iter()
            .map(|owner| match owner {
                Owner::Event(event) => format!("`{event}`"),
                Owner::Command(_) | Owner::Call(_) | Owner::Signal(..) => "a caller".to_owned(),
            })
            .collect();
        let mut text = format!("saga `{name}`\n\n{}", facts.doc);
        if !starts.is_empty() {
            text.push_str(&format!("\n\nstarted by {}", starts.join(", ")));
        }
        text.push_str(&table(&self.fields(&Owner::Call(name.to_owned()))));
        text
    }

    fn of_step(&self, id: &str, step: &StepFacts) -> String {
        let (verb, word) = &step.verb;
        let mut text = format!("step `{id}`: `{verb}`");
        if !word.is_empty() {
            text.push_str(&format!(" `{word}`"));
        }
        if let Some(command) = self.catalog.commands.get(word.as_str()).filter(|_| verb == "issue")
        {
            text.push_str(&format!("\n\n{}", command.doc));
        }
        for owner in &step.answers {
            if let Owner::Event(event) = owner {
                text.push_str(&format!("\n\nawaits `{event}`{}", table(&self.fields(owner))));
            }
        }
        text
    }

    fn of_var(&self, file: &str, name: &str) -> String {
        let sets = self.files.get(file).and_then(|file| file.facts.vars.get(name));
        let mut text = format!("variable `{name}`");
        for (source, event) in sets.into_iter().flatten() {
            let ty = self.type_of(file, source, event);
            let shown = if source.is_empty() { "…" } else { source };
            text.push_str(&format!("\n- set to `{shown}`{ty}"));
        }
        text
    }

    fn of_input(&self, file: &str, name: &str) -> String {
        let source = self.files.get(file).and_then(|file| file.facts.inputs.get(name));
        let source = source.map_or("", String::as_str);
        format!("input `{name}` = `{source}`{}", self.type_of(file, source, &[]))
    }

    /// The type of a value that is one whole name of an event, behind a colon.
    fn type_of(&self, file: &str, source: &str, event: &[Owner]) -> String {
        let hole = match holes(source).as_slice() {
            [hole] => source[hole.clone()].trim().to_owned(),
            _ => return String::new(),
        };
        let chains = chains(&hole);
        let [chain] = chains.as_slice() else { return String::new() };
        let names: Vec<&str> = chain.names.iter().map(|(name, _)| name.as_str()).collect();
        let Some(facts) = self.files.get(file).map(|file| &file.facts) else {
            return String::new();
        };
        let (owners, field) = match names.as_slice() {
            ["trigger", field] => (facts.trigger.clone(), *field),
            ["event", field] => (event.to_vec(), *field),
            ["steps", id, "echo", field] => {
                (facts.steps.get(*id).map(|step| step.answers.clone()).unwrap_or_default(), *field)
            }
            _ => return String::new(),
        };
        let fields: Vec<FieldInfo> = owners.iter().flat_map(|owner| self.fields(owner)).collect();
        let found = fields.iter().find(|one| one.name == field);
        found.map(|field| format!(": {}", field.ty)).unwrap_or_default()
    }

    pub(super) fn step(&self, file: &str, id: &str) -> Option<&StepFacts> {
        self.files.get(file).and_then(|file| file.facts.steps.get(id))
    }

    fn of_built(&self, file: &File, word: &str) -> String {
        let doc = built(word);
        let fields = match word {
            "trigger" => file.facts.trigger.iter().flat_map(|one| self.fields(one)).collect(),
            _ => Vec::new(),
        };
        if doc.is_empty() { String::new() } else { format!("`{word}`: {doc}{}", table(&fields)) }
    }
}

fn owner_of_signal(symbol: &Symbol) -> Option<Owner> {
    match symbol {
        Symbol::Signal(saga, name) => Some(Owner::Signal(saga.clone(), name.clone())),
        Symbol::Event(_)
        | Symbol::Command(_)
        | Symbol::Target(_)
        | Symbol::Saga(_)
        | Symbol::Step(..)
        | Symbol::Var(..)
        | Symbol::Input(..)
        | Symbol::Element(..)
        | Symbol::Field(..)
        | Symbol::Case(..) => None,
    }
}

/// Fields one below the other.
fn table(fields: &[FieldInfo]) -> String {
    let mut text = String::new();
    for (at, field) in fields.iter().enumerate() {
        text.push_str(if at == 0 { "\n\n" } else { "\n" });
        text.push_str(&format!("- {}", field.line()));
    }
    text
}

/// A key of the language in Markdown.
#[must_use]
pub(super) fn of_key(mapping: &Mapping, key: &Key) -> String {
    let need = match key.need {
        Need::Required => ", required",
        Need::Optional => "",
    };
    let words = words_of(&key.shape);
    let mut text = format!("`{}` of {}{need}\n\n{}", key.name, mapping.what, key.doc);
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        text.push_str(&format!("\n\none of {}", words.join(", ")));
    }
    text
}

fn of_value(mapping: &Mapping, key: &Key, written: &str) -> String {
    let text = of_key(mapping, key);
    let lasts = matches!(key.shape, Shape::Duration | Shape::Bound);
    match in_words(written).filter(|_| lasts) {
        Some(words) => format!("{words}\n\n{text}"),
        None => text,
    }
}

/// A duration as people say it.
fn in_words(written: &str) -> Option<String> {
    if written == "none" {
        return Some("no bound".to_owned());
    }
    let digits = written.find(|c: char| !c.is_ascii_digit())?;
    let unit = match &written[digits..] {
        "ms" => "millisecond",
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        _ => return None,
    };
    let count = &written[..digits];
    Some(format!("{count} {unit}{}", if count == "1" { "" } else { "s" }))
}

/// The words of a closed choice.
pub(super) fn words_of(shape: &Shape) -> Vec<&'static str> {
    if let Shape::Words(words) | Shape::WordList(words) | Shape::WordsOrList(words, _) = shape {
        words.to_vec()
    } else if matches!(shape, Shape::Flag) {
        vec!["true", "false"]
    } else if matches!(shape, Shape::True) {
        vec!["true"]
    } else if matches!(shape, Shape::Bound | Shape::MapOrNone(_)) {
        vec!["none"]
    } else if matches!(shape, Shape::CatalogUndo) {
        vec!["none", "irreversible"]
    } else {
        Vec::new()
    }
}

/// Names that expressions always have.
pub(super) const BUILT: &[(&str, &str)] = &[
    ("trigger", "what started the saga: the event's fields, or the caller's"),
    ("input", "the saga's frozen inputs"),
    ("vars", "the saga's variables; one is read where every path has set it, or behind `has()`"),
    ("steps", "steps of this saga, by id"),
    ("event", "the report that came in"),
    ("saga", "this saga itself"),
    ("saga.id", "its number, unique in the log"),
    ("saga.now", "the logged clock, in RFC 3339"),
    ("saga.trigger", "the name of the event that started it, `call`, or `schedule`"),
    ("saga.state", "in `finally` and undo: its state"),
    ("saga.cause", "in `finally` and undo: why it failed, as a word"),
    ("saga.reason", "in `finally` and undo: why it failed, in words"),
    ("steps.ID.echo", "the report that satisfied the step's await"),
    (
        "steps.ID.outcome",
        "`succeeded`, `failed`, `in_doubt`, `skipped`, `compensated` or `compensation_failed`",
    ),
    ("steps.ID.attempts", "how often it was tried"),
    ("steps.ID.result", "of a `call`: the result of the saga that was called"),
    ("steps.ID.outcomes", "of a loop: the outcome of each element"),
    ("steps.ID.collected", "of a loop: what `collect` read, at each success"),
];

fn built(word: &str) -> &'static str {
    BUILT.iter().find(|(name, _)| *name == word).map_or("", |(_, doc)| doc)
}
