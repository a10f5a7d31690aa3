//! The other end of the wire: for the command line and for hosts. Keeps no state of sagas and
//! retries nothing.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use super::ErrorCode;
use super::frames;
use super::lines::{Lines, Next};
use super::protocol::AskId;
use super::transport::{self, ConnectError, ReadHalf, WriteHalf};
use crate::ids::{SagaId, Seq, SessionNo};
use crate::limits::ANSWER_BYTES_MAX;
use crate::view::text::visible;

/// Why the launcher could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No launcher could be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke.
    #[error("the connection to the launcher broke: {0}")]
    Io(#[from] io::Error),
    /// The launcher closed the connection before it answered.
    #[error("the launcher closed the connection before it answered")]
    Closed,
    /// The launcher said no.
    #[error("{} ({code})", visible(message))]
    Answered {
        /// Which of the closed list; `None`: a word of a newer launcher.
        code: ErrorWord,
        /// The launcher's words.
        message: String,
    },
    /// What came is no line of a launcher.
    #[error("what listens there does not speak as a launcher: {0}")]
    NotALauncher(String),
}

impl ClientError {
    /// Whether no launcher was reached at all, or it was lost: the command line's exit code 3.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Io(_) | Self::Closed | Self::NotALauncher(_) => true,
            Self::Answered { .. } => false,
        }
    }
}

/// An error code as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorWord {
    /// One that we know.
    Known(ErrorCode),
    /// One of a newer launcher.
    Other(String),
}

impl std::fmt::Display for ErrorWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(code) => code.fmt(f),
            Self::Other(word) => f.write_str(word),
        }
    }
}

/// Who registers.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// `host`, `srv`, `renderer`, `tool`, or a target of the catalog.
    pub kind: &'a str,
    /// Under which report ids are remembered.
    pub name: &'a str,
    /// Shown by the launcher.
    pub version: &'a str,
    /// Globs on event names; `None`: everything.
    pub subscribe: Option<&'a [&'a str]>,
    /// Replay what came after this version.
    pub resume_from: Option<Seq>,
}

/// A line from the launcher.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerLine {
    /// Something happened, or an answer.
    Event(Event),
    /// Something is to be done.
    Command(Command),
}

/// A bus event or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// The `id` of what it answers.
    pub id: Option<AskId>,
    /// Its place in the order of events; of an answer, as of now.
    pub version: Seq,
    /// All other fields, in order.
    pub fields: Map<String, Value>,
    /// The line as it came, without its `\n`.
    pub raw: String,
}

/// A command for the target that this client serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its name.
    pub cmd: String,
    /// The idempotency key: a target that sees it again repeats its answer and does not act twice.
    pub command_id: String,
    /// The saga that wants it.
    pub saga_id: SagaId,
    /// The step, to be copied into the answer.
    pub step: String,
    /// Sendings that the step's policy asked for.
    pub attempt: u64,
    /// The fencing token.
    pub session: SessionNo,
    /// The vocabulary's fields, in order.
    pub fields: Map<String, Value>,
    /// The line as it came, without its `\n`.
    pub raw: String,
}

/// A connection to a launcher.
#[derive(Debug)]
pub struct Client {
    read: ReadHalf,
    write: WriteHalf,
    lines: Lines,
    /// Lines that came while an answer was waited for.
    early: VecDeque<ServerLine>,
    /// Makes this client's ids different from those of all others, whatever their names.
    id_prefix: u64,
    asked: u64,
}

