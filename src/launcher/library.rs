//! Reads a directory of definitions. What is wrong in them is the definitions' and the plans' to
//! say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::Library;
use crate::definition::read::{FileKind, Texts, load_by};
use crate::diag::Diagnostics;
use crate::limits::YAML_BYTES_MAX;
use crate::plan::{Plan, compile_library_by};

use super::cores::Cores;

/// Definitions that were read, checked and compiled.
#[derive(Debug)]
pub struct Loaded {
    /// What was written.
    pub defined: Library,
    /// What runs; complete only when `diagnostics` has no errors.
    pub plans: Vec<Arc<Plan>>,
    /// All that was found, of all files.
    pub diagnostics: Diagnostics,
}

impl Loaded {
    /// Checks and compiles texts that were read.
    #[must_use]
    pub fn of(files: Vec<(String, Vec<u8>)>) -> Loaded {
        Loaded::of_texts(files.into())
    }

    /// The same of a directory, in which some files may not be readable.
    #[must_use]
    pub fn of_texts(texts: Texts) -> Loaded {
        let (library, mut diagnostics) = load_by(texts, &Cores);
        let (plans, found) = compile_library_by(&library, &Cores);
        diagnostics.append(found);
        diagnostics.sort();
        Loaded { defined: library, plans, diagnostics }
    }
}

/// What a file holds by its name; scenarios are for authors, and looked at only for them.
#[must_use]
pub fn kind_of(path: &Path, scenarios: bool) -> Option<FileKind> {
    let kind = FileKind::of(&path.to_string_lossy());
    kind.filter(|kind| scenarios || *kind != FileKind::Test)
}

/// A path as messages show it. One that is no UTF-8 is shown so that no two look alike.
#[must_use]
pub fn shown(path: &Path) -> String {
    let escaped = || path.as_os_str().as_encoded_bytes().escape_ascii().to_string();
    path.to_str().map_or_else(escaped, str::to_owned)
}

/// The definitions of a directory, in the order of their names; it is looked at no deeper.
///
/// # Errors
/// The directory cannot be read.
pub fn definitions_in(directory: &Path, scenarios: bool) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if kind_of(&path, scenarios).is_some() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads the saga and catalog files of a directory, in the order of their names. Scenarios are left
/// out: what is wrong in one keeps nothing from running.
///
/// # Errors
/// The directory cannot be read.
pub fn read_directory(directory: &Path) -> io::Result<Texts> {
    let mut texts = Texts::default();
    for path in definitions_in(directory, false)? {
        match read_definition(&path) {
            Ok(bytes) => texts.files.push((shown(&path), bytes)),
            Err(error) => texts.unreadable.push((shown(&path), error.to_string())),
        }
    }
    Ok(texts)
}

/// Reads one definition, as [`read_text`] does.
///
/// # Errors
/// It cannot be read, or is no plain file: a pipe without a writer would be waited for for ever.
pub fn read_definition(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    read_text(path)
}

/// Reads what a person wrote for us to read, from a pipe too; of more than a file may hold no more
/// than its reader needs to say so.
///
/// # Errors
/// It cannot be read.
pub fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    io::Read::read_to_end(&mut io::Read::take(file, YAML_BYTES_MAX as u64 + 1), &mut bytes)?;
    Ok(bytes)
}
