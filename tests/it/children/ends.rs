//! Ends: the whole group, whoever leads it, whatever it ignores; and never somebody else's.

use std::time::Duration;

use nix::sys::signal::Signal;

use sagaflow::targets::process::{Exit, ProcessId, end_lost, gone};

use super::{begun, line, nobody_left, output, processes, run, runs, shell, until};

const SHORT: Duration = Duration::from_millis(100);

fn pid(text: &str) -> u32 {
    text.trim().parse().expect("a process id")
}

#[test]
fn who_ignores_term_is_killed_after_its_grace() {
    run(async {
        let spec = shell("trap '' TERM; echo up; while :; do sleep 1000; done");
        let mark = spec.mark.clone();
        let mut child = begun(&processes(), spec).await;
        assert_eq!(line(&mut child).await, "up");
        let exit = child.end(SHORT).await;
        assert_eq!(exit, Exit { code: None, signal: Some(9) });
        assert_eq!(exit.to_string(), "ended by SIGKILL");
        nobody_left(&mark).await;
    });
}

#[test]
fn who_hears_term_ends_as_it_likes() {
    run(async {
        let spec = shell("trap 'exit 3' TERM; echo up; while :; do :; done");
        let mark = spec.mark.clone();
        let mut child = begun(&processes(), spec).await;
        assert_eq!(line(&mut child).await, "up");
        assert_eq!(child.end(super::FOR_EVER).await, Exit { code: Some(3), signal: None });
        assert_eq!(child.wait().await.code, Some(3));
        nobody_left(&mark).await;
    });
}

#[test]
fn a_group_that_was_stopped_is_ended_too() {
    run(async {
        let spec = shell("trap 'exit 3' TERM; echo up; while :; do :; done");
        let mut child = begun(&processes(), spec).await;
        assert_eq!(line(&mut child).await, "up");
        child.signal(Signal::SIGSTOP);
        assert_eq!(child.end(super::FOR_EVER).await.code, Some(3));
    });
}

#[test]
fn a_group_whose_leader_is_gone_is_ended() {
    run(async {
        let spec = shell("(trap '' TERM HUP; sleep 1000) & echo $!");
        let mark = spec.mark.clone();
        let mut child = begun(&processes(), spec).await;
        let member = pid(&line(&mut child).await);
        assert_eq!(child.wait().await.code, Some(0));
        assert!(runs(member));
        child.kill_leftovers().await;
        assert!(!runs(member));
        nobody_left(&mark).await;
    });
}

/// Even of one that took our mark out of its environment: the group is enough while we hold it.
#[test]
fn a_group_is_ended_whatever_its_members_carry() {
    run(async {
        let mut child = begun(&processes(), shell("env -i sleep 1000 & echo $!")).await;
        let member = pid(&line(&mut child).await);
        child.wait().await;
        child.end(SHORT).await;
        assert!(!runs(member));
    });
}

#[test]
fn a_child_that_is_dropped_takes_its_group_with_it() {
    run(async {
        let spec = shell("sleep 1000 & sleep 1000 & echo up; wait");
        let mark = spec.mark.clone();
        let processes = processes();
        let mut child = begun(&processes, spec).await;
        assert_eq!(line(&mut child).await, "up");
        drop(child);
        nobody_left(&mark).await;
    });
}

#[test]
fn one_that_may_outlive_its_launcher_is_let_go_and_found_again() {
    run(async {
        let mut spec = shell("sleep 1000 & echo $!; exec sleep 1000");
        spec.dies_with_launcher = false;
        let mark = spec.mark.clone();
        let mut child = begun(&processes(), spec).await;
        let member = pid(&line(&mut child).await);
        let id = child.id().clone();
        drop(child);
        assert!(id.is_alive() && runs(member));
        let watched = tokio::spawn({
            let id = id.clone();
            async move { gone(&id).await }
        });
        assert!(end_lost(&id, &mark, SHORT).await);
        watched.await.expect("it is told");
        assert!(!id.is_alive() && !runs(member));
        assert!(!end_lost(&id, &mark, SHORT).await, "nothing of it is left");
    });
}

/// A number that was used again is somebody else's: neither start nor mark fit.
#[test]
fn somebody_else_s_process_is_left_alone() {
    run(async {
        let mut child = begun(&processes(), shell("echo up; exec sleep 1000")).await;
        let mark = line(&mut child).await;
        let own = child.id().clone();
        let start = format!("{}1", own.start).parse().expect("a start");
        let other = ProcessId { pid: own.pid, start };
        assert!(!end_lost(&other, &mark, SHORT).await);
        gone(&other).await;
        assert!(own.is_alive());
        child.end(SHORT).await;
    });
}

/// The leader's number is free again, and its group is known by the mark.
#[test]
fn a_lost_group_without_its_leader_is_known_by_its_mark() {
    run(async {
        let mut spec = shell("(trap '' TERM; sleep 1000) & echo $!");
        spec.dies_with_launcher = false;
        let mark = spec.mark.clone();
        let mut child = begun(&processes(), spec).await;
        let member = pid(&line(&mut child).await);
        let id = child.id().clone();
        child.wait().await;
        drop(child);
        until("its number is given back", || !std::path::Path::new(&proc_of(&id)).exists()).await;
        assert!(!end_lost(&id, "another-mark", SHORT).await);
        assert!(runs(member));
        assert!(end_lost(&id, &mark, SHORT).await);
        assert!(!runs(member));
    });
}

fn proc_of(id: &ProcessId) -> String {
    format!("/proc/{}", id.pid)
}

#[test]
fn waiting_that_is_given_up_loses_nothing() {
    run(async {
        let mut child = begun(&processes(), shell("read x < /dev/null; exit 5")).await;
        let given_up = tokio::time::timeout(Duration::ZERO, child.wait()).await;
        drop(given_up);
        assert_eq!(child.wait().await.code, Some(5));
        assert_eq!(child.wait().await.code, Some(5));
        assert_eq!(output(&mut child).await, "");
    });
}

#[test]
fn many_at_once_all_end() {
    run(async {
        let processes = processes();
        let mut all = tokio::task::JoinSet::new();
        for number in 0..40 {
            let processes = processes.clone();
            all.spawn(async move {
                let spec = shell(&format!("sleep 1000 & echo {number}; exit {number}"));
                let mark = spec.mark.clone();
                let mut child = begun(&processes, spec).await;
                assert_eq!(line(&mut child).await, number.to_string());
                assert_eq!(child.wait().await.code, Some(number));
                child.kill_leftovers().await;
                mark
            });
        }
        for mark in all.join_all().await {
            nobody_left(&mark).await;
        }
    });
}
