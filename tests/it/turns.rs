//! Turns of the whole core without a socket: what connections say lies in one turn as the test puts
//! it there, which real sockets do only now and then.

mod questions;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use sagaflow::clock::Clock;
use sagaflow::coordinator::Coordinator;
use sagaflow::ids::{ConnId, SagaId, Seq};
use sagaflow::ipc::inbox::Inbox;
use sagaflow::ipc::outbox::Outbox;
use sagaflow::ipc::protocol::parse_line;
use sagaflow::ipc::server::{CloseWhy, Inbound};
use sagaflow::ipc::session::Allow;
use sagaflow::launcher::{
    Core, Identity, Loaded, Manners, Message, Turns, read_directory, restore,
};
use sagaflow::limits::{
    ANSWER_BYTES_MAX, DEDUP_TOTAL, EVENTS_RETENTION, PARKED_LINES, RETENTION, TURN_INPUTS_MAX,
    WORLD_EVERY,
};
use sagaflow::log::{
    self, Fault, FaultyLog, Log, LogRead, LogReader, MemoryLog, Retention, Row, SqliteLog,
};
use sagaflow::saga::record::Record;
use sagaflow::time::{Millis, Timestamp};
use serde_json::{Value, json};

/// With the shipped sagas.
fn core() -> Core<MemoryLog> {
    let sagas = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    of(Loaded::of_texts(read_directory(&sagas).expect("the shipped sagas are here")))
}

fn of(loaded: Loaded) -> Core<MemoryLog> {
    on(loaded, MemoryLog::new())
}

fn on<L: Log>(loaded: Loaded, log: L) -> Core<L> {
    let coordinator = Coordinator::new(Arc::new(loaded.defined.catalog), loaded.plans);
    let identity = Identity { pid: 77, version: "0.1.0" };
    Core::new(coordinator, log, identity, Allow::default())
}

fn turn<L: Log>(core: &mut Core<L>, messages: Vec<Inbound>) {
    core.decide(messages, Timestamp(1_000));
    let pending = core.end_turn();
    core.commit(&pending).expect("the log takes all");
    core.hand_over(pending);
}

fn opened(conn: u64) -> Inbound {
    opened_to(conn, &Arc::new(Outbox::new(16)))
}

fn opened_to(conn: u64, outbox: &Arc<Outbox>) -> Inbound {
    Inbound::Opened { conn: ConnId(conn), outbox: Arc::clone(outbox) }
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

/// Whoever did not wait for its own `registered` filled the launcher's memory.
#[test]
fn w12_a_newcomer_that_says_too_much_while_it_waits_is_sent_away() {
    let mut core = core();
    turn(&mut core, vec![opened(1), register(1)]);
    let newer = Arc::new(Outbox::new(16));
    turn(&mut core, vec![opened_to(2, &newer), register(2)]);
    let report = json!({"cmd": "report", "event": "window_closed", "label": "a"});
    turn(&mut core, (0..PARKED_LINES).map(|_| said(2, &report)).collect());
    let told = waiting(&newer);
    assert_eq!((&told[0]["code"], &told[0]["fatal"]), (&json!("busy"), &json!(true)), "{told:?}");
    assert!(!newer.is_open());
    turn(&mut core, vec![closed(2), closed(1)]);
    assert_eq!(hosts(&core), (false, vec![]));
    assert_eq!(core.coordinator().sagas().count(), 0, "nothing of it was taken");
}

/// \[W9\]: a target got no answer to what it had said right before, and could not know whether it
/// was taken.
#[test]
fn w9_a_target_that_says_goodbye_is_told_what_was_accepted_and_gets_no_more_commands() {
    let mut core = core();
    let outbox = Arc::new(Outbox::new(16));
    let register = |conn: u64, pid: u64| {
        let kind = json!({"cmd": "register", "kind": "host", "name": "h", "pid": pid});
        said(conn, &kind)
    };
    turn(&mut core, vec![opened_to(1, &outbox), register(1, 1)]);
    turn(
        &mut core,
        vec![said(1, &json!({"cmd": "report", "event": "window_closed", "label": "a"}))],
    );
    let last = json!({"cmd": "report", "id": "x", "event": "pool_not_last", "label": "main"});
    turn(&mut core, vec![said(1, &last), said(1, &json!({"cmd": "goodbye"}))]);
    // R20: whoever comes next gets nothing before this one is gone.
    let newer = Arc::new(Outbox::new(16));
    turn(&mut core, vec![opened_to(2, &newer), register(2, 2)]);
    assert_eq!(waiting(&newer), Vec::<Value>::new());

    let told = waiting(&outbox);
    let accepted = told.iter().find(|line| line["event"] == "accepted");
    assert_eq!(accepted.map(|line| &line["id"]), Some(&json!("x")), "{told:#?}");
    assert!(told.iter().all(|line| line["kind"] != "command"), "{told:#?}");
    assert!(!outbox.is_open(), "then it ends");
    turn(&mut core, vec![closed(1)]);
    assert!(waiting(&newer).iter().any(|line| line["kind"] == "command"));
}

/// Who came in the very turn in which its elder's connection ended, after a goodbye, waited for an
/// end that had been told already.
#[test]
fn w12_who_comes_in_the_turn_in_which_its_elder_is_gone_waits_for_nobody() {
    let mut core = core();
    turn(&mut core, vec![opened(1), register(1)]);
    turn(&mut core, vec![said(1, &json!({"cmd": "goodbye"}))]);
    turn(&mut core, vec![opened(2), closed(1), register(2)]);
    assert_eq!(hosts(&core), (true, vec![2]));
}

/// The lines that wait for a connection, as a peer that never reads would find them.
fn waiting(outbox: &Outbox) -> Vec<Value> {
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    outbox.drain(&mut bytes, &mut sent);
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("the launcher writes JSON")).collect()
}

