//! A line from a client becomes a frame, or an error that says what it must be. Knows no catalog
//! and no saga.

use std::fmt;
use std::io;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::code::ProtocolError;
use super::fields::{Fields, invalid_command, invalid_payload, must_be};
use super::json::Envelope;
use crate::ids::{SagaId, Seq};
use crate::limits::{CLIENT_WORD_BYTES_MAX, FRAME_BYTES_MAX, REWRITING_GROWS};

/// A client's own `id` for a line: a string or a number, of bounded length.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AskId(Value);

impl AskId {
    /// The id, when it is a string or a number and not too long.
    #[must_use]
    pub fn new(value: Value) -> Option<Self> {
        match &value {
            Value::String(text) if text.len() <= CLIENT_WORD_BYTES_MAX => Some(Self(value)),
            Value::Number(_) => Some(Self(value)),
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        }
    }

    /// The id as it came and as it is answered.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl fmt::Display for AskId {
    /// As JSON, so that `1` and `"1"` stay two ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client asked for, with its types checked and its vocabulary not yet.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientFrame {
    /// Who is there; must be first \[W5\].
    Register(Register),
    /// An event happened.
    Report(Report),
    /// A command could not be done.
    ActionFailed(ActionFailed),
    /// A saga is to start.
    StartSaga(StartSaga),
    /// A saga is to be cancelled, retried, resolved, or told something.
    SignalSaga(SignalSaga),
    /// What is there now?
    GetSnapshot {
        /// Given back with the answer.
        id: Option<AskId>,
    },
    /// Which bus events came after a version?
    GetEvents {
        /// Given back with the answer.
        id: Option<AskId>,
        /// Exclusive.
        since: Seq,
    },
    /// Which sagas are there?
    ListSagas {
        /// Given back with the answer.
        id: Option<AskId>,
        /// Which of them.
        filter: SagaFilter,
    },
    /// What does one saga look like?
    GetSaga {
        /// Given back with the answer.
        id: Option<AskId>,
        /// Which.
        saga_id: SagaId,
    },
    /// Is anybody there?
    Ping {
        /// Given back with the answer.
        id: Option<AskId>,
        /// Given back with the answer; `null` when none came.
        nonce: Value,
    },
    /// A clean end.
    Goodbye,
}

impl ClientFrame {
    /// Whether its answer may have to be read from the log.
    #[must_use]
    pub fn is_question(&self) -> bool {
        match self {
            Self::GetSnapshot { .. }
            | Self::GetEvents { .. }
            | Self::ListSagas { .. }
            | Self::GetSaga { .. } => true,
            Self::Register(_)
            | Self::Report(_)
            | Self::ActionFailed(_)
            | Self::StartSaga(_)
            | Self::SignalSaga(_)
            | Self::Ping { .. }
            | Self::Goodbye => false,
        }
    }

    /// The command's name on the wire.
    #[must_use]
    pub fn cmd(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Report(_) => "report",
            Self::ActionFailed(_) => "report_saga_action_failed",
            Self::StartSaga(_) => "start_saga",
            Self::SignalSaga(_) => "signal_saga",
            Self::GetSnapshot { .. } => "get_snapshot",
            Self::GetEvents { .. } => "get_events",
            Self::ListSagas { .. } => "list_sagas",
            Self::GetSaga { .. } => "get_saga",
            Self::Ping { .. } => "ping",
            Self::Goodbye => "goodbye",
        }
    }

    /// The client's own `id`, where the line had one.
    #[must_use]
    pub fn id(&self) -> Option<&AskId> {
        match self {
            Self::Register(Register { id, .. })
            | Self::Report(Report { id, .. })
            | Self::ActionFailed(ActionFailed { id, .. })
            | Self::StartSaga(StartSaga { id, .. })
            | Self::SignalSaga(SignalSaga { id, .. })
            | Self::GetSnapshot { id }
            | Self::GetEvents { id, .. }
            | Self::ListSagas { id, .. }
            | Self::GetSaga { id, .. }
            | Self::Ping { id, .. } => id.as_ref(),
            Self::Goodbye => None,
        }
    }
}

