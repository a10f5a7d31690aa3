//! What was written: definitions and catalogs as typed trees with places. Says nothing of what they
//! mean together.

pub mod await_;
pub mod catalog;
pub mod duration;
pub mod fields;
pub mod keys;
pub mod read;
pub mod saga;
pub mod sample;
pub mod scenario;
pub mod spread;
pub mod step;
pub mod subset;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diag::{Allows, FileId, SourceMap};

pub use await_::{Alternative, Await, FailOn, Source};
pub use catalog::{Catalog, CatalogUndo, CommandDecl, EventDecl, Overflow, TargetDecl};
pub use duration::Bound;
pub use fields::{FieldDecl, FieldError, Fields};
pub use saga::Saga;
pub use scenario::Scenarios;
pub use step::{Step, Verb};
pub use subset::Names;
pub use value::{Named, Text, ValueKind, ValueNode};

/// What reading a file could not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// What stood under a key that nobody knows: it is missing where it belongs.
    Key,
    /// A bound, a number or a policy: some other one stands in its place.
    Bound,
    /// A part of the tree: a step, a wait, a value.
    Part,
}

/// All that was read from one set of files.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// All catalogs merged, built-in ones included.
    pub catalog: Catalog,
    /// Whether every catalog file was read without an error. If not, names may be missing through
    /// no fault of
    /// a saga, so checks of names would mislead.
    pub catalog_is_whole: bool,
    /// The sagas, in the order of their files. One of them may have an error (an unknown key, say)
    /// or holes where something could not be read, so that further checks see it too: ask
    /// [`Diagnostics::has_errors_in`].
    ///
    /// [`Diagnostics::has_errors_in`]: crate::diag::Diagnostics::has_errors_in
    pub sagas: Vec<Arc<Saga>>,
    /// The scenarios, in the order of their files, as far as they could be read.
    pub scenarios: Vec<Scenarios>,
    /// What reading lost of a saga's file: findings that may only tell of the hole mislead. A file
    /// without a saga among `sagas` has lost it all, its name too.
    pub lost: BTreeMap<FileId, BTreeSet<Loss>>,
    /// Files in which reading found an error: about these no lint is said.
    pub broken: BTreeSet<FileId>,
    /// What the files say about lints.
    pub allows: Allows,
    /// The texts that all spans point into.
    pub sources: SourceMap,
}
