//! What an operator says to one saga: the part that `cancel`, `retry` and `resolve` share.

use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on, object};
use super::out::{self, Shape};
use super::place::Where;
use crate::ipc::ErrorCode;
use crate::ipc::client::{ClientError, ErrorWord};
use crate::view::text::Tone;

/// What is said, and where.
pub(super) struct Say<'a> {
    pub saga_id: u64,
    pub signal: &'static str,
    pub reason: Option<&'a str>,
    pub place: &'a Where,
    pub shape: Shape,
}

/// Says it; the launcher answers when it is durable, or refuses with the saga's own words.
pub(super) fn say(what: &Say<'_>) -> Outcome {
    let socket = what.place.socket();
    block_on(async {
        let mut link = Link::open(&socket).await?;
        let mut fields = object(json!({ "saga_id": what.saga_id, "signal": what.signal }));
        if let Some(reason) = what.reason {
            fields.insert("reason".to_owned(), reason.into());
        }
        let accepted = link.client().ask("signal_saga", &fields).await.map_err(told)?;
        link.close().await;
        let version = accepted.version.0;
        if what.shape.is_json() {
            let (saga_id, signal) = (what.saga_id, what.signal);
            out::json(&json!({ "saga_id": saga_id, "signal": signal, "version": version }))?;
        } else {
            let words = format!("saga {}: {} accepted", what.saga_id, what.signal);
            out::say(Tone::Faint, &words);
        }
        Ok(Exit::Fine)
    })
}

/// What the launcher said; of an id that no saga has, where the ids are.
fn told(error: ClientError) -> Failure {
    let ClientError::Answered { code, .. } = &error else { return error.into() };
    if *code != ErrorWord::Known(ErrorCode::UnknownSaga) {
        return error.into();
    }
    Failure::new(Exit::No, format!("{error}; see the list with: sagaflow ps"))
}
