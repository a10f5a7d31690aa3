//! Shipped sagas, systematically damaged: which level finds it, the checks of `validate`, the
//! scenarios, or `check`. The table in docs/reference/damage.md is made here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use sagaflow::launcher::Loaded;
use sagaflow::sim::check::{Bounds, check};
use sagaflow::sim::judge;

use crate::cli::package;

/// One way to damage a saga.
struct Kind {
    name: &'static str,
    /// Whether an effect may stay behind that the author meant to be undone: some level has to see
    /// each of these.
    leaks: bool,
    make: fn(&[String]) -> Vec<Damage>,
}

/// A damaged text, and where the damage is.
struct Damage {
    place: String,
    text: Vec<String>,
}

/// Which level saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Validate,
    Test,
    Check,
    Both,
    Nobody,
}

const KINDS: &[Kind] = &[
    Kind { name: "`compensate` is deleted", leaks: false, make: no_compensate },
    Kind { name: "`compensate` becomes `none`", leaks: true, make: compensate_none },
    Kind { name: "an undo gets an `if` that is never true", leaks: true, make: undo_never },
    Kind { name: "`covers` is deleted", leaks: false, make: |t| without(t, "covers:") },
    Kind { name: "two neighbouring steps are swapped", leaks: false, make: swapped },
    Kind { name: "a field in `with` is renamed", leaks: false, make: renamed },
    Kind { name: "a step's `timeout` is deleted", leaks: false, make: |t| inner(t, "timeout:") },
    Kind { name: "the saga's `timeout` is deleted", leaks: false, make: |t| outer(t, "timeout:") },
    Kind { name: "`defaults` is deleted", leaks: false, make: |t| outer(t, "defaults:") },
    Kind { name: "a `where` is deleted", leaks: false, make: |t| inner(t, "where:") },
    Kind { name: "`retry` is deleted", leaks: false, make: |t| inner(t, "retry:") },
    Kind { name: "`pivot: true` is deleted", leaks: false, make: |t| inner(t, "pivot:") },
    Kind {
        name: "`best_effort: true` is deleted",
        leaks: false,
        make: |t| inner(t, "best_effort:"),
    },
    Kind { name: "an `if` is deleted", leaks: false, make: |t| inner(t, "if:") },
    Kind { name: "`eviction` becomes `parallel`", leaks: false, make: parallel },
];

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Where the block that begins in that line ends.
fn end_of(text: &[String], from: usize) -> usize {
    let depth = indent(&text[from]);
    let rest = text[from + 1..].iter();
    let inside = rest.take_while(|line| line.trim().is_empty() || indent(line) > depth);
    let mut end = from + 1 + inside.count();
    while text[end - 1].trim().is_empty() {
        end -= 1;
    }
    end
}

/// The step around a line, or else the saga's key.
fn around(text: &[String], at: usize) -> String {
    let id = text[..=at].iter().rev().find_map(|line| line.trim().strip_prefix("- id: "));
    id.unwrap_or_default().to_owned()
}

fn lines<'a>(text: &'a [String], key: &'a str) -> impl Iterator<Item = usize> + 'a {
    (0..text.len()).filter(move |at| text[*at].trim_start().starts_with(key))
}

fn cut(text: &[String], from: usize, to: usize, instead: &[String]) -> Vec<String> {
    [&text[..from], instead, &text[to..]].concat()
}

fn without(text: &[String], key: &str) -> Vec<Damage> {
    let found = lines(text, key)
        .map(|at| Damage { place: around(text, at), text: cut(text, at, end_of(text, at), &[]) });
    found.collect()
}

fn inner(text: &[String], key: &str) -> Vec<Damage> {
    let mut found = without(text, key);
    found.retain(|damage| {
        damage.text.iter().zip(text).find(|(a, b)| a != b).is_some_and(|(_, b)| indent(b) > 2)
    });
    found
}

