//! What a saga still owes the world, judged by durable facts alone \[R4\]. Knows nothing of what
//! was handed over.

use std::sync::Arc;

use serde_json::Value;

use crate::ids::{SagaId, Seq};
use crate::plan::Plan;
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::state::{Command, Phase, Run, Saga};
use crate::time::Timestamp;

/// A command that a saga owes to a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    /// Number of the record that last made it owed: its place in the order \[P1\].
    pub order: Seq,
    /// Number of the record that issued it first \[P10\].
    pub issued: Seq,
    /// When it became owed, the last time that its step asked for it.
    pub since: Timestamp,
    /// Its target.
    pub target: Arc<str>,
    /// Its name.
    pub cmd: Arc<str>,
    /// Its fields.
    pub with: Arc<Value>,
    /// The idempotency key.
    pub command_id: Arc<str>,
    /// The saga.
    pub saga: SagaId,
    /// Instance path of the step.
    pub step: Arc<str>,
    /// Sendings that the step's policy asked for.
    pub attempt: u32,
    /// Whether it undoes something: such a one never gives up waiting \[R14\].
    pub undoes: bool,
    /// Whether it awaits nothing, so that writing it is a record \[P5\].
    pub tells_sent: bool,
}

/// A command that a saga owes, as the saga itself keeps it.
#[derive(Clone, Copy, Debug)]
pub enum Duty<'a> {
    /// Of a step.
    Step(&'a Run, &'a Command),
    /// Of a reaction, with its path.
    Aside(&'a Arc<str>, &'a Command),
}

impl Duty<'_> {
    /// Its place in the order: no other command of any saga has the same.
    #[must_use]
    pub fn order(&self) -> Seq {
        match self {
            Duty::Step(_, command) | Duty::Aside(_, command) => command.owed,
        }
    }

    /// The same in full.
    #[must_use]
    pub fn tell(&self, saga: &Saga, plan: &Plan) -> Owed {
        match self {
            Duty::Step(run, command) => Owed {
                attempt: run.attempt,
                undoes: plan.is_undo(run.key.step),
                tells_sent: plan.step(run.key.step).wait.is_none(),
                ..owed(saga, saga.path(plan, run.key), command)
            },
            Duty::Aside(path, command) => owed(saga, (*path).clone(), command),
        }
    }
}

/// Commands whose step is open and waits for them, in the order of the steps, and those of
/// reactions; nothing of an ended saga \[P5\], nor of one that observes.
pub fn duties(saga: &Saga) -> impl Iterator<Item = Duty<'_>> {
    let steps = waiting(saga).map(|(run, command)| Duty::Step(run, command));
    steps.chain(aside(saga).map(|(path, command)| Duty::Aside(path, command)))
}

/// A command that is asked for once and awaits nothing.
fn owed(saga: &Saga, step: Arc<str>, command: &Command) -> Owed {
    Owed {
        order: command.owed,
        issued: command.seq,
        since: command.at,
        target: command.target.clone(),
        cmd: command.cmd.clone(),
        with: command.with.clone(),
        command_id: command.id.clone(),
        saga: saga.id,
        step,
        attempt: 1,
        undoes: false,
        tells_sent: true,
    }
}

/// Commands of reactions.
fn aside(saga: &Saga) -> impl Iterator<Item = (&Arc<str>, &Command)> {
    let owed = if saga.is_open() { saga.reactions.owed.as_slice() } else { &[] };
    owed.iter().map(|(path, command)| (path, command))
}

fn waiting(saga: &Saga) -> impl Iterator<Item = (&Run, &Command)> {
    let runs = if saga.is_open() && !saga.observes { saga.runs.as_slice() } else { &[] };
    #[cfg(test)]
    let forgets = fault::is(Fault::UndoNotOwed) && saga.unwinding.is_some();
    #[cfg(test)]
    let runs = if forgets { &[] } else { runs };
    runs.iter().filter_map(|run| match run.phase {
        Phase::Waiting { .. } => Some((run, run.command.as_ref()?)),
        Phase::Idle
        | Phase::Pausing { .. }
        | Phase::Probing { .. }
        | Phase::Undoing { .. }
        | Phase::Ended { .. } => None,
    })
}
