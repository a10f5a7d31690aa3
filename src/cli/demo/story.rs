//! Listens to the bus and to the demo's targets, and tells what happens in order. Causes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::Heard;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::ids::Seq;
use crate::ipc::client::Event;
use crate::view::text::{Line, Tone, tone_of};

/// How long the story waits for its next word before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a saga ended.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Its id.
    pub saga_id: u64,
    /// The state in which it ended.
    pub state: String,
    /// What it gave.
    pub result: Value,
    /// Commands that targets were given for it, in order, each as `step`.
    pub asked: Vec<String>,
}

/// The teller.
pub struct Story {
    heard: Receiver<Heard>,
    /// Events that came while a target was waited for.
    early: VecDeque<Event>,
    /// The newest command of each step, as its target told it.
    asked: BTreeMap<(u64, String), Value>,
    /// Every command that a target was given, in order.
    pub given: Vec<Given>,
    /// The newest version heard: where to go on after the launcher was away.
    pub version: Seq,
}

/// A command that a target was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its saga.
    pub saga_id: u64,
    /// Its step.
    pub step: String,
    /// Its idempotency key.
    pub command_id: String,
    /// Whether the target had answered it before.
    pub again: bool,
}

impl Story {
    /// A story that nothing was heard of yet.
    #[must_use]
    pub fn new(heard: Receiver<Heard>) -> Story {
        Story {
            heard,
            early: VecDeque::new(),
            asked: BTreeMap::new(),
            given: Vec::new(),
            version: Seq(0),
        }
    }

    /// The next word that has not been told.
    async fn next(&mut self) -> Result<Heard, Failure> {
        match self.early.pop_front() {
            Some(event) => Ok(Heard::Bus(event)),
            None => self.listen().await,
        }
    }

    /// The next word that comes in.
    async fn listen(&mut self) -> Result<Heard, Failure> {
        let silence = || Failure::new(Exit::No, "the story does not go on: nothing happens");
        let heard = timeout(PATIENCE, self.heard.recv()).await.map_err(|_| silence())?;
        let heard = heard.ok_or_else(silence)?;
        match &heard {
            Heard::Bus(event) => self.version = event.version,
            Heard::Target(who, line) if line["what"] == "command" => self.remember(who, line),
            Heard::Target(..) | Heard::BusEnded => {}
        }
        Ok(heard)
    }

    fn remember(&mut self, who: &str, line: &Value) {
        let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let saga_id = line["saga_id"].as_u64().unwrap_or_default();
        let again = line["plan"] == "again" || line["plan"] == "on_its_way";
        let (step, command_id) = (word("step"), word("command_id"));
        self.given.push(Given { saga_id, step: step.clone(), command_id, again });
        let mut line = line.clone();
        line["target"] = who.into();
        self.asked.insert((saga_id, step), line);
    }

    /// Tells what happens until a saga of that name ends.
    ///
    /// # Errors
    /// Nothing happens any more.
    pub async fn follow(&mut self, name: &str) -> Result<End, Failure> {
        let mut saga = None;
        loop {
            let Heard::Bus(event) = self.next().await? else { continue };
            self.tell(&event).await?;
            let of = event.fields.get("saga_id").and_then(Value::as_u64);
            match event.name.as_str() {
                "saga_started" if event.fields.get("name").is_some_and(|n| n == name) => saga = of,
                "saga_completed" | "saga_failed"
                    if of.is_some() && (saga.is_none() || of == saga) =>
                {
                    return Ok(self.end(&event));
                }
                _ => {}
            }
        }
    }

    fn end(&self, event: &Event) -> End {
        let saga_id = event.fields.get("saga_id").and_then(Value::as_u64).unwrap_or_default();
        let state = event.fields.get("state").and_then(Value::as_str).unwrap_or("completed");
        let of_it = self.given.iter().filter(|given| given.saga_id == saga_id && !given.again);
        End {
            saga_id,
            state: state.to_owned(),
            result: event.fields.get("result").cloned().unwrap_or_default(),
            asked: of_it.map(|given| given.step.clone()).collect(),
        }
    }

    /// Tells what happens until that target was given that command.
    ///
    /// # Errors
    /// Nothing happens any more.
    pub async fn until_asked(&mut self, cmd: &str) -> Result<Value, Failure> {
        loop {
            match self.next().await? {
                Heard::Bus(event) if event.name != "saga_step" => self.tell(&event).await?,
                Heard::Target(who, line) if line["what"] == "command" && line["cmd"] == cmd => {
                    print_command(who, &line)?;
                    return Ok(line);
                }
                Heard::Bus(_) | Heard::Target(..) | Heard::BusEnded => {}
            }
        }
    }

