//! What SQLite noted in a -shm file of how far the -wal beside it goes, read as the bytes that it
//! is: for before the first look at the log, with which SQLite makes the -shm anew. It is noted
//! after each sync, so it never promises too much; and it outlives a process that was killed.
//!
//! SQLite locks this file. A process that closes it loses the locks that it holds on it, so nobody
//! may read it here who has the log open. Changes nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::log::wal::Sum;

/// Bytes of a copy of the header; there are two, and both must say the same.
const HEADER_BYTES: usize = 48;
/// Bytes of both, and of the number of frames moved that stands behind them.
const READ_BYTES: usize = 2 * HEADER_BYTES + 4;
const VERSION: u32 = 3_007_000;

/// What the -wal must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// The round of the -wal that this is about.
    pub round: [u8; 8],
    /// Frames up to the newest commit.
    pub frames: u32,
    /// How many of them, from the first, are in the log's own file as well.
    pub moved: u32,
    /// Changes with every commit.
    pub change: u32,
}

/// Reads the -shm at `path`; nothing where there is none, or none that a writer has finished.
pub(super) fn read(path: &Path) -> Option<Noted> {
    let mut bytes = [0; READ_BYTES];
    File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).ok()?;
    noted(&bytes)
}

fn noted(bytes: &[u8; READ_BYTES]) -> Option<Noted> {
    let (header, rest) = bytes.split_at(HEADER_BYTES);
    let (again, moved) = rest.split_at(HEADER_BYTES);
    // The machine's own byte order: the file is shared by processes, not by machines.
    let word = |bytes: &[u8], at: usize| {
        let bytes = &bytes[4 * at..4 * at + 4];
        u32::from_ne_bytes(bytes.try_into().expect("four bytes were taken"))
    };
    let mut sum = Sum::new(cfg!(target_endian = "big"));
    sum.add(&header[..40]);
    let finished = header[12] == 1 && sum.halves == (word(header, 10), word(header, 11));
    if header != again || word(header, 0) != VERSION || !finished {
        return None;
    }
    let round = header[32..40].try_into().expect("eight bytes were taken");
    let (frames, change) = (word(header, 4), word(header, 2));
    Some(Noted { round, frames, moved: word(moved, 0), change })
}
