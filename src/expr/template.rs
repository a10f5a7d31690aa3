//! Values with `${{ }}` holes: reading them, typing them, filling them. Reads no YAML: a tree of
//! scalars is built by the caller.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::ast::Ast;
use super::check::{TypeError, TypeErrorKind, check};
use super::eval::{EvalError, EvalErrorKind, Scope, eval, words};
use super::facts::Facts;
use super::lex;
use super::number::{self, Num};
use super::parse::{SyntaxError, parse_at};
use super::schema::of_value;
use super::types::{Env, Field, ObjectType, Presence, Type};

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

    /// All expressions in it, in the author's order.
    #[must_use]
    pub fn expressions(&self) -> Vec<&Ast> {
        match self {
            Template::Literal(_) => Vec::new(),
            Template::Whole(ast) => vec![ast],
            Template::Mixed(parts) => parts.iter().filter_map(Part::hole).collect(),
            Template::List(list) => list.iter().flat_map(Template::expressions).collect(),
            Template::Map(entries) => {
                entries.iter().flat_map(|(_, one)| one.expressions()).collect()
            }
        }
    }
}

impl Part {
    fn hole(&self) -> Option<&Ast> {
        match self {
            Part::Text(_) => None,
            Part::Hole(ast) => Some(ast),
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

/// The type of a template and all that is wrong in it. Places are those of [`parse_template`], so
/// they belong to the scalar that each hole stands in: check scalars one by one to place them.
#[must_use]
pub fn check_template(template: &Template, env: &Env, facts: &Facts) -> (Type, Vec<TypeError>) {
    match template {
        Template::Literal(value) => (of_value(value), Vec::new()),
        Template::Whole(ast) => check(ast, env, facts),
        Template::Mixed(parts) => {
            let mut found = Vec::new();
            for ast in parts.iter().filter_map(Part::hole) {
                let (ty, wrong) = check(ast, env, facts);
                found.extend(wrong);
                found.extend(check_hole(ast, &ty));
            }
            (Type::String, found)
        }
        Template::List(list) => {
            let mut found = Vec::new();
            let mut of = None;
            for one in list {
                let (ty, wrong) = check_template(one, env, facts);
                of = Some(of.map_or(ty.clone(), |of: Type| of.join(ty)));
                found.extend(wrong);
            }
            (Type::list(of.unwrap_or(Type::Dyn)), found)
        }
        Template::Map(entries) => {
            let mut found = Vec::new();
            let mut object = ObjectType::default();
            for (name, one) in entries {
                let (ty, wrong) = check_template(one, env, facts);
                found.extend(wrong);
                let field = Field { ty, presence: Presence::Always };
                object.fields.insert(name.clone(), field);
            }
            (Type::Object(object), found)
        }
    }
}

fn check_hole(ast: &Ast, ty: &Type) -> Option<TypeError> {
    let help = match ty {
        Type::Bool | Type::Int | Type::String | Type::Word(_) | Type::Dyn => return None,
        Type::Double => Some(format!("write `string({ast})`")),
        Type::Null | Type::List(_) | Type::Object(_) => None,
    };
    let message = format!("text takes strings, integers and booleans, and this is {ty}");
    Some(TypeError { at: ast.at(), kind: TypeErrorKind::WrongType, message, help })
}
