//! What a JSON Schema lets an expression assume of a value. Validates nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::types::{Field, ObjectType, Presence, Type};

/// The type of the values that fit a schema; [`Type::Dyn`] where nothing is sure.
#[must_use]
pub fn json_schema_type(schema: &Value) -> Type {
    let Value::Object(schema) = schema else { return Type::Dyn };
    if let Some(only) = schema.get("const") {
        return of_choices(std::slice::from_ref(only));
    }
    if let Some(Value::Array(choices)) = schema.get("enum") {
        return of_choices(choices);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Type::String,
        Some("integer") => Type::Int,
        Some("number") => Type::Double,
        Some("boolean") => Type::Bool,
        Some("null") => Type::Null,
        Some("array") => Type::list(schema.get("items").map_or(Type::Dyn, json_schema_type)),
        Some("object") => Type::Object(of_object(schema)),
        // A union, or any type.
        Some(_) | None => Type::Dyn,
    }
}

fn of_object(schema: &Map<String, Value>) -> ObjectType {
    let required: BTreeSet<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut fields = BTreeMap::new();
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, property) in properties {
            let always = required.contains(name.as_str());
            let presence = if always { Presence::Always } else { Presence::Optional };
            fields.insert(name.clone(), Field { ty: json_schema_type(property), presence });
        }
    }
    // JSON Schema lets any other field through unless told not to. An author who lists the fields
    // means these: reading another one is a slip of the hand, unless more are asked for.
    let open = match schema.get("additionalProperties") {
        None => fields.is_empty(),
        Some(more) => *more != Value::Bool(false),
    };
    ObjectType { fields, open }
}

/// A set of words when all choices are strings, else what their types have in common.
fn of_choices(choices: &[Value]) -> Type {
    choices.iter().map(of_value).reduce(Type::join).unwrap_or(Type::Dyn)
}

/// The type of a value that is known.
pub(super) fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(number) if number.is_f64() => Type::Double,
        Value::Number(_) => Type::Int,
        Value::String(text) => Type::word(text),
        Value::Array(list) => {
            Type::list(list.iter().map(of_value).reduce(Type::join).unwrap_or(Type::Dyn))
        }
        Value::Object(map) => Type::object(map.iter().map(|(name, one)| (name, of_value(one)))),
    }
}
