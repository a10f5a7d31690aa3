//! The script of a host: what it answers to which command. Read and checked here, followed in
//! `actor`.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::definition::Catalog;
use crate::definition::keys::{Mapping, Shape, optional};
use crate::definition::read::node::{Kind, Node};
use crate::definition::read::object::{Object, free_map, list};
use crate::definition::read::{document, scalar, values};
use crate::definition::value::{Named, Text, ValueKind, ValueNode};
use crate::diag::{At, Code, Diagnostic, Diagnostics, SourceMap, nearest};
use crate::expr::{self, Template};
use crate::time::Millis;

/// What a host does.
#[derive(Clone, Debug)]
pub struct Script {
    /// The target that it serves.
    pub target: String,
    /// The name under which it registers.
    pub name: String,
    /// What becomes of commands that are not in the script.
    pub otherwise: Otherwise,
    /// Behaviours by command, in order; the last one stays.
    pub commands: BTreeMap<String, VecDeque<Behaviour>>,
}

/// What becomes of a command that is not in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It is answered with the first of its echoes.
    Echo,
    /// It fails.
    Fail,
    /// It is not answered.
    Silent,
}

/// What is done with one command.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// How long it takes.
    pub after: Millis,
    /// What comes then.
    pub act: Act,
}

/// What comes of a command.
#[derive(Clone, Debug)]
pub enum Act {
    /// A report that answers it; fields that are not given are taken from the command.
    Reply {
        /// Name of the event.
        event: String,
        /// Its fields.
        with: Vec<(String, Template)>,
    },
    /// A failure with its reason.
    Fail(Template),
    /// Nothing.
    Silent,
    /// The host hangs up without an answer, and comes back.
    Disconnect,
}

static SCRIPT: Mapping = Mapping {
    name: "host_script",
    what: "a host's script",
    doc: "What a scripted host answers to which command.",
    one_of: &[],
    excludes: &[],
    needs: &[],
    keys: &[
        optional("target", Shape::Ref(crate::definition::keys::Kind::Target), "Whom it plays."),
        optional("name", Shape::Text, "The name under which it registers."),
        optional("otherwise", Shape::Words(&["echo", "fail", "silent"]), "Commands not named."),
        optional("commands", Shape::Any, "A behaviour for each command, or a list of them."),
    ],
};

static BEHAVIOUR: Mapping = Mapping {
    name: "host_behaviour",
    what: "a behaviour",
    doc: "What is done with a command.",
    one_of: &[&["reply", "fail", "silent", "disconnect"]],
    excludes: &[],
    needs: &[("with", &["reply"])],
    keys: &[
        optional("reply", Shape::Ref(crate::definition::keys::Kind::Event), "Answer with this."),
        optional("with", Shape::Values, "Fields of the answer; read `command`."),
        optional("fail", Shape::Template, "Fail with this reason."),
        optional("silent", Shape::True, "Do not answer."),
        optional("disconnect", Shape::True, "Hang up without an answer, and come back."),
        optional("after", Shape::Duration, "Do it so much later."),
    ],
};

const OTHERWISE: &[(&str, Otherwise)] =
    &[("echo", Otherwise::Echo), ("fail", Otherwise::Fail), ("silent", Otherwise::Silent)];

impl Script {
    /// Reads a script; `None` when it could not be understood, the findings say why.
    pub fn read(
        path: &str,
        bytes: &[u8],
        catalog: &Catalog,
        sources: &mut SourceMap,
        out: &mut Diagnostics,
    ) -> Option<Script> {
        let (_, tree) = document(path.to_owned(), bytes, sources, out);
        let mut object = Object::read(tree?, "the script", &SCRIPT, out)?;
        let target = object.read_key("target", out, scalar::name);
        if let Some(target) = &target {
            known(target, "target", catalog.targets.keys(), Code::UnknownTarget, out);
        }
        let target = target.map_or_else(|| "host".to_owned(), |target| target.value);
        let name = object.read_key("name", out, scalar::literal).map(|name| name.value);
        let word =
            |node: Node, key: &str, out: &mut Diagnostics| scalar::word(node, key, OTHERWISE, out);
        let otherwise = object.read_key("otherwise", out, word);
        let mut commands = BTreeMap::new();
        if let Some(node) = object.take("commands") {
            for (name, node) in free_map(node, "commands", out)?.1 {
                known(&name, "command", catalog.commands.keys(), Code::UnknownCommand, out);
                let list = behaviours(node, &name.value, catalog, out).unwrap_or_default();
                commands.insert(name.value, list);
            }
        }
        object.finish();
        Some(Script {
            name: name.unwrap_or_else(|| target.clone()),
            target,
            otherwise: otherwise.map_or(Otherwise::Echo, |word| word.value),
            commands,
        })
    }
}

