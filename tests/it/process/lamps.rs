//! Small definitions for launchers under test: lamps that a machine switches. What each saga is
//! for stands with the tests.

use serde_json::json;

use super::{House, Peer};

const CATALOG: &str = "\
targets:
  lamp: { doc: Switches lamps., buffer: 2, disconnect_timeout: 10m }
  far: { doc: Is seldom there., disconnect_timeout: 20ms }
events:
  lit: { fields: { n: { type: integer } } }
  dark: { fields: { n: { type: integer } } }
  sealed: { fields: { n: { type: integer } } }
  noted: { fields: { n: { type: integer } } }
  pressed: { fields: { n: { type: integer } } }
commands:
  light:
    target: lamp
    fields: { n: { type: integer } }
    echoes: [lit]
    idempotent: true
    undo: darken
  darken:
    target: lamp
    fields: { n: { type: integer } }
    echoes: [dark]
    idempotent: true
    undo: none
  note:
    target: lamp
    fields: { n: { type: integer } }
    echoes: [noted]
    idempotent: true
    undo: none
  tell:
    target: lamp
    fields: { n: { type: integer } }
    echoes: []
    idempotent: true
    undo: none
  seal:
    target: lamp
    fields: { n: { type: integer } }
    echoes: [sealed]
    idempotent: true
    undo: irreversible
  signal_far:
    target: far
    fields: { n: { type: integer } }
    echoes: [noted]
    idempotent: true
    undo: none
";

/// Lights a lamp, then notes it; `more` stands among the saga's keys.
fn lights(name: &str, more: &str) -> String {
    format!(
        "saga: {name}\ntrigger: {{ call: {{ fields: {{ n: {{ type: integer }} }} }} }}\n\
         input: {{ n: \"${{{{ trigger.n }}}}\" }}\neviction: {{ policy: parallel }}\n\
         timeout: 30m\ndefaults: {{ timeout: 10m }}\n{more}\
         steps:\n  \
         - {{ id: light, issue: light, with: {{ n: \"${{{{ input.n }}}}\" }}, \
         await: {{ echo: lit }}, compensate: {{ issue: darken, \
         with: {{ n: \"${{{{ input.n }}}}\" }}, await: {{ echo: dark }}, timeout: 10m }} }}\n  \
         - {{ id: note, issue: note, with: {{ n: \"${{{{ input.n }}}}\" }}, \
         await: {{ echo: noted }} }}\n"
    )
}

/// A saga of one step, called by name.
fn one(name: &str, command: &str, echo: &str) -> String {
    format!(
        "saga: {name}\ntrigger: {{ call: {{ fields: {{ n: {{ type: integer }} }} }} }}\n\
         input: {{ n: \"${{{{ trigger.n }}}}\" }}\neviction: {{ policy: parallel }}\n\
         timeout: 10m\nsteps:\n  - {{ id: only, issue: {command}, \
         with: {{ n: \"${{{{ input.n }}}}\" }}, await: {{ echo: {echo} }}, timeout: 10m }}\n"
    )
}

/// Everything that the language has, one after the other.
const RICH: &str = "\
saga: rich
trigger: { call: { fields: { n: { type: integer } } } }
input: { n: \"${{ trigger.n }}\" }
eviction: { key: input.n, policy: queue, queue_max: 4 }
timeout: 5h
defaults: { timeout: 10m }
steps:
  - { id: first, issue: light, with: { n: \"${{ input.n }}\" }, await: { echo: lit } }
  - { id: told, issue: tell, with: { n: \"${{ input.n }}\" } }
  - { id: pause, delay: 5ms }
  - { id: shout, emit: pressed, with: { n: \"${{ saga.id }}\" } }
  - { id: heard, await: { event: pressed, where: event.n == input.n + 100 }, timeout: 5ms,
      on_timeout: continue }
  - id: both
    group:
      - { id: one, issue: note, with: { n: 2 }, await: { echo: noted, save: { seen: true } } }
      - { id: two, issue: light, with: { n: 3 }, await: { echo: lit } }
  - { id: not, if: \"!vars.seen\", issue: note, with: { n: 4 }, await: { echo: noted } }
  - { id: tries, issue: note, with: { n: 5 }, await: { echo: noted },
      retry: { attempts: 2, backoff: constant, delay: 1ms, on: [failed] } }
  - { id: last, issue: seal, with: { n: 6 }, await: { echo: sealed }, pivot: true }
  - { id: after, issue: note, with: { n: 7 }, await: { echo: noted } }
finally:
  - { id: bye, issue: note, with: { n: 8 }, await: { echo: noted } }
result: { n: \"${{ input.n }}\" }
";

const FOLLOWER: &str = "\
saga: follower
trigger: { event: pressed }
input: { n: \"${{ trigger.n }}\" }
eviction: { policy: parallel }
timeout: 10m
steps:
  - { id: only, issue: note, with: { n: \"${{ input.n }}\" }, await: { echo: noted }, timeout: 10m }
";

/// A house with one saga of everything, and one that follows it.
pub fn rich() -> House {
    House::with(&[
        ("sagas/lamps.catalog.yaml", CATALOG),
        ("sagas/rich.saga.yaml", RICH),
        ("sagas/follower.saga.yaml", FOLLOWER),
    ])
}

/// Has nothing to undo when it is cancelled, and something to do on every end.
const TIDIES: &str = "\
saga: tidies
trigger: { call: { fields: { n: { type: integer } } } }
eviction: { policy: parallel }
timeout: 30m
defaults: { timeout: 10m }
on_shutdown: cancel
steps:
  - { id: only, issue: note, with: { n: 1 }, await: { echo: noted } }
finally:
  - { id: bye, issue: tell, with: { n: 2 } }
  - { id: last, issue: note, with: { n: 3 }, await: { echo: noted } }
";

/// A house of lamps.
pub fn house() -> House {
    let sagas = [
        ("resumes", lights("resumes", "")),
        ("undoes", lights("undoes", "on_restart: compensate\n")),
        ("fails", lights("fails", "on_restart: fail\n")),
        ("cancels", lights("cancels", "on_shutdown: cancel\n")),
        ("tidies", TIDIES.to_owned()),
        ("notes", one("notes", "note", "noted")),
        ("calls", one("calls", "signal_far", "noted")),
    ];
    let house = House::with(&[("sagas/lamps.catalog.yaml", CATALOG)]);
    for (name, text) in sagas {
        house.write(&format!("sagas/{name}.saga.yaml"), &text);
    }
    house
}

/// Starts a saga of lamp `n` under an id that is used once; the saga's id.
pub fn start(tool: &mut Peer, saga: &str, n: u64) -> u64 {
    let id = format!("{}-{saga}-{n}", tool.pid);
    let input = json!({"n": n});
    let answer = tool.ask(&json!({"cmd": "start_saga", "id": id, "saga": saga, "input": input}));
    answer["saga_id"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}
