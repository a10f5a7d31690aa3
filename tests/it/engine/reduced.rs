//! What `check` leaves out makes no difference: with everything told apart that can be, the same
//! is found in the same sagas.

use std::sync::Arc;

use sagaflow::definition::Catalog;
use sagaflow::launcher::{Cores, Loaded};
use sagaflow::plan::Plan;
use sagaflow::sim::check::{Bounds, Checked, Detail, Property, check, check_on};

use super::{CATALOG, HEAD, explored};

fn compiled(sagas: &[&str]) -> (Arc<Catalog>, Vec<Arc<Plan>>) {
    let names = (0..sagas.len()).map(|n| format!("{n}.saga.yaml"));
    let mut files = vec![("c.catalog.yaml".to_owned(), CATALOG.as_bytes().to_vec())];
    files.extend(names.zip(sagas).map(|(name, text)| (name, text.as_bytes().to_vec())));
    let loaded = Loaded::of(files);
    let wrong: Vec<String> = loaded.diagnostics.iter().map(|one| one.message.clone()).collect();
    assert!(!loaded.diagnostics.has_errors(), "{wrong:#?}");
    (Arc::new(loaded.defined.catalog), loaded.plans)
}

/// What was found, as far as it must not depend on how.
type Found = (Option<Property>, Vec<String>, Vec<Arc<str>>);

fn found(checked: Checked, which: &str) -> Found {
    assert_eq!(checked.halted, None, "{which}: {} states", checked.states);
    let broken = checked.counterexample.map(|(broken, _)| broken.property);
    // Where a promise is broken the rest was not looked at.
    let whole = broken.is_none();
    let ends = checked.ends.into_iter().filter(|_| whole).collect();
    (broken, ends, checked.unreached)
}

/// Explores a saga in every way.
fn same(sagas: &[&str]) -> Found {
    let (catalog, plans) = compiled(sagas);
    let which = sagas.last().copied().unwrap_or_default();
    let plan = plans.iter().find(|plan| &*plan.name == "it").expect("one is called so");
    let bounds = |detail| Bounds { states: 60_000, detail, timeless: true, ..Bounds::default() };
    let explore = |detail| check(&catalog, plan, &plans, bounds(detail), &mut |_| {});
    let few = explore(Detail::Least);
    let least = bounds(Detail::Least);
    let shared = check_on(&Cores, &catalog, (plan, &plans), least, &mut |_| {});
    assert_eq!((few.states, few.deeds), (shared.states, shared.deeds), "{which}");
    let (timed, all) = (explore(Detail::Times), explore(Detail::All));
    let states = (few.states, timed.states, all.states);
    eprintln!("{states:?} states");
    assert!(states.0 <= states.1 && states.1 <= states.2, "{which}: {states:?}");
    if timed.counterexample.is_none() {
        // Whenever it was that something was come to, it is come to.
        let missed = timed.timeless.difference(&few.timeless).count();
        assert_eq!(missed, 0, "{which}: of {}", timed.timeless.len());
    }
    let (few, timed, all) = (found(few, which), found(timed, which), found(all, which));
    assert_eq!((&few, &timed), (&all, &all), "{which}");
    few
}

fn it(rest: &str) -> Found {
    same(&[&format!("{HEAD}{rest}")])
}

#[test]
fn sagas_of_every_construct_end_in_the_same_ways() {
    for rest in [
        explored::LINEAR,
        explored::RETRIED,
        explored::PIVOT,
        explored::BURN,
        explored::GROUP,
        explored::SIGNALLED,
        explored::PROBED,
        explored::REACTING,
        explored::ALL_OF,
        explored::ANY_OF,
        explored::PIVOT_BESIDE,
    ] {
        assert_eq!(it(rest).0, None, "{rest}");
    }
}

