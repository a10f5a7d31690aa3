//! Fields of events and commands: JSON Schema with `required` and `sensitive`, and payloads held to
//! them. Reads no YAML.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diag::{Span, nearest};

/// The fields of an event or a command, in the author's order.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The fields.
    pub list: Vec<FieldDecl>,
}

/// One field.
#[derive(Clone, Debug)]
pub struct FieldDecl {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name was written.
    pub span: Span,
    /// JSON Schema (draft 2020-12), without the two additions.
    pub schema: Value,
    /// Whether a payload must carry it. Never with a default.
    pub required: bool,
    /// Whether log, `show` and dashboard hide it.
    pub sensitive: bool,
    /// Filled in on arrival.
    pub default: Option<Value>,
    check: Check,
}

/// How a value of a field is checked.
#[derive(Clone, Debug)]
enum Check {
    /// A plain type that nothing narrows: no validator is needed.
    Plain(Plain),
    /// Everything else.
    Schema(Arc<jsonschema::Validator>),
}

/// A type that is told without a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    String,
    Integer,
    Number,
    Boolean,
}

/// Why a payload is not valid; one field is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub kind: FieldErrorKind,
    /// What is wrong, and what the field must be.
    pub message: String,
}

/// What is wrong with a field of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// It is not declared.
    Unknown,
    /// It is required and does not come.
    Missing,
    /// Its value does not fit its schema.
    WrongType,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FieldError {}

impl Fields {
    /// The field of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FieldDecl> {
        self.list.iter().find(|field| &*field.name == name)
    }

    /// The names, in the author's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|field| &*field.name)
    }

    /// Fills in defaults, drops names that begin with `_` \[W4\], and holds the rest to the
    /// schemas.
    ///
    /// # Errors
    ///
    /// The first field that is unknown, missing, or of the wrong type.
    pub fn accept(&self, payload: &mut Map<String, Value>) -> Result<(), FieldError> {
        if payload.keys().any(|name| name.starts_with('_')) {
            payload.retain(|name, _| !name.starts_with('_'));
        }
        for field in &self.list {
            match payload.get(&*field.name) {
                Some(value) => field.hold(value)?,
                None => match &field.default {
                    Some(default) => {
                        payload.insert(field.name.to_string(), default.clone());
                    }
                    None if field.required => return Err(field.missing()),
                    None => {}
                },
            }
        }
        payload
            .keys()
            .find(|name| self.get(name).is_none())
            .map_or(Ok(()), |name| Err(self.unknown(name)))
    }

    fn unknown(&self, name: &str) -> FieldError {
        let known: Vec<String> = self.names().map(|known| format!("`{known}`")).collect();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        FieldError {
            field: name.to_owned(),
            kind: FieldErrorKind::Unknown,
            message: format!("field `{name}` is not declared; known: {known}"),
        }
    }
}

impl FieldDecl {
    /// A field of that schema, which may carry the additions `required` and `sensitive`.
    ///
    /// # Errors
    ///
    /// Words that say why the schema is not valid, or why its default does not fit it.
    pub fn new(name: Arc<str>, span: Span, schema: Value) -> Result<FieldDecl, String> {
        let Value::Object(mut schema) = schema else {
            return Err("a field is a JSON Schema: a mapping like `{ type: string }`".to_owned());
        };
        let mut addition = |key: &str| match schema.get(key) {
            None => Ok(None),
            // JSON Schema's own `required`: the properties that an object must have.
            Some(Value::Array(_)) if key == "required" => Ok(None),
            Some(Value::Bool(word)) => {
                let word = *word;
                schema.shift_remove(key);
                Ok(Some(word))
            }
            Some(_) if key == "required" => {
                let own = "or JSON Schema's list of the properties that an object must have";
                Err(format!("`required` of a field is `true` or `false`, {own}"))
            }
            Some(_) => Err(format!("`{key}` is `true` or `false`")),
        };
        let required = addition("required")?;
        let sensitive = addition("sensitive")?.unwrap_or(false);
        let default = schema.get("default").cloned();
        if required == Some(true) && default.is_some() {
            return Err("a field with a `default` is never required".to_owned());
        }
        if let Some(stranger) = schema.keys().find(|key| !KEYWORDS.contains(&key.as_str())) {
            let near = nearest(stranger, KEYWORDS.iter().copied().chain(["sensitive"]));
            let hint = match near {
                Some(near) => format!("; did you mean `{near}`?"),
                None if stranger.contains(' ') => "; quote a text that holds `,`".to_owned(),
                None => String::new(),
            };
            return Err(format!("JSON Schema has no keyword `{stranger}`{hint}"));
        }
        let schema = Value::Object(schema);
        let check = Check::of(&schema)?;
        let required = required.unwrap_or(default.is_none());
        let field = FieldDecl { name, span, schema, required, sensitive, default, check };
        if let Some(default) = &field.default {
            field.hold(default).map_err(|wrong| format!("the default does not fit: {wrong}"))?;
        }
        Ok(field)
    }

