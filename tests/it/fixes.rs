//! Every fix that a diagnostic offers does what it says: its finding goes, no other comes, and
//! nothing around it changes.

use std::collections::BTreeSet;

use sagaflow::diag::{Diagnostic, Diagnostics, Fix, SourceMap, apply, render};

use super::diagnostics::{cases, common, read, validate};

type Files = Vec<(String, Vec<u8>)>;

/// The files after a fix, which is in one of them.
fn fixed(files: &Files, sources: &SourceMap, fix: &Fix) -> Files {
    let path = sources.path(fix.edits[0].0.file);
    let mut files = files.clone();
    let (_, bytes) = files.iter_mut().find(|(name, _)| name == path).expect("a file of ours");
    let text = String::from_utf8(bytes.clone()).expect("what is offered a fix is UTF-8");
    let (after, applied) = apply(&text, &[fix]);
    assert_eq!(applied, [0], "it fits the text");
    outside_is_equal(&text, &after, fix);
    *bytes = after.into_bytes();
    files
}

/// What lies before, between and behind the edits is the same, byte for byte.
fn outside_is_equal(before: &str, after: &str, fix: &Fix) {
    let mut edits = fix.edits.clone();
    edits.sort_by_key(|(span, _)| *span);
    let (mut from, mut at) = (0, 0);
    for (span, new) in &edits {
        let kept = &before[from..span.range().start];
        assert_eq!(&after[at..at + kept.len()], kept);
        at += kept.len() + new.len();
        from = span.range().end;
    }
    assert_eq!(&after[at..], &before[from..]);
}

fn said(found: &Diagnostics) -> BTreeSet<(String, String)> {
    let words = |one: &Diagnostic| (one.code.to_string(), one.message.clone());
    found.iter().map(words).collect()
}

