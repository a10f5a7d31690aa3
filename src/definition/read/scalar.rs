//! Scalars read as what their key wants: text, names, words, durations, conditions, numbers. Looks
//! nothing up.

use crate::definition::duration::{self, Bound};
use crate::definition::read::node::{Kind, Node, Resolved, Scalar};
use crate::definition::value::Text;
use crate::diag::{At, Diagnostics};
use crate::time::Millis;

impl Kind {
    /// What it is, in words.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Kind::Map(_) => "a mapping",
            Kind::List(_) => "a list",
            Kind::Scalar(scalar) => match scalar.resolve() {
                Resolved::Null => "nothing",
                Resolved::Bool(_) => "true or false",
                Resolved::Number(_) => "a number",
                Resolved::Str => "a string",
            },
        }
    }
}

/// Whether a node is exactly this word.
#[must_use]
pub fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.kind, Kind::Scalar(scalar) if scalar.value() == word)
}

fn scalar(node: Node, key: &str, must: &str, out: &mut Diagnostics) -> Option<Scalar> {
    match node.kind {
        Kind::Scalar(scalar) if scalar.resolve() != Resolved::Null => Some(scalar),
        Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => {
            out.add_wrong_shape(node.span, key, must, node.kind.words());
            None
        }
    }
}

/// A string; what YAML reads as something else is refused with the cure.
pub fn string(node: Node, key: &str, out: &mut Diagnostics) -> Option<Text> {
    let scalar = scalar(node, key, "a string", out)?;
    let reads = match scalar.resolve() {
        Resolved::Str if scalar.is_old_boolean() => "older YAML reads this as true or false",
        Resolved::Str | Resolved::Null => return Some(scalar.text),
        Resolved::Bool(_) => "YAML reads this as true or false",
        Resolved::Number(_) => "YAML reads this as a number",
    };
    out.add_unquoted_word(scalar.value(), scalar.span(), key, reads);
    Some(scalar.text)
}