/// Elements that nothing tells apart, those that something does, and those that come in order.
#[test]
fn loops_end_in_the_same_ways() {
    let got = "collect: \"vars.got ? x : '-'\"";
    let counts = r#"steps.all.collected.exists(one, one == "-")"#;
    let first = r#"steps.all.collected.size() == 2 && steps.all.collected[0] == "-""#;
    for (pivot, how, condition) in [
        (false, "join: settled", "vars.none && vars.got"),
        (false, "max_parallel: 1", "vars.none && vars.got"),
        (true, "join: settled", "vars.none && vars.got"),
        (true, got, counts),
        (true, got, first),
        (true, "join: any", "vars.none && vars.got"),
    ] {
        let (verb, policy) = if pivot { ("look", "best_effort: true") } else { ("a", "if: true") };
        let how = how.replace("join: any", "join: any\n    timeout: 50s");
        let text = format!(
            r#"
timeout: 60s
vars: {{ got: false, none: false, list: [] }}
defaults: {{ timeout: 10s }}
steps:
  - id: one
    pivot: {pivot}
    issue: look
    await: {{ echo: did, save: {{ list: '${{{{ event.n > 0 ? ["u", "v"] : ["u"] }}}}' }} }}
  - id: all
    for_each: {{ in: vars.list, as: x }}
    steps:
      - id: work
        {policy}
        issue: {verb}
        await: {{ echo: did, save: {{ got: true }} }}
      - {{ id: more, if: vars.got, issue: look, await: {{ echo: did }}, best_effort: true }}
  - {{ id: last, if: '{condition}', fail: it is missing }}
result: {{ size: "${{{{ size(vars.list) }}}}" }}
"#
        );
        let (within, beside): (Vec<&str>, Vec<&str>) = how
            .lines()
            .map(str::trim)
            .partition(|line| !line.starts_with("join") && !line.starts_with("timeout"));
        let within: String = within.iter().map(|line| format!(", {line}")).collect();
        let beside = if beside.is_empty() { vec!["join: settled"] } else { beside };
        let beside: String = beside.iter().map(|line| format!("    {line}\n")).collect();
        let text = text
            .replace("as: x }", &format!("as: x{within} }}"))
            .replace("    pivot: false\n", "")
            .replace("        if: true\n", "")
            .replace("  - { id: last", &format!("{beside}  - {{ id: last"));
        it(&text);
    }
}

#[test]
fn what_is_read_late_ends_in_the_same_ways() {
    for rest in [
        // A late answer sets what `finally` reads.
        r#"
timeout: 60s
vars: { got: false }
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did, save: { got: true } } }
  - { id: two, issue: look, await: { echo: did } }
finally:
  - { id: tidy, if: vars.got && steps.two.outcome == "failed", issue: look, await: { echo: did } }
"#,
        // How a group ended says what was inside of it.
        r#"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: turn, issue: look, await: { echo: did }, pivot: true }
  - id: both
    group:
      - { id: one, issue: look, await: { echo: did }, best_effort: true }
      - { id: two, issue: look, await: { echo: did }, best_effort: true }
    best_effort: true
  - { id: last, if: steps.both.outcome == "succeeded", issue: look, await: { echo: did } }
result: { how: "${{ steps.both.outcome }}" }
"#,
        r#"
timeout: 100s
defaults: { timeout: 10s }
always: ['saga.state != "compensated" || saga.state == "compensated"']
steps:
  - id: one
    issue: a
    await: { echo: did }
    on_timeout: [{ id: other, issue: b, await: { echo: did } }]
  - { id: two, issue: look, await: { echo: did } }
"#,
    ] {
        assert_eq!(it(rest).0, None, "{rest}");
    }
}

#[test]
fn what_is_broken_is_found_either_way() {
    let leaks = r#"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left:
        - id: one
          issue: a
          await: { echo: did }
          compensate: { if: input.n > 5, issue: un_a, await: { echo: undid } }
      right: [{ id: two, issue: b, await: { echo: did } }]
    join: all
  - { id: three, issue: look, await: { echo: did } }
"#;
    assert_eq!(it(leaks).0, Some(Property::NoLeak));
    let divides = r#"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: look, await: { echo: did }, pivot: true }
  - { id: two, if: 10 / steps.one.echo.n > 1, issue: look, await: { echo: did } }
"#;
    assert_eq!(it(divides).0, Some(Property::Reads));
    let counts = r#"
vars: { done: 0 }
timeout: 100s
defaults: { timeout: 10s }
always: ["vars.done < 2"]
steps:
  - id: both
    parallel:
      left: [{ id: one, issue: look, await: { echo: did, save: { done: 1 } } }]
      right: [{ id: two, issue: look, await: { echo: did } }]
    join: settled
  - { id: three, issue: look, await: { echo: did, save: { done: 2 } } }
"#;
    assert_eq!(it(counts).0, Some(Property::Always));
}

