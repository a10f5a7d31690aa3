//! The launcher put together: definitions, log, socket, and the one thread that decides. Faces call
//! [`run`].

mod answers;
mod boot;
mod builtins;
mod core;
mod cores;
mod events;
mod full_disk;
mod intake;
mod library;
mod lock;
mod picture;
mod reader;
mod rows;
mod run;
pub mod services;
mod signals;
mod supervised;
mod tell;
mod turns;

pub use boot::{BootError, restore};
pub use core::{Core, Identity, Pending};
pub use cores::Cores;
pub use library::{
    Loaded, definitions_in, kind_of, read_definition, read_directory, read_text, shown,
};
pub use lock::{DataLock, LockError, can_be};
pub use picture::Pictures;
pub use rows::{Draft, turn as turn_of};
pub use run::{Config, LOG_FILE, RunError, load, run};
pub use signals::{Hangup, hangup_is_ignored};
pub use supervised::{Input, Word};
pub use turns::{Manners, Message, Turns};
