//! The durable log: what a turn writes, what boot and people read, and the traits that both stores
//! keep. It gives records their place; it does not know what a record means, nor read a clock.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Deserialize;

use crate::ids::{ClientId, DefinitionHash, SagaId, Seq, SessionNo};
use crate::limits::{SWEEP_EVERY, SWEEP_LEAST};
use crate::time::{Millis, Timestamp};

mod error;
mod faulty;
mod kept;
mod memory;
mod migrate;
mod offline;
mod place;
mod read;
mod retention;
mod shm;
mod sqlite;
#[cfg(test)]
mod tests;
mod wal;

pub use error::{AppendError, Damage, OpenError, ReadError};
pub use faulty::{Fault, FaultyLog};
pub use memory::MemoryLog;
pub use offline::LogReader;
pub use sqlite::SqliteLog;

/// A word of a closed list that another floor owns (a state, a cause).
///
/// The log stores the word as people read it; what may follow from it is decided elsewhere. A file
/// may hold any text here, so reading never fails on an unknown one.
pub type Word = Cow<'static, str>;

/// Everything that one turn decided: one transaction, whole or not at all \[L2\].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// Definitions that the turn's new sagas use; one that is known already costs nothing \[L4\].
    pub definitions: Vec<DefinitionRow>,
    /// Births and changes of sagas, in the order in which they happened.
    pub sagas: Vec<SagaWrite>,
    /// The records, in the order of their numbers.
    pub rows: Vec<Row>,
    /// Numbers of those rows, in order, of which a record brought a client's own id: a start looks
    /// for them \[W9\].
    pub ids: Vec<Seq>,
    /// High-water marks that the turn raised and that no row of it shows by itself: client ids and
    /// session numbers. Those of records, sagas and time follow from the rows.
    pub marks: Vec<(Mark, u64)>,
    /// The state that belongs to no saga, when it is worth writing: boot folds the records of no
    /// saga that come after it, and retention takes none of those.
    pub world: Option<World>,
    /// What built-in targets know of the things whose events are among the records \[T4\].
    pub known: Vec<Known>,
}

/// What a built-in target knows of one thing: folded from its events, written with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The target.
    pub target: Arc<str>,
    /// The block or pod; empty: the target's own numbers.
    pub name: Arc<str>,
    /// What is known, as JSON; `None`: nothing any more.
    pub body: Option<String>,
}

impl Turn {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // `ids` says of `rows` what they are.
        let Turn { definitions, sagas, rows, ids: _, marks, world, known } = self;
        definitions.is_empty()
            && sagas.is_empty()
            && rows.is_empty()
            && marks.is_empty()
            && world.is_none()
            && known.is_empty()
    }
}

/// A maximal run of records of one saga, or of none, within a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Number of the first record; record `i` has number `seq + i`.
    pub seq: Seq,
    /// How many records the row holds; never zero.
    pub n: u32,
    /// The saga that the records belong to.
    pub saga_id: Option<SagaId>,
    /// The turn's `now` \[R9\].
    pub at: Timestamp,
    /// A JSON array of `n` records.
    pub body: String,
}

impl Row {
    /// Number of the row's last record.
    #[must_use]
    pub fn last(&self) -> Seq {
        Seq(self.seq.0 + u64::from(self.n.max(1)) - 1)
    }

    /// Reads the records.
    ///
    /// # Errors
    /// The body is not JSON, not an array of `R`, or holds another number of records than `n`.
    pub fn records<'a, R: Deserialize<'a>>(&'a self) -> Result<Vec<R>, Damage> {
        let records: Vec<R> = serde_json::from_str(&self.body)
            .map_err(|error| self.damage(format!("its body cannot be read: {error}")))?;
        if records.len() == self.n as usize {
            return Ok(records);
        }
        Err(self.damage(format!("it says {} records and holds {}", self.n, records.len())))
    }

    fn damage(&self, what: String) -> Damage {
        Damage { saga_id: self.saga_id, seq: Some(self.seq), what }
    }
}

/// A birth or a change of a saga's readable row.
///
/// Two shapes, so that a change need not repeat the input, and so that a saga id that is given out
/// twice is an error and not an overwritten saga \[R8\].
#[derive(Clone, Debug, PartialEq)]
pub enum SagaWrite {
    /// The saga exists from now on; its id must be new.
    Create(SagaRow),
    /// The saga, which must exist, has come this far.
    Update {
        /// Which saga.
        saga_id: SagaId,
        /// All that can change of it.
        progress: Progress,
    },
}

/// What people see of a saga in `select * from saga`.
#[derive(Clone, Debug, PartialEq)]
pub struct SagaRow {
    /// Its id.
    pub saga_id: SagaId,
    /// Its definition's name.
    pub name: Arc<str>,
    /// Its definition's hash; the text is in `definition` \[L4\].
    pub definition: DefinitionHash,
    /// The event that started it, or `call`.
    pub trigger_event: Arc<str>,
    /// Its frozen input, as JSON.
    pub input: String,
    /// When it came to exist, queued or not.
    pub created_at: Timestamp,
    /// What can change.
    pub progress: Progress,
}

