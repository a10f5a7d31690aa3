//! Every name in a file with its place and what it means there: what hover, definition, references
//! and rename ask. Judges nothing.

use std::ops::Range;

use super::facts::{Facts, Owner, answers, owner_of_report};
use super::hover::words_of;
use super::tree::{in_pairs, items, pairs, scalar, word};
use super::words::{chains, holes};
use crate::definition::keys::{self, Key, Mapping, Shape};
use crate::definition::read::FileKind;
use crate::definition::read::node::{Kind, Node, Scalar};

/// A thing that has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol {
    /// An event of the catalog.
    Event(String),
    /// A command of the catalog.
    Command(String),
    /// A target of the catalog.
    Target(String),
    /// A saga.
    Saga(String),
    /// A step of that file.
    Step(String, String),
    /// A variable of that file.
    Var(String, String),
    /// An input of that file.
    Input(String, String),
    /// An element of a loop of that file.
    Element(String, String),
    /// A signal of that saga.
    Signal(String, String),
    /// A field.
    Field(Owner, String),
    /// A case of that test file.
    Case(String, String),
}

/// What stands at a place.
#[derive(Clone, Debug)]
pub enum What {
    /// A key of the language.
    Key(&'static Mapping, &'static Key),
    /// A value of such a key that is no name: a duration, a word of a closed choice.
    Value(&'static Mapping, &'static Key),
    /// A name.
    Symbol(Symbol),
    /// A name that expressions always have: `saga.id`, `steps.ID.outcome`.
    Built(String),
}

/// A name at a place.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The bytes of the name, without quotes.
    pub range: Range<usize>,
    /// What it means.
    pub what: What,
    /// Whether the name is given here.
    pub defines: bool,
}

/// What expressions and payloads mean at a place.
#[derive(Clone, Debug, Default)]
struct Scope {
    /// What `event` is.
    event: Vec<Owner>,
    /// What `trigger` is.
    trigger: Vec<Owner>,
    /// Whose fields `with` has.
    with: Option<Owner>,
}

/// All names of a file, in the order of the text.
#[must_use]
pub fn index(file: &str, kind: FileKind, root: &Node, facts: &Facts) -> Vec<Occurrence> {
    let mut walker = Walker { file, kind, facts, found: Vec::new() };
    let scope = Scope { trigger: facts.trigger.clone(), ..Scope::default() };
    let mapping = match kind {
        FileKind::Catalog => &keys::CATALOG,
        FileKind::Saga => &keys::SAGA,
        FileKind::Test => &keys::TEST,
    };
    walker.map(mapping, root, &scope);
    walker.found.sort_by_key(|one| (one.range.start, one.range.end));
    walker.found
}

struct Walker<'a> {
    file: &'a str,
    kind: FileKind,
    facts: &'a Facts,
    found: Vec<Occurrence>,
}

