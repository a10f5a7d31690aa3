//! Value trees: `with`, `save`, `input`, `vars`, `result`, and fields as JSON Schemas. Parses no
//! expression.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::fields::{FieldDecl, Fields};
use crate::definition::read::node::{Kind, Node, Resolved, Scalar};
use crate::definition::read::object::free_map;
use crate::definition::read::scalar::check_name;
use crate::definition::value::{Named, ValueKind, ValueNode};
use crate::diag::{At, Diagnostics};
use crate::ids::ENVELOPE;

/// Named values, with the place of the whole mapping.
pub fn values(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Vec<Named>>> {
    let (span, pairs) = free_map(node, key, out)?;
    let read = |(name, node): (At<String>, Node)| {
        check_name(&name, &format!("a name in `{key}`"), out);
        Named { value: value(node, &name.value, out), name }
    };
    Some(At::new(pairs.into_iter().map(read).collect(), span))
}

/// Any value. Keys of inner mappings are free.
fn value(node: Node, key: &str, out: &mut Diagnostics) -> ValueNode {
    let span = node.span;
    let kind = match node.kind {
        Kind::Scalar(scalar) => scalar_value(scalar, key, out),
        Kind::List(items) => {
            ValueKind::List(items.into_iter().map(|item| value(item, key, out)).collect())
        }
        Kind::Map(_) => {
            let pairs = free_map(node, key, out).map(|(_, pairs)| pairs).unwrap_or_default();
            let named = |(name, node): (At<String>, Node)| Named {
                value: value(node, &name.value, out),
                name,
            };
            ValueKind::Map(pairs.into_iter().map(named).collect())
        }
    };
    ValueNode { kind, span }
}

fn scalar_value(scalar: Scalar, key: &str, out: &mut Diagnostics) -> ValueKind {
    warn_of_scalar(&scalar, key, out);
    match scalar.resolve() {
        Resolved::Null => ValueKind::Null,
        Resolved::Bool(word) => ValueKind::Bool(word),
        Resolved::Number(number) => ValueKind::Number(number),
        Resolved::Str => ValueKind::Text(scalar.text),
    }
}

fn warn_of_scalar(scalar: &Scalar, key: &str, out: &mut Diagnostics) {
    if scalar.is_old_boolean() {
        let reads = "older YAML reads this as true or false: write `true`, `false` or quotes";
        out.add_unquoted_word(scalar.value(), scalar.span(), key, reads);
    } else if scalar.is_ambiguous_number() {
        out.add_ambiguous_number(scalar.value(), scalar.span());
    }
}

/// A node as JSON, for schemas.
pub(super) fn json(node: Node, key: &str, out: &mut Diagnostics) -> Value {
    match node.kind {
        Kind::Scalar(scalar) => {
            warn_of_scalar(&scalar, key, out);
            match scalar.resolve() {
                Resolved::Null => Value::Null,
                Resolved::Bool(word) => Value::Bool(word),
                Resolved::Number(number) => Value::Number(number),
                Resolved::Str => Value::String(scalar.text.value),
            }
        }
        Kind::List(items) => items.into_iter().map(|item| json(item, key, out)).collect(),
        Kind::Map(_) => {
            let pairs = free_map(node, key, out).map(|(_, pairs)| pairs).unwrap_or_default();
            let mut map = Map::new();
            for (name, node) in pairs {
                let value = json(node, &name.value, out);
                map.insert(name.value, value);
            }
            Value::Object(map)
        }
    }
}

/// Named fields that stand beside the envelope's on the wire. A field that is not valid is left
/// out.
pub fn fields(node: Node, key: &str, out: &mut Diagnostics) -> Option<Fields> {
    let taken = |name: &str| match name {
        name if ENVELOPE.contains(&name) => Some("the wire's own envelope uses that name"),
        name if name.starts_with('_') => Some("names that begin with `_` are ignored on the wire"),
        _ => None,
    };
    fields_but(taken, node, key, out)
}

/// Named fields that travel inside an object of their own.
pub fn inner_fields(node: Node, key: &str, out: &mut Diagnostics) -> Option<Fields> {
    fields_but(|_| None, node, key, out)
}

fn fields_but(
    taken: impl Fn(&str) -> Option<&'static str>,
    node: Node,
    key: &str,
    out: &mut Diagnostics,
) -> Option<Fields> {
    let (_, pairs) = free_map(node, key, out)?;
    let mut list = Vec::new();
    for (name, node) in pairs {
        if let Some(why) = taken(&name.value) {
            out.add_reserved_name(&name.value, name.span, "a field", why);
            continue;
        }
        check_name(&name, "field", out);
        let at = node.span;
        let schema = json(node, &name.value, out);
        match FieldDecl::new(Arc::from(name.value.as_str()), name.span, schema) {
            Ok(field) => list.push(field),
            Err(why) => out.add_bad_field_schema(&name.value, at, &why),
        }
    }
    Some(Fields { list })
}
