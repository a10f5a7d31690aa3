//! Definitions from files and directories. Reads them, and leaves it to the floors below to say
//! what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::definition::read::{FileKind, Texts, load};
use crate::diag::nearest;
use crate::launcher::{self, kind_of, read_definition};

/// Where definitions are looked for when nothing is said.
pub(super) const SAGAS: &str = "sagas";

/// Bytes of a file, or why there are none.
pub(super) type Content = Result<Vec<u8>, String>;

/// Files as the readers below want them, in a stable order: those that stand beside the ones that
/// were asked for come first.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Path as messages show it, and content.
    pub list: Vec<(String, Vec<u8>)>,
    /// Those that were asked for: where each is, by the path as messages show it.
    pub asked: BTreeMap<String, PathBuf>,
    /// Those that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
}

impl Files {
    /// What the readers are given.
    pub(super) fn texts(self) -> Texts {
        Texts { files: self.list, unreadable: self.unreadable }
    }

    fn read(&mut self, path: &Path) {
        match content(path) {
            Ok(bytes) => self.list.push((shown(path), bytes)),
            Err(why) => self.unreadable.push((shown(path), why)),
        }
    }
}

fn content(path: &Path) -> Content {
    read_definition(path).map_err(|error| error.to_string())
}

/// What a command is to look at, and the directory of the vocabulary where that is another: the
/// paths that are named, or else the whole directory of `--sagas`.
pub(super) fn asked_for<'a>(
    paths: &[PathBuf],
    sagas: Option<&'a Path>,
) -> (Vec<PathBuf>, Option<&'a Path>) {
    match paths {
        [] => (vec![sagas.unwrap_or(Path::new(SAGAS)).to_owned()], None),
        paths => (paths.to_vec(), sagas),
    }
}

/// Reads the definitions that the paths name: of a directory all that it holds; of a file
/// that one, with the catalogs and sagas of `vocabulary` or else those that stand beside it: it
/// may call them, and some mistakes take two sagas.
///
/// # Errors
/// A path cannot be read, or no definition is there: silence would look like a clean bill.
pub(super) fn files(paths: &[PathBuf], vocabulary: Option<&Path>) -> Result<Files, Failure> {
    gather(paths, vocabulary, false)
}

/// The same with scenarios.
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
    let of_a_saga = kind_of(&path, false) == Some(FileKind::Saga);
    let beside = of_a_saga.then(|| scenarios_of(&path));
    std::iter::once(path).chain(beside.filter(|beside| beside.exists()))
}

/// Where the scenarios of a saga's file stand: `NAME.test.yaml` beside `NAME.saga.yaml`.
pub(super) fn scenarios_of(saga: &Path) -> PathBuf {
    saga.with_extension("").with_extension("test.yaml")
}

fn gather(paths: &[PathBuf], vocabulary: Option<&Path>, scenarios: bool) -> Result<Files, Failure> {
    let asked = asked(paths, scenarios)?;
    let mut around = BTreeSet::new();
    match vocabulary {
        Some(directory) => list(directory, scenarios, &mut around)?,
        None => {
            for path in paths.iter().filter(|path| asked.contains(*path)) {
                list(directory_of(path), scenarios, &mut around)?;
            }
        }
    }
    let serves = |path: &PathBuf| match kind_of(path, scenarios) {
        Some(FileKind::Catalog) => true,
        // What an editor leaves behind is nothing that could be called.
        Some(FileKind::Saga) => path.is_file(),
        Some(FileKind::Test) | None => false,
    };
    let known: BTreeSet<PathBuf> = asked.iter().map(|path| place(path)).collect();
    let beside = around.iter().filter(|path| serves(path) && !known.contains(&place(path)));
    let mut files = Files::default();
    beside.for_each(|path| files.read(path));
    let mut own = Files::default();
    asked.iter().for_each(|path| own.read(path));
    files.asked = asked.into_iter().map(|path| (shown(&path), path)).collect();
    if let Some(home) = vocabulary {
        let home = place(&home.join(SAGAS));
        let is_guest = |path: &PathBuf| place(path).parent() != home.parent();
        let guests =
            own.list.iter().filter(|(shown, _)| files.asked.get(shown).is_some_and(is_guest));
        let guests = guests.cloned().collect();
        give_way(&mut files.list, guests);
    }
    files.list.extend(own.list);
    files.unreadable.extend(own.unreadable);
    Ok(files)
}

