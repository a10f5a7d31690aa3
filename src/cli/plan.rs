//! `sagaflow plan`: what a saga may cost before it runs, path by path. Adds nothing up itself.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::load::{self, SAGAS};
use super::out::{self, Shape};
use crate::diag::{Diagnostics, render};
use crate::launcher::Loaded;
use crate::limits::FOR_EACH_MAX;
use crate::plan::Plan;
use crate::plan::budget::{self, Bounds, End, Forecast, Path, Share, Turn};
use crate::time::Millis;
use crate::view::text::{Line, Tone};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the saga
    saga: String,
    /// Directory of the definitions
    #[arg(long, value_name = "DIR", default_value = SAGAS)]
    sagas: PathBuf,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the paths.
pub(super) fn run(args: &Args) -> Outcome {
    let plan = find(&args.sagas, &args.saga)?;
    let forecast = budget::forecast(&plan);
    if args.shape.is_json() {
        out::json(&document(&plan, &forecast))?;
    } else {
        out::lines(&page(&plan, &forecast))?;
    }
    Ok(Exit::Fine)
}

/// The plan of a saga by its name.
fn find(directory: &FilePath, name: &str) -> Result<Arc<Plan>, Failure> {
    let files = load::files(&[directory.to_owned()], None)?;
    let Loaded { defined: library, plans, diagnostics: found } = Loaded::of_texts(files.texts());
    if !library.sagas.iter().any(|saga| saga.name.value == name) && !found.has_errors() {
        return Err(load::no_saga(name, directory, plans.iter().map(|plan| &*plan.name)));
    }
    let saga = library.sagas.iter().find(|saga| saga.name.value == name);
    let concerns = |file| saga.is_none_or(|saga| saga.span.file == file);
    let plan = plans.into_iter().find(|plan| *plan.name == *name);
    match plan.filter(|_| !saga.is_some_and(|saga| found.has_errors_in(saga.span.file))) {
        Some(plan) => Ok(plan),
        None => {
            let own: Diagnostics =
                found.into_iter().filter(|one| concerns(one.primary().file)).collect();
            let text = render::human(&own, &library.sources, false);
            let message = format!("`{name}` cannot be planned before it is valid\n\n{text}");
            Err(Failure::new(Exit::No, message.trim_end()))
        }
    }
}

fn document(plan: &Plan, forecast: &Forecast) -> Value {
    let paths: Vec<Value> = forecast.paths.iter().map(path).collect();
    let shares = budget::shares(plan);
    let steps: Vec<Value> = shares.iter().map(|share| step(plan, share)).collect();
    json!({
        "saga": &*plan.name,
        "mode": if plan.observes { "observe" } else { "live" },
        "deadline_ms": plan.timeout,
        "steps": steps,
        "steps_total_ms": budget::sum(&shares),
        "paths": paths,
        "paths_total": forecast.total,
        "exhaustive": is_whole(forecast),
        "any_path": bounds(forecast.any),
    })
}

fn step(plan: &Plan, share: &Share) -> Value {
    json!({
        "step": &*plan.step(share.step).path,
        "attempts": share.attempts,
        "attempt_ms": share.attempt,
        "pauses_ms": share.pauses,
        "undoing_ms": share.undoing,
        "on_timeout_ms": share.instead,
        "total_ms": share.total(),
    })
}

fn path(path: &Path) -> Value {
    let mut object = bounds(path.bounds);
    let turns: Vec<Value> = path.turns.iter().map(|(step, taken)| turn(step, taken)).collect();
    object["turns"] = turns.into();
    object["end"] = match path.end {
        End::Completes => "completes".into(),
        End::Fails => "fails".into(),
    };
    object
}

fn bounds(bounds: Bounds) -> Value {
    json!({
        "best_ms": bounds.best,
        "worst_ms": bounds.worst,
        "undo_worst_ms": bounds.undo_worst,
        "commands_max": bounds.commands,
        "records_max": bounds.records,
    })
}

fn turn(step: &str, taken: &Turn) -> Value {
    match taken {
        Turn::Skipped => json!({ "step": step, "takes": "skipped" }),
        Turn::Runs => json!({ "step": step, "takes": "runs" }),
        Turn::TimesOut => json!({ "step": step, "takes": "times_out" }),
        Turn::Answer(place, event) => {
            json!({ "step": step, "takes": "answer", "event": &**event, "alternative": place })
        }
    }
}

