//! `sagaflow validate`: all checks of definitions, all findings at once. Finds nothing itself.

use std::path::PathBuf;

use super::exit::{Exit, Outcome};
use super::load::{self, SAGAS};
use super::out;
use crate::diag::{Diagnostics, Severity, render, sarif};
use crate::launcher::Loaded;
use crate::view::text::Tone;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Definitions, or directories of them [default: the directory of --sagas]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Directory whose catalogs are the vocabulary [default: sagas, and for a single file its own
    /// directory]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// Who reads the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// People: with the line, carets and what to do
    Human,
    /// Tools: one JSON object
    Json,
    /// GitHub: annotations beside the change
    Github,
    /// Code scanning: SARIF 2.1.0
    Sarif,
}

/// Prints the findings; errors among them make the exit code 1, warnings do not.
pub(super) fn run(args: &Args) -> Outcome {
    let default = args.sagas.clone().unwrap_or_else(|| PathBuf::from(SAGAS));
    let paths = if args.paths.is_empty() { vec![default] } else { args.paths.clone() };
    let vocabulary = args.sagas.as_deref().filter(|_| !args.paths.is_empty());
    let files = load::with_scenarios(&paths, vocabulary)?;
    let Loaded { library, diagnostics: found, .. } = Loaded::of(files.list);
    match if args.json { Format::Json } else { args.format } {
        Format::Human => {
            out::text(&render::human(&found, &library.sources, out::colour()))?;
            summary(&found, files.asked);
        }
        Format::Json => out::json(&render::json(&found, &library.sources, files.asked))?,
        Format::Sarif => out::json(&sarif::sarif(&found, &library.sources))?,
        Format::Github => out::text(&render::github(&found, &library.sources))?,
    }
    Ok(if found.has_errors() { Exit::No } else { Exit::Fine })
}

fn summary(found: &Diagnostics, files: usize) {
    let of = |severity: Severity| found.iter().filter(|one| one.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let tone = if errors > 0 { Tone::Bad } else { Tone::Good };
    let mut words = count(files, "file");
    if errors == 0 && warnings == 0 {
        words.push_str(", nothing wrong");
    }
    if errors > 0 {
        words.push_str(&format!(", {}", count(errors, "error")));
    }
    if warnings > 0 {
        words.push_str(&format!(", {}", count(warnings, "warning")));
    }
    if errors > 0 {
        words.push_str("; sagaflow explain CODE says more about one");
    }
    out::say(tone, &words);
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
