//! Folds one durable fact into a saga. The live path and the recovery path are this function
//! \[R3\]; it decides nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::ids::Seq;
use crate::plan::{Body, Plan, StepIx, Undo};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{Dequeued, Ending, Issued, Outcome, Record, State, Unwinding, Verdict};
use crate::saga::state::{Command, Phase, Run, Saga, StepKey};
use crate::saga::stuck::Stuck;
use crate::saga::targets::Targets;
use crate::time::Timestamp;

/// Two facts that clash: the saga is set aside \[L9\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// What the fold says.
    pub state: String,
    /// What the record says.
    pub record: String,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, but {}", self.state, self.record)
    }
}

impl std::error::Error for Corrupt {}

impl Saga {
    /// Folds one fact.
    ///
    /// # Errors
    /// The fact is impossible after those before it, or names a step that the plan does not have.
    pub fn apply(
        &mut self,
        plan: &Plan,
        seq: Seq,
        at: Timestamp,
        record: &Record,
    ) -> Result<(), Corrupt> {
        match record {
            Record::Began(_) => return Err(self.clash("a second `began`")),
            Record::Dequeued(dequeued) => self.dequeued(seq, at, dequeued)?,
            Record::Joined(joined) => {
                if self.state.is_end() {
                    return Err(self.clash("joined"));
                }
                self.keys.extend(joined.keys.iter().cloned());
                self.save(0, &joined.save);
            }
            Record::Unwinding(r) => self.turned_around(r)?,
            Record::Finishing(verdict) => self.verdict = Some(verdict.clone()),
            Record::Dropped(verdict) => {
                self.expect_state(State::Queued, "dropped")?;
                self.ended(at, verdict)?;
            }
            Record::Ended(verdict) | Record::Settled(verdict) => self.ended(at, verdict)?,
            Record::Retried(_) => self.retried(plan)?,
            Record::Resolved(operator) => {
                self.expect_state(State::FailedCompensation, "resolved")?;
                self.resolved = Some(operator.clone());
                self.resolved_at = Some(at);
            }
            Record::Issued(issued) => self.issued(plan, seq, at, issued)?,
            Record::Reissued(_)
            | Record::Entered(_)
            | Record::Armed(_)
            | Record::Matched(_)
            | Record::Outcome(_)
            | Record::Backoff(_)
            | Record::Undoing(_)
            | Record::Probing(_)
            | Record::Undone(_) => self.step(plan, seq, at, record)?,
            Record::Child(child) => self.child(plan, child)?,
            Record::Held(_) | Record::Recalled(_) => self.told_by_caller(record)?,
            Record::Reacted(reacted) => self.reacted(seq, at, reacted),
            Record::ReactionOver(over) => self.reaction_over(over),
            // Facts that change nothing of the fold; kept for people.
            Record::Emitted(_)
            | Record::Sent(_)
            | Record::Refused(_)
            | Record::Signalled(_)
            | Record::Late(_)
            | Record::Event(_) => {}
            Record::Boot(_)
            | Record::Stopped(_)
            | Record::Clock(_)
            | Record::Scheduled(_)
            | Record::Unscheduled(_)
            | Record::Ticked(_)
            | Record::ProcessSpawned(_)
            | Record::ProcessExited(_)
            | Record::Lifecycle(_)
            | Record::SessionOpened(_)
            | Record::SessionClosed(_) => return Err(self.clash("a record of no saga")),
        }
        Ok(())
    }

    fn turned_around(&mut self, unwinding: &Unwinding) -> Result<(), Corrupt> {
        self.expect_state(State::Running, "unwinding")?;
        self.state = State::Compensating;
        self.unwinding = Some((unwinding.cause, unwinding.reason.clone()));
        Ok(())
    }

    fn dequeued(&mut self, seq: Seq, at: Timestamp, dequeued: &Dequeued) -> Result<(), Corrupt> {
        self.expect_state(State::Queued, "dequeued")?;
        self.state = State::Running;
        self.started_at = Some(at);
        self.opened = seq;
        self.due = dequeued.due;
        Ok(())
    }