/// Which session it was and where to write were looked up under two locks, and a command of one
/// session went out on the connection of the next.
#[test]
fn bg_6_4_5_p6_a_connection_is_handed_what_its_own_session_is_owed_and_nothing_else() {
    let mut core = core();
    let [older, newer] = [(); 2].map(|()| Arc::new(Outbox::new(16)));
    let close = |label| {
        let event = json!({"cmd": "report", "event": "window_closed", "label": label});
        said(3, &event)
    };
    let tool = json!({"cmd": "register", "kind": "tool", "name": "t", "pid": 3, "subscribe": []});
    turn(&mut core, vec![opened_to(1, &older), register(1), opened(3), said(3, &tool)]);
    turn(&mut core, vec![close("a")]);
    let first = waiting(&older);
    turn(&mut core, vec![opened_to(2, &newer), register(2), close("b")]);
    turn(&mut core, vec![closed(1), close("c")]);
    let asked = |lines: &[Value]| -> Vec<(String, u64)> {
        let commands = lines.iter().filter(|line| line["kind"] == "command");
        let asked = commands.map(|line| (line["label"].as_str(), line["session"].as_u64()));
        asked
            .map(|(label, session)| (label.expect("text").to_owned(), session.expect("a number")))
            .collect()
    };
    let of = |labels: &[&str], session: u64| -> Vec<(String, u64)> {
        labels.iter().map(|label| ((*label).to_owned(), session)).collect()
    };
    assert_eq!(asked(&first), of(&["a"], 1));
    assert_eq!(asked(&waiting(&older)), []);
    assert_eq!(asked(&waiting(&newer)), of(&["a", "b", "c"], 2));
}

const CATALOG: &str = r"
targets: { host: {} }
events: { did: {}, undid: {} }
commands:
  a: { target: host, echoes: [did], idempotent: true, undo: un_a }
  b: { target: host, echoes: [did], idempotent: true, undo: none }
  un_a: { target: host, echoes: [undid], idempotent: true, undo: none }
";

const CALLED: &str = r"
saga: called
trigger: { call: {} }
eviction: { policy: parallel }
timeout: 10m
defaults: { timeout: 10s }
steps: [{ id: one, issue: a, await: { echo: did } }, { id: two, issue: b, await: { echo: did } }]
";

/// \[R14, W9\]
#[test]
fn who_asks_again_while_an_incident_is_tried_again_hears_how_that_ended() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let files = vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)];
    let mut core = of(Loaded::of(files));
    let outbox = Arc::new(Outbox::new(16));
    let tool = json!({"cmd": "register", "kind": "tool", "name": "t", "pid": 2});
    turn(&mut core, vec![opened(1), register(1), opened_to(2, &outbox), said(2, &tool)]);
    let start = json!({"cmd": "start_saga", "id": "s", "saga": "called", "wait": true});
    turn(&mut core, vec![said(2, &start)]);
    let echo = |step, event| {
        said(1, &json!({"cmd": "report", "event": event, "saga_id": 1, "step": step}))
    };
    let failed = |step| {
        let cmd = "report_saga_action_failed";
        said(1, &json!({"cmd": cmd, "saga_id": 1, "step": step, "reason": "no"}))
    };
    turn(&mut core, vec![echo("one", "did")]);
    turn(&mut core, vec![failed("two")]);
    turn(&mut core, vec![failed("one.undo")]);
    let lines = outbox.len();
    let retry = json!({"cmd": "signal_saga", "saga_id": 1, "signal": "retry", "reason": "again"});
    turn(&mut core, vec![said(2, &retry), said(2, &start)]);
    turn(&mut core, vec![echo("one.undo", "undid")]);
    // `saga_accepted` again, what the host said, `saga_resolved`, and the result.
    assert_eq!(outbox.len(), lines + 4);
}

