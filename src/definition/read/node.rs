//! The tree that every file becomes first: scalars, lists, mappings, each with its place. Knows no
//! key of the language.

use serde_json::Number;

use crate::definition::value::Text;
use crate::diag::Span;

/// A node of a file.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar, not yet classified.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping with all its pairs, repeated keys included.
    Map(Vec<(Scalar, Node)>),
}

/// A scalar.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// Its decoded text.
    pub text: Text,
    /// Whether it stands without quotes.
    pub plain: bool,
}

/// What a scalar means to YAML 1.2.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Str,
}

impl Scalar {
    /// The decoded text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.text.value
    }

    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.text.span
    }

    /// What it means: quoted is a string, unquoted follows the core schema.
    #[must_use]
    pub fn resolve(&self) -> Resolved {
        if !self.plain {
            return Resolved::Str;
        }
        match self.value() {
            "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" => Resolved::Bool(true),
            "false" | "False" | "FALSE" => Resolved::Bool(false),
            text => number(text).map_or(Resolved::Str, Resolved::Number),
        }
    }

    /// An unquoted word that some YAML readers take for a boolean. No reader of today does so with
    /// `y` and `n`, which are names of axes.
    #[must_use]
    pub fn is_old_boolean(&self) -> bool {
        let word = self.value().to_ascii_lowercase();
        self.plain && matches!(word.as_str(), "yes" | "no" | "on" | "off")
    }

    /// An unquoted number that readers of YAML disagree about: `012`, `1_000`, `0o17`, `0x1f`.
    #[must_use]
    pub fn is_ambiguous_number(&self) -> bool {
        let digits = self.value().trim_start_matches(['-', '+']);
        let numeric = digits.starts_with(|first: char| first.is_ascii_digit());
        let prefixed = digits.len() > 1 && digits.starts_with('0') && {
            let second = digits.as_bytes()[1];
            second.is_ascii_digit() || matches!(second, b'o' | b'x' | b'_')
        };
        let all = |extra: &[u8]| {
            digits.bytes().all(|byte| byte.is_ascii_hexdigit() || extra.contains(&byte))
        };
        let grouped =
            digits.contains('_') && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        self.plain && numeric && (grouped || (prefixed && all(b"ox_")))
    }
}

/// A decimal number of JSON's shape, with an optional `+`. Other spellings stay strings.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !digits.starts_with(|first: char| first.is_ascii_digit()) || leading_zero {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        let small = unsigned.parse::<i64>().map(Number::from);
        return small.or_else(|_| unsigned.parse::<u64>().map(Number::from)).ok();
    }
    let shape = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !unsigned.bytes().all(shape) {
        return None;
    }
    unsigned.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    fn plain(text: &str) -> Scalar {
        let span = Span::default();
        Scalar { text: Text { value: text.to_owned(), span, verbatim: None }, plain: true }
    }

    #[test]
    fn unquoted_scalars_follow_the_core_schema() {
        assert_eq!(plain("7").resolve(), Resolved::Number(7.into()));
        assert_eq!(plain("-7").resolve(), Resolved::Number((-7).into()));
        assert_eq!(
            plain("1.5").resolve(),
            Resolved::Number(Number::from_f64(1.5).expect("finite"))
        );
        assert_eq!(plain("true").resolve(), Resolved::Bool(true));
        assert_eq!(plain("").resolve(), Resolved::Null);
        for text in ["no", "10s", "1-2", "1.2.3", "012", "1_000", "0x1f", ".inf", "1e999"] {
            assert_eq!(plain(text).resolve(), Resolved::Str, "{text}");
        }
        for text in ["012", "1_000", "0x1f", "0o17", "-012"] {
            assert!(plain(text).is_ambiguous_number(), "{text}");
        }
        for text in ["0", "0.5", "10", "10s", "0a", "2024-01-01"] {
            assert!(!plain(text).is_ambiguous_number(), "{text}");
        }
    }
}