/// Says when a name is not declared. Without a declaration nothing is known, so nothing is said.
fn known<'a>(
    name: &At<String>,
    what: &str,
    declared: impl Iterator<Item = &'a Arc<str>>,
    code: Code,
    out: &mut Diagnostics,
) {
    let declared: Vec<&str> = declared.map(|name| &**name).collect();
    if declared.contains(&name.value.as_str()) {
        return;
    }
    let message = format!("{what} `{}` is not declared in any catalog", name.value);
    let mut found = Diagnostic::new(code, name.span, message);
    if let Some(near) = nearest(&name.value, declared) {
        found = found.help(format!("did you mean `{near}`?"));
    }
    out.push(
        found.help("`sagaflow catalog` lists what is known; --sagas DIR says where catalogs are"),
    );
}

fn behaviours(
    node: Node,
    key: &str,
    catalog: &Catalog,
    out: &mut Diagnostics,
) -> Option<VecDeque<Behaviour>> {
    let nodes = match node.kind {
        Kind::List(_) => list(node, key, out)?,
        Kind::Map(_) | Kind::Scalar(_) => vec![node],
    };
    nodes.into_iter().map(|node| behaviour(node, key, catalog, out)).collect()
}

fn behaviour(node: Node, key: &str, catalog: &Catalog, out: &mut Diagnostics) -> Option<Behaviour> {
    let mut object = Object::read(node, key, &BEHAVIOUR, out)?;
    let after = object.read_key("after", out, scalar::duration);
    let with = object.read_key("with", out, values::values);
    let reply = object.read_key("reply", out, scalar::name);
    let fail = object.read_key("fail", out, scalar::string);
    let silent = object.read_key("silent", out, scalar::flag);
    let disconnect = object.read_key("disconnect", out, scalar::flag);
    object.finish();
    let act = if let Some(event) = reply {
        known(&event, "event", catalog.events.keys(), Code::UnknownEvent, out);
        let with = with.map_or(Vec::new(), |with| with.value);
        let with = with.iter().map(|named| field(named, out)).collect::<Option<_>>()?;
        Act::Reply { event: event.value, with }
    } else if let Some(reason) = fail {
        Act::Fail(template(&reason, out)?)
    } else if silent.is_some_and(|flag| flag.value) {
        Act::Silent
    } else if disconnect.is_some_and(|flag| flag.value) {
        Act::Disconnect
    } else {
        return None;
    };
    Some(Behaviour { after: after.map_or(Millis(0), |after| after.value), act })
}

fn field(named: &Named, out: &mut Diagnostics) -> Option<(String, Template)> {
    Some((named.name.value.clone(), tree(&named.value, out)?))
}

fn tree(node: &ValueNode, out: &mut Diagnostics) -> Option<Template> {
    Some(match &node.kind {
        ValueKind::Null => Template::Literal(Value::Null),
        ValueKind::Bool(word) => Template::Literal(Value::Bool(*word)),
        ValueKind::Number(number) => Template::Literal(Value::Number(number.clone())),
        ValueKind::Text(text) => template(text, out)?,
        ValueKind::List(items) => {
            Template::List(items.iter().map(|item| tree(item, out)).collect::<Option<_>>()?)
        }
        ValueKind::Map(entries) => {
            Template::Map(entries.iter().map(|named| field(named, out)).collect::<Option<_>>()?)
        }
    })
}

fn template(text: &Text, out: &mut Diagnostics) -> Option<Template> {
    match expr::parse_template(&text.value) {
        Ok(template) => Some(template),
        Err(wrong) => {
            let found = Diagnostic::new(Code::ExprSyntax, text.at(wrong.at), wrong.message);
            out.push(match wrong.help {
                Some(help) => found.help(help),
                None => found,
            });
            None
        }
    }
}
