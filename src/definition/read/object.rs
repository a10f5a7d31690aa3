//! One mapping of a file, read key by key against its table: all that is wrong with its keys is
//! found here.

use crate::definition::keys::{Mapping, Need, STEP};
use crate::definition::read::findings::choices;
use crate::definition::read::node::{Kind, Node, Scalar};
use crate::definition::read::scalar::is_word;
use crate::diag::{At, Diagnostics, Span};

/// A mapping while it is read. Each key is taken once; what its table does not know is a finding.
pub struct Object {
    mapping: &'static Mapping,
    /// The whole mapping.
    pub span: Span,
    /// Where to point when something is missing: its first key.
    pub head: Span,
    entries: Vec<(Scalar, Node)>,
    /// Where the keys stood; survives taking.
    places: Vec<(String, Span)>,
}

impl Object {
    /// Reads a node that must be a mapping; `key` is what it stands under.
    pub fn read(
        node: Node,
        key: &str,
        mapping: &'static Mapping,
        out: &mut Diagnostics,
    ) -> Option<Object> {
        let span = node.span;
        let pairs = match node.kind {
            Kind::Map(pairs) => pairs,
            Kind::Scalar(_) | Kind::List(_) => {
                let known: Vec<&str> = mapping.keys.iter().map(|key| key.name).take(4).collect();
                let help = format!("its keys are {}, …", known.join(", "));
                out.add_wrong_shape_help(span, key, "a mapping", node.kind.words(), &help);
                return None;
            }
        };
        let head = pairs.first().map_or(span, |(key, _)| key.span());
        let mut object = Object { mapping, span, head, entries: Vec::new(), places: Vec::new() };
        let strangers: Vec<Scalar> =
            pairs.into_iter().filter_map(|(name, node)| object.admit(name, node, out)).collect();
        for name in strangers {
            let name = At::new(name.text.value, name.text.span);
            out.add_unknown_key(&name, mapping, &object.places);
        }
        object.require_all(out);
        object.choose_one(out);
        object.shut_out(out);
        Some(object)
    }

    /// Takes a key in; gives back one that nothing is known of.
    fn admit(&mut self, name: Scalar, node: Node, out: &mut Diagnostics) -> Option<Scalar> {
        let span = name.span();
        let first = self.places.iter().find(|(known, _)| known == name.value());
        if let Some((_, first)) = first {
            out.add_duplicate_key(name.value(), *first, span);
            return None;
        }
        self.places.push((name.value().to_owned(), span));
        match self.mapping.key(name.value()).map(|key| key.need) {
            Some(Need::Required | Need::Optional) => self.entries.push((name, node)),
            None if self.is_forward_only(name.value()) => {
                let why = format!("does not belong in {}", self.mapping.what);
                let help = "a step that undoes is not undone, and is addressed by what it undoes";
                out.add_key_not_here(name.value(), span, &why, help);
            }
            None => return Some(name),
        }
        None
    }

    /// A key that steps of the way forward have and undoing ones have not.
    fn is_forward_only(&self, key: &str) -> bool {
        let undoing = ["compensate", "undo_step"].contains(&self.mapping.name);
        undoing && STEP.key(key).is_some()
    }

    fn require_all(&self, out: &mut Diagnostics) {
        for key in self.mapping.keys.iter().filter(|key| key.need == Need::Required) {
            if self.has(key.name) {
                continue;
            }
            // Silence about contention, time and undoing has its own page: it is the promise of
            // the language.
            match (self.mapping.name, key.name) {
                ("saga", "eviction") | ("eviction", "policy") => {
                    out.add_no_eviction_policy(self.head);
                }
                ("saga", "timeout") => out.add_no_deadline(self.head),
                ("command", "undo") => out.add_no_undo(self.head),
                _ => out.add_missing_key(key, self.head, self.mapping),
            }
        }
    }

    fn choose_one(&self, out: &mut Diagnostics) {
        for group in self.mapping.one_of {
            // `await` goes with other verbs, and is one only when it stands alone.
            let is_verb = |name: &str| !(group.contains(&"issue") && name == "await");
            let is_chosen = |name: &str| self.mapping.key(name).is_some() && group.contains(&name);
            let chosen = || self.places.iter().filter(|(name, _)| is_chosen(name));
            let verbs: Vec<&(String, Span)> = chosen().filter(|(name, _)| is_verb(name)).collect();
            if chosen().next().is_none() {
                let hint = match self.mapping.name {
                    "step" => "a step does one thing; `await` alone is a step too",
                    _ => "",
                };
                out.add_one_of(self.head, self.mapping.what, group, hint);
            }
            if let [first, again, ..] = verbs.as_slice() {
                let what = self.mapping.what;
                out.add_two_of(what, (&first.0, first.1), (&again.0, again.1));
            }
        }
    }

