//! A `*.catalog.yaml` read into declarations, and catalogs merged into one. Knows no saga.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::definition::catalog::{
    Catalog, CatalogUndo, CommandDecl, EventDecl, Overflow, TargetDecl,
};
use crate::definition::keys::{CATALOG, COMMAND, EVENT, OVERFLOWS, TARGET};
use crate::definition::read::node::Node;
use crate::definition::read::object::{Object, free_map};
use crate::definition::read::scalar::{
    check_name, duration, flag, integer, literal, name, names, text, word,
};
use crate::definition::read::values::fields;
use crate::diag::{At, Code, Diagnostics, Span};
use crate::limits;

/// Whose declarations a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An author's: names of the engine are refused.
    Author,
    /// The engine's own, or kept with a saga: every name is allowed.
    Engine,
}

/// Events that bracket a saga's life \[R1, R6\].
pub const BRACKETS: &[&str] =
    &["saga_started", "saga_completed", "saga_failed", "saga_resolved", "saga_step"];

/// Private answers of the wire, and words of `saga.trigger`: no event may be called so.
const RESERVED_EVENTS: &[&str] = &[
    "accepted",
    "call",
    "error",
    "event_list",
    "lagged",
    "pong",
    "registered",
    "saga",
    "saga_accepted",
    "saga_list",
    "saga_result",
    "schedule",
    "snapshot",
];

/// Targets that the engine brings.
const RESERVED_TARGETS: &[&str] = &["launcher", "pods", "subprocess"];

/// A catalog file: its declarations with references still to be looked up.
#[derive(Clone, Debug, Default)]
pub struct Read {
    targets: Vec<Arc<TargetDecl>>,
    events: Vec<Arc<EventDecl>>,
    commands: Vec<(Arc<CommandDecl>, References)>,
}

/// Names in a command that other declarations must carry.
#[derive(Clone, Debug)]
struct References {
    target: At<String>,
    events: Vec<At<String>>,
    undo: Option<At<String>>,
}

/// Reads a whole document; what is broken is left out and found.
pub fn catalog(node: Node, origin: Origin, out: &mut Diagnostics) -> Read {
    let mut read = Read::default();
    let Some(mut object) = Object::read(node, "a catalog", &CATALOG, out) else { return read };
    if let Some(node) = object.take("targets") {
        read.targets = declarations(node, "targets", out, |name, node, out| {
            refuse_reserved(&name, "a target", RESERVED_TARGETS, origin, out);
            target(name, node, out).map(Arc::new)
        });
    }
    if let Some(node) = object.take("events") {
        read.events = declarations(node, "events", out, |name, node, out| {
            refuse_reserved(&name, "an event", RESERVED_EVENTS, origin, out);
            event(name, node, out).map(Arc::new)
        });
    }
    if let Some(node) = object.take("commands") {
        read.commands = declarations(node, "commands", out, command);
    }
    object.finish();
    read
}

impl Read {
    /// A file of the engine's own: its target answers for its events, and nobody else does.
    pub(super) fn owned(mut self) -> Read {
        let owner = self.targets.first().map(|target| target.name.clone());
        for event in &mut self.events {
            Arc::make_mut(event).owner.clone_from(&owner);
        }
        self
    }
}

