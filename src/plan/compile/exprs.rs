//! Expressions and templates: parsed, typed against what can be read at their place, findings put
//! on the exact part. Evaluates nothing.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::Compiler;
use super::undo::Undone;
use crate::definition::{Named, Text, ValueKind, ValueNode};
use crate::diag::{At, Code, Diagnostic, Span};
use crate::expr::{self, Ast, Facts, ObjectType, Template, Type, TypeError, TypeErrorKind};
use crate::plan::flow::Flow;
use crate::plan::outline::{Branch, Part};
use crate::plan::types;

/// A point of the text with all that an expression there may read.
#[derive(Clone, Debug)]
pub(super) struct Place<'f> {
    pub stage: Stage,
    pub flow: Cow<'f, Flow>,
    /// `trigger`, where it is not what all triggers share.
    pub trigger: Option<ObjectType>,
    pub event: Option<ObjectType>,
    pub facts: Facts,
    pub undone: Option<Undone>,
    pub branch: Branch,
    /// Elements of the loops around: names and types.
    pub elements: Vec<(String, Type)>,
}

/// Which names there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// `when`: only `trigger`.
    When,
    /// `input`: only `trigger`.
    Input,
    /// First values of variables.
    Vars,
    /// `require` and `key`, before the saga exists.
    Require,
    /// A step.
    Step(Part),
    /// `cancel_on`.
    Watch,
    /// What a newcomer saves that joins: `event`, and the running saga without its steps.
    Join,
    /// `result`.
    Result,
    /// `always`.
    Always,
}

impl<'f> Place<'f> {
    pub(super) fn new(stage: Stage, flow: &'f Flow) -> Place<'f> {
        Place {
            stage,
            flow: Cow::Borrowed(flow),
            trigger: None,
            event: None,
            facts: Facts::default(),
            undone: None,
            branch: Branch(0),
            elements: Vec::new(),
        }
    }

    pub(super) fn with_facts(mut self, facts: Facts) -> Place<'f> {
        self.facts = facts;
        self
    }

    pub(super) fn undoing(mut self, undone: Option<&Undone>) -> Place<'f> {
        self.undone = undone.cloned();
        self
    }

    pub(super) fn in_branch(mut self, branch: Branch, elements: &[(String, Type)]) -> Place<'f> {
        self.branch = branch;
        self.elements = elements.to_vec();
        self
    }

    pub(super) fn with_event(mut self, event: ObjectType) -> Place<'f> {
        self.event = Some(event);
        self
    }

    /// The place behind a condition that was true.
    pub(super) fn proving(mut self, condition: &Ast) -> Place<'f> {
        self.facts = self.facts.and(&expr::facts_when_true(condition));
        self
    }
}

impl Compiler<'_> {
    /// A bare expression that must be true or false.
    pub(super) fn condition(&mut self, text: &Text, place: &Place<'_>) -> Option<Ast> {
        let (ast, ty) = self.bare(text, place)?;
        if let Some(wrong) = expr::expect_bool(&ast, &ty) {
            self.add_type_error(wrong, &[], text, place);
        }
        Some(ast)
    }

    /// A bare expression whose value sagas contend for.
    pub(super) fn key(&mut self, text: &Text, place: &Place<'_>) -> Option<Ast> {
        self.bare(text, place).map(|(ast, _)| ast)
    }

    pub(super) fn bare(&mut self, text: &Text, place: &Place<'_>) -> Option<(Ast, Type)> {
        match expr::parse(&text.value) {
            Ok(ast) => {
                let ty = self.typed(&ast, text, place);
                Some((ast, ty))
            }
            Err(wrong) => {
                self.add_syntax(text, &wrong);
                None
            }
        }
    }

    /// A string of words with holes.
    pub(super) fn words(&mut self, text: &Text, place: &Place<'_>) -> Template {
        self.text(text, place).0
    }

    /// A value with holes, and its type.
    pub(super) fn template(&mut self, node: &ValueNode, place: &Place<'_>) -> (Template, Type) {
        match &node.kind {
            ValueKind::Null => literal(Value::Null),
            ValueKind::Bool(word) => literal(Value::Bool(*word)),
            ValueKind::Number(number) => literal(Value::Number(number.clone())),
            ValueKind::Text(text) => self.text(text, place),
            ValueKind::List(list) => {
                let (list, types): (Vec<_>, Vec<_>) =
                    list.iter().map(|one| self.template(one, place)).unzip();
                let ty = types.into_iter().reduce(Type::join).unwrap_or(Type::Dyn);
                (list_of(list), Type::List(Box::new(ty)))
            }
            ValueKind::Map(list) => self.map(list, place),
        }
    }

    fn map(&mut self, list: &[Named], place: &Place<'_>) -> (Template, Type) {
        let (values, ty) = self.named(list, place);
        let entries: Vec<(String, Template)> =
            values.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        (map_of(entries), Type::Object(ty))
    }

    fn text(&mut self, text: &Text, place: &Place<'_>) -> (Template, Type) {
        let template = match expr::parse_template(&text.value) {
            Ok(template) => template,
            Err(wrong) => {
                self.add_syntax(text, &wrong);
                // No literal, so that no field is held to it: it was said that it cannot be read.
                return (Template::Mixed(Vec::new()), Type::Dyn);
            }
        };
        let ty = match &template {
            Template::Literal(value) => types::of_value(value),
            Template::Whole(ast) => self.typed(ast, text, place),
            Template::Mixed(parts) => {
                self.holes(parts, text, place);
                Type::String
            }
            // A scalar is neither.
            Template::List(_) | Template::Map(_) => Type::Dyn,
        };
        (template, ty)
    }
}

