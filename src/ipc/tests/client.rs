//! Claims about the other end of the wire, against a launcher that the test plays.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{House, Inbound};
use crate::ids::{ClientId, SagaId, Seq, SessionNo};
use crate::ipc::client::{Client, ClientError, Identity, ServerLine};
use crate::ipc::frames::{self, CommandFrame, Line, Registered};
use crate::ipc::protocol::{ClientFrame, Echo};
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::FRAME_BYTES_MAX;

const WHO: Identity<'_> =
    Identity { kind: "host", name: "main", version: "1", subscribe: None, resume_from: None };

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object: {value}") };
    map
}

fn frame(house: &House) -> ClientFrame {
    match house.next() {
        Inbound::Frame { frame, .. } => frame,
        other => panic!("not a frame: {other:?}"),
    }
}

/// A client that registered; two bus events came before `registered`.
fn registered(house: &House) -> (Client, std::sync::Arc<crate::ipc::outbox::Outbox>) {
    let path = house.path();
    let joining = house.runtime.spawn(async move {
        let mut client = Client::connect(&path).await.expect("the server listens");
        let registered = client.register(&WHO).await.expect("it is let in");
        (client, registered)
    });
    let Inbound::Opened { outbox, .. } = house.next() else { panic!("it opens first") };
    let ClientFrame::Register(register) = frame(house) else { panic!("it registers first") };
    assert_eq!((&*register.kind, &*register.name), ("host", "main"));
    assert_eq!(register.pid, u64::from(std::process::id()));
    for version in 1..=2 {
        outbox.push_event(Seq(version), event("e", Seq(version)));
    }
    outbox.push_reply(frames::registered(&Registered {
        id: register.id.as_ref(),
        client_id: ClientId(5),
        launcher_pid: 77,
        launcher_version: "0.1.0",
        session: Some(SessionNo(3)),
        version: Seq(2),
    }));
    let (client, registered) = house.runtime.block_on(joining).expect("it registers");
    assert_eq!(registered.fields["client_id"], 5);
    (client, outbox)
}

fn next_event(house: &House, client: &mut Client) -> (String, u64) {
    match house.runtime.block_on(client.next()) {
        Ok(Some(ServerLine::Event(event))) => (event.name, event.version.0),
        other => panic!("not an event: {other:?}"),
    }
}

fn event(name: &str, version: Seq) -> Line {
    let mut text = String::new();
    frames::bus_event(&mut text, name, None, &Map::new(), version);
    text.into()
}

#[test]
fn a_client_that_finds_nobody_says_how_to_start_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Client::connect(Path::new("/nowhere/s"))).expect_err("nobody");
    assert!(error.is_unreachable());
    let expected = "no launcher listens on /nowhere/s; start one with: sagaflow run";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn w5_what_comes_before_registered_is_not_lost() {
    let house = House::new();
    let (mut client, outbox) = registered(&house);
    outbox.push_event(Seq(3), event("late", Seq(3)));
    let seen: Vec<_> = (0..3).map(|_| next_event(&house, &mut client)).collect();
    assert_eq!(seen, [("e".to_owned(), 1), ("e".to_owned(), 2), ("late".to_owned(), 3)]);
}

/// A saga of some thousand steps is told in one line; only what sends a line to a launcher has a
/// tight bound \[W1\].
#[test]
fn w1_an_answer_may_be_longer_than_a_question() {
    let house = House::new();
    let (mut client, outbox) = registered(&house);
    let long = Value::from("x".repeat(3 * FRAME_BYTES_MAX));
    let id = house.runtime.block_on(client.send("ping", &Map::new())).expect("it is open");
    outbox.push_reply(frames::pong(Some(&id), &long, Seq(3)));
    let pong = house.runtime.block_on(client.answer(&id)).expect("it is read");
    assert_eq!(pong.fields["nonce"], long);
}

