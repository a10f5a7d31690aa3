//! What was written: definitions and catalogs as typed trees with places. Says nothing of what they mean together.

pub mod await_;
pub mod catalog;
pub mod duration;
pub mod fields;
pub mod saga;
pub mod step;
pub mod value;

use std::sync::Arc;

use crate::diag::SourceMap;

pub use await_::{Alternative, Await, FailOn, Source};
pub use catalog::{Catalog, CatalogUndo, CommandDecl, EventDecl, Overflow, TargetDecl};
pub use duration::Bound;
pub use fields::{FieldDecl, FieldError, Fields};
pub use saga::Saga;
pub use step::{Step, Verb};
pub use value::{Named, Text, ValueKind, ValueNode};

/// All that was read from one set of files.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// All catalogs merged, built-in targets included.
    pub catalog: Catalog,
    /// The sagas that could be read, in the order of their files.
    pub sagas: Vec<Arc<Saga>>,
    /// The texts that all spans point into.
    pub sources: SourceMap,
}
