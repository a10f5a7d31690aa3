//! What every log promises, told once and held against the SQLite log and the one in memory. What
//! only a file can show is in the neighbours.

use std::ops::ControlFlow;

use serde_json::json;

use super::{
    DAY, NOON, Scratch, births, born, commit, definition, end, ends, free, hash, ids, incidents,
    note, open_sagas, row, rows_since, words,
};
use crate::ids::{ClientId, DefinitionHash, SagaId, Seq, SessionNo};
use crate::log::{
    AppendError, Fault, FaultyLog, Filter, HighWater, Log, LogRead, Mark, MemoryLog, Progress,
    Retention, Row, SagaWrite, Swept, Turn, World,
};
use crate::time::{Millis, Timestamp};

/// Runs each promise against both logs.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&mut super::Scratch::new().open()); })*
        }
        mod memory {
            $(#[test] fn $name() { super::$name(&mut super::MemoryLog::new()); })*
        }
    };
}

promises!(
    a_new_log_is_empty,
    l2_a_turn_is_committed_whole_or_not_at_all,
    l4_a_definition_is_kept_as_it_was_first_seen,
    l6_retention_takes_old_ended_sagas_and_nothing_else,
    l6_retention_goes_in_small_batches,
    l10_numbers_never_fall_whatever_is_forgotten,
    l10_old_events_are_forgotten_and_the_log_knows_it,
    records_that_the_world_does_not_contain_are_not_forgotten,
    l10_rows_are_read_from_any_number_on,
    recent_rows_are_bounded_by_age_and_by_number,
    w9_rows_that_brought_ids_are_found_whatever_lies_between,
    an_empty_turn_is_no_commit,
    the_world_is_what_was_last_written,
    an_incident_that_is_retried_is_open_again,
    bg_g03_a_saga_id_is_given_out_once,
    bg_g04_a_record_of_an_unknown_saga_is_an_error,
    bg_g06_what_has_not_ended_is_open_and_comes_with_its_records,
    bg_g07_a_resolved_incident_keeps_its_reason_and_is_none_any_more,
    bg_g09_records_go_with_their_saga,
    bg_g10_the_highest_saga_id_is_known,
    bg_g12_the_newest_sagas_are_listed_first,
    bg_g13_the_reason_of_a_failure_is_stored_verbatim,
    bg_g14_ended_sagas_are_forgotten_and_open_ones_are_not,
);

const KEEP: Retention = Retention { sagas: Millis(7 * DAY.0), events: DAY, events_max: 100_000 };

fn days_ago(days: u64) -> Timestamp {
    Timestamp(NOON.0 - i64::try_from(days * DAY.0).expect("a test is not that old"))
}

fn fatal(log: &mut dyn Log, turn: &Turn) {
    let error = log.append(turn).expect_err("the turn is refused");
    assert!(matches!(error, AppendError::Fatal { .. }), "{error}");
}

/// Sweeps until nothing more is to go; answers what went in all.
fn sweep(log: &mut dyn Log, keep: &Retention) -> Swept {
    let mut all = Swept::default();
    while !all.finished {
        let batch = log.sweep(NOON, keep).expect("the batch is committed");
        all.sagas += batch.sagas;
        all.records += batch.records;
        all.finished = batch.finished;
    }
    all
}

fn world(seq: u64) -> Turn {
    let world = Some(World { seq: Seq(seq), body: "{}".to_owned() });
    Turn { world, ..Turn::default() }
}

fn a_new_log_is_empty(log: &mut dyn Log) {
    assert_eq!(log.high_water().expect("the log is read"), HighWater::default());
    assert_eq!(log.world().expect("the log is read"), None);
    assert_eq!(open_sagas(log), []);
    assert_eq!(rows_since(log, 0), []);
    assert_eq!(log.recent_from(NOON, 10).expect("the log is read"), Seq(1));
    assert_eq!(log.full_check().expect("the log is read"), Vec::<String>::new());
    assert_eq!(log.commits(), 0);
}

fn l2_a_turn_is_committed_whole_or_not_at_all(log: &mut dyn Log) {
    commit(log, &births(1, NOON, &[1, 2, 3]));
    assert_eq!((log.commits(), rows_since(log, 0).len()), (1, 3));

    let mut torn = births(4, NOON, &[4, 5]);
    torn.rows.push(row(3, Some(1), NOON, &note()));
    fatal(log, &torn);
    assert_eq!((log.commits(), rows_since(log, 0).len(), open_sagas(log).len()), (1, 3, 3));

    torn.rows.pop();
    commit(log, &torn);
    assert_eq!((log.commits(), rows_since(log, 0).len(), open_sagas(log).len()), (2, 5, 5));
}

