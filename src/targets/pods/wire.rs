//! The lines that pods speak: methods to one, events from one. Pure; moves no byte and knows no
//! pod.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::builtin::scope::{self, Rule};
use crate::limits::{POD_NAME_BYTES_MAX, POD_TEXT_BYTES_MAX, SOCKET_PATH_BYTES_MAX};

/// What a pod reports to who spawned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodEvent {
    /// It ended a turn that its parent began.
    TurnEnded {
        /// Which pod.
        pod_name: String,
    },
    /// A turn of it failed.
    Errored {
        /// Which pod.
        pod_name: String,
        /// Why.
        message: String,
    },
    /// It is about to end.
    ShutDown {
        /// Which pod.
        pod_name: String,
    },
    /// It spawned one of its own.
    ScopeSubDelegated {
        /// Which pod.
        parent_pod: String,
        /// The new one.
        sub_pod: String,
        /// Where the new one listens.
        sub_socket: String,
        /// What the new one may do.
        scope: Vec<Rule>,
    },
}

impl PodEvent {
    /// Reads the parameters of the method `pod_event`.
    ///
    /// # Errors
    /// In words, for who sent them.
    pub fn read(params: &Value) -> Result<Self, String> {
        let Value::Object(fields) = params else {
            return Err("the `params` of `pod_event` are an object with `kind`".into());
        };
        let name = |key: &str| word(fields, key, POD_NAME_BYTES_MAX);
        match fields.get("kind").and_then(Value::as_str) {
            Some("turn_ended") => Ok(Self::TurnEnded { pod_name: name("pod_name")? }),
            Some("errored") => {
                let message = fields.get("message").and_then(Value::as_str);
                let message = message.ok_or("`errored` lacks the text `message`")?;
                Ok(Self::Errored { pod_name: name("pod_name")?, message: cut(message) })
            }
            Some("shut_down") => Ok(Self::ShutDown { pod_name: name("pod_name")? }),
            Some("scope_sub_delegated") => Ok(Self::ScopeSubDelegated {
                parent_pod: name("parent_pod")?,
                sub_pod: name("sub_pod")?,
                sub_socket: word(fields, "sub_socket", SOCKET_PATH_BYTES_MAX)?,
                scope: scope::rules(fields.get("scope"))
                    .map_err(|why| format!("`scope`: {why}"))?,
            }),
            Some(kind) => Err(format!("there is no pod event `{}`", shown(kind))),
            None => Err("a pod event has a text `kind`".into()),
        }
    }

    /// As the parameters of `pod_event`.
    #[must_use]
    pub fn params(&self) -> Value {
        match self {
            Self::TurnEnded { pod_name } => json!({"kind": "turn_ended", "pod_name": pod_name}),
            Self::Errored { pod_name, message } => {
                json!({"kind": "errored", "pod_name": pod_name, "message": message})
            }
            Self::ShutDown { pod_name } => json!({"kind": "shut_down", "pod_name": pod_name}),
            Self::ScopeSubDelegated { parent_pod, sub_pod, sub_socket, scope } => json!({
                "kind": "scope_sub_delegated", "parent_pod": parent_pod, "sub_pod": sub_pod,
                "sub_socket": sub_socket, "scope": scope::to_value(scope),
            }),
        }
    }
}

fn word(fields: &Map<String, Value>, key: &str, max: usize) -> Result<String, String> {
    let word = fields.get(key).and_then(Value::as_str).unwrap_or_default();
    if word.is_empty() || word.len() > max {
        return Err(format!("`{key}` is a text of 1 to {max} bytes"));
    }
    Ok(word.to_owned())
}

/// A text that somebody else wrote, as far as it is kept.
fn cut(text: &str) -> String {
    cut_to(text, POD_TEXT_BYTES_MAX)
}

