//! What reading promises, one claim a test. The golden messages are under `tests/diagnostics/`.

use super::*;
use crate::definition::{Await, Bound, Source, ValueKind, Verb};
use crate::time::Millis;

pub(crate) const CATALOG: &str = r#"
targets:
  host: { doc: "Owns windows.", buffer: 64, disconnect_timeout: 30s, overflow: fail_oldest }
events:
  window_closed:
    doc: A top-level window closed.
    fields:
      label: { type: string }
      crash_detected: { type: boolean, default: false }
  panes_reaped: { doc: "All panes of a window are gone.", fields: { label: { type: string } } }
  pool_drained: {}
  pool_not_last: {}
commands:
  reap_panes:
    target: host
    fields: { label: { type: string } }
    echoes: [panes_reaped]
    failures: []
    idempotent: true
    undo: none
  drain_pool_if_last:
    target: host
    fields: { label: { type: string } }
    echoes: [pool_drained, pool_not_last]
    idempotent: true
    undo: none
"#;

const CASCADE: &str = r#"
saga: window_cleanup_cascade
doc: After a clean close, reap the window's panes, then drain the pool if it was the last window.

trigger:
  event: window_closed
  when: "!trigger.crash_detected"
input:
  label: ${{ trigger.label }}

eviction: { key: input.label, policy: ignore }
timeout: 30s

steps:
  - id: reap
    issue: reap_panes
    with: { label: "${{ input.label }}", count: 3, deep: [true, { x: 1.5 }] }
    await: { echo: panes_reaped, where: event.label == input.label }
    timeout: 10s
  - id: drain
    issue: drain_pool_if_last
    with: { label: "${{ input.label }}" }
    await:
      any_of:
        - { echo: pool_drained, save: { drained: true } }
        - { echo: pool_not_last, save: { drained: false } }
    timeout: 10s

result: { drained: "${{ vars.drained }}" }
"#;

fn read(saga: &str) -> (Library, Diagnostics) {
    load(vec![
        ("a.catalog.yaml".to_owned(), CATALOG.as_bytes().to_vec()),
        ("a.saga.yaml".to_owned(), saga.as_bytes().to_vec()),
    ])
}

fn codes(found: &Diagnostics) -> Vec<&'static str> {
    found.iter().map(|one| one.code.as_str()).collect()
}

#[test]
fn the_language_s_own_example_is_read() {
    let (library, found) = read(CASCADE);
    assert_eq!(codes(&found), [""; 0], "{found:?}");
    let saga = &library.sagas[0];
    assert_eq!(saga.timeout.value, Bound::After(Millis(30_000)));
    let [reap, drain] = saga.steps.as_slice() else { panic!("two steps") };
    let Some(Await::One(only)) = reap.wait.as_ref().map(|wait| &wait.value) else {
        panic!("one alternative")
    };
    assert_eq!((only.source, only.name.value.as_str()), (Source::Echo, "panes_reaped"));
    assert_eq!(drain.wait.as_ref().map_or(0, |wait| wait.value.alternatives().len()), 2);
    let Verb::Issue { with, .. } = &reap.verb else { panic!("an issue") };
    assert_eq!(with[1].value.kind, ValueKind::Number(3.into()), "numbers keep their type");
}

#[test]
fn places_inside_an_expression_point_into_the_file() {
    let (library, _) = read(CASCADE);
    let saga = &library.sagas[0];
    let slice =
        |text: &crate::definition::Text, range| library.sources.slice(text.at(range)).to_owned();
    let crate::definition::saga::TriggerKind::Event { when: Some(when), .. } =
        &saga.trigger.alternatives[0].kind
    else {
        panic!("an event with a guard")
    };
    assert_eq!(slice(when, 1..8), "trigger");
    let Some(Await::One(only)) = saga.steps[0].wait.as_ref().map(|wait| &wait.value) else {
        panic!("one alternative")
    };
    let filter = only.filter.as_ref().expect("the example has a where");
    assert_eq!(slice(filter, 0..11), "event.label");
    assert_eq!(slice(filter, 15..26), "input.label");
    let ValueKind::Text(label) = &saga.input[0].value.kind else { panic!("a string") };
    assert_eq!(slice(label, 4..17), "trigger.label");
}