#[test]
fn w2_an_answer_is_told_from_what_comes_in_between_by_its_id() {
    let house = House::new();
    let (mut client, outbox) = registered(&house);
    let fields = map(json!({"saga_id": 9}));
    let (first, second) = house.runtime.block_on(async {
        let first = client.send("get_saga", &fields).await.expect("it is open");
        (first, client.send("ping", &Map::new()).await.expect("it is open"))
    });
    assert_ne!(first, second);
    let ClientFrame::GetSaga { id, saga_id } = frame(&house) else { panic!("that was asked") };
    assert_eq!((id.as_ref(), saga_id), (Some(&first), SagaId(9)));
    let unknown = ProtocolError::mild(ErrorCode::UnknownSaga, "no saga 9").with_id(id);
    outbox.push_event(Seq(3), event("between", Seq(3)));
    outbox.push_reply(frames::pong(Some(&second), &Value::Null, Seq(3)));
    outbox.push_reply(frames::error(&unknown));
    let answer = house.runtime.block_on(client.answer(&first)).expect_err("it is refused");
    assert_eq!(answer.to_string(), "no saga 9 (unknown_saga)");
    assert!(!answer.is_unreachable());
    let pong = house.runtime.block_on(client.answer(&second)).expect("it came");
    assert_eq!(pong.name, "pong");
    let seen: Vec<_> = (0..3).map(|_| next_event(&house, &mut client).0).collect();
    assert_eq!(seen, ["e", "e", "between"]);
}

#[test]
fn bg_h08_r5_an_echo_copies_the_saga_the_step_and_the_command_that_it_answers() {
    let house = House::new();
    let (mut client, outbox) = registered(&house);
    let fields = map(json!({"label": "w"}));
    let command = CommandFrame {
        cmd: "reap_panes",
        command_id: "3.reap.1",
        saga_id: SagaId(3),
        step: "reap",
        attempt: 2,
        session: SessionNo(3),
        fields: &fields,
    };
    let mut line = String::new();
    frames::command(&mut line, &command);
    outbox.with(|queue| queue.command("3.reap.1".into(), line.into(), false));
    let command = house.runtime.block_on(async {
        loop {
            match client.next().await.expect("it is open").expect("it is open") {
                ServerLine::Command(command) => break command,
                ServerLine::Event(_) => {}
            }
        }
    });
    assert_eq!((&*command.cmd, command.attempt, &command.fields), ("reap_panes", 2, &fields));
    house.runtime.block_on(async {
        client.echo(&command, "panes_reaped", &fields).await.expect("it is open");
        client.fail(&command, "no such window").await.expect("it is open");
    });
    let step = "reap".into();
    let echo = Echo { saga_id: SagaId(3), step, command_id: Some("3.reap.1".into()) };
    let ClientFrame::Report(report) = frame(&house) else { panic!("that was reported") };
    assert_eq!((&*report.event, report.echo.as_ref()), ("panes_reaped", Some(&echo)));
    assert_eq!(report.fields, fields);
    let ClientFrame::ActionFailed(failed) = frame(&house) else { panic!("that was told") };
    assert_eq!((&failed.echo, &*failed.reason), (&echo, "no such window"));
}

#[test]
fn w5_a_client_that_is_not_let_in_learns_why() {
    let house = House::new();
    let path = house.path();
    let joining = house.runtime.spawn(async move {
        Client::connect(&path).await.expect("the server listens").register(&WHO).await
    });
    let Inbound::Opened { outbox, .. } = house.next() else { panic!("it opens first") };
    let ClientFrame::Register(register) = frame(&house) else { panic!("it registers first") };
    let taken = ProtocolError::fatal(ErrorCode::AlreadyRegistered, "process 1 is registered");
    outbox.push_reply(frames::error(&taken.with_id(register.id)));
    outbox.close_after_flush();
    let error = house.runtime.block_on(joining).expect("no panic").expect_err("not let in");
    assert_eq!(error.to_string(), "process 1 is registered (already_registered)");
}

#[test]
fn a_launcher_that_goes_away_is_an_end_for_a_listener_and_an_error_for_who_asked() {
    let house = House::new();
    let (mut client, outbox) = registered(&house);
    let id = house.runtime.block_on(client.send("ping", &Map::new())).expect("it is open");
    outbox.close_now(None);
    let error = house.runtime.block_on(client.answer(&id)).expect_err("nobody answers");
    assert!(matches!(error, ClientError::Closed), "{error}");
    assert!(error.is_unreachable());
    let (first, second) = (next_event(&house, &mut client), next_event(&house, &mut client));
    assert_eq!((first.1, second.1), (1, 2));
    assert_eq!(house.runtime.block_on(client.next()).expect("a clean end"), None);
}
