//! A log whose commits fail on demand, for tests of what the launcher then does. It stores nothing
//! itself, and a turn that it fails never reaches the log behind it.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::log::error::{AppendError, ReadError};
use crate::log::{
    DefinitionRow, EachRow, EachSaga, Filter, HighWater, Known, Log, LogRead, Retention, SagaRow,
    StoredSaga, Swept, Turn, World,
};
use crate::time::Timestamp;

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// As on a full disk: rolled back whole, may be tried again.
    Full,
    /// As after a failed sync: nobody knows.
    Fatal,
}

/// A log with faults to come.
#[derive(Debug)]
pub struct FaultyLog<L> {
    inner: L,
    tries: u64,
    faults: BTreeMap<u64, Fault>,
    read_whole: Cell<u64>,
}

impl<L: Log> FaultyLog<L> {
    /// Wraps `inner`; try number `n` to commit a turn or to forget something, counted from one,
    /// fails as `faults` say.
    pub fn new(inner: L, faults: impl IntoIterator<Item = (u64, Fault)>) -> Self {
        let (faults, read_whole) = (faults.into_iter().collect(), Cell::new(0));
        FaultyLog { inner, tries: 0, faults, read_whole }
    }

    /// How many sagas were read with all their records.
    pub fn read_whole(&self) -> u64 {
        self.read_whole.get()
    }

    fn attempt(&mut self) -> Result<(), AppendError> {
        self.tries += 1;
        let why = format!("try {} was asked to fail", self.tries);
        match self.faults.get(&self.tries) {
            None => Ok(()),
            Some(Fault::Full) => Err(AppendError::Full { why }),
            Some(Fault::Fatal) => Err(AppendError::Fatal { why }),
        }
    }

    /// The log behind.
    pub fn into_inner(self) -> L {
        self.inner
    }
}

impl<L: Log> LogRead for FaultyLog<L> {
    fn high_water(&self) -> Result<HighWater, ReadError> {
        self.inner.high_water()
    }

    fn world(&self) -> Result<Option<World>, ReadError> {
        self.inner.world()
    }

    fn known(&self) -> Result<Vec<Known>, ReadError> {
        self.inner.known()
    }

    fn open_sagas(&self, each: EachSaga<'_>) -> Result<(), ReadError> {
        self.inner.open_sagas(each)
    }

    fn incidents(&self, each: EachSaga<'_>) -> Result<(), ReadError> {
        self.inner.incidents(each)
    }

    fn saga(&self, id: SagaId) -> Result<Option<StoredSaga>, ReadError> {
        self.read_whole.set(self.read_whole.get() + 1);
        self.inner.saga(id)
    }

    fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<SagaRow>, ReadError> {
        self.inner.list(filter, limit)
    }

    fn rows_since(&self, since: Seq, each: EachRow<'_>) -> Result<(), ReadError> {
        self.inner.rows_since(since, each)
    }

    fn recent_from(&self, oldest: Timestamp, limit: u64) -> Result<Seq, ReadError> {
        self.inner.recent_from(oldest, limit)
    }

    fn rows_with_ids(
        &self,
        oldest: Timestamp,
        limit: usize,
        each: EachRow<'_>,
    ) -> Result<(), ReadError> {
        self.inner.rows_with_ids(oldest, limit, each)
    }

    fn definition(&self, hash: &DefinitionHash) -> Result<Option<DefinitionRow>, ReadError> {
        self.inner.definition(hash)
    }

    fn full_check(&self) -> Result<Vec<String>, ReadError> {
        self.inner.full_check()
    }
}

impl<L: Log> Log for FaultyLog<L> {
    fn append(&mut self, turn: &Turn) -> Result<(), AppendError> {
        if turn.is_empty() {
            return Ok(());
        }
        self.attempt()?;
        self.inner.append(turn)
    }

    fn commits(&self) -> u64 {
        self.inner.commits()
    }

    fn sweep(&mut self, now: Timestamp, keep: &Retention) -> Result<Swept, AppendError> {
        self.attempt()?;
        self.inner.sweep(now, keep)
    }

    fn close(self: Box<Self>) -> Result<(), AppendError> {
        Box::new(self.inner).close()
    }
}
