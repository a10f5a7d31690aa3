//! Identifiers: one newtype each, so that two numbers are never confused. No allocation policy
//! lives here.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kinds of clients that need no declaration \[wire, `register`\].
pub const CLIENT_KINDS: [&str; 4] = ["host", "srv", "renderer", "tool"];

/// Targets that are served inside of the launcher.
pub const BUILT_IN_TARGETS: [&str; 2] = ["subprocess", "pods"];

/// The names of the wire's envelope, which no field of a vocabulary may bear \[W3\].
pub const ENVELOPE: [&str; 10] = [
    "cmd",
    "event",
    "kind",
    "version",
    "saga_id",
    "step",
    "attempt",
    "command_id",
    "id",
    "session",
];

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The id that follows this one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A running or ended saga; monotonic for the life of the data directory \[R8\].
    SagaId
}
number! {
    /// The number of a record, and so the `version` of the bus event that it is \[L10\].
    Seq
}
number! {
    /// A registered client; never reused \[L10\].
    ClientId
}
number! {
    /// One session of a target, the fencing token of its frames \[P6, R20\].
    SessionNo
}
number! {
    /// One connection of this process; memory only, never written.
    ConnId
}

/// The content hash of a definition and the declarations that it uses, in lower-case hex \[L4\].
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct DefinitionHash(pub Arc<str>);

impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