fn l4_a_definition_is_kept_as_it_was_first_seen(log: &mut dyn Log) {
    commit(log, &births(1, NOON, &[1]));
    let mut edited = births(2, NOON + DAY, &[2]);
    edited.definitions[0].first_seen_at = NOON + DAY;
    commit(log, &edited);
    assert_eq!(log.definition(&hash()).expect("the log is read"), Some(definition()));
    let unknown = DefinitionHash("beef".into());
    assert_eq!(log.definition(&unknown).expect("the log is read"), None);

    let mut orphan = births(3, NOON, &[3]);
    orphan.definitions.clear();
    if let SagaWrite::Create(saga) = &mut orphan.sagas[0] {
        saga.definition = unknown;
    }
    fatal(log, &orphan);
}

fn l6_retention_takes_old_ended_sagas_and_nothing_else(log: &mut dyn Log) {
    let old = days_ago(8);
    commit(log, &births(1, old, &[1, 2, 3, 4, 5, 6]));
    commit(log, &ends(1, end("completed", old, old)));
    commit(log, &ends(2, end("failed_compensation", old, old)));
    commit(log, &ends(3, end("completed", old, days_ago(6))));
    let settled = |at| Progress {
        resolved_at: Some(at),
        resolution: words("reaped by hand"),
        ..end("failed_compensation", old, old)
    };
    commit(log, &ends(4, settled(old)));
    commit(log, &ends(5, settled(days_ago(6))));
    // 6 is open.
    assert_eq!(sweep(log, &KEEP), Swept { sagas: 2, records: 0, finished: true });
    let left = log.list(&Filter::default(), 10).expect("the log is read");
    assert_eq!(ids(&left), [6, 5, 3, 2]);
    assert_eq!(incidents(log), [2]);
    let definition = log.definition(&hash()).expect("the log is read");
    assert!(definition.is_some(), "the sagas that are left use it");
}

fn l6_retention_goes_in_small_batches(log: &mut dyn Log) {
    let old = days_ago(9);
    let all: Vec<u64> = (1..=250).collect();
    commit(log, &births(1, old, &all));
    let done =
        |id: &u64| SagaWrite::Update { saga_id: SagaId(*id), progress: end("completed", old, old) };
    commit(log, &Turn { sagas: all.iter().map(done).collect(), ..Turn::default() });
    let batches: Vec<u64> = (0..3).map(|_| log.sweep(NOON, &KEEP).expect("swept").sagas).collect();
    assert_eq!(batches, [100, 100, 50]);
    assert_eq!(sweep(log, &KEEP).sagas, 0);
}

fn l10_numbers_never_fall_whatever_is_forgotten(log: &mut dyn Log) {
    let old = days_ago(9);
    commit(log, &births(10, old, &[7]));
    let mut last = ends(7, end("completed", old, old));
    last.rows.push(row(11, Some(7), old, &[json!({"late": {}}), json!({"late": {}})]));
    last.marks = vec![(Mark::ClientId, 5), (Mark::Session, 3), (Mark::ClientId, 4)];
    commit(log, &last);
    let before = log.high_water().expect("the log is read");
    assert_eq!((before.seq, before.saga_id, before.time), (Seq(12), SagaId(7), old));
    assert_eq!((before.client_id, before.session), (ClientId(5), SessionNo(3)));

    assert_eq!(sweep(log, &KEEP).sagas, 1);
    assert_eq!(rows_since(log, 0), []);
    let after = log.high_water().expect("the log is read");
    assert_eq!(after, HighWater { forgotten: Seq(12), ..before });
    assert_eq!(log.recent_from(old, 10).expect("the log is read"), Seq(13));
}

fn l10_old_events_are_forgotten_and_the_log_knows_it(log: &mut dyn Log) {
    for seq in 1..=4 {
        commit(log, &free(row(seq, None, days_ago(2), &note())));
    }
    commit(log, &births(5, days_ago(2), &[1]));
    for seq in 6..=8 {
        commit(log, &free(row(seq, None, NOON, &note())));
    }
    commit(log, &world(8));
    assert_eq!(sweep(log, &KEEP), Swept { sagas: 0, records: 4, finished: true });
    let left: Vec<u64> = rows_since(log, 0).iter().map(|row| row.seq.0).collect();
    assert_eq!(left, [5, 6, 7, 8], "what a saga needs stays, and so does what is young");
    assert_eq!(log.high_water().expect("the log is read").forgotten, Seq(4));

    // Too many is as bad as too old.
    let few = Retention { events_max: 1, ..KEEP };
    assert_eq!(sweep(log, &few).records, 2);
    let left: Vec<u64> = rows_since(log, 0).iter().map(|row| row.seq.0).collect();
    assert_eq!(left, [5, 8]);
}

