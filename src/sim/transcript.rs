//! Two transcripts side by side: what a case expected, and what came. Knows no terminal but its
//! width.

use crate::diag::Span;
use crate::view::text::{Line, Tone};

/// One line of both transcripts.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where the expectation stands.
    pub span: Span,
    /// What was expected; absent: nothing.
    pub expected: Option<String>,
    /// What came; absent: nothing.
    pub got: Option<String>,
    /// Whether they agree.
    pub same: bool,
}

/// What stands between the columns where they differ, and where they do not.
const MARKS: [&str; 2] = [" ≠ ", " │ "];

/// Narrower columns than this say nothing.
const NARROWEST: usize = 16;

/// Both transcripts in that many columns; what is too long goes on in the next line.
#[must_use]
pub fn side_by_side(rows: &[Row], width: usize) -> Vec<Line> {
    let column = (width.saturating_sub(3) / 2).max(NARROWEST);
    let head = format!("{:<column$}   got", "expected");
    let mut lines = vec![Line::of(Tone::Faint, head)];
    for row in rows {
        let left = wrapped(row.expected.as_deref().unwrap_or_default(), column);
        let right = wrapped(row.got.as_deref().unwrap_or_default(), column);
        for at in 0..left.len().max(right.len()) {
            let piece = |side: &[String]| side.get(at).cloned().unwrap_or_default();
            let (left, right) = (piece(&left), piece(&right));
            let pad = " ".repeat(column - left.chars().count());
            let line = if row.same {
                Line::of(Tone::Plain, format!("{left}{pad}{}{right}", MARKS[1]))
            } else {
                Line::of(Tone::Good, format!("{left}{pad}"))
                    .and(Tone::Bad, format!("{}{right}", MARKS[0]))
            };
            lines.push(line);
        }
    }
    lines
}

/// The text in pieces of at most so many characters, cut at spaces where there are some.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let last = pieces.len() - 1;
            let used = pieces[last].chars().count();
            let blank = pieces[last].trim().is_empty();
            let gap = usize::from(!blank);
            if used + gap + word.len() <= width {
                pieces[last].extend(std::iter::repeat_n(' ', gap).chain(word));
                break;
            }
            if blank {
                pieces[last].extend(word.drain(..width - used));
            }
            // What goes on is indented, so that it is not taken for a line of its own.
            pieces.push(" ".to_owned());
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expected: &str, got: &str) -> Row {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (left, right) = (text(expected), text(got));
        Row { span: Span::default(), same: left == right, expected: left, got: right }
    }

    #[test]
    fn columns_fit_the_width_whatever_is_in_them() {
        let long = format!("→ host open {{ label: {} }}", "x".repeat(90));
        for width in [0, 35, 40, 80, 200] {
            let lines = side_by_side(&[row("a b c", "a b c"), row(&long, "other")], width);
            let widest = lines.iter().map(|line| line.plain().trim_end().chars().count()).max();
            assert!(widest <= Some(width.max(2 * NARROWEST + 3)), "{width}: {lines:#?}");
            let all: String = lines.iter().skip(1).map(Line::plain).collect();
            assert_eq!(all.matches('x').count(), 90, "nothing is cut off");
        }
    }

    #[test]
    fn a_difference_is_marked_without_colours_too() {
        let lines = side_by_side(&[row("same", "same"), row("one", "")], 43);
        let plain: Vec<String> = lines.iter().map(Line::plain).collect();
        assert_eq!(plain[1], format!("{:<20} │ same", "same"));
        assert_eq!(plain[2], format!("{:<20} ≠ ", "one"));
    }
}
