//! `always`: what an author says of every state that a saga can reach, asked of one. Changes
//! nothing, and nothing that runs asks.

use std::fmt;

use crate::expr::{self, Ast, EvalError};
use crate::plan::Plan;
use crate::saga::decide::SagaScope;
use crate::saga::state::Saga;
use crate::time::Timestamp;

/// A condition of `always` that a state does not keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken<'a> {
    /// The condition.
    pub condition: &'a Ast,
    /// Why it has no value; absent: it is false.
    pub error: Option<EvalError>,
}

impl fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.condition)?;
        match &self.error {
            Some(error) => write!(f, "has no value: {error}"),
            None => f.write_str("does not hold"),
        }
    }
}

/// The first condition of the saga's `always` that its state does not keep; `None`: all hold.
/// States are those between two decisions: within one nobody can see the saga, nor can a crash
/// leave it so.
#[must_use]
pub fn broken<'a>(plan: &'a Plan, saga: &Saga, now: Timestamp) -> Option<Broken<'a>> {
    let scope = SagaScope::new(saga, plan, now, None);
    plan.always.iter().find_map(|condition| match expr::eval_bool(condition, &scope) {
        Ok(true) => None,
        Ok(false) => Some(Broken { condition, error: None }),
        Err(error) => Some(Broken { condition, error: Some(error) }),
    })
}
