//! Types of values as the checker knows them, and when a value may be read. Holds no values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::ast::Path;

/// What is known of a value before anything runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// An integer of 64 bits.
    Int,
    /// Any number; its values may be written as integers.
    Double,
    /// Any string.
    String,
    /// One of these strings.
    Word(BTreeSet<String>),
    /// Nothing but null.
    Null,
    /// A list whose elements have one type.
    List(Box<Type>),
    /// An object with named fields.
    Object(ObjectType),
    /// Anything: judged when it comes.
    Dyn,
}

/// The fields of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectType {
    /// The known ones.
    pub fields: BTreeMap<String, Field>,
    /// Whether others may be read; they are [`Type::Dyn`].
    pub open: bool,
}

/// One field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its type.
    pub ty: Type,
    /// When it can be read.
    pub presence: Presence,
}

/// When a field can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It always has a value.
    Always,
    /// It may be missing: only behind `has()`.
    Optional,
    /// It may not be set yet: behind `has()`, or behind a guard that proves it.
    Unless {
        /// Any one of these guards proves it: the path equals the word. Several words of one path
        /// are also proved together, as by `path in ["a", "b"]`.
        when: Vec<(Path, String)>,
        /// Why it may not be set, for the message.
        why: String,
    },
}

/// The names that an expression may read, with their types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// `trigger`, `input`, `vars`, `event`, `steps`, `saga`, and the `as` names.
    pub roots: BTreeMap<String, Type>,
}

impl Field {
    /// A field that always has a value.
    #[must_use]
    pub fn always(ty: Type) -> Field {
        Field { ty, presence: Presence::Always }
    }
}

impl Type {
    /// A list of elements of one type.
    #[must_use]
    pub fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    /// The one string.
    #[must_use]
    pub fn word(word: &str) -> Type {
        Type::Word(BTreeSet::from([word.to_owned()]))
    }

    /// An object with these fields and no others, all of which have values.
    #[must_use]
    pub fn object<N: Into<String>>(fields: impl IntoIterator<Item = (N, Type)>) -> Type {
        let fields = fields.into_iter().map(|(name, ty)| (name.into(), Field::always(ty)));
        Type::Object(ObjectType { fields: fields.collect(), open: false })
    }

    /// The narrowest type that holds both; [`Type::Dyn`] when they have nothing in common.
    #[must_use]
    pub fn join(self, other: Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a,
            (Type::Int, Type::Double) | (Type::Double, Type::Int) => Type::Double,
            (Type::Word(mut a), Type::Word(b)) => {
                a.extend(b);
                Type::Word(a)
            }
            (Type::Word(_), Type::String) | (Type::String, Type::Word(_)) => Type::String,
            (Type::List(a), Type::List(b)) => Type::list(a.join(*b)),
            (Type::Object(a), Type::Object(b)) => Type::Object(a.join(b)),
            (_, _) => Type::Dyn,
        }
    }

    /// Whether it is one of strings.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Type::String | Type::Word(_))
    }

    /// Whether it is one of numbers.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    /// Whether `==` between the two can ever be asked: their values are of one kind.
    pub(super) fn meets(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::List(a), Type::List(b)) => a.meets(b),
            (Type::Object(_), Type::Object(_))
            | (Type::Bool, Type::Bool)
            | (Type::Null, Type::Null) => true,
            (a, b) => (a.is_number() && b.is_number()) || (a.is_text() && b.is_text()),
        }
    }

    /// The type, without its words and fields, in the words of the catalog.
    pub(super) fn short(&self) -> &'static str {
        match self {
            Type::Bool => "a boolean",
            Type::Int => "an integer",
            Type::Double => "a number",
            Type::String | Type::Word(_) => "a string",
            Type::Null => "null",
            Type::List(_) => "a list",
            Type::Object(_) => "an object",
            Type::Dyn => "any value",
        }
    }
}

impl ObjectType {
    /// What can be read of either: a field that one of them lacks is optional.
    fn join(mut self, other: ObjectType) -> ObjectType {
        self.open |= other.open;
        for (name, field) in &mut self.fields {
            if !other.fields.contains_key(name) {
                field.presence = Presence::Optional;
            }
        }
        for (name, field) in other.fields {
            let joined = match self.fields.remove(&name) {
                None => Field { ty: field.ty, presence: Presence::Optional },
                Some(mine) => {
                    let agreed = mine.presence == field.presence;
                    let presence = if agreed { field.presence } else { Presence::Optional };
                    Field { ty: mine.ty.join(field.ty), presence }
                }
            };
            self.fields.insert(name, joined);
        }
        self
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Word(words) => {
                let shown: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                write!(f, "one of {}", shown.join(", "))
            }
            Type::List(of) if **of != Type::Dyn => write!(f, "a list, each element {of}"),
            Type::Bool
            | Type::Int
            | Type::Double
            | Type::String
            | Type::Null
            | Type::List(_)
            | Type::Object(_)
            | Type::Dyn => f.write_str(self.short()),
        }
    }
}
