//! What the keys of a mapping demand of each other, as JSON Schema: for all, and for a catalog that
//! is known. Prints no key.

use serde_json::{Map, Value, json};

use crate::definition::fields::Fields;
use crate::definition::keys::{Key, Mapping, ROOTS, VERBS};
use crate::definition::saga::TriggerKind;
use crate::definition::{CommandDecl, Saga};
use crate::schema::Vocabulary;

/// What must be chosen, and what a chosen command, event or saga then carries.
pub fn of(mapping: &Mapping, vocabulary: Option<Vocabulary<'_>>) -> Vec<Value> {
    let mut rules: Vec<Value> = mapping.one_of.iter().map(|group| exactly_one(group)).collect();
    if mapping.name == "eviction" {
        rules.push(json!({
            "if": { "required": ["queue_max"] },
            "then": { "properties": { "policy": { "const": "queue" } } },
        }));
        rules.push(json!({
            "if": { "required": ["save"] },
            "then": { "properties": { "policy": { "const": "join" } } },
        }));
    }
    let waits = mapping.key("issue").is_some() && mapping.key("await").is_some();
    if waits {
        rules.push(echo_needs_a_command());
    }
    let Some(vocabulary) = vocabulary else { return rules };
    if mapping.key("with").is_none() {
        return rules;
    }
    let partial = mapping.name == "expect";
    if mapping.key("issue").is_some() {
        for decl in vocabulary.catalog.commands.values() {
            rules.push(carries("issue", &decl.name, &decl.fields, partial));
            if waits {
                rules.push(is_answered(decl));
            }
        }
    }
    // Beside what a reaction hears, `with` belongs to what it does.
    let said: &[&str] = if mapping.key("emit").is_some() { &["emit"] } else { &["event", "echo"] };
    for verb in said.iter().filter(|verb| mapping.key(verb).is_some()) {
        for decl in vocabulary.catalog.events.values().filter(|decl| !decl.bracket) {
            rules.push(carries(verb, &decl.name, &decl.fields, partial));
        }
    }
    if waits && mapping.key("call").is_some() {
        rules.extend(vocabulary.sagas.iter().map(|saga| is_called(saga)));
    }
    rules
}

/// What a place demands of a key beyond its shape.
pub fn narrow(mapping: &Mapping, key: &Key, schema: &mut Value) {
    match (mapping.name, key.name) {
        ("for_each", "as") => schema["not"] = json!({ "enum": ROOTS }),
        ("saga", "finally") => {
            schema["items"]["properties"] = json!({ "pivot": { "const": false } });
        }
        ("step", "steps") => schema["items"]["properties"] = json!({ "done": false }),
        ("step", "parallel") => {
            schema["additionalProperties"]["items"]["properties"] = json!({ "done": false });
        }
        _ => {}
    }
}

/// An `echo` answers a command, so there is none without.
fn echo_needs_a_command() -> Value {
    let echo = json!({ "required": ["echo"] });
    let one = json!({ "required": ["any_of"], "properties": { "any_of": { "contains": echo } } });
    let all = json!({ "required": ["all_of"], "properties": { "all_of": { "contains": echo } } });
    json!({
        "if": {
            "required": ["await"],
            "properties": { "await": { "type": "object", "anyOf": [echo, one, all] } },
        },
        "then": { "required": ["issue"] },
    })
}

/// What may answer a command; one that is answered says whether it waits.
fn is_answered(decl: &CommandDecl) -> Value {
    let answers: Vec<&str> = decl.echoes.iter().chain(&decl.failures).map(|name| &**name).collect();
    let echo = if answers.is_empty() { json!(false) } else { json!({ "enum": answers }) };
    let one = json!({ "properties": { "echo": echo } });
    let several = json!({ "items": one });
    let mut then = json!({ "properties": {
        "await": { "properties": { "echo": echo, "any_of": several, "all_of": several } },
        "fail_on": several,
    } });
    if !decl.echoes.is_empty() {
        then["required"] = json!(["await"]);
    }
    json!({ "if": chosen("issue", &decl.name), "then": then })
}

/// The fields that callers of a saga give; one that nobody calls by name cannot be called.
fn is_called(saga: &Saga) -> Value {
    let name = &saga.name.value;
    let mut fields = None;
    for one in &saga.trigger.alternatives {
        if let TriggerKind::Call { fields: decl } = &one.kind {
            fields = Some(&decl.fields);
        }
    }
    match fields {
        Some(fields) => carries("call", name, fields, false),
        None => json!({ "not": chosen("call", name) }),
    }
}

fn chosen(verb: &str, name: &str) -> Value {
    json!({ "properties": { verb: { "const": name } }, "required": [verb] })
}

/// One of these keys and no second one; `await` goes with a verb, and is one when it stands alone.
fn exactly_one(group: &[&str]) -> Value {
    let alone = |key: &str| group.contains(&"issue") && key == "await";
    let verbs: Vec<Value> = group
        .iter()
        .filter(|key| VERBS.contains(key))
        .map(|key| json!({ "required": [key] }))
        .collect();
    let one = |key: &&str| {
        if alone(key) {
            let waits = json!({ (*key): { "not": { "const": "none" } } });
            json!({ "required": [key], "properties": waits, "not": { "anyOf": verbs } })
        } else {
            json!({ "required": [key] })
        }
    };
    json!({ "oneOf": group.iter().map(one).collect::<Vec<_>>() })
}

/// When `verb` names this declaration, `with` carries its fields.
fn carries(verb: &str, name: &str, fields: &Fields, partial: bool) -> Value {
    let mut properties = Map::new();
    for field in &fields.list {
        let mut value = field.schema.clone();
        let doc = value.as_object_mut().and_then(|schema| schema.shift_remove("description"));
        // A hole gives its value when the saga runs; its type is the checker's business.
        let hole = json!({ "type": "string", "pattern": "\\$\\{\\{" });
        let mut schema = json!({ "anyOf": [value, hole] });
        if let Some(doc) = doc {
            schema["description"] = doc;
        }
        properties.insert(field.name.to_string(), schema);
    }
    let required: Vec<&str> = fields
        .list
        .iter()
        .filter(|field| field.required && !partial)
        .map(|field| &*field.name)
        .collect();
    let with = json!({
        "properties": properties,
        "additionalProperties": false,
        "required": required,
    });
    let mut then = json!({ "properties": { "with": with } });
    if !required.is_empty() {
        then["required"] = json!(["with"]);
    }
    json!({ "if": chosen(verb, name), "then": then })
}
