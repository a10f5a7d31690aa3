//! Every diagnostic code has a page, a failing file and a golden message; this test ties the three.
//! Checks no rule itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sagaflow::definition::read::load;
use sagaflow::diag::{Code, Diagnostics, SourceMap, render};
use sagaflow::plan::compile_library;

/// Codes whose rule is not built yet. Shrinks only: an entry that is no longer needed fails.
const AWAITED: &[&str] = &[];

/// Codes of files that no directory of definitions holds: the tests of `validate` and of the
/// launcher's configuration make them.
const UNHELD: &[&str] = &["SF025", "SF026"];

/// What `sagaflow validate` finds in these files.
pub(super) fn validate(files: Vec<(String, Vec<u8>)>) -> (SourceMap, Diagnostics) {
    let (library, mut found) = load(files);
    found.append(compile_library(&library).1);
    found.sort();
    (library.sources, found)
}

/// A failing example: the files of one stem (`SF106_two_sagas.saga.yaml`,
/// `SF106_two_sagas.again.saga.yaml`).
pub(super) struct Case {
    pub(super) code: String,
    pub(super) files: Vec<PathBuf>,
    golden: PathBuf,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

pub(super) fn cases() -> BTreeMap<String, Case> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for entry in fs::read_dir(directory()).expect("the directory is in the repository") {
        let path = entry.expect("the directory can be read").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if !name.ends_with(".yaml") || name == "common.catalog.yaml" {
            continue;
        }
        let stem = name.split('.').next().unwrap_or_default().to_owned();
        let code = stem.split('_').next().unwrap_or_default().to_owned();
        let golden = directory().join(format!("{stem}.txt"));
        let new = || Case { code, files: Vec::new(), golden };
        cases.entry(stem).or_insert_with(new).files.push(path);
    }
    for case in cases.values_mut() {
        // The plain name first, as an author would pass it.
        case.files.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    }
    cases
}

/// The vocabulary of the failing files.
pub(super) fn common() -> (String, Vec<u8>) {
    read(&directory().join("common.catalog.yaml"))
}

pub(super) fn read(path: &Path) -> (String, Vec<u8>) {
    let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    (name, fs::read(path).expect("the file was listed a moment ago"))
}

#[test]
fn every_finding_says_what_to_do() {
    let found = cases().into_values().flat_map(|case| {
        let mut files = vec![read(&directory().join("common.catalog.yaml"))];
        files.extend(case.files.iter().map(|path| read(path)));
        let (sources, found) = validate(files);
        let told = render::json(&found, &sources, 1)["diagnostics"].clone();
        told.as_array().expect("a list").clone()
    });
    for one in found {
        assert!(one["help"].as_str().is_some_and(|help| !help.is_empty()), "{one}");
    }
}

