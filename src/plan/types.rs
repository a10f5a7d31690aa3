//! Types of payloads: from their JSON Schemas, of literals, and whether one fits another. Checks no
//! values at run time.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::definition::Fields;
use crate::expr::{Field, ObjectType, Presence, Type, json_schema_type};

/// The object that an event's or a command's fields make once it has arrived: defaults are filled
/// in.
#[must_use]
pub fn of_fields(fields: &Fields) -> ObjectType {
    let typed = |presence: bool| if presence { Presence::Always } else { Presence::Optional };
    let list = fields.list.iter().map(|field| {
        let ty = json_schema_type(&field.schema);
        (field.name.to_string(), Field { ty, presence: typed(field.always()) })
    });
    ObjectType { fields: list.collect(), open: false }
}

/// The type of a literal. A string is a string, not a word: the author may mean any.
#[must_use]
pub fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(number) if number.is_f64() => Type::Double,
        Value::Number(_) => Type::Int,
        Value::String(_) => Type::String,
        Value::Array(list) => {
            Type::List(Box::new(list.iter().map(of_value).reduce(Type::join).unwrap_or(Type::Dyn)))
        }
        Value::Object(map) => {
            let of = |(name, value): (&String, &Value)| {
                (name.clone(), Field { ty: of_value(value), presence: Presence::Always })
            };
            Type::Object(ObjectType { fields: map.iter().map(of).collect(), open: false })
        }
    }
}

/// The fields that all have, with one type: what may be read when any of them may have come.
#[must_use]
pub fn common(all: &[ObjectType]) -> ObjectType {
    let Some((first, rest)) = all.split_first() else {
        return ObjectType { fields: BTreeMap::new(), open: false };
    };
    let mut fields = BTreeMap::new();
    for (name, field) in &first.fields {
        let others: Option<Vec<&Field>> = rest.iter().map(|o| o.fields.get(name)).collect();
        let Some(others) = others else { continue };
        if others.iter().any(|other| other.ty != field.ty) {
            continue;
        }
        let sure = field.presence == Presence::Always
            && others.iter().all(|other| other.presence == Presence::Always);
        let presence = if sure { Presence::Always } else { Presence::Optional };
        fields.insert(name.clone(), Field { ty: field.ty.clone(), presence });
    }
    ObjectType { fields, open: false }
}

/// Whether a value of the found type may stand where the wanted one is declared. Values that only
/// run time can judge (a string where words are listed) pass here and are checked when they come.
#[must_use]
pub fn fits(found: &Type, wanted: &Type) -> bool {
    match (found, wanted) {
        (Type::Dyn, _) | (_, Type::Dyn) => true,
        (Type::Bool, Type::Bool)
        | (Type::Null, Type::Null)
        | (Type::Int, Type::Int | Type::Double)
        | (Type::Double, Type::Double)
        | (Type::String, Type::String | Type::Word(_))
        | (Type::Word(_), Type::String) => true,
        (Type::Word(found), Type::Word(wanted)) => !found.is_disjoint(wanted),
        (Type::List(found), Type::List(wanted)) => fits(found, wanted),
        (Type::Object(found), Type::Object(wanted)) => objects_fit(found, wanted),
        (
            Type::Bool
            | Type::Null
            | Type::Int
            | Type::Double
            | Type::String
            | Type::Word(_)
            | Type::List(_)
            | Type::Object(_),
            _,
        ) => false,
    }
}

fn objects_fit(found: &ObjectType, wanted: &ObjectType) -> bool {
    let known = found.fields.iter().all(|(name, field)| match wanted.fields.get(name) {
        Some(other) => fits(&field.ty, &other.ty),
        None => wanted.open,
    });
    let complete = wanted.fields.iter().all(|(name, field)| {
        field.presence != Presence::Always || found.open || found.fields.contains_key(name)
    });
    known && complete
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_integer_is_a_number_and_not_the_other_way_round() {
        assert!(fits(&Type::Int, &Type::Double));
        assert!(!fits(&Type::Double, &Type::Int));
        assert!(!fits(&Type::String, &Type::Int));
        assert!(fits(&Type::List(Box::new(Type::Dyn)), &Type::List(Box::new(Type::Int))));
    }

    #[test]
    fn only_what_all_alternatives_share_is_common() {
        let object = |schema: Value| {
            let Type::Object(object) = json_schema_type(&schema) else {
                panic!("{schema} is no object")
            };
            object
        };
        let a = object(
            json!({"type": "object", "type": "object", "required": ["id", "n"], "properties":
            {"id": {"type": "string"}, "n": {"type": "integer"}}}),
        );
        let b = object(
            json!({"type": "object", "type": "object", "required": ["id", "n"], "properties":
            {"id": {"type": "string"}, "n": {"type": "string"}}}),
        );
        let shared = common(&[a, b]);
        assert_eq!(shared.fields.keys().collect::<Vec<_>>(), ["id"]);
        assert_eq!(shared.fields["id"].presence, Presence::Always);
    }
}
