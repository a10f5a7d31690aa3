//! Files to definitions: text, tree, typed tree, all findings at once. Pure: it is given texts,
//! never paths to open.

mod catalog;
mod cure;
mod findings;
pub mod node;
pub mod object;
mod saga;
pub mod scalar;
mod scenario;
mod step;
pub mod values;
mod waits;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::definition::saga::Saga;
use crate::definition::scenario::Scenarios;
use crate::definition::spread::{InTurn, Spread};
use crate::definition::{Catalog, Library, Loss};
use crate::diag::{Allows, Code, Diagnostic, Diagnostics, FileId, Severity, SourceMap, Span};

pub use catalog::{BRACKETS, Origin};

/// What the engine itself brings: the launcher's own events, and the vocabularies of its built-in
/// targets, each in a file of its own.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("launcher.catalog.yaml", include_str!("../../targets/launcher.catalog.yaml")),
    ("subprocess.catalog.yaml", include_str!("../../targets/subprocess.catalog.yaml")),
    ("pods.catalog.yaml", include_str!("../../targets/pods.catalog.yaml")),
];

/// The same, read once: every load begins with these files, in this order, and their places are the
/// same in all of them.
static READ: LazyLock<Vec<catalog::Read>> = LazyLock::new(|| {
    let mut reader = Reader::default();
    let read = BUILT_IN.map(|(path, text)| {
        reader
            .catalog(Origin::Engine, path.to_owned(), text.as_bytes())
            .map(|(_, read)| read.owned())
    });
    assert!(reader.found.is_empty(), "what is built in is wrong: {:?}", reader.found);
    read.into_iter().flatten().collect()
});

/// What a file's name says that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `*.catalog.yaml`.
    Catalog,
    /// `*.saga.yaml`.
    Saga,
    /// `*.test.yaml`.
    Test,
}

impl FileKind {
    /// Judges by the name alone; `None` for a file that is none of ours.
    #[must_use]
    pub fn of(path: &str) -> Option<FileKind> {
        let kinds = [
            (".catalog.yaml", FileKind::Catalog),
            (".saga.yaml", FileKind::Saga),
            (".test.yaml", FileKind::Test),
        ];
        kinds.into_iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, kind)| kind)
    }
}

/// What stands in a directory.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Path and content of each file, in the order in which they are read.
    pub files: Vec<(String, Vec<u8>)>,
    /// Path of each file from which no text came, and why.
    pub unreadable: Vec<(String, String)>,
}

impl From<Vec<(String, Vec<u8>)>> for Texts {
    fn from(files: Vec<(String, Vec<u8>)>) -> Texts {
        Texts { files, unreadable: Vec::new() }
    }
}

/// Reads a directory's files: catalogs, sagas and scenarios, in the order given; other files are
/// passed over. One bad file never hides another.
#[must_use]
pub fn load(files: Vec<(String, Vec<u8>)>) -> (Library, Diagnostics) {
    load_by(files.into(), &InTurn)
}

/// The same, also of files that could not be read, with the reading of sagas shared out.
#[must_use]
pub fn load_by(texts: Texts, spread: &impl Spread) -> (Library, Diagnostics) {
    let mut reader = Reader::default();
    for (path, text) in BUILT_IN {
        let file = reader.sources.add(path.to_owned(), text);
        reader.catalogs.push(file);
    }
    let catalogs = READ.iter().map(|read| (Origin::Engine, read.clone())).collect();
    read_all(reader, catalogs, texts, spread)
}

/// Reads one saga as it was kept with the declarations that it uses \[L4\]: nothing is built in,
/// and the declarations may carry names that an author may not use.
#[must_use]
pub fn load_kept(saga: &str, catalog: &str) -> (Library, Diagnostics) {
    let mut reader = Reader::default();
    let path = "kept.catalog.yaml".to_owned();
    let own = reader.catalog(Origin::Engine, path, catalog.as_bytes());
    let saga = ("kept.saga.yaml".to_owned(), saga.as_bytes().to_vec());
    read_all(reader, own.into_iter().collect(), vec![saga].into(), &InTurn)
}

