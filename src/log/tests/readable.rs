//! What people see of a log with plain tools, and what a reader beside the launcher sees. The
//! launcher's own way of reading is in `contract`.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};

use super::{
    NOON, Scratch, births, commit, end, ends, free, hash, incidents, note, open_sagas, row,
    rows_since, words,
};
use crate::ids::{SagaId, Seq};
use crate::log::{Filter, HighWater, Log, LogRead, LogReader, OpenError, Progress, Row, SqliteLog};
use crate::time::{Millis, Timestamp};

fn issued(step: &str, attempt: u32) -> Value {
    json!({"issued": {"step": step, "command_id": format!("1.{step}.{attempt}"),
        "attempt": attempt, "target": "host", "cmd": "reap_panes", "with": {"label": "main"}}})
}

fn outcome(step: &str, fields: &Value) -> Value {
    let mut detail = json!({"step": step});
    let into = detail.as_object_mut().expect("written above as an object");
    into.extend(fields.as_object().expect("a test gives an object").clone());
    json!({"outcome": detail})
}

fn later(ms: u64) -> Timestamp {
    NOON + Millis(ms)
}

/// A saga that did one step and was undone, because the next one failed at its second try.
fn story(log: &mut dyn Log) {
    let mut turn = births(1, NOON, &[1]);
    turn.rows = vec![row(
        1,
        Some(1),
        NOON,
        &[
            json!({"event": {"name": "window_closed", "fields": {"label": "main"}, "client": "h"}}),
            json!({"began": {"name": "window_cleanup_cascade", "trigger": "window_closed"}}),
            issued("reap", 1),
        ],
    )];
    commit(log, &turn);
    commit(
        log,
        &free(row(
            4,
            Some(1),
            later(1_000),
            &[
                outcome("reap", &json!({"outcome": "succeeded", "echo": {"label": "main"}})),
                issued("drain", 1),
            ],
        )),
    );
    commit(
        log,
        &free(row(
            6,
            Some(1),
            later(2_000),
            &[
                json!({"backoff": {"step": "drain", "until": 0, "reason": "busy"}}),
                issued("drain", 2),
            ],
        )),
    );
    commit(
        log,
        &free(row(
            8,
            Some(1),
            later(3_000),
            &[
                outcome("drain", &json!({"outcome": "failed", "reason": "no such pool"})),
                json!({"unwinding": {"cause": "action_failed", "reason": "no such pool"}}),
                issued("reap.undo", 1),
            ],
        )),
    );
    let mut last = ends(
        1,
        Progress {
            cause: Some("action_failed".into()),
            reason: words("no such pool"),
            ..end("compensated", NOON, later(4_000))
        },
    );
    last.rows = vec![row(
        11,
        Some(1),
        later(4_000),
        &[
            outcome("reap.undo", &json!({"outcome": "succeeded"})),
            json!({"undone": {"step": "reap", "ok": true}}),
            json!({"ended": {"state": "compensated"}}),
        ],
    )];
    commit(log, &last);
}

/// \[L3\]: the whole story of a saga is one line, while the launcher runs.
#[test]
fn l3_select_star_from_saga_tells_the_story() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    story(&mut log);
    commit(&mut log, &births(14, later(5_000), &[2]));
    let Some(shown) = scratch.shell("select * from saga") else { return };
    assert_eq!(
        shown,
        "1|window_cleanup_cascade|compensated|action_failed|no such pool|\
         2026-11-21T06:00:00.000Z|2026-11-21T06:00:04.000Z|window_closed|{\"label\":\"main\"}|\
         |||2026-11-21T06:00:00.000Z|c0ffee\n\
         2|window_cleanup_cascade|running|||2026-11-21T06:00:05.000Z||window_closed|\
         {\"label\":\"main\"}||||2026-11-21T06:00:05.000Z|c0ffee\n"
    );
    let text = scratch.shell("select source from definition join saga on hash = definition");
    assert!(text.is_some_and(|text| text.starts_with("saga: window_cleanup_cascade")));
}

/// A step is one line, whatever it went through; `bg_g02`, `bg_g05` and `bg_g11` are its cases.
#[test]
fn l3_saga_step_has_one_line_a_step() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    story(&mut log);
    let more = [
        // Said of an undo that was tried again.
        json!({"undone": {"step": "reap", "ok": false, "reason": "not yet"}}),
        json!({"event": {"name": "panes_back", "fields": {"n": 3}, "client": "h", "saga_id": 1,
            "step": "reap.undo"}}),
        outcome("reap.undo", &json!({"outcome": "succeeded"})),
        json!({"undone": {"step": "reap", "ok": true}}),
        json!({"emitted": {"step": "tell", "event": "told", "fields": {}}}),
        outcome("tell", &json!({"outcome": "succeeded"})),
        outcome("rest", &json!({"outcome": "skipped"})),
    ];
    commit(&mut log, &free(row(14, Some(1), later(5_000), &more)));
    let columns = "saga_id, step, state, attempt, command_id, target, command, reason, fields, \
                   echo";
    let Some(shown) = scratch.shell(&format!("select {columns} from saga_step")) else { return };
    assert_eq!(
        shown,
        "1|reap|compensated|1|1.reap.1|host|reap_panes||{\"label\":\"main\"}|{\"label\":\"main\"}\n\
         1|drain|failed|2|1.drain.2|host|reap_panes|no such pool|{\"label\":\"main\"}|\n\
         1|reap.undo|succeeded|1|1.reap.undo.1|host|reap_panes||{\"label\":\"main\"}|{\"n\":3}\n\
         1|tell|succeeded|1||||||\n\
         1|rest|skipped|0||||||\n"
    );
    let times = scratch.shell("select started_at, ended_at from saga_step where step = 'drain'");
    let expected = "2026-11-21T06:00:01.000Z|2026-11-21T06:00:03.000Z\n";
    assert_eq!(times.as_deref(), Some(expected));
}

