//! What a -wal file holds, read as the bytes that it is: SQLite takes one that was cut for a short
//! one, and says nothing. Reading it takes no lock away: SQLite locks the log and the -shm, never
//! the -wal. Changes nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 24;
const MAGIC: u32 = 0x377f_0682;

/// The frames of a -wal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wal {
    /// Pages of which a committed version is there.
    pub pages: BTreeSet<u32>,
    /// Frames up to the last commit to which all before it lead.
    pub frames: u32,
    /// How many pages the log has since that commit; zero without one.
    pub log_pages: u32,
    /// Which round of the file this is; nothing where it has no sound header.
    pub round: Option<[u8; 8]>,
    /// Commits of this round behind a gap. One may be what a power cut left of the last commit,
    /// whose parts reach a disk in any order; of two, the first was whole once.
    pub behind_a_gap: u32,
    /// It has no sound header, and something stands where frames would be.
    pub headless: bool,
}

impl Wal {
    /// Whether something was cut out of it: a commit is there, and not all before it.
    pub(super) fn is_torn(&self) -> bool {
        self.headless || self.behind_a_gap > 0
    }
}

/// Reads the -wal at `path` up to its last frame.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Wal> {
    let mut file = BufReader::new(File::open(path)?);
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut file, &mut header)? {
        return Ok(Wal::default());
    }
    let big_endian = word(&header, 0) & 1 == 1;
    let mut sum = Sum::new(big_endian);
    sum.add(&header[..24]);
    let bytes = word(&header, 2);
    let sound = word(&header, 0) & !1 == MAGIC && (512..=65_536).contains(&bytes);
    if !sound || sum.halves != (word(&header, 6), word(&header, 7)) {
        return Ok(Wal { headless: holds_anything(file)?, ..Wal::default() });
    }
    let round: [u8; 8] = header[16..24].try_into().expect("eight bytes were taken");
    let (mut frame, mut page) = ([0; FRAME_BYTES], vec![0; bytes as usize]);
    let (mut wal, mut chained) = (Wal { round: Some(round), ..Wal::default() }, true);
    let mut waiting = Vec::new();
    while fill(&mut file, &mut frame)? && fill(&mut file, &mut page)? {
        // What an older round left behind bears other salts.
        let of_this_round = frame[8..16] == round;
        let commits = word(&frame, 1) != 0;
        if chained {
            sum.add(&frame[..8]);
            sum.add(&page);
            chained = of_this_round && sum.halves == (word(&frame, 4), word(&frame, 5));
        }
        if chained {
            waiting.push(word(&frame, 0));
            if commits {
                wal.frames += u32::try_from(waiting.len()).unwrap_or(u32::MAX);
                wal.pages.extend(waiting.drain(..));
                wal.log_pages = word(&frame, 1);
            }
        } else if of_this_round && commits {
            wal.behind_a_gap += 1;
        }
    }
    Ok(wal)
}

/// Whether there is a byte that is not zero.
fn holds_anything(mut file: impl Read) -> io::Result<bool> {
    let mut part = [0; 8_192];
    loop {
        match file.read(&mut part) {
            Ok(0) => return Ok(false),
            Ok(read) if part[..read].iter().any(|byte| *byte != 0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads that much, or says that there is not as much left.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The word of that place; the file's own numbers are big-endian.
fn word(bytes: &[u8], at: usize) -> u32 {
    let bytes = &bytes[4 * at..4 * at + 4];
    u32::from_be_bytes(bytes.try_into().expect("four bytes were taken"))
}

/// SQLite's running checksum, over words in the byte order that the header names.
pub(super) struct Sum {
    big_endian: bool,
    pub(super) halves: (u32, u32),
}

impl Sum {
    pub(super) fn new(big_endian: bool) -> Sum {
        Sum { big_endian, halves: (0, 0) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let read = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let word = |bytes: &[u8]| read(bytes.try_into().expect("chunks of eight have two fours"));
        let (mut a, mut b) = self.halves;
        for pair in bytes.chunks_exact(8) {
            a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
            b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
        }
        self.halves = (a, b);
    }
}