/// Reads an author's files behind the engine's own.
fn read_all(
    mut reader: Reader,
    mut catalogs: Vec<(Origin, catalog::Read)>,
    author: Texts,
    spread: &impl Spread,
) -> (Library, Diagnostics) {
    let mut texts = Vec::new();
    let mut scenarios = Vec::new();
    let Texts { files, unreadable } = author;
    for (path, bytes) in files {
        match FileKind::of(&path) {
            Some(FileKind::Catalog) => {
                catalogs.extend(reader.catalog(Origin::Author, path, &bytes));
            }
            Some(FileKind::Saga) => {
                let (file, text) = text(path, &bytes, &mut reader.sources, &mut reader.found);
                // What it holds is unknown as long as nothing of it was read.
                reader.lost.insert(file, BTreeSet::from([Loss::Part]));
                texts.extend(text.map(|text| (file, text)));
            }
            Some(FileKind::Test) => scenarios.extend(reader.scenarios(path, &bytes)),
            None => {}
        }
    }
    unreadable.into_iter().for_each(|(path, why)| reader.missed(path, &why));
    let sagas = spread.map(&texts, |(file, text)| saga_of(*file, text));
    let sagas: Vec<Arc<Saga>> = sagas.into_iter().filter_map(|read| reader.take(read)).collect();
    let mut found = reader.found;
    let catalog = catalog::merge(catalogs, &mut found);
    refuse_twins(&sagas, &mut found);
    let holes = |one: &Diagnostic| {
        reader.catalogs.contains(&one.primary().file) && !KEEPS_DECLARATIONS.contains(&one.code)
    };
    let catalog_is_whole = !found.iter().any(holes);
    let mut allows = Allows::of(&reader.sources);
    allows.silence(&mut found, &reader.sources);
    found.sort();
    let wrong = found.iter().filter(|one| one.severity == Severity::Error);
    let broken = wrong.map(|one| one.primary().file).collect();
    let (lost, sources) = (reader.lost, reader.sources);
    let library =
        Library { catalog, catalog_is_whole, sagas, scenarios, lost, broken, allows, sources };
    (library, found)
}

/// Reads one YAML document of any kind into a tree, with our rules about YAML: what is not a
/// definition but is written by the same hand.
pub fn document(
    path: String,
    bytes: &[u8],
    sources: &mut SourceMap,
    found: &mut Diagnostics,
) -> (FileId, Option<node::Node>) {
    let (file, text) = text(path, bytes, sources, found);
    (file, text.and_then(|text| yaml::parse(file, &text, found)))
}

/// A file among the sources, and its text.
fn text(
    path: String,
    bytes: &[u8],
    sources: &mut SourceMap,
    found: &mut Diagnostics,
) -> (FileId, Option<Arc<str>>) {
    let text: Arc<str> = String::from_utf8_lossy(bytes).into();
    let file = sources.add(path, Arc::clone(&text));
    if let Err(wrong) = std::str::from_utf8(bytes) {
        let at = wrong.valid_up_to();
        found.add_not_utf8(Span::new(file, at..at), at);
        return (file, None);
    }
    (file, Some(text))
}

/// One saga as far as it could be read, and what was found.
fn saga_of(file: FileId, text: &str) -> (Option<Saga>, Diagnostics) {
    let mut found = Diagnostics::default();
    let tree = yaml::parse(file, text, &mut found);
    (tree.and_then(|tree| saga::saga(tree, &mut found)), found)
}

#[derive(Default)]
struct Reader {
    sources: SourceMap,
    found: Diagnostics,
    catalogs: Vec<FileId>,
    lost: BTreeMap<FileId, BTreeSet<Loss>>,
}

impl Reader {
    fn tree(&mut self, path: String, bytes: &[u8]) -> (FileId, Option<node::Node>) {
        document(path, bytes, &mut self.sources, &mut self.found)
    }

