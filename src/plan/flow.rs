//! What has surely been set at a point of a saga: variables and echoes, followed along control
//! flow. Knows no types.
//!
//! A point holds bits only. By whom a variable is set is a question that few places ask, so it is
//! not kept at every point for every variable, but found by going back over the way that led there.

use std::collections::BTreeMap;

use super::Join;
use super::bits::Bits;
use super::outline::{Outline, Part};

/// What is known at one point of the text; [`Flows`] tells what that means.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Whether the point can be reached at all.
    pub live: bool,
    vars: Known,
    steps: Known,
    way: Way,
}

/// Names by their numbers.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Variables that may have been set; steps that lie behind.
    seen: Bits,
    /// Of these: set on every path to here; the echo came on every path.
    always: Bits,
}

/// Whether something was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set<'a> {
    /// On every path to here.
    pub always: bool,
    /// Surely, when one of these steps succeeded. Not asked, and empty, where it is always set.
    pub by: Vec<&'a str>,
}

/// All points of one saga, and what they share.
#[derive(Debug, Default)]
pub struct Flows<'a> {
    vars: BTreeMap<&'a str, usize>,
    /// By variable: the steps that surely save it.
    savers: Vec<Vec<usize>>,
    steps: BTreeMap<&'a str, usize>,
    /// By step: its id.
    ids: Vec<&'a str>,
    /// Steps of the way forward.
    forward: Bits,
    /// By step: what it surely saves itself.
    saves: Vec<Bits>,
    /// By step: what is set on every path through its success.
    proves: Vec<Bits>,
    ways: Vec<Leg>,
}

/// How a point was reached: a place in the list of legs, of which each names the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way(u32);

/// The beginning of every way.
const START: Way = Way(0);

/// The last part of a way.
#[derive(Clone, Debug)]
enum Leg {
    Start,
    /// The step got its answer, and saved what it saves.
    Saved(Way, usize),
    /// The step was left after its success.
    Left(Way, usize),
    /// One way or the other led here.
    Either(Way, Way),
    /// From here on, variables that were not seen may come from any step that saves them.
    Anywhere(Way, Bits),
    /// Whatever was known of the variable: that step alone proves it, if any does.
    Anew(Way, usize, Option<usize>),
}

impl<'a> Flows<'a> {
    /// No point yet, of a saga with these steps and variables.
    #[must_use]
    pub fn of(outline: &Outline<'a>) -> Flows<'a> {
        let mut flows = Flows { ways: vec![Leg::Start], ..Flows::default() };
        flows.ids = vec![""; outline.steps.len()];
        flows.saves = vec![Bits::default(); outline.steps.len()];
        flows.proves = flows.saves.clone();
        for (id, known) in &outline.steps {
            flows.steps.insert(id, known.order);
            flows.ids[known.order] = id;
            if known.part == Part::Forward {
                flows.forward.insert(known.order);
            }
        }
        for (number, (name, known)) in outline.vars.iter().enumerate() {
            flows.vars.insert(name, number);
            let savers = known.by.iter().filter_map(|id| flows.steps.get(id).copied());
            flows.savers.push(savers.collect());
        }
        flows
    }

    /// The start of a saga: initial variables are set, those that a newcomer saves may be at any
    /// time.
    #[must_use]
    pub fn start<'n>(
        &self,
        vars: impl Iterator<Item = &'n str>,
        joined: impl Iterator<Item = &'n str>,
    ) -> Flow {
        let mut flow = Flow::nothing();
        for number in joined.filter_map(|name| self.vars.get(name)) {
            flow.vars.seen.insert(*number);
        }
        for number in vars.filter_map(|name| self.vars.get(name)) {
            flow.vars.set(*number);
        }
        flow
    }

    /// Notes that the step has succeeded and lies behind, and what its wait has saved: each
    /// variable with whether it is set however the wait is satisfied.
    pub fn succeed(&mut self, flow: &mut Flow, id: Option<&str>, saves: &[(&str, bool)]) {
        let step = id.and_then(|id| self.steps.get(id).copied());
        if let Some(step) = step {
            flow.steps.set(step);
        }
        for (name, surely) in saves {
            let Some(var) = self.vars.get(name).copied() else { continue };
            flow.vars.seen.insert(var);
            if *surely {
                flow.vars.always.insert(var);
                if let Some(step) = step {
                    self.saves[step].insert(var);
                }
            }
        }
        if let Some(step) = step.filter(|_| saves.iter().any(|(_, surely)| *surely)) {
            flow.way = self.go(Leg::Saved(flow.way, step));
        }
    }

    /// The flow after `done`, where that is a step's success, or any of the other ways around it.
    #[must_use]
    pub fn or(&mut self, mut done: Flow, others: &[Flow], id: Option<&str>) -> Flow {
        let step = id.filter(|_| done.live).and_then(|id| self.steps.get(id).copied());
        if let Some(step) = step {
            self.proves[step].add(&done.vars.always);
            done.way = self.go(Leg::Left(done.way, step));
        }
        others.iter().fold(done, |so_far, other| self.meet(so_far, other))
    }

