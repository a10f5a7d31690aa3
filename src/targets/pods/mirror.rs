//! What the pods target sees of the registry: all that is durable, and nothing sooner. Decides
//! nothing; the registry that does is the coordinator's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::builtin::registry::Registry;

/// A registry that follows the coordinator's, commit by commit. A cheap handle.
#[derive(Clone, Debug)]
pub struct Mirror {
    registry: Arc<Mutex<Registry>>,
}

impl Mirror {
    /// Begins with what the log knows.
    #[must_use]
    pub fn new(known: Registry) -> Mirror {
        Mirror { registry: Arc::new(Mutex::new(known)) }
    }

    /// Takes what became durable of one name. Whoever hands over a turn calls it before any command
    /// goes out that relies on it.
    pub fn follow(&self, name: &str, body: Option<&Value>) {
        if let Err(why) = self.look().follow(name, body) {
            tracing::error!(%why, "the pods target cannot follow its registry");
        }
    }

    /// A look at it, which nobody may keep across a wait.
    pub(super) fn look(&self) -> MutexGuard<'_, Registry> {
        // Whoever panicked with it in hand had only read it, or replaced one row as a whole.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generation of the bearer of a name; `0`: there is none.
    pub(super) fn generation(&self, name: &str) -> u64 {
        self.look().pod(name).map_or(0, |pod| pod.generation)
    }
}
