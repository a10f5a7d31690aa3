//! When two values are the same: as CEL's `==` says, where 1 and 1.0 are, and as index keys say,
//! which must agree with it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

use super::number::{self, Num};

/// Whether two values are equal: numbers by value, lists in order, objects in any order.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => {
            number::compare(Num::of(a), Num::of(b)) == Some(Ordering::Equal)
        }
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let in_b = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(in_b)
        }
        (
            Value::String(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => false,
    }
}

/// The text of a value as an index key: two values have one text exactly when they are `same`.
/// Strings, which nearly all keys are, cost one copy.
#[must_use]
pub fn key_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed("null"),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let mut text = String::new();
            write_key(value, &mut text);
            Cow::Owned(text)
        }
    }
}

fn write_key(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(word) => out.push_str(if *word { "true" } else { "false" }),
        Value::Number(number) => match Num::of(number) {
            // A whole double is written like the integer that it equals.
            Num::Double(double) if double.fract() == 0.0 && double.abs() < 1e30 => {
                let _ = write!(out, "{}", double as i128);
            }
            num @ (Num::Int(_) | Num::Double(_)) => out.push_str(&number::words(num)),
        },
        Value::String(text) => write_text(text, out),
        Value::Array(list) => {
            out.push('[');
            for element in list {
                write_key(element, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, element) in entries {
                write_text(name, out);
                out.push(':');
                write_key(element, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

/// Quoted; only what could be taken for the closing quote is escaped.
fn write_text(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\']) {
        out.push_str(&rest[..at]);
        out.push('\\');
        out.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
