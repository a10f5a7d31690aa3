//! What the documentation has its reader type, typed.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::guides::files_of;
use super::live::{Process, Stage};
use super::{Did, did, package, run, scratch};
use crate::blocks::{block, blocks};

/// Where a block of a console is typed.
enum Typed {
    /// In a directory with the saga of the first guide, and the scenarios of its second one.
    FirstSaga,
    /// By another test.
    By(&'static str),
    /// Not at all.
    Never(&'static str),
}

/// Every block of a console, by its document and its first line.
const CONSOLE: &[((&str, &str), Typed)] = &[
    (
        ("README.md", "cargo run --release -- demo"),
        Typed::By("cli::demo, and this run of the tests"),
    ),
    (("docs/contributing.md", "cargo test"), Typed::Never("it is this run")),
    (
        ("docs/performance.md", "cargo bench -- engine"),
        Typed::Never("it measures for minutes, and only on a machine without other work"),
    ),
    (("docs/guide/testing.md", "sagaflow test"), Typed::FirstSaga),
    (("docs/guide/testing.md", "sagaflow test --fill"), Typed::FirstSaga),
    (("docs/guide/editors.md", "sagaflow schema --write schemas --sagas sagas"), Typed::FirstSaga),
    (
        ("docs/guide/checking.md", "sagaflow check"),
        Typed::By(".ci/run, for it may take minutes; cli::check on smaller sagas"),
    ),
    (("docs/guide/first-saga.md", "sagaflow validate"), Typed::FirstSaga),
    (("docs/guide/first-saga.md", "sagaflow run"), Typed::By("cli::guide")),
    (
        ("docs/guide/first-saga.md", "sagaflow host --script site.host.yaml"),
        Typed::By("cli::guide"),
    ),
    (
        ("docs/guide/first-saga.md", "sagaflow start publish_page page=home title=Hello --wait"),
        Typed::By("cli::guide"),
    ),
    (
        (
            "docs/guide/first-saga.md",
            "sagaflow start publish_page page=home title=Hello && sleep 0.2 && kill -9 14219",
        ),
        Typed::By("process::crash kills launchers at every commit; here the number is made up"),
    ),
    (("docs/guide/people.md", "sagaflow ps"), Typed::By("cli::signals")),
    (
        ("docs/guide/operate.md", "sagaflow run --sagas sagas --data /var/lib/sagaflow"),
        Typed::Never("the directory is the system's; cli::launch does it in one of its own"),
    ),
    (("docs/guide/host-in-20-lines.md", "cargo run -- run"), Typed::By("a_host_in_twenty_lines")),
    (
        ("docs/guide/host-in-20-lines.md", "python3 host.py .sagaflow/run/sagaflow.sock"),
        Typed::By("a_host_in_twenty_lines"),
    ),
    (
        ("docs/guide/host-in-20-lines.md", "cargo run -- emit window_closed label=w1"),
        Typed::By("a_host_in_twenty_lines"),
    ),
    (
        ("docs/guide/services.md", "sagaflow run --config launcher.yaml --check-only"),
        Typed::By("services::hosts"),
    ),
    (("docs/guide/agents.md", "sagaflow demo agents"), Typed::By("cli::demo")),
    (
        (
            "docs/guide/agents.md",
            "sagaflow start agent_turn block_id=docs message='What is in this directory?' \\",
        ),
        Typed::By("cli::agents"),
    ),
    (
        ("docs/guide/agents.md", "sagaflow emit agent_stop_requested block_id=docs"),
        Typed::By("cli::agents"),
    ),
    (
        (
            "docs/guide/pods.md",
            "sagaflow start pod_spawn pod_name=writer message='Begin with the index.' \\",
        ),
        Typed::By("cli::agents"),
    ),
    (("docs/guide/ci.md", "chmod +x .githooks/pre-commit"), Typed::By("cli::ci")),
];

/// Types a block into a shell that stops at the first thing that goes wrong.
pub fn type_in(here: &std::path::Path, text: &str) -> Did {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_sagaflow"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", binary.parent().expect("a directory").display());
    let mut shell = Command::new("sh");
    shell.args(["-ec", text]).current_dir(here).env("PATH", path);
    did(shell.output().expect("there is a shell"))
}

#[test]
fn every_block_of_a_console_is_typed_or_says_why_not() {
    let mut lost = Vec::new();
    let mut used = vec![false; CONSOLE.len()];
    for block in blocks().into_iter().filter(|block| ["sh", "console"].contains(&&*block.info)) {
        let Some(at) = CONSOLE.iter().position(|(key, _)| *key == block.key()) else {
            lost.push(format!("{}:{}: {}", block.path, block.line, block.key().1));
            continue;
        };
        used[at] = true;
        let mut files = Vec::new();
        match &CONSOLE[at].1 {
            Typed::FirstSaga => {
                files.extend(files_of("docs/guide/first-saga.md"));
                files.extend(files_of("docs/guide/testing.md"));
            }
            Typed::By(why) | Typed::Never(why) => {
                assert!(!why.is_empty());
                continue;
            }
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
        let here = scratch(&files);
        let done = type_in(here.path(), &block.text);
        let place = format!("{}:{}", block.path, block.line);
        assert_eq!(done.exit, 0, "{place}: {}{}", done.stdout, done.stderr);
    }
    assert!(lost.is_empty(), "say in tests/it/cli/pages.rs who types\n{}", lost.join("\n"));
    let idle = CONSOLE.iter().zip(&used).filter(|(_, used)| !**used).map(|((key, _), _)| key);
    let idle: Vec<_> = idle.collect();
    assert!(idle.is_empty(), "no longer in the documentation: {idle:?}");
}

#[test]
fn the_configuration_that_is_shown_is_one() {
    let first = "# yaml-language-server: $schema=schemas/launcher.schema.json";
    configuration_is_right(&block(("docs/reference/launcher-yaml.md", first)).text);
    configuration_is_right(&block(("docs/guide/services.md", "processes:")).text);
}

/// A launcher takes it, once what it runs is there.
fn configuration_is_right(text: &str) {
    let text = text.replace("[redis-server]", "[./redis-server]");
    let programs = ["build/my-host", "my-host", "migrate", "redis-server", "proxy"];
    let mut files = programs.map(|name| (name, "#!/bin/sh\n")).to_vec();
    files.push(("launcher.yaml", &text));
    let here = scratch(&files);
    for name in programs {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(here.path().join(name), mode).expect("it is ours");
    }
    let sagas = package().join("sagas");
    let sagas = sagas.to_str().expect("UTF-8");
    let args = ["run", "--check-only", "--sagas", sagas, "--config", "launcher.yaml"];
    let done = run(here.path(), &args);
    assert_eq!(done.exit, 0, "{text}\n{}", done.stderr);
}

#[test]
fn the_trigger_that_the_guide_of_services_shows_is_one() {
    let first = "trigger: { event: process_exited, when: trigger.client_kind == \"host\" && \
             has(trigger.killed_by) }";
    let trigger = block(("docs/guide/services.md", first)).text;
    let rest = "eviction: { policy: parallel }\ntimeout: 5s\nsteps: [{ id: now, done: true }]\n";
    let saga = format!("saga: mourn\n{trigger}{rest}");
    let did = run(scratch(&[("sagas/mourn.saga.yaml", &saga)]).path(), &["validate"]);
    assert_eq!(did.exit, 0, "{}", did.stdout);
}

#[test]
fn the_script_of_a_host_that_is_shown_is_one() {
    let text = block(("docs/reference/host-script.md", "target: host")).text;
    let here = scratch(&[("host.yaml", &text)]);
    let sagas = package().join("sagas");
    let sagas = sagas.to_str().expect("UTF-8");
    let args = ["host", "--script", "host.yaml", "--sagas", sagas, "--data", "nowhere"];
    let done = run(here.path(), &args);
    assert_eq!(done.exit, 3, "it is read, and then nobody listens: {}", done.stderr);
}

#[test]
fn the_questions_to_the_log_that_are_shown_have_answers() {
    let stage = Stage::new(&[]);
    let mut launcher = stage.launcher();
    assert_eq!(stage.run(&["emit", "window_closed", "label=w1"]).exit, 0);
    launcher.process.signal(nix::sys::signal::Signal::SIGTERM);
    let log = rusqlite::Connection::open(stage.here.path().join(".sagaflow/sagaflow.db"));
    let log = log.expect("the launcher left it");
    let first = "select * from saga where ended_at is null;                       -- what is open";
    let text = block(("docs/guide/operate.md", first)).text;
    let mut rows = 0;
    for question in text.split_inclusive(';').map(str::trim) {
        let bare = question.lines().filter(|line| !line.trim_start().starts_with("--"));
        if bare.clone().all(|line| line.trim().is_empty()) {
            continue;
        }
        let mut asked = log.prepare(question).unwrap_or_else(|why| panic!("{question}: {why}"));
        let mut answer = asked.query([]).expect("it is a question");
        while answer.next().expect("an answer").is_some() {
            rows += 1;
        }
    }
    assert!(rows > 0, "the saga that was started is seen");
}

#[test]
fn a_host_in_twenty_lines() {
    let page = std::fs::read_to_string(package().join("docs/guide/host-in-20-lines.md"));
    let page = page.expect("we ship it");
    let (_, rest) = page.split_once("```python host.py\n").expect("the host");
    let (host, _) = rest.split_once("```").expect("a block ends");
    let stage = Stage::new(&[("host.py", host)]);
    let _launcher = stage.launcher();
    let socket = stage.here.path().join(".sagaflow/run/sagaflow.sock");
    let mut python = Command::new("python3");
    python.arg("host.py").arg(&socket).current_dir(stage.here.path()).stdout(Stdio::piped());
    let Ok(mut child) = python.spawn() else {
        eprintln!("there is no python3: the host of the guide is not tried");
        return;
    };
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    let _host = Process(child);
    let mut until = |word: &str| loop {
        let mut line = String::new();
        let read = said.read_line(&mut line).expect("UTF-8");
        assert!(read > 0, "the host ended before it said {word}");
        if line.contains(word) {
            return;
        }
    };
    until("registered");
    assert_eq!(stage.run(&["emit", "window_closed", "label=w1"]).exit, 0);
    until("reap_panes");
    until("drain_pool_if_last");
    until("saga_completed");
    let listed = stage.run(&["ps", "--json"]).json();
    assert_eq!(listed[0]["state"], "completed", "{listed}");
}