    /// What holds on both ways; a way that cannot be reached does not weaken the other.
    #[must_use]
    pub fn meet(&mut self, mut one: Flow, other: &Flow) -> Flow {
        let live = (one.live, other.live);
        one.vars.meet(&other.vars, live);
        one.steps.meet(&other.steps, live);
        one.live |= other.live;
        if one.way == START {
            one.way = other.way;
        } else if other.way != one.way && other.way != START {
            one.way = self.go(Leg::Either(one.way, other.way));
        }
        one
    }

    /// The flow after branches that ran at once: which of them surely went to their end says
    /// `join`. What their steps were answered is a question of their outcomes alone.
    #[must_use]
    pub fn join(&mut self, before: &Flow, branches: Vec<Flow>, join: Join) -> Flow {
        let mut live = branches.iter().map(|branch| branch.live);
        let live = match join {
            Join::All => live.all(|one| one),
            Join::Any => live.any(|one| one),
            Join::Settled => true,
        };
        let mut after = before.clone();
        let mut sure: Option<Bits> = None;
        for branch in branches {
            after.vars.seen.add(&branch.vars.seen);
            after.steps.seen.add(&branch.steps.seen);
            if after.way == START {
                after.way = branch.way;
            } else if branch.way != after.way && branch.way != START {
                after.way = self.go(Leg::Either(after.way, branch.way));
            }
            let set = branch.vars.always;
            match (join, &mut sure) {
                (Join::Settled, _) => {}
                (Join::Any, _) if !branch.live => {}
                (Join::All | Join::Any, None) => sure = Some(set),
                (Join::All, Some(sure)) => sure.add(&set),
                (Join::Any, Some(sure)) => *sure = sure.both(&set),
            }
        }
        after.live = before.live && live;
        if let Some(sure) = sure {
            after.vars.always = sure;
        }
        after
    }

    /// The flow, with every other step and variable of the saga as something that may have come
    /// about.
    #[must_use]
    pub fn anywhere(&mut self, flow: &Flow) -> Flow {
        let mut flow = flow.clone();
        flow.live = true;
        flow.steps.seen.add(&self.forward);
        flow.way = self.go(Leg::Anywhere(flow.way, flow.vars.seen.clone()));
        for var in 0..self.savers.len() {
            flow.vars.seen.insert(var);
        }
        flow
    }

    /// Notes that nobody knows whether the step came to save this, written as in
    /// [`Flows::succeed`].
    pub fn doubt(&mut self, flow: &mut Flow, id: &str, saves: &[(&str, bool)]) {
        let step = self.steps.get(id).copied();
        for (name, surely) in saves {
            let Some(var) = self.vars.get(name).copied() else { continue };
            flow.vars.seen.insert(var);
            flow.vars.always.remove(var);
            flow.way = self.go(Leg::Anew(flow.way, var, step.filter(|_| *surely)));
        }
    }

    /// Whether the variable was set; nothing where no step before this point sets it.
    #[must_use]
    pub fn var(&self, flow: &Flow, name: &str) -> Option<Set<'a>> {
        let var = self.vars.get(name).copied().filter(|var| flow.vars.seen.has(*var))?;
        let always = flow.vars.always.has(var);
        let by = if always { Vec::new() } else { self.setters(flow.way, var) };
        Some(Set { always, by })
    }

    /// Whether the echo of the step came; nothing where it does not lie behind.
    #[must_use]
    pub fn step(&self, flow: &Flow, id: &str) -> Option<Set<'a>> {
        let step = self.steps.get(id).copied().filter(|step| flow.steps.seen.has(*step))?;
        let always = flow.steps.always.has(step);
        Some(Set { always, by: if always { Vec::new() } else { vec![self.ids[step]] } })
    }

    /// The steps on the way whose success proves that the variable was set, in their order.
    fn setters(&self, way: Way, var: usize) -> Vec<&'a str> {
        let mut found = Vec::new();
        let (mut told, mut gone) = (Bits::default(), Bits::default());
        let mut open = vec![(way, None)];
        while let Some((way, setter)) = open.pop() {
            if let Some(step) = setter {
                if told.insert(step) {
                    found.push(self.ids[step]);
                }
                continue;
            }
            if !gone.insert(way.0 as usize) {
                continue;
            }
            // What is pushed last is taken first: the way before its own last step.
            let step = |at: &usize| (way, Some(*at));
            match &self.ways[way.0 as usize] {
                Leg::Start => {}
                Leg::Saved(before, at) => {
                    open.extend(self.saves[*at].has(var).then_some(at).map(step));
                    open.push((*before, None));
                }
                Leg::Left(before, at) => {
                    open.extend(self.proves[*at].has(var).then_some(at).map(step));
                    open.push((*before, None));
                }
                Leg::Either(one, other) => open.extend([(*other, None), (*one, None)]),
                Leg::Anywhere(before, seen) if seen.has(var) => open.push((*before, None)),
                Leg::Anywhere(..) => open.extend(self.savers[var].iter().rev().map(step)),
                Leg::Anew(_, at, only) if *at == var => open.extend(only.as_ref().map(step)),
                Leg::Anew(before, ..) => open.push((*before, None)),
            }
        }
        found
    }

    fn go(&mut self, leg: Leg) -> Way {
        // Beyond that many legs no file that may be read comes.
        let way = Way(u32::try_from(self.ways.len()).unwrap_or(u32::MAX));
        self.ways.push(leg);
        way
    }

    /// Parts of ways that were gone, in all.
    #[cfg(test)]
    pub(super) fn legs(&self) -> usize {
        self.ways.len()
    }
}

