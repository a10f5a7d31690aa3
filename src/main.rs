//! The binary: hands its arguments to the command line. Nothing else is here.

use std::process::ExitCode;

/// Deciding makes and drops many small values: with the system's allocator, a third of its time
/// went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sagaflow::cli::main()
}
