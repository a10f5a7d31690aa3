//! Who holds which key, and who waits for it \[R17, R18, R24\]: a question asked of the open sagas,
//! never a counter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::expr::key_text;
use crate::ids::SagaId;
use crate::saga::record::State;
use crate::saga::state::Saga;

use super::Live;

/// What a saga is to its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing, any more or yet.
    #[default]
    Nothing,
    /// It waits for them.
    Waits,
    /// It holds them.
    Holds,
}

/// Those that wait for some keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// How many.
    pub(super) count: u64,
    /// The one that has waited longest.
    pub(super) first: Option<SagaId>,
}

#[derive(Clone, Debug, Default)]
struct Contenders {
    holders: BTreeSet<SagaId>,
    queue: BTreeSet<SagaId>,
}

/// Holders and waiting sagas, by name and key.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    by_key: BTreeMap<(Arc<str>, String), Contenders>,
}

/// The texts of a saga's keys; a saga without keys contends under its name alone.
fn texts(keys: &[Value]) -> Vec<String> {
    keys.iter().map(|key| key_text(key).into_owned()).collect()
}

impl Keys {
    /// Brings a saga's part up to date.
    pub(super) fn change(&mut self, id: SagaId, live: &mut Live) {
        let held = if live.saga.state == State::Queued {
            Held::Waits
        } else if live.saga.is_active() {
            Held::Holds
        } else {
            Held::Nothing
        };
        if held == live.held {
            return;
        }
        for text in texts(&live.saga.keys) {
            let key = (live.saga.name.clone(), text);
            let contenders = self.by_key.entry(key.clone()).or_default();
            contenders.holders.remove(&id);
            contenders.queue.remove(&id);
            match held {
                Held::Nothing => {}
                Held::Waits => {
                    contenders.queue.insert(id);
                }
                Held::Holds => {
                    contenders.holders.insert(id);
                }
            }
            if contenders.holders.is_empty() && contenders.queue.is_empty() {
                self.by_key.remove(&key);
            }
        }
        live.held = held;
    }

    /// Takes a saga out whose keys are about to change.
    pub(super) fn forget(&mut self, id: SagaId, live: &mut Live) {
        for text in texts(&live.saga.keys) {
            let key = (live.saga.name.clone(), text);
            let Some(contenders) = self.by_key.get_mut(&key) else { continue };
            contenders.holders.remove(&id);
            contenders.queue.remove(&id);
            if contenders.holders.is_empty() && contenders.queue.is_empty() {
                self.by_key.remove(&key);
            }
        }
        live.held = Held::Nothing;
    }

    /// Sagas of that name that hold one of the keys.
    pub(super) fn holders(&self, name: &Arc<str>, keys: &[Value]) -> BTreeSet<SagaId> {
        self.find(name, keys, |contenders| &contenders.holders)
    }

    /// Sagas of that name that wait for one of the keys, in order.
    pub(super) fn queue(&self, name: &Arc<str>, keys: &[Value]) -> BTreeSet<SagaId> {
        self.find(name, keys, |contenders| &contenders.queue)
    }

    fn find(
        &self,
        name: &Arc<str>,
        keys: &[Value],
        pick: impl Fn(&Contenders) -> &BTreeSet<SagaId>,
    ) -> BTreeSet<SagaId> {
        let contenders =
            texts(keys).into_iter().filter_map(|text| self.by_key.get(&(name.clone(), text)));
        contenders.flat_map(|contenders| pick(contenders).iter().copied()).collect()
    }

    /// How many sagas of that name wait for one of the keys, and which came first.
    pub(super) fn waiting(&self, name: &Arc<str>, keys: &[Value]) -> Waiting {
        // One key is the common case, and its queue may be long.
        if let [key] = keys {
            let queue = self.by_key.get(&(name.clone(), key_text(key).into_owned()));
            let queue = queue.map(|contenders| &contenders.queue);
            return Waiting {
                count: queue.map_or(0, BTreeSet::len) as u64,
                first: queue.and_then(|queue| queue.first().copied()),
            };
        }
        let queue = self.queue(name, keys);
        Waiting { count: queue.len() as u64, first: queue.first().copied() }
    }

    /// Sagas that have waited longest for one of the keys that this one had.
    pub(super) fn next(&self, saga: &Saga) -> BTreeSet<SagaId> {
        self.of(saga).filter_map(|contenders| contenders.queue.first().copied()).collect()
    }

    /// Whether a waiting saga's turn has come: nobody holds its keys, and nobody waits longer.
    pub(super) fn is_next(&self, saga: &Saga) -> bool {
        self.of(saga).all(|contenders| {
            contenders.holders.is_empty() && contenders.queue.first() == Some(&saga.id)
        })
    }

    fn of(&self, saga: &Saga) -> impl Iterator<Item = &Contenders> {
        let keys = texts(&saga.keys).into_iter();
        keys.filter_map(|text| self.by_key.get(&(saga.name.clone(), text)))
    }
}
