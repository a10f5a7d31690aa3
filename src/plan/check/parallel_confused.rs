//! SF504: sagas that run in parallel and wait for an event by what is the same for all of them.

use crate::diag::{Code, Diagnostic, Diagnostics, Span};
use crate::expr::{self, Ast, ObjectType, Template, Type};
use crate::plan::{Alternative, Policy};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, out: &mut Diagnostics) {
    let saga = subject.saga.saga;
    if subject.saga.plan.eviction.policy != Policy::Parallel {
        return;
    }
    for (_, step, written) in subject.steps().filter(|(_, _, written)| !written.by_catalog) {
        let compiled = step.wait.iter().flat_map(|wait| &wait.alternatives);
        let compiled = compiled.chain(step.fail_on.iter().map(|entry| &entry.on));
        let text = written.step.wait.iter().flat_map(|wait| wait.value.alternatives());
        let text = text.chain(written.step.fail_on.iter().map(|entry| &entry.on));
        for (compiled, text) in compiled.zip(text) {
            if let Some(filter) = text.filter.as_ref().filter(|_| confused(subject, compiled)) {
                let policy = saga.eviction.policy.span;
                out.add_parallel_confused(filter.span, &compiled.event, policy);
            }
        }
    }
}

/// Whether some arm of an `event` wait compares only with what is the same for all sagas.
fn confused(subject: &Subject<'_>, one: &Alternative) -> bool {
    one.source.is_public() && one.pins.iter().any(|pin| !tells_apart(subject, &pin.value))
}

fn tells_apart(subject: &Subject<'_>, value: &Ast) -> bool {
    expr::reads(value).iter().any(|read| {
        let types = &subject.saga.types;
        let path: Vec<&str> = read.path.iter().map(|segment| &**segment).collect();
        match path.as_slice() {
            ["trigger", rest @ ..] => many_values(&types.trigger, rest),
            ["input", name, ..] => {
                many_values(&types.input, &path[1..]) && !input_is_literal(subject, name)
            }
            ["vars", name, ..] => {
                let vars = &subject.saga.outline.vars;
                let saved = vars.get(name).is_some_and(|var| !var.by.is_empty());
                saved || !is_literal(&subject.saga.plan.vars, name)
            }
            ["steps", _, "outcome" | "attempts", ..] => false,
            ["steps", ..] => true,
            [name, ..] if subject.is_element(name) => true,
            _ => false,
        }
    })
}

/// Whether a value of that path can be one of many: a flag or a word of a short list cannot.
fn many_values(object: &ObjectType, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match object.fields.get(*first).map(|field| &field.ty) {
        Some(Type::Object(inner)) => many_values(inner, rest),
        Some(Type::Bool | Type::Word(_) | Type::Null) => false,
        Some(Type::Int | Type::Double | Type::String | Type::List(_) | Type::Dyn) | None => true,
    }
}

fn input_is_literal(subject: &Subject<'_>, name: &str) -> bool {
    let trigger = &subject.saga.plan.trigger;
    let called = trigger.call.iter().map(|call| &call.input);
    let ticked = trigger.schedules.iter().map(|one| &one.input);
    let mut all = trigger.events.iter().map(|one| &one.input).chain(called).chain(ticked);
    all.all(|one| is_literal(one, name))
}

fn is_literal(values: &[(std::sync::Arc<str>, Template)], name: &str) -> bool {
    let found = values.iter().find(|(known, _)| &**known == name);
    found.is_some_and(|(_, value)| matches!(value, Template::Literal(_)))
}

impl Diagnostics {
    fn add_parallel_confused(&mut self, at: Span, event: &str, policy: Span) {
        let message = format!(
            "sagas of this name run in parallel, and this `where` is true in all of them for one \
             `{event}`"
        );
        self.push(
            Diagnostic::new(Code::ParallelConfused, at, message)
                .also(policy, "several may run at once")
                .help("compare with what only this saga knows: an id from `trigger` or an echo"),
        );
    }
}
