//! The way to one target: what it is owed, in which order, and what its session was handed. Fails
//! no step: overflow and absence are decided from durable facts by the coordinator \[P2, P3\].

mod link;
mod pipe;

pub use link::{Link, Owed};
pub use pipe::Pipe;

#[cfg(test)]
mod tests;
