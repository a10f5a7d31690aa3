//! What is said to a saga from outside, as durable facts. Beside `record` only for its length.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::saga::record::Dedup;

/// A signal of the definition's own that a step took \[R22\].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signalled {
    /// The signal, one that the definition declares.
    pub signal: Arc<str>,
    /// What it carries, defaults filled in.
    pub fields: Arc<Value>,
    /// The client's name.
    pub by: Arc<str>,
    /// Why, in the sender's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// The client's own id, for at-least-once delivery \[W9\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<Dedup>,
}

/// An operator's word on an incident \[R14\].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// The client's name.
    pub by: Arc<str>,
    /// In the operator's words.
    pub reason: Arc<str>,
}
