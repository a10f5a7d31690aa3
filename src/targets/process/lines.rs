//! Lines of what a child writes, bounded and whole. Knows nothing of what they mean.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes of a line that are kept. Beyond: the rest is passed over, and the line says so.
pub const LINE_MAX: usize = 256 * 1024;
/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its text without its end; what is not UTF-8 is shown as U+FFFD.
    pub text: String,
    /// Bytes of it that were passed over.
    pub cut: u64,
}

/// Reads lines. A read that is given up loses nothing: the next one goes on where it was.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
    max: usize,
    chunk: Box<[u8]>,
    /// What of `chunk` is not taken yet.
    from: usize,
    until: usize,
    /// The line so far.
    line: Vec<u8>,
    cut: u64,
    /// Whether anything of a line was seen since the last one ended.
    begun: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// A reader of lines of at most [`LINE_MAX`] bytes.
    pub fn new(source: R) -> Lines<R> {
        Lines::bounded(source, LINE_MAX)
    }

    /// A reader of lines of at most `max` bytes.
    pub fn bounded(source: R, max: usize) -> Lines<R> {
        let chunk = vec![0; CHUNK].into_boxed_slice();
        Lines { source, max, chunk, from: 0, until: 0, line: Vec::new(), cut: 0, begun: false }
    }

    /// The next line; nothing: there is no more. The last one needs no end. Giving up waiting for
    /// it loses nothing.
    ///
    /// # Errors
    /// The source cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let rest = &self.chunk[self.from..self.until];
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                self.take(at);
                self.from += 1;
                return Ok(Some(self.finish()));
            }
            self.take(rest.len());
            // Nothing is held across this wait but what `self` holds.
            let read = self.source.read(&mut self.chunk).await?;
            (self.from, self.until) = (0, read);
            if read == 0 {
                return Ok(self.begun.then(|| self.finish()));
            }
        }
    }

    /// Moves bytes to the line, as far as there is room.
    fn take(&mut self, count: usize) {
        let room = self.max.saturating_sub(self.line.len()).min(count);
        self.line.extend_from_slice(&self.chunk[self.from..self.from + room]);
        self.cut += (count - room) as u64;
        self.from += count;
        self.begun |= count > 0;
    }

    fn finish(&mut self) -> Line {
        if self.line.last() == Some(&b'\r') && self.cut == 0 {
            self.line.pop();
        }
        let text = String::from_utf8_lossy(&self.line).into_owned();
        // A long line's room is not kept for the short ones that follow.
        self.line = Vec::new();
        self.begun = false;
        Line { text, cut: std::mem::take(&mut self.cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    async fn all(mut lines: Lines<&[u8]>) -> Vec<(String, u64)> {
        let mut read = Vec::new();
        while let Some(line) = lines.next().await.expect("memory can be read") {
            read.push((line.text, line.cut));
        }
        read
    }

    fn check(bytes: &[u8], expected: &[(&str, u64)]) {
        let read = runtime().block_on(all(Lines::bounded(bytes, 4)));
        let read: Vec<(&str, u64)> = read.iter().map(|(text, cut)| (text.as_str(), *cut)).collect();
        assert_eq!(read, expected, "{:?}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn lines_are_whole_and_bounded_and_the_last_needs_no_end() {
        check(b"", &[]);
        check(b"\n", &[("", 0)]);
        check(b"a\nb", &[("a", 0), ("b", 0)]);
        check(b"a\r\n\r\n", &[("a", 0), ("", 0)]);
        check(b"abcd\nabcde\nabc\n", &[("abcd", 0), ("abcd", 1), ("abc", 0)]);
        check(b"\xff\n", &[("\u{fffd}", 0)]);
        check(&[b'x'; 40_000], &[("xxxx", 39_996)]);
    }

    #[test]
    fn giving_up_a_read_loses_nothing() {
        runtime().block_on(async {
            let (mut writer, reader) = tokio::io::duplex(64);
            let mut lines = Lines::new(reader);
            for part in ["he", "llo\nwor", "ld\n"] {
                // Polled once and given up.
                let given_up = std::future::poll_fn(|context| {
                    let mut next = std::pin::pin!(lines.next());
                    std::task::Poll::Ready(next.as_mut().poll(context).is_pending())
                });
                assert!(given_up.await, "nothing whole was there");
                writer.write_all(part.as_bytes()).await.expect("it is read");
                if part.contains('\n') {
                    let line = lines.next().await.expect("readable").expect("a line");
                    assert!(["hello", "world"].contains(&line.text.as_str()), "{}", line.text);
                }
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_byte_is_lost_or_doubled(bytes in proptest::collection::vec(0u8..4, 0..200)) {
            let bytes: Vec<u8> = bytes.iter().map(|byte| b"\nabc"[usize::from(*byte)]).collect();
            let read = runtime().block_on(all(Lines::bounded(bytes.as_slice(), 5)));
            let text = String::from_utf8(bytes).expect("ASCII");
            let expected: Vec<(String, u64)> = text
                .lines()
                .map(|line| (line.chars().take(5).collect(), line.len().saturating_sub(5) as u64))
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
