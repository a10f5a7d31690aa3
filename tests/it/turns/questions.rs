//! Questions about sagas: who reads for an answer, and how much.

use super::*;

/// \[R7\]: a saga of a thousand steps was read whole, by the thread that decides, for whoever asked
/// again how it had ended, or still had something to say to it.
#[test]
fn r7_how_a_saga_ended_is_told_without_reading_all_that_it_did() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let files = vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)];
    let mut core = on(Loaded::of(files), FaultyLog::new(MemoryLog::new(), []));
    let outbox = Arc::new(Outbox::new(16));
    let tool = json!({"cmd": "register", "kind": "tool", "name": "t", "pid": 2, "subscribe": []});
    turn(&mut core, vec![opened(1), register(1), opened_to(2, &outbox), said(2, &tool)]);
    let start = json!({"cmd": "start_saga", "id": "s", "saga": "called", "wait": true});
    turn(&mut core, vec![said(2, &start)]);
    for step in ["one", "two"] {
        let echo = json!({"cmd": "report", "event": "did", "saga_id": 1, "step": step});
        turn(&mut core, vec![said(1, &echo)]);
    }
    let cancel = json!({"cmd": "signal_saga", "saga_id": 1, "signal": "cancel"});
    waiting(&outbox);
    turn(&mut core, vec![said(2, &start), said(2, &cancel)]);
    let told = waiting(&outbox);
    assert_eq!(told[0]["event"], "saga_accepted");
    assert_eq!(
        (&told[1]["event"], &told[1]["state"]),
        (&json!("saga_result"), &json!("completed"))
    );
    assert_eq!(told[2]["code"], "refused");
    assert_eq!(core.log().read_whole(), 0);
}

/// A line that no client would read is not made.
#[test]
fn a_saga_that_is_too_long_to_tell_is_refused_with_where_to_read_it() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let files = vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)];
    let mut core = of(Loaded::of(files));
    let outbox = Arc::new(Outbox::new(16));
    let tool = json!({"cmd": "register", "kind": "tool", "name": "t", "pid": 2, "subscribe": []});
    turn(&mut core, vec![opened_to(2, &outbox), said(2, &tool)]);
    turn(&mut core, vec![said(2, &json!({"cmd": "start_saga", "id": 1, "saga": "called"}))]);
    let ask = json!({"cmd": "get_saga", "id": 2, "saga_id": 1});
    waiting(&outbox);
    turn(&mut core, vec![said(2, &ask)]);
    assert_eq!(waiting(&outbox)[0]["event"], "saga");
    let body = json!([{"late": {"step": "x".repeat(ANSWER_BYTES_MAX), "what": "did"}}]).to_string();
    let (seq, saga_id, at) = (Seq(1_000), Some(SagaId(1)), Timestamp(1_000));
    let row = Row { seq, n: 1, saga_id, at, body };
    let rows = sagaflow::log::Turn { rows: vec![row], ..Default::default() };
    core.log().append(&rows).expect("the memory log takes all");
    turn(&mut core, vec![said(2, &ask)]);
    let told = waiting(&outbox);
    assert_eq!((&told[0]["code"], &told[0]["id"]), (&json!("refused"), &json!(2)));
    assert!(told[0]["message"].as_str().is_some_and(|words| words.contains("sagaflow show 1")));
}

/// \[R7\]: who decides reads no list and no picture; the deciding log here holds no saga at all.
#[test]
fn r7_questions_about_sagas_are_read_beside_the_deciding_thread() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let loaded =
        || Loaded::of(vec![file("c.catalog.yaml", CATALOG), file("called.saga.yaml", CALLED)]);
    let dir = tempfile::tempdir().expect("a scratch directory");
    let path = dir.path().join("log.db");
    let mut there = on(loaded(), SqliteLog::open(&path).expect("there is room"));
    let start = said(1, &json!({"cmd": "start_saga", "id": "s", "saga": "called"}));
    turn(&mut there, vec![opened(1), register(1), start]);

    let mut core = on(loaded(), MemoryLog::new());
    core.read_beside(path).expect("a thread can be had");
    let outbox = Arc::new(Outbox::new(16));
    turn(&mut core, vec![opened_to(1, &outbox), register(1)]);
    let (mut lines, mut sent) = (Vec::new(), Vec::new());
    outbox.drain(&mut lines, &mut sent);
    for (question, word) in [
        (json!({"cmd": "list_sagas", "id": 1}), "saga_list"),
        (json!({"cmd": "get_saga", "id": 2, "saga_id": 1}), "running"),
    ] {
        lines.clear();
        turn(&mut core, vec![said(1, &question)]);
        while lines.is_empty() {
            std::thread::yield_now();
            outbox.drain(&mut lines, &mut sent);
        }
        let answer = String::from_utf8_lossy(&lines);
        assert!(answer.contains(word) && answer.contains("\"saga_id\":1"), "{answer}");
    }
}
