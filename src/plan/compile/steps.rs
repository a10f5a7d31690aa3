//! Steps into the arena, in the order of the text, with what is known at each of them. Payloads,
//! waits and policies have files of their own.

use std::sync::Arc;

use super::exprs::{Place, Stage};
use super::observe::Said;
use super::probe::Probed;
use super::undo::Undone;
use super::{Compiler, Passed, PendingUndo, Written};
use crate::definition::CommandDecl;
use crate::definition::step::{OnTimeout as OnTimeoutNode, Step as StepNode, Verb as VerbNode};
use crate::expr::{self, Facts, Type};
use crate::plan::flow::Flow;
use crate::plan::outline::{self, Branch, Part};
use crate::plan::{Body, OnTimeout, Step, StepIx, Undo, Verb};

/// What holds for all steps of a list.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The part of the saga.
    pub part: Part,
    /// What the `if`s around the list have proved.
    pub facts: Facts,
    /// In an undo: what it undoes.
    pub undone: Option<Undone>,
    /// The branch.
    pub branch: Branch,
    /// Loops around its steps.
    pub loops: u32,
    /// Their elements: names and types.
    pub elements: Vec<(String, Type)>,
    /// What stands before the ids of its steps in their paths: `ui.panes.`.
    pub prefix: Arc<str>,
}

impl Way {
    /// The trunk of that part of the saga.
    pub fn trunk(part: Part, facts: Facts) -> Way {
        Way {
            part,
            facts,
            undone: None,
            branch: Branch(0),
            loops: 0,
            elements: Vec::new(),
            prefix: Arc::from(""),
        }
    }
}

/// Where a step stands.
pub(super) struct Seat {
    pub body: Body,
    pub position: usize,
    pub path: Arc<str>,
}

impl Seat {
    /// A step that sits there, without a policy.
    pub fn step(self, verb: Verb, loops: u32) -> Step {
        Step {
            path: self.path,
            body: self.body,
            position: self.position,
            verb,
            condition: None,
            wait: None,
            fail_on: Vec::new(),
            timeout: None,
            on_timeout: OnTimeout::Fail,
            retry: None,
            undo: Undo::Nothing,
            covered_by: None,
            pivot: false,
            best_effort: false,
            loops,
            echo_is_read: false,
            probe: None,
        }
    }
}

impl<'a> Compiler<'a> {
    /// The way forward.
    pub(super) fn forward(&mut self, start: Flow) -> Vec<StepIx> {
        let way = Way::trunk(Part::Forward, self.given.clone());
        let saga = self.saga;
        let (main, end) = self.list(&saga.steps, Body::Main, "", start, &way);
        if end.live || self.ends.is_empty() {
            self.ends.push(end);
        }
        main
    }

    /// The steps of a list, each with what the ones before it have left. `path` leads children
    /// that go by number; others go by their ids.
    pub(super) fn list(
        &mut self,
        nodes: &'a [StepNode],
        body: Body,
        path: &str,
        mut flow: Flow,
        way: &Way,
    ) -> (Vec<StepIx>, Flow) {
        let mut list = Vec::with_capacity(nodes.len());
        for (position, node) in nodes.iter().enumerate() {
            let path: Arc<str> = match (&node.id, way.part) {
                (Some(id), Part::Forward | Part::Finally) if way.prefix.is_empty() => {
                    id.value.as_str().into()
                }
                (Some(id), Part::Forward | Part::Finally) => {
                    format!("{}{}", way.prefix, id.value).into()
                }
                (_, Part::Undo) | (None, Part::Forward | Part::Finally) => {
                    format!("{path}.{position}").into()
                }
            };
            let (ix, after) = self.step(node, Seat { body, position, path }, flow, way);
            list.push(ix);
            flow = after;
        }
        (list, flow)
    }

