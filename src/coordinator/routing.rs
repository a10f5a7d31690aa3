//! Which sagas wait for an event: an index by name and pinned value, so that a thousand waiting
//! sagas cost one look-up \[R6\].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::expr::{self, key_text};
use crate::ids::SagaId;
use crate::plan::{Alternative, Plan};
use crate::saga::decide::SagaScope;
use crate::saga::record::State;
use crate::saga::state::{Phase, Saga};
use crate::time::Timestamp;

use super::Live;

/// One key under which a saga waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    event: Arc<str>,
    /// Path of the pinned field below `event`, joined by dots; empty: any event of the name.
    field: Arc<str>,
    /// The pinned value as JSON text.
    value: String,
}

/// Waiting sagas of one event, by field and value.
type ByField = BTreeMap<Arc<str>, BTreeMap<String, BTreeSet<SagaId>>>;

/// Waiting sagas by event, field and value.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    by_event: BTreeMap<Arc<str>, ByField>,
}

impl Waits {
    /// Brings a saga's keys up to date.
    pub(super) fn change(&mut self, id: SagaId, live: &mut Live) {
        if !live.plan.waits_for_events {
            return;
        }
        let waits = waits_of(&live.saga, &live.plan);
        if waits == live.waits {
            return;
        }
        for wait in &live.waits {
            self.remove(id, wait);
        }
        for wait in &waits {
            let fields = self.by_event.entry(wait.event.clone()).or_default();
            let values = fields.entry(wait.field.clone()).or_default();
            values.entry(wait.value.clone()).or_default().insert(id);
        }
        live.waits = waits;
    }

    /// Forgets a saga.
    pub(super) fn forget(&mut self, id: SagaId, live: &Live) {
        for wait in &live.waits {
            self.remove(id, wait);
        }
    }

    fn remove(&mut self, id: SagaId, wait: &Wait) {
        let Some(fields) = self.by_event.get_mut(&wait.event) else { return };
        if let Some(values) = fields.get_mut(&wait.field) {
            if let Some(ids) = values.get_mut(&wait.value) {
                ids.remove(&id);
                if ids.is_empty() {
                    values.remove(&wait.value);
                }
            }
            if values.is_empty() {
                fields.remove(&wait.field);
            }
        }
        if fields.is_empty() {
            self.by_event.remove(&wait.event);
        }
    }

    /// Sagas that may wait for that event; their filters have the last word.
    pub(super) fn find(&self, event: &str, payload: &Value) -> BTreeSet<SagaId> {
        let mut found = BTreeSet::new();
        let Some(fields) = self.by_event.get(event) else { return found };
        for (field, values) in fields {
            let key = match field.is_empty() {
                true => Some(String::new()),
                false => field
                    .split('.')
                    .try_fold(payload, |value, part| value.get(part))
                    .map(|value| key_text(value).into_owned()),
            };
            if let Some(ids) = key.and_then(|key| values.get(&key)) {
                found.extend(ids);
            }
        }
        found
    }
}

fn waits_of(saga: &Saga, plan: &Plan) -> Vec<Wait> {
    let mut waits = Vec::new();
    if !saga.is_open() {
        return waits;
    }
    // Time plays no part in identity, so any instant will do.
    let scope = SagaScope::new(saga, plan, Timestamp::default(), None);
    let runs = saga.state == State::Running && saga.verdict.is_none();
    if runs || saga.state == State::Queued {
        let reactions = plan.reactions.iter().map(|one| &one.on);
        let events = reactions.filter(|on| runs && on.source.is_public());
        for on in plan.cancel_on.iter().chain(events) {
            add(&mut waits, on, &scope);
        }
    }
    for run in &saga.runs {
        let listens = matches!(
            run.phase,
            Phase::Waiting { .. } | Phase::Probing { .. } | Phase::Pausing { in_doubt: true, .. }
        ) || (run.outcome() == Some(crate::saga::record::Ending::InDoubt)
            && run.command.is_some());
        if !listens {
            continue;
        }
        let step = plan.step(run.key.step);
        let awaited = step.wait.iter().flat_map(|wait| &wait.alternatives);
        for on in awaited.chain(step.fail_on.iter().map(|fail| &fail.on)) {
            if on.source.is_public() {
                add(&mut waits, on, &scope.within(run.key.branch));
            }
        }
    }
    waits.sort();
    waits.dedup();
    waits
}

fn add(waits: &mut Vec<Wait>, on: &Alternative, scope: &SagaScope<'_>) {
    let any = |event: &Arc<str>| Wait {
        event: event.clone(),
        field: Arc::from(""),
        value: String::new(),
    };
    if on.pins.is_empty() {
        waits.push(any(&on.event));
    }
    for pin in &on.pins {
        let field: Arc<str> = Arc::from(pin.field.join("."));
        let equal = |value: &Value| Wait {
            event: on.event.clone(),
            field: field.clone(),
            value: key_text(value).into_owned(),
        };
        // A pin whose value cannot be read now would hide the saga from its event: wait for all.
        match (pin.one_of, expr::eval(&pin.value, scope).as_deref()) {
            (false, Ok(value)) => waits.push(equal(value)),
            (true, Ok(Value::Array(list))) => waits.extend(list.iter().map(equal)),
            (true, Ok(_)) | (_, Err(_)) => waits.push(any(&on.event)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::{Client, Coordinator, IncomingReport};
    use crate::definition::read::load;
    use crate::ids::ClientId;
    use crate::plan::compile_library;

    const CATALOG: &str = "targets: { host: {} }
events: { go: { fields: { k: { type: string } } }, did: { fields: { k: { type: string } } } }
commands:
  act: { target: host, fields: { k: { type: string } }, echoes: [did], idempotent: true, undo: none }
";
    const SAGA: &str = "saga: it
trigger: { event: go }
input: { k: '${{ trigger.k }}' }
eviction: { policy: parallel }
timeout: none
mode: observe
steps:
  - id: one
    issue: act
    with: { k: '${{ input.k }}' }
    await: { echo: did, where: event.k == input.k }
    timeout: 5s
";

    /// [R6]: nobody's answer names a saga that observes, so it is found as one that waits for an
    /// `event` is: by what its `where` pins.
    #[test]
    fn r6_a_thousand_sagas_that_observe_cost_one_look() {
        let files = [("c.catalog.yaml", CATALOG), ("it.saga.yaml", SAGA)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let (library, found) = load(files.into());
        assert!(found.is_empty(), "{found:?}");
        let (plans, found) = compile_library(&library);
        assert!(found.is_empty(), "{found:?}");
        let mut all = Coordinator::new(Arc::new(library.catalog), plans);
        let tool = Client { id: ClientId(1), name: "tool".into(), kind: "tool".into() };
        for k in 0..1_000 {
            let fields = serde_json::json!({ "k": format!("k{k}") });
            let Value::Object(fields) = fields else { continue };
            let event = "go".into();
            let go = IncomingReport { event, fields, echo: None, command_id: None, dedup: None };
            all.report(&tool, go).expect("it is declared");
        }
        let found = all.waits.find("did", &serde_json::json!({ "k": "k7" }));
        assert_eq!(found, BTreeSet::from([SagaId(8)]));
    }
}
