//! One saga: its facts, their fold, and what they owe. Knows nothing of other sagas, and reads no
//! clock.

pub mod record;
