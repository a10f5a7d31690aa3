//! Breadth first through all histories, equal moments met only once. Chooses nothing itself, and
//! judges only whether what was found can end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::definition::Catalog;
use crate::definition::spread::{InTurn, Spread};
use crate::limits::CHECK_STATES_MAX;
use crate::plan::{Plan, StepIx, Undo};
use crate::sim::world::World;

use super::Setting;
use super::act::{Act, Deed, Node};
use super::choices::beginnings;
use super::expand::{Expanded, Next, begin, expand};
use super::judge::{Broken, Property, broken};
use super::likeness::timeless;
use super::story::{Story, tell as tell_story};

/// How far is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Things that happen in one history, at most; absent: any number.
    pub depth: Option<u32>,
    /// Moments that are told apart, at most.
    pub states: usize,
    /// What moments are told apart by.
    pub detail: Detail,
    /// Whether [`Checked::timeless`] is kept.
    pub timeless: bool,
}

/// What moments are told apart by. The same is found with each, sooner or later; all but the first
/// are for who wants to see that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What anybody can still ask for, and the order in which things are due.
    Least,
    /// What anybody can still ask for, and how long it is until things are due.
    Times,
    /// Everything.
    All,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { depth: None, states: CHECK_STATES_MAX, detail: Detail::Least, timeless: false }
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
    /// How the saga ended, each state with each result, as text.
    pub ends: BTreeSet<String>,
    /// What was come to, whenever that was: a digest of each moment without its times.
    pub timeless: BTreeSet<u128>,
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

struct Explorer<'a, S> {
    spread: &'a S,
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
    ends: BTreeSet<String>,
    timeless: BTreeSet<u128>,
}

/// Moments that are gone on from at once: enough for all workers, few enough for the memory.
const PART: usize = 256;

/// Explores a saga; among `others` are those that it calls. `tell` hears now and then how far it
/// has come.
pub fn check(
    catalog: &Arc<Catalog>,
    plan: &Arc<Plan>,
    others: &[Arc<Plan>],
    bounds: Bounds,
    tell: &mut dyn FnMut(Progress),
) -> Checked {
    check_on(&InTurn, catalog, (plan, others), bounds, tell)
}

/// The same, shared out among whom there is; what is found does not depend on how many there are.
pub fn check_on<S: Spread>(
    spread: &S,
    catalog: &Arc<Catalog>,
    (plan, others): (&Arc<Plan>, &[Arc<Plan>]),
    bounds: Bounds,
    tell: &mut dyn FnMut(Progress),
) -> Checked {
    let mut explorer = Explorer {
        spread,
        setting: Setting::of(catalog, plan, others, bounds.detail),
        bounds,
        tell,
        seen: BTreeMap::new(),
        steps: Vec::new(),
        open: VecDeque::new(),
        deeds: 0,
        depth: 0,
        halted: None,
        reached: BTreeSet::new(),
        ends: BTreeSet::new(),
        timeless: BTreeSet::new(),
    };
    let root = explorer.root();
    let found = explorer.run(&root);
    let found = found.or_else(|| explorer.endless());
    let counterexample =
        found.map(|(broken, path)| (broken, tell_story(&explorer.setting, &root, &path)));
    let is_whole = explorer.halted.is_none() && counterexample.is_none();
    let unreached = if is_whole { explorer.unreached() } else { Vec::new() };
    let states = explorer.steps.len();
    let Explorer { deeds, depth, halted, ends, timeless, .. } = explorer;
    Checked { states, deeds, depth, halted, unreached, ends, timeless, counterexample }
}

type Found = (Broken, Vec<Deed>);

