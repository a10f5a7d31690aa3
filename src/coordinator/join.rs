//! Newcomers that are merged into a running saga \[R17\]. What its steps then do is their own
//! decision.

use std::sync::Arc;

use serde_json::Value;

use crate::expr::{self, key_text};
use crate::ids::SagaId;
use crate::plan::Policy;
use crate::saga::decide::SagaScope;
use crate::saga::record::{Joined, Record, State};

use super::begin::{Asker, Newcomer};
use super::keys::Holders;
use super::{Coordinator, Refusal, RefusalCode};

impl Coordinator {
    /// Merges a newcomer into the oldest saga that it contends with and that is on its way forward,
    /// or else into the one that waits first. Where all of them undo or end, it waits for their
    /// end, as the first of those after it.
    pub(super) fn join_or_begin(
        &mut self,
        newcomer: Newcomer,
        depth: usize,
    ) -> Result<SagaId, Refusal> {
        let (name, keys) = (&newcomer.plan.name, &newcomer.keys);
        let Holders { others: holders, kin } = self.keys.holders(name, keys, newcomer.family());
        let waits = !holders.is_empty() || (!kin && self.keys.waiting(name, keys).count > 0);
        // A sub-saga is its caller's own, who may undo it: it is merged into nobody else's.
        if newcomer.asker.parent.is_some() {
            return Ok(self.begin(newcomer, waits, depth));
        }
        let going = holders.iter().copied().filter(|id| self.goes_forward(*id));
        let mut open =
            going.chain(self.keys.queue(name, keys)).filter(|id| self.may_be_joined(*id));
        match open.next() {
            Some(id) => self.join(id, newcomer),
            None => Ok(self.begin(newcomer, waits, depth)),
        }
    }

    fn goes_forward(&self, id: SagaId) -> bool {
        self.live.get(&id).is_some_and(|live| {
            let saga = &live.saga;
            saga.state == State::Running && saga.verdict.is_none() && saga.held.is_none()
        })
    }

    /// A saga of an older definition may know another policy: it is waited for.
    fn may_be_joined(&self, id: SagaId) -> bool {
        self.live.get(&id).is_some_and(|live| live.plan.eviction.policy == Policy::Join)
    }

    /// The saga's own definition says what is saved: it may be older than the newcomer's.
    fn join(&mut self, id: SagaId, newcomer: Newcomer) -> Result<SagaId, Refusal> {
        let keys = self.free_keys(&newcomer);
        let Some(live) = self.live.get_mut(&id) else { return Ok(id) };
        let scope = SagaScope::new(&live.saga, &live.plan, self.now, Some(&newcomer.fields));
        let save = expr::eval_fields(&live.plan.eviction.save, &scope).map_err(|(_, error)| {
            let message =
                format!("`save` of saga {id}, which it would join, has no value: {error}");
            Refusal::new(RefusalCode::Refused, message)
        })?;
        let Newcomer { trigger, fields, asker, .. } = newcomer;
        let Asker { client, dedup, .. } = asker;
        let joined = Joined { trigger, fields, keys, save, client, dedup };
        self.world.apply_joined(id, self.now, &joined);
        self.keys.forget(id, live);
        self.push_saga(id, Record::Joined(Box::new(joined)));
        Ok(id)
    }

    /// Those of the newcomer's keys that nobody holds: the saga that it joins holds them from now
    /// on, so that the next one of these joins it too \[R24\].
    fn free_keys(&self, newcomer: &Newcomer) -> Vec<Value> {
        let name: &Arc<str> = &newcomer.plan.name;
        let is_free = |key: &&Value| {
            let key = std::slice::from_ref(*key);
            self.keys.holders(name, key, None).others.is_empty()
                && self.keys.waiting(name, key).count == 0
        };
        let mut free: Vec<Value> = newcomer.keys.iter().filter(is_free).cloned().collect();
        free.sort_by_cached_key(|key| key_text(key).into_owned());
        free.dedup_by_key(|key| key_text(key).into_owned());
        free
    }
}
