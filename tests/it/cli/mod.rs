//! The command line as a user meets it: the real binary, its exit codes, its two streams. What a
//! command computes is tested where it is computed.

mod agents;
mod begin;
mod callers;
mod check;
mod ci;
mod data;
mod demo;
mod fill;
mod fix;
mod fmt;
mod graph;
mod guide;
mod guides;
mod launch;
mod live;
mod lsp;
mod observe;
mod pages;
mod plan;
mod reference;
mod signals;
mod test;
mod upkeep;
mod usage;
mod validate;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The binary, far from the terminal and the environment of whoever runs the tests.
pub fn sagaflow(here: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagaflow"));
    command.args(args).current_dir(here);
    for name in ["SAGAFLOW_DATA", "SAGAFLOW_SOCKET", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

/// What a command did.
pub struct Did {
    /// Its exit code.
    pub exit: i32,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(here: &Path, args: &[&str]) -> Did {
    did(sagaflow(here, args).output().expect("the binary runs"))
}

/// What a command that has ended did.
pub fn did(output: Output) -> Did {
    Did {
        exit: output.status.code().expect("it ended by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

impl Did {
    /// Its data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }
}

/// The package, with its shipped sagas.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Shipped sagas that drive what is served inside of the launcher. One of them begins with each
/// launcher, so who counts sagas and records loads the others alone.
pub const OF_BUILT_IN: [&str; 7] = [
    "agent_turn",
    "pod_cleanup",
    "pod_spawn",
    "pod_stop",
    "pod_sweep",
    "registry_restore",
    "scope_relay",
];

/// Whether it is a shipped file of one of them.
pub fn is_of_built_in(file: &str) -> bool {
    OF_BUILT_IN.iter().any(|saga| file.split('.').next() == Some(saga))
}

/// A scratch directory with these files in it.
pub fn scratch(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a scratch directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        let parent = path.parent().expect("it lies in the directory");
        std::fs::create_dir_all(parent).expect("room on the disk");
        std::fs::write(path, text).expect("room on the disk");
    }
    directory
}
