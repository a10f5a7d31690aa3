//! One line of a turn's output, read for what it says to us. What it says to people is passed on
//! as it came.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::tail::start_of;

/// Longest text of an error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 1600;

/// What a line is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The field `type` of a JSON object; empty: there is none.
    pub frame_type: String,
    /// What stands under the field that names the session.
    pub session_id: Option<String>,
    /// What it tells of the turn.
    pub says: Says,
}

/// What a line tells of its turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Says {
    /// That it goes on.
    #[default]
    Something,
    /// That it began; who says so also says how it ended.
    Init,
    /// That it got its result.
    Result,
    /// That something went wrong, in these words.
    Error(String),
    /// That it is being slowed by its provider.
    RateLimit,
    /// That it makes room in what it remembers, which takes minutes of silence.
    Compacting,
    /// That it made room.
    Compacted,
}

impl Frame {
    /// Reads a line. `session_field` is the field that names the session; empty: none does. Never
    /// fails: a line that is no JSON object is just a line.
    #[must_use]
    pub fn of(line: &str, session_field: &str) -> Frame {
        if !line.trim_start().starts_with('{') {
            return Frame::default();
        }
        let mut reader = serde_json::Deserializer::from_str(line);
        let Ok(top) = (TopSeed { session_field }).deserialize(&mut reader) else {
            return Frame::default();
        };
        if reader.end().is_err() {
            return Frame::default();
        }
        let says = top.says(line);
        Frame { frame_type: top.kind, session_id: top.session, says }
    }
}

/// What of an object's own fields is looked at, without keeping the rest.
#[derive(Default)]
struct Top {
    kind: String,
    subtype: String,
    status: String,
    session: Option<String>,
    is_error: bool,
    has_error: bool,
}

impl Top {
    fn says(&self, line: &str) -> Says {
        match (self.kind.as_str(), self.subtype.as_str()) {
            // Its own frame is inside, once.
            ("stream_event", _) => inner(line),
            ("system", "init") | ("thread.started", _) => Says::Init,
            ("system", "compact_boundary") => Says::Compacted,
            ("system", "status") if self.status == "compacting" => Says::Compacting,
            ("rate_limit_event", _) => Says::RateLimit,
            ("error" | "turn.failed", _) => Says::Error(error_of(line)),
            ("result" | "turn.completed", _) if !self.is_error => Says::Result,
            ("result", _) => Says::Error(error_of(line)),
            ("assistant", _) if self.has_error => Says::Error(error_of(line)),
            _ => Says::Something,
        }
    }
}

fn inner(line: &str) -> Says {
    let whole = serde_json::from_str::<Value>(line).unwrap_or_default();
    let Some(event) = whole.get("event").filter(|event| event.is_object()) else {
        return Says::Something;
    };
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "stream_event" { Says::Something } else { Frame::of(&event.to_string(), "").says }
}

/// The words of an error, wherever the usual programs put them.
fn error_of(line: &str) -> String {
    let whole = serde_json::from_str::<Value>(line).unwrap_or_default();
    let mut words = String::new();
    for name in ["subtype", "error", "errors", "result", "message"] {
        collect(whole.get(name).unwrap_or(&Value::Null), &mut words);
    }
    if words.is_empty() { "an error without words".to_owned() } else { words }
}

fn collect(value: &Value, words: &mut String) {
    match value {
        Value::String(text) => {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(text);
            words.truncate(start_of(words, ERROR_BYTES_MAX).len());
        }
        Value::Array(list) => list.iter().for_each(|one| collect(one, words)),
        Value::Object(fields) => {
            for name in ["type", "message", "content", "text", "error"] {
                // The shape of a message is no part of its words.
                let shaped = fields.contains_key("content") || fields.contains_key("text");
                let shape = name == "type" && shaped;
                if let Some(value) = fields.get(name).filter(|_| !shape) {
                    collect(value, words);
                }
            }
        }
        Value::Number(number) => collect(&Value::String(number.to_string()), words),
        Value::Null | Value::Bool(_) => {}
    }
}

struct TopSeed<'a> {
    session_field: &'a str,
}

