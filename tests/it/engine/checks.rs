//! What `check` finds in small sagas, promise by promise, and what it lets pass. That a history is
//! the shortest is held by its length.

use std::sync::Arc;

use sagaflow::definition::Catalog;
use sagaflow::launcher::Loaded;
use sagaflow::plan::Plan;
use sagaflow::sim::check::{Bounds, Checked, Property, check};
use sagaflow::view::text::Line;

use super::{CATALOG, HEAD};

/// Definitions as `validate` lets them pass.
pub fn compiled(catalog: &str, saga: &str) -> (Arc<Catalog>, Arc<Plan>) {
    let files = [("c.catalog.yaml", catalog), ("it.saga.yaml", saga)];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let loaded = Loaded::of(files.into());
    let wrong: Vec<String> = loaded.diagnostics.iter().map(|one| one.message.clone()).collect();
    assert!(!loaded.diagnostics.has_errors(), "{wrong:#?}");
    let plan = loaded.plans.first().expect("one saga").clone();
    (Arc::new(loaded.defined.catalog), plan)
}

fn explored(saga: &str) -> Checked {
    let (catalog, plan) = compiled(CATALOG, saga);
    check(&catalog, &plan, &[], Bounds::default(), &mut |_| {})
}

fn it(rest: &str) -> Checked {
    explored(&format!("{HEAD}{rest}"))
}

/// All its histories keep all promises, and were explored.
fn holds(checked: &Checked, states: usize) {
    if let Some((broken, story)) = &checked.counterexample {
        let lines: Vec<String> = story.transcript.iter().map(Line::plain).collect();
        panic!("{broken}\n{}", lines.join("\n"));
    }
    assert_eq!(checked.halted, None, "{} states", checked.states);
    assert!(checked.states >= states, "only {} states were told apart", checked.states);
    assert_eq!(checked.unreached, [], "all steps are come to");
}

/// The promise that is broken, and the lines of the history that breaks it.
fn breaks(checked: Checked, property: Property, words: &str) -> Vec<String> {
    let (broken, story) = checked.counterexample.expect("a promise is broken");
    assert_eq!(broken.property, property, "{broken}");
    assert!(broken.words.contains(words), "{broken}");
    story.transcript.iter().map(Line::plain).collect()
}

const TWO: &str = r"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: once, await: { echo: did } }
";

#[test]
fn r12_a_saga_that_undoes_what_it_did_holds() {
    holds(&it(TWO), 20);
}

#[test]
fn sagas_of_every_construct_hold() {
    for rest in [
        super::explored::RETRIED,
        super::explored::PIVOT,
        super::explored::BURN,
        super::explored::GROUP,
        super::explored::SIGNALLED,
        super::explored::PROBED,
        super::explored::REACTING,
        super::explored::ALL_OF,
        super::explored::ANY_OF,
        super::explored::PIVOT_BESIDE,
    ] {
        holds(&it(rest), 15);
    }
}

#[test]
fn r12_an_undo_that_looks_away_leaks() {
    let lines = breaks(
        it(r#"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate: { if: input.n > 5, issue: un_a, await: { echo: undid } }
  - { id: two, issue: look, await: { echo: did } }
"#),
        Property::NoLeak,
        "it ended compensated, and `a` of step `one`",
    );
    let ways = lines.iter().filter(|line| line.contains('<')).count();
    assert!(ways <= 3, "a shorter history shows it: {lines:#?}");
}

/// What has learned that there is nothing to undo may say so.
#[test]
fn r12_an_undo_that_looks_at_what_the_step_answered_is_believed() {
    holds(
        &it(r#"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    compensate:
      if: steps.one.outcome != "succeeded" || steps.one.echo.n == 0
      issue: un_a
      await: { echo: undid }
  - { id: two, issue: look, await: { echo: did } }
"#),
        10,
    );
}

#[test]
fn a_wait_that_nothing_can_end_is_found() {
    // The wait has no bound, and its own condition never holds.
    let lines = breaks(
        it(r#"
timeout: none
steps:
  - id: one
    await: { event: nudged, where: 'event.k == input.k && event.k == input.k + "x"' }
    timeout: none
"#),
        Property::Ends,
        "nothing but a cancel leads to an end",
    );
    assert!(lines.len() < 6, "{lines:#?}");
}

#[test]
fn a_value_that_is_not_there_is_found() {
    breaks(
        it(r#"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: look, await: { echo: did } }
  - { id: two, if: 10 / steps.one.echo.n > 1, issue: look, await: { echo: did } }
"#),
        Property::Reads,
        "divides by zero",
    );
}

#[test]
fn what_always_says_is_held_to_every_state() {
    let says = |condition: &str| {
        it(&format!(
            "timeout: 100s\ndefaults: {{ timeout: 10s }}\nvars: {{ done: false }}\n\
             always: ['{condition}']\nsteps:\n  - {{ id: one, issue: look, await: {{ echo: did, \
             save: {{ done: true }} }} }}\n  - {{ id: two, issue: look, await: {{ echo: did }} }}\n\
             result: {{ done: \"${{{{ vars.done }}}}\" }}\n"
        ))
    };
    holds(&says(r#"saga.state != "completed" || vars.done"#), 5);
    breaks(says("!vars.done"), Property::Always, "does not hold");
}

const CONTENDED: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: b, await: { echo: did } }
"#;

#[test]
fn r17_every_policy_holds_with_a_rival_of_the_same_key() {
    for policy in ["refuse", "ignore", "queue, queue_max: 3", "replace"] {
        let eviction = format!("eviction: {{ key: input.k, policy: {policy} }}\n");
        holds(&explored(&format!("{CONTENDED}{eviction}")), 20);
    }
    holds(&explored(&format!("{CONTENDED}eviction: {{ key: input.k, policy: join }}\n")), 20);
}

#[test]
fn histories_of_thirty_steps_are_few() {
    let steps: String = (1..=30)
        .map(|n| format!("  - {{ id: s{n}, issue: a, await: {{ echo: did }} }}\n"))
        .collect();
    let checked = it(&format!("timeout: 1h\ndefaults: {{ timeout: 10s }}\nsteps:\n{steps}"));
    holds(&checked, 300);
    assert!(checked.states < 3_000, "{} states", checked.states);
}

#[test]
fn what_is_beyond_the_bounds_is_said() {
    let (catalog, plan) = compiled(CATALOG, &format!("{HEAD}{TWO}"));
    let few = Bounds { states: 9, ..Bounds::default() };
    let checked = check(&catalog, &plan, &[], few, &mut |_| {});
    assert_eq!(checked.states, 9);
    assert!(checked.halted.is_some() && checked.counterexample.is_none());
    assert_eq!(checked.unreached, [], "nothing is said of what was not looked for");
}