#[test]
fn every_mistake_of_a_file_is_found_at_once() {
    let (library, found) = read(
        "saga: Bad-Name\ntrigger: { event: window_closed, wen: x }\ntimout: 5s\n\
         eviction: { policy: ignor }\nsteps:\n  - id: a\n    issue: reap_panes\n    delay: 5sec\n\
         \x20 - id: b\n    probe: {}\n    delay: 1s\n  - { id: c, id: d, done: true }\n",
    );
    let expected =
        ["SF401", "SF014", "SF009", "SF009", "SF015", "SF016", "SF013", "SF017", "SF008"];
    assert_eq!(codes(&found), expected, "{found:#?}");
    let saga = &library.sagas[0];
    assert_eq!(library.lost[&saga.span.file], [Loss::Key, Loss::Bound, Loss::Part].into());
}

#[test]
fn a_bad_file_does_not_hide_another() {
    let (library, found) = load(vec![
        ("a.catalog.yaml".to_owned(), CATALOG.as_bytes().to_vec()),
        ("bad.saga.yaml".to_owned(), b"saga: [".to_vec()),
        ("latin.saga.yaml".to_owned(), b"saga: \xe9".to_vec()),
        ("good.saga.yaml".to_owned(), CASCADE.as_bytes().to_vec()),
    ]);
    assert_eq!(codes(&found), ["SF001", "SF005"]);
    assert_eq!(library.sagas.len(), 1);
}

#[test]
fn hostile_yaml_is_refused_in_words() {
    let bomb = "a: &a [1]\nb: *a\n";
    let deep = "[".repeat(20_000);
    let many = format!("x: [{}]", "1,".repeat(60_000));
    let large = format!("x: {}", "y".repeat(crate::limits::YAML_BYTES_MAX));
    for (text, code) in [
        (bomb, "SF003"),
        ("a: 1\n<<: {b: 2}\n", "SF003"),
        (&*deep, "SF004"),
        (&*many, "SF004"),
        (&*large, "SF004"),
        ("", "SF006"),
        ("# nothing\n\n", "SF006"),
        ("a: 1\n---\nb: 2\n", "SF007"),
        ("a:\n\tb: 1\n", "SF001"),
        ("when: !x\n", "SF002"),
    ] {
        let (_, found) = load(vec![("x.saga.yaml".to_owned(), text.as_bytes().to_vec())]);
        let shown: String = text.chars().take(40).collect();
        assert_eq!(codes(&found), [code], "{shown}: {found:#?}");
    }
}

