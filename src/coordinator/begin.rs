//! Beginning sagas: triggers, guards, and who gives way \[R10, R17, R18\]. What a saga then does is
//! its own decision.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expr::{self, EvalError, Template};
use crate::ids::SagaId;
use crate::plan::secrets::Secrets;
use crate::plan::{CallTrigger, EventTrigger, Plan, Policy};
use crate::saga::decide::{BeginScope, Input};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{Began, Dedup, Dequeued, Parent, Record, State};
use crate::saga::state::Saga;
use crate::time::Timestamp;

use super::turn::RowState;
use super::{Coordinator, Live, Refusal, RefusalCode, keys, routing};

/// A start that passed its guards and does not exist yet.
pub(super) struct Newcomer {
    pub(super) plan: Arc<Plan>,
    pub(super) trigger: Arc<str>,
    pub(super) fields: Arc<Value>,
    input: Arc<Value>,
    vars: Map<String, Value>,
    pub(super) keys: Vec<Value>,
    pub(super) asker: Asker,
}

/// Who asks for a start.
#[derive(Clone, Debug, Default)]
pub(super) struct Asker {
    /// The client's name; absent: an event.
    pub(super) client: Option<Arc<str>>,
    /// Its id of the request \[W9\].
    pub(super) dedup: Option<Dedup>,
    /// The step that calls.
    pub(super) parent: Option<Arc<Parent>>,
}

impl Coordinator {
    /// Starts what the event triggers; a refusal is counted and told in the log line of the caller.
    pub(super) fn trigger(&mut self, event: &Arc<str>, fields: &Arc<Value>, depth: usize) {
        for plan in self.definitions.triggered_by(event) {
            let mut fitting = plan.trigger.events.iter().filter(|trigger| trigger.event == *event);
            let Some(trigger) = fitting.find(|trigger| fits(trigger, fields)) else { continue };
            let begun = newcomer(&plan, event, fields, &trigger.input, Asker::default())
                .and_then(|newcomer| self.contend(newcomer, depth));
            self.count(&plan, event, fields, begun);
        }
    }

    /// Starts what a tick of its schedule is to start; a refusal is counted like an event's.
    pub(super) fn tick_starts(&mut self, plan: &Arc<Plan>, input: &[(Arc<str>, Template)]) {
        let (word, fields) = (Arc::from("schedule"), Arc::new(Value::Object(Map::new())));
        let begun = newcomer(plan, &word, &fields, input, Asker::default())
            .and_then(|newcomer| self.contend(newcomer, 0));
        self.count(plan, &word, &fields, begun);
    }

    fn count(&mut self, plan: &Plan, event: &str, fields: &Value, begun: Result<SagaId, Refusal>) {
        if let Err(refusal) = begun {
            *self.turned_away.entry(plan.name.clone()).or_default() += 1;
            // The author's words about a refusal may be made of what came.
            let declared = plan.events.get(event).map(|decl| Secrets::of(&decl.fields, fields));
            let hidden = declared.and_then(|secrets| secrets.hide_text(&refusal.message));
            let reason = hidden.unwrap_or(refusal.message);
            tracing::info!(saga = %plan.name, %event, %reason, "not started");
        }
    }

    /// Starts a saga by name.
    pub(super) fn call(
        &mut self,
        name: &str,
        fields: Map<String, Value>,
        asker: Asker,
    ) -> Result<SagaId, Refusal> {
        let newcomer = self.called(name, fields, asker)?;
        let id = self.contend(newcomer, 0)?;
        self.cascade();
        Ok(id)
    }

    /// A newcomer that is started by name, by a client or a step.
    pub(super) fn called(
        &self,
        name: &str,
        mut fields: Map<String, Value>,
        asker: Asker,
    ) -> Result<Newcomer, Refusal> {
        let caller = asker.parent.as_ref().and_then(|parent| self.live.get(&parent.saga));
        let tied = caller.and_then(|live| live.plan.callees.iter().find(|one| *one.name == *name));
        let Some(plan) = tied.or_else(|| self.definitions.get(name)).cloned() else {
            let known: Vec<&str> = self.definitions.names().map(|name| &**name).collect();
            let message = match crate::diag::nearest(name, known) {
                Some(near) => format!("no saga `{name}` is loaded; did you mean `{near}`?"),
                None => format!("no saga `{name}` is loaded"),
            };
            return Err(Refusal::new(RefusalCode::UnknownSaga, message));
        };
        let Some(CallTrigger { fields: declared, input }) = &plan.trigger.call else {
            let by = if plan.trigger.events.is_empty() { "the clock" } else { "an event" };
            let message = format!("saga `{name}` is started by {by}, it has no `call` trigger");
            return Err(Refusal::new(RefusalCode::Refused, message));
        };
        if let Err(error) = declared.accept(&mut fields) {
            return Err(Refusal::new(RefusalCode::InvalidPayload, error.to_string()));
        }
        let fields = Arc::new(Value::Object(fields));
        newcomer(&plan, &Arc::from("call"), &fields, input, asker)
    }