    /// Whether it can always be read: it is required, or a default is filled in.
    #[must_use]
    pub fn always(&self) -> bool {
        self.required || self.default.is_some()
    }

    /// Holds a value to the schema.
    ///
    /// # Errors
    ///
    /// Names the field and what it must be; a sensitive value is never repeated.
    pub fn hold(&self, value: &Value) -> Result<(), FieldError> {
        let fits = match &self.check {
            Check::Plain(plain) => plain.fits(value),
            Check::Schema(validator) => validator.is_valid(value),
        };
        if fits { Ok(()) } else { Err(self.wrong_type(value)) }
    }

    /// What a value of it must be, in words.
    #[must_use]
    pub fn must_be(&self) -> String {
        describe(&self.schema)
    }

    fn missing(&self) -> FieldError {
        FieldError {
            field: self.name.to_string(),
            kind: FieldErrorKind::Missing,
            message: format!("field `{}` is missing; it must be {}", self.name, self.must_be()),
        }
    }

    fn wrong_type(&self, value: &Value) -> FieldError {
        let mut message = format!("field `{}` must be {}", self.name, self.must_be());
        if let Check::Schema(validator) = &self.check
            && let Err(detail) = validator.validate(value)
        {
            let at = detail.instance_path().to_string();
            let shown =
                if self.sensitive { detail.masked().to_string() } else { detail.to_string() };
            let place = if at.is_empty() { String::new() } else { format!("{at}: ") };
            message.push_str(&format!(" ({place}{shown})"));
        }
        FieldError { field: self.name.to_string(), kind: FieldErrorKind::WrongType, message }
    }
}

impl Check {
    /// The cheapest check of a schema.
    fn of(schema: &Value) -> Result<Check, String> {
        if let Some(plain) = Plain::of(schema) {
            return Ok(Check::Plain(plain));
        }
        if let Err(wrong) = jsonschema::draft202012::meta::validate(schema) {
            let at = wrong.instance_path().to_string();
            if at.ends_with("/type") {
                const TYPES: &str = "string, integer, number, boolean, object, array or null";
                return Err(format!("`type` is one of {TYPES}, not {}", wrong.instance()));
            }
            let place = if at.is_empty() { String::new() } else { format!("{at}: ") };
            return Err(format!("{place}{wrong}"));
        }
        // A pattern comes from outside: a linear-time engine, bounded in size.
        let patterns = jsonschema::PatternOptions::regex().size_limit(PATTERN_BYTES_MAX);
        jsonschema::draft202012::options()
            .with_pattern_options(patterns)
            .offline()
            .build(schema)
            .map(|validator| Check::Schema(Arc::new(validator)))
            .map_err(|wrong| wrong.to_string())
    }
}

/// The keywords of JSON Schema that a field may use. An unknown one is refused: a misspelt
/// `sensitive` would leak what it should hide.
pub const KEYWORDS: &[&str] = &[
    "$comment",
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
];

/// Compiled size of one `pattern` of a field, in bytes. Beyond: the schema is refused.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

