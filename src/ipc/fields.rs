//! The fields of one line, taken one by one with their types checked. Knows which type a field has,
//! not what it means.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::code::{ErrorCode, ProtocolError};
use super::json::Envelope;
use super::protocol::{ActionFailed, AskId, Echo, Register, Report, SagaFilter};
use crate::definition::read::BRACKETS;
use crate::ids::{SagaId, Seq};
use crate::limits::{CLIENT_WORD_BYTES_MAX, SUBSCRIBE_GLOBS_MAX};
use crate::saga::words::STATES;

/// The fields of one line that were not taken yet.
pub(super) struct Fields {
    pub envelope: Envelope,
    pub id: Option<AskId>,
}

impl Fields {
    pub fn new(mut envelope: Envelope) -> Result<Self, ProtocolError> {
        let id = take_id(&mut envelope)?;
        Ok(Self { envelope, id })
    }

    pub fn register(&mut self) -> Result<Register, ProtocolError> {
        let kind = self.word("kind")?;
        let pid = self.number("pid")?;
        let name = match self.optional_word("name")? {
            Some(name) => name,
            None => format!("{kind}-{pid}").into(),
        };
        Ok(Register {
            kind,
            name,
            pid,
            version: self.optional_word("version")?.unwrap_or_default(),
            subscribe: self.optional_words("subscribe")?,
            resume_from: self.optional_number("resume_from")?.map(Seq),
            id: self.id.take(),
        })
    }

    pub fn report(&mut self) -> Result<Report, ProtocolError> {
        let event = self.word("event")?;
        // Their fields look like half an echo, which is not what is wrong with such a report.
        if BRACKETS.contains(&&*event) {
            let message = format!("`{event}` is published by the launcher alone");
            return Err(ProtocolError::mild(ErrorCode::NotAllowed, message));
        }
        let echo = self.echo()?;
        let mut fields = std::mem::take(&mut self.envelope.rest);
        if fields.keys().any(|name| name.starts_with('_')) {
            fields.retain(|name, _| !name.starts_with('_'));
        }
        Ok(Report { id: self.id.take(), event, echo, fields })
    }

    pub fn action_failed(&mut self) -> Result<ActionFailed, ProtocolError> {
        let saga_id = SagaId(self.number("saga_id")?);
        let step = self.text("step")?;
        let command_id = self.optional_text("command_id")?;
        let reason = self.text("reason")?;
        let echo = Echo { saga_id, step, command_id };
        Ok(ActionFailed { id: self.id.take(), echo, reason })
    }

    fn echo(&mut self) -> Result<Option<Echo>, ProtocolError> {
        let saga_id = self.optional_number("saga_id")?.map(SagaId);
        let step = self.optional_text("step")?;
        let command_id = self.optional_text("command_id")?;
        match (saga_id, step) {
            (Some(saga_id), Some(step)) => Ok(Some(Echo { saga_id, step, command_id })),
            (Some(_), None) => Err(alone("saga_id", "step")),
            (None, Some(_)) => Err(alone("step", "saga_id")),
            (None, None) if command_id.is_some() => Err(alone("command_id", "saga_id` and `step")),
            (None, None) => Ok(None),
        }
    }

