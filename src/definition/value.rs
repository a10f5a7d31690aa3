//! Scalars and value trees as written, with places, before any expression in them is parsed.

use std::ops::Range;

use serde_json::Number;

use crate::diag::{At, Span};

/// A string scalar: its decoded text, and how its offsets map back into the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The decoded text.
    pub value: String,
    /// The scalar with its quotes.
    pub span: Span,
    /// Where the decoded text stands byte for byte in the file; `None` when escapes or folds
    /// changed it.
    pub verbatim: Option<u32>,
}

impl Text {
    /// The place of a byte range of the decoded text; the whole scalar where it cannot be told.
    #[must_use]
    pub fn at(&self, range: Range<usize>) -> Span {
        match self.verbatim {
            Some(base) => {
                let start = base as usize + range.start.min(self.value.len());
                let end = base as usize + range.end.min(self.value.len());
                Span::new(self.span.file, start..end.max(start))
            }
            None => self.span,
        }
    }
}

/// A value with its places. Strings may hold `${{ }}`; unquoted numbers and booleans keep their
/// types.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueNode {
    /// What it is.
    pub kind: ValueKind,
    /// Where it stands.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueKind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An unquoted number.
    Number(Number),
    /// A string, perhaps with `${{ }}` in it.
    Text(Text),
    /// A list.
    List(Vec<ValueNode>),
    /// A mapping, in the author's order, without repeated keys.
    Map(Vec<Named>),
}

/// One named value of `with`, `save`, `input`, `vars`, `result`, or of a mapping inside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The key.
    pub name: At<String>,
    /// Its value.
    pub value: ValueNode,
}
