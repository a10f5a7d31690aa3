//! Few payloads that stand for all: of a field that decides something one value of each kind, of
//! every other the likely one. Knows no saga.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::definition::Fields;
use crate::definition::fields::FieldDecl;
use crate::sim::payload::{Known, values, values_upto};

use super::reads::Reads;

/// Payloads of one event, at most.
const PAYLOADS_MAX: usize = 48;

/// Values of one number or list, at most.
const VALUES_MAX: usize = 8;

/// Whose payload it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// What starts the saga: a name that is only compared with later events may be any.
    Trigger,
    /// Something that comes in later.
    Event,
}

/// Payloads for these fields, the likely one first.
pub(super) fn representatives(
    fields: &Fields,
    known: &Known,
    reads: &Reads,
    of: Of,
) -> Vec<Map<String, Value>> {
    let domains: Vec<(&str, Vec<Option<Value>>)> =
        fields.list.iter().map(|field| (&*field.name, domain(field, known, reads, of))).collect();
    if domains.iter().any(|(_, domain)| domain.is_empty()) {
        return Vec::new();
    }
    let mut made = Vec::new();
    let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
    let count = domains.iter().try_fold(1usize, |all, (_, one)| all.checked_mul(one.len()));
    let all_fit = count.is_some_and(|count| count <= PAYLOADS_MAX);
    let mut open = vec![vec![0; domains.len()]];
    let mut at = 0;
    while let Some(picks) = open.get(at).cloned() {
        at += 1;
        if !seen.insert(picks.clone()) {
            continue;
        }
        made.push(payload(&domains, &picks));
        if made.len() >= PAYLOADS_MAX {
            break;
        }
        // Breadth first: one unlikely value, then two; all of them where they are few.
        let unlikely = picks.iter().filter(|pick| **pick > 0).count();
        if !all_fit && unlikely >= 2 {
            continue;
        }
        for (place, (_, domain)) in domains.iter().enumerate().filter(|(at, _)| picks[*at] == 0) {
            for pick in 1..domain.len() {
                let mut next = picks.clone();
                next[place] = pick;
                open.push(next);
            }
        }
    }
    made
}

fn payload(domains: &[(&str, Vec<Option<Value>>)], picks: &[usize]) -> Map<String, Value> {
    let pairs = domains.iter().zip(picks);
    let pairs = pairs.filter_map(|((name, domain), pick)| {
        let value = domain.get(*pick)?.clone()?;
        Some(((*name).to_owned(), value))
    });
    pairs.collect()
}

/// Values of one field; `None`: it is left out.
fn domain(field: &FieldDecl, known: &Known, reads: &Reads, of: Of) -> Vec<Option<Value>> {
    let listed = field.schema.get("enum").and_then(Value::as_array);
    let kind = field.schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let few = kind == "boolean" || listed.is_some();
    let decides = match of {
        Of::Trigger if !few => reads.decides_alone(&field.name),
        Of::Trigger | Of::Event => reads.decides_by(&field.name),
    };
    let by_length = reads.decides_by_length(&field.name);
    let one = if decides { listed.is_some() || kind == "string" } else { !by_length };
    let mut all = if one { values_upto(field, known, 1) } else { values(field, known) };
    if !decides {
        // Of a list that is only gone through its length may decide.
        let mut lengths = BTreeSet::new();
        all.retain(|value| {
            let length = value.as_array().filter(|_| by_length).map_or(0, |list| 1 + list.len());
            lengths.insert(length)
        });
        all.truncate(if by_length { VALUES_MAX } else { 1 });
        let left_out =
            reads.decides_by_presence(&field.name) && !field.required && field.default.is_none();
        return all.into_iter().map(Some).chain(left_out.then_some(None)).collect();
    }
    let mut picked: Vec<Value> = Vec::new();
    let mut add = |value: Value| {
        if !picked.contains(&value) && field.hold(&value).is_ok() {
            picked.push(value);
        }
    };
    match (listed, kind) {
        (Some(words), _) => {
            all.into_iter().take(1).for_each(&mut add);
            words.iter().cloned().for_each(add);
        }
        (None, "string") => {
            all.into_iter().take(1).for_each(&mut add);
            add("another".into());
            reads.literals.iter().filter(|one| one.is_string()).cloned().for_each(&mut add);
            add("".into());
        }
        (None, "integer" | "number") => {
            all.into_iter().take(VALUES_MAX / 2).for_each(&mut add);
            for number in reads.literals.iter().filter_map(Value::as_i64) {
                [number, number.saturating_add(1)].map(Value::from).into_iter().for_each(&mut add);
            }
        }
        (None, _) => all.into_iter().take(VALUES_MAX).for_each(add),
    }
    let mut domain: Vec<Option<Value>> = picked.into_iter().map(Some).collect();
    if !field.required && field.default.is_none() {
        domain.push(None);
    }
    domain
}