    /// Notes a file from which no text came.
    fn missed(&mut self, path: String, why: &str) {
        let kind = FileKind::of(&path);
        let file = self.sources.add(path, "");
        self.found.add_unreadable(Span::new(file, 0..0), why);
        match kind {
            Some(FileKind::Catalog) => self.catalogs.push(file),
            Some(FileKind::Saga) => {
                self.lost.insert(file, BTreeSet::from([Loss::Part]));
            }
            Some(FileKind::Test) | None => {}
        }
    }

    fn catalog(
        &mut self,
        origin: Origin,
        path: String,
        bytes: &[u8],
    ) -> Option<(Origin, catalog::Read)> {
        let (file, tree) = self.tree(path, bytes);
        self.catalogs.push(file);
        Some((origin, catalog::catalog(tree?, origin, &mut self.found)))
    }

    fn scenarios(&mut self, path: String, bytes: &[u8]) -> Option<Scenarios> {
        scenario::scenarios(self.tree(path, bytes).1?, &mut self.found)
    }

    /// Takes a saga that was read, with what was lost on the way; of a file that gave none
    /// everything was.
    fn take(&mut self, (saga, found): (Option<Saga>, Diagnostics)) -> Option<Arc<Saga>> {
        let lost: BTreeSet<Loss> = found.iter().filter_map(loss).collect();
        self.found.append(found);
        let saga = saga?;
        self.lost.insert(saga.span.file, lost);
        Some(Arc::new(saga))
    }
}

/// What a finding says that the typed tree has lost of what its author meant.
fn loss(found: &Diagnostic) -> Option<Loss> {
    if found.severity == Severity::Warning || LOSES_NOTHING.contains(&found.code) {
        return None;
    }
    if found.code == Code::UnknownKey {
        return Some(Loss::Key);
    }
    let bounds = [Code::BadDuration, Code::UnknownWord, Code::NumberOutOfRange];
    Some(if bounds.contains(&found.code) { Loss::Bound } else { Loss::Part })
}

/// Findings after which the typed tree is still what its author meant.
const LOSES_NOTHING: &[Code] = &[
    Code::DuplicateKey,
    Code::UnquotedWord,
    Code::BadName,
    Code::KeyNotHere,
    Code::QueueUnbounded,
    Code::NoBound,
    Code::NoEvictionPolicy,
];

/// Findings about a catalog after which all that it declares is still known by name and fields.
const KEEPS_DECLARATIONS: &[Code] = &[
    Code::DuplicateKey,
    Code::UnquotedWord,
    Code::BadName,
    Code::BadDuration,
    Code::UnknownWord,
    Code::NumberOutOfRange,
    Code::ReservedName,
    Code::DuplicateDeclaration,
    Code::UnknownEvent,
    Code::UnknownCommand,
    Code::UnknownTarget,
    Code::NoUndo,
];

/// Two sagas of one name: nobody could say which one a caller means.
fn refuse_twins(sagas: &[Arc<Saga>], found: &mut Diagnostics) {
    let mut first: BTreeMap<&str, Span> = BTreeMap::new();
    for saga in sagas {
        match first.get(saga.name.value.as_str()) {
            Some(at) => {
                let name = &saga.name.value;
                found.add_duplicate_name(
                    Code::DuplicateSaga,
                    "saga",
                    name,
                    Some(*at),
                    saga.name.span,
                );
            }
            None => {
                first.insert(&saga.name.value, saga.name.span);
            }
        }
    }
}

/// A file as plain JSON, for tests that hold schemas to texts.
#[cfg(test)]
pub(crate) fn json_of(text: &str) -> Option<serde_json::Value> {
    let mut found = Diagnostics::default();
    let tree = yaml::parse(FileId::default(), text, &mut found)?;
    Some(values::json(tree, "", &mut found))
}

/// The declarations that are built in, alone.
#[must_use]
pub fn builtin() -> Catalog {
    load(Vec::new()).0.catalog
}
