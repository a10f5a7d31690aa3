//! The README's first command, as a newcomer runs it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Did, run, sagaflow, scratch};

/// Plays the demo. Its second act is a shipped saga whose steps wait a second for their answers: on
/// a machine so busy that srv's come later it ends otherwise, and rightly so; then it is played
/// again. The silence of `move` alone is part of the story.
fn play(here: &Path, args: &[&str]) -> Did {
    let too_late = |did: &Did| {
        let late = did.stdout.contains("timed out after 1s");
        did.exit == 1 && late && !did.stdout.contains("step `move` timed out")
    };
    for _ in 0..9 {
        let did = run(here, args);
        if !too_late(&did) {
            return did;
        }
        std::fs::remove_dir_all(here.join("kept")).ok();
    }
    run(here, args)
}

#[test]
fn the_demo_comes_true_and_cleans_up() {
    let here = scratch(&[]);
    let did = play(here.path(), &["demo"]);
    assert_eq!(did.exit, 0, "{}\n{}", did.stdout, did.stderr);
    let mut rest = did.stdout.as_str();
    for words in [
        "1  A window closes",
        "→ host: reap_panes {\"label\":\"main\"}   as 1.reap.1",
        "saga 1 completed {\"drained\":false}",
        "2  A tab is torn off",
        "move is in doubt",
        "↩ srv: move_tab_back",
        "↩ srv: delete_workspace",
        "saga 2 compensated",
        "→ host: reap_panes {\"label\":\"second\"}   as 3.reap.1",
        "kill -9",
        "a new launcher",
        "→ host: reap_panes {\"label\":\"second\"}   as 3.reap.1",
        "saga 3 completed {\"drained\":true}",
    ] {
        let at = rest.find(words);
        let at = at.unwrap_or_else(|| panic!("{words:?} is missing in:\n{}", did.stdout));
        rest = &rest[at + words.len()..];
    }
    let left = std::fs::read_dir(here.path()).expect("the directory").count();
    assert_eq!(left, 0, "nothing is left where it ran");
}

#[test]
fn what_the_demo_did_can_be_kept_and_looked_at() {
    let here = scratch(&[]);
    let did = play(here.path(), &["demo", "--keep", "kept"]);
    assert_eq!(did.exit, 0, "{}", did.stderr);
    let shown = run(here.path(), &["show", "2", "--data", "kept/data"]);
    assert!(shown.stdout.contains("↩ workspace.undo"), "{}\n{}", shown.stdout, shown.stderr);
    let again = run(here.path(), &["demo", "--keep", "kept"]);
    assert_eq!(again.exit, 2, "what is there is not overwritten");
}

#[test]
fn the_demo_of_agents_comes_true_and_cleans_up() {
    let here = scratch(&[]);
    let did = run(here.path(), &["demo", "agents"]);
    assert_eq!(did.exit, 0, "{}\n{}", did.stdout, did.stderr);
    let mut rest = did.stdout.as_str();
    for words in [
        "1  Three messages",
        "turn 1 runs in process",
        "The second and the third wait",
        "its session is s-ada",
        "│ Hello, I am Ada",
        "turn 2 runs in process",
        "goes on with s-ada",
        "2  A turn hangs",
        "● agent_stop_requested",
        "exit code -1, ended by stop",
        "3  The launcher is killed",
        "is gone as well",
        "exit code -1, ended by launcher",
        "│ turn 6 of s-ada",
        "│ This began with: Hello, I am Ada",
        "saga 6 completed",
    ] {
        let at = rest.find(words);
        let at = at.unwrap_or_else(|| panic!("{words:?} is missing in:\n{}", did.stdout));
        rest = &rest[at + words.len()..];
    }
    let left = std::fs::read_dir(here.path()).expect("the directory").count();
    assert_eq!(left, 0, "nothing is left where it ran");
}

/// A demo that gets that signal in the middle of its first saga ends, and all its processes do.
fn check_ended_by(signal: Signal) {
    let here = scratch(&[]);
    let mut command = sagaflow(here.path(), &["demo"]);
    command.env("TMPDIR", here.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let begun = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("began")));
    assert!(begun.is_some());
    let stage = std::fs::read_dir(here.path()).expect("the directory").next();
    let stage = stage.expect("the demo has one").expect("it is listed").path();
    let lock = File::open(stage.join("data/lock")).expect("the launcher has it");
    let pid = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{signal}");
    assert_eq!(std::fs::read_dir(here.path()).expect("the directory").count(), 0, "{signal}");
    // It waits for a launcher that is about to end, and for ever for one that lives on.
    lock.lock().expect("nobody holds it any more");
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    check_ended_by(Signal::SIGINT);
}

#[test]
fn a_demo_that_is_killed_or_loses_its_terminal_leaves_nothing_behind() {
    check_ended_by(Signal::SIGTERM);
    // Under `nohup` it does not lose it.
    if !sagaflow::launcher::hangup_is_ignored() {
        check_ended_by(Signal::SIGHUP);
    }
}