impl Plain {
    /// The plain type of a schema that says nothing else about values.
    fn of(schema: &Value) -> Option<Plain> {
        const SAYS_NOTHING: [&str; 7] =
            ["type", "description", "title", "default", "examples", "deprecated", "$comment"];
        let map = schema.as_object()?;
        if !map.keys().all(|key| SAYS_NOTHING.contains(&key.as_str())) {
            return None;
        }
        let words = ["description", "title", "$comment"];
        if words.iter().any(|key| map.get(*key).is_some_and(|word| !word.is_string())) {
            return None;
        }
        match map.get("type")?.as_str()? {
            "string" => Some(Plain::String),
            "integer" => Some(Plain::Integer),
            "number" => Some(Plain::Number),
            "boolean" => Some(Plain::Boolean),
            _ => None,
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Plain::String => value.is_string(),
            // As JSON Schema has it, 1.0 is an integer.
            Plain::Integer => {
                value.is_i64()
                    || value.is_u64()
                    || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Plain::Number => value.is_number(),
            Plain::Boolean => value.is_boolean(),
        }
    }
}

/// A schema in words, as far as words are short.
fn describe(schema: &Value) -> String {
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let shown: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        return format!("one of {}", shown.join(", "));
    }
    if let Some(only) = schema.get("const") {
        return format!("`{only}`");
    }
    let words = |name: &str| match name {
        "string" => "a string".to_owned(),
        "integer" => "an integer".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => "an object".to_owned(),
        "null" => "null".to_owned(),
        "array" => match schema.get("items") {
            Some(items) if items.get("type").is_some() => {
                format!("a list, each element {}", describe(items))
            }
            Some(_) | None => "a list".to_owned(),
        },
        other => other.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => words(name),
        Some(Value::Array(names)) => {
            let names: Vec<String> = names.iter().filter_map(Value::as_str).map(words).collect();
            names.join(" or ")
        }
        Some(_) | None => "as its schema says".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(list: &[(&str, Value)]) -> Fields {
        let made = |(name, schema): &(&str, Value)| {
            FieldDecl::new((*name).into(), Span::default(), schema.clone()).expect("valid schema")
        };
        Fields { list: list.iter().map(made).collect() }
    }

    fn check(fields: &Fields, payload: Value, expected: Result<Value, &str>) {
        let Value::Object(mut payload) = payload else { panic!("payload is an object") };
        let accepted = fields.accept(&mut payload).map(|()| Value::Object(payload));
        assert_eq!(accepted.map_err(|wrong| wrong.message), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_payload_is_completed_or_refused_by_name() {
        let fields = fields(&[
            ("label", json!({"type": "string"})),
            ("count", json!({"type": "integer", "default": 3})),
            ("side", json!({"enum": ["left", "right"], "required": false})),
        ]);
        check(&fields, json!({"label": "a"}), Ok(json!({"label": "a", "count": 3})));
        check(
            &fields,
            json!({"label": "a", "count": 1, "side": "left", "_note": 5}),
            Ok(json!({"label": "a", "count": 1, "side": "left"})),
        );
        check(&fields, json!({}), Err("field `label` is missing; it must be a string"));
        check(&fields, json!({"label": 5}), Err("field `label` must be a string"));
        check(
            &fields,
            json!({"label": "a", "colour": 1}),
            Err("field `colour` is not declared; known: `label`, `count`, `side`"),
        );
        check(
            &fields,
            json!({"label": "a", "side": "up"}),
            Err("field `side` must be one of `\"left\"`, `\"right\"` \
                 (\"up\" is not one of \"left\" or \"right\")"),
        );
    }

    #[test]
    fn a_list_of_required_properties_is_json_schema_s_own() {
        let properties = json!({"a": {"type": "string"}, "b": {"type": "integer"}});
        let object = json!({"type": "object", "properties": properties, "required": ["a"]});
        let mut filled = object.clone();
        filled["default"] = json!({"a": "x"});
        let fields = fields(&[("must", object), ("may", filled)]);
        assert!(fields.list[0].required && !fields.list[1].required);
        let completed = json!({"must": {"a": "y"}, "may": {"a": "x"}});
        check(&fields, json!({"must": {"a": "y"}}), Ok(completed));
        check(
            &fields,
            json!({"must": {"b": 1}}),
            Err("field `must` must be an object (\"a\" is a required property)"),
        );
        check(&fields, json!({}), Err("field `must` is missing; it must be an object"));
    }

    #[test]
    fn a_sensitive_value_is_never_repeated() {
        let secret = json!({"type": "string", "minLength": 40, "sensitive": true});
        let fields = fields(&[("token", secret)]);
        let mut payload = Map::new();
        payload.insert("token".to_owned(), json!("hunter2"));
        let wrong = fields.accept(&mut payload).expect_err("too short");
        assert!(!wrong.message.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for bad in [
            json!("string"),
            json!({"type": "text"}),
            json!({"type": "object", "required": "a"}),
            json!({"type": "object", "required": ["a", 5]}),
            json!({"type": "object", "required": ["a"], "default": {}}),
            json!({"type": "string", "default": 5}),
            json!({"type": "string", "default": "a", "required": true}),
            json!({"type": "string", "pattern": "("}),
            json!({"type": "string", "sensitve": true}),
            json!({"$ref": "https://example.org/other.json"}),
        ] {
            let made = FieldDecl::new("x".into(), Span::default(), bad.clone());
            assert!(made.is_err(), "{bad} must be refused");
        }
    }
}
