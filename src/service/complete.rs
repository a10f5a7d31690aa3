//! What may be written at a place. Offers only what exists; whether it is right there is judged by
//! the checks.

use std::collections::BTreeMap;
use std::ops::Range;

use super::choice::{Choice, ChoiceKind, built, choice, field_choice};
use super::facts::{Facts, Owner};
use super::hover::{of_key, words_of};
use super::index::Symbol;
use super::outline::{Level, Spot, Writing, spot};
use super::words::holes;
use super::{File, Workspace};
use crate::definition::keys::{self, Key, Mapping, Shape};
use crate::definition::read::FileKind;
use crate::format::order;

/// Where a place is, in the words of the language.
struct Here<'a> {
    file: &'a File,
    name: &'a str,
    spot: &'a Spot,
    at: usize,
    /// What the place itself may hold.
    place: order::Place,
    /// The last key of the language on the way, with its mapping and what stands beside it.
    key: Option<(&'static Mapping, &'static Key, &'a BTreeMap<String, String>)>,
    /// Names of the author's below that key.
    free: usize,
    /// All mappings of the language on the way.
    around: Vec<(&'static Mapping, &'a BTreeMap<String, String>)>,
}

/// What functions there are, for expressions.
const FUNCTIONS: &[(&str, &str)] = &[
    ("has", "whether an optional field or a variable is there"),
    ("size", "length of a string, list or mapping"),
    ("distinct", "a list without repetitions"),
    ("int", "a number or text as an integer"),
    ("double", "a number or text as a double"),
    ("string", "a value as text"),
];

impl Workspace {
    /// What may be written at a place.
    #[must_use]
    pub fn complete(&self, name: &str, at: usize) -> Vec<Choice> {
        let Some(file) = self.files.get(name) else { return Vec::new() };
        let spot = spot(&file.text, at);
        let here = Here::of(file, name, &spot, at);
        let mut choices = match (&spot.writing, here.expression()) {
            (_, Some(text)) => self.names(&here, &text),
            (Writing::Key(beside), None) => self.keys(&here, beside),
            (Writing::Value, None) => self.values(&here),
        };
        choices.sort_by(|a, b| (a.rank, &a.label).cmp(&(b.rank, &b.label)));
        choices.dedup_by(|a, b| a.label == b.label);
        choices
    }

    fn keys(&self, here: &Here<'_>, beside: &BTreeMap<String, String>) -> Vec<Choice> {
        let range = here.at - here.spot.prefix.len()..here.at;
        if let order::Place::Keys(mapping) = here.place {
            return keys_of(mapping, here, beside, &range);
        }
        let Some((_, key, around)) = here.key.filter(|_| here.free == 0) else {
            return Vec::new();
        };
        match key.name {
            "with" => {
                let owner = owner_of(around, here.facts());
                let fields = owner.map(|owner| self.fields(&owner)).unwrap_or_default();
                let new = fields.iter().filter(|field| !beside.contains_key(&field.name));
                new.map(|field| field_choice(field, &range, ": ")).collect()
            }
            "save" => {
                let vars = here.facts().vars.keys().filter(|name| !beside.contains_key(*name));
                vars.map(|name| choice(name, ChoiceKind::Variable, "", &range, ": ")).collect()
            }
            _ => Vec::new(),
        }
    }

    fn values(&self, here: &Here<'_>) -> Vec<Choice> {
        let range = here.at - here.spot.prefix.len()..here.at;
        let Some((mapping, key, around)) = here.key else { return Vec::new() };
        if here.free > 0 {
            return self.literals(here, key, around, &range);
        }
        let plain = |name: &str, kind, detail: &str| choice(name, kind, detail, &range, "");
        let shape = &key.shape;
        if let Shape::Ref(kind) | Shape::Refs(kind) = shape {
            self.of_kind(*kind, here, key, &range)
        } else if matches!(shape, Shape::StepIds) {
            let steps = here.facts().steps.iter();
            steps.map(|(id, step)| plain(id, ChoiceKind::Variable, &step.verb.1)).collect()
        } else if matches!(shape, Shape::Name) && key.name == "signal" {
            here.facts().signals.iter().map(|name| plain(name, ChoiceKind::Event, "")).collect()
        } else if (mapping.name, key.name) == ("case", "same_as") {
            here.facts().cases.iter().map(|name| plain(name, ChoiceKind::Module, "")).collect()
        } else {
            let mut words = words_of(shape);
            if matches!(shape, Shape::Duration | Shape::Bound) {
                words.extend(["500ms", "1s", "5s", "10s", "30s", "1m", "1h"]);
            }
            let words = words.into_iter().map(|word| plain(word, ChoiceKind::Word, ""));
            let mut all: Vec<Choice> = words.collect();
            if matches!(shape, Shape::CatalogUndo) {
                all.extend(self.of_kind(keys::Kind::Command, here, key, &range));
            }
            all
        }
    }

