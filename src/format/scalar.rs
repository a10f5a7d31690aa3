//! A scalar of several lines, moved to another column. What YAML reads from it stays the same.

use super::tree::Word;

/// A scalar's lines as they are written where the column of what it belongs to is `column`.
#[derive(Debug)]
pub struct Lines {
    /// The first goes where the scalar begins; the others bring their white space.
    pub lines: Vec<String>,
    /// Whether the empty lines behind it are part of it.
    pub keeps: bool,
}

impl Word {
    /// Whether it is written on one line.
    #[must_use]
    pub fn is_one_line(&self) -> bool {
        !self.text.contains('\n')
    }

    /// Whether it is `|` or `>` with lines below.
    #[must_use]
    pub fn is_block(&self) -> bool {
        self.text.starts_with(['|', '>'])
    }

    /// Its lines at their new place.
    #[must_use]
    pub fn lines(&self, column: i64) -> Lines {
        if self.is_block() {
            return self.block(column);
        }
        let indent = spaces(column + 2);
        let double = self.text.starts_with('"');
        let mut lines = Vec::new();
        for (at, line) in self.text.split('\n').enumerate() {
            let inner = if at == 0 { line } else { line.trim_start_matches([' ', '\t']) };
            // A backslash makes the white space behind it count.
            let cut = inner.trim_end_matches([' ', '\t']);
            let inner = if double && cut.ends_with('\\') { inner } else { cut };
            let pad = if at == 0 || inner.is_empty() { "" } else { &indent };
            lines.push(format!("{pad}{inner}"));
        }
        Lines { lines, keeps: false }
    }

    fn block(&self, column: i64) -> Lines {
        let mut written = self.text.split('\n');
        let header = written.next().unwrap_or("").trim_end();
        let (signs, digit) = signs(header);
        let old = block_depth(&self.text, self.parent);
        let indent = spaces(column + digit.unwrap_or(2));
        let mut lines = vec![header.to_owned()];
        for line in written {
            // Spaces beyond the indentation are text, also on a line of nothing else.
            lines.push(match line.get(old..) {
                Some(text) if !text.is_empty() => format!("{indent}{text}"),
                Some(_) | None => String::new(),
            });
        }
        let keeps = signs.contains('+');
        if keeps {
            let ends = self.value.len() - self.value.trim_end_matches('\n').len();
            lines.extend((1..ends).map(|_| String::new()));
        }
        Lines { lines, keeps }
    }
}

/// How deep the text of a `|` or `>` stands; `parent` is the column of what it belongs to.
#[must_use]
pub fn block_depth(written: &str, parent: i64) -> usize {
    let mut lines = written.split('\n');
    let (_, digit) = signs(lines.next().unwrap_or(""));
    if let Some(digit) = digit {
        return usize::try_from(parent + digit).unwrap_or(0);
    }
    let shown = lines.find(|line| !line.trim_matches([' ', '\t']).is_empty());
    shown.map_or(0, |line| line.len() - line.trim_start_matches(' ').len())
}

/// The signs of a header, and the number among them.
fn signs(header: &str) -> (&str, Option<i64>) {
    let signs = header.split([' ', '\t', '#']).next().unwrap_or("");
    (signs, signs.chars().find_map(|sign| sign.to_digit(10)).map(i64::from))
}

/// White space up to a column.
#[must_use]
pub fn spaces(column: i64) -> String {
    " ".repeat(usize::try_from(column).unwrap_or(0))
}
