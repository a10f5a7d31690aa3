//! What of a saga anybody can still ask for: what nobody can makes no difference any more. Compares
//! no moments.

use crate::plan::{Body, Join, Plan, Policy, StepIx, Undo, Verb};
use crate::saga::record::{Ending, State};
use crate::saga::state::{Run, Saga, StepKey};
use crate::sim::ledger::Ledger;

use super::reads::{Reads, Site};

/// Where a saga stands on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It goes forward, and may turn around.
    Forward,
    /// It goes forward, and nothing undoes what it did any more.
    PastPivot,
    /// It turned around.
    Back,
    /// Its end is decided: `finally` runs, or it is over.
    Decided,
}

/// What can still be asked of one saga.
pub(super) struct Future<'a> {
    pub(super) saga: &'a Saga,
    pub(super) plan: &'a Plan,
    pub(super) reads: &'a Reads,
    pub(super) ledger: &'a Ledger,
    /// Whether a newcomer may still be merged.
    joins: bool,
    /// Whether everything is held for asked.
    asks_all: bool,
    way: Way,
}

impl<'a> Future<'a> {
    /// Of that saga; `meets`: a rival may still come; `asks_all`: whatever is written down may be
    /// asked for.
    pub(super) fn of(
        (saga, plan): (&'a Saga, &'a Plan),
        reads: &'a Reads,
        ledger: &'a Ledger,
        (meets, asks_all): (bool, bool),
    ) -> Future<'a> {
        let joins = meets && plan.eviction.policy == Policy::Join;
        let passed =
            |run: &Run| plan.step(run.key.step).pivot && run.outcome() == Some(Ending::Succeeded);
        let way = if saga.verdict.is_some() {
            Way::Decided
        } else if saga.state == State::Compensating {
            Way::Back
        } else if !reads.undoes_inside && saga.runs.iter().any(passed) {
            Way::PastPivot
        } else {
            Way::Forward
        };
        Future { saga, plan, reads, ledger, joins, asks_all, way }
    }

    fn goes_forward(&self) -> bool {
        let held = self.saga.held.is_some();
        !held && matches!(self.way, Way::Forward | Way::PastPivot)
    }

    /// Whether its end is decided.
    pub(super) fn is_decided(&self) -> bool {
        self.way == Way::Decided && !self.asks_all
    }

    /// Whether the order in which steps ended may still matter: they are undone backwards.
    pub(super) fn is_order_asked(&self, key: StepKey) -> bool {
        self.asks_all || self.plan.step(key.step).undo != Undo::Nothing
    }

    /// Whether an expression that stands there may still be read.
    pub(super) fn is_read(&self, site: Site) -> bool {
        match site {
            _ if self.asks_all => true,
            Site::Start => false,
            Site::Ever => true,
            Site::Result => self.goes_forward(),
            Site::Join => self.joins && self.goes_forward(),
            Site::Watch => self.goes_forward(),
            Site::Step(step) => self.is_entered(step),
        }
    }

    /// Whether that step may still be entered, or take an answer.
    fn is_entered(&self, step: StepIx) -> bool {
        self.saga.runs.iter().any(|run| run.key.step == step && listens(run)) || self.is_ahead(step)
    }

    fn is_ahead(&self, step: StepIx) -> bool {
        let mut at = step;
        loop {
            let body = self.plan.step(at).body;
            match body {
                Body::Main => {
                    return self.goes_forward() && !self.has_ended(StepKey::trunk(at));
                }
                Body::Finally => return !self.has_ended(StepKey::trunk(at)),
                Body::Undo(of) => return self.is_undone_ahead(of),
                // A doubt is asked about before it is undone.
                Body::Probe(of) if self.is_in_doubt(of) => return true,
                Body::Group(of) | Body::Branches(of) | Body::OnTimeout(of) | Body::Probe(of) => {
                    at = of;
                }
            }
        }
    }

    fn is_in_doubt(&self, step: StepIx) -> bool {
        let mut runs = self.saga.runs.iter().filter(|run| run.key.step == step);
        runs.any(|run| run.outcome() == Some(Ending::InDoubt) && run.undone.is_none())
    }

    fn is_undone_ahead(&self, step: StepIx) -> bool {
        match self.way {
            Way::Forward => true,
            Way::PastPivot => false,
            Way::Back => {
                let mut runs = self.saga.runs.iter().filter(|run| run.key.step == step);
                runs.any(|run| run.undone.is_none())
            }
            // An attempt of a group in `finally` is undone too.
            Way::Decided => self.reads.undoes_inside && self.is_ahead(step),
        }
    }

    fn has_ended(&self, key: StepKey) -> bool {
        self.saga.run(key).is_some_and(|run| run.outcome().is_some())
    }

    /// Whether somebody may still read what became of that step.
    pub(super) fn is_asked_for(&self, step: StepIx) -> bool {
        self.asks_all || self.reads.of_step(step).any(|site| self.is_read(site))
    }

    /// The same of what stands for a step: of a branch of a loop also what reads of the loop.
    fn is_told_of(&self, key: StepKey) -> bool {
        let of_loop = match self.plan.step(key.step).body {
            Body::Branches(owner) => self.is_asked_for(owner),
            Body::Main
            | Body::Finally
            | Body::Group(_)
            | Body::OnTimeout(_)
            | Body::Undo(_)
            | Body::Probe(_) => false,
        };
        of_loop || self.is_asked_for(key.step)
    }

    /// The same of how it ended.
    fn is_outcome_told(&self, key: StepKey) -> bool {
        let of_loop = match self.plan.step(key.step).body {
            Body::Branches(owner) => self.reads.is_outcome_read(owner),
            Body::Main
            | Body::Finally
            | Body::Group(_)
            | Body::OnTimeout(_)
            | Body::Undo(_)
            | Body::Probe(_) => false,
        };
        (of_loop || self.reads.is_outcome_read(key.step)) && self.is_told_of(key)
    }

    /// Whether somebody may still read that step's echo.
    pub(super) fn is_echo_asked(&self, run: &Run) -> bool {
        self.is_told_of(run.key)
    }

    /// Whether nobody can ask any more what became of that step.
    pub(super) fn is_past(&self, run: &Run) -> bool {
        if run.is_open() || self.is_told_of(run.key) || self.may_set_something(run) {
            return false;
        }
        // What is called may still be taken back.
        if run.child.as_ref().is_some_and(|child| child.fate.is_live()) {
            return false;
        }
        match self.way {
            Way::Decided if !self.is_in_finally(run.key.step) => true,
            Way::Decided | Way::PastPivot => self.is_closed(run.key),
            Way::Back => self.is_undoing_over(run),
            Way::Forward => self.is_never_undone(run),
        }
    }

    /// Whether that target may still be asked for something, or answer.
    pub(super) fn needs(&self, target: &str) -> bool {
        let of_run = |run: &Run| {
            let asked = run.command.as_ref().is_some_and(|command| *command.target == *target);
            asked && (run.is_open() || listens(run))
        };
        let asks = |verb: &Verb| matches!(verb, Verb::Issue { target: of, .. } if **of == *target);
        let mut steps = (0u32..).map(StepIx).zip(&self.plan.steps);
        let mut aside = self.plan.reactions.iter().map(|one| &one.deed);
        self.saga.runs.iter().any(of_run)
            || steps.any(|(ix, step)| asks(&step.verb) && self.is_entered(ix))
            || aside.any(asks)
            || self.plan.has_calls
    }

    /// Whether a late answer to that step may set a variable that somebody reads.
    fn may_set_something(&self, run: &Run) -> bool {
        // What a branch has set nobody outside of it can see.
        if !listens(run) || (run.key.branch > 0 && self.has_left(run.key)) {
            return false;
        }
        let wait = self.plan.step(run.key.step).wait.as_ref();
        let saved = wait.into_iter().flat_map(|wait| &wait.alternatives).flat_map(|on| &on.save);
        saved.into_iter().any(|(name, _)| self.is_var_read(name))
    }

    /// Whether the branch is over that the step stands in.
    fn has_left(&self, key: StepKey) -> bool {
        let around = |key: &StepKey| self.saga.owner(self.plan, *key);
        let mut around = std::iter::successors(Some(key), around);
        let roof = around.find(|at| matches!(self.plan.step(at.step).body, Body::Branches(_)));
        roof.is_some_and(|roof| self.has_ended(roof))
    }

    /// Whether nothing around that step may ask for its outcome: no attempt that begins again, no
    /// race of branches, no group of which somebody reads how it ended.
    fn is_closed(&self, key: StepKey) -> bool {
        let around = |key: &StepKey| self.saga.owner(self.plan, *key);
        let mut around = std::iter::successors(around(&key), around);
        around.all(|owner| {
            let step = self.plan.step(owner.step);
            let open = self.saga.run(owner).is_some_and(Run::is_open);
            let again = step.retry.is_some() || step.verb.join() == Some(Join::Any);
            !open || (!again && !self.is_outcome_told(owner))
        })
    }

    /// On the way forward: whether nothing of that step is ever undone.
    fn is_never_undone(&self, run: &Run) -> bool {
        let step = self.plan.step(run.key.step);
        step.body == Body::Main
            && run.outcome().is_some()
            && !step.verb.holds_steps()
            && step.undo == Undo::Nothing
            && step.covered_by.is_none()
            && !step.pivot
            && run.child.is_none()
            && !self.has_effect(run.key)
    }

    fn is_undoing_over(&self, run: &Run) -> bool {
        if let Some(owner) = self.undone_by(run.key) {
            return self.saga.run(owner).is_some_and(|run| run.undone.is_some());
        }
        if run.undone.is_some() {
            return true;
        }
        let step = self.plan.step(run.key.step);
        match run.outcome() {
            Some(Ending::Failed | Ending::Skipped) => !step.verb.holds_steps(),
            Some(Ending::Succeeded | Ending::InDoubt) => self.is_never_undone(run),
            None => false,
        }
    }

    /// Whether what that step's command left is what the saga wanted, and stays.
    pub(super) fn is_stood_by(&self, key: StepKey, is_newest: bool) -> bool {
        let stands = |run: &Run| run.may_have_happened() && run.undone.is_none();
        let run = self.saga.run(key);
        self.way == Way::PastPivot
            && !self.asks_all
            && is_newest
            && run.is_some_and(|run| stands(run) && self.is_past(run))
    }

    fn has_effect(&self, key: StepKey) -> bool {
        self.ledger.standing(self.saga.id).any(|(_, effect)| effect.step == key)
    }

    /// The step that the one undoes which that step stands in.
    fn undone_by(&self, key: StepKey) -> Option<StepKey> {
        let mut at = key;
        while let Some(owner) = self.saga.owner(self.plan, at) {
            if matches!(self.plan.step(at.step).body, Body::Undo(_)) {
                return Some(owner);
            }
            at = owner;
        }
        None
    }

    fn is_in_finally(&self, step: StepIx) -> bool {
        let mut body = self.plan.step(step).body;
        while let Some(owner) = Plan::owner(body) {
            body = self.plan.step(owner).body;
        }
        body == Body::Finally
    }

    /// Whether somebody may still read that variable.
    pub(super) fn is_var_read(&self, name: &str) -> bool {
        self.asks_all || self.reads.of_var(name).any(|site| self.is_read(site))
    }

    /// The same of an input.
    pub(super) fn is_input_read(&self, name: &str) -> bool {
        self.reads.of_input(name).any(|site| self.is_read(site))
    }

    /// The same of a field of what started it.
    pub(super) fn is_field_read(&self, name: &str) -> bool {
        self.reads.of_field(name).any(|site| self.is_read(site))
    }

    /// Whether somebody may still read why it turned around.
    pub(super) fn is_cause_read(&self) -> bool {
        self.asks_all || self.reads.of_cause().any(|site| self.is_read(site))
    }
}

/// Whether a late answer to that step may still settle what became of it \[R19\].
fn listens(run: &Run) -> bool {
    run.outcome() == Some(Ending::InDoubt) && run.command.is_some() && run.undone.is_none()
}
