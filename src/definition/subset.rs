//! The declarations that a saga uses, as canonical JSON to be kept with it \[L4\]. The reader of
//! catalogs reads it back.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::catalog::{
    Catalog, CatalogUndo, CommandDecl, EventDecl, Overflow, TargetDecl,
};
use crate::definition::fields::Fields;

/// Names of declarations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Events.
    pub events: BTreeSet<Arc<str>>,
    /// Commands.
    pub commands: BTreeSet<Arc<str>>,
}

impl Catalog {
    /// The named declarations and all that they refer to, as one catalog document: equal
    /// declarations give
    /// equal text. Words that only explain (`doc`) and unknown names are left out.
    #[must_use]
    pub fn subset_json(&self, names: &Names) -> String {
        let names = self.closure(names);
        let mut targets = BTreeSet::new();
        let mut commands = Map::new();
        for name in &names.commands {
            if let Some(decl) = self.commands.get(name) {
                targets.insert(Arc::clone(&decl.target));
                commands.insert(name.to_string(), command(decl));
            }
        }
        let mut events = Map::new();
        for name in &names.events {
            if let Some(decl) = self.events.get(name) {
                events.insert(name.to_string(), event(decl));
            }
        }
        let targets = targets
            .iter()
            .filter_map(|name| self.targets.get(name))
            .map(|decl| (decl.name.to_string(), target(decl)))
            .collect();
        let (events, commands) = (Value::Object(events), Value::Object(commands));
        object([("targets", targets), ("events", events), ("commands", commands)]).to_string()
    }

    /// Adds the undo of each command, and the answers of all of them.
    fn closure(&self, names: &Names) -> Names {
        let mut all = names.clone();
        let mut open: Vec<Arc<str>> = names.commands.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let Some(decl) = self.commands.get(&name) else { continue };
            all.events.extend(decl.echoes.iter().chain(&decl.failures).cloned());
            if let CatalogUndo::Command(undo) = &decl.undo
                && all.commands.insert(Arc::clone(undo))
            {
                open.push(Arc::clone(undo));
            }
        }
        all
    }
}

fn target(decl: &TargetDecl) -> Value {
    let overflow = match decl.overflow {
        Overflow::FailOldest => "fail_oldest",
        Overflow::FailNewest => "fail_newest",
    };
    object([
        ("buffer", decl.buffer.into()),
        ("disconnect_timeout", decl.disconnect_timeout.to_string().into()),
        ("overflow", overflow.into()),
    ])
}

fn event(decl: &EventDecl) -> Value {
    object([("fields", fields(&decl.fields))])
}

fn command(decl: &CommandDecl) -> Value {
    let undo = match &decl.undo {
        CatalogUndo::None => "none",
        CatalogUndo::Irreversible => "irreversible",
        CatalogUndo::Command(name) => name,
    };
    let names = |list: &[Arc<str>]| list.iter().map(|name| Value::from(&**name)).collect();
    object([
        ("target", Value::from(&*decl.target)),
        ("fields", fields(&decl.fields)),
        ("echoes", names(&decl.echoes)),
        ("failures", names(&decl.failures)),
        ("idempotent", decl.idempotent.into()),
        ("undo", undo.into()),
    ])
}

/// An object of these parts; the macro of `serde_json` would copy each part, and its parts again.
fn object<const N: usize>(parts: [(&str, Value); N]) -> Value {
    parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect()
}

/// Fields in the author's order: the order in which a payload's faults are named is part of the
/// behaviour.
fn fields(fields: &Fields) -> Value {
    let mut map = Map::new();
    for field in &fields.list {
        let mut schema = sorted(&field.schema);
        if let Value::Object(schema) = &mut schema {
            if !field.required && field.default.is_none() {
                schema.insert("required".to_owned(), Value::Bool(false));
            }
            if field.sensitive {
                schema.insert("sensitive".to_owned(), Value::Bool(true));
            }
        }
        map.insert(field.name.to_string(), schema);
    }
    Value::Object(map)
}

/// The same JSON with the keys of all objects in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            let pair = |key: &String| (key.clone(), sorted(&map[key.as_str()]));
            Value::Object(keys.into_iter().map(pair).collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::read::{load, load_kept};

    const CATALOG: &str = r#"
targets: { host: { buffer: 3, disconnect_timeout: 1500ms, overflow: fail_newest } }
events:
  made:
    fields:
      text: { type: string, minLength: 2, sensitive: true }
      n: { type: integer, default: 7 }
  unmade: {}
  stranger: {}
commands:
  make:
    target: host
    fields: { why: { type: string, required: false } }
    echoes: [made]
    idempotent: true
    undo: unmake
  unmake: { target: host, echoes: [unmade], idempotent: true, undo: none }
"#;

    #[test]
    fn the_kept_text_reads_back_to_the_same_text() {
        let (library, found) =
            load(vec![("a.catalog.yaml".to_owned(), CATALOG.as_bytes().to_vec())]);
        assert!(found.is_empty(), "{found:?}");
        let mut names = Names::default();
        names.commands.insert("make".into());
        names.events.insert("process_spawned".into());
        let text = library.catalog.subset_json(&names);
        assert!(text.contains("unmade") && !text.contains("stranger"), "{text}");
        let (kept, found) = load_kept("", &text);
        let errors: Vec<_> = found.iter().filter(|one| one.code.as_str() != "SF006").collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(kept.catalog.subset_json(&names), text);
        assert!(kept.catalog.events["made"].fields.list[0].sensitive);
        assert_eq!(kept.catalog.targets["host"].buffer, 3);
    }
}
