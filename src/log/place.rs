//! Where the log's files are: whether the names still lead to the very files that are written.
//! Opens and reads none of them.
//!
//! The system lets anybody delete or replace a file that another process writes, and tells the
//! writer nothing: what it commits from then on is gone with its last descriptor. So both names are
//! looked up after every commit, before anything of it is told \[R2\]. Two look-ups cost a few
//! microseconds where a commit costs hundreds, so no clock decides when to look, and there is no
//! instant at which a loss could go unseen.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::log::migrate::beside;

/// The files of an open log.
#[derive(Debug)]
pub(super) struct Place {
    log: Seat,
    wal: Seat,
}

/// One file by its name, and which one it was when it was opened.
#[derive(Debug)]
struct Seat {
    path: PathBuf,
    /// Device and inode; absent: SQLite has not made it yet.
    file: Option<(u64, u64)>,
}

/// A name that leads elsewhere now.
#[derive(Debug)]
pub(super) struct Lost {
    /// The name.
    pub path: PathBuf,
    /// What became of it.
    pub how: String,
    /// Only the -wal is gone, and the log beside it is the one that was opened: what the -wal held
    /// can still be moved there.
    pub can_be_saved: bool,
}

impl Place {
    /// Remembers the files of the log at `path`, which SQLite has open as `opened`: it follows
    /// links, and the -wal lies where they lead.
    pub(super) fn of(path: &Path, opened: Option<&str>) -> io::Result<Place> {
        let wal = beside(opened.map_or(path, Path::new), "-wal");
        let (log, wal) = (Seat::of(path.to_owned())?, Seat::of(wal)?);
        Ok(Place { log, wal })
    }

    /// Looks whether both are where they were.
    pub(super) fn check(&mut self) -> Result<(), Lost> {
        let lost = |seat: &Seat, how, can_be_saved| {
            let path = seat.path.clone();
            Err(Lost { path, how, can_be_saved })
        };
        match self.log.look() {
            Seen::Same => {}
            Seen::Empty => return lost(&self.log, "emptied".to_owned(), false),
            Seen::Gone => return lost(&self.log, "deleted or moved away".to_owned(), false),
            Seen::Another => return lost(&self.log, "replaced by another file".to_owned(), false),
            Seen::Hidden(error) => return lost(&self.log, format!("hidden ({error})"), false),
        }
        match self.wal.look() {
            // Whoever moves all that it holds into the log may empty it.
            Seen::Same | Seen::Empty => Ok(()),
            Seen::Gone => lost(&self.wal, "deleted or moved away".to_owned(), true),
            Seen::Another => lost(&self.wal, "replaced by another file".to_owned(), false),
            Seen::Hidden(error) => lost(&self.wal, format!("hidden ({error})"), false),
        }
    }
}

/// What a name leads to.
enum Seen {
    Same,
    /// The same file, and nothing is in it any more.
    Empty,
    Gone,
    Another,
    Hidden(io::Error),
}

impl Seat {
    fn of(path: PathBuf) -> io::Result<Seat> {
        let file = match fs::metadata(&path) {
            Ok(found) => Some((found.dev(), found.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Seat { path, file })
    }

    fn look(&mut self) -> Seen {
        let (now, empty) = match fs::metadata(&self.path) {
            Ok(found) => ((found.dev(), found.ino()), found.len() == 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Seen::Gone,
            Err(error) => return Seen::Hidden(error),
        };
        match *self.file.get_or_insert(now) == now {
            true if empty => Seen::Empty,
            true => Seen::Same,
            false => Seen::Another,
        }
    }
}