fn records_that_the_world_does_not_contain_are_not_forgotten(log: &mut dyn Log) {
    for seq in 1..=3 {
        commit(log, &free(row(seq, None, days_ago(2), &note())));
    }
    assert_eq!(sweep(log, &KEEP).records, 0);
    commit(log, &world(2));
    assert_eq!(sweep(log, &KEEP).records, 2);
    assert_eq!(rows_since(log, 0).len(), 1);
}

fn l10_rows_are_read_from_any_number_on(log: &mut dyn Log) {
    let three = [json!({"late": {}}), json!({"late": {}}), json!({"late": {}})];
    commit(log, &free(row(1, None, NOON, &three)));
    commit(log, &free(row(4, None, NOON, &note())));
    commit(log, &free(row(9, None, NOON, &note())));
    let after =
        |since: u64| -> Vec<u64> { rows_since(log, since).iter().map(|row| row.seq.0).collect() };
    assert_eq!(after(0), [1, 4, 9]);
    assert_eq!(after(2), [1, 4, 9], "the first row still holds record 3");
    assert_eq!(after(3), [4, 9]);
    assert_eq!(after(6), [9], "numbers may have gaps");
    assert_eq!((after(9), after(u64::MAX)), (vec![], vec![]));

    let mut seen = 0;
    let mut first = |_| {
        seen += 1;
        ControlFlow::Break(())
    };
    log.rows_since(Seq(0), &mut first).expect("the log is read");
    assert_eq!(seen, 1);
}

fn recent_rows_are_bounded_by_age_and_by_number(log: &mut dyn Log) {
    commit(log, &free(row(1, None, days_ago(2), &note())));
    let two = [json!({"late": {}}), json!({"late": {}})];
    commit(log, &free(row(2, None, days_ago(1), &two)));
    commit(log, &free(row(4, None, NOON, &note())));
    let from = |oldest, limit| log.recent_from(oldest, limit).expect("the log is read").0;
    assert_eq!(from(days_ago(3), 100), 1);
    assert_eq!(from(days_ago(1), 100), 2);
    assert_eq!(from(days_ago(3), 3), 2);
    assert_eq!(from(days_ago(3), 2), 4, "a row is taken whole or not at all");
    assert_eq!(from(NOON + DAY, 100), 5);
}

fn w9_rows_that_brought_ids_are_found_whatever_lies_between(log: &mut dyn Log) {
    let with_ids = |log: &dyn LogRead, oldest: Timestamp, limit: usize| -> Vec<u64> {
        let mut found = Vec::new();
        let mut each = |row: Result<Row, _>| {
            found.push(row.expect("it is sound").seq.0);
            ControlFlow::Continue(())
        };
        log.rows_with_ids(oldest, limit, &mut each).expect("the log is read");
        found
    };
    let always = days_ago(9);
    assert_eq!(with_ids(log, always, 9), [0; 0]);
    let mut first = births(1, days_ago(8), &[1, 2, 3]);
    first.ids = vec![Seq(1), Seq(2)];
    commit(log, &first);
    for seq in 4..=40 {
        commit(log, &free(row(seq, None, days_ago(1), &note())));
    }
    let brought = |seq, at| Turn { ids: vec![Seq(seq)], ..free(row(seq, Some(3), at, &note())) };
    commit(log, &brought(41, days_ago(1)));
    let mut torn = brought(42, NOON);
    torn.rows.push(row(5, Some(3), NOON, &note()));
    fatal(log, &torn);
    commit(log, &free(row(42, Some(3), NOON, &note())));
    commit(log, &brought(43, NOON));
    commit(log, &free(row(44, None, NOON, &note())));
    assert_eq!(with_ids(log, always, 9), [1, 2, 41, 43], "42 was never written with an id");
    assert_eq!(with_ids(log, always, 2), [41, 43], "the newest");
    assert_eq!(with_ids(log, days_ago(1), 9), [41, 43]);
    assert_eq!(with_ids(log, NOON + DAY, 9), [0; 0]);

    // What leads from 41 to 1 goes with its saga.
    commit(log, &ends(2, end("completed", days_ago(8), days_ago(8))));
    assert_eq!(sweep(log, &KEEP).sagas, 1);
    assert_eq!(with_ids(log, always, 9), [1, 41, 43]);
}

