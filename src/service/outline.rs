//! Where in a file a place is, told from indentation and brackets alone: a file in which somebody
//! is typing is seldom YAML. Knows no key.

use std::collections::BTreeMap;

/// A mapping or list on the way to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// A mapping: the key that leads on, and what else it has, each with what stands behind it on
    /// its line.
    Key(String, BTreeMap<String, String>),
    /// An element of a list.
    Item,
}

/// What is being written at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writing {
    /// A key, of a mapping that has these.
    Key(BTreeMap<String, String>),
    /// A value: of the last key of the way, or an element of its list.
    Value,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// From the whole document inwards.
    pub way: Vec<Level>,
    /// What is being written.
    pub writing: Writing,
    /// What of it is there already, up to the place.
    pub prefix: String,
    /// Column in bytes of the key or value that is being written.
    pub column: usize,
    /// Whether it stands inside of brackets.
    pub flow: bool,
}

/// Lines above a place in which brackets that are open there are looked for.
const BRACKETS_ABOVE: usize = 60;

/// One line: dashes with their columns, then a key or a scalar.
#[derive(Debug, Default)]
struct Line<'t> {
    dashes: Vec<usize>,
    column: usize,
    key: Option<&'t str>,
    /// What stands behind the key, or the whole rest.
    rest: &'t str,
    rest_at: usize,
    empty: bool,
}

/// Where a byte of a text is.
#[must_use]
pub fn spot(text: &str, at: usize) -> Spot {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let row = starts.partition_point(|start| *start <= at) - 1;
    let lines: Vec<Line<'_>> = text.split('\n').map(line).collect();
    let within = &text[starts[row]..at];
    if let Some(spot) = in_brackets(text, &lines, &starts, row, at) {
        return spot;
    }
    let own = &lines[row];
    let before = line(within);
    let (column, writing_key) = match (&before.key, before.empty) {
        // Behind `key: `.
        (Some(_), _) => (own.column, false),
        (None, true) => (within.len(), true),
        // A scalar behind a dash may become a key as well.
        (None, false) => (before.column, true),
    };
    let mut way = way(&lines, row, column, &before.dashes);
    if !writing_key {
        let keys = siblings(&lines, row, column);
        way.push(Level::Key(before.key.unwrap_or("").to_owned(), keys));
        let prefix = before.rest.to_owned();
        return Spot { way, writing: Writing::Value, prefix, column: before.rest_at, flow: false };
    }
    let keys = siblings(&lines, row, column);
    let prefix = before.rest.to_owned();
    Spot { way, writing: Writing::Key(keys), prefix, column, flow: false }
}

fn line(text: &str) -> Line<'_> {
    let text = text.trim_end_matches('\r');
    let mut line = Line::default();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start_matches(' ').len();
        let rest = &text[at..];
        if rest == "-" || rest.starts_with("- ") {
            line.dashes.push(at);
            at += 1;
            continue;
        }
        line.column = at;
        line.empty = rest.trim().is_empty() || rest.starts_with('#');
        (line.rest, line.rest_at) = (rest, at);
        if let Some((key, after)) = key(rest) {
            line.key = Some(key);
            let inner = &rest[after..];
            let skipped = inner.len() - inner.trim_start_matches(' ').len();
            (line.rest, line.rest_at) = (&inner[skipped..], at + after + skipped);
        }
        return line;
    }
}

/// A key at the beginning of a text, and where what follows its colon begins.
fn key(text: &str) -> Option<(&str, usize)> {
    let quoted = text.strip_prefix(['"', '\'']);
    let bare = quoted.unwrap_or(text);
    let length = bare.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')?;
    let rest = bare[length..].trim_start_matches(['"', '\'']);
    let after = rest.strip_prefix(':')?;
    let fits = length > 0 && (after.is_empty() || after.starts_with([' ', '\t']));
    fits.then(|| (&bare[..length], text.len() - after.len()))
}

