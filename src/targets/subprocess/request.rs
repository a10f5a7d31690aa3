//! What a command asks for, read once from its fields. Nothing is looked up in the world.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::argv::Resume;

/// Grace between TERM and KILL where nobody says it.
const GRACE_MS: u64 = 2_000;
/// Longest grace.
const GRACE_MS_MAX: u64 = 600_000;

/// A turn that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnTurn {
    /// The program and its arguments, without those that resume a session.
    pub argv: Vec<String>,
    /// Where it runs; empty: where the launcher runs.
    pub cwd: String,
    /// Variables beside the launcher's own.
    pub env: Vec<(String, String)>,
    /// What it reads.
    pub message: String,
    /// The message's id; empty: none.
    pub message_id: String,
    /// How its session is resumed.
    pub resume: Resume,
    /// The field of an output line that names the session; empty: none.
    pub session_field: String,
    /// The session to resume where none is known; empty: none.
    pub session_id: String,
    /// Between TERM and KILL.
    pub grace: Duration,
}

/// The block that a command is about.
///
/// # Errors
///
/// It names none.
pub fn block_of(fields: &Map<String, Value>) -> Result<Arc<str>, String> {
    match text(fields, "block_id")? {
        "" => Err("`block_id` is empty".to_owned()),
        block_id => Ok(block_id.into()),
    }
}

impl SpawnTurn {
    /// Reads the fields of a `spawn_turn`; `home` is the user's, for a `~`.
    ///
    /// # Errors
    ///
    /// Words for what is missing or is of another kind. The catalog has checked most of it.
    pub fn of(fields: &Map<String, Value>, home: Option<&str>) -> Result<SpawnTurn, String> {
        let strategy = text(fields, "resume_strategy")?;
        let resume = Resume::of(strategy, text(fields, "resume_flag")?);
        let session_field = match fields.get("session_id_field") {
            None | Some(Value::Null) => "session_id",
            Some(_) => text(fields, "session_id_field")?,
        };
        Ok(SpawnTurn {
            argv: argv(fields)?,
            cwd: expand(text(fields, "cwd")?, home),
            env: env(fields, home)?,
            message: text(fields, "message")?.to_owned(),
            message_id: text(fields, "message_id")?.to_owned(),
            resume: resume.map_err(|mistake| mistake.to_string())?,
            session_field: session_field.to_owned(),
            session_id: text(fields, "session_id")?.to_owned(),
            grace: grace(fields)?,
        })
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("`{name}` must be a text"))
        }
    }
}

fn argv(fields: &Map<String, Value>) -> Result<Vec<String>, String> {
    let wrong = || "`argv` must be a list of texts, the program first".to_owned();
    let list = fields.get("argv").and_then(Value::as_array).filter(|list| !list.is_empty());
    let texts = list.ok_or_else(wrong)?.iter().map(|arg| arg.as_str().map(str::to_owned));
    texts.collect::<Option<Vec<_>>>().ok_or_else(wrong)
}

fn env(fields: &Map<String, Value>, home: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let wrong = || "`env` must be an object of texts".to_owned();
    match fields.get("env") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(env)) => {
            let pairs = env.iter().map(|(name, value)| {
                value.as_str().map(|value| (name.clone(), expand(value, home)))
            });
            pairs.collect::<Option<Vec<_>>>().ok_or_else(wrong)
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(wrong())
        }
    }
}

fn grace(fields: &Map<String, Value>) -> Result<Duration, String> {
    let wrong = || format!("`grace_ms` must be a whole number up to {GRACE_MS_MAX}");
    match fields.get("grace_ms") {
        None | Some(Value::Null) => Ok(Duration::from_millis(GRACE_MS)),
        Some(value) => match value.as_u64() {
            Some(ms) if ms <= GRACE_MS_MAX => Ok(Duration::from_millis(ms)),
            Some(_) | None => Err(wrong()),
        },
    }
}

/// A path at the user's home, where it begins with `~`.
fn expand(text: &str, home: Option<&str>) -> String {
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{home}{rest}")
        }
        (Some(_) | None, _) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: Value) -> Result<SpawnTurn, String> {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        SpawnTurn::of(&fields, Some("/home/me"))
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let turn = read(json!({"block_id": "b", "argv": ["agent"]})).expect("it is whole");
        let expected = SpawnTurn {
            argv: vec!["agent".to_owned()],
            cwd: String::new(),
            env: Vec::new(),
            message: String::new(),
            message_id: String::new(),
            resume: Resume::Never,
            session_field: "session_id".to_owned(),
            session_id: String::new(),
            grace: Duration::from_secs(2),
        };
        assert_eq!(turn, expected);
        let none = read(json!({"argv": ["agent"], "session_id_field": ""})).expect("it is whole");
        assert_eq!(none.session_field, "");
    }

    #[test]
    fn a_tilde_is_the_home_of_the_user() {
        let env = json!({"A": "~/x", "B": "~", "C": "a~", "D": "~you/x"});
        let turn = read(json!({"argv": ["agent"], "cwd": "~/work", "env": env})).expect("whole");
        assert_eq!(turn.cwd, "/home/me/work");
        let values: Vec<_> = turn.env.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["/home/me/x", "/home/me", "a~", "~you/x"]);
        assert_eq!(expand("~/x", None), "~/x");
    }

    #[test]
    fn what_is_of_another_kind_is_refused_by_name() {
        for (fields, word) in [
            (json!({}), "`argv`"),
            (json!({"argv": []}), "`argv`"),
            (json!({"argv": "agent"}), "`argv`"),
            (json!({"argv": ["agent", 1]}), "`argv`"),
            (json!({"argv": ["agent"], "cwd": 1}), "`cwd`"),
            (json!({"argv": ["agent"], "env": {"A": 1}}), "`env`"),
            (json!({"argv": ["agent"], "env": []}), "`env`"),
            (json!({"argv": ["agent"], "grace_ms": -1}), "`grace_ms`"),
            (json!({"argv": ["agent"], "grace_ms": 600_001}), "`grace_ms`"),
            (json!({"argv": ["agent"], "resume_strategy": "flag"}), "resume_flag"),
        ] {
            let words = read(fields.clone()).expect_err("it is wrong");
            assert!(words.contains(word), "{fields}: {words}");
        }
        assert!(block_of(&Map::new()).is_err());
    }
}
