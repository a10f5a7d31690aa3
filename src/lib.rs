//! A declarative saga engine: sagas in YAML, checked before they run, durable in one SQLite file.
//! Floors, from the ground: words, definitions, plans, one saga, all sagas, shells, assembly,
//! faces (docs/architecture.md).

pub mod definition;
pub mod diag;
pub mod ids;
pub mod ipc;
pub mod limits;
pub mod log;
pub mod saga;
pub mod time;