fn is_whole(forecast: &Forecast) -> bool {
    forecast.total == forecast.paths.len() as u64
}

const COLUMNS: [&str; 5] = ["best", "worst", "undoing", "commands", "records"];

fn page(plan: &Plan, forecast: &Forecast) -> Vec<Line> {
    let deadline = plan.timeout.map_or("no deadline".to_owned(), |at| format!("deadline {at}"));
    let mode = if plan.observes { " · observes, so none of its commands is sent" } else { "" };
    let paths = if forecast.total == 1 { "path" } else { "paths" };
    let mut lines = vec![
        Line::of(Tone::Strong, &*plan.name)
            .and(Tone::Plain, format!(" · {} {paths} · {deadline}{mode}", forecast.total)),
        Line::default(),
    ];
    lines.extend(table(forecast));
    lines.push(Line::default());
    let shares = budget::shares(plan);
    if !shares.is_empty() {
        let sum = budget::words(plan, &shares);
        let sum = format!("steps, at worst: {} = {sum}", budget::sum(&shares));
        lines.push(Line::of(Tone::Plain, sum));
    }
    lines.extend(notes(plan, forecast).into_iter().map(|note| Line::of(Tone::Faint, note)));
    lines
}

fn table(forecast: &Forecast) -> Vec<Line> {
    let named = forecast.paths.iter().map(|path| (name(path), path.bounds));
    let mut rows: Vec<(String, [String; 5])> =
        named.map(|(name, bounds)| (name, cells(bounds))).collect();
    if forecast.total > 1 {
        rows.push(("any path".to_owned(), cells(forecast.any)));
    }
    let width = |at: usize| {
        let cells = rows.iter().map(|(_, cells)| cells[at].chars().count());
        cells.chain([COLUMNS[at].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let row = |cells: &[String; 5]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
        cells.collect::<Vec<_>>().join("  ")
    };
    let mut lines = vec![Line::of(Tone::Faint, format!("{}  path", row(&COLUMNS.map(Into::into))))];
    for (at, (name, cells)) in rows.iter().enumerate() {
        let tone = if at == forecast.paths.len() { Tone::Strong } else { Tone::Plain };
        lines.push(Line::of(tone, row(cells)).and(tone, format!("  {name}")));
    }
    lines
}

fn cells(bounds: Bounds) -> [String; 5] {
    let time = |at: Option<Millis>| at.map_or("no bound".to_owned(), shown);
    [
        shown(bounds.best),
        time(bounds.worst),
        time(bounds.undo_worst),
        bounds.commands.to_string(),
        bounds.records.to_string(),
    ]
}

/// A span as people read it; nothing is `0`.
fn shown(span: Millis) -> String {
    if span == Millis(0) { "0".to_owned() } else { span.to_string() }
}

fn name(path: &Path) -> String {
    let one = |(step, taken): &(Arc<str>, Turn)| match taken {
        Turn::Skipped => format!("{step} skipped"),
        Turn::Runs => format!("{step} runs"),
        Turn::TimesOut => format!("{step} times out"),
        Turn::Answer(_, event) => format!("{step} gets {event}"),
    };
    let mut words: Vec<String> = path.turns.iter().map(one).collect();
    match path.end {
        End::Fails => words.push("fails".to_owned()),
        End::Completes if words.is_empty() => words.push("straight on".to_owned()),
        End::Completes => {}
    }
    words.join(", ")
}

fn notes(plan: &Plan, forecast: &Forecast) -> Vec<String> {
    let mut notes = Vec::new();
    if !is_whole(forecast) {
        notes.push(format!(
            "{} of {} paths are listed; `any path` is a bound for all of them",
            forecast.paths.len(),
            forecast.total
        ));
    }
    notes.push(
        "undoing: from turning around to the end; commands and records: at most, undoing included"
            .to_owned(),
    );
    let loops = || plan.steps.iter().filter_map(|step| step.verb.as_loop());
    if loops().next().is_some() {
        notes.push(format!("commands and records of a loop: for {FOR_EACH_MAX} elements"));
    }
    if loops().any(|each| each.max_parallel.is_some()) {
        notes
            .push("a loop with `max_parallel` has no bound of time: each element adds some".into());
    }
    notes.push("conditions are not evaluated, and targets are taken to listen".to_owned());
    notes
}
