//! Bus events read back from the log, for who asks for more than the ring holds \[L10\]. What
//! cannot be given is said: only `lagged` tells of loss \[W7\]. Sends nothing.

use std::ops::ControlFlow;

use crate::bus::Published;
use crate::coordinator::bus_event;
use crate::ids::Seq;
use crate::ipc::frames::{self, Line};
use crate::ipc::protocol::AskId;
use crate::limits::{FRAME_BYTES_MAX, REPLAY_BATCH_BYTES, REPLAY_BATCH_ROWS};
use crate::log::{LogRead, ReadError};
use crate::saga::record::Record;

use super::tell::published;

/// What reading comes upon.
#[derive(Debug)]
pub(super) enum Read {
    /// An event, as it was published.
    Event(Published),
    /// Versions that cannot be read any more, both included.
    Gap(Seq, Seq),
    /// All up to here was read.
    Upto(Seq),
}

/// Reads what came after one version up to another.
pub(super) fn read_events(
    log: &dyn LogRead,
    since: Seq,
    upto: Seq,
    each: &mut dyn FnMut(Read) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut gap = None;
    let mut stopped = false;
    log.rows_since(since, &mut |row| {
        // A row that cannot be read is one saga's damage [L9]; the others' events go on.
        let records = row.and_then(|row| row.records::<Record>().map(|records| (row, records)));
        let (row, records) = match records {
            Ok((row, _)) if row.seq > upto => return ControlFlow::Break(()),
            Ok(read) => read,
            Err(damage) => {
                gap = gap.or(damage.seq).or(Some(since.next()));
                return ControlFlow::Continue(());
            }
        };
        let mut told = || -> ControlFlow<()> {
            if let Some(from) = gap.take() {
                each(Read::Gap(from.max(since.next()), Seq(row.seq.0 - 1)))?;
            }
            for (seq, record) in (row.seq.0..).map(Seq).zip(&records) {
                if seq > since
                    && seq <= upto
                    && let Some(event) = bus_event(seq, row.saga_id, record)
                {
                    each(Read::Event(published(&event)))?;
                }
            }
            each(Read::Upto(row.last().min(upto)))
        };
        let told = told();
        stopped = told.is_break();
        told
    })?;
    // The rows after the last one that could be read, if there are any.
    let from = gap.map(|from| from.max(since.next())).filter(|from| !stopped && *from <= upto);
    if let Some(from) = from {
        let _over = each(Read::Gap(from, upto));
    }
    Ok(())
}

/// Some lines of a replay.
#[derive(Debug)]
pub(super) struct Batch {
    /// The lines, one after the other; perhaps none.
    pub lines: String,
    /// Up to where that was all.
    pub upto: Seq,
}

