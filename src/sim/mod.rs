//! Sagas in virtual time: the coordinator that runs them in production, a log in memory, and
//! targets that answer when told to. Pure: reads no clock and opens nothing.

mod always;
pub mod check;
pub mod coverage;
mod explore;
pub mod fill;
mod ledger;
mod past;
mod payload;
mod play;
mod script;
mod shelf;
pub mod transcript;
mod world;

pub use explore::{Judged, judge, script_of};
pub use play::{Faults, Played, play};
pub use script::flow;
pub use shelf::{Sent, Shelf};
pub use transcript::Row;
pub use world::{START, World};
