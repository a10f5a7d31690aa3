//! Reading the log, the same for the writer and for a reader beside it. Writes nothing, and gives
//! up on one saga, not on all, when the file holds nonsense \[L9\].

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql};

use crate::ids::{ClientId, DefinitionHash, SagaId, Seq, SessionNo};
use crate::log::error::{Damage, ReadError};
use crate::log::migrate::misfit;
use crate::log::{
    DefinitionRow, EachRow, EachSaga, Filter, HighWater, Known, LogRead, Mark, Progress, Row,
    SagaRow, StoredSaga, World,
};
use crate::time::Timestamp;

/// What lies on an SQLite file: the one thing that its readers have in common.
pub(super) trait OnSqlite {
    /// The connection to read through.
    fn connection(&self) -> &Connection;
}

/// The columns of `saga` in the order in which [`saga_of`] takes them.
macro_rules! saga_columns {
    () => {
        "saga_id, name, definition, trigger_event, input, created_at, state, cause, reason, \
         result, started_at, ended_at, resolved_at, resolution"
    };
}

const ROWS_OF_SAGA: &str =
    "SELECT seq, n, saga_id, at, body FROM fact WHERE saga_id = ?1 ORDER BY seq";
const OPEN_SAGAS: &str =
    concat!("SELECT ", saga_columns!(), " FROM saga WHERE ended_at IS NULL ORDER BY saga_id");
const INCIDENTS: &str = concat!(
    "SELECT ",
    saga_columns!(),
    " FROM saga WHERE state = 'failed_compensation' AND ended_at IS NOT NULL \
     AND resolved_at IS NULL ORDER BY saga_id"
);
const ONE_SAGA: &str = concat!("SELECT ", saga_columns!(), " FROM saga WHERE saga_id = ?1");
// The row that holds `since` itself may hold later records too, so reading begins with it.
const ROWS_SINCE: &str = "SELECT seq, n, saga_id, at, body FROM fact \
     WHERE seq >= coalesce((SELECT max(seq) FROM fact WHERE seq <= ?1), 0) \
     AND seq + n - 1 > ?1 ORDER BY seq";

const ROWS_FROM: &str = "SELECT seq, n, saga_id, at, body FROM fact WHERE seq >= ?1 ORDER BY seq";
const BACK_FROM: &str = "SELECT seq, at, last_id FROM fact WHERE seq <= ?1 ORDER BY seq DESC";
/// Rows that are passed by rather than searching for the one behind them: a search costs more.
const NEAR: u32 = 20;

