//! A `*.test.yaml` as written: what happens to a saga, and how it ends. Plays nothing.

use serde_json::Value;

use crate::diag::{At, Span};
use crate::time::Millis;

/// The cases of one saga.
#[derive(Clone, Debug)]
pub struct Scenarios {
    /// The whole document.
    pub span: Span,
    /// The saga under test.
    pub saga: At<String>,
    /// The cases, in the author's order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The whole case.
    pub span: Span,
    /// What it claims.
    pub name: At<String>,
    /// What is played.
    pub play: Play,
    /// Faults that are tried at every place of it.
    pub explore: Option<Explore>,
}

/// What a case plays.
#[derive(Clone, Debug)]
pub enum Play {
    /// Its own script.
    Own(Box<Script>),
    /// That of the case of this name.
    SameAs(At<String>),
}

/// A beginning, what follows, and an end.
#[derive(Clone, Debug)]
pub struct Script {
    /// What starts the saga.
    pub when: When,
    /// What happens then, in order.
    pub entries: Vec<Entry>,
    /// How it ends, as far as that is compared.
    pub end: Option<End>,
}

/// What starts the saga.
#[derive(Clone, Debug)]
pub struct When {
    /// The whole mapping.
    pub span: Span,
    /// Who or what.
    pub start: Start,
    /// Its fields.
    pub with: With,
}

/// Who or what starts the saga.
#[derive(Clone, Debug)]
pub enum Start {
    /// A report of this event.
    Event(At<String>),
    /// A caller.
    Call,
    /// The clock, at its next tick.
    Schedule,
}

/// Named literal values.
#[derive(Clone, Debug)]
pub struct With {
    /// Where they stand, or where they would.
    pub span: Span,
    /// The values, in the author's order.
    pub list: Vec<(At<String>, At<Value>)>,
}

/// One entry of a script.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The whole entry.
    pub span: Span,
    /// What happens.
    pub what: Happening,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A command must come, and is answered.
    Expect {
        /// The command.
        command: At<String>,
        /// A subset of its fields.
        with: With,
        /// What the target answers.
        reply: Reply,
    },
    /// A command that came before is answered now: late, or once more.
    Answer {
        /// The command; the newest that fits is meant.
        command: At<String>,
        /// A subset of its fields.
        with: With,
        /// What the target answers.
        reply: Reply,
    },
    /// Somebody reports an event.
    Report {
        /// The event.
        event: At<String>,
        /// Its fields.
        with: With,
    },
    /// A caller starts the saga once more.
    Call(With),
    /// A person or client says something to the saga.
    Signal {
        /// What.
        name: At<String>,
        /// With which words.
        with: With,
    },
    /// A target goes away.
    Disconnect(At<String>),
    /// A target comes back.
    Connect(At<String>),
    /// Time passes.
    Advance(At<Millis>),
    /// The launcher dies and starts again.
    Crash,
}

/// What a target answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Nothing.
    None,
    /// An event.
    Echo {
        /// Which.
        event: At<String>,
        /// Its fields.
        with: With,
    },
    /// That it could not be done.
    Failed(At<String>),
}

/// How the saga ends; what is absent is not compared.
#[derive(Clone, Debug)]
pub struct End {
    /// The whole mapping.
    pub span: Span,
    /// Its last state.
    pub state: Option<At<&'static str>>,
    /// Why it failed.
    pub cause: Option<At<&'static str>>,
    /// The failing step's words.
    pub reason: Option<At<String>>,
    /// A subset of its result.
    pub result: Option<With>,
}

/// Faults that are tried at every place of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explore {
    /// Whether the launcher dies after each commit.
    pub crash: bool,
    /// How many reports come twice.
    pub duplicate: u64,
    /// How many times a target goes away.
    pub disconnect: u64,
}
