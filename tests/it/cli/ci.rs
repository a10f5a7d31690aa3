//! The guide to continuous integration, done as it says: the workflow's commands and the hook, as
//! they stand there, on a repository with a mistake and on one without.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Did, did, package, run};
use crate::blocks::blocks;

/// A file that the guide shows under this name.
fn file(name: &str) -> String {
    let named = |info: &str| info.split_once(' ').is_some_and(|(_, known)| known == name);
    let mut all = blocks().into_iter().filter(|block| block.path == "docs/guide/ci.md");
    all.find(|block| named(&block.info)).expect("the guide shows it").text
}

/// A command with the binary on its path and nothing of whoever runs the tests.
fn command(here: &Path, program: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_sagaflow")).parent().expect("it has a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.current_dir(here).env("PATH", format!("{}:{path}", binary.display()));
    for (name, value) in [
        ("HOME", here.to_str().expect("UTF-8")),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Ann"),
        ("GIT_AUTHOR_EMAIL", "ann@example.org"),
        ("GIT_COMMITTER_NAME", "Ann"),
        ("GIT_COMMITTER_EMAIL", "ann@example.org"),
    ] {
        command.env(name, value);
    }
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "SAGAFLOW_DATA", "SAGAFLOW_SOCKET"] {
        command.env_remove(name);
    }
    command
}

/// Runs a line as the workflow's shell does.
fn shell(here: &Path, line: &str) -> Did {
    let args = ["--noprofile", "--norc", "-eo", "pipefail", "-c", line];
    did(command(here, "bash").args(args).output().expect("bash runs"))
}

fn git(here: &Path, args: &[&str]) -> Did {
    did(command(here, "git").args(args).output().expect("git runs"))
}

/// A repository as a newcomer has it: what `init` writes, with scenarios, committed.
fn repository() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let here = directory.path();
    assert_eq!(git(here, &["init", "--quiet"]).exit, 0);
    for args in [&["init"][..], &["test", "--fill"], &["fmt"]] {
        let done = run(here, args);
        assert_eq!(done.exit, 0, "{args:?}: {}{}", done.stdout, done.stderr);
    }
    assert_eq!(git(here, &["add", "--all"]).exit, 0);
    let done = git(here, &["commit", "--quiet", "-m", "Begin"]);
    assert_eq!(done.exit, 0, "{}", done.stderr);
    directory
}

const SAGA: &str = "sagas/book_seat.saga.yaml";

/// Misspells the first echo, and gives its line.
fn spoil(here: &Path) -> usize {
    let text = fs::read_to_string(here.join(SAGA)).expect("it was made");
    let at = text.find("echo: ").expect("it awaits an answer") + "echo: ".len();
    let spoilt = format!("{}x{}", &text[..at], &text[at..]);
    fs::write(here.join(SAGA), spoilt).expect("room");
    text[..at].lines().count()
}

/// The workflow's commands that are about sagas: name and line.
fn steps() -> Vec<(String, String)> {
    let text = file(".github/workflows/sagas.yml");
    let workflow: Value = serde_yaml::from_str(&text).expect("the workflow is YAML");
    let steps = workflow["jobs"]["sagas"]["steps"].as_array().expect("a list").clone();
    let word = |step: &Value, key: &str| step[key].as_str().map(str::to_owned);
    let all = steps.iter().filter_map(|step| Some((word(step, "name")?, word(step, "run")?)));
    // How the binary comes there is the reader's; here it is the one under test.
    all.filter(|(name, _)| name != "Install sagaflow").collect()
}

#[test]
fn the_workflow_is_green_on_a_repository_without_a_mistake() {
    let repository = repository();
    let here = repository.path();
    let steps = steps();
    assert_eq!(steps.len(), 6, "{steps:?}");
    for (name, line) in &steps {
        let done = shell(here, line);
        assert_eq!(done.exit, 0, "{name}: {}{}", done.stdout, done.stderr);
        assert!(!done.stdout.contains("::error"), "{name}: {}", done.stdout);
    }
    let sarif = fs::read_to_string(here.join("sagas.sarif")).expect("it was written");
    let sarif: Value = serde_json::from_str(&sarif).expect("SARIF is JSON");
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    let junit = fs::read_to_string(here.join("scenarios.xml")).expect("it was written");
    assert!(junit.contains("<testsuite"), "{junit}");
}

