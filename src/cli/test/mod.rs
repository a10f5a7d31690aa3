//! `sagaflow test`: scenarios played in virtual time. Plays none itself.

mod coverage;
mod fill;
mod junit;
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{Exit, Failure, Outcome};
use super::load;
use super::named;
use super::out::{self, Shape};
use crate::definition::{Catalog, Library, Scenarios};
use crate::diag::{Span, render};
use crate::launcher::Loaded;
use crate::plan::Plan;
use coverage::Covered;

use crate::sim::{Judged, Played, judge};

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of scenarios, sagas with scenarios beside them, directories [default: the directory of
    /// --sagas]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Directory whose catalogs and sagas are known [default: sagas, and for a single file its own
    /// directory]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    /// Write the results as JUnit XML as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Append cases for what no case reaches; a saga without scenarios gets a file of them
    #[arg(long)]
    fill: bool,
    #[command(flatten)]
    shape: Shape,
}

/// One case and what became of it.
struct Tried {
    name: String,
    span: Span,
    judged: Judged,
}

/// One file and what became of its cases.
struct Suite {
    path: String,
    saga: Arc<Plan>,
    cases: Vec<Tried>,
}

/// Everything that was played.
struct Results {
    suites: Vec<Suite>,
    covered: Vec<Covered>,
    defined: Library,
    catalog: Arc<Catalog>,
    plans: Vec<Arc<Plan>>,
    /// Files that were asked for, and do not only stand beside these: where each is, by the path
    /// as messages show it.
    asked: BTreeMap<String, PathBuf>,
}

impl Results {
    fn cases(&self) -> impl Iterator<Item = &Tried> {
        self.suites.iter().flat_map(|suite| &suite.cases)
    }

    fn failed(&self) -> usize {
        self.cases().filter(|case| !case.judged.passed()).count()
    }

    /// Where the first difference of a case stands, or else the case.
    fn place(&self, case: &Tried) -> String {
        let differs = case.judged.played.as_ref().and_then(Played::differs_at);
        let span = differs.unwrap_or(case.span);
        let at = self.defined.sources.place(span);
        format!("{}:{}:{}", self.defined.sources.path(span.file), at.line, at.column)
    }
}

/// Plays all, prints the results; a case that fails makes the exit code 1.
pub(super) fn run(args: &Args) -> Outcome {
    let (paths, vocabulary) = load::asked_for(&args.paths, args.sagas.as_deref());
    let mut results = play(&paths, vocabulary, args.fill)?;
    if args.fill && results.failed() == 0 {
        fill::fill(&results)?;
        results = play(&paths, vocabulary, false)?;
    }
    if let Some(path) = &args.junit {
        fs::write(path, junit::junit(&results))
            .map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())))?;
    }
    if args.shape.is_json() {
        out::json(&report::json(&results))?;
    } else {
        out::lines(&report::human(&results, width()))?;
        report::summary(&results);
    }
    Ok(if results.failed() > 0 { Exit::No } else { Exit::Fine })
}

/// Plays all that there is; `none_will_do`: there may be nothing yet.
fn play(
    paths: &[PathBuf],
    vocabulary: Option<&Path>,
    none_will_do: bool,
) -> Result<Results, Failure> {
    // Anew each time: those of a saga may have been written meanwhile.
    let paths: Vec<PathBuf> = paths.iter().cloned().flat_map(load::with_its_scenarios).collect();
    let files = load::with_scenarios(&paths, vocabulary)?;
    let asked = files.asked.clone();
    let Loaded { defined: library, plans, diagnostics: found } = Loaded::of_texts(files.texts());
    let found = named::of_needed(found, &library, &asked);
    if found.has_errors() {
        let text = render::human(&found, &library.sources, out::colour());
        let message = "the definitions are not valid, so no scenario is played";
        return Err(Failure::new(Exit::No, format!("{message}\n\n{}", text.trim_end())));
    }
    if library.scenarios.is_empty() && !none_will_do {
        let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let named = named.join(", ");
        return Err(Failure::usage(format!(
            "there are no scenarios (*.test.yaml) in {named}; write one beside its saga, or let \
             --fill write them"
        )));
    }
    let catalog = Arc::new(library.catalog.clone());
    let suite = |file: &Scenarios| {
        // Valid scenarios name a saga that there is.
        let saga = plans.iter().find(|plan| *plan.name == *file.saga.value)?.clone();
        let cases = file.cases.iter().map(|case| Tried {
            name: case.name.value.clone(),
            span: case.name.span,
            judged: judge(&catalog, &saga, file, case),
        });
        let path = library.sources.path(file.span.file).to_owned();
        Some(Suite { path, cases: cases.collect(), saga: saga.clone() })
    };
    let suites: Vec<Suite> = library.scenarios.iter().filter_map(suite).collect();
    let covered = coverage::covered(&suites);
    Ok(Results { suites, covered, defined: library, catalog, plans, asked })
}

/// Columns of the terminal, or what `COLUMNS` says; into a file as many as are read well.
fn width() -> usize {
    const IN_A_FILE: usize = 100;
    let said = std::env::var("COLUMNS").ok().and_then(|said| said.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    said.or_else(terminal).unwrap_or(IN_A_FILE)
}
