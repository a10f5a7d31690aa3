//! Some value that fits a schema, as far as plain words of the schema tell. Promises no fit: who
//! needs one holds the value to the schema.

use serde_json::{Map, Value};

/// Some value of a schema; `text` where any string does. An object has the properties that its
/// schema requires, and a list as many elements as it must.
#[must_use]
pub fn sample(schema: &Value, text: &str) -> Value {
    value(schema, text, &mut { VALUES_MAX })
}

/// Values in one sample, at most: a schema may ask for lists of lists of any length.
const VALUES_MAX: usize = 256;

fn value(schema: &Value, text: &str, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    if let Some(only) = schema.get("const") {
        return only.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
        return first.clone();
    }
    let least = schema.get("minimum").filter(|least| least.is_number());
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => least.cloned().unwrap_or_else(|| 0.into()),
        Some("boolean") => false.into(),
        Some("array") => list(schema, text, left),
        Some("object") => object(schema, text, left),
        Some("null") => Value::Null,
        Some(_) | None => text.into(),
    }
}

fn list(schema: &Value, text: &str, left: &mut usize) -> Value {
    let items = schema.get("items").unwrap_or(&Value::Null);
    let mut list = Vec::new();
    for _ in 0..schema.get("minItems").and_then(Value::as_u64).unwrap_or(0) {
        if *left == 0 {
            break;
        }
        list.push(value(items, text, left));
    }
    Value::Array(list)
}

fn object(schema: &Value, text: &str, left: &mut usize) -> Value {
    let mut object = Map::new();
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if *left == 0 {
            break;
        }
        let property = schema.get("properties").and_then(|all| all.get(name));
        let property = property.unwrap_or(&Value::Null);
        object.insert(name.to_owned(), value(property, text, left));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_has_what_it_must_have() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "integer", "minimum": 3},
                "c": {"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 2},
            },
            "required": ["a", "c"],
        });
        assert_eq!(sample(&schema, "t"), json!({"a": "t", "c": ["x", "x"]}));
    }

    #[test]
    fn lists_of_long_lists_stay_small() {
        let mut schema = json!({"type": "string"});
        for _ in 0..30 {
            schema = json!({"type": "array", "items": schema, "minItems": 1_000_000_000});
        }
        assert!(sample(&schema, "t").to_string().len() < 4096);
    }
}
