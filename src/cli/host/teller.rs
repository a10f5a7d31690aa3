//! What a scripted host prints of its doings, for people or as JSON lines. Does nothing else.

use serde_json::{Map, Value, json};

use super::actor::{Answer, Plan};
use super::script::Script;
use crate::cli::exit::Failure;
use crate::cli::out::{self, Shape};
use crate::ipc::client::{Command, Event};
use crate::view::text::{Line, Tone};

/// Prints each thing as it happens.
#[derive(Debug)]
pub struct Teller {
    shape: Shape,
}

impl Teller {
    /// One that prints in that shape.
    #[must_use]
    pub fn new(shape: Shape) -> Teller {
        Teller { shape }
    }

    fn tell(&self, value: &Value, line: Line) -> Result<(), Failure> {
        if self.shape.is_json() {
            out::json_line(&value.to_string())?;
        } else {
            out::stream(&[line])?;
        }
        Ok(())
    }

    /// The launcher took it for its target.
    pub fn connected(&self, script: &Script, registered: &Event) -> Result<(), Failure> {
        let session = registered.fields.get("session").cloned().unwrap_or_default();
        let launcher = registered.fields.get("launcher_pid").cloned().unwrap_or_default();
        let target = &script.target;
        let line = Line::of(
            Tone::Strong,
            format!("connected as {target}, session {session} of launcher {launcher}"),
        );
        let value = json!({
            "what": "connected", "target": target, "session": session, "launcher_pid": launcher,
        });
        self.tell(&value, line)
    }

    /// The launcher went away.
    pub fn gone(&self) -> Result<(), Failure> {
        let line = Line::of(Tone::Busy, "the connection ended; connecting again");
        self.tell(&json!({ "what": "disconnected" }), line)
    }

    /// A command came.
    pub fn command(&self, command: &Command, plan: &Plan) -> Result<(), Failure> {
        let (plan, words) = match plan {
            Plan::Answer(after, _) if after.0 > 0 => ("answer", format!(", answered in {after}")),
            Plan::Answer(..) => ("answer", String::new()),
            Plan::Again(_) => ("again", ", known: the answer stays".to_owned()),
            Plan::OnItsWay => ("on_its_way", ", known: the answer is on its way".to_owned()),
            Plan::Silent => ("silent", ", not answered".to_owned()),
            Plan::Disconnect(_) => ("disconnect", ", hanging up".to_owned()),
        };
        let line = Line::of(Tone::Busy, "→ ")
            .and(Tone::Strong, command.cmd.as_str())
            .and(Tone::Plain, fields(&command.fields))
            .and(Tone::Faint, format!("  as {}{words}", command.command_id));
        let value = json!({
            "what": "command",
            "cmd": command.cmd,
            "command_id": command.command_id,
            "saga_id": command.saga_id.0,
            "step": command.step,
            "attempt": command.attempt,
            "fields": command.fields,
            "plan": plan,
        });
        self.tell(&value, line)
    }

    /// An answer goes out.
    pub fn answer(&self, command: &Command, answer: &Answer) -> Result<(), Failure> {
        let id = &command.command_id;
        let (value, line) = match answer {
            Answer::Reply { event, fields: carried } => (
                json!({ "what": "reply", "command_id": id, "event": event, "fields": carried }),
                Line::of(Tone::Good, "← ")
                    .and(Tone::Strong, event.as_str())
                    .and(Tone::Plain, fields(carried)),
            ),
            Answer::Fail { reason } => (
                json!({ "what": "fail", "command_id": id, "reason": reason }),
                Line::of(Tone::Bad, "← fails: ").and(Tone::Plain, reason.as_str()),
            ),
        };
        self.tell(&value, line.and(Tone::Faint, format!("  to {id}")))
    }

    /// It hangs up, as its script says.
    pub fn hangs_up(&self, command: &Command) -> Result<(), Failure> {
        let value = json!({ "what": "hangs_up", "command_id": command.command_id });
        self.tell(&value, Line::of(Tone::Busy, "hangs up without an answer"))
    }
}

fn fields(fields: &Map<String, Value>) -> String {
    if fields.is_empty() { String::new() } else { format!(" {}", Value::Object(fields.clone())) }
}
