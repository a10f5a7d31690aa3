//! Where `ps` and `show` look: at the launcher if one listens, else at the log that it left. It
//! changes neither.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::exit::{Exit, Failure};
use super::link::block_on;
use super::out;
use super::place::Where;
use crate::ipc::client::Client;
use crate::log::{LogReader, OpenError, SagaRow, StoredSaga};
use crate::saga::record::Record;
use crate::time::Timestamp;
use crate::view::{Fact, Picture, Settlement, Shown};

/// Where the answer comes from.
pub(super) enum Source {
    /// A launcher listens there.
    Launcher(PathBuf),
    /// The log, read beside its launcher or after its death.
    Log(LogReader),
}

/// Asks the launcher if one listens, unless a data directory is named: then its file is read.
pub(super) fn source(place: &Where) -> Result<Source, Failure> {
    let by_file = place.data.is_some() && place.socket.is_none();
    let socket = place.socket();
    if !by_file {
        let mut failed = None;
        block_on(async {
            failed = Client::connect(&socket).await.err();
            Ok(Exit::Fine)
        })?;
        match failed {
            None => return Ok(Source::Launcher(socket)),
            // A socket that was named is the one that is meant: no file stands for it.
            Some(error) if place.socket.is_some() => return Err(error.into()),
            Some(_) => {}
        }
    }
    match LogReader::open(&place.log()) {
        Ok(log) => {
            if !by_file {
                let words =
                    format!("no launcher runs; this is what {} says", place.log().display());
                out::warn(&words);
            }
            Ok(Source::Log(log))
        }
        Err(OpenError::Missing { path }) if !by_file => {
            let message = format!(
                "no launcher listens on {} and there is no log {}; start one with: sagaflow run",
                socket.display(),
                path.display()
            );
            Err(Failure::new(Exit::Unreachable, message))
        }
        Err(error) => Err(error.into()),
    }
}

/// The picture of a stored saga; one whose facts cannot be read is shown as far as its row goes.
pub(super) fn picture_of(stored: StoredSaga) -> Picture {
    let clash = match &stored.rows {
        Err(damage) => Some(damage.to_string()),
        Ok(_) if stored.saga.progress.state == Shown::Corrupt.as_str() => {
            let reason = stored.saga.progress.reason.as_deref();
            Some(reason.unwrap_or("its facts contradict each other").to_owned())
        }
        Ok(_) => None,
    };
    let mut facts = Vec::new();
    let mut damage = None;
    for row in stored.rows.unwrap_or_default() {
        match row.records::<Record>() {
            Ok(records) => facts.extend(Fact::of_row(row.seq, row.at, records)),
            Err(broken) => damage = damage.or(Some(broken.to_string())),
        }
    }
    let told = Picture::of(stored.saga.saga_id, &facts);
    let without = "its first record is missing".to_owned();
    let clash = clash.or(damage).or_else(|| told.is_none().then_some(without));
    let picture = told.unwrap_or_else(|| by_row_alone(&stored.saga));
    match clash {
        Some(clash) => picture.corrupt(clash),
        None => picture,
    }
}

/// What the readable row tells where the facts tell nothing.
fn by_row_alone(row: &SagaRow) -> Picture {
    let progress = &row.progress;
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let settled = |at| Settlement {
        at,
        by: "an operator".into(),
        reason: progress.resolution.clone().unwrap_or_default(),
    };
    Picture {
        saga_id: row.saga_id,
        name: row.name.clone(),
        definition: Some(row.definition.clone()),
        state: Shown::Corrupt,
        cause: None,
        reason: progress.reason.clone(),
        trigger: row.trigger_event.clone(),
        client: None,
        input: json(&row.input).into(),
        result: progress.result.as_deref().map(|text| json(text).into()),
        created_at: row.created_at,
        started_at: progress.started_at,
        ended_at: progress.ended_at,
        due: None,
        resolved: progress.resolved_at.map(settled),
        steps: Vec::new(),
        timeline: Vec::new(),
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "a person asks how long an open saga has taken")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
