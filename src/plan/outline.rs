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
}

impl<'a> Outline<'a> {
    /// Walks the whole saga.
    #[must_use]
    pub fn of(saga: &'a Saga) -> Outline<'a> {
        let mut outline = Outline::default();
        for var in &saga.vars {
            outline.var(&var.name.value, var.name.span);
        }
        outline.list(&saga.steps, Part::Forward);
        outline.list(&saga.finally, Part::Finally);
        outline
    }

    fn list(&mut self, steps: &'a [Step], part: Part) {
        for step in steps {
            self.step(step, part);
        }
    }

    fn step(&mut self, step: &'a Step, part: Part) {
        if let Some(id) = &step.id {
            let known = Known { step, order: self.steps.len(), part };
            match self.steps.get(id.value.as_str()) {
                Some(first) => self.twice.push((&id.value, id.span, first.step.head())),
                None => {
                    self.steps.insert(&id.value, known);
                }
            }
        }
        self.saves(step);
        if let Verb::Group(children) = &step.verb {
            self.list(children, part);
        }
        if let Some(OnTimeout::Steps(children)) = step.on_timeout.as_ref().map(|on| &on.value) {
            self.list(children, part);
        }
        if let Some(Compensate::Step { step, .. }) = step.compensate.as_ref().map(|c| &c.value) {
            self.step(step, Part::Undo);
        }
    }

    fn saves(&mut self, step: &'a Step) {
        let Some(wait) = step.wait.as_ref().map(|wait| &wait.value) else { return };
        for alternative in wait.alternatives() {
            for save in &alternative.save {
                self.var(&save.name.value, save.name.span);
            }
        }
        if let Some(id) = &step.id {
            for name in surely_saved(wait) {
                self.vars.entry(name).or_default().by.push(&id.value);
            }
        }
    }

    fn var(&mut self, name: &'a str, span: Span) {
        self.vars.entry(name).or_insert(KnownVar { by: Vec::new(), span });
    }
}

/// What a step's wait saves: each variable, and whether it is set however the wait is satisfied.
#[must_use]
pub fn saves_of(step: &Step) -> Vec<(&str, bool)> {
    let Some(wait) = step.wait.as_ref().map(|wait| &wait.value) else { return Vec::new() };
    let surely = surely_saved(wait);
    saved(wait).into_iter().map(|name| (name, surely.binary_search(&name).is_ok())).collect()
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
