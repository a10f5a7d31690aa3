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
    log: Option<Flock<File>>,
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
    /// Another launcher writes the log, to which two data directories lead.
    #[error(
        "another launcher holds the log {}, which its own data directory leads to as well; stop \
         it, or give this one a log of its own", path.display()
    )]
    LogHeld {
        /// The log.
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
    /// There cannot be a directory.
    #[error(
        "the data directory {} cannot be: {} is {what}; {cure}, or give another --data",
        path.display(), there.display()
    )]
    NoDirectory {
        /// The data directory.
        path: PathBuf,
        /// It, or what it should lie in.
        there: PathBuf,
        /// What that is instead.
        what: String,
        /// What to do about it.
        cure: &'static str,
    },
    /// The system does not allow it.
    #[error("the data directory {} cannot be used: {source}{}", path.display(), cure_of(source))]
    Os {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataLock {
    /// Whether a launcher ever began to use the directory.
    #[must_use]
    pub fn was_taken(data: &Path) -> bool {
        data.join("lock").exists()
    }

    /// Makes the directory when it is missing, and takes its lock before anything in it is touched.
    ///
    /// # Errors
    /// Another launcher holds it, or the directory cannot be made or written.
    pub fn take(data: &Path) -> Result<DataLock, LockError> {
        let os = |source| LockError::Os { path: data.to_owned(), source };
        can_be(data)?;
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
        let held = lock(file).map_err(os)?.ok_or_else(|| LockError::Held { path: data.into() })?;
        Ok(DataLock { _held: held, log: None })
    }

    /// Takes the log itself as well: a link may lead to it from another data directory, which has a
    /// lock of its own. Nothing where there is no log yet.
    ///
    /// The file stays open until the launcher ends: whoever closed it would take SQLite's locks on
    /// it away \[R2\]. Those are of another kind, which on Linux alone does not meet this one.
    ///
    /// # Errors
    /// Another launcher holds it.
    pub fn take_log(&mut self, log: &Path) -> Result<(), LockError> {
        if self.log.is_some() || !cfg!(target_os = "linux") {
            return Ok(());
        }
        // What cannot be opened, or is no file, is told by who opens the log.
        let flags = OFlag::O_NONBLOCK.bits();
        let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(log) else {
            return Ok(());
        };
        match lock(file) {
            Ok(Some(held)) => self.log = Some(held),
            Ok(None) => return Err(LockError::LogHeld { path: log.to_owned() }),
            // Some disks know no locks: then there is the one of the directory.
            Err(error) => tracing::debug!(%error, "the log cannot be locked"),
        }
        Ok(())
    }
}

/// Locks a file; nothing: another process has.
fn lock(file: File) -> io::Result<Option<Flock<File>>> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(held) => Ok(Some(held)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Whether that path is a directory, or one can be made there.
///
/// # Errors
/// It, or a part of it, is something else.
pub fn can_be(data: &Path) -> Result<(), LockError> {
    // What is nearest to it and there: a link that leads nowhere is there as well.
    let parts = data.ancestors().filter(|part| !part.as_os_str().is_empty());
    let found = parts.map(|part| (part, fs::symlink_metadata(part)));
    let Some((there, Ok(found))) = found.into_iter().find(|(_, found)| found.is_ok()) else {
        return Ok(());
    };
    let (what, cure) = match fs::metadata(there) {
        Ok(leads_to) if leads_to.is_dir() => return Ok(()),
        Ok(leads_to) if leads_to.is_file() => ("a file".to_owned(), "move it away"),
        Ok(leads_to) => (name_of(leads_to.file_type()).to_owned(), "move it away"),
        Err(_) if found.is_symlink() => {
            let to = fs::read_link(there).unwrap_or_default();
            let what = format!("a symbolic link to {}, and nothing is there", to.display());
            (what, "make that directory (is its disk mounted?), remove the link")
        }
        // The system says why when it is asked for more.
        Err(_) => return Ok(()),
    };
    let (path, there) = (data.to_owned(), there.to_owned());
    Err(LockError::NoDirectory { path, there, what, cure })
}

/// What is usually behind the system's refusal.
fn cure_of(source: &io::Error) -> &'static str {
    let cures = [
        (
            io::ErrorKind::PermissionDenied,
            "; it and the files in it must belong to the user who starts the launcher, who must \
             be allowed to write them; or give another --data",
        ),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "; its disk is mounted read-only: mount it to be written, or give another --data",
        ),
        (io::ErrorKind::StorageFull, "; free some space on that disk, or give another --data"),
    ];
    cures.iter().find(|(kind, _)| *kind == source.kind()).map_or("", |cure| cure.1)
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

    /// Two directories, each with a lock of its own, lead to one log.
    #[cfg(target_os = "linux")]
    #[test]
    fn w11_a_log_that_two_data_directories_lead_to_has_one_launcher() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = |name: &str| dir.path().join(name);
        let take = |name: &str| DataLock::take(&data(name)).expect("nobody else is here");
        let log = |name: &str| data(name).join("sagaflow.db");
        let (mut first, mut second, mut third) = (take("one"), take("two"), take("three"));
        assert!(first.take_log(&log("one")).is_ok(), "there is none yet");
        fs::write(log("one"), "a log").expect("room");
        symlink(log("one"), log("two")).expect("room");
        fs::hard_link(log("one"), log("three")).expect("room");
        first.take_log(&log("one")).expect("nobody else has it");
        for (lock, name) in [(&mut second, "two"), (&mut third, "three")] {
            let said = lock.take_log(&log(name)).expect_err("it is taken").to_string();
            assert!(said.contains(&format!("{name}/sagaflow.db")), "{said}");
        }
        drop(first);
        second.take_log(&log("two")).expect("the first is gone");
    }

    #[test]
    fn a_data_directory_that_cannot_be_made_is_refused_with_its_path() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("file");
        fs::write(&file, "x").expect("a file");
        let error = DataLock::take(&file.join("data")).expect_err("a file is no directory");
        assert!(error.to_string().contains("file/data cannot be: "), "{error}");
        assert!(error.to_string().contains("file is a file; move it away"), "{error}");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_no_data_directory_and_says_so() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let link = dir.path().join("link");
        symlink("/not/mounted", &link).expect("room");
        for data in [link.clone(), link.join("below")] {
            let said = DataLock::take(&data).expect_err("there is nothing").to_string();
            assert!(
                said.contains("link is a symbolic link to /not/mounted, and nothing"),
                "{said}"
            );
            assert!(said.contains("is its disk mounted?"), "{said}");
        }
        fs::create_dir(dir.path().join("real")).expect("room");
        let good = dir.path().join("good");
        symlink("real", &good).expect("room");
        assert!(DataLock::take(&good.join("new")).is_ok(), "a link to a directory is one");
    }

    #[test]
    fn what_the_system_refuses_is_told_with_its_cure() {
        for (kind, cure) in [
            (io::ErrorKind::PermissionDenied, "must belong to the user who starts the launcher"),
            (io::ErrorKind::ReadOnlyFilesystem, "mount it to be written"),
            (io::ErrorKind::StorageFull, "free some space on that disk"),
        ] {
            let said = LockError::Os { path: "/data".into(), source: kind.into() }.to_string();
            assert!(said.contains(cure) && said.ends_with("give another --data"), "{said}");
        }
    }
}
