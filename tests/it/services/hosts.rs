//! Services that are targets: what a saga asked of one that died is neither lost nor done twice.

use nix::sys::signal::Signal;
use serde_json::json;

use super::{check_pairs, facts, house, next, watcher};

const CATALOG: &str = "
targets: { lamp: {} }
events: { lit: {} }
commands:
  light: { target: lamp, echoes: [lit], idempotent: true, undo: dim }
  dim: { target: lamp, echoes: [lit], idempotent: true, undo: none }
";
const SAGA: &str = "
saga: shine
trigger: { call: {} }
eviction: { policy: parallel }
timeout: 10m
steps:
  - { id: glow, issue: light, await: { echo: lit }, timeout: 5m }
";
/// The first process takes commands and answers none, the next one answers.
const LAMP: &str = r#"
processes:
  lamp:
    command: [sh, -c, 'if [ -e seen ]; then exec BINARY host --script good.yaml; fi; touch seen;
      exec BINARY host --script silent.yaml --json > first.json']
    backoff: { delay: 1ms, max_delay: 2ms }
"#;

fn lamps(config: &str) -> crate::process::House {
    house(
        config,
        &[
            ("sagas/a.catalog.yaml", CATALOG),
            ("sagas/shine.saga.yaml", SAGA),
            ("silent.yaml", "target: lamp\notherwise: silent\ncommands: {}\n"),
            ("good.yaml", "target: lamp\ncommands: {}\n"),
        ],
    )
}

/// [R20] [P4] The command that the dead one held goes to the next one under its id.
#[test]
fn r20_p4_a_command_outlives_the_service_that_held_it() {
    let house = lamps(LAMP);
    let mut launcher = house.launch();
    let mut peer = watcher(&house);
    let spawned = next(&mut peer, "process_spawned", "lamp");
    assert_eq!(spawned["client_kind"], "lamp");
    let mut tool = house.register("tool");
    let started = tool.ask(&json!({"cmd": "start_saga", "id": "a", "saga": "shine", "input": {}}));
    super::until("the first one has it", || {
        let heard = std::fs::read_to_string(house.at("first.json")).unwrap_or_default();
        heard.contains(r#""command_id":"1.glow.1""#)
    });
    let pid = spawned["pid"].as_i64().expect("a number");
    let raw = i32::try_from(pid).expect("a process id");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(raw), Signal::SIGKILL).expect("ours");
    let exited = next(&mut peer, "process_exited", "lamp");
    assert_eq!((&exited["pid"], &exited["killed_by"]), (&spawned["pid"], &"SIGKILL".into()));
    let again = next(&mut peer, "process_spawned", "lamp");
    assert_ne!(again["pid"], spawned["pid"]);
    tool.until_of(&started["saga_id"], "saga_completed");
    let snapshot = tool.ask(&json!({"cmd": "get_snapshot", "id": "b"}));
    let processes = snapshot["processes"].as_array().expect("a list").iter();
    let lamps = processes.filter(|process| process["kind"] == "lamp");
    let lamps: Vec<_> = lamps.map(|lamp| (&lamp["state"], &lamp["service"])).collect();
    let service = |by: &str| json!({"name": "lamp", "exit_code": null, "killed_by": by});
    let (dead, well) =
        (service("SIGKILL"), json!({"name": "lamp", "exit_code": null, "killed_by": null}));
    let (exited, running) = (json!("exited"), json!("running"));
    assert_eq!(lamps.len(), 2, "{snapshot}");
    assert!(lamps.contains(&(&exited, &dead)) && lamps.contains(&(&running, &well)), "{lamps:?}");
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    check_pairs(&facts(&house));
}

/// It is one process, however often it connects, and whatever told of it first.
#[test]
fn w10_a_service_that_connects_again_is_the_same_process() {
    for ready in ["register", "started", "{ line: lamp }"] {
        let config = format!(
            "processes:\n  lamp:\n    command: [sh, -c, 'echo lamp; exec BINARY host --script \
             off.yaml']\n    ready: {ready}\n"
        );
        let house = lamps(&config);
        house.write(
            "off.yaml",
            "target: lamp\ncommands: { light: [{ disconnect: true }, \
                                 { reply: lit }] }\n",
        );
        let mut launcher = house.launch();
        let mut tool = house.register("tool");
        let started =
            tool.ask(&json!({"cmd": "start_saga", "id": "a", "saga": "shine", "input": {}}));
        tool.until_of(&started["saga_id"], "saga_completed");
        launcher.signal(Signal::SIGTERM);
        assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
        let facts = facts(&house);
        check_pairs(&facts);
        assert_eq!(facts.len(), 2, "{ready}: {facts:?}");
    }
}

/// [L8] What a saga undoes at the stop, it undoes by a target that is still there.
#[test]
fn l8_targets_outlive_the_sagas_that_undo_at_the_stop() {
    let config = LAMP.replace("silent.yaml", "half.yaml");
    let house = lamps(&config);
    house.write(
        "sagas/shine.saga.yaml",
        &SAGA.replace("timeout: 10m\n", "timeout: 10m\non_shutdown: cancel\n"),
    );
    house.write("half.yaml", "target: lamp\ncommands: { light: { silent: true } }\n");
    let mut launcher = house.launch();
    let mut tool = house.register("tool");
    tool.ask(&json!({"cmd": "start_saga", "id": "a", "saga": "shine", "input": {}}));
    super::until("the lamp has it", || {
        let heard = std::fs::read_to_string(house.at("first.json")).unwrap_or_default();
        heard.contains(r#""command_id":"1.glow.1""#)
    });
    launcher.signal(Signal::SIGTERM);
    let failed = tool.until("saga_failed");
    assert_eq!(failed["state"], "compensated", "{failed}");
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
    check_pairs(&facts(&house));
}

/// What the guide has its reader write runs, and what the reference shows is read.
#[test]
fn the_guide_s_services_run() {
    let page = crate::cli::package().join("docs/guide/services.md");
    let page = std::fs::read_to_string(page).expect("it is shipped");
    let house = crate::process::House::shipped_but(|_| false);
    for block in page.split("```yaml ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name, then the file");
        let (text, _) = rest.split_once("```").expect("a block has an end");
        house.write(
            name,
            &text.replace("[sagaflow,", &format!("[{},", env!("CARGO_BIN_EXE_sagaflow"))),
        );
    }
    let mut house = house;
    house.args = vec!["--config".into(), "launcher.yaml".into()];
    let mut launcher = house.launch();
    let mut peer = watcher(&house);
    for name in ["srv", "host"] {
        assert_eq!(next(&mut peer, "process_spawned", name)["client_kind"], name);
    }
    launcher.signal(Signal::SIGTERM);
    assert_eq!(launcher.wait(), Some(0), "{}", launcher.said());
}