/// The keys and dashes that lead to a column of a row.
fn way(lines: &[Line<'_>], row: usize, column: usize, own_dashes: &[usize]) -> Vec<Level> {
    let mut way = Vec::new();
    let mut column = column;
    for dash in own_dashes.iter().rev().filter(|dash| **dash < column).copied().collect::<Vec<_>>()
    {
        way.push(Level::Item);
        column = dash;
    }
    let mut in_list = !way.is_empty();
    for above in (0..row).rev() {
        let line = &lines[above];
        if line.empty && line.dashes.is_empty() {
            continue;
        }
        // A list may stand in the column of its key.
        let leads =
            line.column < column || (in_list && line.column == column && line.dashes.is_empty());
        if let Some(key) = line.key
            && leads
        {
            way.push(Level::Key(key.to_owned(), siblings(lines, above, line.column)));
            column = line.column;
            in_list = false;
        }
        for dash in line.dashes.iter().rev() {
            if *dash < column {
                way.push(Level::Item);
                column = *dash;
                in_list = true;
            }
        }
    }
    way.reverse();
    way
}

/// The keys of the mapping in that column which the row belongs to, but for the row's own.
fn siblings(lines: &[Line<'_>], row: usize, column: usize) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut note = |line: &Line<'_>| {
        if let (Some(key), true) = (line.key, line.column == column) {
            found.entry(key.to_owned()).or_insert_with(|| line.rest.to_owned());
        }
    };
    let begins = |line: &Line<'_>| line.dashes.last().is_some_and(|dash| *dash < column);
    let leaves = |line: &Line<'_>| {
        let first = line.dashes.first().copied().unwrap_or(line.column);
        first < column && !(line.empty && line.dashes.is_empty())
    };
    if !begins(&lines[row]) {
        for line in lines[..row].iter().rev() {
            if leaves(line) {
                if begins(line) {
                    note(line);
                }
                break;
            }
            note(line);
        }
    }
    for line in &lines[row + 1..] {
        if leaves(line) {
            break;
        }
        note(line);
    }
    found
}

/// One open bracket on the way to a place.
#[derive(Debug, Default)]
struct Open {
    map: bool,
    keys: BTreeMap<String, String>,
    /// The key whose value is being written.
    key: Option<String>,
    /// Where what is being written begins.
    from: usize,
}

/// The place when it is inside of brackets.
fn in_brackets(
    text: &str,
    lines: &[Line<'_>],
    starts: &[usize],
    row: usize,
    at: usize,
) -> Option<Spot> {
    let first = row.saturating_sub(BRACKETS_ABOVE);
    let begins = (first..=row).rev().find(|row| lines[*row].rest.starts_with(['{', '[']))?;
    let line = &lines[begins];
    let from = starts[begins] + line.rest_at;
    if from >= at {
        return None;
    }
    let mut open = scan(text, from, at);
    let last = open.pop()?;
    let mut way = way(lines, begins, line.column, &line.dashes);
    if let Some(key) = line.key {
        way.push(Level::Key(key.to_owned(), siblings(lines, begins, line.column)));
    }
    for one in open {
        way.push(match one.key {
            Some(key) if one.map => Level::Key(key, one.keys),
            Some(_) | None => Level::Item,
        });
    }
    let prefix = text[last.from..at].trim_start().to_owned();
    let column = at - prefix.len() - text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let mut keys = last.keys;
    keys_behind(text, at, &mut keys);
    let writing = match (last.map, last.key) {
        (true, None) => Writing::Key(keys),
        (true, Some(key)) => {
            way.push(Level::Key(key, keys));
            Writing::Value
        }
        (false, _) => {
            way.push(Level::Item);
            Writing::Value
        }
    };
    Some(Spot { way, writing, prefix, column, flow: true })
}

/// The brackets that are open at a place, counted from another.
fn scan(text: &str, from: usize, at: usize) -> Vec<Open> {
    let mut open: Vec<Open> = Vec::new();
    let mut here = from;
    while here < at {
        let rest = &text[here..at];
        let sign = rest.chars().next().unwrap_or(' ');
        match sign {
            '"' | '\'' => {
                let end = rest[1..].find(sign).map_or(rest.len(), |end| end + 2);
                here += end;
                continue;
            }
            '{' | '[' => open.push(Open { map: sign == '{', from: here + 1, ..Open::default() }),
            '}' | ']' => drop(open.pop()),
            ',' => {
                if let Some(last) = open.last_mut() {
                    close_pair(text, here, last);
                }
            }
            ':' if rest[1..].starts_with([' ', '\n']) || rest.len() == 1 => {
                if let Some(last) = open.last_mut().filter(|last| last.map && last.key.is_none()) {
                    let key = text[last.from..here].trim().trim_matches(['"', '\'']);
                    last.key = Some(key.to_owned());
                    last.from = here + 1;
                }
            }
            _ => {}
        }
        here += sign.len_utf8();
    }
    open
}

fn close_pair(text: &str, here: usize, open: &mut Open) {
    if let Some(key) = open.key.take() {
        let value = text[open.from..here].trim().to_owned();
        open.keys.insert(key, value);
    }
    open.from = here + 1;
}

/// Keys that follow a place before its bracket closes.
fn keys_behind(text: &str, at: usize, keys: &mut BTreeMap<String, String>) {
    let rest = &text[at..];
    let mut depth = 0_usize;
    let mut end = rest.len().min(2000);
    for (here, sign) in rest.char_indices().take(2000) {
        match sign {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 0 => {
                end = here;
                break;
            }
            '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    for part in rest.get(..end).unwrap_or("").split(',').skip(1) {
        if let Some((key, value)) = part.split_once(": ") {
            keys.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of `|` in a text, in short.
    fn at(text: &str) -> String {
        let place = text.find('|').expect("the place is marked");
        let spot = spot(&text.replacen('|', "", 1), place);
        let way: Vec<String> = spot
            .way
            .iter()
            .map(|level| match level {
                Level::Key(key, _) => key.clone(),
                Level::Item => "-".to_owned(),
            })
            .collect();
        let writing = match &spot.writing {
            Writing::Key(keys) => {
                format!("key beside {}", keys.keys().cloned().collect::<Vec<_>>().join(","))
            }
            Writing::Value => "value".to_owned(),
        };
        format!("{} {writing} `{}`", way.join("/"), spot.prefix)
    }

    #[test]
    fn a_place_is_told_from_indentation() {
        let text = "saga: a\nsteps:\n  - id: one\n    issue: x\n    |\n    await:\n      echo: e\n  - id: two\n";
        assert_eq!(at(text), "steps/- key beside await,id,issue ``");
        assert_eq!(at("saga: a\nst|\ntimeout: 5s\n"), " key beside saga,timeout `st`");
        assert_eq!(
            at("steps:\n  - id: a\n    await:\n      echo: pa|"),
            "steps/-/await/echo value `pa`"
        );
        assert_eq!(at("steps:\n- id: a\n  with:\n    a: 1\n    |"), "steps/-/with key beside a ``");
        assert_eq!(at("steps:\n  - |\n"), "steps/- key beside  ``");
        assert_eq!(at("steps:\n  - id: a\n  - is|\n"), "steps/- key beside  `is`");
        assert_eq!(at("a:\n  b: 1\n|"), " key beside a ``");
    }

    #[test]
    fn a_place_is_told_from_brackets() {
        assert_eq!(
            at("steps:\n  - id: a\n    await: { echo: x, wh| }\n"),
            "steps/-/await key beside echo `wh`"
        );
        assert_eq!(at("a:\n  - { id: x, issue: re|, with: { b: 1 } }"), "a/-/issue value `re`");
        assert_eq!(
            at("await: { any_of: [{ echo: a }, { echo: | }] }"),
            "await/any_of/-/echo value ``"
        );
        assert_eq!(at("retry: { attempts: 3, on: [timeout, |] }"), "retry/on/- value ``");
        assert_eq!(at("with: {\n  a: 1,\n  | }"), "with key beside a ``");
    }

    #[test]
    fn no_place_of_any_text_is_too_much() {
        for text in ["", "{", "- - [\n}", "é: ☂\n  {", "a: \"{\n", "\t- {[}:"] {
            for place in 0..=text.len() + 1 {
                drop(spot(text, place));
            }
        }
    }
}