/// The number as SQLite stores it. Ours count from one and never come near the end.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl<T: OnSqlite> LogRead for T {
    fn high_water(&self) -> Result<HighWater, ReadError> {
        high_water(self.connection())
    }

    fn world(&self) -> Result<Option<World>, ReadError> {
        let mut query = self.connection().prepare_cached("SELECT seq, body FROM world")?;
        let found = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((seq, body)) = found else { return Ok(None) };
        Ok(Some(World { seq: Seq(counted("world.seq", seq)?), body }))
    }

    fn known(&self) -> Result<Vec<Known>, ReadError> {
        // A log of an older format that is read and not migrated has no such table.
        let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'builtin'";
        let there: i64 = self.connection().query_row(there, [], |row| row.get(0))?;
        if there == 0 {
            return Ok(Vec::new());
        }
        let all = "SELECT target, name, body FROM builtin ORDER BY target, name";
        let mut query = self.connection().prepare_cached(all)?;
        let mut rows = query.query([])?;
        let mut known = Vec::new();
        while let Some(row) = rows.next()? {
            known.push(Known { target: row.get(0)?, name: row.get(1)?, body: Some(row.get(2)?) });
        }
        Ok(known)
    }

    fn open_sagas(&self, each: EachSaga<'_>) -> Result<(), ReadError> {
        each_saga(self.connection(), OPEN_SAGAS, each)
    }

    fn incidents(&self, each: EachSaga<'_>) -> Result<(), ReadError> {
        each_saga(self.connection(), INCIDENTS, each)
    }

    fn saga(&self, id: SagaId) -> Result<Option<StoredSaga>, ReadError> {
        let mut query = self.connection().prepare_cached(ONE_SAGA)?;
        let found = query.query_row([stored(id.0)], saga_of).optional()?;
        let Some((saga, damage)) = found else { return Ok(None) };
        let rows = match damage {
            Some(damage) => Err(damage),
            None => rows_of(self.connection(), id)?,
        };
        Ok(Some(StoredSaga { saga, rows }))
    }

    fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<SagaRow>, ReadError> {
        list(self.connection(), filter, limit)
    }

    fn rows_since(&self, since: Seq, each: EachRow<'_>) -> Result<(), ReadError> {
        let mut query = self.connection().prepare_cached(ROWS_SINCE)?;
        let mut rows = query.query([stored(since.0)])?;
        while let Some(row) = rows.next()? {
            if each(row_of(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn recent_from(&self, oldest: Timestamp, limit: u64) -> Result<Seq, ReadError> {
        let mut query =
            self.connection().prepare_cached("SELECT seq, n, at FROM fact ORDER BY seq DESC")?;
        let mut rows = query.query([])?;
        let (mut first, mut taken) = (None, 0);
        while let Some(row) = rows.next()? {
            let (seq, n, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            taken += counted("fact.n", n)?;
            if Timestamp(at) < oldest || taken > limit {
                break;
            }
            first = Some(Seq(counted("fact.seq", seq)?));
        }
        match first {
            Some(first) => Ok(first),
            None => Ok(self.high_water()?.seq.next()),
        }
    }

    fn rows_with_ids(
        &self,
        oldest: Timestamp,
        limit: usize,
        each: EachRow<'_>,
    ) -> Result<(), ReadError> {
        let found = with_ids(self.connection(), oldest, limit)?;
        rows_of_numbers(self.connection(), found.into_iter().rev(), each)
    }

    fn definition(&self, hash: &DefinitionHash) -> Result<Option<DefinitionRow>, ReadError> {
        const DEFINITION: &str =
            "SELECT name, source, catalog, first_seen_at, calls FROM definition WHERE hash = ?1";
        let mut query = self.connection().prepare_cached(DEFINITION)?;
        let found = query.query_row([&*hash.0], |row| {
            let first_seen_at: String = row.get(3)?;
            let calls: String = row.get(4)?;
            let calls: Vec<String> = serde_json::from_str(&calls).unwrap_or_default();
            Ok(DefinitionRow {
                hash: hash.clone(),
                name: row.get(0)?,
                source: row.get(1)?,
                catalog: row.get(2)?,
                calls: calls.into_iter().map(|hash| DefinitionHash(hash.into())).collect(),
                first_seen_at: Timestamp::parse(&first_seen_at).unwrap_or_default(),
            })
        });
        Ok(found.optional()?)
    }

    fn full_check(&self) -> Result<Vec<String>, ReadError> {
        full_check(self.connection())
    }
}

/// Numbers of the newest rows that brought ids, newest first: goes back from one to the other. What
/// retention took may have been the one that others lead to; then the next older row leads on.
fn with_ids(
    connection: &Connection,
    oldest: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, ReadError> {
    let mut query = connection.prepare_cached(BACK_FROM)?;
    let mut found = Vec::new();
    let mut upto = i64::MAX;
    'seek: loop {
        let mut rows = query.query([upto])?;
        let mut between = 0;
        while let Some(row) = rows.next()? {
            let (seq, at, last): (i64, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if Timestamp(at) < oldest || found.len() == limit {
                return Ok(found);
            }
            if seq > upto {
                between += 1;
                if between > NEAR {
                    continue 'seek;
                }
                continue;
            }
            between = 0;
            upto = match last {
                // A number that leads forward would lead there for ever.
                Some(last) if last < seq => last,
                Some(_) | None => {
                    found.push(seq);
                    seq - 1
                }
            };
        }
        return Ok(found);
    }
}

/// Hands over the rows of these numbers, which grow.
fn rows_of_numbers(
    connection: &Connection,
    numbers: impl Iterator<Item = i64>,
    each: EachRow<'_>,
) -> Result<(), ReadError> {
    let mut query = connection.prepare_cached(ROWS_FROM)?;
    let mut numbers = numbers.peekable();
    while let Some(from) = numbers.peek().copied() {
        let mut rows = query.query([from])?;
        let mut between = 0;
        while let Some(row) = rows.next()? {
            let seq: i64 = row.get(0)?;
            if numbers.next_if_eq(&seq).is_some() {
                between = 0;
                if each(row_of(row)?).is_break() {
                    return Ok(());
                }
            } else {
                between += 1;
            }
            if between > NEAR || numbers.peek().is_none() {
                break;
            }
        }
        // One that is not there must not be looked for again.
        numbers.next_if_eq(&from);
    }
    Ok(())
}

/// Where the next row's `last_id` starts from: what the newest row says of itself and those before
/// it. One that does not know counts as if it had brought one.
pub(super) fn last_id(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let newest = "SELECT coalesce(last_id, seq) FROM fact ORDER BY seq DESC LIMIT 1";
    Ok(connection.query_row(newest, [], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn high_water(connection: &Connection) -> Result<HighWater, ReadError> {
    let mut query = connection.prepare_cached("SELECT value FROM mark WHERE name = ?1")?;
    let mut mark = |mark: Mark| -> Result<u64, ReadError> {
        let value = query.query_row([mark.as_str()], |row| row.get(0)).optional()?;
        counted(mark.as_str(), value.unwrap_or(0))
    };
    let mut water = HighWater {
        seq: Seq(mark(Mark::Seq)?),
        saga_id: SagaId(mark(Mark::SagaId)?),
        client_id: ClientId(mark(Mark::ClientId)?),
        session: SessionNo(mark(Mark::Session)?),
        time: Timestamp(stored(mark(Mark::Time)?)),
        forgotten: Seq(mark(Mark::Forgotten)?),
    };
    // The marks only tell of what retention has deleted; what is there speaks for itself.
    let mut newest =
        connection.prepare_cached("SELECT seq + n - 1, at FROM fact ORDER BY seq DESC LIMIT 1")?;
    if let Some((seq, at)) = newest.query_row([], |r| Ok((r.get(0)?, r.get(1)?))).optional()? {
        water.seq = water.seq.max(Seq(counted("fact.seq", seq)?));
        water.time = water.time.max(Timestamp(at));
    }
    let mut highest = connection.prepare_cached("SELECT coalesce(max(saga_id), 0) FROM saga")?;
    let highest = counted("saga.saga_id", highest.query_row([], |row| row.get(0))?)?;
    water.saga_id = water.saga_id.max(SagaId(highest));
    Ok(water)
}

fn each_saga(connection: &Connection, sql: &str, each: EachSaga<'_>) -> Result<(), ReadError> {
    let mut query = connection.prepare_cached(sql)?;
    let mut sagas = query.query([])?;
    while let Some(row) = sagas.next()? {
        let (saga, damage) = saga_of(row)?;
        let rows = match damage {
            Some(damage) => Err(damage),
            None => rows_of(connection, saga.saga_id)?,
        };
        if each(StoredSaga { saga, rows }).is_break() {
            break;
        }
    }
    Ok(())
}

fn rows_of(connection: &Connection, id: SagaId) -> Result<Result<Vec<Row>, Damage>, ReadError> {
    let mut query = connection.prepare_cached(ROWS_OF_SAGA)?;
    let mut rows = query.query([stored(id.0)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match row_of(row)? {
            Ok(row) => found.push(row),
            Err(damage) => return Ok(Err(damage)),
        }
    }
    Ok(Ok(found))
}

fn list(connection: &Connection, filter: &Filter, limit: usize) -> Result<Vec<SagaRow>, ReadError> {
    let mut sql = concat!("SELECT ", saga_columns!(), " FROM saga WHERE saga_id < ?1").to_owned();
    let before = filter.before.map_or(i64::MAX, |id| stored(id.0));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut values: Vec<&dyn ToSql> = vec![&before, &limit];
    if let Some(name) = &filter.name {
        sql.push_str(" AND name = ?3");
        values.push(name);
    }
    if !filter.states.is_empty() {
        let first = values.len() + 1;
        let places: Vec<String> =
            (first..first + filter.states.len()).map(|place| format!("?{place}")).collect();
        sql.push_str(&format!(" AND state IN ({})", places.join(", ")));
        values.extend(filter.states.iter().map(|state| state as &dyn ToSql));
    }
    sql.push_str(" ORDER BY saga_id DESC LIMIT ?2");
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query(values.as_slice())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(saga_of(row)?.0);
    }
    Ok(found)
}

fn full_check(connection: &Connection) -> Result<Vec<String>, ReadError> {
    let mut found = Vec::new();
    let mut integrity = connection.prepare("PRAGMA integrity_check")?;
    for line in integrity.query_map([], |row| row.get::<_, String>(0))? {
        found.push(line?);
    }
    found.retain(|line| line != "ok");
    let mut strangers = connection.prepare("PRAGMA foreign_key_check")?;
    let strangers = strangers.query_map([], |row| {
        let (table, id, parent): (String, Option<i64>, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("row {} of {table} names what is not in {parent}", id.unwrap_or(0)))
    })?;
    for line in strangers {
        found.push(line?);
    }
    let mut bodies = connection.prepare(
        "SELECT seq FROM fact WHERE n < 1 OR CASE WHEN json_valid(body) \
         THEN json_type(body) <> 'array' OR json_array_length(body) <> n ELSE 1 END",
    )?;
    for seq in bodies.query_map([], |row| row.get::<_, i64>(0))? {
        found.push(format!("the body of record {} is not what the row says", seq?));
    }
    Ok(found)
}

/// A number that counts something and so is never negative, whatever the file says.
fn counted(what: &str, number: i64) -> Result<u64, ReadError> {
    u64::try_from(number)
        .map_err(|_| ReadError::Damaged { what: format!("{what} is {number}, below zero") })
}

/// A row of `fact`, or what is wrong with it.
fn row_of(row: &rusqlite::Row<'_>) -> Result<Result<Row, Damage>, ReadError> {
    let (seq, n): (i64, i64) = (row.get(0)?, row.get(1)?);
    let saga_id: Option<i64> = row.get(2)?;
    let seq = Seq(counted("fact.seq", seq)?);
    let saga_id = match saga_id {
        Some(id) => Some(SagaId(counted("fact.saga_id", id)?)),
        None => None,
    };
    let damage = |what: String| Ok(Err(Damage { saga_id, seq: Some(seq), what }));
    let Some(n) = u32::try_from(n).ok().filter(|n| *n > 0) else {
        return damage(format!("it says that it holds {n} records"));
    };
    let at = Timestamp(row.get(3)?);
    match row.get_ref(4)?.as_str() {
        Ok(body) => Ok(Ok(Row { seq, n, saga_id, at, body: body.to_owned() })),
        Err(error) => damage(format!("its body is not text: {error}")),
    }
}

/// A row of `saga` as well as it can be read, and what is wrong with it.
fn saga_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<(SagaRow, Option<Damage>)> {
    let id: i64 = row.get(0)?;
    let saga_id = SagaId(u64::try_from(id).unwrap_or(0));
    let mut what = (id <= 0).then(|| format!("its id is {id}"));
    let mut text = |column: usize| -> rusqlite::Result<Option<String>> {
        let bytes = match row.get_ref(column)? {
            ValueRef::Null => return Ok(None),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
            ValueRef::Integer(number) => return Ok(Some(number.to_string())),
            ValueRef::Real(number) => return Ok(Some(number.to_string())),
        };
        let read = String::from_utf8_lossy(bytes);
        if let Cow::Owned(_) = read {
            what = Some(format!("column {column} of its row is not UTF-8"));
        }
        Ok(Some(read.into_owned()))
    };
    let name = text(1)?.unwrap_or_default();
    let definition = DefinitionHash(text(2)?.unwrap_or_default().into());
    let trigger_event = text(3)?.unwrap_or_default();
    let input = text(4)?.unwrap_or_default();
    let created_at = text(5)?;
    let state = text(6)?.unwrap_or_default();
    let (cause, reason, result) = (text(7)?, text(8)?, text(9)?);
    let (started_at, ended_at, resolved_at) = (text(10)?, text(11)?, text(12)?);
    let resolution = text(13)?;
    let mut instant = |text: Option<String>| {
        text.map(|text| {
            Timestamp::parse(&text).unwrap_or_else(|| {
                what = Some(format!("`{text}` in its row is not an instant"));
                Timestamp::default()
            })
        })
    };
    let saga = SagaRow {
        saga_id,
        name: name.into(),
        definition,
        trigger_event: trigger_event.into(),
        input,
        created_at: instant(created_at).unwrap_or_default(),
        progress: Progress {
            state: state.into(),
            cause: cause.map(Into::into),
            reason: reason.map(Arc::from),
            result,
            started_at: instant(started_at),
            ended_at: instant(ended_at),
            resolved_at: instant(resolved_at),
            resolution: resolution.map(Arc::from),
        },
    };
    Ok((saga, what.map(|what| Damage { saga_id: Some(saga_id), seq: None, what })))
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        if let Some(what) = misfit(&error) {
            return ReadError::Damaged { what };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                ReadError::Damaged { what: error.to_string() }
            }
            // Our statements do not fit the file, or a value its column: not our schema.
            Some(ErrorCode::Unknown) | None => ReadError::Damaged { what: error.to_string() },
            Some(_) => ReadError::Io { why: error.to_string() },
        }
    }
}