#[test]
fn each_failing_file_says_its_code_and_nothing_else() {
    let mut wrong = Vec::new();
    for (stem, case) in cases() {
        let mut files = vec![read(&directory().join("common.catalog.yaml"))];
        files.extend(case.files.iter().map(|path| read(path)));
        let (sources, found) = validate(files);
        let codes: BTreeSet<&str> = found.iter().map(|one| one.code.as_str()).collect();
        let shown = render::human(&found, &sources, false);
        if codes != BTreeSet::from([case.code.as_str()]) {
            wrong.push(format!("{stem} finds {codes:?}:\n{shown}"));
            continue;
        }
        if updating() {
            fs::write(&case.golden, &shown).expect("the directory can be written");
        } else if fs::read_to_string(&case.golden).unwrap_or_default() != shown {
            wrong.push(format!(
                "{stem} differs from its .txt; `UPDATE=1 cargo test` rewrites:\n{shown}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_code_has_a_failing_file_and_each_file_a_code() {
    let cases = cases();
    let shown: BTreeSet<&str> = cases.values().map(|case| case.code.as_str()).collect();
    for code in Code::ALL {
        let name = code.as_str();
        let expected = !AWAITED.contains(&name) && !UNHELD.contains(&name);
        assert_eq!(shown.contains(name), expected, "{name}: a failing file, or AWAITED, not both");
    }
    for name in shown {
        assert!(Code::parse(name).is_some(), "tests/diagnostics/{name}_* is of no code");
    }
}

#[test]
fn no_golden_message_outlives_its_file() {
    let stems: BTreeSet<String> = cases().into_keys().collect();
    for entry in fs::read_dir(directory()).expect("the directory is in the repository") {
        let name = entry.expect("the directory can be read").file_name();
        let name = name.to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".txt") {
            assert!(stems.contains(stem), "tests/diagnostics/{name} has no failing file");
        }
    }
}

/// The lines of the first YAML block of a page.
fn example(page: &str) -> Vec<&str> {
    let lines = page.lines().skip_while(|line| *line != "```yaml").skip(1);
    lines.take_while(|line| *line != "```").collect()
}

/// Whether the lines stand in the text in this order without a gap, wherever they are indented to.
fn stands_in(lines: &[&str], text: &str) -> bool {
    let text: Vec<&str> = text.lines().collect();
    text.windows(lines.len().max(1)).any(|window| {
        let pairs = window.iter().zip(lines);
        pairs.into_iter().all(|(there, here)| there.trim_start() == here.trim_start())
    })
}

#[test]
fn each_page_explains_shows_a_file_that_fails_and_cures() {
    let cases = cases();
    for code in Code::ALL {
        let (name, page) = (code.as_str(), code.explain());
        let title = format!("# {name}: {}\n", code.title());
        assert!(page.starts_with(&title), "docs/errors/{name}.md must begin with {title:?}");
        assert!(page.contains("\n## Cure\n"), "docs/errors/{name}.md has no cure");
        let lines = example(page);
        assert!(!lines.is_empty(), "docs/errors/{name}.md has no example");
        if AWAITED.contains(&name) || UNHELD.contains(&name) {
            continue;
        }
        let mut files = cases.values().filter(|case| case.code == name).flat_map(|c| &c.files);
        let fails = files.any(|path| stands_in(&lines, &String::from_utf8_lossy(&read(path).1)));
        assert!(
            fails,
            "the example of docs/errors/{name}.md stands in no tests/diagnostics/{name}_*"
        );
    }
}

#[test]
fn the_index_of_codes_is_fresh() {
    let mut text = "# Diagnostic codes\n\n\
        Generated by `UPDATE=1 cargo test`. `sagaflow explain CODE` prints the page of a code.\n\n\
        | code | what is wrong |\n|---|---|\n"
        .to_owned();
    for code in Code::ALL {
        text.push_str(&format!("| [{code}]({code}.md) | {} |\n", code.title()));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors/index.md");
    if updating() {
        fs::write(path, text).expect("docs/errors can be written");
    } else {
        let written = fs::read_to_string(path).unwrap_or_default();
        assert_eq!(written, text, "docs/errors/index.md: run `UPDATE=1 cargo test`");
    }
}

/// The codes that a saga's text finds, each with its line.
fn codes(saga: &str) -> Vec<(&'static str, usize)> {
    let common = read(&directory().join("common.catalog.yaml"));
    let own = ("mistaken.saga.yaml".to_owned(), saga.as_bytes().to_vec());
    let (sources, found) = validate(vec![common, own]);
    found.iter().map(|one| (one.code.as_str(), sources.place(one.primary()).line)).collect()
}

const MISTAKEN: &str = "saga: mistaken
trigger: { event: window_closd }
input: { label: \"${{ trigger.label }}\" }
eviction: { key: input.label, policy: ignore }
timeout: 60s
steps:
  - id: reap
    if: input.label ==
    issue: reap_pains
    await: { echo: panes_reaped }
    timeout: 10s
  - id: told
    delay: 1s
";

#[test]
fn a_mistake_of_the_text_hides_no_wrong_name_and_no_wrong_expression() {
    let names = [("SF101", 2), ("SF201", 8), ("SF102", 9)];
    assert_eq!(codes(MISTAKEN), names);
    for (right, wrong, code, line) in [
        ("timeout: 60s", "timeout: 60x", "SF013", 5),
        ("policy: ignore", "policy: shrug", "SF015", 4),
        ("delay: 1s", "delay: soon", "SF013", 13),
        ("delay: 1s", "delai: 1s", "SF009", 13),
        ("await: { echo: panes_reaped }", "await: panes_reaped", "SF011", 10),
        ("    timeout: 10s\n", "    timeout: 10s\n    retry: { attempts: 0 }\n", "SF018", 12),
    ] {
        let found = codes(&MISTAKEN.replace(right, wrong));
        assert!(found.contains(&(code, line)), "{wrong}: {found:?}");
        for name in names {
            assert!(found.contains(&name), "{wrong} hides {name:?}: {found:?}");
        }
        let sure = ["SF101", "SF102", "SF201", "SF010", "SF016", code];
        assert!(found.iter().all(|(code, _)| sure.contains(code)), "{wrong}: {found:?}");
    }
}

#[test]
fn a_trigger_that_is_missing_hides_no_wrong_name() {
    let text = MISTAKEN.replace("trigger: { event: window_closd }\n", "");
    assert_eq!(codes(&text), [("SF010", 1), ("SF201", 7), ("SF102", 8)]);
}

#[test]
fn an_answer_that_the_catalog_misspells_is_not_held_against_the_saga() {
    let (name, catalog) = read(&directory().join("common.catalog.yaml"));
    let catalog = String::from_utf8_lossy(&catalog).replace("[panes_reaped]", "[panes_reapd]");
    let saga = MISTAKEN.replace("closd", "closed").replace("pains", "panes").replace(" ==", "");
    let files = vec![(name, catalog.into_bytes()), ("s.saga.yaml".to_owned(), saga.into())];
    let codes: BTreeSet<&str> = validate(files).1.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, BTreeSet::from(["SF101", "SF109", "SF204"]));
}

#[test]
fn a_mistake_about_a_command_hides_no_wrong_name_in_a_saga() {
    let catalog = "commands: { nudge: { target: hots, echoes: [], idempotent: true } }\n";
    let files = vec![
        read(&directory().join("common.catalog.yaml")),
        ("more.catalog.yaml".to_owned(), catalog.into()),
        ("mistaken.saga.yaml".to_owned(), MISTAKEN.into()),
    ];
    let codes: Vec<&str> = validate(files).1.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["SF301", "SF103", "SF101", "SF201", "SF102"]);
}
