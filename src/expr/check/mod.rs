//! Types of expressions, before anything runs: every name known, every value surely set, values of
//! one kind only compared with each other. Computes no values.

mod functions;
mod operators;
mod paths;

use std::ops::Range;

use super::ast::{Ast, Kind};
use super::facts::{Facts, facts_when_false, facts_when_true};
use super::schema::of_value;
use super::types::{Env, Field, ObjectType, Presence, Type};

/// What is wrong in an expression that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// The part of the expression, in bytes of its text.
    pub at: Range<usize>,
    /// What kind of mistake.
    pub kind: TypeErrorKind,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// What surely cures it in the place of `at`.
    pub respelled: Option<String>,
}

/// What is wrong with an expression that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeErrorKind {
    /// A name that is not known here.
    UnknownName,
    /// A field that its object does not have.
    UnknownField,
    /// A value of the wrong type for its place.
    WrongType,
    /// Two values of different types meet.
    MixedTypes,
    /// A comparison with a word that can never come.
    UnknownWord,
    /// An optional field without `has()`.
    Optional,
    /// A value that may not have been set.
    NotSet,
    /// Wrong arguments of a function.
    Function,
}

/// The type of an expression, and all that is wrong in it. A part that is wrong has the type
/// [`Type::Dyn`], so that one mistake is said once.
#[must_use]
pub fn check(ast: &Ast, env: &Env, facts: &Facts) -> (Type, Vec<TypeError>) {
    let mut checker = Checker { env, locals: Vec::new(), found: Vec::new() };
    let ty = checker.ty(ast, facts);
    (ty, checker.found)
}

/// What is wrong with an expression of that type where a condition stands.
#[must_use]
pub fn expect_bool(ast: &Ast, ty: &Type) -> Option<TypeError> {
    let help = match ty {
        Type::Bool | Type::Dyn => return None,
        Type::List(_) => Some(format!("whether it has elements is `size({ast}) > 0`")),
        Type::String | Type::Word(_) | Type::Int | Type::Double => {
            Some("compare it with something".to_owned())
        }
        Type::Null | Type::Object(_) => None,
    };
    let message = format!("a condition is true or false, and `{ast}` is {}", ty.short());
    let kind = TypeErrorKind::WrongType;
    Some(TypeError { at: ast.at(), kind, message, help, respelled: None })
}

struct Checker<'e> {
    env: &'e Env,
    /// Elements of the macros around, the innermost last.
    locals: Vec<(Box<str>, Type)>,
    found: Vec<TypeError>,
}

impl Checker<'_> {
    /// Says what is wrong; what is wrong can be anything further up.
    fn wrong(
        &mut self,
        at: Range<usize>,
        kind: TypeErrorKind,
        message: String,
        help: Option<String>,
    ) -> Type {
        self.add(TypeError { at, kind, message, help, respelled: None })
    }

    fn add(&mut self, error: TypeError) -> Type {
        // A value that is read twice in one place is wrong once.
        if !self.found.contains(&error) {
            self.found.push(error);
        }
        Type::Dyn
    }

    fn ty(&mut self, ast: &Ast, facts: &Facts) -> Type {
        match &ast.kind {
            Kind::Literal(value) => of_value(value),
            Kind::Path(_) | Kind::Local { .. } => self.path(ast, facts, false),
            Kind::Field(of, name) => {
                let of = self.ty(of, facts);
                self.field(ast, &of, name, facts, false)
            }
            Kind::Index(pair) => self.index(ast, &pair.0, &pair.1, facts),
            Kind::Has(of) => self.has(of, facts),
            Kind::Not(of) => {
                self.condition(of, facts);
                Type::Bool
            }
            Kind::Negate(of) => self.negate(of, facts),
            Kind::And(list) => self.conditions(list, facts, facts_when_true),
            Kind::Or(list) => self.conditions(list, facts, facts_when_false),
            Kind::Compare(relation, pair) => {
                self.compare(ast, *relation, &pair.0, &pair.1, facts);
                Type::Bool
            }
            Kind::Compute(op, pair) => self.compute(ast, *op, &pair.0, &pair.1, facts),
            Kind::Choose(three) => self.choose(three, facts),
            Kind::List(list) => {
                let types: Vec<Type> = list.iter().map(|one| self.ty(one, facts)).collect();
                Type::list(types.into_iter().reduce(Type::join).unwrap_or(Type::Dyn))
            }
            Kind::Map(entries) => self.map(entries, facts),
            Kind::Call(function, list) => self.call(*function, list, facts),
            Kind::Matches(matches) => {
                self.text_argument(&matches.text, "matches", facts);
                Type::Bool
            }
            Kind::Macro(each) => self.each(each, facts),
        }
    }

    /// A part that must be true or false.
    fn condition(&mut self, ast: &Ast, facts: &Facts) {
        let ty = self.ty(ast, facts);
        self.found.extend(expect_bool(ast, &ty));
    }

    /// The parts of `&&` or `||`: each is looked at where those before it did not decide.
    fn conditions(&mut self, list: &[Ast], facts: &Facts, undecided: fn(&Ast) -> Facts) -> Type {
        let mut facts = facts.clone();
        for part in list {
            self.condition(part, &facts);
            facts = facts.and(&undecided(part));
        }
        Type::Bool
    }

    fn choose(&mut self, three: &[Ast; 3], facts: &Facts) -> Type {
        let [condition, this, that] = three;
        self.condition(condition, facts);
        let a = self.ty(this, &facts.and(&facts_when_true(condition)));
        let b = self.ty(that, &facts.and(&facts_when_false(condition)));
        if !a.meets(&b) {
            let message =
                format!("the choices differ: `{this}` is {}, `{that}` is {}", a.short(), b.short());
            return self.wrong(that.at(), TypeErrorKind::MixedTypes, message, None);
        }
        a.join(b)
    }

    fn map(&mut self, entries: &[(Ast, Ast)], facts: &Facts) -> Type {
        let mut object = ObjectType::default();
        for (key, value) in entries {
            let key_type = self.ty(key, facts);
            if !key_type.is_text() && key_type != Type::Dyn {
                let message = format!("a key is a string, and `{key}` is {}", key_type.short());
                self.wrong(key.at(), TypeErrorKind::WrongType, message, None);
            }
            let ty = self.ty(value, facts);
            match key.as_word() {
                Some(name) => {
                    object.fields.insert(name.to_owned(), Field { ty, presence: Presence::Always });
                }
                None => object.open = true,
            }
        }
        Type::Object(object)
    }
}
