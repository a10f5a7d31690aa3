//! From the log to a coordinator: marks, the world, open sagas and incidents, the ids seen lately
//! \[L5\]. Writes nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::{io, thread};

use serde_json::value::RawValue;

use crate::coordinator::{Coordinator, Restored};
use crate::definition::Catalog;
use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::limits::{BOOT_BATCH, BOOT_BATCHES, DEDUP_TOTAL, DEDUP_WINDOW};
use crate::log::{self, LogRead, ReadError, SagaWrite, StoredSaga};
use crate::plan::{Plan, compile_stored};
use crate::saga::record::Record;
use crate::time::Timestamp;
use crate::view::Shown;

use super::rows::{self, brought_id};

/// Newest records among which the processes that came lately are looked for.
const PROCESSES_WITHIN: u64 = 100_000;

/// What stands in the text of each record that brought a client's own id.
const ID_KEY: &str = "\"dedup\"";

/// Why a launcher does not start on its log.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log's own snapshot contradicts its form.
    #[error("{0}")]
    World(String),
    /// The system gives no thread.
    #[error("the launcher cannot start: {0}")]
    Thread(#[source] io::Error),
}

/// Rebuilds a coordinator from a log.
///
/// # Errors
/// The log cannot be read; what is wrong with one saga only sets that saga aside \[L9\].
pub fn restore(
    log: &dyn LogRead,
    catalog: Arc<Catalog>,
    plans: Vec<Arc<Plan>>,
) -> Result<Coordinator, BootError> {
    let known: BTreeMap<DefinitionHash, Arc<Plan>> =
        plans.iter().map(|plan| (plan.hash.clone(), plan.clone())).collect();
    let mut coordinator = Coordinator::new(catalog, plans);
    let marks = log.high_water()?;
    coordinator.restore_numbers(Restored {
        seq: marks.seq,
        saga: marks.saga_id,
        client: marks.client_id,
        session: marks.session,
        time: marks.time,
    });
    if let Some(world) = log.world()? {
        let snapshot = serde_json::from_str(&world.body)
            .map_err(|error| BootError::World(format!("the log's world is no JSON: {error}")))?;
        coordinator.restore_world(&snapshot).map_err(BootError::World)?;
    }
    for known in log.known()? {
        let log::Known { target, name, body } = known;
        let restored = coordinator.restore_known(&target, &name, &body.unwrap_or_default());
        restored.map_err(BootError::World)?;
    }
    restore_ids(log, &mut coordinator, marks.time)?;
    restore_processes(log, &mut coordinator, marks.time)?;
    let mut plans = Plans { log, known, failed: BTreeMap::new() };
    restore_sagas(&mut coordinator, &mut plans)?;
    Ok(coordinator)
}

