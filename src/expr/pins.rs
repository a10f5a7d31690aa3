//! Which field of an event must equal what for a condition to hold: the keys under which waiting
//! sagas are found. Judges no types.

use super::ast::{Ast, Kind, Relation};
use super::reads::{Read, reads};

/// One arm of a condition holds only for an event whose field equals the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// Names below `event`.
    pub field: Vec<Box<str>>,
    /// Whether `value` is a list, of which it must equal one element.
    pub one_of: bool,
    /// What it must equal; reads nothing of `event`. An arm whose value cannot be computed cannot
    /// hold, so it needs no key.
    pub value: Ast,
}

/// One pin for each `||` arm: an event for which the condition holds fits at least one of them.
/// Nothing when some arm has no `==` or `in` between a field of `event` and what reads one of the
/// `bound` roots; a literal does not pin.
#[must_use]
pub fn pins(ast: &Ast, bound: &[&str]) -> Option<Vec<Pin>> {
    match &ast.kind {
        Kind::Or(arms) => {
            let arms: Option<Vec<Vec<Pin>>> = arms.iter().map(|arm| pins(arm, bound)).collect();
            arms.map(|arms| arms.into_iter().flatten().collect())
        }
        // All parts must hold, so any one of them will do: the one that needs the fewest keys.
        Kind::And(parts) => parts.iter().filter_map(|part| pins(part, bound)).min_by_key(Vec::len),
        Kind::Compare(Relation::Equal, pair) => {
            let (a, b) = &**pair;
            let pin = |field, value| pin(field, value, false, bound);
            pin(a, b).or_else(|| pin(b, a)).map(|pin| vec![pin])
        }
        Kind::Compare(Relation::In, pair) => {
            let (element, list) = &**pair;
            pin(element, list, true, bound).map(|pin| vec![pin])
        }
        Kind::Literal(_)
        | Kind::Path(_)
        | Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::Not(_)
        | Kind::Negate(_)
        | Kind::Compare(..)
        | Kind::Compute(..)
        | Kind::Choose(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_)
        | Kind::Macro(_) => None,
    }
}

/// The condition that an event repeats those fields of the command of that step, by its path; pins
/// all of them. Nothing where there is no field.
#[must_use]
pub fn repeats(step: &str, fields: &[&str]) -> Option<Ast> {
    let path = |names: &[&str]| Ast {
        kind: Kind::Path(names.iter().map(|name| Box::from(*name)).collect()),
        start: 0,
        end: 0,
        depth: 1,
    };
    let equal = |field: &&str| {
        let pair = (path(&["event", field]), path(&["steps", step, "with", field]));
        let kind = Kind::Compare(Relation::Equal, Box::new(pair));
        Ast { kind, start: 0, end: 0, depth: 2 }
    };
    let mut all: Vec<Ast> = fields.iter().map(equal).collect();
    if all.len() > 1 {
        return Some(Ast { kind: Kind::And(all.into()), start: 0, end: 0, depth: 3 });
    }
    all.pop()
}

fn pin(field: &Ast, value: &Ast, one_of: bool, bound: &[&str]) -> Option<Pin> {
    let (root, names) = field.as_path()?.split_first()?;
    if &**root != "event" || names.is_empty() {
        return None;
    }
    let reads = reads(value);
    let roots = || reads.iter().filter_map(|read| read.path.first());
    let is_bound = roots().any(|root| bound.contains(&&**root));
    let is_free_of_event = roots().all(|root| &**root != "event");
    let pin = || Pin { field: names.to_vec(), one_of, value: value.clone() };
    (is_bound && is_free_of_event).then(pin)
}

/// All comparisons of a field of `event` with something else, wherever they stand in the condition:
/// what the field is worth trying with. A list that something is looked for in counts as well.
#[must_use]
pub fn comparisons(ast: &Ast) -> Vec<Pin> {
    let mut found = Vec::new();
    let mut open = vec![ast];
    while let Some(one) = open.pop() {
        if let Kind::Compare(relation, pair) = &one.kind {
            let (a, b) = &**pair;
            let one_of = *relation == Relation::In;
            found.extend(compared(a, b, one_of).or_else(|| compared(b, a, one_of)));
        }
        open.extend(one.children().into_iter().rev());
    }
    found
}

fn compared(field: &Ast, value: &Ast, one_of: bool) -> Option<Pin> {
    let (root, names) = field.as_path()?.split_first()?;
    let of_event = |read: &Read| read.path.first().is_some_and(|root| &**root == "event");
    let is_one = &**root == "event" && !names.is_empty() && !reads(value).iter().any(of_event);
    is_one.then(|| Pin { field: names.to_vec(), one_of, value: value.clone() })
}
