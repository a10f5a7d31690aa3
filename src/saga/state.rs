//! The state of one saga: a fold of its records and nothing else. How a record changes it is in
//! `apply`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::plan::{Join, Plan, StepIx};
use crate::saga::branches::Branches;
use crate::saga::reactions::Reactions;
use crate::saga::record::{Began, Cause, Ending, Fate, Operator, Parent, State, Verdict};
use crate::time::Timestamp;

/// One running, waiting or ended saga.
#[derive(Clone, Debug, PartialEq)]
pub struct Saga {
    /// Its id \[R8\].
    pub id: SagaId,
    /// Its name.
    pub name: Arc<str>,
    /// Its definition's identity \[L4\].
    pub definition: DefinitionHash,
    /// Its state as people see it \[R16\].
    pub state: State,
    /// The event that started it, or `call`.
    pub trigger: Arc<str>,
    /// Fields of what started it.
    pub fields: Arc<Value>,
    /// Its frozen input.
    pub input: Arc<Value>,
    /// Its variables.
    pub vars: Map<String, Value>,
    /// What it contends for \[R17\].
    pub keys: Vec<Value>,
    /// Its deadline while it goes forward.
    pub due: Option<Timestamp>,
    /// When it came to exist.
    pub began_at: Timestamp,
    /// When its bracket opened; `None` while it is queued.
    pub started_at: Option<Timestamp>,
    /// Number of the record that made it: what is older does not cancel it \[R5\].
    pub began: Seq,
    /// Number of the record that opened its bracket: what is older does not concern it \[R5\].
    pub opened: Seq,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The client that asked for it.
    pub client: Option<Arc<str>>,
    /// The step that called it, of a sub-saga.
    pub parent: Option<Arc<Parent>>,
    /// Whether it sends nothing and looks on while others act.
    pub observes: bool,
    /// How it will end, once its steps are done and its caller may still undo it.
    pub held: Option<Verdict>,
    /// Whether its caller has taken it back.
    pub recalled: bool,
    /// Steps that were entered, by key.
    pub runs: Vec<Run>,
    /// Branches of elements.
    pub branches: Branches,
    /// Steps in the order in which they ended; undoing goes backwards.
    pub order: Vec<StepKey>,
    /// What it does on the side.
    pub reactions: Reactions,
    /// Why it turned around, once it did.
    pub unwinding: Option<(Cause, Arc<str>)>,
    /// What it will end as, once that stands.
    pub verdict: Option<Verdict>,
    /// Whether an incident is being tried again, so that its end opens no second bracket \[R14\].
    pub retrying: bool,
    /// The operator's word on an incident.
    pub resolved: Option<Operator>,
    /// When that was.
    pub resolved_at: Option<Timestamp>,
}

/// A step of one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKey {
    /// Zero is the trunk; each element of a `for_each` has a number of its own. Branches of a
    /// `parallel` have their own steps in the plan, so they need none.
    pub branch: u32,
    /// The step.
    pub step: StepIx,
}

impl StepKey {
    /// The step of the trunk.
    #[must_use]
    pub fn trunk(step: StepIx) -> StepKey {
        StepKey { branch: 0, step }
    }
}

/// How much is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that the saga did.
    Whole,
    /// A failed attempt of that group, before the next one.
    Attempt(StepKey),
    /// Branches of that step that lost, one by one: its own undo is not what runs.
    Losers(StepKey),
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Which step.
    pub key: StepKey,
    /// Where it stands.
    pub phase: Phase,
    /// Number of the record that entered it last: what is older does not count \[R5\].
    pub entered: Seq,
    /// Sendings (or enterings) that its policy asked for.
    pub attempt: u32,
    /// Commands that it made; never falls, so that no `command_id` comes twice.
    pub commands: u32,
    /// The newest command.
    pub command: Option<Command>,
    /// Alternatives of an `all_of` that came.
    pub matched: Vec<u32>,
    /// What a `for_each` goes through.
    pub elements: Option<Arc<Vec<Value>>>,
    /// Fields of what satisfied it, where the definition reads them; of an element that succeeded
    /// what is collected.
    pub echo: Option<Arc<Value>>,
    /// Whether it was undone (`true`), could not be (`false`), or neither yet.
    pub undone: Option<bool>,
    /// An operator's `retry` found it in doubt: it asks again for the command that it has \[R11\].
    pub doubted: bool,
    /// The newest sub-saga that it called.
    pub child: Option<Box<ChildOf>>,
}

/// A sub-saga, as the step knows it that called it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildOf {
    /// Its id.
    pub id: SagaId,
    /// What became of it.
    pub fate: Fate,
    /// Whether its point of no return lies behind.
    pub committed: bool,
    /// Its result.
    pub result: Option<Arc<Value>>,
    /// Why it did not complete.
    pub reason: Option<Arc<str>>,
    /// Whether something of it is sensitive.
    pub hides: bool,
}

/// A command that a step made.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The idempotency key.
    pub id: Arc<str>,
    /// Number of the record that issued it.
    pub seq: Seq,
    /// Number of the record that last made it owed; the same, until it is asked for again.
    pub owed: Seq,
    /// When that was.
    pub at: Timestamp,
    /// Its target.
    pub target: Arc<str>,
    /// Its name.
    pub cmd: Arc<str>,
    /// Its fields.
    pub with: Arc<Value>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Not entered in this attempt of its group.
    Idle,
    /// Open.
    Waiting {
        /// When its attempt times out.
        due: Option<Timestamp>,
    },
    /// Between two attempts.
    Pausing {
        /// When the next one begins.
        until: Timestamp,
        /// Whether the last one may have happened.
        in_doubt: bool,
        /// Why it ended.
        cause: Cause,
        /// The same in words.
        reason: Arc<str>,
    },
    /// In doubt, and its `probe` is asked.
    Probing {
        /// Why its attempt ended.
        cause: Cause,
        /// The same in words.
        reason: Arc<str>,
    },
    /// Something inside is being undone before it goes on: a group's failed attempt, branches that
    /// lost, or the sub-saga of a call whose time was up.
    Undoing {
        /// Why it ended.
        cause: Cause,
        /// The same in words.
        reason: Arc<str>,
    },
    /// Over.
    Ended {
        /// How.
        outcome: Ending,
        /// Why, unless it succeeded or was skipped.
        cause: Option<Cause>,
        /// The same in words.
        reason: Option<Arc<str>>,
    },
}

