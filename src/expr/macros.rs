//! What the macros compute: one visit an element, paid for from the work that one evaluation may
//! do.

use std::borrow::Cow;

use serde_json::Value;

use super::ast::{Ast, Macro, MacroKind};
use super::eval::{EvalError, EvalErrorKind, mismatch};
use super::run::{Local, Locals, Outcome, Run};

impl<'s> Run<'s> {
    /// `all`, `exists`, `exists_one`. As with `&&` and `||`, an element that decides makes up for
    /// one whose condition has no value; `exists_one` needs them all.
    pub(super) fn judge<'v>(
        &self,
        ast: &'v Ast,
        each: &'v Macro,
        locals: Locals<'v>,
    ) -> Result<bool, EvalError>
    where
        's: 'v,
    {
        let list = self.value(&each.list, locals)?;
        let mut failed = None;
        let mut count = 0_usize;
        for value in self.elements(ast, each, &list)? {
            self.spend(1, ast)?;
            let local = Local { value, outer: locals };
            let truth = match self.truth(&each.body, Some(&local)) {
                Ok(truth) => truth,
                Err(error) => {
                    if error.kind == EvalErrorKind::Limit || each.kind == MacroKind::ExistsOne {
                        return Err(error);
                    }
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            match each.kind {
                MacroKind::All if !truth => return Ok(false),
                MacroKind::Exists if truth => return Ok(true),
                MacroKind::All
                | MacroKind::Exists
                | MacroKind::ExistsOne
                | MacroKind::Filter
                | MacroKind::Map => count += usize::from(truth),
            }
        }
        match (failed, each.kind) {
            (Some(error), _) => Err(error),
            (None, MacroKind::ExistsOne) => Ok(count == 1),
            (None, kind) => Ok(kind == MacroKind::All),
        }
    }

    /// `filter` and `map`.
    pub(super) fn gather<'v>(
        &self,
        ast: &'v Ast,
        each: &'v Macro,
        locals: Locals<'v>,
    ) -> Outcome<'v>
    where
        's: 'v,
    {
        let list = self.value(&each.list, locals)?;
        let mut found = Vec::new();
        for value in self.elements(ast, each, &list)? {
            self.spend(1, ast)?;
            let local = Local { value, outer: locals };
            let local = Some(&local);
            let chosen = match (each.kind, &each.transform) {
                (MacroKind::Map, None) => self.value(&each.body, local)?,
                (MacroKind::Map, Some(transform)) if self.truth(&each.body, local)? => {
                    self.value(transform, local)?
                }
                (MacroKind::Filter, _) if self.truth(&each.body, local)? => Cow::Borrowed(value),
                _ => continue,
            };
            found.push(self.take(chosen, ast)?);
        }
        Ok(Cow::Owned(Value::Array(found)))
    }

    fn elements<'l>(
        &self,
        ast: &Ast,
        each: &Macro,
        list: &'l Value,
    ) -> Result<&'l [Value], EvalError> {
        let wrong = || mismatch(ast, each.kind.name(), list, None);
        list.as_array().map(Vec::as_slice).ok_or_else(wrong)
    }
}
