//! Values with `${{ }}` holes: reading them and filling them. Reads no YAML and types nothing: a
//! tree of scalars is built by the caller, who checks each hole at its place.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ast::Ast;
use super::eval::{EvalError, EvalErrorKind, Scope, eval, words};
use super::lex;
use super::number::{self, Num};
use super::parse::{SyntaxError, parse_at};

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

impl Template {
    /// The value with all holes filled.
    ///
    /// # Errors
    ///
    /// As [`eval`], and when text gets a value that is no string, integer or boolean.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        match self {
            Template::Literal(value) => Ok(value.clone()),
            Template::Whole(ast) => eval(ast, scope).map(Cow::into_owned),
            Template::Mixed(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(plain) => text.push_str(plain),
                        Part::Hole(ast) => fill(ast, &*eval(ast, scope)?, &mut text)?,
                    }
                }
                Ok(Value::String(text))
            }
            Template::List(list) => list.iter().map(|one| one.eval(scope)).collect(),
            Template::Map(entries) => {
                let value = |(name, one): &(String, Template)| Ok((name.clone(), one.eval(scope)?));
                entries.iter().map(value).collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
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