/// The window was rebuilt from as many of the newest records as it holds ids: under load those are
/// of a moment, and what was said a second before a crash was done again after it.
#[test]
fn w9_an_id_is_known_after_a_crash_however_many_records_came_after_it() {
    let loaded = || {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        Loaded::of(vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)])
    };
    let report = json!({"cmd": "report", "id": "once", "event": "did"});
    let start = json!({"cmd": "start_saga", "id": "begin", "saga": "called"});
    let ask = |core: &mut Core<SqliteLog>| {
        let outbox = Arc::new(Outbox::new(64));
        let tool =
            json!({"cmd": "register", "kind": "tool", "name": "t", "pid": 2, "subscribe": []});
        turn(core, vec![opened_to(2, &outbox), said(2, &tool), said(2, &report), said(2, &start)]);
        let lines = waiting(&outbox);
        let of = |id: &str, what: &str| {
            let answer = lines.iter().find(|line| line["id"] == id).expect("it is answered");
            answer[what].as_u64().unwrap_or_else(|| panic!("{answer}"))
        };
        (of("once", "version"), of("begin", "saga_id"))
    };
    let scratch = tempfile::tempdir().expect("the test machine has a disk");
    let path = scratch.path().join("log.db");
    let mut core = on(loaded(), SqliteLog::open(&path).expect("a fresh log opens"));
    let first = ask(&mut core);

    let mut log = core.into_log();
    let mut seq = log.high_water().expect("the log is read").seq;
    while seq.0 < DEDUP_TOTAL as u64 + 10_000 {
        let n = 10_000;
        let late = json!({"late": {"step": "one", "what": "did"}});
        let body = Value::from(vec![late; n as usize]).to_string();
        let at = Timestamp(1_000);
        let row = Row { seq: seq.next(), n, saga_id: Some(SagaId(1)), at, body };
        seq = row.last();
        let more = log::Turn { rows: vec![row], ..log::Turn::default() };
        log.append(&more).expect("it is committed");
    }
    drop(log);

    let log = SqliteLog::open(&path).expect("the log opens");
    let Loaded { defined: library, plans, .. } = loaded();
    let coordinator = restore(&log, Arc::new(library.catalog), plans).expect("the log is read");
    let identity = Identity { pid: 78, version: "0.1.0" };
    let mut core = Core::new(coordinator, log, identity, Allow::default());
    assert_eq!(ask(&mut core), first);
}

/// \[L6, L7\]: retention comes between turns that never pause, and where it finds no room it waits.
#[test]
fn a_disk_that_is_too_full_to_forget_ends_nothing() {
    let log = FaultyLog::new(MemoryLog::new(), [(1, Fault::Full)]);
    let inbox = Arc::new(Inbox::new(1, 1));
    for conn in 0..TURN_INPUTS_MAX as u64 {
        inbox.post(Message::Inbound(opened(conn)));
    }
    inbox.post(Message::Stop);
    let (core, clock) = (on(Loaded::of(Vec::new()), log), Clock::start(Timestamp(0)));
    let turns = Turns::new(core, inbox, clock, Manners::default());
    turns.run().expect("no turn was without room");
}

/// \[L6, L10\]: retention goes no further than the world that is written, so that is written now
/// and then, though no process comes or goes.
#[test]
fn l6_events_alone_are_forgotten_too() {
    let mut core = core();
    turn(&mut core, vec![opened(1), register(1)]);
    let line = json!({"cmd": "report", "event": "pool_not_last", "label": "main"});
    let report = || said(1, &line);
    let mut reported = 0;
    while reported < 2 * WORLD_EVERY {
        let reports: Vec<Inbound> = std::iter::repeat_with(report).take(TURN_INPUTS_MAX).collect();
        reported += reports.len() as u64;
        turn(&mut core, reports);
    }
    let keep = Retention { sagas: RETENTION, events: EVENTS_RETENTION, events_max: 0 };
    let mut taken = 0;
    loop {
        let swept = core.log().sweep(Timestamp(1_000), &keep).expect("the memory log forgets");
        taken += swept.records;
        if swept.finished {
            break;
        }
    }
    assert!(taken + WORLD_EVERY > reported, "{taken} of {reported}");
}