    /// A value of the author's: the words that a field may be, else a hole to fill.
    fn literals(
        &self,
        here: &Here<'_>,
        key: &Key,
        around: &BTreeMap<String, String>,
        range: &Range<usize>,
    ) -> Vec<Choice> {
        let mut all = Vec::new();
        if key.name == "with"
            && let Some(Level::Key(field, _)) = here.spot.way.last()
        {
            let owner = owner_of(around, here.facts());
            let fields = owner.map(|owner| self.fields(&owner)).unwrap_or_default();
            let words = fields.into_iter().filter(|one| one.name == *field);
            let words = words.flat_map(|field| field.words);
            all.extend(words.map(|word| choice(&word, ChoiceKind::Word, "", range, "")));
        }
        if here.file.kind == FileKind::Saga && matches!(key.shape, Shape::Values) {
            for (name, doc) in [("input", "an input"), ("steps", "a step"), ("vars", "a variable")]
            {
                let mut hole =
                    choice(&format!("${{{{ {name}. }}}}"), ChoiceKind::Variable, doc, range, "");
                hole.text = format!("\"{}\"", hole.label);
                hole.rank = 2;
                all.push(hole);
            }
        }
        all
    }

    fn of_kind(
        &self,
        kind: keys::Kind,
        here: &Here<'_>,
        key: &Key,
        range: &Range<usize>,
    ) -> Vec<Choice> {
        let catalog = &self.catalog;
        let symbol = |symbol: Symbol, name: &str, kind: ChoiceKind, detail: &str, rank| Choice {
            doc: self.of_symbol(&symbol),
            rank,
            ..choice(name, kind, detail, range, "")
        };
        let own = |name: &str| name.to_owned();
        match kind {
            keys::Kind::Event => {
                let expected = self.expected(here);
                let usable = catalog.events.values().filter(|event| !event.bracket);
                let rank = |name: &str| {
                    usize::from(key.name == "echo" && !expected.iter().any(|one| one == name))
                };
                usable
                    .map(|event| {
                        let name = &*event.name;
                        symbol(Symbol::Event(own(name)), name, ChoiceKind::Event, "", rank(name))
                    })
                    .collect()
            }
            keys::Kind::Command => catalog
                .commands
                .values()
                .map(|command| {
                    let (name, to) = (&*command.name, format!("to {}", command.target));
                    symbol(Symbol::Command(own(name)), name, ChoiceKind::Command, &to, 0)
                })
                .collect(),
            keys::Kind::Target => {
                let targets = catalog.targets.keys();
                let one = |name| symbol(Symbol::Target(own(name)), name, ChoiceKind::Module, "", 0);
                targets.map(|name| one(&**name)).collect()
            }
            keys::Kind::Saga => {
                let sagas = self.files.values().filter(|file| file.kind == FileKind::Saga);
                let one = |name| symbol(Symbol::Saga(own(name)), name, ChoiceKind::Module, "", 0);
                sagas.map(|file| one(file.facts.saga.as_str())).collect()
            }
        }
    }

    /// What may answer the command that is issued around here.
    fn expected(&self, here: &Here<'_>) -> Vec<String> {
        let issued = here.around.iter().rev().find_map(|(_, beside)| beside.get("issue"));
        let command = issued.and_then(|name| self.catalog.commands.get(word(name)));
        let names = command.map(|command| command.echoes.iter().chain(&command.failures));
        names.into_iter().flatten().map(ToString::to_string).collect()
    }