#[test]
fn the_workflow_shows_a_mistake_beside_its_line_and_says_no() {
    let repository = repository();
    let here = repository.path();
    let line = spoil(here);
    let mut said_no = Vec::new();
    for (name, command) in &steps() {
        let done = shell(here, command);
        if done.exit != 0 {
            assert_eq!(done.exit, 1, "{name}: {}{}", done.stdout, done.stderr);
            said_no.push(name.clone());
        }
        if command.contains("--format github") {
            let annotation = format!("::error file={SAGA},line={line},col=");
            let found = done.stdout.lines().find(|one| one.starts_with(&annotation));
            let found = found.unwrap_or_else(|| panic!("{annotation}: {}", done.stdout));
            assert!(found.contains("title=SF101::"), "{found}");
        }
    }
    assert_eq!(said_no[0], "Mistakes, beside the lines of the change");
    assert!(!said_no.contains(&"Mistakes, for code scanning".to_owned()), "{said_no:?}");
    let sarif = fs::read_to_string(here.join("sagas.sarif")).expect("it was written");
    let sarif: Value = serde_json::from_str(&sarif).expect("SARIF is JSON");
    let found = &sarif["runs"][0]["results"][0];
    assert_eq!(found["ruleId"], "SF101");
    let place = &found["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], SAGA);
    assert_eq!(place["region"]["startLine"], line);
}

/// Writes the hook as the guide has it, and lets git know.
fn hook(here: &Path) {
    let path = here.join(".githooks/pre-commit");
    fs::create_dir(here.join(".githooks")).expect("room");
    fs::write(&path, file(".githooks/pre-commit")).expect("room");
    let lines = crate::blocks::block(("docs/guide/ci.md", "chmod +x .githooks/pre-commit")).text;
    let done = shell(here, &lines);
    assert_eq!(done.exit, 0, "{}", done.stderr);
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o100, 0o100);
}

#[test]
fn the_hook_looks_at_what_is_staged() {
    let repository = repository();
    let here = repository.path();
    hook(here);
    let commits = || git(here, &["rev-list", "--count", "HEAD"]).stdout.trim().to_owned();
    let good = fs::read_to_string(here.join(SAGA)).expect("it is there");

    // A good change goes in, a bad one does not, and one that is not staged does not matter.
    fs::write(here.join(SAGA), format!("# A note.\n{good}")).expect("room");
    let done = git(here, &["commit", "--quiet", "--all", "-m", "Note"]);
    assert_eq!(done.exit, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(commits(), "2");
    spoil(here);
    fs::write(here.join("README"), "words\n").expect("room");
    for args in [&["add", "README"][..], &["commit", "--quiet", "-m", "Words"]] {
        let done = git(here, args);
        assert_eq!(done.exit, 0, "{}{}", done.stdout, done.stderr);
    }
    assert_eq!(commits(), "3");
    let done = git(here, &["commit", "--quiet", "--all", "-m", "Spoil"]);
    assert_eq!(done.exit, 1, "{}{}", done.stdout, done.stderr);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("error[SF101]") && said.contains(SAGA), "{said}");
    assert_eq!(commits(), "3");

    // Mended on the disk and not staged, it is as bad as before.
    git(here, &["add", SAGA]);
    fs::write(here.join(SAGA), good).expect("room");
    assert_eq!(git(here, &["commit", "--quiet", "-m", "Spoil"]).exit, 1);
}

#[test]
fn the_framework_calls_the_same_hook() {
    let text = file(".pre-commit-config.yaml");
    let config: Value = serde_yaml::from_str(&text).expect("the configuration is YAML");
    let hook_of = &config["repos"][0]["hooks"][0];
    let entry = hook_of["entry"].as_str().expect("a command");
    let files = hook_of["files"].as_str().expect("a pattern").trim_end_matches('$');
    assert_eq!(files, r"\.(saga|catalog|test)\.yaml");
    let repository = repository();
    let here = repository.path();
    hook(here);
    assert_eq!(shell(here, entry).exit, 0, "nothing is staged");
    spoil(here);
    git(here, &["add", "--all"]);
    let done = shell(here, entry);
    assert_eq!(done.exit, 1, "{}{}", done.stdout, done.stderr);
}

#[test]
fn this_project_runs_the_same_commands_on_its_own_sagas() {
    let own = fs::read_to_string(package().join(".ci/run")).expect("we ship it");
    for (name, line) in steps() {
        if name == "Mistakes, for code scanning" {
            continue;
        }
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("sagaflow"), "{line}");
        let command = words.next().expect("a command");
        let same = own.lines().find(|one| one.contains(&format!(" -- {command}")));
        let same = same.unwrap_or_else(|| panic!(".ci/run does not run {command}"));
        for flag in ["--deny-warnings", "--check"].iter().filter(|flag| line.contains(**flag)) {
            assert!(same.contains(flag), "{same}");
        }
    }
}
