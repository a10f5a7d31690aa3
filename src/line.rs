//! Lines on their way out. Many are written into one text and share it, so that a turn's thousands
//! of lines cost a few allocations.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::limits::LINES_TOGETHER;

/// One line with its `\n`, shared by all who get it.
#[derive(Clone)]
pub struct Line {
    text: Arc<String>,
    range: Range<usize>,
}

impl Line {
    /// The same line in a text of its own: a line that waits for long keeps no others in memory.
    #[must_use]
    pub fn alone(&self) -> Line {
        Line::from((**self).to_owned())
    }
}

impl Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text[self.range.clone()]
    }
}

impl From<String> for Line {
    fn from(text: String) -> Line {
        Line { range: 0..text.len(), text: Arc::new(text) }
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Line {
        Line::from(text.to_owned())
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Line) -> bool {
        **self == **other
    }
}

impl Eq for Line {}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Lines in the making, each with what belongs to it.
#[derive(Debug)]
pub struct Batch<T> {
    text: String,
    parts: Vec<(T, Range<usize>)>,
    done: Vec<(T, Line)>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Batch { text: String::new(), parts: Vec::new(), done: Vec::new() }
    }
}

impl<T> Batch<T> {
    /// Adds the line that `write` appends to the text it is given, with what it gives back.
    pub fn add(&mut self, write: impl FnOnce(&mut String) -> T) {
        let from = self.text.len();
        let tag = write(&mut self.text);
        self.parts.push((tag, from..self.text.len()));
        if self.text.len() >= LINES_TOGETHER {
            self.seal();
        }
    }

    /// All lines so far, in order.
    pub fn take(&mut self) -> Vec<(T, Line)> {
        self.seal();
        std::mem::take(&mut self.done)
    }

    fn seal(&mut self) {
        let text = Arc::new(std::mem::take(&mut self.text));
        let shared = |(tag, range)| (tag, Line { text: text.clone(), range });
        self.done.extend(self.parts.drain(..).map(shared));
    }
}
