//! How processes talk to the launcher: bytes, lines, frames and connections. Decides nothing about
//! sagas.
//!
//! `transport` is the only module that knows what a socket is; `lines`, `json`, `protocol`,
//! `frames` and `session` are pure; `outbox` and `inbox` are the two queues between the connections
//! and the one thread that decides; `server` moves the bytes, and `client` is the other end, for
//! the command line and for hosts.

mod build;
mod code;
mod connection;
mod fields;
mod json;
mod lines;
pub mod local;

pub mod client;
pub mod frames;
pub mod inbox;
pub mod outbox;
pub mod protocol;
pub mod server;
pub mod session;
pub mod transport;

pub use code::{ErrorCode, ProtocolError};

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects, not all else")]
mod tests;
