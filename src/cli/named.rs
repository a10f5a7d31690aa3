//! Files that were named, among all that were read with them: what is said of these alone, and
//! which others they need. Reads none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::definition::read::FileKind;
use crate::definition::{Library, Saga};
use crate::diag::{Code, Diagnostic, Diagnostics, FileId, Severity};
use crate::plan::calls_of;

/// Files that were named, by the path as messages show it.
type Named = BTreeMap<String, PathBuf>;

/// What was found in the named files; beside it what is wrong with the catalogs, without which
/// nothing can be said of them, and mistakes that lie between sagas, one of them in these files.
pub(super) fn told(found: Diagnostics, library: &Library, named: &Named) -> Diagnostics {
    found_in(found, library, |file| named.contains_key(library.sources.path(file)))
}

/// The same of the named files and those of the sagas that they play, that these call, and so on:
/// what has to be right before the named ones can be played.
pub(super) fn of_needed(found: Diagnostics, library: &Library, named: &Named) -> Diagnostics {
    let needed = needed(library, named);
    found_in(found, library, |file| needed.contains(&file))
}

fn found_in(
    found: Diagnostics,
    library: &Library,
    is_ours: impl Fn(FileId) -> bool,
) -> Diagnostics {
    let is_told = |one: &Diagnostic| {
        let file = one.primary().file;
        let is_catalog = FileKind::of(library.sources.path(file)) == Some(FileKind::Catalog);
        is_ours(file)
            || (is_catalog && one.severity == Severity::Error)
            || (lies_between(one.code) && one.labels.iter().any(|(at, _)| is_ours(at.file)))
    };
    found.into_iter().filter(is_told).collect()
}

/// Whether the mistake may lie between sagas, so that each of them is wrong.
fn lies_between(code: Code) -> bool {
    [Code::DuplicateSaga, Code::SameKey, Code::SelfTrigger, Code::CallCycle].contains(&code)
}

/// Where a saga was not found it may be in any file that could not be read as one.
fn needed(library: &Library, named: &Named) -> BTreeSet<FileId> {
    let is_named = |file: FileId| named.contains_key(library.sources.path(file));
    let mut by_name: BTreeMap<&str, &Saga> = BTreeMap::new();
    for saga in &library.sagas {
        by_name.entry(&saga.name.value).or_insert(saga);
    }
    let files = library.sources.files().map(|(file, _)| file);
    let mut needed: BTreeSet<FileId> = files.filter(|file| is_named(*file)).collect();
    let played = library.scenarios.iter().filter(|played| is_named(played.span.file));
    let mut open: Vec<&str> = played.map(|played| played.saga.value.as_str()).collect();
    let own = library.sagas.iter().filter(|saga| is_named(saga.span.file));
    open.extend(own.flat_map(|saga| calls_of(saga)).map(|name| name.value.as_str()));
    let mut misses = false;
    while let Some(name) = open.pop() {
        let Some(saga) = by_name.get(name) else {
            misses = true;
            continue;
        };
        if needed.insert(saga.span.file) {
            open.extend(calls_of(saga).into_iter().map(|name| name.value.as_str()));
        }
    }
    if misses {
        let read: BTreeSet<FileId> = library.sagas.iter().map(|saga| saga.span.file).collect();
        needed.extend(library.lost.keys().filter(|file| !read.contains(file)));
    }
    needed
}
