//! One layout for definitions, catalogs and scenarios: the same keys in the same order, the same
//! indentation, comments where they belong. Changes no value, and judges nothing.

mod marks;
pub mod order;
mod print;
mod scalar;
mod tree;

#[cfg(test)]
mod tests;

use crate::definition::read::node::{Kind, Node};
use crate::definition::read::{FileKind, document};
use crate::diag::{Diagnostics, FileId, SourceMap, Span};

/// Why a text is left as it is.
#[derive(Clone, Debug)]
pub enum Refused {
    /// It is not one YAML document; these say why, in a map of the one text.
    Unreadable(Diagnostics, SourceMap),
    /// It is YAML that the formatter does not lay out.
    Unusual {
        /// What it is, in words.
        what: &'static str,
        /// Where it stands.
        span: Span,
    },
}

/// Lays a text out anew. What is read from it before and after is equal: a result of which that
/// cannot be shown is refused.
///
/// # Errors
///
/// The text is no YAML document of ours, or holds what cannot be moved safely.
pub fn format(path: &str, kind: FileKind, text: &str) -> Result<String, Refused> {
    let mut sources = SourceMap::default();
    let mut found = Diagnostics::default();
    let (_, before) = document(path.to_owned(), text.as_bytes(), &mut sources, &mut found);
    let Some(mut before) = before else { return Err(Refused::Unreadable(found, sources)) };
    // Line ends and the byte order mark mean nothing to YAML, so the work is done without them.
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let node = read(&plain).ok_or(LOST)?;
    let comments = marks::scan(&plain, &node)?.comments_sorted();
    let out = print::print(&tree::build(&plain, node, kind)?);
    order::sort(&mut before, order::Place::root(kind));
    let after = read(&out).ok_or(LOST)?;
    if !same(&before, &after) || comments != marks::scan(&out, &after)?.comments_sorted() {
        return Err(LOST);
    }
    Ok(out)
}

/// What a text holds, where its name does not say: a test has `cases`, a saga has steps.
#[must_use]
pub fn kind_of(text: &str) -> FileKind {
    let begins = |key: &str| text.lines().any(|line| line.starts_with(key));
    if begins("cases:") {
        FileKind::Test
    } else if begins("saga:") || begins("steps:") {
        FileKind::Saga
    } else {
        FileKind::Catalog
    }
}

/// The promise could not be shown to hold; so nothing is changed.
const LOST: Refused = Refused::Unusual {
    what: "a text that would not be read the same when laid out anew",
    span: Span { file: FileId(0), start: 0, end: 0 },
};

fn read(text: &str) -> Option<Node> {
    let mut found = Diagnostics::default();
    document(String::new(), text.as_bytes(), &mut SourceMap::default(), &mut found).1
}

/// Whether two trees hold the same values in the same order.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Scalar(a), Kind::Scalar(b)) => a.value() == b.value() && a.resolve() == b.resolve(),
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((key, value), (other, node))| {
                    key.value() == other.value() && same(value, node)
                })
        }
        (Kind::Scalar(_) | Kind::List(_) | Kind::Map(_), _) => false,
    }
}
