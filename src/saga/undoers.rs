//! Whose undo stands for whose: a step's own, one that `covers` it, that of a group around it
//! \[R12\]. When they run is decided in `decide::undo`.

use crate::plan::{Body, Plan, StepIx, Undo};
use crate::saga::record::Ending;
use crate::saga::state::{Extent, Run, Saga, StepKey};

impl Saga {
    /// The steps whose undo may stand for that one's: it or what covers it, then the groups around
    /// it or what covers these. What runs in the place of a step that timed out is not undone with
    /// that step.
    pub fn undoers(&self, plan: &Plan, key: StepKey) -> impl Iterator<Item = StepKey> {
        let mut next = Some(key);
        std::iter::from_fn(move || {
            let at = next.take()?;
            next = self.group_around(plan, at);
            let step = plan.step(at.step).covered_by.unwrap_or(at.step);
            Some(StepKey { step, ..at })
        })
    }

    fn group_around(&self, plan: &Plan, key: StepKey) -> Option<StepKey> {
        let mut at = key;
        loop {
            match plan.step(at.step).body {
                Body::Group(_) | Body::Branches(_) => return self.owner(plan, at),
                Body::OnTimeout(_) => at = self.owner(plan, at)?,
                Body::Main | Body::Finally | Body::Undo(_) | Body::Probe(_) => return None,
            }
        }
    }

    /// The other steps, of those that were entered, that the step's undo stands for.
    pub fn stood_for(&self, plan: &Plan, key: StepKey) -> impl Iterator<Item = &Run> {
        let step = plan.step(key.step);
        let covers = matches!(&step.undo, Undo::Step { covers, .. } if !covers.is_empty());
        // Most stand for themselves alone, and nothing is looked through for them.
        let runs = if covers || step.verb.holds_steps() { self.runs.as_slice() } else { &[] };
        runs.iter().filter(move |run| {
            run.key != key
                && !plan.is_undo(run.key.step)
                && !plan.is_probe(run.key.step)
                && self.undoers(plan, run.key).any(|undoer| undoer == key)
        })
    }

    /// Whether it may have brought something about. Of what holds steps these say so, unless it
    /// succeeded: a doubt about it is one about them.
    #[must_use]
    pub fn may_have_effect(&self, plan: &Plan, run: &Run) -> bool {
        match run.outcome() {
            Some(Ending::Succeeded) => true,
            Some(Ending::InDoubt) => !plan.step(run.key.step).verb.holds_steps(),
            Some(Ending::Failed | Ending::Skipped) | None => false,
        }
    }

    /// Whether anything inside that step may have happened.
    #[must_use]
    pub fn any_within(&self, plan: &Plan, owner: StepKey) -> bool {
        self.runs.iter().any(|run| {
            self.is_within(plan, run.key, owner)
                && !plan.is_undo(run.key.step)
                && !plan.is_probe(run.key.step)
                && self.may_have_effect(plan, run)
                && run.undone != Some(true)
        })
    }

    /// Whether the step has an undo of its own that is still to be tried \[R12\].
    #[must_use]
    pub fn needs_undo(&self, plan: &Plan, key: StepKey) -> bool {
        self.needs_undo_in(plan, key, Extent::Whole)
    }

    /// The same, where no more than that is undone.
    #[must_use]
    pub fn needs_undo_in(&self, plan: &Plan, key: StepKey, extent: Extent) -> bool {
        self.run(key).is_some_and(|run| self.is_to_be_undone(plan, run, extent))
    }

    /// The same of a step that was entered.
    #[must_use]
    pub fn is_to_be_undone(&self, plan: &Plan, run: &Run, extent: Extent) -> bool {
        if run.undone.is_some()
            || plan.step(run.key.step).undo == Undo::Nothing
            || is_undone_by_another(plan, run.key.step, extent)
        {
            return false;
        }
        let stands = |run: &Run| self.may_have_effect(plan, run) && run.undone != Some(true);
        stands(run) || self.stood_for(plan, run.key).any(stands)
    }
}

/// Whether another step's undo stands for this one's: a `covers`, or a group's own `compensate`.
/// What stands around that which is undone comes later, if ever.
fn is_undone_by_another(plan: &Plan, ix: StepIx, extent: Extent) -> bool {
    let is_attempt = |of| matches!(extent, Extent::Attempt(key) if key.step == of);
    if is_attempt(ix) {
        return false;
    }
    if plan.step(ix).covered_by.is_some() {
        return true;
    }
    let mut body = plan.step(ix).body;
    loop {
        match body {
            Body::Main | Body::Finally | Body::Undo(_) | Body::Probe(_) => return false,
            Body::OnTimeout(owner) => body = plan.step(owner).body,
            Body::Group(owner) | Body::Branches(owner) => {
                if matches!(extent, Extent::Losers(key) if key.step == owner) {
                    return false;
                }
                let group = plan.step(owner);
                let attempt = is_attempt(owner);
                if group.undo != Undo::Nothing || (group.covered_by.is_some() && !attempt) {
                    return true;
                }
                if attempt {
                    return false;
                }
                body = group.body;
            }
        }
    }
}
