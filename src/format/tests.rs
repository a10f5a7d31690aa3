//! The layout keeps every word and comment, comes to rest at once, and is the one that people
//! write.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::definition::read::load;

fn saga(text: &str) -> String {
    match format("a.saga.yaml", FileKind::Saga, text) {
        Ok(out) => out,
        Err(refused) => panic!("{refused:?}\n{text}"),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let out = saga(text);
    assert_eq!(out, expected);
    assert_eq!(saga(&out), expected, "it does not come to rest");
}

#[test]
fn keys_stand_in_the_order_of_the_language_and_free_names_in_their_author_s() {
    check(
        "timeout: 5s\nsaga: a\nsteps:\n  - timeout: 1s\n    with: { b: 1, a: 2 }\n    issue: x\n    id: one\ntrigger: { when: x, event: y }\n",
        "saga: a\ntrigger: { event: y, when: x }\ntimeout: 5s\nsteps:\n  - id: one\n    issue: x\n    with: { b: 1, a: 2 }\n    timeout: 1s\n",
    );
}

#[test]
fn comments_go_with_what_they_stand_above_or_beside() {
    check(
        "# yaml-language-server: $schema=x\n# why this file is\n\n# the deadline\ntimeout: 5s # short\nsaga: a\n\nsteps: # in order\n# the first\n- issue: x   # why x\n  # its name\n  id: one\n  # nothing more\n# the second\n- id: two # also\n  done: true\n# the end\n",
        "# yaml-language-server: $schema=x\n# why this file is\n\nsaga: a\n# the deadline\ntimeout: 5s # short\n\nsteps: # in order\n  # the first\n  # its name\n  - id: one\n    issue: x   # why x\n    # nothing more\n  # the second\n  - id: two # also\n    done: true\n# the end\n",
    );
}

#[test]
fn white_space_is_even_and_an_empty_line_stays() {
    check(
        "\u{feff}saga:   a   \r\n\r\n\r\ntrigger:\r\n\r\n      event:  x\r\neviction: {policy:  ignore,key: [ a,b ]}\r\nsteps:\r\n  -   id: one\r\n      done: true\r\n\r\n  - {id: two,   done: true}\r\n\r\n\r\n",
        "saga: a\n\ntrigger:\n  event: x\neviction: { key: [a, b], policy: ignore }\nsteps:\n  - id: one\n    done: true\n\n  - { id: two, done: true }\n",
    );
}

#[test]
fn texts_of_several_lines_move_with_their_keys() {
    check(
        "doc: |\n     one\n       two\n\n     three\nsaga: a\nsteps:\n- fail: >-\n        it went\n        wrong\n  id: one\n- id: two\n  fail:\n     plain words\n     on two lines\n- id: three\n  fail: \"quoted \\\n     words\"\n",
        "saga: a\ndoc: |\n  one\n    two\n\n  three\nsteps:\n  - id: one\n    fail: >-\n      it went\n      wrong\n  - id: two\n    fail:\n      plain words\n      on two lines\n  - id: three\n    fail: \"quoted \\\n      words\"\n",
    );
}

#[test]
fn white_space_that_is_text_stays() {
    check(
        "doc: |\n    end of line   \n       \n    \n\nsaga: a\ninput: { k: no break\u{a0} }\n",
        "saga: a\ndoc: |\n  end of line   \n     \ninput: { k: no break\u{a0} }\n",
    );
    let below =
        "saga: a\nsteps:\n  - id: b\n    doc: |\n      x\n        \n\n    # c\n    done: true\n";
    check(below, below);
    let beside = "saga: a\ndoc: no break\u{a0} # why\n";
    check(beside, beside);
    check("saga: a\ndoc: >-\n    to the end   ", "saga: a\ndoc: >-\n  to the end   \n");
    check(
        "saga: a\nsteps:\n- id: b\n  fail: |+\n      x  \n\n\n- id: c\n",
        "saga: a\nsteps:\n  - id: b\n    fail: |+\n      x  \n\n\n  - id: c\n",
    );
}

#[test]
fn brackets_of_several_lines_stay_so_when_they_must() {
    check(
        "saga: a\nresult: {a: 1, # one\n  b: 2}\nvars: { a: 1,\n  b: 2 }\ninput: {\n  a: 1 }\n",
        "saga: a\ninput:\n  {\n    a: 1\n  }\nvars: { a: 1, b: 2 }\nresult:\n  {\n    a: 1, # one\n    b: 2\n  }\n",
    );
}

#[test]
fn a_number_that_readers_disagree_about_is_quoted() {
    let text = "saga: a\ninput:\n  part: |-\n    012\n";
    check(text, text);
    check("saga: a\ninput: { part: 012, n: 12 }\n", "saga: a\ninput: { part: \"012\", n: 12 }\n");
}

#[test]
fn a_slip_of_the_hand_stays_where_it_is() {
    check("saga: a\ntimout: 5s\ndoc: x\n", "saga: a\ntimout: 5s\ndoc: x\n");
}

#[test]
fn what_is_no_yaml_or_none_of_ours_is_refused() {
    let refused = |text: &str| format("a.saga.yaml", FileKind::Saga, text).is_err();
    for text in [
        "",
        "a: [",
        "a: b: c",
        "? a\n: b",
        "a: !!str b",
        "%YAML 1.2\n---\na: b",
        "a: &x b",
        // A text of nothing is a text, and a key without a value is not.
        "a: |\n\nb: c",
        "a:\n- b: >\n\n  c: d",
    ] {
        assert!(refused(text), "{text}");
    }
}

/// All texts of ours that are one YAML document, with their kinds.
fn texts() -> Vec<(String, FileKind, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for directory in ["sagas", "tests/diagnostics", "tests/graph", "src/schema", "src/targets"] {
        for entry in fs::read_dir(root.join(directory)).expect("it is in the repository") {
            let path = entry.expect("it can be read").path();
            let name = path.to_string_lossy().into_owned();
            if let (Some(kind), Ok(text)) = (FileKind::of(&name), fs::read_to_string(&path)) {
                all.push((name, kind, text));
            }
        }
    }
    let mut pages = vec![root.join("README.md")];
    for directory in ["docs", "docs/guide", "docs/reference", "docs/errors"] {
        let entries = fs::read_dir(root.join(directory)).expect("it is in the repository");
        pages.extend(entries.map(|entry| entry.expect("it can be read").path()));
    }
    for path in pages.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(&path).expect("it was listed a moment ago");
        for (at, block) in text.split("```yaml\n").enumerate().skip(1) {
            let block = block.split("```").next().unwrap_or_default().to_owned();
            all.push((format!("{}#{at}", path.display()), kind_of(&block), block));
        }
    }
    all
}

