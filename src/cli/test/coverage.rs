//! What the cases of each saga reach, as a short table. Judges no case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Suite;
use crate::plan::Plan;
use crate::sim::coverage::{Item, Kind, items, reached};
use crate::view::text::{Line, Tone};

/// What the cases of one saga reach.
pub(super) struct Covered {
    /// The saga.
    pub saga: Arc<Plan>,
    /// All that can be reached, in the order of the saga.
    pub items: Vec<Item>,
    /// What is.
    pub reached: BTreeSet<Item>,
}

impl Covered {
    /// What no case reaches, in the order of the saga.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !self.reached.contains(item))
    }

    /// How many of a kind are reached, and how many there are.
    fn of(&self, kind: Kind) -> (usize, usize) {
        let all = self.items.iter().filter(|item| item.kind == kind);
        let reached = all.clone().filter(|item| self.reached.contains(item)).count();
        (reached, all.count())
    }
}

/// What the cases reach, saga by saga; faults that are explored reach nothing.
pub(super) fn covered(suites: &[Suite]) -> Vec<Covered> {
    let mut by_saga: BTreeMap<Arc<str>, Covered> = BTreeMap::new();
    for suite in suites {
        let new = || Covered {
            saga: suite.saga.clone(),
            items: items(&suite.saga),
            reached: BTreeSet::new(),
        };
        let covered = by_saga.entry(suite.saga.name.clone()).or_insert_with(new);
        for played in suite.cases.iter().filter_map(|case| case.judged.played.as_ref()) {
            covered.reached.extend(reached(&suite.saga, played));
        }
    }
    by_saga.into_values().collect()
}

/// One line of counts, and a line for each thing that is missing.
pub(super) fn human(covered: &Covered) -> Vec<Line> {
    let counts = Kind::ALL.into_iter().filter_map(|kind| {
        let (reached, all) = covered.of(kind);
        (all > 0).then(|| format!("{} {reached}/{all}", kind.words()))
    });
    let counts = counts.collect::<Vec<_>>().join(" · ");
    let whole = covered.missing().next().is_none();
    let tone = if whole { Tone::Good } else { Tone::Busy };
    let mut lines =
        vec![Line::of(Tone::Strong, &*covered.saga.name).and(tone, format!(" reached: {counts}"))];
    for item in covered.missing() {
        let kind = item.kind.words();
        lines.push(
            Line::of(Tone::Faint, format!("  missing of {kind:<14} ")).and(Tone::Plain, &item.name),
        );
    }
    lines
}

/// One object: counts by kind, and what is missing.
pub(super) fn json(covered: &Covered) -> Value {
    let mut object = Map::new();
    object.insert("saga".to_owned(), (&*covered.saga.name).into());
    for kind in Kind::ALL {
        let (reached, all) = covered.of(kind);
        object.insert(kind.words().to_owned(), json!({ "reached": reached, "of": all }));
    }
    let missing =
        covered.missing().map(|item| json!({ "kind": item.kind.words(), "name": item.name }));
    object.insert("missing".to_owned(), missing.collect());
    Value::Object(object)
}