    /// Waits in silence until a target says that of a command.
    ///
    /// # Errors
    /// Nothing happens any more.
    pub async fn until_said(&mut self, what: &str, command_id: &Value) -> Result<Value, Failure> {
        loop {
            match self.next().await? {
                Heard::Target(_, line)
                    if line["what"] == what && line["command_id"] == *command_id =>
                {
                    return Ok(line);
                }
                Heard::Bus(_) | Heard::Target(..) | Heard::BusEnded => {}
            }
        }
    }

    /// Waits in silence until that many targets are connected.
    ///
    /// # Errors
    /// Nothing happens any more.
    pub async fn until_connected(&mut self, targets: usize) -> Result<(), Failure> {
        let mut connected = 0;
        while connected < targets {
            if let Heard::Target(_, line) = self.next().await?
                && line["what"] == "connected"
            {
                connected += 1;
            }
        }
        Ok(())
    }

    /// One event of the bus, with what its target knows of it.
    async fn tell(&mut self, event: &Event) -> Result<(), Failure> {
        let saga_id = event.fields.get("saga_id").and_then(Value::as_u64);
        let text = |name: &str| event.fields.get(name).and_then(Value::as_str).unwrap_or("");
        let line = match (event.name.as_str(), saga_id) {
            ("saga_started", Some(id)) => {
                Line::of(Tone::Busy, format!("   ▶ saga {id} began: {}", text("name")))
            }
            ("saga_completed", Some(id)) => {
                let result = event.fields.get("result").map_or(String::new(), Value::to_string);
                Line::of(Tone::Good, format!("   ✔ saga {id} completed {result}"))
            }
            ("saga_failed", Some(id)) => Line::of(tone_of(text("state")), "   ■ ")
                .and(Tone::Strong, format!("saga {id} {}: {}", text("state"), text("reason"))),
            ("saga_step", Some(id)) => return self.tell_step(id, event).await,
            (_, Some(_)) => Line::of(Tone::Good, "   ← ")
                .and(Tone::Strong, event.name.as_str())
                .and(Tone::Plain, payload(&event.fields)),
            ("process_spawned" | "process_exited" | "lifecycle_phase_changed", None) => {
                return Ok(());
            }
            ("launcher_started", None) => return Ok(()),
            (_, None) => Line::of(Tone::Busy, "   ● ")
                .and(Tone::Strong, event.name.as_str())
                .and(Tone::Plain, payload(&event.fields)),
        };
        Ok(out::stream(&[line])?)
    }

    async fn tell_step(&mut self, saga_id: u64, event: &Event) -> Result<(), Failure> {
        let text = |name: &str| event.fields.get(name).and_then(Value::as_str).unwrap_or("");
        let step = text("step").to_owned();
        let line = match text("state") {
            "issued" => return self.tell_issued(saga_id, &step).await,
            "in_doubt" => {
                Line::of(Tone::Bad, format!("   ? {step} is in doubt: it may have happened"))
            }
            "failed" => Line::of(Tone::Bad, format!("   ✗ {step} failed: {}", text("reason"))),
            "compensated" => Line::of(Tone::Good, format!("   ✓ {step} is undone")),
            "compensation_failed" => {
                Line::of(Tone::Bad, format!("   ✗ {step} could not be undone: {}", text("reason")))
            }
            _ => return Ok(()),
        };
        Ok(out::stream(&[line])?)
    }

    /// A command went out: its target, a moment later, tells what it was given.
    async fn tell_issued(&mut self, saga_id: u64, step: &str) -> Result<(), Failure> {
        let key = (saga_id, step.to_owned());
        while !self.asked.contains_key(&key) {
            // The bus does not wait for the target: what it says meanwhile is told after.
            if let Heard::Bus(event) = self.listen().await? {
                self.early.push_back(event);
            }
        }
        match self.asked.get(&key) {
            Some(line) => print_command(line["target"].as_str().unwrap_or("target"), line),
            None => Ok(()),
        }
    }
}

/// A command as its target was given it.
pub fn print_command(who: &str, line: &Value) -> Result<(), Failure> {
    let step = line["step"].as_str().unwrap_or_default();
    let arrow = if step.contains(".undo") { "↩" } else { "→" };
    let fields = line["fields"].as_object().map_or(String::new(), payload);
    let text = Line::of(Tone::Busy, format!("   {arrow} {who}: "))
        .and(Tone::Strong, line["cmd"].as_str().unwrap_or_default())
        .and(Tone::Plain, fields)
        .and(Tone::Faint, format!("   as {}", line["command_id"].as_str().unwrap_or_default()));
    Ok(out::stream(&[text])?)
}

/// The vocabulary's fields of an event or a command.
fn payload(fields: &Map<String, Value>) -> String {
    let mut fields = fields.clone();
    for name in ["saga_id", "step"] {
        fields.shift_remove(name);
    }
    if fields.is_empty() { String::new() } else { format!(" {}", Value::Object(fields)) }
}
