//! A plan: one definition compiled and checked, in the shape that the interpreter walks. Knows
//! nothing of a running saga.

mod bits;
pub mod budget;
mod callees;
mod check;
mod compile;
mod flow;
mod library;
mod outline;
pub mod secrets;
mod source;
mod types;
mod verb;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::catalog::{CommandDecl, EventDecl};
use crate::definition::fields::FieldError;
use crate::expr::{Ast, Pin, Template};
use crate::ids::DefinitionHash;
use crate::time::{Millis, Schedule};

pub use crate::definition::saga::{OnRestart, OnShutdown, Policy};
pub use crate::definition::step::Backoff;
pub use callees::calls_of;
pub use library::{compile_library, compile_library_by, compile_stored};
pub use source::Source;
pub use verb::{Call, Costs, ForEach, Join, Verb};

/// Index of a step in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIx(pub u32);

/// A definition, compiled. Immutable and shared by all its sagas.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The saga's name, unique among the loaded definitions.
    pub name: Arc<str>,
    /// Identity for running sagas \[L4\].
    pub hash: DefinitionHash,
    /// What it is for.
    pub doc: String,
    /// The definition's text, as kept with every saga that uses it \[L4\].
    pub source: Arc<str>,
    /// The catalog declarations that it uses, as a catalog document in canonical JSON \[L4\].
    pub catalog: Arc<str>,
    /// What starts it.
    pub trigger: Trigger,
    /// Checked before anything of the saga exists \[R10\].
    pub require: Vec<Require>,
    /// Who gives way \[R17\].
    pub eviction: Eviction,
    /// Deadline of the way forward; `None` is the author's `none`.
    pub timeout: Option<Millis>,
    /// Initial values of variables, read from `input`.
    pub vars: Vec<(Arc<str>, Template)>,
    /// All steps, nested ones and undoing ones included; a parent stands before its children.
    pub steps: Vec<Step>,
    /// The way forward.
    pub main: Vec<StepIx>,
    /// Steps that run on every end \[R15\].
    pub finally: Vec<StepIx>,
    /// What a caller gets.
    pub result: Vec<(Arc<str>, Template)>,
    /// Events that cancel it.
    pub cancel_on: Vec<Alternative>,
    /// What it does on the side while it runs, in the author's order.
    pub reactions: Vec<Reaction>,
    /// What may be said to it, by name; types and defaults of what a signal carries.
    pub signals: BTreeMap<Arc<str>, Arc<EventDecl>>,
    /// Conditions that hold in every reachable state; judged where sagas are tried out, never where
    /// they run.
    pub always: Vec<Ast>,
    /// What to do after a crash of the launcher \[L5\].
    pub on_restart: OnRestart,
    /// What to do at a clean shutdown \[L8\].
    pub on_shutdown: OnShutdown,
    /// Whether it sends nothing and looks on while others act.
    pub observes: bool,
    /// Step of a path inside one branch (`reap`, `reap.undo`, `reap.undo.0`).
    pub by_path: BTreeMap<Box<str>, StepIx>,
    /// Whether it has a step with branches.
    has_branches: bool,
    /// Whether a step calls another saga.
    pub has_calls: bool,
    /// The definitions that it calls, as they stood beside it: no later text takes their place in a
    /// saga of this one \[L4\]. Those that nobody has defined are missing.
    pub callees: Vec<Arc<Plan>>,
    /// Whether any step or `cancel_on` waits for an `event`, so that the routing index has to look.
    pub waits_for_events: bool,
    /// Declarations of the events that it uses.
    pub events: BTreeMap<Arc<str>, Arc<EventDecl>>,
    /// Declarations of the commands that it uses.
    pub commands: BTreeMap<Arc<str>, Arc<CommandDecl>>,
}

/// What starts a saga: events, a caller, or both.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The first of these that fits an event starts it.
    pub events: Vec<EventTrigger>,
    /// How it is started by name, if it may be.
    pub call: Option<CallTrigger>,
    /// When the clock starts it.
    pub schedules: Vec<ScheduleTrigger>,
}

