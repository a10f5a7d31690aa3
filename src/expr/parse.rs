//! From tokens to the tree, with errors that name the cure. Judges no types.

use std::fmt;
use std::ops::Range;

use serde_json::Value;

use super::ast::{Arithmetic, Ast, Kind, Order, Relation};
use super::lex::{self, Spanned, Token};
use crate::limits::{EXPR_BYTES_MAX, EXPR_DEPTH_MAX};

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The part of the text that is wrong, in bytes.
    pub at: Range<usize>,
    /// What kind of mistake.
    pub kind: SyntaxErrorKind,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What is wrong with a text that is no expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxErrorKind {
    /// It cannot be read.
    Syntax,
    /// A function that does not exist, or its wrong use.
    Function,
    /// It is too long or nested too deep.
    TooLarge,
}

impl SyntaxError {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> SyntaxError {
        SyntaxError { at, kind: SyntaxErrorKind::Syntax, message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> SyntaxError {
        self.help = Some(help.into());
        self
    }

    pub(super) fn of(mut self, kind: SyntaxErrorKind) -> SyntaxError {
        self.kind = kind;
        self
    }

    pub(super) fn moved(mut self, base: usize) -> SyntaxError {
        self.at = self.at.start + base..self.at.end + base;
        self
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

impl std::error::Error for SyntaxError {}

/// Reads a bare expression, as it stands in `when`, `if`, `where`, `key` and the like.
///
/// # Errors
///
/// The first place where it stops being an expression.
pub fn parse(text: &str) -> Result<Ast, SyntaxError> {
    parse_at(text, 0)
}

/// Reads an expression that stands at `base` in a longer text; all places are of that text.
pub(super) fn parse_at(text: &str, base: usize) -> Result<Ast, SyntaxError> {
    if text.len() > EXPR_BYTES_MAX {
        let message = format!("an expression has at most {EXPR_BYTES_MAX} bytes");
        return Err(SyntaxError::new(base..base + text.len(), message)
            .of(SyntaxErrorKind::TooLarge)
            .help("compute parts of it in earlier steps and `save` them"));
    }
    let tokens = lex::tokens(text, base)?;
    let mut parser = Parser { tokens, next: 0, depth: 0, locals: Vec::new() };
    if let [(Token::End, at)] = parser.tokens.as_slice() {
        return Err(SyntaxError::new(at.clone(), "an expression is missing"));
    }
    let ast = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(ast),
        Token::Name(_) | Token::Int(_) | Token::Double(_) | Token::Text(_) | Token::Sign(_) => {
            Err(parser.leftover())
        }
    }
}

/// Reserved by CEL: none of them is a name of ours. After a dot they may stand.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
];

pub(super) struct Parser {
    tokens: Vec<Spanned>,
    next: usize,
    depth: usize,
    /// Names of the macros around, the innermost last.
    pub(super) locals: Vec<Box<str>>,
}

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    /// Place of the next token.
    pub(super) fn here(&self) -> Range<usize> {
        self.tokens[self.next].1.clone()
    }

    /// Where the token before this one ends.
    fn behind(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |before| self.tokens[before].1.end)
    }

