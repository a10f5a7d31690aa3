//! Claims about the server on real sockets: bytes in, bytes out, and nobody disturbs anybody.

use serde_json::json;

use super::{CloseWhy, House, Inbound, Peer};
use crate::ids::{ConnId, Seq};
use crate::ipc::frames::{self, Line};
use crate::ipc::inbox::Intake;
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::ClientFrame;
use crate::ipc::server::Options;
use crate::ipc::{ErrorCode, ProtocolError};
use crate::limits::FRAME_BYTES_MAX;

fn line(text: &str) -> Line {
    format!("{text}\n").into()
}

fn ping(house: &House, conn: ConnId) -> u64 {
    match house.next() {
        Inbound::Frame { conn: from, frame: ClientFrame::Ping { nonce, .. }, .. } => {
            assert_eq!(from, conn);
            nonce.as_u64().expect("a number was sent")
        }
        other => panic!("not a ping: {other:?}"),
    }
}

fn bad(house: &House, conn: ConnId) -> ProtocolError {
    match house.next() {
        Inbound::Bad { conn: from, error } => {
            assert_eq!(from, conn);
            error
        }
        other => panic!("not a bad line: {other:?}"),
    }
}

/// What the deciding thread does with a bad line.
fn answer(outbox: &Outbox, error: &ProtocolError) {
    outbox.push_reply(frames::error(error));
    if error.fatal {
        outbox.close_after_flush();
    }
}