/// See [`ClientFrame::Register`].
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// Given back with an error.
    pub id: Option<AskId>,
    /// `host`, `srv`, `renderer`, `tool`, or a target of the catalog.
    pub kind: Arc<str>,
    /// The name under which its report ids are remembered \[W9\]; `KIND-PID` when none came.
    pub name: Arc<str>,
    /// The client's word, never checked against the peer.
    pub pid: u64,
    /// The client's version; empty when none came.
    pub version: Arc<str>,
    /// Globs on event names; `None`: everything that needs no asking by name.
    pub subscribe: Option<Vec<String>>,
    /// Replay what came after this version, then go live \[W13\].
    pub resume_from: Option<Seq>,
}

/// See [`ClientFrame::Report`].
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The client's own, for at-least-once delivery \[W9\].
    pub id: Option<AskId>,
    /// Name of the event.
    pub event: Arc<str>,
    /// The command that it answers; `None`: organic \[R5\].
    pub echo: Option<Echo>,
    /// The vocabulary's fields: nothing reserved, nothing that begins with `_` \[W4\].
    pub fields: Map<String, Value>,
}

/// Which command a line answers \[R5\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The saga, copied from the command.
    pub saga_id: SagaId,
    /// The step's path, copied from the command.
    pub step: Arc<str>,
    /// This command only; `None`: the step's current one.
    pub command_id: Option<Arc<str>>,
}

/// See [`ClientFrame::ActionFailed`].
#[derive(Clone, Debug, PartialEq)]
pub struct ActionFailed {
    /// As in a report.
    pub id: Option<AskId>,
    /// The command that failed.
    pub echo: Echo,
    /// Why, in the target's words.
    pub reason: Arc<str>,
}

/// See [`ClientFrame::StartSaga`].
#[derive(Clone, Debug, PartialEq)]
pub struct StartSaga {
    /// The client's own; a repeated one starts nothing \[W9\].
    pub id: Option<AskId>,
    /// Name of the saga.
    pub saga: Arc<str>,
    /// Its `trigger`.
    pub input: Map<String, Value>,
    /// Whether its end is to be told as well.
    pub wait: bool,
}

/// See [`ClientFrame::SignalSaga`].
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSaga {
    /// The client's own; a repeated one of the definition's signals does nothing more \[W9\].
    pub id: Option<AskId>,
    /// Which saga.
    pub saga_id: SagaId,
    /// `cancel`, `retry`, `resolve`, or one that the definition declares.
    pub signal: Arc<str>,
    /// Why, in the operator's words.
    pub reason: Option<Arc<str>>,
    /// What a declared signal carries.
    pub input: Map<String, Value>,
}

/// Which sagas a list holds; what is `None` or empty does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SagaFilter {
    /// Only these states.
    pub states: Vec<String>,
    /// Only this definition.
    pub name: Option<Arc<str>>,
    /// Only ids below this one: the `next` of the page before.
    pub before: Option<SagaId>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// The commands of a client, as a message lists them.
const COMMANDS: [&str; 11] = [
    "register",
    "report",
    "report_saga_action_failed",
    "start_saga",
    "signal_saga",
    "get_snapshot",
    "get_events",
    "list_sagas",
    "get_saga",
    "ping",
    "goodbye",
];

/// Reads one line, given without its `\n`.
///
/// # Errors
/// With the code of \[W6\], a message that names the field and what it must be, and the line's `id`
/// where it has one.
pub fn parse_line(line: &[u8]) -> Result<ClientFrame, ProtocolError> {
    let mut fields = Fields::new(Envelope::read(line)?)?;
    let frame = frame(&mut fields).map_err(|error| error.with_id(fields.id.take()))?;
    if line.len() > FRAME_BYTES_MAX / REWRITING_GROWS {
        bounded(&frame).map_err(|error| error.with_id(frame.id().cloned()))?;
    }
    Ok(frame)
}

