//! `sagaflow schema`: the JSON Schemas for editors, printed, written, or compared with what is
//! written. Makes no schema.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::exit::{Exit, Failure, Outcome};
use super::load;
use super::out::{self, Shape};
use crate::definition::read::{self, FileKind, Texts};
use crate::definition::spread::InTurn;
use crate::diag::{Diagnostic, Severity, render};
use crate::schema::{self, Vocabulary};
use crate::view::text::Tone;

/// Where schemas are compared when nothing is said.
const SCHEMAS: &str = "schemas";

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the schemas into this directory instead of printing them
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Write nothing; exit 1 when the schemas in --write DIR (default: schemas) are not these
    #[arg(long)]
    check: bool,
    /// Specialise them to this directory's catalog and sagas, so that editors complete names and
    /// fields
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

/// Prints, writes or compares.
pub(super) fn run(args: &Args) -> Outcome {
    let files = match &args.sagas {
        None => schema::files(None),
        Some(directory) => specialised(directory)?,
    };
    match &args.write {
        target if args.check => {
            check(args, target.as_deref().unwrap_or(Path::new(SCHEMAS)), &files)
        }
        Some(target) => write(target, &files),
        None => print(&files, args.shape),
    }
}

fn specialised(directory: &Path) -> Result<[(&'static str, String); 4], Failure> {
    of(load::files(&[directory.to_owned()], None)?.texts())
}

/// The schemas for these definitions, by file name.
///
/// # Errors
/// Their catalog is not valid.
pub(super) fn of(definitions: Texts) -> Result<[(&'static str, String); 4], Failure> {
    let (library, found) = read::load_by(definitions, &InTurn);
    let spoils = |one: &Diagnostic| {
        let source = library.sources.get(one.primary().file);
        let kind = source.and_then(|source| FileKind::of(&source.path));
        one.severity == Severity::Error && kind == Some(FileKind::Catalog)
    };
    if found.iter().any(spoils) {
        let text = render::human(&found, &library.sources, false);
        return Err(Failure::new(Exit::No, format!("the catalog is not valid\n\n{}", text.trim())));
    }
    Ok(schema::files(Some(Vocabulary { catalog: &library.catalog, sagas: &library.sagas })))
}

/// One object of all, by file name: laid out for reading, or on one line for tools.
fn print(files: &[(&'static str, String); 4], shape: Shape) -> Outcome {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let all: Map<String, Value> =
        files.iter().map(|(name, text)| ((*name).to_owned(), parsed(text))).collect();
    let all = Value::Object(all);
    if shape.is_json() {
        out::json(&all)?;
    } else {
        out::text(&format!("{all:#}\n"))?;
    }
    Ok(Exit::Fine)
}

fn write(target: &Path, files: &[(&'static str, String); 4]) -> Outcome {
    let wrong = |path: &Path, error: &std::io::Error| {
        Failure::new(Exit::No, format!("cannot write {}: {error}", path.display()))
    };
    fs::create_dir_all(target).map_err(|error| wrong(target, &error))?;
    for (name, text) in files {
        let path = target.join(name);
        fs::write(&path, text).map_err(|error| wrong(&path, &error))?;
        out::say(Tone::Faint, &format!("wrote {}", path.display()));
    }
    Ok(Exit::Fine)
}

fn check(args: &Args, target: &Path, files: &[(&'static str, String); 4]) -> Outcome {
    let stale = stale(target, files);
    let shown = target.display();
    if stale.is_empty() {
        out::say(Tone::Good, &format!("the schemas in {shown} are fresh"));
        return Ok(Exit::Fine);
    }
    let names = stale.join(", ");
    let message = match &args.sagas {
        Some(sagas) => {
            let sagas = sagas.display();
            format!(
                "not fresh in {shown}: {names}; write them anew: \
                 sagaflow schema --write {shown} --sagas {sagas}"
            )
        }
        None if are_of(target, Path::new(load::SAGAS)) => format!(
            "the schemas in {shown} are not the general ones, but those of {0}; check them with: \
             sagaflow schema --check --write {shown} --sagas {0}",
            load::SAGAS
        ),
        None => {
            format!(
                "not fresh in {shown}: {names}; write them anew: sagaflow schema --write {shown}"
            )
        }
    };
    Err(Failure::new(Exit::No, message))
}

/// The files of a directory that are not these.
fn stale(target: &Path, files: &[(&'static str, String); 4]) -> Vec<&'static str> {
    let differs = |(name, text): &&(&'static str, String)| {
        fs::read_to_string(target.join(name)).map_or(true, |written| written != *text)
    };
    files.iter().filter(differs).map(|(name, _)| *name).collect()
}

/// Whether what is written is specialised to these definitions, as `init` writes it.
fn are_of(target: &Path, sagas: &Path) -> bool {
    sagas.is_dir() && specialised(sagas).is_ok_and(|files| stale(target, &files).is_empty())
}
