//! `sagaflow show`: one saga as a timeline, from the launcher or from the log of a dead one.

use serde_json::{Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on};
use super::out::{self, Shape};
use super::place::Where;
use super::source::{Source, now, source};
use crate::ids::SagaId;
use crate::launcher::Pictures;
use crate::log::LogRead;
use crate::view::text;

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which saga
    #[arg(value_name = "ID")]
    saga_id: u64,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the saga.
pub(super) fn run(args: &Args) -> Outcome {
    let saga = match source(&args.place)? {
        Source::Launcher(socket) => {
            let mut saga = Value::Null;
            block_on(async {
                let mut link = Link::open(&socket).await?;
                let answer = link.ask("get_saga", json!({ "saga_id": args.saga_id })).await?;
                link.close().await;
                saga = answer.fields.get("saga").cloned().unwrap_or_default();
                Ok(Exit::Fine)
            })?;
            saga
        }
        Source::Log(log) => match log.saga(SagaId(args.saga_id))? {
            Some(stored) => Pictures::default().of(&log, &stored, None).detail(),
            None => return Err(unknown(args.saga_id)),
        },
    };
    if args.shape.is_json() {
        out::json(&saga)?;
    } else {
        out::lines(&text::page(&saga, now()))?;
    }
    Ok(Exit::Fine)
}

pub(super) fn unknown(saga_id: u64) -> Failure {
    let message = format!(
        "there is no saga {saga_id} in this log; it may be older than the retention, \
         see the list with: sagaflow ps"
    );
    Failure::new(Exit::No, message)
}