    /// Lets a newcomer in, make it wait, or turn it away \[R17\].
    pub(super) fn contend(&mut self, newcomer: Newcomer, depth: usize) -> Result<SagaId, Refusal> {
        let (name, keys) = (newcomer.plan.name.clone(), newcomer.keys.clone());
        let eviction = &newcomer.plan.eviction;
        if eviction.policy == Policy::Join {
            return self.join_or_begin(newcomer, depth);
        }
        let refused = |why: String| Err(Refusal::new(RefusalCode::Refused, why));
        // Nobody gives way, so nobody is looked for.
        if eviction.policy == Policy::Parallel {
            return Ok(self.begin(newcomer, false, depth));
        }
        let waiting = self.keys.waiting(&name, &keys);
        let holders = self.keys.holders(&name, &keys, newcomer.family());
        // Held sub-sagas of the same family wait for it: it goes past them, and past who waits.
        let among_kin = holders.kin && holders.others.is_empty();
        let Some(holder) = holders.others.first().copied().or(waiting.first).filter(|_| !among_kin)
        else {
            return Ok(self.begin(newcomer, false, depth));
        };
        match eviction.policy {
            Policy::Parallel | Policy::Join => Ok(self.begin(newcomer, false, depth)),
            Policy::Refuse => {
                refused(format!("saga {holder} of `{name}` is running with this key"))
            }
            Policy::Ignore => refused(format!("ignored: saga {holder} of `{name}` is running")),
            Policy::Queue => {
                let waiting = waiting.count;
                match eviction.queue_max {
                    Some(most) if waiting >= most => refused(format!(
                        "{waiting} sagas of `{name}` wait already, the most is {most}"
                    )),
                    Some(_) | None => Ok(self.begin(newcomer, true, depth)),
                }
            }
            Policy::Replace => Ok(self.replace(newcomer, depth)),
        }
    }

    /// Those that wait give up their place, the running ones are evicted, and the newcomer waits
    /// for these, if there are any.
    fn replace(&mut self, newcomer: Newcomer, depth: usize) -> SagaId {
        let (name, keys) = (newcomer.plan.name.clone(), newcomer.keys.clone());
        let id = self.world.next_saga;
        let reason: Arc<str> = Arc::from(format!("evicted by saga {id} of the same key"));
        for old in self.keys.queue(&name, &keys) {
            self.decide_one(old, Input::Evict { reason: &reason }, depth);
        }
        let holders = self.keys.holders(&name, &keys, newcomer.family()).others;
        let id = self.begin(newcomer, !holders.is_empty(), depth);
        for holder in holders {
            self.decide(holder, Input::Evict { reason: &reason }, depth);
        }
        id
    }

    pub(super) fn begin(&mut self, newcomer: Newcomer, queued: bool, depth: usize) -> SagaId {
        let Newcomer { plan, trigger, fields, input, vars, keys, asker } = newcomer;
        let Asker { client, dedup, parent } = asker;
        let id = self.world.next_saga;
        let due = self.deadline(&plan, parent.as_deref()).filter(|_| !queued);
        let began = Began {
            name: plan.name.clone(),
            definition: plan.hash.clone(),
            trigger,
            fields,
            input,
            vars,
            keys,
            queued,
            due,
            client,
            dedup,
            parent,
            observes: plan.observes,
        };
        self.world.apply_began(id, self.now, &began);
        let seq = self.world.next_seq;
        let saga = Saga::began(id, &began, seq, self.now);
        self.note_older(&plan);
        self.live.insert(id, Box::new(Live::new(saga, plan, RowState::New)));
        self.world.next_seq = seq.next();
        let record = Record::Began(Box::new(began));
        self.facts.push(super::Fact { seq, saga: Some(id), record });
        self.refresh(id);
        if !queued {
            self.decide(id, Input::Start, depth);
        }
        id
    }

    /// When a saga that starts now has no more time: its caller's time is its own too.
    fn deadline(&self, plan: &Plan, parent: Option<&Parent>) -> Option<Timestamp> {
        let own = plan.timeout.map(|timeout| self.now + timeout);
        own.into_iter().chain(parent.and_then(|parent| parent.until)).min()
    }

