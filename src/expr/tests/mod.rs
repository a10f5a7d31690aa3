//! What expressions promise, seen from outside: one table a promise.

mod checking;
mod oracle;
mod pinning;
mod reading;
mod templates;
mod values;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Resolved, Scope};

/// The names of an object, as the roots that expressions read.
pub struct Names(pub Value);

impl Scope for Names {
    fn resolve(&self, root: &str, _path: &[Box<str>]) -> Resolved<'_> {
        self.0.get(root).map_or(Resolved::Missing, |value| Resolved::Found(Cow::Borrowed(value), 0))
    }
}

/// A saga in the middle of its work.
pub fn names() -> Names {
    Names(json!({
        "trigger": { "label": "main", "count": 3, "price": 2, "flag": false, "a-b": "dash" },
        "input": { "label": "main", "ids": ["a", "b", "c"], "ratio": 0.5, "nothing": null },
        "event": {
            "label": "main",
            "ids": ["a", "b"],
            "items": [{ "id": "a", "n": 1 }, { "id": "b" }]
        },
        "vars": {},
        "steps": { "reap": { "outcome": "succeeded", "echo": { "index": 7 } } },
        "saga": { "id": 12 },
    }))
}
