//! Pictures of sagas that went well, went back, and could not go back.

use serde_json::{Value, json};

use super::text::{Line, incidents_first, page, table};
use super::{Fact, Picture};
use crate::ids::{SagaId, Seq};
use crate::saga::record::Record;
use crate::time::Timestamp;

/// Facts from their stored form, one millisecond apart for each number in front.
fn facts(rows: Value) -> Vec<Fact> {
    let rows: Vec<(i64, Record)> = serde_json::from_value(rows).expect("records as stored");
    let numbered = (10..).map(Seq).zip(rows);
    numbered.map(|(seq, (at, record))| Fact { seq, at: Timestamp(at), record }).collect()
}

fn began() -> Value {
    json!({"began": {
        "name": "tear_off", "definition": "abc", "trigger": "call", "fields": {"tab": "t1"},
        "input": {"tab": "t1"}, "vars": {}, "keys": [], "due": 30_000, "client": "cli",
    }})
}

fn issued(step: &str, attempt: u32) -> Value {
    json!({"issued": {
        "step": step, "command_id": format!("3.{step}.1"), "attempt": attempt, "target": "srv",
        "cmd": "do_it", "with": {"tab": "t1"}, "due": 1_000,
    }})
}

fn undone_saga() -> Vec<Fact> {
    facts(json!([
        [0, began()],
        [0, issued("make", 1)],
        [12, {"event": {"name": "made", "fields": {"id": "w1"}, "client": "srv",
            "saga_id": 3, "step": "make"}}],
        [12, {"outcome": {"step": "make", "outcome": "succeeded", "save": {"id": "w1"}}}],
        [12, issued("move", 1)],
        [40, {"backoff": {"step": "move", "until": 540, "in_doubt": true, "cause": "timed_out",
            "reason": "no answer within 28ms"}}],
        [540, {"reissued": {"step": "move", "attempt": 2, "due": 1_540}}],
        [600, {"outcome": {"step": "move", "outcome": "failed", "cause": "action_failed",
            "reason": "tab is pinned"}}],
        [600, {"unwinding": {"cause": "action_failed", "reason": "tab is pinned"}}],
        [600, issued("make.undo", 1)],
        [620, {"outcome": {"step": "make.undo", "outcome": "succeeded"}}],
        [620, {"undone": {"step": "make", "ok": true}}],
        [620, {"ended": {"state": "compensated", "cause": "action_failed",
            "reason": "tab is pinned"}}],
    ]))
}

fn picture(facts: &[Fact]) -> Picture {
    Picture::of(SagaId(3), facts).expect("they begin with `began`")
}

