//! A file in outline, and what can be done with it as a whole.

use std::ops::Range;

use super::tree::{in_pairs, items, pairs, scalar, under, word};
use super::{File, Workspace};
use crate::definition::read::FileKind;
use crate::definition::read::node::{Kind, Node, Scalar};

/// What an entry of an outline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutlinedKind {
    /// A saga.
    Saga,
    /// A step.
    Step,
    /// A branch, or a part of a saga such as `finally`.
    Part,
    /// An event.
    Event,
    /// A command.
    Command,
    /// A target.
    Target,
    /// A case.
    Case,
}

/// An entry of an outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlined {
    /// Its name.
    pub name: String,
    /// A few words more.
    pub detail: String,
    /// What it is.
    pub kind: OutlinedKind,
    /// All of it.
    pub range: Range<usize>,
    /// Its name.
    pub name_range: Range<usize>,
    /// What it holds.
    pub children: Vec<Outlined>,
}

/// Something that can be done, beside a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lens {
    /// The line.
    pub range: Range<usize>,
    /// What it does.
    pub title: &'static str,
    /// The command of ours.
    pub command: &'static str,
    /// The file that it is done with.
    pub file: String,
}

impl Workspace {
    /// A file in outline.
    #[must_use]
    pub fn outline(&self, name: &str) -> Vec<Outlined> {
        let Some(File { kind, root: Some(root), .. }) = self.files.get(name) else {
            return Vec::new();
        };
        match kind {
            FileKind::Catalog => catalog(root),
            FileKind::Saga => saga(root).into_iter().collect(),
            FileKind::Test => cases(root),
        }
    }

    /// What can be done with a file.
    #[must_use]
    pub fn lenses(&self, name: &str) -> Vec<Lens> {
        let Some(file) = self.files.get(name) else { return Vec::new() };
        let named = file.root.as_ref().and_then(|root| {
            let key = pairs(root).iter().find(|(key, _)| key.value() == "saga");
            key.map(|(key, _)| key.span().range())
        });
        let Some(range) = named else { return Vec::new() };
        let lens = |title, command, file: &str| Lens {
            range: range.clone(),
            title,
            command,
            file: file.to_owned(),
        };
        match file.kind {
            FileKind::Catalog => Vec::new(),
            FileKind::Test => vec![lens("run tests", "sagaflow.test", name)],
            FileKind::Saga => {
                let tests = self.files.iter().filter(|(_, other)| {
                    other.kind == FileKind::Test && other.facts.saga == file.facts.saga
                });
                let tests = tests.map(|(test, _)| lens("run tests", "sagaflow.test", test));
                tests.chain([lens("check", "sagaflow.check", name)]).collect()
            }
        }
    }
}

fn entry(name: &Scalar, node: &Node, kind: OutlinedKind, detail: &str) -> Outlined {
    let name_range = name.span().range();
    let range =
        name_range.start.min(node.span.range().start)..name_range.end.max(node.span.range().end);
    Outlined {
        name: name.value().to_owned(),
        detail: detail.to_owned(),
        kind,
        range,
        name_range,
        children: Vec::new(),
    }
}

fn catalog(root: &Node) -> Vec<Outlined> {
    let kinds = [
        ("targets", OutlinedKind::Target),
        ("events", OutlinedKind::Event),
        ("commands", OutlinedKind::Command),
    ];
    let mut all = Vec::new();
    for (key, kind) in kinds {
        for (name, node) in under(root, key).map(pairs).unwrap_or_default() {
            let detail = word(pairs(node), "doc").unwrap_or_default();
            all.push(entry(name, node, kind, detail));
        }
    }
    all
}

fn saga(root: &Node) -> Option<Outlined> {
    let top = pairs(root);
    let name = in_pairs(top, "saga").and_then(scalar)?;
    let mut saga = entry(name, root, OutlinedKind::Saga, word(top, "doc").unwrap_or_default());
    saga.children = under(root, "steps").map(steps).unwrap_or_default();
    let finally = top.iter().find(|(key, _)| key.value() == "finally");
    if let Some((key, node)) = finally {
        let mut part = entry(key, node, OutlinedKind::Part, "");
        part.children = steps(node);
        saga.children.push(part);
    }
    Some(saga)
}

fn steps(list: &Node) -> Vec<Outlined> {
    items(list).iter().filter_map(step).collect()
}

fn step(node: &Node) -> Option<Outlined> {
    let own = pairs(node);
    let verbs = [
        "issue", "emit", "delay", "call", "group", "parallel", "for_each", "fail", "done", "await",
    ];
    let verb = verbs.into_iter().find(|verb| in_pairs(own, verb).is_some()).unwrap_or("");
    let detail = format!("{verb} {}", word(own, verb).unwrap_or_default());
    let name = in_pairs(own, "id").and_then(scalar)?;
    let mut step = entry(name, node, OutlinedKind::Step, detail.trim());
    for key in ["group", "steps", "on_timeout"] {
        step.children.extend(in_pairs(own, key).map(steps).unwrap_or_default());
    }
    for (name, list) in in_pairs(own, "parallel").map(pairs).unwrap_or_default() {
        let mut branch = entry(name, list, OutlinedKind::Part, "branch");
        branch.children = steps(list);
        step.children.push(branch);
    }
    Some(step)
}

fn cases(root: &Node) -> Vec<Outlined> {
    let cases = under(root, "cases").map(items).unwrap_or_default();
    let case = |node: &Node| match &node.kind {
        Kind::Map(own) => {
            let name = in_pairs(own, "name").and_then(scalar)?;
            Some(entry(name, node, OutlinedKind::Case, ""))
        }
        Kind::Scalar(_) | Kind::List(_) => None,
    };
    cases.iter().filter_map(case).collect()
}
