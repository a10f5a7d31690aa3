//! Benches, in one binary: `cargo bench -- NAME`. They print ratios and assert nothing; what must
//! hold is in the tests.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock, that is what it is for")]

mod engine;
mod log;
mod measure;
mod stage;

/// The program's own allocator, see `src/main.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Cargo adds `--bench` of its own.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map(String::as_str) {
        Some("engine") => engine::run(&args[1..]),
        Some("log") => log::run(&args[1..]),
        Some(_) | None => eprintln!("cargo bench -- NAME, where NAME is one of: engine, log"),
    }
}
