//! Turns of the whole core without a socket: what connections say lies in one turn as the test puts
//! it there, which real sockets do only now and then.

use std::path::Path;
use std::sync::Arc;

use sagaflow::coordinator::Coordinator;
use sagaflow::ids::ConnId;
use sagaflow::ipc::outbox::Outbox;
use sagaflow::ipc::protocol::parse_line;
use sagaflow::ipc::server::{CloseWhy, Inbound};
use sagaflow::ipc::session::Allow;
use sagaflow::launcher::{Core, Identity, Loaded, read_directory};
use sagaflow::log::MemoryLog;
use sagaflow::time::Timestamp;
use serde_json::{Value, json};

fn core() -> Core<MemoryLog> {
    let sagas = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    let loaded = Loaded::of(read_directory(&sagas).expect("the shipped sagas are here"));
    let coordinator = Coordinator::new(Arc::new(loaded.library.catalog), loaded.plans);
    let identity = Identity { pid: 77, version: "0.1.0" };
    Core::new(coordinator, MemoryLog::new(), identity, Allow::default())
}

fn turn(core: &mut Core<MemoryLog>, messages: Vec<Inbound>) {
    core.decide(messages, Timestamp(1_000));
    let pending = core.end_turn();
    core.commit(&pending).expect("the memory log takes all");
    core.hand_over(pending);
}

fn opened(conn: u64) -> Inbound {
    Inbound::Opened { conn: ConnId(conn), outbox: Arc::new(Outbox::new(16)) }
}

fn said(conn: u64, line: &Value) -> Inbound {
    let frame = parse_line(line.to_string().as_bytes()).expect("it is a line of the wire");
    Inbound::Frame { conn: ConnId(conn), frame, asked: None }
}

fn register(conn: u64) -> Inbound {
    said(conn, &json!({"cmd": "register", "kind": "host", "name": "h", "pid": conn}))
}

fn closed(conn: u64) -> Inbound {
    Inbound::Closed { conn: ConnId(conn), why: CloseWhy::Eof }
}

/// Whether the host has a session, and the processes that run.
fn hosts(core: &Core<MemoryLog>) -> (bool, Vec<u64>) {
    let world = core.coordinator().world();
    let running = world.processes.iter().filter(|(_, entry)| entry.running);
    (world.targets.is_open("host"), running.map(|(pid, _)| *pid).collect())
}

#[test]
fn w12_a_newcomer_that_leaves_before_its_elder_leaves_no_session_behind() {
    let mut core = core();
    turn(&mut core, vec![opened(1), register(1)]);
    turn(&mut core, vec![opened(2), register(2)]);
    turn(&mut core, vec![closed(2), closed(1)]);
    assert_eq!(hosts(&core), (false, vec![]));
}

#[test]
fn w12_what_a_newcomer_says_while_it_waits_is_taken_in_its_order() {
    let mut core = core();
    turn(&mut core, vec![opened(1), register(1)]);
    turn(&mut core, vec![opened(2), register(2)]);
    let goodbye = said(2, &json!({"cmd": "goodbye"}));
    turn(&mut core, vec![goodbye, closed(2), closed(1)]);
    assert_eq!(hosts(&core), (false, vec![]));
    turn(&mut core, vec![opened(3), register(3)]);
    assert_eq!(hosts(&core), (true, vec![3]));
}
