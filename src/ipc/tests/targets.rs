//! Claims about connections that serve a target, on real sockets, with the pipe that feeds them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};

use super::{CloseWhy, House, Inbound, Peer};
use crate::host_pipe::{Owed, Pipe};
use crate::ids::{ConnId, SagaId, Seq, SessionNo};
use crate::ipc::frames::{self, CommandFrame};
use crate::ipc::outbox::Outbox;
use crate::ipc::protocol::ClientFrame;
use crate::ipc::server::Options;

/// How many bytes the frame of a command in these tests is long.
type Size = usize;
/// A command in these tests: the saga that owes it, and its size.
type Work = (u64, Size);

fn owed(saga: u64, order: u64, size: Size) -> Owed<Work> {
    let command_id = format!("{saga}.s.{order}").into();
    Owed { order: Seq(order), command_id, command: (saga, size) }
}

fn frame(text: &mut String, owed: &Owed<Work>, session: SessionNo) -> bool {
    let mut fields = Map::new();
    fields.insert("text".to_owned(), json!("x".repeat(owed.command.1)));
    let frame = CommandFrame {
        cmd: "work",
        command_id: &owed.command_id,
        saga_id: SagaId(owed.command.0),
        step: "s",
        attempt: 1,
        session,
        fields: &fields,
    };
    frames::command(text, &frame);
    true
}

fn hand_over(pipe: &mut Pipe<Work>) {
    pipe.hand_over(frame);
}

fn ids(peer: &mut Peer, count: usize) -> Vec<String> {
    let id = |_| peer.json()["command_id"].as_str().expect("it is a command").to_owned();
    (0..count).map(id).collect()
}

fn open(house: &House, pipe: &mut Pipe<Work>, session: u64) -> (Peer, ConnId, Arc<Outbox>) {
    let (peer, conn, outbox) = house.connect();
    outbox.push_reply("{\"event\":\"registered\"}\n".into());
    pipe.open(SessionNo(session), conn, Arc::clone(&outbox));
    hand_over(pipe);
    (peer, conn, outbox)
}

fn registered(peer: &mut Peer) {
    assert_eq!(peer.json()["event"], "registered");
}

/// More than the socket's buffer and one write hold.
const BLOCKS: Size = 900 * 1024;

fn impatient() -> Options {
    Options { write_timeout: Duration::from_millis(20), ..Options::default() }
}

#[test]
fn bg_h04_bg_h11_bg_h14_p1_p4_a_target_gets_what_waits_after_registered_and_in_order() {
    let house = House::new();
    let mut pipe = Pipe::default();
    for order in [3, 1, 2] {
        pipe.owe(owed(order, order, 10));
    }
    hand_over(&mut pipe);
    let (mut peer, ..) = open(&house, &mut pipe, 1);
    pipe.owe(owed(4, 4, 10));
    hand_over(&mut pipe);
    registered(&mut peer);
    assert_eq!(ids(&mut peer, 4), ["1.s.1", "2.s.2", "3.s.3", "4.s.4"]);
}

#[test]
fn p9_r7_a_target_that_does_not_read_is_disconnected_and_another_is_not_delayed() {
    let house = House::with(impatient());
    let (mut stuck, mut other) = (Pipe::default(), Pipe::default());
    let (_stuck_peer, stuck_conn, _) = open(&house, &mut stuck, 1);
    let (mut peer, conn, _) = open(&house, &mut other, 2);
    stuck.owe(owed(1, 1, BLOCKS));
    stuck.owe(owed(1, 2, BLOCKS));
    hand_over(&mut stuck);
    other.owe(owed(2, 3, 10));
    hand_over(&mut other);
    registered(&mut peer);
    assert_eq!(ids(&mut peer, 1), ["2.s.3"]);
    let mut ended = false;
    let mut sent = false;
    while !(ended && sent) {
        match house.next() {
            Inbound::Closed { conn: closed, why } => {
                assert_eq!((closed, why), (stuck_conn, CloseWhy::NotReading));
                ended = true;
            }
            Inbound::Sent { conn: from, command_ids } => {
                assert_eq!((from, command_ids), (conn, vec!["2.s.3".into()]));
                sent = true;
            }
            other => panic!("nobody sent this: {other:?}"),
        }
    }
}

#[test]
fn bg_h07_bg_6_5_5_p7_a_torn_command_is_discarded_by_its_peer_and_sent_whole_to_the_next() {
    let house = House::with(impatient());
    let mut pipe = Pipe::default();
    pipe.owe(owed(1, 1, BLOCKS));
    let (mut peer, conn, _) = open(&house, &mut pipe, 1);
    assert_eq!(house.closed(conn), CloseWhy::NotReading);
    registered(&mut peer);
    assert_eq!(peer.line(), None, "what came was torn");
    assert_eq!(pipe.close(conn), Some(SessionNo(1)));
    assert_eq!(pipe.link().waiting(), 1);
    // Another server, because this one would give up on a test that is slow.
    let patient = House::new();
    let (mut next, ..) = open(&patient, &mut pipe, 2);
    registered(&mut next);
    let command = next.json();
    assert_eq!((&command["command_id"], &command["session"]), (&json!("1.s.1"), &json!(2)));
    assert_eq!(command["text"].as_str().map(str::len), Some(BLOCKS));
}