    /// After a saga gave its keys free, those that waited for them may start \[R18\].
    pub(super) fn free_keys_of(&mut self, id: SagaId, depth: usize) {
        #[cfg(test)]
        if fault::is(Fault::RivalIsStranded) {
            return;
        }
        let Some(live) = self.live.get(&id) else { return };
        match live.held {
            keys::Held::Nothing | keys::Held::HoldsFor(_) => {}
            keys::Held::Waits | keys::Held::Holds => return,
        }
        let next = self.keys.next(&live.saga);
        self.start_next(next, depth);
    }

    /// Starts those whose holder was set aside while no launcher ran \[L9\]: nobody gives its keys
    /// free for them any more.
    pub(super) fn free_stranded(&mut self) {
        let queued = self.live.values().filter(|live| live.saga.state == State::Queued);
        let queued: Vec<SagaId> = queued.map(|live| live.saga.id).collect();
        self.start_next(queued, 0);
    }

    fn start_next(&mut self, waiting: impl IntoIterator<Item = SagaId>, depth: usize) {
        for next in waiting {
            let Some(waiting) = self.live.get(&next) else { continue };
            if !self.keys.is_next(&waiting.saga) {
                continue;
            }
            let due = self.deadline(&waiting.plan, waiting.saga.parent.as_deref());
            let Saga { name, parent, observes, .. } = &waiting.saga;
            let (name, parent, observes) = (name.clone(), parent.clone(), *observes);
            self.push_saga(next, Record::Dequeued(Dequeued { name, due, parent, observes }));
            self.decide(next, Input::Start, depth);
        }
    }
}

impl Newcomer {
    /// The outermost caller above a sub-saga.
    pub(super) fn family(&self) -> Option<SagaId> {
        self.asker.parent.as_ref().map(|parent| parent.root)
    }
}

impl Live {
    pub(super) fn new(saga: Saga, plan: Arc<Plan>, row: RowState) -> Live {
        Live {
            saga,
            plan,
            due: None,
            waits: Vec::<routing::Wait>::new(),
            owed: Vec::new(),
            held: keys::Held::Nothing,
            row,
            touched: false,
            clash: None,
        }
    }
}

fn fits(trigger: &EventTrigger, fields: &Value) -> bool {
    let scope = BeginScope { trigger: fields, input: &Value::Null };
    let fits = |when| expr::eval_bool(when, &scope).unwrap_or(false);
    trigger.when.as_ref().is_none_or(fits)
}

/// Reads the input, asks the guards, finds the keys: all before anything exists \[R10\].
fn newcomer(
    plan: &Arc<Plan>,
    trigger: &Arc<str>,
    fields: &Arc<Value>,
    templates: &[(Arc<str>, Template)],
    asker: Asker,
) -> Result<Newcomer, Refusal> {
    let bad = |what: &str, error: EvalError| {
        let message = format!("`{what}` of saga `{}` cannot be evaluated: {error}", plan.name);
        Refusal::new(RefusalCode::Refused, message)
    };
    let scope = BeginScope { trigger: fields, input: &Value::Null };
    let values = |fields, scope: &BeginScope<'_>| {
        expr::eval_fields(fields, scope).map_err(|(name, error)| bad(name, error))
    };
    let input = Arc::new(Value::Object(values(templates, &scope)?));
    let scope = BeginScope { trigger: fields, input: &input };
    for guard in &plan.require {
        if !expr::eval_bool(&guard.that, &scope).map_err(|error| bad("require", error))? {
            let words = guard.otherwise.eval(&scope).map_err(|error| bad("otherwise", error))?;
            let words = words.as_str().map_or_else(|| words.to_string(), str::to_owned);
            return Err(Refusal::new(RefusalCode::Refused, words));
        }
    }
    let vars = values(&plan.vars, &scope)?;
    Ok(Newcomer {
        plan: plan.clone(),
        trigger: trigger.clone(),
        fields: fields.clone(),
        keys: keys_of(plan, &scope).map_err(|error| bad("key", error))?,
        input,
        vars,
        asker,
    })
}

/// What the newcomer contends for; without a `key` it is the name, which all keys stand under
/// anyway.
fn keys_of(plan: &Plan, scope: &BeginScope<'_>) -> Result<Vec<Value>, EvalError> {
    if plan.eviction.key.is_empty() {
        return Ok(vec![Value::Null]);
    }
    let mut keys = Vec::new();
    for key in &plan.eviction.key {
        let value = expr::eval(key, scope)?.into_owned();
        // A list contends by its elements; one key and a list of one are the same.
        if let Value::Array(elements) = value {
            keys.extend(elements);
        } else {
            keys.push(value);
        }
    }
    keys.dedup();
    Ok(keys)
}