/// \[L10, W7\]: the ring of a new start begins after what retention took, and hides no hole.
#[test]
fn w7_what_was_forgotten_between_two_events_is_told_after_a_restart() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let files = vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)];
    let mut core = of(Loaded::of(files.clone()));
    turn(&mut core, vec![opened(1), register(1)]);
    let said_by_1 = |line: Value| vec![said(1, &line)];
    let start = json!({"cmd": "start_saga", "id": "s", "saga": "called"});
    turn(&mut core, said_by_1(json!({"cmd": "report", "event": "did"})));
    turn(&mut core, said_by_1(start));
    for step in ["one", "two"] {
        let echo = json!({"cmd": "report", "event": "did", "saga_id": 1, "step": step});
        turn(&mut core, said_by_1(echo));
    }
    turn(&mut core, said_by_1(json!({"cmd": "report", "event": "undid"})));
    let mut log = core.into_log();
    let (sagas, events) = (Millis(0), EVENTS_RETENTION);
    let keep = Retention { sagas, events, events_max: 100 };
    let swept = log.sweep(Timestamp(2_000), &keep).expect("the memory log forgets");
    assert_eq!((swept.sagas, swept.records), (1, 0));

    let loaded = Loaded::of(files);
    let catalog = Arc::new(loaded.defined.catalog);
    let coordinator = restore(&log, catalog, loaded.plans).expect("its own log can be read");
    let identity = Identity { pid: 78, version: "0.1.0" };
    let mut core = Core::new(coordinator, log, identity, Allow::default());
    core.refill_ring().expect("its own log can be read");
    let outbox = Arc::new(Outbox::new(16));
    let ask = said(2, &json!({"cmd": "get_events", "id": 1, "since": 0}));
    turn(&mut core, vec![opened_to(2, &outbox), register(2)]);
    let (mut lines, mut sent) = (Vec::new(), Vec::new());
    outbox.drain(&mut lines, &mut sent);
    lines.clear();
    turn(&mut core, vec![ask]);
    outbox.drain(&mut lines, &mut sent);
    let answer: Value = serde_json::from_slice(&lines).expect("one line");
    assert_eq!(answer["event"], "lagged", "{answer}");
}

/// \[L6, R9\]: what ended a week before a leap of the clock, or before a time in which no launcher
/// ran, is no older for it. Nothing that was kept until then is gone after one wrong reading.
#[test]
fn l6_a_leap_of_years_makes_nothing_old() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let files = vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)];
    let dir = tempfile::tempdir().expect("a scratch directory");
    let path = dir.path().join("log.db");
    let mut core = on(Loaded::of(files.clone()), SqliteLog::open(&path).expect("there is room"));
    let start = said(1, &json!({"cmd": "start_saga", "id": "s", "saga": "called"}));
    turn(&mut core, vec![opened(1), register(1), start]);
    for step in ["one", "two"] {
        let echo = json!({"cmd": "report", "event": "did", "saga_id": 1, "step": step});
        turn(&mut core, vec![said(1, &echo)]);
    }
    drop(core);
    // All of that was in 1970; whether the clock is right now is not for the launcher to know.
    for _start in 0..2 {
        let loaded = Loaded::of(files.clone());
        let log = SqliteLog::open(&path).expect("it is a log");
        let catalog = Arc::new(loaded.defined.catalog);
        let coordinator = restore(&log, catalog, loaded.plans).expect("its own log can be read");
        let newest = coordinator.now();
        let identity = Identity { pid: 78, version: "0.1.0" };
        let core = Core::new(coordinator, log, identity, Allow::default());
        let inbox = Arc::new(Inbox::new(1, 1));
        for conn in 0..TURN_INPUTS_MAX as u64 {
            inbox.post(Message::Inbound(opened(conn)));
        }
        inbox.post(Message::Stop);
        let mut turns = Turns::new(core, inbox, Clock::start(newest), Manners::default());
        turns.boot(78, "0.1.0").expect("there is room");
        turns.run().expect("there is room");
    }
    let log = LogReader::open(&path).expect("it is a log");
    assert!(log.saga(SagaId(1)).expect("it can be read").is_some(), "it was forgotten");
    assert_eq!(log.high_water().expect("it can be read").forgotten, Seq(0));
}