impl Run {
    /// A step that was not entered yet.
    #[must_use]
    pub fn new(key: StepKey) -> Run {
        Run {
            key,
            phase: Phase::Idle,
            entered: Seq::default(),
            attempt: 0,
            commands: 0,
            command: None,
            matched: Vec::new(),
            elements: None,
            echo: None,
            undone: None,
            doubted: false,
            child: None,
        }
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn outcome(&self) -> Option<Ending> {
        match &self.phase {
            Phase::Ended { outcome, .. } => Some(*outcome),
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Pausing { .. }
            | Phase::Probing { .. }
            | Phase::Undoing { .. } => None,
        }
    }

    /// Why it ended, in words, unless it succeeded or was skipped.
    #[must_use]
    pub fn reason(&self) -> Option<Arc<str>> {
        match &self.phase {
            Phase::Ended { reason, .. } => reason.clone(),
            Phase::Idle
            | Phase::Waiting { .. }
            | Phase::Pausing { .. }
            | Phase::Probing { .. }
            | Phase::Undoing { .. } => None,
        }
    }

    /// When its attempt times out, while it is open.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        if let Phase::Waiting { due } = &self.phase { *due } else { None }
    }

    /// Whether it was entered and has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.phase {
            Phase::Waiting { .. }
            | Phase::Pausing { .. }
            | Phase::Probing { .. }
            | Phase::Undoing { .. } => true,
            Phase::Idle | Phase::Ended { .. } => false,
        }
    }

    /// Whether it ended in a way that leaves an effect possible \[R12\].
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self.outcome() {
            Some(Ending::Succeeded | Ending::InDoubt) => true,
            Some(Ending::Failed | Ending::Skipped) | None => false,
        }
    }
}

impl Saga {
    /// The saga that a first record tells of.
    #[must_use]
    pub fn began(id: SagaId, began: &Began, seq: Seq, at: Timestamp) -> Saga {
        Saga {
            id,
            name: began.name.clone(),
            definition: began.definition.clone(),
            state: if began.queued { State::Queued } else { State::Running },
            trigger: began.trigger.clone(),
            fields: began.fields.clone(),
            input: began.input.clone(),
            vars: began.vars.clone(),
            keys: began.keys.clone(),
            due: began.due,
            began_at: at,
            started_at: if began.queued { None } else { Some(at) },
            began: seq,
            opened: seq,
            ended_at: None,
            client: began.client.clone(),
            parent: began.parent.clone(),
            observes: began.observes,
            held: None,
            recalled: false,
            runs: Vec::new(),
            branches: Branches::default(),
            order: Vec::new(),
            reactions: Reactions::default(),
            unwinding: None,
            verdict: None,
            retrying: false,
            resolved: None,
            resolved_at: None,
        }
    }

    /// What became of that step, if it was ever entered.
    #[must_use]
    pub fn run(&self, key: StepKey) -> Option<&Run> {
        self.runs.binary_search_by_key(&key, |run| run.key).ok().map(|at| &self.runs[at])
    }

    pub(super) fn run_mut(&mut self, key: StepKey) -> &mut Run {
        let at = match self.runs.binary_search_by_key(&key, |run| run.key) {
            Ok(at) => at,
            Err(at) => {
                self.runs.insert(at, Run::new(key));
                at
            }
        };
        &mut self.runs[at]
    }

    /// Whether it holds its keys: from the start to the very end \[R24\].
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self.state {
            State::Running | State::Compensating => !self.retrying,
            State::Queued
            | State::Completed
            | State::Failed
            | State::Compensated
            | State::FailedCompensation => false,
        }
    }

    /// Whether it may still do something: not ended, or an incident that is tried again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.state.is_end()
    }

    /// Gives it up: whatever it was, it does nothing any more. No fact says so, and a fold brings
    /// it back.
    pub fn abandon(&mut self) {
        self.state = State::Failed;
        self.runs.clear();
    }

    /// Whether it is an incident that nobody has settled \[R14\].
    #[must_use]
    pub fn is_incident(&self) -> bool {
        self.state == State::FailedCompensation && self.resolved.is_none()
    }

    /// The branches of a step that have begun.
    pub fn roofs(&self, plan: &Plan, owner: StepKey) -> impl Iterator<Item = &Run> {
        let roofs = plan.step(owner.step).verb.branches();
        let its = move |run: &&Run| {
            roofs.contains(&run.key.step) && self.owner(plan, run.key) == Some(owner)
        };
        self.runs.iter().filter(its)
    }

    /// The roof of the branch that has won a `join: any`.
    #[must_use]
    pub fn winner(&self, plan: &Plan, owner: StepKey) -> Option<StepKey> {
        if plan.step(owner.step).verb.join() != Some(Join::Any) {
            return None;
        }
        let mut roofs = self.roofs(plan, owner);
        let won = roofs.find(|run| run.outcome() == Some(Ending::Succeeded));
        won.map(|run| run.key)
    }
}
