//! What an operator says to one saga: the part that `cancel`, `retry` and `resolve` share.

use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on, object};
use super::out::{self, Shape};
use super::place::Where;
use crate::ipc::ErrorCode;
use crate::ipc::client::{ClientError, ErrorWord};
use crate::view::text::Tone;

/// Whom it is said to.
#[derive(Debug, clap::Args)]
pub struct To {
    /// Which saga
    #[arg(value_name = "ID")]
    saga_id: u64,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Says it; the launcher answers when it is durable, or refuses with the saga's own words.
pub(super) fn say(to: &To, signal: &str, reason: Option<&str>) -> Outcome {
    let (socket, saga_id) = (to.place.socket(), to.saga_id);
    block_on(async {
        let mut link = Link::open(&socket).await?;
        let mut fields = object(json!({ "saga_id": saga_id, "signal": signal }));
        if let Some(reason) = reason {
            fields.insert("reason".to_owned(), reason.into());
        }
        let accepted = link.client().ask("signal_saga", &fields).await.map_err(told)?;
        link.close().await;
        let version = accepted.version.0;
        if to.shape.is_json() {
            out::json(&json!({ "saga_id": saga_id, "signal": signal, "version": version }))?;
        } else {
            out::say(Tone::Faint, &format!("saga {saga_id}: {signal} accepted"));
        }
        Ok(Exit::Fine)
    })
}

/// What the launcher said; of an id that no saga has, where the ids are.
pub(super) fn told(error: ClientError) -> Failure {
    let ClientError::Answered { code, .. } = &error else { return error.into() };
    if *code != ErrorWord::Known(ErrorCode::UnknownSaga) {
        return error.into();
    }
    Failure::new(Exit::No, format!("{error}; see the list with: sagaflow ps"))
}
