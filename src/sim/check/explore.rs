//! Breadth first through all histories, equal moments met only once. Chooses nothing itself, and
//! judges only whether what was found can end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::definition::Catalog;
use crate::ids::SagaId;
use crate::limits::CHECK_STATES_MAX;
use crate::plan::{Plan, StepIx, Undo};
use crate::saga::record::{Ending, Record};
use crate::sim::world::World;

use super::Setting;
use super::act::{Act, Deed, Done, Node};
use super::choices::{beginnings, choices};
use super::judge::{Broken, Folded, Property, broken};
use super::likeness::likeness;
use super::story::{Story, tell as tell_story};

/// How far is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Things that happen in one history, at most; absent: any number.
    pub depth: Option<u32>,
    /// Moments that are told apart, at most.
    pub states: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { depth: None, states: CHECK_STATES_MAX }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Moments that were told apart so far.
    pub states: usize,
    /// Those that are still to be gone on from.
    pub open: usize,
    /// Things that happened in the longest history.
    pub depth: u32,
}

/// Why not everything was explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Histories of more than so many happenings were not gone on with.
    Depth(u32),
    /// So many moments were told apart, and there are more.
    States(usize),
}

/// What was found.
#[derive(Debug)]
pub struct Checked {
    /// Moments that were told apart.
    pub states: usize,
    /// Things that happened, in all histories.
    pub deeds: usize,
    /// Things that happened in the longest history.
    pub depth: u32,
    /// Why not everything was explored; absent: it was.
    pub halted: Option<Halt>,
    /// Steps that no history came to, where all were explored.
    pub unreached: Vec<Arc<str>>,
    /// What does not hold, and the shortest history that shows it.
    pub counterexample: Option<(Broken, Story)>,
}

/// Where a moment was first come to.
#[derive(Debug)]
struct Step {
    parent: Option<u32>,
    deed: Deed,
    depth: u32,
    /// The moments that lead on to this one by themselves.
    from: Vec<u32>,
    is_end: bool,
    /// Whether it was gone on from.
    is_closed: bool,
}

struct Explorer<'a> {
    setting: Setting,
    bounds: Bounds,
    tell: &'a mut dyn FnMut(Progress),
    seen: BTreeMap<u128, u32>,
    steps: Vec<Step>,
    open: VecDeque<(u32, Node)>,
    deeds: usize,
    depth: u32,
    halted: Option<Halt>,
    reached: BTreeSet<StepIx>,
}

/// Explores a saga; among `others` are those that it calls. `tell` hears now and then how far it
/// has come.
pub fn check(
    catalog: &Arc<Catalog>,
    plan: &Arc<Plan>,
    others: &[Arc<Plan>],
    bounds: Bounds,
    tell: &mut dyn FnMut(Progress),
) -> Checked {
    let mut explorer = Explorer {
        setting: Setting::of(catalog, plan, others),
        bounds,
        tell,
        seen: BTreeMap::new(),
        steps: Vec::new(),
        open: VecDeque::new(),
        deeds: 0,
        depth: 0,
        halted: None,
        reached: BTreeSet::new(),
    };
    let root = explorer.root();
    let found = explorer.run(&root);
    let found = found.or_else(|| explorer.endless());
    let counterexample =
        found.map(|(broken, path)| (broken, tell_story(&explorer.setting, &root, &path)));
    let is_whole = explorer.halted.is_none() && counterexample.is_none();
    let unreached = if is_whole { explorer.unreached() } else { Vec::new() };
    let Explorer { steps, deeds, depth, halted, .. } = explorer;
    Checked { states: steps.len(), deeds, depth, halted, unreached, counterexample }
}

type Found = (Broken, Vec<Deed>);