impl Flow {
    /// A point before which nothing happened.
    #[must_use]
    pub fn nothing() -> Flow {
        Flow { live: true, vars: Known::default(), steps: Known::default(), way: START }
    }

    /// The flow after a step that was given up somewhere between `before` and `self`.
    #[must_use]
    pub fn given_up(&self, before: &Flow) -> Flow {
        let mut flow = self.clone();
        flow.live = true;
        flow.vars.always = self.vars.always.both(&before.vars.always);
        flow.steps.always = self.steps.always.both(&before.steps.always);
        flow
    }
}

impl Known {
    fn set(&mut self, number: usize) {
        self.seen.insert(number);
        self.always.insert(number);
    }

    fn meet(&mut self, other: &Known, live: (bool, bool)) {
        match live {
            (true, false) => {}
            (false, true) => self.always = other.always.clone(),
            (true, true) => self.always = self.always.both(&other.always),
            (false, false) => {
                let news = other.always.without(&self.seen);
                self.always = self.always.both(&other.always);
                self.always.add(&news);
            }
        }
        self.seen.add(&other.seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A saga whose steps `a` to `d` save variables of their names in capitals.
    fn flows() -> Flows<'static> {
        let mut flows = Flows { ways: vec![Leg::Start], ..Flows::default() };
        for (number, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            flows.steps.insert(id, number);
            flows.ids.push(id);
            flows.saves.push(Bits::default());
            flows.proves.push(Bits::default());
            flows.forward.insert(number);
            flows.savers.push(vec![number]);
        }
        flows.vars = ["A", "B", "C", "D"].into_iter().zip(0..).collect();
        flows
    }

    fn by(names: &[&'static str]) -> Option<Set<'static>> {
        Some(Set { always: false, by: names.to_vec() })
    }

    fn always() -> Option<Set<'static>> {
        Some(Set { always: true, by: Vec::new() })
    }

    #[test]
    fn a_skipped_step_leaves_a_guard() {
        let mut flows = flows();
        let before = flows.start(["B"].into_iter(), std::iter::empty());
        let mut ran = before.clone();
        flows.succeed(&mut ran, Some("a"), &[("A", true)]);
        let after = flows.or(ran, &[before], Some("a"));
        assert_eq!(flows.var(&after, "B"), always());
        assert_eq!(flows.var(&after, "A"), by(&["a"]));
        assert_eq!(flows.step(&after, "a"), by(&["a"]));
        assert_eq!(flows.var(&after, "C"), None);
    }

    #[test]
    fn a_way_that_ends_does_not_weaken_the_other() {
        let mut flows = flows();
        let before = Flow::nothing();
        let mut ran = before.clone();
        flows.succeed(&mut ran, Some("a"), &[("A", true)]);
        let mut ended = before;
        ended.live = false;
        let (one, other) = (flows.meet(ran.clone(), &ended), flows.meet(ended, &ran));
        assert_eq!(flows.var(&one, "A"), always());
        assert_eq!(flows.var(&other, "A"), always());
    }

    #[test]
    fn every_later_step_proves_what_was_set_on_its_way() {
        let mut flows = flows();
        let start = Flow::nothing();
        let mut flow = start.clone();
        for id in ["a", "b"] {
            flows.succeed(&mut flow, Some(id), &[("A", true)][usize::from(id == "b")..]);
            flow = flows.or(flow, &[], Some(id));
        }
        let skipped = flows.meet(flow, &start);
        assert_eq!(flows.var(&skipped, "A"), by(&["a", "b"]));
        let mut doubted = flows.anywhere(&skipped);
        assert_eq!(flows.var(&doubted, "A"), by(&["a", "b"]));
        assert_eq!(flows.var(&doubted, "D"), by(&["d"]));
        flows.doubt(&mut doubted, "c", &[("A", true), ("D", false)]);
        assert_eq!(flows.var(&doubted, "A"), by(&["c"]));
        assert_eq!(flows.var(&doubted, "D"), by(&[]));
    }
}
