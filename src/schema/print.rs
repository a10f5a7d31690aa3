//! One mapping, one key, one shape as JSON Schema. The rules themselves stand in
//! `definition::keys`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::definition::Saga;
use crate::definition::fields::KEYWORDS;
use crate::definition::keys::{BRANCH_WORDS, BRINGS, Key, Kind, Mapping, Need, Shape};
use crate::ids::ENVELOPE;
use crate::schema::{Vocabulary, rules};

const NAME: &str = "^(?!(in|true|false|null)$)[a-z][a-z0-9_]*$";
const DURATION: &str = "^0*[1-9][0-9]*(ms|s|m|h|d)$";
const BOUND: &str = "^(none|0*[1-9][0-9]*(ms|s|m|h|d))$";

/// Prints mappings, and remembers which others they refer to.
pub struct Printer<'a> {
    vocabulary: Option<Vocabulary<'a>>,
    done: BTreeMap<&'static str, Value>,
    open: Vec<&'static Mapping>,
    fields_used: bool,
}

impl<'a> Printer<'a> {
    /// A printer that knows these names.
    pub fn new(vocabulary: Option<Vocabulary<'a>>) -> Printer<'a> {
        Printer { vocabulary, done: BTreeMap::new(), open: Vec::new(), fields_used: false }
    }

    /// All that the printed mappings refer to, for `$defs`.
    pub fn definitions(&mut self) -> Map<String, Value> {
        while let Some(mapping) = self.open.pop() {
            if !self.done.contains_key(mapping.name) {
                let printed = self.mapping(mapping);
                self.done.insert(mapping.name, printed);
            }
        }
        let mut all: Map<String, Value> =
            self.done.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if self.fields_used {
            all.insert("field".to_owned(), field());
        }
        all
    }

    /// The schema of one mapping, in place.
    pub fn mapping(&mut self, mapping: &'static Mapping) -> Value {
        let mut properties = Map::new();
        for key in mapping.keys {
            let mut schema = self.key(key);
            rules::narrow(mapping, key, &mut schema);
            properties.insert(key.name.to_owned(), schema);
        }
        let required: Vec<&str> = mapping
            .keys
            .iter()
            .filter(|key| key.need == Need::Required)
            .map(|key| key.name)
            .collect();
        let mut schema = Map::new();
        schema.insert("description".to_owned(), json!(mapping.doc));
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("additionalProperties".to_owned(), json!(false));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let rules = rules::of(mapping, self.vocabulary);
        if !rules.is_empty() {
            schema.insert("allOf".to_owned(), Value::Array(rules));
        }
        let shut = shut_out(mapping);
        if !shut.is_empty() {
            schema.insert("dependentSchemas".to_owned(), Value::Object(shut));
        }
        if mapping.name == "step" {
            schema.insert("defaultSnippets".to_owned(), snippets());
        }
        Value::Object(schema)
    }

    fn key(&mut self, key: &'static Key) -> Value {
        let mut schema = self.shape(&key.shape);
        if let Value::Object(schema) = &mut schema
            && !key.doc.is_empty()
        {
            // The first is for all tools; editors show the second one, with its marks rendered.
            schema.insert("description".to_owned(), json!(key.doc));
            schema.insert("markdownDescription".to_owned(), json!(key.doc));
        }
        schema
    }

    fn fields(&mut self, names: &Value) -> Value {
        self.fields_used = true;
        json!({
            "type": "object",
            "propertyNames": names,
            "additionalProperties": { "$ref": "#/$defs/field" },
        })
    }

    fn shape(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Text | Shape::Template => json!({ "type": "string" }),
            Shape::Texts => texts(1),
            Shape::Patterns => texts(0),
            Shape::Condition => condition(),
            Shape::Conditions => json!({ "anyOf": [
                condition(),
                { "type": "array", "items": condition(), "minItems": 1 },
            ] }),
            Shape::ConditionList => json!({
                "type": "array",
                "items": condition(),
                "minItems": 1,
            }),
            Shape::Name => name(),
            Shape::Ref(kind) => self.reference(*kind, &[]),
            Shape::Refs(kind) => json!({ "type": "array", "items": self.reference(*kind, &[]) }),
            Shape::StepIds => json!({ "type": "array", "items": name() }),
            Shape::Duration => json!({ "type": "string", "pattern": DURATION }),
            Shape::Bound => json!({ "type": "string", "pattern": BOUND }),
            Shape::Words(words) => json!({ "enum": words }),
            Shape::WordList(words) => {
                json!({ "type": "array", "items": { "enum": words }, "minItems": 1 })
            }
            Shape::CatalogUndo => self.reference(Kind::Command, &["none", "irreversible"]),
            Shape::Flag => json!({ "type": "boolean" }),
            Shape::True => json!({ "const": true }),
            Shape::Integer(least) => {
                json!({ "type": "integer", "minimum": least, "maximum": u32::MAX })
            }
            Shape::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Shape::Any => json!({}),
            Shape::Values => json!({ "type": "object", "propertyNames": { "pattern": NAME } }),
            Shape::Labels => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Shape::Fields => self.fields(&json!({ "pattern": NAME, "not": { "enum": ENVELOPE } })),
            Shape::InnerFields => self.fields(&json!({ "pattern": NAME })),
            Shape::Map(mapping) => self.refer(mapping),
            Shape::MapOrNone(mapping) => {
                // The mapping first: editors report the faults of the first branch.
                json!({ "anyOf": [self.refer(mapping), { "const": "none" }] })
            }
            Shape::List(mapping) => {
                json!({ "type": "array", "items": self.refer(mapping), "minItems": 1 })
            }
            Shape::WordsOrList(words, mapping) => json!({ "anyOf": [
                { "enum": words },
                { "type": "array", "items": self.refer(mapping), "minItems": 1 },
            ] }),
            Shape::WordsOrMap(words, mapping) => {
                json!({ "anyOf": [self.refer(mapping), { "enum": words }] })
            }
            Shape::Named(mapping) => json!({
                "type": "object",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": self.refer(mapping),
            }),
            Shape::NamedBut(taken, mapping) => json!({
                "type": "object",
                "propertyNames": { "pattern": NAME, "not": { "enum": taken } },
                "additionalProperties": self.refer(mapping),
            }),
            Shape::NamedLists(mapping) => self.lists(mapping),
        }
    }

