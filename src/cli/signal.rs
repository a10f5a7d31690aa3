//! `sagaflow signal`: says something to a saga that one of its steps awaits, in the words that its
//! definition declares. Judges nothing: the launcher knows what fits.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on, object};
use super::operate;
use super::out::{self, Shape};
use super::pairs::{self, Pair};
use super::place::Where;
use crate::definition::duration;
use crate::ids::Seq;
use crate::ipc::ErrorCode;
use crate::ipc::client::{ClientError, ErrorWord};
use crate::time::Millis;
use crate::view::text::Tone;

/// How often a signal that came too early is said again.
const AGAIN: Millis = Millis(200);

/// Arguments of `signal`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which saga
    #[arg(value_name = "ID")]
    saga_id: u64,
    /// Which of the signals that its definition declares
    #[arg(value_name = "NAME")]
    signal: String,
    /// The signal's fields: JSON where it is JSON, else a string (a string that looks like a
    /// number: label='"3"')
    #[arg(value_name = "KEY=VALUE", value_parser = pairs::parse)]
    input: Vec<Pair>,
    /// Why; kept in the log
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    /// While the saga does not await it yet, say it again for so long, like 30s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Millis>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Says it; the launcher answers when it is durable.
pub(super) fn run(args: &Args) -> Outcome {
    let input = pairs::object(&args.input).map_err(Failure::usage)?;
    let socket = args.place.socket();
    block_on(async {
        let version = say(args, &socket, input).await?;
        let (saga_id, signal) = (args.saga_id, &args.signal);
        if args.shape.is_json() {
            let said = json!({ "saga_id": saga_id, "signal": signal, "version": version.0 });
            out::json(&said)?;
        } else {
            out::say(Tone::Faint, &format!("saga {saga_id}: {signal} accepted"));
        }
        Ok(Exit::Fine)
    })
}

async fn say(args: &Args, socket: &Path, input: Map<String, Value>) -> Result<Seq, Failure> {
    let (saga_id, signal) = (args.saga_id, &args.signal);
    let mut fields = object(json!({ "saga_id": saga_id, "signal": signal, "input": input }));
    if let Some(reason) = &args.reason {
        fields.insert("reason".to_owned(), reason.as_str().into());
    }
    let mut again = args.wait.map_or(0, |wait| wait.0.div_ceil(AGAIN.0));
    let mut link = Link::open(socket).await?;
    loop {
        match link.client().ask("signal_saga", &fields).await {
            Ok(accepted) => {
                link.close().await;
                return Ok(accepted.version);
            }
            Err(error) if is_refusal(&error) => {
                if again == 0 || has_ended(&mut link, saga_id).await? {
                    return Err(error.into());
                }
                again -= 1;
                tokio::time::sleep(Duration::from_millis(AGAIN.0)).await;
            }
            Err(error) => return Err(told(error, &args.input)),
        }
    }
}

fn is_refusal(error: &ClientError) -> bool {
    let refused = ErrorWord::Known(ErrorCode::Refused);
    matches!(error, ClientError::Answered { code, .. } if *code == refused)
}

/// Whether nobody will ever await it any more.
async fn has_ended(link: &mut Link, saga_id: u64) -> Result<bool, ClientError> {
    let answer = link.ask("get_saga", json!({ "saga_id": saga_id })).await?;
    Ok(answer.fields.get("saga").is_none_or(|saga| !saga["ended_at"].is_null()))
}

fn told(error: ClientError, input: &[Pair]) -> Failure {
    let ClientError::Answered { code, .. } = &error else { return error.into() };
    match code {
        ErrorWord::Known(ErrorCode::UnknownSaga) => operate::told(error),
        ErrorWord::Known(_) | ErrorWord::Other(_) => pairs::told(error, input),
    }
}
