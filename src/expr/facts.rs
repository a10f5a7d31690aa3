//! What guards have proved about the values that an expression reads: which have a value, which
//! words they may be. Knows no types.

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Ast, Kind, Path, Relation};
use super::print;

/// What is known at a place of the text. Nothing, by default.
///
/// A disjunction of cases, one of which holds: `has(a) || b == "x"` proves neither part alone, but
/// what follows from each of them follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    cases: Vec<Case>,
}

/// Beyond that many cases only what all of them share is kept: sound, and nobody writes that.
const CASES_MAX: usize = 32;

/// Facts that hold together, by the text of what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Case {
    present: BTreeSet<String>,
    words: BTreeMap<String, Words>,
}

/// The words that a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Words {
    /// One of these.
    Among(BTreeSet<String>),
    /// None of these.
    Not(BTreeSet<String>),
}

impl Default for Facts {
    fn default() -> Facts {
        Facts { cases: vec![Case::default()] }
    }
}

impl Facts {
    /// That a path has a value, and so has every object on the way to it.
    fn present(path: &[Box<str>]) -> Facts {
        let prefixes = (2..=path.len()).map(|length| print::path(&path[..length]));
        Facts::case(Case { present: prefixes.collect(), words: BTreeMap::new() })
    }

    /// What holds when both hold.
    #[must_use]
    pub fn and(&self, other: &Facts) -> Facts {
        if self.cases.len() * other.cases.len() > CASES_MAX {
            return Facts::case(self.shared()).and(&Facts::case(other.shared()));
        }
        let both = |a: &Case| other.cases.iter().filter_map(|b| a.and(b)).collect::<Vec<Case>>();
        Facts { cases: self.cases.iter().flat_map(both).collect() }
    }

    /// What holds when at least one holds.
    fn or(&self, other: &Facts) -> Facts {
        let mut cases = self.cases.clone();
        for case in &other.cases {
            if !cases.contains(case) {
                cases.push(case.clone());
            }
        }
        let facts = Facts { cases };
        if facts.cases.len() > CASES_MAX { Facts::case(facts.shared()) } else { facts }
    }

    fn case(case: Case) -> Facts {
        Facts { cases: vec![case] }
    }

    fn words(about: String, words: Words) -> Facts {
        let words = BTreeMap::from([(about, words)]);
        Facts::case(Case { present: BTreeSet::new(), words })
    }

    /// What all cases share.
    fn shared(&self) -> Case {
        let Some((first, rest)) = self.cases.split_first() else { return Case::default() };
        let mut shared = first.clone();
        for case in rest {
            shared.present.retain(|name| case.present.contains(name));
            shared.words.retain(|name, words| case.words.get(name) == Some(words));
        }
        shared
    }

    /// Whether `has()` was asked of what reads so.
    pub(super) fn is_present(&self, about: &str) -> bool {
        self.cases.iter().all(|case| case.present.contains(about))
    }

    /// Whether, in every case, what reads so has a value or one of the guards holds. `all_words`
    /// gives the words that a path can be at all.
    pub(super) fn proves(
        &self,
        about: &str,
        when: &[(Path, String)],
        all_words: impl Fn(&[Box<str>]) -> Option<BTreeSet<String>>,
    ) -> bool {
        self.cases.iter().all(|case| {
            case.present.contains(about)
                || when.iter().any(|(path, _)| case.holds(path, when, &all_words))
        })
    }
}

impl Case {
    /// Both together; nothing when they contradict each other, so that the case never comes.
    fn and(&self, other: &Case) -> Option<Case> {
        let mut both = self.clone();
        both.present.extend(other.present.iter().cloned());
        for (about, words) in &other.words {
            let words = match both.words.get(about) {
                Some(mine) => mine.and(words),
                None => words.clone(),
            };
            if words == Words::Among(BTreeSet::new()) {
                return None;
            }
            both.words.insert(about.clone(), words);
        }
        Some(both)
    }

    /// Whether the value at the path is surely one of its words among the guards.
    fn holds(
        &self,
        path: &[Box<str>],
        when: &[(Path, String)],
        all_words: &impl Fn(&[Box<str>]) -> Option<BTreeSet<String>>,
    ) -> bool {
        let proving = |word: &String| when.iter().any(|(p, w)| p == path && w == word);
        match self.words.get(&print::path(path)) {
            None => false,
            Some(Words::Among(words)) => words.iter().all(proving),
            Some(Words::Not(not)) => all_words(path)
                .is_some_and(|all| all.iter().filter(|word| !not.contains(*word)).all(proving)),
        }
    }
}

