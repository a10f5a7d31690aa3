//! Every key of the language, once: the reader refuses what is not here and the JSON Schemas are
//! printed from it. Decodes nothing.

mod catalog;
mod launcher;
mod saga;
mod scenario;
mod step;
mod wait;

pub use catalog::{CATALOG, COMMAND, EVENT, OVERFLOWS, TARGET};
pub use launcher::{
    LAUNCHER, PODS, PROCESS, READY, READY_WORDS, RESTART_BACKOFF, RESTARTS, RETENTION, RIGHTS,
    STOP, STOP_SIGNALS,
};
pub use saga::{
    CALL, DEFAULTS, EVICTION, MODES, ON_RESTART, ON_SHUTDOWN, POLICIES, REQUIRE, SAGA, SCHEDULE,
    SIGNAL_DECL, SIGNALS, TRIGGER, TRIGGER_ALTERNATIVE,
};
pub use scenario::{
    CASE, CAUSES, END, ENDS, EXPECT, EXPLORE, ORGANIC, REPLY, SCRIPT, SIGNAL, TEST, WHEN,
};
pub use step::{
    BRANCH_WORDS, BRINGS, COMPENSATE, FOR_EACH, JOINS, ON_TIMEOUT, PROBE, ROOTS, STEP, UNDO_STEP,
    VERBS,
};
pub use wait::{AWAIT, BACKOFFS, CANCEL_ON, FAIL_ON, REACTION, REPORT, RETRY, RETRY_ON};

/// A mapping of the language: its keys, and the rules between them.
#[derive(Debug)]
pub struct Mapping {
    /// Name in the JSON Schema's `$defs`.
    pub name: &'static str,
    /// As in "unknown key in a step".
    pub what: &'static str,
    /// Shown by editors.
    pub doc: &'static str,
    /// Its keys, in the order in which they are best written.
    pub keys: &'static [Key],
    /// Exactly one of each of these groups must be written.
    pub one_of: &'static [&'static [&'static str]],
    /// Keys that shut others out.
    pub excludes: &'static [Exclude],
    /// Keys that mean something beside one of others only.
    pub needs: &'static [(&'static str, &'static [&'static str])],
}

/// A key beside which others have no meaning.
#[derive(Debug)]
pub struct Exclude {
    /// The key.
    pub key: &'static str,
    /// What must not stand beside it.
    pub others: &'static [&'static str],
    /// Why not, continuing "`await` …".
    pub why: &'static str,
    /// What to do instead; may be empty.
    pub help: &'static str,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// What stands under it.
    pub shape: Shape,
    /// Shown by editors; one or two sentences of Markdown.
    pub doc: &'static str,
}

/// Whether a key must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Silence is an error.
    Required,
    /// May be left out.
    Optional,
}

/// What stands under a key.
#[derive(Debug)]
pub enum Shape {
    /// Free text.
    Text,
    /// A list of free texts, not empty.
    Texts,
    /// A list of patterns of names, which may be empty.
    Patterns,
    /// Text with `${{ }}` holes.
    Template,
    /// A bare expression.
    Condition,
    /// A bare expression or a list of them.
    Conditions,
    /// A list of bare expressions, not empty.
    ConditionList,
    /// A snake_case name that this file gives.
    Name,
    /// A name of the catalog.
    Ref(Kind),
    /// A list of names of the catalog.
    Refs(Kind),
    /// The id of a step, in a list.
    StepIds,
    /// `10s`.
    Duration,
    /// `10s` or the word `none`.
    Bound,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of these words.
    WordList(&'static [&'static str]),
    /// A command's name or one of the words `none` and `irreversible`.
    CatalogUndo,
    /// `true` or `false`.
    Flag,
    /// `true`.
    True,
    /// A whole number, at least this.
    Integer(u64),
    /// A number from 0 to 1.
    Share,
    /// Any value at all.
    Any,
    /// Named values with `${{ }}` holes.
    Values,
    /// Named strings.
    Labels,
    /// Named fields: JSON Schemas with `required` and `sensitive`. On the wire they stand beside
    /// the envelope's, so they bear none of its names \[W3\].
    Fields,
    /// The same inside an object of their own, where every name is free.
    InnerFields,
    /// A mapping.
    Map(&'static Mapping),
    /// A mapping, or the word `none`.
    MapOrNone(&'static Mapping),
    /// A list of mappings, not empty.
    List(&'static Mapping),
    /// One of these words, or a list of mappings.
    WordsOrList(&'static [&'static str], &'static Mapping),
    /// One of these words, or a mapping.
    WordsOrMap(&'static [&'static str], &'static Mapping),
    /// Named mappings.
    Named(&'static Mapping),
    /// Named mappings; none has one of these names.
    NamedBut(&'static [&'static str], &'static Mapping),
    /// Named lists of mappings, none of them empty.
    NamedLists(&'static Mapping),
}

/// What a name of the catalog names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event.
    Event,
    /// A command.
    Command,
    /// A target.
    Target,
    /// A saga.
    Saga,
}

impl Mapping {
    /// The key of that name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A key that must be there.
#[must_use]
pub const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, need: Need::Required, shape, doc }
}

/// A key that may be left out.
#[must_use]
pub const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, need: Need::Optional, shape, doc }
}

/// Every mapping, for the schemas and for the test that holds reader and schema together.
pub static ALL: &[&Mapping] = &[
    &SAGA,
    &TRIGGER,
    &TRIGGER_ALTERNATIVE,
    &CALL,
    &SCHEDULE,
    &SIGNAL_DECL,
    &REQUIRE,
    &EVICTION,
    &DEFAULTS,
    &STEP,
    &FOR_EACH,
    &PROBE,
    &COMPENSATE,
    &UNDO_STEP,
    &AWAIT,
    &REPORT,
    &FAIL_ON,
    &CANCEL_ON,
    &REACTION,
    &RETRY,
    &CATALOG,
    &TARGET,
    &EVENT,
    &COMMAND,
    &TEST,
    &CASE,
    &WHEN,
    &SCRIPT,
    &EXPECT,
    &REPLY,
    &ORGANIC,
    &SIGNAL,
    &END,
    &EXPLORE,
    &LAUNCHER,
    &PROCESS,
    &RESTART_BACKOFF,
    &READY,
    &STOP,
    &RIGHTS,
    &RETENTION,
    &PODS,
];
