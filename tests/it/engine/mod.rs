//! What the engine promises, rule by rule: small sagas in a world of virtual time,
//! each claim a test. No sockets.

mod bounds;
mod call;
mod chance;
mod checks;
mod edited;
mod eviction;
mod explore;
mod explored;
mod finally;
mod for_each;
mod given_up;
mod group;
mod incident;
mod join;
mod meets;
mod nest;
mod observe;
mod others_say;
mod parallel;
mod pipes;
mod pivot;
mod probe;
mod reactions;
mod reduced;
mod restart;
mod retry;
mod rough;
mod schedule;
mod signals;
mod target;
mod undo;
mod undo_branches;
mod waits;

use serde_json::{Value, json};

use crate::world::{Sent, World};

/// A vocabulary in which every kind of command has one word. `a`, `b`,
/// `c` can be repeated and undone.
pub const CATALOG: &str = r#"
targets: { host: { buffer: 3 }, srv: { buffer: 3, overflow: fail_newest, disconnect_timeout: 5s } }
events:
  go: { fields: { k: { type: string }, n: { type: integer, default: 0 }, l: { type: string,
      default: "" } } }
  nudged: { fields: { k: { type: string } } }
  stopped: { fields: { k: { type: string } } }
  did: { fields: { k: { type: string, default: "" }, n: { type: integer, default: 0 } } }
  did_too: { fields: { k: { type: string, default: "" } } }
  refused: { fields: { why: { type: string, default: never } } }
  undid: {}
  told: {}
commands:
  a: { target: host, fields: { k: { type: string, default: "" } }, echoes: [did, did_too],
      failures: [refused], idempotent: true, undo: un_a }
  b: { target: host, fields: { k: { type: string, default: "" } }, echoes: [did, did_too],
      failures: [refused], idempotent: true, undo: un_b }
  c: { target: host, fields: { k: { type: string, default: "" } }, echoes: [did, did_too],
      failures: [refused], idempotent: true, undo: un_c }
  once: { target: host, echoes: [did], failures: [refused], idempotent: false, undo: un_once }
  burn: { target: host, echoes: [did], failures: [refused], idempotent: true, undo: irreversible }
  strike: { target: host, echoes: [did], failures: [refused], idempotent: false,
      undo: irreversible }
  look: { target: host, echoes: [did], failures: [refused], idempotent: true, undo: none }
  tell: { target: host, echoes: [], idempotent: true, undo: none }
  tell_once: { target: host, echoes: [], idempotent: false, undo: none }
  s: { target: srv, echoes: [did], failures: [refused], idempotent: true, undo: un_s }
  un_a: { target: host, fields: { k: { type: string, required: false } }, echoes: [undid],
      failures: [refused], idempotent: true, undo: none }
  un_b: { target: host, echoes: [undid], failures: [refused], idempotent: true, undo: none }
  un_c: { target: host, echoes: [undid], failures: [refused], idempotent: true, undo: none }
  un_once: { target: host, echoes: [undid], failures: [refused], idempotent: true, undo: none }
  un_s: { target: srv, echoes: [undid], failures: [refused], idempotent: true, undo: none }
"#;

/// The head that most sagas of these tests share.
const HEAD: &str = r#"
saga: it
trigger: { event: go }
input: { k: "${{ trigger.k }}", n: "${{ trigger.n }}" }
eviction: { policy: parallel }
"#;

/// A world with one saga `it`, triggered by `go`; nobody is connected.
pub fn alone(rest: &str) -> World {
    of(&format!("{HEAD}{rest}"))
}

/// The same with the host there.
pub fn it(rest: &str) -> World {
    let mut world = alone(rest);
    world.connect("host");
    world
}

/// A world with this one saga, all of it given.
pub fn of(saga: &str) -> World {
    World::new(&[("c.catalog.yaml", CATALOG), ("it.saga.yaml", saga)])
}

/// A world with several sagas.
pub fn sagas(texts: &[&str]) -> World {
    let names: Vec<String> = (0..texts.len()).map(|n| format!("{n}.saga.yaml")).collect();
    let mut files = vec![("c.catalog.yaml", CATALOG)];
    files.extend(names.iter().map(String::as_str).zip(texts.iter().copied()));
    World::new(&files)
}

/// Reports `go` for a key.
pub fn go(world: &mut World, k: &str) {
    world.report("tool", "go", json!({"k": k})).expect("`go` is declared");
}

/// Answers the newest command of that name with its ordinary echo.
pub fn did(world: &mut World, cmd: &str) -> Sent {
    let sent = world.last(cmd);
    let event = if cmd.starts_with("un_") { "undid" } else { "did" };
    world.echo(&sent, event, Value::Null).expect("it is the target's to say");
    sent
}

/// Refuses the newest command of that name.
pub fn refuse(world: &mut World, cmd: &str) {
    let sent = world.last(cmd);
    world.fail(&sent, "no such thing");
}

/// What became of the steps of the first saga, without the issuing.
pub fn ends(world: &World) -> Vec<String> {
    let trail = world.trail(1).into_iter();
    trail.filter(|line| !line.ends_with("issued")).collect()
}
