//! From a path to a log of today's format: creating, looking before touching, migrating forward.
//! Nothing here reads or writes a record.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::log::error::OpenError;
use crate::log::kept::{self, Behind};

/// One step a format, each in one transaction; step `i` leads to format `i + 1`. Only appended to.
const MIGRATIONS: &[&str] = &[
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
];
/// The format that this program writes.
pub(super) const FORMAT: i64 = MIGRATIONS.len() as i64;
/// `saga` in ASCII, in every log's header: tells a log from any other SQLite file.
const APPLICATION_ID: i64 = 0x7361_6761;
/// Bytes of a page of a new log. A turn of one saga touches three or four pages and writes each of
/// them whole: with 8,192 it is a tenth dearer, and only a turn of a thousand is cheaper.
const PAGE_BYTES: i64 = 4_096;
/// How long a reader waits for one that just recovers the file, in milliseconds.
const READER_BUSY_MS: i64 = 2_000;
/// How many tables of a log there are.
const OUR_TABLES: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' \
     AND name IN ('definition', 'saga', 'fact', 'mark', 'world')";
/// Bytes of the header of an SQLite file.
const HEADER_BYTES: usize = 100;

/// The file beside the log that ends in `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes a fresh log at `path`, where there is none.
///
/// It is built under another name and then renamed, so that a log is there whole or not at all:
/// an empty file at `path` is then always a damage, never a start that a crash cut short.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    let refuse = |error: &io::Error| OpenError::access(path, error);
    nothing_left_of(path)?;
    let fresh = beside(path, ".new");
    for left in [fresh.clone(), beside(&fresh, "-wal"), beside(&fresh, "-shm")] {
        match fs::remove_file(&left) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                let why = format!("{} is a directory; move it away", left.display());
                return Err(OpenError::Access { path: path.to_owned(), why });
            }
            Err(error) => return Err(refuse(&error)),
        }
    }
    // Others may not even read it; SQLite gives the -wal and -shm files the same mode.
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    drop(new.map_err(|error| refuse(&error))?);
    let built = (|| {
        let mut connection = Connection::open_with_flags(&fresh, writer_flags())?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrate_from(&mut connection, 0)?;
        // To close moves it too, but says nothing when there is no room for it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)
    })();
    built.map_err(|error: rusqlite::Error| explain(path, &error))?;
    let placed = fs::rename(&fresh, path).and_then(|()| sync_directory(path));
    placed.map_err(|error| refuse(&error))
}

/// A log that is not there must not have left a -wal, which would be poured into a new one.
///
/// # Errors
/// It has, or its name is a link that leads nowhere: to a disk that is not mounted, perhaps.
pub(super) fn nothing_left_of(path: &Path) -> Result<(), OpenError> {
    if let Ok(to) = fs::read_link(path) {
        let why = format!(
            "it is a symbolic link to {}, and nothing is there; put that file back (is its disk \
             mounted?), or remove the link to start with an empty log",
            to.display()
        );
        return Err(OpenError::Access { path: path.to_owned(), why });
    }
    let wal = beside(path, "-wal");
    if fs::metadata(&wal).is_ok_and(|left| left.len() > 0) {
        let what = format!("it is gone, but {} is there and holds newer records", wal.display());
        return Err(OpenError::emptied(path, what));
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// How the one writer opens the file: never creating it, and without SQLite's own mutex, for one
/// thread uses the connection.
pub(super) fn writer_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Opens the file for reading alone. Closing it never checkpoints, so the files stay as they are.
///
/// Even a reader needs the -shm file, and so cannot have it where it may not write. A log without a
/// -wal can be read without one; nobody writes it, or there would be a -wal.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, OpenError> {
    let refused = match read_through(path, OpenFlags::empty()) {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    if is_full(&refused) {
        let why = format!(
            "{refused}; even a reader needs some space there: free some, or copy the directory \
             to another disk and give the copy as --data"
        );
        return Err(OpenError::Access { path: path.to_owned(), why });
    }
    let code = refused.sqlite_error_code();
    if !matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) {
        return Err(explain(path, &refused));
    }
    let wal = beside(path, "-wal");
    if fs::metadata(&wal).is_ok_and(|waiting| waiting.len() > 0) {
        let why = format!(
            "its newest records are in {}, and only who may write the directory can read them \
             there; copy the directory and give the copy as --data",
            wal.display()
        );
        return Err(OpenError::Access { path: path.to_owned(), why });
    }
    read_through(&immutable(path), OpenFlags::SQLITE_OPEN_URI)
        .map_err(|error| explain(path, &error))
}

/// Opens the log's own file as if it had no -wal. Nobody may write it meanwhile.
pub(super) fn read_alone(path: &Path) -> Option<Connection> {
    read_through(&immutable(path), OpenFlags::SQLITE_OPEN_URI).ok()
}

fn read_through(path: &Path, more: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    harden(&connection)?;
    connection.pragma_update(None, "busy_timeout", READER_BUSY_MS)?;
    // SQLite opens a file when it is first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// The URI by which SQLite reads a file that nobody changes.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = OsString::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte).to_string()),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte).to_string()),
            _ => uri.push(format!("%{byte:02X}")),
        }
    }
    uri.push("?immutable=1");
    PathBuf::from(uri)
}

