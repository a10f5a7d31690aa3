//! `sagaflow watch`: the bus as it happens, for people or as JSON lines. Keeps nothing.

use serde_json::{Map, Value};

use super::exit::{Exit, Failure, Outcome};
use super::link::{Link, block_on};
use super::out::{self, Shape};
use super::place::Where;
use crate::ids::Seq;
use crate::ipc::client::{Event, ServerLine};
use crate::view::text::{Line, Tone, tone_of};

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which events: a name, or a pattern with * and ?
    #[arg(default_value = "*")]
    glob: String,
    /// Steps of sagas too; else they are told only to a pattern that names saga_step
    #[arg(long)]
    steps: bool,
    /// First what came after this version, then what comes
    #[arg(long, value_name = "VERSION")]
    since: Option<u64>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Prints events until the launcher ends or nobody reads any more.
pub(super) fn run(args: &Args) -> Outcome {
    let socket = args.place.socket();
    let mut globs = vec![args.glob.as_str()];
    if args.steps {
        globs.push("saga_step");
    }
    block_on(async {
        let mut link = Link::subscribed(&socket, &globs, args.since.map(Seq)).await?;
        while let Some(line) = link.client().next().await? {
            match line {
                // An answer carries the asker's id; what is left is the bus, and `lagged`.
                ServerLine::Event(event) if event.id.is_none() => print(args, &event)?,
                ServerLine::Event(_) | ServerLine::Command(_) => {}
            }
        }
        let gone = "the launcher ended; watch again when one runs: sagaflow watch --since VERSION";
        Err::<Exit, _>(Failure::new(Exit::Unreachable, gone))
    })
}

fn print(args: &Args, event: &Event) -> Result<(), Failure> {
    if args.shape.is_json() {
        out::json_line(&event.raw)?;
    } else {
        out::stream(&[line(event)])?;
    }
    Ok(())
}

/// One event for a person: its version, its name, its saga, its fields.
fn line(event: &Event) -> Line {
    let mut fields: Map<String, Value> = event.fields.clone();
    let saga = fields.shift_remove("saga_id");
    let step = fields.shift_remove("step");
    let mut line = Line::of(Tone::Faint, format!("{:>8}  ", event.version.0));
    line = line.and(tone(event), event.name.as_str());
    if let Some(saga) = saga {
        let step = step.as_ref().and_then(Value::as_str);
        let step = step.map_or(String::new(), |step| format!(".{step}"));
        line = line.and(Tone::Strong, format!("  {saga}{step}"));
    }
    for (name, value) in &fields {
        line = line.and(Tone::Faint, format!("  {name}=")).and(Tone::Plain, shown(value));
    }
    line
}

fn tone(event: &Event) -> Tone {
    let state = |name: &str| event.fields.get(name).and_then(Value::as_str).unwrap_or("");
    match event.name.as_str() {
        "saga_completed" => Tone::Good,
        "saga_failed" => tone_of(state("state")),
        "saga_step" => tone_of(state("state")),
        "lagged" | "error" => Tone::Bad,
        "saga_started" | "saga_resolved" => Tone::Busy,
        _ => Tone::Strong,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '\n']) => text.clone(),
        Value::String(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => value.to_string(),
    }
}
