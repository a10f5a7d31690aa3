//! What turns wrote, in files: lines with offsets that count from a block's first byte for ever.
//! Keeps the newest; a disk that cannot take more costs lines of the past, never a turn.
//!
//! A block has a directory, and in it segments, each named by the offset of its first byte. A line
//! that could not be written leaves a gap before the next segment.

mod reader;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tracing::warn;

pub use reader::{Reader, Stretch};

/// The directory of all blocks' output, inside of the data directory.
pub const OUTPUT: &str = "output";
/// Signs of a block's name that its directory shows.
const NAME_SHOWN: usize = 40;
/// What is looked at at once in search of a line's end.
const LOOK_BACK: u64 = 64 * 1024;

/// How much of a block's output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes after which a segment is followed by another; one line may go beyond.
    pub segment_bytes: u64,
    /// Segments that are kept, the one that is written among them.
    pub segments: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { segment_bytes: 8 * 1024 * 1024, segments: 2 }
    }
}

/// The stored output of one block, to be added to by one writer.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    bounds: Bounds,
    open: Option<Segment>,
    /// The offset of the next line.
    end: u64,
    /// Whether what was stored before was found: before that nothing is added.
    found: bool,
    /// Whether it was said that something could not be kept.
    warned: bool,
}

#[derive(Debug)]
struct Segment {
    file: File,
    bytes: u64,
}

/// Where a block's output lies. Its directory shows what of its name every file system can hold,
/// and tells it from all others.
#[must_use]
pub fn place(output: &Path, block_id: &str) -> PathBuf {
    let digest = Sha256::digest(block_id.as_bytes());
    let shown = block_id.chars().take(NAME_SHOWN);
    let mut name: String = shown
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    name.push('-');
    name.extend(digest[..8].iter().map(|byte| format!("{byte:02x}")));
    output.join(name)
}

/// Takes away all that is stored of a block.
///
/// # Errors
///
/// The files cannot be removed.
pub fn remove(output: &Path, block_id: &str) -> io::Result<()> {
    match fs::remove_dir_all(place(output, block_id)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Store {
    /// The store of a block, ready to be added to: a torn last line of an earlier writer is cut.
    /// What cannot be opened is told in the log and tried again with the next line.
    #[must_use]
    pub fn open(output: &Path, block_id: &str, bounds: Bounds) -> Store {
        let directory = place(output, block_id);
        let mut store =
            Store { directory, bounds, open: None, end: 0, found: false, warned: false };
        store.find();
        store
    }

    /// The offset that the next line gets.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Adds lines, and returns their offsets. Where they cannot be kept they get offsets all the
    /// same, which lead to nothing.
    pub fn append<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> Vec<u64> {
        self.find();
        let mut bytes = Vec::new();
        let mut offsets = Vec::new();
        let from = self.end;
        for line in lines {
            offsets.push(from + bytes.len() as u64);
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        if self.found
            && let Err(error) = self.write(&bytes)
        {
            self.open = None;
            self.warn(&error);
        }
        self.end = from + bytes.len() as u64;
        offsets
    }

    /// Sees to it that what was added outlives the system's end.
    pub fn sync(&mut self) {
        let Some(segment) = &self.open else { return };
        if let Err(error) = segment.file.sync_data() {
            self.warn(&error);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|open| open.bytes >= self.bounds.segment_bytes) {
            self.open = Some(self.next_segment()?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Err(error) = open.file.write_all(bytes) {
            // Half a line would be read as one.
            let _ = open.file.set_len(open.bytes);
            return Err(error);
        }
        open.bytes += bytes.len() as u64;
        Ok(())
    }

    fn next_segment(&self) -> io::Result<Segment> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let path = self.directory.join(file_name(self.end));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path)?;
        let starts = segments(&self.directory)?;
        let kept = self.bounds.segments.max(1);
        for start in starts.iter().take(starts.len().saturating_sub(kept)) {
            fs::remove_file(self.directory.join(file_name(*start)))?;
        }
        Ok(Segment { file, bytes: 0 })
    }

    fn find(&mut self) {
        if self.found {
            return;
        }
        match self.find_end() {
            Ok(()) => self.found = true,
            Err(error) => self.warn(&error),
        }
    }

    fn find_end(&mut self) -> io::Result<()> {
        let Some(start) = segments(&self.directory)?.last().copied() else { return Ok(()) };
        self.end = start;
        let path = self.directory.join(file_name(start));
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        // Whatever happens now, no offset is given twice.
        self.end = start + length;
        let bytes = whole_lines(&mut file, length)?;
        if bytes < length {
            file.set_len(bytes)?;
        }
        file.seek(SeekFrom::Start(bytes))?;
        self.end = start + bytes;
        self.open = Some(Segment { file, bytes });
        Ok(())
    }

    /// Says it once: a full disk would say it with every line.
    fn warn(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.warned, true) {
            let directory = self.directory.display();
            warn!(%directory, %error, "a turn's output is not kept; the turn goes on");
        }
    }
}

fn file_name(start: u64) -> String {
    format!("{start:020}.lines")
}

/// The starts of a directory's segments, in order.
fn segments(directory: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut starts = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let start = name.to_str().and_then(|name| name.strip_suffix(".lines"));
        starts.extend(start.and_then(|start| start.parse::<u64>().ok()));
    }
    starts.sort_unstable();
    Ok(starts)
}

/// How many bytes of a file are whole lines.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut until = length;
    while until > 0 {
        let from = until.saturating_sub(LOOK_BACK);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&*file).take(until - from).read_to_end(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        until = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
