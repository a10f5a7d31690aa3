//! Names, fields and elements: known, and surely set where they are read.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Checker, TypeError, TypeErrorKind};
use crate::diag::{nearest, sole};
use crate::expr::ast::{Ast, Kind};
use crate::expr::facts::Facts;
use crate::expr::print;
use crate::expr::types::{Env, ObjectType, Presence, Type};

/// A field that is read: its text, its place, and the text of what it is a field of.
struct Step<'s> {
    about: String,
    of: String,
    name: &'s str,
    at: Range<usize>,
}

impl Checker<'_> {
    pub(super) fn path(&mut self, ast: &Ast, facts: &Facts, is_asked: bool) -> Type {
        let Some(path) = ast.path_of() else { return Type::Dyn };
        let root = &*path[0];
        // A macro may not name its element like something else, so that the name alone decides.
        let local = self.locals.iter().rev().find(|(name, _)| **name == *root).map(|(_, ty)| ty);
        let Some(mut ty) = local.or_else(|| self.env.roots.get(root)).cloned() else {
            return self.unknown_name(ast, path);
        };
        for length in 2..=path.len() {
            let of = print::path(&path[..length - 1]);
            let about = print::path(&path[..length]);
            let at = place(ast, &of, &about, path);
            let step = Step { about, of, name: &path[length - 1], at };
            match self.step(&step, &ty, facts, is_asked) {
                Some(below) => ty = below,
                None => return Type::Dyn,
            }
        }
        ty
    }

    /// `has(…)`: nothing in it needs to be set, but all of it must be known.
    pub(super) fn has(&mut self, of: &Ast, facts: &Facts) -> Type {
        if let Kind::Field(inner, name) = &of.kind {
            let inner = self.ty(inner, facts);
            self.field(of, &inner, name, facts, true);
        } else {
            self.path(of, facts, true);
        }
        Type::Bool
    }

    /// A field of something computed.
    pub(super) fn field(
        &mut self,
        ast: &Ast,
        of: &Type,
        name: &str,
        facts: &Facts,
        is_asked: bool,
    ) -> Type {
        let Kind::Field(inner, _) = &ast.kind else { return Type::Dyn };
        // It ends with the name.
        let at = ast.at().end.saturating_sub(name.len())..ast.at().end;
        let step = Step { about: ast.to_string(), of: inner.to_string(), name, at };
        self.step(&step, of, facts, is_asked).unwrap_or(Type::Dyn)
    }

    pub(super) fn index(&mut self, ast: &Ast, of: &Ast, by: &Ast, facts: &Facts) -> Type {
        let (list, index) = (self.ty(of, facts), self.ty(by, facts));
        match (&list, &index) {
            (Type::List(element), Type::Int | Type::Dyn) => (**element).clone(),
            (Type::Object(object), index) if index.is_text() => {
                let field = by.as_word().and_then(|name| object.fields.get(name));
                field.map_or(Type::Dyn, |field| field.ty.clone())
            }
            (Type::Dyn, index) if index.is_text() || matches!(index, Type::Int | Type::Dyn) => {
                Type::Dyn
            }
            (Type::Object(_), Type::Dyn) => Type::Dyn,
            (Type::List(_) | Type::Object(_) | Type::Dyn, _) => {
                let message = format!("`{by}` is {}, which is no index", index.short());
                self.wrong(by.at(), TypeErrorKind::WrongType, message, None)
            }
            (other, _) => {
                let message = format!("`{of}` is {}, which has no elements", other.short());
                self.wrong(ast.at(), TypeErrorKind::WrongType, message, None)
            }
        }
    }

    /// One field further; nothing when what is below it cannot be known.
    fn step(&mut self, step: &Step<'_>, of: &Type, facts: &Facts, is_asked: bool) -> Option<Type> {
        let object = match of {
            Type::Dyn => return None,
            Type::Object(object) => object,
            Type::Bool
            | Type::Int
            | Type::Double
            | Type::String
            | Type::Word(_)
            | Type::Null
            | Type::List(_) => {
                self.no_fields(step, of);
                return None;
            }
        };
        let Some(field) = object.fields.get(step.name) else {
            if !object.open {
                self.unknown_field(step, object);
            }
            return None;
        };
        if !is_asked {
            self.is_set(step, &field.presence, facts);
        }
        Some(field.ty.clone())
    }

    fn is_set(&mut self, step: &Step<'_>, presence: &Presence, facts: &Facts) {
        let about = &step.about;
        let (kind, message, help) = match presence {
            Presence::Always => return,
            Presence::Optional if facts.is_present(about) => return,
            Presence::Optional => (
                TypeErrorKind::Optional,
                format!("`{about}` is optional and may be missing"),
                format!("ask first: `has({about}) && …` or `has({about}) ? {about} : …`"),
            ),
            Presence::Unless { when, why } => {
                let env = self.env;
                if facts.proves(about, when, |path| words_at(env, path)) {
                    return;
                }
                let guard = when.first().map(|(path, word)| {
                    format!(", or behind `{} == \"{word}\"`", print::path(path))
                });
                (
                    TypeErrorKind::NotSet,
                    format!("`{about}` may not be set here: {why}"),
                    format!("read it behind `has({about})`{}", guard.unwrap_or_default()),
                )
            }
        };
        self.wrong(step.at.clone(), kind, message, Some(help));
    }

    fn unknown_name(&mut self, ast: &Ast, path: &[Box<str>]) -> Type {
        let name = &*path[0];
        let names = || self.env.roots.keys().map(String::as_str).chain(self.local_names());
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let all: Vec<String> = names().map(|known| format!("`{known}`")).collect();
                let all = if all.is_empty() { "no names".to_owned() } else { all.join(", ") };
                format!("there are {all} here; a string stands in quotes")
            }
        };
        let start = ast.at().start;
        let message = format!("there is no `{name}` here");
        let at = start..start + name.len().min(ast.at().len());
        let respelled = sole(name, names()).map(str::to_owned);
        let kind = TypeErrorKind::UnknownName;
        self.add(TypeError { at, kind, message, help: Some(help), respelled })
    }

    fn local_names(&self) -> impl Iterator<Item = &str> {
        self.locals.iter().map(|(name, _)| &**name)
    }

    fn unknown_field(&mut self, step: &Step<'_>, object: &ObjectType) {
        let Step { of, name, .. } = step;
        let known = || object.fields.keys().map(String::as_str);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if object.fields.is_empty() => "it has none".to_owned(),
            None => {
                let all: Vec<String> = known().map(|known| format!("`{known}`")).collect();
                format!("there are {}", all.join(", "))
            }
        };
        let message = format!("there is no `{name}` in `{of}`");
        let respelled = sole(name, known()).map(str::to_owned);
        let (at, kind) = (step.at.clone(), TypeErrorKind::UnknownField);
        self.add(TypeError { at, kind, message, help: Some(help), respelled });
    }

    fn no_fields(&mut self, step: &Step<'_>, ty: &Type) {
        let Step { of, name, .. } = step;
        let is_size = matches!(*name, "length" | "len" | "size" | "count");
        let help = match ty {
            Type::List(_) | Type::String | Type::Word(_) if is_size => {
                Some(format!("how many there are is `size({of})`"))
            }
            Type::List(_) => Some(format!(
                "one element is `{of}[0]`; all of them are seen by `all`, `exists`, `filter`, `map`"
            )),
            Type::String
            | Type::Word(_)
            | Type::Bool
            | Type::Int
            | Type::Double
            | Type::Null
            | Type::Object(_)
            | Type::Dyn => None,
        };
        let message = format!("`{of}` is {}, which has no field `{name}`", ty.short());
        self.wrong(step.at.clone(), TypeErrorKind::UnknownField, message, help);
    }
}

/// The place of the last name of `about` within the path, where it is written as plainly as we
/// would; else that of the whole path.
fn place(ast: &Ast, of: &str, about: &str, path: &[Box<str>]) -> Range<usize> {
    let whole = ast.at();
    if whole.len() != print::path(path).len() {
        return whole;
    }
    let dot = usize::from(about.as_bytes().get(of.len()) == Some(&b'.'));
    whole.start + of.len() + dot..whole.start + about.len()
}

/// The words that the string at a path can be.
fn words_at(env: &Env, path: &[Box<str>]) -> Option<BTreeSet<String>> {
    let (root, fields) = path.split_first()?;
    let mut ty = env.roots.get(&**root)?;
    for name in fields {
        let Type::Object(object) = ty else { return None };
        ty = &object.fields.get(&**name)?.ty;
    }
    if let Type::Word(words) = ty { Some(words.clone()) } else { None }
}