/// How far a saga has come: the part of its row that changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Its state \[R16\], or `corrupt` \[L9\].
    pub state: Word,
    /// Why it failed \[R16\].
    pub cause: Option<Word>,
    /// The same in words; for a corrupt one the two facts that clash.
    pub reason: Option<Arc<str>>,
    /// What a caller gets, as JSON.
    pub result: Option<String>,
    /// When it started; absent while it is queued.
    pub started_at: Option<Timestamp>,
    /// When it ended; absent while it is open, and again after an operator's `retry`.
    pub ended_at: Option<Timestamp>,
    /// When an operator settled it, if it was an incident \[R14\].
    pub resolved_at: Option<Timestamp>,
    /// The operator's reason.
    pub resolution: Option<Arc<str>>,
}

impl Progress {
    /// A saga that has only come to be in `state`.
    #[must_use]
    pub fn new(state: impl Into<Word>) -> Self {
        Progress {
            state: state.into(),
            cause: None,
            reason: None,
            result: None,
            started_at: None,
            ended_at: None,
            resolved_at: None,
            resolution: None,
        }
    }

    /// Whether boot has to fold it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Whether an operator has yet to settle it: retention never takes it \[L6, R14\].
    #[must_use]
    pub fn is_incident(&self) -> bool {
        self.state == INCIDENT && self.ended_at.is_some() && self.resolved_at.is_none()
    }
}

/// The state that, ended and unresolved, is an incident \[R14\].
pub const INCIDENT: &str = "failed_compensation";

/// A definition and the catalog declarations that it uses, as text \[L4\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionRow {
    /// Their content hash.
    pub hash: DefinitionHash,
    /// The saga's name.
    pub name: Arc<str>,
    /// The YAML text.
    pub source: Arc<str>,
    /// The declarations, as one JSON catalog document.
    pub catalog: Arc<str>,
    /// The hashes of the definitions that it calls, in the order of their names.
    pub calls: Vec<DefinitionHash>,
    /// When it was first used.
    pub first_seen_at: Timestamp,
}

/// The state that belongs to no saga, folded up to a record: what retention may then forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The last record that it contains.
    pub seq: Seq,
    /// The state, as JSON.
    pub body: String,
}

/// A number that only grows for the life of the data directory \[L10\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// The last record's number.
    Seq,
    /// The highest saga id given out \[R8\].
    SagaId,
    /// The highest client id given out.
    ClientId,
    /// The highest session number given out.
    Session,
    /// The newest instant written, in milliseconds \[R9\].
    Time,
    /// The last record that retention took; what asks for older ones has `lagged`.
    Forgotten,
}

impl Mark {
    /// Every mark, in the order of the table.
    pub const ALL: [Mark; 6] =
        [Mark::Seq, Mark::SagaId, Mark::ClientId, Mark::Session, Mark::Time, Mark::Forgotten];

    /// Its name in the table `mark`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mark::Seq => "seq",
            Mark::SagaId => "saga_id",
            Mark::ClientId => "client_id",
            Mark::Session => "session",
            Mark::Time => "time",
            Mark::Forgotten => "forgotten",
        }
    }
}

/// All marks as boot needs them; zero where nothing was ever written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighWater {
    /// The last record's number.
    pub seq: Seq,
    /// The highest saga id given out \[R8\].
    pub saga_id: SagaId,
    /// The highest client id given out.
    pub client_id: ClientId,
    /// The highest session number given out.
    pub session: SessionNo,
    /// The newest instant written \[R9\].
    pub time: Timestamp,
    /// The last record that retention took: rows up to it may be missing.
    pub forgotten: Seq,
}

/// A saga with its records, as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSaga {
    /// Its readable row.
    pub saga: SagaRow,
    /// Its rows in order; or what is wrong with this saga in the file, and with no other \[L9\].
    pub rows: Result<Vec<Row>, Damage>,
}

/// Which sagas `list` shows; newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those in one of these states; empty: all.
    pub states: Vec<Word>,
    /// Only those of this name.
    pub name: Option<Arc<str>>,
    /// Only ids below this one: the last of the page before.
    pub before: Option<SagaId>,
}

/// What retention keeps \[L6, L10\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long ended sagas stay.
    pub sagas: Millis,
    /// How long records that belong to no saga stay.
    pub events: Millis,
    /// How many records that belong to no saga stay.
    pub events_max: u64,
}

impl Retention {
    /// How often to look for what is too old: what is kept for seconds is not to stay for a minute.
    #[must_use]
    pub fn look_every(&self) -> Millis {
        self.sagas.min(self.events).clamp(SWEEP_LEAST, SWEEP_EVERY)
    }
}

/// What one batch of retention took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Ended sagas, with their records.
    pub sagas: u64,
    /// Records that belonged to no saga.
    pub records: u64,
    /// Nothing more is old enough now; when not set, the next batch should follow soon.
    pub finished: bool,
}

