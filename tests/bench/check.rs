//! How long `check` takes: each shipped saga, and one of thirty steps in a row.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sagaflow::launcher::{Cores, Loaded};
use sagaflow::sim::check::{Bounds, check_on};

/// Steps of the saga in a row.
const STEPS: usize = 30;

/// Runs of each, of which the median counts.
const RUNS: usize = 5;

const CATALOG: &str = "\
targets: { host: { doc: Does it. } }
events: { go: { fields: { k: { type: string } } }, did: {}, undid: {} }
commands:
  a: { target: host, echoes: [did], idempotent: true, undo: un_a }
  un_a: { target: host, echoes: [undid], idempotent: true, undo: none }
";

const HEAD: &str = "\
saga: thirty_steps
trigger: { event: go }
input: { k: \"${{ trigger.k }}\" }
eviction: { key: input.k, policy: replace }
timeout: 1h
defaults: { timeout: 10s }
steps:
";

/// Explores all and prints a line each.
pub fn run() {
    let steps: String = (1..=STEPS)
        .map(|n| format!("  - {{ id: s{n}, issue: a, await: {{ echo: did }} }}\n"))
        .collect();
    let long = [("c.catalog.yaml", CATALOG.to_owned()), ("it.saga.yaml", format!("{HEAD}{steps}"))];
    let long = long.map(|(name, text)| (name.to_owned(), text.into_bytes()));
    println!("{:<26} {:>8} {:>11} {:>9}", "saga", "states", "happenings", "seconds");
    for files in [shipped(), long.into()] {
        let Loaded { defined: library, plans, .. } = Loaded::of(files);
        let catalog = Arc::new(library.catalog);
        let bounds = Bounds::default();
        for plan in &plans {
            let mut times = Vec::new();
            let mut said = (0, 0, false);
            for _ in 0..RUNS {
                let begun = Instant::now();
                let checked = check_on(&Cores, &catalog, (plan, &plans), bounds, &mut |_| {});
                times.push(begun.elapsed());
                let whole = checked.halted.is_none() && checked.counterexample.is_none();
                said = (checked.states, checked.deeds, whole);
            }
            times.sort();
            let (states, deeds, whole) = said;
            let seconds = times[RUNS / 2].as_secs_f64();
            let mark = if whole { "" } else { "  (not all)" };
            println!("{:<26} {states:>8} {deeds:>11} {seconds:>9.3}{mark}", plan.name);
        }
    }
}

fn shipped() -> Vec<(String, Vec<u8>)> {
    let sagas = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    let entries = fs::read_dir(sagas).expect("it is part of the package");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let named = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    let mut paths: Vec<_> = paths.filter(|path| !named(path).ends_with(".test.yaml")).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| (named(path), fs::read(path).expect("it can be read"));
    paths.iter().map(read).collect()
}
