//! Waits as written: `await`, `fail_on`, `cancel_on`. Whether anything can answer them is not known
//! here.

use crate::definition::value::{Named, Text};
use crate::diag::{At, Span};

/// What a wait listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This saga's own answer \[R5\].
    Echo,
    /// Anybody's report; `where` must pin identity.
    Event,
    /// What a person or client says to this saga.
    Signal,
}

/// One thing that may come in.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// The whole mapping.
    pub span: Span,
    /// `echo`, `event` or `signal`.
    pub source: Source,
    /// Name of the report or signal.
    pub name: At<String>,
    /// `where`: a condition that reads `event`.
    pub filter: Option<Text>,
    /// Variables that it sets.
    pub save: Vec<Named>,
}

/// `await` of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Await {
    /// The word `none`: fire and forget.
    None,
    /// One report.
    One(Alternative),
    /// The first alternative in order wins.
    AnyOf(Vec<Alternative>),
    /// All must come.
    AllOf(Vec<Alternative>),
}

impl Await {
    /// The alternatives, in the author's order.
    #[must_use]
    pub fn alternatives(&self) -> &[Alternative] {
        match self {
            Await::None => &[],
            Await::One(only) => std::slice::from_ref(only),
            Await::AnyOf(list) | Await::AllOf(list) => list,
        }
    }
}

/// One entry of `fail_on`. Its `save` is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct FailOn {
    /// What comes in.
    pub on: Alternative,
    /// The failure's words, with `${{ }}`.
    pub reason: Option<Text>,
}
