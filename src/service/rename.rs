//! A name changed everywhere at once, or not at all.

use super::index::Symbol;
use super::{Place, Workspace};
use crate::definition::read::load;
use crate::definition::read::scalar::is_name;
use crate::diag::{Diagnostic, Severity};
use crate::plan::compile_library;

impl Workspace {
    /// The name at a place, when it can be changed.
    ///
    /// # Errors
    /// Why it cannot, for a person.
    pub fn renamable(&self, name: &str, at: usize) -> Result<Place, String> {
        let (place, _) = self.to_rename(name, at)?;
        Ok(place)
    }

    fn to_rename(&self, name: &str, at: usize) -> Result<(Place, Symbol), String> {
        let found = self.at(name, at);
        let symbol = found.iter().find_map(|one| one.symbol().map(|symbol| (one, symbol)));
        let Some((one, symbol)) = symbol else {
            return Err("there is no name here that can be changed".to_owned());
        };
        let refused = match symbol {
            Symbol::Field(..) => Some("a field is part of what processes say to each other"),
            Symbol::Case(..) => Some("a case is named by a sentence; change it where it stands"),
            Symbol::Event(_)
            | Symbol::Command(_)
            | Symbol::Target(_)
            | Symbol::Saga(_)
            | Symbol::Step(..)
            | Symbol::Var(..)
            | Symbol::Input(..)
            | Symbol::Element(..)
            | Symbol::Signal(..) => None,
        };
        if let Some(why) = refused {
            return Err(why.to_owned());
        }
        if self.places_of(symbol, true).is_empty() {
            return Err("this name is not given in any file here".to_owned());
        }
        Ok(((name.to_owned(), one.range.clone()), symbol.clone()))
    }

    /// All places where the name at a place is to be written anew.
    ///
    /// # Errors
    /// Why it cannot be done, for a person: the name is none, is taken, or something would no
    /// longer be found.
    pub fn rename(&self, name: &str, at: usize, new: &str) -> Result<Vec<Place>, String> {
        let (_, symbol) = self.to_rename(name, at)?;
        if !is_name(new) {
            return Err(format!("`{new}` is not snake_case"));
        }
        if !self.places_of(&renamed(&symbol, new), false).is_empty() {
            return Err(format!("`{new}` is taken"));
        }
        let places = self.places_of(&symbol, false);
        let before = errors(self.texts());
        let after = errors(self.with(&places, new));
        match after.iter().find(|one| !before.contains(one)) {
            Some(_) if after.len() > before.len() => {
                let new: Vec<&String> = after.iter().filter(|one| !before.contains(one)).collect();
                let said = new.first().map_or("", |one| one.as_str());
                Err(format!("with that name there would be an error: {said}"))
            }
            Some(_) | None => Ok(places),
        }
    }

    /// The texts with another name at these places.
    fn with(&self, places: &[Place], new: &str) -> Vec<(String, Vec<u8>)> {
        let mut texts = self.texts();
        for (name, text) in &mut texts {
            let ours = places.iter().filter(|(file, _)| file == name);
            for (_, range) in ours.rev() {
                text.splice(range.clone(), new.bytes());
            }
        }
        texts
    }
}

/// What forbids loading, in words.
fn errors(texts: Vec<(String, Vec<u8>)>) -> Vec<String> {
    let (library, found) = load(texts);
    let (_, more) = compile_library(&library);
    let error = |one: &&Diagnostic| one.severity == Severity::Error;
    found.iter().chain(more.iter()).filter(error).map(|one| one.message.clone()).collect()
}

/// The same thing under another name.
fn renamed(symbol: &Symbol, new: &str) -> Symbol {
    let new = new.to_owned();
    match symbol {
        Symbol::Event(_) => Symbol::Event(new),
        Symbol::Command(_) => Symbol::Command(new),
        Symbol::Target(_) => Symbol::Target(new),
        Symbol::Saga(_) => Symbol::Saga(new),
        Symbol::Step(file, _) => Symbol::Step(file.clone(), new),
        Symbol::Var(file, _) => Symbol::Var(file.clone(), new),
        Symbol::Input(file, _) => Symbol::Input(file.clone(), new),
        Symbol::Element(file, _) => Symbol::Element(file.clone(), new),
        Symbol::Signal(saga, _) => Symbol::Signal(saga.clone(), new),
        Symbol::Field(owner, _) => Symbol::Field(owner.clone(), new),
        Symbol::Case(file, _) => Symbol::Case(file.clone(), new),
    }
}
