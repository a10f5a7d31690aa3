//! The one writer of the log on SQLite: opening, and a turn as one transaction. Reading back is in
//! `read`, throwing away in `retention`; the launcher's lock, not this, keeps two writers apart.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, MAIN_DB, params};
use serde_json::Value;

use crate::ids::Seq;
use crate::log::error::{AppendError, OpenError};
use crate::log::kept::Behind;
use crate::log::migrate::{
    Inspected, create, explain, harden, inspect, is_full, migrate_from, writer_flags,
};
use crate::log::place::{Left, Lost, Pages, Place};
use crate::log::read::{OnSqlite, last_id, stored};
use crate::log::retention::{self, Cursor};
use crate::log::{
    DefinitionRow, Known, Log, Mark, Progress, Retention, Row, SagaRow, SagaWrite, Swept, Turn,
    World,
};
use crate::time::Timestamp;

/// Pages that may wait in the -wal file before a commit moves them into the log, 4 MB. More would
/// make the turn that moves them wait noticeably; never moving them is slower than moving them, for
/// a file that grows costs more than one that is written over. A failure to move is no failure of
/// the commit: the pages stay where they are and are moved later.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Kibibytes of pages that SQLite keeps in memory.
const CACHE_KIB: i64 = 16 * 1024;
/// How long a stranger's lock is waited for, in milliseconds: a person with a shell, nobody else.
const BUSY_MS: i64 = 5_000;
/// More than the statements that the log has, so that none is ever compiled twice.
const STATEMENTS: usize = 48;

/// What is said of facts that are gone.
const NOT_SAVED: &str =
    "what was committed since then, and perhaps before, is not in the files that are there";

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const DEFINE: &str = "INSERT INTO definition (hash, name, source, catalog, calls, first_seen_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (hash) DO NOTHING";
const CREATE: &str = "INSERT INTO saga (saga_id, name, definition, trigger_event, input, \
     created_at, state, cause, reason, result, started_at, ended_at, resolved_at, resolution) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
const UPDATE: &str = "UPDATE saga SET state = ?2, cause = ?3, reason = ?4, result = ?5, \
     started_at = ?6, ended_at = ?7, resolved_at = ?8, resolution = ?9 WHERE saga_id = ?1";
const RECORD: &str = "INSERT INTO fact (seq, n, saga_id, at, body, last_id) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(super) const RAISE: &str = "INSERT INTO mark (name, value) VALUES (?1, ?2) \
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
const REPLACE_WORLD: &str = "INSERT INTO world (one, seq, body) VALUES (1, ?1, ?2) \
     ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, body = excluded.body";

const KNOW: &str = "INSERT INTO builtin (target, name, body) VALUES (?1, ?2, ?3) \
     ON CONFLICT (target, name) DO UPDATE SET body = excluded.body";
const KNOW_NO_MORE: &str = "DELETE FROM builtin WHERE target = ?1 AND name = ?2";

/// The log of a running launcher.
#[derive(Debug)]
pub struct SqliteLog {
    connection: Connection,
    place: Place,
    commits: u64,
    cursor: Cursor,
    /// The newest row that brought a client's own id.
    last_id: i64,
}

impl SqliteLog {
    /// Opens the log at `path`, or makes a fresh one where there is none.
    ///
    /// # Errors
    /// The file is not a log that this program may write; it is untouched then \[L1\].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => create(path)?,
            Err(error) => return Err(OpenError::access(path, &error)),
        }
        let Inspected { format, behind } = inspect(path)?;
        let opened = (|| {
            let mut connection = Connection::open_with_flags(path, writer_flags())?;
            writable(&connection)?;
            prepare(&connection)?;
            migrate_from(&mut connection, format)?;
            if behind == Behind::Leftover {
                sweep_leftover(&connection);
            }
            // A file that lacks a table of ours is found out here and not at the first turn.
            for statement in [DEFINE, CREATE, UPDATE, RECORD, RAISE, REPLACE_WORLD] {
                connection.prepare_cached(statement)?;
            }
            let last_id = last_id(&connection)?;
            Ok((connection, last_id))
        })();
        let (connection, last_id) = opened.map_err(|error| explain(path, &error))?;
        let place = Place::of(path, connection.path());
        let place = place.map_err(|error| OpenError::access(path, &error))?;
        Ok(SqliteLog { connection, place, commits: 0, cursor: Cursor::default(), last_id })
    }

    fn commit(&mut self, turn: &Turn) -> Result<(), Failure> {
        let connection = &self.connection;
        connection.prepare_cached(BEGIN)?.execute([])?;
        write(connection, turn, self.last_id)?;
        connection.prepare_cached(COMMIT)?.execute([])?;
        self.commits += 1;
        self.last_id = turn.ids.last().map_or(self.last_id, |newest| stored(newest.0));
        Ok(())
    }

    /// Takes back what a failed transaction left, and says what the caller may do.
    fn undo(&self, failure: Failure) -> AppendError {
        let why = failure.to_string();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            return AppendError::Fatal { why: format!("{why}; it cannot be rolled back: {error}") };
        }
        match failure {
            Failure::Sqlite(error) if is_full(&error) => AppendError::Full { why },
            Failure::Sqlite(_) | Failure::Rule(_) => AppendError::Fatal { why },
        }
    }

    /// Whether what was committed lies where the next launcher will look for it.
    fn is_kept(&mut self) -> Result<(), AppendError> {
        let kept = self.place.check(|| pages(&self.connection).ok());
        let Err(Lost { path, how, state }) = kept else { return Ok(()) };
        let saved = match state {
            Left::CanBeSaved if self.save_wal() => "what it held was saved into the log",
            Left::Unseen => "what is in it cannot be seen",
            Left::CanBeSaved | Left::Lost => NOT_SAVED,
        };
        Err(AppendError::Lost { path, how, saved })
    }

    /// Whether the -wal holds what must still be moved out of it. SQLite moves pages without a look
    /// at their checksums, so what somebody wrote over would end up in the log.
    fn is_wal_whole(&self) -> Result<(), AppendError> {
        let asked = self.connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let Ok((frames, moved)) = asked else { return Ok(()) };
        if frames <= moved || self.place.wal_holds(frames) {
            return Ok(());
        }
        let (path, how) = (self.place.wal().to_owned(), "cut or written over".to_owned());
        Err(AppendError::Lost { path, how, saved: NOT_SAVED })
    }

    /// Moves all that the -wal holds into the log; the descriptor is good though the name is gone.
    fn save_wal(&self) -> bool {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| {
            let (busy, held, moved): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(busy == 0 && held == moved)
        });
        moved.unwrap_or(false)
    }

    #[cfg(test)]
    pub(super) fn raw(&self) -> &Connection {
        &self.connection
    }
}

