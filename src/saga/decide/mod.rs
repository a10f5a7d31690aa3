//! Chooses a saga's new facts: an input comes in, records go out, each folded by `apply` as soon as
//! it is chosen.
//! Reads no clock, does no I/O; what is to be done in the world is derived afterwards, in `owed`.

mod branches;
mod calls;
mod failure;
mod finish;
mod forward;
mod probe;
mod react;
mod report;
mod scope;
mod tick;
mod undo;

use std::sync::Arc;

use serde_json::Value;

use crate::ids::Seq;
use crate::plan::{Body, OnRestart, Plan};
use crate::saga::apply::Corrupt;
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{
    Cause, Emitted, Ending, Late, Operator, Outcome, Record, Refused, Signalled, State, StepOnly,
    Unwinding, Verdict,
};
use crate::saga::state::{Phase, Run, Saga, StepKey};
use crate::saga::stuck::Stuck;
use crate::saga::targets::Targets;
use crate::time::Timestamp;

pub use calls::ChildNews;
pub use scope::{BeginScope, SagaScope};
pub use tick::next_due;

/// What may happen to a saga.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// It was just begun or dequeued.
    Start,
    /// A report, an echo of its own or anybody's event.
    Report(Report<'a>),
    /// A target could not do a step's command.
    ActionFailed {
        /// Instance path, as the target gave it back.
        step: &'a str,
        /// The command that it answers; absent: the step's current one.
        command_id: Option<&'a str>,
        /// The target's words.
        reason: &'a Arc<str>,
    },
    /// Time went on.
    Tick,
    /// A person or client asks for its end.
    Cancel {
        /// Their words.
        reason: &'a Arc<str>,
    },
    /// A newcomer takes its place \[R17\].
    Evict {
        /// Which newcomer.
        reason: &'a Arc<str>,
    },
    /// A command waited too long for its target, or did not fit its buffer \[P2, P3\].
    Unreachable {
        /// The command.
        command_id: &'a str,
        /// What became of it, in words.
        reason: &'a Arc<str>,
    },
    /// A target is about to have a new session: what an older one may have got and cannot be
    /// asked again is in doubt \[P4\].
    SessionLost {
        /// The target.
        target: &'a str,
    },
    /// A target has a new session: undos that waited for it get their clock \[R14\].
    SessionOpened {
        /// The target.
        target: &'a str,
    },
    /// A command that awaits nothing was written to a session \[P5\].
    Sent {
        /// The command.
        command_id: &'a str,
    },
    /// A sub-saga that a step wants cannot begin.
    NotCalled {
        /// Instance path of the step.
        step: &'a str,
        /// Whether it was refused, or could not be asked for.
        cause: Cause,
        /// Why.
        reason: &'a Arc<str>,
    },
    /// Something became of a sub-saga.
    Child(&'a ChildNews),
    /// Its caller takes it back.
    Recall {
        /// Why.
        cause: Cause,
        /// The same in words.
        reason: &'a Arc<str>,
    },
    /// Its caller cannot undo it any more.
    Release,
    /// The launcher came back after a crash \[L5\].
    Restarted,
    /// The launcher stops, and the definition says `on_shutdown: cancel` \[L8\].
    Shutdown,
    /// A client says something that the definition declares, and that a step may await.
    Signal(&'a Signalled),
    /// An operator wants an incident tried again \[R14\].
    Retry(&'a Operator),
}

/// A report as it is offered to one saga.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Number of its record.
    pub seq: Seq,
    /// Name of the event.
    pub name: &'a str,
    /// Its fields.
    pub fields: &'a Arc<Value>,
    /// Whose word it is.
    pub origin: Origin<'a>,
}

/// Whose word a report is, as one saga sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// This saga's own answer.
    Echo {
        /// The step's path.
        step: &'a str,
        /// The command that it names.
        command_id: Option<&'a str>,
    },
    /// Nobody asked for it.
    Organic,
    /// Another saga's answer, or what a saga emits.
    OfSagas,
    /// It was said to this saga alone, by a signal of that name.
    Signal,
}

/// Where a decision stands in time and in the log.
#[derive(Debug)]
pub struct Place<'a> {
    /// The turn's instant \[R9\].
    pub now: Timestamp,
    /// How many `emit`s led here \[R23\].
    pub depth: usize,
    /// Number of the next record; grows with each one chosen.
    pub seq: &'a mut Seq,
}

