//! Expressions: the subset of CEL that sagas are written in, from text to value. Knows no saga:
//! names and values come from the caller, as an [`Env`] of types before anything runs and as a
//! [`Scope`] of values afterwards.
//!
//! [`parse`] gives an [`Ast`], [`check`] types it under what guards have proved ([`Facts`]),
//! [`eval`] computes it. [`pins`] finds what an event must equal, [`reads`] what is read. A
//! [`Template`] is a value with `${{ }}` holes.

mod ast;
mod calls;
mod check;
mod eval;
mod facts;
mod functions;
mod idle;
mod lex;
mod macros;
mod number;
mod parse;
mod pins;
mod print;
mod reads;
mod run;
mod same;
mod schema;
mod sizing;
mod template;
mod types;

#[cfg(test)]
mod tests;

pub use ast::{Ast, Path};
pub use check::{TypeError, TypeErrorKind, check, expect_bool};
pub use eval::{EvalError, EvalErrorKind, Resolved, Scope, eval, eval_bool};
pub use facts::{Facts, can_be_true_while, facts_when_true};
pub use idle::idle_parts;
pub use parse::{SyntaxError, SyntaxErrorKind, parse};
pub use pins::{Pin, comparisons, pins, repeats};
pub use reads::{Read, literals, reads};
pub use same::key_text;
pub use schema::json_schema_type;
pub use sizing::{Sizing, may_fail, ordered, sizing};
pub use template::{Part, Template, eval_fields, parse_template};
pub use types::{Env, Field, ObjectType, Presence, Type};