fn outer(text: &[String], key: &str) -> Vec<Damage> {
    let at = text.iter().position(|line| line.starts_with(key));
    let cut = at.map(|at| cut(text, at, end_of(text, at), &[]));
    cut.into_iter().map(|text| Damage { place: String::new(), text }).collect()
}

fn no_compensate(text: &[String]) -> Vec<Damage> {
    without(text, "compensate:")
}

fn compensate_none(text: &[String]) -> Vec<Damage> {
    let found = lines(text, "compensate:").map(|at| {
        let line = format!("{}compensate: none", " ".repeat(indent(&text[at])));
        Damage { place: around(text, at), text: cut(text, at, end_of(text, at), &[line]) }
    });
    found.collect()
}

fn undo_never(text: &[String]) -> Vec<Damage> {
    let name = text.iter().find_map(|line| line.strip_prefix("input:").map(|_| line));
    let first = name.and_then(|line| text.iter().position(|one| one == line)).map(|at| at + 1);
    let Some(input) = first.and_then(|at| text[at].trim().split(':').next()) else {
        return Vec::new();
    };
    let found = lines(text, "compensate:").map(|at| {
        let pad = " ".repeat(indent(&text[at]) + 2);
        let line = format!("{pad}if: input.{input} == \"no such thing\"");
        Damage { place: around(text, at), text: cut(text, at + 1, at + 1, &[line]) }
    });
    found.collect()
}

fn swapped(text: &[String]) -> Vec<Damage> {
    let steps: Vec<usize> = lines(text, "- id: ").filter(|at| indent(&text[*at]) == 2).collect();
    let found = steps.windows(2).filter(|pair| {
        pair[1] == end_of(text, pair[0]) || {
            text[end_of(text, pair[0])..pair[1]]
                .iter()
                .all(|l| l.trim().is_empty() || l.contains('#'))
        }
    });
    let found = found.map(|pair| {
        let (first, second) = (pair[0], pair[1]);
        let (end, last) = (end_of(text, first), end_of(text, second));
        let swapped = [&text[second..last], &text[end..second], &text[first..end]].concat();
        let place = format!("{}, {}", around(text, first), around(text, second));
        Damage { place, text: cut(text, first, last, &swapped) }
    });
    found.collect()
}

fn renamed(text: &[String]) -> Vec<Damage> {
    let found = lines(text, "with: {").filter_map(|at| {
        let line = text[at].replacen("with: { ", "with: { x_", 1);
        (line != text[at])
            .then(|| Damage { place: around(text, at), text: cut(text, at, at + 1, &[line]) })
    });
    found.collect()
}

fn parallel(text: &[String]) -> Vec<Damage> {
    let at = text.iter().position(|line| line.starts_with("eviction:"));
    let line = "eviction: { policy: parallel }".to_owned();
    let found = at
        .filter(|at| text[*at] != line)
        .map(|at| Damage { place: String::new(), text: cut(text, at, end_of(text, at), &[line]) });
    found.into_iter().collect()
}

/// Every file beside the saga that it needs.
fn files(name: &str, text: &str) -> Vec<(String, Vec<u8>)> {
    let read = |name: &str| {
        let path = package().join("sagas").join(name);
        (name.to_owned(), fs::read(path).expect("it is shipped"))
    };
    let saga = format!("{name}.saga.yaml");
    vec![
        read("launcher_host.catalog.yaml"),
        read("srv.catalog.yaml"),
        read(&format!("{name}.test.yaml")),
        (saga, text.as_bytes().to_vec()),
    ]
}

