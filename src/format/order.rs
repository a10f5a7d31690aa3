//! In which order the keys of a mapping are best written: that of their table. Free names keep
//! their author's order, for there it may mean something.

use crate::definition::keys::{CATALOG, Mapping, SAGA, Shape, TEST};
use crate::definition::read::FileKind;
use crate::definition::read::node::{Kind, Node};

/// What the language says of a place in a file.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A mapping of this table.
    Keys(&'static Mapping),
    /// A list of such mappings.
    List(&'static Mapping),
    /// Names of the author's, each with such a mapping.
    Named(&'static Mapping),
    /// Names of the author's, each with a list of such mappings.
    NamedLists(&'static Mapping),
    /// Values of the author's.
    Free,
    /// A scalar of the language.
    Word,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn root(kind: FileKind) -> Place {
        Place::Keys(match kind {
            FileKind::Catalog => &CATALOG,
            FileKind::Saga => &SAGA,
            FileKind::Test => &TEST,
        })
    }

    /// What stands under a key here.
    #[must_use]
    pub fn below(self, key: &str) -> Place {
        match self {
            Place::Keys(mapping) => {
                mapping.key(key).map_or(Place::Free, |key| Place::of(&key.shape))
            }
            Place::Named(mapping) => Place::Keys(mapping),
            Place::NamedLists(mapping) => Place::List(mapping),
            Place::List(_) | Place::Free | Place::Word => Place::Free,
        }
    }

    /// What an element of a list is here.
    #[must_use]
    pub fn element(self) -> Place {
        match self {
            Place::List(mapping) => Place::Keys(mapping),
            Place::Word => Place::Word,
            Place::Keys(_) | Place::Named(_) | Place::NamedLists(_) | Place::Free => Place::Free,
        }
    }

    fn of(shape: &Shape) -> Place {
        match shape {
            Shape::Map(mapping) | Shape::MapOrNone(mapping) | Shape::WordsOrMap(_, mapping) => {
                Place::Keys(mapping)
            }
            Shape::List(mapping) | Shape::WordsOrList(_, mapping) => Place::List(mapping),
            Shape::Named(mapping) | Shape::NamedBut(_, mapping) => Place::Named(mapping),
            Shape::NamedLists(mapping) => Place::NamedLists(mapping),
            Shape::Any | Shape::Values | Shape::Labels | Shape::Fields | Shape::InnerFields => {
                Place::Free
            }
            Shape::Text
            | Shape::Texts
            | Shape::Patterns
            | Shape::Template
            | Shape::Condition
            | Shape::Conditions
            | Shape::ConditionList
            | Shape::Name
            | Shape::Ref(_)
            | Shape::Refs(_)
            | Shape::StepIds
            | Shape::Duration
            | Shape::Bound
            | Shape::Words(_)
            | Shape::WordList(_)
            | Shape::CatalogUndo
            | Shape::Flag
            | Shape::True
            | Shape::Integer(_)
            | Shape::Share => Place::Word,
        }
    }

    /// The place of each of these keys, for a stable sort. A key that nobody knows stays behind
    /// the one that it stands behind: it is most often a slip of the hand.
    #[must_use]
    pub fn ranks<'a>(self, keys: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let Place::Keys(mapping) = self else { return keys.map(|_| 0).collect() };
        let mut last = 0;
        keys.map(|name| {
            if let Some(at) = mapping.keys.iter().position(|key| key.name == name) {
                last = at;
            }
            last
        })
        .collect()
    }
}

/// Puts the keys of a tree in order.
pub fn sort(node: &mut Node, place: Place) {
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| sort(item, place.element())),
        Kind::Map(pairs) => {
            let ranks = place.ranks(pairs.iter().map(|(key, _)| key.value()));
            let mut ranked: Vec<_> = ranks.into_iter().zip(std::mem::take(pairs)).collect();
            ranked.sort_by_key(|(rank, _)| *rank);
            *pairs = ranked.into_iter().map(|(_, pair)| pair).collect();
            for (key, value) in pairs {
                sort(value, place.below(key.value()));
            }
        }
    }
}
