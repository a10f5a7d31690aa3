//! An expression written out again, for messages and as the name of a fact. Keeps no layout of the
//! author's.

use std::fmt;

use serde_json::Value;

use super::ast::{Ast, Kind, Macro};

/// How tightly operators bind, loosest first; what binds looser inside gets parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Choose,
    Or,
    And,
    Relation,
    Sum,
    Product,
    Unary,
    Member,
}

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self, Level::Choose)
    }
}

fn level(ast: &Ast) -> Level {
    use super::ast::Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
    match &ast.kind {
        Kind::Choose(_) => Level::Choose,
        Kind::Or(_) => Level::Or,
        Kind::And(_) => Level::And,
        Kind::Compare(..) => Level::Relation,
        Kind::Compute(Add | Subtract, _) => Level::Sum,
        Kind::Compute(Multiply | Divide | Remainder, _) => Level::Product,
        Kind::Not(_) | Kind::Negate(_) => Level::Unary,
        // A sign in front binds looser than what stands behind.
        Kind::Literal(Value::Number(number)) if number.as_f64().is_some_and(|n| n < 0.0) => {
            Level::Unary
        }
        Kind::Literal(_)
        | Kind::Path(_)
        | Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_)
        | Kind::Macro(_) => Level::Member,
    }
}

fn write(f: &mut fmt::Formatter<'_>, ast: &Ast, least: Level) -> fmt::Result {
    if level(ast) < least {
        f.write_str("(")?;
        write(f, ast, Level::Choose)?;
        return f.write_str(")");
    }
    match &ast.kind {
        Kind::Literal(value) => write!(f, "{value}"),
        Kind::Path(path) | Kind::Local { path, .. } => write_path(f, path),
        Kind::Field(of, name) => {
            write(f, of, Level::Member)?;
            write_field(f, name)
        }
        Kind::Index(pair) => {
            write(f, &pair.0, Level::Member)?;
            write!(f, "[{}]", pair.1)
        }
        Kind::Has(of) => write!(f, "has({of})"),
        Kind::Not(of) => prefixed(f, "!", of),
        Kind::Negate(of) => prefixed(f, "-", of),
        Kind::And(list) => joined(f, list, " && ", Level::Relation),
        Kind::Or(list) => joined(f, list, " || ", Level::And),
        Kind::Compare(relation, pair) => infix(f, pair, relation.sign(), Level::Sum, Level::Sum),
        Kind::Compute(op, pair) => {
            let own = level(ast);
            let right = if own == Level::Sum { Level::Product } else { Level::Unary };
            infix(f, pair, op.sign(), own, right)
        }
        Kind::Choose(three) => {
            let [condition, this, that] = &**three;
            write(f, condition, Level::Or)?;
            f.write_str(" ? ")?;
            write(f, this, Level::Or)?;
            write!(f, " : {that}")
        }
        Kind::List(list) => {
            f.write_str("[")?;
            joined(f, list, ", ", Level::Choose)?;
            f.write_str("]")
        }
        Kind::Map(entries) => write_map(f, entries),
        Kind::Call(function, list) if list.len() == 2 => {
            write(f, &list[0], Level::Member)?;
            write!(f, ".{}({})", function.name(), list[1])
        }
        Kind::Call(function, list) => write!(f, "{}({})", function.name(), list[0]),
        Kind::Matches(matches) => {
            write(f, &matches.text, Level::Member)?;
            write!(f, ".matches({})", Value::from(matches.pattern.0.as_str()))
        }
        Kind::Macro(each) => write_macro(f, each),
    }
}

fn write_map(f: &mut fmt::Formatter<'_>, entries: &[(Ast, Ast)]) -> fmt::Result {
    f.write_str("{")?;
    for (i, (key, value)) in entries.iter().enumerate() {
        write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str("}")
}

fn write_macro(f: &mut fmt::Formatter<'_>, each: &Macro) -> fmt::Result {
    write(f, &each.list, Level::Member)?;
    write!(f, ".{}({}, {}", each.kind.name(), each.name, each.body)?;
    if let Some(transform) = &each.transform {
        write!(f, ", {transform}")?;
    }
    f.write_str(")")
}

fn prefixed(f: &mut fmt::Formatter<'_>, sign: &str, of: &Ast) -> fmt::Result {
    f.write_str(sign)?;
    // `-` before a literal would become a part of it.
    let is_literal = matches!(of.kind, Kind::Literal(Value::Number(_)));
    if is_literal { write!(f, "({of})") } else { write(f, of, Level::Unary) }
}

fn infix(
    f: &mut fmt::Formatter<'_>,
    pair: &(Ast, Ast),
    sign: &str,
    left: Level,
    right: Level,
) -> fmt::Result {
    write(f, &pair.0, left)?;
    write!(f, " {sign} ")?;
    write(f, &pair.1, right)
}

fn joined(f: &mut fmt::Formatter<'_>, list: &[Ast], sign: &str, least: Level) -> fmt::Result {
    for (i, part) in list.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { sign })?;
        write(f, part, least)?;
    }
    Ok(())
}

fn write_path(f: &mut fmt::Formatter<'_>, path: &[Box<str>]) -> fmt::Result {
    for (i, name) in path.iter().enumerate() {
        if i == 0 { f.write_str(name)? } else { write_field(f, name)? }
    }
    Ok(())
}

fn write_field(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let is_plain = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
        && !matches!(name, "in" | "true" | "false" | "null");
    if is_plain { write!(f, ".{name}") } else { write!(f, "[{}]", Value::from(name)) }
}

/// A path as it is written.
pub(super) fn path(path: &[Box<str>]) -> String {
    struct Shown<'p>(&'p [Box<str>]);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_path(f, self.0)
        }
    }
    Shown(path).to_string()
}
