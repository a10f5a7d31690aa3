//! What one connection may do, by what it has done so far \[W5\] and by the rights of its kind
//! \[W14\]. Pure: it answers, and the deciding thread acts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::protocol::{ClientFrame, Register};
use super::{ErrorCode, ProtocolError};
use crate::ids::{BUILT_IN_TARGETS, CLIENT_KINDS, ClientId};

/// The event that is told only to those who ask for it by name.
const BY_NAME_ONLY: &str = "saga_step";

/// Patterns on names: `*` stands for any run of characters, `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<String>")]
pub struct Globs {
    patterns: Vec<Box<str>>,
    /// One of the patterns is `*`.
    all: bool,
}

impl From<Vec<String>> for Globs {
    fn from(patterns: Vec<String>) -> Self {
        let all = patterns.iter().any(|pattern| pattern == "*");
        Self { patterns: patterns.into_iter().map(Into::into).collect(), all }
    }
}

impl Globs {
    /// The patterns that match every name.
    #[must_use]
    pub fn all() -> Self {
        Self::from(vec!["*".to_owned()])
    }

    /// Whether one of the patterns matches; no pattern matches nothing.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.all || self.patterns.iter().any(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
    }

    /// Whether a name stands among the patterns as it is.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| **pattern == *name)
    }
}

/// Remembers the last `*` and lets it take one more byte whenever the rest does not fit; never more
/// than both lengths' product, whatever the pattern.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match &mut star {
                Some((after, from)) => {
                    *from += 1;
                    (p, n) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Rights by kind, as `launcher.yaml` gives them. What is absent is allowed: without it every
/// process of the same user may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Allow {
    kinds: BTreeMap<String, Rights>,
}

/// What clients of one kind may do; what is `None` is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// Events that they may report.
    pub report: Option<Globs>,
    /// Sagas that they may start.
    pub start: Option<Globs>,
    /// Signals that they may send.
    pub signal: Option<Globs>,
    /// Whether they may serve the target of that name.
    pub target: Option<bool>,
}

impl Allow {
    /// Restricts one kind.
    pub fn restrict(&mut self, kind: impl Into<String>, rights: Rights) {
        self.kinds.insert(kind.into(), rights);
    }

    /// Names of the restricted kinds, so that a configuration with an unknown one can be refused.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    fn of(&self, kind: &str) -> Option<&Rights> {
        self.kinds.get(kind)
    }
}

/// A client that registered on a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its id.
    pub client_id: ClientId,
    /// Its kind.
    pub kind: Arc<str>,
    /// The name under which its report ids are remembered.
    pub name: Arc<str>,
    /// Its own word for its process.
    pub pid: u64,
    /// Its version.
    pub version: Arc<str>,
    /// The events that it wants; `None`: all that need no asking by name.
    pub subscribe: Option<Globs>,
}

impl Member {
    /// A target that is served inside of the launcher; it hears of no event.
    #[must_use]
    pub fn built_in(target: &str) -> Self {
        let kind: Arc<str> = Arc::from(target);
        Self {
            client_id: ClientId(0),
            name: Arc::clone(&kind),
            kind,
            pid: 0,
            version: Arc::from(env!("CARGO_PKG_VERSION")),
            subscribe: Some(Globs::default()),
        }
    }

    /// The client that a `register` makes.
    #[must_use]
    pub fn new(client_id: ClientId, register: &Register) -> Self {
        Self {
            client_id,
            kind: Arc::clone(&register.kind),
            name: Arc::clone(&register.name),
            pid: register.pid,
            version: Arc::clone(&register.version),
            subscribe: register.subscribe.clone().map(Globs::from),
        }
    }

    /// Whether a bus event of that name goes to this client.
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        match &self.subscribe {
            Some(globs) if event == BY_NAME_ONLY => globs.names(event),
            Some(globs) => globs.matches(event),
            None => event != BY_NAME_ONLY,
        }
    }
}

/// One connection's standing. A closed one is forgotten, not a state.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Session {
    /// Nobody registered yet.
    #[default]
    New,
    /// Somebody did.
    Registered(Member),
}

