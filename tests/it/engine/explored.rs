//! The sagas whose worlds are explored, each for what it promises \[R11, R12, R13, R22\]. How that
//! is done stands in `explore`.

use super::alone;
use super::explore::{exhaust, wander};

pub const LINEAR: &str = r"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: once, await: { echo: did } }
  - { id: three, issue: c, await: { echo: did } }
";

pub const RETRIED: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: a
    await: { echo: did }
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout, failed, unreachable] }
  - { id: two, issue: b, await: { echo: did }, on_timeout: continue }
finally:
  - { id: tidy, issue: look, await: { echo: did } }
";

pub const PIVOT: &str = r"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: b, await: { echo: did }, pivot: true }
  - { id: after, issue: c, await: { echo: did } }
";

pub const BURN: &str = r"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: turn, issue: burn, await: { echo: did }, pivot: true }
";

pub const GROUP: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: all
    group:
      - { id: one, issue: a, await: { echo: did } }
      - { id: two, issue: b, await: { echo: did } }
    timeout: 60s
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed, timeout, unreachable] }
  - { id: three, issue: c, await: { echo: did } }
";

pub const SIGNALLED: &str = r"
timeout: 100s
defaults: { timeout: 10s }
signals: { go_on: {}, stop: {} }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - id: gate
    await: { signal: go_on }
    fail_on: [{ signal: stop }]
    on_timeout: continue
  - { id: two, issue: once, await: { any_of: [{ echo: did }, { signal: go_on }] }, on_timeout: fail }
";

pub const PROBED: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: one
    issue: once
    await: { echo: did }
    probe: { issue: look, await: { echo: did }, done_when: event.n > 0 }
    retry: { attempts: 2, backoff: constant, delay: 1s, on: [timeout, unreachable] }
  - { id: two, issue: b, await: { echo: did } }
";

pub const REACTING: &str = r"
timeout: 100s
defaults: { timeout: 10s }
reactions:
  - { echo: did, issue: tell }
  - { echo: did, emit: told }
steps:
  - { id: one, issue: a, await: { echo: did } }
  - { id: two, issue: once, await: { echo: did } }
";

pub const ALL_OF: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left: [{ id: one, issue: a, await: { echo: did } }]
      right: [{ id: two, issue: once, await: { echo: did } }]
    join: all
  - { id: three, issue: c, await: { echo: did } }
";

pub const ANY_OF: &str = r"
timeout: 10m
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left: [{ id: one, issue: a, await: { echo: did } }]
      right: [{ id: two, issue: once, await: { echo: did } }]
    join: any
  - { id: three, issue: c, await: { echo: did } }
";

pub const PIVOT_BESIDE: &str = r"
timeout: 100s
defaults: { timeout: 10s }
steps:
  - id: both
    parallel:
      left: [{ id: turn, issue: b, await: { echo: did }, pivot: true }]
      right: [{ id: two, issue: a, await: { echo: did } }]
    join: all
";

/// All choices to that depth, then that many long walks.
fn explore(saga: &str, depth: usize, walks: u64) {
    let pattern = alone(saga);
    exhaust(&pattern, depth);
    wander(&pattern, walks, 30);
}

#[test]
fn r12_explored_linear_sagas_end_once_and_leave_nothing_behind() {
    explore(LINEAR, 5, 20);
}

#[test]
fn r11_explored_retries_never_use_an_id_for_two_things() {
    explore(RETRIED, 4, 20);
}

#[test]
fn r22_explored_signals_are_taken_once_and_leave_nothing_behind() {
    explore(SIGNALLED, 5, 20);
}

#[test]
fn r11_explored_probes_leave_nothing_behind_and_nothing_done_twice() {
    explore(PROBED, 5, 30);
}

#[test]
fn p5_explored_reactions_are_sent_before_the_end_and_harm_nothing() {
    explore(REACTING, 5, 20);
}

#[test]
fn r13_explored_pivots_are_never_undone() {
    explore(PIVOT, 5, 20);
}

#[test]
fn r13_explored_irreversible_pivots_end_as_the_target_says() {
    explore(BURN, 5, 20);
}

#[test]
fn r12_explored_groups_leave_no_attempt_behind() {
    explore(GROUP, 4, 20);
}

#[test]
fn r12_explored_branches_end_once_and_leave_nothing_behind() {
    for saga in [ALL_OF, ANY_OF] {
        explore(saga, 4, 20);
    }
}

#[test]
fn r13_explored_pivots_in_a_branch_are_never_undone() {
    explore(PIVOT_BESIDE, 4, 20);
}