    /// The single step of a `compensate`.
    pub(super) fn undo_step(
        &mut self,
        node: &'a StepNode,
        owner: StepIx,
        flow: Flow,
        way: &Way,
    ) -> StepIx {
        let path = format!("{}.undo", self.steps[owner.0 as usize].path).into();
        self.step(node, Seat { body: Body::Undo(owner), position: 0, path }, flow, way).0
    }

    pub(super) fn step(
        &mut self,
        node: &'a StepNode,
        seat: Seat,
        before: Flow,
        way: &Way,
    ) -> (StepIx, Flow) {
        let path = seat.path.clone();
        let ix = self.open(node, seat, &before, way);
        let place = self.place_of(way, &before);
        let condition = node.condition.as_ref().and_then(|text| self.condition(text, &place));
        let mut inner = way.clone();
        if let Some(condition) = &condition {
            inner.facts = inner.facts.and(&expr::facts_when_true(condition));
        }
        let pivot_before = self.pivot;

        let (verb, command, mut done) = self.verb(node, ix, &path, &before, &inner);
        let place = self.place_of(&inner, &done);
        let wait = self.wait(node, command.as_deref(), &place);
        let said = Said::of(&path, &verb, node.head());
        let fail_on = self.fail_on(node, command.as_deref(), &said, &place);
        self.note_saves(node, &mut done);
        let (on_timeout, others) = self.on_timeout(node, ix, &path, &before, &done, &inner);
        self.pass_pivot(node, way.part, pivot_before);
        let after = self.leave(node, before.clone(), done, others, condition.is_some());

        // A question leaves nothing to undo.
        let is_probe = matches!(self.steps[ix.0 as usize].body, Body::Probe(_));
        let undo_is_pending = way.part == Part::Forward && !is_probe;
        let timeout = self.timeout_of(node, &verb, wait.is_some(), way.undone.as_ref());
        let retry = self.retry_of(node, &verb, wait.is_some());
        let probe = node.probe.as_ref().and_then(|probe| {
            self.probe(node, probe, Probed { ix, timeout, before: &before, way: &inner })
        });
        let step = &mut self.steps[ix.0 as usize];
        step.probe = probe;
        step.verb = verb;
        step.condition = condition;
        step.wait = wait;
        step.fail_on = fail_on;
        step.timeout = timeout;
        step.on_timeout = on_timeout;
        step.retry = retry;
        if undo_is_pending {
            self.undos.push(PendingUndo { owner: ix, step: node, before, way: inner });
        }
        (ix, after)
    }

