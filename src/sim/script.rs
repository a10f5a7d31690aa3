//! What happens in a case, in one line each: the words of transcripts. Compares nothing.

use serde_json::{Map, Value};

use crate::definition::scenario::{End, Happening, Reply, Start, When, With};
use crate::saga::owed::Owed;
use crate::saga::record::Verdict;

/// Named values as an object.
pub(super) fn object(with: &With) -> Map<String, Value> {
    with.list.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect()
}

/// A value as one would write it in a scenario, on one line.
#[must_use]
pub fn flow(value: &Value) -> String {
    match value {
        // A literal `${{` has the spelling of a saga.
        Value::String(text) => word(&text.replace("${{", "$${{")),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let pairs =
                fields.iter().map(|(name, value)| format!("{}: {}", word(name), flow(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A string or a key: without quotes where that means the same, else as JSON has it, with what YAML
/// does not take in a text spelled out.
pub(super) fn word(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let spelled = |one: char| match one {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            format!("\\u{:04x}", u32::from(one))
        }
        one => one.to_string(),
    };
    Value::from(text).to_string().chars().map(spelled).collect()
}

/// Whether a string means the same without quotes, also to old readers of YAML.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn named(name: &str, fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return name.to_owned();
    }
    format!("{name} {}", flow(&Value::Object(fields.clone())))
}

/// How the case begins.
pub(super) fn beginning(when: &When) -> String {
    let name = match &when.start {
        Start::Event(event) => &*event.value,
        Start::Call => "call",
        Start::Schedule => "schedule",
    };
    format!("when {}", named(name, &object(&when.with)))
}

/// A command as it is expected.
pub(super) fn expected(target: &str, command: &str, with: &With) -> String {
    format!("→ {target} {}", named(command, &object(with)))
}

/// A command as it came, with all its fields.
pub(super) fn came(owed: &Owed) -> String {
    let empty = Map::new();
    let fields = owed.with.as_object().unwrap_or(&empty);
    format!("→ {} {}", owed.target, named(&owed.cmd, fields))
}

/// An answer.
pub(super) fn answer(target: &str, reply: &Reply) -> Option<String> {
    match reply {
        Reply::None => None,
        Reply::Echo { event, with } => {
            Some(format!("← {target} {}", named(&event.value, &object(with))))
        }
        Reply::Failed(reason) => Some(format!("← {target} failed: {}", reason.value)),
    }
}

/// Any other entry.
pub(super) fn happening(what: &Happening) -> String {
    match what {
        Happening::Expect { command, with, .. } => expected("", &command.value, with),
        Happening::Answer { command, with, .. } => {
            format!("answer {}", named(&command.value, &object(with)))
        }
        Happening::Report { event, with } => {
            format!("report {}", named(&event.value, &object(with)))
        }
        Happening::Call(with) => named("call", &object(with)),
        Happening::Signal { name, with } => {
            format!("signal {}", named(&name.value, &object(with)))
        }
        Happening::Disconnect(target) => format!("{} goes away", target.value),
        Happening::Connect(target) => format!("{} comes back", target.value),
        Happening::Advance(span) => format!("{} pass", span.value),
        Happening::Crash => "the launcher crashes".to_owned(),
    }
}

/// The end as it is expected.
pub(super) fn wanted(end: &End) -> String {
    let mut words = Vec::new();
    words.extend(end.state.map(|state| state.value.to_owned()));
    words.extend(end.cause.map(|cause| cause.value.to_owned()));
    words.extend(end.reason.as_ref().map(|reason| format!("\"{}\"", reason.value)));
    words.extend(end.result.as_ref().map(|with| flow(&Value::Object(object(with)))));
    format!("end {}", words.join(", "))
}

/// The end as it came, in the shape of what is expected of it.
pub(super) fn ended(verdict: &Verdict, end: &End) -> String {
    let mut words = vec![verdict.state.as_str().to_owned()];
    words.extend(verdict.cause.map(|cause| cause.as_str().to_owned()));
    if let Some(reason) = &verdict.reason
        && (end.reason.is_some() || end.state.is_some_and(|s| s.value != verdict.state.as_str()))
    {
        words.push(format!("\"{reason}\""));
    }
    if end.result.is_some() {
        words.push(flow(verdict.result.as_deref().unwrap_or(&Value::Null)));
    }
    format!("end {}", words.join(", "))
}

/// Whether the saga ended as expected; of the result a subset is named.
pub(super) fn holds(end: &End, verdict: &Verdict) -> bool {
    let state = end.state.is_none_or(|state| state.value == verdict.state.as_str());
    let cause =
        end.cause.is_none_or(|cause| verdict.cause.is_some_and(|c| c.as_str() == cause.value));
    let reason = end.reason.as_ref().is_none_or(|r| verdict.reason.as_deref() == Some(&*r.value));
    let result = end.result.as_ref().is_none_or(|with| {
        let got = verdict.result.as_deref();
        with.list
            .iter()
            .all(|(name, value)| got.and_then(|got| got.get(&name.value)) == Some(&value.value))
    });
    state && cause && reason && result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::read::json_of;

    #[test]
    fn a_value_is_read_back_from_what_is_written() {
        let value = json!({
            "no": "no", "a: b": ["~", "x y", "1.5", "\u{7f}\u{85}\u{9f}\u{2028}\u{feff}\u{1b}\n\t\"'"],
            "": { "#": "é😀", "on": true }, "n": 1.5, "none": null, "{": [], "}": {},
        });
        let text = format!("value: {}\n", flow(&value));
        assert_eq!(json_of(&text), Some(json!({ "value": value })), "{text}");
    }
}
