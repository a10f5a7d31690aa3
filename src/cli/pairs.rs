//! `key=value` on the command line: JSON where it is JSON, else a string. Knows no catalog.

use serde_json::{Map, Value};

use super::exit::{Exit, Failure};
use crate::ids::ENVELOPE;
use crate::ipc::client::ClientError;

/// Names of the wire's envelope that a person may give: a report that answers a command.
const OF_AN_ECHO: [&str; 3] = ["saga_id", "step", "command_id"];

/// One `key=value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    key: String,
    value: Value,
    /// The value as it was typed.
    typed: String,
}

/// Reads one pair. `count=3` is a number, `label=main` a string, `label='"3"'` a string again.
///
/// # Errors
/// There is no `=`, or no key before it.
pub fn parse(text: &str) -> Result<Pair, String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(format!("`{text}` has no `=`; write key=value, like label=main"));
    };
    if key.is_empty() {
        return Err("there is no key before the `=`".to_owned());
    }
    let typed = value.to_owned();
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok(Pair { key: key.to_owned(), value, typed })
}

/// The pairs as an object, in the order given.
///
/// # Errors
/// A key stands twice.
pub fn object(pairs: &[Pair]) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for pair in pairs {
        if object.insert(pair.key.clone(), pair.value.clone()).is_some() {
            return Err(format!("`{}` is given twice", pair.key));
        }
    }
    Ok(object)
}

/// The pairs as fields of a report.
///
/// # Errors
/// A key stands twice, or is one that the line needs for itself: the launcher would take it for
/// its own.
pub fn of_a_report(pairs: &[Pair]) -> Result<Map<String, Value>, String> {
    let taken = |key: &str| ENVELOPE.contains(&key) && !OF_AN_ECHO.contains(&key);
    if let Some(pair) = pairs.iter().find(|pair| taken(&pair.key)) {
        return Err(format!("`{}` is the wire's own name and cannot be a field", pair.key));
    }
    object(pairs)
}

/// What the launcher said of the pairs, with how to write those that it wants as strings and got
/// as something else.
pub fn told(error: ClientError, pairs: &[Pair]) -> Failure {
    let ClientError::Answered { message, .. } = &error else { return error.into() };
    let wants_text = |pair: &&Pair| {
        !pair.value.is_string()
            && message.contains(&format!("field `{}` must be a string", pair.key))
    };
    let Some(pair) = pairs.iter().find(wants_text) else { return error.into() };
    let (key, typed) = (&pair.key, Value::from(pair.typed.as_str()));
    let cure = format!("what looks like JSON is quoted to be a string: {key}='{typed}'");
    Failure::new(Exit::No, format!("{error}; {cure}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_json_keeps_its_type_and_the_rest_is_a_string() {
        let texts =
            ["a=main", "b=3", "c=true", "d=null", "e={\"x\":[1]}", "f=\"3\"", "g=", "h=x=y"];
        let pairs: Vec<Pair> = texts.iter().map(|text| parse(text).expect(text)).collect();
        let expected = json!({
            "a": "main", "b": 3, "c": true, "d": null, "e": {"x": [1]}, "f": "3", "g": "",
            "h": "x=y",
        });
        assert_eq!(Value::Object(object(&pairs).expect("no key twice")), expected);
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        assert!(parse("label").is_err_and(|why| why.contains("key=value")));
        assert!(parse("=main").is_err());
        let twice = [parse("a=1").expect("a pair"), parse("a=2").expect("a pair")];
        assert_eq!(object(&twice), Err("`a` is given twice".to_owned()));
    }
}
