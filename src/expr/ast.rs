//! The tree of an expression, laid out for evaluation: names resolved to slots, functions to words,
//! patterns compiled. Holds no types and no values of a saga.

use std::cmp::Ordering;
use std::ops::Range;

use regex::Regex;
use serde_json::Value;

/// Names of a value that is read, from the root: `["steps", "reap", "echo"]`.
pub type Path = Vec<Box<str>>;

/// An expression that could be read. Immutable; shared freely between threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Ast {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Levels of nesting below and with this node; evaluation recurses that deep and no deeper.
    pub(super) depth: u16,
}

impl Ast {
    /// Its byte range in the text that it was read from.
    #[must_use]
    pub fn at(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether the whole expression is one plain path such as `input.label`.
    #[must_use]
    pub fn is_path(&self) -> bool {
        self.as_path().is_some()
    }

    /// The names, when the whole expression is one plain path such as `input.label`.
    pub(super) fn as_path(&self) -> Option<&[Box<str>]> {
        if let Kind::Path(path) = &self.kind { Some(path) } else { None }
    }

    /// The names, when it is a path of the scope or of a macro's element.
    pub(super) fn path_of(&self) -> Option<&[Box<str>]> {
        if let Kind::Path(path) | Kind::Local { path, .. } = &self.kind { Some(path) } else { None }
    }

    /// The string, when the whole expression is one string literal.
    pub(super) fn as_word(&self) -> Option<&str> {
        if let Kind::Literal(value) = &self.kind { value.as_str() } else { None }
    }

    /// The nodes right below this one, in the order of the text.
    pub(super) fn children(&self) -> Vec<&Ast> {
        match &self.kind {
            Kind::Literal(_) | Kind::Path(_) | Kind::Local { .. } => Vec::new(),
            Kind::Field(of, _) | Kind::Has(of) | Kind::Not(of) | Kind::Negate(of) => vec![of],
            Kind::Index(pair) | Kind::Compare(_, pair) | Kind::Compute(_, pair) => {
                vec![&pair.0, &pair.1]
            }
            Kind::And(list) | Kind::Or(list) | Kind::List(list) | Kind::Call(_, list) => {
                list.iter().collect()
            }
            Kind::Choose(three) => three.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Kind::Matches(matches) => vec![&matches.text],
            Kind::Macro(each) => {
                let mut all = vec![&each.list, &each.body];
                all.extend(&each.transform);
                all
            }
        }
    }
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A value that is known now.
    Literal(Value),
    /// A root name of the scope and the fields below it.
    Path(Box<[Box<str>]>),
    /// The variable of a macro and the fields below it; `up` counts macros outwards from here.
    Local { up: u16, path: Box<[Box<str>]> },
    /// A field of a computed object.
    Field(Box<Ast>, Box<str>),
    /// An element of a list, or a field by computed name.
    Index(Box<(Ast, Ast)>),
    /// Whether the path or field below has a value.
    Has(Box<Ast>),
    /// `!`
    Not(Box<Ast>),
    /// `-`
    Negate(Box<Ast>),
    /// `&&`, two or more.
    And(Box<[Ast]>),
    /// `||`, two or more.
    Or(Box<[Ast]>),
    /// `== != < <= > >= in`
    Compare(Relation, Box<(Ast, Ast)>),
    /// `+ - * / %`
    Compute(Arithmetic, Box<(Ast, Ast)>),
    /// `condition ? this : that`
    Choose(Box<[Ast; 3]>),
    /// `[a, b]`
    List(Box<[Ast]>),
    /// `{"a": b}`
    Map(Box<[(Ast, Ast)]>),
    /// A function; a method's receiver is its first argument.
    Call(Function, Box<[Ast]>),
    /// `text.matches("pattern")`
    Matches(Box<Matches>),
    /// A macro over a list.
    Macro(Box<Macro>),
}

/// A relation of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Unequal,
    In,
    Order(Order),
}

/// An order of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// Arithmetic; `+` also joins strings and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Relation {
    /// As written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Relation::Equal => "==",
            Relation::Unequal => "!=",
            Relation::In => "in",
            Relation::Order(Order::Less) => "<",
            Relation::Order(Order::LessEqual) => "<=",
            Relation::Order(Order::Greater) => ">",
            Relation::Order(Order::GreaterEqual) => ">=",
        }
    }
}

impl Order {
    /// Whether values in that order satisfy it.
    pub(super) fn holds(self, found: Ordering) -> bool {
        match self {
            Order::Less => found.is_lt(),
            Order::LessEqual => found.is_le(),
            Order::Greater => found.is_gt(),
            Order::GreaterEqual => found.is_ge(),
        }
    }
}

impl Arithmetic {
    /// As written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}

/// A function of the language. `has`, `matches` and the macros are nodes of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    Bool,
    Int,
    Double,
    String,
    Distinct,
}

impl Function {
    /// As written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Size => "size",
            Function::StartsWith => "startsWith",
            Function::EndsWith => "endsWith",
            Function::Contains => "contains",
            Function::Bool => "bool",
            Function::Int => "int",
            Function::Double => "double",
            Function::String => "string",
            Function::Distinct => "distinct",
        }
    }
}

/// `text.matches("pattern")`: the pattern is a literal, so that it is compiled once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matches {
    pub(super) text: Ast,
    pub(super) pattern: Pattern,
}

/// A compiled pattern; two are equal when their texts are.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A macro over the elements of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Macro {
    pub(super) kind: MacroKind,
    pub(super) list: Ast,
    /// Name of the element.
    pub(super) name: Box<str>,
    /// The condition; for `map` with two arguments, the value.
    pub(super) body: Ast,
    /// For `map` with three arguments, the value of each element that the condition lets through.
    pub(super) transform: Option<Ast>,
}

/// Which macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl MacroKind {
    /// As written.
    pub(super) fn name(self) -> &'static str {
        match self {
            MacroKind::All => "all",
            MacroKind::Exists => "exists",
            MacroKind::ExistsOne => "exists_one",
            MacroKind::Filter => "filter",
            MacroKind::Map => "map",
        }
    }
}