impl Walker<'_> {
    fn push(&mut self, scalar: &Scalar, what: What, defines: bool) {
        let range = scalar.text.at(0..scalar.value().len()).range();
        self.found.push(Occurrence { range, what, defines });
    }

    fn symbol(&mut self, scalar: &Scalar, symbol: Symbol, defines: bool) {
        self.push(scalar, What::Symbol(symbol), defines);
    }

    fn map(&mut self, mapping: &'static Mapping, node: &Node, scope: &Scope) {
        let pairs = pairs(node);
        let scope = self.inner(mapping, pairs, scope);
        for (name, value) in pairs {
            let Some(key) = mapping.key(name.value()) else { continue };
            self.push(name, What::Key(mapping, key), false);
            self.value(mapping, key, value, &scope);
        }
    }

    /// What a mapping's own keys say of what stands in it.
    fn inner(&self, mapping: &Mapping, pairs: &[(Scalar, Node)], outer: &Scope) -> Scope {
        let mut scope = outer.clone();
        let saga = || self.facts.saga.clone();
        let reported = owner_of_report(pairs);
        scope.with = if let Some(command) = word(pairs, "issue") {
            Some(Owner::Command(command.to_owned()))
        } else if let Some(event) = word(pairs, "emit") {
            Some(Owner::Event(event.to_owned()))
        } else if mapping.name == "signal" {
            word(pairs, "name").map(|name| Owner::Signal(saga(), name.to_owned()))
        } else if let Some(called) = word(pairs, "call") {
            let own = self.kind == FileKind::Test;
            Some(Owner::Call(if own { saga() } else { called.to_owned() }))
        } else {
            reported.clone()
        };
        if let Some(signal) = word(pairs, "signal") {
            scope.event = vec![Owner::Signal(saga(), signal.to_owned())];
        } else if let Some(reported) = reported {
            if ["trigger", "trigger_alternative"].contains(&mapping.name) {
                scope.trigger = vec![reported];
            } else {
                scope.event = vec![reported];
            }
        } else if mapping.name == "trigger_alternative" && in_pairs(pairs, "call").is_some() {
            scope.trigger = vec![Owner::Call(saga())];
        } else if mapping.name == "eviction" {
            scope.event.clone_from(&scope.trigger);
        } else if mapping.name == "probe"
            && let Some(wait) = in_pairs(pairs, "await")
        {
            scope.event = answers(wait);
        }
        scope
    }

    fn value(&mut self, mapping: &'static Mapping, key: &'static Key, node: &Node, scope: &Scope) {
        let shape = &key.shape;
        if let Shape::Map(inner) | Shape::MapOrNone(inner) = shape {
            self.map(inner, node, scope);
        } else if let Shape::List(inner) | Shape::WordsOrList(_, inner) = shape {
            items(node).iter().for_each(|item| self.map(inner, item, scope));
        } else if let Shape::Named(inner) | Shape::NamedBut(_, inner) = shape {
            for (name, below) in pairs(node) {
                self.named(key.name, name);
                let owner = owner_of(key.name, name.value(), &self.facts.saga);
                let with = owner.or_else(|| scope.with.clone());
                self.declared(inner, below, &Scope { with, ..scope.clone() });
            }
        } else if let Shape::NamedLists(inner) = shape {
            let lists = pairs(node).iter().flat_map(|(_, list)| items(list));
            lists.for_each(|item| self.map(inner, item, scope));
        } else if matches!(shape, Shape::Fields | Shape::InnerFields) {
            self.fields(node, &Owner::Call(self.facts.saga.clone()));
        } else if matches!(shape, Shape::Values) {
            self.values(mapping, key, node, scope);
        }
        for one in items(node).iter().chain([node]).filter_map(scalar) {
            self.word(mapping, key, one, scope);
        }
    }

    /// A mapping whose name is the author's; its fields are its own.
    fn declared(&mut self, mapping: &'static Mapping, node: &Node, scope: &Scope) {
        for (name, value) in pairs(node) {
            let Some(key) = mapping.key(name.value()) else { continue };
            self.push(name, What::Key(mapping, key), false);
            match (&key.shape, &scope.with) {
                (Shape::Fields | Shape::InnerFields, Some(owner)) => {
                    self.fields(value, &owner.clone());
                }
                _ => self.value(mapping, key, value, scope),
            }
        }
    }

    fn fields(&mut self, node: &Node, owner: &Owner) {
        for (name, _) in pairs(node) {
            let symbol = Symbol::Field(owner.clone(), name.value().to_owned());
            self.symbol(name, symbol, true);
        }
    }

    /// A name that a catalog or a saga gives.
    fn named(&mut self, under: &str, name: &Scalar) {
        let own = name.value().to_owned();
        let symbol = match under {
            "targets" => Symbol::Target(own),
            "events" => Symbol::Event(own),
            "commands" => Symbol::Command(own),
            "signals" => Symbol::Signal(self.facts.saga.clone(), own),
            _ => return,
        };
        self.symbol(name, symbol, true);
    }

    /// A scalar, or one of a list of them.
    fn word(&mut self, mapping: &'static Mapping, key: &'static Key, one: &Scalar, scope: &Scope) {
        let shape = &key.shape;
        if let Some((symbol, defines)) = self.named_by(mapping, key, one.value()) {
            self.symbol(one, symbol, defines);
        } else if matches!(shape, Shape::Condition | Shape::Conditions | Shape::ConditionList) {
            self.expression(one, 0..one.value().len(), scope);
        } else if matches!(shape, Shape::Template) {
            self.holes(one, scope);
        } else if matches!(shape, Shape::Duration | Shape::Integer(_) | Shape::Share)
            || !words_of(shape).is_empty()
        {
            self.push(one, What::Value(mapping, key), false);
        }
    }

    /// What a scalar under a key names, and whether it gives the name.
    fn named_by(&self, mapping: &Mapping, key: &Key, own: &str) -> Option<(Symbol, bool)> {
        let (file, own) = (self.file.to_owned(), own.to_owned());
        let refers = |symbol| Some((symbol, false));
        if let Shape::Ref(kind) | Shape::Refs(kind) = &key.shape {
            return refers(match kind {
                keys::Kind::Event => Symbol::Event(own),
                keys::Kind::Command => Symbol::Command(own),
                keys::Kind::Target => Symbol::Target(own),
                keys::Kind::Saga => Symbol::Saga(own),
            });
        }
        if matches!(key.shape, Shape::StepIds) {
            return refers(Symbol::Step(file, own));
        }
        if matches!(key.shape, Shape::CatalogUndo) {
            let is_name = !words_of(&key.shape).contains(&own.as_str());
            return is_name.then_some((Symbol::Command(own), false));
        }
        let gives = |symbol| Some((symbol, true));
        let named = matches!(key.shape, Shape::Name | Shape::Text);
        match (mapping.name, key.name) {
            _ if !named => None,
            ("saga", "saga") => gives(Symbol::Saga(own)),
            ("case", "name") => gives(Symbol::Case(file, own)),
            ("case", "same_as") => refers(Symbol::Case(file, own)),
            ("signal", "name") | (_, "signal") => {
                refers(Symbol::Signal(self.facts.saga.clone(), own))
            }
            (_, "id") => gives(Symbol::Step(file, own)),
            (_, "as") => gives(Symbol::Element(file, own)),
            _ => None,
        }
    }

    fn values(&mut self, mapping: &Mapping, key: &Key, node: &Node, scope: &Scope) {
        let file = || self.file.to_owned();
        for (name, _) in pairs(node) {
            let own = name.value().to_owned();
            let symbol = match (mapping.name, key.name) {
                (_, "input") => Some((Symbol::Input(file(), own), true)),
                ("saga", "vars") | (_, "save") => Some((Symbol::Var(file(), own), true)),
                (_, "with") => scope.with.clone().map(|owner| (Symbol::Field(owner, own), false)),
                ("script", "call") => {
                    let owner = Owner::Call(self.facts.saga.clone());
                    Some((Symbol::Field(owner, own), false))
                }
                _ => None,
            };
            if let Some((symbol, defines)) = symbol {
                self.symbol(name, symbol, defines);
            }
        }
        if self.kind == FileKind::Saga {
            self.tree(node, scope);
        }
    }

    /// The holes of all texts of a value.
    fn tree(&mut self, node: &Node, scope: &Scope) {
        match &node.kind {
            Kind::Scalar(scalar) => self.holes(scalar, scope),
            Kind::List(items) => items.iter().for_each(|item| self.tree(item, scope)),
            Kind::Map(pairs) => pairs.iter().for_each(|(_, value)| self.tree(value, scope)),
        }
    }

    fn holes(&mut self, one: &Scalar, scope: &Scope) {
        for hole in holes(one.value()) {
            self.expression(one, hole, scope);
        }
    }

    fn expression(&mut self, one: &Scalar, range: Range<usize>, scope: &Scope) {
        // Where escapes stand in between, no place inside can be told.
        if one.text.verbatim.is_none() {
            return;
        }
        for chain in chains(&one.value()[range.clone()]) {
            let names: Vec<&str> = chain.names.iter().map(|(name, _)| name.as_str()).collect();
            for (at, (_, place)) in chain.names.iter().enumerate() {
                if chain.called && at + 1 == names.len() {
                    continue;
                }
                let place = place.start + range.start..place.end + range.start;
                let place = one.text.at(place).range();
                for what in self.meaning(&names[..=at], scope) {
                    self.found.push(Occurrence { range: place.clone(), what, defines: false });
                }
            }
        }
    }

    /// What the last of these names means.
    fn meaning(&self, names: &[&str], scope: &Scope) -> Vec<What> {
        let file = || self.file.to_owned();
        let fields = |owners: &[Owner], name: &str| -> Vec<What> {
            let field = |owner: &Owner| What::Symbol(Symbol::Field(owner.clone(), name.to_owned()));
            owners.iter().map(field).collect()
        };
        match names {
            [root] if self.facts.elements.contains_key(*root) => {
                vec![What::Symbol(Symbol::Element(file(), (*root).to_owned()))]
            }
            [root @ ("trigger" | "input" | "vars" | "event" | "steps" | "saga")] => {
                vec![What::Built((*root).to_owned())]
            }
            ["input", name] => vec![What::Symbol(Symbol::Input(file(), (*name).to_owned()))],
            ["vars", name] => vec![What::Symbol(Symbol::Var(file(), (*name).to_owned()))],
            ["steps", id] => vec![What::Symbol(Symbol::Step(file(), (*id).to_owned()))],
            ["trigger", name] => fields(&scope.trigger, name),
            ["event", name] => fields(&scope.event, name),
            ["steps", id, "echo", name] => {
                let answers = self.facts.steps.get(*id).map(|step| step.answers.as_slice());
                fields(answers.unwrap_or_default(), name)
            }
            ["steps", _, word] => vec![What::Built(format!("steps.ID.{word}"))],
            ["saga", word] => vec![What::Built(format!("saga.{word}"))],
            _ => Vec::new(),
        }
    }
}

/// Whose fields a declaration under that key has.
fn owner_of(under: &str, name: &str, saga: &str) -> Option<Owner> {
    match under {
        "events" => Some(Owner::Event(name.to_owned())),
        "commands" => Some(Owner::Command(name.to_owned())),
        "signals" => Some(Owner::Signal(saga.to_owned(), name.to_owned())),
        _ => None,
    }
}
