//! The targets that are served inside of the launcher, and the processes that they start. What they
//! know is folded elsewhere (`builtin`); here is what they do.

pub mod pods;
pub mod process;
pub mod subprocess;