#[test]
fn a_text_below_a_sign_is_a_string_whatever_it_says() {
    let text = "a: |-\n  true\nb: >- # c\n\n  12\nc:\n  - |2-\n    null\n  - \"d\": |-\n      1\n    e:\n      2\nf:\n  # |\n  3\n";
    let expected = serde_json::json!({
        "a": "true", "b": "\n12", "c": ["null", { "d": "1", "e": 2 }], "f": 3,
    });
    assert_eq!(json_of(text), Some(expected));
    assert_eq!(
        codes(&read("saga: a\ndoc: |-\n  no\n").1).iter().find(|one| **one == "SF012"),
        None
    );
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_move_no_place() {
    let text = format!("\u{feff}{}", CASCADE.replace('\n', "\r\n"));
    let (library, found) = read(&text);
    assert!(found.is_empty(), "{found:?}");
    let name = &library.sagas[0].name;
    assert_eq!(library.sources.slice(name.span), "window_cleanup_cascade");
    let (library, found) = read(&text.replace("timeout: 30s", "timout: 30s"));
    let unknown = found.iter().find(|one| one.code == Code::UnknownKey).expect("it is found");
    assert_eq!(library.sources.slice(unknown.primary()), "timout");
    let (library, found) = read(&text.replace("\"!trigger.crash_detected\"", "!trigger.crash"));
    let tag = found.iter().next().expect("it is found");
    assert_eq!(library.sources.slice(tag.primary()), "!trigger.crash");
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    const EVERYTHING: &str = include_str!("../../schema/everything.saga.yaml");
    const VOCABULARY: &str = include_str!("../../schema/everything.catalog.yaml");

    /// A way to spoil a text.
    #[derive(Clone, Debug)]
    enum Spoil {
        DropLine(usize),
        RepeatLine(usize),
        SwapLines(usize, usize),
        Indent(usize),
        /// Puts the n-th word in the place of another one.
        MoveWord(usize, usize),
        Cut(usize),
        Insert(usize, char),
    }

    fn spoil() -> impl Strategy<Value = Spoil> {
        let at = 0usize..4_000;
        prop_oneof![
            at.clone().prop_map(Spoil::DropLine),
            at.clone().prop_map(Spoil::RepeatLine),
            (at.clone(), at.clone()).prop_map(|(a, b)| Spoil::SwapLines(a, b)),
            at.clone().prop_map(Spoil::Indent),
            (at.clone(), at.clone()).prop_map(|(a, b)| Spoil::MoveWord(a, b)),
            at.clone().prop_map(Spoil::Cut),
            (
                at,
                prop::sample::select(vec!['{', '}', '[', ':', '"', '&', '!', '-', '\t', 'é', '#'])
            )
                .prop_map(|(at, letter)| Spoil::Insert(at, letter)),
        ]
    }

    fn spoiled(text: &str, how: &Spoil) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let count = lines.len().max(1);
        match how {
            Spoil::DropLine(at) if !lines.is_empty() => drop(lines.remove(at % count)),
            Spoil::RepeatLine(at) if !lines.is_empty() => {
                lines.insert(at % count, lines[at % count].clone());
            }
            Spoil::SwapLines(a, b) if !lines.is_empty() => lines.swap(a % count, b % count),
            Spoil::Indent(at) if !lines.is_empty() => lines[at % count].insert(0, ' '),
            Spoil::MoveWord(from, to) => {
                let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
                let words: Vec<&str> = text.split(|letter| !is_word(letter)).collect();
                let pick = |n: usize| words[n % words.len()];
                return text.replacen(pick(*to), pick(*from), 1);
            }
            Spoil::Cut(at) => return text.chars().take(at % text.len().max(1)).collect(),
            Spoil::Insert(at, letter) => {
                let at = at % (text.chars().count() + 1);
                let head: String = text.chars().take(at).collect();
                let tail: String = text.chars().skip(at).collect();
                return format!("{head}{letter}{tail}");
            }
            Spoil::DropLine(_) | Spoil::RepeatLine(_) | Spoil::SwapLines(..) | Spoil::Indent(_) => {
            }
        }
        lines.join("\n")
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// No text crashes the reader, and none is passed over in silence.
        #[test]
        fn a_spoiled_file_is_read_or_found_fault_with(how in prop::collection::vec(spoil(), 1..5)) {
            let saga = how.iter().fold(EVERYTHING.to_owned(), |text, how| spoiled(&text, how));
            let catalog = how.iter().fold(VOCABULARY.to_owned(), |text, how| spoiled(&text, how));
            let (library, found) = load(vec![
                ("x.catalog.yaml".to_owned(), catalog.into_bytes()),
                ("x.saga.yaml".to_owned(), saga.into_bytes()),
            ]);
            prop_assert!(!library.sagas.is_empty() || !found.is_empty());
            let shown = crate::diag::render::human(&found, &library.sources, false);
            prop_assert_eq!(shown.is_empty(), found.is_empty());
        }
    }
}
