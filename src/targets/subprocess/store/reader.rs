//! Reads what turns wrote, while they write it or long after. Changes nothing.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::{file_name, place, segments};

/// What is read at once. A longer line makes it more.
const CHUNK: u64 = 64 * 1024;

/// Goes through a block's stored output.
#[derive(Debug)]
pub struct Reader {
    directory: PathBuf,
    /// The offset of the next line.
    at: u64,
}

/// Whole lines that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The offset of the first.
    pub offset: u64,
    /// The lines with their ends.
    pub bytes: Vec<u8>,
}

impl Reader {
    /// A reader of a block's output from that offset on; what is no longer kept is passed over.
    #[must_use]
    pub fn new(output: &Path, block_id: &str, from: u64) -> Reader {
        Reader { directory: place(output, block_id), at: from }
    }

    /// Whether anything was ever kept of the block.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.directory.is_dir()
    }

    /// The next lines; nothing: there are no more yet.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn more(&mut self) -> io::Result<Option<Stretch>> {
        loop {
            let starts = segments(&self.directory)?;
            let holding = starts.iter().rposition(|start| *start <= self.at).unwrap_or(0);
            let Some(start) = starts.get(holding).copied() else { return Ok(None) };
            self.at = self.at.max(start);
            let Some(stretch) = self.read(start)? else {
                // The lines go on in the next segment, perhaps behind a gap.
                let Some(next) = starts.get(holding + 1) else { return Ok(None) };
                self.at = *next;
                continue;
            };
            self.at += stretch.bytes.len() as u64;
            return Ok(Some(stretch));
        }
    }

    fn read(&mut self, start: u64) -> io::Result<Option<Stretch>> {
        let mut file = match File::open(self.directory.join(file_name(start))) {
            // It was the oldest, and gave way just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.at - start))?;
        self.seek_line(&mut file, start)?;
        let mut bytes = Vec::new();
        loop {
            let read = file.by_ref().take(CHUNK).read_to_end(&mut bytes)?;
            if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
                bytes.truncate(end + 1);
                return Ok(Some(Stretch { offset: self.at, bytes }));
            }
            if read == 0 {
                return Ok(None);
            }
        }
    }

    /// An offset inside of a line means the line after it.
    fn seek_line(&mut self, file: &mut File, start: u64) -> io::Result<()> {
        if self.at == start {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.at - start - 1))?;
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let read = file.by_ref().take(CHUNK).read_to_end(&mut bytes)?;
            let end = bytes[before..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                self.at += (before + end) as u64;
                file.seek(SeekFrom::Start(self.at - start))?;
                return Ok(());
            }
            if read == 0 {
                return Ok(());
            }
        }
    }
}