    /// Named lists.
    fn lists(&mut self, mapping: &'static Mapping) -> Value {
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": NAME, "not": { "enum": BRANCH_WORDS } },
            "additionalProperties": {
                "type": "array", "items": self.refer(mapping), "minItems": 1,
            },
        })
    }

    /// A reference; the type beside it lets editors complete its keys.
    fn refer(&mut self, mapping: &'static Mapping) -> Value {
        self.open.push(mapping);
        json!({ "type": "object", "$ref": format!("#/$defs/{}", mapping.name) })
    }

    /// A name of the vocabulary, or any name where none is known.
    fn reference(&self, kind: Kind, words: &[&str]) -> Value {
        let Some(vocabulary) = self.vocabulary else { return name() };
        let catalog = vocabulary.catalog;
        let mut known: Vec<(&str, &str)> = match kind {
            Kind::Event => catalog
                .events
                .values()
                .filter(|decl| !decl.bracket)
                .map(|decl| (&*decl.name, decl.doc.as_str()))
                .collect(),
            Kind::Command => {
                let all = catalog.commands.values();
                all.map(|decl| (&*decl.name, decl.doc.as_str())).collect()
            }
            Kind::Target => {
                let all = catalog.targets.values();
                all.map(|decl| (&*decl.name, decl.doc.as_str())).collect()
            }
            Kind::Saga => vocabulary.sagas.iter().map(|saga| told(saga)).collect(),
        };
        known.extend(words.iter().map(|word| (*word, "")));
        if known.is_empty() {
            // A choice of nothing is refused by validators, and tells an author nothing.
            return name();
        }
        let (names, docs): (Vec<&str>, Vec<&str>) = known.into_iter().unzip();
        let mut schema = json!({ "enum": names });
        if docs.iter().any(|doc| !doc.is_empty()) {
            schema["markdownEnumDescriptions"] = json!(docs);
        }
        schema
    }
}

