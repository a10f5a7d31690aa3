//! Which parts of a file system a pod may read and write, as rules over paths, and how two of them
//! relate. Compares names alone: no file, link or mount is looked at.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{SCOPE_PATH_BYTES_MAX, SCOPE_RULES_MAX};

/// What a rule allows; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// To look at.
    Read,
    /// To change.
    Write,
}

impl Permission {
    /// The word of the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|permission| permission.word() == word)
    }
}

/// An absolute path in its one spelling: no empty part, no `.`, no `..`, no `/` at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopePath(Arc<str>);

impl ScopePath {
    /// Reads one, in whatever spelling.
    ///
    /// # Errors
    /// In words: it is relative, climbs, is too long, or holds a NUL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(80).collect();
        if !text.starts_with('/') {
            return Err(format!("`{shown}` is not an absolute path"));
        }
        if text.len() > SCOPE_PATH_BYTES_MAX {
            let length = text.len();
            return Err(format!("`{shown}…` has {length} bytes; at most {SCOPE_PATH_BYTES_MAX}"));
        }
        if text.contains('\0') {
            return Err(format!("`{shown}` holds a NUL"));
        }
        let mut path = String::with_capacity(text.len());
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                return Err(format!("`{shown}` climbs with `..`; write where it leads"));
            }
            path.push('/');
            path.push_str(part);
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(Self(path.into()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that one, or somewhere below it.
    #[must_use]
    pub fn is_under(&self, other: &Self) -> bool {
        let rest = match &*other.0 {
            "/" => return true,
            above => self.0.strip_prefix(above),
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it stands directly in that one.
    #[must_use]
    pub fn is_child_of(&self, other: &Self) -> bool {
        let parent = match self.0.rsplit_once('/') {
            Some(("", "")) | None => return false,
            Some(("", _)) => "/",
            Some((parent, _)) => parent,
        };
        parent == &*other.0
    }
}

impl TryFrom<String> for ScopePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<ScopePath> for String {
    fn from(path: ScopePath) -> Self {
        path.0.as_ref().to_owned()
    }
}

impl fmt::Display for ScopePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One rule of a scope. One that is not recursive is about its target and what stands directly in
/// it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Where.
    pub target: ScopePath,
    /// What.
    pub permission: Permission,
    /// Whether all below it too.
    pub recursive: bool,
}

impl Rule {
    /// Whether it is about that path.
    #[must_use]
    pub fn reaches(&self, path: &ScopePath) -> bool {
        match self.recursive {
            true => path.is_under(&self.target),
            false => *path == self.target || path.is_child_of(&self.target),
        }
    }

    /// Whether some path is one that both are about.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.target, &other.target);
        match (self.recursive, other.recursive) {
            (true, true) => a.is_under(b) || b.is_under(a),
            (true, false) => b.is_under(a) || a.is_child_of(b),
            (false, true) => a.is_under(b) || b.is_child_of(a),
            (false, false) => a == b || a.is_child_of(b) || b.is_child_of(a),
        }
    }

    /// Whether it allows all that the other one does.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let reaches = match self.recursive {
            true => other.target.is_under(&self.target),
            false => !other.recursive && other.target == self.target,
        };
        reaches && self.permission >= other.permission
    }

    /// Whether it lets somebody write.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.permission == Permission::Write
    }

    /// As the wire writes it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        object.insert("target".into(), self.target.as_str().into());
        object.insert("permission".into(), self.permission.word().into());
        object.insert("recursive".into(), self.recursive.into());
        Value::Object(object)
    }

    fn read(value: &Value) -> Result<Self, String> {
        let Value::Object(object) = value else {
            return Err("a rule is an object with `target` and `permission`".into());
        };
        let keys = ["target", "permission", "recursive"];
        if let Some(key) = object.keys().find(|key| !keys.contains(&key.as_str())) {
            let shown: String = key.chars().take(80).collect();
            return Err(format!("a rule has no `{shown}`; it has `{}`", keys.join("`, `")));
        }
        let target = object.get("target").and_then(Value::as_str).ok_or("a rule lacks `target`")?;
        let target = ScopePath::parse(target)?;
        let permission = object.get("permission").and_then(Value::as_str).and_then(Permission::of);
        let permission =
            permission.ok_or_else(|| format!("the `permission` for {target} is read or write"))?;
        let recursive = match object.get("recursive") {
            None => true,
            Some(Value::Bool(recursive)) => *recursive,
            Some(_) => {
                return Err(format!("`recursive` of the rule for {target} is true or false"));
            }
        };
        Ok(Self { target, permission, recursive })
    }
}

/// Reads a list of rules; none where there is none.
///
/// # Errors
/// In words, with the rule's number: not a list, too long, or a rule that is none.
pub fn rules(value: Option<&Value>) -> Result<Vec<Rule>, String> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err("a scope is a list of rules".into()),
    };
    if list.len() > SCOPE_RULES_MAX {
        return Err(format!("{} rules are too many; at most {SCOPE_RULES_MAX}", list.len()));
    }
    let read = |(at, rule)| Rule::read(rule).map_err(|why| format!("rule {}: {why}", at + 1));
    list.iter().enumerate().map(read).collect()
}

/// A list of rules as the wire writes it.
#[must_use]
pub fn to_value(rules: &[Rule]) -> Value {
    Value::Array(rules.iter().map(Rule::to_value).collect())
}

