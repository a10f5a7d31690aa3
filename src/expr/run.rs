//! From the tree to a value: bounded in depth and in work, borrowing what it can. Judges no types
//! beforehand.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::ast::{Arithmetic, Ast, Kind, MacroKind, Relation};
use super::eval::{EvalError, EvalErrorKind, Resolved, Scope};
use super::eval::{failed, mismatch, missing, number_of, words};
use super::number::{self, Num};
use super::same::same;
use crate::limits::EXPR_VISITS_MAX;

/// One evaluation: the scope, and the work that is left.
pub(super) struct Run<'s> {
    scope: &'s dyn Scope,
    fuel: Cell<usize>,
}

/// The element of the macro around, and of those further out.
pub(super) struct Local<'v> {
    pub(super) value: &'v Value,
    pub(super) outer: Locals<'v>,
}

pub(super) type Locals<'v> = Option<&'v Local<'v>>;
pub(super) type Outcome<'v> = Result<Cow<'v, Value>, EvalError>;

impl<'s> Run<'s> {
    pub(super) fn new(scope: &'s dyn Scope) -> Run<'s> {
        Run { scope, fuel: Cell::new(EXPR_VISITS_MAX) }
    }

    /// Takes work from what is left.
    pub(super) fn spend(&self, work: usize, at: &Ast) -> Result<(), EvalError> {
        let left = self.fuel.get().checked_sub(work).ok_or_else(|| {
            let message = format!("more than {EXPR_VISITS_MAX} elements to visit");
            EvalError::new(at, EvalErrorKind::Limit, message)
        })?;
        self.fuel.set(left);
        Ok(())
    }

    /// The value as our own, paid for when it must be copied.
    pub(super) fn take(&self, value: Cow<'_, Value>, at: &Ast) -> Result<Value, EvalError> {
        if let Cow::Borrowed(borrowed) = &value {
            self.spend(weight(borrowed), at)?;
        }
        Ok(value.into_owned())
    }

    pub(super) fn value<'v>(&self, ast: &'v Ast, locals: Locals<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        match &ast.kind {
            Kind::Literal(value) => Ok(Cow::Borrowed(value)),
            Kind::Path(_) | Kind::Local { .. } | Kind::Field(..) => {
                self.lookup(ast, locals)?.ok_or_else(|| missing(ast))
            }
            Kind::Index(pair) => self.index(ast, &pair.0, &pair.1, locals),
            Kind::Negate(of) => {
                let value = self.value(of, locals)?;
                let result = number_of(&value).map(number::negate);
                let result = result.ok_or_else(|| mismatch(ast, "-", &value, None))?;
                result.map(Cow::Owned).map_err(|why| failed(ast, why))
            }
            Kind::Compute(op, pair) => self.compute(ast, *op, pair, locals).map(Cow::Owned),
            Kind::Choose(three) => {
                let [condition, this, that] = &**three;
                self.value(if self.truth(condition, locals)? { this } else { that }, locals)
            }
            Kind::List(list) => {
                let element = |ast: &'v Ast| self.take(self.value(ast, locals)?, ast);
                let list: Result<Vec<Value>, EvalError> = list.iter().map(element).collect();
                list.map(|list| Cow::Owned(Value::Array(list)))
            }
            Kind::Map(entries) => self.map(entries, locals).map(Cow::Owned),
            Kind::Call(function, list) => self.call(ast, *function, list, locals),
            Kind::Macro(each) => match each.kind {
                MacroKind::Filter | MacroKind::Map => self.gather(ast, each, locals),
                MacroKind::All | MacroKind::Exists | MacroKind::ExistsOne => {
                    self.judge(ast, each, locals).map(owned)
                }
            },
            Kind::Has(_)
            | Kind::Not(_)
            | Kind::And(_)
            | Kind::Or(_)
            | Kind::Compare(..)
            | Kind::Matches(_) => self.truth(ast, locals).map(owned),
        }
    }

