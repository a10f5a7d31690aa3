//! A declarative saga engine: sagas in YAML, checked before they run, durable in one SQLite file.
//! Floors, from the ground: words, definitions, plans, one saga, all sagas, rehearsals, shells,
//! assembly, faces (docs/architecture.md).

pub mod builtin;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod coordinator;
pub mod definition;
pub mod diag;
pub mod expr;
pub mod format;
pub mod graph;
pub mod host_pipe;
pub mod ids;
pub mod ipc;
pub mod launcher;
pub mod limits;
pub mod line;
pub mod log;
pub mod plan;
pub mod saga;
pub mod schema;
pub mod service;
pub mod sim;
pub mod targets;
pub mod time;
pub mod view;
