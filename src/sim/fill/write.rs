//! Cases as an author would write them. Decides nothing about what they hold.

use std::fmt::Write;

use serde_json::Value;

use crate::definition::scenario::{End, Happening, Reply, Script, Start, With};
use crate::sim::script::{flow, object, word};

/// A case as an element of `cases`, indented so far.
#[must_use]
pub fn case(name: &str, script: &Script, indent: usize) -> String {
    let mut lines = vec![format!("- name: {}", text(name))];
    let what = match &script.when.start {
        Start::Event(event) => format!("event: {}", event.value),
        Start::Call => "call: true".to_owned(),
        Start::Schedule => "schedule: true".to_owned(),
    };
    lines.push(format!("  when: {{ {what}{} }}", with(&script.when.with)));
    if !script.entries.is_empty() {
        lines.push("  script:".to_owned());
    }
    for entry in &script.entries {
        happening(&entry.what, &mut lines);
    }
    lines.extend(script.end.as_ref().map(end));
    let mut out = String::new();
    for line in lines {
        writeln!(out, "{}{line}", " ".repeat(indent)).expect("a string takes all");
    }
    out
}

/// A string as a value, quoted where it must be.
fn text(text: &str) -> String {
    let words = text.split(' ').all(|word| {
        let first = word.starts_with(|first: char| first.is_ascii_alphanumeric());
        first && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-,.".contains(&byte))
    });
    let letter = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if words && letter && text.contains(' ') { text.to_owned() } else { word(text) }
}

/// The same between brackets, where a comma ends the value.
fn in_braces(value: &str) -> String {
    if value.contains(',') { word(value) } else { text(value) }
}

fn with(with: &With) -> String {
    if with.list.is_empty() {
        return String::new();
    }
    format!(", with: {}", flow(&Value::Object(object(with))))
}

fn happening(what: &Happening, lines: &mut Vec<String>) {
    let one = match what {
        Happening::Expect { command, with: fields, reply }
        | Happening::Answer { command, with: fields, reply } => {
            let verb = if matches!(what, Happening::Expect { .. }) { "expect" } else { "answer" };
            lines.push(format!("    - {verb}: {{ issue: {}{} }}", command.value, with(fields)));
            match reply {
                Reply::None => return,
                Reply::Echo { event, with: fields } => {
                    format!("      reply: {{ echo: {}{} }}", event.value, with(fields))
                }
                Reply::Failed(reason) => {
                    format!("      reply: {{ failed: {} }}", in_braces(&reason.value))
                }
            }
        }
        Happening::Report { event, with: fields } => {
            format!("    - report: {{ event: {}{} }}", event.value, with(fields))
        }
        Happening::Call(fields) => format!("    - call: {}", flow(&Value::Object(object(fields)))),
        Happening::Signal { name, with: fields } => {
            format!("    - signal: {{ name: {}{} }}", name.value, with(fields))
        }
        Happening::Disconnect(target) => format!("    - disconnect: {}", target.value),
        Happening::Connect(target) => format!("    - connect: {}", target.value),
        Happening::Advance(span) => format!("    - advance: {}", span.value),
        Happening::Crash => "    - crash: true".to_owned(),
    };
    lines.push(one);
}

fn end(end: &End) -> String {
    let mut words = Vec::new();
    words.extend(end.state.map(|state| format!("state: {}", state.value)));
    words.extend(end.cause.map(|cause| format!("cause: {}", cause.value)));
    let result = end.result.as_ref().map(|with| flow(&Value::Object(object(with))));
    words.extend(result.map(|result| format!("result: {result}")));
    if words.is_empty() {
        return "  end: {}".to_owned();
    }
    format!("  end: {{ {} }}", words.join(", "))
}
