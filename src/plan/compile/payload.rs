//! Commands and emitted events: looked up, and their fields held to the declaration. Nothing is
//! evaluated here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use super::exprs::Place;
use crate::definition::catalog::CatalogUndo;
use crate::definition::{CommandDecl, Fields, Named};
use crate::diag::{At, Span};
use crate::expr::{self, Field, ObjectType, Presence, Template, Type};
use crate::plan::{Call, Costs, Verb, types};

impl Compiler<'_> {
    /// The declaration of a command.
    pub(super) fn command(&mut self, name: &At<String>) -> Option<Arc<CommandDecl>> {
        let Some(decl) = self.catalog.commands.get(name.value.as_str()) else {
            self.found.add_unknown_command(name, self.catalog);
            return None;
        };
        self.used.commands.insert(decl.name.clone());
        Some(decl.clone())
    }

    /// An `issue`; of an unknown command only the expressions are looked at.
    pub(super) fn issue(
        &mut self,
        name: &At<String>,
        decl: Option<Arc<CommandDecl>>,
        with: &[Named],
        at: Span,
        place: &Place<'_>,
    ) -> (Verb, Option<Arc<CommandDecl>>) {
        let fields = decl.as_ref().map(|decl| &decl.fields);
        let with = self.payload(&name.value, fields, with, at, place);
        let verb = match &decl {
            Some(decl) => issue_of(decl, with),
            // Chosen so that no rule finds fault with what nobody knows.
            None => Verb::Issue {
                command: name.value.as_str().into(),
                target: "".into(),
                with,
                idempotent: true,
                irreversible: false,
            },
        };
        (verb, decl)
    }

    /// A `call`; of an unknown saga only the expressions are looked at.
    pub(super) fn call(
        &mut self,
        name: &At<String>,
        with: &[Named],
        at: Span,
        place: &Place<'_>,
    ) -> Verb {
        let callees = self.callees.clone();
        let callee = callees.get(&name.value);
        let fields = callee.and_then(|callee| callee.fields.as_deref());
        match callee {
            None if callees.is_whole() => {
                self.found.add_unknown_callee(name, callees.names());
            }
            Some(_) if fields.is_none() => self.found.add_not_called(name),
            None | Some(_) => {}
        }
        let with = self.payload(&name.value, fields.map(|decl| &decl.fields), with, at, place);
        let costs = callee.map_or_else(Costs::default, |callee| callee.costs);
        Verb::Call(Box::new(Call { saga: name.value.as_str().into(), with, costs }))
    }

    /// The fields of a payload, each of a type that its declaration takes.
    pub(super) fn payload(
        &mut self,
        owner: &str,
        fields: Option<&Fields>,
        with: &[Named],
        at: Span,
        place: &Place<'_>,
    ) -> Vec<(Arc<str>, Template)> {
        let mut payload = Vec::with_capacity(with.len());
        for one in with {
            let (template, ty) = self.template(&one.value, place);
            if let Some(fields) = fields {
                self.hold_field(owner, fields, one, &template, &ty);
            }
            payload.push((one.name.value.as_str().into(), template));
        }
        for field in fields.iter().flat_map(|fields| &fields.list) {
            let given = with.iter().any(|one| *one.name.value == *field.name);
            if !given && !field.always() {
                continue;
            }
            if !given && field.default.is_none() {
                self.found.add_missing_field(at, owner, field);
            }
        }
        payload
    }

    fn hold_field(
        &mut self,
        owner: &str,
        fields: &Fields,
        one: &Named,
        template: &Template,
        ty: &Type,
    ) {
        let Some(field) = fields.get(&one.name.value) else {
            self.found.add_unknown_field(&one.name, owner, fields);
            return;
        };
        if let Template::Literal(value) = template {
            if let Err(wrong) = field.hold(value) {
                self.found.add_wrong_literal(one.value.span, &wrong, field);
            }
        } else if !types::fits(ty, &expr::json_schema_type(&field.schema)) {
            self.found.add_wrong_type(one.value.span, owner, field, ty);
        }
    }

    /// The same of variables that are set. What is read for one counts as read when that one is.
    pub(super) fn saves(
        &mut self,
        list: &[Named],
        place: &Place<'_>,
    ) -> (Vec<(Arc<str>, Template)>, ObjectType) {
        let mut all = (Vec::with_capacity(list.len()), ObjectType::default());
        for one in list {
            self.saving = Some(one.name.value.clone());
            let (value, ty) = self.named(std::slice::from_ref(one), place);
            all.0.extend(value);
            all.1.fields.extend(ty.fields);
        }
        self.saving = None;
        all
    }

    /// Named values and the object that they make.
    pub(super) fn named(
        &mut self,
        list: &[Named],
        place: &Place<'_>,
    ) -> (Vec<(Arc<str>, Template)>, ObjectType) {
        let mut values = Vec::with_capacity(list.len());
        let mut fields = BTreeMap::new();
        for one in list {
            let (template, ty) = self.template(&one.value, place);
            values.push((one.name.value.as_str().into(), template));
            let field = Field { ty, presence: Presence::Always };
            fields.insert(one.name.value.clone(), field);
        }
        (values, ObjectType { fields, open: false })
    }
}

/// The verb that issues a declared command.
pub(super) fn issue_of(decl: &CommandDecl, with: Vec<(Arc<str>, Template)>) -> Verb {
    Verb::Issue {
        command: decl.name.clone(),
        target: decl.target.clone(),
        with,
        idempotent: decl.idempotent,
        irreversible: decl.undo == CatalogUndo::Irreversible,
    }
}
