//! Report ids that were seen, so that a repetition does nothing \[W9\]. A fold of the records that
//! carried them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::ids::{SagaId, Seq};
use crate::limits::{DEDUP_PER_NAME, DEDUP_TOTAL, DEDUP_WINDOW};
use crate::saga::record::Dedup as Carried;
use crate::time::Timestamp;

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

/// The ids of one client name.
#[derive(Clone, Debug, Default)]
struct OfClient {
    seen: BTreeMap<Arc<str>, Seen>,
    /// Oldest first: a number that counts all ids, when it came, the id.
    order: VecDeque<(u64, Timestamp, Arc<str>)>,
}

/// The window of seen ids. Whatever is forgotten is the first of its client's: nothing is searched,
/// however many ids there are.
#[derive(Clone, Debug, Default)]
pub struct Dedup {
    clients: BTreeMap<Arc<str>, OfClient>,
    /// The first of each client, by its number.
    oldest: BTreeMap<u64, (Timestamp, Arc<str>)>,
    /// How many ids ever came.
    came: u64,
    /// How many are remembered.
    len: usize,
}

/// What is remembered counts, not how many ids there were before: a fold need not see them all.
impl PartialEq for Dedup {
    fn eq(&self, other: &Dedup) -> bool {
        let both = self.clients.iter().zip(&other.clients);
        self.clients.len() == other.clients.len()
            && both.fold(true, |same, ((a, ids), (b, others))| {
                let order = |of: &OfClient| -> Vec<_> {
                    of.order.iter().map(|(_, at, id)| (*at, id.clone())).collect()
                };
                same && a == b && ids.seen == others.seen && order(ids) == order(others)
            })
    }
}

impl Dedup {
    /// What that id was answered, and whether its content was the same.
    #[must_use]
    pub fn find(&self, client: &str, carried: &Carried) -> Option<(Answer, bool)> {
        let seen = self.clients.get(client)?.seen.get(&carried.id)?;
        Some((seen.answer, seen.digest == carried.digest))
    }

    /// Forgets what is too old: an id is good for the same time whether or not others came after
    /// it.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((_, (at, client))) = self.oldest.first_key_value()
            && now.since(*at) > DEDUP_WINDOW
        {
            let client = client.clone();
            self.forget_oldest_of(&client);
        }
    }

    /// Remembers an id, and forgets what is too old or too much.
    pub fn insert(&mut self, client: &Arc<str>, carried: &Carried, answer: Answer, at: Timestamp) {
        self.expire(at);
        let of_client = self.clients.entry(client.clone()).or_default();
        let seen = Seen { digest: carried.digest, answer, at };
        if of_client.seen.insert(carried.id.clone(), seen).is_none() {
            if of_client.order.is_empty() {
                self.oldest.insert(self.came, (at, client.clone()));
            }
            of_client.order.push_back((self.came, at, carried.id.clone()));
            self.came += 1;
            self.len += 1;
        }
        if of_client.order.len() > DEDUP_PER_NAME {
            self.forget_oldest_of(client);
        }
        while self.len > DEDUP_TOTAL
            && let Some((_, (_, client))) = self.oldest.first_key_value()
        {
            let client = client.clone();
            self.forget_oldest_of(&client);
        }
    }

    fn forget_oldest_of(&mut self, client: &Arc<str>) {
        let Some(of_client) = self.clients.get_mut(client) else { return };
        let Some((number, _, id)) = of_client.order.pop_front() else { return };
        of_client.seen.remove(&id);
        self.oldest.remove(&number);
        self.len -= 1;
        match of_client.order.front() {
            Some((next, at, _)) => drop(self.oldest.insert(*next, (*at, client.clone()))),
            None => drop(self.clients.remove(client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window, as an instant after zero.
    const WINDOW: i64 = DEDUP_WINDOW.0.cast_signed();

    /// Ids `0..count` of a client, at one instant.
    fn say(window: &mut Dedup, client: &str, count: usize, at: i64) {
        for id in 0..count {
            let carried = carried(id);
            let answer = Answer::Accepted(Seq(id as u64));
            window.insert(&Arc::from(client), &carried, answer, Timestamp(at));
        }
    }

    fn carried(id: usize) -> Carried {
        Carried { id: id.to_string().into(), digest: 7 }
    }

    /// How many of the ids `0..count` are remembered, and the first of them.
    fn known(window: &Dedup, client: &str, count: usize) -> (usize, Option<usize>) {
        let is_known = |id: &usize| window.find(client, &carried(*id)).is_some();
        ((0..count).filter(is_known).count(), (0..count).find(is_known))
    }

    /// A client at its bound makes room for itself out of its own, at no cost to others: with a
    /// search through all that others said, this would take minutes.
    #[test]
    fn w9_a_client_that_says_too_much_forgets_its_own_oldest() {
        let mut window = Dedup::default();
        for other in 0..8 {
            say(&mut window, &format!("other-{other}"), DEDUP_PER_NAME, 0);
        }
        let much = 30 * DEDUP_PER_NAME;
        say(&mut window, "loud", much, 0);
        let first = much - DEDUP_PER_NAME;
        assert_eq!(known(&window, "loud", much), (DEDUP_PER_NAME, Some(first)));
        assert_eq!(known(&window, "other-0", DEDUP_PER_NAME), (DEDUP_PER_NAME, Some(0)));
    }

    #[test]
    fn w9_beyond_the_bound_of_all_the_oldest_of_all_is_forgotten() {
        let mut window = Dedup::default();
        for client in 0..=DEDUP_TOTAL / DEDUP_PER_NAME {
            say(&mut window, &format!("c-{client}"), DEDUP_PER_NAME, 0);
        }
        assert_eq!(known(&window, "c-0", DEDUP_PER_NAME), (0, None));
        assert_eq!(known(&window, "c-1", DEDUP_PER_NAME), (DEDUP_PER_NAME, Some(0)));
        assert_eq!(window.len, DEDUP_TOTAL);
    }

    #[test]
    fn w9_an_id_is_good_for_its_window_and_no_longer() {
        let mut window = Dedup::default();
        say(&mut window, "a", 2, 0);
        say(&mut window, "b", 1, 600);
        window.expire(Timestamp(WINDOW));
        assert_eq!((known(&window, "a", 2).0, known(&window, "b", 1).0), (2, 1));
        window.expire(Timestamp(WINDOW + 1));
        assert_eq!((known(&window, "a", 2).0, known(&window, "b", 1).0), (0, 1));
        let mut fresh = Dedup::default();
        say(&mut fresh, "b", 1, 600);
        assert_eq!(window, fresh, "what was forgotten leaves no trace");
        window.expire(Timestamp(WINDOW * 2));
        assert_eq!(window, Dedup::default());
    }
}
