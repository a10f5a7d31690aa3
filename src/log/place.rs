//! Where the log's files are: whether the names still lead to the very files that are written, and
//! whether those still hold what was written.
//!
//! The system lets anybody delete, replace or cut a file that another process writes, and tells the
//! writer nothing: what it commits from then on is gone with its last descriptor, or what it
//! committed before is. So both names are looked up after every commit, before anything of it is
//! told \[R2\]. Two look-ups cost a few microseconds where a commit costs hundreds, so no clock
//! decides when to look, and there is no instant at which a loss could go unseen.
//!
//! A look-up tells sizes as well. Where a file has less than it had, its content is looked at: that
//! is rare, and a person who tidies up (`VACUUM`, a checkpoint by hand) is no loss.
//!
//! It must not ask for the files' times. Since Linux 6.13 a file whose times were asked for gets a
//! finer one with its next write, which its inode then has to be written for: each sync took half
//! as long again.

use std::io;
use std::path::{Path, PathBuf};

use crate::log::migrate::beside;
use crate::log::wal;

/// Bytes of one block of `st_blocks`, whatever a block of the disk is.
const BLOCK: u64 = 512;

/// The files of an open log.
#[derive(Debug)]
pub(super) struct Place {
    log: Seat,
    wal: Seat,
    /// The disk stores less than a file's length, so that proves nothing.
    packs: bool,
}

/// One file by its name, and which one it was when it was opened.
#[derive(Debug)]
struct Seat {
    path: PathBuf,
    /// Device and inode; absent: SQLite has not made it yet.
    file: Option<Identity>,
    /// The size at which its content was sound.
    size: Size,
}

/// Which file it is: its device and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    bytes: u64,
    /// What the disk stores of them: a hole in the middle takes none.
    blocks: u64,
}

/// A name that leads elsewhere now.
#[derive(Debug)]
pub(super) struct Lost {
    /// The name.
    pub path: PathBuf,
    /// What became of it.
    pub how: String,
    /// What is left of what it held.
    pub state: Left,
}

/// What is left of what a file held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Only the -wal is gone, and the log beside it is the one that was opened: what the -wal held
    /// can still be moved there.
    CanBeSaved,
    /// Nobody can tell: it may not be looked at.
    Unseen,
    /// Not all.
    Lost,
}

/// What the log must hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    /// How many pages the log has, in the file or still in the -wal.
    pub count: u64,
    /// Bytes of each.
    pub bytes: u64,
}

impl Place {
    /// Remembers the files of the log at `path`, which SQLite has open as `opened`: it follows
    /// links, and the -wal lies where they lead.
    pub(super) fn of(path: &Path, opened: Option<&str>) -> io::Result<Place> {
        let wal = beside(opened.map_or(path, Path::new), "-wal");
        let (log, wal) = (Seat::of(path.to_owned())?, Seat::of(wal)?);
        Ok(Place { log, wal, packs: false })
    }

    /// Looks whether both are where they were, and not cut. `pages` is asked where the log has
    /// shrunk; absent: SQLite cannot tell.
    pub(super) fn check(&mut self, pages: impl FnOnce() -> Option<Pages>) -> Result<(), Lost> {
        let lost = |seat: &Seat, how: &str, state| {
            let (path, how) = (seat.path.clone(), how.to_owned());
            Err(Lost { path, how, state })
        };
        let hidden = |seat: &Seat, error: &io::Error| {
            lost(seat, &format!("put out of reach ({error})"), Left::Unseen)
        };
        let log = match self.log.look() {
            Seen::Same(size) => size,
            Seen::Empty => return lost(&self.log, "emptied", Left::Lost),
            Seen::Gone => return lost(&self.log, "deleted or moved away", Left::Lost),
            Seen::Another => return lost(&self.log, "replaced by another file", Left::Lost),
            Seen::Hidden(error) => return hidden(&self.log, &error),
        };
        match self.wal.look() {
            Seen::Same(size) => {
                if self.wal_is_torn(size) {
                    return lost(&self.wal, "cut", Left::Lost);
                }
                self.wal.size = size;
            }
            // Whoever moves all that it holds into the log may empty it. Who did not is found out
            // by the next commit, which leaves a hole.
            Seen::Empty => {}
            Seen::Gone => return lost(&self.wal, "deleted or moved away", Left::CanBeSaved),
            Seen::Another => return lost(&self.wal, "replaced by another file", Left::Lost),
            Seen::Hidden(error) => return hidden(&self.wal, &error),
        }
        if log.bytes < self.log.size.bytes && !self.log_is_whole(log, pages()) {
            return lost(&self.log, "cut", Left::Lost);
        }
        self.log.size = log;
        Ok(())
    }

