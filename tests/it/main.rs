//! All end-to-end tests, in one binary. A test of one module stands with that module.

mod background;
mod blocks;
mod checks;
mod cli;
mod compiled;
mod damage;
mod diagnostics;
mod docs;
mod editor;
mod engine;
mod fixes;
mod graph;
mod host_sagas;
mod lints;
mod mangled;
mod process;
mod schemas;
mod sensitive;
mod shipped;
mod smoke;
mod srv;
mod stored_format;
mod tidy;
mod turns;
mod wire;
mod world;