    /// A condition, without a value in between where it can be.
    pub(super) fn truth<'v>(&self, ast: &'v Ast, locals: Locals<'v>) -> Result<bool, EvalError>
    where
        's: 'v,
    {
        match &ast.kind {
            Kind::Not(of) => self.truth(of, locals).map(|truth| !truth),
            Kind::And(list) => self.fold(list, false, locals),
            Kind::Or(list) => self.fold(list, true, locals),
            Kind::Has(of) => self.lookup(of, locals).map(|found| found.is_some()),
            Kind::Compare(relation, pair) => self.compare(ast, *relation, pair, locals),
            Kind::Matches(matches) => {
                let text = self.value(&matches.text, locals)?;
                let Some(text) = text.as_str() else {
                    return Err(mismatch(ast, "matches", &text, None));
                };
                self.spend(text.len() / 16, ast)?;
                Ok(matches.pattern.0.is_match(text))
            }
            Kind::Literal(_)
            | Kind::Path(_)
            | Kind::Local { .. }
            | Kind::Field(..)
            | Kind::Index(_)
            | Kind::Negate(_)
            | Kind::Compute(..)
            | Kind::Choose(_)
            | Kind::List(_)
            | Kind::Map(_)
            | Kind::Call(..)
            | Kind::Macro(_) => {
                let value = self.value(ast, locals)?;
                value.as_bool().ok_or_else(|| {
                    let message = format!("a condition is true or false, not {}", words(&value));
                    EvalError::new(ast, EvalErrorKind::Type, message)
                })
            }
        }
    }

