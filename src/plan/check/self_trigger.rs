//! SF604: a saga whose own doing starts it again without end, also around several sagas.

use std::collections::BTreeMap;

use crate::definition::catalog::CommandDecl;
use crate::definition::saga::TriggerKind;
use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::plan::compile::Compiled;
use crate::plan::{Body, Plan, Policy, Step, Verb};

/// One saga starting another.
struct Edge<'a> {
    to: usize,
    event: &'a str,
}

pub(super) fn check(sagas: &[Compiled<'_>], out: &mut Diagnostics) {
    let starts = starts(sagas);
    let edges: Vec<Vec<Edge<'_>>> =
        sagas.iter().enumerate().map(|(at, saga)| edges(at, saga, &starts, sagas)).collect();
    let mut said = vec![false; sagas.len()];
    for first in 0..sagas.len() {
        if said[first] {
            continue;
        }
        if let Some(cycle) = cycle(first, &edges) {
            for (at, _) in &cycle {
                said[*at] = true;
            }
            let names: Vec<(&str, &str)> =
                cycle.iter().map(|(at, event)| (&*sagas[*at].plan.name, *event)).collect();
            let closing = names.last().map_or("", |(_, event)| *event);
            // Each of the others is wrong too: so they are told by their own places.
            let others = cycle.windows(2).map(|pair| {
                let (event, to) = (pair[0].1, pair[1].0);
                (trigger_span(&sagas[to], event), &*sagas[to].plan.name, event)
            });
            out.add_self_trigger(trigger_span(&sagas[first], closing), &names, others);
        }
    }
}

/// Sagas by the event that always starts them.
fn starts<'a>(sagas: &'a [Compiled<'_>]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut starts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, saga) in sagas.iter().enumerate() {
        // With a `when` or a guard the circle may end; only what surely goes on is an error.
        for one in saga.plan.trigger.events.iter().filter(|one| one.when.is_none()) {
            if saga.plan.require.is_empty() {
                starts.entry(&one.event).or_default().push(at);
            }
        }
    }
    starts
}

/// What a saga surely starts when all goes well.
fn edges<'a>(
    at: usize,
    saga: &'a Compiled<'_>,
    starts: &BTreeMap<&str, Vec<usize>>,
    sagas: &[Compiled<'_>],
) -> Vec<Edge<'a>> {
    let mut edges = Vec::new();
    for step in saga.plan.steps.iter().filter(|step| always_runs(&saga.plan, step)) {
        let Some(event) = published(&saga.plan, step) else { continue };
        for to in starts.get(event).into_iter().flatten() {
            // A newcomer that is turned away while the saga runs does not start. Of an answer that
            // is sure enough, for it tells of what the saga began with; an `emit` carries what it
            // likes, so another key too.
            let turned_away = *to == at
                && !matches!(step.verb, Verb::Emit { .. })
                && match sagas[*to].plan.eviction.policy {
                    Policy::Ignore | Policy::Refuse => true,
                    Policy::Replace | Policy::Queue | Policy::Parallel | Policy::Join => false,
                };
            if !turned_away {
                edges.push(Edge { to: *to, event });
            }
        }
    }
    edges
}

/// Whether the step runs in every saga that completes.
fn always_runs(plan: &Plan, step: &Step) -> bool {
    let mut at = step;
    loop {
        if at.condition.is_some() || at.best_effort {
            return false;
        }
        at = match at.body {
            // What runs on every end runs at the end of each that is started by it.
            Body::Main | Body::Finally => return true,
            Body::OnTimeout(_) | Body::Undo(_) | Body::Probe(_) => return false,
            Body::Group(owner) | Body::Branches(owner) => {
                // A loser may have been cancelled before it came to that.
                if !plan.step(owner).verb.runs_all() {
                    return false;
                }
                plan.step(owner)
            }
        };
    }
}

/// The event that a step surely brings about: what it emits, or the only answer to its command.
fn published<'a>(plan: &'a Plan, step: &'a Step) -> Option<&'a str> {
    match &step.verb {
        Verb::Emit { event, .. } => Some(event),
        Verb::Issue { command, .. } => {
            let echoes = plan
                .commands
                .get(command)
                .map(|decl: &std::sync::Arc<CommandDecl>| decl.echoes.as_slice())?;
            let [only] = echoes else { return None };
            Some(only)
        }
        Verb::Await
        | Verb::Delay(_)
        | Verb::Group(_)
        | Verb::Parallel { .. }
        | Verb::ForEach(_)
        | Verb::Call(_)
        | Verb::Recall
        | Verb::Fail(_)
        | Verb::Done => None,
    }
}

/// The shortest way from a saga back to itself.
fn cycle<'a>(first: usize, edges: &[Vec<Edge<'a>>]) -> Option<Vec<(usize, &'a str)>> {
    let mut came: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
    let mut wave = vec![first];
    while !wave.is_empty() {
        let mut next = Vec::new();
        for at in wave {
            for edge in &edges[at] {
                if edge.to == first {
                    let mut way = vec![(at, edge.event)];
                    let mut back = at;
                    while back != first {
                        let (from, event) = came[&back];
                        way.push((from, event));
                        back = from;
                    }
                    way.reverse();
                    return Some(way);
                }
                came.entry(edge.to).or_insert_with(|| {
                    next.push(edge.to);
                    (at, edge.event)
                });
            }
        }
        wave = next;
    }
    None
}

fn trigger_span(saga: &Compiled<'_>, event: &str) -> Span {
    let alternatives = &saga.saga.trigger.alternatives;
    let named = alternatives.iter().find_map(|one| match &one.kind {
        TriggerKind::Event { event: name, .. } if name.value == event => Some(name.span),
        TriggerKind::Event { .. } | TriggerKind::Call { .. } | TriggerKind::Schedule(_) => None,
    });
    named.unwrap_or(saga.saga.trigger.span)
}

impl Diagnostics {
    fn add_self_trigger<'a>(
        &mut self,
        at: Span,
        cycle: &[(&str, &str)],
        others: impl Iterator<Item = (Span, &'a str, &'a str)>,
    ) {
        let way: Vec<String> =
            cycle.iter().map(|(saga, event)| format!("`{saga}` brings about `{event}`")).collect();
        let first = cycle.first().map_or("", |(saga, _)| *saga);
        let message = format!("saga `{first}` starts itself again without end: {}", way.join(", "));
        let help = "give the trigger a `when` that ends the circle, or emit another event";
        let one = Diagnostic::new(Code::SelfTrigger, at, message).help(help);
        self.push(others.fold(one, |one, (at, saga, event)| {
            one.also(at, format!("`{event}` starts `{saga}`"))
        }));
    }
}