impl<S: Spread> Explorer<'_, S> {
    /// A launcher with all targets there, on which nothing has happened yet.
    fn root(&self) -> Node {
        let setting = &self.setting;
        let mut world = World::new(setting.catalog.clone(), setting.plans.clone());
        setting.targets.iter().for_each(|target| world.connect(target));
        world.settle();
        Node::new(world, setting.tells_all())
    }

    fn run(&mut self, root: &Node) -> Option<Found> {
        for act in beginnings(&self.setting) {
            let mut begun = begin(&self.setting, root, &act).into_iter();
            if let Some(found) = begun.find_map(|next| self.take(None, next)) {
                return Some(found);
            }
        }
        while !self.open.is_empty() {
            (self.tell)(Progress {
                states: self.steps.len(),
                open: self.open.len(),
                depth: self.depth,
            });
            let part = self.next_part();
            for (at, expanded) in self.expanded(&part) {
                for next in expanded.all {
                    if self.steps.len() >= self.bounds.states {
                        self.halted = Some(Halt::States(self.bounds.states));
                        return None;
                    }
                    if let Some(found) = self.take(Some(at), next) {
                        return Some(found);
                    }
                }
                self.steps[at as usize].is_closed = expanded.is_all;
            }
        }
        None
    }

    /// The next moments to go on from.
    fn next_part(&mut self) -> Vec<(u32, Node)> {
        let count = self.open.len().min(PART);
        let mut part: Vec<(u32, Node)> = self.open.drain(..count).collect();
        if let Some(most) = self.bounds.depth {
            part.retain(|(at, _)| self.steps[*at as usize].depth < most);
            if part.len() < count {
                self.halted.get_or_insert(Halt::Depth(most));
            }
        }
        part
    }

    /// What follows from each, in their order.
    fn expanded(&self, part: &[(u32, Node)]) -> Vec<(u32, Expanded)> {
        let (setting, seen) = (&self.setting, &self.seen);
        let expand = |(at, node): &(u32, Node)| {
            let mut expanded = expand(setting, node);
            // What was met before is not kept.
            for next in &mut expanded.all {
                if next.likeness.is_some_and(|likeness| seen.contains_key(&likeness)) {
                    next.node = None;
                }
            }
            (*at, expanded)
        };
        self.spread.map(part, expand)
    }

    /// Takes up what follows from a moment; what does not hold, with the way to it.
    fn take(&mut self, at: Option<u32>, next: Next) -> Option<Found> {
        self.deeds += 1;
        self.reached.extend(next.reached);
        if let Some((state, result)) = &next.end {
            let result = result.as_ref().map(|result| format!(" {result}"));
            self.ends.insert(format!("{}{}", state.as_str(), result.unwrap_or_default()));
        }
        if let Some(broken) = next.broken {
            let mut path = self.path(at);
            path.push(next.deed);
            return Some((broken, path));
        }
        let likeness = next.likeness?;
        if let Some(words) = self.meet(at, (likeness, next.node), next.deed) {
            let path = self.path(u32::try_from(self.steps.len() - 1).ok());
            return Some((broken(Property::Fold, words), path));
        }
        None
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

    /// Takes up a moment, unless it is one that was met before. Says what clashes where the log of
    /// a whole life is folded.
    fn meet(
        &mut self,
        parent: Option<u32>,
        (likeness, node): (u128, Option<Node>),
        deed: Deed,
    ) -> Option<String> {
        // That a person or a rival may put an end to it does not mean that it can end.
        let by_itself = !matches!(deed.act, Act::Cancel | Act::Rival);
        let from = parent.filter(|_| by_itself);
        if let Some(known) = self.seen.get(&likeness) {
            self.steps[*known as usize].from.extend(from);
            return None;
        }
        let mut node = node?;
        if self.bounds.timeless {
            self.timeless.insert(timeless(&self.setting, &node));
        }
        let depth = parent.map_or(0, |at| self.steps[at as usize].depth) + 1;
        let number = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        let is_end = node.is_over();
        self.depth = self.depth.max(depth);
        self.seen.insert(likeness, number);
        let from = from.into_iter().collect();
        self.steps.push(Step { parent, deed, depth, from, is_end, is_closed: is_end });
        if is_end {
            node.world.compare();
            return node.world.broken().map(str::to_owned);
        }
        self.open.push_back((number, node));
        None
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
