//! What is known of blocks, whose turns are processes: their sessions, their states, the turn that
//! runs, and what was answered last \[T1\]. Starts nothing and ends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::ids::SagaId;

/// The row of what outlives every block: no block bears the empty name.
const FORGOTTEN: &str = "";

/// Events that may be the first of a turn.
const BEGINNINGS: [&str; 4] =
    ["turn_claimed", "turn_spawn_failed", "controller_status", "turn_ended"];

/// The command that an event answers: its saga, its step, and its id where the event bears one.
pub type Echo<'a> = (SagaId, &'a str, Option<&'a str>);

/// The fold of the events of the target `subprocess`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    blocks: BTreeMap<Arc<str>, Block>,
    /// The highest generation of all forgotten blocks: a block that is forgotten and comes again
    /// goes on counting, so that nothing of its first life is taken for its second.
    forgotten: u64,
    changed: BTreeSet<Arc<str>>,
}

/// One block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Counts its turns, from one, and those that could not begin.
    pub generation: u64,
    /// What was told of its state last.
    pub status: Status,
    /// Grows with each state that is told.
    pub status_version: u64,
    /// Of its last turn; 0 before the first has ended.
    pub exit_code: i64,
    /// What its next turn resumes.
    pub session: Session,
    /// The turn whose process is there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turn: Option<Turn>,
    /// What the latest `spawn_turn` was answered. It is asked again by its id, never done again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered: Option<Answer>,
}

/// What is told of a block's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No turn was begun yet.
    #[default]
    Init,
    /// A turn runs.
    Running,
    /// The last turn is over.
    Done,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Status::Init => "init",
            Status::Running => "running",
            Status::Done => "done",
        }
    }

    fn of(word: &str) -> Option<Status> {
        [Status::Init, Status::Running, Status::Done].into_iter().find(|one| one.word() == word)
    }
}

/// The session of a block's turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// None is known.
    #[default]
    None,
    /// One that a command named.
    Hydrated(String),
    /// One that a turn's own output named.
    Captured(String),
}

impl Session {
    /// Its id; empty: none.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Session::None => "",
            Session::Hydrated(id) | Session::Captured(id) => id,
        }
    }

    /// Takes what a command names, where nothing is known yet.
    pub fn hydrate(&mut self, id: &str) {
        match self {
            Session::None if !id.is_empty() => *self = Session::Hydrated(id.to_owned()),
            Session::None | Session::Hydrated(_) | Session::Captured(_) => {}
        }
    }

    /// Takes what a turn's output names, whatever was known; nothing clears it. Whether the id is
    /// another one now.
    pub fn capture(&mut self, id: &str) -> bool {
        if id.is_empty() {
            return false;
        }
        let other = self.id() != id;
        *self = Session::Captured(id.to_owned());
        other
    }
}

/// A turn whose process was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The saga that asked for it.
    pub saga_id: SagaId,
    /// The step that asked for it.
    pub step: Arc<str>,
    /// The command that asked for it.
    pub command_id: Arc<str>,
    /// Its process, which leads its own group.
    pub pid: u64,
    /// When that process began, as the system tells it.
    pub process_start: Arc<str>,
    /// Whether its program got its message.
    pub started: bool,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The command that it answers.
    pub command_id: Arc<str>,
    /// `turn_ended` or `turn_spawn_failed`.
    pub event: Arc<str>,
    /// What it said.
    pub fields: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    generation: u64,
}

impl Blocks {
    /// The block of that name, where something is known of it.
    #[must_use]
    pub fn get(&self, block_id: &str) -> Option<&Block> {
        self.blocks.get(block_id)
    }