    /// Folds a fact of one step.
    fn step(
        &mut self,
        plan: &Plan,
        seq: Seq,
        at: Timestamp,
        record: &Record,
    ) -> Result<(), Corrupt> {
        let Some(path) = record.step() else { return Ok(()) };
        if self.state.is_end() {
            return Err(self.clash(&format!("that step {path} went on")));
        }
        let key = self.key(plan, path)?;
        if let Record::Backoff(_) = record
            && plan.step(key.step).verb.holds_steps()
        {
            self.reset_within(plan, key);
            // Its own undo was for the attempt that is over [R12].
            self.run_mut(key).undone = None;
        }
        let run = self.run_mut(key);
        if let Record::Reissued(r) = record {
            run.attempt = r.attempt;
            run.doubted = false;
            run.phase = Phase::Waiting { due: r.due };
            if let Some(command) = &mut run.command {
                command.owed = seq;
                command.at = at;
            }
        } else if let Record::Entered(r) = record {
            run.entered = seq;
            run.attempt = r.attempt;
            run.matched.clear();
            run.phase = Phase::Waiting { due: r.due };
            if r.elements.is_some() {
                run.elements = r.elements.clone();
            }
            self.forget_vars(plan, key);
        } else if let Record::Armed(r) = record {
            run.phase = Phase::Waiting { due: Some(r.due) };
        } else if let Record::Matched(r) = record {
            run.matched.push(r.alternative);
            self.save(key.branch, &r.save);
        } else if let Record::Outcome(outcome) = record {
            self.outcome(plan, key, outcome)?;
        } else if let Record::Backoff(r) = record {
            let (cause, reason) = (r.cause, r.reason.clone());
            run.phase = Phase::Pausing { until: r.until, in_doubt: r.in_doubt, cause, reason };
        } else if let Record::Undoing(r) = record {
            run.phase = Phase::Undoing { cause: r.cause, reason: r.reason.clone() };
        } else if let Record::Probing(r) = record {
            run.attempt = r.attempt;
            run.doubted = false;
            run.phase = Phase::Probing { cause: r.cause, reason: r.reason.clone() };
        } else if let Record::Undone(undone) = record {
            if run.undone.is_some() {
                return Err(self.clash(&format!("step {path} was undone twice")));
            }
            run.undone = Some(undone.ok);
        }
        Ok(())
    }

    fn issued(
        &mut self,
        plan: &Plan,
        seq: Seq,
        at: Timestamp,
        issued: &Issued,
    ) -> Result<(), Corrupt> {
        if self.state.is_end() {
            return Err(self.clash("issued"));
        }
        let key = self.key(plan, &issued.step)?;
        let run = self.run_mut(key);
        run.entered = seq;
        run.attempt = issued.attempt;
        run.commands += 1;
        run.doubted = false;
        run.matched.clear();
        run.command = Some(Command {
            id: issued.command_id.clone(),
            seq,
            owed: seq,
            at,
            target: issued.target.clone(),
            cmd: issued.cmd.clone(),
            with: issued.with.clone(),
        });
        run.phase = Phase::Waiting { due: issued.due };
        Ok(())
    }

    fn outcome(&mut self, plan: &Plan, key: StepKey, outcome: &Outcome) -> Result<(), Corrupt> {
        let run = self.run_mut(key);
        match run.outcome() {
            // Only a doubt can be settled; every other end is final.
            Some(ended @ (Ending::Succeeded | Ending::Failed | Ending::Skipped)) => {
                return Err(Corrupt {
                    state: format!("step {} ended {}", outcome.step, ended.as_str()),
                    record: format!("a later record says {}", outcome.outcome.as_str()),
                });
            }
            Some(Ending::InDoubt) => {}
            // A question leaves nothing to undo.
            None if plan.is_probe(key.step) => {}
            #[cfg(test)]
            None if fault::is(Fault::FirstUndoneFirst) => self.order.insert(0, key),
            None => self.order.push(key),
        }
        let run = self.run_mut(key);
        run.phase = Phase::Ended {
            outcome: outcome.outcome,
            cause: outcome.cause,
            reason: outcome.reason.clone(),
        };
        run.echo = outcome.echo.clone();
        self.save(key.branch, &outcome.save);
        Ok(())
    }

    fn ended(&mut self, at: Timestamp, verdict: &Verdict) -> Result<(), Corrupt> {
        if self.state.is_end() {
            return Err(self.clash(&format!("a second end, {}", verdict.state.as_str())));
        }
        self.state = verdict.state;
        self.verdict = Some(verdict.clone());
        self.retrying = false;
        self.ended_at = Some(at);
        Ok(())
    }

