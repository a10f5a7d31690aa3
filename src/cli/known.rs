//! `sagaflow blocks` and `sagaflow pods`: what the built-in targets know, read from the log, of a
//! launcher that runs or a dead one. Asks no process anything.

use serde_json::{Map, Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::out::{self, Shape};
use super::place::Where;
use super::source::now;
use crate::builtin::Builtin;
use crate::builtin::blocks::Block;
use crate::launcher::can_be;
use crate::log::{LogRead, LogReader};
use crate::view::text::{Line, Tone, visible};

/// Signs of a cell that are shown.
const CELL_MAX: usize = 120;

/// Arguments of `blocks` and `pods`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) place: Where,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the blocks: which turn runs in which process, and what a next one resumes.
pub(super) fn blocks(args: &Args) -> Outcome {
    let known = read(args)?;
    let blocks = known.blocks.iter().map(|(name, block)| block_object(name, block)).collect();
    let head = ["block_id", "status", "generation", "pid", "saga_id", "exit_code", "session_id"];
    print(args, "blocks", &head, blocks)
}

/// Prints the pods: who they are, below whom, and what they may write.
pub(super) fn pods(args: &Args) -> Outcome {
    let known = read(args)?;
    let listed = known.answer("pods", "list_pods", &json!({}), now());
    let pods = listed.and_then(|(_, mut fields)| fields.remove("pods"));
    let Some(Value::Array(pods)) = pods else { return Ok(Exit::Fine) };
    let head = ["pod_name", "state", "generation", "owner", "pid", "socket", "effective_write"];
    print(args, "pods", &head, pods)
}

fn read(args: &Args) -> Result<Builtin, Failure> {
    can_be(&args.place.data())?;
    let mut known = Builtin::default();
    for row in LogReader::open(&args.place.log())?.known()? {
        let body = row.body.unwrap_or_default();
        let restored = serde_json::from_str(&body).map_err(|error| error.to_string());
        let restored = restored.and_then(|body| known.restore(&row.target, &row.name, &body));
        restored.map_err(|why| {
            let words = format!("what the log knows of `{}` cannot be read: {why}", row.name);
            Failure::new(Exit::Log, words)
        })?;
    }
    Ok(known)
}

fn block_object(name: &str, block: &Block) -> Value {
    let turn = block.turn.as_ref();
    json!({
        "block_id": name,
        "status": block.status.word(),
        "status_version": block.status_version,
        "generation": block.generation,
        "exit_code": block.exit_code,
        "session_id": block.session.id(),
        "pid": turn.map(|turn| turn.pid),
        "process_start": turn.map(|turn| &turn.process_start),
        "saga_id": turn.map(|turn| turn.saga_id),
        "step": turn.map(|turn| &turn.step),
    })
}

/// Prints rows, under these headings.
pub(super) fn print(args: &Args, what: &str, head: &[&str], rows: Vec<Value>) -> Outcome {
    if args.shape.is_json() {
        out::json(&Value::Array(rows))?;
    } else if rows.is_empty() {
        out::say(Tone::Faint, &format!("no {what}"));
    } else {
        out::lines(&table(head, &rows))?;
    }
    Ok(Exit::Fine)
}

fn table(head: &[&str], rows: &[Value]) -> Vec<Line> {
    let heading: Vec<String> = head.iter().map(|key| key.to_uppercase()).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| head.iter().map(|key| cell(&row[*key])).collect()).collect();
    let widest = |column: usize| {
        let cells = cells.iter().chain([&heading]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    let padded = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        cells.collect::<String>().trim_end().to_owned()
    };
    let lines = cells.iter().map(|row| Line::of(Tone::Plain, padded(row)));
    [Line::of(Tone::Faint, padded(&heading))].into_iter().chain(lines).collect()
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(effective) => paths(effective),
        Value::Array(rules) => {
            rules.iter().filter_map(|rule| rule["target"].as_str()).collect::<Vec<_>>().join(" ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    if text.is_empty() {
        return "-".to_owned();
    }
    // Tools ask for JSON; a table is for people.
    let mut shown: String = visible(&text).chars().take(CELL_MAX + 1).collect();
    if shown.chars().count() > CELL_MAX {
        shown = shown.chars().take(CELL_MAX - 1).chain(['…']).collect();
    }
    shown
}

/// What may be written, and behind a minus what of it may not.
fn paths(effective: &Map<String, Value>) -> String {
    let targets = |key: &str, sign: &str| {
        let rules = effective.get(key).and_then(Value::as_array).into_iter().flatten();
        let targets = rules.filter_map(|rule| rule["target"].as_str());
        targets.map(|target| format!("{sign}{target}")).collect::<Vec<_>>()
    };
    [targets("allow", ""), targets("deny", "-")].concat().join(" ")
}
