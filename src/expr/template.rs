//! Values with `${{ }}` holes: reading them and filling them. Reads no YAML and types nothing: a
//! tree of scalars is built by the caller, who checks each hole at its place.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::ast::Ast;
use super::eval::{EvalError, EvalErrorKind, Scope, eval, words};
use super::lex;
use super::number::{self, Num};
use super::parse::{SyntaxError, parse_at};
use crate::limits::PAYLOAD_BYTES_MAX;

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A value that expressions fill.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// No holes.
    Literal(Value),
    /// Exactly one hole: the value keeps its type.
    Whole(Ast),
    /// Text with holes: a string.
    Mixed(Vec<Part>),
    /// A list.
    List(Vec<Template>),
    /// A mapping, in the author's order.
    Map(Vec<(String, Template)>),
}

/// A part of a text with holes.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// As written, `$${{` turned to `${{`.
    Text(String),
    /// A string, an integer or a boolean goes here.
    Hole(Ast),
}

/// Reads one string scalar. Places are bytes of the whole scalar.
///
/// # Errors
///
/// A hole that is not closed, or holds no expression.
pub fn parse_template(text: &str) -> Result<Template, SyntaxError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(OPEN) {
        let open = at + found;
        if text[at..open].ends_with('$') {
            plain.push_str(&text[at..open]);
            plain.push_str(&OPEN[1..]);
            at = open + OPEN.len();
            continue;
        }
        plain.push_str(&text[at..open]);
        let inner = open + OPEN.len();
        let length = lex::closing(&text[inner..]).ok_or_else(|| {
            SyntaxError::new(open..inner, "a `${{` that `}}` does not close")
                .help("for a literal `${{` write `$${{`")
        })?;
        let hole = parse_at(&text[inner..inner + length], inner)?;
        at = inner + length + CLOSE.len();
        if open == 0 && at == text.len() {
            return Ok(Template::Whole(hole));
        }
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Hole(hole));
    }
    plain.push_str(&text[at..]);
    if parts.is_empty() {
        return Ok(Template::Literal(Value::String(plain)));
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(Template::Mixed(parts))
}

/// The bytes that are left for values that go out together. What one short expression makes of a
/// long input, hundreds of others can make as well.
#[derive(Debug)]
struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Room(PAYLOAD_BYTES_MAX)
    }
}

impl Room {
    fn take(&mut self, bytes: usize, at: Range<usize>) -> Result<(), EvalError> {
        let left = self.0.checked_sub(bytes).ok_or_else(|| {
            let message =
                format!("all values together are longer than {PAYLOAD_BYTES_MAX} bytes of JSON");
            EvalError { at, kind: EvalErrorKind::Limit, message }
        })?;
        self.0 = left;
        Ok(())
    }
}

/// Values by their names, as one payload has them: bounded together by [`PAYLOAD_BYTES_MAX`].
///
/// # Errors
/// As [`Template::eval`], with the name of the value.
pub fn eval_fields<'a>(
    fields: &'a [(Arc<str>, Template)],
    scope: &dyn Scope,
) -> Result<Map<String, Value>, (&'a str, EvalError)> {
    let (mut room, mut values) = (Room::default(), Map::with_capacity(fields.len()));
    for (name, template) in fields {
        let value = template.eval_in(scope, &mut room).map_err(|error| (&**name, error))?;
        values.insert(name.to_string(), value);
    }
    Ok(values)
}

impl Template {
    /// The value with all holes filled, no longer than [`PAYLOAD_BYTES_MAX`].
    ///
    /// # Errors
    ///
    /// As [`eval`], when text gets a value that is no string, integer or boolean, and when it is
    /// too long.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        self.eval_in(scope, &mut Room::default())
    }

    fn eval_in(&self, scope: &dyn Scope, room: &mut Room) -> Result<Value, EvalError> {
        match self {
            Template::Literal(value) => {
                room.take(length(value), 0..0)?;
                Ok(value.clone())
            }
            Template::Whole(ast) => {
                let value = eval(ast, scope)?;
                room.take(length(&value), ast.at())?;
                Ok(value.into_owned())
            }
            Template::Mixed(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(plain) => text.push_str(plain),
                        Part::Hole(ast) => {
                            let from = text.len();
                            fill(ast, &*eval(ast, scope)?, &mut text)?;
                            room.take(quoted(&text[from..]), ast.at())?;
                        }
                    }
                }
                Ok(Value::String(text))
            }
            Template::List(list) => list.iter().map(|one| one.eval_in(scope, room)).collect(),
            Template::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (name, one) in entries {
                    map.insert(name.clone(), one.eval_in(scope, room)?);
                }
                Ok(Value::Object(map))
            }
        }
    }
}

/// Bytes of a value as JSON; a little more where it is numbers.
pub(super) fn length(value: &Value) -> usize {
    /// The longest number, with its sign, its point and its exponent.
    const NUMBER: usize = 24;
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) if number.is_f64() => NUMBER,
        Value::Number(number) => number.as_u64().map_or(NUMBER, digits),
        Value::String(text) => quoted(text),
        Value::Array(list) => 2 + list.iter().map(|one| 1 + length(one)).sum::<usize>(),
        Value::Object(map) => {
            let field = |(name, value): (&String, &Value)| quoted(name) + 2 + length(value);
            2 + map.iter().map(field).sum::<usize>()
        }
    }
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |tens| tens as usize + 1)
}

/// Bytes of a text between quotes, with what JSON escapes.
fn quoted(text: &str) -> usize {
    let extra = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0x00..0x20 => 5,
        _ => 0,
    });
    2 + text.len() + extra.sum::<usize>()
}

fn fill(ast: &Ast, value: &Value, text: &mut String) -> Result<(), EvalError> {
    match value {
        Value::String(part) => text.push_str(part),
        Value::Bool(word) => text.push_str(if *word { "true" } else { "false" }),
        Value::Number(number) => match Num::of(number) {
            Num::Double(double) if double.fract() != 0.0 => return Err(unfit(ast, value)),
            // JSON may write an integer with a point.
            num @ (Num::Int(_) | Num::Double(_)) => text.push_str(&number::words(num)),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(unfit(ast, value)),
    }
    Ok(())
}

fn unfit(ast: &Ast, value: &Value) -> EvalError {
    let message = format!("`{ast}` is {}; text takes strings, integers and booleans", words(value));
    EvalError::new(ast, EvalErrorKind::Type, message)
}
