//! What a field is, in a line: its type, whether it must come, what it is for.

use serde_json::{Map, Value};

use super::tree::{items, pairs, under};
use crate::definition::Fields;
use crate::definition::read::node::{Kind, Node, Resolved};

/// A field, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Its name.
    pub name: String,
    /// Its type in words.
    pub ty: String,
    /// What it is for.
    pub doc: String,
    /// Whether it must come.
    pub required: bool,
    /// What it is when it does not come.
    pub default: Option<String>,
    /// Whether it is hidden from people.
    pub sensitive: bool,
    /// The words that it may be, when these are all.
    pub words: Vec<String>,
}

impl FieldInfo {
    /// In a line of Markdown.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!("`{}`: {}", self.name, self.ty);
        match &self.default {
            Some(default) => line.push_str(&format!(", default `{default}`")),
            None if !self.required => line.push_str(", may be absent"),
            None => {}
        }
        if self.sensitive {
            line.push_str(", hidden");
        }
        if !self.doc.is_empty() {
            line.push_str(&format!(" — {}", self.doc));
        }
        line
    }
}

/// The fields of a declaration.
#[must_use]
pub fn of(fields: &Fields) -> Vec<FieldInfo> {
    let info = |field: &crate::definition::FieldDecl| FieldInfo {
        required: field.required,
        default: field.default.as_ref().map(Value::to_string),
        sensitive: field.sensitive,
        ..of_schema(&field.name, &field.schema)
    };
    fields.list.iter().map(info).collect()
}

/// The fields that callers of a saga give.
#[must_use]
pub fn of_call(root: &Node) -> Vec<FieldInfo> {
    let Some(trigger) = under(root, "trigger") else { return Vec::new() };
    let alternatives = under(trigger, "any_of").map(items).unwrap_or_default();
    let mut all = alternatives.iter().chain([trigger]);
    let call = all.find_map(|one| under(one, "call"));
    call.and_then(|call| under(call, "fields")).map(of_node).unwrap_or_default()
}

/// The fields of a signal.
#[must_use]
pub fn of_signal(root: &Node, name: &str) -> Vec<FieldInfo> {
    let signal = under(root, "signals").and_then(|signals| under(signals, name));
    signal.and_then(|signal| under(signal, "fields")).map(of_node).unwrap_or_default()
}

fn of_node(fields: &Node) -> Vec<FieldInfo> {
    let info = |schema: &Value, name: &str| {
        let flag = |key: &str| schema.get(key).and_then(Value::as_bool);
        let default = schema.get("default");
        FieldInfo {
            required: flag("required").unwrap_or(true) && default.is_none(),
            default: default.map(Value::to_string),
            sensitive: flag("sensitive").unwrap_or(false),
            ..of_schema(name, schema)
        }
    };
    pairs(fields).iter().map(|(name, node)| info(&json(node), name.value())).collect()
}

fn of_schema(name: &str, schema: &Value) -> FieldInfo {
    let words = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    FieldInfo {
        name: name.to_owned(),
        ty: type_of(schema),
        doc: schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        required: true,
        default: None,
        sensitive: false,
        words: words.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// A schema's type in words.
fn type_of(schema: &Value) -> String {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(word)) if word == "array" => match schema.get("items") {
            Some(items) => format!("list of {}", type_of(items)),
            None => "list".to_owned(),
        },
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.join(" or ")
        }
        Some(_) | None => "anything".to_owned(),
    }
}

/// A tree as JSON.
fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => Value::Null,
            Resolved::Bool(word) => Value::Bool(word),
            Resolved::Number(number) => Value::Number(number),
            Resolved::Str => Value::String(scalar.value().to_owned()),
        },
        Kind::List(items) => items.iter().map(json).collect(),
        Kind::Map(pairs) => {
            let pair = |(key, node): &(crate::definition::read::node::Scalar, Node)| {
                (key.value().to_owned(), json(node))
            };
            Value::Object(pairs.iter().map(pair).collect::<Map<_, _>>())
        }
    }
}