const CONTENDED: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}" }
vars: { times: 0 }
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, if: vars.times < 1, issue: look, await: { echo: did } }
  - { id: three, issue: look, await: { echo: did } }
finally:
  - { id: tidy, if: vars.times > 0, emit: told }
result: { times: "${{ vars.times }}" }
"#;

/// A rival that is merged comes as late as it may, and makes the same difference.
#[test]
fn r17_rivals_make_the_same_difference() {
    let join = "join, save: { times: \"${{ vars.times + 1 }}\" }";
    for policy in ["refuse", "ignore", "queue, queue_max: 3", "replace", "parallel", join] {
        let eviction = format!("eviction: {{ key: input.k, policy: {policy} }}\n");
        let (broken, ends, _) = same(&[&format!("{CONTENDED}{eviction}")]);
        assert_eq!(broken, None, "{policy}");
        let merged = ends.iter().any(|end| end == r#"completed {"times":1}"#);
        assert_eq!(merged, policy == join, "{policy}: {ends:?}");
    }
}

fn outer(policy: &str) -> String {
    format!(
        r#"
saga: it
trigger: {{ event: go }}
input: {{ k: "${{{{ trigger.k }}}}" }}
eviction: {{ key: input.k, policy: {policy} }}
timeout: 100s
defaults: {{ timeout: 10s }}
steps:
  - {{ id: sub, call: inner, timeout: 40s }}
  - {{ id: two, issue: look, await: {{ echo: did }} }}
"#
    )
}

fn inner(policy: &str) -> String {
    format!(
        r#"
saga: inner
trigger: {{ call: {{ fields: {{}} }} }}
eviction: {{ policy: {policy} }}
timeout: 30s
defaults: {{ timeout: 10s }}
steps:
  - {{ id: work, issue: a, await: {{ echo: did }} }}
"#
    )
}

/// What is called is explored with its caller, also where both contend.
#[test]
fn r12_r17_callers_and_what_they_call_end_in_the_same_ways() {
    for (outer_policy, inner_policy) in
        [("parallel", "parallel"), ("replace", "queue, queue_max: 3"), ("ignore", "refuse")]
    {
        let (inner, outer) = (inner(inner_policy), outer(outer_policy));
        let (broken, ends, unreached) = same(&[&inner, &outer]);
        assert_eq!((broken, unreached), (None, vec![]), "{outer_policy}, {inner_policy}");
        assert!(ends.contains(&"completed".to_owned()), "{ends:?}");
        assert!(ends.contains(&"compensated".to_owned()), "{ends:?}");
    }
}

/// The same of shipped sagas, as far as all their times can be told apart: that takes minutes.
#[test]
#[ignore = "takes minutes"]
fn shipped_sagas_come_to_the_same_whenever_that_is() {
    let files = crate::cli::package().join("sagas").read_dir().expect("they are shipped");
    let mut paths: Vec<_> = files.map(|file| file.expect("it can be listed").path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        (path.display().to_string(), std::fs::read(path).expect("a listed file can be read"))
    };
    let loaded = Loaded::of(paths.iter().map(read).collect());
    let catalog = Arc::new(loaded.defined.catalog);
    for plan in &loaded.plans {
        let explore = |detail| {
            let bounds = Bounds { detail, timeless: true, ..Bounds::default() };
            check(&catalog, plan, &loaded.plans, bounds, &mut |_| {})
        };
        let (few, timed) = (explore(Detail::Least), explore(Detail::Times));
        let missed = timed.timeless.difference(&few.timeless).count();
        eprintln!("{}: {} {} missed {missed}", plan.name, few.states, timed.states);
        assert_eq!(few.halted, None, "{}", plan.name);
        assert_eq!(missed, 0, "{}", plan.name);
    }
}
