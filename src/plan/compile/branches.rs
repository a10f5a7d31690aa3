//! Branches: what runs at once, what each may read, and what holds behind them all.

use std::sync::Arc;

use super::exprs::{Place, Stage};
use super::steps::{Seat, Way};
use super::{Compiler, Passed};
use crate::definition::Text;
use crate::definition::step::{
    Branch as BranchNode, ForEach as ForEachNode, Join as JoinNode, OnTimeout as OnTimeoutNode,
    Step as StepNode, Verb as VerbNode,
};
use crate::diag::{At, Span};
use crate::expr::{self, Ast, Type};
use crate::plan::flow::Flow;
use crate::plan::outline::{Branch, Part};
use crate::plan::{Body, ForEach, Join, StepIx, Verb};

impl<'a> Compiler<'a> {
    /// The branches of a `parallel`, each from the point before it.
    pub(super) fn branches(
        &mut self,
        node: &'a StepNode,
        (branches, join): (&'a [BranchNode], &At<JoinNode>),
        ix: StepIx,
        path: &str,
        before: &Flow,
        inner: &Way,
    ) -> (Verb, Flow) {
        let entering = self.pivot;
        let join_of = join_of(join);
        let pivots: Vec<bool> = branches.iter().map(|one| has_pivot(&one.roof)).collect();
        let (mut roofs, mut flows) = (Vec::new(), Vec::new());
        let mut leaving = entering;
        for (position, one) in branches.iter().enumerate() {
            let beside = pivots.iter().enumerate().any(|(at, pivot)| *pivot && at != position);
            self.pivot = match join_of {
                // What loses is undone, wherever it stands.
                Join::Any => Passed::No,
                Join::All | Join::Settled if beside => entering.max(Passed::Maybe),
                Join::All | Join::Settled => entering,
            };
            let roof: Arc<str> = format!("{path}.{}", one.name.value).into();
            let way = Way {
                branch: self.outline.branch_number(node, &one.name.value),
                prefix: format!("{roof}.").into(),
                ..inner.clone()
            };
            let seat = Seat { body: Body::Branches(ix), position, path: roof };
            let (ix, after) = self.step(&one.roof, seat, before.clone(), &way);
            roofs.push(ix);
            flows.push(after);
            leaving = leaving.max(self.pivot);
        }
        self.pivot = match join_of {
            Join::All | Join::Settled => leaving,
            Join::Any => entering,
        };
        let after = self.flows.join(before, flows, join_of);
        if before.live && !after.live {
            self.found.add_join_never(join);
        }
        (Verb::Parallel { branches: roofs, join: join_of }, after)
    }

    /// A loop: its steps once, from the point before it, with the element's name.
    pub(super) fn for_each(
        &mut self,
        node: &'a StepNode,
        each: &'a ForEachNode,
        ix: StepIx,
        path: &str,
        before: &Flow,
        inner: &Way,
    ) -> (Verb, Flow) {
        let place = self.place_of(inner, before);
        let (over, element) = self.list_of(&each.over, &place);
        let name = &each.element;
        if inner.elements.iter().any(|(known, _)| *known == name.value) {
            self.found.add_element_twice(name);
        }
        let join = join_of(&each.join);
        let entering = self.pivot;
        if join == Join::Any {
            self.pivot = Passed::No;
        }
        let roof: Arc<str> = format!("{path}[]").into();
        let mut way = Way {
            branch: self.outline.branch_number(node, ""),
            loops: inner.loops + 1,
            prefix: format!("{roof}.").into(),
            ..inner.clone()
        };
        way.elements.push((name.value.clone(), element));
        let seat = Seat { body: Body::Branches(ix), position: 0, path: roof };
        let (roof, after) = self.step(&each.roof, seat, before.clone(), &way);
        self.pivot = entering;
        let place = self.place_of(&way, &after);
        let collect = each.collect.as_ref().and_then(|text| self.bare(text, &place));
        let (collect, ty) = collect.unzip();
        if let (Some(id), Some(ty)) = (&node.id, ty) {
            self.collected.insert(id.value.clone(), ty);
        }
        if before.live && !after.live && join != Join::Settled {
            self.found.add_join_never(&each.join);
        }
        let verb = Verb::ForEach(Box::new(ForEach {
            over: over.unwrap_or_else(nothing),
            element: name.value.as_str().into(),
            max_parallel: each.max_parallel.as_ref().map(|most| most.value),
            collect,
            roof,
            join,
        }));
        // What is inside stays there; of no element at all nothing is known.
        (verb, before.clone())
    }

    /// An expression that must be a list, and the type of its elements.
    fn list_of(&mut self, text: &Text, place: &Place<'_>) -> (Option<Ast>, Type) {
        match self.bare(text, place) {
            None => (None, Type::Dyn),
            Some((ast, Type::List(element))) => (Some(ast), *element),
            Some((ast, Type::Dyn)) => (Some(ast), Type::Dyn),
            Some((ast, other)) => {
                self.found.add_no_list(text.at(ast.at()), &other);
                (Some(ast), Type::Dyn)
            }
        }
    }

    /// Whether what stands in that branch runs beside the place, so that nothing is known of it.
    pub(super) fn runs_beside(&self, branch: Branch, place: &Place<'_>) -> bool {
        place.stage == Stage::Step(Part::Forward) && self.outline.at_once(branch, place.branch)
    }

    /// Says that a variable is read which another branch sets at the same time.
    pub(super) fn hold_to_branch(&mut self, name: &str, at: Span, place: &Place<'_>) {
        let Some(known) = self.outline.vars.get(name) else { return };
        let beside = known.saved_in.iter().find(|(by, _)| self.runs_beside(*by, place));
        if let Some((_, saved)) = beside.copied() {
            self.found.add_branches_share(name, at, saved);
        }
    }
}

fn join_of(join: &At<JoinNode>) -> Join {
    match join.value {
        JoinNode::All => Join::All,
        JoinNode::Any => Join::Any,
        JoinNode::Settled => Join::Settled,
    }
}

/// What stands for an expression that could not be read, which was said.
fn nothing() -> Ast {
    expr::parse("[]").expect("it is an expression")
}

/// Whether the step or any inside it is a pivot.
fn has_pivot(step: &StepNode) -> bool {
    let any = |steps: &[StepNode]| steps.iter().any(has_pivot);
    let inside = match &step.verb {
        VerbNode::Group(steps) => any(steps),
        VerbNode::ForEach(each) => has_pivot(&each.roof),
        VerbNode::Parallel { branches, .. } => branches.iter().any(|one| has_pivot(&one.roof)),
        VerbNode::Issue { .. }
        | VerbNode::Await
        | VerbNode::Emit { .. }
        | VerbNode::Delay(_)
        | VerbNode::Call { .. }
        | VerbNode::Fail(_)
        | VerbNode::Done => false,
    };
    let instead = match step.on_timeout.as_ref().map(|on| &on.value) {
        Some(OnTimeoutNode::Steps(steps)) => any(steps),
        Some(OnTimeoutNode::Fail | OnTimeoutNode::Continue) | None => false,
    };
    step.pivot.is_some() || inside || instead
}
