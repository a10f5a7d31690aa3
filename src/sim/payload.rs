//! Values for what somebody says: fields that fit their schemas, the likely ones first, and every
//! other that may lead elsewhere. Knows no saga.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::fields::FieldDecl;
use crate::definition::sample::sample;
use crate::definition::{CommandDecl, EventDecl, Fields};

/// Payloads of one event, at most.
const PAYLOADS_MAX: usize = 400;

/// Values of one field, at most.
const VALUES_MAX: usize = 12;

/// Values that are known where something is said, by name, the nearest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    values: Vec<(String, Value)>,
}

impl Known {
    /// Adds the fields of an object.
    pub(super) fn add(&mut self, object: &Value) {
        let fields = object.as_object().into_iter().flatten();
        self.values.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Values of that name, then those whose names end alike (`tab_id`, `source_tab_id`).
    fn called<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        let exact = self.values.iter().filter(move |(known, _)| known == name);
        let alike = self.values.iter().filter(move |(known, _)| {
            known != name && (known.ends_with(name) || name.ends_with(known.as_str()))
        });
        exact.chain(alike).map(|(_, value)| value)
    }

    fn strings(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().map(|(_, value)| value).filter(|value| value.is_string())
    }
}

/// Payloads for these fields: the likely one, then those with one unlikely value, then with two.
/// Empty when no value fits one of the fields.
pub(super) fn payloads(fields: &Fields, known: &Known) -> Vec<Map<String, Value>> {
    let all: Vec<(Arc<str>, Vec<Value>)> =
        fields.list.iter().map(|field| (field.name.clone(), values(field, known))).collect();
    if all.iter().any(|(_, values)| values.is_empty()) {
        return Vec::new();
    }
    let with = |picks: &BTreeMap<usize, usize>| -> Map<String, Value> {
        let pick = |at: usize| picks.get(&at).copied().unwrap_or_default();
        let pairs = all.iter().enumerate();
        pairs.map(|(at, (name, values))| (name.to_string(), values[pick(at)].clone())).collect()
    };
    let mut made = vec![with(&BTreeMap::new())];
    let mut places: Vec<(usize, usize)> = all
        .iter()
        .enumerate()
        .flat_map(|(at, (_, values))| (1..values.len()).map(move |value| (at, value)))
        .collect();
    // Every field's second value comes before anybody's third.
    places.sort_by_key(|(at, value)| (*value, *at));
    made.extend(places.iter().map(|place| with(&BTreeMap::from([*place]))));
    for (at, one) in places.iter().enumerate() {
        for two in places[at + 1..].iter().filter(|two| two.0 != one.0) {
            if made.len() >= PAYLOADS_MAX {
                return made;
            }
            made.push(with(&BTreeMap::from([*one, *two])));
        }
    }
    made
}

/// Values that fit a field, without repetitions.
pub(super) fn values(field: &FieldDecl, known: &Known) -> Vec<Value> {
    values_upto(field, known, VALUES_MAX)
}

/// The first of them.
pub(super) fn values_upto(field: &FieldDecl, known: &Known, most: usize) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    let mut add = |value: Value| {
        let has_room = values.len() < most;
        if has_room && !values.contains(&value) && field.hold(&value).is_ok() {
            values.push(value);
        }
    };
    known.called(&field.name).for_each(|value| add(value.clone()));
    field.default.iter().for_each(|value| add(value.clone()));
    let listed = |key: &str| field.schema.get(key).and_then(Value::as_array).into_iter().flatten();
    listed("enum").chain(listed("examples")).for_each(|value| add(value.clone()));
    field.schema.get("const").into_iter().for_each(|value| add(value.clone()));
    let text = word(&field.name);
    let one = |value: &Value| Value::Array(vec![value.clone()]);
    let two = |value: &Value| Value::Array(vec![value.clone(), Value::from("another")]);
    objects(&field.schema).into_iter().for_each(&mut add);
    // A list of some, then none at all, then every other: what is done for each often differs.
    let first = known.strings().map(two).next();
    for value in first.into_iter().chain([Value::Array(Vec::new())]) {
        add(value);
    }
    for value in known.strings().map(two).chain(known.strings().map(one)) {
        add(value);
    }
    add(Value::from(text.clone()));
    add(Value::from("another"));
    for number in ["minimum", "exclusiveMinimum", "maximum"] {
        field.schema.get(number).into_iter().for_each(|value| add(value.clone()));
    }
    for value in [Value::from(1), Value::from(0), Value::from(false), Value::from(true)] {
        add(value);
    }
    add(two(&Value::from(text.clone())));
    add(sample(&field.schema, &text));
    add(Value::Object(Map::new()));
    add(Value::Null);
    values
}

/// Lists of objects, where that is what fits: two that differ in all that has few values, then each
/// of them alone, then those that differ from the first in one of these.
fn objects(schema: &Value) -> Vec<Value> {
    let items = schema.get("items").unwrap_or(&Value::Null);
    let Some(properties) = items.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let first = sample(items, "one");
    let mut last = sample(items, "another");
    let mut near = Vec::new();
    for (name, property) in properties.iter().filter(|(name, _)| first.get(*name).is_some()) {
        let words = property.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
        let truths = property.get("type").is_some_and(|of| of == "boolean");
        let others = words.into_iter().skip(1).chain(truths.then_some(Value::Bool(true)));
        for other in others {
            last[name] = other.clone();
            let mut one = first.clone();
            one[name] = other;
            near.push(one);
        }
    }
    let lists = [vec![last.clone(), first.clone()], vec![first], vec![last]].into_iter();
    lists.chain(near.into_iter().map(|one| vec![one])).map(Value::Array).collect()
}

/// A string that says whose value it is: `source-tab` for `source_tab_id`.
fn word(name: &str) -> String {
    name.strip_suffix("_id").unwrap_or(name).replace('_', "-")
}

/// The events that may answer a command, in the order of the catalog.
pub(super) fn answers<'a>(
    command: &'a CommandDecl,
    events: &'a BTreeMap<Arc<str>, Arc<EventDecl>>,
) -> impl Iterator<Item = &'a Arc<EventDecl>> {
    command.echoes.iter().chain(&command.failures).filter_map(|name| events.get(name))
}
