//! What the catalog calls sensitive stands in no line that a launcher says. What people are shown
//! of a saga is in `sensitive`.

use serde_json::json;

use super::{House, Launcher};

const CATALOG: &str = "\
events: { logged_in: { fields: { token: { type: string, sensitive: true } } } }
";

const SAGA: &str = "\
saga: session
trigger: { event: logged_in }
input: { token: \"${{ trigger.token }}\" }
require: [{ that: size(input.token) > 30, otherwise: \"short token <${{ input.token }}>\" }]
eviction: { policy: refuse }
timeout: 5m
steps: [{ id: stay, delay: 30s }]
";

#[test]
fn the_line_about_a_trigger_that_was_turned_away_hides_what_is_sensitive() {
    let house = House::with(&[("sagas/a.catalog.yaml", CATALOG), ("sagas/a.saga.yaml", SAGA)]);
    let mut run = house.run();
    run.env("SAGAFLOW_LOG", "trace");
    let mut launcher = Launcher::start(run);
    assert!(launcher.serves(), "{}", launcher.said());
    let mut host = house.register("tool");
    host.say(&json!({"cmd": "report", "event": "logged_in", "token": "hunter2hunter2"}));
    assert!(launcher.says("not started"), "{}", launcher.said());
    launcher.signal(nix::sys::signal::Signal::SIGTERM);
    let said = launcher.said();
    assert!(said.contains("short token <[redacted]>"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
