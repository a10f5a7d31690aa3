//! Rebuilding from the log: the same fold as live \[R3\], fed with records that somebody else read.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::definition::catalog::Catalog;
use crate::ids::{ClientId, SagaId, Seq, SessionNo};
use crate::plan::Plan;
use crate::saga::apply::Corrupt;
use crate::saga::record::Record;
use crate::saga::state::Saga;
use crate::saga::targets::Target;
use crate::time::Timestamp;

use super::leaps::Leaps;
use super::turn::RowState;
use super::{Coordinator, Live, World};

/// Numbers that never fall, as the log keeps them \[L10\].
#[derive(Clone, Copy, Debug, Default)]
pub struct Restored {
    /// The last record.
    pub seq: Seq,
    /// The highest saga id.
    pub saga: SagaId,
    /// The highest client id.
    pub client: ClientId,
    /// The highest session number.
    pub session: SessionNo,
    /// The newest record's time \[R9\].
    pub time: Timestamp,
}

impl Coordinator {
    /// Takes up the numbers.
    pub fn restore_numbers(&mut self, numbers: Restored) {
        let world = &mut self.world;
        world.next_seq = world.next_seq.max(numbers.seq.next());
        world.next_saga = world.next_saga.max(numbers.saga.next());
        world.next_client = world.next_client.max(numbers.client.next());
        world.next_session = world.next_session.max(numbers.session.next());
        self.now = self.now.max(numbers.time);
        self.restored_at = Some(numbers.time).filter(|_| numbers.seq > Seq(0));
    }

    /// Takes up the snapshot of what belongs to no saga.
    ///
    /// # Errors
    /// It is not such a snapshot; the launcher must not start then.
    pub fn restore_world(&mut self, snapshot: &Value) -> Result<(), String> {
        self.world.restore(snapshot).ok_or_else(|| "the `world` mark cannot be read".to_owned())
    }

    /// Folds a record of no saga, or the event in a saga's row: for the window of report ids.
    pub fn restore_record(&mut self, seq: Seq, at: Timestamp, record: &Record) {
        self.world.apply(seq, at, record);
    }

    /// Folds a record that began a saga or joined one: for the window of report ids.
    pub fn restore_asked(&mut self, id: SagaId, at: Timestamp, record: &Record) {
        if let Record::Began(began) = record {
            self.world.apply_began(id, at, began);
        } else if let Record::Joined(joined) = record {
            self.world.apply_joined(id, at, joined);
        }
    }

    /// Folds one saga.
    ///
    /// # Errors
    /// Its records contradict its plan; it harms no other \[L9\].
    pub fn restore_saga(
        &mut self,
        id: SagaId,
        plan: Arc<Plan>,
        records: &[(Seq, Timestamp, Record)],
    ) -> Result<(), Corrupt> {
        let saga = fold(id, &plan, records)?;
        if saga.is_open() || saga.is_incident() {
            self.adopt(saga, plan);
        }
        Ok(())
    }

    fn adopt(&mut self, saga: Saga, plan: Arc<Plan>) {
        self.note_older(&plan);
        let id = saga.id;
        let mut live = Box::new(Live::new(saga, plan, RowState::Clean));
        // Nothing that people see of it changes.
        live.touched = true;
        self.live.insert(id, live);
        self.refresh(id);
        if let Some(live) = self.live.get_mut(&id) {
            live.touched = false;
        }
    }

    /// Counts a saga of a text that is not loaded any more: its declarations hold while it is open
    /// \[L4\].
    pub(super) fn note_older(&mut self, plan: &Arc<Plan>) {
        let current = self.definitions.get(&plan.name).map(|current| &current.hash);
        if current != Some(&plan.hash) {
            self.older.entry(plan.hash.clone()).or_insert((plan.clone(), 0)).1 += 1;
        }
    }

    /// What a launcher is that comes back on the log that this one leaves, where that log's fold is
    /// known to be what lives here \[R3\]: rehearsals need not fold it anew. `newest`: when its
    /// newest record was made.
    #[must_use]
    pub fn reborn(
        &self,
        catalog: Arc<Catalog>,
        plans: Vec<Arc<Plan>>,
        newest: Timestamp,
    ) -> Coordinator {
        let mut reborn = Coordinator::new(catalog, plans);
        reborn.world = self.world.clone();
        reborn.builtin = self.builtin.clone();
        reborn.now = self.now;
        reborn.restored_at = Some(newest);
        reborn.corrupt.clone_from(&self.corrupt);
        for live in self.live.values() {
            reborn.adopt(live.saga.clone(), live.plan.clone());
        }
        reborn
    }

