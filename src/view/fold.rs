//! Folds records into a picture. It knows no plan: what a record says is all that it shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::story::{self, Story};
use super::{CommandPicture, Fact, Moment, Picture, Settlement, Shown, StepPicture, StepState};
use crate::ids::SagaId;
use crate::saga::record::{Began, Ending, Issued, Outcome, Record, State, Verdict};
use crate::time::Timestamp;

/// See [`Picture::of`].
pub(super) fn picture(saga_id: SagaId, facts: &[Fact]) -> Option<Picture> {
    // The event that started it may stand before its birth in the same row.
    let birth = facts.iter().position(|fact| matches!(fact.record, Record::Began(_)))?;
    let Record::Began(began) = &facts[birth].record else { return None };
    let mut fold = Fold {
        picture: newborn(saga_id, began, facts[birth].at),
        report: None,
        turned: false,
        reasons: BTreeMap::new(),
        story: Story::default(),
    };
    for fact in facts {
        fold.tell(fact);
        fold.apply(fact);
    }
    Some(fold.picture)
}

fn newborn(saga_id: SagaId, began: &Began, at: Timestamp) -> Picture {
    Picture {
        saga_id,
        name: began.name.clone(),
        definition: Some(began.definition.clone()),
        state: Shown::Is(if began.queued { State::Queued } else { State::Running }),
        cause: None,
        reason: None,
        trigger: began.trigger.clone(),
        client: began.client.clone(),
        parent: began.parent.as_ref().map(|parent| (parent.saga, parent.step.clone())),
        children: Vec::new(),
        observes: began.observes,
        held: false,
        input: began.input.clone(),
        result: None,
        created_at: at,
        started_at: (!began.queued).then_some(at),
        ended_at: None,
        due: began.due,
        resolved: None,
        steps: Vec::new(),
        timeline: Vec::new(),
    }
}

struct Fold {
    picture: Picture,
    /// The newest report that no step has taken yet.
    report: Option<Report>,
    /// Whether it ever turned around.
    turned: bool,
    /// Why each step ended as it did, whatever its undo came to.
    reasons: BTreeMap<Arc<str>, Option<Arc<str>>>,
    story: Story,
}

struct Report {
    at: Timestamp,
    step: Option<Arc<str>>,
    name: Arc<str>,
    fields: Arc<Value>,
}

impl Fold {
    fn tell(&mut self, fact: &Fact) {
        let Some(text) = self.story.line(&fact.record) else { return };
        self.picture.timeline.push(Moment {
            version: fact.seq,
            at: fact.at,
            kind: story::kind(&fact.record),
            step: fact.record.step().cloned(),
            state: story::state(&fact.record),
            text,
        });
    }

