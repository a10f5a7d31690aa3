//! Claims about what a connection may do.

use std::sync::Arc;

use crate::ids::ClientId;
use crate::ipc::protocol::{ClientFrame, Register, parse_line};
use crate::ipc::session::{Allow, Globs, Member, Session};

const LINES: [&str; 10] = [
    r#"{"cmd":"ping","id":"a"}"#,
    r#"{"cmd":"get_snapshot"}"#,
    r#"{"cmd":"get_events","since":0}"#,
    r#"{"cmd":"list_sagas"}"#,
    r#"{"cmd":"get_saga","saga_id":1}"#,
    r#"{"cmd":"report","event":"e"}"#,
    r#"{"cmd":"report_saga_action_failed","saga_id":1,"step":"s","reason":"r"}"#,
    r#"{"cmd":"start_saga","saga":"s"}"#,
    r#"{"cmd":"signal_saga","saga_id":1,"signal":"cancel"}"#,
    r#"{"cmd":"goodbye"}"#,
];

fn parse(line: &str) -> ClientFrame {
    parse_line(line.as_bytes()).expect(line)
}

fn register(kind: &str) -> ClientFrame {
    parse(&format!(r#"{{"cmd":"register","kind":"{kind}","pid":1}}"#))
}

fn registered(kind: &str, subscribe: Option<&[&str]>) -> Session {
    let subscribe = subscribe.map(|globs| globs.iter().map(ToString::to_string).collect());
    let register = Register {
        id: None,
        kind: Arc::from(kind),
        name: Arc::from("n"),
        pid: 1,
        version: Arc::from("1"),
        subscribe,
        resume_from: None,
    };
    Session::Registered(Member::new(ClientId(5), &register))
}

/// The verdict on a line: `ok`, or the code and whether it is fatal.
fn verdict(session: &Session, frame: &ClientFrame, allow: &Allow) -> String {
    match session.admit(frame, allow, |kind| kind == "host" || kind == "printer") {
        Ok(()) => "ok".to_owned(),
        Err(error) if error.fatal => format!("{} fatal", error.code),
        Err(error) => error.code.to_string(),
    }
}

#[test]
fn bg_s01_w5_before_register_questions_are_refused_and_deeds_are_fatal() {
    for (at, line) in LINES.iter().enumerate() {
        let expected = if at < 5 { "not_registered" } else { "not_registered fatal" };
        assert_eq!(verdict(&Session::New, &parse(line), &Allow::default()), expected, "{line}");
    }
}

#[test]
fn bg_s02_w5_a_second_register_is_refused_and_the_connection_goes_on() {
    let session = registered("host", None);
    let allow = Allow::default();
    assert_eq!(verdict(&session, &register("host"), &allow), "already_registered");
    for line in LINES {
        assert_eq!(verdict(&session, &parse(line), &allow), "ok", "{line}");
    }
}

#[test]
fn w5_kinds_are_the_known_ones_and_the_targets_of_the_catalog() {
    for kind in ["host", "srv", "renderer", "tool", "printer"] {
        assert_eq!(verdict(&Session::New, &register(kind), &Allow::default()), "ok", "{kind}");
    }
    let unknown = register("scanner");
    assert_eq!(verdict(&Session::New, &unknown, &Allow::default()), "invalid_payload");
}

#[test]
fn w5_w6_a_refusal_carries_the_id_of_its_line() {
    let ping = parse(LINES[0]);
    let error = Session::New.admit(&ping, &Allow::default(), |_| false).expect_err("not yet");
    assert_eq!(error.id.map(|id| id.to_string()), Some("\"a\"".to_owned()));
}

#[test]
fn w5_an_unregistered_peer_receives_no_bus_event() {
    assert!(!Session::New.wants("window_closed"));
}

#[test]
fn w13_subscriptions_are_globs_and_saga_step_is_told_to_those_who_name_it() {
    type Names = &'static [&'static str];
    let table: [(Option<Names>, Names, Names); 5] = [
        (None, &["window_closed", "saga_started"], &["saga_step"]),
        (Some(&["*"]), &["window_closed"], &["saga_step"]),
        (Some(&[]), &[], &["window_closed", "saga_step"]),
        (Some(&["saga_*", "w?ndow_closed"]), &["saga_failed", "window_closed"], &["saga_step"]),
        (Some(&["*", "saga_step"]), &["window_closed", "saga_step"], &[]),
    ];
    for (subscribe, wanted, unwanted) in table {
        let session = registered("tool", subscribe);
        assert!(wanted.iter().all(|event| session.wants(event)), "{subscribe:?}");
        assert!(!unwanted.iter().any(|event| session.wants(event)), "{subscribe:?}");
    }
}

#[test]
fn w14_what_a_kind_may_do_is_what_its_rights_say_and_what_is_absent_is_allowed() {
    let allow: Allow = serde_json::from_str(
        r#"{"tool": {"report": ["win*"], "start": [], "signal": ["cancel"]},
            "printer": {"target": false}, "host": {"target": true}}"#,
    )
    .expect("these are rights");
    let (tool, srv) = (registered("tool", None), registered("srv", None));
    let table = [
        (r#"{"cmd":"report","event":"window_closed"}"#, "ok"),
        (r#"{"cmd":"report","event":"pool_drained"}"#, "not_allowed"),
        (r#"{"cmd":"start_saga","saga":"s"}"#, "not_allowed"),
        (r#"{"cmd":"signal_saga","saga_id":1,"signal":"cancel"}"#, "ok"),
        (r#"{"cmd":"signal_saga","saga_id":1,"signal":"resolve"}"#, "not_allowed"),
        (r#"{"cmd":"get_snapshot"}"#, "ok"),
    ];
    for (line, expected) in table {
        assert_eq!(verdict(&tool, &parse(line), &allow), expected, "{line}");
        assert_eq!(verdict(&srv, &parse(line), &allow), "ok", "{line}");
    }
    assert_eq!(verdict(&Session::New, &register("printer"), &allow), "not_allowed");
    assert_eq!(verdict(&Session::New, &register("host"), &allow), "ok");
    assert_eq!(allow.kinds().collect::<Vec<_>>(), ["host", "printer", "tool"]);
    serde_json::from_str::<Allow>(r#"{"tool": {"reprot": []}}"#).expect_err("a slip is an error");
}

#[test]
fn w14_globs_match_whole_names() {
    let table = [
        ("*", "", true),
        ("a*c", "abc", true),
        ("a*c", "abcd", false),
        ("*b*b*", "abab", true),
        ("?", "", false),
        ("a?", "ab", true),
        ("", "a", false),
        ("a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ];
    for (pattern, name, expected) in table {
        let globs = Globs::from(vec![pattern.to_owned()]);
        assert_eq!(globs.matches(name), expected, "{pattern} on {name}");
    }
    assert!(Globs::all().matches("anything"));
}