    /// What tells two coordinators apart, if anything: the fold of the log must be the live state
    /// \[R3\].
    #[must_use]
    pub fn difference(&self, other: &Coordinator) -> Option<String> {
        if self.world != other.world {
            return Some(format!("world: {:?}\n   not: {:?}", self.world, other.world));
        }
        if self.builtin != other.builtin {
            return Some(format!("known: {:?}\n   not: {:?}", self.builtin, other.builtin));
        }
        let ids = |of: &Coordinator| of.live.keys().copied().collect::<Vec<_>>();
        if ids(self) != ids(other) {
            return Some(format!("sagas {:?}, not {:?}", ids(self), ids(other)));
        }
        let both = self.live.values().zip(other.live.values());
        both.filter(|(a, b)| a.saga != b.saga || a.owed != b.owed || a.due != b.due)
            .map(|(a, b)| format!("saga: {:?}\n   not: {:?}", a.saga, b.saga))
            .next()
    }

    /// A saga that was set aside once can be folded now: its readable row is to say so.
    pub fn mend_row(&mut self, id: SagaId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.row = RowState::Stale;
            if !std::mem::replace(&mut live.touched, true) {
                self.touched.push(id);
            }
        }
    }

    /// Sets a saga aside \[L9\].
    pub fn set_aside(&mut self, id: SagaId, clash: String) {
        Arc::make_mut(&mut self.corrupt).insert(id, clash);
    }
}

/// Folds a saga's records from nothing.
///
/// # Errors
/// They contradict each other or the plan.
pub fn fold(
    id: SagaId,
    plan: &Plan,
    records: &[(Seq, Timestamp, Record)],
) -> Result<Saga, Corrupt> {
    let mut saga: Option<Saga> = None;
    for (seq, at, record) in records {
        match (&mut saga, record) {
            (None, Record::Began(began)) => saga = Some(Saga::began(id, began, *seq, *at)),
            // The event that moved it lies before it in its row.
            (_, Record::Event(_)) => {}
            (Some(saga), record) => saga.apply(plan, *seq, *at, record)?,
            (None, _) => {
                return Err(Corrupt {
                    state: format!("saga {id} has not begun"),
                    record: format!("record {seq} speaks of it"),
                });
            }
        }
    }
    saga.ok_or_else(|| Corrupt {
        state: format!("saga {id} has a row"),
        record: "the log has no `began` of it".to_owned(),
    })
}

impl World {
    /// What retention may forget the records of, as JSON.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let targets: serde_json::Map<String, Value> = self
            .targets
            .iter()
            .map(|(name, target)| {
                let Target { open, closed, closed_at } = target;
                let json = json!({"open": open, "closed": closed, "closed_at": closed_at});
                (name.to_string(), json)
            })
            .collect();
        let schedules = self.schedules.iter().map(|((saga, text), at)| json!([saga, text, at]));
        let schedules: Value = schedules.collect();
        json!({
            "targets": targets, "stopped": self.stopped_cleanly, "leaps": self.leaps.snapshot(),
            "schedules": schedules,
        })
    }

    fn restore(&mut self, snapshot: &Value) -> Option<()> {
        let number = |value: &Value| {
            if value.is_null() { Some(None) } else { value.as_u64().map(Some) }
        };
        for (name, target) in snapshot.get("targets")?.as_object()? {
            let closed_at = target.get("closed_at")?;
            let closed_at = match closed_at.is_null() {
                true => None,
                false => Some(Timestamp(closed_at.as_i64()?)),
            };
            let target = Target {
                open: number(target.get("open")?)?.map(SessionNo),
                closed: number(target.get("closed")?)?.map(Seq),
                closed_at,
            };
            self.targets.restore(Arc::from(&**name), target);
        }
        self.stopped_cleanly = snapshot.get("stopped")?.as_bool()?;
        for entry in snapshot.get("schedules").into_iter().filter_map(Value::as_array).flatten() {
            let text = |place: usize| entry.get(place).and_then(Value::as_str).map(Arc::from);
            let at = entry.get(2)?.as_i64().map(Timestamp)?;
            self.schedules.insert((text(0)?, text(1)?), at);
        }
        if let Some(leaps) = snapshot.get("leaps") {
            self.leaps = Leaps::restore(leaps)?;
        }
        Some(())
    }
}
