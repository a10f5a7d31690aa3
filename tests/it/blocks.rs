//! Every block of the documentation is accounted for: what is YAML is compiled, what is typed into
//! a console is run, here or in the test that is named. A block that nothing knows of fails.

use std::fs;

use super::diagnostics::{cases, common, read as read_case, validate};
use super::docs::named_blocks;
use super::shipped::{read_clean, shipped};
use super::tidy::{Source, read, root, sources};

/// A block of code in a document.
pub struct Block {
    /// Path of the document from the root of the repository.
    pub path: String,
    /// Line of its fence, from 1.
    pub line: usize,
    /// What stands behind the fence: `sh`, `yaml sagas/site.catalog.yaml`.
    pub info: String,
    /// What stands between the fences.
    pub text: String,
}

impl Block {
    /// The document and the block's first line without its comment, which is how the lists below
    /// name it.
    pub fn key(&self) -> (&str, &str) {
        let first = self.text.lines().next().unwrap_or("");
        (&self.path, first.split(" #").next().unwrap_or("").trim())
    }
}

/// All documents that we ship.
fn documents() -> Vec<Source> {
    let mut documents = sources("docs", "md");
    documents.push(read(&root().join("README.md")));
    documents
}

/// All blocks of all documents.
pub fn blocks() -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for document in documents() {
        let mut open = false;
        for (index, line) in document.text.lines().enumerate() {
            if let Some(info) = line.trim_start().strip_prefix("```") {
                open = !open;
                if open {
                    let (path, info) = (document.path.clone(), info.trim().to_owned());
                    found.push(Block { path, line: index + 1, info, text: String::new() });
                }
            } else if let Some(block) = found.last_mut().filter(|_| open) {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
        assert!(!open, "{}: a block is not closed", document.path);
    }
    found
}

/// A block by its document and its first line.
pub fn block(key: (&str, &str)) -> Block {
    let found = blocks().into_iter().find(|block| block.key() == key);
    found.unwrap_or_else(|| panic!("{key:?} stands no more in the documentation"))
}

/// Blocks of YAML without a name, and the test that compiles each.
const PLACED: &[((&str, &str), &str)] = &[
    (("README.md", "saga: publish_page"), "docs: it is the guide's"),
    (
        (
            "docs/reference/language.md",
            "# yaml-language-server: $schema=../schemas/catalog.schema.json",
        ),
        "the_reference_of_the_language_shows_definitions_without_a_mistake",
    ),
    (
        (
            "docs/reference/language.md",
            "# yaml-language-server: $schema=../schemas/saga.schema.json",
        ),
        "the_reference_of_the_language_shows_definitions_without_a_mistake",
    ),
    (
        (
            "docs/reference/launcher-yaml.md",
            "# yaml-language-server: $schema=schemas/launcher.schema.json",
        ),
        "cli::pages",
    ),
    (
        (
            "docs/guide/services.md",
            "trigger: { event: process_exited, when: trigger.client_kind == \"host\" && \
             has(trigger.killed_by) }",
        ),
        "cli::pages",
    ),
    (("docs/guide/services.md", "processes:"), "cli::pages"),
    (("docs/reference/host-script.md", "target: host"), "cli::pages"),
    (
        ("docs/guide/testing.md", "- name: faults change nothing"),
        "parts_that_the_guide_adds_to_its_saga_fit_into_it",
    ),
    (("docs/guide/testing.md", "always:"), "parts_that_the_guide_adds_to_its_saga_fit_into_it"),
    (
        ("docs/guide/first-saga.md", "publish_draft: { fail: the site is read-only }"),
        "cli::guide puts this line into the script",
    ),
];

#[test]
fn every_block_of_yaml_is_compiled_by_a_test() {
    let mut lost = Vec::new();
    let mut used = vec![false; PLACED.len()];
    for block in blocks().into_iter().filter(|block| block.info.starts_with("yaml")) {
        let named = block.info.contains(' ');
        let comment = block.text.lines().all(|line| line.trim_start().starts_with('#'));
        // Pages of codes: below, and in `diagnostics`. Named files: `docs` and those of NAMED.
        if named || comment || block.path.starts_with("docs/errors/") {
            continue;
        }
        match PLACED.iter().position(|(key, _)| *key == block.key()) {
            Some(at) => used[at] = true,
            None => lost.push(format!("{}:{}: {}", block.path, block.line, block.key().1)),
        }
    }
    assert!(lost.is_empty(), "say in tests/it/blocks.rs which test compiles\n{}", lost.join("\n"));
    let idle: Vec<_> = PLACED.iter().zip(&used).filter(|(_, used)| !**used).collect();
    assert!(idle.is_empty(), "no longer in the documentation: {idle:?}");
}

/// Named files that no reader of definitions knows, and who tries them.
const NAMED: &[(&str, &str)] = &[
    ("site.host.yaml", "cli::guide"),
    (".github/workflows/sagas.yml", "cli::ci"),
    (".pre-commit-config.yaml", "cli::ci"),
    (".githooks/pre-commit", "cli::ci"),
    ("host.py", "cli::pages"),
    ("launcher.yaml", "services::hosts"),
    ("srv.yaml", "services::hosts"),
    ("host.yaml", "services::hosts"),
];

#[test]
fn every_named_file_of_the_guide_is_used_by_a_test() {
    for block in blocks() {
        let Some((_, name)) = block.info.split_once(' ') else { continue };
        let known = name.starts_with("sagas/") || NAMED.iter().any(|(known, _)| *known == name);
        assert!(known, "{}:{}: {name}", block.path, block.line);
    }
}

#[test]
fn the_reference_of_the_language_shows_definitions_without_a_mistake() {
    let of = |kind: &str| {
        let first = format!("# yaml-language-server: $schema=../schemas/{kind}.schema.json");
        block(("docs/reference/language.md", &first)).text.into_bytes()
    };
    read_clean(vec![("shown.catalog.yaml".to_owned(), of("catalog"))]);
    // The saga is one that we ship, cut short.
    let mut files = shipped();
    files.retain(|(path, _)| path.ends_with(".catalog.yaml"));
    files.push(("shown.saga.yaml".to_owned(), of("saga")));
    assert_eq!(read_clean(files).sagas.len(), 1);
}

#[test]
fn parts_that_the_guide_adds_to_its_saga_fit_into_it() {
    let page = |name: &str| read(&root().join("docs/guide").join(name));
    let mut files = named_blocks(&page("first-saga.md"));
    files.extend(named_blocks(&page("testing.md")));
    files.retain(|(path, _)| path.starts_with("sagas/"));
    for (first, ending) in
        [("- name: faults change nothing", ".test.yaml"), ("always:", ".saga.yaml")]
    {
        let part = block(("docs/guide/testing.md", first)).text;
        let (_, text) =
            files.iter_mut().find(|(path, _)| path.ends_with(ending)).expect("the guide has it");
        text.extend(part.into_bytes());
    }
    read_clean(files);
}

/// Pages whose cure shows another part of the saga than the one that is wrong, so that it cannot be
/// put in its place.
const CURED_ELSEWHERE: &[(&str, &str)] = &[
    ("SF016", "the cure is two steps, with the ids that the text leaves out"),
    ("SF104", "the cure is the other saga's name"),
    ("SF113", "the cure is one more line"),
    ("SF116", "the cure is the declaration of the signal"),
    ("SF122", "the cure is the other saga's trigger"),
    ("SF208", "the cure of one cause is not that of the others"),
    ("SF310", "the cure is one more part of the step"),
    ("SF312", "the cure is the whole probe"),
    ("SF313", "the cure is the whole probe"),
    ("SF401", "the cure is one more line"),
    ("SF403", "the cure names a command of the reader's"),
    ("SF501", "the cure is one more line"),
    ("SF505", "the cure is the other saga's key"),
    ("SF605", "the cure is the reading"),
    ("W002", "the cure belongs to a wait without end"),
    ("W005", "the cure is the reading"),
    ("W006", "the cure is shorter than what is wrong"),
    ("W008", "the cure is the step that awaits it"),
];

/// The blocks of YAML of a page.
fn yaml_of(page: &str) -> Vec<Vec<&str>> {
    let parts = page.split("```yaml\n").skip(1);
    parts.map(|part| part.lines().take_while(|line| *line != "```").collect()).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The text with the wrong lines replaced by the right ones, where the wrong ones stand in it.
fn replaced(text: &str, wrong: &[&str], right: &[&str]) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let same = |window: &[&str]| {
        window.iter().zip(wrong).all(|(there, here)| there.trim_start() == here.trim_start())
    };
    let at = lines.windows(wrong.len()).position(same)?;
    let (there, here) = (indent(lines[at]), indent(wrong[0]));
    let moved = right.iter().map(|line| match there.checked_sub(here) {
        Some(more) => format!("{}{line}", " ".repeat(more)),
        None => line.get(here - there..).unwrap_or("").to_owned(),
    });
    let mut out: Vec<String> = lines[..at].iter().map(|line| (*line).to_owned()).collect();
    out.extend(moved);
    out.extend(lines[at + wrong.len()..].iter().map(|line| (*line).to_owned()));
    Some(out.join("\n") + "\n")
}

#[test]
fn the_cure_on_the_page_of_a_code_cures() {
    let mut wrong = Vec::new();
    for code in sagaflow::diag::Code::ALL {
        let blocks = yaml_of(code.explain());
        let [first, cures @ ..] = blocks.as_slice() else { continue };
        if cures.is_empty() {
            continue;
        }
        let mut tried = Vec::new();
        for case in cases().into_values().filter(|case| case.code == code.as_str()) {
            for path in &case.files {
                let Ok(text) = fs::read_to_string(path) else { continue };
                for cure in cures {
                    let Some(cured) = replaced(&text, first, cure) else { continue };
                    let mut files = vec![common()];
                    files.extend(case.files.iter().map(|path| read_case(path)));
                    let own = read_case(path).0;
                    let (_, bytes) =
                        files.iter_mut().find(|(name, _)| *name == own).expect("one of them");
                    *bytes = cured.into_bytes();
                    let found = validate(files).1;
                    tried.push(found.iter().map(|one| one.code.as_str()).collect::<Vec<_>>());
                }
            }
        }
        let cures = tried.iter().any(Vec::is_empty);
        let listed = CURED_ELSEWHERE.iter().any(|(known, _)| *known == code.as_str());
        if cures == listed {
            wrong.push(format!("{code}: {tried:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "cures in place, or CURED_ELSEWHERE, not both:\n{}",
        wrong.join("\n")
    );
}
