//! Report ids that were seen, so that a repetition does nothing \[W9\]. A fold of the records that
//! carried them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::ids::{SagaId, Seq};
use crate::limits::{DEDUP_PER_NAME, DEDUP_TOTAL};
use crate::saga::record::Dedup as Carried;
use crate::time::{Millis, Timestamp};

/// What a seen id was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `accepted` with that version.
    Accepted(Seq),
    /// `saga_accepted` with that id.
    Saga(SagaId),
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    digest: u64,
    answer: Answer,
    at: Timestamp,
}

/// The window of seen ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dedup {
    seen: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Seen>>,
    order: VecDeque<(Timestamp, Arc<str>, Arc<str>)>,
}

impl Dedup {
    /// What that id was answered, and whether its content was the same.
    #[must_use]
    pub fn find(&self, client: &str, carried: &Carried) -> Option<(Answer, bool)> {
        let seen = self.seen.get(client)?.get(&carried.id)?;
        Some((seen.answer, seen.digest == carried.digest))
    }

    /// Forgets what is too old: an id is good for the same time whether or not others came after
    /// it.
    pub fn expire(&mut self, now: Timestamp, window: Millis) {
        while let Some((oldest, ..)) = self.order.front()
            && now.since(*oldest) > window
        {
            self.forget(0);
        }
    }

    /// Remembers an id, and forgets what is too old or too much.
    pub fn insert(
        &mut self,
        client: &Arc<str>,
        carried: &Carried,
        answer: Answer,
        at: Timestamp,
        window: Millis,
    ) {
        self.expire(at, window);
        let of_client = self.seen.entry(client.clone()).or_default();
        let seen = Seen { digest: carried.digest, answer, at };
        if of_client.insert(carried.id.clone(), seen).is_none() {
            self.order.push_back((at, client.clone(), carried.id.clone()));
        }
        if self.seen.get(client).is_some_and(|ids| ids.len() > DEDUP_PER_NAME) {
            self.forget_oldest_of(client);
        }
        while self.order.len() > DEDUP_TOTAL {
            self.forget(0);
        }
    }

    fn forget_oldest_of(&mut self, client: &Arc<str>) {
        if let Some(at) = self.order.iter().position(|(_, name, _)| name == client) {
            self.forget(at);
        }
    }

    fn forget(&mut self, at: usize) {
        let Some((_, client, id)) = self.order.remove(at) else { return };
        if let Some(ids) = self.seen.get_mut(&client) {
            ids.remove(&id);
            if ids.is_empty() {
                self.seen.remove(&client);
            }
        }
    }
}
