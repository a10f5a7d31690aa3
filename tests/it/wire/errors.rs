//! Every code of the closed list \[W6\], as a client meets it.

use sagaflow::ipc::ErrorCode;
use serde_json::{Value, json};

use super::{Launcher, Peer};

/// What a bad line costs: its code, and whether the connection.
fn verdict(peer: &mut Peer, line: &[u8]) -> (String, bool) {
    peer.write(line);
    peer.write(b"\n");
    let error = peer.until("error");
    assert_eq!(error["version"], 0, "{error}");
    let code = error["code"].as_str().expect("it is a word").to_owned();
    let fatal = error["fatal"] == json!(true);
    if fatal {
        assert_eq!(peer.all(), Vec::<Value>::new());
    } else {
        peer.say(&json!({"cmd": "ping", "nonce": "still here"}));
        let next = peer.hear().expect("it is still open");
        let unregistered = next["code"] == "not_registered";
        assert!(next["nonce"] == "still here" || unregistered, "{next}");
    }
    (code, fatal)
}

/// Lines of a registered tool; the code that each gets, none of them fatal.
const OF_A_TOOL: &[(&str, &str)] = &[
    ("{", "invalid_json"),
    ("{\"cmd\":\"ping\",\"cmd\":\"ping\"}", "invalid_json"),
    ("[]", "invalid_command"),
    ("{\"cmd\":\"dance\"}", "invalid_command"),
    (r#"{"cmd":"register","kind":"tool","pid":2}"#, "already_registered"),
    (r#"{"cmd":"report","event":"window_clsed","label":"w"}"#, "unknown_event"),
    (r#"{"cmd":"report","event":"window_closed"}"#, "invalid_payload"),
    (r#"{"cmd":"report","event":"window_closed","label":7}"#, "invalid_payload"),
    (r#"{"cmd":"report","event":"window_closed","label":""}"#, "invalid_payload"),
    (r#"{"cmd":"report","event":"window_closed","label":"w","colour":1}"#, "invalid_payload"),
    (r#"{"cmd":"report","event":"window_closed","label":"w","step":"s"}"#, "invalid_payload"),
    (r#"{"cmd":"get_saga","saga_id":"x"}"#, "invalid_payload"),
    (r#"{"cmd":"get_saga","saga_id":99}"#, "unknown_saga"),
    (
        r#"{"cmd":"report","event":"panes_reaped","saga_id":99,"step":"reap","label":"w"}"#,
        "unknown_saga",
    ),
    (
        r#"{"cmd":"report_saga_action_failed","saga_id":99,"step":"reap","reason":"r"}"#,
        "unknown_saga",
    ),
    (r#"{"cmd":"signal_saga","saga_id":99,"signal":"cancel"}"#, "unknown_saga"),
    (r#"{"cmd":"start_saga","saga":"no_such_saga"}"#, "unknown_saga"),
    (r#"{"cmd":"start_saga","saga":"window_cleanup_cascade"}"#, "refused"),
    (r#"{"cmd":"start_saga","saga":"tear_off_tab","input":{"tab_id":7}}"#, "invalid_payload"),
    (r#"{"cmd":"signal_saga","saga_id":1,"signal":"sing"}"#, "refused"),
    (r#"{"cmd":"signal_saga","saga_id":99,"signal":"sing"}"#, "unknown_saga"),
    (r#"{"cmd":"list_sagas","states":["finished"]}"#, "invalid_payload"),
    (
        r#"{"cmd":"report","event":"panes_reaped","saga_id":1,"step":"reap","label":"w"}"#,
        "not_allowed",
    ),
    (
        r#"{"cmd":"report_saga_action_failed","saga_id":1,"step":"reap","reason":"r"}"#,
        "not_allowed",
    ),
];

/// A launcher whose saga 1 waits for the host's `panes_reaped`.
fn with_a_saga() -> (Launcher, Peer) {
    let launcher = Launcher::start();
    let mut host = launcher.join("host", 1, &[]);
    host.say(&json!({"cmd": "report", "event": "window_closed", "label": "w"}));
    assert_eq!(host.command()["command_id"], "1.reap.1");
    (launcher, host)
}

#[test]
fn bg_s03_w6_each_bad_line_of_a_tool_gets_its_code_and_costs_that_line_alone() {
    let (launcher, mut host) = with_a_saga();
    let mut tool = launcher.join("tool", 2, &[]);
    for (line, code) in OF_A_TOOL {
        assert_eq!(verdict(&mut tool, line.as_bytes()), ((*code).to_owned(), false), "{line}");
    }
    let invalid = verdict(&mut tool, b"{\"cmd\":\"ping\xff\"}");
    assert_eq!(invalid, ("invalid_json".to_owned(), false));
    // Nobody else was disturbed, and the saga goes on.
    let echo = json!({"cmd": "report", "event": "panes_reaped", "saga_id": 1, "step": "reap",
        "label": "w"});
    host.say(&echo);
    assert_eq!(host.command()["command_id"], "1.drain.1");
}

#[test]
fn w5_w6_who_has_not_registered_is_told_and_where_it_matters_closed() {
    let launcher = Launcher::start();
    let table = [
        (r#"{"cmd":"ping"}"#, false),
        (r#"{"cmd":"get_snapshot"}"#, false),
        (r#"{"cmd":"report","event":"window_closed","label":"w"}"#, true),
        (r#"{"cmd":"report_saga_action_failed","saga_id":1,"step":"s","reason":"r"}"#, true),
        (r#"{"cmd":"start_saga","saga":"tear_off_tab"}"#, true),
        (r#"{"cmd":"signal_saga","saga_id":1,"signal":"cancel"}"#, true),
        (r#"{"cmd":"goodbye"}"#, true),
        // Whatever else is wrong with it.
        (r#"{"cmd":"get_events"}"#, false),
        (r#"{"cmd":"report"}"#, true),
        (r#"{"cmd":"start_saga","saga":7}"#, true),
    ];
    for (line, fatal) in table {
        let told = verdict(&mut launcher.connect(), line.as_bytes());
        assert_eq!(told, ("not_registered".to_owned(), fatal), "{line}");
    }
}

#[test]
fn w1_w6_a_line_that_is_too_long_costs_its_sender_the_connection() {
    let launcher = Launcher::start();
    let mut tool = launcher.join("tool", 2, &[]);
    let line = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(verdict(&mut tool, &line), ("frame_too_large".to_owned(), true));
    launcher.join("tool", 2, &[]);
}

#[test]
fn w5_a_process_that_is_registered_cannot_register_again_until_it_is_gone() {
    let launcher = Launcher::start();
    let tool = launcher.join("tool", 2, &[]);
    let mut again = launcher.connect();
    let register = br#"{"cmd":"register","kind":"srv","name":"x","pid":2,"version":"1"}"#;
    assert_eq!(verdict(&mut again, register), ("already_registered".to_owned(), true));
    drop(tool);
}

#[test]
fn w14_a_kind_may_do_what_its_rights_say() {
    let rights = r#"{"tool": {"report": ["pool_*"], "start": ["tear_*"], "signal": []}}"#;
    let launcher = Launcher::with(serde_json::from_str(rights).expect("these are rights"));
    let mut tool = launcher.join("tool", 2, &[]);
    let table = [
        r#"{"cmd":"report","event":"window_closed","label":"w"}"#,
        r#"{"cmd":"start_saga","saga":"delete_tab"}"#,
        r#"{"cmd":"signal_saga","saga_id":1,"signal":"cancel"}"#,
    ];
    for line in table {
        let told = verdict(&mut tool, line.as_bytes());
        assert_eq!(told, ("not_allowed".to_owned(), false), "{line}");
    }
    let accepted = tool.ask(json!({"cmd": "report", "event": "pool_window_removed", "label": "w"}));
    assert_eq!(accepted["event"], "accepted");
}

#[test]
fn w6_the_list_of_codes_is_closed_and_each_has_a_claim_here() {
    // Busy needs a full disk or a stop, and its claims stand with those.
    let elsewhere = ["busy"];
    let own = include_str!("errors.rs").to_owned() + include_str!("clients.rs");
    for code in ErrorCode::ALL.map(ErrorCode::as_str) {
        let quoted = format!("\"{code}\"");
        assert!(own.matches(&quoted).count() > 0 || elsewhere.contains(&code), "{code}");
    }
}
