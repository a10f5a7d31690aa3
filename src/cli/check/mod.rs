//! `sagaflow check`: every history of each saga. Explores none itself.

mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::cases;
use super::exit::{Exit, Failure, Outcome};
use super::load;
use super::named;
use super::out::{self, Shape};
use crate::clock::Clock;
use crate::definition::{Library, Scenarios};
use crate::diag::render;
use crate::launcher::{Cores, Loaded};
use crate::plan::Plan;
use crate::sim::check::{Bounds, Checked, Progress, Story, check_on};
use crate::time::{Millis, Timestamp};
use crate::view::text::Tone;

/// How long it may take before it says how far it has come.
const PATIENCE: Millis = Millis(1_000);

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sagas, or directories of them [default: the directory of --sagas]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Directory whose catalogs and sagas are known [default: sagas, and for a single file its own
    /// directory]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    /// Things that happen in one history, at most [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// Append each counterexample as a case to the scenarios of its saga
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    shape: Shape,
}

/// One saga and what was found.
struct Tried {
    plan: Arc<Plan>,
    checked: Checked,
}

/// Explores all, prints what was found; a counterexample makes the exit code 1.
pub(super) fn run(args: &Args) -> Outcome {
    let (mut paths, vocabulary) = load::asked_for(&args.paths, args.sagas.as_deref());
    let files = if args.write {
        paths = paths.into_iter().flat_map(load::with_its_scenarios).collect();
        load::with_scenarios(&paths, vocabulary)?
    } else {
        load::files(&paths, vocabulary)?
    };
    let asked = files.asked.clone();
    let Loaded { defined: library, plans, diagnostics: found } = Loaded::of_texts(files.texts());
    let found = named::of_needed(found, &library, &asked);
    if found.has_errors() {
        let text = render::human(&found, &library.sources, out::colour());
        let message = "the definitions are not valid, so no saga is explored";
        return Err(Failure::new(Exit::No, format!("{message}\n\n{}", text.trim_end())));
    }
    let all = plans;
    let plans = all
        .iter()
        .filter(|plan| path_of(&library, plan).is_some_and(|path| asked.contains_key(path)));
    let plans: Vec<Arc<Plan>> = plans.cloned().collect();
    if plans.is_empty() {
        let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::usage(format!("there is no *.saga.yaml in {}", named.join(", "))));
    }
    let tried = explore(&library, (&plans, &all), args.depth);
    if args.shape.is_json() {
        out::json(&report::json(&tried))?;
    } else {
        out::lines(&report::human(&tried))?;
        report::summary(&tried, args.write);
    }
    if args.write {
        write(&library, &asked, &tried)?;
    }
    let fails = tried.iter().any(|one| one.checked.counterexample.is_some());
    Ok(if fails { Exit::No } else { Exit::Fine })
}

fn path_of<'a>(library: &'a Library, plan: &Plan) -> Option<&'a str> {
    let saga = library.sagas.iter().find(|saga| saga.name.value == *plan.name)?;
    Some(library.sources.path(saga.span.file))
}

fn explore(
    library: &Library,
    (plans, all): (&[Arc<Plan>], &[Arc<Plan>]),
    depth: Option<u32>,
) -> Vec<Tried> {
    let catalog = Arc::new(library.catalog.clone());
    let mut clock = Clock::start(Timestamp::default());
    let started = clock.now();
    let mut told = started;
    let mut tried = Vec::new();
    for plan in plans {
        let mut tell = |at: Progress| {
            let now = clock.now();
            if now.since(started) >= PATIENCE && now.since(told).0 >= PATIENCE.0 / 10 {
                told = now;
                out::progress(&report::progress(&plan.name, at));
            }
        };
        let bounds = Bounds { depth, ..Bounds::default() };
        let checked = check_on(&Cores, &catalog, (plan, all), bounds, &mut tell);
        tried.push(Tried { plan: plan.clone(), checked });
    }
    if told > started {
        out::progress("");
    }
    tried
}

/// Appends the counterexamples to the scenarios of their sagas; one that is there is left alone.
fn write(
    library: &Library,
    asked: &BTreeMap<String, PathBuf>,
    tried: &[Tried],
) -> Result<(), Failure> {
    for one in tried {
        let Some((_, story)) = &one.checked.counterexample else { continue };
        let name = &*one.plan.name;
        let Some(own) = path_of(library, &one.plan).and_then(|own| asked.get(own)) else {
            continue;
        };
        let Story { script: Some(script), name: case, .. } = story else {
            let words = "something in it cannot be said in a case";
            out::warn(&format!("the counterexample of `{name}` is not written: {words}"));
            continue;
        };
        let file = library.scenarios.iter().rfind(|file| file.saga.value == name);
        let at = file.and_then(|file| asked.get(library.sources.path(file.span.file)));
        let path = at.cloned().unwrap_or_else(|| load::scenarios_of(own));
        let has = |file: &Scenarios| file.cases.iter().any(|known| known.name.value == *case);
        if file.is_some_and(has) {
            let path = path.display();
            out::say(Tone::Faint, &format!("{path} has the case `{case}` already"));
            continue;
        }
        cases::append(&library.sources, file, name, &path, &[(case, script)])?;
        out::say(Tone::Faint, &format!("added a case to {}", path.display()));
    }
    Ok(())
}
