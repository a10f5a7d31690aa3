//! What a child shall be, and why it may not be. Starts nothing.

use std::io;
use std::path::PathBuf;

use super::child::Exit;

/// A child to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The program, looked for in the child's `PATH` where it has no slash, and its arguments.
    pub argv: Vec<String>,
    /// Where it runs; nothing: where the launcher runs.
    pub cwd: Option<PathBuf>,
    /// Variables beside the launcher's own, and instead of them.
    pub env: Vec<(String, String)>,
    /// What it reads.
    pub stdin: Stdin,
    /// Where it writes.
    pub stdout: Output,
    /// Where it complains.
    pub stderr: Output,
    /// Whether it may not outlive its launcher.
    pub dies_with_launcher: bool,
    /// A word of its own, unique to this incarnation, that it and all that it starts carry in
    /// their environment ([`super::MARK`]). Visible ASCII without blanks, at most 128 bytes.
    pub mark: String,
}

/// What a child reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// What [`super::Child::write_stdin`] gives it, then the end.
    Piped,
    /// Nothing.
    Null,
}

/// Where a child writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To us.
    Piped,
    /// Nowhere.
    Null,
    /// To the end of a file, which is made (0600) where it is missing; its directory is not.
    File(PathBuf),
}

/// Why a child was not started. Nothing of it has acted.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No program is named.
    #[error("there is no program to start: the command is empty")]
    Empty,
    /// A text that no process can be given.
    #[error("{what} cannot be given to a process: {why}")]
    Text {
        /// Which text.
        what: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The program is nowhere.
    #[error("there is no program `{program}` {place}")]
    NotFound {
        /// As it was named.
        program: String,
        /// Where it was looked for.
        place: String,
    },
    /// It is there, and no program.
    #[error("`{}` cannot be run: {why}", path.display())]
    NotRunnable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The directory to run in is none.
    #[error("the working directory {} {why}", path.display())]
    Cwd {
        /// As it was named.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// The file to write to cannot be opened.
    #[error("its output file {} cannot be opened: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no process.
    #[error("the system starts no process: {0}")]
    System(#[source] io::Error),
    /// The system would not run the program after all.
    #[error("`{program}` cannot be run: {words}")]
    Exec {
        /// As it was named.
        program: String,
        /// What the system said.
        words: String,
    },
    /// What should have become the program was ended before.
    #[error("it ended before its program began ({0})")]
    Lost(Exit),
    /// The launcher is ending.
    #[error("the launcher is ending and starts nothing more")]
    Closed,
}
