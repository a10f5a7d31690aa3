//! Parts of a condition that say the same whatever is read. Computes nothing.

use std::ops::Range;

use super::ast::{Ast, Kind, Relation};

/// The parts that always say the same: an operand of `&&`, `||` or `!` that reads nothing, and a
/// comparison of a thing with itself.
#[must_use]
pub fn idle_parts(ast: &Ast) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    visit(ast, true, &mut found);
    found
}

/// `says`: whether the part alone decides something.
fn visit(ast: &Ast, says: bool, found: &mut Vec<Range<usize>>) {
    if says && is_constant(ast) {
        found.push(ast.at());
        return;
    }
    let (mut decide, mut children) = (false, ast.children());
    match &ast.kind {
        Kind::And(_) | Kind::Or(_) | Kind::Not(_) => decide = true,
        Kind::Compare(Relation::Equal | Relation::Unequal | Relation::Order(_), pair)
            if pair.0.to_string() == pair.1.to_string() =>
        {
            found.push(ast.at());
            children.clear();
        }
        Kind::Compare(..)
        | Kind::Literal(_)
        | Kind::Path(_)
        | Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::Negate(_)
        | Kind::Compute(..)
        | Kind::Choose(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_)
        | Kind::Macro(_) => {}
    }
    for child in children {
        visit(child, decide, found);
    }
}

/// Whether neither a name of the scope nor the element of a macro stands in it.
fn is_constant(ast: &Ast) -> bool {
    !matches!(ast.kind, Kind::Path(_) | Kind::Local { .. })
        && ast.children().into_iter().all(is_constant)
}
