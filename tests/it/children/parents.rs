//! Parents that are killed: neither child nor grandchild outlives them, save what may.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use sagaflow::targets::process::{ProcessId, end_lost, members_with};

use super::{FOR_EVER, begun, line, mark, nobody_left, processes, run, runs, shell, until};

const MARK: &str = "SAGAFLOW_TEST_MARK";
const SCRIPT: &str = "SAGAFLOW_TEST_SCRIPT";
const STAYS: &str = "SAGAFLOW_TEST_STAYS";

/// Not a test: the process that the tests below start from this very binary, and kill.
#[test]
#[ignore = "a process that other tests start"]
fn a_parent() {
    let (Ok(mark), Ok(script)) = (std::env::var(MARK), std::env::var(SCRIPT)) else { return };
    run(async {
        let mut spec = shell(&script);
        spec.dies_with_launcher = std::env::var(STAYS).is_err();
        spec.mark = mark;
        let mut child = begun(&processes(), spec).await;
        let said = line(&mut child).await;
        println!("\nsaid {} {said}", child.id().pid);
        child.wait().await;
        println!("\nover");
        tokio::time::sleep(FOR_EVER).await;
    });
}

struct Parent {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Parent {
    fn start(mark: &str, script: &str, stays: bool) -> Parent {
        let mut command = Command::new(std::env::current_exe().expect("it runs"));
        command.args(["--exact", "children::parents::a_parent", "--ignored", "--nocapture"]);
        command.env(MARK, mark).env(SCRIPT, script);
        if stays {
            command.env(STAYS, "1");
        }
        let mut process = command.stdout(Stdio::piped()).spawn().expect("this binary runs");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Parent { process, lines }
    }

    /// The words after `word` on the line that begins with it.
    fn says(&mut self, word: &str) -> Vec<String> {
        for line in self.lines.by_ref() {
            let line = line.expect("UTF-8");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.split_whitespace().map(str::to_owned).collect();
            }
        }
        panic!("it ended without saying {word:?}");
    }

    fn keeper(&self) -> Option<u32> {
        let own = self.process.id().to_string();
        let listed = Command::new("ps").args(["-o", "pid=,args=", "--ppid", &own]).output();
        let listed = String::from_utf8(listed.expect("ps runs").stdout).expect("UTF-8");
        let line = listed.lines().find(|line| line.contains("keep-children"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    fn kill(mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it is ours");
    }
}

fn number(words: &[String], at: usize) -> u32 {
    words[at].parse().expect("a process id")
}

#[test]
fn a_killed_parent_leaves_neither_child_nor_grandchild() {
    run(async {
        let mark = mark();
        let script = "sh -c 'trap \"\" TERM; sleep 1000' & env -i sleep 1000 & echo $!; wait";
        let mut parent = Parent::start(&mark, script, false);
        let bare = number(&parent.says("said "), 1);
        until("all of it runs", || members_with(&mark).len() >= 3).await;
        parent.kill();
        nobody_left(&mark).await;
        until("who carries no mark ends too", || !runs(bare)).await;
    });
}

/// The child ended long before, and what it started still ran.
#[test]
fn a_killed_parent_leaves_no_rest_of_a_group() {
    run(async {
        let mark = mark();
        let mut parent = Parent::start(&mark, "env -i sleep 1000 & echo $!", false);
        let bare = number(&parent.says("said "), 1);
        parent.says("over");
        assert!(runs(bare));
        parent.kill();
        until("the rest of its group ends", || !runs(bare)).await;
    });
}

#[test]
fn a_keeper_that_is_killed_is_replaced_and_told_all() {
    run(async {
        let mark = mark();
        let mut parent = Parent::start(&mark, "sleep 1000 & echo up; wait", false);
        parent.says("said ");
        let first = parent.keeper().expect("it keeps the group");
        kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).expect("it is ours");
        until("another keeper", || parent.keeper().is_some_and(|next| next != first)).await;
        parent.kill();
        nobody_left(&mark).await;
    });
}

/// What ends the launcher's terminal or asks all of its kind to go leaves the keeper its work.
#[test]
fn a_keeper_does_not_hear_what_asks_launchers_to_end() {
    run(async {
        let mark = mark();
        let mut parent = Parent::start(&mark, "sleep 1000 & echo up; wait", false);
        parent.says("said ");
        let keeper = parent.keeper().expect("it keeps the group");
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
            kill(Pid::from_raw(keeper.cast_signed()), signal).expect("it is ours");
        }
        parent.kill();
        nobody_left(&mark).await;
        until("the keeper goes too", || !runs(keeper)).await;
    });
}

#[test]
fn what_may_outlive_its_launcher_does() {
    run(async {
        let mark = mark();
        let mut parent = Parent::start(&mark, "echo up; exec sleep 1000", true);
        let pod = number(&parent.says("said "), 0);
        let id = ProcessId::of(pod).expect("it runs");
        assert_eq!(parent.keeper(), None, "there is nothing to keep");
        parent.kill();
        assert!(id.is_alive());
        assert!(end_lost(&id, &mark, Duration::ZERO).await);
        nobody_left(&mark).await;
    });
}
