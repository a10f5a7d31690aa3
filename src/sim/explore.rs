//! A case judged: played as it is written, and where it says so again with every fault at every
//! place. Plays nothing itself.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::definition::Catalog;
use crate::definition::scenario::{Case, Explore, Play, Scenarios, Script};
use crate::diag::Span;
use crate::plan::Plan;
use crate::saga::record::Verdict;

use super::play::{Faults, Played, play};
use super::transcript::Row;

/// Plays of one case, at most: more places are not combined.
pub const PLAYS_MAX: usize = 5_000;

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The first play that failed, or else the one without faults; absent: there is nothing to
    /// play.
    pub played: Option<Played>,
    /// What went wrong on purpose in it.
    pub faults: Faults,
    /// How many times it was played.
    pub plays: usize,
    /// Whether more faults were asked for than were tried.
    pub cut_short: bool,
}

impl Judged {
    /// Whether all plays went as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.played.as_ref().is_some_and(Played::passed)
    }
}

impl fmt::Display for Faults {
    /// The faults in words; empty without any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crash = self.crash_after.map(|commit| format!("a crash after commit {commit}"));
        let twice = self.twice.iter().map(|at| format!("answer {} twice", at + 1));
        let away = self.away.iter();
        let away = away.map(|(at, who)| format!("`{who}` away for a moment at place {}", at + 1));
        let all: Vec<String> = crash.into_iter().chain(twice).chain(away).collect();
        f.write_str(&all.join(", "))
    }
}

/// The script that a case plays: its own, or that of the case that it names.
#[must_use]
pub fn script_of<'a>(file: &'a Scenarios, case: &'a Case) -> Option<&'a Script> {
    match &case.play {
        Play::Own(script) => Some(&**script),
        Play::SameAs(name) => file.cases.iter().find_map(|one| match &one.play {
            Play::Own(script) if one.name.value == name.value => Some(&**script),
            Play::Own(_) | Play::SameAs(_) => None,
        }),
    }
}

/// Plays a case of that file.
#[must_use]
pub fn judge(catalog: &Arc<Catalog>, plan: &Arc<Plan>, file: &Scenarios, case: &Case) -> Judged {
    let Some(script) = script_of(file, case) else {
        return Judged { played: None, faults: Faults::default(), plays: 0, cut_short: false };
    };
    let calm = play(catalog, plan, script, &Faults::default());
    let mut judged = Judged {
        played: Some(calm.clone()),
        faults: Faults::default(),
        plays: 1,
        cut_short: false,
    };
    if !calm.passed() {
        return judged;
    }
    let tries = tries(&calm, plan, case.explore.unwrap_or_default());
    judged.cut_short = tries.len() > PLAYS_MAX;
    for faults in tries.into_iter().take(PLAYS_MAX) {
        let mut played = play(catalog, plan, script, &faults);
        judged.plays += 1;
        end_alike(&mut played, &calm, case.name.span);
        if !played.passed() {
            judged.played = Some(played);
            judged.faults = faults;
            break;
        }
    }
    judged
}

/// What a case does not compare by itself: it must end as it did without faults.
fn end_alike(played: &mut Played, calm: &Played, span: Span) {
    let end = |verdict: &Option<Verdict>| {
        let verdict = verdict.as_ref();
        let state = verdict.map(|verdict| (verdict.state, verdict.cause));
        (state, verdict.and_then(|verdict| verdict.result.clone()))
    };
    if end(&played.verdict) != end(&calm.verdict) {
        let words = |verdict: &Option<Verdict>| match verdict {
            None => "it runs on".to_owned(),
            Some(verdict) => {
                let cause = verdict.cause.map_or("", |cause| cause.as_str());
                format!("end {} {cause}", verdict.state.as_str()).trim_end().to_owned()
            }
        };
        let (expected, got) = (Some(words(&calm.verdict)), Some(words(&played.verdict)));
        played.rows.push(Row { span, expected, got, same: false });
    }
}

/// All faults that the case asks for, each kind by itself.
fn tries(calm: &Played, plan: &Plan, explore: Explore) -> Vec<Faults> {
    let mut all = Vec::new();
    if explore.crash {
        let crash = |commit| Faults { crash_after: Some(commit), ..Faults::default() };
        all.extend((1..=calm.commits).map(crash));
    }
    let answers: Vec<usize> = (0..calm.answers).collect();
    for twice in sets(&answers, explore.duplicate) {
        all.push(Faults { twice, ..Faults::default() });
    }
    let targets: BTreeSet<Arc<str>> =
        plan.commands.values().map(|command| command.target.clone()).collect();
    let places = (0..calm.places).flat_map(|at| targets.iter().map(move |one| (at, one.clone())));
    let places: Vec<(usize, Arc<str>)> = places.collect();
    for away in sets(&places, explore.disconnect) {
        all.push(Faults { away, ..Faults::default() });
    }
    all
}

/// All sets of one to `most` of these, the small ones first, and not many more than are tried.
fn sets<T: Clone + Ord>(of: &[T], most: u64) -> Vec<BTreeSet<T>> {
    let mut all: Vec<(BTreeSet<T>, usize)> = vec![(BTreeSet::new(), 0)];
    let mut from = 0;
    for _ in 0..most {
        let upto = all.len();
        for at in from..upto {
            let (set, next) = all[at].clone();
            for (place, one) in of.iter().enumerate().skip(next) {
                let mut larger = set.clone();
                larger.insert(one.clone());
                all.push((larger, place + 1));
                if all.len() > PLAYS_MAX + 1 {
                    return all.into_iter().skip(1).map(|(set, _)| set).collect();
                }
            }
        }
        if from == upto || all.len() == upto {
            break;
        }
        from = upto;
    }
    all.into_iter().skip(1).map(|(set, _)| set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_those_of_one_then_those_of_two() {
        let sets: Vec<Vec<u8>> =
            sets(&[1, 2, 3], 2).into_iter().map(|set| set.into_iter().collect()).collect();
        assert_eq!(sets, [vec![1], vec![2], vec![3], vec![1, 2], vec![1, 3], vec![2, 3]]);
        assert_eq!(super::sets::<u8>(&[], 3), []);
        assert_eq!(super::sets(&[1, 2], u64::MAX).len(), 3);
    }
}
