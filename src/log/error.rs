//! What can go wrong with the log, each with the words that help. Deciding what follows is the
//! caller's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::ids::{SagaId, Seq};
use crate::log::migrate::beside;

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
    #[error("the log {} is damaged ({what}) and was left untouched; {cure}", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// The ways on, and what each of them loses.
        cure: String,
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
    #[error(
        "the disk that holds the log is full: {why}; free some space on it and start the launcher \
         again, nothing of what it told is lost"
    )]
    Full {
        /// What the system said.
        why: String,
    },
    /// Whether the turn was written cannot be known, or it can never be \[L7\].
    #[error(
        "the log cannot be written: {why}; see what is wrong with its disk (dmesg, quota) or who \
         holds it, and start the launcher again, nothing of what it told is lost"
    )]
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
            (io::ErrorKind::NotADirectory, "; the data directory must be a directory"),
            (io::ErrorKind::StorageFull, "; free some space on that disk"),
        ];
        let cure = cures.iter().find(|(kind, _)| *kind == source.kind()).map_or("", |c| c.1);
        OpenError::Access { path: path.to_owned(), why: format!("{source}{cure}") }
    }

    /// The log's own file contradicts itself; much of it may still be read.
    pub(super) fn damaged(path: &Path, what: String) -> Self {
        let cure = format!(
            "restore a copy of the data directory, or save what can be read with \
             `sqlite3 {} .recover`, or start with an empty log, after `{}`",
            quoted(path),
            put_aside(path, &["", "-wal", "-shm"])
        );
        OpenError::Damaged { path: path.to_owned(), what, cure }
    }

    /// The log's own file is not there or holds nothing, so there is nothing to be read from it.
    pub(super) fn emptied(path: &Path, what: String) -> Self {
        let cure = format!(
            "nothing can be read from it, so restore a copy of the data directory, or start with \
             an empty log, after `{}`: every saga is forgotten then, and ids begin at 1 again",
            put_aside(path, &["", "-wal", "-shm"])
        );
        OpenError::Damaged { path: path.to_owned(), what, cure }
    }

    /// The -wal lacks what was committed. `alone` is what the log's own file holds without it, and
    /// `partly` what can still be read of the -wal, in words.
    pub(super) fn lacking(path: &Path, what: String, alone: &str, partly: Option<&str>) -> Self {
        let mut cure = format!(
            "stop the launcher if it still runs, and restore a copy of the whole data directory, \
             or, without one:\n  {}\n    \
             goes on from what {} itself holds: {alone}\n",
            put_aside(path, &["-wal", "-shm"]),
            path.display(),
        );
        if let Some(partly) = partly {
            let directory = path.parent().unwrap_or(Path::new("."));
            cure += &format!(
                "  cp -a {} {} && sqlite3 {} 'pragma wal_checkpoint(truncate)'\n    \
                 keeps {partly} of the -wal as well; look at it with: sagaflow ps --check-log\n",
                quoted(directory),
                quoted(&beside(directory, "-kept")),
                quoted(path),
            );
        }
        cure += "and start again; what came later is forgotten: sagas go on from where they were \
                 then, commands are sent again, and ids are given out a second time";
        OpenError::Damaged { path: path.to_owned(), what, cure }
    }
}

/// The command that moves those of the log's files that are there out of the way, and deletes none.
fn put_aside(log: &Path, suffixes: &[&str]) -> String {
    let aside = log.with_file_name("damaged");
    let files = suffixes.iter().map(|suffix| beside(log, suffix));
    let there: Vec<_> = files.filter(|file| file.symlink_metadata().is_ok()).collect();
    let names: Vec<_> = there.iter().map(|file| quoted(file)).collect();
    let aside = quoted(&aside);
    format!("mkdir {aside} && mv {} {aside}/", names.join(" "))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
