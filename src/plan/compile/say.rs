//! What compiling says to the author, one function a finding. Finds nothing itself.

use std::sync::Arc;

use super::observe::NOBODY_IS_ASKED;
use crate::definition::step::Join;
use crate::definition::{
    Alternative, Catalog, CommandDecl, EventDecl, FieldDecl, FieldError, Fields, Source,
};
use crate::diag::{At, Code, Diagnostic, Diagnostics, Span, nearest};
use crate::expr::{self, Type};
use crate::plan::outline::{Known, Outline};

/// `did you mean …`, or all that there is when that is short.
pub(in crate::plan) fn choices<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(name, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    (!all.is_empty() && all.len() <= SHORT).then(|| format!("known: {}", all.join(", ")))
}

/// So many names are still read by a person.
const SHORT: usize = 8;

fn unknown<'a>(
    code: Code,
    name: &At<String>,
    message: String,
    known: impl Iterator<Item = &'a str> + Clone,
    otherwise: &str,
) -> Diagnostic {
    let found = Diagnostic::new(code, name.span, message);
    match choices(&name.value, known.clone()) {
        Some(words) => found.help(words).respell(name, known),
        None => found.help(otherwise),
    }
}

impl Diagnostics {
    pub(super) fn add_branch_step(
        &mut self,
        name: &At<String>,
        known: &Known<'_>,
        outline: &Outline<'_>,
    ) {
        let branch = outline.branch(known.branch).map_or("", |(branch, _)| branch);
        let message = format!(
            "step `{}` runs at the same time, in branch `{branch}`: nothing is known of it here",
            name.value
        );
        self.push(
            Diagnostic::new(Code::BranchStep, name.span, message)
                .also(known.step.head(), "it stands here")
                .help("read it behind the branches, or put both steps into one branch"),
        );
    }

    pub(super) fn add_loop_step(&mut self, name: &At<String>, known: &Known<'_>) {
        let message = format!(
            "step `{}` runs once for each element of a loop: from outside it is not one step",
            name.value
        );
        self.push(
            Diagnostic::new(Code::BranchStep, name.span, message)
                .also(known.step.head(), "it stands here")
                .help("read `outcomes` or `collected` of the `for_each`"),
        );
    }

    pub(super) fn add_element_twice(&mut self, name: &At<String>) {
        let message = format!("an element around this loop is called `{}` already", name.value);
        let help = "give the inner one another name";
        self.push(Diagnostic::new(Code::ReservedName, name.span, message).help(help));
    }

    pub(super) fn add_no_list(&mut self, at: Span, is: &Type) {
        let message = format!("`in` must be a list, and this is {is}");
        let help = "go through a list: `[…]`, a field that is an array, or `filter(…)` of one";
        self.push(Diagnostic::new(Code::ExprWrongType, at, message).help(help));
    }

    pub(super) fn add_branches_share(&mut self, name: &str, at: Span, first: Span) {
        let message = format!("another branch saves `vars.{name}` at the same time");
        self.push(
            Diagnostic::new(Code::BranchesShare, at, message)
                .also(first, "it is saved here")
                .help("give each branch a variable of its own, and bring them together behind"),
        );
    }

    pub(super) fn add_join_never(&mut self, join: &At<Join>) {
        let message = match join.value {
            Join::All => "one of these branches never succeeds, and `join: all` waits for all",
            Join::Any | Join::Settled => "none of these branches ever succeeds",
        };
        self.push(
            Diagnostic::new(Code::JoinNever, join.span, message)
                .help("give the `fail` an `if`, or put it behind the branches"),
        );
    }

    pub(super) fn add_unknown_event(&mut self, name: &At<String>, catalog: &Catalog) {
        let message = format!("event `{}` is not in the catalog", name.value);
        let known = catalog.events.keys().map(|name| &**name);
        let otherwise = "declare it under `events` of a `*.catalog.yaml`";
        self.push(unknown(Code::UnknownEvent, name, message, known, otherwise));
    }

    pub(super) fn add_unknown_signal(&mut self, name: &At<String>, known: &[Arc<EventDecl>]) {
        let message = format!("signal `{}` is not one of the saga's", name.value);
        let known = known.iter().map(|decl| &*decl.name);
        let otherwise = "declare it under `signals` of the saga";
        self.push(unknown(Code::UnknownSignal, name, message, known, otherwise));
    }

    pub(super) fn add_unknown_command(&mut self, name: &At<String>, catalog: &Catalog) {
        let message = format!("command `{}` is not in the catalog", name.value);
        let known = catalog.commands.keys().map(|name| &**name);
        let otherwise = "declare it under `commands` of a `*.catalog.yaml`";
        self.push(unknown(Code::UnknownCommand, name, message, known, otherwise));
    }

