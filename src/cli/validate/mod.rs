//! `sagaflow validate`: all checks of definitions, all findings at once. Finds nothing itself.

mod fix;

use std::path::PathBuf;

use super::exit::{Exit, Failure, Outcome};
use super::load;
use super::named;
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
    /// Directory whose catalogs and sagas are known [default: sagas, and for a single file its own
    /// directory]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Apply every sure fix, check again, and print what is left
    #[arg(long)]
    fix: bool,
    /// Print what --fix would change, as a diff, and change nothing
    #[arg(long, visible_alias = "diff")]
    dry_run: bool,
    /// Exit with 1 on warnings too
    #[arg(long)]
    deny_warnings: bool,
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

impl Args {
    fn is_json(&self) -> bool {
        self.json || self.format == Format::Json
    }
}

/// Prints the findings; errors among them make the exit code 1, warnings only when they are denied.
pub(super) fn run(args: &Args) -> Outcome {
    let (paths, vocabulary) = load::asked_for(&args.paths, args.sagas.as_deref());
    let files = load::with_scenarios(&paths, vocabulary)?;
    if args.dry_run {
        return fix::show(args, files);
    }
    let asked = files.asked.clone();
    let (mut loaded, fixed) = if args.fix {
        let mended = fix::mend(files);
        mended.write()?;
        (mended.loaded, Some(mended.done))
    } else {
        (Loaded::of_texts(files.texts()), None)
    };
    loaded.diagnostics = named::told(loaded.diagnostics, &loaded.defined, &asked);
    print(args, &loaded, asked.len(), fixed.as_deref())?;
    Ok(verdict(args, &loaded.diagnostics))
}

/// What the findings mean for who asked.
fn verdict(args: &Args, found: &Diagnostics) -> Exit {
    let denied = found.has_errors() || (args.deny_warnings && !found.is_empty());
    if denied { Exit::No } else { Exit::Fine }
}

fn print(
    args: &Args,
    loaded: &Loaded,
    asked: usize,
    fixed: Option<&[fix::Done]>,
) -> Result<(), Failure> {
    let Loaded { defined: library, diagnostics: found, .. } = loaded;
    match if args.json { Format::Json } else { args.format } {
        Format::Human => {
            fix::say(fixed.unwrap_or_default(), "fixed");
            out::text(&render::human(found, &library.sources, out::colour()))?;
            summary(args, found, asked);
        }
        Format::Json => {
            let mut told = render::json(found, &library.sources, asked);
            if let Some(fixed) = fixed {
                told["fixed"] = fix::json(fixed);
            }
            out::json(&told)?;
        }
        Format::Sarif => out::json(&sarif::sarif(found, &library.sources))?,
        Format::Github => out::text(&render::github(found, &library.sources))?,
    }
    Ok(())
}

fn summary(args: &Args, found: &Diagnostics, files: usize) {
    let of = |severity: Severity| found.iter().filter(|one| one.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let tone = if verdict(args, found) == Exit::No { Tone::Bad } else { Tone::Good };
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
    let sure = found.iter().filter(|one| one.fix.is_some()).count();
    if sure > 0 && !args.fix {
        words.push_str(&format!("; --fix cures {sure} of them"));
    }
    if errors > 0 {
        words.push_str("; sagaflow explain CODE says more about one");
    }
    out::say(tone, &words);
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