/// A start by name.
#[derive(Clone, Debug)]
pub struct CallTrigger {
    /// Types and defaults of the caller's fields.
    pub fields: Arc<EventDecl>,
    /// Values taken from the fields.
    pub input: Vec<(Arc<str>, Template)>,
}

/// A start by the clock.
#[derive(Clone, Debug)]
pub struct ScheduleTrigger {
    /// When.
    pub schedule: Schedule,
    /// Values that every saga of it begins with.
    pub input: Vec<(Arc<str>, Template)>,
}

/// One event that starts a saga.
#[derive(Clone, Debug)]
pub struct EventTrigger {
    /// Name of the event.
    pub event: Arc<str>,
    /// Reads `trigger`; absent: always.
    pub when: Option<Ast>,
    /// Values taken from `trigger`.
    pub input: Vec<(Arc<str>, Template)>,
}

/// A guard over `trigger` and `input` \[R10\].
#[derive(Clone, Debug)]
pub struct Require {
    /// What must be true.
    pub that: Ast,
    /// The refusal's words.
    pub otherwise: Template,
}

/// Contention \[R17, R18, R24\].
#[derive(Clone, Debug)]
pub struct Eviction {
    /// Expressions over `trigger` and `input`, of which one value in common is contention; empty:
    /// the saga's name is the key.
    pub key: Vec<Ast>,
    /// Who gives way.
    pub policy: Policy,
    /// Newcomers that may wait under `queue`.
    pub queue_max: Option<u64>,
    /// Variables that a newcomer sets under `join`, from `event` and `vars`.
    pub save: Vec<(Arc<str>, Template)>,
}

/// The list of steps that a step stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `steps` of the saga.
    Main,
    /// `finally` of the saga.
    Finally,
    /// `group` of that step.
    Group(StepIx),
    /// The branches of that step: they run at once, each a group of its own.
    Branches(StepIx),
    /// `on_timeout: [steps]` of that step.
    OnTimeout(StepIx),
    /// `compensate` of that step (a list of one).
    Undo(StepIx),
    /// `probe` of that step (a list of one).
    Probe(StepIx),
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Path inside its branch: the id, or for an undo `ID.undo`, `ID.undo.0`.
    pub path: Arc<str>,
    /// Where it stands.
    pub body: Body,
    /// Its place in that list.
    pub position: usize,
    /// What it does.
    pub verb: Verb,
    /// Run only when true, else skipped.
    pub condition: Option<Ast>,
    /// What satisfies it; `None`: nothing is awaited.
    pub wait: Option<Await>,
    /// What fails it, catalog `failures` that nothing names included; looked at before `wait`.
    pub fail_on: Vec<FailOn>,
    /// Per attempt, with the defaults applied; `None`: the saga's deadline alone bounds it.
    pub timeout: Option<Millis>,
    /// What a timeout does.
    pub on_timeout: OnTimeout,
    /// Further attempts, with the defaults applied.
    pub retry: Option<Retry>,
    /// What undoes it.
    pub undo: Undo,
    /// The step whose `covers` names this one: its undo replaces this one's.
    pub covered_by: Option<StepIx>,
    /// The point of no return \[R13\].
    pub pivot: bool,
    /// Its failure is recorded and the saga goes on.
    pub best_effort: bool,
    /// Loops around it.
    pub loops: u32,
    /// Whether anything reads `steps.ID.echo`, so that the echo must be kept.
    pub echo_is_read: bool,
    /// The question asked when in doubt.
    pub probe: Option<Box<Probe>>,
}

/// The question asked when in doubt \[R11\].
#[derive(Clone, Debug)]
pub struct Probe {
    /// The step that asks it; its path is that of the step in doubt, and `.probe`.
    pub step: StepIx,
    /// Reads the answer as `event`: whether the step in doubt was done.
    pub done_when: Ast,
    /// Variables set where it was, reading `event`.
    pub save: Vec<(Arc<str>, Template)>,
}