fn an_empty_turn_is_no_commit(log: &mut dyn Log) {
    commit(log, &Turn::default());
    assert_eq!(log.commits(), 0);
}

fn the_world_is_what_was_last_written(log: &mut dyn Log) {
    commit(log, &world(3));
    commit(log, &free(row(4, None, NOON, &note())));
    assert_eq!(log.world().expect("the log is read"), world(3).world);
    commit(log, &world(4));
    assert_eq!(log.world().expect("the log is read"), world(4).world);
}

/// \[R14\]: the same saga goes on, and boot must fold it.
fn an_incident_that_is_retried_is_open_again(log: &mut dyn Log) {
    commit(log, &births(1, NOON, &[1]));
    commit(log, &ends(1, end("failed_compensation", NOON, NOON)));
    assert_eq!((incidents(log), open_sagas(log).len()), (vec![1], 0));
    let again = Progress { started_at: Some(NOON), ..Progress::new("compensating") };
    commit(log, &ends(1, again));
    assert_eq!((incidents(log), open_sagas(log).len()), (vec![], 1));
}

/// \[R8\]: an id that came back would overwrite a saga.
fn bg_g03_a_saga_id_is_given_out_once(log: &mut dyn Log) {
    commit(log, &births(1, NOON, &[1]));
    fatal(log, &births(2, NOON, &[1]));
    assert_eq!(rows_since(log, 0).len(), 1);
}

fn bg_g04_a_record_of_an_unknown_saga_is_an_error(log: &mut dyn Log) {
    fatal(log, &free(row(1, Some(9), NOON, &note())));
    fatal(log, &ends(9, Progress::new("running")));
    assert_eq!(log.high_water().expect("the log is read").seq, Seq(0));
}

/// Here a failed saga has ended: upstream folded it again at every boot and so mislabelled it.
fn bg_g06_what_has_not_ended_is_open_and_comes_with_its_records(log: &mut dyn Log) {
    let mut turn = births(1, NOON, &[1, 2, 3, 4, 5, 6]);
    if let SagaWrite::Create(queued) = &mut turn.sagas[0] {
        queued.progress = Progress::new("queued");
    }
    commit(log, &turn);
    commit(log, &ends(3, Progress { started_at: Some(NOON), ..Progress::new("compensating") }));
    for (id, state) in [(4, "completed"), (5, "failed"), (6, "failed_compensation")] {
        commit(log, &ends(id, end(state, NOON, NOON)));
    }
    commit(log, &free(row(7, Some(2), NOON, &note())));
    let open = open_sagas(log);
    let seen: Vec<_> =
        open.iter().map(|open| (open.saga.saga_id.0, &*open.saga.progress.state)).collect();
    assert_eq!(seen, [(1, "queued"), (2, "running"), (3, "compensating")]);
    let rows: Vec<u64> = open[1].rows.iter().flatten().map(|row| row.seq.0).collect();
    assert_eq!(rows, [2, 7]);
    assert_eq!(open[1].saga, born(2, NOON));
    let one = log.saga(SagaId(2)).expect("the log is read");
    assert_eq!(one.as_ref(), Some(&open[1]));
    assert_eq!(log.saga(SagaId(99)).expect("the log is read"), None);
    for (id, known) in [(0, false), (1, true), (4, true), (99, false), (u64::MAX, false)] {
        let whole = log.saga(SagaId(id)).expect("the log is read").map(|stored| stored.saga);
        assert_eq!(log.head(SagaId(id)).expect("the log is read"), whole);
        assert_eq!(whole.is_some(), known, "{id}");
    }
}

fn bg_g07_a_resolved_incident_keeps_its_reason_and_is_none_any_more(log: &mut dyn Log) {
    commit(log, &births(1, NOON, &[1]));
    let incident =
        Progress { reason: words("srv is gone"), ..end("failed_compensation", NOON, NOON) };
    commit(log, &ends(1, incident.clone()));
    assert_eq!(incidents(log), [1]);
    let resolution = words("deleted by hand");
    let settled = Progress { resolved_at: Some(NOON + DAY), resolution, ..incident };
    commit(log, &ends(1, settled.clone()));
    assert!(incidents(log).is_empty());
    let saga = log.saga(SagaId(1)).expect("the log is read").expect("it is kept");
    assert_eq!(saga.saga.progress, settled);
}

