//! Arguments of functions and macros.

use super::{Checker, TypeErrorKind};
use crate::expr::ast::{Ast, Function, Macro, MacroKind};
use crate::expr::facts::{Facts, facts_when_true};
use crate::expr::types::Type;

impl Checker<'_> {
    pub(super) fn call(&mut self, function: Function, list: &[Ast], facts: &Facts) -> Type {
        let name = function.name();
        match function {
            Function::StartsWith | Function::EndsWith | Function::Contains => {
                for argument in list {
                    self.text_argument(argument, name, facts);
                }
                Type::Bool
            }
            Function::Size => {
                let fits =
                    |ty: &Type| ty.is_text() || matches!(ty, Type::List(_) | Type::Object(_));
                self.argument(&list[0], name, "a string, a list or an object", facts, fits);
                Type::Int
            }
            Function::Bool => {
                let fits = |ty: &Type| ty.is_text() || *ty == Type::Bool;
                self.argument(&list[0], name, "a string or a boolean", facts, fits);
                Type::Bool
            }
            Function::Int => {
                let fits = |ty: &Type| ty.is_text() || ty.is_number();
                self.argument(&list[0], name, "a number or a string", facts, fits);
                Type::Int
            }
            Function::Double => {
                let fits = |ty: &Type| ty.is_text() || ty.is_number();
                self.argument(&list[0], name, "a number or a string", facts, fits);
                Type::Double
            }
            Function::String => {
                let fits = |ty: &Type| ty.is_text() || ty.is_number() || *ty == Type::Bool;
                let wanted = "a string, a number or a boolean";
                let ty = self.argument(&list[0], name, wanted, facts, fits);
                if matches!(ty, Type::Word(_)) { ty } else { Type::String }
            }
            Function::Distinct => {
                let fits = |ty: &Type| matches!(ty, Type::List(_));
                let ty = self.argument(&list[0], name, "a list", facts, fits);
                if matches!(ty, Type::List(_)) { ty } else { Type::list(Type::Dyn) }
            }
        }
    }

    pub(super) fn text_argument(&mut self, ast: &Ast, name: &str, facts: &Facts) {
        self.argument(ast, name, "strings", facts, Type::is_text);
    }

    fn argument(
        &mut self,
        ast: &Ast,
        name: &str,
        wanted: &str,
        facts: &Facts,
        fits: impl Fn(&Type) -> bool,
    ) -> Type {
        let ty = self.ty(ast, facts);
        if fits(&ty) || ty == Type::Dyn {
            return ty;
        }
        let message = format!("`{name}` is for {wanted}, and `{ast}` is {}", ty.short());
        self.wrong(ast.at(), TypeErrorKind::Function, message, None)
    }

    pub(super) fn each(&mut self, each: &Macro, facts: &Facts) -> Type {
        let name = each.kind.name();
        let fits = |ty: &Type| matches!(ty, Type::List(_));
        let list = self.argument(&each.list, name, "a list", facts, fits);
        if self.env.roots.contains_key(&*each.name) {
            let message = format!("`{}` already names something else here", each.name);
            let help = Some("choose another name for the element".to_owned());
            self.wrong(each.body.at(), TypeErrorKind::UnknownName, message, help);
        }
        let element = if let Type::List(element) = &list { (**element).clone() } else { Type::Dyn };
        self.locals.push((each.name.clone(), element));
        let of = match (each.kind, &each.transform) {
            (MacroKind::Map, None) => Type::list(self.ty(&each.body, facts)),
            (MacroKind::Map, Some(transform)) => {
                self.condition(&each.body, facts);
                let facts = facts.and(&facts_when_true(&each.body));
                Type::list(self.ty(transform, &facts))
            }
            (MacroKind::Filter, _) => {
                self.condition(&each.body, facts);
                if list == Type::Dyn { Type::list(Type::Dyn) } else { list }
            }
            (MacroKind::All | MacroKind::Exists | MacroKind::ExistsOne, _) => {
                self.condition(&each.body, facts);
                Type::Bool
            }
        };
        self.locals.pop();
        of
    }
}
