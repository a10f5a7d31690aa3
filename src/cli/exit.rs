//! How a command ends: the exit codes, which are a promise, and failures with their words. Prints
//! nothing.

use std::io;
use std::process::ExitCode;

use crate::ipc::client::ClientError;
use crate::launcher::LockError;
use crate::log::{OpenError, ReadError};

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// The data says no: an invalid saga, a refusal, a saga that did not complete.
    No,
    /// Wrong usage.
    Usage,
    /// No launcher can be reached.
    Unreachable,
    /// Another launcher holds the data directory.
    Held,
    /// The log cannot be opened, read or written.
    Log,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Held => 4,
            Exit::Log => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// With words for stderr.
    Said {
        /// The exit code.
        exit: Exit,
        /// Lower case, no full stop, with the cure.
        message: String,
    },
    /// The reader of a stream went away: it has what it wanted, so this is no failure.
    PipeClosed,
}

impl Failure {
    /// A failure with its words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure::Said { exit, message: message.into() }
    }

    /// Wrong usage, found only after the arguments were read.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }
}

impl From<io::Error> for Failure {
    /// Of our own output alone; other files say which file it was.
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::PipeClosed;
        }
        Failure::new(Exit::No, format!("cannot write the output: {error}"))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let exit = if error.is_unreachable() { Exit::Unreachable } else { Exit::No };
        Failure::new(exit, error.to_string())
    }
}

impl From<&LockError> for Exit {
    fn from(error: &LockError) -> Exit {
        match error {
            LockError::Held { .. } | LockError::LogHeld { .. } => Exit::Held,
            LockError::NoDirectory { .. } => Exit::Usage,
            LockError::NoFile { .. } | LockError::Os { .. } => Exit::Log,
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Failure {
        Failure::new(Exit::from(&error), error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        Failure::new(Exit::Log, error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        Failure::new(Exit::Log, error.to_string())
    }
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;
