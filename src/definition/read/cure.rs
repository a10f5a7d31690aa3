//! Sure cures of a text that is no YAML: each is tried, and offered only where the text can then be
//! read on. Says nothing to the author.

use std::ops::Range;

use crate::diag::{FileId, Fix, Span};

/// How far a text can be read: the byte of its first fault, nothing when it has none.
pub(super) type Reader<'r> = &'r dyn Fn(&str) -> Option<usize>;

/// A change that lets the text be read beyond its first fault, which is at that byte.
pub(super) fn cure(file: FileId, text: &str, fault: usize, read: Reader<'_>) -> Option<Fix> {
    tabs(file, text, read).or_else(|| {
        let line = line_at(text, fault);
        let value = value_around(text, &line, fault)?;
        quote(file, text, value, read)
    })
}

/// A change that makes the value from that byte on a string, so that it is no tag.
pub(super) fn untag(file: FileId, text: &str, start: usize, read: Reader<'_>) -> Option<Fix> {
    let line = line_at(text, start);
    quote(file, text, value_from(text, &line, start), read)
}

/// The bytes of the line around a byte, without its end.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |end| end + 1);
    let rest = text.get(start..).unwrap_or("");
    start..start + rest.find(['\n', '\r']).unwrap_or(rest.len())
}

/// Spaces for the tabs that lines begin with, where one width alone makes the text one.
fn tabs(file: FileId, text: &str, read: Reader<'_>) -> Option<Fix> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        if line[..blank].contains('\t') && !line[blank..].trim().is_empty() {
            found.push(start..start + blank);
        }
        start += line.len();
    }
    if found.is_empty() {
        return None;
    }
    let spaced = |width: usize| {
        let spaces = |at: &Range<usize>| text[at.clone()].replace('\t', &" ".repeat(width));
        let edits = found.iter().map(|at| (Span::new(file, at.clone()), spaces(at)));
        Fix { message: "write spaces for tabs".to_owned(), edits: edits.collect() }
    };
    let mut fits = [2, 4, 8].into_iter().map(spaced).filter(|fix| {
        let (cured, _) = crate::diag::apply(text, &[fix]);
        read(&cured).is_none()
    });
    match (fits.next(), fits.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// The value that the fault lies in: that of the last key before it on its line.
fn value_around(text: &str, line: &Range<usize>, fault: usize) -> Option<Range<usize>> {
    let head = text.get(line.start..fault.clamp(line.start, line.end))?;
    // A fault may lie on a colon inside of the value; the key is the last one that is a plain word.
    let mut from = head.len();
    while let Some(colon) = head[..from].rfind(':') {
        let key = head[..colon].rsplit(|one: char| !(one.is_ascii_lowercase() || one == '_'));
        let key = key.into_iter().next().unwrap_or("");
        let before = head[..colon - key.len()].trim_end();
        let begins = before.is_empty() || before.ends_with(['{', ',', '-']);
        if !key.is_empty() && begins {
            let value = &text[line.start + colon + 1..line.end];
            let start = line.end - value.trim_start().len();
            return Some(value_from(text, line, start)).filter(|one| trapped(&text[one.clone()]));
        }
        from = colon;
    }
    None
}

/// The value that begins there: to the end of its line, or inside `{ … }` to the comma or bracket
/// that ends it, or to a comment.
fn value_from(text: &str, line: &Range<usize>, start: usize) -> Range<usize> {
    let inside = open_brackets(&text[line.start..start]) > 0;
    let mut depth = 0_usize;
    let mut quote = None;
    let mut end = line.end;
    let mut last = ' ';
    for (at, one) in text[start..line.end].char_indices() {
        match (quote, one) {
            (Some(open), _) if one == open => quote = None,
            (None, '"' | '\'') => quote = Some(one),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')' | ',') if depth == 0 && inside => {
                end = start + at;
                break;
            }
            (None, ']' | '}' | ')') => depth = depth.saturating_sub(1),
            (None, '#') if last == ' ' => {
                end = start + at;
                break;
            }
            (Some(_) | None, _) => {}
        }
        last = one;
    }
    start..start + text[start..end].trim_end().len()
}

/// Brackets that are open at the end, those inside of quotes apart.
fn open_brackets(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    for one in text.chars() {
        match (quote, one) {
            (Some(open), _) if one == open => quote = None,
            (None, '"' | '\'') => quote = Some(one),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (Some(_) | None, _) => {}
        }
    }
    depth
}

/// Whether the value is one of those that look like an expression to people and like something else
/// to YAML.
fn trapped(value: &str) -> bool {
    let first = value.chars().next().unwrap_or(' ');
    match first {
        '"' | '\'' => {
            let rest = value[1..].split_once(first).map_or("", |(_, rest)| rest.trim());
            !rest.is_empty() && !rest.contains(first)
        }
        '[' | '{' => goes_on_behind_its_bracket(value),
        '|' | '>' => false,
        '@' | '`' | '%' => true,
        _ => value.contains(": ") || value.contains("${{") || value.contains(['[', '{']),
    }
}

/// Whether more follows the bracket that closes the one that the text begins with.
pub(super) fn goes_on_behind_its_bracket(text: &str) -> bool {
    let mut depth = 0_usize;
    if !text.starts_with(['[', '{']) {
        return false;
    }
    let end = text.char_indices().find(|(_, one)| {
        match one {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    end.is_some_and(|(at, _)| {
        let rest = text[at + 1..].trim_start();
        !rest.is_empty() && !rest.starts_with('#')
    })
}

fn quote(file: FileId, text: &str, at: Range<usize>, read: Reader<'_>) -> Option<Fix> {
    let fault = read(text)?;
    let edits = vec![(Span::new(file, at.clone()), quoted(text.get(at)?))];
    let fix = Fix { message: "quote it".to_owned(), edits };
    let (cured, _) = crate::diag::apply(text, &[&fix]);
    let line = line_at(text, fault);
    // Each change stays on one line, so that a fault behind this line is another one.
    let grown = cured.len() - text.len();
    read(&cured).is_none_or(|next| next > line.end + grown).then_some(fix)
}

/// A scalar in quotes, as YAML wants it: those that leave the text as it is, where there are such.
pub(super) fn quoted(text: &str) -> String {
    match (text.contains(['"', '\\']), text.contains('\'')) {
        (true, false) => format!("'{text}'"),
        (_, _) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}
