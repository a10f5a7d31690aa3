//! Definitions from files and directories. Reads them, and leaves it to the floors below to say
//! what is wrong with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::definition::read::FileKind;
use crate::launcher::read_definition;

/// Where definitions are looked for when nothing is said.
pub(super) const SAGAS: &str = "sagas";

/// Files as the readers below want them, in a stable order.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Path as the user would write it, and content.
    pub list: Vec<(String, Vec<u8>)>,
    /// How many of them were asked for; the others are catalogs that stand beside those.
    pub asked: usize,
}

/// Reads the definitions that the paths name: of a directory all that it holds; of a file
/// that one, with the catalogs of `vocabulary` or else those that stand beside it.
///
/// # Errors
/// A path cannot be read, or no definition is there: silence would look like a clean bill.
pub(super) fn files(paths: &[PathBuf], vocabulary: Option<&Path>) -> Result<Files, Failure> {
    gather(paths, vocabulary, false)
}

/// The same with scenarios; beside a file of them stand the sagas of its directory.
///
/// # Errors
/// As [`files`].
pub(super) fn with_scenarios(
    paths: &[PathBuf],
    vocabulary: Option<&Path>,
) -> Result<Files, Failure> {
    gather(paths, vocabulary, true)
}

/// The path, and where it is that of a saga, the scenarios of its name that stand beside it.
pub(super) fn with_its_scenarios(path: PathBuf) -> impl Iterator<Item = PathBuf> {
    let stem = path.to_str().and_then(|path| path.strip_suffix(".saga.yaml"));
    let beside = stem.map(|stem| PathBuf::from(format!("{stem}.test.yaml")));
    std::iter::once(path).chain(beside.filter(|beside| beside.exists()))
}

fn gather(paths: &[PathBuf], vocabulary: Option<&Path>, scenarios: bool) -> Result<Files, Failure> {
    let kind = |path: &Path| kind(path, scenarios);
    let list = |path: &Path, into: &mut BTreeSet<PathBuf>| list(path, scenarios, into);
    let mut asked = BTreeSet::new();
    let mut beside = BTreeSet::new();
    for path in paths {
        let about = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if about.is_dir() {
            list(path, &mut asked)?;
        } else if kind(path).is_none() {
            return Err(not_ours(path));
        } else {
            asked.insert(path.clone());
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            beside.insert(parent.unwrap_or(Path::new(".")).to_owned());
        }
    }
    if asked.is_empty() {
        return Err(nothing_in(paths));
    }
    let mut around = BTreeSet::new();
    match vocabulary {
        Some(directory) => list(directory, &mut around)?,
        None => {
            for directory in &beside {
                list(directory, &mut around)?;
            }
        }
    }
    let mut files = Files { list: Vec::new(), asked: asked.len() };
    // A file of scenarios is nothing without the saga that it names.
    let plays = asked.iter().any(|path| kind(path) == Some(FileKind::Test));
    let serves = |path: &PathBuf| match kind(path) {
        Some(FileKind::Catalog) => true,
        Some(FileKind::Saga) => plays,
        Some(FileKind::Test) | None => false,
    };
    let catalogs = around.into_iter().filter(serves);
    let known: BTreeSet<PathBuf> =
        asked.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let catalogs = catalogs.filter(|path| path.canonicalize().is_ok_and(|p| !known.contains(&p)));
    for path in catalogs.chain(asked.iter().cloned()) {
        let bytes = read_definition(&path).map_err(|error| unreadable(&path, &error))?;
        files.list.push((shown(&path), bytes));
    }
    Ok(files)
}

/// All definitions of a directory, which may have none.
///
/// # Errors
/// It cannot be read.
pub(super) fn beside(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut paths = BTreeSet::new();
    list(directory, false, &mut paths)?;
    let read = |path: PathBuf| {
        let bytes = read_definition(&path).map_err(|error| unreadable(&path, &error))?;
        Ok((shown(&path), bytes))
    };
    paths.into_iter().map(read).collect()
}

/// The definitions and scenarios that the paths name, and nothing beside them: path, path as
/// messages show it, content.
///
/// # Errors
/// As [`files`].
pub(super) fn named(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String, Vec<u8>)>, Failure> {
    let mut asked = BTreeSet::new();
    for path in paths {
        let about = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if about.is_dir() {
            list(path, true, &mut asked)?;
        } else if kind(path, true).is_none() {
            return Err(not_ours(path));
        } else {
            asked.insert(path.clone());
        }
    }
    if asked.is_empty() {
        return Err(nothing_in(paths));
    }
    let read = |path: PathBuf| {
        let bytes = read_definition(&path).map_err(|error| unreadable(&path, &error))?;
        let shown = shown(&path);
        Ok((path, shown, bytes))
    };
    asked.into_iter().map(read).collect()
}

/// The path as messages show it: relative as it was given, without a leading `./`.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).to_string_lossy().into_owned()
}

/// What the file holds by its name; scenarios are for some commands only.
fn kind(path: &Path, scenarios: bool) -> Option<FileKind> {
    FileKind::of(&path.to_string_lossy()).filter(|kind| match kind {
        FileKind::Catalog | FileKind::Saga => true,
        FileKind::Test => scenarios,
    })
}

/// Adds the definitions of one directory; as the launcher does, it looks no deeper.
fn list(directory: &Path, scenarios: bool, into: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| unreadable(directory, &error);
    for entry in fs::read_dir(directory).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if kind(&path, scenarios).is_some() {
            into.insert(path);
        }
    }
    Ok(())
}

/// Definitions that cannot be read: with what would name better ones.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    if path == Path::new(SAGAS) && error.kind() == std::io::ErrorKind::NotFound {
        return Failure::usage(format!(
            "there is no directory `{SAGAS}` here; say where the definitions are with --sagas DIR, \
             or begin some here: sagaflow init"
        ));
    }
    let path = path.display();
    Failure::usage(format!(
        "cannot read {path}: {error}; name the definitions, or their directory with --sagas DIR"
    ))
}

fn not_ours(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} is no definition by its name; definitions are called NAME.saga.yaml and \
         NAME.catalog.yaml",
        path.display()
    ))
}

fn nothing_in(paths: &[PathBuf]) -> Failure {
    let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let named = named.join(", ");
    Failure::usage(format!("no *.saga.yaml and no *.catalog.yaml in {named}"))
}
