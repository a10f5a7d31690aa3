//! Evaluation from outside: the scope of values, the way in, and why there is no value. The walk
//! itself is in `run`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde_json::Value;

use super::ast::Ast;
use super::number::{Failure, Num};
use super::run::Run;

/// The values that an expression reads.
pub trait Scope {
    /// The value under a root name, as deep as the scope goes itself; the fields below that are
    /// looked up in the value.
    fn resolve(&self, root: &str, path: &[Box<str>]) -> Resolved<'_>;
}

/// What a scope has under a name.
#[derive(Clone, Debug)]
pub enum Resolved<'a> {
    /// A value, and how many fields of the path led to it.
    Found(Cow<'a, Value>, usize),
    /// It has no value now.
    Missing,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// The part of the expression, in bytes of its text.
    pub at: Range<usize>,
    /// What kind of failure.
    pub kind: EvalErrorKind,
    /// What is wrong, with the names and values that clash.
    pub message: String,
}

/// What kept an expression from having a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// Something that it reads has no value.
    Missing,
    /// A value is of a type that the operation is not for.
    Type,
    /// A result outside 64 bits, or a double that is not finite.
    Overflow,
    /// A division by zero.
    DivisionByZero,
    /// A text that is no number.
    Conversion,
    /// It is more work than one evaluation may do.
    Limit,
}

impl EvalError {
    pub(super) fn new(at: &Ast, kind: EvalErrorKind, message: impl Into<String>) -> EvalError {
        EvalError { at: at.at(), kind, message: message.into() }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}

/// The value of an expression; borrowed where it is a value of the scope.
///
/// # Errors
///
/// When something has no value, types do not meet, a number does not fit, or it is too much work.
pub fn eval<'a>(ast: &'a Ast, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, EvalError> {
    Run::new(scope).value(ast, None)
}

/// The value of a condition.
///
/// # Errors
///
/// As [`eval`], and when the value is neither true nor false.
pub fn eval_bool(ast: &Ast, scope: &dyn Scope) -> Result<bool, EvalError> {
    Run::new(scope).truth(ast, None)
}

/// The failure of a read.
pub(super) fn missing(ast: &Ast) -> EvalError {
    EvalError::new(ast, EvalErrorKind::Missing, format!("`{ast}` has no value"))
}

/// The failure of an operation that is not for these values.
pub(super) fn mismatch(ast: &Ast, what: &str, a: &Value, b: Option<&Value>) -> EvalError {
    let message = match b {
        Some(b) => format!("`{what}` is not for {} and {}", words(a), words(b)),
        None => format!("`{what}` is not for {}", words(a)),
    };
    EvalError::new(ast, EvalErrorKind::Type, message)
}

/// The failure of arithmetic.
pub(super) fn failed(ast: &Ast, why: Failure) -> EvalError {
    let (kind, message) = match why {
        Failure::Overflow => (EvalErrorKind::Overflow, "does not fit in a number"),
        Failure::ByZero => (EvalErrorKind::DivisionByZero, "divides by zero"),
        Failure::NotDefined => (EvalErrorKind::Type, "is not for numbers with a fraction"),
    };
    EvalError::new(ast, kind, format!("`{ast}` {message}"))
}

/// What a value is, in the words of an error.
pub(super) fn words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The number that a value is.
pub(super) fn number_of(value: &Value) -> Option<Num> {
    if let Value::Number(number) = value { Some(Num::of(number)) } else { None }
}
