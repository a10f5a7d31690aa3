//! An attempt fails: try again, go on, or turn around \[R11, R12, R13\]. How things are undone is
//! in `undo`.

use std::sync::Arc;

use crate::limits::{FORWARD_RETRY_FIRST, FORWARD_RETRY_MAX};
use crate::plan::{Backoff, Body, OnTimeout, Retry, Verb};
use crate::saga::decide::{Decision, Next};
#[cfg(test)]
use crate::saga::fault::{self, Fault};
use crate::saga::record::{
    Armed, Cause, Ending, Pause, Record, Reissued, State, Undoing, Unwinding, Verdict,
};
use crate::saga::state::{Extent, Phase, Run, StepKey};
use crate::time::Millis;

impl Decision<'_> {
    /// One attempt of an open step is over without success; `known`: it is known not to have
    /// happened.
    pub(super) fn attempt_failed(
        &mut self,
        step: StepKey,
        (cause, reason): (Cause, Arc<str>),
        known: bool,
    ) -> Next {
        if !known && self.plan.step(step.step).probe.is_some() {
            let attempt = self.attempt_of(step);
            return self.ask(step, attempt, (cause, reason));
        }
        self.attempt_over(step, (cause, reason), known)
    }

    /// The same, where nobody can be asked, or was.
    pub(super) fn attempt_over(
        &mut self,
        step: StepKey,
        (cause, reason): (Cause, Arc<str>),
        known: bool,
    ) -> Next {
        if let Some(delay) = self.pause(step, cause, known) {
            let left = self.has_undo_within(step) || self.awaits_child_in(Some(step));
            if self.plan.step(step.step).verb.holds_steps() && left {
                let path = self.path(step);
                self.push(Record::Undoing(Undoing { step: path, cause, reason }));
                return Next::Undo(Some(step));
            }
            self.back_off(step, delay, !known, (cause, reason));
            return Next::Rest;
        }
        let outcome = if known { Ending::Failed } else { Ending::InDoubt };
        self.push_outcome(step, outcome, Some((cause, reason.clone())));
        Next::Failed(step, cause, reason)
    }

    pub(super) fn back_off(
        &mut self,
        step: StepKey,
        delay: Millis,
        in_doubt: bool,
        (cause, reason): (Cause, Arc<str>),
    ) {
        let path = self.path(step);
        let until = self.now + delay;
        self.push(Record::Backoff(Pause { step: path, until, in_doubt, cause, reason }));
    }

    /// How long to wait before the next attempt, if there is to be one.
    pub(super) fn pause(&self, step: StepKey, cause: Cause, known: bool) -> Option<Millis> {
        let plan_step = self.plan.step(step.step);
        let attempt = self.run(step).map_or(1, |run| run.attempt);
        #[cfg(test)]
        let attempt = attempt.saturating_sub(u32::from(fault::is(Fault::OneAttemptMore)));
        // The same command again is safe only where the target repeats its answer [R11].
        let repeats = known || !matches!(&plan_step.verb, Verb::Issue { idempotent: false, .. });
        if !(repeats || plan_step.probe.is_some())
            || matches!(cause, Cause::Fault | Cause::FailStep)
            || self.has_passed_within(step)
        {
            return None;
        }
        if let Some(retry) = &plan_step.retry
            && repeats
            && attempt < retry.attempts
            && allows(retry, cause)
        {
            return Some(delay(retry, attempt, self.saga.id.0));
        }
        self.forward_pause(step, attempt, known)
    }

    /// Whether the point of no return lies behind, inside that group: no attempt undoes it \[R13\].
    fn has_passed_within(&self, group: StepKey) -> bool {
        let mut inside =
            self.saga.runs.iter().filter(|r| self.saga.is_within(self.plan, r.key, group));
        inside.any(|run| self.saga.has_passed(run, self.plan, self.targets))
    }

    /// Whether the point of no return lies behind, now that this step's attempt is over. A pivot
    /// that is known not to have happened is not passed, however it looked while it was open.
    fn is_past(&self, step: StepKey, known: bool) -> bool {
        let mut runs = self.saga.runs.iter().filter(|run| !known || run.key != step);
        runs.any(|run| self.saga.has_passed(run, self.plan, self.targets))
    }

    /// Past the pivot a failure goes on forward until the deadline \[R13\].
    fn forward_pause(&self, step: StepKey, attempt: u32, known: bool) -> Option<Millis> {
        let plan_step = self.plan.step(step.step);
        let due = self.saga.due.filter(|due| self.now < *due)?;
        if plan_step.best_effort
            || plan_step.on_timeout != OnTimeout::Fail
            || plan_step.verb.holds_steps()
            || self.plan.is_probe(step.step)
            || !self.is_forward(step)
            || !self.is_past(step, known)
        {
            return None;
        }
        let doubled = FORWARD_RETRY_FIRST.0 << attempt.saturating_sub(1).min(16);
        Some(Millis(doubled.min(FORWARD_RETRY_MAX.0)).min(due.since(self.now)))
    }

    /// Begins again after a pause: the same command where the last attempt is in doubt \[R11\].
    pub(super) fn try_again(&mut self, step: StepKey, in_doubt: bool) -> Next {
        let issued = self.run(step).is_some_and(|run| run.command.is_some());
        if !(in_doubt && issued) {
            return self.attempt(step);
        }
        let attempt = self.run(step).map_or(0, |run| run.attempt) + 1;
        // It must not be sent twice, so it is asked about until the deadline [R13].
        if let Verb::Issue { idempotent: false, .. } = &self.plan.step(step.step).verb
            && let Some(Phase::Pausing { cause, reason, .. }) =
                self.run(step).map(|run| run.phase.clone())
        {
            return self.ask(step, attempt, (cause, reason));
        }
        let due = self.plan.step(step.step).timeout.map(|timeout| self.now + timeout);
        let step = self.path(step);
        self.push(Record::Reissued(Reissued { step, attempt, due }));
        Next::Rest
    }

    /// A step failed for good: its `on_timeout`, `best_effort`, and where it stands say what now.
    pub(super) fn failed(&mut self, step: StepKey, cause: Cause, reason: Arc<str>) -> Next {
        if cause == Cause::TimedOut {
            match &self.plan.step(step.step).on_timeout {
                OnTimeout::Fail => {}
                OnTimeout::Continue => return Next::After(step),
                OnTimeout::Steps(_) => {
                    return Next::Enter(step.branch, Body::OnTimeout(step.step), 0);
                }
            }
        }
        self.give_up(step, cause, reason)
    }

    /// It failed for good, and its `on_timeout` has nothing to say.
    pub(super) fn give_up(&mut self, step: StepKey, cause: Cause, reason: Arc<str>) -> Next {
        let plan_step = self.plan.step(step.step);
        if plan_step.best_effort {
            return Next::After(step);
        }
        match plan_step.body {
            Body::Main => self.unwind(cause, reason),
            // Recorded, and the outcome of the saga stays [R15].
            Body::Finally => Next::After(step),
            Body::Group(_) => self.group_failed(self.around(step), cause, reason),
            Body::Branches(_) => self.branch_failed(self.around(step), cause, reason),
            // The alternative failed too: now the step itself has failed its body.
            Body::OnTimeout(_) => self.give_up(self.around(step), cause, reason),
            Body::Undo(_) => self.undo_failed(self.around(step), &reason),
            Body::Probe(_) => self.probed(self.around(step), None),
        }
    }

    /// The step around one that does not stand in a list of the saga's own.
    fn around(&self, step: StepKey) -> StepKey {
        self.saga.owner(self.plan, step).unwrap_or(step)
    }

    /// What is inside of it failed, for whatever cause: `retry` looks at the cause, `on_timeout` is
    /// for its own timeout.
    pub(super) fn group_failed(&mut self, group: StepKey, cause: Cause, reason: Arc<str>) -> Next {
        let next = self.group_over(group, cause, reason);
        let Next::Failed(group, cause, reason) = next else { return next };
        Next::GiveUp(group, cause, reason)
    }

    /// Its attempt ends without success, and with it all that is open inside.
    pub(super) fn group_over(&mut self, group: StepKey, cause: Cause, reason: Arc<str>) -> Next {
        let undoes = self.saga.runs.iter().any(|run| {
            matches!(run.phase, Phase::Undoing { .. })
                && self.saga.is_within(self.plan, run.key, group)
        });
        self.close_within(group, cause, &reason);
        // What was given up inside is still being undone: nothing may go on as if it were, so all
        // of the attempt is.
        if undoes && self.is_forward(group) && !self.has_passed_within(group) {
            let step = self.path(group);
            self.push(Record::Undoing(Undoing { step, cause, reason }));
            return Next::Undo(Some(group));
        }
        let known = !self.saga.any_within(self.plan, group);
        self.attempt_failed(group, (cause, reason), known)
    }

    pub(super) fn has_undo_within(&self, group: StepKey) -> bool {
        #[cfg(test)]
        if fault::is(Fault::AttemptStands) {
            return false;
        }
        let extent = Extent::Attempt(group);
        self.saga.runs.iter().any(|run| {
            (run.key == group || self.saga.is_within(self.plan, run.key, group))
                && self.saga.is_to_be_undone(self.plan, run, extent)
        })
    }

    /// Turns the saga around; past the pivot it can only stop where it is \[R13\].
    pub(super) fn unwind(&mut self, cause: Cause, reason: Arc<str>) -> Next {
        if self.saga.state != State::Running || self.saga.verdict.is_some() {
            return Next::Rest;
        }
        let past = self.saga.is_past_pivot(self.plan, self.targets);
        #[cfg(test)]
        let past = past && !fault::is(Fault::NoPivot);
        self.close_open(None, cause, &reason);
        // A retried incident that fails anew stays what it was.
        if past || self.saga.retrying {
            let state = State::FailedCompensation;
            let (cause, reason) = (Some(cause), Some(reason));
            return Next::Finish(Verdict { state, cause, reason, result: None });
        }
        self.push(Record::Unwinding(Unwinding { cause, reason }));
        Next::Undo(None)
    }

    /// Ends what is open of the way forward: in doubt where it may have been sent.
    pub(super) fn close_open(&mut self, inside: Option<StepKey>, cause: Cause, reason: &Arc<str>) {
        let open: Vec<StepKey> = self.open_steps(|step| {
            self.is_forward(step)
                && inside.is_none_or(|owner| self.saga.is_within(self.plan, step, owner))
        });
        self.close_steps(&open, cause, reason);
    }

    /// Ends what is open inside a group, wherever the group stands.
    fn close_within(&mut self, group: StepKey, cause: Cause, reason: &Arc<str>) {
        let open = self.open_within(group);
        self.close_steps(&open, cause, reason);
    }

    /// What is open of the steps inside a group. What undoes an earlier attempt is not among them:
    /// it goes on, for it is needed whatever becomes of the group.
    pub(super) fn open_within(&self, group: StepKey) -> Vec<StepKey> {
        let undoing = self.plan.is_undo(group.step);
        self.open_steps(|step| {
            self.saga.is_within(self.plan, step, group) && self.plan.is_undo(step.step) == undoing
        })
    }

    /// Open steps, children before their parents, so that a group sees its children's ends.
    pub(super) fn open_steps(&self, picks: impl Fn(StepKey) -> bool) -> Vec<StepKey> {
        let open = self.saga.runs.iter().rev().filter(|run| run.is_open());
        open.map(|run| run.key).filter(|step| picks(*step)).collect()
    }

    pub(super) fn close_steps(&mut self, steps: &[StepKey], cause: Cause, reason: &Arc<str>) {
        for step in steps {
            // Nobody waits for its answer any more.
            if self.plan.is_probe(step.step) {
                self.push_outcome(*step, Ending::Skipped, None);
                continue;
            }
            let outcome =
                if self.may_have_happened(*step) { Ending::InDoubt } else { Ending::Failed };
            self.push_outcome(*step, outcome, Some((cause, reason.clone())));
        }
    }

    /// Whether an open step may have had its effect.
    fn may_have_happened(&self, step: StepKey) -> bool {
        if self.plan.step(step.step).verb.holds_steps() {
            return self.saga.any_within(self.plan, step);
        }
        // A sub-saga that has not ended may have done anything.
        if self.has_live_child(step) {
            return true;
        }
        match self.run(step).map(|run| &run.phase) {
            Some(Phase::Pausing { in_doubt, .. }) => *in_doubt,
            Some(Phase::Waiting { .. }) => self.maybe_sent(step),
            Some(Phase::Probing { .. }) => true,
            Some(Phase::Idle | Phase::Undoing { .. } | Phase::Ended { .. }) | None => false,
        }
    }

    /// A command waited too long, or did not fit \[P2, P3\].
    pub(super) fn unreachable(&mut self, command_id: &str, reason: &Arc<str>) {
        if self.reaction_over(command_id, Some(reason)) {
            return;
        }
        let Some(step) = self.waiting_on(command_id) else { return };
        let known = !self.maybe_sent(step);
        let next = self.attempt_failed(step, (Cause::Unreachable, reason.clone()), known);
        self.go(next);
    }

    /// What the older session may have got, and what may not be sent twice, is in doubt \[P4\].
    pub(super) fn session_lost(&mut self, target: &str) {
        for step in self.waiting_for(target) {
            // One that failed before it may have taken its whole branch with it.
            let waits = |run: &Run| matches!(run.phase, Phase::Waiting { .. });
            if !self.run(step).is_some_and(waits) {
                continue;
            }
            let plan = self.plan;
            let plan_step = plan.step(step.step);
            // What awaits nothing is owed until it is written, whatever it is [P5].
            let repeats = matches!(plan_step.verb, Verb::Issue { idempotent: true, .. })
                || plan_step.wait.is_none()
                // To ask twice does no harm.
                || plan.is_probe(step.step);
            // Since it was asked for last: an operator's `retry` asks for it once more [R14].
            let maybe_sent =
                self.run(step).and_then(|run| run.command.as_ref()).is_some_and(|command| {
                    self.targets.had_session_since(&command.target, command.owed)
                });
            #[cfg(test)]
            let repeats = repeats || fault::is(Fault::SentTwice);
            if !repeats && maybe_sent {
                let reason = format!("`{target}` has a new session and had not answered");
                let why = (Cause::Unreachable, Arc::from(reason));
                let next = self.attempt_failed(step, why, false);
                self.go(next);
            }
        }
    }

    /// An undo's clock starts when a session can take it \[R14\].
    pub(super) fn session_opened(&mut self, target: &str) {
        for step in self.waiting_for(target) {
            let phase = self.run(step).map(|run| &run.phase);
            let unarmed = matches!(phase, Some(Phase::Waiting { due: None }));
            if let Some(timeout) = self.plan.step(step.step).timeout
                && unarmed
                && self.plan.is_undo(step.step)
            {
                self.arm(step, timeout);
            }
            self.arm_around(step);
        }
    }

    fn arm(&mut self, step: StepKey, timeout: Millis) {
        let due = self.now + timeout;
        let step = self.path(step);
        self.push(Record::Armed(Armed { step, due }));
    }

    /// A command of an undoing group is handed over: now the group's own clock starts \[R14\].
    pub(super) fn arm_around(&mut self, step: StepKey) {
        let mut at = step;
        while let Body::Group(_) | Body::Branches(_) = self.plan.step(at.step).body {
            let Some(group) = self.saga.owner(self.plan, at) else { return };
            let unarmed =
                self.run(group).is_some_and(|run| run.phase == Phase::Waiting { due: None });
            if let Some(timeout) = self.plan.step(group.step).timeout
                && unarmed
                && self.plan.is_undo(group.step)
            {
                self.arm(group, timeout);
            }
            at = group;
        }
    }

    /// Whether a command inside that undoing group waits for a target that is away.
    pub(super) fn waits_within(&self, group: StepKey) -> bool {
        self.saga.runs.iter().any(|run| {
            matches!(run.phase, Phase::Waiting { .. })
                && self.saga.is_within(self.plan, run.key, group)
                && run.command.as_ref().is_some_and(|c| !self.targets.is_open(&c.target))
                && !self.maybe_sent(run.key)
        })
    }

    fn waiting_for(&self, target: &str) -> Vec<StepKey> {
        // Who observes asked nobody: no session of a target means anything to it.
        if self.saga.observes {
            return Vec::new();
        }
        self.open_steps(|step| {
            self.run(step).is_some_and(|run| {
                matches!(run.phase, Phase::Waiting { .. })
                    && run.command.as_ref().is_some_and(|c| &*c.target == target)
            })
        })
    }
}

fn allows(retry: &Retry, cause: Cause) -> bool {
    match cause {
        Cause::TimedOut => retry.on_timeout,
        Cause::Unreachable => retry.on_unreachable,
        Cause::ActionFailed => retry.on_failed,
        Cause::FailStep
        | Cause::Fault
        | Cause::Evicted
        | Cause::Cancelled
        | Cause::Restart
        | Cause::Shutdown => false,
    }
}

/// The pause after that attempt.
fn delay(retry: &Retry, attempt: u32, saga: u64) -> Millis {
    let first = retry.delay.0;
    let grown = match retry.backoff {
        Backoff::Constant => first,
        Backoff::Linear => first.saturating_mul(u64::from(attempt)),
        Backoff::Exponential => first.saturating_mul(1 << attempt.saturating_sub(1).min(40)),
    };
    let capped = grown.min(retry.max_delay.map_or(u64::MAX, |max| max.0));
    // Spread by identity instead of chance, so that the same log gives the same pauses.
    let spread = saga.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(attempt) >> 44;
    let share = retry.jitter * (spread as f64 / (1_u64 << 20) as f64);
    Millis(capped - (capped as f64 * share) as u64)
}
