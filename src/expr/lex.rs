//! From text to tokens with their places. Knows no grammar.

use std::ops::Range;

use super::parse::SyntaxError;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, reserved words included.
    Name(Box<str>),
    /// Digits; the sign is the parser's, so that the least integer can be written.
    Int(u64),
    /// A number with a dot or an exponent.
    Double(f64),
    /// A string, escapes resolved.
    Text(String),
    /// Punctuation, as written.
    Sign(&'static str),
    /// The end of the text.
    End,
}

impl Token {
    /// In the words of an error.
    pub(super) fn words(&self) -> String {
        match self {
            Token::Name(name) => format!("`{name}`"),
            Token::Int(number) => format!("`{number}`"),
            Token::Double(number) => format!("`{number}`"),
            Token::Text(_) => "a string".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        }
    }
}

/// A token and its byte range.
pub(super) type Spanned = (Token, Range<usize>);

/// Longest first, so that `<=` is not read as `<`.
const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")",
    "[", "]", "{", "}", ",", ".",
];

/// The tokens of a text, the last one [`Token::End`]. `base` is added to all places.
pub(super) fn tokens(text: &str, base: usize) -> Result<Vec<Spanned>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        let (token, range) = lexer.next().map_err(|wrong| wrong.moved(base))?;
        let is_end = token == Token::End;
        found.push((token, range.start + base..range.end + base));
        if is_end {
            return Ok(found);
        }
    }
}

/// Where the expression ends that begins a text and is closed by `}}`: the offset of `}}`. Braces
/// inside strings and of maps do not close it.
pub(super) fn closing(text: &str) -> Option<usize> {
    let mut lexer = Lexer { text, at: 0 };
    let mut open = 0_usize;
    loop {
        lexer.skip_blank();
        if open == 0 && lexer.rest().starts_with("}}") {
            return Some(lexer.at);
        }
        let before = lexer.at;
        match lexer.next() {
            Ok((Token::Sign("{"), _)) => open += 1,
            Ok((Token::Sign("}"), _)) => open = open.checked_sub(1)?,
            Ok((Token::End, _)) => return None,
            Ok(_) => {}
            // The parser will say what is wrong; here only the end is looked for.
            Err(_) => return text[before..].find("}}").map(|found| before + found),
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            // A comment, as CEL has it, ends with its line.
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn next(&mut self) -> Result<Spanned, SyntaxError> {
        self.skip_blank();
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((Token::End, start..start)) };
        let second = rest.as_bytes().get(1).copied();
        let token = if first == '"' || first == '\'' {
            self.string(false)?
        } else if matches!(first, 'r' | 'R') && matches!(second, Some(b'"' | b'\'')) {
            self.at += 1;
            self.string(true)?
        } else if matches!(first, 'b' | 'B') && matches!(second, Some(b'"' | b'\'')) {
            return Err(SyntaxError::new(start..start + 2, "there are no byte strings here")
                .help("write a plain string, without `b`"));
        } else if first.is_ascii_digit()
            || (first == '.' && second.is_some_and(|b| b.is_ascii_digit()))
        {
            self.number()?
        } else if first == '_' || first.is_ascii_alphabetic() {
            let length =
                rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            self.at += length;
            Token::Name(rest[..length].into())
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            Token::Sign(sign)
        } else {
            return Err(stray(rest, first, start));
        };
        Ok((token, start..self.at))
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        let rest = self.rest();
        let (digits, token) = if rest.starts_with("0x") || rest.starts_with("0X") {
            let length = run(&rest[2..], |b| b.is_ascii_hexdigit());
            let number = u64::from_str_radix(&rest[2..2 + length], 16);
            (2 + length, number.map(Token::Int).ok())
        } else {
            let (length, is_double) = decimal(rest);
            let text = &rest[..length];
            let token = if is_double {
                text.parse().ok().filter(|n: &f64| n.is_finite()).map(Token::Double)
            } else {
                text.parse().map(Token::Int).ok()
            };
            (length, token)
        };
        self.at += digits;
        if let Some(next) = self.rest().chars().next().filter(|c| *c == '_' || c.is_alphanumeric())
        {
            let message = format!("a number does not end with `{next}`");
            let error = SyntaxError::new(start..self.at + next.len_utf8(), message);
            return Err(match next {
                'u' | 'U' => error.help("there are no unsigned integers; leave the `u` out"),
                _ => error,
            });
        }
        token.ok_or_else(|| {
            let message = format!("`{}` is no number that fits", &rest[..digits]);
            SyntaxError::new(start..self.at, message)
        })
    }

    fn string(&mut self, raw: bool) -> Result<Token, SyntaxError> {
        let start = self.at;
        let rest = self.rest();
        let quote = if rest.starts_with('"') { "\"" } else { "'" };
        let triple = quote.repeat(3);
        let close = if rest.starts_with(&triple) { triple.as_str() } else { quote };
        self.at += close.len();
        let mut out = String::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(close) {
                self.at += close.len();
                return Ok(Token::Text(out));
            }
            match rest.chars().next() {
                Some('\\') if !raw => self.escape(&mut out)?,
                Some('\n') if close.len() == 1 => return Err(unclosed(start, self.at, close)),
                Some(c) => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
                None => return Err(unclosed(start, self.at, close)),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), SyntaxError> {
        let start = self.at;
        let bad = |end: usize| {
            SyntaxError::new(start..end, "an escape that cannot be read")
                .help("known are \\n \\t \\r \\\\ \\\" \\' \\xHH \\uHHHH \\UHHHHHHHH and \\OOO")
        };
        let rest = &self.rest()[1..];
        let Some(letter) = rest.chars().next() else { return Err(bad(self.at + 1)) };
        let (skip, length, radix) = match letter {
            'x' | 'X' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => (0, 0, 0),
        };
        let after = self.at + 1 + letter.len_utf8();
        if length > 0 {
            let digits = rest.get(skip..skip + length).ok_or_else(|| bad(after))?;
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad(after));
            }
            let code = u32::from_str_radix(digits, radix).map_err(|_| bad(after))?;
            out.push(char::from_u32(code).ok_or_else(|| bad(after))?);
            self.at += 1 + skip + length;
            return Ok(());
        }
        out.push(match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '?' | '"' | '\'' | '`' => letter,
            _ => return Err(bad(after)),
        });
        self.at = after;
        Ok(())
    }
}

fn run(text: &str, fits: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| fits(*b)).count()
}

/// Length of a decimal number, and whether it has a fraction or an exponent.
fn decimal(text: &str) -> (usize, bool) {
    let digits = |from: usize| run(&text[from..], |b| b.is_ascii_digit());
    let mut length = digits(0);
    let mut is_double = false;
    if text[length..].starts_with('.') && digits(length + 1) > 0 {
        is_double = true;
        length += 1 + digits(length + 1);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            is_double = true;
            length += 1 + sign + exponent;
        }
    }
    (length, is_double)
}

fn unclosed(start: usize, end: usize, close: &str) -> SyntaxError {
    SyntaxError::new(start..end, format!("a string that {close} does not close"))
}

fn stray(rest: &str, first: char, at: usize) -> SyntaxError {
    let error =
        SyntaxError::new(at..at + first.len_utf8(), format!("`{first}` has no meaning here"));
    match first {
        '=' => error.help("equality is `==`"),
        '&' => error.help("both conditions is `&&`"),
        '|' => error.help("one of two conditions is `||`"),
        '$' if rest.starts_with("${{") => {
            error.help("a condition is written bare, without `${{ }}`")
        }
        '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => {
            error.help("strings are quoted with plain \" or '")
        }
        _ => error,
    }
}