fn declarations<T>(
    node: Node,
    key: &str,
    out: &mut Diagnostics,
    mut read: impl FnMut(At<String>, Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let Some((_, pairs)) = free_map(node, key, out) else { return Vec::new() };
    let mut list = Vec::new();
    for (name, node) in pairs {
        check_name(&name, &format!("a name in `{key}`"), out);
        list.extend(read(name, node, out));
    }
    list
}

fn refuse_reserved(
    name: &At<String>,
    what: &str,
    reserved: &[&str],
    origin: Origin,
    out: &mut Diagnostics,
) {
    if origin == Origin::Author && reserved.contains(&name.value.as_str()) {
        let why = "the engine uses that name itself";
        out.add_reserved_name(&name.value, name.span, what, why);
    }
}

fn target(name: At<String>, node: Node, out: &mut Diagnostics) -> Option<TargetDecl> {
    let mut object = Object::read(node, &name.value, &TARGET, out)?;
    let o = &mut object;
    let doc = o.read_key("doc", out, text);
    let buffer = o.read_key("buffer", out, |node, key, out| integer(node, key, 0, out));
    let disconnect_timeout = o.read_key("disconnect_timeout", out, duration);
    let overflows = [(OVERFLOWS[0], Overflow::FailOldest), (OVERFLOWS[1], Overflow::FailNewest)];
    let overflow = o.read_key("overflow", out, |node, key, out| word(node, key, &overflows, out));
    object.finish();
    let buffer = buffer.map(|buffer| usize::try_from(buffer.value).unwrap_or(usize::MAX));
    Some(TargetDecl {
        name: Arc::from(name.value),
        span: name.span,
        doc: doc.map(|doc| doc.value).unwrap_or_default(),
        buffer: buffer.unwrap_or(limits::PIPE_BUFFER),
        disconnect_timeout: disconnect_timeout
            .map_or(limits::DISCONNECT_TIMEOUT, |timeout| timeout.value),
        overflow: overflow.map_or(Overflow::FailOldest, |overflow| overflow.value),
    })
}

fn event(name: At<String>, node: Node, out: &mut Diagnostics) -> Option<EventDecl> {
    let mut object = Object::read(node, &name.value, &EVENT, out)?;
    let doc = object.read_key("doc", out, text);
    let fields = object.read_key("fields", out, fields);
    object.finish();
    Some(EventDecl {
        bracket: BRACKETS.contains(&name.value.as_str()),
        owner: None,
        name: Arc::from(name.value),
        span: name.span,
        doc: doc.map(|doc| doc.value).unwrap_or_default(),
        fields: fields.unwrap_or_default(),
    })
}

fn command(
    own: At<String>,
    node: Node,
    out: &mut Diagnostics,
) -> Option<(Arc<CommandDecl>, References)> {
    let mut object = Object::read(node, &own.value, &COMMAND, out)?;
    let o = &mut object;
    let target = o.read_key("target", out, name);
    let doc = o.read_key("doc", out, text);
    let fields = o.read_key("fields", out, fields);
    let echoes = o.read_key("echoes", out, names);
    let failures = o.read_key("failures", out, names).unwrap_or_default();
    let idempotent = o.read_key("idempotent", out, flag);
    let undo = o.read_key("undo", out, literal);
    object.finish();
    let (target, echoes) = (target?, echoes?);
    // Silence about undoing was found; what sagas ask of the command is looked at all the same.
    let undo = undo.unwrap_or_else(|| At::new("none".to_owned(), own.span));
    let shared = |list: &[At<String>]| list.iter().map(|at| Arc::from(&*at.value)).collect();
    let (undo, undo_name) = match undo.value.as_str() {
        "none" => (CatalogUndo::None, None),
        "irreversible" => (CatalogUndo::Irreversible, None),
        other => (CatalogUndo::Command(Arc::from(other)), Some(undo)),
    };
    let decl = CommandDecl {
        name: Arc::from(own.value),
        span: own.span,
        doc: doc.map(|doc| doc.value).unwrap_or_default(),
        target: Arc::from(&*target.value),
        fields: fields.unwrap_or_default(),
        echoes: shared(&echoes),
        failures: shared(&failures),
        idempotent: idempotent?.value,
        undo,
    };
    let events = echoes.into_iter().chain(failures).collect();
    Some((Arc::new(decl), References { target, events, undo: undo_name }))
}

/// Merges what was read, each with its origin; a name is declared once. Then looks up what commands
/// refer to.
pub fn merge(files: Vec<(Origin, Read)>, out: &mut Diagnostics) -> Catalog {
    let mut catalog = Catalog::default();
    let mut references = Vec::new();
    let mut own: BTreeMap<(&'static str, Arc<str>), Span> = BTreeMap::new();
    let mut once = |kind: &'static str, name: &Arc<str>, span: Span, known: bool, origin| {
        let first = own.get(&(kind, Arc::clone(name))).copied();
        if known {
            out.add_duplicate_name(Code::DuplicateDeclaration, kind, name, first, span);
        } else if origin == Origin::Author {
            own.insert((kind, Arc::clone(name)), span);
        }
        !known
    };
    for (origin, read) in files {
        for decl in read.targets {
            let known = catalog.targets.contains_key(&decl.name);
            if once("target", &decl.name, decl.span, known, origin) {
                catalog.targets.insert(Arc::clone(&decl.name), decl);
            }
        }
        for decl in read.events {
            let known = catalog.events.contains_key(&decl.name);
            if once("event", &decl.name, decl.span, known, origin) {
                catalog.events.insert(Arc::clone(&decl.name), decl);
            }
        }
        for (decl, refers) in read.commands {
            let known = catalog.commands.contains_key(&decl.name);
            if once("command", &decl.name, decl.span, known, origin) {
                catalog.commands.insert(Arc::clone(&decl.name), decl);
                references.push(refers);
            }
        }
    }
    for refers in references {
        look_up(&catalog, &refers, out);
    }
    catalog
}

fn look_up(catalog: &Catalog, refers: &References, out: &mut Diagnostics) {
    if !catalog.targets.contains_key(&*refers.target.value) {
        let mut known = catalog.targets.keys().map(|name| &**name);
        out.add_unknown_name(Code::UnknownTarget, "target", &refers.target, &mut known);
    }
    for event in &refers.events {
        match catalog.events.get(&*event.value) {
            Some(decl) if decl.bracket => out.add_bracket_answer(&event.value, event.span),
            Some(_) => {}
            None => {
                let mut known = catalog.events.keys().map(|name| &**name);
                out.add_unknown_name(Code::UnknownEvent, "event", event, &mut known);
            }
        }
    }
    if let Some(undo) = &refers.undo
        && !catalog.commands.contains_key(&*undo.value)
    {
        let words = ["none", "irreversible"].into_iter();
        let mut known = catalog.commands.keys().map(|name| &**name).chain(words);
        out.add_unknown_name(Code::UnknownCommand, "command", undo, &mut known);
    }
}