impl Words {
    fn and(&self, other: &Words) -> Words {
        match (self, other) {
            (Words::Among(a), Words::Among(b)) => Words::Among(a & b),
            (Words::Among(among), Words::Not(not)) | (Words::Not(not), Words::Among(among)) => {
                Words::Among(among - not)
            }
            (Words::Not(a), Words::Not(b)) => Words::Not(a | b),
        }
    }
}

/// What is proved where a condition was true.
#[must_use]
pub fn facts_when_true(ast: &Ast) -> Facts {
    facts(ast, true)
}

/// Whether a condition can be true while the value at that path is that word; judged by the words
/// alone, so a `true` may be wrong and a `false` is not.
#[must_use]
pub fn can_be_true_while(ast: &Ast, path: &[Box<str>], word: &str) -> bool {
    let words = Words::Among(BTreeSet::from([word.to_owned()]));
    let known = Facts::words(print::path(path), words);
    !facts_when_true(ast).and(&known).cases.is_empty()
}

/// What is proved where a condition was false.
pub(super) fn facts_when_false(ast: &Ast) -> Facts {
    facts(ast, false)
}

fn facts(ast: &Ast, truth: bool) -> Facts {
    match &ast.kind {
        Kind::Not(of) => facts(of, !truth),
        Kind::And(list) => fold(list, truth, truth),
        Kind::Or(list) => fold(list, truth, !truth),
        Kind::Has(of) if truth => present(of),
        Kind::Compare(relation, pair) => compared(*relation, &pair.0, &pair.1, truth),
        Kind::Choose(three) => {
            let [condition, this, that] = &**three;
            let this = facts_when_true(condition).and(&facts(this, truth));
            this.or(&facts_when_false(condition).and(&facts(that, truth)))
        }
        Kind::Literal(value) => match value.as_bool() {
            // `false` is never true: there is no case in which it is.
            Some(word) if word != truth => Facts { cases: Vec::new() },
            Some(_) | None => Facts::default(),
        },
        Kind::Path(_)
        | Kind::Local { .. }
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::Negate(_)
        | Kind::Compute(..)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_)
        | Kind::Macro(_) => Facts::default(),
    }
}

/// `all` together: parts that each are `truth`; else at least one of them is.
fn fold(list: &[Ast], truth: bool, all: bool) -> Facts {
    let mut parts = list.iter().map(|part| facts(part, truth));
    let Some(first) = parts.next() else { return Facts::default() };
    parts.fold(first, |so_far, next| if all { so_far.and(&next) } else { so_far.or(&next) })
}

fn present(of: &Ast) -> Facts {
    match &of.kind {
        Kind::Path(path) | Kind::Local { path, .. } => Facts::present(path),
        Kind::Field(inner, _) => {
            let own = Case { present: BTreeSet::from([of.to_string()]), ..Case::default() };
            Facts::case(own).and(&present(inner))
        }
        Kind::Literal(_)
        | Kind::Index(_)
        | Kind::Has(_)
        | Kind::Not(_)
        | Kind::Negate(_)
        | Kind::And(_)
        | Kind::Or(_)
        | Kind::Compare(..)
        | Kind::Compute(..)
        | Kind::Choose(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Call(..)
        | Kind::Matches(_)
        | Kind::Macro(_) => Facts::default(),
    }
}

fn compared(relation: Relation, a: &Ast, b: &Ast, truth: bool) -> Facts {
    let is_among = match relation {
        Relation::Equal | Relation::In => truth,
        Relation::Unequal => !truth,
        Relation::Order(_) => return Facts::default(),
    };
    let (about, words) = match (relation, a.as_word(), b.as_word()) {
        (Relation::In, _, _) => {
            let Kind::List(list) = &b.kind else { return Facts::default() };
            (a, list.iter().map(Ast::as_word).collect::<Option<Vec<&str>>>())
        }
        (_, None, Some(word)) => (a, Some(vec![word])),
        (_, Some(word), None) => (b, Some(vec![word])),
        (_, _, _) => return Facts::default(),
    };
    let Some(words) = words else { return Facts::default() };
    if !matches!(about.kind, Kind::Path(_) | Kind::Local { .. } | Kind::Field(..)) {
        return Facts::default();
    }
    let words: BTreeSet<String> = words.into_iter().map(str::to_owned).collect();
    if is_among && words.is_empty() {
        return Facts { cases: Vec::new() };
    }
    let words = if is_among { Words::Among(words) } else { Words::Not(words) };
    Facts::words(about.to_string(), words)
}