fn ping_of(bytes: usize) -> String {
    let frame = |padding: &str| format!(r#"{{"cmd":"ping","nonce":1,"padding":"{padding}"}}"#);
    frame(&"x".repeat(bytes - frame("").len()))
}

#[test]
fn w1_w6_a_frame_of_the_limit_passes_and_a_longer_one_costs_its_sender_the_connection_alone() {
    let house = House::new();
    let (mut peer, conn, _outbox) = house.connect();
    let (mut other, other_conn, _other_outbox) = house.connect();
    peer.send(ping_of(FRAME_BYTES_MAX) + "\n");
    assert_eq!(ping(&house, conn), 1);
    let (mut long, long_conn, outbox) = house.connect();
    long.send(ping_of(FRAME_BYTES_MAX + 1) + "\n" + r#"{"cmd":"ping","nonce":2}"# + "\n");
    let error = bad(&house, long_conn);
    assert_eq!((error.code, error.fatal), (ErrorCode::FrameTooLarge, true));
    answer(&outbox, &error);
    assert_eq!(long.json()["code"], "frame_too_large");
    assert_eq!(long.line(), None);
    assert_eq!(house.closed(long_conn), CloseWhy::Asked);
    for (peer, conn) in [(&mut peer, conn), (&mut other, other_conn)] {
        peer.send("{\"cmd\":\"ping\",\"nonce\":3}\n");
        assert_eq!(ping(&house, conn), 3);
    }
}

#[test]
fn w1_a_line_without_end_is_refused_before_it_fills_the_memory() {
    let house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    peer.send("x".repeat(FRAME_BYTES_MAX + 1));
    let error = bad(&house, conn);
    answer(&outbox, &error);
    assert_eq!(peer.json()["code"], "frame_too_large");
    assert_eq!(peer.line(), None);
}

#[test]
fn bg_s03_w6_a_bad_line_costs_its_sender_that_line() {
    let house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    peer.send(
        b"garbage\n\xff\xfe\n\n   \n{\"cmd\":\"dance\",\"id\":4}\n{\"cmd\":\"ping\",\"nonce\":5}\n",
    );
    for _ in 0..3 {
        answer(&outbox, &bad(&house, conn));
    }
    assert_eq!(ping(&house, conn), 5);
    outbox.push_reply(frames::pong(None, &json!(5), Seq(0)));
    let codes: Vec<_> = (0..3).map(|_| peer.json()["code"].clone()).collect();
    assert_eq!(codes, ["invalid_json", "invalid_json", "invalid_command"]);
    assert_eq!(peer.json()["nonce"], 5);
}

#[test]
fn w10_a_half_line_is_no_line_and_the_end_is_told() {
    let house = House::new();
    let (mut peer, conn, _outbox) = house.connect();
    peer.send("{\"cmd\":\"ping\",\"nonce\":1}\n{\"cmd\":\"goodbye\"}");
    drop(peer);
    assert_eq!(ping(&house, conn), 1);
    assert_eq!(house.closed(conn), CloseWhy::Eof);
    assert!(house.is_quiet());
}

#[test]
fn w10_who_stops_sending_still_gets_the_answers() {
    let house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    peer.send("{\"cmd\":\"ping\",\"nonce\":1}\n");
    peer.socket.get_ref().shutdown(std::net::Shutdown::Write).expect("it is open");
    assert_eq!(ping(&house, conn), 1);
    assert_eq!(house.closed(conn), CloseWhy::Eof);
    outbox.push_reply(line("answer"));
    outbox.close_after_flush();
    assert_eq!(peer.all_lines(), ["answer"]);
}

#[test]
fn a_goodbye_is_the_last_line_that_is_read() {
    let house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    peer.send("{\"cmd\":\"goodbye\"}\n{\"cmd\":\"ping\"}\n");
    let frame = house.next();
    assert!(matches!(frame, Inbound::Frame { frame: ClientFrame::Goodbye, .. }), "{frame:?}");
    outbox.close_after_flush();
    assert_eq!(peer.line(), None);
    assert_eq!(house.closed(conn), CloseWhy::Asked);
}

/// More than a socket and a write hold.
const MUCH: usize = 64;

fn big_event(version: usize) -> (Seq, Line) {
    let text = "x".repeat(64 * 1024);
    let fields = json!({ "text": text });
    let fields = fields.as_object().expect("it is one");
    let version = Seq(version as u64);
    {
        let mut text = String::new();
        frames::bus_event(&mut text, "big", None, fields, version);
        (version, text.into())
    }
}

fn versions(lines: &[String]) -> Vec<u64> {
    let version = |line: &String| -> serde_json::Value {
        let line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
        line["version"].clone()
    };
    lines.iter().filter_map(|line| version(line).as_u64()).collect()
}

#[test]
fn bg_11_13_w8_r7_a_slow_subscriber_is_told_what_it_missed_and_slows_nobody() {
    let house = House::with(Options { events_max: 8, ..Options::default() });
    let (mut slow, _, slow_outbox) = house.connect();
    let (mut quick, _, quick_outbox) = house.connect();
    for version in 1..=MUCH {
        let (seq, event) = big_event(version);
        slow_outbox.push_event(seq, event.clone());
        quick_outbox.push_event(seq, event);
        // It has its event before the next one is made, whatever the other does.
        assert_eq!(quick.json()["version"], version);
    }
    slow_outbox.push_reply(line("{\"version\":0}"));
    slow_outbox.close_after_flush();
    let lines = slow.all_lines();
    let lagged = lines.iter().position(|line| line.contains("\"lagged\"")).expect("it is told");
    let before = versions(&lines[..lagged]);
    let told: serde_json::Value = serde_json::from_str(&lines[lagged]).expect("it is JSON");
    let first = before.iter().filter(|version| **version > 0).count() as u64;
    assert_eq!(before[..first as usize], (1..=first).collect::<Vec<_>>());
    assert_eq!(told["missed_from"], first + 1);
    assert_eq!(told["missed_to"], MUCH);
}

#[test]
fn l7_while_targets_are_held_their_lines_wait_in_order_and_others_are_served() {
    let house = House::new();
    let (mut target, conn, outbox) = house.connect();
    let (mut other, other_conn, _other_outbox) = house.connect();
    outbox.set_target();
    house.inbox.set_intake(Intake::TargetsHeld);
    for nonce in 1..=3 {
        target.send(format!("{{\"cmd\":\"ping\",\"nonce\":{nonce}}}\n"));
    }
    other.send("{\"cmd\":\"ping\",\"nonce\":9}\n");
    assert_eq!(ping(&house, other_conn), 9);
    house.inbox.set_intake(Intake::Open);
    assert_eq!([1, 2, 3].map(|_| ping(&house, conn)), [1, 2, 3]);
}

#[test]
fn w13_a_replay_comes_whole_between_registered_and_what_is_live() {
    let house = House::new();
    let (mut peer, _, outbox) = house.connect();
    outbox.push_reply(line("registered"));
    let replay = outbox.push_replay(2);
    outbox.push_event(Seq(1001), line("1001"));
    let replaying = std::thread::spawn(move || {
        for version in 1..=1000 {
            replay.blocking_send(line(&version.to_string())).expect("the writer lives");
        }
    });
    outbox.close_after_flush();
    let expected: Vec<_> = (1..=1001).map(|version| version.to_string()).collect();
    assert_eq!(peer.line().as_deref(), Some("registered"));
    assert_eq!(peer.all_lines(), expected);
    replaying.join().expect("the writer lived");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_replay_ends_it() {
    let house = House::new();
    let (peer, conn, outbox) = house.connect();
    let replay = outbox.push_replay(1);
    drop(peer);
    assert_eq!(house.closed(conn), CloseWhy::Eof);
    outbox.close_now(None);
    // Whoever fills it learns that nobody reads: the sender fails instead of waiting for ever.
    while replay.blocking_send(line("x")).is_ok() {}
}

#[test]
fn w2_a_question_that_nobody_reads_the_answers_of_is_not_read_further() {
    let house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    // More than the queue may hold: answers that are not taken.
    let answer = line(&"x".repeat(1024 * 1024));
    for _ in 0..12 {
        outbox.push_reply(answer.clone());
    }
    peer.send("{\"cmd\":\"ping\",\"nonce\":1}\n".repeat(2));
    let lines: Vec<_> = (0..12).map(|_| peer.line().map(|line| line.len())).collect();
    assert_eq!(lines, vec![Some(1024 * 1024); 12]);
    assert_eq!([ping(&house, conn), ping(&house, conn)], [1, 1]);
}

#[test]
fn a_server_that_stops_accepting_serves_its_connections_to_their_end() {
    let mut house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    let server = house.server.take().expect("it was started");
    server.stop_accepting();
    peer.send("{\"cmd\":\"ping\",\"nonce\":1}\n");
    assert_eq!(ping(&house, conn), 1);
    outbox.push_reply(line("answer"));
    outbox.close_after_flush();
    assert_eq!(peer.all_lines(), ["answer"]);
    drop(peer);
    house.runtime.block_on(server.finished());
    assert!(!house.path().exists());
}

#[test]
fn what_was_decided_before_the_end_is_still_told() {
    let house = House::new();
    let (mut peer, _, outbox) = house.connect();
    for version in 1..=MUCH {
        let (seq, event) = big_event(version);
        outbox.push_event(seq, event);
    }
    outbox.close_after_flush();
    house.inbox.close();
    assert_eq!(versions(&peer.all_lines()), (1..=MUCH as u64).collect::<Vec<_>>());
}

#[test]
fn when_nobody_decides_any_more_silent_connections_end_too() {
    let mut house = House::new();
    let (mut peer, ..) = house.connect();
    house.inbox.close();
    let server = house.server.take().expect("it was started");
    assert_eq!(peer.line(), None);
    drop(peer);
    house.runtime.block_on(server.finished());
}

#[test]
fn r7_many_clients_at_once_each_get_their_own_answers() {
    let house = House::new();
    let path = house.path();
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut peer = Peer::connect(&path);
                for nonce in 0..50 {
                    let nonce = number * 1000 + nonce;
                    peer.send(format!("{{\"cmd\":\"ping\",\"nonce\":{nonce}}}\n"));
                    assert_eq!(peer.json()["nonce"], nonce);
                }
            })
        })
        .collect();
    let mut outboxes = std::collections::BTreeMap::new();
    let mut closed = 0;
    while closed < 8 {
        match house.next() {
            Inbound::Opened { conn, outbox } => drop(outboxes.insert(conn, outbox)),
            Inbound::Frame { conn, frame: ClientFrame::Ping { id, nonce }, .. } => {
                outboxes[&conn].push_reply(frames::pong(id.as_ref(), &nonce, Seq(0)));
            }
            Inbound::Closed { conn, .. } => {
                outboxes[&conn].close_after_flush();
                closed += 1;
            }
            other @ (Inbound::Frame { .. } | Inbound::Bad { .. } | Inbound::Sent { .. }) => {
                panic!("nobody sent this: {other:?}")
            }
        }
    }
    clients.into_iter().for_each(|client| client.join().expect("its claims hold"));
}