/// \[L8\]: the end of the launcher is an event like any other, and what it starts is begun before
/// the last record, not after it.
#[test]
fn l8_nothing_is_decided_after_the_last_word_of_a_clean_stop() {
    let catalog = CATALOG.replace(
        "undid: {} }",
        "undid: {}, lifecycle_phase_changed: \
         { fields: { from: { type: string }, to: { type: string } } } }",
    );
    let saga = CALLED.replace(
        "trigger: { call: {} }",
        "trigger: { event: lifecycle_phase_changed, when: trigger.to == 'dead' }",
    );
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let loaded =
        Loaded::of(vec![file("c.catalog.yaml", &catalog), file("called.saga.yaml", &saga)]);
    let dir = tempfile::tempdir().expect("a scratch directory");
    let path = dir.path().join("log.db");
    let core = on(loaded, SqliteLog::open(&path).expect("there is room"));
    let inbox = Arc::new(Inbox::new(1, 1));
    inbox.post(Message::Stop);
    let mut turns = Turns::new(core, inbox, Clock::start(Timestamp(0)), Manners::default());
    turns.boot(77, "0.1.0").expect("there is room");
    turns.run().expect("there is room");

    let mut records = Vec::new();
    let log = LogReader::open(&path).expect("it is a log");
    let mut each = |row: Result<Row, _>| {
        records.extend(row.expect("it is sound").records::<Record>().expect("it is sound"));
        ControlFlow::Continue(())
    };
    log.rows_since(Seq(0), &mut each).expect("it can be read");
    assert!(records.iter().any(|record| matches!(record, Record::Began(_))), "{records:#?}");
    assert!(matches!(records.last(), Some(Record::Stopped(_))), "{records:#?}");
}

/// \[L7\]: what a target says is never refused, not even while its session is in the very commit
/// that finds no room, or its registration waits for that commit. Others are told `busy`, those
/// that connect meanwhile included.
#[test]
fn l7_what_a_target_says_before_its_session_is_durable_waits_and_is_taken() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    for registered_in_time in [true, false] {
        let files = vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)];
        let log = FaultyLog::new(MemoryLog::new(), [(1, Fault::Full)]);
        let [host, tool, late] = [1, 2, 3].map(|_| Arc::new(Outbox::new(16)));
        let is_tool = json!({"cmd": "register", "kind": "tool", "name": "t", "pid": 2});
        let start = json!({"cmd": "start_saga", "id": "s", "saga": "called"});
        let start = vec![opened_to(2, &tool), said(2, &is_tool), said(2, &start)];
        let mut first = vec![opened_to(1, &host)];
        let mut second = Vec::new();
        if registered_in_time { &mut first } else { &mut second }.push(register(1));
        first.extend(start);
        let echo = json!({"cmd": "report", "id": "e", "event": "did", "saga_id": 1, "step": "one"});
        second.push(said(1, &echo));
        let report = |id| json!({"cmd": "report", "id": id, "event": "did"});
        second.extend([said(2, &report("of-tool")), opened_to(3, &late)]);
        second.push(said(3, &json!({"cmd": "register", "kind": "tool", "name": "l", "pid": 3})));
        second.push(said(3, &report("of-late")));
        // A turn takes no more than this, so the rest comes while the disk is full.
        let others = (9..).map(opened).take(TURN_INPUTS_MAX - first.len());
        let inbox = Arc::new(Inbox::new(1, 1));
        for message in first.into_iter().chain(others).chain(second) {
            inbox.post(Message::Inbound(message));
        }
        inbox.post(Message::Stop);
        let (core, clock) = (on(Loaded::of(files), log), Clock::start(Timestamp(0)));
        let turns = Turns::new(core, inbox, clock, Manners::default());
        turns.run().expect("there is room again");
        let answer = |outbox: &Outbox, id: &str| {
            let (mut lines, mut sent) = (Vec::new(), Vec::new());
            outbox.drain(&mut lines, &mut sent);
            let lines = String::from_utf8(lines).expect("lines are text");
            let lines = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            let mut answers = lines.filter(|line: &Value| line["id"] == id);
            let answer = answers.next().unwrap_or_else(|| panic!("{id} got no answer"));
            answer["code"].as_str().or(answer["event"].as_str()).map(str::to_owned)
        };
        assert_eq!(answer(&host, "e").as_deref(), Some("accepted"));
        assert_eq!(answer(&tool, "of-tool").as_deref(), Some("busy"));
        assert_eq!(answer(&late, "of-late").as_deref(), Some("busy"));
    }
}