#[test]
fn every_text_of_ours_means_the_same_and_comes_to_rest() {
    let mut laid = 0;
    for (name, kind, text) in texts() {
        let out = match format(&name, kind, &text) {
            Ok(out) => out,
            Err(Refused::Unreadable(..)) => continue,
            Err(refused) => panic!("{name}: {refused:?}"),
        };
        laid += 1;
        assert_eq!(format(&name, kind, &out).expect("it was laid out"), out, "{name}");
        assert_eq!(read_of(kind, &text), read_of(kind, &out), "{name}");
    }
    assert!(laid > 150, "{laid}");
}

/// What is read from a text, without places: the definition, and the findings by code.
fn read_of(kind: FileKind, text: &str) -> (String, Vec<&'static str>) {
    let name = match kind {
        FileKind::Catalog => "a.catalog.yaml",
        FileKind::Saga => "a.saga.yaml",
        FileKind::Test => "a.test.yaml",
    };
    let (library, found) = load(vec![(name.to_owned(), text.as_bytes().to_vec())]);
    let catalog = format!("{:?}", library.catalog);
    let shown = format!("{catalog}\n{:?}\n{:?}", library.sagas, library.scenarios);
    let mut codes: Vec<&str> = found.iter().map(|one| one.code.as_str()).collect();
    // A number that readers disagree about is no longer one when it is quoted.
    codes.retain(|code| *code != "W001");
    codes.sort_unstable();
    (without_places(&shown), codes)
}

/// A debug text without the places in it.
fn without_places(text: &str) -> String {
    let places = regex::Regex::new(
        r"span: Span \{[^}]*\}|Span \{[^}]*\}|verbatim: (Some\(\d+\)|None)|(start|end): \d+",
    );
    places.expect("it is a pattern").replace_all(text, "").into_owned()
}

/// Text of a YAML document, as odd as people write it.
fn document() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("x".to_owned()),
        Just("\"a # b\"".to_owned()),
        Just("'it''s'".to_owned()),
        Just("${{ input.a }}".to_owned()),
        Just("a == b".to_owned()),
        Just("012".to_owned()),
        Just("~".to_owned()),
        Just(String::new()),
        Just("{ b: 1, a: [x, y] }".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("|\n@  text\n@    deeper\n\n@  end".to_owned()),
        Just(">+\n@  folded\n@  text\n\n".to_owned()),
        Just("one\n@  two\n@  three".to_owned()),
        Just("{ a: 1, # why\n@  b: 2 }".to_owned()),
    ];
    let key = prop_oneof![
        Just("saga"),
        Just("doc"),
        Just("steps"),
        Just("id"),
        Just("await"),
        Just("with"),
        Just("timeout"),
        Just("trigger"),
        Just("\"quoted\""),
        Just("parallel"),
        Just("compensate"),
    ];
    let line = (0..4_usize, key, word, 0..8_u8, 0..3_usize);
    prop::collection::vec(line, 1..14).prop_map(|lines| {
        let mut text = String::new();
        let mut open = vec![0];
        let mut opened = false;
        for (depth, key, word, extra, step) in lines {
            if opened && depth > 1 {
                open.push(open.last().copied().unwrap_or(0) + 1 + step);
            } else {
                for _ in 0..depth {
                    if open.len() > 1 {
                        open.pop();
                    }
                }
            }
            let column = open.last().copied().unwrap_or(0);
            let pad = " ".repeat(column);
            match extra {
                1 => text.push_str(&format!("{pad}# above {key}\n")),
                2 => text.push_str("\n\n"),
                3 => text.push_str("  # stray\n"),
                _ => {}
            }
            let dash = if extra == 5 { "- " } else { "" };
            text.push_str(&format!("{pad}{dash}{key}: {}", word.replace('@', &pad)));
            opened = word.is_empty();
            text.push_str(if extra == 4 { " # beside\n" } else { "\n" });
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// [fmt] Whatever is laid out means the same, and comes to rest.
    #[test]
    fn any_text_means_the_same_and_comes_to_rest(text in document()) {
        if let Ok(out) = format("a.saga.yaml", FileKind::Saga, &text) {
            prop_assert_eq!(read_of(FileKind::Saga, &text), read_of(FileKind::Saga, &out));
            let again = format("a.saga.yaml", FileKind::Saga, &out);
            prop_assert_eq!(again.ok(), Some(out));
        } else {
            // What can be read and holds nothing odd is never refused.
            prop_assert!(read(&text).is_none(), "refused:\n{}", text);
        }
    }
}
