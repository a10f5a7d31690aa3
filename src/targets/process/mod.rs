//! Processes that a launcher starts: gated until their number is durable, each in a group of its
//! own, never left behind. Knows nothing of what they are for.
//!
//! A child begins as a *shim*, our own binary with a hidden subcommand: it waits at its *gate* and
//! becomes the real program when the launcher says so. A launcher that dies before leaves nothing.
//! A *keeper* outlives a launcher that was killed, ends what is left of its groups, and goes.

mod check;
mod child;
mod groups;
mod id;
mod keeper;
mod lines;
mod lost;
mod shim;
mod spawner;
mod spec;
mod system;

pub use check::find_program;
pub use child::{Child, Exit};
pub use groups::{group_of, members_with};
pub use id::{ProcessId, ProcessStart};
pub use lines::{LINE_MAX, Line, Lines};
pub use lost::{end_lost, gone};
pub use shim::hidden;
pub use spawner::Processes;
pub use spec::{Output, SpawnError, Spec, Stdin};

pub use nix::sys::signal::Signal;

/// The environment variable by which a child, and all that it starts, is known to be ours.
pub const MARK: &str = "SAGAFLOW_CHILD";

/// How often something is looked at that cannot be waited for.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(20);
