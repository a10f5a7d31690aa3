//! What the documentation shows is true: its definitions are read and checked like anybody's, and
//! its commands are commands that exist. Runs none of them.

use super::shipped::read_clean;
use super::tidy::{Source, none_of, read, root, sources};

/// Blocks of code whose fence names a file, as in "```yaml site/site.catalog.yaml".
pub fn named_blocks(document: &Source) -> Vec<(String, Vec<u8>)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in document.text.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            open = !open && fence.contains(' ');
            if open {
                let path = fence.split_whitespace().last().unwrap_or_default();
                blocks.push((path.to_owned(), String::new()));
            }
        } else if let Some((_, text)) = blocks.last_mut().filter(|_| open) {
            text.push_str(line);
            text.push('\n');
        }
    }
    blocks.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
}

#[test]
fn definitions_in_the_guide_are_free_of_mistakes() {
    let guides = sources("docs/guide", "md");
    let first = guides.iter().find(|d| d.path.ends_with("first-saga.md")).expect("we ship it");
    let files = named_blocks(first).into_iter().filter(|(path, _)| path.starts_with("sagas/"));
    let library = read_clean(files.collect());
    assert_eq!(library.sagas.len(), 1);
    // Every other page has its own files, or scenarios for those of the first.
    for guide in guides.iter().filter(|guide| !guide.path.ends_with("first-saga.md")) {
        let mut files = named_blocks(guide);
        if files.iter().all(|(path, _)| path.ends_with(".test.yaml")) {
            files.splice(0..0, named_blocks(first));
        }
        read_clean(files.into_iter().filter(|(path, _)| path.starts_with("sagas/")).collect());
    }
}

#[test]
fn the_saga_on_the_front_page_is_the_guides() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("we ship it");
    let shown = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.expect("the front page shows a saga");
    let code = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|l| l.split(" #").next().unwrap_or_default().trim_end());
        lines.filter(|l| !l.is_empty() && !l.starts_with("doc:")).map(str::to_owned).collect()
    };
    let guides = sources("docs/guide", "md");
    let first = guides.iter().find(|d| d.path.ends_with("first-saga.md")).expect("we ship it");
    let blocks = named_blocks(first);
    let (_, saga) = blocks.iter().find(|(p, _)| p.ends_with(".saga.yaml")).expect("it has one");
    let saga = String::from_utf8_lossy(saga).into_owned();
    assert_eq!(code(shown), code(&saga));
}

/// The words of a line, as a shell splits it.
fn words_of(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for one in line.chars() {
        match (one, quote) {
            (one, Some(open)) if one == open => quote = None,
            ('\'' | '"', None) => quote = Some(one),
            (' ', None) => words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty())),
            (one, _) => word.push(one),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Arguments of the commands in "```sh" blocks, with the place of each.
fn shown_commands() -> Vec<(String, Vec<String>)> {
    let mut documents = sources("docs", "md");
    documents.push(read(&root().join("README.md")));
    let mut found = Vec::new();
    for document in documents {
        let mut in_shell = false;
        // A line that goes on in the next one keeps its place.
        let text = document.text.replace("\\\n    ", " ");
        for (i, line) in text.lines().enumerate() {
            if let Some(fence) = line.trim_start().strip_prefix("```") {
                in_shell = !in_shell && fence == "sh";
                continue;
            }
            let line = line.split(" #").next().unwrap_or_default().trim();
            let line = line.split(" && ").next().unwrap_or_default();
            let line = line.trim_end_matches('&').trim_end();
            let arguments = line.strip_prefix("sagaflow ").or_else(|| {
                line.strip_prefix("cargo run ").and_then(|rest| rest.split_once("-- ")).map(|r| r.1)
            });
            if let Some(arguments) = arguments.filter(|_| in_shell) {
                let mut words = vec!["sagaflow".to_owned()];
                words.extend(words_of(arguments));
                found.push((format!("{}:{}: {line}", document.path, i + 1), words));
            }
        }
    }
    found
}

#[test]
fn commands_in_the_documentation_exist() {
    let mut bad = Vec::new();
    for (place, words) in shown_commands() {
        if let Err(error) = sagaflow::cli::command().try_get_matches_from(words) {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            bad.push(format!("{place}\n    {first}"));
        }
    }
    none_of(&bad, "the command line does not take what the documentation shows");
}

/// Each row of the table of limits is what the source says, and the table has no other.
#[test]
fn the_limits_in_the_reference_are_those_of_the_source() {
    use sagaflow::limits;
    let rows: [(&str, usize); 13] = [
        ("bytes of a file", limits::YAML_BYTES_MAX),
        ("levels of nesting in a file", limits::YAML_DEPTH_MAX),
        ("values in a file", limits::YAML_NODES_MAX),
        ("steps of a saga, nested ones included", limits::STEPS_MAX),
        ("levels of steps within steps", limits::STEP_DEPTH_MAX),
        ("elements of a `for_each`", limits::FOR_EACH_MAX),
        ("sub-sagas within sub-sagas", limits::CALL_DEPTH),
        ("`emit`s that cause one another", limits::EMIT_DEPTH),
        ("bytes of an expression", limits::EXPR_BYTES_MAX),
        ("levels of an expression", limits::EXPR_DEPTH_MAX),
        ("values that one evaluation looks at", limits::EXPR_VISITS_MAX),
        ("bytes of one payload", limits::PAYLOAD_BYTES_MAX),
        (
            "the shortest `every`, in milliseconds (at least)",
            usize::try_from(limits::SCHEDULE_EVERY_MIN.0).expect("it is short"),
        ),
    ];
    let grouped = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<&str> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|three| std::str::from_utf8(three).expect("digits"))
            .collect();
        groups.join(",")
    };
    let expected: Vec<String> =
        rows.iter().map(|(what, most)| format!("| {what} | {} |", grouped(*most))).collect();
    let text = std::fs::read_to_string(root().join("docs/reference/language.md"));
    let text = text.expect("we ship it");
    let section = text.split("## Limits").nth(1).and_then(|rest| rest.split("\n## ").next());
    let lines = section.expect("it has the section").lines().filter(|line| line.starts_with("| "));
    let shown: Vec<&str> = lines.skip(1).collect();
    assert_eq!(shown, expected);
}