#[test]
fn each_offered_fix_cures_its_finding_and_brings_no_other() {
    let mut offered = BTreeSet::new();
    let mut wrong = Vec::new();
    for (stem, case) in cases() {
        let mut files = vec![common()];
        files.extend(case.files.iter().map(|path| read(path)));
        let (sources, found) = validate(files.clone());
        for one in found.iter() {
            let Some(fix) = &one.fix else { continue };
            offered.insert(case.code.clone());
            let (sources, after) = validate(fixed(&files, &sources, fix));
            let (before, after_it) = (said(&found), said(&after));
            let gone = after.len() < found.len()
                && !after_it.contains(&(one.code.to_string(), one.message.clone()));
            if !gone || !after_it.is_subset(&before) {
                let shown = render::human(&after, &sources, false);
                wrong.push(format!("{stem}: after `{}`:\n{shown}", fix.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for code in [
        "SF001", "SF002", "SF009", "SF011", "SF012", "SF013", "SF015", "SF023", "SF101", "SF102",
        "SF103", "SF105", "SF110", "SF202", "SF203", "SF206", "W001",
    ] {
        assert!(offered.contains(code), "no example of {code} is offered a fix: {offered:?}");
    }
}

const SAGA: &str = r#"saga: reap   # a comment that stays
trigger: { event: window_closed }
input: { label: "${{ trigger.label }}" }
eviction: { key: input.label, policy: ignore }
timeout: 30s
steps:
  - id: reap
    issue: reap_panes
    with: { label: "${{ input.label }}" }
    await: { echo: panes_reaped }
    timeout: 10s
result: { done: "${{ steps.reap.outcome }}" }
"#;

/// Applies what is offered, again and again, to the saga with one line written otherwise; gives
/// what became of that line, or nothing where none was offered.
fn cured(right: &str, wrong: &str) -> Option<String> {
    assert!(SAGA.contains(right), "{right}");
    let text = SAGA.replacen(right, wrong, 1);
    let mut files = vec![common(), ("s.saga.yaml".to_owned(), text.clone().into_bytes())];
    for _ in 0..10 {
        let (sources, found) = validate(files.clone());
        let Some(fix) = found.iter().find_map(|one| one.fix.as_ref()) else { break };
        files = fixed(&files, &sources, fix);
    }
    let after = String::from_utf8_lossy(&files[1].1).into_owned();
    let (head, tail) = SAGA.split_once(right).expect("it stands there");
    let line = after.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    let line = line.unwrap_or_else(|| panic!("more than the line has changed:\n{after}"));
    (line != wrong).then(|| line.to_owned())
}

#[test]
fn the_usual_traps_are_cured_where_it_is_sure() {
    let step = "    timeout: 10s\n";
    let name = "- id: reap\n";
    let with = "    with: { label: \"${{ input.label }}\" }\n";
    let wait = "    await: { echo: panes_reaped }\n";
    let doc = "saga: reap   # a comment that stays\n";
    for (right, wrong, cure) in [
        // Tabs, where one width makes it a definition.
        (step, "\ttimeout: 10s\n", Some("    timeout: 10s\n")),
        (step, "\t\ttimeout: 10s\n", Some("    timeout: 10s\n")),
        // Expressions that YAML takes for something else.
        (
            step,
            "    if: !(input.label == \"a\")\n    timeout: 10s\n",
            Some("    if: '!(input.label == \"a\")'\n    timeout: 10s\n"),
        ),
        (
            step,
            "    if: \"a\" == input.label # why\n    timeout: 10s\n",
            Some("    if: '\"a\" == input.label' # why\n    timeout: 10s\n"),
        ),
        (
            step,
            "    if: ['a'] == [input.label]\n    timeout: 10s\n",
            Some("    if: \"['a'] == [input.label]\"\n    timeout: 10s\n"),
        ),
        (
            step,
            "    if: input.label == 'a' ? true : false\n    timeout: 10s\n",
            Some("    if: \"input.label == 'a' ? true : false\"\n    timeout: 10s\n"),
        ),
        (
            wait,
            "    await: { echo: panes_reaped, where: !(event.count == 0) }\n",
            Some("    await: { echo: panes_reaped, where: \"!(event.count == 0)\" }\n"),
        ),
        (
            wait,
            "    await: { where: event.count in [1, 2], echo: panes_reaped }\n",
            Some("    await: { where: \"event.count in [1, 2]\", echo: panes_reaped }\n"),
        ),
        (with, "    with: { label: ${{ input.label }} }\n", Some(with)),
        (
            with,
            "    with: { label: ${{ input.label + 'x' }} }\n",
            Some("    with: { label: \"${{ input.label + 'x' }}\" }\n"),
        ),
        (
            doc,
            "saga: reap\ndoc: Reaps: all of it\n",
            Some("saga: reap\ndoc: \"Reaps: all of it\"\n"),
        ),
        (doc, "saga: reap\ndoc: @home\n", Some("saga: reap\ndoc: \"@home\"\n")),
        // Words, numbers and times.
        (doc, "saga: reap\ndoc: no\n", Some("saga: reap\ndoc: \"no\"\n")),
        (with, "    with: { lable: \"${{ input.label }}\" }\n", Some(with)),
        (with, "    with: { label: \"${{ input.lable }}\" }\n", Some(with)),
        (with, "    with: { label: \"${{ inptu.label }}\" }\n", Some(with)),
        (
            with,
            "    with: { \"lable\": \"${{ input.label }}\" }\n",
            Some("    with: { \"label\": \"${{ input.label }}\" }\n"),
        ),
        (step, "    timeout: 10 sec\n", Some(step)),
        (step, "    timeout: 0.5 m # half\n", Some("    timeout: 30s # half\n")),
        (step, "    timeuot: 10s\n", Some(step)),
        (wait, "    await: { echo: pane_reaped }\n", Some(wait)),
        (
            wait,
            "    await: { echo: panes_reaped, where: \"${{ event.count > 0 }}\" }\n",
            Some("    await: { echo: panes_reaped, where: event.count > 0 }\n"),
        ),
        (doc, "name: reap\ndescription: Reaps.\n", Some("saga: reap\ndoc: Reaps.\n")),
        // Where more than one thing can be meant, nothing is touched.
        (step, "    timeout: 10\n", None),
        (step, "    timeout: 5M\n", None),
        (step, "    timeout: \"10s\n", None),
        (step, "   timeout: 10s\n", None),
        (with, "    with: { label: \"${{ input.label }}\"\n", None),
        (with, "    with: { label: \"\\x24{{ input.lable }}\" }\n", None),
        (name, "- name: reap\n    id: reap\n", None),
        (wait, "    await: { echo: window_reopened }\n", None),
    ] {
        assert_eq!(cured(right, wrong).as_deref(), cure, "{wrong}");
    }
}
