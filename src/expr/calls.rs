//! Reading of functions, methods and macros: which there are and how each is written. Calls none of
//! them.

use std::ops::Range;

use regex::RegexBuilder;

use super::ast::{Ast, Function, Kind, Macro, MacroKind, Matches, Pattern};
use super::lex::Token;
use super::parse::{Parser, SyntaxError, SyntaxErrorKind};
use crate::diag::nearest;
use crate::limits::EXPR_PATTERN_BYTES_MAX;

/// What stands behind a name and a parenthesis.
#[derive(Clone, Copy)]
enum Callee {
    /// `name(x)`
    Plain(Function),
    /// `x.name(y)`
    Method(Function),
    /// `size(x)` or `x.size()`
    Size,
    /// `has(x.y)`
    Has,
    /// `x.matches("y")`
    Matches,
    /// `x.name(y, …)`
    Macro(MacroKind),
}

/// All there are: name, what it is, how it is written.
const CALLEES: [(&str, Callee, &str); 16] = [
    ("has", Callee::Has, "has(trigger.field)"),
    ("size", Callee::Size, "size(list)"),
    ("startsWith", Callee::Method(Function::StartsWith), "text.startsWith(part)"),
    ("endsWith", Callee::Method(Function::EndsWith), "text.endsWith(part)"),
    ("contains", Callee::Method(Function::Contains), "text.contains(part)"),
    ("matches", Callee::Matches, "text.matches(\"pattern\")"),
    ("bool", Callee::Plain(Function::Bool), "bool(text)"),
    ("int", Callee::Plain(Function::Int), "int(value)"),
    ("double", Callee::Plain(Function::Double), "double(value)"),
    ("string", Callee::Plain(Function::String), "string(value)"),
    ("distinct", Callee::Plain(Function::Distinct), "distinct(list)"),
    ("all", Callee::Macro(MacroKind::All), "list.all(x, condition)"),
    ("exists", Callee::Macro(MacroKind::Exists), "list.exists(x, condition)"),
    ("exists_one", Callee::Macro(MacroKind::ExistsOne), "list.exists_one(x, condition)"),
    ("filter", Callee::Macro(MacroKind::Filter), "list.filter(x, condition)"),
    ("map", Callee::Macro(MacroKind::Map), "list.map(x, value)"),
];

fn find(name: &str, at: &Range<usize>) -> Result<(Callee, &'static str), SyntaxError> {
    if let Some((_, callee, usage)) = CALLEES.iter().find(|(known, ..)| *known == name) {
        return Ok((*callee, usage));
    }
    let error = wrong(at.clone(), format!("there is no function `{name}`"));
    let names = || CALLEES.iter().map(|(known, ..)| *known);
    Err(match (name, nearest(name, names())) {
        ("len" | "length" | "count", _) => {
            error.help("the number of elements or characters is `size(x)`")
        }
        ("timestamp" | "duration", _) => error.help(
            "instants are texts like `saga.now`, which `<` compares; to wait there are `delay` \
             and `timeout`",
        ),
        ("type" | "dyn", _) => error.help("every value has one type, which the catalog says"),
        (_, Some(near)) => error.help(format!("did you mean `{near}`?")),
        (_, None) => {
            let all: Vec<&str> = names().collect();
            error.help(format!("there are {}", all.join(", ")))
        }
    })
}

fn wrong(at: Range<usize>, message: String) -> SyntaxError {
    SyntaxError::new(at, message).of(SyntaxErrorKind::Function)
}

fn misused(at: Range<usize>, name: &str, usage: &str) -> SyntaxError {
    wrong(at, format!("`{name}` has other arguments")).help(format!("it is written `{usage}`"))
}

impl Parser {
    /// `name(…)`, behind the parenthesis.
    pub(super) fn function(&mut self, name: &str, at: Range<usize>) -> Result<Ast, SyntaxError> {
        let (callee, usage) = find(name, &at)?;
        let function = match callee {
            Callee::Has => return self.has(at, usage),
            Callee::Plain(function) => function,
            Callee::Size => Function::Size,
            Callee::Method(_) | Callee::Macro(_) => return Err(misused(at, name, usage)),
            Callee::Matches => {
                let list = self.list(")", Parser::expression)?;
                let [text, pattern] =
                    <[Ast; 2]>::try_from(list).map_err(|_| misused(at.clone(), name, usage))?;
                return self.matches(text, &pattern, at.start);
            }
        };
        let list = self.list(")", Parser::expression)?;
        if list.len() != 1 {
            return Err(misused(at, name, usage));
        }
        self.node(Kind::Call(function, list.into()), at.start)
    }

