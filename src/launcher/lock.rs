//! The lock that makes a launcher the only one on its data directory \[W11\]. Guards nothing inside
//! the process.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

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
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(data.join("lock"))
            .map_err(os)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(DataLock { _held: held }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                Err(LockError::Held { path: data.to_owned() })
            }
            Err((_, errno)) => Err(os(io::Error::from(errno))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
