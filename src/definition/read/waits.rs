//! `await`, `fail_on`, `cancel_on` and `reactions` read into their types. Does not know what can
//! answer.

use crate::definition::await_::{Alternative, Await, FailOn, Source};
use crate::definition::keys::{AWAIT, CANCEL_ON, FAIL_ON, REACTION, REPORT};
use crate::definition::read::node::Node;
use crate::definition::read::object::{Object, list, unless_none};
use crate::definition::read::scalar::{condition, name, string};
use crate::definition::read::values::values;
use crate::definition::saga::Reaction;
use crate::definition::step::Verb;
use crate::diag::{At, Diagnostics};

/// `await`.
pub fn wait(node: Node, key: &str, out: &mut Diagnostics) -> Option<At<Await>> {
    let node = match unless_none(node) {
        Ok(node) => node,
        Err(span) => return Some(At::new(Await::None, span)),
    };
    let span = node.span;
    let mut object = Object::read(node, key, &AWAIT, out)?;
    let any_of = object.read_key("any_of", out, alternatives);
    let all_of = object.read_key("all_of", out, alternatives);
    let many = object.has("any_of") || object.has("all_of");
    let value = if many {
        // A second verb beside `any_of` has been reported as such.
        for key in ["echo", "event", "signal"] {
            object.take(key);
        }
        any_of.map(Await::AnyOf).or(all_of.map(Await::AllOf))
    } else {
        report(&mut object, out).map(Await::One)
    };
    object.finish();
    value.map(|value| At::new(value, span))
}

fn alternatives(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Alternative>> {
    let items = list(node, key, out)?;
    let wanted = items.len();
    let mut read = Vec::new();
    for item in items {
        let Some(mut object) = Object::read(item, key, &REPORT, out) else { continue };
        read.extend(report(&mut object, out));
        object.finish();
    }
    (read.len() == wanted).then_some(read)
}

/// `{echo | event | signal, where?, save?}` out of a mapping that has these keys.
fn report(object: &mut Object, out: &mut Diagnostics) -> Option<Alternative> {
    let named = source(object, out);
    let filter = object.read_key("where", out, condition);
    let save = object.read_key("save", out, values).map(|save| save.value);
    let (source, name) = named?;
    let save = save.unwrap_or_default();
    Some(Alternative { span: object.span, source, name, filter, save })
}

/// What is listened to: the first of its keys, for a second one was reported as such.
fn source(object: &mut Object, out: &mut Diagnostics) -> Option<(Source, At<String>)> {
    let sources = [("echo", Source::Echo), ("event", Source::Event), ("signal", Source::Signal)];
    let read: Vec<Option<(Source, At<String>)>> = sources
        .into_iter()
        .map(|(key, source)| Some((source, object.read_key(key, out, name)?)))
        .collect();
    read.into_iter().flatten().next()
}

/// `fail_on`.
pub fn fail_on(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<FailOn>> {
    let mut read = Vec::new();
    for item in list(node, key, out)? {
        let Some(mut object) = Object::read(item, "an entry of `fail_on`", &FAIL_ON, out) else {
            continue;
        };
        let reason = object.read_key("reason", out, string);
        let named = source(&mut object, out);
        let filter = object.read_key("where", out, condition);
        if let Some((source, name)) = named {
            let save = Vec::new();
            let on = Alternative { span: object.span, source, name, filter, save };
            read.push(FailOn { on, reason });
        }
        object.finish();
    }
    Some(read)
}

/// `cancel_on`.
pub fn cancel_on(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Alternative>> {
    let mut read = Vec::new();
    for item in list(node, key, out)? {
        let Some(mut object) = Object::read(item, "an entry of `cancel_on`", &CANCEL_ON, out)
        else {
            continue;
        };
        let event = object.read_key("event", out, name);
        let filter = object.read_key("where", out, condition);
        if let Some(name) = event {
            let (span, save) = (object.span, Vec::new());
            read.push(Alternative { span, source: Source::Event, name, filter, save });
        }
        object.finish();
    }
    Some(read)
}

/// `reactions`.
pub fn reactions(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Reaction>> {
    let mut read = Vec::new();
    for item in list(node, key, out)? {
        let Some(mut object) = Object::read(item, "a reaction", &REACTION, out) else { continue };
        let o = &mut object;
        let echo = o.read_key("echo", out, name).map(|name| (Source::Echo, name));
        let event = o.read_key("event", out, name).map(|name| (Source::Event, name));
        let filter = o.read_key("where", out, condition);
        let with = o.read_key("with", out, values);
        let with_span = with.as_ref().map(|with| with.span);
        let with = with.map(|with| with.value).unwrap_or_default();
        let (span, at) = (o.span, o.place("issue").or(o.place("emit")).unwrap_or(o.head));
        let issued = o.read_key("issue", out, name);
        let emitted = o.read_key("emit", out, name);
        let deed = match (issued, emitted) {
            (Some(command), _) => Some(Verb::Issue { command, with, with_span }),
            (None, Some(event)) => Some(Verb::Emit { event, with, with_span }),
            (None, None) => None,
        };
        if let (Some((source, name)), Some(deed)) = (echo.or(event), deed) {
            let on = Alternative { span, source, name, filter, save: Vec::new() };
            read.push(Reaction { on, deed, deed_span: at });
        }
        object.finish();
    }
    Some(read)
}
