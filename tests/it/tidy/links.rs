//! Links in the documentation lead somewhere. Links that leave the repository are not followed.

use std::path::{Component, Path, PathBuf};

use super::{Source, none_of, root, sources};

fn documents() -> Vec<Source> {
    let mut all = sources("docs", "md");
    for name in ["README.md", "CHANGELOG.md"] {
        all.push(super::read(&root().join(name)));
    }
    all
}

/// Targets of `[text](target)`, with the number of their line; code blocks are skipped.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (i, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        for (at, open) in line.match_indices("](").filter(|_| !in_code) {
            let rest = &line[at + open.len()..];
            found.extend(rest.find(')').map(|end| (i + 1, &rest[..end])));
        }
    }
    found
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn has_anchor(path: &Path, wanted: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == wanted)
}

fn resolve(from: &str, link: &str) -> PathBuf {
    let mut path = root().join(from);
    path.pop();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let mut bad = Vec::new();
    for document in documents() {
        for (line, target) in targets(&document.text) {
            if target.starts_with("http://") || target.starts_with("https://") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                root().join(&document.path)
            } else {
                resolve(&document.path, file)
            };
            if !path.exists() || !fragment.is_empty() && !has_anchor(&path, fragment) {
                bad.push(format!("{}:{line}: {target}", document.path));
            }
        }
    }
    none_of(&bad, "the link leads nowhere");
}
