//! What records say of sagas that call each other. What it means is in `children`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::SagaId;
use crate::saga::words::Fate;
use crate::time::Timestamp;

/// Who called a sub-saga, and on what terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parent {
    /// The saga that called it.
    pub saga: SagaId,
    /// Instance path of the step.
    pub step: Arc<str>,
    /// The outermost caller: sub-sagas of one such are a family.
    pub root: SagaId,
    /// How many callers there are above it.
    pub depth: u32,
    /// When the caller has no more time for its way forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether its caller may still undo it when its steps are done: it is held until that is over.
    #[serde(default, skip_serializing_if = "is_false")]
    pub holds: bool,
}

/// What became of a sub-saga, as its caller is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Child {
    /// Instance path of the step that called it.
    pub step: Arc<str>,
    /// The sub-saga.
    pub child: SagaId,
    /// What became of it.
    pub fate: Fate,
    /// Its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Arc<Value>>,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// Whether something of it is sensitive, in its own words or in those of sagas that it called.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hides: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
