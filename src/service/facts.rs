//! What one file gives names to: its steps, variables, inputs, fields of its callers. Judges
//! nothing, and takes what it finds.

use std::collections::BTreeMap;

use super::tree::{in_pairs, items, pairs, scalar, under, word};
use crate::definition::read::FileKind;
use crate::definition::read::node::{Kind, Node, Scalar};

/// Whose field a field is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An event's.
    Event(String),
    /// A command's.
    Command(String),
    /// Given by whoever calls that saga.
    Call(String),
    /// Given with a signal to that saga.
    Signal(String, String),
}

/// A step by its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFacts {
    /// Its verb and the word behind it: `issue`, `reap_panes`.
    pub verb: (String, String),
    /// What may satisfy its await.
    pub answers: Vec<Owner>,
    /// The saga whose `result` it has.
    pub calls: Option<String>,
    /// Whether it is a loop.
    pub is_loop: bool,
}

/// What a file gives names to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The saga's name; of a test, that of the saga under test.
    pub saga: String,
    /// What it is for.
    pub doc: String,
    /// What `trigger` may be.
    pub trigger: Vec<Owner>,
    /// Whether a caller starts it.
    pub is_called: bool,
    /// Steps by id.
    pub steps: BTreeMap<String, StepFacts>,
    /// Inputs, with the text that they are taken from.
    pub inputs: BTreeMap<String, String>,
    /// Variables, with the texts that they are set from, and what `event` is there.
    pub vars: BTreeMap<String, Vec<(String, Vec<Owner>)>>,
    /// Names of elements of loops.
    pub elements: BTreeMap<String, String>,
    /// Names of signals.
    pub signals: Vec<String>,
    /// Names that `result` gives.
    pub results: Vec<String>,
    /// Names of cases.
    pub cases: Vec<String>,
}

impl Facts {
    /// Those of a tree.
    #[must_use]
    pub fn of(kind: FileKind, root: &Node) -> Facts {
        let mut facts = Facts::default();
        if kind == FileKind::Catalog {
            return facts;
        }
        let top = pairs(root);
        word(top, "saga").unwrap_or_default().clone_into(&mut facts.saga);
        word(top, "doc").unwrap_or_default().clone_into(&mut facts.doc);
        if let Some(trigger) = in_pairs(top, "trigger") {
            facts.trigger(trigger);
        }
        for (name, node) in in_pairs(top, "input").map(pairs).unwrap_or_default() {
            facts.inputs.insert(name.value().to_owned(), source_of(node));
        }
        for (name, node) in in_pairs(top, "vars").map(pairs).unwrap_or_default() {
            let set = (source_of(node), Vec::new());
            facts.vars.entry(name.value().to_owned()).or_default().push(set);
        }
        let names = |key: &str| -> Vec<String> {
            let pairs = in_pairs(top, key).map(pairs).unwrap_or_default();
            pairs.iter().map(|(name, _)| name.value().to_owned()).collect()
        };
        facts.signals = names("signals");
        facts.results = names("result");
        for case in in_pairs(top, "cases").map(items).unwrap_or_default() {
            facts.cases.extend(word(pairs(case), "name").map(str::to_owned));
        }
        if let Some(eviction) = in_pairs(top, "eviction") {
            let trigger = facts.trigger.clone();
            facts.saves(eviction, &trigger);
        }
        facts.walk(root);
        facts
    }

    fn trigger(&mut self, node: &Node) {
        let alternatives = under(node, "any_of").map(items).unwrap_or_default();
        for one in alternatives.iter().chain([node]) {
            let own = owner_of_report(pairs(one));
            self.trigger.extend(own);
            if under(one, "call").is_some() {
                self.is_called = true;
                self.trigger.push(Owner::Call(self.saga.clone()));
            }
            for (name, node) in under(one, "input").map(pairs).unwrap_or_default() {
                self.inputs.entry(name.value().to_owned()).or_insert_with(|| source_of(node));
            }
        }
    }

    /// Looks at every mapping of the file: what has an `id` is a step, what has a `save` sets
    /// variables.
    fn walk(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter().for_each(|item| self.walk(item)),
            Kind::Map(pairs) => {
                self.step(pairs);
                if in_pairs(pairs, "policy").is_none() {
                    self.saves(node, &owner_of_report(pairs).into_iter().collect::<Vec<_>>());
                }
                // Fields and payloads are not ours to look into.
                let free = ["with", "fields", "input", "vars", "result", "save", "labels"];
                for (_, below) in pairs.iter().filter(|(key, _)| !free.contains(&key.value())) {
                    self.walk(below);
                }
            }
        }
    }

    fn step(&mut self, pairs: &[(Scalar, Node)]) {
        if let Some(each) = in_pairs(pairs, "for_each") {
            let each = self::pairs(each);
            if let (Some(name), Some(list)) = (word(each, "as"), word(each, "in")) {
                self.elements.insert(name.to_owned(), list.to_owned());
            }
        }
        let Some(id) = word(pairs, "id") else { return };
        let verbs = [
            "issue", "emit", "delay", "group", "parallel", "for_each", "call", "fail", "done",
            "await",
        ];
        let verb = verbs.into_iter().find(|verb| in_pairs(pairs, verb).is_some()).unwrap_or("");
        let mut step = StepFacts {
            verb: (verb.to_owned(), word(pairs, verb).unwrap_or_default().to_owned()),
            is_loop: verb == "for_each",
            ..StepFacts::default()
        };
        step.calls = (verb == "call").then(|| step.verb.1.clone());
        if let Some(wait) = in_pairs(pairs, "await") {
            step.answers = answers(wait);
        }
        self.steps.entry(id.to_owned()).or_insert(step);
    }

    fn saves(&mut self, node: &Node, event: &[Owner]) {
        for (name, value) in under(node, "save").map(pairs).unwrap_or_default() {
            let set = (source_of(value), event.to_vec());
            self.vars.entry(name.value().to_owned()).or_default().push(set);
        }
    }
}

/// What may satisfy an await.
#[must_use]
pub fn answers(wait: &Node) -> Vec<Owner> {
    let alternatives = under(wait, "any_of").map(items).unwrap_or_default();
    let all = alternatives.iter().chain([wait]);
    all.filter_map(|one| owner_of_report(pairs(one))).collect()
}

/// What a mapping with `event`, `echo` or `issue` names.
#[must_use]
pub fn owner_of_report(pairs: &[(Scalar, Node)]) -> Option<Owner> {
    ["echo", "event"]
        .into_iter()
        .find_map(|key| word(pairs, key))
        .map(|name| Owner::Event(name.to_owned()))
}

/// A value as one word, as far as it is one.
fn source_of(node: &Node) -> String {
    scalar(node).map(|scalar| scalar.value().to_owned()).unwrap_or_default()
}