/// Files of another directory stand in for those that have their name or define their saga: they
/// are what these are to become.
fn give_way(around: &mut Vec<(String, Vec<u8>)>, guests: Vec<(String, Vec<u8>)>) {
    if guests.is_empty() {
        return;
    }
    let name = |path: &str| Path::new(path).file_name().map(OsStr::to_owned);
    let names: BTreeSet<_> = guests.iter().map(|(path, _)| name(path)).collect();
    let sagas = |files: Vec<(String, Vec<u8>)>| {
        let library = load(files).0;
        let path = |file| library.sources.path(file).to_owned();
        let sagas = library.sagas.iter();
        sagas.map(|saga| (saga.name.value.clone(), path(saga.span.file))).collect::<Vec<_>>()
    };
    let theirs: BTreeSet<String> = sagas(guests).into_iter().map(|(saga, _)| saga).collect();
    let twins = sagas(around.clone()).into_iter().filter(|(saga, _)| theirs.contains(saga));
    let twins: BTreeSet<String> = twins.map(|(_, path)| path).collect();
    around.retain(|(path, _)| !names.contains(&name(path)) && !twins.contains(path));
}

/// The files that the paths name, each once, however often and by whatever ways it is named.
///
/// # Errors
/// As [`files`].
fn asked(paths: &[PathBuf], scenarios: bool) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut named = BTreeSet::new();
    for path in paths {
        let about = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if about.is_dir() {
            list(path, scenarios, &mut named)?;
        } else if kind_of(path, scenarios).is_none() {
            return Err(not_ours(path));
        } else {
            named.insert(path.clone());
        }
    }
    if named.is_empty() {
        return Err(nothing_in(paths));
    }
    let mut places = BTreeSet::new();
    named.retain(|path| places.insert(place(path)));
    Ok(named)
}

/// Where a file really stands; a link is a file of its own.
fn place(path: &Path) -> PathBuf {
    let directory = directory_of(path);
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    directory.join(path.file_name().unwrap_or_default())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// All definitions of a directory, which may have none.
///
/// # Errors
/// It, or one of them, cannot be read.
pub(super) fn beside(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut paths = BTreeSet::new();
    list(directory, false, &mut paths)?;
    let read = |path: &PathBuf| {
        let bytes = read_definition(path).map_err(|error| unreadable(path, &error))?;
        Ok((shown(path), bytes))
    };
    paths.iter().map(read).collect()
}

/// The definitions and scenarios that the paths name, and nothing beside them: path, path as
/// messages show it, content or why there is none.
///
/// # Errors
/// As [`files`].
pub(super) fn named(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String, Content)>, Failure> {
    let read = |path: PathBuf| {
        let (shown, content) = (shown(&path), content(&path));
        (path, shown, content)
    };
    Ok(asked(paths, true)?.into_iter().map(read).collect())
}

/// The path as messages show it: relative as it was given, without a leading `./`.
fn shown(path: &Path) -> String {
    launcher::shown(path.strip_prefix(".").unwrap_or(path))
}

/// Adds the definitions of one directory.
fn list(directory: &Path, scenarios: bool, into: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    let paths = launcher::definitions_in(directory, scenarios);
    into.extend(paths.map_err(|error| unreadable(directory, &error))?);
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

/// A name that no saga there has: with the one that is meant, or all that there are.
pub(super) fn no_saga<'n>(
    name: &str,
    directory: &Path,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Failure {
    let place = directory.display();
    Failure::usage(match nearest(name, names.clone()) {
        Some(near) => format!("no saga `{name}` in {place}; did you mean `{near}`?"),
        None => {
            let names: Vec<&str> = names.collect();
            format!("no saga `{name}` in {place}; there are: {}", names.join(", "))
        }
    })
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