    fn apply(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.record {
            Record::Event(event) => {
                self.report = Some(Report {
                    at,
                    step: event.step.clone(),
                    name: event.name.clone(),
                    fields: event.fields.clone(),
                });
            }
            Record::Signalled(said) => {
                let (name, fields) = (said.signal.clone(), said.fields.clone());
                self.report = Some(Report { at, step: None, name, fields });
            }
            Record::Dequeued(dequeued) => {
                self.picture.state = Shown::Is(State::Running);
                self.picture.started_at = Some(at);
                self.picture.due = dequeued.due;
            }
            Record::Issued(issued) => self.issued(at, issued),
            Record::Reissued(again) => {
                self.enter(at, &again.step, StepState::Issued, again.attempt, again.due);
            }
            Record::Entered(entered) => {
                self.enter(at, &entered.step, StepState::Waiting, entered.attempt, entered.due);
            }
            Record::Armed(armed) => self.step(at, &armed.step).due = Some(armed.due),
            Record::Outcome(outcome) => self.outcome(at, outcome),
            Record::Backoff(pause) => {
                let step = self.step(at, &pause.step);
                step.state = StepState::BackingOff;
                step.due = Some(pause.until);
                step.cause = Some(pause.cause);
                step.reason = Some(pause.reason.clone());
            }
            Record::Probing(probing) => {
                let step = self.step(at, &probing.step);
                step.state = StepState::Probing;
                step.attempt = probing.attempt;
                step.due = None;
                step.cause = Some(probing.cause);
                step.reason = Some(probing.reason.clone());
            }
            Record::Undoing(undoing) => {
                let step = self.step(at, &undoing.step);
                step.state = StepState::Undoing;
                step.cause = Some(undoing.cause);
                step.reason = Some(undoing.reason.clone());
            }
            Record::Child(child) => {
                let step = self.step(at, &child.step);
                step.child = Some(child.child);
                if !self.picture.children.contains(&child.child) {
                    self.picture.children.push(child.child);
                }
            }
            Record::Held(verdict) => {
                self.picture.held = true;
                self.verdict(verdict);
            }
            Record::Unwinding(unwinding) => {
                self.picture.held = false;
                self.picture.result = None;
                self.turned = true;
                // What made it turn back is no answer to what undoes.
                self.report = None;
                self.picture.state = Shown::Is(State::Compensating);
                self.picture.cause = Some(unwinding.cause);
                self.picture.reason = Some(unwinding.reason.clone());
            }
            Record::Undone(undone) => {
                let own = self.reasons.get(&undone.step).cloned().flatten();
                let step = self.step(at, &undone.step);
                // An undo that failed and then succeeded left nothing to be said of it.
                (step.state, step.reason) = match undone.ok {
                    true => (StepState::Compensated, own),
                    false => (StepState::CompensationFailed, undone.reason.clone().or(own)),
                };
            }
            Record::Finishing(verdict) => {
                self.verdict(verdict);
                self.picture.held = false;
            }
            Record::Ended(verdict) | Record::Dropped(verdict) | Record::Settled(verdict) => {
                self.verdict(verdict);
                self.picture.held = false;
                self.picture.state = Shown::Is(verdict.state);
                self.picture.ended_at = Some(at);
            }
            Record::Retried(_) => {
                let state = if self.turned { State::Compensating } else { State::Running };
                self.picture.state = Shown::Is(state);
                self.picture.ended_at = None;
            }
            Record::Resolved(operator) => {
                let (by, reason) = (operator.by.clone(), operator.reason.clone());
                self.picture.resolved = Some(Settlement { at, by, reason });
            }
            // What starts a saga satisfies none of its waits [R21]; an `emit` waits for nothing.
            Record::Began(_) | Record::Emitted(_) => self.report = None,
            // Nor does what joins it, as its picture goes.
            Record::Joined(_) => self.report = None,
            Record::Reacted(_)
            | Record::ReactionOver(_)
            | Record::Sent(_)
            | Record::Recalled(_)
            | Record::Matched(_)
            | Record::Refused(_)
            | Record::Late(_)
            | Record::Boot(_)
            | Record::Stopped(_)
            | Record::Clock(_)
            | Record::Scheduled(_)
            | Record::Unscheduled(_)
            | Record::Ticked(_)
            | Record::ProcessSpawned(_)
            | Record::ProcessExited(_)
            | Record::Lifecycle(_)
            | Record::SessionOpened(_)
            | Record::SessionClosed(_) => {}
        }
    }

    fn step(&mut self, at: Timestamp, path: &Arc<str>) -> &mut StepPicture {
        let steps = &mut self.picture.steps;
        let found = steps.iter().position(|step| step.id == *path);
        let ix = found.unwrap_or_else(|| {
            steps.push(StepPicture {
                id: path.clone(),
                state: StepState::Waiting,
                attempt: 0,
                command: None,
                child: None,
                due: None,
                started_at: at,
                ended_at: None,
                answer: None,
                echo: None,
                cause: None,
                reason: None,
            });
            steps.len() - 1
        });
        &mut steps[ix]
    }

    fn enter(
        &mut self,
        at: Timestamp,
        path: &Arc<str>,
        state: StepState,
        attempt: u32,
        due: Option<Timestamp>,
    ) {
        let step = self.step(at, path);
        step.state = state;
        step.attempt = attempt;
        step.due = due;
        step.ended_at = None;
        step.cause = None;
        step.reason = None;
    }

    fn issued(&mut self, at: Timestamp, issued: &Issued) {
        self.enter(at, &issued.step, StepState::Issued, issued.attempt, issued.due);
        self.step(at, &issued.step).command = Some(CommandPicture {
            id: issued.command_id.clone(),
            cmd: issued.cmd.clone(),
            target: issued.target.clone(),
            with: issued.with.clone(),
        });
    }

    fn outcome(&mut self, at: Timestamp, outcome: &Outcome) {
        // What a step took stands just before its outcome, in the same turn.
        let fits = |report: &Report| match &report.step {
            Some(step) => report.at == at && *step == outcome.step,
            None => report.at == at && outcome.outcome == Ending::Succeeded,
        };
        let report = self.report.take_if(|report| fits(report));
        let step = self.step(at, &outcome.step);
        step.state = StepState::of(outcome.outcome);
        step.due = None;
        step.ended_at = Some(at);
        if outcome.outcome != Ending::Skipped {
            step.attempt = step.attempt.max(outcome.attempt);
        }
        step.cause = outcome.cause;
        step.reason.clone_from(&outcome.reason);
        step.echo = outcome.echo.clone();
        if let Some(report) = report {
            step.answer = Some(report.name);
            step.echo = step.echo.take().or(Some(report.fields));
        }
        self.reasons.insert(outcome.step.clone(), outcome.reason.clone());
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.picture.cause = verdict.cause;
        self.picture.reason = verdict.reason.clone();
        self.picture.result = verdict.result.clone();
    }
}
