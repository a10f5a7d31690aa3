//! `test --fill` on sagas whose values are hard to write or to find: what it writes is read again
//! as it was meant.

use super::{run, scratch};

const CATALOG: &str = "\
targets: { host: {} }
events:
  go:
    fields:
      place:
        type: object
        properties:
          room: { type: string }
          floor: { type: integer, minimum: 3 }
          doors: { type: array, items: { type: string }, minItems: 2 }
        required: [room, doors]
commands:
  note: { target: host, fields: { k: { type: string } }, echoes: [], idempotent: true, undo: none }
";

const SAGA: &str = "\
saga: noted
trigger: { event: go }
input: { room: \"${{ trigger.place.room }}\" }
eviction: { key: input.room, policy: ignore }
timeout: 5m
steps:
  - id: x
    issue: note
    with: { k: \"${{ input.room }} $${{ lit }} $$${{\" }
";

/// The literal is written as in a saga, and an object gets the properties that it must have.
#[test]
fn what_fill_writes_is_read_as_it_was_meant() {
    let files = [("sagas/a.catalog.yaml", CATALOG), ("sagas/noted.saga.yaml", SAGA)];
    let here = scratch(&files);
    let filled = run(here.path(), &["test", "--fill"]);
    assert_eq!(filled.exit, 0, "{}{}", filled.stdout, filled.stderr);
    assert!(filled.stdout.contains("steps 1/1"), "{}", filled.stdout);
    let path = here.path().join("sagas/noted.test.yaml");
    let text = std::fs::read_to_string(&path).expect("it was written");
    assert!(text.contains(" $${{ lit }} $$${{\""), "{text}");
    let valid = run(here.path(), &["validate"]);
    assert_eq!(valid.exit, 0, "{}", valid.stderr);

    // Another literal is another value, and a hole is none of a scenario's.
    std::fs::write(&path, text.replace("$${{ lit", "$${{ lot")).expect("room on the disk");
    assert_eq!(run(here.path(), &["test"]).exit, 1);
    std::fs::write(&path, text.replace("$${{ lit", "${{ lit")).expect("room on the disk");
    let hole = run(here.path(), &["validate"]);
    assert_eq!(hole.exit, 1, "{}", hole.stderr);
    assert!(format!("{}{}", hole.stdout, hole.stderr).contains("SF022"));
}
