//! What we promise has a test that names it: every rule of the runtime and the wire, every scenario
//! of the background. What a test cannot hold has a line in docs/decisions that says why.

use super::{none_of, rust, sources};

/// The rules, by letter and highest number.
const RULES: &[(char, u32)] = &[('R', 24), ('P', 10), ('L', 10), ('W', 14), ('T', 4)];

/// The scenarios of the background, by prefix and highest number. `10` is section 10's list.
const SCENARIOS: &[(&str, u32)] = &[
    ("C", 20),
    ("P", 7),
    ("W", 11),
    ("L", 3),
    ("I", 6),
    ("G", 14),
    ("R", 5),
    ("K", 5),
    ("D", 2),
    ("H", 18),
    ("X", 10),
    ("E", 6),
    ("S", 5),
    ("T", 7),
    ("V", 10),
    ("Y", 14),
    ("A", 34),
    ("pods_A", 35),
    ("B", 38),
    ("O", 8),
    ("U", 6),
    ("Z", 2),
];

/// Defects, regressions and properties of the background, by section and highest number. `3_10_P`
/// is of the study of processes, all others of that of the launcher.
const DEFECTS: &[(&str, u32)] =
    &[("3_10_R", 10), ("3_10_P", 14), ("6_4_", 8), ("6_5_", 7), ("11_", 22)];

fn test_text() -> String {
    let tidy = |path: &str| path.starts_with("tests/it/tidy");
    let files = rust().into_iter().filter(|f| !tidy(&f.path));
    files.map(|f| f.test_text().to_owned()).collect::<Vec<_>>().join("\n")
}

fn decisions() -> String {
    sources("docs/decisions", "md").into_iter().map(|f| f.text).collect::<Vec<_>>().join("\n")
}

/// Whether `word` stands in `text` with nothing of a word around it.
fn names(text: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        !part(text[..at].chars().next_back()) && !part(text[at + word.len()..].chars().next())
    })
}

/// Whether a test or its comment names that scenario, as `bg_ID`, in any case of letters.
fn has_test(tests: &str, id: &str) -> bool {
    let name = format!("bg_{}", id.to_lowercase());
    tests
        .match_indices(&name)
        .any(|(at, _)| !tests[at + name.len()..].starts_with(|c: char| c.is_alphanumeric()))
}

/// Whether a test names that rule: as `[R12]` in its comment, or as `r12_` in its own name.
fn holds(tests: &str, rule: &str) -> bool {
    let part = format!("{}_", rule.to_lowercase());
    let in_a_name = |at: usize| {
        let before = &tests[..at];
        before.ends_with("fn ") || before.ends_with('_') && !before.ends_with("bg_")
    };
    names(tests, rule) || tests.match_indices(&part).any(|(at, _)| in_a_name(at))
}

/// Whether a table of the decisions has a row for that id, alone or within a range `V01–V10`.
fn is_decided(decisions: &str, prefix: &str, number: u32) -> bool {
    let rows = decisions.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" |").next());
    cells.flat_map(|cell| cell.split(", ")).any(|id| {
        let (first, last) = id.split_once('–').unwrap_or((id, id));
        let number_of = |id: &str| id.strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok());
        let (first, last) = (number_of(first), number_of(last));
        first.zip(last).is_some_and(|(first, last)| (first..=last).contains(&number))
    })
}

#[test]
fn every_rule_is_named_by_a_test() {
    let tests = test_text();
    let rules = RULES.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| (letter, n)));
    let rules = rules.map(|(letter, number)| format!("{letter}{number}"));
    let bad: Vec<_> = rules.filter(|rule| !holds(&tests, rule)).collect();
    none_of(&bad, "name the rule in a test that holds it, as [R12] in its comment");
}

#[test]
fn every_scenario_of_the_background_has_a_test_or_a_decision() {
    let tests = test_text().to_lowercase();
    let decisions = decisions();
    let mut bad = Vec::new();
    let scenarios = SCENARIOS.iter().map(|s| (s, 2)).chain(DEFECTS.iter().map(|s| (s, 1)));
    for ((prefix, last), digits) in scenarios {
        for number in 1..=*last {
            let id = format!("{prefix}{number:0digits$}");
            if !has_test(&tests, &id) && !is_decided(&decisions, prefix, number) {
                bad.push(id);
            }
        }
    }
    none_of(&bad, "write a test bg_ID_what_it_claims, or a row in docs/decisions/background.md");
}

#[test]
fn every_rule_is_written_in_the_reference() {
    let reference = sources("docs/reference", "md");
    let reference: String = reference.into_iter().map(|f| f.text).collect();
    let rules = RULES.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| (letter, n)));
    let rules = rules.map(|(letter, number)| format!("**[{letter}{number}]**"));
    let bad: Vec<_> = rules.filter(|rule| reference.matches(rule.as_str()).count() != 1).collect();
    none_of(&bad, "write the rule down in docs/reference/runtime.md or wire.md, once");
}