/// Reads the sagas of the log, while a thread beside folds those that were read: either takes about
/// as long as the other, on a cold disk the reading longer.
fn restore_sagas(coordinator: &mut Coordinator, plans: &mut Plans<'_>) -> Result<(), BootError> {
    thread::scope(|scope| {
        // The reader waits while the folding thread has enough to do. The scope waits for that
        // thread, and it for the sender's end: so the sender belongs in here.
        let (sender, batches) = sync_channel::<Vec<Found>>(BOOT_BATCHES);
        let fold = move || {
            for found in batches.into_iter().flatten() {
                restore_saga(coordinator, found);
            }
        };
        thread::Builder::new().spawn_scoped(scope, fold).map_err(BootError::Thread)?;
        let log = plans.log;
        let mut batch = Vec::new();
        let mut each = |stored: StoredSaga| {
            let plan = plans.get(&stored.saga.definition);
            batch.push(Found { stored, plan });
            if batch.len() == BOOT_BATCH && sender.send(std::mem::take(&mut batch)).is_err() {
                // The other thread panicked, and so will the scope.
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        log.open_sagas(&mut each)?;
        log.incidents(&mut each)?;
        sender.send(batch).ok();
        Ok(())
    })
}

/// A saga of the log, and the plan that it began with or why there is none.
struct Found {
    stored: StoredSaga,
    plan: Result<Arc<Plan>, String>,
}

/// The window of report ids: the newest that could still be asked for again \[W9\]. Under load
/// there are many records for each, so that the newest records would not do.
fn restore_ids(
    log: &dyn LogRead,
    coordinator: &mut Coordinator,
    newest: Timestamp,
) -> Result<(), ReadError> {
    log.rows_with_ids(lately(newest), DEDUP_TOTAL, &mut |row| {
        let Ok(row) = row else { return ControlFlow::Continue(()) };
        let Ok(texts) = row.records::<&RawValue>() else { return ControlFlow::Continue(()) };
        for (seq, text) in (row.seq.0..).map(Seq).zip(texts) {
            // Most records of such a row brought none: to read them all takes three times as long.
            if !text.get().contains(ID_KEY) {
                continue;
            }
            let Ok(record) = serde_json::from_str::<Record>(text.get()) else { continue };
            match (&record, row.saga_id) {
                (Record::Began(_) | Record::Joined(_), Some(id)) => {
                    coordinator.restore_asked(id, row.at, &record);
                }
                _ if brought_id(&record) => coordinator.restore_record(seq, row.at, &record),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    })
}

/// The processes that came lately, for people to see; what follows marks them exited \[W5\].
fn restore_processes(
    log: &dyn LogRead,
    coordinator: &mut Coordinator,
    newest: Timestamp,
) -> Result<(), ReadError> {
    let from = log.recent_from(lately(newest), PROCESSES_WITHIN)?;
    log.rows_since(Seq(from.0.saturating_sub(1)), &mut |row| {
        let Ok(row) = row else { return ControlFlow::Continue(()) };
        if row.saga_id.is_some() {
            return ControlFlow::Continue(());
        }
        let Ok(records) = row.records::<Record>() else { return ControlFlow::Continue(()) };
        for (seq, record) in (row.seq.0..).map(Seq).zip(&records) {
            if let Record::ProcessSpawned(_) | Record::ProcessExited(_) = record {
                coordinator.restore_record(seq, row.at, record);
            }
        }
        ControlFlow::Continue(())
    })
}

fn lately(newest: Timestamp) -> Timestamp {
    Timestamp(newest.0.saturating_sub_unsigned(DEDUP_WINDOW.0))
}

/// Plans of stored sagas: the loaded ones where the text is the same, else compiled from the log
/// \[L4\].
struct Plans<'a> {
    log: &'a dyn LogRead,
    known: BTreeMap<DefinitionHash, Arc<Plan>>,
    failed: BTreeMap<DefinitionHash, String>,
}

impl Plans<'_> {
    fn get(&mut self, hash: &DefinitionHash) -> Result<Arc<Plan>, String> {
        if let Some(plan) = self.known.get(hash) {
            return Ok(plan.clone());
        }
        if let Some(why) = self.failed.get(hash) {
            return Err(why.clone());
        }
        // No text calls itself; a damaged log may say so.
        self.failed.insert(hash.clone(), format!("its definition {hash} calls itself"));
        match self.compile(hash) {
            Ok(plan) => {
                self.failed.remove(hash);
                self.known.insert(hash.clone(), plan.clone());
                Ok(plan)
            }
            Err(why) => {
                self.failed.insert(hash.clone(), why.clone());
                Err(why)
            }
        }
    }

    fn compile(&mut self, hash: &DefinitionHash) -> Result<Arc<Plan>, String> {
        let stored = self.log.definition(hash).map_err(|error| error.to_string())?;
        let stored = stored.ok_or_else(|| format!("the log has no definition {hash}"))?;
        let callees = stored.calls.iter().map(|called| self.get(called));
        let callees = callees.collect::<Result<_, _>>()?;
        let text = (&*stored.name, &*stored.source, &*stored.catalog);
        let plan = compile_stored(text, callees);
        let plan = plan.map_err(|diagnostics| {
            let first = diagnostics.iter().next().map(|found| found.message.clone());
            let first = first.unwrap_or_default();
            format!("its definition {hash} cannot be read by this version: {first}")
        })?;
        // A kept text compiles to what it was: its identity is the stored one.
        Ok(plan)
    }
}

fn restore_saga(coordinator: &mut Coordinator, found: Found) {
    let id = found.stored.saga.saga_id;
    let was_corrupt = found.stored.saga.progress.state == Shown::Corrupt.as_str();
    if let Err(clash) = try_restore(coordinator, id, found) {
        tracing::error!(saga_id = %id, %clash, "a saga is set aside as corrupt");
        coordinator.set_aside(id, clash);
    } else if was_corrupt {
        coordinator.mend_row(id);
    }
}

/// Rows of sagas that were set aside, so that people see it in the log as well \[L9\].
pub(super) fn corrupt_rows(
    log: &dyn LogRead,
    coordinator: &Coordinator,
) -> Result<Vec<SagaWrite>, ReadError> {
    let mut writes = Vec::new();
    for (id, clash) in coordinator.corrupt() {
        let Some(stored) = log.saga(*id)? else { continue };
        if stored.saga.progress.state != Shown::Corrupt.as_str() {
            let progress = rows::corrupt(stored.saga.progress, clash);
            writes.push(SagaWrite::Update { saga_id: *id, progress });
        }
    }
    Ok(writes)
}

fn try_restore(
    coordinator: &mut Coordinator,
    id: SagaId,
    Found { stored, plan }: Found,
) -> Result<(), String> {
    let (rows, plan) = (stored.rows.map_err(|damage| damage.to_string())?, plan?);
    let mut records = Vec::new();
    for row in &rows {
        let read: Vec<Record> = row.records().map_err(|damage| damage.to_string())?;
        let numbered = (row.seq.0..).map(Seq).zip(read);
        records.extend(numbered.map(|(seq, record)| (seq, row.at, record)));
    }
    coordinator.restore_saga(id, plan, &records).map_err(|clash| clash.to_string())
}
