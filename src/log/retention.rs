//! Forgetting what is too old, a small batch at a time \[L6\]. It never takes an open saga or an
//! incident, and never a number that must not be given out again.

use rusqlite::{Connection, params};

use crate::ids::{SagaId, Seq};
use crate::log::sqlite::raise;
use crate::log::{Mark, Retention, Swept};
use crate::time::Timestamp;

/// Sagas, or rows of no saga, that one batch takes: more in a transaction would delay a turn by
/// more than a commit does.
pub(super) const BATCH: usize = 100;
/// Sagas that one batch looks at: those that stay cost next to nothing, but not nothing.
const LOOK: i64 = 1_000;

/// Where the walk over the sagas has come to. Memory only: after a restart it begins anew.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    after: SagaId,
    /// Records of no saga beyond those that may stay; counted once a walk, for counting takes
    /// longer than a turn may wait.
    excess: Option<u64>,
}

/// Takes one batch.
pub(super) fn batch(
    connection: &Connection,
    cursor: &mut Cursor,
    now: Timestamp,
    keep: &Retention,
) -> Result<Swept, rusqlite::Error> {
    let oldest = |kept: crate::time::Millis| {
        Timestamp(now.0.saturating_sub(i64::try_from(kept.0).unwrap_or(i64::MAX)))
    };
    let found = look(connection, cursor.after, oldest(keep.sagas))?;
    let excess = match cursor.excess {
        Some(excess) => excess,
        None => free_records(connection)?.saturating_sub(keep.events_max),
    };
    let rows = old_rows(connection, oldest(keep.events), excess)?;
    if !found.old.is_empty() || rows.last.is_some() {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        keep_marks(connection)?;
        let forgotten = forget(connection, &found.old, rows.last)?;
        raise(connection, Mark::Forgotten, forgotten.0)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    // Only now: a batch that failed is tried again from where it began.
    let finished = found.finished && !rows.more;
    cursor.excess = if finished { None } else { Some(excess.saturating_sub(rows.records)) };
    cursor.after = if found.finished { SagaId(0) } else { found.last };
    Ok(Swept { sagas: found.old.len() as u64, records: rows.records, finished })
}

/// Sagas to delete, and how far was looked.
struct Found {
    old: Vec<i64>,
    last: SagaId,
    finished: bool,
}

/// Looks at the next sagas by id. One that was created too late to be old ends the walk, for ids
/// and times grow together.
fn look(
    connection: &Connection,
    after: SagaId,
    oldest: Timestamp,
) -> Result<Found, rusqlite::Error> {
    let oldest = oldest.to_string();
    let mut query = connection.prepare_cached(
        "SELECT saga_id, created_at >= ?2, ended_at IS NOT NULL \
         AND coalesce(resolved_at, ended_at) < ?2 \
         AND (state <> 'failed_compensation' OR resolved_at IS NOT NULL) \
         FROM saga WHERE saga_id > ?1 ORDER BY saga_id LIMIT ?3",
    )?;
    let mut rows = query.query(params![super::read::stored(after.0), oldest, LOOK])?;
    let mut found = Found { old: Vec::new(), last: after, finished: false };
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        let (id, young, old): (i64, bool, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if young {
            found.finished = true;
            return Ok(found);
        }
        looked += 1;
        found.last = SagaId(u64::try_from(id).unwrap_or(0));
        if old {
            found.old.push(id);
            if found.old.len() == BATCH {
                return Ok(found);
            }
        }
    }
    found.finished = looked < LOOK;
    Ok(found)
}

/// Rows of no saga to delete: all up to `last`.
struct OldRows {
    last: Option<i64>,
    records: u64,
    more: bool,
}

fn free_records(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let mut count =
        connection.prepare_cached("SELECT coalesce(sum(n), 0) FROM fact WHERE saga_id IS NULL")?;
    let kept: i64 = count.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(kept).unwrap_or(0))
}

/// Finds the oldest rows of no saga that are too old, or `excess` and so too many.
fn old_rows(
    connection: &Connection,
    oldest: Timestamp,
    mut excess: u64,
) -> Result<OldRows, rusqlite::Error> {
    // Boot folds what the world does not contain yet, however old it is.
    let mut query = connection.prepare_cached(
        "SELECT seq, n, at FROM fact WHERE saga_id IS NULL \
         AND seq + n - 1 <= coalesce((SELECT seq FROM world), 0) ORDER BY seq LIMIT ?1",
    )?;
    let mut rows = query.query([BATCH as i64 + 1])?;
    let mut found = OldRows { last: None, records: 0, more: false };
    let mut taken = 0;
    while let Some(row) = rows.next()? {
        let (seq, n, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let n = u64::try_from(n).unwrap_or(0);
        if Timestamp(at) >= oldest && excess < n.max(1) {
            return Ok(found);
        }
        if taken == BATCH {
            found.more = true;
            return Ok(found);
        }
        taken += 1;
        excess = excess.saturating_sub(n);
        found.last = Some(seq);
        found.records += n;
    }
    Ok(found)
}

/// Writes down the highest numbers, of which the deleted rows may be the last witnesses.
fn keep_marks(connection: &Connection) -> Result<(), rusqlite::Error> {
    let number = |sql: &str| -> Result<u64, rusqlite::Error> {
        let found: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(found).unwrap_or(0))
    };
    let last = "SELECT coalesce(max(seq), 0) FROM fact";
    let seq = number(last)?;
    let n = number("SELECT coalesce((SELECT n FROM fact ORDER BY seq DESC LIMIT 1), 1)")?;
    raise(connection, Mark::Seq, (seq + n).saturating_sub(1))?;
    raise(
        connection,
        Mark::Time,
        number("SELECT coalesce((SELECT at FROM fact ORDER BY seq DESC LIMIT 1), 0)")?,
    )?;
    raise(connection, Mark::SagaId, number("SELECT coalesce(max(saga_id), 0) FROM saga")?)
}

/// Deletes, and answers the last number that is gone.
fn forget(
    connection: &Connection,
    sagas: &[i64],
    rows_to: Option<i64>,
) -> Result<Seq, rusqlite::Error> {
    let mut gone = 0;
    let mut newest = connection
        .prepare_cached("SELECT coalesce(max(seq + n - 1), 0) FROM fact WHERE saga_id = ?1")?;
    let mut delete = connection.prepare_cached("DELETE FROM saga WHERE saga_id = ?1")?;
    for id in sagas {
        gone = gone.max(newest.query_row([id], |row| row.get::<_, i64>(0))?);
        // Its rows go with it, by the foreign key.
        delete.execute([id])?;
    }
    if let Some(last) = rows_to {
        let mut newest =
            connection.prepare_cached("SELECT seq + n - 1 FROM fact WHERE seq = ?1")?;
        gone = gone.max(newest.query_row([last], |row| row.get::<_, i64>(0))?);
        let mut delete =
            connection.prepare_cached("DELETE FROM fact WHERE saga_id IS NULL AND seq <= ?1")?;
        delete.execute([last])?;
    }
    Ok(Seq(u64::try_from(gone).unwrap_or(0)))
}
