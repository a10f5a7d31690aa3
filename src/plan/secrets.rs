//! Texts that nobody is shown, since they were found in fields that the catalog calls `sensitive`.
//! Knows no record and no log line.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::definition::fields::Fields;

/// What stands where a sensitive value stood.
pub const HIDDEN: &str = "[redacted]";
/// Shorter texts are hidden where they stand alone, but not looked for inside other texts.
const INSIDE_MIN: usize = 4;

/// Names of the sensitive ones among these fields.
#[must_use]
pub fn names(fields: &Fields) -> BTreeSet<Arc<str>> {
    fields.list.iter().filter(|field| field.sensitive).map(|field| field.name.clone()).collect()
}

/// Texts that were found in sensitive fields, the longest first: one may begin as another does, and
/// its rest must not be left.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeSet<(Reverse<usize>, String)>);

impl Secrets {
    /// The secrets of one payload.
    #[must_use]
    pub fn of(fields: &Fields, payload: &Value) -> Secrets {
        let mut secrets = Secrets::default();
        for name in names(fields) {
            if let Some(value) = payload.get(&*name) {
                secrets.learn(value);
            }
        }
        secrets
    }

    /// Learns a value and hides it.
    pub fn take(&mut self, value: &mut Value) {
        self.learn(value);
        *value = Value::from(HIDDEN);
    }

    /// Those of another saga are to be hidden as well.
    pub fn add(&mut self, others: &Secrets) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Learns all texts of a value; numbers and booleans are too common to be looked for elsewhere.
    pub fn learn(&mut self, value: &Value) {
        if let Value::String(text) = value {
            if !text.is_empty() && text != HIDDEN {
                self.0.insert((Reverse(text.len()), text.clone()));
            }
        } else if let Value::Array(list) = value {
            list.iter().for_each(|value| self.learn(value));
        } else if let Value::Object(map) = value {
            map.values().for_each(|value| self.learn(value));
        }
    }

    /// Hides them in a value, wherever they stand in it.
    pub fn hide(&self, value: &mut Value) {
        if let Value::String(text) = value {
            if let Some(hidden) = self.hide_text(text) {
                *text = hidden;
            }
        } else if let Value::Array(list) = value {
            list.iter_mut().for_each(|value| self.hide(value));
        } else if let Value::Object(map) = value {
            map.values_mut().for_each(|value| self.hide(value));
        }
    }

    /// The text without its secrets, if it has any.
    #[must_use]
    pub fn hide_text(&self, text: &str) -> Option<String> {
        let fits = self.0.iter().skip_while(|(Reverse(length), _)| *length > text.len());
        let mut hidden: Option<String> = None;
        for (Reverse(length), secret) in fits {
            let now = hidden.as_deref().unwrap_or(text);
            if secret == text {
                return Some(HIDDEN.to_owned());
            }
            if *length >= INSIDE_MIN && now.contains(secret.as_str()) {
                hidden = Some(now.replace(secret.as_str(), HIDDEN));
            }
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_secret_that_begins_as_another_nothing_is_left() {
        let mut secrets = Secrets::default();
        secrets.learn(&json!(["key-1", "key-12", "ab"]));
        for (text, shown) in [
            ("key-12", Some("[redacted]")),
            ("with key-12 and key-1", Some("with [redacted] and [redacted]")),
            ("ab", Some("[redacted]")),
            ("about", None),
        ] {
            assert_eq!(secrets.hide_text(text).as_deref(), shown, "{text}");
        }
    }
}
