//! What has surely been set at a point of a saga: variables and echoes, followed along control
//! flow. Knows no types.

use std::collections::BTreeMap;

/// What is known at one point of the text.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Whether the point can be reached at all.
    pub live: bool,
    /// Variables that may have been set.
    pub vars: BTreeMap<String, Set>,
    /// Steps that lie behind, and whether their echo came.
    pub steps: BTreeMap<String, Set>,
}

/// Whether something was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// On every path to here.
    pub always: bool,
    /// Surely, when one of these steps succeeded.
    pub by: Vec<String>,
}

impl Set {
    /// Set on every path.
    #[must_use]
    pub fn always() -> Set {
        Set { always: true, by: Vec::new() }
    }

    /// Set when that step succeeded.
    #[must_use]
    pub fn when(step: &str) -> Set {
        Set { always: false, by: vec![step.to_owned()] }
    }

    fn and_by(&mut self, step: &str) {
        if !self.by.iter().any(|known| known == step) {
            self.by.push(step.to_owned());
        }
    }
}

impl Flow {
    /// The start of a saga: initial variables are set.
    #[must_use]
    pub fn start<'a>(vars: impl Iterator<Item = &'a str>) -> Flow {
        let vars = vars.map(|name| (name.to_owned(), Set::always())).collect();
        Flow { live: true, vars, steps: BTreeMap::new() }
    }

    /// Notes that a step with this id surely set the variable.
    pub fn set(&mut self, var: &str, step: Option<&str>) {
        let set = self.vars.entry(var.to_owned()).or_default();
        set.always = true;
        if let Some(step) = step {
            set.and_by(step);
        }
    }

    /// Notes that the variable may have been set: only `has()` tells.
    pub fn may_set(&mut self, var: &str) {
        self.vars.entry(var.to_owned()).or_default();
    }

    /// Notes that the step lies behind and has succeeded.
    pub fn passed(&mut self, step: &str) {
        self.steps.insert(step.to_owned(), Set { always: true, by: vec![step.to_owned()] });
    }

    /// The flow after a step that was given up somewhere between `before` and `self`.
    #[must_use]
    pub fn given_up(&self, before: &Flow) -> Flow {
        let weaken = |now: &BTreeMap<String, Set>, old: &BTreeMap<String, Set>| {
            now.iter()
                .map(|(name, set)| {
                    let always = old.get(name).is_some_and(|set| set.always);
                    (name.clone(), Set { always, by: set.by.clone() })
                })
                .collect()
        };
        Flow {
            live: true,
            vars: weaken(&self.vars, &before.vars),
            steps: weaken(&self.steps, &before.steps),
        }
    }

    /// The flow after `self`, where `self` is a step's success, or any of the other ways around it.
    #[must_use]
    pub fn or(mut self, others: &[Flow], step: Option<&str>) -> Flow {
        if let Some(step) = step.filter(|_| self.live) {
            for set in self.vars.values_mut().filter(|set| set.always) {
                set.and_by(step);
            }
        }
        others.iter().fold(self, Flow::meet)
    }

    /// What holds on both ways; a way that cannot be reached does not weaken the other.
    #[must_use]
    pub fn meet(mut self, other: &Flow) -> Flow {
        let (keeps, yields) = (self.live, other.live);
        merge(&mut self.vars, &other.vars, keeps, yields);
        merge(&mut self.steps, &other.steps, keeps, yields);
        self.live |= other.live;
        self
    }
}

fn merge(
    into: &mut BTreeMap<String, Set>,
    from: &BTreeMap<String, Set>,
    into_is_live: bool,
    from_is_live: bool,
) {
    for (name, set) in from {
        let known = into
            .entry(name.clone())
            .or_insert_with(|| Set { always: !into_is_live && set.always, by: Vec::new() });
        for step in &set.by {
            known.and_by(step);
        }
    }
    for (name, set) in into {
        let other = from.get(name).is_some_and(|set| set.always);
        set.always = match (into_is_live, from_is_live) {
            (true, false) => set.always,
            (false, true) => other,
            (true, true) | (false, false) => set.always && other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_step_leaves_a_guard() {
        let before = Flow::start(["old"].into_iter());
        let mut ran = before.clone();
        ran.passed("a");
        ran.set("new", Some("a"));
        let after = ran.or(&[before], Some("a"));
        assert!(after.vars["old"].always);
        assert_eq!(after.vars["new"], Set::when("a"));
        assert_eq!(after.steps["a"], Set::when("a"));
    }

    #[test]
    fn a_way_that_ends_does_not_weaken_the_other() {
        let before = Flow::start(std::iter::empty());
        let mut ran = before.clone();
        ran.set("x", Some("a"));
        let mut ended = before;
        ended.live = false;
        assert!(ran.clone().meet(&ended).vars["x"].always);
        assert!(ended.meet(&ran).vars["x"].always);
    }
}