    /// The -wal.
    pub(super) fn wal(&self) -> &Path {
        &self.wal.path
    }

    /// Whether that many frames can be read of the -wal. What cannot be read now is no proof.
    pub(super) fn wal_holds(&self, frames: i64) -> bool {
        let wal = wal::read(&self.wal.path);
        wal.map_or(true, |wal| i64::from(wal.frames) >= frames)
    }

    /// Whether something was cut out of the -wal, which is read where its size leaves a doubt.
    fn wal_is_torn(&mut self, now: Size) -> bool {
        let before = self.wal.size;
        let less = now.bytes < before.bytes || now.blocks < before.blocks;
        let hole = !self.packs && now.blocks * BLOCK < now.bytes;
        if !less && !hole {
            return false;
        }
        // What cannot be read now is no proof; SQLite will say so where it matters. Read twice: in
        // the middle of a stranger's commit its end can be seen before its beginning.
        let mut looks = (0..2).map(|_| wal::read(&self.wal.path));
        let torn = looks.all(|wal| wal.is_ok_and(|wal| wal.is_torn()));
        // Found out once: on a disk that packs what it stores every commit would read it.
        self.packs |= hole && !torn;
        torn
    }

    /// Whether every page is in the file that has shrunk, or in the -wal.
    fn log_is_whole(&self, now: Size, pages: Option<Pages>) -> bool {
        let Some(Pages { count, bytes }) = pages else { return true };
        let there = now.bytes / bytes;
        let held = wal::read(&self.wal.path).unwrap_or_default().pages;
        (there + 1..=count).all(|page| u32::try_from(page).is_ok_and(|page| held.contains(&page)))
    }
}

/// What a name leads to.
enum Seen {
    Same(Size),
    /// The same file, and nothing is in it any more.
    Empty,
    Gone,
    Another,
    Hidden(io::Error),
}

impl Seat {
    fn of(path: PathBuf) -> io::Result<Seat> {
        let (file, size) = match look_up(&path) {
            Ok((found, size)) => (Some(found), size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, Size::default()),
            Err(error) => return Err(error),
        };
        Ok(Seat { path, file, size })
    }

    fn look(&mut self) -> Seen {
        let (now, size) = match look_up(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Seen::Gone,
            Err(error) => return Seen::Hidden(error),
        };
        match *self.file.get_or_insert(now) == now {
            true if size.bytes == 0 => Seen::Empty,
            true => Seen::Same(size),
            false => Seen::Another,
        }
    }
}

/// Which file a name leads to, and its size.
#[cfg(target_os = "linux")]
fn look_up(path: &Path) -> io::Result<(Identity, Size)> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    use rustix::io::Errno;
    let asked = StatxFlags::INO | StatxFlags::SIZE | StatxFlags::BLOCKS;
    match statx(CWD, path, AtFlags::empty(), asked) {
        Ok(found) => {
            let device = makedev(found.stx_dev_major, found.stx_dev_minor);
            let size = Size { bytes: found.stx_size, blocks: found.stx_blocks };
            Ok((Identity(device, found.stx_ino), size))
        }
        // An old system has no such call, and some sandboxes forbid it.
        Err(Errno::NOSYS | Errno::PERM) => look_up_all(path),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
use look_up_all as look_up;

/// The same, with all that the system knows of the file.
fn look_up_all(path: &Path) -> io::Result<(Identity, Size)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path)?;
    let size = Size { bytes: found.len(), blocks: found.blocks() };
    Ok((Identity(found.dev(), found.ino()), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A launcher that falls back between two looks must not take a file for another.
    #[test]
    fn both_ways_to_look_a_file_up_agree() {
        let file = tempfile::NamedTempFile::new().expect("the machine has a disk");
        std::fs::write(file.path(), "five.").expect("the file can be written");
        let short = look_up(file.path()).expect("it is there");
        assert_eq!(short, look_up_all(file.path()).expect("it is there"));
        assert_eq!(short.1.bytes, 5);
    }
}