fn question(house: &House, conn: ConnId) -> Inbound {
    let next = house.next();
    let asks = matches!(&next, Inbound::Frame { conn: from, frame: ClientFrame::GetSnapshot { .. }, .. }
        if *from == conn);
    assert!(asks, "{next:?}");
    next
}

#[test]
fn r7_of_one_connection_no_line_is_read_before_its_question_is_answered() {
    let house = House::new();
    let (mut peer, conn, outbox) = house.connect();
    peer.send("{\"cmd\":\"get_snapshot\"}\n".repeat(3) + "{\"cmd\":\"ping\",\"nonce\":1}\n");
    peer.shut();
    for _ in 0..3 {
        let asked = question(&house, conn);
        let (mut other, other_conn, _outbox) = house.connect();
        other.send("{\"cmd\":\"ping\",\"nonce\":2}\n");
        assert_eq!(ping(&house, other_conn), 2, "others are read");
        drop(other);
        assert_eq!(house.closed(other_conn), CloseWhy::Eof);
        assert!(house.is_quiet());
        outbox.push_reply(line("{}"));
        drop(asked);
    }
    assert_eq!(ping(&house, conn), 1);
    assert_eq!(house.closed(conn), CloseWhy::Eof);
    outbox.close_after_flush();
    assert_eq!(peer.all_lines().len(), 3);
}