/// One decision in progress: the saga, what it may read, and the records chosen so far.
struct Decision<'a> {
    plan: &'a Plan,
    saga: &'a mut Saga,
    targets: &'a Targets,
    now: Timestamp,
    depth: usize,
    seq: &'a mut Seq,
    out: &'a mut Vec<Record>,
    /// What else is to be looked at where branches run at once; the newest first.
    pending: Vec<Next>,
    /// Once set, nothing more is chosen.
    clash: Option<Corrupt>,
}

/// What comes next inside one decision; a loop and not a recursion, so that length costs no stack.
enum Next {
    /// Enter the step at that place of a body in that branch, or leave the body.
    Enter(u32, Body, usize),
    /// That step is over and the way goes on behind it.
    After(StepKey),
    /// That step failed for good, and its outcome is recorded.
    Failed(StepKey, Cause, Arc<str>),
    /// The same, by what is inside of it or what undoes that: its own `on_timeout` has no say.
    GiveUp(StepKey, Cause, Arc<str>),
    /// Start the branches of that step that have not begun.
    Branches(StepKey),
    /// Undo what is next to undo, for the whole saga or one group's attempt.
    Undo(Option<StepKey>),
    /// Undo that step, if it is still to be undone.
    UndoOf(StepKey, Option<StepKey>),
    /// Ask what became of that step, for an undo waits to know.
    Question(StepKey),
    /// The verdict is found.
    Finish(Verdict),
    /// Nothing more until something comes in.
    Rest,
}

/// Decides one input: the records that follow from it are folded into `saga` and appended to `out`.
///
/// # Errors
/// What follows contradicts what was: the saga's log was changed by somebody else, and the saga is
/// of no use any more \[L9\].
pub fn decide(
    plan: &Plan,
    saga: &mut Saga,
    targets: &Targets,
    input: Input<'_>,
    place: Place<'_>,
    out: &mut Vec<Record>,
) -> Result<(), Corrupt> {
    let Place { now, depth, seq } = place;
    let mut decision =
        Decision { plan, saga, targets, now, depth, seq, out, pending: Vec::new(), clash: None };
    decision.input(input);
    decision.clash.map_or(Ok(()), Err)
}