/// A string with its place.
pub fn text(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<String>> {
    string(node, key, out).map(|text| At::new(text.value, text.span))
}

/// A string that cannot hold `${{ }}`.
pub fn literal(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<String>> {
    let text = text(node, key, out)?;
    if text.value.contains("${{") {
        out.add_literal_expected(text.span, key);
        return None;
    }
    Some(text)
}

/// Whether a name is snake_case: a small letter, then small letters, digits and `_`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(rest)
}

/// Words of expressions that may not even stand after a dot: what bears one could never be read.
const NO_NAMES: [&str; 4] = ["in", "true", "false", "null"];

/// Holds a name to snake_case; it is kept either way, so that what refers to it is found.
pub fn check_name(name: &At<String>, what: &str, out: &mut Diagnostics) {
    if name.value.contains("${{") {
        out.add_literal_expected(name.span, what);
    } else if !is_name(&name.value) {
        out.add_bad_name(&name.value, name.span, what);
    } else if NO_NAMES.contains(&name.value.as_str()) {
        let why = "it is a word of expressions, which could never read it";
        out.add_reserved_name(&name.value, name.span, what, why);
    }
}

/// A snake_case name.
pub fn name(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<String>> {
    let name = literal(node, key, out)?;
    check_name(&name, &format!("`{key}`"), out);
    Some(name)
}

/// Whether a name stands where a list of them belongs; `none` is no name, and means no list.
fn is_one_name(scalar: &Scalar) -> bool {
    let plain = scalar.plain && !scalar.is_old_boolean() && scalar.resolve() == Resolved::Str;
    plain && is_name(scalar.value()) && scalar.value() != "none"
}

const NAMES: &str = "a list of names, like `[one, two]`";

/// A list of names, which may be empty.
pub fn names(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<At<String>>> {
    match node.kind {
        Kind::List(items) => Some(items.into_iter().filter_map(|n| name(n, key, out)).collect()),
        Kind::Scalar(scalar) if is_one_name(&scalar) => {
            out.add_name_for_list(At::new(scalar.value(), scalar.span()), key, NAMES);
            None
        }
        Kind::Scalar(_) | Kind::Map(_) => {
            let must = NAMES;
            out.add_wrong_shape(node.span, key, must, node.kind.words());
            None
        }
    }
}

/// One of the words of a table.
pub fn word<T: Copy>(
    node: Node,
    key: &str,
    known: &[(&str, T)],
    out: &mut Diagnostics,
) -> Option<At<T>> {
    let text = literal(node, key, out)?;
    match known.iter().find(|(word, _)| *word == text.value) {
        Some((_, value)) => Some(At::new(*value, text.span)),
        None => {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            out.add_unknown_word(&text.value, text.span, key, &words);
            None
        }
    }
}

/// A duration like `10s`.
pub fn duration(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Millis>> {
    let scalar = scalar(node, key, "a duration like `10s`", out)?;
    if scalar.value().contains("${{") {
        out.add_literal_expected(scalar.span(), key);
        return None;
    }
    match duration::parse(scalar.value()) {
        Ok(span) => Some(At::new(span, scalar.span())),
        Err(why) => {
            out.add_bad_duration(scalar.value(), scalar.span(), &why);
            // Something stands in its place, so that its step is not lost to further checks.
            Some(At::new(Millis(1), scalar.span()))
        }
    }
}

/// A duration or the word `none`.
pub fn bound(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Bound>> {
    if is_word(&node, "none") {
        return Some(At::new(Bound::None, node.span));
    }
    duration(node, key, out).map(|span| At::new(Bound::After(span.value), span.span))
}

/// A bare expression.
pub fn condition(node: Node, key: &str, out: &mut Diagnostics) -> Option<Text> {
    const QUOTE: &str = "quote a whole expression that begins with `[` or `{`";
    if let Kind::List(_) | Kind::Map(_) = node.kind {
        let is = node.kind.words();
        out.add_wrong_shape_help(node.span, key, "an expression", is, QUOTE);
        return None;
    }
    let scalar = scalar(node, key, "an expression", out)?;
    if scalar.is_old_boolean() {
        let reads = "write `true` or `false`, or quote it as a string inside the expression";
        out.add_unquoted_word(scalar.value(), scalar.span(), key, reads);
        return None;
    }
    let trimmed = scalar.value().trim();
    if let Some(inner) = trimmed.strip_prefix("${{") {
        let inner = inner.strip_suffix("}}").map(str::trim);
        out.add_bare_expected(scalar.span(), key, inner.filter(|text| !text.contains("}}")));
        return None;
    }
    Some(scalar.text)
}

/// `true` or `false`.
#[expect(clippy::needless_pass_by_value, reason = "every reader of a value consumes its node")]
pub fn flag(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<bool>> {
    let span = node.span;
    let is = node.kind.words();
    if let Kind::Scalar(scalar) = &node.kind
        && let Resolved::Bool(word) = scalar.resolve()
    {
        return Some(At::new(word, span));
    }
    out.add_wrong_shape(span, key, "`true` or `false`", is);
    None
}

/// A whole number, at least `least`.
pub fn integer(node: Node, key: &str, least: u64, out: &mut Diagnostics) -> Option<At<u64>> {
    let scalar = scalar(node, key, "a whole number", out)?;
    let Resolved::Number(number) = scalar.resolve() else {
        let is = if scalar.plain { "a word" } else { "a quoted string" };
        out.add_wrong_shape(scalar.span(), key, "a whole number", is);
        return None;
    };
    let most = u64::from(u32::MAX);
    match number.as_u64() {
        Some(value) if (least..=most).contains(&value) => Some(At::new(value, scalar.span())),
        Some(_) | None => {
            let range = match number.as_u64() {
                Some(value) if value > most => format!("at most {most}"),
                Some(_) | None => format!("a whole number, at least {least}"),
            };
            out.add_out_of_range(scalar.value(), scalar.span(), key, &range);
            None
        }
    }
}

/// A number from 0 to 1.
pub fn share(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<f64>> {
    const RANGE: &str = "a number from 0 to 1";
    let is = node.kind.words();
    let scalar = scalar(node, key, RANGE, out)?;
    let Resolved::Number(number) = scalar.resolve() else {
        out.add_wrong_shape(scalar.span(), key, RANGE, is);
        return None;
    };
    match number.as_f64() {
        Some(value) if (0.0..=1.0).contains(&value) => Some(At::new(value, scalar.span())),
        Some(_) | None => {
            out.add_out_of_range(scalar.value(), scalar.span(), key, RANGE);
            None
        }
    }
}
