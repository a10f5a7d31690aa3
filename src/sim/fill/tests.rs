//! How far the search goes. What it finds is tested where files are written.

use super::*;
use crate::definition::read::load;
use crate::plan::compile_library;
use crate::sim::coverage::items;

const CATALOG: &str = "\
targets: { host: {} }
events:
  go: { fields: { k: { type: string } } }
  halt: { fields: { k: { type: string } } }
  here: { fields: { k: { type: string } } }
  there: { fields: { k: { type: string } } }
  done: { fields: { k: { type: string } } }
  told: { fields: { k: { type: string } } }
commands:
  do: { target: host, fields: { k: { type: string } }, echoes: [done], idempotent: true, undo: none }
  note: { target: host, fields: { k: { type: string } }, echoes: [], idempotent: true, undo: none }
";

const HEAD: &str = "\
saga: it
trigger: { event: go }
input: { k: \"${{ trigger.k }}\" }
eviction: { key: input.k, policy: ignore }
timeout: 5m
";

/// Searches for all that a saga with these parts has; what stays missing, and the ways tried.
fn searched(parts: &str) -> (Vec<String>, usize) {
    let files =
        [("a.catalog.yaml", CATALOG.to_owned()), ("it.saga.yaml", format!("{HEAD}{parts}"))];
    let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes()));
    let (library, found) = load(files.collect());
    let (plans, wrong) = compile_library(&library);
    assert!(found.is_empty() && wrong.is_empty(), "{found:?} {wrong:?}");
    let catalog = Arc::new(library.catalog);
    let missing: BTreeSet<Item> = items(&plans[0]).into_iter().collect();
    let done = fill(&catalog, &plans[0], missing.clone(), &BTreeSet::new());
    let reach = |script: &Script| {
        reached(&plans[0], &play(&catalog, &plans[0], script, &Faults::default()))
    };
    let reached: BTreeSet<Item> = done.made.iter().flat_map(|one| reach(&one.script)).collect();
    let left = missing.difference(&reached).map(|item| item.name.clone());
    (left.collect(), done.tried)
}

/// A reaction may fire for ever, and leads its saga nowhere.
#[test]
fn what_only_reactions_take_does_not_make_the_search_endless() {
    let (left, tried) = searched(
        "steps:
  - { id: a, issue: do, with: { k: \"${{ input.k }}\" }, await: { echo: done }, timeout: 1s }
reactions:
  - { echo: told, issue: note, with: { k: \"${{ event.k }}\" } }
  - { event: halt, where: event.k == input.k, issue: note, with: { k: \"${{ event.k }}\" } }
",
    );
    // Nobody answers with `told`: what a reaction to it needs cannot be said in a scenario.
    assert_eq!(left, ["reaction[0]"]);
    assert!(tried < 200, "{tried} ways");
}

/// What has come is not awaited any more, so the usual way comes to its end.
#[test]
fn of_all_that_must_come_each_comes_once() {
    let (left, tried) = searched(
        "steps:
  - id: both
    timeout: 1s
    await:
      all_of:
        - { event: here, where: event.k == input.k }
        - { event: there, where: event.k == input.k }
",
    );
    assert_eq!(left, [""; 0]);
    assert!(tried < 50, "{tried} ways");
}