impl<'de> DeserializeSeed<'de> for TopSeed<'_> {
    type Value = Top;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Top, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TopSeed<'_> {
    type Value = Top;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top, A::Error> {
        let mut top = Top::default();
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let name = name.as_ref();
            let is_session = !self.session_field.is_empty() && name == self.session_field;
            match name {
                _ if is_session => {
                    let found = map.next_value::<Loose>()?.text();
                    if name == "type" {
                        top.kind = found.clone().unwrap_or_default();
                    }
                    top.session = found;
                }
                "type" => top.kind = map.next_value::<Loose>()?.text().unwrap_or_default(),
                "subtype" => top.subtype = map.next_value::<Loose>()?.text().unwrap_or_default(),
                "status" => top.status = map.next_value::<Loose>()?.text().unwrap_or_default(),
                "is_error" => top.is_error = map.next_value::<Loose>()?.holds(),
                "isApiErrorMessage" => top.has_error |= map.next_value::<Loose>()?.holds(),
                "error" => top.has_error |= map.next_value::<Loose>()?.holds(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(top)
    }
}

/// A value of which only a text, or that there is something, is of interest.
enum Loose {
    Text(String),
    Nothing,
    Something,
}

impl Loose {
    fn text(self) -> Option<String> {
        match self {
            Loose::Text(text) => Some(text),
            Loose::Nothing | Loose::Something => None,
        }
    }

    fn holds(&self) -> bool {
        match self {
            Loose::Text(text) => !text.is_empty(),
            Loose::Nothing => false,
            Loose::Something => true,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Loose {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Loose, D::Error> {
        let value = Value::deserialize(reader)?;
        Ok(match value {
            Value::String(text) => Loose::Text(text),
            Value::Null | Value::Bool(false) => Loose::Nothing,
            Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Loose::Something
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, frame_type: &str, session_id: Option<&str>, says: &Says) {
        let frame = Frame::of(line, "session_id");
        assert_eq!(frame.frame_type, frame_type, "{line}");
        assert_eq!(frame.session_id.as_deref(), session_id, "{line}");
        assert_eq!(&frame.says, says, "{line}");
    }

    #[test]
    fn a_session_is_named_by_any_line_and_only_at_its_top() {
        check(
            r#"{"type":"system","subtype":"init","session_id":"s"}"#,
            "system",
            Some("s"),
            &Says::Init,
        );
        check(r#"{"type":"user","session_id":"t"}"#, "user", Some("t"), &Says::Something);
        check(r#"{"session_id":"t"}"#, "", Some("t"), &Says::Something);
        check(r#"{"type":"user","a":{"session_id":"t"}}"#, "user", None, &Says::Something);
        check(r#"{"type":"user","session_id":7}"#, "user", None, &Says::Something);
        assert_eq!(Frame::of(r#"{"thread_id":"x"}"#, "thread_id").session_id.as_deref(), Some("x"));
        assert_eq!(Frame::of(r#"{"":"x"}"#, "").session_id, None);
        let by_type = Frame::of(r#"{"type":"x"}"#, "type");
        assert_eq!((by_type.frame_type.as_str(), by_type.session_id.as_deref()), ("x", Some("x")));
    }

    #[test]
    fn what_is_no_object_is_just_a_line() {
        let lines =
            ["", "hello", "[1]", "{", r#"{"type":"a"} x"#, r#"{"type":"a"}{"#, "\u{0}", "7"];
        for line in lines {
            assert_eq!(Frame::of(line, "session_id"), Frame::default(), "{line}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert_eq!(Frame::of(&deep, "session_id"), Frame::default());
    }

    #[test]
    fn errors_are_found_wherever_the_usual_programs_put_them() {
        let error = |words: &str| Says::Error(words.to_owned());
        check(
            r#"{"type":"result","subtype":"error_max_turns","is_error":true}"#,
            "result",
            None,
            &error("error_max_turns"),
        );
        check(
            r#"{"type":"result","subtype":"success","is_error":true,"result":"Invalid API key"}"#,
            "result",
            None,
            &error("success Invalid API key"),
        );
        check(
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "error",
            None,
            &error("overloaded_error Overloaded"),
        );
        check(
            concat!(
                r#"{"type":"assistant","isApiErrorMessage":true,"message":{"type":"message","#,
                r#""content":[{"type":"text","text":"API Error: 529"}]}}"#
            ),
            "assistant",
            None,
            &error("API Error: 529"),
        );
        check(
            r#"{"type":"turn.failed","error":{"message":"no"}}"#,
            "turn.failed",
            None,
            &error("no"),
        );
        check(r#"{"type":"error"}"#, "error", None, &error("an error without words"));
        check(r#"{"type":"result","is_error":false}"#, "result", None, &Says::Result);
        check(r#"{"type":"assistant","error":null}"#, "assistant", None, &Says::Something);
    }

    #[test]
    fn an_event_of_a_stream_is_unwrapped_once() {
        let inner = r#"{"type":"error","message":"Overloaded"}"#;
        let once = format!(r#"{{"type":"stream_event","event":{inner}}}"#);
        check(&once, "stream_event", None, &Says::Error("Overloaded".to_owned()));
        let twice = format!(r#"{{"type":"stream_event","event":{once}}}"#);
        check(&twice, "stream_event", None, &Says::Something);
        check(r#"{"type":"stream_event"}"#, "stream_event", None, &Says::Something);
    }

    #[test]
    fn a_long_error_is_cut_between_signs() {
        let line = format!(r#"{{"type":"error","message":"{}"}}"#, "ö".repeat(5_000));
        let Says::Error(words) = Frame::of(&line, "").says else { panic!("it is an error") };
        assert!(words.len() <= ERROR_BYTES_MAX && words.chars().all(|c| c == 'ö'));
    }
}
