//! All steps of a saga as written, by id, before any is compiled: who is there, and what each may
//! set. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::saga::Saga;
use crate::definition::step::{Compensate, OnTimeout, Step, Verb};
use crate::definition::{Alternative, Await};
use crate::diag::Span;

/// The steps and variables that a saga's text names.
#[derive(Debug, Default)]
pub struct Outline<'a> {
    /// Steps that have an id; of two with one id, the first.
    pub steps: BTreeMap<&'a str, Known<'a>>,
    /// A second step of an id, and where the first one is.
    pub twice: Vec<(&'a str, Span, Span)>,
    /// Variables: initial ones and saved ones.
    pub vars: BTreeMap<&'a str, KnownVar<'a>>,
    /// Branches from number one on.
    forks: Vec<Fork<'a>>,
    /// Saves in which two branches meet: the variable, the later one, the earlier one.
    pub shared: Vec<(&'a str, Span, Span)>,
}

/// A step that has an id.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its place in the order of the text.
    pub order: usize,
    /// Where it stands.
    pub part: Part,
    /// The branch that it stands in.
    pub branch: Branch,
}

/// A branch by its number; zero is the trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch(pub u32);

/// A branch, and what it branches off.
#[derive(Clone, Copy, Debug)]
struct Fork<'a> {
    /// The branch around it.
    of: Branch,
    /// The step that has it.
    step: &'a Step,
    name: &'a str,
    /// Whether it runs once an element.
    is_loop: bool,
}

/// The part of a saga in which a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// On the way forward.
    Forward,
    /// In `finally`.
    Finally,
    /// In a `compensate`.
    Undo,
}

/// A variable.
#[derive(Clone, Debug, Default)]
pub struct KnownVar<'a> {
    /// Steps whose success surely sets it.
    pub by: Vec<&'a str>,
    /// Where it is named first.
    pub span: Span,
    /// Branches that save it, and where.
    pub saved_in: Vec<(Branch, Span)>,
}

impl<'a> Outline<'a> {
    /// Walks the whole saga.
    #[must_use]
    pub fn of(saga: &'a Saga) -> Outline<'a> {
        let mut outline = Outline::default();
        for var in saga.vars.iter().chain(&saga.eviction.save) {
            outline.var(&var.name.value, var.name.span);
        }
        outline.list(&saga.steps, Part::Forward, Branch(0));
        outline.list(&saga.finally, Part::Finally, Branch(0));
        outline
    }

    /// The name of a branch and the step that has it; the trunk has neither.
    #[must_use]
    pub fn branch(&self, branch: Branch) -> Option<(&'a str, &'a Step)> {
        let fork = self.fork(branch)?;
        Some((fork.name, fork.step))
    }

    fn fork(&self, branch: Branch) -> Option<&Fork<'a>> {
        self.forks.get(branch.0.checked_sub(1)? as usize)
    }

    /// Whether what stands in the two may run at the same time: they are, or are inside of, two
    /// branches of one step.
    #[must_use]
    pub fn at_once(&self, one: Branch, other: Branch) -> bool {
        let (mut one, mut other) = (one, other);
        // A branch has a higher number than those around it.
        while one != other {
            let (Some(a), Some(b)) = (self.fork(one), self.fork(other)) else { return false };
            if a.of == b.of {
                return std::ptr::eq(a.step, b.step);
            }
            if one > other { one = a.of } else { other = b.of }
        }
        false
    }

    /// Whether a step of that branch runs once an element of a loop that is not around the place.
    #[must_use]
    pub fn is_hidden(&self, branch: Branch, place: Branch) -> bool {
        let up = |at: &Branch| self.fork(*at).map(|fork| fork.of);
        let mut around = std::iter::successors(Some(branch), up);
        around.any(|at| {
            let is_loop = self.fork(at).is_some_and(|fork| fork.is_loop);
            is_loop && !std::iter::successors(Some(place), up).any(|here| here == at)
        })
    }

    /// The number of a branch that is about to be walked.
    #[must_use]
    pub fn branch_number(&self, step: &Step, name: &str) -> Branch {
        let same = |fork: &Fork<'_>| std::ptr::eq(fork.step, step) && fork.name == name;
        let place = self.forks.iter().position(same);
        Branch(place.map_or(0, |place| u32::try_from(place + 1).unwrap_or(u32::MAX)))
    }

