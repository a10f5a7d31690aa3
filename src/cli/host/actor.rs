//! What a scripted host does with a command: pure, so that every behaviour can be tested without a
//! socket. Waits for nothing and sends nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::script::{Act, Otherwise, Script};
use crate::definition::sample::sample;
use crate::definition::{Catalog, CommandDecl};
use crate::expr::{Resolved, Scope};
use crate::ipc::client::Command;
use crate::time::Millis;

/// An answer as it was given, to be given again whenever its command comes again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A report.
    Reply {
        /// Name of the event.
        event: String,
        /// Its fields.
        fields: Map<String, Value>,
    },
    /// A failure.
    Fail {
        /// Why.
        reason: String,
    },
}

/// What is to be done about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Answer so much later; the answer is final when it is given.
    Answer(Millis, Answer),
    /// It was answered before, so the answer is the same.
    Again(Answer),
    /// An answer is on its way already.
    OnItsWay,
    /// Do not answer.
    Silent,
    /// Hang up so much later.
    Disconnect(Millis),
}

/// The memory of a host: where it stands in its script, and what it answered.
#[derive(Debug)]
pub struct Actor {
    script: Script,
    catalog: Catalog,
    answered: BTreeMap<String, Answer>,
    on_its_way: BTreeSet<String>,
}

impl Actor {
    /// A host that answered these commands in an earlier life.
    #[must_use]
    pub fn new(script: Script, catalog: Catalog, answered: BTreeMap<String, Answer>) -> Actor {
        Actor { script, catalog, answered, on_its_way: BTreeSet::new() }
    }

    /// Its script.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Chooses what to do about a command. One that was answered is answered alike: what the
    /// catalog calls `idempotent`.
    pub fn plan(&mut self, command: &Command) -> Plan {
        if let Some(answer) = self.answered.get(&command.command_id) {
            return Plan::Again(answer.clone());
        }
        if self.on_its_way.contains(&command.command_id) {
            return Plan::OnItsWay;
        }
        let plan = self.choose(command);
        if let Plan::Answer(..) = plan {
            self.on_its_way.insert(command.command_id.clone());
        }
        plan
    }

    /// Remembers an answer, just before it is given.
    pub fn answered(&mut self, command_id: &str, answer: Answer) {
        self.on_its_way.remove(command_id);
        self.answered.insert(command_id.to_owned(), answer);
    }

    fn choose(&mut self, command: &Command) -> Plan {
        let behaviour = self.script.commands.get_mut(&command.cmd).and_then(|behaviours| {
            if behaviours.len() > 1 { behaviours.pop_front() } else { behaviours.front().cloned() }
        });
        let Some(behaviour) = behaviour else { return self.otherwise(command) };
        let after = behaviour.after;
        match behaviour.act {
            Act::Reply { event, with } => {
                let scope = CommandScope::of(command);
                let mut fields = self.filled(command, &event);
                for (name, template) in with {
                    match template.eval(&scope) {
                        Ok(value) => drop(fields.insert(name, value)),
                        Err(error) => {
                            let reason = format!("the script's `{name}` has no value: {error}");
                            return Plan::Answer(after, Answer::Fail { reason });
                        }
                    }
                }
                Plan::Answer(after, Answer::Reply { event, fields })
            }
            Act::Fail(reason) => {
                let reason = match reason.eval(&CommandScope::of(command)) {
                    Ok(Value::String(words)) => words,
                    Ok(other) => other.to_string(),
                    Err(error) => format!("the script's reason has no value: {error}"),
                };
                Plan::Answer(after, Answer::Fail { reason })
            }
            Act::Silent => Plan::Silent,
            Act::Disconnect => Plan::Disconnect(after),
        }
    }

    /// What becomes of a command that the script does not name.
    fn otherwise(&self, command: &Command) -> Plan {
        let fail = |reason: String| Plan::Answer(Millis(0), Answer::Fail { reason });
        match self.script.otherwise {
            Otherwise::Silent => Plan::Silent,
            Otherwise::Fail => fail(format!("the script does not name `{}`", command.cmd)),
            Otherwise::Echo => match self.declared(command).map(|decl| decl.echoes.first()) {
                Some(Some(echo)) => {
                    let fields = self.filled(command, echo);
                    Plan::Answer(Millis(0), Answer::Reply { event: echo.to_string(), fields })
                }
                // Nothing answers it, so nobody waits.
                Some(None) => Plan::Silent,
                None => fail(format!("no catalog here declares `{}`", command.cmd)),
            },
        }
    }

    fn declared(&self, command: &Command) -> Option<&CommandDecl> {
        self.catalog.commands.get(command.cmd.as_str()).map(|decl| &**decl)
    }

    /// The fields of an answer as far as they follow from the command: those of the same names,
    /// and for what is required beside them something of the right type.
    fn filled(&self, command: &Command, event: &str) -> Map<String, Value> {
        let Some(event) = self.catalog.events.get(event) else { return Map::new() };
        let mut fields = Map::new();
        for field in &event.fields.list {
            let given = command.fields.get(&*field.name).filter(|value| field.hold(value).is_ok());
            let value = given.cloned().or_else(|| {
                field
                    .required
                    .then(|| sample(&field.schema, &format!("{}_{}", event.name, field.name)))
            });
            if let Some(value) = value {
                fields.insert(field.name.to_string(), value);
            }
        }
        fields
    }
}

/// What a script's templates read: the frame of the command, as `command`.
struct CommandScope {
    frame: Value,
}

impl CommandScope {
    fn of(command: &Command) -> CommandScope {
        let mut frame = command.fields.clone();
        frame.insert("cmd".to_owned(), command.cmd.as_str().into());
        frame.insert("command_id".to_owned(), command.command_id.as_str().into());
        frame.insert("saga_id".to_owned(), command.saga_id.0.into());
        frame.insert("step".to_owned(), command.step.as_str().into());
        frame.insert("attempt".to_owned(), command.attempt.into());
        CommandScope { frame: Value::Object(frame) }
    }
}

impl Scope for CommandScope {
    fn resolve(&self, root: &str, _path: &[Box<str>]) -> Resolved<'_> {
        match root {
            "command" => Resolved::Found(Cow::Borrowed(&self.frame), 0),
            _ => Resolved::Missing,
        }
    }
}
