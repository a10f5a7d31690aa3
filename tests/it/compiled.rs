//! What compiling promises holds when the saga runs: whose values an undo repeats, what the end can
//! ask. Rules of the runtime are tested elsewhere.

use sagaflow::saga::record::State;
use serde_json::json;

use crate::world::World;

const CATALOG: &str = r"
targets: { host: {} }
events:
  asked: { fields: { name: { type: string } } }
  made: { fields: { name: { type: string } } }
  unmade: { fields: { name: { type: string } } }
  noted: { fields: { what: { type: string } } }
commands:
  make: { target: host, fields: { name: { type: string }, size: { type: integer, default: 3 } },
    echoes: [made], idempotent: true, undo: unmake }
  unmake: { target: host, fields: { name: { type: string }, size: { type: integer } },
    echoes: [unmade], idempotent: true, undo: none }
";

const SAGA: &str = r#"
saga: it
trigger: { event: asked }
input: { name: "${{ trigger.name }}" }
eviction: { policy: parallel }
timeout: 1m
defaults: { timeout: 5s }
vars: { name: first }
steps:
  - id: make
    issue: make
    with: { name: "${{ vars.name }}" }
    await: { echo: made, save: { name: "${{ event.name }}" } }
  - id: again
    issue: make
    with: { name: "${{ vars.name }}" }
    await: { echo: made }
  - id: never
    if: input.name == "no"
    issue: make
    with: { name: never }
    await: { echo: made }
finally:
  - id: note
    emit: noted
    with:
      what: ${{ steps.make.outcome }} ${{ steps.again.outcome }} ${{ steps.never.outcome }}
"#;

fn world() -> World {
    let mut world = World::new(&[("c.catalog.yaml", CATALOG), ("it.saga.yaml", SAGA)]);
    world.connect("host");
    world.report("host", "asked", json!({"name": "x"})).expect("it is declared");
    world
}

#[test]
fn the_catalogs_undo_repeats_the_values_that_the_command_was_issued_with() {
    let mut world = world();
    let make = world.last("make");
    assert_eq!(make.with("name"), "first");
    world.echo(&make, "made", json!({"name": "second"})).expect("it is an echo of `make`");
    let again = world.last("make");
    assert_eq!(again.with("name"), "second");
    world.fail(&again, "no room");
    // The variable has another value by now; the default that the command carried goes along.
    let undo = world.last("unmake");
    assert_eq!((undo.with("name"), undo.with("size")), (&json!("first"), &json!(3)));
    world.echo(&undo, "unmade", json!({"name": "first"})).expect("it is an echo of `unmake`");
    assert_eq!(world.state(1), State::Compensated);
}

#[test]
fn the_end_may_ask_for_the_outcome_of_a_step_that_was_never_reached() {
    let mut world = world();
    let make = world.last("make");
    world.fail(&make, "no room");
    assert_eq!(world.state(1), State::Failed);
    let noted = world.published("noted");
    assert_eq!(noted[0].fields["what"], "failed skipped skipped");
}
