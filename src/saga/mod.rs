//! One saga: its facts, their fold, and what they owe. Knows nothing of other sagas, and reads no
//! clock.

pub mod always;
pub mod apply;
pub mod branches;
pub mod children;
pub mod decide;
#[cfg(test)]
pub mod fault;
pub mod kin;
pub mod owed;
pub mod pivot;
pub mod reactions;
pub mod record;
pub mod said;
pub mod state;
pub mod stuck;
pub mod targets;
pub mod undoers;
pub mod words;