/// Called for each row; `Break` ends the reading.
pub type EachRow<'a> = &'a mut dyn FnMut(Result<Row, Damage>) -> ControlFlow<()>;
/// Called for each saga; `Break` ends the reading.
pub type EachSaga<'a> = &'a mut dyn FnMut(StoredSaga) -> ControlFlow<()>;

/// The reading side, the same on a live log, on a dead launcher's file and in memory.
pub trait LogRead {
    /// The marks. An error here means that the launcher must not start \[R8\].
    ///
    /// # Errors
    /// The file cannot be read.
    fn high_water(&self) -> Result<HighWater, ReadError>;

    /// The state that belongs to no saga; absent in a fresh log.
    ///
    /// # Errors
    /// The file cannot be read.
    fn world(&self) -> Result<Option<World>, ReadError>;

    /// What built-in targets know, each by target and name.
    ///
    /// # Errors
    /// The file cannot be read.
    fn known(&self) -> Result<Vec<Known>, ReadError>;

    /// Hands over every saga that has not ended, by id, with its rows \[L5\].
    ///
    /// # Errors
    /// The file cannot be read. What is wrong with one saga is told in its `rows`.
    fn open_sagas(&self, each: EachSaga<'_>) -> Result<(), ReadError>;

    /// The incidents, oldest first, with their rows: an operator may ask to go on \[R14\].
    ///
    /// # Errors
    /// The file cannot be read. What is wrong with one saga is told in its `rows`.
    fn incidents(&self, each: EachSaga<'_>) -> Result<(), ReadError>;

    /// One saga with its rows, open or ended.
    ///
    /// # Errors
    /// The file cannot be read. What is wrong with the saga is told in its `rows`.
    fn saga(&self, id: SagaId) -> Result<Option<StoredSaga>, ReadError>;

    /// One saga's readable row alone: what it costs does not grow with what the saga did.
    ///
    /// # Errors
    /// The file cannot be read.
    fn head(&self, id: SagaId) -> Result<Option<SagaRow>, ReadError> {
        let upto = Filter { before: Some(SagaId(id.0.saturating_add(1))), ..Filter::default() };
        let newest = self.list(&upto, 1)?.pop();
        Ok(newest.filter(|row| row.saga_id == id))
    }

    /// At most `limit` sagas, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<SagaRow>, ReadError>;

    /// Hands over every row that holds a record after `since`, in order. The first row may begin
    /// with records up to it.
    ///
    /// # Errors
    /// The file cannot be read.
    fn rows_since(&self, since: Seq, each: EachRow<'_>) -> Result<(), ReadError>;

    /// Number of the first record among the newest `limit` records that are not older than
    /// `oldest`: where boot begins to refill the ring \[L10\].
    ///
    /// # Errors
    /// The file cannot be read.
    fn recent_from(&self, oldest: Timestamp, limit: u64) -> Result<Seq, ReadError>;

    /// Hands over, in order, the newest `limit` rows that are not older than `oldest` and brought a
    /// client's own id, however many others lie between them \[W9\]. Of rows of which nobody knows
    /// whether they did, all count as if.
    ///
    /// # Errors
    /// The file cannot be read.
    fn rows_with_ids(
        &self,
        oldest: Timestamp,
        limit: usize,
        each: EachRow<'_>,
    ) -> Result<(), ReadError>;

    /// The definition with this hash.
    ///
    /// # Errors
    /// The file cannot be read.
    fn definition(&self, hash: &DefinitionHash) -> Result<Option<DefinitionRow>, ReadError>;

    /// Reads everything and says what is wrong; empty when all is well. Takes long.
    ///
    /// # Errors
    /// The file cannot be read.
    fn full_check(&self) -> Result<Vec<String>, ReadError>;
}

/// The one writer.
pub trait Log: LogRead {
    /// Commits a turn: when it returns, the turn is on the disk, whole \[R2, L2\].
    ///
    /// # Errors
    /// [`AppendError::Full`]: nothing of it was written, and the same turn may be tried again.
    /// [`AppendError::Fatal`], [`AppendError::Lost`]: the process must end without trying again
    /// \[L7\].
    fn append(&mut self, turn: &Turn) -> Result<(), AppendError>;

    /// How many turns have been committed through this value; empty ones do not count.
    fn commits(&self) -> u64;

    /// Takes one small batch of what is too old: never an open saga, never an incident \[L6\].
    ///
    /// # Errors
    /// As [`Log::append`].
    fn sweep(&mut self, now: Timestamp, keep: &Retention) -> Result<Swept, AppendError>;

    /// Ends cleanly: everything into the one file, so that it can be copied alone, if its disk has
    /// room.
    ///
    /// # Errors
    /// The file could not be completed for another reason. What was committed is not lost then,
    /// unless somebody took it: the next launcher reads the rest.
    fn close(self: Box<Self>) -> Result<(), AppendError>;
}
