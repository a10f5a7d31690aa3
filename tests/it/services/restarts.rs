//! Ends, and what follows them.

use nix::sys::signal::Signal;

use super::{check_pairs, facts, house, lines, next, until, watcher};

/// A service that counts its runs, and what each of them does.
fn counting(restart: &str, runs: &str) -> String {
    format!(
        "processes:\n  it:\n    restart: {restart}\n    ready: started\n    \
         backoff: {{ delay: 1ms, max_delay: 2ms }}\n    \
         command: [sh, -c, 'echo run >> runs; case $(wc -l < runs) in {runs} esac']\n"
    )
}

fn ends(restart: &str, runs: &str, expected: &[(&str, i64)]) {
    let house = house(&counting(restart, runs), &[]);
    let mut launcher = house.launch();
    let mut peer = watcher(&house);
    for (by, code) in expected {
        let exited = next(&mut peer, "process_exited", "it");
        let said = (exited["killed_by"].as_str(), exited["exit_code"].as_i64());
        let expected = match *by {
            "" => (None, Some(*code)),
            by => (Some(by), None),
        };
        assert_eq!(said, expected, "{restart}: {exited}");
    }
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    check_pairs(&facts(&house));
}

#[test]
fn one_that_failed_is_started_again_until_it_ends_well() {
    let runs = "1) exit 3;; 2) kill -9 $$;; *) exit 0;;";
    ends("on_failure", runs, &[("", 3), ("SIGKILL", 0), ("", 0)]);
}

#[test]
fn one_that_always_runs_is_started_again_whatever_its_end() {
    ends("always", "*) exit 0;;", &[("", 0), ("", 0), ("", 0)]);
}

#[test]
fn one_that_ended_is_left_alone_where_that_is_asked() {
    ends("never", "*) exit 4;;", &[("", 4)]);
}

/// The failure of one that is not ready in time ends it, and counts.
#[test]
fn one_that_is_never_ready_is_ended_and_has_failed() {
    let config = "
processes:
  it:
    command: [sh, -c, 'trap \"\" TERM; echo run >> runs; while :; do sleep 0.01; done']
    ready: { connect: nowhere }
    ready_timeout: 50ms
    backoff: { delay: 1ms, max_delay: 2ms }
    stop: { grace: 10ms }
";
    let house = house(config, &[]);
    let mut launcher = house.launch();
    assert!(launcher.says("it was not ready within 50ms; it is started again in 1ms"));
    let mut peer = watcher(&house);
    for _ in 0..2 {
        let exited = next(&mut peer, "process_exited", "it");
        assert_eq!(exited["killed_by"], "not_ready", "{exited}");
    }
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0));
    check_pairs(&facts(&house));
}

/// What it says of it grows far slower than the failures do, and shows the last lines.
#[test]
fn one_that_crashes_in_a_loop_fills_no_log() {
    let runs = "*) echo the last words >&2; exit 1;;";
    let house = house(&counting("always", runs), &[]);
    let mut launcher = house.launch();
    until("it crashed often", || lines(&house, "runs").len() > 70);
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0));
    let said = launcher.said();
    let told = said.matches("it ended: exit code 1").count();
    assert!((1..=10).contains(&told), "{told} times: {said}");
    assert!(said.contains("the last words"), "{said}");
    check_pairs(&facts(&house));
}

#[test]
fn what_it_writes_is_kept() {
    let config = "
processes:
  it: { command: [sh, -c, 'echo out; echo err >&2; exec sleep 1000'], ready: { line: err } }
";
    let house = house(config, &[]);
    let _launcher = house.launch();
    let kept = "data/services/it.log";
    until("both streams are kept", || {
        let lines = lines(&house, kept);
        ["out", "err"].iter().all(|word| lines.iter().any(|line| line == word))
    });
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &str| house.at(path).metadata().expect("it is there").permissions().mode();
    assert_eq!((mode(kept) & 0o777, mode("data/services") & 0o777), (0o600, 0o700));
}

/// [R7] A service that floods waits itself: it is read no faster than what it writes is kept.
#[test]
fn r7_a_service_that_floods_slows_nobody() {
    let config = "
processes:
  flood: { command: [sh, -c, 'yes a line that says nothing'], ready: started }
  it: { command: [sh, -c, 'echo up; exec sleep 1000'], ready: { line: up } }
";
    let house = house(config, &[]);
    let mut launcher = house.launch();
    let mut peer = watcher(&house);
    next(&mut peer, "process_spawned", "it");
    let listed = crate::cli::run(house.dir.path(), &["processes", "--socket", "run/s", "--json"]);
    let listed = listed.json();
    let rows = listed.as_array().expect("a list").iter();
    let rows: Vec<(&str, &str)> =
        rows.filter_map(|row| Some((row["service"].as_str()?, row["state"].as_str()?))).collect();
    assert_eq!(rows, [("flood", "running"), ("it", "running")]);
    until("much of it is kept", || house.at("data/services/flood.log.1").exists());
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    check_pairs(&facts(&house));
}

/// A command that could never run is refused before anything is started, with its place.
#[test]
fn a_command_that_cannot_be_is_refused_with_its_place() {
    for (process, place, words) in [
        ("{ command: [./nothing] }", ":3:20", "there is no program `./nothing`"),
        ("{ command: [sh], cwd: no/where }", ":3:31", "no/where does not exist"),
        ("{ command: [launcher.yaml] }", ":3:20", "there is no program `launcher.yaml` on the"),
        ("{ command: [./launcher.yaml] }", ":3:20", "`chmod +x` makes it so"),
    ] {
        let config = format!(
            "processes:\n  first: {{ command: [touch, up], ready: started }}\n  \
                              host: {process}\n"
        );
        let house = house(&config, &[]);
        for more in [&["--check-only"][..], &[]] {
            let run = house.run().args(more).output().expect("the binary runs");
            let said = String::from_utf8(run.stderr).expect("UTF-8");
            assert_eq!(run.status.code(), Some(1), "{said}");
            assert!(said.contains(words) && said.contains("SF026"), "{words}: {said}");
            assert!(said.contains(&format!("launcher.yaml{place}")), "{place}: {said}");
        }
        assert!(!house.at("up").exists() && !house.at("data").exists());
    }
}