#[test]
fn show_tells_each_step_with_its_undo_and_why() {
    let shown = picture(&undone_saga()).detail();
    assert_eq!(shown["state"], "compensated");
    assert_eq!(shown["cause"], "action_failed");
    assert_eq!(shown["step"], "move");
    assert_eq!(shown["started_at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(shown["ended_at"], "1970-01-01T00:00:00.620Z");
    let brief: Vec<Value> = shown["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| json!([s["id"], s["state"], s["attempt"], s["command_id"], s["answer"]]))
        .collect();
    assert_eq!(
        brief,
        [
            json!(["make", "compensated", 1, "3.make.1", "made"]),
            json!(["move", "failed", 2, "3.move.1", null]),
            json!(["make.undo", "succeeded", 1, "3.make.undo.1", null]),
        ]
    );
    assert_eq!(shown["steps"][0]["echo"], json!({"id": "w1"}));
    assert_eq!(shown["steps"][1]["reason"], "tab is pinned");
}

#[test]
fn what_started_a_saga_is_not_shown_as_the_answer_to_a_step() {
    let trigger = json!({"event": {"name": "told", "fields": {"label": "w1"}, "client": "ui"}});
    let done = json!({"outcome": {"step": "tell", "outcome": "succeeded"}});
    let shown = picture(&facts(json!([[0, trigger], [0, began()], [0, done]]))).detail();
    assert_eq!(shown["steps"][0]["attempt"], 1);
    assert_eq!(shown["steps"][0]["answer"], Value::Null);
    assert_eq!(shown["steps"][0]["echo"], Value::Null);
}

#[test]
fn show_as_text_is_a_timeline_with_the_way_back() {
    let shown = picture(&undone_saga()).detail();
    let text: Vec<String> = page(&shown, Timestamp(0)).iter().map(Line::plain).collect();
    let text: Vec<&str> = text.iter().map(|line| line.trim_end()).collect();
    assert_eq!(
        text.join("\n"),
        r#"saga 3 tear_off  compensated (action_failed)
  why        tab is pinned
  started by call from cli
  input      {"tab":"t1"}
  since      1970-01-01T00:00:00.000Z
  took       620ms
  definition abc

steps
  make       compensated  12ms  made {"id":"w1"}
  move       failed after 2 attempts  588ms  tab is pinned
  make.undo  succeeded  20ms

timeline  in seconds since 1970-01-01T00:00:00.000Z
      0.000  ·            began by call from cli {"tab":"t1"}
      0.000  → make       to srv: do_it {"tab":"t1"} as 3.make.1
      0.012  ← make       made {"id":"w1"} from srv
      0.012  ✓ make       succeeded, saved {"id":"w1"}
      0.012  → move       to srv: do_it {"tab":"t1"} as 3.move.1
      0.040  ↻ move       in doubt (timed_out): no answer within 28ms; tries again at 1970-01-01T00:00:00.540Z
      0.540  → move       asked again as 3.move.1, attempt 2
      0.600  ✗ move       failed (action_failed): tab is pinned
      0.600  ↩            turns around (action_failed): tab is pinned
      0.600  ↩ make.undo  to srv: do_it {"tab":"t1"} as 3.make.undo.1
      0.620  ✓ make.undo  succeeded
      0.620  ✓ make       compensated
      0.620  ✓            ended compensated (action_failed): tab is pinned"#
    );
}

#[test]
fn an_open_saga_stands_at_its_open_step() {
    let picture = picture(&undone_saga()[..6]);
    assert_eq!(picture.step().map(|step| &**step), Some("move"));
    let summary = picture.summary();
    assert_eq!(summary["state"], "running");
    assert_eq!(summary["due"], "1970-01-01T00:00:30.000Z");
    assert!(summary.get("steps").is_none(), "a list does not carry every saga's steps");
}

#[test]
fn bg_d02_an_incident_is_first_in_the_table_until_it_is_settled() {
    let mut incident = undone_saga()[..11].to_vec();
    let end = json!([
        [700, {"undone": {"step": "make", "ok": false, "reason": "it is locked"}}],
        [700, {"ended": {"state": "failed_compensation", "cause": "action_failed",
            "reason": "tab is pinned"}}],
        [800, {"resolved": {"by": "ops", "reason": "removed by hand"}}],
    ]);
    incident.extend(facts(end));
    let open = picture(&incident[..13]).summary();
    let settled = picture(&incident).summary();
    let newer = json!({"saga_id": 9, "name": "other", "state": "running"});
    assert_eq!(open["step"], "make");
    assert_eq!(settled["resolved"]["reason"], "removed by hand");

    let order = |first: &Value| {
        let mut rows = vec![newer.clone(), first.clone()];
        incidents_first(&mut rows);
        rows.iter().map(|row| row["saga_id"].as_u64().expect("an id")).collect::<Vec<_>>()
    };
    assert_eq!(order(&open), [3, 9], "R14: shown first");
    assert_eq!(order(&settled), [9, 3]);

    let text: Vec<String> =
        table(&[open, newer], Timestamp(0)).iter().map(|l| l.plain().trim_end().into()).collect();
    assert_eq!(
        text.join("\n"),
        "ID  NAME      STATE                STEP  STARTED               TOOK   WHY\n\
         3   tear_off  failed_compensation  make  1970-01-01 00:00:00Z  700ms  \
         action_failed: tab is pinned\n\
         9   other     running              -     -                     -"
    );
}

#[test]
fn a_queued_saga_has_not_started() {
    let mut queued = began();
    queued["began"]["queued"] = json!(true);
    let rows = facts(json!([[5, queued], [9, {"dequeued": {"name": "n", "due": 77}}]]));
    let summary = picture(&rows[..1]).summary();
    assert_eq!(summary["state"], "queued");
    assert_eq!(summary["started_at"], Value::Null);
    assert_eq!(summary["created_at"], "1970-01-01T00:00:00.005Z");
    let summary = picture(&rows).summary();
    assert_eq!(summary["started_at"], "1970-01-01T00:00:00.009Z");
}

#[test]
fn a_corrupt_saga_says_which_facts_clash() {
    let picture = picture(&undone_saga()).corrupt("step move ended failed, but a later record");
    assert_eq!(picture.summary()["state"], "corrupt");
    assert!(picture.summary()["reason"].as_str().is_some_and(|r| r.contains("but")));
    assert_eq!(Picture::of(SagaId(3), &undone_saga()[1..]), None);
}

#[test]
fn a_payload_that_nobody_reads_is_cut_in_the_text_and_whole_in_the_data() {
    let long = "x".repeat(5_000);
    let echo = json!({"event": {"name": "made", "fields": {"id": long.clone()}, "client": "srv",
        "saga_id": 3, "step": "make"}});
    let done = json!({"outcome": {"step": "make", "outcome": "succeeded"}});
    let rows = facts(json!([[0, began()], [0, issued("make", 1)], [1, echo], [1, done]]));
    let shown = picture(&rows).detail();
    assert_eq!(shown["steps"][0]["echo"]["id"], long);
    let text = shown["timeline"][2]["text"].as_str().expect("a text");
    assert!(text.contains("… (5009 bytes) from srv"), "{text}");
    assert!(page(&shown, Timestamp(0)).iter().all(|line| line.plain().len() < 1_000));
}

/// [R14]: what an operator's `retry` mended is no word on the step any more.
#[test]
fn an_undo_that_failed_and_then_succeeded_leaves_only_the_steps_own_reason() {
    let undone = |at: u64, step: &str, ok: bool| {
        let reason = if ok { Value::Null } else { json!("it is locked") };
        json!([at, {"undone": {"step": step, "ok": ok, "reason": reason}}])
    };
    let shown = picture(&facts(json!([
        [0, began()],
        [0, issued("make", 1)],
        [5, {"outcome": {"step": "make", "outcome": "succeeded"}}],
        [5, issued("move", 1)],
        [9, {"outcome": {"step": "move", "outcome": "in_doubt", "cause": "timed_out",
            "reason": "no answer within 4ms"}}],
        [9, {"unwinding": {"cause": "timed_out", "reason": "no answer within 4ms"}}],
        undone(10, "move", false),
        undone(10, "make", false),
        undone(20, "move", true),
        undone(20, "make", true),
    ])));
    let steps = shown.detail()["steps"].clone();
    let brief = |ix: usize| json!([steps[ix]["state"], steps[ix]["reason"]]);
    assert_eq!(brief(0), json!(["compensated", null]));
    assert_eq!(brief(1), json!(["compensated", "no answer within 4ms"]));
}

#[test]
fn a_name_without_fields_is_told_without_a_gap() {
    let shown = picture(&facts(json!([
        [0, began()],
        [1, {"event": {"name": "made", "fields": {}, "client": "srv"}}],
        [2, {"emitted": {"step": "tell", "event": "told", "fields": {}}}],
    ])));
    let lines = shown.detail()["timeline"].clone();
    assert_eq!(lines[1]["text"], "made from srv");
    assert_eq!(lines[2]["text"], "emitted told");
}

#[test]
fn a_page_has_no_heading_without_lines() {
    let lines = page(&picture(&facts(json!([[0, began()]]))).detail(), Timestamp(5));
    let text: Vec<String> = lines.iter().map(Line::plain).collect();
    assert!(!text.iter().any(|line| line == "steps"), "{text:?}");
    assert!(text.iter().any(|line| line.starts_with("timeline")), "{text:?}");
}