/// Whether these rules let somebody do `wanted` with a path: one allows it, and none denies it. A
/// denied permission takes with it all that includes it, so who may not write may still read.
#[must_use]
pub fn allows(allow: &[Rule], deny: &[Rule], path: &ScopePath, wanted: Permission) -> bool {
    allow.iter().any(|rule| rule.permission >= wanted && rule.reaches(path))
        && !deny.iter().any(|rule| rule.permission <= wanted && rule.reaches(path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> ScopePath {
        ScopePath::parse(text).expect("a test's path")
    }

    /// All paths of a tree of two names and three levels, deeper than any rule of [`any_rule`].
    fn everywhere() -> Vec<ScopePath> {
        let mut paths = vec![String::new()];
        for level in 0..4 {
            let above: Vec<_> =
                paths.iter().filter(|p| p.matches('/').count() == level).cloned().collect();
            paths.extend(above.iter().flat_map(|p| ["a", "ab"].map(|n| format!("{p}/{n}"))));
        }
        paths.iter().map(|p| path(if p.is_empty() { "/" } else { p })).collect()
    }

    fn any_rule() -> impl Strategy<Value = Rule> {
        let name = proptest::sample::select(vec!["a", "ab"]);
        let target = proptest::collection::vec(name, 0..3);
        (target, any::<bool>(), any::<bool>()).prop_map(|(parts, write, recursive)| Rule {
            target: path(&format!("/{}", parts.join("/"))),
            permission: if write { Permission::Write } else { Permission::Read },
            recursive,
        })
    }

    fn reached(rule: &Rule) -> BTreeSet<ScopePath> {
        everywhere().into_iter().filter(|path| rule.reaches(path)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn to_overlap_is_to_share_a_path(a in any_rule(), b in any_rule()) {
            prop_assert_eq!(a.overlaps(&b), !reached(&a).is_disjoint(&reached(&b)));
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
            prop_assert!(a.overlaps(&a));
        }

        #[test]
        fn to_cover_is_to_reach_all_and_allow_all(a in any_rule(), b in any_rule()) {
            let all = reached(&b).is_subset(&reached(&a)) && a.permission >= b.permission;
            prop_assert_eq!(a.covers(&b), all);
            prop_assert!(!a.covers(&b) || a.overlaps(&b));
            prop_assert!(a.covers(&a));
        }

        #[test]
        fn what_covers_a_cover_covers(a in any_rule(), b in any_rule(), c in any_rule()) {
            prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
        }

        #[test]
        fn a_rule_is_read_as_it_is_written(list in proptest::collection::vec(any_rule(), 0..5)) {
            prop_assert_eq!(rules(Some(&to_value(&list))), Ok(list));
        }

        #[test]
        fn nothing_that_is_told_makes_it_fail(text in ".{0,40}") {
            if let Ok(path) = ScopePath::parse(&text) {
                prop_assert_eq!(ScopePath::parse(path.as_str()), Ok(path.clone()));
                prop_assert!(path.is_under(&path) && !path.is_child_of(&path));
            }
            let _ = rules(Some(&json!([{"target": text, "permission": text}])));
        }
    }

    #[test]
    fn a_path_has_one_spelling() {
        let spelt = ["/", "//", "/./", "/a/b", "//a/./b/", "/a//b"];
        let read = spelt.map(|text| path(text).to_string());
        assert_eq!(read, ["/", "/", "/", "/a/b", "/a/b", "/a/b"]);
        for bad in ["", "a", "./a", "~/a", "/a/../b", "/..", "/a\0b"] {
            assert!(ScopePath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ScopePath::parse(&format!("/{}", "x".repeat(SCOPE_PATH_BYTES_MAX))).is_err());
    }

    #[test]
    fn names_are_compared_as_wholes() {
        assert!(!path("/w/x2").is_under(&path("/w/x")));
        assert!(path("/w/x/2").is_under(&path("/w/x")));
        assert!(path("/a").is_child_of(&path("/")) && !path("/").is_child_of(&path("/")));
    }

    /// bg_pods_a14: a rule that does not say whether it is recursive is.
    #[test]
    fn bg_pods_a14_a_rule_is_recursive_unless_it_says_otherwise() {
        let read = rules(Some(&json!([{"target": "/w", "permission": "write"}])));
        assert!(read.is_ok_and(|list| list[0].recursive));
    }

    #[test]
    fn what_is_no_rule_is_refused_in_words() {
        let check = |value: Value, expected: &str| {
            let why = rules(Some(&value)).expect_err("no rule");
            assert!(why.contains(expected), "{why}");
        };
        check(json!("/w"), "a list of rules");
        check(json!(["/w"]), "rule 1: a rule is an object");
        check(json!([{"permission": "read"}]), "lacks `target`");
        check(json!([{"target": "/w"}]), "read or write");
        check(json!([{"target": "/w", "permission": "own"}]), "read or write");
        check(json!([{"target": "w", "permission": "read"}]), "`w` is not an absolute path");
        let one = json!({"target": "/w", "permission": "read"});
        check(
            json!([one, {"target": "/w", "permission": "read", "deep": 1}]),
            "rule 2: a rule has no",
        );
        check(json!([{"target": "/w", "permission": "read", "recursive": "no"}]), "true or false");
        check(Value::Array(vec![one; SCOPE_RULES_MAX + 1]), "too many");
    }

    #[test]
    fn who_may_not_write_may_still_read() {
        let write = |at: &str| {
            vec![Rule { target: path(at), permission: Permission::Write, recursive: true }]
        };
        let (all, none) = (write("/w"), write("/w/x"));
        let may = |at: &str, wanted| allows(&all, &none, &path(at), wanted);
        assert!(may("/w", Permission::Write) && may("/w/x/y", Permission::Read));
        assert!(!may("/w/x/y", Permission::Write) && !may("/v", Permission::Read));
    }
}
