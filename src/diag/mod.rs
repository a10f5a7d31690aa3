//! What is said to the author of a definition: places, messages, labels, cures. Knows no rule and
//! reads no file.

mod allow;
mod codes;
mod fix;
mod near;
pub mod render;
pub mod sarif;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

pub use allow::Allows;
pub use codes::{Code, Family, RETIRED};
pub use fix::{Fix, apply};
pub use near::{nearest, sole};

/// A file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// A range of a file. Offsets beyond 4 GiB cannot occur: files are bounded far below.
    #[must_use]
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file, start: narrow(range.start), end: narrow(range.end) }
    }

    /// The bytes as a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// An empty span where this one begins.
    #[must_use]
    pub fn start(self) -> Span {
        Span { end: self.start, ..self }
    }

    /// An empty span where this one ends.
    #[must_use]
    pub fn end(self) -> Span {
        Span { start: self.end, ..self }
    }
}

/// A value and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> At<T> {
    /// A value at a place.
    #[must_use]
    pub fn new(value: T, span: Span) -> At<T> {
        At { value, span }
    }
}

/// One source file.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the user named it; used in messages only.
    pub path: String,
    /// Its text; what is not UTF-8 is replaced.
    pub text: Arc<str>,
}

/// The texts that spans point into.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<Source>,
}

/// A place as people count: from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl SourceMap {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { path: path.into(), text: text.into() });
        id
    }

    /// A file that was added; `None` for an id of another map.
    #[must_use]
    pub fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }

    /// The path of a file, empty for an id of another map.
    #[must_use]
    pub fn path(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.path)
    }

    /// The text of a file, empty for an id of another map.
    #[must_use]
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// The text of a span; empty when it lies outside its file.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or("")
    }

    /// All files, in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0u32..).map(FileId).zip(&self.files)
    }

    /// Line and column of the span's first byte.
    #[must_use]
    pub fn place(&self, span: Span) -> LineColumn {
        let text = self.text(span.file);
        let mut start = (span.start as usize).min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        LineColumn {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition is not loaded.
    Error,
    /// A lint; the definition is loaded.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule; a promise, see [`Code::explain`].
    pub code: Code,
    /// Error or warning; follows from the code.
    pub severity: Severity,
    /// Lower case, no full stop, names the thing.
    pub message: String,
    /// Places with words; the first is where it is wrong, the others belong to it. Words may be
    /// empty.
    pub labels: Vec<(Span, String)>,
    /// What to do.
    pub helps: Vec<String>,
    /// A sure cure, when there is one.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding at a place.
    #[must_use]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: vec![(span, String::new())],
            helps: Vec::new(),
            fix: None,
        }
    }

    /// Words under the primary place.
    #[must_use]
    pub fn label(mut self, words: impl Into<String>) -> Diagnostic {
        self.labels[0].1 = words.into();
        self
    }

    /// A second place that belongs to the finding.
    #[must_use]
    pub fn also(mut self, span: Span, words: impl Into<String>) -> Diagnostic {
        self.labels.push((span, words.into()));
        self
    }

    /// What to do.
    #[must_use]
    pub fn help(mut self, words: impl Into<String>) -> Diagnostic {
        self.helps.push(words.into());
        self
    }

    /// What to do: its own words; where it has none and no sure cure either, those of its code's
    /// page.
    #[must_use]
    pub fn advice(&self) -> Vec<Cow<'_, str>> {
        match self.helps.is_empty() && self.fix.is_none() {
            true => vec![Cow::Owned(self.code.cure())],
            false => self.helps.iter().map(|help| Cow::Borrowed(help.as_str())).collect(),
        }
    }

    /// Where it is wrong.
    #[must_use]
    pub fn primary(&self) -> Span {
        self.labels[0].0
    }
}

/// Findings, collected: one never hides another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds a finding. Rules call their own `add_…` function, not this one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Takes over the findings of another collector.
    pub fn append(&mut self, other: Diagnostics) {
        self.list.extend(other.list);
    }

    /// Whether anything forbids loading.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|found| found.severity == Severity::Error)
    }

    /// Whether anything of this file forbids loading it.
    #[must_use]
    pub fn has_errors_in(&self, file: FileId) -> bool {
        let hit =
            |found: &Diagnostic| found.severity == Severity::Error && found.primary().file == file;
        self.list.iter().any(hit)
    }

    /// No finding at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Number of findings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Orders by file, place and code, and drops exact repetitions: what a reader sees.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|found| (found.primary(), found.code));
        self.list.dedup();
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(list: I) -> Diagnostics {
        Diagnostics { list: list.into_iter().collect() }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let mut sources = SourceMap::default();
        let file = sources.add("a.saga.yaml", "é: ☂\nsaga: x\n");
        let place = |start: usize| sources.place(Span::new(file, start..start));
        assert_eq!(place(0), LineColumn { line: 1, column: 1 });
        assert_eq!(place("é: ".len()), LineColumn { line: 1, column: 4 });
        assert_eq!(place("é: ☂\nsaga: ".len()), LineColumn { line: 2, column: 7 });
        assert_eq!(place(10_000), LineColumn { line: 3, column: 1 });
    }
}