/// Whether what the launcher will write of it is no longer than a line may be: a number can be
/// written shorter than the launcher writes it.
fn bounded(frame: &ClientFrame) -> Result<(), ProtocolError> {
    let (what, values) = match frame {
        ClientFrame::Report(report) => ("the fields of the event", &report.fields),
        ClientFrame::StartSaga(start) => ("`input`", &start.input),
        ClientFrame::SignalSaga(signal) => ("`input`", &signal.input),
        ClientFrame::Register(_)
        | ClientFrame::ActionFailed(_)
        | ClientFrame::GetSnapshot { .. }
        | ClientFrame::GetEvents { .. }
        | ClientFrame::ListSagas { .. }
        | ClientFrame::GetSaga { .. }
        | ClientFrame::Ping { .. }
        | ClientFrame::Goodbye => return Ok(()),
    };
    let mut length = Length(0);
    serde_json::to_writer(&mut length, values).expect("counting JSON values never fails");
    if length.0 <= FRAME_BYTES_MAX {
        return Ok(());
    }
    let all = length.0;
    Err(invalid_payload(format!(
        "{what} must be at most {FRAME_BYTES_MAX} bytes long with every number in full, \
         not {all} bytes"
    )))
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn frame(fields: &mut Fields) -> Result<ClientFrame, ProtocolError> {
    let cmd = match fields.envelope.take("cmd") {
        Some(Value::String(cmd)) => cmd,
        Some(other) => {
            return Err(invalid_command(format!("`cmd` {}", must_be("a string", &other))));
        }
        None => {
            let known = COMMANDS.join(", ");
            return Err(invalid_command(format!("`cmd` is missing: it must be one of {known}")));
        }
    };
    let known = |error| match COMMANDS.into_iter().find(|known| *known == cmd) {
        Some(known) => ProtocolError { cmd: Some(known), ..error },
        None => error,
    };
    frame_of(&cmd, fields).map_err(known)
}

fn frame_of(cmd: &str, fields: &mut Fields) -> Result<ClientFrame, ProtocolError> {
    Ok(match cmd {
        "report" => ClientFrame::Report(fields.report()?),
        "report_saga_action_failed" => ClientFrame::ActionFailed(fields.action_failed()?),
        "start_saga" => ClientFrame::StartSaga(StartSaga {
            saga: fields.word("saga")?,
            input: fields.object("input")?,
            wait: fields.flag("wait")?,
            id: fields.id.take(),
        }),
        "signal_saga" => ClientFrame::SignalSaga(SignalSaga {
            saga_id: SagaId(fields.number("saga_id")?),
            signal: fields.word("signal")?,
            reason: fields.optional_text("reason")?,
            input: fields.object("input")?,
            id: fields.id.take(),
        }),
        "register" => ClientFrame::Register(fields.register()?),
        "get_snapshot" => ClientFrame::GetSnapshot { id: fields.id.take() },
        "get_events" => {
            let since = Seq(fields.number("since")?);
            ClientFrame::GetEvents { id: fields.id.take(), since }
        }
        "list_sagas" => {
            let filter = fields.saga_filter()?;
            ClientFrame::ListSagas { id: fields.id.take(), filter }
        }
        "get_saga" => {
            let saga_id = SagaId(fields.number("saga_id")?);
            ClientFrame::GetSaga { id: fields.id.take(), saga_id }
        }
        "ping" => {
            let nonce = fields.envelope.take("nonce").unwrap_or(Value::Null);
            ClientFrame::Ping { id: fields.id.take(), nonce }
        }
        "goodbye" => ClientFrame::Goodbye,
        unknown => return Err(unknown_command(unknown)),
    })
}

fn unknown_command(cmd: &str) -> ProtocolError {
    let shown: String = cmd.chars().take(40).collect();
    let near = COMMANDS.into_iter().filter_map(|known| Some((distance(known, cmd)?, known))).min();
    invalid_command(match near {
        Some((_, known)) => format!("unknown cmd `{shown}`; did you mean `{known}`?"),
        None => format!("unknown cmd `{shown}`; known are {}", COMMANDS.join(", ")),
    })
}

/// Edits from one word to the other; `None` when they are too far apart to be a slip.
fn distance(known: &str, typed: &str) -> Option<usize> {
    if known.len().abs_diff(typed.len()) > 3 {
        return None;
    }
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (line, a) in typed.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, b) in known.bytes().enumerate() {
            let swap = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = swap.min(diagonal + 1).min(row[column] + 1);
        }
    }
    let edits = row[known.len()];
    (edits * 3 <= known.len()).then_some(edits)
}
