//! SF505 and SF606: sagas that call each other in a circle. Where the one that is called again
//! needs the very key that its caller still holds, that is what is said.

use std::collections::BTreeMap;

use crate::diag::{At, Code, Diagnostic, Diagnostics, Span};
use crate::limits::CALL_DEPTH;
use crate::plan::Policy;
use crate::plan::callees::calls_of;
use crate::plan::compile::Compiled;

/// One saga calling another.
struct Edge<'a> {
    to: usize,
    name: &'a At<String>,
}

pub(super) fn check(sagas: &[Compiled<'_>], out: &mut Diagnostics) {
    let place: BTreeMap<&str, usize> =
        sagas.iter().enumerate().map(|(at, saga)| (&*saga.plan.name, at)).collect();
    let edges: Vec<Vec<Edge<'_>>> = sagas
        .iter()
        .map(|saga| {
            let calls = calls_of(saga.saga).into_iter();
            calls
                .filter_map(|name| Some(Edge { to: *place.get(name.value.as_str())?, name }))
                .collect()
        })
        .collect();
    let mut said = vec![false; sagas.len()];
    for first in 0..sagas.len() {
        let Some(way) = way_back(first, &edges).filter(|_| !said[first]) else { continue };
        way.iter().for_each(|edge| said[edge.to] = true);
        let names: Vec<&str> = way.iter().map(|edge| edge.name.value.as_str()).collect();
        let eviction = &sagas[first].plan.eviction;
        // Without a `key` all sagas of the name contend, so that the newcomer meets its own caller.
        if eviction.key.is_empty() && eviction.policy != Policy::Parallel {
            let policy = sagas[first].saga.eviction.policy.span;
            out.add_same_key(&way, policy, &names);
        } else {
            out.add_call_cycle(&way, &names);
        }
    }
    let depths = depths(&edges, &said);
    for (at, depth) in depths.into_iter().enumerate() {
        if depth == CALL_DEPTH + 1
            && let Some(edge) = edges[at].first()
        {
            out.add_call_depth(edge.name);
        }
    }
}

/// The shortest way of calls from a saga back to itself.
fn way_back<'a>(first: usize, edges: &'a [Vec<Edge<'a>>]) -> Option<Vec<&'a Edge<'a>>> {
    let mut came: BTreeMap<usize, (usize, &Edge<'_>)> = BTreeMap::new();
    let mut wave = vec![first];
    while !wave.is_empty() {
        let mut next = Vec::new();
        for at in wave {
            for edge in &edges[at] {
                if edge.to == first {
                    let mut way = vec![edge];
                    let mut back = at;
                    while back != first {
                        let (from, edge) = came[&back];
                        way.push(edge);
                        back = from;
                    }
                    way.reverse();
                    return Some(way);
                }
                came.entry(edge.to).or_insert_with(|| {
                    next.push(edge.to);
                    (at, edge)
                });
            }
        }
        wave = next;
    }
    None
}

/// How deep the calls below each saga go; of one in a circle nothing is said.
fn depths(edges: &[Vec<Edge<'_>>], in_circle: &[bool]) -> Vec<usize> {
    let mut depths = vec![0; edges.len()];
    // Each round settles one level more, and one that is too deep is deep enough.
    for _ in 0..=CALL_DEPTH {
        for at in (0..edges.len()).filter(|at| !in_circle[*at]) {
            let below = edges[at].iter().filter(|edge| !in_circle[edge.to]);
            depths[at] = below.map(|edge| depths[edge.to] + 1).max().unwrap_or(0);
        }
    }
    depths
}

fn circle(names: &[&str]) -> String {
    let words: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    words.join(", which calls ")
}

/// The finding, told also at the other calls of the circle: each of their sagas is wrong.
fn with_others(one: Diagnostic, others: &[&Edge<'_>]) -> Diagnostic {
    let also = |one: Diagnostic, edge: &&Edge<'_>| {
        one.also(edge.name.span, format!("`{}` is called here", edge.name.value))
    };
    others.iter().fold(one, also)
}

impl Diagnostics {
    fn add_same_key(&mut self, way: &[&Edge<'_>], policy: Span, names: &[&str]) {
        let (last, others) = way.split_last().expect("a way has at least one call");
        let message = format!(
            "this calls {}, and the newcomer needs the key that its own caller holds",
            circle(names)
        );
        let one = Diagnostic::new(Code::SameKey, last.name.span, message)
            .also(policy, "all sagas of this name contend for one key")
            .help("call another saga, or go through the parts with a `for_each`");
        self.push(with_others(one, others));
    }

    fn add_call_cycle(&mut self, way: &[&Edge<'_>], names: &[&str]) {
        let (first, others) = way.split_first().expect("a way has at least one call");
        let message = format!("this calls {}: a circle", circle(names));
        let help = "go through the parts with a `for_each`, or let the inner saga begin by an \
                    `emit`, which nobody waits for";
        let one = Diagnostic::new(Code::CallCycle, first.name.span, message).help(help);
        self.push(with_others(one, others));
    }

    fn add_call_depth(&mut self, at: &At<String>) {
        let message = format!("calls below this one go more than {CALL_DEPTH} deep");
        let help = "put the steps of the inner sagas into the outer ones";
        self.push(Diagnostic::new(Code::CallCycle, at.span, message).help(help));
    }
}
