//! What an expression reads, for checks of use before set and of what nobody reads. Looks at no
//! values.

use std::ops::Range;

use serde_json::Value;

use super::ast::{Ast, Kind, Path};

/// One read of a name of the scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// From the root, as far as the names are plain: `steps.tab.echo.index`.
    pub path: Path,
    /// Its place, in bytes of the expression's text.
    pub at: Range<usize>,
    /// Only asked for by `has()`.
    pub is_asked: bool,
}

/// All reads, in the order of the text. The names of macros are not among them.
#[must_use]
pub fn reads(ast: &Ast) -> Vec<Read> {
    let mut found = Vec::new();
    visit(ast, false, &mut found);
    found
}

fn visit(ast: &Ast, is_asked: bool, found: &mut Vec<Read>) {
    if let Kind::Path(path) = &ast.kind {
        found.push(Read { path: path.to_vec(), at: ast.at(), is_asked });
    }
    let is_asked = matches!(ast.kind, Kind::Has(_));
    for child in ast.children() {
        visit(child, is_asked, found);
    }
}

/// All literals, in the order of the text: what values are compared with is among them.
#[must_use]
pub fn literals(ast: &Ast) -> Vec<Value> {
    let mut found = Vec::new();
    let mut open = vec![ast];
    while let Some(one) = open.pop() {
        if let Kind::Literal(value) = &one.kind {
            found.push(value.clone());
        }
        open.extend(one.children().into_iter().rev());
    }
    found
}