    /// The next token, passed. The end is never passed.
    pub(super) fn bump(&mut self) -> Token {
        let token = self.tokens[self.next].0.clone();
        if token != Token::End {
            self.next += 1;
        }
        token
    }

    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(found) if *found == sign);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &str, after: &str) -> Result<(), SyntaxError> {
        if self.eat(sign) {
            return Ok(());
        }
        let message = format!("`{sign}` is missing {after}, found {}", self.peek().words());
        Err(SyntaxError::new(self.here(), message))
    }

    fn leftover(&self) -> SyntaxError {
        let token = self.peek();
        let before = self.next.checked_sub(1).map(|before| &self.tokens[before].0);
        let message = format!("{} stands where the expression had ended", token.words());
        let error = SyntaxError::new(self.here(), message);
        let is_not = matches!(before, Some(Token::Name(name)) if &**name == "not");
        match token {
            _ if is_not => error.help("the opposite is `!`"),
            Token::Name(name) => match &**name {
                "and" | "AND" => error.help("both conditions is `&&`"),
                "or" | "OR" => error.help("one of two conditions is `||`"),
                "is" | "eq" => error.help("equality is `==`"),
                "not" => error.help("the opposite of `a in b` is `!(a in b)`"),
                "if" => error.help("a choice is `condition ? this : that`"),
                _ => error,
            },
            Token::Sign("==" | "!=" | "<" | "<=" | ">" | ">=") => {
                error.help("comparisons do not chain; write `a < b && b < c`")
            }
            Token::Int(_) | Token::Double(_) | Token::Text(_) | Token::Sign(_) | Token::End => {
                error
            }
        }
    }

    /// A node over what was read since `start`, unless it nests too deep.
    pub(super) fn node(&self, kind: Kind, start: usize) -> Result<Ast, SyntaxError> {
        let mut ast = Ast { kind, start: start as u32, end: self.behind() as u32, depth: 1 };
        let below = ast.children().iter().map(|child| child.depth).max().unwrap_or(0);
        if usize::from(below) >= EXPR_DEPTH_MAX {
            return Err(too_deep(ast.at()));
        }
        ast.depth = below + 1;
        Ok(ast)
    }

    /// One level deeper: all recursion of the parser goes through here.
    fn deeper(
        &mut self,
        read: impl FnOnce(&mut Parser) -> Result<Ast, SyntaxError>,
    ) -> Result<Ast, SyntaxError> {
        if self.depth >= EXPR_DEPTH_MAX {
            return Err(too_deep(self.here()));
        }
        self.depth += 1;
        let ast = read(self);
        self.depth -= 1;
        ast
    }

    /// `or ? or : expression`
    pub(super) fn expression(&mut self) -> Result<Ast, SyntaxError> {
        self.deeper(|parser| {
            let start = parser.here().start;
            let condition = parser.either()?;
            if !parser.eat("?") {
                return Ok(condition);
            }
            let this = parser.either()?;
            parser.expect(":", "after the first choice of `? :`")?;
            let that = parser.expression()?;
            parser.node(Kind::Choose(Box::new([condition, this, that])), start)
        })
    }

    fn either(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        let first = self.both()?;
        let mut list = vec![first];
        while self.eat("||") {
            list.push(self.both()?);
        }
        self.chain(list, start, Kind::Or)
    }

    fn both(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        let first = self.relation()?;
        let mut list = vec![first];
        while self.eat("&&") {
            list.push(self.relation()?);
        }
        self.chain(list, start, Kind::And)
    }

    fn chain(
        &self,
        mut list: Vec<Ast>,
        start: usize,
        kind: fn(Box<[Ast]>) -> Kind,
    ) -> Result<Ast, SyntaxError> {
        match (list.pop(), list.is_empty()) {
            (Some(only), true) => Ok(only),
            (last, _) => {
                list.extend(last);
                self.node(kind(list.into()), start)
            }
        }
    }

    fn relation(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        let left = self.sum()?;
        let relation = match self.peek() {
            Token::Sign("==") => Relation::Equal,
            Token::Sign("!=") => Relation::Unequal,
            Token::Sign("<") => Relation::Order(Order::Less),
            Token::Sign("<=") => Relation::Order(Order::LessEqual),
            Token::Sign(">") => Relation::Order(Order::Greater),
            Token::Sign(">=") => Relation::Order(Order::GreaterEqual),
            Token::Name(name) if &**name == "in" => Relation::In,
            Token::Name(_)
            | Token::Int(_)
            | Token::Double(_)
            | Token::Text(_)
            | Token::Sign(_)
            | Token::End => return Ok(left),
        };
        self.bump();
        let right = self.sum()?;
        self.node(Kind::Compare(relation, Box::new((left, right))), start)
    }

    fn sum(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        let mut left = self.product()?;
        loop {
            let op = if self.eat("+") {
                Arithmetic::Add
            } else if self.eat("-") {
                Arithmetic::Subtract
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = self.node(Kind::Compute(op, Box::new((left, right))), start)?;
        }
    }

    fn product(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        let mut left = self.unary()?;
        loop {
            let op = if self.eat("*") {
                Arithmetic::Multiply
            } else if self.eat("/") {
                Arithmetic::Divide
            } else if self.eat("%") {
                Arithmetic::Remainder
            } else {
                return Ok(left);
            };
            let right = self.unary()?;
            left = self.node(Kind::Compute(op, Box::new((left, right))), start)?;
        }
    }

    fn unary(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        if self.eat("!") {
            let of = self.deeper(Parser::unary)?;
            return self.node(Kind::Not(Box::new(of)), start);
        }
        if !self.eat("-") {
            return self.member();
        }
        // The least integer is written with its sign: without it, it would not fit.
        if let (Token::Int(number), before) = (self.peek().clone(), self.here()) {
            let number = 0_i64.checked_sub_unsigned(number);
            let number = number.ok_or_else(|| too_big(start..before.end))?;
            self.bump();
            let literal = self.node(Kind::Literal(Value::from(number)), start)?;
            return self.postfix(literal, start);
        }
        let of = self.deeper(Parser::unary)?;
        self.node(Kind::Negate(Box::new(of)), start)
    }

    pub(super) fn member(&mut self) -> Result<Ast, SyntaxError> {
        let start = self.here().start;
        let first = self.primary()?;
        self.postfix(first, start)
    }

    fn primary(&mut self) -> Result<Ast, SyntaxError> {
        let at = self.here();
        match self.bump() {
            Token::Int(number) => {
                let number = i64::try_from(number).map_err(|_| too_big(at.clone()))?;
                self.node(Kind::Literal(number.into()), at.start)
            }
            Token::Double(number) => self.node(Kind::Literal(number.into()), at.start),
            Token::Text(text) => self.node(Kind::Literal(text.into()), at.start),
            Token::Name(name) => self.name(&name, at),
            Token::Sign("(") => {
                let inner = self.expression()?;
                self.expect(")", "after what `(` opened")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                let list = self.list("]", Parser::expression)?;
                self.node(Kind::List(list.into()), at.start)
            }
            Token::Sign("{") => self.map(at.start),
            Token::End => Err(SyntaxError::new(at, "a value is missing at the end")),
            token @ Token::Sign(_) => {
                let message = format!("a value is missing before {}", token.words());
                Err(SyntaxError::new(at, message))
            }
        }
    }

    fn name(&mut self, name: &str, at: Range<usize>) -> Result<Ast, SyntaxError> {
        match name {
            "true" => return self.node(Kind::Literal(true.into()), at.start),
            "false" => return self.node(Kind::Literal(false.into()), at.start),
            "null" => return self.node(Kind::Literal(Value::Null), at.start),
            _ => {}
        }
        if self.eat("(") {
            return self.function(name, at);
        }
        if RESERVED.contains(&name) {
            return Err(SyntaxError::new(at, format!("`{name}` is a reserved word of CEL")));
        }
        let path = Box::new([name.into()]);
        let kind = match self.locals.iter().rev().position(|local| **local == *name) {
            Some(up) => Kind::Local { up: up as u16, path },
            None => Kind::Path(path),
        };
        self.node(kind, at.start)
    }

    fn map(&mut self, start: usize) -> Result<Ast, SyntaxError> {
        let mut entries: Vec<(Ast, Ast)> = Vec::new();
        while !self.eat("}") {
            let key = self.expression()?;
            if let Some(word) = key.as_word()
                && entries.iter().any(|(other, _)| other.as_word() == Some(word))
            {
                let message = format!("the key `{word}` stands twice in one map");
                return Err(SyntaxError::new(key.at(), message));
            }
            self.expect(":", "after a key")?;
            entries.push((key, self.expression()?));
            if !self.eat(",") {
                self.expect("}", "after the last entry")?;
                break;
            }
        }
        self.node(Kind::Map(entries.into()), start)
    }

    /// Elements up to `close`, with commas between them; one may stand behind the last.
    pub(super) fn list(
        &mut self,
        close: &'static str,
        mut element: impl FnMut(&mut Parser) -> Result<Ast, SyntaxError>,
    ) -> Result<Vec<Ast>, SyntaxError> {
        let mut list = Vec::new();
        while !self.eat(close) {
            list.push(element(self)?);
            if !self.eat(",") {
                self.expect(close, "after the last element")?;
                break;
            }
        }
        Ok(list)
    }

    /// Fields, elements and methods behind a value.
    fn postfix(&mut self, first: Ast, start: usize) -> Result<Ast, SyntaxError> {
        let mut ast = first;
        loop {
            if self.eat(".") {
                let at = self.here();
                let Token::Name(name) = self.bump() else {
                    let message = "a field's name is missing after the dot";
                    return Err(SyntaxError::new(at, message));
                };
                if matches!(&*name, "in" | "true" | "false" | "null") {
                    let message = format!("`{name}` is a reserved word of CEL");
                    return Err(SyntaxError::new(at, message)
                        .help(format!("write `[\"{name}\"]` for a field of that name")));
                }
                ast = if self.eat("(") {
                    self.method(ast, &name, at, start)?
                } else {
                    self.field(ast, name, start)?
                };
            } else if self.eat("[") {
                let index = self.expression()?;
                self.expect("]", "after the index")?;
                ast = match (index.as_word(), &ast.kind) {
                    (Some(word), Kind::Path(_) | Kind::Local { .. }) => {
                        let word = word.into();
                        self.field(ast, word, start)?
                    }
                    _ => self.node(Kind::Index(Box::new((ast, index))), start)?,
                };
            } else {
                return Ok(ast);
            }
        }
    }

    fn field(&self, of: Ast, name: Box<str>, start: usize) -> Result<Ast, SyntaxError> {
        let longer = |path: Box<[Box<str>]>| {
            let mut path = path.into_vec();
            path.push(name.clone());
            path.into_boxed_slice()
        };
        let kind = match of {
            Ast { kind: Kind::Path(path), .. } => Kind::Path(longer(path)),
            Ast { kind: Kind::Local { up, path }, .. } => Kind::Local { up, path: longer(path) },
            other => Kind::Field(Box::new(other), name),
        };
        self.node(kind, start)
    }
}

fn too_deep(at: Range<usize>) -> SyntaxError {
    SyntaxError::new(at, format!("an expression nests at most {EXPR_DEPTH_MAX} deep"))
        .of(SyntaxErrorKind::TooLarge)
        .help("compute parts of it in earlier steps and `save` them")
}

fn too_big(at: Range<usize>) -> SyntaxError {
    SyntaxError::new(at, "an integer that does not fit in 64 bits")
}
