//! Lints never cry wolf: what is shipped and shown has none, and each is silenced where its author
//! has a reason. What each one finds stands in tests/diagnostics.

use super::diagnostics::{cases, common, read, validate};

/// The lints of a text with something replaced in it.
fn lints(text: &str, from: &str, to: &str) -> Vec<&'static str> {
    assert!(text.contains(from), "{from}");
    let own = ("s.saga.yaml".to_owned(), text.replace(from, to).into_bytes());
    let (_, found) = validate(vec![common(), own]);
    found.iter().map(|one| one.code.as_str()).collect()
}

fn example(stem: &str) -> String {
    let cases = cases();
    let case = cases.get(stem).expect("it stands in tests/diagnostics");
    String::from_utf8(read(&case.files[0]).1).expect("UTF-8")
}

#[test]
fn each_lint_is_silenced_by_a_comment_with_a_reason() {
    for (stem, case) in cases().into_iter().filter(|(_, case)| case.code.starts_with('W')) {
        if case.code == "W002" {
            continue;
        }
        let mut files = vec![common()];
        files.extend(case.files.iter().map(|path| read(path)));
        let (sources, found) = validate(files.clone());
        // For the whole file.
        let mut all = files.clone();
        for (name, bytes) in all.iter_mut().filter(|(name, _)| name.starts_with('W')) {
            if found.iter().any(|one| sources.path(one.primary().file) == name) {
                let head = format!("# allow {}: the test says so\n", case.code);
                *bytes = [head.as_bytes(), bytes].concat();
            }
        }
        let left = validate(all).1;
        assert!(left.is_empty(), "{stem}: {left:?}");
        // Line by line.
        for one in found.iter() {
            let line = sources.place(one.primary()).line;
            let (_, bytes) = files
                .iter_mut()
                .find(|(name, _)| name == sources.path(one.primary().file))
                .expect("one of ours");
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if !lines[line - 1].contains("# allow") {
                lines[line - 1].push_str(&format!(" # allow {}: it is meant so", case.code));
            }
            *bytes = (lines.join("\n") + "\n").into_bytes();
        }
        let left = validate(files).1;
        assert!(left.is_empty(), "{stem}: {left:?}");
    }
}

#[test]
fn lints_are_said_of_what_is_right_otherwise() {
    let text = example("W005_first_value");
    assert_eq!(lints(&text, "timeout: 30s", "timeout: 30s"), ["W005"]);
    assert_eq!(lints(&text, "timeout: 30s", "timeout: 30x"), ["SF013"]);
    assert_eq!(lints(&text, "issue: reap_panes", "issue: other_panes"), ["SF102"]);
}

#[test]
fn an_allow_of_nothing_is_said_only_when_all_was_looked_for() {
    let text = example("W002_idle");
    assert_eq!(lints(&text, "timeout: 30s", "timeout: 30s"), ["W002"]);
    assert_eq!(lints(&text, "timeout: 30s", "timeout: 30x"), ["SF013"]);
}

#[test]
fn what_has_an_effect_or_an_end_is_left_alone() {
    let text = example("W007_one_attempt");
    // It overrides a default that tries again.
    let default = "timeout: 30s\ndefaults: { retry: { attempts: 2, backoff: constant, delay: 1s, \
                   on: [unreachable] } }";
    assert!(lints(&text, "timeout: 30s", default).is_empty());
    let text = text.replace("timeout: 30s", "timeout: 90s");
    let grows = "attempts: 3, backoff: linear, max_delay: 9s,";
    assert!(lints(&text, "attempts: 1, backoff: constant,", grows).is_empty());
    let text = example("W006_refuses");
    assert!(lints(&text, "policy: refuse", "policy: replace").is_empty());
    assert!(lints(&text, "    timeout: none", "    timeout: 9d").is_empty());
    let text = example("W004_the_wider_first");
    let narrow = "where: event.count < 3, save: { many: false }";
    assert!(lints(&text, "save: { many: false }", narrow).is_empty());
}
