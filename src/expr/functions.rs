//! What the functions compute. Which there are and how they are written is in `calls`.

use std::borrow::Cow;

use serde_json::Value;

use super::ast::{Ast, Function};
use super::eval::{EvalError, EvalErrorKind, failed, mismatch, number_of};
use super::number::{self, Num};
use super::run::{Locals, Outcome, Run};
use super::same::key_text;

impl<'s> Run<'s> {
    pub(super) fn call<'v>(
        &self,
        ast: &'v Ast,
        function: Function,
        list: &'v [Ast],
        locals: Locals<'v>,
    ) -> Outcome<'v>
    where
        's: 'v,
    {
        let first = self.value(&list[0], locals)?;
        let owned = |value: Value| Ok(Cow::Owned(value));
        match function {
            Function::Size => {
                let size = match &*first {
                    Value::String(text) => text.chars().count(),
                    Value::Array(list) => list.len(),
                    Value::Object(map) => map.len(),
                    Value::Null | Value::Bool(_) | Value::Number(_) => {
                        return Err(mismatch(ast, function.name(), &first, None));
                    }
                };
                owned(size.into())
            }
            Function::StartsWith | Function::EndsWith | Function::Contains => {
                let second = self.value(&list[1], locals)?;
                let (Some(text), Some(part)) = (first.as_str(), second.as_str()) else {
                    return Err(mismatch(ast, function.name(), &first, Some(&second)));
                };
                self.spend(text.len() / 64, ast)?;
                owned(Value::Bool(if function == Function::StartsWith {
                    text.starts_with(part)
                } else if function == Function::EndsWith {
                    text.ends_with(part)
                } else {
                    text.contains(part)
                }))
            }
            Function::Bool => boolean(ast, &first).and_then(owned),
            Function::Int => int(ast, &first).and_then(owned),
            Function::Double => double(ast, &first).and_then(owned),
            Function::String => string(ast, first),
            Function::Distinct => self.distinct(ast, first),
        }
    }

    /// The elements of a list, each once, in order of first appearance.
    fn distinct<'v>(&self, ast: &Ast, list: Cow<'v, Value>) -> Outcome<'v> {
        let Value::Array(elements) = self.take(list, ast)? else {
            let message = "`distinct` is for a list";
            return Err(EvalError::new(ast, EvalErrorKind::Type, message));
        };
        let mut seen = std::collections::BTreeSet::new();
        let first = |element: &Value| seen.insert(key_text(element).into_owned());
        Ok(Cow::Owned(elements.into_iter().filter(first).collect()))
    }
}

/// The words are those of CEL.
fn boolean(ast: &Ast, value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Bool(truth) => Ok(Value::Bool(*truth)),
        Value::String(text) => match text.as_str() {
            "true" | "TRUE" | "True" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "FALSE" | "False" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err(unreadable(ast, text, "boolean")),
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(mismatch(ast, "bool", value, None))
        }
    }
}

fn int(ast: &Ast, value: &Value) -> Result<Value, EvalError> {
    if let Value::String(text) = value {
        return text.parse::<i64>().map(Value::from).map_err(|_| unreadable(ast, text, "integer"));
    }
    let number = number_of(value).ok_or_else(|| mismatch(ast, "int", value, None))?;
    number::truncate(number).map_err(|why| failed(ast, why))
}

fn double(ast: &Ast, value: &Value) -> Result<Value, EvalError> {
    let number = match value {
        Value::String(text) => {
            text.parse::<f64>().map_err(|_| unreadable(ast, text, "number")).map(Num::Double)?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            number_of(value).ok_or_else(|| mismatch(ast, "double", value, None))?
        }
    };
    number::finite(number.double()).map_err(|why| failed(ast, why))
}

fn string<'v>(ast: &Ast, value: Cow<'v, Value>) -> Outcome<'v> {
    let text = match &*value {
        Value::String(_) => return Ok(value),
        Value::Bool(word) => word.to_string(),
        Value::Number(number) => number::words(Num::of(number)),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(mismatch(ast, "string", &value, None));
        }
    };
    Ok(Cow::Owned(Value::String(text)))
}

/// The text is quoted only so far that an error stays a line.
fn unreadable(ast: &Ast, text: &str, what: &str) -> EvalError {
    let shown: String = text.chars().take(40).collect();
    let message = format!("\"{shown}\" is no {what}");
    EvalError::new(ast, EvalErrorKind::Conversion, message)
}
