//! Flows that the earlier launcher could not express, and left to code around its sagas.

use serde_json::{Value, json};

use sagaflow::saga::record::{Cause, State};
use sagaflow::time::Millis;

use crate::world::World;

/// "Spawn a remote agent, wait until it registers, attach": over two processes, longer than the
/// launcher lives, and tried again where it fails.
const ATTACH: &str = r#"
saga: attach_agent
trigger: { call: { fields: { agent: { type: string } } } }
input: { agent: "${{ trigger.agent }}" }
eviction: { key: input.agent, policy: refuse }
timeout: 2d
steps:
  - { id: spawn, issue: spawn_agent, with: { agent: "${{ input.agent }}" },
      await: { echo: agent_spawned }, timeout: 30s }
  - { id: hear, await: { event: agent_registered, where: event.agent == input.agent },
      timeout: 1d }
  - { id: attach, issue: attach, with: { agent: "${{ input.agent }}" }, await: { echo: attached },
      timeout: 30s,
      retry: { attempts: 3, backoff: exponential, delay: 2s, on: [failed, timeout] } }
"#;

const AGENTS: &str = r"
targets: { host: {}, srv: {} }
events:
  agent_spawned: {}
  agent_registered: { fields: { agent: { type: string } } }
  attached: {}
  agent_killed: {}
commands:
  spawn_agent: { target: srv, fields: { agent: { type: string } }, echoes: [agent_spawned],
      idempotent: true, undo: kill_agent }
  kill_agent: { target: srv, fields: { agent: { type: string } }, echoes: [agent_killed],
      idempotent: true, undo: none }
  attach: { target: host, fields: { agent: { type: string } }, echoes: [attached],
      idempotent: true, undo: none }
";

#[test]
fn bg_11_11_a_saga_of_several_processes_outlasts_its_launcher_and_tries_again() {
    let mut world = World::new(&[("c.catalog.yaml", AGENTS), ("a.saga.yaml", ATTACH)]);
    let connect = |world: &mut World| {
        world.connect("srv");
        world.connect("host");
    };
    connect(&mut world);
    world.start("attach_agent", json!({"agent": "x"})).expect("nobody holds it");
    let spawn = world.last("spawn_agent");
    world.echo(&spawn, "agent_spawned", Value::Null).expect("it is srv's to say");
    world.advance(Millis(3_600_000));
    world.crash();
    connect(&mut world);
    world.advance(Millis(3_600_000));
    assert_eq!(world.state(1), State::Running, "an hour is no deadline of a wait for a day");
    world.report("tool", "agent_registered", json!({"agent": "y"})).expect("it is declared");
    assert_eq!(world.commands(), ["spawn_agent"], "another agent");
    world.report("tool", "agent_registered", json!({"agent": "x"})).expect("it is declared");
    for pause in [2_000, 4_000] {
        let attach = world.last("attach");
        world.fail(&attach, "it is not ready");
        world.advance(Millis(pause));
    }
    let attach = world.last("attach");
    assert_eq!((&*attach.owed.target, attach.id()), ("host", "1.attach.3"));
    world.echo(&attach, "attached", Value::Null).expect("it is the host's to say");
    assert_eq!(world.state(1), State::Completed);
}

/// The window of a workspace was opened after its saga had ended: one that never came left a
/// workspace that nobody sees.
#[test]
fn bg_11_12_a_window_that_never_comes_leaves_no_orphan() {
    let catalog = r"
targets: { host: {}, srv: {} }
events:
  made: {}
  unmade: {}
  opening: {}
  closed: {}
  window_ready: { fields: { ws: { type: string } } }
commands:
  make: { target: srv, fields: { ws: { type: string } }, echoes: [made], idempotent: true,
      undo: unmake }
  unmake: { target: srv, fields: { ws: { type: string } }, echoes: [unmade], idempotent: true,
      undo: none }
  open: { target: host, fields: { ws: { type: string } }, echoes: [opening], idempotent: true,
      undo: close }
  close: { target: host, fields: { ws: { type: string } }, echoes: [closed], idempotent: true,
      undo: none }
";
    let saga = r#"
saga: tear_off
trigger: { call: { fields: { ws: { type: string } } } }
input: { ws: "${{ trigger.ws }}" }
eviction: { key: input.ws, policy: refuse }
timeout: 60s
defaults: { timeout: 5s }
steps:
  - { id: ws, issue: make, with: { ws: "${{ input.ws }}" }, await: { echo: made } }
  - { id: window, issue: open, with: { ws: "${{ input.ws }}" }, await: { echo: opening } }
  - { id: ready, await: { event: window_ready, where: event.ws == input.ws }, timeout: 10s }
"#;
    let files = [("c.catalog.yaml", catalog), ("t.saga.yaml", saga)];
    for comes in [true, false] {
        let mut world = World::new(&files);
        for target in ["host", "srv"] {
            world.connect(target);
        }
        world.start("tear_off", json!({"ws": "w"})).expect("nobody holds it");
        for (cmd, echo) in [("make", "made"), ("open", "opening")] {
            let sent = world.last(cmd);
            world.echo(&sent, echo, Value::Null).expect("it is the target's to say");
        }
        if comes {
            world.report("tool", "window_ready", json!({"ws": "w"})).expect("it is declared");
            assert_eq!(world.state(1), State::Completed);
            continue;
        }
        world.advance(Millis(10_000));
        for (cmd, echo) in [("close", "closed"), ("unmake", "unmade")] {
            let sent = world.last(cmd);
            world.echo(&sent, echo, Value::Null).expect("it is the target's to say");
        }
        let verdict = world.verdict(1);
        assert_eq!((verdict.state, verdict.cause), (State::Compensated, Some(Cause::TimedOut)));
    }
}
