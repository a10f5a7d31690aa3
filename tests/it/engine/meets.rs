//! Where rules meet: corners in which two or three of them speak at once.

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::State;
use sagaflow::time::Millis;
use serde_json::{Value, json};

use super::{did, ends, go, it, refuse};
use crate::world::Sent;

#[test]
fn r12_a_groups_own_undo_runs_for_every_attempt() {
    let mut world = it(r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 2s, on: [failed, timeout] }
    compensate: { issue: un_c, await: { echo: undid } }
");
    go(&mut world, "k");
    for _ in 0..2 {
        did(&mut world, "a");
        refuse(&mut world, "b");
        assert_eq!(world.commands().last().map(String::as_str), Some("un_c"));
        did(&mut world, "un_c");
        world.advance(Millis(2_000));
    }
    assert_eq!(world.commands(), ["a", "b", "un_c", "a", "b", "un_c"]);
    assert_eq!(world.state(1), State::Compensated);
}
