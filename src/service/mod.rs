//! What editors ask about definitions: names and their places, meanings, what may be written here.
//! Pure: it is given texts, and says nothing of what is wrong with them.

mod choice;
mod complete;
mod facts;
mod fields;
mod hover;
mod index;
mod outline;
mod rename;
mod symbols;
mod tree;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::definition::Catalog;
use crate::definition::read::node::Node;
use crate::definition::read::{FileKind, document, load};
use crate::diag::{Diagnostics, SourceMap};

pub use choice::{Choice, ChoiceKind};
pub use facts::Facts;
pub use symbols::{Lens, Outlined, OutlinedKind};

use facts::Owner;
use index::{Occurrence, Symbol, What};

/// The files of one directory, as they are on the screen.
#[derive(Debug, Default)]
pub struct Workspace {
    files: BTreeMap<String, File>,
    catalog: Arc<Catalog>,
}

/// One file.
#[derive(Debug)]
struct File {
    kind: FileKind,
    text: Arc<str>,
    /// Nothing while it is no YAML.
    root: Option<Node>,
    /// Those of the last text that was YAML.
    facts: Facts,
    /// Names with their places; none while it is no YAML.
    names: Vec<Occurrence>,
}

/// A place in one of the files.
pub type Place = (String, Range<usize>);

impl Workspace {
    /// An empty directory: what is built in is known.
    #[must_use]
    pub fn new() -> Workspace {
        let mut workspace = Workspace::default();
        workspace.read_catalogs();
        workspace
    }

    /// Takes files as they are now, and forgets those that are not among them. What did not change
    /// is not read again.
    pub fn replace(&mut self, files: BTreeMap<String, Arc<str>>) {
        let mut catalogs = false;
        let gone: Vec<String> =
            self.files.keys().filter(|name| !files.contains_key(*name)).cloned().collect();
        for name in gone {
            let file = self.files.remove(&name);
            catalogs |= file.is_some_and(|file| file.kind == FileKind::Catalog);
        }
        for (name, text) in files {
            let Some(kind) = FileKind::of(&name) else { continue };
            let before = self.files.remove(&name);
            let same = before.as_ref().is_some_and(|file| file.text == text);
            catalogs |= kind == FileKind::Catalog && !same;
            let file = match before {
                Some(file) if same => file,
                before => File::read(&name, kind, text, before.map(|file| file.facts)),
            };
            self.files.insert(name, file);
        }
        if catalogs {
            self.read_catalogs();
        }
    }

    fn read_catalogs(&mut self) {
        let catalogs = self.files.iter().filter(|(_, file)| file.kind == FileKind::Catalog);
        let texts = catalogs.map(|(name, file)| (name.clone(), file.text.as_bytes().to_vec()));
        self.catalog = Arc::new(load(texts.collect()).0.catalog);
    }

    /// All texts, as the reader of definitions wants them.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, Vec<u8>)> {
        let text = |(name, file): (&String, &File)| (name.clone(), file.text.as_bytes().to_vec());
        self.files.iter().map(text).collect()
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Arc<str>> {
        self.files.get(name).map(|file| Arc::clone(&file.text))
    }

    /// The names at a place; a name may mean several things.
    fn at(&self, name: &str, at: usize) -> Vec<&Occurrence> {
        let Some(file) = self.files.get(name) else { return Vec::new() };
        let hit = |one: &&Occurrence| one.range.start <= at && at <= one.range.end;
        let hits: Vec<&Occurrence> = file.names.iter().filter(hit).collect();
        // Of two that touch, the one that the place is in goes first.
        let least = hits.iter().map(|one| one.range.len()).min();
        hits.into_iter().filter(|one| Some(one.range.len()) == least).collect()
    }

    fn symbols_at(&self, name: &str, at: usize) -> Vec<&Symbol> {
        let symbol = |one: &&'_ Occurrence| matches!(one.what, What::Symbol(_));
        let found = self.at(name, at).into_iter().filter(symbol);
        found.filter_map(|one| one.symbol()).collect()
    }

    /// Where a symbol stands, in all files.
    fn places_of(&self, symbol: &Symbol, definitions: bool) -> Vec<Place> {
        let mut found = Vec::new();
        for (name, file) in &self.files {
            let ours =
                |one: &&Occurrence| one.symbol() == Some(symbol) && (one.defines || !definitions);
            found.extend(
                file.names.iter().filter(ours).map(|one| (name.clone(), one.range.clone())),
            );
        }
        found.dedup();
        found
    }

    /// Where the name at a place is given.
    #[must_use]
    pub fn definition(&self, name: &str, at: usize) -> Vec<Place> {
        let symbols = self.symbols_at(name, at);
        symbols.into_iter().flat_map(|symbol| self.places_of(symbol, true)).collect()
    }

    /// Where the name at a place stands, in all files.
    #[must_use]
    pub fn references(&self, name: &str, at: usize, with_definition: bool) -> Vec<Place> {
        let mut found = Vec::new();
        for symbol in self.symbols_at(name, at) {
            let given = self.places_of(symbol, true);
            let all = self.places_of(symbol, false);
            found.extend(all.into_iter().filter(|place| with_definition || !given.contains(place)));
        }
        found
    }

    /// The saga of that name.
    fn saga(&self, name: &str) -> Option<(&String, &File)> {
        let is_it =
            |(_, file): &(&String, &File)| file.kind == FileKind::Saga && file.facts.saga == name;
        self.files.iter().find(is_it)
    }

    /// The fields that something carries.
    fn fields(&self, owner: &Owner) -> Vec<fields::FieldInfo> {
        match owner {
            Owner::Event(name) => {
                self.catalog.events.get(name.as_str()).map(|event| fields::of(&event.fields))
            }
            Owner::Command(name) => {
                self.catalog.commands.get(name.as_str()).map(|command| fields::of(&command.fields))
            }
            Owner::Call(name) => {
                self.saga(name).and_then(|(_, file)| file.root.as_ref()).map(fields::of_call)
            }
            Owner::Signal(saga, name) => {
                let root = self.saga(saga).and_then(|(_, file)| file.root.as_ref());
                root.map(|root| fields::of_signal(root, name))
            }
        }
        .unwrap_or_default()
    }
}

impl File {
    fn read(name: &str, kind: FileKind, text: Arc<str>, before: Option<Facts>) -> File {
        let mut found = Diagnostics::default();
        let mut sources = SourceMap::default();
        let (_, root) = document(name.to_owned(), text.as_bytes(), &mut sources, &mut found);
        let facts = match &root {
            Some(root) => Facts::of(kind, root),
            None => before.unwrap_or_default(),
        };
        let names = match &root {
            Some(root) => index::index(name, kind, root, &facts),
            None => Vec::new(),
        };
        File { kind, text, root, facts, names }
    }
}

impl Occurrence {
    fn symbol(&self) -> Option<&Symbol> {
        match &self.what {
            What::Symbol(symbol) => Some(symbol),
            What::Key(..) | What::Value(..) | What::Built(_) => None,
        }
    }
}
