//! One line in the making: fields in the order in which they are given. Knows no frame.

use serde_json::{Map, Value};

use super::protocol::AskId;
use crate::ids::Seq;
use crate::limits::FRAME_BYTES_MAX;
use crate::line::Line;

/// A line in the making.
pub(super) struct Builder {
    text: String,
    /// Where in `text` the line begins.
    from: usize,
}

impl Builder {
    pub(super) fn open() -> Self {
        Self::at(&mut String::with_capacity(192))
    }

    /// A line behind those that stand in `out`, which is empty until [`Builder::put`].
    pub(super) fn at(out: &mut String) -> Self {
        let mut text = std::mem::take(out);
        let from = text.len();
        text.push('{');
        Self { text, from }
    }

    pub(super) fn event(name: &str) -> Self {
        let mut line = Self::open();
        line.text("event", name);
        line
    }

    pub(super) fn event_at(out: &mut String, name: &str) -> Self {
        let mut line = Self::at(out);
        line.text("event", name);
        line
    }

    pub(super) fn key(&mut self, name: &str) {
        if self.text.len() > self.from + 1 {
            self.text.push(',');
        }
        string(&mut self.text, name);
        self.text.push(':');
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        string(&mut self.text, value);
    }

    pub(super) fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub(super) fn text_or_null(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.value(name, &Value::Null),
        }
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        self.text.push_str(itoa::Buffer::new().format(value));
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.key(name);
        self.text.push_str(if value { "true" } else { "false" });
    }

    pub(super) fn value(&mut self, name: &str, value: &Value) {
        self.key(name);
        json(&mut self.text, value);
    }

    pub(super) fn ask(&mut self, id: Option<&AskId>) {
        if let Some(id) = id {
            self.value("id", id.value());
        }
    }

    pub(super) fn fields(&mut self, fields: &Map<String, Value>) {
        for (name, value) in fields {
            self.value(name, value);
        }
    }

    /// Writes items while the line stays a frame; the first one always. Returns how many, and
    /// whether others are left.
    pub(super) fn list<'a>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = &'a str>,
    ) -> (usize, bool) {
        /// What follows a list: `more` or `next`, and `version`.
        const TAIL: usize = 80;
        self.key(name);
        self.text.push('[');
        let (mut taken, mut left) = (0, false);
        for item in items {
            let item = item.trim_end();
            if taken > 0 && self.text.len() + item.len() + TAIL > FRAME_BYTES_MAX {
                left = true;
                break;
            }
            if taken > 0 {
                self.text.push(',');
            }
            self.text.push_str(item);
            taken += 1;
        }
        self.text.push(']');
        (taken, left)
    }

    pub(super) fn end(mut self, version: Seq) -> Line {
        self.number("version", version.0);
        self.close()
    }

    pub(super) fn close(mut self) -> Line {
        self.text.push_str("}\n");
        self.text.into()
    }

    /// Ends the line where it was begun.
    pub(super) fn put(mut self, out: &mut String) {
        self.text.push_str("}\n");
        *out = self.text;
    }
}

/// Writes a JSON string. Most need no escape and are copied whole.
fn string(out: &mut String, value: &str) {
    let plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push('"');
        out.push_str(value);
        out.push('"');
    } else {
        out.push_str(&Value::from(value).to_string());
    }
}

fn json(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => string(out, text),
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => match number.as_i64() {
            Some(number) => out.push_str(itoa::Buffer::new().format(number)),
            None => out.push_str(&number.to_string()),
        },
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(out, name);
                out.push(':');
                json(out, value);
            }
            out.push('}');
        }
    }
}