/// A saga's name, and what it is for.
fn told(saga: &Saga) -> (&str, &str) {
    (&saga.name.value, saga.doc.as_ref().map_or("", |doc| &doc.value))
}

/// An expression, which stands without `${{ }}`.
fn condition() -> Value {
    json!({ "type": ["string", "boolean"], "pattern": "^(?!\\s*\\$\\{\\{)" })
}

fn texts(least: usize) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "minItems": least })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": NAME })
}

/// `excludes` and `needs` of a mapping.
fn shut_out(mapping: &Mapping) -> Map<String, Value> {
    let mut all = Map::new();
    for rule in mapping.excludes {
        let others = rule.others.iter().filter(|key| mapping.key(key).is_some());
        let never: Map<String, Value> =
            others.map(|key| ((*key).to_owned(), json!(false))).collect();
        if mapping.key(rule.key).is_some() && !never.is_empty() {
            all.insert(rule.key.to_owned(), json!({ "properties": never }));
        }
    }
    for (key, others) in BRINGS.iter().filter(|_| mapping.name == "step") {
        all.entry(*key).or_insert_with(|| json!({}))["required"] = json!(others);
    }
    for (key, hosts) in mapping.needs {
        let hosts: Vec<Value> = hosts.iter().map(|host| json!({ "required": [host] })).collect();
        all.insert((*key).to_owned(), json!({ "anyOf": hosts }));
    }
    all
}

/// A field of the catalog: JSON Schema with two additions.
fn field() -> Value {
    let mut properties: Map<String, Value> =
        KEYWORDS.iter().map(|key| ((*key).to_owned(), json!(true))).collect();
    let types = ["string", "integer", "number", "boolean", "object", "array", "null"];
    let types = json!({ "enum": types });
    properties.insert(
        "type".to_owned(),
        json!({ "anyOf": [types, { "type": "array", "items": types, "minItems": 1 }] }),
    );
    let described = |doc: &str, mut schema: Value| {
        schema["description"] = json!(doc);
        schema["markdownDescription"] = json!(doc);
        schema
    };
    let doc = "`false`: the field may be absent, and is read behind `has()`. A list is JSON \
               Schema's own: the properties that an object must have.";
    let names = json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true });
    let required = json!({ "anyOf": [{ "type": "boolean" }, names] });
    properties.insert("required".to_owned(), described(doc, required));
    let doc = "`true`: hidden in log, `show` and dashboard.";
    properties.insert("sensitive".to_owned(), described(doc, json!({ "type": "boolean" })));
    let doc = "Filled in on arrival, so that the field can always be read.";
    properties.insert("default".to_owned(), described(doc, json!({})));
    properties.insert("description".to_owned(), json!({ "type": "string" }));
    properties.insert("enum".to_owned(), json!({ "type": "array", "minItems": 1 }));
    json!({
        "description": "JSON Schema (draft 2020-12) with `required: false`, `sensitive: true`.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "if": { "required": ["default"] },
        "then": { "properties": { "required": { "not": { "const": true } } } },
    })
}

/// Whole steps that an editor offers after `- `.
fn snippets() -> Value {
    json!([
        {
            "label": "issue",
            "description": "Ask a target, wait for its answer",
            "body": {
                "id": "$1",
                "issue": "$2",
                "with": { "$3": "\"\\${{ input.$3 }}\"" },
                "await": { "echo": "$4" },
                "timeout": "${5:10s}",
            },
        },
        {
            "label": "await",
            "description": "Wait for what others cause",
            "body": {
                "id": "$1",
                "await": { "event": "$2", "where": "event.$3 == input.$3" },
                "timeout": "${4:10s}",
            },
        },
        {
            "label": "emit",
            "description": "Publish an event",
            "body": { "id": "$1", "emit": "$2" },
        },
        {
            "label": "delay",
            "description": "A durable timer",
            "body": { "id": "$1", "delay": "${2:5s}" },
        },
    ])
}
