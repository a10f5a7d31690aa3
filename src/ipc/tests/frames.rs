//! Claims about the launcher's lines: byte for byte what the contract shows.

use serde_json::{Map, Value, json};

use crate::ids::{ClientId, SagaId, Seq, SessionNo};
use crate::ipc::frames::{self, CommandFrame, Line, Registered, SagaFailed, SagaResult, SagaStep};
use crate::ipc::protocol::{AskId, parse_line};
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::FRAME_BYTES_MAX;

fn check(line: &str, expected: impl AsRef<str>) {
    assert_eq!(line.strip_suffix('\n').expect("a line has an end"), expected.as_ref());
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object: {value}") };
    map
}

fn id(text: &str) -> AskId {
    AskId::new(text.into()).expect("it is short")
}

/// The conversation of `docs/reference/wire.md`, the launcher's half.
/// The line that is appended.
fn line(write: impl FnOnce(&mut String)) -> Line {
    let mut text = "{}\n".to_owned();
    write(&mut text);
    text["{}\n".len()..].into()
}

fn conversation() -> Vec<String> {
    let label = map(json!({"label": "w1"}));
    let host = json!({"pid": 4242, "client_kind": "host", "client_version": "1"});
    let registered = frames::registered(&Registered {
        id: None,
        client_id: ClientId(1),
        launcher_pid: 77,
        launcher_version: "0.1.0",
        session: Some(SessionNo(1)),
        version: Seq(4),
    });
    let command = |cmd, command_id, step| {
        line(|text| {
            frames::command(
                text,
                &CommandFrame {
                    cmd,
                    command_id,
                    saga_id: SagaId(1),
                    step,
                    attempt: 1,
                    session: SessionNo(1),
                    fields: &label,
                },
            );
        })
    };
    let phase = map(json!({"from": "starting", "to": "running"}));
    let closed = map(json!({"label": "w1", "crash_detected": false}));
    let saga = SagaId(1);
    let name = "window_cleanup_cascade";
    let began = frames::SagaStarted { saga_id: saga, name, parent: None, observes: false };
    let lines = [
        line(|text| frames::bus_event(text, "process_spawned", None, &map(host), Seq(2))),
        line(|text| frames::bus_event(text, "lifecycle_phase_changed", None, &phase, Seq(3))),
        registered,
        line(|text| frames::bus_event(text, "window_closed", None, &closed, Seq(5))),
        frames::accepted(&id("a"), Seq(5)),
        line(|text| frames::saga_started(text, &began, Seq(6))),
        command("reap_panes", "1.reap.1", "reap"),
        line(|text| frames::bus_event(text, "panes_reaped", Some((saga, "reap")), &label, Seq(8))),
        command("drain_pool_if_last", "1.drain.1", "drain"),
        line(|text| {
            frames::bus_event(text, "pool_not_last", Some((saga, "drain")), &label, Seq(11));
        }),
        line(|text| frames::saga_completed(text, saga, Some(&json!({"drained": false})), Seq(13))),
    ];
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn bg_h01_bg_h02_bg_h09_the_conversation_of_the_contract_is_what_is_written() {
    let contract = include_str!("../../../docs/reference/wire.md");
    let half = |mark: &str| -> Vec<String> {
        contract.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect()
    };
    assert_eq!(conversation(), half("< "));
    for line in half("> ") {
        assert!(parse_line(line.as_bytes()).is_ok(), "{line}");
    }
}

#[test]
fn w2_answers_stand_as_in_the_contract() {
    let a = id("a");
    let a = Some(&a);
    check(
        &frames::pong(a, &json!(7), Seq(9)),
        r#"{"event":"pong","id":"a","nonce":7,"version":9}"#,
    );
    check(
        &frames::saga_accepted(a, SagaId(3), Seq(9)),
        r#"{"event":"saga_accepted","id":"a","saga_id":3,"version":9}"#,
    );
    let result = SagaResult {
        saga_id: SagaId(3),
        state: "compensated",
        cause: Some("timed_out"),
        result: None,
        reason: Some("no answer"),
    };
    check(
        &frames::saga_result(a, &result, Seq(9)),
        r#"{"event":"saga_result","id":"a","saga_id":3,"state":"compensated","#.to_owned()
            + r#""cause":"timed_out","reason":"no answer","version":9}"#,
    );
    check(
        &frames::lagged(None, Seq(3), Seq(8), Seq(9)),
        r#"{"event":"lagged","missed_from":3,"missed_to":8,"version":9}"#,
    );
    check(
        &line(|text| {
            frames::saga_step(
                text,
                &SagaStep {
                    saga_id: SagaId(3),
                    step: "reap",
                    state: "failed",
                    attempt: 1,
                    reason: Some("gone"),
                },
                Seq(21),
            );
        }),
        r#"{"event":"saga_step","saga_id":3,"step":"reap","state":"failed","attempt":1,"#
            .to_owned()
            + r#""reason":"gone","version":21}"#,
    );
    check(
        &line(|text| frames::saga_resolved(text, SagaId(3), "resolved", Seq(21))),
        r#"{"event":"saga_resolved","saga_id":3,"outcome":"resolved","version":21}"#,
    );
    let body = map(json!({"lifecycle": "running"}));
    check(
        &frames::snapshot(a, &body, Seq(9)),
        r#"{"event":"snapshot","id":"a","lifecycle":"running","version":9}"#,
    );
    check(
        &frames::saga(a, &json!({"saga_id": 3}), Seq(9)),
        r#"{"event":"saga","id":"a","saga":{"saga_id":3},"version":9}"#,
    );
}

#[test]
fn w6_an_error_is_private_and_has_version_0() {
    let error = ProtocolError::mild(ErrorCode::UnknownEvent, "no \"e\"").with_id(Some(id("a")));
    check(
        &frames::error(&error),
        r#"{"event":"error","id":"a","code":"unknown_event","message":"no \"e\"","#.to_owned()
            + r#""fatal":false,"version":0}"#,
    );
}

#[test]
fn r1_the_outcome_of_a_failed_saga_is_its_state_save_where_the_cause_says_more() {
    let outcome = |state, cause| {
        let (reason, cause) = (Some("r"), Some(cause));
        let failed = SagaFailed { saga_id: SagaId(1), reason, state, cause };
        let line = line(|text| frames::saga_failed(text, &failed, Seq(2)));
        let line: Value = serde_json::from_str(&line).expect("it is JSON");
        line["outcome"].as_str().expect("it is a word").to_owned()
    };
    for cause in ["evicted", "cancelled", "timed_out"] {
        assert_eq!(outcome("failed", cause), cause);
        assert_eq!(outcome("compensated", cause), "compensated");
    }
    assert_eq!(outcome("failed", "action_failed"), "failed");
    assert_eq!(outcome("failed_compensation", "evicted"), "failed_compensation");
}

#[test]
fn w2_a_page_of_events_is_one_frame_and_says_whether_more_follow() {
    let event = line(|text| {
        frames::bus_event(text, "e", None, &map(json!({"x": "y".repeat(100_000)})), Seq(1));
    });
    let events: Vec<&str> = std::iter::repeat_n(&*event, 30).collect();
    let page = frames::event_list(None, events.iter().copied(), false, Seq(9));
    assert!(page.line.len() <= FRAME_BYTES_MAX);
    assert!((1..30).contains(&page.taken));
    assert!(page.line.ends_with("\"more\":true,\"version\":9}\n"));
    let rest = frames::event_list(None, events[page.taken * 2..].iter().copied(), false, Seq(9));
    assert!(rest.line.ends_with("\"more\":false,\"version\":9}\n"));
    let parsed: Value = serde_json::from_str(&page.line).expect("it is JSON");
    assert_eq!(parsed["events"].as_array().map(Vec::len), Some(page.taken));
}

#[test]
fn w2_a_page_of_sagas_names_the_next_one() {
    let saga = |id: u64| (SagaId(id), json!({"saga_id": id}).to_string());
    let sagas = [saga(9), saga(7)];
    let page = frames::saga_list(None, &sagas, true, Seq(9));
    check(
        &page.line,
        r#"{"event":"saga_list","sagas":[{"saga_id":9},{"saga_id":7}],"next":7,"version":9}"#,
    );
    let last = frames::saga_list(None, &sagas, false, Seq(9));
    check(&last.line, r#"{"event":"saga_list","sagas":[{"saga_id":9},{"saga_id":7}],"version":9}"#);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    })]

    #[test]
    fn w1_whatever_the_fields_hold_a_line_is_one_line_of_json(text in ".*", name in "[a-z]{1,8}") {
        let fields = map(json!({ (name.clone()): [text, {"k": text}, 1.5, null, true] }));
        let line = line(|text| frames::bus_event(text, "e", None, &fields, Seq(1)));
        proptest::prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let parsed: Value = serde_json::from_str(&line).expect("it is JSON");
        proptest::prop_assert_eq!(&parsed[&name], &fields[&name]);
    }
}