/// Reads a small part of a replay from `since` to `upto`, so that no reader stands long in the way
/// of others, or of the file that it reads. It always gets on, and ends at `upto`: what cannot be
/// read is told as `lagged`.
pub(super) fn replay_some(
    log: &dyn LogRead,
    (since, upto): (Seq, Seq),
    wants: impl Fn(&str) -> bool,
) -> Batch {
    let mut batch = Batch { lines: String::new(), upto: since };
    let mut rows = 0;
    let mut full = false;
    let read = read_events(log, since, upto, &mut |read| {
        match read {
            Read::Event(event) if wants(&event.name) => batch.lines.push_str(&event.line),
            Read::Event(_) => {}
            Read::Gap(from, to) => batch.lines.push_str(&frames::lagged(None, from, to, upto)),
            Read::Upto(seq) => {
                batch.upto = seq;
                rows += 1;
                full = rows == REPLAY_BATCH_ROWS || batch.lines.len() >= REPLAY_BATCH_BYTES;
            }
        }
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Err(error) = &read {
        tracing::warn!(%error, "a replay could not read all of the log");
    }
    // Asked after the reading: what retention took before is known then, so no hole goes untold.
    match log.high_water() {
        Ok(marks) if marks.forgotten > since => {
            let to = marks.forgotten.min(upto);
            Batch { lines: frames::lagged(None, since.next(), to, upto).to_string(), upto: to }
        }
        Ok(_) if full => batch,
        Ok(_) => {
            if read.is_err() {
                let lagged = frames::lagged(None, batch.upto.next(), upto, upto);
                batch.lines.push_str(&lagged);
            }
            Batch { upto, ..batch }
        }
        Err(error) => {
            tracing::warn!(%error, "a replay could not read the log");
            Batch { lines: frames::lagged(None, since.next(), upto, upto).to_string(), upto }
        }
    }
}

/// The answer to `get_events`: a page of events, or what of them is lost.
///
/// # Errors
/// The log cannot be read from there.
pub(super) fn event_page(
    log: &dyn LogRead,
    id: Option<&AskId>,
    (since, upto): (Seq, Seq),
) -> Result<Line, ReadError> {
    let mut bytes = 0;
    let mut lines: Vec<Line> = Vec::new();
    let mut more = false;
    let mut lost = None;
    let read = read_events(log, since, upto, &mut |read| {
        match read {
            Read::Event(event) => {
                bytes += event.line.len();
                more = bytes > FRAME_BYTES_MAX && !lines.is_empty();
                if !more {
                    lines.push(event.line);
                }
            }
            // It is told in the place where it is: by the answer to the next question.
            Read::Gap(..) if !lines.is_empty() => more = true,
            Read::Gap(from, to) => lost = Some((from, to)),
            Read::Upto(_) => {}
        }
        match more || lost.is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let forgotten = log.high_water()?.forgotten;
    if since < forgotten {
        return Ok(frames::lagged(id, since.next(), forgotten.min(upto), upto));
    }
    if let Some((from, to)) = lost {
        return Ok(frames::lagged(id, from, to, upto));
    }
    match read {
        // What was read before the trouble is given; asked again from there, it is told.
        Err(_) if !lines.is_empty() => more = true,
        read => read?,
    }
    let texts = lines.iter().map(|line| line.trim_end());
    Ok(frames::event_list(id, texts, more, upto).line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::log::{Log, MemoryLog, Retention, Row, Turn, World};
    use crate::saga::record::Event;
    use crate::time::{Millis, Timestamp};

    fn event(name: &str) -> Record {
        Record::Event(Box::new(Event {
            name: name.into(),
            fields: Arc::new(json!({})),
            client: "c".into(),
            saga_id: None,
            step: None,
            command_id: None,
            dedup: None,
        }))
    }

    /// A log of events `e1`, `e2`, …, one a row; what is in `broken` cannot be read.
    fn log(events: u64, broken: &[u64]) -> MemoryLog {
        let mut log = MemoryLog::new();
        for seq in 1..=events {
            let good = serde_json::to_string(&[event(&format!("e{seq}"))]).expect("it serialises");
            let body = if broken.contains(&seq) { "[".to_owned() } else { good };
            let row = Row { seq: Seq(seq), n: 1, saga_id: None, at: Timestamp(0), body };
            log.append(&Turn { rows: vec![row], ..Turn::default() }).expect("it takes all");
        }
        log
    }

    /// Forgets all but the newest `kept` events.
    fn forget(log: &mut MemoryLog, events: u64, kept: u64) {
        let world = Some(World { seq: Seq(events), body: "{}".to_owned() });
        log.append(&Turn { world, ..Turn::default() }).expect("it takes all");
        let (sagas, old) = (Millis(0), Millis(9_999));
        let keep = Retention { sagas, events: old, events_max: kept };
        log.sweep(Timestamp(0), &keep).expect("it forgets");
    }

    /// Names and ranges, in short.
    fn short(lines: &str) -> String {
        let word = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            match line["event"].as_str() {
                Some("lagged") => format!("({}-{})", line["missed_from"], line["missed_to"]),
                name => name.expect("an event has a name").to_owned(),
            }
        };
        lines.lines().map(word).collect::<Vec<_>>().join(" ")
    }

    fn check_replay(log: &dyn LogRead, (since, upto): (u64, u64), expected: &str) {
        let (mut at, upto, mut told) = (Seq(since), Seq(upto), String::new());
        while at < upto {
            let batch = replay_some(log, (at, upto), |_| true);
            assert!(batch.upto > at, "it gets on");
            told.push_str(&batch.lines);
            at = batch.upto;
        }
        assert_eq!(short(&told), expected);
    }

    #[test]
    fn w13_a_replay_is_what_came_after_up_to_where_live_begins() {
        check_replay(&log(9, &[]), (3, 6), "e4 e5 e6");
    }

    #[test]
    fn w7_events_that_cannot_be_read_are_told_as_lagged_in_their_place() {
        check_replay(&log(6, &[2, 3, 6]), (0, 6), "e1 (2-3) e4 e5 (6-6)");
        check_replay(&log(6, &[2, 3, 4, 5]), (2, 4), "(3-4)");
        check_replay(&log(6, &[5]), (0, 4), "e1 e2 e3 e4");
    }

    /// \[L10\]: also what retention takes while others are read.
    #[test]
    fn w7_events_that_were_forgotten_are_told_as_lagged() {
        let mut log = log(9, &[]);
        forget(&mut log, 9, 4);
        check_replay(&log, (1, 9), "(2-5) e6 e7 e8 e9");
        check_replay(&log, (1, 4), "(2-4)");
    }

    #[test]
    fn a_long_replay_is_read_in_parts() {
        let events = REPLAY_BATCH_ROWS as u64 + 5;
        let log = log(events, &[]);
        let first = replay_some(&log, (Seq(0), Seq(events)), |name| name == "e1005");
        assert_eq!((first.lines.as_str(), first.upto), ("", Seq(REPLAY_BATCH_ROWS as u64)));
        let rest = replay_some(&log, (first.upto, Seq(events)), |name| name == "e1005");
        assert_eq!((short(&rest.lines), rest.upto), ("e1005".to_owned(), Seq(events)));
    }

    #[test]
    fn w7_a_page_ends_before_what_cannot_be_read_and_the_next_one_tells_of_it() {
        let log = log(5, &[3]);
        let page = |since| {
            let line = event_page(&log, None, (Seq(since), Seq(5))).expect("the log is read");
            let line: Value = serde_json::from_str(&line).expect("a line is JSON");
            let events = line["events"].as_array().cloned().unwrap_or_default();
            let names = events.iter().map(|event| event["event"].as_str().map(str::to_owned));
            let names: Vec<_> = names.flatten().collect();
            (names.join(" "), line["more"] == true, line["missed_to"].as_u64())
        };
        assert_eq!(page(0), ("e1 e2".to_owned(), true, None));
        assert_eq!(page(2), (String::new(), false, Some(3)));
        assert_eq!(page(3), ("e4 e5".to_owned(), false, None));
    }
}