    pub(super) fn add_unknown_callee<'a>(
        &mut self,
        name: &At<String>,
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        let message = format!("saga `{}` is not among the definitions", name.value);
        let otherwise = "write its definition beside this one";
        self.push(unknown(Code::UnknownSaga, name, message, known, otherwise));
    }

    pub(super) fn add_not_called(&mut self, name: &At<String>) {
        let message = format!("saga `{}` cannot be called: only events start it", name.value);
        let help = "give it a `call` trigger, beside its events under `any_of`, or `emit` the \
                    event that starts it";
        self.push(Diagnostic::new(Code::NotCallable, name.span, message).help(help));
    }

    pub(super) fn add_unknown_step(&mut self, name: &At<String>, outline: &Outline<'_>) {
        let message = format!("step `{}` is not defined", name.value);
        let known = outline.steps.keys().copied();
        let otherwise = "no step of this saga has an `id`";
        self.push(unknown(Code::UnknownStep, name, message, known, otherwise));
    }

    pub(super) fn add_not_ended(&mut self, name: &At<String>, step: Span) {
        let message = format!("step `{}` has not ended when this is read", name.value);
        let mut found = Diagnostic::new(Code::ExprNotSet, name.span, message);
        if step != name.span {
            found = found.also(step, "the step");
        }
        self.push(found.help("read it in a step that comes after it, in an undo or in `finally`"));
    }

    pub(super) fn add_unknown_var(&mut self, name: &At<String>, outline: &Outline<'_>) {
        let message = format!("variable `{}` is neither initial nor saved by any step", name.value);
        let known = outline.vars.keys().copied();
        let otherwise = "give it a first value under `vars`, or `save` it in an `await`";
        self.push(unknown(Code::ExprUnknownField, name, message, known, otherwise));
    }

    pub(super) fn add_not_text(&mut self, at: Span, ty: &Type) {
        let message = format!("text takes strings, integers and booleans, and this is {ty}");
        let help = "a value that is exactly one `${{ … }}` keeps its type";
        self.push(Diagnostic::new(Code::ExprWrongType, at, message).help(help));
    }

    pub(super) fn add_var_types(
        &mut self,
        name: &At<String>,
        first: Option<Span>,
        known: &Type,
        found: &Type,
    ) {
        let message =
            format!("variable `{}` is {} here and {} elsewhere", name.value, found, known);
        let found = Diagnostic::new(Code::ExprMixedTypes, name.span, message);
        let found = match first {
            Some(first) => found.also(first, "named here first"),
            None => found,
        };
        self.push(found.help("give it one type, or use two variables"));
    }

    pub(super) fn add_covers_unknown(
        &mut self,
        name: &At<String>,
        own: &str,
        outline: &Outline<'_>,
    ) {
        let message = format!(
            "`covers` of step `{own}` names `{}`, which is no step of the way forward",
            name.value
        );
        let forward = outline.steps.iter();
        let known = forward
            .filter(|(_, known)| known.part == crate::plan::outline::Part::Forward)
            .map(|(id, _)| *id);
        let otherwise = "name later steps that this undo undoes as well";
        self.push(unknown(Code::CoversStranger, name, message, known, otherwise));
    }

    pub(super) fn add_duplicate_step(&mut self, id: &str, second: Span, first: Span) {
        let message = format!("two steps are called `{id}`");
        self.push(
            Diagnostic::new(Code::DuplicateStep, second, message)
                .also(first, "the first one is here")
                .help("ids are unique in the whole saga, `finally` and `on_timeout` included"),
        );
    }

    pub(super) fn add_bracket_event(&mut self, name: &At<String>) {
        let message =
            format!("`{}` tells of a saga's own life, so no saga can react to it", name.value);
        let help = "`emit` an event of your own where the other saga should hear of it";
        self.push(Diagnostic::new(Code::BracketEvent, name.span, message).help(help));
    }

    pub(super) fn add_triggers_disagree(&mut self, other: Span, first: Span, difference: &str) {
        let message = format!("the triggers give different inputs: {difference}");
        self.push(
            Diagnostic::new(Code::TriggersDisagree, other, message)
                .also(first, "the first trigger is here")
                .help("give every alternative an `input` with the same names and types"),
        );
    }

    pub(super) fn add_await_not_said(&mut self, name: Span, command: &CommandDecl) {
        let echoes: Vec<String> = command.echoes.iter().map(|echo| format!("`{echo}`")).collect();
        let message = format!(
            "`{}` is answered by {}, and the step does not say whether it waits",
            command.name,
            echoes.join(" or ")
        );
        let help = match command.echoes.as_slice() {
            [only] => {
                format!("write `await: {{ echo: {only} }}`, or `await: none` to go on at once")
            }
            _ => "write `await` with an `any_of`, or `await: none` to go on at once".to_owned(),
        };
        self.push(Diagnostic::new(Code::AwaitNotSaid, name, message).help(help));
    }

    pub(super) fn add_nothing_issued(&mut self, echo: &At<String>) {
        let message = format!(
            "`{}` cannot be an echo here: the step issues nothing that could be answered",
            echo.value
        );
        let help = format!(
            "write `event: {}` with a `where`, or `issue` a command in this step",
            echo.value
        );
        self.push(Diagnostic::new(Code::NothingIssued, echo.span, message).help(help));
    }

    pub(super) fn add_never_answered(
        &mut self,
        echo: &At<String>,
        command: &CommandDecl,
        issued: Span,
    ) {
        let message = format!("`{}` never answers with `{}`", command.name, echo.value);
        let known = command.echoes.iter().chain(&command.failures).map(|name| &**name);
        let help = choices(&echo.value, known.clone())
            .unwrap_or_else(|| "await `none`: the catalog declares no answer".to_owned());
        self.push(
            Diagnostic::new(Code::NeverAnswered, echo.span, message)
                .respell(echo, known)
                .also(issued, "issued here")
                .help(help)
                .help("what anybody may report is awaited with `event` and a `where`"),
        );
    }

    pub(super) fn add_no_identity(&mut self, on: &Alternative, at: Span) {
        let message = format!(
            "nothing tells which `{}` is meant, so that of any other saga would do",
            on.name.value
        );
        let help = "give `where` an `==` between a field of `event` and one of `trigger`, `input`, \
                    `vars` or `steps`, in each arm of an `||`";
        let found = Diagnostic::new(Code::NoIdentity, at, message).help(help);
        // Only who observes needs it of its echoes.
        self.push(if on.source == Source::Echo { found.help(NOBODY_IS_ASKED) } else { found });
    }

    pub(super) fn add_missing_field(&mut self, at: Span, owner: &str, field: &FieldDecl) {
        let message = format!("`{owner}` needs the field `{}`, {}", field.name, field.must_be());
        let help = format!("add `{}: …` to `with`", field.name);
        self.push(Diagnostic::new(Code::MissingField, at, message).help(help));
    }

    pub(super) fn add_unknown_field(&mut self, name: &At<String>, owner: &str, fields: &Fields) {
        let message = format!("`{owner}` has no field `{}`", name.value);
        let known: Vec<&str> = fields.names().collect();
        let otherwise = "it has no fields at all";
        let known = known.iter().copied();
        self.push(unknown(Code::UnknownField, name, message, known, otherwise));
    }

    pub(super) fn add_wrong_literal(&mut self, at: Span, wrong: &FieldError, field: &FieldDecl) {
        let found = Diagnostic::new(Code::WrongFieldType, at, wrong.message.clone());
        let is_text = expr::json_schema_type(&field.schema) == Type::String;
        self.push(if is_text {
            found.help("a string that reads as a number or a boolean is written in quotes")
        } else {
            found
        });
    }

    pub(super) fn add_wrong_type(&mut self, at: Span, owner: &str, field: &FieldDecl, ty: &Type) {
        let message = format!(
            "field `{}` of `{owner}` must be {}, and this is {}",
            field.name,
            field.must_be(),
            ty
        );
        let found = Diagnostic::new(Code::WrongFieldType, at, message);
        self.push(match expr::json_schema_type(&field.schema) {
            Type::String => found.help("`string(…)` makes one of a number"),
            Type::Int => found.help("`int(…)` makes one of a number or a text"),
            Type::Bool
            | Type::Double
            | Type::Word(_)
            | Type::Null
            | Type::List(_)
            | Type::Object(_)
            | Type::Dyn => found,
        });
    }

    pub(super) fn add_undo_lacks_field(
        &mut self,
        at: Span,
        command: &At<String>,
        undo: &CommandDecl,
        field: &FieldDecl,
    ) {
        let message = format!(
            "the catalog undoes `{}` with `{}`, which needs the field `{}`, and this step has none",
            command.value, undo.name, field.name
        );
        let help = format!(
            "write the undo yourself: `compensate: {{ issue: {}, with: {{ {}: … }} }}`",
            undo.name, field.name
        );
        self.push(
            Diagnostic::new(Code::UndoLacksField, at, message)
                .also(command.span, "issued here")
                .help(help),
        );
    }
}
