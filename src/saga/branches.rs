//! Elements of loops: each has a branch of its own, with a number, a path and variables. Which
//! steps they run is the plan's affair.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::plan::{Body, Plan, StepIx};
use crate::saga::state::{Saga, StepKey};

/// The branch of one element of a `for_each`. Its number is its place, from one on.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The branch that the loop stands in.
    pub parent: u32,
    /// The loop.
    pub owner: StepIx,
    /// The element's place.
    pub index: u32,
    /// What its steps saved.
    pub vars: Map<String, Value>,
}

/// All branches of elements, in the order in which they began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branches {
    list: Vec<Branch>,
    /// Their numbers, by the branch around the loop, the loop, and the element's place.
    numbers: BTreeMap<(u32, StepIx, u32), u32>,
}

impl<'a> IntoIterator for &'a Branches {
    type Item = &'a Branch;
    type IntoIter = std::slice::Iter<'a, Branch>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Branches {
    /// The branch of that number, to be changed.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Branch> {
        self.list.get_mut(number.checked_sub(1)? as usize)
    }

    fn add(&mut self, branch: Branch) -> u32 {
        let place = (branch.parent, branch.owner, branch.index);
        self.list.push(branch);
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.numbers.insert(place, number);
        number
    }
}

impl Saga {
    /// The branch of that number; the trunk has none.
    #[must_use]
    pub fn branch(&self, number: u32) -> Option<&Branch> {
        self.branches.list.get(number.checked_sub(1)? as usize)
    }

    /// The number of an element's branch, once one of its steps was entered.
    #[must_use]
    pub fn branch_of(&self, owner: StepKey, index: u32) -> Option<u32> {
        self.branches.numbers.get(&(owner.branch, owner.step, index)).copied()
    }

    /// The same; a new number where there was none.
    pub(super) fn branch_for(&mut self, owner: StepKey, index: u32) -> u32 {
        self.branch_of(owner, index).unwrap_or_else(|| {
            let (parent, owner) = (owner.branch, owner.step);
            self.branches.add(Branch { parent, owner, index, vars: Map::new() })
        })
    }

    /// The instance path of a step: `each[3].work`.
    #[must_use]
    pub fn path(&self, plan: &Plan, key: StepKey) -> Arc<str> {
        let path = &plan.step(key.step).path;
        if key.branch == 0 {
            return path.clone();
        }
        let mut places = Vec::new();
        let mut at = key.branch;
        while let Some(branch) = self.branch(at) {
            places.push(branch.index);
            at = branch.parent;
        }
        let mut text = String::with_capacity(path.len() + 4 * places.len());
        for part in path.split_inclusive("[]") {
            match (part.strip_suffix("[]"), places.pop()) {
                (Some(name), Some(place)) => text.push_str(&format!("{name}[{place}]")),
                (Some(_), None) | (None, _) => text.push_str(part),
            }
        }
        Arc::from(text)
    }

    /// The step of an instance path, if it can be one of this saga.
    #[must_use]
    pub fn find(&self, plan: &Plan, path: &str) -> Option<StepKey> {
        let step = plan.find(path)?;
        let mut branch = 0;
        for (owner, index) in plan.loops_around(step).into_iter().zip(places(path)) {
            branch = self.branch_of(StepKey { branch, step: owner }, index)?;
        }
        Some(StepKey { branch, step })
    }

    /// The same of a path in a record: the first one of an element gives its branch a number.
    pub(super) fn found(&mut self, plan: &Plan, path: &str) -> Option<StepKey> {
        let step = plan.find(path)?;
        let mut branch = 0;
        if plan.step(step).loops > 0 {
            for (owner, index) in plan.loops_around(step).into_iter().zip(places(path)) {
                branch = self.branch_for(StepKey { branch, step: owner }, index);
            }
        }
        Some(StepKey { branch, step })
    }

    /// The step around that one.
    #[must_use]
    pub fn owner(&self, plan: &Plan, key: StepKey) -> Option<StepKey> {
        let body = plan.step(key.step).body;
        let step = Plan::owner(body)?;
        Some(StepKey { branch: self.branch_around(plan, key, body), step })
    }

    /// The branch of what is around a step with that body.
    fn branch_around(&self, plan: &Plan, key: StepKey, body: Body) -> u32 {
        match body {
            Body::Branches(owner) if plan.step(owner).verb.is_loop() => {
                self.branch(key.branch).map_or(0, |branch| branch.parent)
            }
            Body::Branches(_)
            | Body::Main
            | Body::Finally
            | Body::Group(_)
            | Body::OnTimeout(_)
            | Body::Undo(_)
            | Body::Probe(_) => key.branch,
        }
    }

    /// Whether the step stands, at any depth, in a body of that one.
    #[must_use]
    pub fn is_within(&self, plan: &Plan, key: StepKey, owner: StepKey) -> bool {
        let mut branch = key.branch;
        while branch != owner.branch {
            let Some(one) = self.branch(branch) else { return false };
            branch = one.parent;
        }
        plan.is_within(key.step, owner.step)
    }

    /// The step that an expression in that branch means: one of this branch, or of those around.
    #[must_use]
    pub fn seen_from(&self, plan: &Plan, step: StepIx, branch: u32) -> Option<StepKey> {
        let wanted = plan.step(step).loops;
        if wanted == 0 {
            return Some(StepKey { branch: 0, step });
        }
        let mut around = Vec::new();
        let mut at = branch;
        while let Some(one) = self.branch(at) {
            around.push(at);
            at = one.parent;
        }
        let place = around.len().checked_sub(wanted as usize)?;
        around.get(place).map(|branch| StepKey { branch: *branch, step })
    }

    /// The element that a name means in that branch.
    #[must_use]
    pub fn element(&self, plan: &Plan, branch: u32, name: &str) -> Option<&Value> {
        let mut at = branch;
        while let Some(one) = self.branch(at) {
            let owner = StepKey { branch: one.parent, step: one.owner };
            if plan.step(one.owner).verb.element().is_some_and(|known| **known == *name) {
                return self.run(owner)?.elements.as_ref()?.get(one.index as usize);
            }
            at = one.parent;
        }
        None
    }

    /// A variable as that branch sees it.
    #[must_use]
    pub fn var(&self, branch: u32, name: &str) -> Option<&Value> {
        let mut at = branch;
        while let Some(one) = self.branch(at) {
            if let Some(value) = one.vars.get(name) {
                return Some(value);
            }
            at = one.parent;
        }
        self.vars.get(name)
    }
}

/// The numbers in an instance path, the outermost first.
fn places(path: &str) -> impl Iterator<Item = u32> {
    path.split('[').skip(1).filter_map(|part| part.split_once(']')?.0.parse().ok())
}
