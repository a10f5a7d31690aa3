//! `sagaflow start`: starts a saga by name, and with `--wait` prints how it ended. Waits for no
//! other.

use serde_json::{Map, Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on, object};
use super::out::{self, Shape};
use super::pairs::{self, Pair};
use super::place::Where;
use crate::ipc::client::{ClientError, Event};
use crate::view::text::{Line, Tone, tone_of};

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of a saga with a `call` trigger
    saga: String,
    /// The trigger's fields: JSON where it is JSON, else a string (a string that looks like a
    /// number: label='"3"')
    #[arg(value_name = "KEY=VALUE", value_parser = pairs::parse)]
    input: Vec<Pair>,
    /// Wait for its end and print its result; exit 1 unless it completed
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Starts the saga; its id is data, how it went on is talk.
pub(super) fn run(args: &Args) -> Outcome {
    let input = pairs::object(&args.input).map_err(Failure::usage)?;
    let socket = args.place.socket();
    block_on(async {
        let mut link = Link::open(&socket).await?;
        let ask = object(json!({ "saga": args.saga, "input": input, "wait": args.wait }));
        let id = link.client().send("start_saga", &ask).await?;
        let accepted = link.client().answer(&id).await;
        let accepted = accepted.map_err(|error| pairs::told(error, &args.input))?;
        let saga_id = accepted.fields.get("saga_id").cloned().unwrap_or_default();
        if !args.wait {
            link.close().await;
            return print_id(args, &saga_id);
        }
        out::say(Tone::Faint, &format!("saga {saga_id} {} began", args.saga));
        let ended = match link.client().answer(&id).await {
            Ok(ended) => ended,
            Err(error) => return Err(lost(&error, &saga_id)),
        };
        link.close().await;
        print_end(args, ended)
    })
}

fn print_id(args: &Args, saga_id: &Value) -> Outcome {
    if args.shape.is_json() {
        out::json(&json!({ "saga_id": saga_id }))?;
    } else {
        out::say(Tone::Faint, &format!("{} began; sagaflow show {saga_id}", args.saga));
        out::text(&format!("{saga_id}\n"))?;
    }
    Ok(Exit::Fine)
}

fn print_end(args: &Args, ended: Event) -> Outcome {
    let state = word(&ended.fields, "state").to_owned();
    let exit = if state == "completed" { Exit::Fine } else { Exit::No };
    if args.shape.is_json() {
        let mut result = ended.fields;
        for name in ["cause", "result", "reason"] {
            result.entry(name).or_insert(Value::Null);
        }
        out::json(&Value::Object(result))?;
        return Ok(exit);
    }
    let why = match (word(&ended.fields, "cause"), word(&ended.fields, "reason")) {
        ("", "") => String::new(),
        (cause, reason) => format!(" ({cause}): {reason}"),
    };
    let saga_id = ended.fields.get("saga_id").unwrap_or(&Value::Null);
    out::say(tone_of(&state), &format!("saga {saga_id} {state}{why}"));
    if let Some(result) = ended.fields.get("result") {
        out::lines(&[Line::of(Tone::Plain, result.to_string())])?;
    }
    Ok(exit)
}

fn lost(error: &ClientError, saga_id: &Value) -> Failure {
    match error {
        ClientError::Answered { .. } => Failure::new(Exit::No, error.to_string()),
        ClientError::Connect(_)
        | ClientError::Io(_)
        | ClientError::Closed
        | ClientError::NotALauncher(_) => Failure::new(
            Exit::Unreachable,
            format!(
                "the launcher is gone; saga {saga_id} is in its log and goes on when one runs \
                 again: sagaflow show {saga_id}"
            ),
        ),
    }
}

fn word<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}
