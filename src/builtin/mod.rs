//! What the built-in targets know: a fold of their own events, and nothing else \[T1, T2\]. Pure:
//! no process is started here, no file and no clock is read.

pub mod blocks;
pub mod registry;
pub mod scope;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ids::SagaId;
use crate::time::Timestamp;

use blocks::Blocks;
use registry::Registry;

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
    /// Pods, and what each of them may write.
    pub pods: Registry,
}

impl Builtin {
    /// Folds one event of the target `owner`. It never fails, and what is unknown changes nothing.
    pub fn apply(
        &mut self,
        owner: &str,
        event: &str,
        fields: &Value,
        answered: Option<Answered<'_>>,
        now: Timestamp,
    ) {
        match owner {
            "subprocess" => self.blocks.apply(event, fields, answered),
            "pods" => self.pods.apply(event, fields, now),
            _ => {}
        }
    }

    /// What a target answers to one of its commands in the turn that asks \[T4\]; `None`: it has to
    /// be done first.
    #[must_use]
    pub fn answer(
        &self,
        target: &str,
        cmd: &str,
        fields: &Value,
        now: Timestamp,
    ) -> Option<Answer> {
        if target == "pods" { self.pods.answer(cmd, fields, now) } else { None }
    }

    /// What changed since it was last asked for, for the log's rows.
    pub fn take_changed(&mut self) -> Vec<Changed> {
        let of = |target: &'static str| {
            move |(name, body): (Arc<str>, Option<Value>)| (Arc::from(target), name, body)
        };
        let blocks = self.blocks.take_changed().into_iter().map(of("subprocess"));
        let pods = self.pods.take_changed().into_iter().map(of("pods"));
        blocks.chain(pods).collect()
    }

    /// Puts back what a row of the log says.
    ///
    /// # Errors
    /// It is not what this version writes.
    pub fn restore(&mut self, target: &str, name: &str, body: &Value) -> Result<(), String> {
        match target {
            "subprocess" => self.blocks.restore(name, body),
            "pods" => self.pods.restore(name, body),
            _ => Err(format!("there is no built-in target `{target}`")),
        }
    }
}