    /// An incident's failed steps are open questions again; what succeeded stays.
    fn retried(&mut self, plan: &Plan) -> Result<(), Corrupt> {
        self.expect_state(State::FailedCompensation, "retried")?;
        self.retrying = true;
        self.ended_at = None;
        self.verdict = None;
        self.due = None;
        // A question is asked anew each time: its old answer may be true no more.
        let in_doubt = |run: &&Run| {
            run.outcome() == Some(Ending::InDoubt)
                && run.command.is_some()
                && !plan.is_probe(run.key.step)
        };
        let doubted: Vec<StepKey> = self.runs.iter().filter(in_doubt).map(|r| r.key).collect();
        if self.unwinding.is_some() {
            self.state = State::Compensating;
            let failed: Vec<StepKey> =
                self.runs.iter().filter(|r| r.undone == Some(false)).map(|r| r.key).collect();
            for key in failed {
                self.run_mut(key).undone = None;
                // One whose answer came late is done, and is not asked for again.
                if !self.was_undone_late(plan, key) {
                    self.reset_undo_of(plan, key);
                }
            }
        } else {
            self.state = State::Running;
            // What ended without being undone is undone now; past the pivot it goes on forward.
            // Nothing of an ended saga waits, so no session matters.
            if self.is_past_pivot(plan, &Targets::default()) {
                self.enter_again(plan);
            } else {
                // An undo that was cut off between two attempts of a group begins anew.
                let keys = self.runs.iter().map(|run| run.key);
                let keys: Vec<StepKey> = keys.filter(|key| self.needs_undo(plan, *key)).collect();
                for key in keys {
                    self.reset_undo_of(plan, key);
                }
            }
        }
        for key in doubted {
            let run = self.run_mut(key);
            run.doubted = run.phase == Phase::Idle;
        }
        Ok(())
    }

    /// Opens the steps that could not go on, and what is around them.
    fn enter_again(&mut self, plan: &Plan) {
        let Stuck { again, around } = self.stuck(plan);
        self.order.retain(|ended| !again.contains(ended) && !around.contains(ended));
        for key in again {
            self.run_mut(key).phase = Phase::Idle;
        }
        for key in around {
            self.run_mut(key).phase = Phase::Waiting { due: None };
        }
    }

    /// Forgets a group's failed attempt; numbers of commands go on.
    fn reset_within(&mut self, plan: &Plan, group: StepKey) {
        self.reset(plan, group, |_| true);
        // The next attempt calls anew.
        let inside = self.runs.iter().map(|run| self.is_within(plan, run.key, group));
        let inside: Vec<bool> = inside.collect();
        for (run, _) in self.runs.iter_mut().zip(inside).filter(|(_, inside)| *inside) {
            run.child = None;
        }
    }

    fn reset_undo_of(&mut self, plan: &Plan, step: StepKey) {
        self.reset(plan, step, |ix| plan.is_undo(ix));
    }

    fn was_undone_late(&self, plan: &Plan, step: StepKey) -> bool {
        let Undo::Step { step: undo, .. } = &plan.step(step.step).undo else { return false };
        let undo = self.run(StepKey { branch: step.branch, step: *undo });
        undo.and_then(Run::outcome) == Some(Ending::Succeeded)
    }

    fn reset(&mut self, plan: &Plan, owner: StepKey, picks: impl Fn(StepIx) -> bool) {
        let keys = self.runs.iter().map(|run| run.key);
        let keys: BTreeSet<StepKey> =
            keys.filter(|key| picks(key.step) && self.is_within(plan, *key, owner)).collect();
        for run in self.runs.iter_mut().filter(|run| keys.contains(&run.key)) {
            run.phase = Phase::Idle;
            run.attempt = 0;
            run.matched.clear();
            run.echo = None;
            run.undone = None;
        }
        self.order.retain(|key| !keys.contains(key));
    }

    /// An element that begins anew knows nothing of its last attempt.
    fn forget_vars(&mut self, plan: &Plan, roof: StepKey) {
        if let Body::Branches(_) = plan.step(roof.step).body
            && let Some(branch) = self.branches.get_mut(roof.branch)
            && plan.step(branch.owner).verb.branches().contains(&roof.step)
        {
            branch.vars.clear();
        }
    }

    /// What a step saves is its branch's.
    fn save(&mut self, branch: u32, values: &serde_json::Map<String, serde_json::Value>) {
        for (name, value) in values {
            let element = self.branches.get_mut(branch);
            let vars = element.map_or(&mut self.vars, |element| &mut element.vars);
            vars.insert(name.clone(), value.clone());
        }
    }

    pub(super) fn expect_state(&self, state: State, record: &str) -> Result<(), Corrupt> {
        if self.state == state { Ok(()) } else { Err(self.clash(record)) }
    }

    fn clash(&self, record: &str) -> Corrupt {
        Corrupt {
            state: format!("saga {} is {}", self.id, self.state.as_str()),
            record: format!("the log says {record}"),
        }
    }

    /// The key of an instance path.
    pub(super) fn key(&mut self, plan: &Plan, path: &Arc<str>) -> Result<StepKey, Corrupt> {
        self.found(plan, path).ok_or_else(|| Corrupt {
            state: format!("saga {} has no step {path}", plan.name),
            record: "the log names it".to_owned(),
        })
    }
}
