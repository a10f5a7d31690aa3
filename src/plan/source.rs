//! Whose word a wait takes. What is said is not known here.

/// What a wait listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This saga's own answer \[R5\].
    Echo,
    /// In a saga that observes: a report that no saga asked for stands for the answer.
    Organic,
    /// Anybody's report.
    Event,
    /// What a person or client says to this saga.
    Signal,
}

impl Source {
    /// Whether it listens to what is said to nobody, so that its filter has to pin identity.
    #[must_use]
    pub fn is_public(self) -> bool {
        match self {
            Source::Organic | Source::Event => true,
            Source::Echo | Source::Signal => false,
        }
    }
}
