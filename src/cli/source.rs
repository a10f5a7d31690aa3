//! Where `ps` and `show` look: at the launcher if one listens, else at the log that it left. It
//! changes neither.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::exit::{Exit, Failure};
use super::link::block_on;
use super::out;
use super::place::Where;
use crate::ipc::client::Client;
use crate::launcher::can_be;
use crate::log::{LogReader, OpenError};
use crate::time::Timestamp;

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
    can_be(&place.data())?;
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

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "a person asks how long an open saga has taken")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