fn bg_g09_records_go_with_their_saga(log: &mut dyn Log) {
    let old = days_ago(8);
    commit(log, &births(1, old, &[1, 2]));
    commit(log, &free(row(3, Some(1), old, &note())));
    commit(log, &ends(1, end("completed", old, old)));
    sweep(log, &KEEP);
    let left: Vec<_> = rows_since(log, 0).iter().map(|row| (row.seq.0, row.saga_id)).collect();
    assert_eq!(left, [(2, Some(SagaId(2)))]);
    assert_eq!(log.saga(SagaId(1)).expect("the log is read"), None);
}

fn bg_g10_the_highest_saga_id_is_known(log: &mut dyn Log) {
    assert_eq!(log.high_water().expect("the log is read").saga_id, SagaId(0));
    commit(log, &births(1, NOON, &[7, 42, 13]));
    assert_eq!(log.high_water().expect("the log is read").saga_id, SagaId(42));
}

fn bg_g12_the_newest_sagas_are_listed_first(log: &mut dyn Log) {
    commit(log, &births(1, NOON, &[1, 2, 3, 4, 5]));
    commit(log, &ends(2, end("completed", NOON, NOON)));
    let list = |filter: &Filter, limit| ids(&log.list(filter, limit).expect("the log is read"));
    assert_eq!(list(&Filter::default(), 3), [5, 4, 3]);
    assert_eq!(list(&Filter { before: Some(SagaId(3)), ..Filter::default() }, 3), [2, 1]);
    let completed = Filter { states: vec!["completed".into()], ..Filter::default() };
    assert_eq!(list(&completed, 9), [2]);
    let named = |name: &str| Filter { name: words(name), ..Filter::default() };
    assert_eq!(list(&named("window_cleanup_cascade"), 2), [5, 4]);
    assert!(list(&named("' OR 1 = 1 --"), 2).is_empty());
    let both = Filter { states: vec!["queued".into(), "running".into()], ..named("x") };
    assert!(list(&both, 2).is_empty());
}

fn bg_g13_the_reason_of_a_failure_is_stored_verbatim(log: &mut dyn Log) {
    let reason = "no such window: \"main\"; it's 100 % gone — 窓 ☂ \n\t\u{1}";
    commit(log, &births(1, NOON, &[1]));
    let failed = Progress {
        cause: Some("action_failed".into()),
        reason: words(reason),
        ..end("failed", NOON, NOON + Millis(1))
    };
    commit(log, &ends(1, failed.clone()));
    let saga = log.saga(SagaId(1)).expect("the log is read").expect("it is kept");
    assert_eq!(saga.saga.progress, failed);
}

/// Upstream kept the newest 128 ended ones; here age decides, in memory as on the disk.
fn bg_g14_ended_sagas_are_forgotten_and_open_ones_are_not(log: &mut dyn Log) {
    let old = days_ago(30);
    let all: Vec<u64> = (1..=130).collect();
    commit(log, &births(1, old, &all));
    for id in 2..=130 {
        commit(log, &ends(id, end("completed", old, old)));
    }
    assert_eq!(sweep(log, &KEEP).sagas, 129);
    assert_eq!(ids(&log.list(&Filter::default(), 9).expect("the log is read")), [1]);
}

#[test]
fn a_fault_comes_when_it_was_asked_for_and_stores_nothing() {
    let mut log = FaultyLog::new(MemoryLog::new(), [(2, Fault::Full), (4, Fault::Fatal)]);
    commit(&mut log, &births(1, NOON, &[1]));
    let second = births(2, NOON, &[2]);
    assert!(matches!(log.append(&second), Err(AppendError::Full { .. })));
    commit(&mut log, &second);
    assert!(matches!(log.append(&births(3, NOON, &[3])), Err(AppendError::Fatal { .. })));
    assert_eq!(log.commits(), 2);
    assert_eq!(rows_since(&log.into_inner(), 0).len(), 2);
}

/// [L6]: who keeps sagas for seconds does not find them there for a minute.
#[test]
fn l6_what_is_kept_for_less_is_looked_for_more_often() {
    for (sagas, every) in [(DAY, 60_000), (Millis(5_000), 5_000), (Millis(1), 1_000)] {
        assert_eq!(Retention { sagas, ..KEEP }.look_every(), Millis(every));
        assert_eq!(Retention { events: sagas, ..KEEP }.look_every(), Millis(every));
    }
}
