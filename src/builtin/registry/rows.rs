//! The registry as rows of the log: one for each name, and one for what belongs to none. Holds no
//! row back and invents none.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{COUNTERS, Counters, Ended, Pod, Registry};

/// The body of the row of a name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Row<P> {
    Pod(P),
    Ended(Ended),
}

fn body(row: &impl Serialize) -> Option<Value> {
    Some(serde_json::to_value(row).expect("rows have text keys and finite numbers"))
}

fn read<T: DeserializeOwned>(name: &str, body: &Value) -> Result<T, String> {
    T::deserialize(body).map_err(|error| format!("the row of pod `{name}`: {error}"))
}

pub(super) fn take_changed(registry: &mut Registry) -> Vec<(Arc<str>, Option<Value>)> {
    let names = std::mem::take(&mut registry.changed);
    let registry = &*registry;
    let row = |name: Arc<str>| {
        let row = match (&*name, registry.pods.get(&name), registry.ended.get(&name)) {
            (COUNTERS, _, _) => body(&registry.counters),
            (_, Some(pod), _) => body(&Row::Pod(pod)),
            (_, None, Some(ended)) => body(&Row::<&Pod>::Ended(*ended)),
            (_, None, None) => None,
        };
        (name, row)
    };
    names.into_iter().map(row).collect()
}

pub(super) fn restore(registry: &mut Registry, name: &str, body: &Value) -> Result<(), String> {
    if name == COUNTERS {
        registry.counters = read::<Counters>(name, body)?;
        return Ok(());
    }
    let row = read(name, body)?;
    forget(registry, name);
    match row {
        Row::Pod(pod) => drop(registry.pods.insert(name.into(), pod)),
        Row::Ended(ended) => drop(registry.ended.insert(name.into(), ended)),
    }
    Ok(())
}

pub(super) fn forget(registry: &mut Registry, name: &str) {
    registry.pods.remove(name);
    registry.ended.remove(name);
}
