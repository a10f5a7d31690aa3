//! Ratchets: what the house rules promise about our own files, held by reading them.
//! Not a linter of meaning: clippy and the compiler do that. Every list of exceptions only shrinks.

mod floors;
mod links;
mod promises;

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Files that are longer than [`FILE_LINES_MAX`]. Only shrinks.
const LONG_FILES: &[&str] = &[];
/// Functions that are longer than [`FUNCTION_LINES_MAX`], as `file:name`. Only shrinks.
const LONG_FUNCTIONS: &[&str] = &["src/view/fold.rs:apply"];

/// One file of ours, its path relative to the package.
pub struct Source {
    /// Path with `/`, relative to the package.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// The lines of the product: without the unit tests, which stand at a file's end.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = if self.is_test() { "".lines() } else { self.text.lines() };
        lines
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .enumerate()
            .map(|(i, line)| (i + 1, line))
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// The part of it that tests: all of a test file, else what follows `#[cfg(test)]`.
    pub fn test_text(&self) -> &str {
        if self.is_test() {
            return &self.text;
        }
        self.text.find("\n#[cfg(test)]").map_or("", |at| &self.text[at..])
    }
}

/// The package's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under `dir` with that extension, sorted by path.
pub fn sources(dir: &str, extension: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(dir), extension, &mut paths);
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// One file of ours.
pub fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let relative = path.strip_prefix(root()).expect("collected below the root");
    Source { path: relative.to_string_lossy().replace('\\', "/"), text }
}

fn collect(dir: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("a directory that we just opened can be listed").path();
        if path.is_dir() {
            collect(&path, extension, into);
        } else if path.extension().is_some_and(|e| e == extension) {
            into.push(path);
        }
    }
}

/// Every Rust file of ours.
pub fn rust() -> Vec<Source> {
    let mut all = sources("src", "rs");
    all.extend(sources("tests", "rs"));
    all
}

/// Fails with all violations at once and with what to do about them.
pub fn none_of(violations: &[String], cure: &str) {
    assert!(violations.is_empty(), "{cure}:\n  {}\n", violations.join("\n  "));
}

#[test]
fn the_package_s_root_holds_what_a_visitor_looks_for_and_nothing_else() {
    const ROOT: &[&str] = &[
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "docs",
        "sagas",
        "schemas",
        "src",
        "target",
        "tests",
    ];
    let entries = fs::read_dir(root()).expect("the package is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let bad: Vec<_> =
        names.filter(|name| !name.starts_with('.') && !ROOT.contains(&name.as_str())).collect();
    none_of(&bad, "settings of tools are dotfiles; the rest goes under docs, src or tests");
}

#[test]
fn what_chance_found_becomes_a_test_and_no_file_of_seeds() {
    let blocks = |source: &Source| {
        let opens = source.text.matches("proptest! {\n").count();
        let kept = source.text.matches("failure_persistence: None").count();
        opens > kept
    };
    let all = sources("src", "rs").into_iter().chain(sources("tests", "rs"));
    let bad: Vec<_> = all.filter(blocks).map(|source| source.path).collect();
    none_of(&bad, "give its configuration `failure_persistence: None`");
}

#[test]
fn every_file_says_first_what_it_is() {
    let bad: Vec<_> =
        rust().into_iter().filter(|f| !f.text.starts_with("//! ")).map(|f| f.path).collect();
    none_of(&bad, "begin with a `//!` line that says what the module is, and what it is not");
}

#[test]
fn files_are_short() {
    let long: Vec<_> =
        rust().into_iter().filter(|f| f.text.lines().count() > FILE_LINES_MAX).collect();
    let bad: Vec<_> = long
        .iter()
        .filter(|f| !LONG_FILES.contains(&f.path.as_str()))
        .map(|f| format!("{}: {} lines", f.path, f.text.lines().count()))
        .collect();
    none_of(&bad, &format!("cut along control flow, {FILE_LINES_MAX} lines a file"));
    let stale = LONG_FILES.iter().filter(|e| long.iter().all(|f| f.path != **e));
    let stale: Vec<_> = stale.map(ToString::to_string).collect();
    none_of(&stale, "short again: delete it from LONG_FILES");
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for file in rust() {
        for (name, line, count) in functions(&file.text) {
            if count > FUNCTION_LINES_MAX {
                long.push((format!("{}:{name}", file.path), line, count));
            }
        }
    }
    let bad: Vec<_> = long
        .iter()
        .filter(|(name, ..)| !LONG_FUNCTIONS.contains(&name.as_str()))
        .map(|(name, line, count)| format!("{name} (line {line}): {count} lines"))
        .collect();
    none_of(&bad, &format!("the parent branches, the leaves compute; {FUNCTION_LINES_MAX} lines"));
    let stale = LONG_FUNCTIONS.iter().filter(|e| long.iter().all(|(name, ..)| name != *e));
    let stale: Vec<_> = stale.map(ToString::to_string).collect();
    none_of(&stale, "short again: delete it from LONG_FUNCTIONS");
}

/// Name, first line and length of each function, from the shape that rustfmt gives it: the
/// closing brace stands alone under the first column of the signature.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(name) = function_name(code) else { continue };
        let indent = &line[..line.len() - code.len()];
        let end = format!("{indent}}}");
        let length = lines[i..].iter().position(|l| **l == end);
        // A test may be one long table.
        let is_test = i > 0 && lines[i - 1].trim_start() == "#[test]";
        if let Some(length) = length.filter(|_| !is_test && !code.ends_with(['}', ';'])) {
            found.push((name.to_owned(), i + 1, length + 1));
        }
    }
    found
}

