//! Names in expressions, found by their looks alone, so that a half-written expression has some
//! too. Types nothing.

use std::ops::Range;

/// A name and those that follow it by dots: `steps.reap.echo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Each with its place in the text. A last one that is being written may be empty.
    pub names: Vec<(String, Range<usize>)>,
    /// Whether the last name is a function's.
    pub called: bool,
}

/// All chains of an expression's text.
#[must_use]
pub fn chains(text: &str) -> Vec<Chain> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at = string_end(bytes, at, quote),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let chain = chain(text, at);
                at = chain.names.last().map_or(at + 1, |(_, range)| range.end.max(at + 1));
                found.push(chain);
            }
            b'0'..=b'9' => at += run(bytes, at),
            // What follows a dot here belongs to something that was computed.
            b'.' => at += 1 + run(bytes, at + 1),
            _ => at += 1,
        }
    }
    found
}

fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn run(bytes: &[u8], at: usize) -> usize {
    bytes[at.min(bytes.len())..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count()
}

fn chain(text: &str, start: usize) -> Chain {
    let bytes = text.as_bytes();
    let mut names = Vec::new();
    let mut at = start;
    loop {
        let end = at + run(bytes, at);
        names.push((text[at..end].to_owned(), at..end));
        at = end;
        if bytes.get(at) != Some(&b'.') {
            break;
        }
        at += 1;
    }
    Chain { names, called: bytes.get(at) == Some(&b'(') }
}

/// The texts of the `${{ }}` holes of a string, with their places; one that is not closed ends with
/// the text.
#[must_use]
pub fn holes(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("${{").map(|open| at + open) {
        let inner = open + 3;
        let end = text[inner..].find("}}").map_or(text.len(), |end| inner + end);
        if !text[..open].ends_with('$') {
            found.push(inner..end);
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let joined = |chain: Chain| {
            let names: Vec<String> = chain.names.into_iter().map(|(name, _)| name).collect();
            format!("{}{}", names.join("."), if chain.called { "()" } else { "" })
        };
        chains(text).into_iter().map(joined).collect()
    }

    #[test]
    fn names_are_found_in_what_is_half_written() {
        assert_eq!(
            names("steps.a.echo.b == input.x && has("),
            ["steps.a.echo.b", "input.x", "has()"]
        );
        assert_eq!(names("'steps.x' + \"vars.y\\\"z\" + vars."), ["vars."]);
        assert_eq!(
            names("input.list.exists(x, x.id == 1.5e3)"),
            ["input.list.exists()", "x", "x.id"]
        );
        assert_eq!(names("f(a).b + 12a.c"), ["f()", "a"]);
    }

    #[test]
    fn holes_are_found_closed_or_not() {
        let text = "a ${{ x }} $${{ y }} ${{ z";
        let found: Vec<&str> = holes(text).into_iter().map(|hole| &text[hole]).collect();
        assert_eq!(found, [" x ", " z"]);
    }
}