#[test]
fn bg_h07_a_peer_that_died_is_noticed_and_its_command_is_still_owed() {
    let house = House::new();
    let mut pipe = Pipe::default();
    let (peer, conn, _) = open(&house, &mut pipe, 1);
    drop(peer);
    pipe.owe(owed(1, 1, 10));
    hand_over(&mut pipe);
    loop {
        match house.next() {
            Inbound::Closed { .. } => break,
            // A socket takes bytes that its dead peer never reads: being written is not being done.
            Inbound::Sent { .. } => {}
            other => panic!("nobody sent this: {other:?}"),
        }
    }
    pipe.close(conn);
    assert_eq!(pipe.link().waiting(), 1);
}

#[test]
fn bg_6_4_6_p5_what_waits_for_a_stuck_target_is_not_sent_once_its_saga_ended() {
    let house = House::new();
    let mut pipe = Pipe::default();
    let (mut peer, ..) = open(&house, &mut pipe, 1);
    pipe.owe(owed(1, 1, BLOCKS));
    pipe.owe(owed(2, 2, BLOCKS));
    pipe.owe(owed(3, 3, 10));
    pipe.owe(owed(4, 4, 10));
    hand_over(&mut pipe);
    // Its commands stand behind lines that the peer does not read.
    pipe.owe_no_more(Seq(3));
    hand_over(&mut pipe);
    registered(&mut peer);
    assert_eq!(ids(&mut peer, 3), ["1.s.1", "2.s.2", "4.s.4"]);
}

#[test]
fn p5_a_command_counts_as_sent_when_its_whole_line_was_written() {
    let house = House::new();
    let mut pipe = Pipe::default();
    let (mut peer, conn, _) = open(&house, &mut pipe, 1);
    pipe.owe(owed(1, 1, BLOCKS));
    hand_over(&mut pipe);
    assert!(house.is_quiet(), "the peer read nothing yet");
    registered(&mut peer);
    assert_eq!(ids(&mut peer, 1), ["1.s.1"]);
    match house.next() {
        Inbound::Sent { conn: from, command_ids } => {
            assert_eq!((from, command_ids), (conn, vec!["1.s.1".into()]));
        }
        other => panic!("not that it was sent: {other:?}"),
    }
}

#[test]
fn bg_11_22_w12_p6_r20_a_newer_target_takes_over_and_the_older_one_is_told_and_heard_out() {
    let house = House::new();
    let mut pipe = Pipe::default();
    let (mut older, older_conn, _) = open(&house, &mut pipe, 1);
    pipe.owe(owed(1, 1, 10));
    hand_over(&mut pipe);
    registered(&mut older);
    assert_eq!(ids(&mut older, 1), ["1.s.1"]);
    assert!(matches!(house.next(), Inbound::Sent { .. }));
    older.send("{\"cmd\":\"ping\",\"nonce\":1}\n{\"cmd\":\"ping\",\"nonce\":2}\n");
    assert_eq!(pipe.supersede(), Some(older_conn));
    let mut heard = 0;
    while heard < 2 {
        let next = house.next();
        assert!(matches!(next, Inbound::Frame { frame: ClientFrame::Ping { .. }, .. }), "{next:?}");
        heard += 1;
    }
    assert_eq!(house.closed(older_conn), CloseWhy::Asked);
    let (mut newer, newer_conn, _) = open(&house, &mut pipe, 2);
    assert_eq!(pipe.close(older_conn), None, "the end of the older one changes nothing");
    assert_eq!((pipe.conn(), pipe.session()), (Some(newer_conn), Some(SessionNo(2))));
    registered(&mut newer);
    assert_eq!(ids(&mut newer, 1), ["1.s.1"]);
    let last = older.json();
    assert_eq!((&last["code"], &last["fatal"]), (&json!("superseded"), &json!(true)));
    assert_eq!(older.line(), None);
}

#[test]
fn bg_6_4_2_bg_6_4_4_bg_6_5_1_bg_6_5_6_p6_a_late_end_of_an_older_connection_leaves_the_newer() {
    let house = House::new();
    let mut pipe = Pipe::default();
    let (older, older_conn, _) = open(&house, &mut pipe, 1);
    let (mut newer, newer_conn, _) = open(&house, &mut pipe, 2);
    drop(older);
    // Which of the two ends is noticed first does not matter.
    house.closed(older_conn);
    assert_eq!(pipe.close(older_conn), None);
    pipe.owe(owed(1, 1, 10));
    hand_over(&mut pipe);
    registered(&mut newer);
    assert_eq!(ids(&mut newer, 1), ["1.s.1"]);
    assert_eq!(pipe.close(newer_conn), Some(SessionNo(2)));
    assert_eq!(pipe.close(newer_conn), None);
}

#[test]
fn bg_6_4_1_bg_6_4_3_p4_what_becomes_owed_around_a_reconnect_is_never_left_waiting() {
    let house = House::new();
    let mut pipe = Pipe::default();
    // Before, at, and after the opening: whatever the interleaving, the open session has it.
    pipe.owe(owed(1, 1, 10));
    let (peer, conn, _) = open(&house, &mut pipe, 1);
    drop(peer);
    pipe.owe(owed(2, 2, 10));
    hand_over(&mut pipe);
    pipe.close(conn);
    pipe.owe(owed(3, 3, 10));
    hand_over(&mut pipe);
    assert_eq!(pipe.link().waiting(), 3);
    while !matches!(house.next(), Inbound::Closed { .. }) {}
    let (mut next, ..) = open(&house, &mut pipe, 2);
    assert_eq!(pipe.link().waiting(), 0);
    registered(&mut next);
    assert_eq!(ids(&mut next, 3), ["1.s.1", "2.s.2", "3.s.3"]);
}
