//! The lock that makes a launcher the only one on its data directory \[W11\]. Guards nothing inside
//! the process.

use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg, OFlag};

/// Held for the life of the launcher; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _held: Flock<File>,
}

/// Why a data directory cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another launcher has it.
    #[error(
        "another launcher holds the data directory {}; stop it, or give another --data",
        path.display()
    )]
    Held {
        /// The data directory.
        path: PathBuf,
    },
    /// What stands in the lock's place can hold no lock, or would make the start wait.
    #[error(
        "{} is {what}, where the lock of the data directory must be a plain file; \
         move it away, or give another --data", path.display()
    )]
    NoFile {
        /// The lock.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// The system does not allow it.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    Os {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataLock {
    /// Makes the directory when it is missing, and takes its lock before anything in it is touched.
    ///
    /// # Errors
    /// Another launcher holds it, or the directory cannot be made or written.
    pub fn take(data: &Path) -> Result<DataLock, LockError> {
        let os = |source| LockError::Os { path: data.to_owned(), source };
        if !data.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(os)?;
        }
        let path = data.join("lock");
        // A pipe would make the opening wait for its reader, and a link leads out of the directory.
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
            .open(&path);
        // What cannot even be opened is told by what it is, not by what the system calls it.
        let found = match &opened {
            Ok(file) => file.metadata(),
            Err(_) => fs::symlink_metadata(&path),
        };
        if let Ok(found) = found
            && !found.is_file()
        {
            return Err(LockError::NoFile { path, what: name_of(found.file_type()) });
        }
        let file = opened.map_err(os)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(DataLock { _held: held }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                Err(LockError::Held { path: data.to_owned() })
            }
            Err((_, errno)) => Err(os(io::Error::from(errno))),
        }
    }
}

fn name_of(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// Puts something in the lock's place: the directory cannot be taken, and the words say what
    /// it is. A start that waited would hang here.
    fn check_refused(place: impl FnOnce(&Path), expected: &str) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        place(&dir.path().join("lock"));
        let said = DataLock::take(dir.path()).expect_err("it can hold no lock").to_string();
        assert!(said.contains(&format!("lock is {expected}, where")), "{said}");
        assert!(said.contains("move it away"), "{said}");
    }

    #[test]
    fn w11_what_can_hold_no_lock_is_refused_by_its_name() {
        check_refused(|lock| fs::create_dir(lock).expect("room"), "a directory");
        check_refused(|lock| mkfifo(lock, Mode::S_IRWXU).expect("room"), "a pipe");
        check_refused(|lock| drop(UnixListener::bind(lock).expect("room")), "a socket");
        check_refused(|lock| symlink("elsewhere", lock).expect("room"), "a symbolic link");
        check_refused(|lock| symlink("/dev/null", lock).expect("room"), "a symbolic link");
    }

    #[test]
    fn w11_a_second_launcher_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let first = DataLock::take(dir.path()).expect("nobody else is here");
        let second = DataLock::take(dir.path());
        assert!(matches!(second, Err(LockError::Held { .. })), "{second:?}");
        drop(first);
        assert!(DataLock::take(dir.path()).is_ok());
    }

    #[test]
    fn a_data_directory_that_cannot_be_made_is_refused_with_its_path() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("file");
        fs::write(&file, "x").expect("a file");
        let error = DataLock::take(&file.join("data")).expect_err("a file is no directory");
        assert!(error.to_string().contains("file/data"), "{error}");
    }
}