impl Compiler<'_> {
    /// The type of an expression at its place; what is wrong with it is said.
    fn typed(&mut self, ast: &Ast, text: &Text, place: &Place<'_>) -> Type {
        let reads = expr::reads(ast);
        self.note_reads(&reads, text, place);
        let env = self.env(place, &reads);
        let (ty, wrong) = expr::check(ast, &env, &place.facts);
        for one in wrong {
            self.add_type_error(one, &reads, text, place);
        }
        ty
    }

    /// Strings, integers and booleans may stand amid text; nothing else has one way to be written.
    fn holes(&mut self, parts: &[expr::Part], text: &Text, place: &Place<'_>) {
        for part in parts {
            let expr::Part::Hole(ast) = part else { continue };
            let ty = self.typed(ast, text, place);
            let plain = match &ty {
                Type::String | Type::Word(_) | Type::Int | Type::Bool | Type::Dyn => true,
                Type::Double | Type::Null | Type::List(_) | Type::Object(_) => false,
            };
            if !plain {
                self.found.add_not_text(text.at(ast.at()), &ty);
            }
        }
    }

    /// Notes what is read, and says which steps and variables there are not.
    fn note_reads(&mut self, reads: &[expr::Read], text: &Text, place: &Place<'_>) {
        for read in reads {
            let path: Vec<&str> = read.path.iter().map(|segment| &**segment).collect();
            match path.as_slice() {
                ["vars", name, ..] => {
                    let var = (*name).to_owned();
                    let _ = match &self.saving {
                        Some(to) => self.read_to_save.insert((to.clone(), var)),
                        None => self.vars_read.insert(var),
                    };
                    if !self.outline.vars.contains_key(name) {
                        let name = At::new((*name).to_owned(), text.at(second_name(read)));
                        self.found.add_unknown_var(&name, &self.outline);
                    }
                    self.hold_to_branch(name, text.at(second_name(read)), place);
                }
                ["steps", id, rest @ ..] => {
                    if rest.first().is_some_and(|field| *field == "echo") {
                        self.echoes_read.insert((*id).to_owned());
                    }
                    let name = At::new((*id).to_owned(), text.at(second_name(read)));
                    match self.outline.steps.get(id) {
                        None => self.found.add_unknown_step(&name, &self.outline),
                        Some(known) if self.outline.is_hidden(known.branch, place.branch) => {
                            self.found.add_loop_step(&name, known);
                        }
                        Some(known) if self.runs_beside(known.branch, place) => {
                            self.found.add_branch_step(&name, known, &self.outline);
                        }
                        Some(known)
                            if has_steps(place.stage)
                                && self.flows.step(&place.flow, id).is_none() =>
                        {
                            self.found.add_not_ended(&name, known.step.head());
                        }
                        Some(known)
                            if known.step.probe.is_some()
                                && rest.first().is_some_and(|field| *field == "echo") =>
                        {
                            self.found.add_probed_echo(&name, known.step.head());
                        }
                        Some(_) => {}
                    }
                }
                _ => {}
            }
        }
    }

    fn add_syntax(&mut self, text: &Text, wrong: &expr::SyntaxError) {
        let at = text.at(wrong.at.clone());
        let code = match wrong.kind {
            expr::SyntaxErrorKind::Syntax => Code::ExprSyntax,
            expr::SyntaxErrorKind::Function => Code::ExprFunction,
            expr::SyntaxErrorKind::TooLarge => Code::ExprTooLarge,
        };
        let found = Diagnostic::new(code, at, wrong.message.clone());
        self.found.push(match &wrong.help {
            Some(help) => found.help(help.clone()),
            None => found,
        });
    }

    fn add_type_error(
        &mut self,
        wrong: TypeError,
        reads: &[expr::Read],
        text: &Text,
        place: &Place<'_>,
    ) {
        let code = match wrong.kind {
            TypeErrorKind::UnknownName => Code::ExprUnknownName,
            TypeErrorKind::UnknownField => Code::ExprUnknownField,
            TypeErrorKind::WrongType => Code::ExprWrongType,
            TypeErrorKind::MixedTypes => Code::ExprMixedTypes,
            TypeErrorKind::UnknownWord => Code::ExprUnknownWord,
            TypeErrorKind::Optional => Code::ExprOptional,
            TypeErrorKind::NotSet if reads_own(&wrong.at, reads, place) => Code::OwnEcho,
            TypeErrorKind::NotSet => Code::ExprNotSet,
            TypeErrorKind::Function => Code::ExprFunction,
        };
        let mut found = Diagnostic::new(code, text.at(wrong.at.clone()), wrong.message);
        if let Some((at, new)) = wrong.respelled.and_then(|new| respell(text, &wrong.at, new)) {
            found = found.fix(format!("write `{new}`"), at, new);
        }
        if code == Code::OwnEcho {
            found = found.help(
                "an undo also runs when nobody knows whether its step happened: let the saga \
                 choose the id (`\"ws-${{ saga.id }}\"`), so that the undo needs no answer",
            );
        }
        self.found.push(match wrong.help {
            Some(help) => found.help(help),
            None => found,
        });
    }

    /// Notes the type of a variable; all that set it must agree, `null` for "not yet" excepted.
    pub(super) fn note_var_type(&mut self, name: &str, ty: Type, list: &[Named]) {
        let Some(known) = self.types.vars.get(name).cloned() else {
            self.types.vars.insert(name.to_owned(), ty);
            return;
        };
        let agree = types::fits(&ty, &known)
            || types::fits(&known, &ty)
            || ty == Type::Null
            || known == Type::Null;
        if !agree && let Some(here) = list.iter().find(|one| one.name.value == name) {
            let first = self.outline.vars.get(name).map(|var| var.span);
            self.found.add_var_types(&here.name, first, &known, &ty);
        }
        self.types.vars.insert(name.to_owned(), Type::join(known, ty));
    }
}

