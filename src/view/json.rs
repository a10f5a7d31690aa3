//! A picture as JSON: the shapes of `ps --json`, `show --json` and the frames `saga_list` and
//! `saga`. They only grow.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Moment, Picture, Settlement, StepPicture};
use crate::ids::SagaId;
use crate::saga::record::Cause;
use crate::time::Timestamp;

pub(super) fn summary(picture: &Picture) -> Value {
    Value::Object(common(picture))
}

pub(super) fn detail(picture: &Picture) -> Value {
    let mut object = common(picture);
    object.insert("steps".to_owned(), picture.steps.iter().map(step).collect());
    object.insert("timeline".to_owned(), picture.timeline.iter().map(moment).collect());
    Value::Object(object)
}

/// Every key is always there: what does not apply is `null`.
fn common(picture: &Picture) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    put("saga_id", picture.saga_id.0.into());
    put("name", (*picture.name).into());
    put("state", picture.state.as_str().into());
    put("cause", picture.cause.map(Cause::as_str).into());
    put("reason", text(picture.reason.as_ref()));
    put("step", text(picture.step()));
    put("created_at", picture.created_at.to_string().into());
    put("started_at", time(picture.started_at));
    put("ended_at", time(picture.ended_at));
    put("due", time(picture.due.filter(|_| picture.ended_at.is_none())));
    put("trigger", (*picture.trigger).into());
    put("client", text(picture.client.as_ref()));
    put("mode", if picture.observes { "observe" } else { "live" }.into());
    put("parent", picture.parent.as_ref().map_or(Value::Null, parent));
    put("children", picture.children.iter().map(|child| child.0).collect());
    let held = picture.parent.as_ref().filter(|_| picture.held);
    put("held_for", held.map_or(Value::Null, |(saga, _)| saga.0.into()));
    put("input", (*picture.input).clone());
    put("result", value(picture.result.as_ref()));
    put("resolved", picture.resolved.as_ref().map_or(Value::Null, settlement));
    put("definition", text(picture.definition.as_ref().map(|hash| &hash.0)));
    object
}

fn parent((saga, step): &(SagaId, Arc<str>)) -> Value {
    json!({ "saga_id": saga.0, "step": &**step })
}

fn settlement(settled: &Settlement) -> Value {
    json!({ "at": settled.at.to_string(), "by": &*settled.by, "reason": &*settled.reason })
}

fn step(step: &StepPicture) -> Value {
    let command = step.command.as_ref();
    json!({
        "id": &*step.id,
        "state": step.state.as_str(),
        "attempt": step.attempt,
        "command_id": text(command.map(|command| &command.id)),
        "started_at": step.started_at.to_string(),
        "ended_at": time(step.ended_at),
        "due": time(step.due),
        "target": text(command.map(|command| &command.target)),
        "command": text(command.map(|command| &command.cmd)),
        "with": value(command.map(|command| &command.with)),
        "child": step.child.map(|child| child.0),
        "answer": text(step.answer.as_ref()),
        "echo": value(step.echo.as_ref()),
        "cause": step.cause.map(Cause::as_str),
        "reason": text(step.reason.as_ref()),
    })
}

fn moment(moment: &Moment) -> Value {
    json!({
        "version": moment.version.0,
        "at": moment.at.to_string(),
        "kind": moment.kind,
        "step": text(moment.step.as_ref()),
        "state": moment.state,
        "text": moment.text,
    })
}

fn text(text: Option<&Arc<str>>) -> Value {
    text.map_or(Value::Null, |text| (**text).into())
}

fn value(value: Option<&Arc<Value>>) -> Value {
    value.map_or(Value::Null, |value| (**value).clone())
}

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.to_string().into())
}
