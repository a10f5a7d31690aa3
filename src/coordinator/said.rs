//! Signals that a definition declares: said to one saga, and taken by a step that awaits them now
//! \[R22\]. Those that every saga knows are in `signals`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ids::{SagaId, Seq};
use crate::plan::{Alternative, Source};
use crate::saga::decide::Input;
use crate::saga::record::{Dedup, Record, Signalled};
use crate::saga::state::{Phase, Run};

use super::clients::Client;
use super::dedup::Answer;
use super::{Coordinator, Live, Refusal, RefusalCode};

/// A `signal_saga` line with a signal of the definition's own, decoded.
#[derive(Clone, Debug)]
pub struct Said {
    /// The signal.
    pub signal: Arc<str>,
    /// What it carries.
    pub input: Map<String, Value>,
    /// Why, in the sender's words.
    pub reason: Option<Arc<str>>,
    /// The client's own id.
    pub dedup: Option<Dedup>,
}

impl Coordinator {
    /// Takes a signal of a saga's own; the version of its record, also for a repetition \[W9\].
    ///
    /// # Errors
    /// The saga was never issued, does not know it, has ended, or awaits it nowhere now; its fields
    /// do not fit. Nothing is recorded then: it may be said again.
    pub fn say(&mut self, from: &Client, id: SagaId, said: Said) -> Result<Seq, Refusal> {
        self.was_issued(id)?;
        if let Some(Answer::Accepted(seq)) = self.repeated(&from.name, said.dedup.as_ref())? {
            return Ok(seq);
        }
        let Said { signal, input, reason, dedup } = said;
        let fields = Arc::new(Value::Object(self.fit_signal(id, &signal, input)?));
        let said = Signalled { signal, fields, by: from.name.clone(), reason, dedup };
        let place = self.facts.len();
        self.decide(id, Input::Signal(&said), 0);
        let taken = self.facts[place..].iter().find_map(|fact| {
            (fact.saga == Some(id) && matches!(fact.record, Record::Signalled(_)))
                .then_some(fact.seq)
        });
        let Some(seq) = taken else { return Err(self.nobody_awaits(id, &said.signal)) };
        self.world.remember(&said.by, said.dedup.as_ref(), seq, self.now);
        self.cascade();
        Ok(seq)
    }

    /// What it carries, with its defaults, as the definition of that saga declares it.
    fn fit_signal(
        &self,
        id: SagaId,
        signal: &Arc<str>,
        mut input: Map<String, Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        let refused = |message: String| Refusal::new(RefusalCode::Refused, message);
        if let Some(clash) = self.corrupt.get(&id) {
            return Err(refused(format!("saga {id} is corrupt: {clash}")));
        }
        let Some(live) = self.live.get(&id) else {
            return Err(refused(format!("saga {id} has ended; nobody awaits `{signal}`")));
        };
        let known = &live.plan.signals;
        let Some(declared) = known.get(signal) else {
            let names = known.keys().map(|name| &**name);
            let names = names.chain(crate::definition::keys::SIGNALS.iter().copied());
            let names: Vec<&str> = names.collect();
            let message = match crate::diag::nearest(signal, names.iter().copied()) {
                Some(near) => {
                    format!("saga {id} knows no signal `{signal}`; did you mean `{near}`?")
                }
                None => {
                    format!("saga {id} knows no signal `{signal}`; known: {}", names.join(", "))
                }
            };
            return Err(refused(message));
        };
        declared
            .accept(&mut input)
            .map_err(|error| Refusal::new(RefusalCode::InvalidPayload, error.to_string()))?;
        Ok(input)
    }

    /// Why nobody took it, with what is awaited instead.
    fn nobody_awaits(&self, id: SagaId, signal: &str) -> Refusal {
        let refused = |message: String| Refusal::new(RefusalCode::Refused, message);
        let Some(live) = self.live.get(&id).filter(|live| live.saga.is_open()) else {
            return refused(format!("saga {id} has ended; nobody awaits `{signal}`"));
        };
        let state = live.saga.state.as_str();
        let awaited = awaited(live);
        if let Some((step, _)) = awaited.iter().find(|(_, name)| *name == signal) {
            return refused(format!(
                "saga {id} awaits `{signal}` in step `{step}`, but not with these fields: its \
                 `where` is not true of them"
            ));
        }
        let now: Vec<String> =
            awaited.iter().map(|(step, name)| format!("`{name}` in step `{step}`")).collect();
        let now = if now.is_empty() { "no signal".to_owned() } else { now.join(", ") };
        refused(format!(
            "saga {id} does not await `{signal}` now; it is {state} and awaits {now}: say it again \
             when it does"
        ))
    }
}

/// The signals that open steps of a saga listen to, with the paths of the steps.
fn awaited(live: &Live) -> Vec<(Arc<str>, &str)> {
    let open = |run: &&Run| matches!(run.phase, Phase::Waiting { .. });
    let mut found = Vec::new();
    for run in live.saga.runs.iter().filter(open) {
        let step = live.plan.step(run.key.step);
        let waits = step.wait.iter().flat_map(|wait| &wait.alternatives);
        let all = waits.chain(step.fail_on.iter().map(|fails| &fails.on));
        let signals = all.filter(|one: &&Alternative| one.source == Source::Signal);
        found.extend(signals.map(|one| (live.saga.path(&live.plan, run.key), &*one.event)));
    }
    found
}
