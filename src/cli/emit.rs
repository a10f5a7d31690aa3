//! `sagaflow emit`: reports one event, as any client may. Whether it is durable is the launcher's
//! word.

use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on};
use super::out::{self, Shape};
use super::pairs::{self, Pair};
use super::place::Where;
use crate::view::text::Tone;

/// Arguments of `emit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the event, as the catalog declares it
    event: String,
    /// Its fields: JSON where it is JSON, else a string (a string that looks like a number:
    /// label='"3"')
    #[arg(value_name = "KEY=VALUE", value_parser = pairs::parse)]
    fields: Vec<Pair>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Reports the event, and says under which version it is durable.
pub(super) fn run(args: &Args) -> Outcome {
    let mut fields = pairs::of_a_report(&args.fields).map_err(Failure::usage)?;
    fields.shift_insert(0, "event".to_owned(), args.event.as_str().into());
    let socket = args.place.socket();
    block_on(async {
        let mut link = Link::open(&socket).await?;
        let accepted = link.client().ask("report", &fields).await;
        let accepted = accepted.map_err(|error| pairs::told(error, &args.fields))?;
        link.close().await;
        let version = accepted.version.0;
        if args.shape.is_json() {
            out::json(&json!({ "event": args.event, "version": version }))?;
        } else {
            out::say(Tone::Faint, &format!("{} accepted as version {version}", args.event));
        }
        Ok(Exit::Fine)
    })
}