    /// `&&` (decided by false) and `||` (decided by true). A part that decides makes up for one
    /// that has no value, on either side of it.
    fn fold<'v>(
        &self,
        list: &'v [Ast],
        decides: bool,
        locals: Locals<'v>,
    ) -> Result<bool, EvalError>
    where
        's: 'v,
    {
        let mut failed = None;
        for part in list {
            match self.truth(part, locals) {
                Ok(truth) if truth == decides => return Ok(decides),
                Ok(_) => {}
                Err(error) if error.kind == EvalErrorKind::Limit => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(!decides), Err)
    }

    /// A path or field; nothing when any part of it has no value.
    fn lookup<'v>(
        &self,
        ast: &'v Ast,
        locals: Locals<'v>,
    ) -> Result<Option<Cow<'v, Value>>, EvalError>
    where
        's: 'v,
    {
        match &ast.kind {
            Kind::Path(path) => {
                let Some((root, fields)) = path.split_first() else { return Ok(None) };
                Ok(match self.scope.resolve(root, fields) {
                    Resolved::Found(value, used) => walk(value, fields.get(used..).unwrap_or(&[])),
                    Resolved::Missing => None,
                })
            }
            Kind::Local { up, path } => {
                let mut local = locals;
                for _ in 0..*up {
                    local = local.and_then(|local| local.outer);
                }
                Ok(local.and_then(|local| walk(Cow::Borrowed(local.value), &path[1..])))
            }
            Kind::Field(of, name) => Ok(walk(self.value(of, locals)?, std::slice::from_ref(name))),
            Kind::Literal(_)
            | Kind::Index(_)
            | Kind::Has(_)
            | Kind::Not(_)
            | Kind::Negate(_)
            | Kind::And(_)
            | Kind::Or(_)
            | Kind::Compare(..)
            | Kind::Compute(..)
            | Kind::Choose(_)
            | Kind::List(_)
            | Kind::Map(_)
            | Kind::Call(..)
            | Kind::Matches(_)
            | Kind::Macro(_) => self.value(ast, locals).map(Some),
        }
    }

    fn index<'v>(&self, ast: &'v Ast, of: &'v Ast, by: &'v Ast, locals: Locals<'v>) -> Outcome<'v>
    where
        's: 'v,
    {
        let (of, by) = (self.value(of, locals)?, self.value(by, locals)?);
        let found = match (&*of, &*by) {
            (Value::Array(list), Value::Number(index)) if index.is_i64() => {
                let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
                index.filter(|index| *index < list.len()).map(|index| match of {
                    Cow::Borrowed(Value::Array(list)) => Cow::Borrowed(&list[index]),
                    Cow::Borrowed(_) | Cow::Owned(_) => Cow::Owned(of[index].clone()),
                })
            }
            (Value::Object(_), Value::String(name)) => {
                let name = Box::from(name.as_str());
                walk(of, std::slice::from_ref(&name))
            }
            (one, other) => return Err(mismatch(ast, "[]", one, Some(other))),
        };
        found.ok_or_else(|| {
            EvalError::new(
                ast,
                EvalErrorKind::Missing,
                format!("`{ast}`: there is no element {by}"),
            )
        })
    }

    fn map<'v>(&self, entries: &'v [(Ast, Ast)], locals: Locals<'v>) -> Result<Value, EvalError>
    where
        's: 'v,
    {
        let mut map = Map::new();
        for (key, value) in entries {
            let name = self.value(key, locals)?;
            let Some(name) = name.as_str() else {
                let message = format!("a key is a string, not {}", words(&name));
                return Err(EvalError::new(key, EvalErrorKind::Type, message));
            };
            let value = self.take(self.value(value, locals)?, value)?;
            if map.contains_key(name) {
                let message = format!("the key `{name}` stands twice in one map");
                return Err(EvalError::new(key, EvalErrorKind::Type, message));
            }
            map.insert(name.to_owned(), value);
        }
        Ok(Value::Object(map))
    }

    fn compute<'v>(
        &self,
        ast: &'v Ast,
        op: Arithmetic,
        pair: &'v (Ast, Ast),
        locals: Locals<'v>,
    ) -> Result<Value, EvalError>
    where
        's: 'v,
    {
        let (a, b) = (self.value(&pair.0, locals)?, self.value(&pair.1, locals)?);
        match (&*a, &*b, op) {
            (Value::Number(a), Value::Number(b), _) => {
                number::arithmetic(op, Num::of(a), Num::of(b)).map_err(|why| failed(ast, why))
            }
            (Value::String(a), Value::String(b), Arithmetic::Add) => {
                self.spend((a.len() + b.len()) / 16, ast)?;
                Ok(Value::String([a.as_str(), b].concat()))
            }
            (Value::Array(_), Value::Array(_), Arithmetic::Add) => {
                match (self.take(a, ast)?, self.take(b, ast)?) {
                    (Value::Array(mut a), Value::Array(b)) => {
                        self.spend(a.len() + b.len(), ast)?;
                        a.extend(b);
                        Ok(Value::Array(a))
                    }
                    (a, b) => Err(mismatch(ast, op.sign(), &a, Some(&b))),
                }
            }
            (a, b, _) => Err(mismatch(ast, op.sign(), a, Some(b))),
        }
    }

    fn compare<'v>(
        &self,
        ast: &'v Ast,
        relation: Relation,
        pair: &'v (Ast, Ast),
        locals: Locals<'v>,
    ) -> Result<bool, EvalError>
    where
        's: 'v,
    {
        let (a, b) = (self.value(&pair.0, locals)?, self.value(&pair.1, locals)?);
        let wanted = match relation {
            Relation::Equal | Relation::Unequal => {
                self.spend(weight(&a), ast)?;
                return Ok(same(&a, &b) == (relation == Relation::Equal));
            }
            Relation::In => return self.contains(ast, &a, &b),
            Relation::Order(wanted) => wanted,
        };
        let order = match (&*a, &*b) {
            (Value::Number(a), Value::Number(b)) => number::compare(Num::of(a), Num::of(b)),
            (Value::String(a), Value::String(b)) => {
                self.spend(a.len() / 64, ast)?;
                Some(a.cmp(b))
            }
            _ => None,
        };
        let order = order.ok_or_else(|| mismatch(ast, relation.sign(), &a, Some(&b)))?;
        Ok(wanted.holds(order))
    }

    fn contains(&self, ast: &Ast, a: &Value, b: &Value) -> Result<bool, EvalError> {
        match (a, b) {
            (a, Value::Array(list)) => {
                self.spend(list.len().saturating_mul(weight(a)), ast)?;
                Ok(list.iter().any(|b| same(a, b)))
            }
            (Value::String(name), Value::Object(map)) => Ok(map.contains_key(name)),
            (a, b) => Err(mismatch(ast, "in", a, Some(b))),
        }
    }
}

fn owned<'v>(truth: bool) -> Cow<'v, Value> {
    Cow::Owned(Value::Bool(truth))
}

/// The field at the end of a path; nothing when a part of it is missing.
fn walk<'v>(start: Cow<'v, Value>, fields: &[Box<str>]) -> Option<Cow<'v, Value>> {
    match start {
        Cow::Borrowed(mut value) => {
            for name in fields {
                value = get(value.as_object()?, name)?;
            }
            Some(Cow::Borrowed(value))
        }
        Cow::Owned(mut value) => {
            for name in fields {
                value = value.as_object_mut()?.swap_remove(&**name)?;
            }
            Some(Cow::Owned(value))
        }
    }
}

/// A field of an object. Payloads are small, and there looking is faster than hashing.
fn get<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    const SMALL: usize = 12;
    if object.len() > SMALL {
        return object.get(name);
    }
    object.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The work of copying or comparing a value.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(list) => 1 + list.iter().map(weight).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(weight).sum::<usize>(),
    }
}
