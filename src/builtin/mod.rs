//! What the built-in targets know: a fold of their own events, and nothing else \[T1, T2\]. Pure:
//! no process is started here, no file and no clock is read.

pub mod blocks;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ids::SagaId;
use crate::time::Timestamp;

use blocks::Blocks;

/// The saga, the step and the command that an event answers.
pub type Answered<'a> = (SagaId, &'a str, Option<&'a str>);

/// One thing of which something is known: its target, its name, and what is known; nothing any
/// more where that is absent.
pub type Changed = (Arc<str>, Arc<str>, Option<Value>);

/// The event that answers a command, and its fields.
pub type Answer = (&'static str, Map<String, Value>);

/// All that built-in targets know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Builtin {
    /// Blocks and their turns.
    pub blocks: Blocks,
}

impl Builtin {
    /// Folds one event of the target `owner`. It never fails, and what is unknown changes nothing.
    pub fn apply(
        &mut self,
        owner: &str,
        event: &str,
        fields: &Value,
        answered: Option<Answered<'_>>,
        _now: Timestamp,
    ) {
        if owner == "subprocess" {
            self.blocks.apply(event, fields, answered);
        }
    }

    /// What a target answers to one of its commands in the turn that asks \[T4\]; `None`: it has to
    /// be done first.
    #[must_use]
    pub fn answer(
        &self,
        target: &str,
        _cmd: &str,
        _fields: &Value,
        _now: Timestamp,
    ) -> Option<Answer> {
        // The registry of pods goes here.
        let _ = target;
        None
    }

    /// What changed since it was last asked for, for the log's rows.
    pub fn take_changed(&mut self) -> Vec<Changed> {
        let of = |target: &'static str| {
            move |(name, body): (Arc<str>, Option<Value>)| (Arc::from(target), name, body)
        };
        let blocks = self.blocks.take_changed().into_iter().map(of("subprocess"));
        blocks.collect()
    }

    /// Puts back what a row of the log says.
    ///
    /// # Errors
    /// It is not what this version writes.
    pub fn restore(&mut self, target: &str, name: &str, body: &Value) -> Result<(), String> {
        match target {
            "subprocess" => self.blocks.restore(name, body),
            _ => Err(format!("there is no built-in target `{target}`")),
        }
    }
}
