//! Comparisons and arithmetic: values of one kind only, words that can come.

use std::collections::BTreeSet;

use super::{Checker, TypeError, TypeErrorKind};
use crate::diag::{nearest, sole};
use crate::expr::ast::{Arithmetic, Ast, Function, Kind, Relation};
use crate::expr::facts::Facts;
use crate::expr::types::Type;

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        ast: &Ast,
        relation: Relation,
        a: &Ast,
        b: &Ast,
        facts: &Facts,
    ) {
        let left = self.ty(a, facts);
        match relation {
            Relation::Equal | Relation::Unequal => {
                let right = self.ty(b, facts);
                self.equal(ast, (a, &left), (b, &right));
            }
            Relation::In => self.within(ast, (a, &left), b, facts),
            Relation::Order(_) => {
                let right = self.ty(b, facts);
                self.order(ast, relation.sign(), (a, &left), (b, &right));
            }
        }
    }

    /// Whether two values can be the same at all.
    fn equal(&mut self, ast: &Ast, (a, left): (&Ast, &Type), (b, right): (&Ast, &Type)) {
        if !left.meets(right) {
            self.mixed(ast, "are never the same", (a, left), (b, right));
            return;
        }
        if let (Type::Word(x), Type::Word(y)) = (left, right)
            && x.is_disjoint(y)
        {
            match (a.as_word(), b.as_word()) {
                (Some(word), None) => self.unknown_word(a, word, b, y),
                (_, Some(word)) => self.unknown_word(b, word, a, x),
                (None, None) => {
                    let message = format!("`{a}` is {left}, `{b}` is {right}: never the same");
                    self.wrong(ast.at(), TypeErrorKind::UnknownWord, message, None);
                }
            }
        }
    }

    fn unknown_word(&mut self, at: &Ast, word: &str, about: &Ast, words: &BTreeSet<String>) {
        let help = nearest(word, words.iter().map(String::as_str))
            .map(|near| format!("did you mean \"{near}\"?"));
        let all: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let message = format!("`{about}` is never \"{word}\"; it is one of {}", all.join(", "));
        let plain = |word: &str| word.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'_');
        let near = sole(word, words.iter().map(String::as_str)).filter(|near| plain(near));
        let (at, kind) = (at.at(), TypeErrorKind::UnknownWord);
        let respelled = near.map(|near| format!("\"{near}\""));
        self.add(TypeError { at, kind, message, help, respelled });
    }

    fn within(&mut self, ast: &Ast, (a, left): (&Ast, &Type), b: &Ast, facts: &Facts) {
        // Each element of a written list is compared by itself, so that the wrong one is named.
        if let Kind::List(list) = &b.kind {
            for element in list {
                let ty = self.ty(element, facts);
                self.equal(element, (a, left), (element, &ty));
            }
            return;
        }
        match self.ty(b, facts) {
            Type::Dyn => {}
            Type::List(element) => {
                if !left.meets(&element) {
                    let message = format!(
                        "`{a}` is {}, and each element of `{b}` is {}",
                        left.short(),
                        element.short()
                    );
                    self.wrong(ast.at(), TypeErrorKind::MixedTypes, message, None);
                }
            }
            Type::Object(_) if left.is_text() || *left == Type::Dyn => {}
            other @ (Type::Object(_)
            | Type::Bool
            | Type::Int
            | Type::Double
            | Type::String
            | Type::Word(_)
            | Type::Null) => {
                let help =
                    other.is_text().then(|| format!("a part of a text: `{b}.contains({a})`"));
                let message = format!("`in` looks into a list, and `{b}` is {}", other.short());
                self.wrong(b.at(), TypeErrorKind::WrongType, message, help);
            }
        }
    }

    fn order(
        &mut self,
        ast: &Ast,
        sign: &str,
        (a, left): (&Ast, &Type),
        (b, right): (&Ast, &Type),
    ) {
        if !left.meets(right) {
            self.mixed(ast, "have no order", (a, left), (b, right));
            return;
        }
        for (side, ty) in [(a, left), (b, right)] {
            if !ty.is_number() && !ty.is_text() && *ty != Type::Dyn {
                let message = format!("`{sign}` orders numbers and strings, not {}", ty.short());
                self.wrong(side.at(), TypeErrorKind::WrongType, message, None);
                return;
            }
        }
    }

    /// Two types that do not meet.
    fn mixed(
        &mut self,
        ast: &Ast,
        why: &str,
        (a, left): (&Ast, &Type),
        (b, right): (&Ast, &Type),
    ) -> Type {
        let help = match (left, right) {
            (Type::Null, _) => Some(format!("whether a field has a value is `has({b})`")),
            (_, Type::Null) => Some(format!("whether a field has a value is `has({a})`")),
            (left, right) if left.is_number() && right.is_text() => {
                Some(format!("compare alike: `string({a})`"))
            }
            (left, right) if left.is_text() && right.is_number() => {
                Some(format!("compare alike: `string({b})`"))
            }
            (Type::Bool, right) if right.is_text() => {
                Some("true and false stand without quotes".to_owned())
            }
            _ => None,
        };
        let message = format!("`{a}` is {}, `{b}` is {}: they {why}", left.short(), right.short());
        self.wrong(ast.at(), TypeErrorKind::MixedTypes, message, help)
    }

    pub(super) fn negate(&mut self, of: &Ast, facts: &Facts) -> Type {
        let ty = self.ty(of, facts);
        if ty.is_number() || ty == Type::Dyn {
            return ty;
        }
        let message = format!("`-` is for numbers, and `{of}` is {}", ty.short());
        self.wrong(of.at(), TypeErrorKind::WrongType, message, None)
    }

    pub(super) fn compute(
        &mut self,
        ast: &Ast,
        op: Arithmetic,
        a: &Ast,
        b: &Ast,
        facts: &Facts,
    ) -> Type {
        let (left, right) = (self.ty(a, facts), self.ty(b, facts));
        let is_zero = matches!(&b.kind, Kind::Literal(value) if value.as_f64() == Some(0.0));
        if is_zero && matches!(op, Arithmetic::Divide | Arithmetic::Remainder) {
            let message = format!("`{ast}` divides by zero");
            return self.wrong(ast.at(), TypeErrorKind::WrongType, message, None);
        }
        match (left, right) {
            (Type::Dyn, _) | (_, Type::Dyn) => Type::Dyn,
            (Type::Int, Type::Int) => Type::Int,
            (Type::Double, Type::Double) => self.doubles(ast, op, a, b),
            (Type::List(left), Type::List(right)) if op == Arithmetic::Add => {
                Type::list(left.join(*right))
            }
            (left, right) if op == Arithmetic::Add && left.is_text() && right.is_text() => {
                Type::String
            }
            (left, right) => self.no_arithmetic(ast, op, (a, &left), (b, &right)),
        }
    }

    fn doubles(&mut self, ast: &Ast, op: Arithmetic, a: &Ast, b: &Ast) -> Type {
        let sign = op.sign();
        match op {
            Arithmetic::Remainder => {
                let message = format!("`{sign}` is for integers, and these are numbers");
                self.wrong(ast.at(), TypeErrorKind::WrongType, message, None)
            }
            // JSON may write 3.0 as 3, and whole numbers divide without a rest: what comes out
            // must not depend on how a peer writes.
            Arithmetic::Divide if !is_double(a) && !is_double(b) => {
                let message = format!("`{a}` and `{b}` may come as integers, which lose the rest");
                let help = Some(format!("write `double({a}) / {b}`"));
                self.wrong(ast.at(), TypeErrorKind::WrongType, message, help)
            }
            Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply | Arithmetic::Divide => {
                Type::Double
            }
        }
    }

    fn no_arithmetic(
        &mut self,
        ast: &Ast,
        op: Arithmetic,
        (a, left): (&Ast, &Type),
        (b, right): (&Ast, &Type),
    ) -> Type {
        let help = match (left, right) {
            (Type::Int, Type::Double) => Some(to_double(a)),
            (Type::Double, Type::Int) => Some(to_double(b)),
            (left, right) if op == Arithmetic::Add && left.is_text() && !right.is_text() => {
                Some(format!("write `string({b})`"))
            }
            (left, right) if op == Arithmetic::Add && right.is_text() && !left.is_text() => {
                Some(format!("write `string({a})`"))
            }
            _ => None,
        };
        let kind = if left.short() == right.short() {
            TypeErrorKind::WrongType
        } else {
            TypeErrorKind::MixedTypes
        };
        let sign = op.sign();
        let message = format!("`{sign}` is not for {} and {}", left.short(), right.short());
        self.wrong(ast.at(), kind, message, help)
    }
}

fn to_double(of: &Ast) -> String {
    if matches!(of.kind, Kind::Literal(_)) {
        return format!("write `{of}.0`");
    }
    format!("write `double({of})`")
}

/// Whether a value is a double however its parts come.
fn is_double(ast: &Ast) -> bool {
    match &ast.kind {
        Kind::Literal(value) => value.is_f64(),
        Kind::Call(function, _) => *function == Function::Double,
        Kind::Negate(of) => is_double(of),
        Kind::Compute(_, pair) => is_double(&pair.0) || is_double(&pair.1),
        Kind::Choose(three) => is_double(&three[1]) && is_double(&three[2]),
        Kind::Path(_)
        | Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::Not(_)
        | Kind::And(_)
        | Kind::Or(_)
        | Kind::Compare(..)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Matches(_)
        | Kind::Macro(_) => false,
    }
}