fn function_name(code: &str) -> Option<&str> {
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async", "default"];
    let mut rest = code;
    while let Some(word) = words.iter().find(|w| rest.starts_with(&format!("{w} "))) {
        rest = &rest[word.len() + 1..];
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[test]
fn lines_are_narrow() {
    let mut bad = Vec::new();
    for file in rust() {
        for (i, line) in file.text.lines().enumerate() {
            // What a test feeds in may be as wide as it is in the world.
            let is_fixture =
                !line.trim_start().starts_with("//") && file.product_lines().count() <= i;
            if line.chars().count() > COLUMNS_MAX && !is_fixture {
                bad.push(format!("{}:{}", file.path, i + 1));
            }
        }
    }
    none_of(&bad, &format!("wrap at {COLUMNS_MAX} columns, comments and strings too"));
}

#[test]
fn nothing_is_put_off_in_the_code() {
    let word = concat!("FIX", "ME");
    let mut bad = Vec::new();
    for file in rust() {
        for (i, line) in file.text.lines().enumerate() {
            if line.contains(word) || line.contains("todo!(") || line.contains("unimplemented!(") {
                bad.push(format!("{}:{}", file.path, i + 1));
            }
        }
    }
    bad.retain(|at| !at.starts_with("tests/it/tidy.rs"));
    none_of(&bad, "finish it, or open an issue");
}

#[test]
fn unwrap_carries_a_proof() {
    let mut bad = Vec::new();
    for file in sources("src", "rs") {
        for (line, text) in file.product_lines() {
            if text.contains(".unwrap()") || text.contains(".expect(\"\")") {
                bad.push(format!("{}:{line}", file.path));
            }
        }
    }
    none_of(&bad, "say the proof in `expect(\"…\")`, or handle it");
}

#[test]
fn lints_are_expected_never_allowed() {
    let allow = concat!("#[al", "low(");
    let allow_all = concat!("#![al", "low(");
    let mut bad = Vec::new();
    for file in rust() {
        for (i, line) in file.text.lines().enumerate() {
            if line.contains(allow) || line.contains(allow_all) {
                bad.push(format!("{}:{}", file.path, i + 1));
            }
        }
    }
    none_of(&bad, "write #[expect(lint, reason = \"…\")], which fails when it is not needed");
}

#[test]
fn one_file_alone_knows_the_yaml_library() {
    let users: Vec<_> = sources("src", "rs")
        .iter()
        .filter(|f| {
            f.text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains("serde_yaml::"))
        })
        .map(|f| f.path.clone())
        .collect();
    assert!(users.len() <= 1, "the library changes fast, so one file hides it: {users:?}");
}

#[test]
fn every_shipped_definition_names_its_schema_for_editors() {
    let mut bad = Vec::new();
    for file in sources("sagas", "yaml") {
        let kind = file.path.rsplit('.').nth(1).unwrap_or_default();
        let first = format!("# yaml-language-server: $schema=../schemas/{kind}.schema.json\n");
        if !file.text.starts_with(&first) {
            bad.push(format!("{}: first line should be `{}`", file.path, first.trim_end()));
        }
    }
    none_of(&bad, "editors complete and check what names its schema");
}
