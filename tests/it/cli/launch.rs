//! `run` itself: what it refuses to start on, and how it stops.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use super::live::Stage;
use super::{Did, package, run, scratch};

fn check(did: &Did, exit: i32, words: &[&str]) {
    assert_eq!(did.exit, exit, "{}", did.stderr);
    for word in words {
        assert!(did.stderr.contains(word), "{word:?} is missing in: {}", did.stderr);
    }
    assert_eq!(did.stdout, "");
}

const BAD: &str = "saga: tidy\ntimout: 10s\n";

#[test]
fn it_starts_on_nothing_that_is_wrong() {
    let sagas = package().join("sagas");
    let sagas = sagas.to_str().expect("UTF-8");
    let here = scratch(&[
        ("bad/tidy.saga.yaml", BAD),
        ("a_file", ""),
        ("launcher.yaml", "alow: {}\n"),
        ("open/placeholder", ""),
    ]);
    let at = here.path();
    check(&run(at, &["run"]), 2, &["sagas"]);
    check(&run(at, &["run", "--sagas", "bad"]), 1, &["bad/tidy.saga.yaml:2:1", "`timeout`"]);
    check(&run(at, &["run", "--sagas", "bad", "--check-only"]), 1, &["SF009"]);
    check(&run(at, &["run", "--sagas", sagas, "--check-only"]), 0, &["nothing wrong"]);
    assert!(!at.join(".sagaflow").exists(), "a check touches no data directory");
    check(&run(at, &["run", "--sagas", sagas, "--config", "none.yaml"]), 2, &["none.yaml"]);
    let config = run(at, &["run", "--sagas", sagas, "--config", "launcher.yaml", "--check-only"]);
    check(&config, 1, &["launcher.yaml:1:1", "did you mean `allow`"]);
    std::os::unix::fs::symlink("not/mounted", at.join("a_link")).expect("room");
    for (data, what) in [
        ("a_file", "a_file is a file; move it away"),
        ("a_file/data", "a_file is a file; move it away"),
        ("a_link", "a_link is a symbolic link to not/mounted, and nothing is there"),
    ] {
        check(&run(at, &["run", "--sagas", sagas, "--data", data]), 2, &[what]);
        check(&run(at, &["ps", "--data", data]), 2, &[what]);
        check(&run(at, &["ps", "--check-log", "--data", data]), 2, &[what]);
    }

    let open = at.join("open");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).expect("our own");
    let args = ["run", "--sagas", sagas, "--socket", "open/socket"];
    check(&run(at, &args), 2, &["open to others", "mkdir -m 700"]);
}

#[test]
fn a_second_launcher_exits_with_4_and_disturbs_nobody() {
    let stage = Stage::new(&[]);
    let _first = stage.launcher();
    let sagas = package().join("sagas");
    let second = stage.run(&["run", "--sagas", sagas.to_str().expect("UTF-8")]);
    check(&second, 4, &["another launcher", ".sagaflow"]);
    assert_eq!(stage.run(&["ps"]).exit, 0);
}

#[test]
fn a_signal_stops_it_cleanly_and_a_dead_socket_is_replaced() {
    let stage = Stage::new(&[]);
    let mut first = stage.launcher();
    assert_eq!(first.process.signal(Signal::SIGTERM), Some(0));
    let mut second = stage.launcher();
    second.process.signal(Signal::SIGKILL);
    assert!(stage.here.path().join(".sagaflow/run/sagaflow.sock").exists(), "left behind");
    let mut third = stage.launcher();
    assert_eq!(stage.run(&["ps"]).exit, 0);
    assert_eq!(third.process.signal(Signal::SIGINT), Some(0));
}

#[test]
fn w14_the_configuration_says_who_may_do_what() {
    let rules = "allow: { tool: { start: [\"tear_*\"], report: [] } }\n";
    let stage = Stage::new(&[("launcher.yaml", rules)]);
    let _launcher = stage.launcher_with(&["--config", "launcher.yaml"]);
    let emit = stage.run(&["emit", "window_closed", "label=main"]);
    check(&emit, 1, &["not_allowed"]);
    check(&stage.run(&["start", "delete_tab"]), 1, &["not_allowed"]);
    let allowed = stage.run(&["start", "tear_off_tab"]);
    assert!(!allowed.stderr.contains("not_allowed"), "{}", allowed.stderr);
}
