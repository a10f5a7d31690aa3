//! Claims about what is known of blocks: sessions, turns, answers, and the rows that keep them.

use super::*;

const ECHO: Echo<'static> = (SagaId(7), "run", Some("7.run.1"));

fn fold(blocks: &mut Blocks, events: &[(&str, Value)]) {
    for (event, fields) in events {
        blocks.apply(event, fields, Some(ECHO));
    }
}

fn claim(generation: u64) -> (&'static str, Value) {
    let fields = json!({"block_id": "b", "generation": generation, "pid": 41,
        "process_start": "0011aabb-5"});
    ("turn_claimed", fields)
}

fn started(session: &str) -> (&'static str, Value) {
    let fields = json!({"block_id": "b", "generation": 1, "pid": 41, "session_id": session});
    ("turn_started", fields)
}

fn captured(session: &str) -> (&'static str, Value) {
    ("session_captured", json!({"block_id": "b", "generation": 1, "session_id": session}))
}

fn status(version: u64, word: &str) -> (&'static str, Value) {
    let fields = json!({"block_id": "b", "generation": 1, "status_version": version,
        "status": word, "exit_code": 3});
    ("controller_status", fields)
}

fn ended(generation: u64) -> (&'static str, Value) {
    let fields = json!({"block_id": "b", "generation": generation, "exit_code": 3,
        "failure": "", "stderr_tail": "", "session_id": ""});
    ("turn_ended", fields)
}

fn forgotten() -> (&'static str, Value) {
    ("block_forgotten", json!({"block_id": "b", "generation": 1, "existed": true}))
}

fn rows(blocks: &mut Blocks, kept: &mut BTreeMap<Arc<str>, Value>) {
    for (name, body) in blocks.take_changed() {
        match body {
            Some(body) => kept.insert(name, body),
            None => kept.remove(&name),
        };
    }
}

#[test]
fn bg_b01_a_new_block_is_known_by_nothing() {
    let blocks = Blocks::default();
    assert_eq!(blocks.get("b"), None);
    assert_eq!(blocks.next_generation("b"), 1);
    let block = Block::default();
    assert_eq!((block.status, block.session.id()), (Status::Init, ""));
}

#[test]
fn a_turn_is_claimed_started_and_ended_and_its_answer_is_kept() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[claim(1)]);
    let turn = blocks.get("b").and_then(|b| b.turn.clone()).expect("it was claimed");
    assert_eq!((turn.pid, &*turn.process_start, turn.started), (41, "0011aabb-5", false));
    assert_eq!((turn.saga_id, &*turn.step, &*turn.command_id), (SagaId(7), "run", "7.run.1"));
    fold(&mut blocks, &[started(""), status(1, "running"), status(2, "done"), ended(1)]);
    let block = blocks.get("b").expect("it is known");
    assert_eq!((block.turn.clone(), block.status, block.exit_code), (None, Status::Done, 3));
    let answered = block.answered.clone().expect("it was answered");
    assert_eq!((&*answered.command_id, &*answered.event), ("7.run.1", "turn_ended"));
    assert_eq!(blocks.next_generation("b"), 2);
}

#[test]
fn a_busy_refusal_leaves_the_turn_that_runs_alone() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[claim(1)]);
    let before = blocks.clone();
    let refused = json!({"block_id": "b", "generation": 1, "reason": "a turn runs"});
    blocks.apply("turn_spawn_failed", &refused, Some((SagaId(8), "run", Some("8.run.1"))));
    assert_eq!(blocks, before);
    blocks.apply("turn_spawn_failed", &refused, Some(ECHO));
    let block = blocks.get("b").expect("it is known");
    assert_eq!(block.turn, None, "its own refusal ends it");
    assert_eq!(block.answered.as_ref().map(|a| &*a.event), Some("turn_spawn_failed"));
}

#[test]
fn a_turn_that_could_not_begin_makes_the_block_known() {
    let mut blocks = Blocks::default();
    let failed = json!({"block_id": "b", "generation": 1, "reason": "no such program"});
    fold(&mut blocks, &[("turn_spawn_failed", failed), status(1, "done")]);
    let block = blocks.get("b").expect("it is known");
    assert_eq!((block.generation, block.status_version, &block.turn), (1, 1, &None));
    assert_eq!(block.answered.as_ref().map(|a| &*a.command_id), Some("7.run.1"));
}

#[test]
fn a_turn_that_was_stopped_before_it_was_claimed_makes_the_block_known() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[status(1, "done"), ended(1)]);
    let block = blocks.get("b").expect("it is known");
    assert_eq!((block.generation, block.status_version), (1, 1));
    assert_eq!(block.answered.as_ref().map(|a| &*a.event), Some("turn_ended"));
}