    fn list(&mut self, steps: &'a [Step], part: Part, branch: Branch) {
        for step in steps {
            self.step(step, part, branch);
        }
    }

    fn step(&mut self, step: &'a Step, part: Part, branch: Branch) {
        if let Some(id) = &step.id {
            let known = Known { step, order: self.steps.len(), part, branch };
            match self.steps.get(id.value.as_str()) {
                Some(first) => self.twice.push((&id.value, id.span, first.step.head())),
                None => {
                    self.steps.insert(&id.value, known);
                }
            }
        }
        self.saves(step, branch);
        match &step.verb {
            Verb::Group(children) => self.list(children, part, branch),
            Verb::Parallel { branches, .. } => {
                for one in branches {
                    let name = &one.name.value;
                    self.forks.push(Fork { of: branch, step, name, is_loop: false });
                    let inside = u32::try_from(self.forks.len()).unwrap_or(u32::MAX);
                    self.step(&one.roof, part, Branch(inside));
                }
            }
            Verb::ForEach(each) => {
                self.forks.push(Fork { of: branch, step, name: "", is_loop: true });
                let inside = u32::try_from(self.forks.len()).unwrap_or(u32::MAX);
                self.step(&each.roof, part, Branch(inside));
            }
            Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Call { .. }
            | Verb::Fail(_)
            | Verb::Done => {}
        }
        for save in step.probe.iter().flat_map(|probe| &probe.save) {
            self.var(&save.name.value, save.name.span);
            self.share(&save.name.value, branch, save.name.span);
        }
        if let Some(OnTimeout::Steps(children)) = step.on_timeout.as_ref().map(|on| &on.value) {
            self.list(children, part, branch);
        }
        if let Some(Compensate::Step { step, .. }) = step.compensate.as_ref().map(|c| &c.value) {
            self.step(step, Part::Undo, branch);
        }
    }

    fn saves(&mut self, step: &'a Step, branch: Branch) {
        let Some(wait) = step.wait.as_ref().map(|wait| &wait.value) else { return };
        for alternative in wait.alternatives() {
            for save in &alternative.save {
                self.var(&save.name.value, save.name.span);
                self.share(&save.name.value, branch, save.name.span);
            }
        }
        if let Some(id) = &step.id {
            for name in surely_saved(wait) {
                self.vars.entry(name).or_default().by.push(&id.value);
            }
        }
    }

    fn var(&mut self, name: &'a str, span: Span) {
        self.vars.entry(name).or_insert_with(|| KnownVar { span, ..KnownVar::default() });
    }

    /// Notes that a branch saves the variable, and whether another one does at the same time.
    fn share(&mut self, name: &'a str, branch: Branch, span: Span) {
        let Some(known) = self.vars.get(name) else { return };
        let first = known.saved_in.iter().find(|(other, _)| self.at_once(branch, *other));
        if let Some((_, first)) = first {
            self.shared.push((name, span, *first));
        } else if let Some(known) = self.vars.get_mut(name) {
            known.saved_in.push((branch, span));
        }
    }
}

/// What a step's wait saves: each variable, and whether it is set however the wait is satisfied.
#[must_use]
pub fn saves_of(step: &Step) -> Vec<(&str, bool)> {
    let Some(wait) = step.wait.as_ref().map(|wait| &wait.value) else { return Vec::new() };
    let surely = surely_saved(wait);
    let mut names = saved(wait);
    // What a probe saves beyond that is there only where it was asked.
    let asked = step.probe.iter().flat_map(|probe| &probe.save);
    names.extend(asked.map(|save| save.name.value.as_str()));
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name, surely.binary_search(&name).is_ok())).collect()
}

/// Variables that a wait sets however it is satisfied, in the order of their names.
#[must_use]
pub fn surely_saved(wait: &Await) -> Vec<&str> {
    let mut all = saved(wait);
    if let Await::AnyOf(list) = wait {
        let each: Vec<BTreeSet<&str>> = list.iter().map(|one| saves(one).collect()).collect();
        all.retain(|name| each.iter().all(|saves| saves.contains(name)));
    }
    all
}

/// Variables that a wait may set, in the order of their names.
#[must_use]
pub fn saved(wait: &Await) -> Vec<&str> {
    let mut names: Vec<&str> = wait.alternatives().iter().flat_map(saves).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn saves(one: &Alternative) -> impl Iterator<Item = &str> {
    one.save.iter().map(|save| save.name.value.as_str())
}
