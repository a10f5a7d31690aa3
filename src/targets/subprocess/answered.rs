//! Which commands were answered lately: one that comes again is not done again \[R20\], and not
//! answered again either. What was said is in the core's hands, or this process is gone; and who
//! hears an answer twice would take it for two turns. What an earlier launcher answered is known
//! from the log.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::ipc::local::Said;

/// Commands that are remembered. Beyond: the oldest is forgotten.
const KEPT: usize = 4096;
/// The events that answer.
const ANSWERS: [&str; 4] = ["turn_ended", "turn_spawn_failed", "turn_stopped", "block_forgotten"];

/// The commands that were answered last.
#[derive(Debug, Default)]
pub struct Answered {
    known: BTreeSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Answered {
    /// Remembers which commands a batch answers.
    pub fn remember(&mut self, batch: &[Said]) {
        for said in batch.iter().filter(|said| ANSWERS.contains(&said.event)) {
            let command_id = said.echo.as_ref().and_then(|echo| echo.command_id.clone());
            let Some(command_id) = command_id else { continue };
            if self.known.insert(Arc::clone(&command_id)) {
                self.order.push_back(command_id);
            }
            if self.order.len() > KEPT
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// Whether that command was answered.
    #[must_use]
    pub fn has(&self, command_id: &str) -> bool {
        self.known.contains(command_id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::ids::SagaId;
    use crate::ipc::protocol::Echo;

    fn said(event: &'static str, command_id: &str) -> Said {
        let command_id = Some(command_id.into());
        let echo = Some(Echo { saga_id: SagaId(1), step: "run".into(), command_id });
        Said { event, fields: Map::new(), echo }
    }

    #[test]
    fn only_answers_answer_and_only_the_latest_are_remembered() {
        let mut answered = Answered::default();
        answered.remember(&[said("turn_started", "a"), said("turn_ended", "b")]);
        assert!(!answered.has("a") && answered.has("b"));
        for n in 0..KEPT {
            answered.remember(&[said("turn_stopped", &n.to_string())]);
        }
        assert!(!answered.has("b") && answered.has("0"));
        assert_eq!(answered.known.len(), KEPT);
    }
}
