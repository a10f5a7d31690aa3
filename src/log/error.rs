//! What can go wrong with the log, each with the words that help. Deciding what follows is the
//! caller's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::ids::{SagaId, Seq};

/// Why a log cannot be opened; the file is untouched \[L1\].
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer sagaflow wrote it.
    #[error(
        "the log {} has format {found}, and this sagaflow knows formats up to {known}; \
         start the newer sagaflow that wrote it, or give another --data directory", path.display()
    )]
    Newer {
        /// The log.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// Something else than a sagaflow log.
    #[error(
        "{} is not a sagaflow log ({what}); it was left untouched, \
         give another --data directory or move the file away", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// A log that is broken.
    #[error(
        "the log {} is damaged ({what}) and was left untouched; restore a copy of it, \
         or save what can be read with `sqlite3 {} .recover`, \
         or move it away together with its -wal file to start with an empty log",
        path.display(), path.display()
    )]
    Damaged {
        /// The log.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No such log.
    #[error("there is no log {}; is this the data directory of a launcher?", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The world does not allow it.
    #[error("the log {} cannot be opened: {why}", path.display())]
    Access {
        /// The log.
        path: PathBuf,
        /// What the system said, and what to do.
        why: String,
    },
}

/// Why a turn was not committed, or must not be told.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. Nothing of the turn was written; it may be tried again \[L7\].
    #[error("the disk that holds the log is full: {why}")]
    Full {
        /// What the system said.
        why: String,
    },
    /// Whether the turn was written cannot be known, or it can never be \[L7\].
    #[error("the log cannot be written: {why}")]
    Fatal {
        /// What the system said.
        why: String,
    },
    /// Somebody took a file of the log away under the launcher. Nothing of the turn may be told:
    /// it would be a fact that no later launcher knows \[R2\].
    #[error(
        "{} was {how} while the launcher ran, so it ended before it told of what would be lost; \
         {saved}; find out what touches the data directory, put back what was there, \
         and start the launcher again", path.display()
    )]
    Lost {
        /// The log or its -wal.
        path: PathBuf,
        /// What became of it.
        how: String,
        /// What is left of what was committed.
        saved: &'static str,
    },
}

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file contradicts itself.
    #[error(
        "the log is damaged: {what}; stop the launcher, keep a copy of the data directory, \
         and save what can be read with `sqlite3 LOG .recover`"
    )]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// The world does not allow it.
    #[error("the log cannot be read: {why}")]
    Io {
        /// What the system said.
        why: String,
    },
}

/// What is wrong with one saga's facts, and with no other's \[L9\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The saga.
    pub saga_id: Option<SagaId>,
    /// The row that cannot be understood; absent: the saga's own row.
    pub seq: Option<Seq>,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.saga_id, self.seq) {
            (Some(saga), Some(seq)) => write!(f, "record {seq} of saga {saga}: {}", self.what),
            (Some(saga), None) => write!(f, "saga {saga}: {}", self.what),
            (None, Some(seq)) => write!(f, "record {seq}: {}", self.what),
            (None, None) => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for Damage {}
impl OpenError {
    /// The system's own refusal, with what is usually behind it.
    pub(super) fn access(path: &Path, source: &io::Error) -> Self {
        let cures = [
            (io::ErrorKind::PermissionDenied, "; the data directory must belong to this user"),
            (io::ErrorKind::ReadOnlyFilesystem, "; the data directory must be writable"),
            (io::ErrorKind::NotFound, "; the data directory does not exist"),
            (io::ErrorKind::StorageFull, "; free some space on that disk"),
        ];
        let cure = cures.iter().find(|(kind, _)| *kind == source.kind()).map_or("", |c| c.1);
        OpenError::Access { path: path.to_owned(), why: format!("{source}{cure}") }
    }
}
