//! What leaves a world: commands on their way to targets, and turns on their way to a log. Decides
//! nothing.

use std::sync::Arc;

use serde_json::Value;

use crate::coordinator::{Coordinator, Fact, TurnOut};
use crate::definition::Catalog;
use crate::ids::SessionNo;
use crate::plan::Plan;
use crate::saga::owed::Owed;

/// A command that reached a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The session that it went to.
    pub session: SessionNo,
    /// The command.
    pub owed: Arc<Owed>,
}

impl Sent {
    /// Its idempotency key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.owed.command_id
    }

    /// The command's name.
    #[must_use]
    pub fn cmd(&self) -> &str {
        &self.owed.cmd
    }

    /// A field of it; null where it has none of that name.
    #[must_use]
    pub fn with(&self, field: &str) -> &Value {
        &self.owed.with[field]
    }
}

/// Where a world's turns are kept beside its list of facts.
pub trait Shelf {
    /// Keeps a turn, before anything of it is handed over \[R2\].
    fn keep(&mut self, facts: &[Fact], out: &TurnOut, coordinator: &Coordinator);

    /// What a launcher that starts on it knows; absent: what the list of facts tells.
    fn start(&self, catalog: &Arc<Catalog>, plans: &[Arc<Plan>]) -> Option<Coordinator>;
}

/// The list of facts is enough.
impl Shelf for () {
    fn keep(&mut self, _: &[Fact], _: &TurnOut, _: &Coordinator) {}

    fn start(&self, _: &Arc<Catalog>, _: &[Arc<Plan>]) -> Option<Coordinator> {
        None
    }
}
