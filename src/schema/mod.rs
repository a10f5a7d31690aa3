//! The JSON Schemas that editors use, printed from the table of keys that the reader uses. Reads no
//! file, and checks nothing that a schema cannot.

mod print;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::definition::keys::{CATALOG, LAUNCHER, SAGA, TEST};
use crate::definition::{Catalog, Saga};

use print::Printer;

/// What a directory declares, for schemas that know its names.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// Its catalog, built-in declarations included.
    pub catalog: &'a Catalog,
    /// Its sagas: their names, and the fields of those that are called.
    pub sagas: &'a [Arc<Saga>],
}

/// The schemas as file name and text; `None` for the general ones.
///
/// With a vocabulary the names of events, commands, targets and sagas are completed, and `with` is
/// held to the fields of its command or event.
#[must_use]
pub fn files(vocabulary: Option<Vocabulary<'_>>) -> [(&'static str, String); 4] {
    let text = |mapping, title: &str| {
        let schema = document(&mut Printer::new(vocabulary), mapping, title);
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    };
    [
        ("saga.schema.json", text(&SAGA, "A saga of sagaflow (*.saga.yaml)")),
        ("catalog.schema.json", text(&CATALOG, "A catalog of sagaflow (*.catalog.yaml)")),
        ("test.schema.json", text(&TEST, "Tests of a saga of sagaflow (*.test.yaml)")),
        ("launcher.schema.json", text(&LAUNCHER, "The configuration of a launcher of sagaflow")),
    ]
}

fn document(
    printer: &mut Printer<'_>,
    root: &'static crate::definition::keys::Mapping,
    title: &str,
) -> Value {
    let mut schema = Map::new();
    let draft = "https://json-schema.org/draft/2020-12/schema";
    schema.insert("$schema".to_owned(), json!(draft));
    schema.insert("title".to_owned(), json!(title));
    if let Value::Object(body) = printer.mapping(root) {
        schema.extend(body);
    }
    schema.insert("$defs".to_owned(), Value::Object(printer.definitions()));
    Value::Object(schema)
}
