//! Benches, in one binary: `cargo bench -- NAME`. They print ratios and assert no time; what must
//! hold is in the tests.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock, that is what it is for")]

mod boot;
mod check;
mod engine;
mod house;
mod listener;
mod load;
mod log;
mod measure;
mod stage;
mod turns;
mod validate;

use std::process::ExitCode;

/// The program's own allocator, see `src/main.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Cargo adds `--bench` of its own.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("boot") => boot::run(rest),
        Some("check") => check::run(),
        Some("engine") => engine::run(rest),
        Some("load") => return load::run(rest),
        Some("log") => log::run(),
        Some("turns") => return turns::run(rest),
        Some("validate") => validate::run(rest),
        Some(_) | None => {
            eprintln!(
                "cargo bench -- NAME, where NAME is one of: boot, check, engine, load, log, turns, \
                 validate"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
