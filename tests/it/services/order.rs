//! One after the other, each when the one before it is ready; ended the other way round.

use nix::sys::signal::Signal;

use super::{check_pairs, facts, house, lines, next, until, watcher};

const CATALOG: &str = "targets: { lamp: {} }\n";

const LAMP: &str = "target: lamp\ncommands: {}\n";

const FOUR: &str = r#"
processes:
  lamp:
    command: [BINARY, host, --script, lamp.yaml]
  store:
    command: [sh, -c, 'echo "store up" >> order; trap "echo store down >> order; exit 0" TERM;
      echo "it is ready now"; while :; do sleep 0.01; done']
    ready: { line: is ready }
  door:
    command: [sh, -c, 'echo "door up" >> order; trap "echo door down >> order; exit 0" TERM;
      echo "$SAGAFLOW_SOCKET $WORD" > door; while :; do sleep 0.01; done']
    env: { WORD: "a b" }
    ready: { connect: run/s }
  last:
    command: [sh, -c, 'echo "last up" >> order; trap "echo last down >> order; exit 0" INT;
      while :; do sleep 0.01; done']
    ready: started
    stop: { signal: INT }
"#;

/// [L8]
#[test]
fn services_come_in_order_and_go_in_the_reverse_order() {
    let house = house(FOUR, &[("sagas/a.catalog.yaml", CATALOG), ("lamp.yaml", LAMP)]);
    let mut launcher = house.launch();
    let mut peer = watcher(&house);
    let lamp = next(&mut peer, "process_spawned", "lamp");
    assert_eq!(lamp["client_kind"], "lamp");
    for name in ["store", "door", "last"] {
        let spawned = next(&mut peer, "process_spawned", name);
        assert_eq!(spawned["client_kind"], "service");
    }
    until("all are up", || lines(&house, "order").len() == 3);
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    let expected = ["store up", "door up", "last up", "last down", "door down", "store down"];
    assert_eq!(lines(&house, "order"), expected);
    let said = lines(&house, "door");
    assert_eq!(said, [format!("{} a b", house.socket().display())]);

    let facts = facts(&house);
    check_pairs(&facts);
    let ends = facts.iter().filter(|(.., line)| line["event"] == "process_exited");
    let ends: Vec<(&str, &str)> = ends
        .map(|(name, _, line)| (name.as_str(), line["killed_by"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(ends, [("last", "stop"), ("door", "stop"), ("store", "stop"), ("lamp", "stop")]);
}

/// What is written after one that is not ready is not started; what is over in good order was
/// ready.
#[test]
fn who_depends_on_another_waits_for_it() {
    let config = r#"
processes:
  prepare:
    command: [sh, -c, 'echo prepared > prepared']
  base:
    command: [sh, -c, 'cat prepared > base; until [ -e go ]; do sleep 0.01; done; echo on;
      exec sleep 1000']
    ready: { line: "on" }
  top:
    command: [sh, -c, 'cat base > top; exec sleep 1000']
    ready: started
"#;
    let config = config.replace("prepared']", "prepared']\n    ready: { line: never }");
    let house = house(&config, &[]);
    let launcher = house.launch();
    let mut peer = watcher(&house);
    next(&mut peer, "process_spawned", "base");
    until("it has begun", || !lines(&house, "base").is_empty());
    assert!(!house.at("top").exists());
    house.write("go", "");
    next(&mut peer, "process_spawned", "top");
    until("it has begun", || lines(&house, "top") == ["prepared"]);
    drop(launcher);
}

#[test]
fn what_comes_after_one_that_was_given_up_is_not_started() {
    let config = "
processes:
  base: { command: [sh, -c, 'exit 3'], restart: never, ready: { line: up } }
  top: { command: [touch, top], ready: started }
";
    let house = house(config, &[]);
    let mut launcher = house.launch();
    assert!(launcher.says("those that are written after it are not started"));
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0));
    let facts = facts(&house);
    check_pairs(&facts);
    assert_eq!(facts.len(), 2, "{facts:?}");
    assert_eq!(facts[1].2["exit_code"], 3);
    assert!(!house.at("top").exists());
}

/// One that is still coming is ended like the others.
#[test]
fn a_launcher_is_stopped_while_its_services_start() {
    let config = "
processes:
  slow: { command: [sh, -c, 'echo begun > slow; exec sleep 1000'], ready: { connect: nowhere } }
  top: { command: [touch, top], ready: started }
";
    let house = house(config, &[]);
    let mut launcher = house.launch();
    until("it has begun", || house.at("slow").exists());
    launcher.signal(Signal::SIGINT);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    let facts = facts(&house);
    check_pairs(&facts);
    assert_eq!(facts.len(), 2, "{facts:?}");
    assert!(!house.at("top").exists());
}
