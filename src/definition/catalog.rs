//! The vocabulary: targets, events, commands, and the fields that they carry. Knows no saga.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::definition::fields::{FieldError, Fields};
use crate::diag::Span;
use crate::time::Millis;

/// All declarations, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Who takes commands.
    pub targets: BTreeMap<Arc<str>, Arc<TargetDecl>>,
    /// What may be reported.
    pub events: BTreeMap<Arc<str>, Arc<EventDecl>>,
    /// What may be asked.
    pub commands: BTreeMap<Arc<str>, Arc<CommandDecl>>,
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetDecl {
    /// Its name, which is the `kind` that it registers as.
    pub name: Arc<str>,
    /// Where the name was written.
    pub span: Span,
    /// What it is.
    pub doc: String,
    /// Known-unsent commands that wait while it is away \[P2\].
    pub buffer: usize,
    /// How long they wait \[P3\].
    pub disconnect_timeout: Millis,
    /// Which command fails when the buffer is full \[P2\].
    pub overflow: Overflow,
}

/// Which command fails when a buffer is full \[P2\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The one that waited longest.
    FailOldest,
    /// The newcomer.
    FailNewest,
}

/// One event.
#[derive(Clone, Debug)]
pub struct EventDecl {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name was written.
    pub span: Span,
    /// What it means.
    pub doc: String,
    /// What it carries.
    pub fields: Fields,
    /// A bracket of a saga's life: may neither trigger nor be awaited \[R6\].
    pub bracket: bool,
    /// The built-in target that alone reports it.
    pub owner: Option<Arc<str>>,
}

/// One command.
#[derive(Clone, Debug)]
pub struct CommandDecl {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name was written.
    pub span: Span,
    /// What it does.
    pub doc: String,
    /// Who does it.
    pub target: Arc<str>,
    /// What it carries.
    pub fields: Fields,
    /// Events that may answer it.
    pub echoes: Vec<Arc<str>>,
    /// Events that may refuse it.
    pub failures: Vec<Arc<str>>,
    /// Whether the target repeats its answer for a `command_id`.
    pub idempotent: bool,
    /// What undoes it.
    pub undo: CatalogUndo,
}

/// What undoes a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogUndo {
    /// Nothing to undo.
    None,
    /// Nothing can undo it.
    Irreversible,
    /// This command.
    Command(Arc<str>),
}

impl EventDecl {
    /// Makes a payload the event's: fills in defaults, drops names that begin with `_` \[W4\].
    ///
    /// # Errors
    ///
    /// A field that is unknown, missing, or of the wrong type.
    pub fn accept(&self, payload: &mut serde_json::Map<String, Value>) -> Result<(), FieldError> {
        self.fields.accept(payload)
    }
}

impl CommandDecl {
    /// Makes a payload the command's, by the rules of [`EventDecl::accept`].
    ///
    /// # Errors
    ///
    /// A field that is unknown, missing, or of the wrong type.
    pub fn accept(&self, payload: &mut serde_json::Map<String, Value>) -> Result<(), FieldError> {
        self.fields.accept(payload)
    }
}