/// What satisfies a step.
#[derive(Clone, Debug)]
pub struct Await {
    /// Whether all alternatives must come (`all_of`) or the first in order wins.
    pub all: bool,
    /// In the author's order.
    pub alternatives: Vec<Alternative>,
}

/// One thing that may come in.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Whose word counts.
    pub source: Source,
    /// Name of the report or signal.
    pub event: Arc<str>,
    /// Reads `event`; absent: any.
    pub filter: Option<Ast>,
    /// For what is said to nobody, one pin per `||` arm of the filter: the index keys \[R6\].
    pub pins: Vec<Pin>,
    /// Variables set when it wins, reading `event`.
    pub save: Vec<(Arc<str>, Template)>,
}

/// What a saga does on the side. Its path is `reaction[0]`, by its place.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// What comes in.
    pub on: Alternative,
    /// What is done: `Issue` or `Emit`, with fields that read `event`.
    pub deed: Verb,
}

/// One thing that fails a step.
#[derive(Clone, Debug)]
pub struct FailOn {
    /// What comes in.
    pub on: Alternative,
    /// The failure's words; absent: the event's name.
    pub reason: Option<Template>,
}

/// What a timeout does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// The step has failed or is in doubt, and so has the saga.
    Fail,
    /// The saga goes on, the outcome stays.
    Continue,
    /// These run in its place.
    Steps(Vec<StepIx>),
}

/// Further attempts \[R11\].
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// The first one counts.
    pub attempts: u32,
    /// How the pause grows.
    pub backoff: Backoff,
    /// The first pause.
    pub delay: Millis,
    /// The longest pause.
    pub max_delay: Option<Millis>,
    /// Share of the pause, 0.0 to 1.0, that is spread by a hash of the command's identity (no
    /// randomness in the core).
    pub jitter: f64,
    /// After an attempt's timeout.
    pub on_timeout: bool,
    /// After its target was unreachable.
    pub on_unreachable: bool,
    /// After a known failure.
    pub on_failed: bool,
}

/// What undoes a step.
///
/// An undo that the catalog brings reads `steps.ID.with.FIELD`: the very values that the command of
/// its step was issued with, whatever became of variables since. No definition can read these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Nothing to undo, or the author's `none`.
    Nothing,
    /// This step does, and stands for those that it covers.
    Step {
        /// The compensating step.
        step: StepIx,
        /// Later steps that it undoes as well.
        covers: Vec<StepIx>,
    },
}

impl Plan {
    /// The step of that index.
    #[must_use]
    pub fn step(&self, ix: StepIx) -> &Step {
        &self.steps[ix.0 as usize]
    }

    /// Makes a payload a command's: defaults filled in, types held.
    ///
    /// # Errors
    /// A field that is unknown, missing, or of the wrong type.
    pub fn check_command(&self, command: &str, mut with: Values) -> Result<Values, FieldError> {
        if let Some(declared) = self.commands.get(command) {
            declared.accept(&mut with)?;
        }
        Ok(with)
    }

    /// Makes a payload an event's: defaults filled in, types held.
    ///
    /// # Errors
    /// A field that is unknown, missing, or of the wrong type.
    pub fn check_event(&self, event: &str, mut fields: Values) -> Result<Values, FieldError> {
        if let Some(declared) = self.events.get(event) {
            declared.accept(&mut fields)?;
        }
        Ok(fields)
    }

