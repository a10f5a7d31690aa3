//! Bytes into lines, with bounded memory [W1]. Knows nothing of what a line says.

use crate::limits::WRITE_BATCH_BYTES;

/// Collects bytes and gives them back line by line.
#[derive(Debug)]
pub(super) struct Lines {
    max: usize,
    bytes: Vec<u8>,
    /// Where the first line that was not given yet begins.
    start: usize,
    /// Up to where no `\n` stands; so that a long line is searched once.
    searched: usize,
}

/// What [`Lines::next_line`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A line without its `\n`; never blank.
    Line(&'a [u8]),
    /// No whole line is here; more bytes are needed.
    More,
    /// The line is longer than a frame may be. Nothing after it can be trusted to be a line.
    TooLarge,
}

impl Lines {
    /// No bytes yet; lines of up to `max` bytes are to come.
    pub fn new(max: usize) -> Self {
        Self { max, bytes: Vec::new(), start: 0, searched: 0 }
    }

    /// Where the next bytes are to be read to, with room for many; lines that were given are
    /// forgotten.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        if self.bytes.is_empty() {
            // One long line does not hold its memory for the life of the connection.
            self.bytes.shrink_to(WRITE_BATCH_BYTES);
        }
        self.bytes.reserve(WRITE_BATCH_BYTES);
        &mut self.bytes
    }

    /// The next line that is not blank.
    pub fn next_line(&mut self) -> Next<'_> {
        loop {
            let Some(found) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n')
            else {
                self.searched = self.bytes.len();
                let rest = self.bytes.len() - self.start;
                return if rest > self.max { Next::TooLarge } else { Next::More };
            };
            let (start, end) = (self.start, self.searched + found);
            self.start = end + 1;
            self.searched = end + 1;
            if end - start > self.max {
                return Next::TooLarge;
            }
            if !self.bytes[start..end].trim_ascii().is_empty() {
                return Next::Line(&self.bytes[start..end]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FRAME_BYTES_MAX;

    fn lines(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut seen) = (Lines::new(FRAME_BYTES_MAX), Vec::new());
        for chunk in chunks {
            lines.buffer().extend_from_slice(chunk);
            while let Next::Line(line) = lines.next_line() {
                seen.push(line.to_vec());
            }
        }
        seen
    }

    #[test]
    fn w1_lines_come_out_whole_however_the_bytes_were_cut() {
        let text = b"{\"a\":1}\n\n  \n{\"b\":2}\r\nhalf";
        for cut in 0..text.len() {
            let seen = lines(&[&text[..cut], &text[cut..]]);
            assert_eq!(seen, [b"{\"a\":1}".to_vec(), b"{\"b\":2}\r".to_vec()], "cut at {cut}");
        }
    }

    #[test]
    fn w1_a_line_of_the_very_limit_passes_and_one_byte_more_does_not() {
        let mut line = vec![b'x'; FRAME_BYTES_MAX];
        line.push(b'\n');
        assert_eq!(lines(&[&line]).len(), 1);
        let mut longer = Lines::new(FRAME_BYTES_MAX);
        longer.buffer().extend_from_slice(b"x");
        longer.buffer().extend_from_slice(&line);
        assert_eq!(longer.next_line(), Next::TooLarge);
    }

    #[test]
    fn w1_a_line_that_never_ends_is_noticed_before_its_end() {
        let mut lines = Lines::new(FRAME_BYTES_MAX);
        lines.buffer().extend_from_slice(&vec![b'x'; FRAME_BYTES_MAX]);
        assert_eq!(lines.next_line(), Next::More);
        lines.buffer().push(b'x');
        assert_eq!(lines.next_line(), Next::TooLarge);
    }
}
