//! Who holds which key, and who waits for it \[R17, R18, R24\]: a question asked of the open sagas,
//! never a counter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::expr::key_text;
use crate::ids::SagaId;
#[cfg(test)]
use crate::saga::fault::{self, Fault};
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
    /// Its steps are done, and it holds them until its caller cannot undo it: those of that family
    /// go past it, for what it waits for may wait for them.
    HoldsFor(SagaId),
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
    /// Those that hold it; of one that is held, for which family.
    holders: BTreeMap<SagaId, Option<SagaId>>,
    /// Those that wait for it, and their families.
    queue: BTreeMap<SagaId, Option<SagaId>>,
}

impl Contenders {
    /// Whether a saga of that family may go past all that hold the key.
    fn lets_past(&self, family: Option<SagaId>) -> bool {
        self.holders.values().all(|kin| kin.is_some() && *kin == family)
    }

    /// The first that waits, of that family or at all.
    fn first(&self, family: Option<SagaId>) -> Option<SagaId> {
        let mut queue = self.queue.iter();
        let found = queue.find(|(_, its)| family.is_none() || **its == family);
        found.map(|(id, _)| *id)
    }
}

/// Who holds some keys.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Those that stand in the way.
    pub(super) others: BTreeSet<SagaId>,
    /// Whether there are held ones of the asker's family.
    pub(super) kin: bool,
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
        } else if live.saga.is_held() {
            Held::HoldsFor(live.saga.root())
        } else if live.saga.is_active() {
            Held::Holds
        } else {
            Held::Nothing
        };
        #[cfg(test)]
        let freed = fault::is(Fault::KeyFreedEarly) && live.saga.state == State::Compensating;
        #[cfg(test)]
        let held = if freed { Held::Nothing } else { held };
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
                    let family = live.saga.parent.as_ref().map(|parent| parent.root);
                    contenders.queue.insert(id, family);
                }
                Held::Holds => {
                    contenders.holders.insert(id, None);
                }
                Held::HoldsFor(family) => {
                    contenders.holders.insert(id, Some(family));
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

    /// Sagas of that name that hold one of the keys, as a newcomer of that family sees them.
    pub(super) fn holders(
        &self,
        name: &Arc<str>,
        keys: &[Value],
        family: Option<SagaId>,
    ) -> Holders {
        let mut found = Holders::default();
        #[cfg(test)]
        if fault::is(Fault::TwoHold) {
            return found;
        }
        for (id, kin) in self.find(name, keys).flat_map(|contenders| &contenders.holders) {
            if kin.is_some() && *kin == family {
                found.kin = true;
            } else {
                found.others.insert(*id);
            }
        }
        found
    }

    /// Sagas of that name that wait for one of the keys, in order.
    pub(super) fn queue(&self, name: &Arc<str>, keys: &[Value]) -> BTreeSet<SagaId> {
        self.find(name, keys).flat_map(|contenders| contenders.queue.keys().copied()).collect()
    }

    fn find(&self, name: &Arc<str>, keys: &[Value]) -> impl Iterator<Item = &Contenders> {
        let keys = texts(keys).into_iter();
        keys.filter_map(|text| self.by_key.get(&(name.clone(), text)))
    }

    /// How many sagas of that name wait for one of the keys, and which came first.
    pub(super) fn waiting(&self, name: &Arc<str>, keys: &[Value]) -> Waiting {
        // One key is the common case, and its queue may be long.
        if let [key] = keys {
            let queue = self.by_key.get(&(name.clone(), key_text(key).into_owned()));
            let queue = queue.map(|contenders| &contenders.queue);
            return Waiting {
                count: queue.map_or(0, BTreeMap::len) as u64,
                first: queue.and_then(|queue| queue.keys().next().copied()),
            };
        }
        let queue = self.queue(name, keys);
        Waiting { count: queue.len() as u64, first: queue.first().copied() }
    }

    /// Sagas that have waited longest for one of the keys that this one had, also those that may
    /// go past what is held.
    pub(super) fn next(&self, saga: &Saga) -> BTreeSet<SagaId> {
        let mut next = BTreeSet::new();
        for contenders in self.of(saga) {
            next.extend(contenders.first(None));
            let families = contenders.holders.values().filter(|family| family.is_some());
            next.extend(families.filter_map(|family| contenders.first(*family)));
        }
        next
    }

    /// Whether a waiting saga's turn has come: nobody holds its keys, and nobody waits longer.
    pub(super) fn is_next(&self, saga: &Saga) -> bool {
        let family = saga.parent.as_ref().map(|parent| parent.root);
        self.of(saga).all(|contenders| {
            // Among held ones of its family it waits for nobody else's turn.
            let among = if contenders.holders.is_empty() { None } else { family };
            contenders.lets_past(family) && contenders.first(among) == Some(saga.id)
        })
    }

    fn of(&self, saga: &Saga) -> impl Iterator<Item = &Contenders> {
        self.find(&saga.name, &saga.keys)
    }
}
