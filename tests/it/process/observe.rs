//! A saga that observes, beside a launcher that is killed: what others report is all that moves
//! it, and its target hears nothing.

use serde_json::json;

use super::House;
use super::crash::{Case, check};

const CATALOG: &str = r#"
targets: { shell: {} }
events:
  window_closed: { fields: { label: { type: string } } }
  panes_reaped: { fields: { label: { type: string } } }
  panes_busy: { fields: { label: { type: string } } }
  panes_restored: { fields: { label: { type: string } } }
  layout_saved: { fields: { label: { type: string } } }
commands:
  reap_panes: { target: shell, fields: { label: { type: string } }, echoes: [panes_reaped],
      failures: [panes_busy], idempotent: true, undo: restore_panes }
  restore_panes: { target: shell, fields: { label: { type: string } }, echoes: [panes_restored],
      idempotent: true, undo: none }
  save_layout: { target: shell, fields: { label: { type: string } }, echoes: [layout_saved],
      failures: [panes_busy], idempotent: true, undo: none }
"#;

const SAGA: &str = r#"
saga: close_window
trigger: { event: window_closed }
input: { label: "${{ trigger.label }}" }
eviction: { key: input.label, policy: ignore }
timeout: 30m
mode: observe
defaults: { timeout: 10m }
steps:
  - id: reap
    issue: reap_panes
    with: { label: "${{ input.label }}" }
    await: { echo: panes_reaped, where: event.label == input.label }
  - { id: tell, emit: layout_saved, with: { label: "${{ input.label }}" } }
  - id: save
    issue: save_layout
    with: { label: "${{ input.label }}" }
    await: { echo: layout_saved, where: event.label == input.label }
"#;

fn house(_: &str) -> House {
    House::with(&[("sagas/c.catalog.yaml", CATALOG), ("sagas/close_window.saga.yaml", SAGA)])
}

/// The other code's doings, each under an id, in order.
fn check_reports(events: &[&str], end: &'static str) {
    let report = |(place, event): (usize, &&str)| json!({"cmd": "report", "id": format!("r{place}"), "event": event, "label": "main"});
    let starts = events.iter().enumerate().map(report).collect();
    let (saga, ends) = ("close_window", vec![end]);
    check(&Case { house, saga, target: "shell", starts, fails: &[], ends });
}

#[test]
fn r2_r3_a_saga_that_observes_survives_a_kill_after_every_commit() {
    check_reports(&["window_closed", "panes_reaped", "layout_saved"], "saga_completed");
}

#[test]
fn r12_what_it_would_undo_is_awaited_whenever_the_launcher_is_killed() {
    let events = ["window_closed", "panes_reaped", "panes_busy", "panes_restored"];
    check_reports(&events, "saga_failed");
}