impl Client {
    /// Opens a connection to the launcher that listens at `path`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let (read, write) = transport::connect(path).await?.split();
        Ok(Self {
            read,
            write,
            lines: Lines::new(ANSWER_BYTES_MAX),
            early: VecDeque::new(),
            id_prefix: RandomState::new().build_hasher().finish(),
            asked: 0,
        })
    }

    /// Registers this process, and returns the launcher's `registered`. Events that came before it
    /// are kept for [`Client::next`].
    ///
    /// # Errors
    /// When the launcher says no.
    pub async fn register(&mut self, who: &Identity<'_>) -> Result<Event, ClientError> {
        let mut fields = Map::new();
        fields.insert("kind".to_owned(), who.kind.into());
        fields.insert("name".to_owned(), who.name.into());
        fields.insert("pid".to_owned(), std::process::id().into());
        fields.insert("version".to_owned(), who.version.into());
        if let Some(globs) = who.subscribe {
            fields.insert("subscribe".to_owned(), globs.into());
        }
        if let Some(version) = who.resume_from {
            fields.insert("resume_from".to_owned(), version.0.into());
        }
        let id = self.send("register", &fields).await?;
        loop {
            match self.read_line().await?.ok_or(ClientError::Closed)? {
                ServerLine::Event(event) if event.name == "registered" => return Ok(event),
                ServerLine::Event(event) => self.sort(event, &id)?,
                ServerLine::Command(command) => self.early.push_back(ServerLine::Command(command)),
            }
        }
    }

    /// Sends a command with a fresh id, and returns the id without waiting for the answer.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn send(
        &mut self,
        cmd: &str,
        fields: &Map<String, Value>,
    ) -> Result<AskId, ClientError> {
        self.asked += 1;
        let id = Value::from(format!("{:016x}-{}", self.id_prefix, self.asked));
        let id = AskId::new(id).expect("it is a short string");
        self.write.write_all(frames::ask(cmd, Some(&id), fields).as_bytes()).await?;
        Ok(id)
    }

    /// Sends a command without an id: no answer is expected but an error.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn tell(
        &mut self,
        cmd: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), ClientError> {
        Ok(self.write.write_all(frames::ask(cmd, None, fields).as_bytes()).await?)
    }

    /// Sends a command and waits for its answer; other lines are kept for [`Client::next`].
    ///
    /// # Errors
    /// When the launcher says no, or the connection broke.
    pub async fn ask(
        &mut self,
        cmd: &str,
        fields: &Map<String, Value>,
    ) -> Result<Event, ClientError> {
        let id = self.send(cmd, fields).await?;
        self.answer(&id).await
    }

    /// Waits for the next answer to `id`; other lines are kept for [`Client::next`].
    ///
    /// # Errors
    /// When the launcher says no, or the connection broke.
    pub async fn answer(&mut self, id: &AskId) -> Result<Event, ClientError> {
        let is_it = |line: &ServerLine| match line {
            ServerLine::Event(event) => event.id.as_ref() == Some(id),
            ServerLine::Command(_) => false,
        };
        if let Some(at) = self.early.iter().position(is_it)
            && let Some(ServerLine::Event(event)) = self.early.remove(at)
        {
            return refusal_or(event);
        }
        loop {
            match self.read_line().await?.ok_or(ClientError::Closed)? {
                ServerLine::Event(event) if event.id.as_ref() == Some(id) => {
                    return refusal_or(event);
                }
                ServerLine::Event(event) => self.sort(event, id)?,
                ServerLine::Command(command) => self.early.push_back(ServerLine::Command(command)),
            }
        }
    }

    /// Sends the echo of a command: an event with its saga, step and command id.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn echo(
        &mut self,
        command: &Command,
        event: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), ClientError> {
        let mut echo = command.answer();
        echo.insert("event".to_owned(), event.into());
        echo.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.tell("report", &echo).await
    }

    /// Says that a command could not be done.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn fail(&mut self, command: &Command, reason: &str) -> Result<(), ClientError> {
        let mut failed = command.answer();
        failed.insert("reason".to_owned(), reason.into());
        self.tell("report_saga_action_failed", &failed).await
    }

    /// The next line; `None`: the launcher closed. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection broke, or what came is no line of a launcher.
    pub async fn next(&mut self) -> Result<Option<ServerLine>, ClientError> {
        match self.early.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read_line().await,
        }
    }

    /// Keeps an event that answers something else, unless it says that nothing more will come.
    fn sort(&mut self, event: Event, id: &AskId) -> Result<(), ClientError> {
        let fatal = event.fields.get("fatal") == Some(&Value::Bool(true));
        if event.name == "error" && (fatal || event.id.as_ref() == Some(id)) {
            return refusal_or(event).map(drop);
        }
        self.early.push_back(ServerLine::Event(event));
        Ok(())
    }

    async fn read_line(&mut self) -> Result<Option<ServerLine>, ClientError> {
        loop {
            match self.lines.next_line() {
                Next::Line(line) => {
                    return parse(line).map(Some).map_err(ClientError::NotALauncher);
                }
                Next::TooLarge => {
                    return Err(ClientError::NotALauncher("a line has no end".to_owned()));
                }
                Next::More => {}
            }
            match self.read.read(self.lines.buffer()).await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                // A launcher that closed while we were still sending: there is nothing more to read
                // either way.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Command {
    /// What every answer to it copies.
    fn answer(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("saga_id".to_owned(), self.saga_id.0.into());
        fields.insert("step".to_owned(), self.step.as_str().into());
        fields.insert("command_id".to_owned(), self.command_id.as_str().into());
        fields
    }
}

fn refusal_or(event: Event) -> Result<Event, ClientError> {
    if event.name != "error" {
        return Ok(event);
    }
    let word = |name| event.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let code = word("code");
    let code = ErrorCode::parse(&code).map_or(ErrorWord::Other(code), ErrorWord::Known);
    Err(ClientError::Answered { code, message: word("message") })
}

/// Reads a line of a launcher. Launchers only grow, so fields that are not known are kept.
fn parse(line: &[u8]) -> Result<ServerLine, String> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let raw = String::from_utf8_lossy(line).into_owned();
    if fields.contains_key("event") {
        let name = text(&mut fields, "event")?;
        let version = Seq(number(&mut fields, "version")?);
        let id = fields.shift_remove("id").and_then(AskId::new);
        return Ok(ServerLine::Event(Event { name, id, version, fields, raw }));
    }
    if text(&mut fields, "kind")? != "command" {
        return Err("a line has neither `event` nor `kind` command".to_owned());
    }
    Ok(ServerLine::Command(Command {
        cmd: text(&mut fields, "cmd")?,
        command_id: text(&mut fields, "command_id")?,
        saga_id: SagaId(number(&mut fields, "saga_id")?),
        step: text(&mut fields, "step")?,
        attempt: number(&mut fields, "attempt")?,
        session: SessionNo(number(&mut fields, "session")?),
        fields,
        raw,
    }))
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    let value = fields.shift_remove(name);
    let text = value.as_ref().and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("a line has no string `{name}`"))
}

fn number(fields: &mut Map<String, Value>, name: &str) -> Result<u64, String> {
    let value = fields.shift_remove(name).as_ref().and_then(Value::as_u64);
    value.ok_or_else(|| format!("a line has no number `{name}`"))
}
