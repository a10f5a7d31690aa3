//! The binary: hands its arguments to the command line. Nothing else is here.

use std::process::ExitCode;

fn main() -> ExitCode {
    sagaflow::cli::main()
}
