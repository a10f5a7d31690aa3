//! Something that may be written at a place. Knows no place.

use std::ops::Range;

use super::fields::FieldInfo;
use super::hover::BUILT;

/// What a choice is, for the sign beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceKind {
    /// A key of the language.
    Key,
    /// A word of a closed choice.
    Word,
    /// An event.
    Event,
    /// A command.
    Command,
    /// A target or a saga.
    Module,
    /// A field.
    Field,
    /// A name in expressions.
    Variable,
    /// A function.
    Function,
}

/// Something that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As shown and searched.
    pub label: String,
    /// What it is.
    pub kind: ChoiceKind,
    /// A few words beside it.
    pub detail: String,
    /// What it means, in Markdown.
    pub doc: String,
    /// What is written.
    pub text: String,
    /// What it takes the place of.
    pub range: Range<usize>,
    /// Choices with less stand first.
    pub rank: usize,
}

/// One to be written as it is shown, with something behind it.
#[must_use]
pub fn choice(
    label: &str,
    kind: ChoiceKind,
    detail: &str,
    range: &Range<usize>,
    behind: &str,
) -> Choice {
    Choice {
        label: label.to_owned(),
        kind,
        detail: detail.to_owned(),
        doc: String::new(),
        text: format!("{label}{behind}"),
        range: range.clone(),
        rank: 0,
    }
}

/// A field.
#[must_use]
pub fn field_choice(field: &FieldInfo, range: &Range<usize>, behind: &str) -> Choice {
    Choice {
        doc: field.line(),
        rank: usize::from(!field.required),
        ..choice(&field.name, ChoiceKind::Field, &field.ty.replace('`', ""), range, behind)
    }
}

/// Names that expressions always have, below a prefix.
pub fn built(prefix: &str, range: &Range<usize>, fits: impl Fn(&str) -> bool) -> Vec<Choice> {
    let below = BUILT.iter().filter_map(|(name, doc)| Some((name.strip_prefix(prefix)?, doc)));
    let fitting = below.filter(|(name, _)| !name.is_empty() && fits(name));
    fitting.map(|(name, doc)| choice(name, ChoiceKind::Variable, doc, range, "")).collect()
}