/// Makes the connection safe on a file that a stranger may have written, and its statements stable.
pub(super) fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise a plan may lean on a parameter's value, and a cached statement that does is
    // compiled again each time: reading the rows of a saga then takes twice as long.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// A log that may be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inspected {
    /// Its format.
    pub format: i64,
    /// What its -wal holds that counts for nothing.
    pub behind: Behind,
}

/// Looks whether the file is a log that this program may touch, and whole.
///
/// # Errors
/// It is not, and nothing was changed \[L1\].
pub(super) fn inspect(path: &Path) -> Result<Inspected, OpenError> {
    let header = read_header(path)?;
    let word = |at: usize| {
        let bytes: [u8; 4] = header[at..at + 4].try_into().expect("four bytes were sliced");
        i64::from(u32::from_be_bytes(bytes))
    };
    if word(68) != APPLICATION_ID {
        let what = "an SQLite file of another program".to_owned();
        return Err(OpenError::Foreign { path: path.to_owned(), what });
    }
    newest_known(path, word(60))?;
    let behind = kept::look(path)?;
    // The header may be older than the -wal beside it; only SQLite can read both together.
    let connection = open_read_only(path)?;
    let (format, tables): (i64, i64) = (|| {
        let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables = connection.query_row(OUR_TABLES, [], |row| row.get(0))?;
        Ok((format, tables))
    })()
    .map_err(|error| explain(path, &error))?;
    newest_known(path, format)?;
    // A log is made under another name, and gets its own with its format: none is without.
    match format {
        1.. => Ok(Inspected { format, behind }),
        _ if tables == 0 => {
            let what = "an SQLite file without a table of ours".to_owned();
            Err(OpenError::Foreign { path: path.to_owned(), what })
        }
        _ => {
            let what = format!(
                "its format number, `pragma user_version`, is {format}, and formats count from 1; \
                 somebody has set it"
            );
            Err(OpenError::damaged(path, what))
        }
    }
}

fn newest_known(path: &Path, found: i64) -> Result<(), OpenError> {
    if found <= FORMAT {
        return Ok(());
    }
    Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT })
}

fn read_header(path: &Path) -> Result<[u8; HEADER_BYTES], OpenError> {
    let emptied = |what: &str| OpenError::emptied(path, what.to_owned());
    let foreign = |what: &str| OpenError::Foreign { path: path.to_owned(), what: what.to_owned() };
    let metadata = fs::metadata(path).map_err(|error| OpenError::access(path, &error))?;
    if !metadata.is_file() {
        return Err(foreign("it is not a plain file"));
    }
    if metadata.len() == 0 {
        return Err(emptied("it is empty"));
    }
    let mut head = Vec::with_capacity(HEADER_BYTES);
    let read =
        File::open(path).and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut head));
    read.map_err(|error| OpenError::access(path, &error))?;
    if !head.starts_with(b"SQLite format 3\0") {
        return Err(foreign("it does not begin as an SQLite file does"));
    }
    head.try_into().map_err(|_| emptied("it ends within its header"))
}

/// Brings a log of an older format to today's, one transaction a step.
pub(super) fn migrate_from(
    connection: &mut Connection,
    format: i64,
) -> Result<(), rusqlite::Error> {
    for (number, step) in (1..).zip(MIGRATIONS) {
        if number <= format {
            continue;
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// What is wrong where our statements do not fit the file's tables: then these are not ours. The
/// statement itself, which SQLite's words may hold, would only hide the cure.
pub(super) fn misfit(error: &rusqlite::Error) -> Option<String> {
    let said = if let rusqlite::Error::SqlInputError { msg, .. } = error {
        msg
    } else if let rusqlite::Error::SqliteFailure(_, Some(said)) = error
        && error.sqlite_error_code() == Some(ErrorCode::Unknown)
    {
        said
    } else {
        return None;
    };
    Some(format!("its tables are not those of its format: {said}"))
}

/// Whether the disk had no room, before anything of the transaction could count.
///
/// A failed sync is never that, even when room is what it lacked: what reached the disk is unknown.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| {
            // The -shm file could not grow.
            error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
        })
}

/// Says in our words why SQLite refused the file.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    if let Some(what) = misfit(error) {
        return OpenError::damaged(path, what);
    }
    let access =
        |cure: &str| OpenError::Access { path: path.to_owned(), why: format!("{error}{cure}") };
    if is_full(error) {
        return access("; free some space on that disk");
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::damaged(path, error.to_string())
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            access("; another program writes it, end that one first")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => access(
            "; the data directory and the files in it must belong to this user, and their \
                 disk must have room (df, df -i) and not be mounted read-only",
        ),
        Some(_) | None => access(""),
    }
}