impl OnSqlite for SqliteLog {
    fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Log for SqliteLog {
    fn append(&mut self, turn: &Turn) -> Result<(), AppendError> {
        if turn.is_empty() {
            return Ok(());
        }
        self.commit(turn).map_err(|failure| self.undo(failure))?;
        self.is_kept()
    }

    fn commits(&self) -> u64 {
        self.commits
    }

    fn sweep(&mut self, now: Timestamp, keep: &Retention) -> Result<Swept, AppendError> {
        let swept = retention::batch(&self.connection, &mut self.cursor, now, keep);
        let swept = swept.map_err(|error| self.undo(Failure::Sqlite(error)))?;
        self.is_kept()?;
        Ok(swept)
    }

    fn close(mut self: Box<Self>) -> Result<(), AppendError> {
        self.is_kept()?;
        self.is_wal_whole()?;
        // Only a clean end may move what is left and remove the -wal: that is what readers of a
        // dead launcher's directory need.
        let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let moved = self
            .connection
            .set_db_config(option, false)
            .and_then(|_| self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
        let closed = self.connection.close().map_err(|(_, error)| error);
        let moved = match moved {
            // Nothing of it is lost, and the next launcher moves it.
            Err(error) if is_full(&error) => {
                tracing::warn!("the disk is full; the newest records stay in the -wal of the log");
                Ok(())
            }
            moved => moved,
        };
        moved.and(closed).map_err(|error| AppendError::Fatal { why: error.to_string() })
    }
}

/// SQLite opens what it may not write for reading alone, and would say so at the first turn.
fn writable(connection: &Connection) -> Result<(), rusqlite::Error> {
    let read_only = connection.is_readonly(MAIN_DB)?;
    let refused = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
    if read_only { Err(rusqlite::Error::SqliteFailure(refused, None)) } else { Ok(()) }
}

/// What the writer asks of its connection.
fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    harden(connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "busy_timeout", BUSY_MS)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

/// Ends the round of the -wal, so that what a power cut left in it of a commit that nobody knows of
/// is never taken for something that was cut away.
fn sweep_leftover(connection: &Connection) {
    let swept =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if !matches!(swept, Ok(0)) {
        tracing::warn!(?swept, "the end of the -wal could not be tidied after a power cut");
    }
}

/// How much there is of the log, in its file and in its -wal.
fn pages(connection: &Connection) -> Result<Pages, rusqlite::Error> {
    let ask = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
    let (count, bytes) = (ask("PRAGMA page_count")?, ask("PRAGMA page_size")?);
    Ok(Pages { count: count.into(), bytes: bytes.into() })
}

/// Why a transaction was given up.
enum Failure {
    Sqlite(rusqlite::Error),
    Rule(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Sqlite(error) => error.fmt(f),
            Failure::Rule(what) => f.write_str(what),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sqlite(error)
    }
}

fn write(connection: &Connection, turn: &Turn, last_id: i64) -> Result<(), Failure> {
    let Turn { definitions, sagas, rows, ids, marks, world, known } = turn;
    let mut clock = Clock::default();
    for definition in definitions {
        define(connection, &mut clock, definition)?;
    }
    write_sagas(connection, &mut clock, sagas)?;
    write_rows(connection, rows, ids, last_id)?;
    for (mark, value) in marks {
        raise(connection, *mark, *value)?;
    }
    if let Some(World { seq, body }) = world {
        connection.prepare_cached(REPLACE_WORLD)?.execute(params![stored(seq.0), body])?;
    }
    for Known { target, name, body } in known {
        match body {
            Some(body) => connection.prepare_cached(KNOW)?.execute(params![target, name, body])?,
            None => connection.prepare_cached(KNOW_NO_MORE)?.execute(params![target, name])?,
        };
    }
    Ok(())
}

/// Raises a mark; one that is higher already stays.
pub(super) fn raise(connection: &Connection, mark: Mark, to: u64) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(RAISE)?.execute(params![mark.as_str(), stored(to)])?;
    Ok(())
}

fn define(
    connection: &Connection,
    clock: &mut Clock,
    definition: &DefinitionRow,
) -> Result<(), rusqlite::Error> {
    let DefinitionRow { hash, name, source, catalog, calls, first_seen_at } = definition;
    let seen = clock.text(*first_seen_at);
    let calls: Value = calls.iter().map(|called| &*called.0).collect();
    let row = params![hash.0, name, source, catalog, calls.to_string(), seen];
    connection.prepare_cached(DEFINE)?.execute(row)?;
    Ok(())
}

fn write_sagas(
    connection: &Connection,
    clock: &mut Clock,
    sagas: &[SagaWrite],
) -> Result<(), Failure> {
    if sagas.is_empty() {
        return Ok(());
    }
    let mut create = connection.prepare_cached(CREATE)?;
    let mut update = connection.prepare_cached(UPDATE)?;
    for saga in sagas {
        match saga {
            SagaWrite::Create(saga) => create_saga(&mut create, clock, saga)?,
            SagaWrite::Update { saga_id, progress } => {
                update.raw_bind_parameter(1, stored(saga_id.0))?;
                bind_progress(&mut update, 2, clock, progress)?;
                if update.raw_execute()? != 1 {
                    let what = format!("saga {saga_id} changes, but the log has no such saga");
                    return Err(Failure::Rule(what));
                }
            }
        }
    }
    Ok(())
}

fn create_saga(
    create: &mut CachedStatement<'_>,
    clock: &mut Clock,
    saga: &SagaRow,
) -> Result<(), rusqlite::Error> {
    let SagaRow { saga_id, name, definition, trigger_event, input, created_at, progress } = saga;
    create.raw_bind_parameter(1, stored(saga_id.0))?;
    create.raw_bind_parameter(2, &**name)?;
    create.raw_bind_parameter(3, &*definition.0)?;
    create.raw_bind_parameter(4, &**trigger_event)?;
    create.raw_bind_parameter(5, input)?;
    create.raw_bind_parameter(6, clock.text(*created_at))?;
    bind_progress(create, 7, clock, progress)?;
    create.raw_execute()?;
    Ok(())
}

/// Binds what changes of a saga, from parameter `first` on, in the order of both statements.
fn bind_progress(
    statement: &mut CachedStatement<'_>,
    first: usize,
    clock: &mut Clock,
    progress: &Progress,
) -> Result<(), rusqlite::Error> {
    let Progress { state, cause, reason, result, started_at, ended_at, resolved_at, resolution } =
        progress;
    statement.raw_bind_parameter(first, &**state)?;
    statement.raw_bind_parameter(first + 1, cause.as_deref())?;
    statement.raw_bind_parameter(first + 2, reason.as_deref())?;
    statement.raw_bind_parameter(first + 3, result.as_deref())?;
    statement.raw_bind_parameter(first + 4, started_at.map(|at| clock.text(at).to_owned()))?;
    statement.raw_bind_parameter(first + 5, ended_at.map(|at| clock.text(at).to_owned()))?;
    statement.raw_bind_parameter(first + 6, resolved_at.map(|at| clock.text(at).to_owned()))?;
    statement.raw_bind_parameter(first + 7, resolution.as_deref())
}

fn write_rows(
    connection: &Connection,
    rows: &[Row],
    ids: &[Seq],
    mut last_id: i64,
) -> Result<(), rusqlite::Error> {
    let mut record = connection.prepare_cached(RECORD)?;
    let mut ids = ids.iter().peekable();
    for Row { seq, n, saga_id, at, body } in rows {
        if ids.next_if_eq(&seq).is_some() {
            last_id = stored(seq.0);
        }
        record.raw_bind_parameter(1, stored(seq.0))?;
        record.raw_bind_parameter(2, n)?;
        record.raw_bind_parameter(3, saga_id.map(|id| stored(id.0)))?;
        record.raw_bind_parameter(4, at.0)?;
        record.raw_bind_parameter(5, body)?;
        record.raw_bind_parameter(6, last_id)?;
        record.raw_execute()?;
    }
    Ok(())
}

/// The text of the last instant asked for: in a turn nearly all are its `now`.
#[derive(Default)]
struct Clock {
    at: Option<Timestamp>,
    text: String,
}

impl Clock {
    fn text(&mut self, at: Timestamp) -> &str {
        if self.at != Some(at) {
            self.at = Some(at);
            self.text.clear();
            write!(self.text, "{at}").expect("writing to a String cannot fail");
        }
        &self.text
    }
}
