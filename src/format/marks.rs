//! What stands between the words of a file: brackets, dashes, comments. The words themselves come
//! from the tree, so nothing here guesses what is text and what is not.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Refused;
use crate::definition::read::node::{Kind, Node};
use crate::diag::{FileId, Span};

/// A comment, from its `#` to the end of its line.
#[derive(Clone, Debug)]
pub struct Comment {
    /// With its `#`, without white space at its end.
    pub text: String,
    /// Where it begins.
    pub at: usize,
    /// Its line.
    pub line: usize,
    /// Bytes before it on its line.
    pub column: usize,
    /// Whether nothing else stands before it on its line.
    pub alone: bool,
    /// White space before it, when it is not alone.
    pub gap: usize,
    /// Whether an empty line stands above it.
    pub blank: bool,
}

/// All that stands between the words.
#[derive(Debug)]
pub struct Marks {
    /// In the order of the file.
    pub comments: Vec<Comment>,
    /// Where dashes of lists stand.
    pub dashes: Vec<usize>,
    /// The bracket that closes each bracket.
    pub closing: BTreeMap<usize, usize>,
    /// Where a `---` stands.
    pub start: Option<usize>,
    /// Where the `|` or `>` of a text stands, by where the text begins.
    pub blocks: BTreeMap<usize, usize>,
    /// Where words, dashes and brackets begin.
    pub stops: Vec<usize>,
    lines: Vec<usize>,
}

impl Marks {
    /// The line of a byte, from zero.
    #[must_use]
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at) - 1
    }

    /// Bytes before it on its line.
    #[must_use]
    pub fn column(&self, at: usize) -> usize {
        at - self.lines[self.line(at)]
    }

    /// Whether what begins here is the first of its line, and the line above is empty.
    #[must_use]
    pub fn blank_above(&self, text: &str, at: usize) -> bool {
        let line = self.line(at);
        let empty = |range: Range<usize>| text[range].trim().is_empty();
        line > 0 && empty(self.lines[line]..at) && empty(self.lines[line - 1]..self.lines[line])
    }

    /// The texts of all comments, in the order of the alphabet.
    #[must_use]
    pub fn comments_sorted(self) -> Vec<String> {
        let mut texts: Vec<String> = self.comments.into_iter().map(|one| one.text).collect();
        texts.sort();
        texts
    }
}

/// Reads what stands between the words of a tree.
///
/// # Errors
///
/// A tag, a directive, a `?` key: nothing that a definition needs.
pub fn scan(text: &str, node: &Node) -> Result<Marks, Refused> {
    let mut words = Vec::new();
    collect(node, &mut words)?;
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let mut marks = Marks {
        comments: Vec::new(),
        dashes: Vec::new(),
        closing: BTreeMap::new(),
        start: None,
        blocks: BTreeMap::new(),
        stops: words.iter().map(|word| word.start).collect(),
        lines: starts.collect(),
    };
    let mut open = Vec::new();
    let mut from = 0;
    words.push(text.len()..text.len());
    for word in words {
        if word.start < from || text.get(from..word.start).is_none() {
            return Err(unusual("a value that stands where it is not expected", from));
        }
        gap(text, from..word.start, &mut marks, &mut open)?;
        from = word.end;
    }
    marks.stops.sort_unstable();
    Ok(marks)
}

fn unusual(what: &'static str, at: usize) -> Refused {
    Refused::Unusual { what, span: Span::new(FileId(0), at..at + 1) }
}

/// The ranges of all words of a tree, in the order of the file.
fn collect(node: &Node, into: &mut Vec<Range<usize>>) -> Result<(), Refused> {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.plain && scalar.value().is_empty() => {}
        Kind::Scalar(scalar) => into.push(scalar.span().range()),
        Kind::List(items) => {
            for item in items {
                collect(item, into)?;
            }
        }
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                if key.plain && key.value().is_empty() {
                    return Err(unusual("a key that is no word", key.span().start as usize));
                }
                into.push(key.span().range());
                collect(value, into)?;
            }
        }
    }
    Ok(())
}

fn gap(
    text: &str,
    range: Range<usize>,
    marks: &mut Marks,
    open: &mut Vec<usize>,
) -> Result<(), Refused> {
    let mut at = range.start;
    while at < range.end {
        let rest = &text[at..range.end];
        let sign = rest.as_bytes()[0];
        let line_start = at == 0 || text.as_bytes()[at - 1] == b'\n';
        match sign {
            b' ' | b'\t' | b'\n' | b'\r' | b':' | b',' => {}
            b'#' => {
                at += comment(text, at..range.end, marks);
                continue;
            }
            b'{' | b'[' => {
                open.push(at);
                marks.stops.push(at);
            }
            b'}' | b']' => {
                let begun = open.pop().ok_or_else(|| unusual("a bracket too many", at))?;
                marks.closing.insert(begun, at);
            }
            b'|' | b'>' => {
                let line = rest.find('\n').unwrap_or(rest.len());
                let nothing = range.end == text.len() || !rest[line..].trim().is_empty();
                // What stands no deeper than its key is not its text, but what comes next.
                if nothing || marks.column(range.end) <= depth(text, at, marks) {
                    return Err(unusual("a `|` or `>` with nothing below", at));
                }
                marks.blocks.insert(range.end, at);
                marks.stops.push(at);
                return Ok(());
            }
            b'-' if line_start && rest.starts_with("---") => {
                marks.start = Some(at);
                at += 3;
                continue;
            }
            b'-' => {
                marks.dashes.push(at);
                marks.stops.push(at);
            }
            b'.' if rest.starts_with("...") => {
                at += 3;
                continue;
            }
            b'?' => return Err(unusual("a key that begins with `?`", at)),
            b'!' => return Err(unusual("a YAML tag", at)),
            b'%' => return Err(unusual("a YAML directive", at)),
            _ => return Err(unusual("what is neither a key nor a value", at)),
        }
        at += 1;
    }
    Ok(())
}

/// How deep the key or dash stands that a `|` or `>` belongs to.
fn depth(text: &str, sign: usize, marks: &Marks) -> usize {
    let line = sign - marks.column(sign);
    let before = text[line..sign].trim_end();
    let dashes = before.len() - before.trim_start_matches([' ', '-']).len();
    match before.len() {
        // Only dashes: the last one.
        whole if dashes == whole => before.len().saturating_sub(1),
        _ => dashes,
    }
}

/// White space within a line; other kinds are text like any letter.
const WHITE: [char; 2] = [' ', '\t'];

/// Notes the comment that begins here, and says how long it is.
fn comment(text: &str, range: Range<usize>, marks: &mut Marks) -> usize {
    let at = range.start;
    let rest = &text[range];
    let length = rest.find('\n').unwrap_or(rest.len());
    let line = marks.line(at);
    let before = &text[marks.lines[line]..at];
    marks.comments.push(Comment {
        text: rest[..length].trim_end().to_owned(),
        at,
        line,
        column: before.len(),
        alone: before.trim_matches(WHITE).is_empty(),
        gap: before.len() - before.trim_end_matches(WHITE).len(),
        blank: marks.blank_above(text, at),
    });
    length
}
