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
            let cut = inner.trim_end();
            let inner = if double && cut.ends_with('\\') { inner } else { cut };
            let pad = if at == 0 || inner.is_empty() { "" } else { &indent };
            lines.push(format!("{pad}{inner}"));
        }
        Lines { lines, keeps: false }
    }

    fn block(&self, column: i64) -> Lines {
        let mut written = self.text.split('\n');
        let header = written.next().unwrap_or("").trim_end();
        let signs = header.split([' ', '\t', '#']).next().unwrap_or("");
        let digit = signs.chars().find_map(|sign| sign.to_digit(10)).map(i64::from);
        let rest: Vec<&str> = written.collect();
        let shown = rest.iter().find(|line| !line.trim().is_empty());
        let depth = shown.map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
        let (old, new) = match digit {
            Some(digit) => (usize::try_from(self.parent + digit).unwrap_or(0), column + digit),
            None => (depth, column + 2),
        };
        let indent = spaces(new);
        let mut lines = vec![header.to_owned()];
        for line in rest {
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

/// White space up to a column.
#[must_use]
pub fn spaces(column: i64) -> String {
    " ".repeat(usize::try_from(column).unwrap_or(0))
}