impl Explorer<'_> {
    /// A launcher with all targets there, on which nothing has happened yet.
    fn root(&self) -> Node {
        let setting = &self.setting;
        let mut world = World::new(setting.catalog.clone(), setting.plans.clone());
        setting.targets.iter().for_each(|target| world.connect(target));
        world.settle();
        Node::new(world)
    }

    fn run(&mut self, root: &Node) -> Option<Found> {
        for act in beginnings(&self.setting) {
            if let Some(found) = self.go(None, root, &act) {
                return Some(found);
            }
        }
        while let Some((at, node)) = self.open.pop_front() {
            if self.deeds.is_multiple_of(256) {
                self.progress();
            }
            let depth = self.steps[at as usize].depth;
            if self.bounds.depth.is_some_and(|most| depth >= most) {
                self.halted.get_or_insert(Halt::Depth(depth));
                continue;
            }
            for act in choices(&self.setting, &node) {
                if self.steps.len() >= self.bounds.states {
                    self.halted = Some(Halt::States(self.bounds.states));
                    return None;
                }
                if let Some(found) = self.go(Some(at), &node, &act) {
                    return Some(found);
                }
            }
            self.steps[at as usize].is_closed = true;
        }
        None
    }

    fn progress(&mut self) {
        let (states, open, depth) = (self.steps.len(), self.open.len(), self.depth);
        (self.tell)(Progress { states, open, depth });
    }

    /// Lets it happen at that moment; where it is of several commits, also with a crash after each.
    fn go(&mut self, at: Option<u32>, node: &Node, act: &Act) -> Option<Found> {
        let deed = Deed { act: act.clone(), dies: None };
        let (commits, found) = self.try_one(at, node, deed);
        if found.is_some() || matches!(act, Act::Crash) {
            return found;
        }
        for commit in 1..commits {
            let deed = Deed { act: act.clone(), dies: Some(commit) };
            let (_, found) = self.try_one(at, node, deed);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn try_one(&mut self, at: Option<u32>, node: &Node, deed: Deed) -> (u64, Option<Found>) {
        let mut next = node.clone();
        let folded = Folded::before(&self.setting.plans, &next);
        let done = next.happen(&deed);
        self.deeds += 1;
        let found = folded.after(&mut next, &done);
        self.note(next.main(), &done);
        if let Some(broken) = found {
            let mut path = self.path(at);
            path.push(deed);
            return (done.commits, Some((broken, path)));
        }
        self.meet(at, next, deed);
        (done.commits, None)
    }

    /// Notes the steps that were come to.
    fn note(&mut self, main: Option<SagaId>, done: &Done) {
        let plan = self.setting.plan();
        let own = done.facts().iter().filter(|(_, fact)| fact.saga == main);
        for (_, fact) in own {
            let skips = matches!(&fact.record, Record::Outcome(o) if o.outcome == Ending::Skipped);
            let step = fact.record.step().and_then(|path| plan.find(path));
            self.reached.extend(step.filter(|_| !skips));
        }
    }

    /// Steps that no history came to. An undo that another one stands for is never come to.
    fn unreached(&self) -> Vec<Arc<str>> {
        let plan = self.setting.plan();
        let replaced = |ix: StepIx| {
            let owners = std::iter::successors(Some(ix), |at| Plan::owner(plan.step(*at).body));
            let mut owners = owners.skip(1).map(|at| plan.step(at));
            owners.next().is_some_and(|own| own.covered_by.is_some())
                || owners.any(|around| around.undo != Undo::Nothing)
        };
        let steps = (0u32..).map(StepIx).zip(&plan.steps);
        let missing = steps
            .filter(|(ix, _)| !self.reached.contains(ix))
            .filter(|(ix, _)| !plan.is_undo(*ix) || !replaced(*ix));
        missing.map(|(_, step)| step.path.clone()).collect()
    }

    /// Takes up a moment, unless it is one that was met before.
    fn meet(&mut self, parent: Option<u32>, node: Node, deed: Deed) {
        if node.books.sagas.is_empty() {
            return;
        }
        let likeness = likeness(&self.setting, &node);
        // That a person or a rival may put an end to it does not mean that it can end.
        let by_itself = !matches!(deed.act, Act::Cancel | Act::Rival);
        let from = parent.filter(|_| by_itself);
        if let Some(known) = self.seen.get(&likeness) {
            self.steps[*known as usize].from.extend(from);
            return;
        }
        let depth = parent.map_or(0, |at| self.steps[at as usize].depth) + 1;
        let number = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let is_end = node.is_over();
        self.depth = self.depth.max(depth);
        self.seen.insert(likeness, number);
        let from = from.into_iter().collect();
        self.steps.push(Step { parent, deed, depth, from, is_end, is_closed: is_end });
        if !is_end {
            self.open.push_back((number, node));
        }
    }

    fn path(&self, to: Option<u32>) -> Vec<Deed> {
        let step = |at: u32| &self.steps[at as usize];
        let back = std::iter::successors(to, |at| step(*at).parent);
        let mut path: Vec<Deed> = back.map(|at| step(at).deed.clone()).collect();
        path.reverse();
        path
    }

    /// The first moment from which no end can be reached; what was not gone on from may end.
    fn endless(&self) -> Option<Found> {
        let mut ends: Vec<bool> =
            self.steps.iter().map(|step| step.is_end || !step.is_closed).collect();
        let mut open: Vec<usize> = (0..ends.len()).filter(|at| ends[*at]).collect();
        while let Some(at) = open.pop() {
            for from in &self.steps[at].from {
                let from = *from as usize;
                if !std::mem::replace(&mut ends[from], true) {
                    open.push(from);
                }
            }
        }
        let stuck = ends.iter().position(|ends| !ends)?;
        let words = "from here on nothing but a cancel leads to an end";
        let path = self.path(u32::try_from(stuck).ok());
        Some((broken(Property::Ends, words), path))
    }
}