    /// Names in an expression of which this stands before the place.
    fn names(&self, here: &Here<'_>, text: &str) -> Vec<Choice> {
        let begins = text
            .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
            .map_or(0, |at| at + 1);
        let mut names: Vec<&str> = text[begins..].split('.').collect();
        let last = names.pop().unwrap_or("");
        let range = here.at - last.len()..here.at;
        let facts = here.facts();
        let variable =
            |name: &str, detail: &str| choice(name, ChoiceKind::Variable, detail, &range, "");
        let fields = |owners: &[Owner]| -> Vec<Choice> {
            let fields = owners.iter().flat_map(|owner| self.fields(owner));
            fields.map(|field| field_choice(&field, &range, "")).collect()
        };
        match names.as_slice() {
            [] => roots(here, &range),
            ["trigger"] => fields(&facts.trigger),
            ["event"] => fields(&here.event()),
            ["input"] => facts.inputs.iter().map(|(name, from)| variable(name, from)).collect(),
            ["vars"] => facts.vars.keys().map(|name| variable(name, "")).collect(),
            ["steps"] => {
                let step = |(id, step): (&String, &super::facts::StepFacts)| Choice {
                    doc: self.of_symbol(&Symbol::Step(here.name.to_owned(), id.clone())),
                    ..variable(id, &step.verb.1)
                };
                facts.steps.iter().map(step).collect()
            }
            ["saga"] => built("saga.", &range, |_| true),
            ["steps", id] => {
                let step = facts.steps.get(*id).cloned().unwrap_or_default();
                built("steps.ID.", &range, |word| match word {
                    "echo" => !step.answers.is_empty(),
                    "result" => step.calls.is_some(),
                    "outcomes" | "collected" => step.is_loop,
                    _ => true,
                })
            }
            ["steps", id, "echo"] => {
                fields(facts.steps.get(*id).map(|step| step.answers.as_slice()).unwrap_or_default())
            }
            ["steps", id, "result"] => {
                let called = facts.steps.get(*id).and_then(|step| step.calls.as_deref());
                let results =
                    called.and_then(|name| self.saga(name)).map(|(_, file)| &file.facts.results);
                results.into_iter().flatten().map(|name| variable(name, "")).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl<'a> Here<'a> {
    fn of(file: &'a File, name: &'a str, spot: &'a Spot, at: usize) -> Here<'a> {
        let mut here = Here {
            file,
            name,
            spot,
            at,
            place: order::Place::root(file.kind),
            key: None,
            free: 0,
            around: Vec::new(),
        };
        for level in &spot.way {
            match level {
                Level::Item => here.place = here.place.element(),
                Level::Key(name, beside) => {
                    let known = match here.place {
                        order::Place::Keys(mapping) => {
                            here.around.push((mapping, beside));
                            mapping.key(name).map(|key| (mapping, key, beside))
                        }
                        order::Place::List(_)
                        | order::Place::Named(_)
                        | order::Place::NamedLists(_)
                        | order::Place::Free
                        | order::Place::Word => None,
                    };
                    match known {
                        Some(known) => (here.key, here.free) = (Some(known), 0),
                        None => here.free += 1,
                    }
                    here.place = here.place.below(name);
                }
            }
        }
        here
    }

    fn facts(&self) -> &'a Facts {
        &self.file.facts
    }

    /// What stands of an expression before the place, when there is one.
    fn expression(&self) -> Option<String> {
        let prefix = &self.spot.prefix;
        if let Some(hole) = holes(prefix).last()
            && hole.end == prefix.len()
        {
            return Some(prefix[hole.clone()].to_owned());
        }
        let bare = self.key.is_some_and(|(_, key, _)| {
            matches!(key.shape, Shape::Condition | Shape::Conditions | Shape::ConditionList)
        });
        let inner = prefix.strip_prefix(['"', '\'']).unwrap_or(prefix);
        (bare && self.free == 0 && self.spot.writing == Writing::Value).then(|| inner.to_owned())
    }

    /// What `event` is here.
    fn event(&self) -> Vec<Owner> {
        for (mapping, beside) in self.around.iter().rev() {
            if ["trigger", "trigger_alternative"].contains(&mapping.name) {
                break;
            }
            if mapping.name == "eviction" {
                return self.facts().trigger.clone();
            }
            if mapping.name == "probe"
                && let Some(answer) = beside.get("await").and_then(|wait| inline_echo(wait))
            {
                return vec![Owner::Event(answer.to_owned())];
            }
            if let Some(signal) = beside.get("signal") {
                return vec![Owner::Signal(self.facts().saga.clone(), word(signal).to_owned())];
            }
            if let Some(name) = beside.get("echo").or_else(|| beside.get("event")) {
                return vec![Owner::Event(word(name).to_owned())];
            }
        }
        Vec::new()
    }
}

/// The keys that a mapping may still have.
fn keys_of(
    mapping: &'static Mapping,
    here: &Here<'_>,
    beside: &BTreeMap<String, String>,
    range: &Range<usize>,
) -> Vec<Choice> {
    let shut = |name: &str| {
        let other = |group: &&[&str]| {
            // `await` goes with the other verbs.
            group.contains(&name)
                && !(name == "await" && group.contains(&"issue"))
                && group.iter().any(|one| beside.contains_key(*one) && *one != "await")
        };
        mapping.one_of.iter().any(other)
            || mapping
                .excludes
                .iter()
                .any(|rule| beside.contains_key(rule.key) && rule.others.contains(&name))
    };
    let fresh = |key: &&'static Key| !beside.contains_key(key.name) && !shut(key.name);
    let indent = " ".repeat(here.spot.column + 2);
    let all = mapping.keys.iter().enumerate().filter(|(_, key)| fresh(key));
    all.map(|(rank, key)| {
        let behind = match (&key.shape, here.spot.flow) {
            (Shape::List(_) | Shape::ConditionList, false) => format!(":\n{indent}- "),
            (
                Shape::Map(_)
                | Shape::Named(_)
                | Shape::NamedLists(_)
                | Shape::Fields
                | Shape::InnerFields
                | Shape::Values
                | Shape::Labels,
                false,
            ) => format!(":\n{indent}"),
            _ => ": ".to_owned(),
        };
        Choice {
            doc: of_key(mapping, key),
            rank,
            ..choice(key.name, ChoiceKind::Key, "", range, &behind)
        }
    })
    .collect()
}

/// Whose fields `with` has beside these.
fn owner_of(beside: &BTreeMap<String, String>, facts: &Facts) -> Option<Owner> {
    let named = |key: &str| beside.get(key).map(|name| word(name).to_owned());
    if let Some(command) = named("issue") {
        return Some(Owner::Command(command));
    }
    if let Some(called) = named("call") {
        let own = called == "true";
        return Some(Owner::Call(if own { facts.saga.clone() } else { called }));
    }
    if let Some(signal) = named("name") {
        return Some(Owner::Signal(facts.saga.clone(), signal));
    }
    named("emit").or_else(|| named("echo")).or_else(|| named("event")).map(Owner::Event)
}

/// The echo of an await that stands on one line.
fn inline_echo(wait: &str) -> Option<&str> {
    let (_, rest) = wait.split_once("echo:")?;
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end])
}

/// A value that stands on a line, without a comment behind it and without quotes.
fn word(value: &str) -> &str {
    value.split(" #").next().unwrap_or("").trim().trim_matches(['"', '\''])
}

/// Names and functions with which an expression may begin.
fn roots(here: &Here<'_>, range: &Range<usize>) -> Vec<Choice> {
    let mut all = built("", range, |word| {
        !word.contains('.') && (word != "event" || !here.event().is_empty())
    });
    for (name, list) in &here.facts().elements {
        all.push(choice(name, ChoiceKind::Variable, &format!("one of {list}"), range, ""));
    }
    for (name, doc) in FUNCTIONS {
        let function = choice(name, ChoiceKind::Function, doc, range, "(");
        all.push(Choice { rank: 1, ..function });
    }
    all
}
