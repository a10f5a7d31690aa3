//! The directories that an editor has files of: texts from the disk, and over them those on the
//! screen. Speaks no protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::read::FileKind;
use crate::diag::{Diagnostics, SourceMap};
use crate::launcher::{Loaded, read_definition};
use crate::limits::LSP_DOCUMENTS_MAX;
use crate::service::Workspace;

/// All directories.
#[derive(Debug, Default)]
pub struct Desk {
    directories: BTreeMap<PathBuf, Directory>,
    /// Texts on the screen, and the names that the editor gave them.
    open: BTreeMap<PathBuf, (String, Arc<str>)>,
}

/// One directory.
#[derive(Debug)]
pub struct Directory {
    /// Its files, as they are on the screen.
    pub workspace: Workspace,
    disk: BTreeMap<String, Arc<str>>,
    /// Whether it changed since it was checked.
    dirty: bool,
    /// What was found when it was checked, in texts of these.
    pub found: Diagnostics,
    /// The texts that places of the findings point into.
    pub sources: SourceMap,
    /// Files of which findings were told.
    pub told: BTreeSet<String>,
}

/// Directory and name of a file of ours.
#[must_use]
pub fn split(path: &Path) -> Option<(PathBuf, String)> {
    let name = path.file_name()?.to_str()?.to_owned();
    FileKind::of(&name)?;
    Some((path.parent()?.to_owned(), name))
}

impl Desk {
    /// A text is on the screen now, or is another one. `false`: there are too many.
    pub fn open(&mut self, path: &Path, uri: &str, text: &str) -> bool {
        if !self.open.contains_key(path) && self.open.len() >= LSP_DOCUMENTS_MAX {
            return false;
        }
        let known = self.open.insert(path.to_owned(), (uri.to_owned(), text.into())).is_some();
        self.refresh(path, !known);
        true
    }

    /// A text is no longer on the screen: the disk's counts again.
    pub fn close(&mut self, path: &Path) {
        self.open.remove(path);
        self.refresh(path, true);
    }

    /// Whether a text is on the screen.
    #[must_use]
    pub fn is_open(&self, path: &Path) -> bool {
        self.open.contains_key(path)
    }

    /// The directory of a file changed on the disk.
    pub fn changed(&mut self, path: &Path) {
        self.refresh(path, true);
    }

    fn refresh(&mut self, path: &Path, from_disk: bool) {
        let Some((parent, _)) = split(path) else { return };
        let known = self.directories.contains_key(&parent);
        if !known && !self.open.contains_key(path) {
            return;
        }
        let directory = self.directories.entry(parent.clone()).or_insert_with(Directory::new);
        if from_disk || !known {
            directory.disk = read(&parent);
        }
        let mut texts = directory.disk.clone();
        for (path, (_, text)) in &self.open {
            if let Some((_, name)) = split(path).filter(|(of, _)| *of == parent) {
                texts.insert(name, Arc::clone(text));
            }
        }
        directory.workspace.replace(texts);
        directory.dirty = true;
    }

    /// The directory of a file, with the file's name in it.
    #[must_use]
    pub fn of(&self, path: &Path) -> Option<(&Directory, String)> {
        let (parent, name) = split(path)?;
        Some((self.directories.get(&parent)?, name))
    }

    /// The name of a file as the editor writes it.
    #[must_use]
    pub fn uri(&self, path: &Path) -> String {
        self.open.get(path).map_or_else(|| super::places::uri_of(path), |(uri, _)| uri.clone())
    }

    /// Whether a directory changed since it was checked.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.directories.values().any(|one| one.dirty)
    }

    /// Checks what changed, and gives the directories that did.
    pub fn check(&mut self) -> Vec<PathBuf> {
        let mut checked = Vec::new();
        for (path, directory) in self.directories.iter_mut().filter(|(_, one)| one.dirty) {
            let loaded = Loaded::of(directory.workspace.texts());
            directory.found = loaded.diagnostics;
            directory.sources = loaded.defined.sources;
            directory.dirty = false;
            checked.push(path.clone());
        }
        checked
    }

    /// A directory by its path.
    pub fn directory(&mut self, path: &Path) -> Option<&mut Directory> {
        self.directories.get_mut(path)
    }
}

impl Directory {
    fn new() -> Directory {
        Directory {
            workspace: Workspace::new(),
            disk: BTreeMap::new(),
            dirty: true,
            found: Diagnostics::default(),
            sources: SourceMap::default(),
            told: BTreeSet::new(),
        }
    }
}

/// The definitions of a directory, as far as they can be read as text.
fn read(directory: &Path) -> BTreeMap<String, Arc<str>> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut texts = BTreeMap::new();
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let Some((_, name)) = split(&path) else { continue };
        if let Ok(bytes) = read_definition(&path) {
            texts.insert(name, String::from_utf8_lossy(&bytes).into());
        }
    }
    texts
}
