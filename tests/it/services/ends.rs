//! Nothing is left: not of a stopped service, not of a killed launcher.

use nix::sys::signal::Signal;

use super::{check_pairs, facts, house, lines, next, runs, until, watcher};

/// Each of them starts others, and one of these hears nothing.
const FAMILY: &str = r#"
processes:
  it:
    command: [sh, -c, 'sh -c "trap \"\" TERM HUP; echo \$\$ >> pids; while :; do sleep 1; done" &
      sleep 1000 & echo $! >> pids; echo $$ >> pids; wait']
    ready: started
    stop: { grace: 50ms }
"#;

fn family() -> (crate::process::House, crate::process::Launcher, Vec<String>) {
    let house = house(FAMILY, &[]);
    let launcher = house.launch();
    until("all three run", || lines(&house, "pids").len() == 3);
    let pids = lines(&house, "pids");
    assert!(pids.iter().all(|pid| runs(pid)));
    (house, launcher, pids)
}

#[test]
fn a_stopped_service_takes_its_group_with_it() {
    let (house, mut launcher, pids) = family();
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    assert!(!pids.iter().any(|pid| runs(pid)));
    check_pairs(&facts(&house));
}

/// [R20] A service that was killed is started again when nothing of it is left.
#[test]
fn r20_the_group_of_a_killed_service_is_gone_before_the_next_one_runs() {
    let (house, _launcher, pids) = family();
    let mut peer = watcher(&house);
    let first = next(&mut peer, "process_spawned", "it")["pid"].to_string();
    let raw: i32 = first.parse().expect("a process id");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(raw), Signal::SIGKILL).expect("ours");
    let exited = next(&mut peer, "process_exited", "it");
    assert_eq!(exited["killed_by"], "SIGKILL");
    assert!(!pids.iter().any(|pid| runs(pid)));
    let second = next(&mut peer, "process_spawned", "it");
    assert_ne!(second["pid"].to_string(), first);
}

#[test]
fn a_killed_launcher_leaves_nothing() {
    let (_house, launcher, pids) = family();
    launcher.kill();
    until("nothing is left", || !pids.iter().any(|pid| runs(pid)));
}

/// [R20] Also when the next launcher comes at once.
#[test]
fn r20_a_next_launcher_starts_nothing_before_the_old_one_s_is_gone() {
    let (house, launcher, pids) = family();
    launcher.kill();
    let _launcher = house.launch();
    until("it is started again", || lines(&house, "pids").len() > 3);
    assert!(!pids.iter().any(|pid| runs(pid)));
}

/// A second signal does not wait, and leaves nothing either.
#[test]
fn l8_a_launcher_that_is_hurried_leaves_nothing() {
    let config = "
processes:
  it:
    command: [sh, -c, 'trap \"\" TERM; echo $$ > pids; while :; do sleep 0.01; done']
    ready: started
    stop: { grace: 1h }
";
    let house = house(config, &[]);
    let mut launcher = house.launch();
    until("it runs", || lines(&house, "pids").len() == 1);
    let pid = lines(&house, "pids").remove(0);
    let mut peer = house.register("tool");
    launcher.signal(Signal::SIGTERM);
    until("it stops", || {
        let answer = peer.ask(&serde_json::json!({"cmd": "get_snapshot", "id": "s"}));
        answer["lifecycle"] == "quitting"
    });
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(130));
    until("nothing is left", || !runs(&pid));
}
