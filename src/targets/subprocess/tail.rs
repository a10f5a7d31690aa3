//! The last lines of what a turn complains of, bounded.

use std::collections::VecDeque;

/// Lines that are kept.
const LINES: usize = 40;
/// Bytes that are kept.
const BYTES: usize = 8 * 1024;
/// Lines that tell what kind of failure it was.
const TELLING_LINES: usize = 24;
/// Bytes that tell it.
const TELLING_BYTES: usize = 1600;

/// The last lines of an error output.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    /// Adds a line; the oldest give way.
    pub fn push(&mut self, line: &str) {
        let line = end_of(line, BYTES).to_owned();
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES + 1 {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len() + 1;
        }
    }

    /// All that is kept.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// What tells the kind of a failure: the very last of it.
    #[must_use]
    pub fn telling(&self) -> String {
        let from = self.lines.len().saturating_sub(TELLING_LINES);
        let text = self.lines.range(from..).map(String::as_str).collect::<Vec<_>>().join("\n");
        end_of(&text, TELLING_BYTES).to_owned()
    }
}

/// The beginning of a text, of at most that many bytes.
#[must_use]
pub fn start_of(text: &str, bytes: usize) -> &str {
    let mut until = text.len().min(bytes);
    while !text.is_char_boundary(until) {
        until -= 1;
    }
    &text[..until]
}

/// The end of a text, of at most that many bytes.
fn end_of(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_more() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), "");
        for n in 0..100 {
            tail.push(&n.to_string());
        }
        let lines: Vec<_> = (60..100).map(|n: u32| n.to_string()).collect();
        assert_eq!(tail.text(), lines.join("\n"));
        assert_eq!(tail.telling().lines().count(), TELLING_LINES);
    }

    #[test]
    fn long_lines_are_cut_between_signs() {
        let mut tail = Tail::default();
        tail.push("first");
        tail.push(&"ö".repeat(BYTES));
        assert!(tail.text().len() <= BYTES && tail.text().chars().all(|c| c == 'ö'));
        assert!(tail.telling().len() <= TELLING_BYTES);
        tail.push("last");
        assert_eq!(tail.text(), "last");
    }
}
