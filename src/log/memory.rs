//! The log in memory, for simulated worlds: same promises, same refusals, and nothing survives the
//! process. The contract tests hold it to what the SQLite log does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use crate::ids::{ClientId, DefinitionHash, SagaId, Seq, SessionNo};
use crate::log::error::{AppendError, ReadError};
use crate::log::retention::BATCH;
use crate::log::{
    DefinitionRow, EachRow, EachSaga, Filter, HighWater, Known, Log, LogRead, Mark, Retention, Row,
    SagaRow, SagaWrite, StoredSaga, Swept, Turn, World,
};
use crate::time::{Millis, Timestamp};

/// A log that a simulated crash does not lose: clone it, or keep it while its launcher is dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryLog {
    definitions: BTreeMap<DefinitionHash, DefinitionRow>,
    sagas: BTreeMap<SagaId, SagaRow>,
    rows: BTreeMap<Seq, Row>,
    rows_of: BTreeMap<SagaId, Vec<Seq>>,
    ids: BTreeSet<Seq>,
    marks: BTreeMap<Mark, u64>,
    world: Option<World>,
    known: BTreeMap<(Arc<str>, Arc<str>), String>,
    commits: u64,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        MemoryLog::default()
    }

    /// Refuses what the SQLite log refuses, before anything is changed.
    fn judge(&self, turn: &Turn) -> Result<(), String> {
        let mut definitions: Vec<_> = turn.definitions.iter().map(|row| &row.hash).collect();
        definitions.sort();
        let mut born = Vec::new();
        for saga in &turn.sagas {
            match saga {
                SagaWrite::Create(saga) => {
                    let id = saga.saga_id;
                    if self.sagas.contains_key(&id) || born.contains(&id) {
                        return Err(format!("saga {id} exists already"));
                    }
                    let hash = &saga.definition;
                    if !self.definitions.contains_key(hash)
                        && definitions.binary_search(&hash).is_err()
                    {
                        return Err(format!("saga {id} uses a definition that nobody wrote"));
                    }
                    born.push(id);
                }
                SagaWrite::Update { saga_id, .. } => {
                    if !self.sagas.contains_key(saga_id) && !born.contains(saga_id) {
                        let what = "changes, but the log has no such saga";
                        return Err(format!("saga {saga_id} {what}"));
                    }
                }
            }
        }
        let mut numbers = Vec::new();
        for row in &turn.rows {
            if self.rows.contains_key(&row.seq) || numbers.contains(&row.seq) {
                return Err(format!("record {} exists already", row.seq));
            }
            numbers.push(row.seq);
            if let Some(id) = row.saga_id
                && !self.sagas.contains_key(&id)
                && !born.contains(&id)
            {
                return Err(format!(
                    "record {} belongs to saga {id}, which does not exist",
                    row.seq
                ));
            }
        }
        Ok(())
    }

    fn raise(&mut self, mark: Mark, to: u64) {
        let value = self.marks.entry(mark).or_default();
        *value = to.max(*value);
    }

    fn stored(&self, saga: &SagaRow) -> StoredSaga {
        let numbers = self.rows_of.get(&saga.saga_id).into_iter().flatten();
        let rows = numbers.filter_map(|seq| self.rows.get(seq)).cloned().collect();
        StoredSaga { saga: saga.clone(), rows: Ok(rows) }
    }

    fn each(&self, wanted: impl Fn(&SagaRow) -> bool, each: EachSaga<'_>) {
        for saga in self.sagas.values().filter(|saga| wanted(saga)) {
            if each(self.stored(saga)).is_break() {
                return;
            }
        }
    }

    fn free_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(|row| row.saga_id.is_none())
    }

    /// Removes a row; what is newer than it may still be there, yet the past is no longer whole.
    fn forget(&mut self, seq: Seq) {
        self.ids.remove(&seq);
        if let Some(row) = self.rows.remove(&seq) {
            self.raise(Mark::Forgotten, row.last().0);
        }
    }
}

impl LogRead for MemoryLog {
    fn high_water(&self) -> Result<HighWater, ReadError> {
        let mark = |mark| self.marks.get(&mark).copied().unwrap_or(0);
        let time = i64::try_from(mark(Mark::Time)).unwrap_or(i64::MAX);
        Ok(HighWater {
            seq: Seq(mark(Mark::Seq)),
            saga_id: SagaId(mark(Mark::SagaId)),
            client_id: ClientId(mark(Mark::ClientId)),
            session: SessionNo(mark(Mark::Session)),
            time: Timestamp(time),
            forgotten: Seq(mark(Mark::Forgotten)),
        })
    }

    fn world(&self) -> Result<Option<World>, ReadError> {
        Ok(self.world.clone())
    }

    fn known(&self) -> Result<Vec<Known>, ReadError> {
        let all = self.known.iter().map(|((target, name), body)| Known {
            target: target.clone(),
            name: name.clone(),
            body: Some(body.clone()),
        });
        Ok(all.collect())
    }

    fn open_sagas(&self, each: EachSaga<'_>) -> Result<(), ReadError> {
        self.each(|saga| saga.progress.is_open(), each);
        Ok(())
    }

    fn incidents(&self, each: EachSaga<'_>) -> Result<(), ReadError> {
        self.each(|saga| saga.progress.is_incident(), each);
        Ok(())
    }

    fn saga(&self, id: SagaId) -> Result<Option<StoredSaga>, ReadError> {
        Ok(self.sagas.get(&id).map(|saga| self.stored(saga)))
    }

    fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<SagaRow>, ReadError> {
        let Filter { states, name, before } = filter;
        let wanted = |saga: &&SagaRow| {
            before.is_none_or(|before| saga.saga_id < before)
                && name.as_ref().is_none_or(|name| *name == saga.name)
                && (states.is_empty() || states.contains(&saga.progress.state))
        };
        Ok(self.sagas.values().rev().filter(wanted).take(limit).cloned().collect())
    }

    fn rows_since(&self, since: Seq, each: EachRow<'_>) -> Result<(), ReadError> {
        let first = self.rows.range(..=since).next_back().filter(|(_, row)| row.last() > since);
        let later = self.rows.range((Excluded(since), Unbounded));
        for (_, row) in first.into_iter().chain(later) {
            if each(Ok(row.clone())).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn recent_from(&self, oldest: Timestamp, limit: u64) -> Result<Seq, ReadError> {
        let mut taken = 0;
        let mut first = self.high_water()?.seq.next();
        for (seq, row) in self.rows.iter().rev() {
            taken += u64::from(row.n);
            if row.at < oldest || taken > limit {
                break;
            }
            first = *seq;
        }
        Ok(first)
    }

    fn rows_with_ids(
        &self,
        oldest: Timestamp,
        limit: usize,
        each: EachRow<'_>,
    ) -> Result<(), ReadError> {
        let newest = self.ids.iter().rev().filter_map(|seq| self.rows.get(seq));
        let found: Vec<&Row> = newest.take_while(|row| row.at >= oldest).take(limit).collect();
        for row in found.into_iter().rev() {
            if each(Ok(row.clone())).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn definition(&self, hash: &DefinitionHash) -> Result<Option<DefinitionRow>, ReadError> {
        Ok(self.definitions.get(hash).cloned())
    }

    fn full_check(&self) -> Result<Vec<String>, ReadError> {
        Ok(Vec::new())
    }
}

impl Log for MemoryLog {
    fn append(&mut self, turn: &Turn) -> Result<(), AppendError> {
        if turn.is_empty() {
            return Ok(());
        }
        self.judge(turn).map_err(|why| AppendError::Fatal { why })?;
        for row in &turn.definitions {
            self.definitions.entry(row.hash.clone()).or_insert_with(|| row.clone());
        }
        for saga in &turn.sagas {
            match saga {
                SagaWrite::Create(saga) => {
                    self.raise(Mark::SagaId, saga.saga_id.0);
                    self.sagas.insert(saga.saga_id, saga.clone());
                }
                SagaWrite::Update { saga_id, progress } => {
                    let saga = self.sagas.get_mut(saga_id).expect("judged above to exist");
                    saga.progress = progress.clone();
                }
            }
        }
        for row in &turn.rows {
            self.raise(Mark::Seq, row.last().0);
            self.raise(Mark::Time, u64::try_from(row.at.0).unwrap_or(0));
            if let Some(id) = row.saga_id {
                self.rows_of.entry(id).or_default().push(row.seq);
            }
            self.rows.insert(row.seq, row.clone());
        }
        self.ids.extend(&turn.ids);
        for (mark, value) in &turn.marks {
            self.raise(*mark, *value);
        }
        self.world = turn.world.clone().or(self.world.take());
        for Known { target, name, body } in &turn.known {
            let key = (target.clone(), name.clone());
            match body {
                Some(body) => drop(self.known.insert(key, body.clone())),
                None => drop(self.known.remove(&key)),
            }
        }
        self.commits += 1;
        Ok(())
    }

    fn commits(&self) -> u64 {
        self.commits
    }

    fn sweep(&mut self, now: Timestamp, keep: &Retention) -> Result<Swept, AppendError> {
        let old = |at: Timestamp, kept: Millis| at + kept < now;
        let sagas: Vec<SagaId> = self
            .sagas
            .values()
            .filter(|saga| {
                let progress = &saga.progress;
                !progress.is_incident()
                    && progress
                        .ended_at
                        .is_some_and(|end| old(progress.resolved_at.unwrap_or(end), keep.sagas))
            })
            .map(|saga| saga.saga_id)
            .take(BATCH + 1)
            .collect();
        for id in sagas.iter().take(BATCH) {
            self.sagas.remove(id);
            for seq in self.rows_of.remove(id).unwrap_or_default() {
                self.forget(seq);
            }
        }
        let kept: u64 = self.free_rows().map(|row| u64::from(row.n)).sum();
        let mut excess = kept.saturating_sub(keep.events_max);
        let mut rows = Vec::new();
        let folded = self.world.as_ref().map_or(Seq(0), |world| world.seq);
        for row in self.free_rows().take_while(|row| row.last() <= folded) {
            let n = u64::from(row.n);
            if !old(row.at, keep.events) && excess < n || rows.len() > BATCH {
                break;
            }
            excess = excess.saturating_sub(n);
            rows.push((row.seq, n));
        }
        let finished = sagas.len() <= BATCH && rows.len() <= BATCH;
        rows.truncate(BATCH);
        for (seq, _) in &rows {
            self.forget(*seq);
        }
        let records = rows.iter().map(|(_, n)| n).sum();
        Ok(Swept { sagas: sagas.len().min(BATCH) as u64, records, finished })
    }

    fn close(self: Box<Self>) -> Result<(), AppendError> {
        Ok(())
    }
}
