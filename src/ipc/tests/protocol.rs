//! Claims about lines from clients: what each becomes, or what its sender is told.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::ids::{SagaId, Seq};
use crate::ipc::ErrorCode;
use crate::ipc::frames;
use crate::ipc::protocol::{
    ActionFailed, AskId, ClientFrame, Echo, Register, Report, SagaFilter, SignalSaga, StartSaga,
    parse_line,
};
use crate::limits::{CLIENT_WORD_BYTES_MAX, FRAME_BYTES_MAX, JSON_DEPTH_MAX};
use crate::saga::words::STATES;

fn refused(line: &[u8], code: ErrorCode, message: &str) {
    let shown = String::from_utf8_lossy(line);
    let error = parse_line(line).expect_err(&shown);
    assert_eq!((error.code, error.message.as_str()), (code, message), "{shown}");
    assert!(!error.fatal, "{shown}");
}

#[test]
fn w6_what_is_not_one_object_in_utf_8_is_told_where_it_goes_wrong() {
    let table: [(&[u8], &str); 8] = [
        (b"{", "EOF while parsing an object, at byte 1 of the line"),
        (b"hello", "expected value, at byte 1 of the line"),
        (b"{\"cmd\":\"ping\"} x", "trailing characters, at byte 16 of the line"),
        (b"{\"cmd\":\"ping\xff\"}", "the line is not UTF-8 at byte 13"),
        (b"\xff\xfe", "the line is not UTF-8 at byte 1"),
        (b"{\"cmd\":\"ping\",\"cmd\":1}", "the field `cmd` stands twice, at byte 22 of the line"),
        (
            b"{\"cmd\":\"report\",\"event\":\"e\",\"a\":1,\"a\":1}",
            "the field `a` stands twice, at byte 40 of the line",
        ),
        (
            b"{\"cmd\":\"ping\",\"nonce\":{\"a\":1,\"a\":2}}",
            "the field `a` stands twice, at byte 35 of the line",
        ),
    ];
    for (line, message) in table {
        refused(line, ErrorCode::InvalidJson, message);
    }
}

