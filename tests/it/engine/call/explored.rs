//! Explored worlds with sub-sagas: whatever is answered, refused, cut off or cancelled, each
//! bracket closes once and what was undone left nothing \[R1, R12, R15, R20\].

use crate::engine::explore::{exhaust, wander};
use crate::engine::sagas;
use crate::world::World;

const INNER: &str = r"
saga: inner
trigger: { call: { fields: {} } }
eviction: { policy: queue, queue_max: 9 }
timeout: 50s
defaults: { timeout: 10s }
steps:
  - { id: work, issue: b, await: { echo: did } }
  - { id: more, issue: once, await: { echo: did } }
";

fn with(call: &str) -> World {
    let outer = format!(
        "saga: it\ntrigger: {{ event: go }}\neviction: {{ policy: parallel }}\ntimeout: \
         100s\ndefaults: {{ timeout: 10s }}\nsteps:\n  - {{ id: one, issue: a, await: {{ echo: \
         did }} }}\n{call}  - {{ id: three, issue: c, await: {{ echo: did }} }}\n"
    );
    sagas(&[&outer, INNER])
}

#[test]
fn r12_explored_calls_end_once_and_leave_nothing_behind() {
    let world = with("  - { id: sub, call: inner, timeout: 40s }\n");
    exhaust(&world, 5);
    wander(&world, 40, 40);
}

#[test]
fn r11_explored_calls_that_are_tried_again_leave_no_attempt_behind() {
    let retry = "retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed, timeout] }";
    let world = with(&format!("  - {{ id: sub, call: inner, timeout: 15s, {retry} }}\n"));
    exhaust(&world, 4);
    wander(&world, 40, 40);
}

#[test]
fn r12_explored_calls_in_groups_and_branches_leave_nothing_behind() {
    let retry = "retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed, timeout] }";
    let group = format!("  - id: all\n    group: [{{ id: sub, call: inner }}]\n    {retry}\n");
    let any = "  - id: race
    parallel:
      left: [{ id: sub, call: inner }]
      right: [{ id: two, delay: 15s }]
    join: any
";
    for text in [&*group, any] {
        let world = with(text);
        exhaust(&world, 4);
        wander(&world, 30, 40);
    }
}
