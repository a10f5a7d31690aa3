//! A log read beside its launcher, or after its death. It never writes and never stands in the
//! writer's way.

use std::path::Path;

use rusqlite::Connection;

use crate::log::error::OpenError;
use crate::log::migrate::{FORMAT, explain, inspect, nothing_left_of, open_read_only};
use crate::log::read::OnSqlite;

/// The log of a launcher that another process is, or that is dead.
#[derive(Debug)]
pub struct LogReader {
    connection: Connection,
}

impl LogReader {
    /// Opens the log at `path` for reading alone.
    ///
    /// # Errors
    /// There is none, it is not a log, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => {
                nothing_left_of(path)?;
                return Err(OpenError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(OpenError::access(path, &error)),
        }
        let format = inspect(path)?.format;
        if format != FORMAT {
            let why = format!(
                "it has the older format {format}; `sagaflow run` on that directory brings it to \
                 {FORMAT}"
            );
            return Err(OpenError::Access { path: path.to_owned(), why });
        }
        let connection = open_read_only(path)?;
        // A file that lacks a table of ours is found out here and not in the middle.
        match connection.prepare("SELECT 1 FROM fact, saga, definition, mark, world") {
            Ok(_) => {}
            Err(error) => return Err(explain(path, &error)),
        }
        Ok(LogReader { connection })
    }

    /// Opens the log at `path` for reading alone in the process that writes it, and so has looked
    /// at it before.
    ///
    /// Only SQLite may open the file here. When anything else in a process closes a file, the
    /// system takes all of the process's locks on it away; the next stranger with a shell would
    /// then find the log unused, tidy its -wal away at the end, and the writer would go on into a
    /// file without a name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn beside_writer(path: &Path) -> Result<Self, OpenError> {
        Ok(LogReader { connection: open_read_only(path)? })
    }

    /// Lets `read` see the log as it is at one instant, however many turns are committed meanwhile.
    /// For short readings: the -wal grows while one lasts.
    pub fn at_one_instant<T>(&self, read: impl FnOnce() -> T) -> T {
        // Without a transaction each statement has its own instant, which is no reason to fail.
        let began = self.connection.execute_batch("BEGIN").is_ok();
        let read = read();
        if began && self.connection.execute_batch("ROLLBACK").is_err() {
            tracing::warn!("a reader's transaction could not be ended");
        }
        read
    }
}

impl OnSqlite for LogReader {
    fn connection(&self) -> &Connection {
        &self.connection
    }
}