/// Where a name or a word of an expression is written anew, and how: only where the expression
/// stands in the file as it is, and with the quotes that its author chose.
fn respell(text: &Text, at: &Range<usize>, new: String) -> Option<(Span, String)> {
    let written = text.verbatim.and_then(|_| text.value.get(at.clone()))?;
    let quote = |one: &char| ['"', '\''].contains(one);
    let new = match (new.strip_prefix('"'), written.chars().next().filter(quote)) {
        (Some(word), Some(own)) => format!("{own}{}{own}", word.trim_end_matches('"')),
        (Some(_), None) => return None,
        (None, _) => new,
    };
    let plain = |one: char| one.is_ascii_alphanumeric() || one == '_' || quote(&one);
    written.chars().all(plain).then(|| (text.at(at.clone()), new))
}

/// Whether steps can be read at all; where not, that is what is wrong.
fn has_steps(stage: Stage) -> bool {
    match stage {
        Stage::Step(_) | Stage::Watch | Stage::Result | Stage::Always => true,
        Stage::When | Stage::Input | Stage::Vars | Stage::Require | Stage::Join => false,
    }
}

/// The place of the name right below the root; of the whole path where it is not written plainly.
fn second_name(read: &expr::Read) -> Range<usize> {
    let plain: usize = read.path.iter().map(|name| name.len() + 1).sum();
    match read.path.as_slice() {
        [root, name, ..] if plain == read.at.len() + 1 => {
            let start = read.at.start + root.len() + 1;
            start..start + name.len()
        }
        _ => read.at.clone(),
    }
}

/// Whether the place in doubt reads what the step that is being undone brought about itself.
fn reads_own(at: &Range<usize>, reads: &[expr::Read], place: &Place<'_>) -> bool {
    let Some(undone) = &place.undone else { return false };
    let here = reads.iter().filter(|read| read.at.start < at.end && at.start < read.at.end);
    here.into_iter().any(|read| {
        let path: Vec<&str> = read.path.iter().map(|segment| &**segment).collect();
        match path.as_slice() {
            ["steps", id, ..] => *id == undone.id,
            ["vars", name, ..] => undone.saved.iter().any(|saved| saved == name),
            _ => false,
        }
    })
}

fn literal(value: Value) -> (Template, Type) {
    let ty = types::of_value(&value);
    (Template::Literal(value), ty)
}

/// A list; a literal one when all its elements are.
fn list_of(list: Vec<Template>) -> Template {
    let values: Option<Vec<Value>> = list.iter().map(as_literal).collect();
    values.map_or(Template::List(list), |values| Template::Literal(Value::Array(values)))
}

/// A mapping; a literal one when all its values are.
fn map_of(entries: Vec<(String, Template)>) -> Template {
    let values: Option<serde_json::Map<String, Value>> =
        entries.iter().map(|(name, value)| Some((name.clone(), as_literal(value)?))).collect();
    values.map_or(Template::Map(entries), |values| Template::Literal(Value::Object(values)))
}

fn as_literal(template: &Template) -> Option<Value> {
    match template {
        Template::Literal(value) => Some(value.clone()),
        Template::Whole(_) | Template::Mixed(_) | Template::List(_) | Template::Map(_) => None,
    }
}