    fn shut_out(&mut self, out: &mut Diagnostics) {
        let mapping = self.mapping;
        for exclude in mapping.excludes {
            if !self.holds(exclude.key) {
                continue;
            }
            for other in exclude.others {
                self.forbid(other, exclude.why, exclude.help, out);
            }
        }
        for (key, hosts) in mapping.needs {
            if !hosts.iter().any(|host| self.has(host)) {
                let why = format!("goes with {}", choices(hosts));
                self.forbid(key, &why, "", out);
            }
        }
    }

    /// Whether a key of the table is written and not yet taken.
    fn holds(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value() == key)
    }

    /// Whether the key is written.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.places.iter().any(|(name, _)| name == key)
    }

    /// Where the key is written.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<Span> {
        self.places.iter().find(|(name, _)| name == key).map(|(_, span)| *span)
    }

    /// Takes what stands under a key of the table.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        debug_assert!(self.mapping.key(key).is_some());
        let at = self.entries.iter().position(|(name, _)| name.value() == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Takes what stands under a key that this mapping may not even have (an undoing step has no
    /// `pivot`).
    pub fn take_known(&mut self, key: &str) -> Option<Node> {
        self.mapping.key(key)?;
        self.take(key)
    }

    /// What stands under a key, left where it is.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name.value() == key).map(|(_, node)| node)
    }

    /// Takes what stands under a key and reads it.
    pub fn read_key<T>(
        &mut self,
        key: &str,
        out: &mut Diagnostics,
        read: impl FnOnce(Node, &str, &mut Diagnostics) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        read(node, key, out)
    }

    /// Says that a key does not belong here, if it is written, and drops it.
    pub fn forbid(&mut self, key: &str, why: &str, help: &str, out: &mut Diagnostics) {
        if let Some(span) = self.place(key)
            && self.take_known(key).is_some()
        {
            out.add_key_not_here(key, span, why, help);
        }
    }

    /// The end of reading: every key of the table has been taken.
    pub fn finish(self) {
        let rest: Vec<&str> = self.entries.iter().map(|(name, _)| name.value()).collect();
        debug_assert!(rest.is_empty(), "keys of {} without a reader: {rest:?}", self.mapping.name);
    }
}

/// A node that may be the word `none` where a mapping could stand.
pub fn unless_none(node: Node) -> Result<Node, Span> {
    if is_word(&node, "none") { Err(node.span) } else { Ok(node) }
}

/// The keys and values of a free mapping, in the author's order.
type Pairs = Vec<(At<String>, Node)>;

/// Reads a free mapping; repeated keys are refused.
pub fn free_map(node: Node, key: &str, out: &mut Diagnostics) -> Option<(Span, Pairs)> {
    let span = node.span;
    let pairs = match node.kind {
        Kind::Map(pairs) => pairs,
        Kind::Scalar(_) | Kind::List(_) => {
            let must = "a mapping of names to values";
            out.add_wrong_shape(span, key, must, node.kind.words());
            return None;
        }
    };
    let mut seen: Pairs = Vec::new();
    for (name, value) in pairs {
        let name = At::new(name.text.value, name.text.span);
        match seen.iter().find(|(known, _)| known.value == name.value) {
            Some((first, _)) => out.add_duplicate_key(&name.value, first.span, name.span),
            None => seen.push((name, value)),
        }
    }
    Some((span, seen))
}

/// The elements of a list that may not be empty.
pub fn list(node: Node, key: &str, out: &mut Diagnostics) -> Option<Vec<Node>> {
    match node.kind {
        Kind::List(items) if items.is_empty() => {
            let help = "leave the key out, or write at least one entry";
            out.add_wrong_shape_help(node.span, key, "a list", "an empty list", help);
            None
        }
        Kind::List(items) => Some(items),
        Kind::Map(_) => {
            let help = "begin each entry with `- `";
            out.add_wrong_shape_help(node.span, key, "a list", "a mapping", help);
            None
        }
        Kind::Scalar(_) => {
            out.add_wrong_shape(node.span, key, "a list", node.kind.words());
            None
        }
    }
}
