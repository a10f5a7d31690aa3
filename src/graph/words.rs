//! The policies of a saga and of its steps in short words. Draws nothing.

use serde_json::Value;

use super::sketch::Note;
use crate::expr::{Part, Template};
use crate::plan::{
    Alternative, Await, Backoff, EventTrigger, FailOn, Join, OnTimeout, Plan, Policy, Retry,
    Source, Step, Verb,
};

/// What stands under the trigger: how a saga starts, who gives way, what bounds and ends it.
pub(super) fn of_saga(plan: &Plan) -> Vec<Note> {
    let mut notes: Vec<Note> = plan.trigger.events.iter().map(event_trigger).collect();
    if let Some(call) = &plan.trigger.call {
        let fields: Vec<&str> = call.fields.fields.list.iter().map(|f| &*f.name).collect();
        notes.push(Note::new("call", format!("{}({})", plan.name, fields.join(", "))));
    }
    let schedules = plan.trigger.schedules.iter();
    notes.extend(schedules.map(|one| Note::new("clock", one.schedule.to_string())));
    notes.extend(plan.require.iter().map(|guard| Note::new("require", guard.that.to_string())));
    let keys: Vec<String> = plan.eviction.key.iter().map(ToString::to_string).collect();
    let keys = if keys.is_empty() { plan.name.to_string() } else { keys.join(", ") };
    let gives_way = match plan.eviction.policy {
        Policy::Replace => "a newcomer replaces it",
        Policy::Refuse => "a newcomer is refused",
        Policy::Ignore => "a newcomer is ignored",
        Policy::Queue => "a newcomer waits",
        Policy::Parallel => "newcomers run beside it",
        Policy::Join => "a newcomer joins it",
    };
    notes.push(Note::new("key", format!("{keys} · {gives_way}")));
    if let Some(timeout) = plan.timeout {
        notes.push(Note::new("timeout", timeout.to_string()));
    }
    if plan.observes {
        notes.push(Note::new("mode", "observes: nothing is sent"));
    }
    notes.extend(plan.cancel_on.iter().map(|on| Note::new("cancel on", alternative(on))));
    for reaction in &plan.reactions {
        let deed = deed(&reaction.deed).map(|deed| format!(": {} {}", deed.label, deed.text));
        let text = format!("{}{}", alternative(&reaction.on), deed.unwrap_or_default());
        notes.push(Note::new("reacts to", text));
    }
    notes
}

fn event_trigger(trigger: &EventTrigger) -> Note {
    let mut text = trigger.event.to_string();
    if let Some(when) = &trigger.when {
        text.push_str(&format!(" when {when}"));
    }
    Note::new("event", text)
}

/// What stands under a step.
pub(super) fn of_step(step: &Step) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(condition) = &step.condition {
        notes.push(Note::new("if", condition.to_string()));
    }
    notes.extend(deed(&step.verb));
    if let Some(wait) = &step.wait {
        awaited(wait, &mut notes);
    }
    notes.extend(step.fail_on.iter().map(fails));
    if let Some(timeout) = step.timeout {
        let then = match &step.on_timeout {
            OnTimeout::Fail => "",
            OnTimeout::Continue => ", then go on",
            OnTimeout::Steps(_) => ", then instead:",
        };
        notes.push(Note::new("timeout", format!("{timeout}{then}")));
    }
    if let Some(retry) = step.retry.as_ref().filter(|retry| retry.attempts > 1) {
        notes.push(Note::new("retry", retries(retry)));
    }
    notes
}

/// What a verb does; a wait alone says it itself, and a group by what is in it.
fn deed(verb: &Verb) -> Option<Note> {
    match verb {
        Verb::Issue { command, target, .. } => {
            Some(Note::new("issue", format!("{command} → {target}")))
        }
        Verb::Emit { event, .. } => Some(Note::new("emit", event.to_string())),
        Verb::Call(call) => Some(Note::new("call", call.saga.to_string())),
        Verb::Recall => Some(Note::new("undo", "all that the called saga did".to_owned())),
        Verb::Delay(pause) => Some(Note::new("delay", pause.to_string())),
        Verb::Fail(reason) => Some(Note::new("fail", template(reason))),
        Verb::Done => Some(Note::new("done", "the saga is complete")),
        Verb::Parallel { branches, join } => {
            let how = match join {
                Join::All => "all must succeed",
                Join::Any => "the first success wins, the losers are undone",
                Join::Settled => "each runs to its end",
            };
            Some(Note::new("join", format!("{} branches, {how}", branches.len())))
        }
        Verb::ForEach(each) => {
            let most = match each.max_parallel {
                None => "all at once".to_owned(),
                Some(1) => "one after the other".to_owned(),
                Some(most) => format!("{most} at a time"),
            };
            Some(Note::new("for each", format!("{} of {}, {most}", each.element, each.over)))
        }
        Verb::Await | Verb::Group(_) => None,
    }
}

fn awaited(wait: &Await, notes: &mut Vec<Note>) {
    let many = wait.alternatives.len() > 1;
    for (i, one) in wait.alternatives.iter().enumerate() {
        let label = match (i, wait.all) {
            (0, true) if many => "all of",
            (0, false) if many => "any of",
            (0, _) => "await",
            (_, true) => "and",
            (_, false) => "or",
        };
        notes.push(Note::new(label, alternative(one)));
    }
}

fn alternative(one: &Alternative) -> String {
    let mut text = match one.source {
        Source::Echo | Source::Organic | Source::Event => one.event.to_string(),
        Source::Signal => format!("signal {}", one.event),
    };
    if let Some(filter) = &one.filter {
        text.push_str(&format!(" where {filter}"));
    }
    if !one.save.is_empty() {
        let names: Vec<&str> = one.save.iter().map(|(name, _)| &**name).collect();
        text.push_str(&format!(" · sets {}", names.join(", ")));
    }
    text
}

fn fails(one: &FailOn) -> Note {
    Note::new("fail on", alternative(&one.on))
}

fn retries(retry: &Retry) -> String {
    let grows = match retry.backoff {
        Backoff::Constant => "every",
        Backoff::Linear => "linear from",
        Backoff::Exponential => "doubling from",
    };
    let mut on = Vec::new();
    let causes = [
        (retry.on_timeout, "timeout"),
        (retry.on_unreachable, "unreachable"),
        (retry.on_failed, "failed"),
    ];
    on.extend(causes.iter().filter(|(asked, _)| *asked).map(|(_, word)| *word));
    format!("{} attempts, {grows} {}, on {}", retry.attempts, retry.delay, on.join(", "))
}

/// A template as its author may have written it.
pub(super) fn template(template: &Template) -> String {
    match template {
        Template::Literal(Value::String(text)) => text.clone(),
        Template::Literal(value) => value.to_string(),
        Template::Whole(ast) => format!("${{{{ {ast} }}}}"),
        Template::Mixed(parts) => {
            let part = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Hole(ast) => format!("${{{{ {ast} }}}}"),
            };
            parts.iter().map(part).collect()
        }
        Template::List(list) => {
            let list: Vec<String> = list.iter().map(self::template).collect();
            format!("[{}]", list.join(", "))
        }
        Template::Map(map) => {
            let map: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}: {}", self::template(value)))
                .collect();
            format!("{{{}}}", map.join(", "))
        }
    }
}