#[test]
fn l3_saga_record_has_one_line_a_record_with_its_number() {
    let scratch = Scratch::new();
    story(&mut scratch.open());
    let sql =
        "select seq, at, kind, step from saga_record where saga_id = 1 and seq between 5 and 9";
    let Some(shown) = scratch.shell(sql) else { return };
    assert_eq!(
        shown,
        "5|2026-11-21T06:00:01.000Z|issued|drain\n\
         6|2026-11-21T06:00:02.000Z|backoff|drain\n\
         7|2026-11-21T06:00:02.000Z|issued|drain\n\
         8|2026-11-21T06:00:03.000Z|outcome|drain\n\
         9|2026-11-21T06:00:03.000Z|unwinding|\n"
    );
}

/// \[L9\]: one row of nonsense does not hide the others from a person either.
#[test]
fn the_views_show_what_cannot_be_read_and_go_on() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    for (seq, body) in [(2, "not JSON"), (3, "7"), (4, "[{}, [], {\"late\": 3}]")] {
        let body = body.to_owned();
        let row = Row { seq: Seq(seq), n: 1, saga_id: Some(SagaId(1)), at: NOON, body };
        commit(&mut log, &free(row));
    }
    let sql = "select seq, kind, step, detail from saga_record where seq > 1";
    let Some(shown) = scratch.shell(sql) else { return };
    assert_eq!(
        shown,
        "2|unreadable||not JSON\n3|unreadable||7\n\
         4|unreadable||{}\n5|unreadable||[]\n6|late||3\n"
    );
    assert_eq!(scratch.shell("select count(*) from saga_step").as_deref(), Some("0\n"));
}

#[test]
fn bg_g01_reopening_keeps_the_schema_and_an_empty_log_has_no_ids() {
    let scratch = Scratch::new();
    let schema = |log: &SqliteLog| -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        let mut query = log.raw().prepare(sql).expect("the schema is read");
        let lines = query.query_map([], |row| row.get(0)).expect("the schema is read");
        lines.map(|line| line.expect("the schema is text")).collect()
    };
    let first = schema(&scratch.open());
    let again = scratch.open();
    assert_eq!(schema(&again), first);
    assert_eq!(again.high_water().expect("the log is read"), HighWater::default());
}

#[test]
fn bg_g02_a_saga_of_two_steps_comes_back_as_it_went() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    story(&mut log);
    let before = (log.saga(SagaId(1)).expect("the log is read"), rows_since(&log, 0));
    Box::new(log).close().expect("the log is closed");
    let log = scratch.open();
    let saga = log.saga(SagaId(1)).expect("the log is read");
    assert_eq!((saga.clone(), rows_since(&log, 0)), before);
    let saga = saga.expect("it is kept");
    assert_eq!(saga.saga.input, r#"{"label":"main"}"#);
    let rows = saga.rows.expect("its rows are sound");
    let records: usize =
        rows.iter().map(|row| row.records::<Value>().expect("the row is sound").len()).sum();
    assert_eq!(records, 13);
    if let Some(shown) = scratch.shell("select count(*) from saga_step where step not like '%.%'") {
        assert_eq!(shown, "2\n");
    }
}

#[test]
fn bg_g05_a_failed_step_keeps_its_reason_and_its_target_while_the_saga_runs() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1]));
    let failed = outcome("reap", &json!({"outcome": "failed", "reason": "no window"}));
    commit(&mut log, &free(row(2, Some(1), NOON, &[issued("reap", 1), failed])));
    let sql = "select step.state, step.reason, target, saga.state \
               from saga_step as step join saga using (saga_id)";
    let Some(shown) = scratch.shell(sql) else { return };
    assert_eq!(shown, "failed|no window|host|running\n");
}

#[test]
fn bg_g08_retention_of_seven_days_survives_a_restart() {
    let scratch = Scratch::new();
    let day = |days: i64| Timestamp(NOON.0 - days * 86_400_000);
    let mut log = scratch.open();
    commit(&mut log, &births(1, day(9), &[1, 2, 3, 4]));
    commit(&mut log, &ends(1, end("completed", day(9), day(8))));
    let settled =
        Progress { resolved_at: Some(day(8)), ..end("failed_compensation", day(9), day(9)) };
    commit(&mut log, &ends(2, settled));
    commit(&mut log, &ends(3, end("completed", day(9), day(1))));
    let mut log = scratch.open();
    let keep = crate::log::Retention {
        sagas: crate::limits::RETENTION,
        events: crate::limits::EVENTS_RETENTION,
        events_max: crate::limits::EVENTS_RETENTION_MAX,
    };
    let swept = log.sweep(NOON, &keep).expect("the batch is committed");
    assert_eq!((swept.sagas, swept.finished), (2, true));
    let left = scratch.open().list(&Filter::default(), 9).expect("the log is read");
    assert_eq!(super::ids(&left), [4, 3]);
}