    /// `receiver.name(…)`, behind the parenthesis.
    pub(super) fn method(
        &mut self,
        receiver: Ast,
        name: &str,
        at: Range<usize>,
        start: usize,
    ) -> Result<Ast, SyntaxError> {
        let (callee, usage) = find(name, &at)?;
        let (function, count) = match callee {
            Callee::Has | Callee::Plain(_) => return Err(misused(at, name, usage)),
            Callee::Method(function) => (function, 1),
            Callee::Size => (Function::Size, 0),
            Callee::Macro(kind) => return self.each(receiver, kind, &at, usage, start),
            Callee::Matches => {
                let list = self.list(")", Parser::expression)?;
                let [pattern] =
                    <[Ast; 1]>::try_from(list).map_err(|_| misused(at.clone(), name, usage))?;
                return self.matches(receiver, &pattern, start);
            }
        };
        let mut list = self.list(")", Parser::expression)?;
        if list.len() != count {
            return Err(misused(at, name, usage));
        }
        list.insert(0, receiver);
        self.node(Kind::Call(function, list.into()), start)
    }

    fn has(&mut self, at: Range<usize>, usage: &str) -> Result<Ast, SyntaxError> {
        let of = self.member()?;
        self.expect(")", "after what `has(` asks for")?;
        let asks_for_a_field = match of.path_of() {
            Some(path) => path.len() > 1,
            None => matches!(of.kind, Kind::Field(..)),
        };
        if !asks_for_a_field {
            let message = "`has` asks whether a field has a value".to_owned();
            return Err(wrong(of.at(), message).help(format!("it is written `{usage}`")));
        }
        self.node(Kind::Has(Box::new(of)), at.start)
    }

    fn matches(&self, text: Ast, pattern: &Ast, start: usize) -> Result<Ast, SyntaxError> {
        let Some(word) = pattern.as_word() else {
            let message = "the pattern of `matches` is a literal".to_owned();
            return Err(wrong(pattern.at(), message)
                .help("for parts that vary there are `startsWith`, `endsWith`, `contains`"));
        };
        let compiled = RegexBuilder::new(word).size_limit(EXPR_PATTERN_BYTES_MAX).build();
        let pattern = compiled.map_err(|why| {
            let is_too_big = matches!(why, regex::Error::CompiledTooBig(_));
            let kind = if is_too_big { SyntaxErrorKind::TooLarge } else { SyntaxErrorKind::Syntax };
            let why = why.to_string();
            let last = why.lines().last().unwrap_or_default();
            let message = format!("a pattern that cannot be used: {last}");
            SyntaxError::new(pattern.at(), message).of(kind)
        })?;
        self.node(Kind::Matches(Box::new(Matches { text, pattern: Pattern(pattern) })), start)
    }

    fn each(
        &mut self,
        list: Ast,
        kind: MacroKind,
        at: &Range<usize>,
        usage: &str,
        start: usize,
    ) -> Result<Ast, SyntaxError> {
        let bad = || misused(at.clone(), kind.name(), usage);
        let name_at = self.here();
        let Token::Name(name) = self.bump() else { return Err(bad()) };
        if self.locals.contains(&name) {
            let message = format!("`{name}` already names the element of the list around");
            return Err(SyntaxError::new(name_at, message).help("choose another name"));
        }
        if !self.eat(",") {
            return Err(bad());
        }
        self.locals.push(name.clone());
        let body = self.list(")", Parser::expression);
        self.locals.pop();
        let mut body = body?.into_iter();
        let (Some(body), transform, None) = (body.next(), body.next(), body.next()) else {
            return Err(bad());
        };
        if transform.is_some() && kind != MacroKind::Map {
            return Err(bad());
        }
        let each = Macro { kind, list, name, body, transform };
        self.node(Kind::Macro(Box::new(each)), start)
    }
}
