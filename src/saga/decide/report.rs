//! Something came in: offered to `cancel_on`, then `fail_on`, then waits \[R22\], and to doubts
//! that it settles \[R19\].

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::expr;
use crate::plan::{Alternative, Source};
use crate::saga::decide::{Decision, Next, Origin, Report};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{Cause, Ending, Matched, Outcome, Record, Signalled, State};
use crate::saga::state::{Phase, Run, StepKey};

/// What a report means for a step.
enum Meaning {
    /// It fails the step; `known`: its target says so, which knows that nothing was done. Others
    /// say only that there is nothing to wait for.
    Fails { reason: Arc<str>, known: bool },
    /// The alternative of that number came.
    Matches(usize),
}

impl Decision<'_> {
    pub(super) fn report(&mut self, report: Report<'_>) {
        if !self.saga.is_open() || self.cancels(report) || self.saga.state == State::Queued {
            return;
        }
        if let Some((step, meaning)) = self.taker(report) {
            self.take(step, meaning, report);
        } else if let Origin::Echo { step, .. } = report.origin {
            self.note_late(step, report.name);
        }
        self.react(report);
    }

    /// Who takes it, and what it means there. Failures of all open steps come before waits of any
    /// \[R22\]. Doubts that are over come last: what settles one of them would be used up before
    /// the step that waits for it.
    fn taker(&self, report: Report<'_>) -> Option<(StepKey, Meaning)> {
        let answered = match report.origin {
            Origin::Echo { step, command_id } => self.answered_by(step, command_id),
            Origin::Organic | Origin::OfSagas | Origin::Signal => None,
        };
        let tries = [(true, true), (true, false), (false, true), (false, false)];
        tries.into_iter().find_map(|(open, failures)| {
            let steps = self.saga.runs.iter().filter(|run| run.is_open() == open);
            // Entered before that happened [R5].
            let mut listening = steps.filter(|run| run.entered < report.seq && self.listens(run));
            listening.find_map(|run| {
                let answers = answered == Some(run.key);
                let meaning = match failures {
                    true => self.fails_on(run, answers, report),
                    false => self.matches(run, answers, report),
                };
                Some((run.key, meaning?))
            })
        })
    }

    /// A signal is a fact only where somebody takes it: whoever says it too early is told so, and
    /// can say it again.
    pub(super) fn signal(&mut self, said: &Signalled) {
        if self.saga.state == State::Queued || !self.saga.is_open() {
            return;
        }
        let report = Report {
            seq: *self.seq,
            name: &said.signal,
            fields: &said.fields,
            origin: Origin::Signal,
        };
        if let Some((step, meaning)) = self.taker(report) {
            self.push(Record::Signalled(Box::new(said.clone())));
            self.take(step, meaning, report);
        }
    }

    fn cancels(&mut self, report: Report<'_>) -> bool {
        let is_older = self.saga.began < report.seq;
        // One that waits for its turn is wanted no more than one that runs [R18].
        let hears = matches!(self.saga.state, State::Queued | State::Running);
        if !hears || self.saga.verdict.is_some() || !is_older {
            return false;
        }
        let mut watched = self.plan.cancel_on.iter();
        if !watched.any(|on| *on.event == *report.name && self.fits(0, on, report.fields)) {
            return false;
        }
        let reason = Arc::from(format!("`{}` cancels it", report.name));
        self.end_early(Cause::Cancelled, &reason);
        // A cancel that is refused uses nothing up: a step past the pivot may wait for this event.
        self.saga.state != State::Running
    }

    fn fails_on(&self, run: &Run, answers: bool, report: Report<'_>) -> Option<Meaning> {
        let fail_on = &self.plan.step(run.key.step).fail_on;
        let hit = fail_on.iter().find(|on| self.correlates(run, &on.on, answers, report))?;
        let known = match hit.on.source {
            // An organic one stands for the answer that a saga which observes does not ask for.
            Source::Echo | Source::Organic => true,
            Source::Event | Source::Signal => false,
        };
        // Only its target's answer settles a doubt [R19].
        if !known && run.outcome().is_some() {
            return None;
        }
        let reason = match &hit.reason {
            Some(words) => self.words(run.key.branch, words, Some(report.fields)),
            None => Arc::from(report.name),
        };
        Some(Meaning::Fails { reason, known })
    }

    fn matches(&self, run: &Run, answers: bool, report: Report<'_>) -> Option<Meaning> {
        let wait = self.plan.step(run.key.step).wait.as_ref()?;
        let place = wait.alternatives.iter().enumerate().position(|(place, alternative)| {
            let came = wait.all && run.matched.contains(&(place as u32));
            !came && self.correlates(run, alternative, answers, report)
        })?;
        Some(Meaning::Matches(place))
    }

    /// Whether a step can still take an answer: open, or in doubt and not yet being undone \[R19\].
    fn listens(&self, run: &Run) -> bool {
        #[cfg(test)]
        if fault::is(Fault::LateIsDropped) && run.outcome().is_some() {
            return false;
        }
        match &run.phase {
            Phase::Waiting { .. }
            | Phase::Probing { .. }
            | Phase::Pausing { in_doubt: true, .. } => true,
            Phase::Ended { outcome: Ending::InDoubt, .. } => {
                run.command.is_some() && run.undone.is_none() && !self.undo_was_issued(run.key)
            }
            Phase::Idle
            | Phase::Pausing { in_doubt: false, .. }
            | Phase::Undoing { .. }
            | Phase::Ended {
                outcome: Ending::Succeeded | Ending::Failed | Ending::Skipped, ..
            } => false,
        }
    }

    fn undo_was_issued(&self, step: StepKey) -> bool {
        self.saga.undoers(self.plan, step).any(|undoer| {
            let undo = self.undo_of_step(undoer).and_then(|undo| self.run(undo));
            undo.is_some_and(|run| run.phase != Phase::Idle)
        })
    }

    /// `answers`: whether the report is the answer to the step's current command \[R5\].
    fn correlates(&self, run: &Run, on: &Alternative, answers: bool, report: Report<'_>) -> bool {
        let is_meant = match on.source {
            Source::Echo => answers,
            Source::Organic => report.origin == Origin::Organic,
            Source::Event => report.origin != Origin::Signal,
            Source::Signal => report.origin == Origin::Signal,
        };
        is_meant && *on.event == *report.name && self.fits(run.key.branch, on, report.fields)
    }

    /// The step whose current command that is the answer to \[R5\].
    fn answered_by(&self, path: &str, command_id: Option<&str>) -> Option<StepKey> {
        let run = self.run(self.saga.find(self.plan, path)?)?;
        let command = run.command.as_ref()?;
        command_id.is_none_or(|id| id == &*command.id).then_some(run.key)
    }

    pub(super) fn fits(&self, branch: u32, on: &Alternative, fields: &Value) -> bool {
        // A value that cannot be compared is no match; the static checks leave few of them.
        let fits =
            |filter| expr::eval_bool(filter, &self.scope(branch, Some(fields))).unwrap_or(false);
        on.filter.as_ref().is_none_or(fits)
    }

    fn take(&mut self, step: StepKey, meaning: Meaning, report: Report<'_>) {
        let settles = self.run(step).and_then(Run::outcome).is_some();
        let asked = self.close_question(step);
        let next = match meaning {
            Meaning::Fails { reason, .. } if settles => {
                self.push_outcome(step, Ending::Failed, Some((Cause::ActionFailed, reason)));
                Next::Rest
            }
            Meaning::Fails { reason, known } => {
                let known = known || !self.maybe_sent(step);
                self.attempt_failed(step, (Cause::ActionFailed, reason), known)
            }
            Meaning::Matches(place) => self.matched(step, place, report, settles),
        };
        self.go(next);
        if settles && asked {
            // The undo that waited for the question goes on.
            self.go(Next::Undo(self.undo_scope(step)));
        }
    }

    fn matched(&mut self, step: StepKey, place: usize, report: Report<'_>, settles: bool) -> Next {
        let plan = self.plan;
        let Some(wait) = &plan.step(step.step).wait else { return Next::Rest };
        let alternative = &wait.alternatives[place];
        let save = match self.values(step.branch, &alternative.save, Some(report.fields)) {
            Ok(save) => save,
            Err(_) if settles => return Next::Rest,
            // It answered, so it may have happened; but what it said cannot be used.
            Err(reason) => {
                let happened = self.maybe_sent(step);
                let outcome = if happened { Ending::InDoubt } else { Ending::Failed };
                self.push_outcome(step, outcome, Some((Cause::Fault, reason.clone())));
                return Next::Failed(step, Cause::Fault, reason);
            }
        };
        let before = self.run(step).map_or(0, |run| run.matched.len());
        if wait.all && before + 1 < wait.alternatives.len() {
            let (step, alternative) = (self.path(step), place as u32);
            self.push(Record::Matched(Matched { step, alternative, save }));
            return Next::Rest;
        }
        self.succeed(step, report.fields, save, alternative.source != Source::Event);
        if settles { Next::Rest } else { Next::After(step) }
    }

    fn succeed(
        &mut self,
        step: StepKey,
        fields: &Arc<Value>,
        save: Map<String, Value>,
        is_own: bool,
    ) {
        // What was said to this saga is in a record beside this one; others' events are elsewhere.
        let keep = self.plan.step(step.step).echo_is_read || !is_own;
        let outcome = Outcome {
            step: self.path(step),
            outcome: Ending::Succeeded,
            attempt: self.attempt_of(step),
            cause: None,
            reason: None,
            echo: keep.then(|| fields.clone()),
            save,
        };
        self.push(Record::Outcome(Box::new(outcome)));
    }

    pub(super) fn action_failed(
        &mut self,
        path: &str,
        command_id: Option<&str>,
        reason: &Arc<str>,
    ) {
        if self.saga.find(self.plan, path).is_none() {
            return self.reaction_refused(path, reason);
        }
        let Some(step) = self.answered_by(path, command_id) else { return };
        if !self.saga.is_open() {
            return;
        }
        if !self.run(step).is_some_and(|run| self.listens(run)) {
            return self.note_late(path, "report_saga_action_failed");
        }
        let fields = Arc::new(Value::Null);
        let origin = Origin::Echo { step: path, command_id };
        let report = Report { seq: *self.seq, name: "", fields: &fields, origin };
        self.take(step, Meaning::Fails { reason: reason.clone(), known: true }, report);
    }

    /// An answer to a doubt whose undo has begun is only written down \[R19\].
    fn note_late(&mut self, path: &str, what: &str) {
        let Some(step) = self.saga.find(self.plan, path) else { return };
        let doubted = self
            .run(step)
            .is_some_and(|run| run.outcome() == Some(Ending::InDoubt) && run.command.is_some());
        if doubted && self.is_forward(step) {
            self.late(step, what);
        }
    }
}