#[test]
fn w6_a_line_that_is_nested_too_deep_is_refused_before_it_costs_anything() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"cmd\":\"ping\",\"nonce\":{open}{close}}}")
    };
    assert!(parse_line(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
    for depth in [JSON_DEPTH_MAX + 1, 100_000] {
        let error = parse_line(nested(depth).as_bytes()).expect_err("it is too deep");
        assert_eq!(error.code, ErrorCode::InvalidJson);
        assert!(error.message.starts_with("nested deeper than 64 levels"), "{}", error.message);
    }
}

/// A report that fits into a line must not become an event that fits into none.
#[test]
fn w1_numbers_that_are_written_short_count_in_full() {
    let numbers = |number: &str, count| vec![number; count].join(",");
    let report = |numbers: &str| {
        format!(r#"{{"cmd":"report","id":"a","event":"e","saga_id":1,"step":"s","f":[{numbers}]}}"#)
    };
    let start = |numbers: &str| {
        format!(r#"{{"cmd":"start_saga","id":"a","saga":"s","input":{{"f":[{numbers}]}}}}"#)
    };
    let told = |line: String| {
        assert!(line.len() <= FRAME_BYTES_MAX);
        let error = parse_line(line.as_bytes()).expect_err("it is too long in full");
        assert_eq!(error.id, AskId::new(json!("a")));
        assert_eq!((error.code, error.fatal), (ErrorCode::InvalidPayload, false));
        error.message
    };
    let most = "must be at most 1048576 bytes long with every number in full";
    let long = FRAME_BYTES_MAX / 5 - 50;
    let all = long * "1000000000000000.0,".len() - 1 + r#"{"f":[]}"#.len();
    let expected = format!("the fields of the event {most}, not {all} bytes");
    assert_eq!(told(report(&numbers("1e15", long))), expected);
    assert_eq!(told(start(&numbers("1e15", long))), format!("`input` {most}, not {all} bytes"));
    let fits = FRAME_BYTES_MAX / "1000000000000000.0,".len() - 50;
    for line in [report(&numbers("1e15", fits)), start(&numbers("1e15", fits))] {
        parse_line(line.as_bytes()).expect("it fits in full");
    }
    let plain = report(&numbers("1", FRAME_BYTES_MAX / 2 - 50));
    parse_line(plain.as_bytes()).expect("it is as long as it was written");
}

#[test]
fn w2_w6_what_is_no_command_is_told_which_there_are() {
    let all = "register, report, report_saga_action_failed, start_saga, signal_saga, get_snapshot, \
               get_events, list_sagas, get_saga, ping, goodbye";
    let object = "a line must be an object with `cmd`, like {\"cmd\":\"ping\"}";
    let long = "x".repeat(CLIENT_WORD_BYTES_MAX + 1);
    let table = [
        ("[1]".to_owned(), object.to_owned()),
        ("42".to_owned(), object.to_owned()),
        ("\"ping\"".to_owned(), object.to_owned()),
        ("{}".to_owned(), format!("`cmd` is missing: it must be one of {all}")),
        ("{\"cmd\":null}".to_owned(), format!("`cmd` is missing: it must be one of {all}")),
        ("{\"cmd\":7}".to_owned(), "`cmd` must be a string, not the number 7".to_owned()),
        (
            "{\"cmd\":\"repport\"}".to_owned(),
            "unknown cmd `repport`; did you mean `report`?".into(),
        ),
        (
            "{\"cmd\":\"get_sagas\"}".to_owned(),
            "unknown cmd `get_sagas`; did you mean `get_saga`?".into(),
        ),
        ("{\"cmd\":\"dance\"}".to_owned(), format!("unknown cmd `dance`; known are {all}")),
        (
            format!("{{\"cmd\":\"ping\",\"id\":\"{long}\"}}"),
            "`id` is 257 bytes long; it must be at most 256".to_owned(),
        ),
        (
            format!("{{\"cmd\":\"register\",\"kind\":\"tool\",\"pid\":1,\"name\":\"{long}\"}}"),
            "`name` is 257 bytes long; it must be at most 256".to_owned(),
        ),
    ];
    for (line, message) in table {
        refused(line.as_bytes(), ErrorCode::InvalidCommand, &message);
    }
}

#[test]
fn w6_a_field_of_another_type_is_named_with_what_it_must_be() {
    let number = "a whole number that is not negative";
    let echo = "an echo copies both from its command, an organic report has neither";
    let table = [
        (r#"{"cmd":"ping","id":true}"#, "`id` must be a string or a number, not a boolean".into()),
        (r#"{"cmd":"register","pid":1}"#, "`kind` is missing: it must be a string".to_owned()),
        (r#"{"cmd":"register","kind":"host"}"#, format!("`pid` is missing: it must be {number}")),
        (
            r#"{"cmd":"register","kind":"host","pid":"x"}"#,
            format!("`pid` must be {number}, not the string \"x\""),
        ),
        (
            r#"{"cmd":"register","kind":"","pid":1}"#,
            "`kind` must be a string that is not empty".into(),
        ),
        (
            r#"{"cmd":"register","kind":"host","pid":1,"subscribe":"*"}"#,
            "`subscribe` must be a list of strings, not the string \"*\"".into(),
        ),
        (
            r#"{"cmd":"register","kind":"host","pid":1,"subscribe":[1]}"#,
            "`subscribe` must be a list of strings, not the number 1".into(),
        ),
        (r#"{"cmd":"report"}"#, "`event` is missing: it must be a string".into()),
        (
            r#"{"cmd":"report","event":"e","saga_id":1}"#,
            format!("`saga_id` stands without `step`: {echo}"),
        ),
        (
            r#"{"cmd":"report","event":"e","step":"s"}"#,
            format!("`step` stands without `saga_id`: {echo}"),
        ),
        (
            r#"{"cmd":"report","event":"e","command_id":"c"}"#,
            format!("`command_id` stands without `saga_id` and `step`: {echo}"),
        ),
        (
            r#"{"cmd":"report","event":"e","saga_id":"3","step":"s"}"#,
            format!("`saga_id` must be {number}, not the string \"3\""),
        ),
        (
            r#"{"cmd":"report_saga_action_failed","saga_id":3,"step":"s"}"#,
            "`reason` is missing: it must be a string".into(),
        ),
        (
            r#"{"cmd":"report_saga_action_failed","saga_id":3,"reason":"r"}"#,
            "`step` is missing: it must be a string".into(),
        ),
        (
            r#"{"cmd":"start_saga","saga":"s","input":[]}"#,
            "`input` must be an object, not a list".into(),
        ),
        (
            r#"{"cmd":"start_saga","saga":"s","wait":1}"#,
            "`wait` must be true or false, not the number 1".into(),
        ),
        (r#"{"cmd":"signal_saga","saga_id":1}"#, "`signal` is missing: it must be a string".into()),
        (r#"{"cmd":"get_events"}"#, format!("`since` is missing: it must be {number}")),
        (
            r#"{"cmd":"get_saga","saga_id":1.5}"#,
            format!("`saga_id` must be {number}, not the number 1.5"),
        ),
    ];
    for (line, message) in table {
        refused(line.as_bytes(), ErrorCode::InvalidPayload, &message);
    }
}

#[test]
fn w6_an_error_carries_the_id_of_its_line_where_that_could_be_read() {
    let id = |line: &str| parse_line(line.as_bytes()).expect_err(line).id.map(|id| id.to_string());
    assert_eq!(id(r#"{"cmd":"dance","id":"a"}"#), Some("\"a\"".to_owned()));
    assert_eq!(id(r#"{"saga_id":"x","cmd":"get_saga","id":7}"#), Some("7".to_owned()));
    assert_eq!(id(r#"{"cmd":"dance","id":[]}"#), None);
    assert_eq!(id(r#"{"cmd":"dance","id":"a""#), None);
}

fn report(line: &str) -> Report {
    match parse_line(line.as_bytes()).expect(line) {
        ClientFrame::Report(report) => report,
        other => panic!("not a report: {other:?}"),
    }
}

#[test]
fn w3_w4_the_vocabulary_of_a_report_is_what_is_neither_reserved_nor_private() {
    let report = report(
        r#"{"label":"w","event":"e","_note":1,"kind":"k","version":1,"attempt":2,"session":3,
            "id":5,"cmd":"report","nested":{"_kept":1,"id":2},"a":null}"#,
    );
    let fields = json!({"label": "w", "nested": {"_kept": 1, "id": 2}, "a": null});
    assert_eq!(Value::Object(report.fields.clone()), fields);
    assert_eq!(report.fields.keys().collect::<Vec<_>>(), ["label", "nested", "a"]);
}

#[test]
fn w4_other_commands_ignore_what_they_do_not_know() {
    let frame = parse_line(br#"{"cmd":"get_saga","saga_id":3,"colour":"red","_x":1}"#);
    assert_eq!(frame, Ok(ClientFrame::GetSaga { id: None, saga_id: SagaId(3) }));
}

#[test]
fn a_null_is_the_same_as_nothing() {
    let organic = report(r#"{"cmd":"report","event":"e","saga_id":null,"step":null,"id":null}"#);
    assert_eq!((organic.echo, organic.id), (None, None));
}

#[test]
fn w5_who_gives_no_name_is_known_by_kind_and_process() {
    let frame = parse_line(br#"{"cmd":"register","kind":"tool","pid":42}"#);
    let Ok(ClientFrame::Register(register)) = frame else { panic!("{frame:?}") };
    assert_eq!((&*register.name, &*register.version), ("tool-42", ""));
    assert_eq!(register.subscribe, None);
}

fn word() -> impl Strategy<Value = String> {
    "[a-z_é\"\\\\]{1,12}"
}

fn states() -> impl Strategy<Value = Vec<String>> {
    let some = proptest::sample::subsequence(STATES.to_vec(), 0..=STATES.len());
    some.prop_map(|states| states.into_iter().map(String::from).collect())
}

fn ask_id() -> impl Strategy<Value = Option<AskId>> {
    let value =
        prop_oneof![any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from),];
    proptest::option::of(value.prop_filter_map("too long", AskId::new))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object_of(inner).prop_map(Value::from),
        ]
    })
}

fn object_of(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let name = word().prop_map(|name| format!("f{name}"));
    proptest::collection::btree_map(name, inner, 0..4).prop_map(|map| map.into_iter().collect())
}

fn echo() -> impl Strategy<Value = Echo> {
    (any::<u64>(), word(), proptest::option::of(word())).prop_map(|(saga_id, step, command)| Echo {
        saga_id: SagaId(saga_id),
        step: step.into(),
        command_id: command.map(Into::into),
    })
}

fn frame() -> impl Strategy<Value = ClientFrame> {
    let fields = || object_of(value());
    let number = any::<u64>;
    let words = || proptest::collection::vec(word(), 0..4);
    prop_oneof![
        (ask_id(), word(), word(), number(), proptest::option::of(words())).prop_map(
            |(id, kind, name, pid, subscribe)| ClientFrame::Register(Register {
                id,
                kind: kind.into(),
                name: name.into(),
                pid,
                version: "1".into(),
                subscribe,
                resume_from: Some(Seq(pid)),
            })
        ),
        (ask_id(), word(), proptest::option::of(echo()), fields()).prop_map(
            |(id, event, echo, fields)| ClientFrame::Report(Report {
                id,
                event: event.into(),
                echo,
                fields
            })
        ),
        (ask_id(), echo(), any::<String>()).prop_map(|(id, echo, reason)| {
            ClientFrame::ActionFailed(ActionFailed { id, echo, reason: reason.into() })
        }),
        (ask_id(), word(), fields(), any::<bool>()).prop_map(|(id, saga, input, wait)| {
            ClientFrame::StartSaga(StartSaga { id, saga: saga.into(), input, wait })
        }),
        (ask_id(), number(), word(), fields()).prop_map(|(id, saga_id, signal, input)| {
            let (saga_id, signal, reason) = (SagaId(saga_id), signal.into(), Some("why".into()));
            ClientFrame::SignalSaga(SignalSaga { id, saga_id, signal, reason, input })
        }),
        (ask_id(), states(), number()).prop_map(|(id, states, limit)| {
            let filter = SagaFilter { states, name: None, before: None, limit: Some(limit) };
            ClientFrame::ListSagas { id, filter }
        }),
        (ask_id(), value()).prop_map(|(id, nonce)| ClientFrame::Ping { id, nonce }),
        ask_id().prop_map(|id| ClientFrame::GetSnapshot { id }),
        (ask_id(), number())
            .prop_map(|(id, since)| ClientFrame::GetEvents { id, since: Seq(since) }),
        Just(ClientFrame::Goodbye),
    ]
}

/// The line that a client would write for a frame.
fn line(frame: &ClientFrame) -> String {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let cmd = match frame {
        ClientFrame::Register(what) => {
            put("kind", (*what.kind).into());
            put("name", (*what.name).into());
            put("pid", what.pid.into());
            put("version", (*what.version).into());
            put("subscribe", json!(what.subscribe));
            put("resume_from", json!(what.resume_from));
            "register"
        }
        ClientFrame::Report(what) => {
            put("event", (*what.event).into());
            put("saga_id", json!(what.echo.as_ref().map(|echo| echo.saga_id)));
            put("step", json!(what.echo.as_ref().map(|echo| &*echo.step)));
            put(
                "command_id",
                json!(what.echo.as_ref().and_then(|echo| echo.command_id.as_deref())),
            );
            fields.extend(what.fields.clone());
            "report"
        }
        ClientFrame::ActionFailed(what) => {
            put("saga_id", json!(what.echo.saga_id));
            put("step", (*what.echo.step).into());
            put("command_id", json!(what.echo.command_id.as_deref()));
            put("reason", (*what.reason).into());
            "report_saga_action_failed"
        }
        ClientFrame::StartSaga(what) => {
            put("saga", (*what.saga).into());
            put("input", Value::Object(what.input.clone()));
            put("wait", what.wait.into());
            "start_saga"
        }
        ClientFrame::SignalSaga(what) => {
            put("saga_id", json!(what.saga_id));
            put("signal", (*what.signal).into());
            put("reason", json!(what.reason.as_deref()));
            put("input", Value::Object(what.input.clone()));
            "signal_saga"
        }
        ClientFrame::GetSnapshot { .. } => "get_snapshot",
        ClientFrame::GetEvents { since, .. } => {
            put("since", json!(since));
            "get_events"
        }
        ClientFrame::ListSagas { filter, .. } => {
            put("states", json!(filter.states));
            put("limit", json!(filter.limit));
            "list_sagas"
        }
        ClientFrame::GetSaga { saga_id, .. } => {
            put("saga_id", json!(saga_id));
            "get_saga"
        }
        ClientFrame::Ping { nonce, .. } => {
            put("nonce", nonce.clone());
            "ping"
        }
        ClientFrame::Goodbye => "goodbye",
    };
    frames::ask(cmd, frame.id(), &fields).trim_end().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn w2_what_a_client_writes_is_what_the_launcher_reads(frame in frame()) {
        let line = line(&frame);
        prop_assert_eq!(parse_line(line.as_bytes()), Ok(frame), "{}", line);
    }

    #[test]
    fn w6_no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse_line(&bytes).ok();
    }

    #[test]
    fn w6_no_damage_to_a_line_makes_the_reader_panic(
        frame in frame(), at in any::<usize>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let mut bytes = line(&frame).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        parse_line(&bytes).ok();
    }
}

/// Its fields look like half an echo: the answer was that `step` is missing.
#[test]
fn r1_a_bracket_that_somebody_reports_is_refused_as_what_it_is() {
    for event in ["saga_started", "saga_completed", "saga_failed", "saga_resolved", "saga_step"] {
        let line = format!(r#"{{"cmd":"report","id":"x","event":"{event}","saga_id":1}}"#);
        let message = format!("`{event}` is published by the launcher alone");
        refused(line.as_bytes(), ErrorCode::NotAllowed, &message);
    }
}
