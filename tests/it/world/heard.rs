//! What subscribers hear.

use sagaflow::bus::Published;
use sagaflow::ids::Seq;
use serde_json::Value;

/// An event as subscribers get it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub name: String,
    pub version: Seq,
    /// All but its name and version.
    pub fields: Value,
}

impl Heard {
    pub fn of(event: &Published) -> Heard {
        let mut fields: Value =
            serde_json::from_str(&event.line).expect("the launcher writes JSON");
        let mut take = |name| fields.as_object_mut().and_then(|fields| fields.remove(name));
        let (name, version) = (take("event"), take("version"));
        let name = name.as_ref().and_then(Value::as_str).expect("an event has a name").to_owned();
        assert_eq!(version, Some(event.version.0.into()));
        Heard { name, version: event.version, fields }
    }
}