impl Session {
    /// The client, once it registered.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        match self {
            Self::New => None,
            Self::Registered(member) => Some(member),
        }
    }

    /// Whether a bus event of that name goes to this connection; an unregistered peer gets none
    /// \[W5\].
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        self.member().is_some_and(|member| member.wants(event))
    }

    /// Whether it gets some of the bus's events and not nearly all.
    #[must_use]
    pub fn picks(&self) -> bool {
        self.member().is_some_and(|member| member.subscribe.is_some())
    }

    /// Whether the connection may ask this now. What only processes, sagas or catalogs can tell is
    /// asked elsewhere.
    ///
    /// # Errors
    /// With what the sender is to be told.
    pub fn admit(
        &self,
        frame: &ClientFrame,
        allow: &Allow,
        is_target: impl Fn(&str) -> bool,
    ) -> Result<(), ProtocolError> {
        let verdict = match (self, frame) {
            (Self::New, ClientFrame::Register(register)) => {
                may_register(register, allow, is_target)
            }
            (Self::New, other) => Err(not_registered(other.cmd())),
            (Self::Registered(member), ClientFrame::Register(_)) => {
                let message = format!("this connection is client {} already", member.client_id);
                Err(ProtocolError::mild(ErrorCode::AlreadyRegistered, message))
            }
            (Self::Registered(member), other) => may_ask(&member.kind, other, allow),
        };
        verdict.map_err(|error| error.with_id(frame.id().cloned()))
    }

    /// What the sender of a line that cannot be taken is told: who has not registered hears of that
    /// first, whatever else is wrong with its command \[W5\].
    #[must_use]
    pub fn blame(&self, error: ProtocolError) -> ProtocolError {
        match (self, error.cmd) {
            (Self::New, Some(cmd)) if cmd != "register" => not_registered(cmd).with_id(error.id),
            (Self::New | Self::Registered(_), _) => error,
        }
    }
}

fn may_register(
    register: &Register,
    allow: &Allow,
    is_target: impl Fn(&str) -> bool,
) -> Result<(), ProtocolError> {
    let kind = &*register.kind;
    if BUILT_IN_TARGETS.contains(&kind) {
        return Err(not_allowed(format!("the launcher itself serves the target `{kind}`")));
    }
    let target = is_target(kind);
    if !target && !CLIENT_KINDS.contains(&kind) {
        let known = CLIENT_KINDS.join(", ");
        let message = format!("`kind` must be {known}, or a target of the catalog, not `{kind}`");
        return Err(ProtocolError::mild(ErrorCode::InvalidPayload, message));
    }
    match allow.of(kind) {
        Some(Rights { target: Some(false), .. }) if target => {
            Err(not_allowed(format!("no client may serve the target `{kind}`")))
        }
        Some(_) | None => Ok(()),
    }
}

/// What could have changed something is fatal: its sender takes for done what was not.
fn not_registered(cmd: &str) -> ProtocolError {
    let message =
        "register first, like {\"cmd\":\"register\",\"kind\":\"tool\",\"name\":\"me\",\"pid\":1}";
    match cmd {
        "report" | "report_saga_action_failed" | "start_saga" | "signal_saga" | "goodbye" => {
            ProtocolError::fatal(ErrorCode::NotRegistered, message)
        }
        _ => ProtocolError::mild(ErrorCode::NotRegistered, message),
    }
}

fn may_ask(kind: &str, frame: &ClientFrame, allow: &Allow) -> Result<(), ProtocolError> {
    let Some(rights) = allow.of(kind) else { return Ok(()) };
    let (globs, what, name) = match frame {
        ClientFrame::Report(report) => (&rights.report, "report", &report.event),
        ClientFrame::StartSaga(start) => (&rights.start, "start", &start.saga),
        ClientFrame::SignalSaga(signal) => (&rights.signal, "signal", &signal.signal),
        ClientFrame::Register(_)
        | ClientFrame::ActionFailed(_)
        | ClientFrame::GetSnapshot { .. }
        | ClientFrame::GetEvents { .. }
        | ClientFrame::ListSagas { .. }
        | ClientFrame::GetSaga { .. }
        | ClientFrame::Ping { .. }
        | ClientFrame::Goodbye => return Ok(()),
    };
    match globs {
        Some(globs) if !globs.matches(name) => {
            Err(not_allowed(format!("a client of kind `{kind}` may not {what} `{name}`")))
        }
        Some(_) | None => Ok(()),
    }
}

fn not_allowed(message: String) -> ProtocolError {
    ProtocolError::mild(ErrorCode::NotAllowed, message)
}
