//! What people ask of a running saga or an incident: cancel, retry, resolve \[R13, R14\].

use std::sync::Arc;

use crate::ids::SagaId;
use crate::saga::decide::Input;
use crate::saga::record::{Operator, Record, State};

use super::clients::Client;
use super::{Coordinator, Refusal, RefusalCode};

/// A signal that the engine itself knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End it and undo what it did.
    Cancel,
    /// Try an incident's failed steps again.
    Retry,
    /// Take an incident off the list.
    Resolve,
}

impl Coordinator {
    /// Takes a signal.
    ///
    /// # Errors
    /// The saga was never issued, has ended, is past its pivot, or is no incident.
    pub fn signal(
        &mut self,
        from: &Client,
        id: SagaId,
        signal: Signal,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        if id.0 == 0 || id >= self.world.next_saga {
            let message = format!("saga {id} was never issued");
            return Err(Refusal::new(RefusalCode::UnknownSaga, message));
        }
        let refused = |message: String| Err(Refusal::new(RefusalCode::Refused, message));
        if let Some(clash) = self.corrupt.get(&id) {
            return refused(format!("saga {id} is corrupt: {clash}"));
        }
        let Some(live) = self.live.get(&id) else {
            return refused(format!("saga {id} has ended"));
        };
        let operator = Operator {
            by: from.name.clone(),
            reason: Arc::from(reason.unwrap_or("no reason given")),
        };
        match signal {
            Signal::Cancel => return self.cancel(id, &operator),
            Signal::Retry | Signal::Resolve if !live.saga.is_incident() => {
                let state = live.saga.state.as_str();
                return refused(format!("saga {id} is {state}, not an incident"));
            }
            Signal::Retry => self.decide(id, Input::Retry(&operator), 0),
            Signal::Resolve => {
                if reason.is_none_or(|reason| reason.trim().is_empty()) {
                    return refused("`resolve` needs a `reason`".to_owned());
                }
                self.push_saga(id, Record::Resolved(operator));
            }
        }
        self.cascade();
        Ok(())
    }

    fn cancel(&mut self, id: SagaId, operator: &Operator) -> Result<(), Refusal> {
        let Some(live) = self.live.get(&id) else { return Ok(()) };
        let refused = |message: String| Err(Refusal::new(RefusalCode::Refused, message));
        match live.saga.state {
            State::Queued => {}
            State::Running if live.saga.verdict.is_some() => {
                return refused(format!("saga {id} is ending already"));
            }
            State::Running => {}
            State::Compensating => {
                return refused(format!("saga {id} is compensating already"));
            }
            State::Completed | State::Failed | State::Compensated | State::FailedCompensation => {
                return refused(format!("saga {id} has ended"));
            }
        }
        let past = live.saga.is_past_pivot(&live.plan, &self.world.targets);
        self.decide(id, Input::Cancel { reason: &operator.reason }, 0);
        self.cascade();
        if past {
            return refused(format!("saga {id} is past its point of no return"));
        }
        Ok(())
    }
}
