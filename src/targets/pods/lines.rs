//! Lines from a connection, bounded. Knows nothing of what they say.

use std::io;

use crate::ipc::transport::ReadHalf;

/// Reads lines. A read that is given up loses nothing: the next one goes on where it was.
#[derive(Debug)]
pub(super) struct LinesOf {
    read: ReadHalf,
    max: usize,
    bytes: Vec<u8>,
    /// Up to where no line ends.
    searched: usize,
}

impl LinesOf {
    /// A reader of lines of at most `max` bytes.
    pub fn new(read: ReadHalf, max: usize) -> LinesOf {
        LinesOf { read, max, bytes: Vec::new(), searched: 0 }
    }

    /// The next line that is not blank, without its end; nothing: the peer sends no more. A last
    /// line that has no end was torn, and is none.
    ///
    /// # Errors
    /// The connection broke, or a line is longer than it may be.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            while let Some(at) = self.bytes[self.searched..].iter().position(|b| *b == b'\n') {
                let rest = self.bytes.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.bytes, rest);
                self.searched = 0;
                line.pop();
                if line.len() > self.max {
                    return Err(too_long(self.max));
                }
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
            }
            self.searched = self.bytes.len();
            if self.bytes.len() > self.max {
                return Err(too_long(self.max));
            }
            if self.read.read(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn too_long(max: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a line has more than {max} bytes"))
}
