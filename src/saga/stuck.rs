//! Where a saga past its point of no return stopped: what an operator's `retry` enters again
//! \[R14\]. Changes nothing.

use crate::plan::{Body, Plan};
use crate::saga::record::Ending;
use crate::saga::state::{Run, Saga, StepKey};

/// Steps at which a saga could not go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    /// They are entered again: the one that failed, and those that were cut off beside it.
    pub again: Vec<StepKey>,
    /// Groups, branches and their roofs around them: open again.
    pub around: Vec<StepKey>,
}

impl Saga {
    /// The step past the pivot that could not go on, those beside it, and what is around them: the
    /// last one of the way forward, where that did not succeed. Empty: all steps are over, and
    /// what came behind them failed.
    #[must_use]
    pub fn stuck(&self, plan: &Plan) -> Stuck {
        let mut stuck = Stuck::default();
        let last = self.order.iter().rev().find(|key| plan.is_forward(key.step));
        if let Some(last) = last.filter(|key| self.failed(**key)) {
            let inmost = self.inwards(plan, *last);
            stuck.again.push(inmost);
            self.around(plan, inmost, None, &mut stuck);
        }
        stuck
    }

    /// What did not succeed inside of a step that did not: it ended just before.
    fn inwards(&self, plan: &Plan, key: StepKey) -> StepKey {
        let mut at = key;
        let forward = self.order.iter().rev().filter(|key| plan.is_forward(key.step));
        for inside in forward.skip_while(|ended| **ended != key).skip(1) {
            if !self.failed(*inside) || !self.is_within(plan, *inside, at) {
                break;
            }
            at = *inside;
        }
        at
    }

    fn failed(&self, key: StepKey) -> bool {
        matches!(self.run(key).and_then(Run::outcome), Some(Ending::Failed | Ending::InDoubt))
    }

    /// All that is around a step, up to that roof, with the branches beside it that were cut off.
    fn around(&self, plan: &Plan, key: StepKey, roof: Option<StepKey>, stuck: &mut Stuck) {
        let mut at = key;
        while roof != Some(at) {
            let Some(owner) = self.owner(plan, at) else { return };
            let body = plan.step(at.step).body;
            if let Body::Branches(_) = body {
                let beside = self.roofs(plan, owner).map(|run| run.key).filter(|key| *key != at);
                beside.for_each(|roof| self.cut_off(plan, roof, stuck));
            }
            // What an alternative runs in the place of has ended, and stays as it ended.
            if matches!(body, Body::Group(_) | Body::Branches(_)) {
                stuck.around.push(owner);
            }
            at = owner;
        }
    }

    /// Where a branch stood when it was cut off, if it did not succeed.
    fn cut_off(&self, plan: &Plan, roof: StepKey, stuck: &mut Stuck) {
        if self.failed(roof) {
            let at = self.inwards(plan, roof);
            stuck.again.push(at);
            self.around(plan, at, Some(roof), stuck);
        }
    }
}