    /// All blocks, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Block)> {
        self.blocks.iter()
    }

    /// The generation of the block's next turn.
    #[must_use]
    pub fn next_generation(&self, block_id: &str) -> u64 {
        let last = self.blocks.get(block_id).map_or(self.forgotten, |block| block.generation);
        last.saturating_add(1)
    }

    /// Folds one of the target's events and the command that it answers. Events of an earlier
    /// generation, and those that are not known, change nothing.
    pub fn apply(&mut self, event: &str, fields: &Value, echo: Option<Echo<'_>>) {
        // By far the most of all: ten thousand a second.
        if event == "turn_output" {
            return;
        }
        let Some(block_id) = fields.get("block_id").and_then(Value::as_str) else { return };
        if event == "block_forgotten" {
            return self.forget(block_id);
        }
        let generation = number(fields, "generation");
        let known = self.blocks.get(block_id);
        // A block begins with its first turn, or with one that never had a process.
        let begins = BEGINNINGS.contains(&event);
        // What begins a block is never late: it was numbered before another block was forgotten,
        // and is told after that.
        let is_late = match known {
            Some(block) => generation < block.generation,
            None => event == "turn_ended" && generation <= self.forgotten,
        };
        if is_late || known.is_none() && !begins {
            return;
        }
        let mut block = known.cloned().unwrap_or_default();
        if block.apply(event, fields, echo) {
            let name: Arc<str> = block_id.into();
            self.blocks.insert(Arc::clone(&name), block);
            self.changed.insert(name);
        }
    }

    fn forget(&mut self, block_id: &str) {
        let Some((name, block)) = self.blocks.remove_entry(block_id) else { return };
        self.changed.insert(name);
        if block.generation > self.forgotten {
            self.forgotten = block.generation;
            self.changed.insert(FORGOTTEN.into());
        }
    }

    /// What changed since the last call, for the log's rows: a name and its body; without a body,
    /// the row is gone.
    pub fn take_changed(&mut self) -> Vec<(Arc<str>, Option<Value>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|name| (Arc::clone(&name), self.body(&name))).collect()
    }

    fn body(&self, name: &str) -> Option<Value> {
        if name == FORGOTTEN {
            return Some(json!({"generation": self.forgotten}));
        }
        let block = self.blocks.get(name)?;
        Some(serde_json::to_value(block).expect("a block has text keys and finite numbers only"))
    }

    /// Puts back what a row says.
    ///
    /// # Errors
    ///
    /// Words for what is not as this version writes it.
    pub fn restore(&mut self, block_id: &str, body: &Value) -> Result<(), String> {
        let words = |error: serde_json::Error| format!("block `{block_id}`: {error}");
        if block_id == FORGOTTEN {
            self.forgotten = Forgotten::deserialize(body).map_err(words)?.generation;
        } else {
            let block = Block::deserialize(body).map_err(words)?;
            self.blocks.insert(block_id.into(), block);
        }
        Ok(())
    }
}

impl Block {
    /// Folds one event of this block; whether it says something new.
    fn apply(&mut self, event: &str, fields: &Value, echo: Option<Echo<'_>>) -> bool {
        match event {
            "turn_claimed" => self.claimed(fields, echo),
            "turn_started" => self.started(fields),
            "session_captured" => {
                let before = self.session.clone();
                self.session.capture(text(fields, "session_id"));
                self.session != before
            }
            "controller_status" => self.told(fields),
            "turn_ended" | "turn_spawn_failed" => self.answer(event, fields, echo),
            // What is known was said by others, or is only told.
            _ => false,
        }
    }

    fn claimed(&mut self, fields: &Value, echo: Option<Echo<'_>>) -> bool {
        let (saga_id, step, command_id) = echo.unwrap_or((SagaId(0), "", None));
        self.generation = number(fields, "generation");
        self.turn = Some(Turn {
            saga_id,
            step: step.into(),
            command_id: command_id.unwrap_or_default().into(),
            pid: number(fields, "pid"),
            process_start: text(fields, "process_start").into(),
            started: false,
        });
        true
    }

    fn started(&mut self, fields: &Value) -> bool {
        self.session.hydrate(text(fields, "session_id"));
        self.turn.as_mut().is_some_and(|turn| !std::mem::replace(&mut turn.started, true))
    }

    fn told(&mut self, fields: &Value) -> bool {
        let version = number(fields, "status_version");
        let Some(status) = Status::of(text(fields, "status")) else { return false };
        if version <= self.status_version {
            return false;
        }
        self.generation = number(fields, "generation");
        self.status_version = version;
        self.status = status;
        self.exit_code = fields.get("exit_code").and_then(Value::as_i64).unwrap_or_default();
        true
    }

    /// An end is an answer to its `spawn_turn`; a refusal ends only the turn that it answers, for
    /// another may run.
    fn answer(&mut self, event: &str, fields: &Value, echo: Option<Echo<'_>>) -> bool {
        let command_id = echo.and_then(|(_, _, id)| id).unwrap_or_default();
        let runs = self.turn.as_ref().is_some_and(|turn| *turn.command_id == *command_id);
        if event == "turn_ended" || runs {
            self.turn = None;
        } else if self.turn.is_some() {
            return false;
        }
        self.generation = number(fields, "generation");
        self.answered = Some(Answer {
            command_id: command_id.into(),
            event: event.into(),
            fields: fields.as_object().cloned().unwrap_or_default(),
        });
        true
    }
}

fn text<'a>(fields: &'a Value, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(fields: &Value, name: &str) -> u64 {
    fields.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests;
