//! What the built-in targets know: folds of their own events, kept as rows beside the log and
//! restored from them at boot. Not what the targets do; that is in `targets`.

pub mod blocks;
