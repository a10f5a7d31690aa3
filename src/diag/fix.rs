//! Changes of a text that surely cure a finding, and what becomes of the text. Finds nothing, and
//! reads and writes no file.

use super::{At, Diagnostic, Span, sole};

/// A change of the text that surely cures the finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What the change does, as an order: `quote the expression`.
    pub message: String,
    /// Replacements, not overlapping, all in one file.
    pub edits: Vec<(Span, String)>,
}

impl Diagnostic {
    /// A sure cure: replace `span` by `text`.
    #[must_use]
    pub fn fix(mut self, message: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        let fix =
            self.fix.get_or_insert_with(|| Fix { message: message.into(), edits: Vec::new() });
        fix.edits.push((span, text.into()));
        self
    }

    /// A sure cure of a misspelt name, where one known name alone can be meant; none where the name
    /// does not stand as it is in the text.
    #[must_use]
    pub fn respell<'a>(self, name: &At<String>, known: impl IntoIterator<Item = &'a str>) -> Self {
        match (sole(&name.value, known), letters(name)) {
            (Some(meant), Some(at)) if is_plain(meant) => {
                self.fix(format!("write `{meant}`"), at, meant)
            }
            _ => self,
        }
    }
}

/// The place of a name's own letters: quotes around it stay.
fn letters(name: &At<String>) -> Option<Span> {
    let (span, length) = (name.span, name.value.len());
    match span.range().len().checked_sub(length) {
        Some(0) => Some(span),
        Some(2) => Some(Span { start: span.start + 1, end: span.end - 1, ..span }),
        Some(_) | None => None,
    }
}

/// Whether the name means itself wherever it is written, also without quotes.
fn is_plain(name: &str) -> bool {
    let word = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == '-';
    name.chars().all(word) && !["yes", "no", "on", "off", "true", "false", "null"].contains(&name)
}

/// The text after those fixes, in their order; one that touches what an earlier one changes is left
/// for the next time, as is one that does not fit the text. With the fixes that were applied, by
/// their index.
#[must_use]
pub fn apply(text: &str, fixes: &[&Fix]) -> (String, Vec<usize>) {
    let mut edits: Vec<&(Span, String)> = Vec::new();
    let mut applied = Vec::new();
    for (index, fix) in fixes.iter().enumerate() {
        let free = |one: &(Span, String)| {
            let fits = text.get(one.0.range()).is_some();
            fits && edits
                .iter()
                .all(|(other, _)| other.end < one.0.start || one.0.end < other.start)
        };
        if fix.edits.iter().all(free) {
            edits.extend(&fix.edits);
            applied.push(index);
        }
    }
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (span, new) in edits {
        out.push_str(text.get(from..span.range().start).unwrap_or(""));
        out.push_str(new);
        from = span.range().end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    (out, applied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn fix(range: std::ops::Range<usize>, text: &str) -> Fix {
        let edits = vec![(Span::new(FileId(0), range), text.to_owned())];
        Fix { message: String::new(), edits }
    }

    #[test]
    fn changes_that_meet_wait_for_the_next_time() {
        let (first, meets, apart) = (fix(2..4, "XYZ"), fix(4..5, "!"), fix(6..6, "_"));
        let outside = fix(90..91, "?");
        let done = apply("abcdefgh", &[&first, &meets, &apart, &outside]);
        assert_eq!(done, ("abXYZef_gh".to_owned(), vec![0, 2]));
    }

    #[test]
    fn a_name_keeps_its_quotes_and_one_that_was_decoded_is_left_alone() {
        let at = |range| At::new("timout".to_owned(), Span::new(FileId(0), range));
        let edit = |at: &At<String>| {
            let found = Diagnostic::new(crate::diag::Code::UnknownKey, at.span, "x");
            found.respell(at, ["timeout"]).fix.map(|fix| fix.edits[0].0.range())
        };
        assert_eq!(edit(&at(3..9)), Some(3..9));
        assert_eq!(edit(&at(3..11)), Some(4..10));
        assert_eq!(edit(&at(3..30)), None);
    }
}