#[test]
fn the_version_of_a_status_only_grows() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[claim(1), status(2, "done"), status(2, "running"), status(1, "init")]);
    let block = blocks.get("b").expect("it is known");
    assert_eq!((block.status, block.status_version), (Status::Done, 2));
}

#[test]
fn bg_3_10_p2_what_an_earlier_generation_says_changes_nothing() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[claim(1), ended(1), claim(2)]);
    let before = blocks.clone();
    fold(&mut blocks, &[ended(1), captured("old"), started("old")]);
    assert_eq!(blocks, before);
}

#[test]
fn bg_b07_bg_b08_bg_b09_a_named_session_fills_an_empty_slot_only() {
    let mut session = Session::default();
    session.hydrate("");
    assert_eq!(session, Session::None);
    session.hydrate("one");
    session.hydrate("two");
    session.hydrate("");
    assert_eq!(session, Session::Hydrated("one".to_owned()));
}

#[test]
fn bg_b10_bg_b11_bg_b12_a_captured_session_beats_what_was_known_and_nothing_clears_it() {
    let mut session = Session::Hydrated("stale".to_owned());
    assert!(session.capture("fresh"));
    assert!(!session.capture("fresh"));
    assert!(!session.capture(""));
    session.hydrate("stale");
    assert_eq!(session, Session::Captured("fresh".to_owned()));
    assert!(session.capture("forked"));
}

#[test]
fn a_session_is_folded_from_what_was_said() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[claim(1), started("given")]);
    let session = |blocks: &Blocks| blocks.get("b").map(|b| b.session.clone());
    assert_eq!(session(&blocks), Some(Session::Hydrated("given".to_owned())));
    fold(&mut blocks, &[captured("own"), captured("")]);
    assert_eq!(session(&blocks), Some(Session::Captured("own".to_owned())));
}

#[test]
fn a_forgotten_block_comes_again_with_a_later_generation() {
    let mut blocks = Blocks::default();
    fold(&mut blocks, &[claim(1), ended(1), claim(2), ended(2), forgotten()]);
    assert_eq!(blocks.get("b"), None);
    assert_eq!(blocks.next_generation("b"), 3);
    let before = blocks.clone();
    fold(&mut blocks, &[ended(2), captured("old")]);
    assert_eq!(blocks, before, "what its first life says late changes nothing");
}

#[test]
fn what_nobody_here_says_changes_nothing() {
    let mut blocks = Blocks::default();
    let unknown = [
        ("turn_output", json!({"block_id": "b", "generation": 1, "line": "x", "offset": 0})),
        ("turn_health", json!({"block_id": "b", "generation": 1, "health": "dead"})),
        ("turn_stopped", json!({"block_id": "b", "generation": 1, "existed": true})),
        ("controller_status", json!({"block_id": "b", "status": "asleep"})),
        ("block_forgotten", json!({"block_id": "b"})),
        ("anything", json!({"block_id": "b"})),
        ("turn_claimed", json!(null)),
    ];
    fold(&mut blocks, &unknown);
    assert_eq!(blocks, Blocks::default());
}

/// [R3]
#[test]
fn what_the_rows_say_is_what_was_folded_after_every_event() {
    let mut blocks = Blocks::default();
    let mut kept = BTreeMap::new();
    let story = [
        claim(1),
        started("given"),
        captured("own"),
        status(1, "running"),
        status(2, "done"),
        ended(1),
        claim(2),
        forgotten(),
        claim(3),
    ];
    for event in story {
        fold(&mut blocks, &[event]);
        rows(&mut blocks, &mut kept);
        let mut again = Blocks::default();
        for (name, body) in &kept {
            again.restore(name, body).expect("it was written just now");
        }
        assert_eq!(again, blocks);
    }
}

#[test]
fn a_row_that_nobody_writes_is_refused_with_its_block() {
    let mut blocks = Blocks::default();
    let error = blocks.restore("b", &json!({"generation": 1, "mood": "good"})).unwrap_err();
    assert!(error.contains("block `b`") && error.contains("mood"), "{error}");
    assert_eq!(blocks, Blocks::default());
}

/// [T4]: a block is numbered when its turn begins, and told of when its process exists. What is
/// forgotten in between is another block's.
#[test]
fn t4_a_block_that_begins_while_another_is_forgotten_is_known() {
    let mut blocks = Blocks::default();
    let old = |event: &'static str, generation: u64| {
        (event, json!({"block_id": "old", "generation": generation, "pid": 1, "exit_code": 0}))
    };
    fold(&mut blocks, &[old("turn_claimed", 30), old("turn_ended", 30)]);
    fold(&mut blocks, &[old("block_forgotten", 30), claim(1)]);
    assert!(blocks.get("b").is_some_and(|block| block.turn.is_some() && block.generation == 1));
    fold(&mut blocks, &[status(1, "running"), status(2, "done"), ended(1)]);
    assert_eq!(blocks.get("b").map(|block| block.status_version), Some(2));
}