#[test]
fn a_question_that_nobody_will_answer_keeps_no_server_from_its_end() {
    let mut house = House::new();
    let (mut peer, conn, _outbox) = house.connect();
    peer.send("{\"cmd\":\"get_snapshot\"}\n".repeat(2));
    let _asked = question(&house, conn);
    house.inbox.close();
    let server = house.server.take().expect("it was started");
    house.runtime.block_on(server.finished());
    assert_eq!(peer.line(), None);
}

#[test]
fn a_connection_too_many_is_told_so_and_harms_no_other() {
    let house = House::with(Options { connections_max: 2, ..Options::default() });
    let (mut first, conn, _outbox) = house.connect();
    let (second, second_conn, second_outbox) = house.connect();
    let mut third = Peer::connect(&house.path());
    let told = third.json();
    assert_eq!((&told["code"], &told["fatal"]), (&json!("busy"), &json!(true)));
    assert_eq!(third.line(), None);
    first.send("{\"cmd\":\"ping\",\"nonce\":1}\n");
    assert_eq!(ping(&house, conn), 1);
    drop(second);
    assert_eq!(house.closed(second_conn), CloseWhy::Eof);
    second_outbox.close_after_flush();
    // The place is free as soon as both sides are done with it.
    let opened = || {
        let _peer = Peer::connect(&house.path());
        matches!(
            house.inbox.recv(Some(std::time::Duration::from_millis(50)), 1)[..],
            [Inbound::Opened { .. }]
        )
    };
    while !opened() {}
}