fn seen(name: &str, damage: &Damage) -> Seen {
    let Loaded { defined: library, plans, diagnostics } =
        Loaded::of(files(name, &(damage.text.join("\n") + "\n")));
    let saga = format!("{name}.saga.yaml");
    let about = diagnostics.iter().any(|one| {
        one.severity == sagaflow::diag::Severity::Error
            && library.sources.path(one.primary().file) == saga
    });
    let plan = plans.first().filter(|_| !about);
    let Some(plan) = plan else { return Seen::Validate };
    let catalog = Arc::new(library.catalog.clone());
    let scenarios = library.scenarios.first().expect("it has scenarios");
    let fails = diagnostics.has_errors()
        || !scenarios.cases.iter().all(|case| judge(&catalog, plan, scenarios, case).passed());
    let bounds = Bounds { states: 600, ..Bounds::default() };
    let leaks = check(&catalog, plan, &[], bounds, &mut |_| {}).counterexample.is_some();
    match (fails, leaks) {
        (true, true) => Seen::Both,
        (true, false) => Seen::Test,
        (false, true) => Seen::Check,
        (false, false) => Seen::Nobody,
    }
}

fn shipped() -> Vec<(String, Vec<String>)> {
    let entries = fs::read_dir(package().join("sagas")).expect("it is part of the package");
    let names = entries.filter_map(|entry| {
        let name = entry.expect("it can be listed").file_name().into_string().expect("UTF-8");
        name.strip_suffix(".saga.yaml").map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    let text = |name: String| {
        let path = package().join(format!("sagas/{name}.saga.yaml"));
        let text = fs::read_to_string(path).expect("it is shipped");
        (name, text.lines().map(str::to_owned).collect())
    };
    names.into_iter().map(text).collect()
}

const HEAD: &str = "\
# Damaged sagas: which level finds it

Every shipped saga, damaged in every place at which it can be damaged so. `validate` refuses it, a scenario beside it no longer goes as expected (`test`), or some history breaks a promise (`check`); what `validate` refuses is neither \
played nor explored. What nobody finds is named: it is another saga, and no worse one. Whatever may leave an effect behind is found.

<!-- generated: UPDATE=1 cargo test -->

| damage | places | `validate` | `test` | `check` | `test` and `check` | nobody |
|---|---|---|---|---|---|---|
";

#[test]
#[ignore = "takes minutes: cargo test --test it damage -- --ignored"]
fn what_may_leak_is_found_by_some_level_and_the_table_says_what_finds_what() {
    let sagas = shipped();
    let mut table = HEAD.to_owned();
    let mut unseen = String::new();
    for kind in KINDS {
        let mut counts: BTreeMap<Seen, usize> = BTreeMap::new();
        let tried = std::thread::scope(|scope| {
            let of = |(name, text): &(String, Vec<String>)| -> Vec<(String, Seen)> {
                let place = |damage: &Damage| format!("{name} {}", damage.place);
                let damages = (kind.make)(text).into_iter();
                damages.map(|one| (place(&one).trim_end().to_owned(), seen(name, &one))).collect()
            };
            let halves = sagas.chunks(sagas.len().div_ceil(2));
            let spawned: Vec<_> = halves
                .map(|half| scope.spawn(move || half.iter().flat_map(of).collect::<Vec<_>>()))
                .collect();
            let joined = spawned.into_iter().map(|one| one.join().expect("no panic in it"));
            joined.flatten().collect::<Vec<_>>()
        });
        for (place, seen) in tried {
            *counts.entry(seen).or_default() += 1;
            assert!(!kind.leaks || seen != Seen::Nobody, "{}: {place}", kind.name);
            if seen == Seen::Nobody {
                let place = place.replacen(' ', ": ", 1);
                writeln!(unseen, "- {}: {place}", kind.name).expect("a string takes all");
            }
        }
        let count = |seen| counts.get(&seen).copied().unwrap_or_default();
        let all = counts.values().sum::<usize>();
        let (name, v, t) = (kind.name, count(Seen::Validate), count(Seen::Test));
        let (c, b, n) = (count(Seen::Check), count(Seen::Both), count(Seen::Nobody));
        writeln!(table, "| {name} | {all} | {v} | {t} | {c} | {b} | {n} |")
            .expect("a string takes all");
    }
    let fresh = format!("{table}\nFound by nobody:\n\n{unseen}");
    let path = package().join("docs/reference/damage.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, fresh).expect("it can be written");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(fresh == written, "docs/reference/damage.md is stale: UPDATE=1 cargo test");
}
