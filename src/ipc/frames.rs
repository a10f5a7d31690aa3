//! Every line that the launcher writes, built field by field in the order of the contract. Decides
//! nothing about who gets which.

use serde_json::{Map, Value, json};

use super::build::Builder;
use super::code::ProtocolError;
use super::protocol::AskId;
use crate::ids::{ClientId, SagaId, Seq, SessionNo};

pub use crate::line::Line;

/// `registered`: the client may go on.
#[must_use]
pub fn registered(what: &Registered<'_>) -> Line {
    let mut line = Builder::event("registered");
    line.ask(what.id);
    line.number("client_id", what.client_id.0);
    line.number("launcher_pid", u64::from(what.launcher_pid));
    line.text("launcher_version", what.launcher_version);
    if let Some(session) = what.session {
        line.number("session", session.0);
    }
    line.end(what.version)
}

/// What [`registered`] says.
#[derive(Clone, Copy, Debug)]
pub struct Registered<'a> {
    /// The `id` of the `register`, where it had one.
    pub id: Option<&'a AskId>,
    /// The new client.
    pub client_id: ClientId,
    /// Process id of the launcher.
    pub launcher_pid: u32,
    /// Version of the launcher.
    pub launcher_version: &'a str,
    /// The session of the target that the client serves.
    pub session: Option<SessionNo>,
    /// As of now.
    pub version: Seq,
}

/// `accepted`: what the id carried is durable \[W9\].
#[must_use]
pub fn accepted(id: &AskId, version: Seq) -> Line {
    let mut line = Builder::event("accepted");
    line.ask(Some(id));
    line.end(version)
}

/// `error`: private, version 0 \[W6\].
#[must_use]
pub fn error(error: &ProtocolError) -> Line {
    let mut line = Builder::event("error");
    line.ask(error.id.as_ref());
    line.text("code", error.code.as_str());
    line.text("message", &error.message);
    line.flag("fatal", error.fatal);
    line.end(Seq(0))
}

/// `pong`: the launcher is alive.
#[must_use]
pub fn pong(id: Option<&AskId>, nonce: &Value, version: Seq) -> Line {
    let mut line = Builder::event("pong");
    line.ask(id);
    if !nonce.is_null() {
        line.value("nonce", nonce);
    }
    line.end(version)
}

/// `snapshot`: `body` holds lifecycle, processes, targets and sagas.
#[must_use]
pub fn snapshot(id: Option<&AskId>, body: &Map<String, Value>, version: Seq) -> Line {
    let mut line = Builder::event("snapshot");
    line.ask(id);
    line.fields(body);
    line.end(version)
}

/// `saga`: one saga as `show --json` prints it.
#[must_use]
pub fn saga(id: Option<&AskId>, saga: &Value, version: Seq) -> Line {
    let mut line = Builder::event("saga");
    line.ask(id);
    line.value("saga", saga);
    line.end(version)
}

/// `saga_accepted`: the saga exists and will survive a crash.
#[must_use]
pub fn saga_accepted(id: Option<&AskId>, saga_id: SagaId, version: Seq) -> Line {
    let mut line = Builder::event("saga_accepted");
    line.ask(id);
    line.number("saga_id", saga_id.0);
    line.end(version)
}

/// How a saga ended, as the one who waits for it is told.
#[derive(Clone, Copy, Debug)]
pub struct SagaResult<'a> {
    /// The saga.
    pub saga_id: SagaId,
    /// The state in which it ended.
    pub state: &'a str,
    /// How it came to fail.
    pub cause: Option<&'a str>,
    /// What it gives to its caller.
    pub result: Option<&'a Value>,
    /// The failing step's words.
    pub reason: Option<&'a str>,
}

/// `saga_result`: the end of a saga that was started with `wait`.
#[must_use]
pub fn saga_result(id: Option<&AskId>, what: &SagaResult<'_>, version: Seq) -> Line {
    let mut line = Builder::event("saga_result");
    line.ask(id);
    line.number("saga_id", what.saga_id.0);
    line.text("state", what.state);
    line.optional_text("cause", what.cause);
    if let Some(result) = what.result {
        line.value("result", result);
    }
    line.optional_text("reason", what.reason);
    line.end(version)
}

/// `lagged`: events of this range were not told to this client \[W8\].
#[must_use]
pub fn lagged(id: Option<&AskId>, from: Seq, to: Seq, version: Seq) -> Line {
    let mut line = Builder::event("lagged");
    line.ask(id);
    line.number("missed_from", from.0);
    line.number("missed_to", to.0);
    line.end(version)
}

/// A page of an answer: as many items as fit into one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The answer.
    pub line: Line,
    /// How many items it holds.
    pub taken: usize,
}

/// `event_list`: events as they were published, oldest first. `more` says that others follow those
/// given.
#[must_use]
pub fn event_list<'a>(
    id: Option<&AskId>,
    events: impl IntoIterator<Item = &'a str>,
    more: bool,
    version: Seq,
) -> Page {
    let mut line = Builder::event("event_list");
    line.ask(id);
    let (taken, left) = line.list("events", events);
    line.flag("more", more || left);
    Page { line: line.end(version), taken }
}

