//! YAML text to one tree with places: the only module that knows the YAML library. Knows no key of
//! the language.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{
    DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Spanned,
};

use crate::definition::read::cure;
use crate::definition::read::findings::YamlLimit;
use crate::definition::read::node::{Kind, Node, Scalar};
use crate::definition::value::Text;
use crate::diag::{At, Diagnostics, FileId, Span};
use crate::limits;

/// White space of YAML. Other kinds are text like any letter.
const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Reads a file into a tree. `None` when it is not one YAML document; the finding says why.
pub fn parse(file: FileId, text: &str, out: &mut Diagnostics) -> Option<Node> {
    let whole = Span::new(file, 0..0);
    if text.len() > limits::YAML_BYTES_MAX {
        out.add_too_large(whole, YamlLimit::Bytes);
        return None;
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let shift = text.len() - body.len();
    if body.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        out.add_empty_file(whole);
        return None;
    }
    let place = Placer { file, text, shift };
    match read(body) {
        Ok(raw) => Some(place.node(raw)),
        Err(error) => {
            place.report(&error, out);
            None
        }
    }
}

fn read(body: &str) -> Result<Raw, Error> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        budget: serde_yaml::budget! {
            max_depth: limits::YAML_DEPTH_MAX,
            max_nodes: limits::YAML_NODES_MAX,
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
        },
    };
    serde_yaml::from_str_with_options::<Raw>(body, options)
}

/// The library's tree: each node with its place.
struct Raw(Spanned<RawKind>);

