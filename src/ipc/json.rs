//! One line of JSON into the envelope's fields and the vocabulary's, in one pass. Knows no command.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::code::{ErrorCode, ProtocolError};
use crate::ids::ENVELOPE;
use crate::limits::JSON_DEPTH_MAX;

/// A line taken apart: reserved fields in their slots, all others in the order in which they stood.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    reserved: [Value; ENVELOPE.len()],
    pub rest: Map<String, Value>,
}

impl Envelope {
    /// Reads one object. The line holds no `\n`, so places are columns.
    pub fn read(line: &[u8]) -> Result<Self, ProtocolError> {
        let text = std::str::from_utf8(line).map_err(|error| {
            let at = error.valid_up_to() + 1;
            let message = format!("the line is not UTF-8 at byte {at}");
            ProtocolError::mild(ErrorCode::InvalidJson, message)
        })?;
        // Anything else than an object is told apart here: the decoder below would call it a wrong
        // type.
        if !text.trim_ascii_start().starts_with('{') {
            serde_json::from_str::<IgnoredAny>(text).map_err(|error| invalid_json(&error))?;
            let message = "a line must be an object with `cmd`, like {\"cmd\":\"ping\"}";
            return Err(ProtocolError::mild(ErrorCode::InvalidCommand, message));
        }
        let mut decoder = serde_json::Deserializer::from_str(text);
        let envelope = Top.deserialize(&mut decoder).map_err(|error| invalid_json(&error))?;
        decoder.end().map_err(|error| invalid_json(&error))?;
        Ok(envelope)
    }

    /// Removes a field; `null` is the same as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let found = match slot(name) {
            Some(slot) => std::mem::take(&mut self.reserved[slot]),
            None => self.rest.swap_remove(name)?,
        };
        (!found.is_null()).then_some(found)
    }
}

fn slot(name: &str) -> Option<usize> {
    ENVELOPE.iter().position(|reserved| *reserved == name)
}

fn invalid_json(error: &serde_json::Error) -> ProtocolError {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let message = format!("{what}, at byte {} of the line", error.column());
    ProtocolError::mild(ErrorCode::InvalidJson, message)
}

struct Top;

impl<'de> DeserializeSeed<'de> for Top {
    type Value = Envelope;

    fn deserialize<D: serde::Deserializer<'de>>(self, decoder: D) -> Result<Envelope, D::Error> {
        decoder.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        let mut seen = [false; ENVELOPE.len()];
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(Nested { depth_left: JSON_DEPTH_MAX })?;
            match key {
                Name::Reserved(slot) if seen[slot] => return Err(twice(ENVELOPE[slot])),
                Name::Reserved(slot) => {
                    seen[slot] = true;
                    envelope.reserved[slot] = value;
                }
                Name::Other(name) => insert_once(&mut envelope.rest, name, value)?,
            }
        }
        Ok(envelope)
    }
}

enum Name {
    Reserved(usize),
    Other(String),
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Name;

    fn deserialize<D: serde::Deserializer<'de>>(self, decoder: D) -> Result<Name, D::Error> {
        decoder.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        Ok(slot(name).map_or_else(|| Name::Other(name.to_owned()), Name::Reserved))
    }
}

/// A value whose objects have no key twice and which is nested no deeper than allowed.
struct Nested {
    depth_left: usize,
}

impl Nested {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left }),
            None => Err(E::custom(format!("nested deeper than {JSON_DEPTH_MAX} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, decoder: D) -> Result<Value, D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self.inner()?)?;
            insert_once(&mut map, name, value)?;
        }
        Ok(Value::Object(map))
    }
}

/// The last of two equal keys would win silently, and the sender would never learn which.
fn insert_once<E: Error>(
    map: &mut Map<String, Value>,
    name: String,
    value: Value,
) -> Result<(), E> {
    match map.entry(name) {
        serde_json::map::Entry::Vacant(slot) => {
            slot.insert(value);
            Ok(())
        }
        serde_json::map::Entry::Occupied(taken) => Err(twice(taken.key())),
    }
}

fn twice<E: Error>(name: &str) -> E {
    E::custom(format!("the field `{name}` stands twice"))
}