/// `saga_list`: sagas with their JSON, newest first. `next` is what `before` of the next page must
/// be.
#[must_use]
pub fn saga_list<'a>(
    id: Option<&AskId>,
    sagas: &'a [(SagaId, String)],
    more: bool,
    version: Seq,
) -> Page {
    let mut line = Builder::event("saga_list");
    line.ask(id);
    let (taken, left) = line.list("sagas", sagas.iter().map(|(_, json): &'a _| json.as_str()));
    if let Some((last, _)) = sagas[..taken].last().filter(|_| more || left) {
        line.number("next", last.0);
    }
    Page { line: line.end(version), taken }
}

/// A command as its target gets it.
#[derive(Clone, Copy, Debug)]
pub struct CommandFrame<'a> {
    /// Name of the command.
    pub cmd: &'a str,
    /// The idempotency key.
    pub command_id: &'a str,
    /// The saga that wants it.
    pub saga_id: SagaId,
    /// The step's path.
    pub step: &'a str,
    /// Sendings that the step's policy asked for \[R11\].
    pub attempt: u32,
    /// The fencing token \[R20\].
    pub session: SessionNo,
    /// The vocabulary's fields.
    pub fields: &'a Map<String, Value>,
}

/// A command frame: do this. Appended to `out`, as all lines that a turn may have thousands of.
pub fn command(out: &mut String, what: &CommandFrame<'_>) {
    let mut line = Builder::at(out);
    line.text("kind", "command");
    line.text("cmd", what.cmd);
    line.text("command_id", what.command_id);
    line.number("saga_id", what.saga_id.0);
    line.text("step", what.step);
    line.number("attempt", u64::from(what.attempt));
    line.number("session", what.session.0);
    line.fields(what.fields);
    line.put(out);
}

/// A bus event. An echo's `saga_id` and `step` stand before the vocabulary's fields.
pub fn bus_event(
    out: &mut String,
    name: &str,
    echo: Option<(SagaId, &str)>,
    fields: &Map<String, Value>,
    version: Seq,
) {
    let mut line = Builder::event_at(out, name);
    if let Some((saga_id, step)) = echo {
        line.number("saga_id", saga_id.0);
        line.text("step", step);
    }
    line.fields(fields);
    line.number("version", version.0);
    line.put(out);
}

/// A saga that begins, as the bus is told.
#[derive(Clone, Copy, Debug)]
pub struct SagaStarted<'a> {
    /// The saga.
    pub saga_id: SagaId,
    /// Its name.
    pub name: &'a str,
    /// The saga and step that called it.
    pub parent: Option<(SagaId, &'a str)>,
    /// Whether it sends nothing.
    pub observes: bool,
}

/// `saga_started`: the bracket opens \[R1\].
pub fn saga_started(out: &mut String, what: &SagaStarted<'_>, version: Seq) {
    let mut line = Builder::event_at(out, "saga_started");
    line.number("saga_id", what.saga_id.0);
    line.text("name", what.name);
    if let Some((saga, step)) = what.parent {
        line.value("parent", &json!({ "saga_id": saga.0, "step": step }));
    }
    if what.observes {
        line.text("mode", "observe");
    }
    line.number("version", version.0);
    line.put(out);
}

/// `saga_completed`: the bracket closes well.
pub fn saga_completed(out: &mut String, saga_id: SagaId, result: Option<&Value>, version: Seq) {
    let mut line = Builder::event_at(out, "saga_completed");
    line.number("saga_id", saga_id.0);
    if let Some(result) = result {
        line.value("result", result);
    }
    line.number("version", version.0);
    line.put(out);
}

/// How a saga failed, as the bus is told.
#[derive(Clone, Copy, Debug)]
pub struct SagaFailed<'a> {
    /// The saga.
    pub saga_id: SagaId,
    /// The failing step's words, verbatim.
    pub reason: Option<&'a str>,
    /// The state in which it ended.
    pub state: &'a str,
    /// How it came to fail.
    pub cause: Option<&'a str>,
}

/// `saga_failed`: the bracket closes badly.
pub fn saga_failed(out: &mut String, what: &SagaFailed<'_>, version: Seq) {
    // A saga that undid everything is told by its state; only where nothing was to undo the cause
    // says more.
    let outcome = match (what.state, what.cause) {
        ("failed", Some(cause @ ("evicted" | "cancelled" | "timed_out"))) => cause,
        (state, _) => state,
    };
    let mut line = Builder::event_at(out, "saga_failed");
    line.number("saga_id", what.saga_id.0);
    line.text_or_null("reason", what.reason);
    line.text("outcome", outcome);
    line.text("state", what.state);
    line.text_or_null("cause", what.cause);
    line.number("version", version.0);
    line.put(out);
}

/// `saga_resolved`: an operator settled an incident \[R14\].
pub fn saga_resolved(out: &mut String, saga_id: SagaId, outcome: &str, version: Seq) {
    let mut line = Builder::event_at(out, "saga_resolved");
    line.number("saga_id", saga_id.0);
    line.text("outcome", outcome);
    line.number("version", version.0);
    line.put(out);
}

/// How a step changed, as the bus is told.
#[derive(Clone, Copy, Debug)]
pub struct SagaStep<'a> {
    /// The saga.
    pub saga_id: SagaId,
    /// Instance path of the step.
    pub step: &'a str,
    /// What became of it.
    pub state: &'a str,
    /// Sendings (or enterings) so far.
    pub attempt: u32,
    /// Why, where there is a why.
    pub reason: Option<&'a str>,
}

/// `saga_step`: a step changed; only for those who asked for it by name.
pub fn saga_step(out: &mut String, what: &SagaStep<'_>, version: Seq) {
    let mut line = Builder::event_at(out, "saga_step");
    line.number("saga_id", what.saga_id.0);
    line.text("step", what.step);
    line.text("state", what.state);
    line.number("attempt", u64::from(what.attempt));
    line.optional_text("reason", what.reason);
    line.number("version", version.0);
    line.put(out);
}

/// A command of a client, for the other end of the wire; `fields` holds whatever the command needs.
#[must_use]
pub fn ask(cmd: &str, id: Option<&AskId>, fields: &Map<String, Value>) -> Line {
    let mut line = Builder::open();
    line.text("cmd", cmd);
    line.ask(id);
    line.fields(fields);
    line.close()
}