    pub fn saga_filter(&mut self) -> Result<SagaFilter, ProtocolError> {
        let states = self.optional_words("states")?.unwrap_or_default();
        if let Some(strange) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
            let one = format!("one of {}", STATES.join(", "));
            let one = must_be(&one, &Value::from(strange.as_str()));
            return Err(invalid_payload(format!("each of `states` {one}")));
        }
        Ok(SagaFilter {
            states,
            name: self.optional_word("name")?,
            before: self.optional_number("before")?.map(SagaId),
            limit: self.optional_number("limit")?,
        })
    }

    pub fn number(&mut self, name: &str) -> Result<u64, ProtocolError> {
        self.optional_number(name)?.ok_or_else(|| missing(name, A_NUMBER))
    }

    fn optional_number(&mut self, name: &str) -> Result<Option<u64>, ProtocolError> {
        let Some(value) = self.envelope.take(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| wrong(name, A_NUMBER, &value))
    }

    fn text(&mut self, name: &str) -> Result<Arc<str>, ProtocolError> {
        self.optional_text(name)?.ok_or_else(|| missing(name, "a string"))
    }

    pub fn optional_text(&mut self, name: &str) -> Result<Option<Arc<str>>, ProtocolError> {
        match self.envelope.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.into())),
            Some(other) => Err(wrong(name, "a string", &other)),
        }
    }

    /// A string that becomes part of an index or a record key, and so has a bound.
    pub fn word(&mut self, name: &str) -> Result<Arc<str>, ProtocolError> {
        self.optional_word(name)?.ok_or_else(|| missing(name, "a string"))
    }

    fn optional_word(&mut self, name: &str) -> Result<Option<Arc<str>>, ProtocolError> {
        match self.optional_text(name)? {
            Some(text) if text.len() > CLIENT_WORD_BYTES_MAX => {
                Err(invalid_command(too_long(name, text.len())))
            }
            Some(text) if text.is_empty() && name != "version" => {
                Err(invalid_payload(format!("`{name}` must be a string that is not empty")))
            }
            other => Ok(other),
        }
    }

    fn optional_words(&mut self, name: &str) -> Result<Option<Vec<String>>, ProtocolError> {
        const WHAT: &str = "a list of strings";
        let items = match self.envelope.take(name) {
            None => return Ok(None),
            Some(Value::Array(items)) if items.len() <= SUBSCRIBE_GLOBS_MAX => items,
            Some(Value::Array(items)) => {
                let many = items.len();
                let message =
                    format!("`{name}` has {many} items, of at most {SUBSCRIBE_GLOBS_MAX}");
                return Err(invalid_payload(message));
            }
            Some(other) => return Err(wrong(name, WHAT, &other)),
        };
        let word = |item| {
            let Value::String(text) = item else { return Err(wrong(name, WHAT, &item)) };
            match text.len() {
                ..=CLIENT_WORD_BYTES_MAX => Ok(text),
                length => Err(invalid_command(too_long(name, length))),
            }
        };
        items.into_iter().map(word).collect::<Result<_, _>>().map(Some)
    }

    pub fn object(&mut self, name: &str) -> Result<Map<String, Value>, ProtocolError> {
        match self.envelope.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(wrong(name, "an object", &other)),
        }
    }

    pub fn flag(&mut self, name: &str) -> Result<bool, ProtocolError> {
        match self.envelope.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong(name, "true or false", &other)),
        }
    }
}

fn take_id(envelope: &mut Envelope) -> Result<Option<AskId>, ProtocolError> {
    let Some(value) = envelope.take("id") else { return Ok(None) };
    let problem = match value.as_str() {
        Some(text) => invalid_command(too_long("id", text.len())),
        None => wrong("id", "a string or a number", &value),
    };
    AskId::new(value).map(Some).ok_or(problem)
}

const A_NUMBER: &str = "a whole number that is not negative";

pub(super) fn invalid_command(message: String) -> ProtocolError {
    ProtocolError::mild(ErrorCode::InvalidCommand, message)
}

pub(super) fn invalid_payload(message: String) -> ProtocolError {
    ProtocolError::mild(ErrorCode::InvalidPayload, message)
}

fn missing(name: &str, what: &str) -> ProtocolError {
    invalid_payload(format!("`{name}` is missing: it must be {what}"))
}

fn wrong(name: &str, what: &str, value: &Value) -> ProtocolError {
    invalid_payload(format!("`{name}` {}", must_be(what, value)))
}

fn alone(present: &str, absent: &str) -> ProtocolError {
    invalid_payload(format!(
        "`{present}` stands without `{absent}`: an echo copies both from its command, \
         an organic report has neither"
    ))
}

fn too_long(name: &str, length: usize) -> String {
    format!("`{name}` is {length} bytes long; it must be at most {CLIENT_WORD_BYTES_MAX}")
}

/// What it must be and what it was; long values are told by their type alone.
pub(super) fn must_be(what: &str, value: &Value) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "the number",
        Value::String(_) => "the string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let shown = value.to_string();
    match value {
        Value::Number(_) | Value::String(_) if shown.len() <= 40 => {
            format!("must be {what}, not {kind} {shown}")
        }
        Value::Number(_) | Value::String(_) => format!("must be {what}, not {kind} that was sent"),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            format!("must be {what}, not {kind}")
        }
    }
}
