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

impl Signal {
    /// The signal of a word on the wire; `None`: one that a definition would have to declare.
    #[must_use]
    pub fn parse(word: &str) -> Option<Signal> {
        match word {
            "cancel" => Some(Signal::Cancel),
            "retry" => Some(Signal::Retry),
            "resolve" => Some(Signal::Resolve),
            _ => None,
        }
    }

    /// Which sagas take it, in words.
    #[must_use]
    pub fn who_takes_it(self) -> &'static str {
        match self {
            Signal::Cancel => "only a saga that is queued or running can be cancelled",
            Signal::Retry => {
                "only an incident can be retried, a saga in failed_compensation that nobody \
                 resolved"
            }
            Signal::Resolve => {
                "only an incident can be resolved, a saga in failed_compensation that nobody \
                 resolved"
            }
        }
    }
}

impl Coordinator {
    /// Refuses an id that no saga ever had \[W6\].
    ///
    /// # Errors
    /// It was never issued.
    pub fn was_issued(&self, id: SagaId) -> Result<(), Refusal> {
        if id.0 == 0 || id >= self.world.next_saga {
            let message = format!("saga {id} was never issued");
            return Err(Refusal::new(RefusalCode::UnknownSaga, message));
        }
        Ok(())
    }

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
        self.was_issued(id)?;
        let refused = |message: String| Err(Refusal::new(RefusalCode::Refused, message));
        if let Some(clash) = self.corrupt.get(&id) {
            return refused(format!("saga {id} is corrupt: {clash}"));
        }
        let Some(live) = self.live.get(&id) else {
            return refused(format!("saga {id} has ended; {}", signal.who_takes_it()));
        };
        let operator = Operator {
            by: from.name.clone(),
            reason: Arc::from(reason.unwrap_or("no reason given")),
        };
        match signal {
            Signal::Cancel => return self.cancel(id, &operator),
            Signal::Retry | Signal::Resolve if !live.saga.is_incident() => {
                let state = live.saga.state.as_str();
                let who = signal.who_takes_it();
                return refused(format!("saga {id} is {state}, not an incident; {who}"));
            }
            Signal::Retry => self.decide(id, Input::Retry(&operator), 0),
            Signal::Resolve => {
                if reason.is_none_or(|reason| reason.trim().is_empty()) {
                    let message = "`reason` is missing: `resolve` needs a string that says how it \
                                   was mended";
                    return Err(Refusal::new(RefusalCode::InvalidPayload, message.to_owned()));
                }
                self.push_saga(id, Record::Resolved(operator));
                self.follow_now();
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
            State::Running if live.saga.is_held() => {
                let caller = live.saga.parent.as_ref().map_or(id, |parent| parent.saga);
                return refused(format!(
                    "the steps of saga {id} are done, and it is held for saga {caller}; cancel \
                     that one"
                ));
            }
            State::Running if live.saga.verdict.is_some() => {
                return refused(format!("saga {id} is ending already"));
            }
            State::Running => {}
            State::Compensating => {
                return refused(format!("saga {id} is compensating already"));
            }
            State::Completed | State::Failed | State::Compensated | State::FailedCompensation => {
                let (state, who) = (live.saga.state.as_str(), Signal::Cancel.who_takes_it());
                return refused(format!("saga {id} has ended, it is {state}; {who}"));
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
