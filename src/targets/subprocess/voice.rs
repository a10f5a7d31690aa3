//! What is said of one turn: every event bears the block, its generation, and the command that is
//! answered. Says nothing by itself.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::builtin::blocks::Status;
use crate::ipc::local::Said;
use crate::ipc::protocol::Echo;

use super::health::Health;
use super::tail::start_of;

/// Longest text of a line, in bytes of JSON: with what stands around it, it fits a line of the
/// wire. What is stored is longer.
const LINE_JSON_MAX: usize = 900 * 1024;
/// Bytes of JSON that one byte of a text can become.
const BYTE_GROWS: usize = 6;
/// Longest type of a frame that is told, in bytes.
const FRAME_TYPE_MAX: usize = 128;

/// Whose turn it is, and who asked for it.
#[derive(Clone, Debug)]
pub struct Voice {
    /// The block.
    pub block_id: Arc<str>,
    /// Its turn.
    pub generation: u64,
    /// The command.
    pub echo: Echo,
}

/// How a turn ended, in the words of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The program's exit code; -1: it was ended.
    pub exit_code: i32,
    /// Who ended it.
    pub killed_by: Option<&'static str>,
    /// What kind of failure it was; empty: none.
    pub failure: &'static str,
    /// The last lines of its error output.
    pub stderr_tail: String,
    /// What its next turn resumes.
    pub session_id: String,
}

impl Voice {
    fn say(&self, event: &'static str, fields: Value) -> Said {
        let mut all = Map::new();
        all.insert("block_id".to_owned(), Value::from(&*self.block_id));
        all.insert("generation".to_owned(), Value::from(self.generation));
        if let Value::Object(fields) = fields {
            all.extend(fields);
        }
        Said { event, fields: all, echo: Some(self.echo.clone()) }
    }

    /// The process is there, and waits.
    pub fn claimed(&self, pid: u32, process_start: &str) -> Said {
        self.say("turn_claimed", json!({"pid": pid, "process_start": process_start}))
    }

    /// The program runs.
    pub fn started(&self, pid: u32, session_id: &str) -> Said {
        self.say("turn_started", json!({"pid": pid, "session_id": session_id}))
    }

    /// The message will not be refused any more.
    pub fn accepted(&self, message_id: &str) -> Said {
        self.say("agent_message_accepted", json!({"message_id": message_id}))
    }

    /// A line came.
    pub fn output(&self, offset: u64, line: &str, is_cut: bool, frame_type: &str) -> Said {
        let frame_type = start_of(frame_type, FRAME_TYPE_MAX);
        let (whole, line) = (line.len(), cut(line));
        let is_cut = is_cut || line.len() < whole;
        let fields = json!({
            "offset": offset, "line": line, "cut": is_cut, "frame_type": frame_type
        });
        self.say("turn_output", fields)
    }

    /// The output named another session.
    pub fn captured(&self, session_id: &str) -> Said {
        self.say("session_captured", json!({"session_id": session_id}))
    }

    /// The turn does better or worse.
    pub fn health(&self, health: Health, detail: &str) -> Said {
        self.say("turn_health", json!({"health": health.word(), "detail": detail}))
    }

    /// The block's state changed.
    pub fn status(&self, version: u64, status: Status, exit_code: i32) -> Said {
        let (status, code) = (status.word(), exit_code);
        let fields = json!({"status_version": version, "status": status, "exit_code": code});
        self.say("controller_status", fields)
    }

    /// The turn is over.
    pub fn ended(&self, ended: &Ended) -> Said {
        let mut fields = json!({
            "exit_code": ended.exit_code,
            "failure": ended.failure,
            "stderr_tail": ended.stderr_tail,
            "session_id": ended.session_id,
        });
        if let Some(killed_by) = ended.killed_by {
            fields["killed_by"] = Value::from(killed_by);
        }
        self.say("turn_ended", fields)
    }

    /// The turn did not begin.
    pub fn spawn_failed(&self, reason: &str) -> Said {
        self.say("turn_spawn_failed", json!({"reason": reason}))
    }

    /// No process of the block is left.
    pub fn stopped(&self, existed: bool) -> Said {
        self.say("turn_stopped", json!({"existed": existed}))
    }

    /// Nothing is known of the block any more.
    pub fn forgotten(&self, existed: bool) -> Said {
        self.say("block_forgotten", json!({"existed": existed}))
    }
}

/// A line as far as it fits.
fn cut(line: &str) -> &str {
    if line.len() * BYTE_GROWS <= LINE_JSON_MAX {
        return line;
    }
    let mut room = LINE_JSON_MAX;
    for (at, sign) in line.char_indices() {
        let takes = match sign {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            sign if u32::from(sign) < 0x20 => BYTE_GROWS,
            sign => sign.len_utf8(),
        };
        if takes > room {
            return &line[..at];
        }
        room -= takes;
    }
    line
}

#[cfg(test)]
mod tests {
    use crate::ids::SagaId;

    use super::*;

    fn voice() -> Voice {
        let echo = Echo { saga_id: SagaId(7), step: "run".into(), command_id: Some("c".into()) };
        Voice { block_id: "b".into(), generation: 3, echo }
    }

    #[test]
    fn everything_that_is_said_bears_its_block_its_turn_and_its_command() {
        let said = voice().accepted("m1");
        assert_eq!(said.event, "agent_message_accepted");
        let expected = json!({"block_id": "b", "generation": 3, "message_id": "m1"});
        assert_eq!(Value::Object(said.fields), expected);
        assert_eq!(said.echo, Some(voice().echo));
    }

    #[test]
    fn who_ended_a_turn_is_said_only_where_somebody_did() {
        let mut ended = Ended {
            exit_code: 0,
            killed_by: None,
            failure: "",
            stderr_tail: String::new(),
            session_id: String::new(),
        };
        assert!(!voice().ended(&ended).fields.contains_key("killed_by"));
        ended.killed_by = Some("stop");
        assert_eq!(voice().ended(&ended).fields["killed_by"], "stop");
    }

    #[test]
    fn no_line_is_longer_than_a_line_of_the_wire() {
        for sign in ["x", "\u{1}", "\"", "ö", "\u{1f600}"] {
            let long = sign.repeat(256 * 1024 / sign.len());
            let said = voice().output(0, &long, false, &long);
            let json = Value::Object(said.fields).to_string();
            assert!(json.len() < 1024 * 1024 - 16 * 1024, "{}", json.len());
        }
        assert_eq!(cut(&"x".repeat(256 * 1024)).len(), 256 * 1024);
        assert_eq!(cut(&"\u{1}".repeat(256 * 1024)).len(), 150 * 1024);
    }
}