/// The first bytes of a text, between two letters, and a mark where there are more.
pub(super) fn cut_to(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…", &text[..end])
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A line with a method, and its end. A method without parameters has no `params`.
#[must_use]
pub fn method(name: &str, params: Option<&Value>) -> Vec<u8> {
    let mut line = match params {
        Some(params) => json!({"method": name, "params": params}),
        None => json!({"method": name}),
    }
    .to_string()
    .into_bytes();
    line.push(b'\n');
    line
}

/// A line with an event, and its end.
#[must_use]
pub fn event(name: &str, data: &Value) -> Vec<u8> {
    let mut line = json!({"event": name, "data": data}).to_string().into_bytes();
    line.push(b'\n');
    line
}

#[derive(Deserialize)]
struct Method {
    method: String,
    #[serde(default)]
    params: Value,
}

/// Reads a line that came to the launcher's own socket: a pod's report.
///
/// # Errors
/// In words, for who sent it: the launcher takes no other method, for it runs no agent.
pub fn read_report(line: &[u8]) -> Result<PodEvent, String> {
    let Method { method, params } =
        serde_json::from_slice(line).map_err(|error| format!("the line is no method: {error}"))?;
    if method != "pod_event" {
        return Err(format!("`{}` is not taken here; `pod_event` is", shown(&method)));
    }
    PodEvent::read(&params)
}

/// A line of a pod, as far as it matters to who sent it something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// All that a pod tells to who connects was told.
    Snapshot,
    /// It took a run.
    Accepted(&'static str),
    /// It did not take what it was sent.
    Refused {
        /// The pod's own word.
        code: String,
        /// In its words.
        message: String,
    },
    /// Something that is told to all.
    Other,
}

#[derive(Deserialize)]
struct Event<'a> {
    event: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Begun {
    kind: String,
}

impl Heard {
    /// Reads a line. What is no event of this wire says nothing.
    #[must_use]
    pub fn read(line: &[u8]) -> Self {
        let Ok(Event { event, data }) = serde_json::from_slice(line) else { return Self::Other };
        let data = data.map_or("null", RawValue::get);
        match event.as_str() {
            "snapshot" => Self::Snapshot,
            "user_message" => Self::Accepted("user_message"),
            "turn_start" => Self::Accepted("turn_start"),
            "invoke_start" => match serde_json::from_str::<Begun>(data) {
                Ok(Begun { kind }) if kind == "user_send" => Self::Accepted("invoke_start"),
                Ok(_) | Err(_) => Self::Other,
            },
            "error" => {
                let Failure { code, message } = serde_json::from_str(data).unwrap_or_default();
                let code = if code.is_empty() { "internal".to_owned() } else { shown(&code) };
                Self::Refused { code, message: cut(&message) }
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<PodEvent> {
        let rule = json!([{"target": "/w", "permission": "write"}]);
        let pod_name = || "b".to_owned();
        vec![
            PodEvent::TurnEnded { pod_name: pod_name() },
            PodEvent::Errored { pod_name: pod_name(), message: "no \"way\"\nout".into() },
            PodEvent::ShutDown { pod_name: pod_name() },
            PodEvent::ScopeSubDelegated {
                parent_pod: pod_name(),
                sub_pod: "c".into(),
                sub_socket: "/r/c/sock".into(),
                scope: scope::rules(Some(&rule)).expect("a rule"),
            },
        ]
    }

    /// bg_pods_a14: each report is read as it is written, in one line, under its two tags.
    #[test]
    fn bg_pods_a14_reports_go_over_the_wire_and_back() {
        for event in events() {
            let line = method("pod_event", Some(&event.params()));
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let read: Value = serde_json::from_slice(&line).expect("JSON");
            assert_eq!(read["method"], "pod_event");
            assert!(read["params"]["kind"].is_string());
            assert_eq!(read_report(&line), Ok(event));
        }
    }

    #[test]
    fn what_is_no_report_is_refused_in_words() {
        let check = |line: &str, expected: &str| {
            let why = read_report(line.as_bytes()).expect_err(line);
            assert!(why.contains(expected), "{line}: {why}");
        };
        check("hello", "no method");
        check("[]", "no method");
        check(r#"{"method": "run"}"#, "`run` is not taken here");
        check(r#"{"method": "pod_event"}"#, "an object with `kind`");
        check(r#"{"method": "pod_event", "params": {}}"#, "text `kind`");
        check(r#"{"method": "pod_event", "params": {"kind": "born"}}"#, "no pod event `born`");
        check(r#"{"method": "pod_event", "params": {"kind": "shut_down"}}"#, "`pod_name`");
        let errored = r#"{"method": "pod_event", "params": {"kind": "errored", "pod_name": "b"}}"#;
        check(errored, "`message`");
        let long = "x".repeat(POD_NAME_BYTES_MAX + 1);
        let long = json!({"kind": "shut_down", "pod_name": long});
        check(&json!({"method": "pod_event", "params": long}).to_string(), "`pod_name`");
        let bad = json!({
            "kind": "scope_sub_delegated", "parent_pod": "b", "sub_pod": "c", "sub_socket": "/s",
            "scope": [{"target": "w", "permission": "write"}],
        });
        check(&json!({"method": "pod_event", "params": bad}).to_string(), "`scope`: rule 1");
    }

    #[test]
    fn only_a_users_turn_is_the_word_that_a_run_was_taken() {
        let check =
            |line: &str, expected: Heard| assert_eq!(Heard::read(line.as_bytes()), expected);
        check(
            r#"{"event":"user_message","data":{"segments":[]}}"#,
            Heard::Accepted("user_message"),
        );
        check(r#"{"event":"turn_start","data":{"turn":1}}"#, Heard::Accepted("turn_start"));
        let begun =
            |kind: &str| format!(r#"{{"event":"invoke_start","data":{{"kind":"{kind}"}}}}"#);
        check(&begun("user_send"), Heard::Accepted("invoke_start"));
        check(&begun("notify"), Heard::Other);
        check(&begun("pod_event"), Heard::Other);
        check(r#"{"event":"snapshot","data":{}}"#, Heard::Snapshot);
        check(r#"{"event":"shutdown"}"#, Heard::Other);
        check(r#"{"event":"of_tomorrow","data":[1]}"#, Heard::Other);
        check("rubbish", Heard::Other);
        let busy = r#"{"event":"error","data":{"code":"already_running","message":"busy"}}"#;
        let refused = |code: &str, message: &str| Heard::Refused {
            code: code.into(),
            message: message.into(),
        };
        check(busy, refused("already_running", "busy"));
        check(r#"{"event":"error"}"#, refused("internal", ""));
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        let message = "ä".repeat(POD_TEXT_BYTES_MAX);
        let kept = cut(&message);
        assert!(kept.len() <= POD_TEXT_BYTES_MAX + 3 && kept.ends_with('…'));
    }
}