#[test]
fn bg_g11_the_target_is_named_as_the_catalog_names_it() {
    let scratch = Scratch::new();
    story(&mut scratch.open());
    let Some(shown) = scratch.shell("select distinct target from saga_step") else { return };
    assert_eq!(shown, "host\n");
}

/// \[R7\]: neither does a writer wait for a reader, nor a reader for a writer.
#[test]
fn a_reader_in_the_middle_of_reading_does_not_stop_the_writer() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    commit(&mut log, &births(1, NOON, &[1, 2]));
    let reader = LogReader::open(&scratch.path()).expect("the log is read beside its writer");
    let (mut seen, mut next) = (0, 3);
    let mut each = |_| {
        commit(&mut log, &births(next, NOON, &[next]));
        next += 1;
        seen += 1;
        ControlFlow::Continue(())
    };
    reader.rows_since(Seq(0), &mut each).expect("the log is read");
    assert_eq!(seen, 2, "a reading sees the log as it was when it began");
    assert_eq!(rows_since(&reader, 0).len(), 4);
}

/// The files as a SIGKILL leaves them: the -wal holds everything, and nobody has moved it.
fn killed(log: &SqliteLog, from: &Scratch) -> Scratch {
    let path = log.raw().path().expect("the log has a file");
    let dead = Scratch::new();
    fs::copy(path, dead.path()).expect("the log is copied");
    let wal = |scratch: &Scratch| format!("{}-wal", scratch.path().display());
    fs::copy(wal(from), wal(&dead)).expect("the -wal is copied");
    dead
}

fn bytes(path: &Path) -> [Vec<u8>; 2] {
    let wal = format!("{}-wal", path.display());
    [fs::read(path).expect("the log is there"), fs::read(wal).expect("the -wal is there")]
}

#[test]
fn a_dead_launchers_log_is_read_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    story(&mut log);
    commit(&mut log, &births(20, NOON, &[2]));
    commit(&mut log, &ends(2, end("failed_compensation", NOON, NOON)));
    commit(&mut log, &births(21, NOON, &[3]));
    let dead = killed(&log, &scratch);
    let before = bytes(&dead.path());
    let reader = LogReader::open(&dead.path()).expect("a dead launcher's log is read");
    assert_eq!(reader.high_water().expect("the log is read").seq, Seq(21));
    assert_eq!(open_sagas(&reader).len(), 1);
    assert_eq!(incidents(&reader), [2]);
    assert!(reader.definition(&hash()).expect("the log is read").is_some());
    assert_eq!(reader.full_check().expect("the log is read"), Vec::<String>::new());
    drop(reader);
    assert!(bytes(&dead.path()) == before, "reading changed the files");
}

#[test]
fn a_reader_says_when_there_is_no_log() {
    let scratch = Scratch::new();
    let error = LogReader::open(&scratch.path()).expect_err("there is none");
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert!(fs::read_dir(scratch.directory.path()).expect("it is there").next().is_none());
}

/// \[L2\]: wherever the power goes, what is found again is whole turns from the first one on.
#[test]
fn l2_a_torn_end_of_the_wal_loses_whole_turns_only() {
    let scratch = Scratch::new();
    let mut log = scratch.open();
    for turn in 0..6 {
        let first = turn * 3 + 1;
        commit(&mut log, &births(first, NOON, &[first, first + 1, first + 2]));
    }
    let full = killed(&log, &scratch);
    let [_, wal] = bytes(&full.path());
    let mut turns = 0;
    for length in (0..wal.len()).step_by(1_499).chain([wal.len()]) {
        let torn = killed(&log, &scratch);
        let path = format!("{}-wal", torn.path().display());
        fs::write(path, &wal[..length]).expect("the -wal is cut");
        let found = rows_since(&torn.open(), 0).len();
        assert!(found.is_multiple_of(3) && found / 3 >= turns, "{found} rows after {length} bytes");
        turns = found / 3;
    }
    assert_eq!(turns, 6);
}

#[test]
fn the_row_says_what_is_wrong_with_its_records() {
    let one = Row { body: "[1]".to_owned(), ..row(5, Some(3), NOON, &note()) };
    let said = |row: &Row| row.records::<Value>().expect_err("it is damaged").to_string();
    let two = Row { n: 2, ..one.clone() };
    assert_eq!(said(&two), "record 5 of saga 3: it says 2 records and holds 1");
    let torn = Row { body: "[1".to_owned(), ..one };
    assert!(said(&torn).starts_with("record 5 of saga 3: its body cannot be read: EOF"));
}
