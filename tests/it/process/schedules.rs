//! The clock starts sagas of a real launcher, also after it was killed \[R9\]. When is not
//! asserted.

use serde_json::json;

use super::House;

#[test]
fn r9_the_clock_starts_sagas_before_and_after_the_launcher_was_killed() {
    let catalog = "targets: { lamp: {} }\nevents: { lit: {} }\ncommands: { light: { target: lamp, \
                   echoes: [lit], idempotent: true, undo: none } }\n";
    let saga = "saga: blink\ntrigger: { schedule: { every: 1s } }\neviction: { policy: ignore \
                }\ntimeout: 1h\nsteps:\n  - { id: light, issue: light, await: { echo: lit }, \
                timeout: 30m }\n";
    let house =
        House::with(&[("sagas/lamp.catalog.yaml", catalog), ("sagas/blink.saga.yaml", saga)]);
    let launcher = house.launch();
    let mut lamp = house.register("lamp");
    let first = lamp.until("light");
    launcher.kill();
    let _launcher = house.launch();
    let mut lamp = house.register("lamp");
    let again = lamp.until("light");
    assert_eq!(again["command_id"], first["command_id"], "the first one still runs");
    lamp.echo(&again, "lit", json!({}));
    let second = lamp.until("light");
    assert_eq!(second["saga_id"], 2);
    let snapshot = lamp.ask(&json!({"cmd": "get_snapshot", "id": "s"}));
    let tick = &snapshot["schedules"][0];
    assert_eq!((&tick["saga"], &tick["schedule"]), (&json!("blink"), &json!("every 1s")));
    assert!(tick["next"].is_string(), "{tick}");
}