enum RawKind {
    /// A string, decoded.
    Str(String),
    /// A scalar that the library took for something else than a string: its source says what it is.
    Typed,
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        Spanned::<RawKind>::deserialize(deserializer).map(Raw)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawKind, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<RawKind, E> {
        Ok(RawKind::Str(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_i128<E>(self, _: i128) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_u128<E>(self, _: u128) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_none<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Typed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawKind, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = list.next_element()? {
            out.push(item);
        }
        Ok(RawKind::List(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawKind, A::Error> {
        let mut out = Vec::new();
        while let Some(pair) = map.next_entry()? {
            out.push(pair);
        }
        Ok(RawKind::Map(out))
    }
}

/// Turns the library's places into ours.
struct Placer<'a> {
    file: FileId,
    text: &'a str,
    /// Bytes of a byte order mark, which the library does not count.
    shift: usize,
}

impl Placer<'_> {
    fn span(&self, at: Location) -> Span {
        let span = at.span();
        let start = span.byte_offset().unwrap_or(0);
        let len = span.byte_len().unwrap_or(0);
        let narrow = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.text.len());
        let shift = self.shift as u64;
        Span::new(self.file, narrow(start + shift)..narrow(start + len + shift))
    }

    fn node(&self, Raw(raw): Raw) -> Node {
        let span = self.span(raw.referenced);
        match raw.value {
            RawKind::Str(text) => self.scalar(text, span),
            RawKind::Typed => {
                let text = self.text.get(span.range()).unwrap_or("");
                let text = text.trim_end_matches(WHITE).to_owned();
                self.scalar(text, span)
            }
            RawKind::List(items) => {
                let items: Vec<Node> = items.into_iter().map(|item| self.node(item)).collect();
                let end = items.last().map(|last| last.span.end);
                Node { span: self.container(span, end), kind: Kind::List(items) }
            }
            RawKind::Map(pairs) => {
                let pairs: Vec<(Node, Node)> = pairs
                    .into_iter()
                    .map(|(key, value)| (self.node(key), self.node(value)))
                    .collect();
                let end = pairs.last().map(|(key, value)| key.span.end.max(value.span.end));
                let map = pairs.into_iter().map(|(key, value)| (key_of(key), value)).collect();
                Node { span: self.container(span, end), kind: Kind::Map(map) }
            }
        }
    }

    /// The library knows where a container begins; where it ends follows from its last child.
    fn container(&self, start: Span, end: Option<u32>) -> Span {
        let mut end = end.unwrap_or(start.end).max(start.start) as usize;
        if matches!(self.text.as_bytes().get(start.start as usize), Some(b'{' | b'[')) {
            let rest = self.text.get(end.max(start.start as usize + 1)..).unwrap_or("");
            let from = self.text.len() - rest.len();
            if let Some(at) = rest.find(['}', ']']) {
                end = from + at + 1;
            }
        }
        Span { end: u32::try_from(end).unwrap_or(u32::MAX), ..start }
    }

    fn scalar(&self, decoded: String, span: Span) -> Node {
        let source = self.text.get(span.range()).unwrap_or("");
        let quoted = source.starts_with(['"', '\'', '|', '>']);
        let plain = !quoted && !self.is_block(span.range().start);
        let trimmed = source.trim_end_matches(WHITE);
        let span = Span::new(self.file, span.range().start..span.range().start + trimmed.len());
        let verbatim = match trimmed.as_bytes() {
            _ if trimmed == decoded => Some(span.start),
            [quote @ (b'"' | b'\''), inner @ .., last]
                if quote == last && inner == decoded.as_bytes() =>
            {
                Some(span.start + 1)
            }
            _ => None,
        };
        let text = Text { value: decoded, span, verbatim };
        Node { span, kind: Kind::Scalar(Scalar { text, plain }) }
    }

    /// Whether what begins here is the text below a `|` or `>`: a string whatever it says. The
    /// library tells only where the text begins.
    fn is_block(&self, start: usize) -> bool {
        let before = self.text.get(..start).unwrap_or("");
        let above = before.trim_end_matches(WHITE);
        if !before[above.len()..].contains('\n') {
            return false;
        }
        let line = above.rsplit('\n').next().unwrap_or("");
        let header = line.find(" #").map_or(line, |comment| &line[..comment]);
        let signs = header
            .trim_end()
            .trim_end_matches(|sign: char| sign.is_ascii_digit() || ['+', '-'].contains(&sign));
        let key = signs.strip_suffix(['|', '>']).unwrap_or("");
        !line.trim_start().starts_with('#') && key.trim_end().ends_with([':', '-'])
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors, open-ended")]
    fn report(&self, error: &Error, out: &mut Diagnostics) {
        let error = error.without_snippet();
        let span = error.location().map_or(Span::new(self.file, 0..0), |at| self.error_span(at));
        match error {
            Error::UnsupportedTag { tag, .. } => {
                let at = self.line_rest(self.back_to(span, &['!'])).span;
                let fix =
                    cure::untag(self.file, self.text, at.range().start, &|text| self.fault(text));
                out.add_tag(at, tag, fix);
            }
            Error::MergeKeyNotAllowed { .. } => out.add_alias(span),
            Error::MultipleDocuments { .. } => out.add_several_documents(span),
            Error::Budget { breach, .. } => match breach {
                BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
                    out.add_alias(self.back_to(span, &['&', '*']));
                }
                BudgetBreach::Depth { .. } => out.add_too_large(span, YamlLimit::Depth),
                BudgetBreach::Documents { .. } => out.add_several_documents(span),
                _ => out.add_too_large(span, YamlLimit::Nodes),
            },
            other => {
                let words = other.render_with_formatter(&serde_yaml::UserMessageFormatter);
                // The scanner has a bound of its own for brackets, and says so in words only.
                if words.contains("recursion limit") {
                    return out.add_too_large(span, YamlLimit::Depth);
                }
                let fault = span.range().start;
                let fix = cure::cure(self.file, self.text, fault, &|text| self.fault(text));
                out.add_yaml_syntax(span, &words, self.line_of(span), fix);
            }
        }
    }

    /// Where a text, changed from ours, has its first fault.
    fn fault(&self, text: &str) -> Option<usize> {
        let body = text.get(self.shift..)?;
        let error = read(body).err()?;
        let place = Placer { file: self.file, text, shift: self.shift };
        let at = error.without_snippet().location();
        Some(at.map_or(0, |at| place.error_span(at).range().start))
    }

    /// Errors of the scanner have a line and a column only.
    fn error_span(&self, at: Location) -> Span {
        if at.span().byte_offset().is_some() || at.line() == 0 {
            return self.span(at);
        }
        let narrow = |at: u64| usize::try_from(at.saturating_sub(1)).unwrap_or(usize::MAX);
        let body = &self.text[self.shift..];
        let mut lines = body.split_inclusive('\n');
        let before: usize = lines.by_ref().take(narrow(at.line())).map(str::len).sum();
        let line = lines.next().unwrap_or("").trim_end_matches(['\n', '\r']);
        let column = line.char_indices().nth(narrow(at.column())).map_or(line.len(), |(at, _)| at);
        let start = self.shift + before + column;
        Span::new(self.file, start..start)
    }

    /// The library points behind a tag or an anchor: back to the sign that begins it, on the same
    /// line.
    fn back_to(&self, span: Span, signs: &[char]) -> Span {
        let end = (span.start as usize).min(self.text.len());
        let before = self.text.get(..end).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let after = self.text.get(end..).unwrap_or("");
        if after.starts_with(signs) {
            return span;
        }
        match before[line_start..].rfind(signs) {
            Some(at) => {
                let start = line_start + at;
                let rest = &self.text[start..];
                let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
                Span::new(self.file, start..start + len)
            }
            None => span,
        }
    }

    /// From the span's first byte to the end of its line: a tag swallows what follows it.
    fn line_rest(&self, span: Span) -> At<&str> {
        let start = span.start as usize;
        let rest = self.text.get(start..).unwrap_or("");
        let end = start + rest.find(['\n', '\r']).unwrap_or(rest.len());
        let text = self.text.get(start..end).unwrap_or("").trim_end();
        At::new(text, Span::new(self.file, start..start + text.len()))
    }

    /// The line that the span begins in.
    fn line_of(&self, span: Span) -> At<&str> {
        let at = (span.start as usize).min(self.text.len());
        let start = self.text.get(..at).unwrap_or("").rfind('\n').map_or(0, |newline| newline + 1);
        self.line_rest(Span::new(self.file, start..start))
    }
}

/// A key as a scalar; a container as a key becomes an empty scalar, which no mapping of ours has.
fn key_of(node: Node) -> Scalar {
    match node.kind {
        Kind::Scalar(scalar) => scalar,
        Kind::List(_) | Kind::Map(_) => Scalar {
            text: Text { value: String::new(), span: node.span, verbatim: None },
            plain: true,
        },
    }
}
