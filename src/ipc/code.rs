//! The closed list of error codes [W6] and an error as the sender of a line gets it. Who gets which
//! is decided elsewhere.

use std::fmt;

use super::protocol::AskId;

/// Why the launcher did not do what a line asked \[W6\].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The line is not one JSON object in UTF-8.
    InvalidJson,
    /// No such command, or an id that cannot be taken.
    InvalidCommand,
    /// Something else came before `register` \[W5\].
    NotRegistered,
    /// This connection, or this PID, is registered \[W5\].
    AlreadyRegistered,
    /// No catalog declares an event of that name.
    UnknownEvent,
    /// A field is missing, of another type, or not declared.
    InvalidPayload,
    /// No saga has that id or that name.
    UnknownSaga,
    /// The saga itself says no.
    Refused,
    /// A line longer than a frame may be \[W1\].
    FrameTooLarge,
    /// The launcher cannot take it now; it may be sent again later \[L7\].
    Busy,
    /// This client has no right to it \[W14\].
    NotAllowed,
    /// A newer client registered as the same target \[W12\].
    Superseded,
}

impl ErrorCode {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 12] = [
        Self::InvalidJson,
        Self::InvalidCommand,
        Self::NotRegistered,
        Self::AlreadyRegistered,
        Self::UnknownEvent,
        Self::InvalidPayload,
        Self::UnknownSaga,
        Self::Refused,
        Self::FrameTooLarge,
        Self::Busy,
        Self::NotAllowed,
        Self::Superseded,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidCommand => "invalid_command",
            Self::NotRegistered => "not_registered",
            Self::AlreadyRegistered => "already_registered",
            Self::UnknownEvent => "unknown_event",
            Self::InvalidPayload => "invalid_payload",
            Self::UnknownSaga => "unknown_saga",
            Self::Refused => "refused",
            Self::FrameTooLarge => "frame_too_large",
            Self::Busy => "busy",
            Self::NotAllowed => "not_allowed",
            Self::Superseded => "superseded",
        }
    }

    /// The code of a word on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the sender of one line is told, privately \[W6\]. It costs that line and nobody else
/// anything.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ProtocolError {
    /// Which of the closed list.
    pub code: ErrorCode,
    /// What was wrong and what it must be.
    pub message: String,
    /// The `id` of the line, where it could be read.
    pub id: Option<AskId>,
    /// The command of the line, where it is one of the known.
    pub cmd: Option<&'static str>,
    /// Whether the connection is closed after it.
    pub fatal: bool,
}

impl ProtocolError {
    /// An error after which the connection goes on.
    #[must_use]
    pub fn mild(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), id: None, cmd: None, fatal: false }
    }

    /// An error after which the connection is closed.
    #[must_use]
    pub fn fatal(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), id: None, cmd: None, fatal: true }
    }

    /// The same, with the `id` of the line that it answers.
    #[must_use]
    pub fn with_id(self, id: Option<AskId>) -> Self {
        Self { id, ..self }
    }
}
