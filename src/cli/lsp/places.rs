//! Places as editors count them, and names of files as they write them. Knows no message.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// In what an editor counts within a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// Bytes.
    Utf8,
    /// Halves of what UTF-16 writes.
    Utf16,
}

/// The lines of a text, to count in.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    units: Units,
}

impl<'t> Lines<'t> {
    /// Those of a text.
    #[must_use]
    pub fn of(text: &'t str, units: Units) -> Lines<'t> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Lines { text, starts: starts.collect(), units }
    }

    /// A byte as an editor counts.
    #[must_use]
    pub fn position(&self, at: usize) -> Value {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= at) - 1;
        let before = &self.text[self.starts[line]..at];
        let character = match self.units {
            Units::Utf8 => before.len(),
            Units::Utf16 => before.encode_utf16().count(),
        };
        json!({ "line": line, "character": character })
    }

    /// A range as an editor counts.
    #[must_use]
    pub fn range(&self, range: Range<usize>) -> Value {
        json!({ "start": self.position(range.start), "end": self.position(range.end) })
    }

    /// The byte of a place; one beyond a line's end is its end, as the protocol has it.
    #[must_use]
    pub fn byte(&self, position: &Value) -> Option<usize> {
        let number = |key: &str| {
            position.get(key)?.as_u64().map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        };
        let (line, character) = (number("line")?, number("character")?);
        let Some(start) = self.starts.get(line).copied() else { return Some(self.text.len()) };
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let own = self.text[start..end].trim_end_matches('\r');
        let mut counted = 0;
        for (at, letter) in own.char_indices() {
            if counted >= character {
                return Some(start + at);
            }
            counted += match self.units {
                Units::Utf8 => letter.len_utf8(),
                Units::Utf16 => letter.len_utf16(),
            };
        }
        Some(start + own.len())
    }
}

/// The path of a `file:` name.
#[must_use]
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = &rest[rest.find('/')?..];
    let mut bytes = Vec::with_capacity(rest.len());
    let mut rest = rest.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    let path = PathBuf::from(String::from_utf8(bytes).ok()?);
    path.is_absolute().then_some(path)
}

/// The `file:` name of a path.
#[must_use]
pub fn uri_of(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_there_and_back_in_both_units() {
        let text = "é: ☂😀\r\nb: c\n";
        for units in [Units::Utf8, Units::Utf16] {
            let lines = Lines::of(text, units);
            for (at, letter) in
                text.char_indices().filter(|(_, letter)| !['\r', '\n'].contains(letter))
            {
                assert_eq!(lines.byte(&lines.position(at)), Some(at), "{units:?} {letter}");
            }
        }
        let utf16 = Lines::of(text, Units::Utf16);
        assert_eq!(utf16.position(text.find('😀').expect("it is there") + 4)["character"], 6);
        assert_eq!(utf16.byte(&json!({ "line": 0, "character": 99 })), text.find('\r'));
        assert_eq!(utf16.byte(&json!({ "line": 99, "character": 0 })), Some(text.len()));
        assert_eq!(utf16.byte(&json!({ "line": -1, "character": 0 })), None);
    }

    #[test]
    fn names_of_files_go_there_and_back() {
        for path in ["/a/b c/é.saga.yaml", "/%41/x"] {
            assert_eq!(path_of(&uri_of(Path::new(path))).as_deref(), Some(Path::new(path)));
        }
        assert_eq!(path_of("file:///a%20b"), Some(PathBuf::from("/a b")));
        assert_eq!(path_of("file://host/a"), Some(PathBuf::from("/a")));
        for bad in ["untitled:x", "file://", "file:///%zz", "file:///%", "file:///%ff"] {
            assert_eq!(path_of(bad), None, "{bad}");
        }
    }
}
