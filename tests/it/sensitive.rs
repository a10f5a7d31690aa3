//! What the catalog calls sensitive is shown to nobody, and is there for the saga all the same.

use sagaflow::ids::SagaId;
use sagaflow::launcher::Pictures;
use sagaflow::log::LogRead;
use serde_json::json;

use crate::world::World;

const CATALOG: &str = r#"
targets: { vault: {} }
events:
  opened: { fields: { token: { type: string, sensitive: true } } }
commands:
  open:
    target: vault
    fields: { secret: { type: string, sensitive: true }, header: { type: string } }
    echoes: [opened]
    idempotent: true
    undo: none
"#;

const SAGA: &str = r#"
saga: unlock
trigger: { call: { fields: { password: { type: string, sensitive: true } } } }
input: { password: "${{ trigger.password }}" }
eviction: { policy: parallel }
timeout: 10s
signals: { code: { fields: { pin: { type: string, sensitive: true } } } }
steps:
  - { id: ask, await: { signal: code, save: { pin: "${{ event.pin }}" } }, timeout: none }
  - id: open
    issue: open
    with: { secret: "${{ input.password }}", header: "Bearer ${{ input.password }}" }
    await: { echo: opened, save: { token: "${{ event.token }}" } }
    timeout: 5s
result: { token: "${{ vars.token }}", pin: "${{ vars.pin }}" }
"#;

#[test]
fn a_sensitive_value_is_shown_nowhere_and_reaches_its_target() {
    let mut world = World::new(&[("a.catalog.yaml", CATALOG), ("a.saga.yaml", SAGA)]);
    world.connect("vault");
    world.start("unlock", json!({"password": "hunter2hunter2"})).expect("it may start");
    world.say_to(1, "code", json!({"pin": "pin-987654"}), None).expect("it is awaited");
    let open = world.last("open");
    assert_eq!(open.with("header"), "Bearer hunter2hunter2");
    world.echo(&open, "opened", json!({"token": "tok-123456"})).expect("it is the vault's to say");
    let stored = world.log().saga(SagaId(1)).expect("the log can be read").expect("it is kept");
    let picture = Pictures::default().of(world.log(), stored, None);
    for shown in [picture.summary().to_string(), picture.detail().to_string()] {
        assert!(shown.contains("unlock"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("tok-123456"), "{shown}");
        assert!(!shown.contains("pin-987654"), "{shown}");
    }
    assert!(picture.detail().to_string().contains("Bearer [redacted]"));
}