    /// The steps of a body, in order.
    #[must_use]
    pub fn body(&self, body: Body) -> &[StepIx] {
        match body {
            Body::Main => &self.main,
            Body::Finally => &self.finally,
            Body::Group(ix) => match &self.step(ix).verb {
                Verb::Group(steps) => steps,
                Verb::Parallel { .. }
                | Verb::ForEach(_)
                | Verb::Issue { .. }
                | Verb::Await
                | Verb::Emit { .. }
                | Verb::Delay(_)
                | Verb::Call(_)
                | Verb::Recall
                | Verb::Fail(_)
                | Verb::Done => &[],
            },
            Body::Branches(ix) => self.step(ix).verb.branches(),
            Body::OnTimeout(ix) => match &self.step(ix).on_timeout {
                OnTimeout::Steps(steps) => steps,
                OnTimeout::Fail | OnTimeout::Continue => &[],
            },
            Body::Probe(ix) => {
                let probe = self.step(ix).probe.as_ref();
                probe.map_or(&[], |probe| std::slice::from_ref(&probe.step))
            }
            Body::Undo(ix) => match &self.step(ix).undo {
                Undo::Step { step, .. } => std::slice::from_ref(step),
                Undo::Nothing => &[],
            },
        }
    }

    /// The step whose body this is; `None` for the saga's own.
    #[must_use]
    pub fn owner(body: Body) -> Option<StepIx> {
        match body {
            Body::Main | Body::Finally => None,
            Body::Group(ix)
            | Body::Branches(ix)
            | Body::OnTimeout(ix)
            | Body::Undo(ix)
            | Body::Probe(ix) => Some(ix),
        }
    }

    /// Whether `ix` stands, at any depth, in a body of `ancestor`.
    #[must_use]
    pub fn is_within(&self, ix: StepIx, ancestor: StepIx) -> bool {
        let mut at = ix;
        while let Some(owner) = Plan::owner(self.step(at).body) {
            if owner == ancestor {
                return true;
            }
            at = owner;
        }
        false
    }

    /// Whether the step belongs to the way forward, and not to undoing or `finally`.
    #[must_use]
    pub fn is_forward(&self, ix: StepIx) -> bool {
        let mut body = self.step(ix).body;
        loop {
            match body {
                Body::Main => return true,
                Body::Finally | Body::Undo(_) => return false,
                Body::Group(owner)
                | Body::Branches(owner)
                | Body::OnTimeout(owner)
                | Body::Probe(owner) => body = self.step(owner).body,
            }
        }
    }

    /// Whether the step undoes another: it stands, at any depth, in an `Undo` body.
    #[must_use]
    pub fn is_undo(&self, ix: StepIx) -> bool {
        let mut body = self.step(ix).body;
        loop {
            match body {
                Body::Undo(_) => return true,
                Body::Main | Body::Finally => return false,
                Body::Group(owner)
                | Body::Branches(owner)
                | Body::OnTimeout(owner)
                | Body::Probe(owner) => body = self.step(owner).body,
            }
        }
    }

    /// Whether the step is a question about another: it has no effect, and its end is no step's.
    #[must_use]
    pub fn is_probe(&self, ix: StepIx) -> bool {
        matches!(self.step(ix).body, Body::Probe(_))
    }

    /// The step of an instance path: `each[3].work` is the step `each[].work`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<StepIx> {
        if !path.contains('[') {
            return self.by_path.get(path).copied();
        }
        let mut name = String::with_capacity(path.len());
        for (at, part) in path.split('[').enumerate() {
            let rest = if at == 0 { part } else { part.split_once(']')?.1 };
            name.push_str(if at == 0 { "" } else { "[]" });
            name.push_str(rest);
        }
        self.by_path.get(name.as_str()).copied()
    }

    /// The loops around a step, the outermost first.
    #[must_use]
    pub fn loops_around(&self, ix: StepIx) -> Vec<StepIx> {
        let mut found = Vec::new();
        let mut at = ix;
        while let Some(owner) = Plan::owner(self.step(at).body) {
            let body = self.step(at).body;
            if matches!(body, Body::Branches(_)) && self.step(owner).verb.is_loop() {
                found.push(owner);
            }
            at = owner;
        }
        found.reverse();
        found
    }

    /// Whether steps may be open at the same time.
    #[must_use]
    pub fn has_branches(&self) -> bool {
        self.has_branches
    }
}

/// Evaluated named values, in the author's order.
pub type Values = Map<String, Value>;