impl Decision<'_> {
    fn input(&mut self, input: Input<'_>) {
        match input {
            Input::Start => self.go(Next::Enter(0, Body::Main, 0)),
            Input::Report(report) => self.report(report),
            Input::ActionFailed { step, command_id, reason } => {
                self.action_failed(step, command_id, reason);
            }
            Input::Tick => self.tick(),
            Input::Cancel { reason } => self.end_early(Cause::Cancelled, reason),
            Input::Evict { reason } => self.end_early(Cause::Evicted, reason),
            Input::Shutdown => {
                self.end_early(Cause::Shutdown, &Arc::from("the launcher shuts down"));
            }
            Input::Unreachable { command_id, reason } => self.unreachable(command_id, reason),
            Input::SessionLost { target } => self.session_lost(target),
            Input::SessionOpened { target } => self.session_opened(target),
            Input::Sent { command_id } => self.sent(command_id),
            Input::NotCalled { step, cause, reason } => self.not_called(step, cause, reason),
            Input::Child(news) => self.child(news),
            Input::Recall { cause, reason } => self.take_back(cause, reason),
            Input::Release => self.release(),
            Input::Restarted => self.restarted(),
            Input::Signal(said) => self.signal(said),
            Input::Retry(operator) => self.retry_incident(operator),
        }
    }

    fn go(&mut self, first: Next) {
        let mut next = first;
        while self.clash.is_none() {
            next = match next {
                Next::Enter(branch, body, position) => self.enter(branch, body, position),
                Next::After(step) => self.after(step),
                Next::Failed(step, cause, reason) => self.failed(step, cause, reason),
                Next::GiveUp(step, cause, reason) => self.give_up(step, cause, reason),
                Next::Undo(scope) => self.next_undo(scope),
                Next::UndoOf(key, scope) => self.begin_if_needed(key, scope),
                Next::Question(step) => self.ask_before_undo(step),
                Next::Finish(verdict) => self.finish(verdict),
                Next::Branches(owner) => self.start_branches(owner),
                Next::Rest => match self.pending.pop() {
                    Some(next) => next,
                    None => return,
                },
            };
        }
    }

    /// Chooses a fact: folds it, numbers it, keeps it.
    fn push(&mut self, record: Record) {
        if self.clash.is_some() {
            return;
        }
        #[cfg(test)]
        {
            let step = record.step().and_then(|path| self.plan.find(path));
            let is_undo = step.is_some_and(|step| self.plan.is_undo(step));
            if fault::is(Fault::UnwrittenChange) {
                self.saga.vars.insert("unwritten".to_owned(), is_undo.into());
            }
            for record in fault::tampered(record, is_undo) {
                self.fold(record);
            }
        }
        #[cfg(not(test))]
        self.fold(record);
    }

    fn fold(&mut self, record: Record) {
        if self.clash.is_some() {
            return;
        }
        // Every record of a sound log leads here without a clash; one that was edited may not.
        self.clash = self.saga.apply(self.plan, *self.seq, self.now, &record).err();
        *self.seq = self.seq.next();
        self.out.push(record);
    }

    fn path(&self, step: StepKey) -> Arc<str> {
        self.saga.path(self.plan, step)
    }

    fn run(&self, step: StepKey) -> Option<&Run> {
        self.saga.run(step)
    }

    /// Which attempt of the step is under way; what waits for nothing has one.
    fn attempt_of(&self, step: StepKey) -> u32 {
        self.run(step).map_or(1, |run| run.attempt.max(1))
    }

    fn push_outcome(&mut self, step: StepKey, outcome: Ending, why: Option<(Cause, Arc<str>)>) {
        self.push_end(step, outcome, why, None);
    }

    /// The same; `echo`: what the step leaves for others to read.
    fn push_end(
        &mut self,
        step: StepKey,
        outcome: Ending,
        why: Option<(Cause, Arc<str>)>,
        echo: Option<Arc<Value>>,
    ) {
        let (cause, reason) = why.unzip();
        let (step, attempt) = (self.path(step), self.attempt_of(step));
        let save = serde_json::Map::new();
        let outcome = Outcome { step, outcome, attempt, cause, reason, echo, save };
        self.push(Record::Outcome(Box::new(outcome)));
    }

    /// Whether that open step's newest command may have been sent \[P10\].
    fn maybe_sent(&self, step: StepKey) -> bool {
        self.run(step).is_some_and(|run| self.saga.may_have_been_sent(run, self.targets))
    }

    /// Asks a saga to end before its time: refused past the pivot and once it is ending anyway
    /// \[R13, R14\].
    fn end_early(&mut self, cause: Cause, reason: &Arc<str>) {
        match self.saga.state {
            State::Queued => {
                let (cause, reason) = (Some(cause), Some(reason.clone()));
                let state = State::Failed;
                self.push(Record::Dropped(Verdict { state, cause, reason, result: None }));
            }
            State::Running if self.saga.verdict.is_none() => {
                let held = self.saga.is_held();
                if !held && !self.saga.is_past_pivot(self.plan, self.targets) {
                    let next = self.unwind(cause, reason.clone());
                    return self.go(next);
                }
                // Eviction waits for the end [R24]; only what somebody asked for is refused aloud.
                if cause != Cause::Evicted {
                    let what = Arc::from(cause.as_str());
                    let why = match &self.saga.parent {
                        Some(parent) if held => {
                            format!("its steps are done, and it is held for saga {}", parent.saga)
                        }
                        Some(_) | None => "it is past its point of no return".to_owned(),
                    };
                    let why = Arc::from(why);
                    self.push(Record::Refused(Refused { what, why }));
                }
            }
            State::Running
            | State::Compensating
            | State::Completed
            | State::Failed
            | State::Compensated
            | State::FailedCompensation => {}
        }
    }

    fn restarted(&mut self) {
        let is_done = self.saga.verdict.is_some() || self.saga.held.is_some();
        if self.saga.state != State::Running || is_done {
            return;
        }
        let past = self.saga.is_past_pivot(self.plan, self.targets);
        let reason: Arc<str> = Arc::from("the launcher restarted");
        let next = match self.plan.on_restart {
            OnRestart::Resume => Next::Rest,
            OnRestart::Compensate if past => Next::Rest,
            OnRestart::Compensate => self.unwind(Cause::Restart, reason),
            OnRestart::Fail => {
                // All of it: an undo that went on would undo more beside `finally`.
                let open = self.open_steps(|_| true);
                self.close_steps(&open, Cause::Restart, &reason);
                let owes = self.saga.runs.iter().any(|r| self.saga.needs_undo(self.plan, r.key));
                let state = if owes || past { State::FailedCompensation } else { State::Failed };
                let (cause, reason) = (Some(Cause::Restart), Some(reason));
                Next::Finish(Verdict { state, cause, reason, result: None })
            }
        };
        self.go(next);
    }

    fn retry_incident(&mut self, operator: &Operator) {
        if !self.saga.is_incident() {
            return;
        }
        let forward =
            self.saga.unwinding.is_none() && self.saga.is_past_pivot(self.plan, self.targets);
        let stuck = if forward { self.saga.stuck(self.plan) } else { Stuck::default() };
        let ended = self.saga.verdict.clone();
        self.push(Record::Retried(operator.clone()));
        if forward && stuck.again.is_empty() {
            return self.go(Next::Enter(0, Body::Main, self.plan.main.len()));
        }
        if forward {
            let branches = stuck.around.iter().map(|key| Next::Branches(*key));
            self.pending.extend(branches);
            let again = stuck.again.iter().rev().map(|key| {
                let step = self.plan.step(key.step);
                Next::Enter(key.branch, step.body, step.position)
            });
            self.pending.extend(again);
            return self.go(Next::Rest);
        }
        // It ended without undoing, as `on_restart: fail` asked; now an operator asks for it.
        if self.saga.state == State::Running {
            let cause = ended.as_ref().and_then(|v| v.cause).unwrap_or(Cause::Restart);
            let reason = ended.and_then(|v| v.reason);
            let reason = reason.unwrap_or_else(|| Arc::from("the launcher restarted"));
            self.push(Record::Unwinding(Unwinding { cause, reason }));
        }
        self.go(Next::Undo(None));
    }

    fn sent(&mut self, command_id: &str) {
        if self.reaction_over(command_id, None) {
            return;
        }
        let Some(step) = self.waiting_on(command_id) else { return };
        if self.plan.step(step.step).wait.is_some() {
            return;
        }
        let path = self.path(step);
        self.push(Record::Sent(StepOnly { step: path }));
        self.push_outcome(step, Ending::Succeeded, None);
        self.go(Next::After(step));
    }

    /// The open step whose newest command that is.
    fn waiting_on(&self, command_id: &str) -> Option<StepKey> {
        let run = self.saga.runs.iter().find(|run| {
            matches!(run.phase, Phase::Waiting { .. })
                && run.command.as_ref().is_some_and(|c| &*c.id == command_id)
        });
        run.map(|run| run.key)
    }

    fn late(&mut self, step: StepKey, what: &str) {
        let step = self.path(step);
        self.push(Record::Late(Late { step, what: Arc::from(what) }));
    }

    fn emitted(&mut self, step: StepKey, event: &Arc<str>, fields: Value) {
        let step = self.path(step);
        let fields = Arc::new(fields);
        let (event, observed) = (event.clone(), self.saga.observes);
        self.push(Record::Emitted(Emitted { step, event, fields, observed }));
    }
}
