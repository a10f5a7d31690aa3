//! What the length of a list depends on, and whether a value may be missing: for who tries values.
//! Computes none.

use super::ast::{Arithmetic, Ast, Function, Kind, MacroKind, Relation};
use super::reads::{Read, reads};

/// What the length of a list depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizing {
    /// Lists whose length is in it.
    pub lengths: Vec<Read>,
    /// Values that have a say in it.
    pub values: Vec<Read>,
}

/// What the length of the list depends on that the expression gives.
#[must_use]
pub fn sizing(ast: &Ast) -> Sizing {
    let mut sizing = Sizing::default();
    size(ast, &mut sizing);
    sizing
}

fn size(ast: &Ast, into: &mut Sizing) {
    match &ast.kind {
        Kind::Literal(_) | Kind::List(_) => {}
        Kind::Path(_) => into.lengths.extend(reads(ast)),
        Kind::Compute(Arithmetic::Add, pair) => {
            size(&pair.0, into);
            size(&pair.1, into);
        }
        Kind::Choose(three) => {
            into.values.extend(reads(&three[0]));
            size(&three[1], into);
            size(&three[2], into);
        }
        Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::Not(_)
        | Kind::Negate(_)
        | Kind::And(_)
        | Kind::Or(_)
        | Kind::Compare(..)
        | Kind::Compute(..)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_)
        | Kind::Macro(_) => into.values.extend(reads(ast)),
    }
}

/// Whether some values let it fail, beside a path that has no value: an index, a division, a
/// conversion, a sum that is too large.
#[must_use]
pub fn may_fail(ast: &Ast) -> bool {
    let own = match &ast.kind {
        Kind::Index(_) | Kind::Field(..) | Kind::Negate(_) | Kind::Compute(..) => true,
        Kind::Call(function, _) => match function {
            Function::Bool | Function::Int | Function::Double | Function::String => true,
            Function::Size
            | Function::StartsWith
            | Function::EndsWith
            | Function::Contains
            | Function::Distinct => false,
        },
        Kind::Literal(_)
        | Kind::Path(_)
        | Kind::Local { .. }
        | Kind::Has(_)
        | Kind::Not(_)
        | Kind::And(_)
        | Kind::Or(_)
        | Kind::Compare(..)
        | Kind::Choose(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Matches(_)
        | Kind::Macro(_) => false,
    };
    // Lists that are joined are never too large.
    let joins = |ast: &Ast| {
        let Kind::Compute(Arithmetic::Add, pair) = &ast.kind else { return false };
        let lists = |ast: &Ast| matches!(ast.kind, Kind::List(_));
        lists(&pair.0) || lists(&pair.1)
    };
    (own && !joins(ast)) || ast.children().into_iter().any(may_fail)
}

/// What is read in such a way that the order of a list may make a difference, or one of its
/// elements. Neither does where it is only counted, searched, or all of it is looked at alike.
#[must_use]
pub fn ordered(ast: &Ast) -> Vec<Read> {
    let mut found = Vec::new();
    in_order(ast, false, &mut found);
    found
}

/// `alike`: no element is told from another where it stands.
fn in_order(ast: &Ast, alike: bool, found: &mut Vec<Read>) {
    match &ast.kind {
        Kind::Path(_) if alike => {}
        Kind::Path(_) => found.extend(reads(ast)),
        Kind::Has(_) => {}
        Kind::Call(Function::Size, list) => list.iter().for_each(|of| in_order(of, true, found)),
        Kind::Compare(Relation::In, pair) => {
            in_order(&pair.0, false, found);
            in_order(&pair.1, matches!(pair.0.kind, Kind::Literal(_)), found);
        }
        Kind::Macro(each) => {
            // What an element is compared with may be one of them.
            let parts = std::iter::once(&each.body).chain(&each.transform);
            let apart: Vec<Read> = parts.flat_map(reads).collect();
            let counts = match each.kind {
                MacroKind::All | MacroKind::Exists | MacroKind::ExistsOne => true,
                MacroKind::Filter | MacroKind::Map => alike,
            };
            in_order(&each.list, counts && apart.is_empty(), found);
            found.extend(apart);
        }
        Kind::Literal(_)
        | Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Not(_)
        | Kind::Negate(_)
        | Kind::And(_)
        | Kind::Or(_)
        | Kind::Compare(..)
        | Kind::Compute(..)
        | Kind::Choose(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_) => {
            ast.children().into_iter().for_each(|child| in_order(child, false, found));
        }
    }
}