    /// Takes a place in the arena before any child does.
    fn open(&mut self, node: &'a StepNode, seat: Seat, before: &Flow, way: &Way) -> StepIx {
        let ix = StepIx(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
        self.by_path.entry((&*seat.path).into()).or_insert(ix);
        if let Some(id) = &node.id {
            // An undoing step goes by its place; expressions may name it all the same.
            self.by_path.entry(id.value.as_str().into()).or_insert(ix);
        }
        self.written.push(Written {
            step: node,
            by_catalog: false,
            part: way.part,
            pivot: if way.part == Part::Forward { self.pivot } else { Passed::No },
            reachable: before.live,
        });
        self.steps.push(Step {
            pivot: node.pivot.is_some(),
            best_effort: node.best_effort.is_some(),
            ..seat.step(Verb::Done, way.loops)
        });
        ix
    }

    /// What can be read at a step.
    pub(super) fn place_of<'f>(&self, way: &Way, flow: &'f Flow) -> Place<'f> {
        Place::new(Stage::Step(way.part), flow)
            .with_facts(way.facts.clone())
            .undoing(way.undone.as_ref())
            .in_branch(way.branch, &way.elements)
    }

    /// The verb, and what is known once it has done its part.
    fn verb(
        &mut self,
        node: &'a StepNode,
        ix: StepIx,
        path: &str,
        before: &Flow,
        inner: &Way,
    ) -> (Verb, Option<Arc<CommandDecl>>, Flow) {
        let place = self.place_of(inner, before);
        let mut done = before.clone();
        match &node.verb {
            VerbNode::Issue { command, with, with_span } => {
                let decl = self.command(command);
                let at = with_span.unwrap_or(command.span);
                let (verb, decl) = self.issue(command, decl, with, at, &place);
                (verb, decl, done)
            }
            VerbNode::Emit { event, with, with_span } => {
                let decl = self.event(event);
                let at = with_span.unwrap_or(event.span);
                let fields = decl.as_ref().map(|decl| &decl.fields);
                let with = self.payload(&event.value, fields, with, at, &place);
                (Verb::Emit { event: event.value.as_str().into(), with }, None, done)
            }
            VerbNode::Group(children) => {
                let (list, after) =
                    self.list(children, Body::Group(ix), path, before.clone(), inner);
                (Verb::Group(list), None, after)
            }
            VerbNode::Parallel { branches, join } => {
                let (verb, after) = self.branches(node, (branches, join), ix, path, before, inner);
                (verb, None, after)
            }
            VerbNode::ForEach(each) => {
                let (verb, after) = self.for_each(node, each, ix, path, before, inner);
                (verb, None, after)
            }
            VerbNode::Call { saga, with, with_span } => {
                let at = with_span.unwrap_or(saga.span);
                (self.call(saga, with, at, &place), None, done)
            }
            VerbNode::Fail(words) => {
                done.live = false;
                (Verb::Fail(self.words(words, &place)), None, done)
            }
            VerbNode::Done => {
                self.ends.push(before.clone());
                done.live = false;
                (Verb::Done, None, done)
            }
            VerbNode::Await => (Verb::Await, None, done),
            VerbNode::Delay(span) => (Verb::Delay(span.value), None, done),
        }
    }

    /// After its success the step lies behind, and what its wait saves is set.
    fn note_saves(&mut self, node: &StepNode, done: &mut Flow) {
        self.flows.succeed(done, id_of(node), &outline::saves_of(node));
    }

    /// `on_timeout`, and the ways on that it opens beside success.
    fn on_timeout(
        &mut self,
        node: &'a StepNode,
        ix: StepIx,
        path: &str,
        before: &Flow,
        done: &Flow,
        inner: &Way,
    ) -> (OnTimeout, Vec<Flow>) {
        let given_up = done.given_up(before);
        match node.on_timeout.as_ref().map(|on| &on.value) {
            None | Some(OnTimeoutNode::Fail) => (OnTimeout::Fail, Vec::new()),
            Some(OnTimeoutNode::Continue) => (OnTimeout::Continue, vec![given_up]),
            Some(OnTimeoutNode::Steps(children)) => {
                let path = format!("{path}.on_timeout");
                let body = Body::OnTimeout(ix);
                let (list, after) = self.list(children, body, &path, given_up, inner);
                (OnTimeout::Steps(list), vec![after])
            }
        }
    }

    /// What is known after the step, whichever way it went, if the saga goes on.
    fn leave(
        &mut self,
        node: &StepNode,
        before: Flow,
        done: Flow,
        mut others: Vec<Flow>,
        may_be_skipped: bool,
    ) -> Flow {
        if node.best_effort.is_some() {
            others.push(done.given_up(&before));
        }
        if may_be_skipped {
            others.push(before);
        }
        self.flows.or(done, &others, id_of(node))
    }

    /// Whether the pivot lies behind after this step.
    fn pass_pivot(&mut self, node: &StepNode, part: Part, before: Passed) {
        if part != Part::Forward {
            return;
        }
        if node.pivot.is_some() {
            self.pivot = Passed::Surely;
        }
        let goes_around = node.condition.is_some()
            || node.best_effort.is_some()
            || node.on_timeout.as_ref().is_some_and(|on| on.value != OnTimeoutNode::Fail);
        if goes_around && before != Passed::Surely && self.pivot == Passed::Surely {
            self.pivot = Passed::Maybe;
        }
    }
}

fn id_of(node: &StepNode) -> Option<&str> {
    node.id.as_ref().map(|id| id.value.as_str())
}
