//! `test --fill`: cases for what no case reaches, appended to the file of their saga. Makes none
//! itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Results;
use crate::cli::cases;
use crate::cli::exit::Failure;
use crate::cli::out;
use crate::definition::Scenarios;
use crate::definition::scenario::Script;
use crate::plan::Plan;
use crate::sim::coverage::{Item, items};
use crate::sim::fill;
use crate::view::text::Tone;

/// Fills the file of each saga that was asked for.
///
/// # Errors
/// A file cannot be read or written, or is not laid out so that a case can be appended.
pub(super) fn fill(results: &Results) -> Result<(), Failure> {
    for plan in &results.plans {
        let sources = &results.defined.sources;
        let saga = results.defined.sagas.iter().find(|saga| saga.name.value == *plan.name);
        let Some(saga) = saga else { continue };
        let own = sources.path(saga.span.file);
        let asked = |file: &&Scenarios| results.asked.contains(sources.path(file.span.file));
        let mut files = results.defined.scenarios.iter();
        let file = files.rfind(|file| file.saga.value == *plan.name && asked(file));
        if file.is_none() && !results.asked.contains(own) {
            continue;
        }
        let missing: BTreeSet<Item> = missing(results, plan);
        let taken: BTreeSet<String> = file
            .iter()
            .flat_map(|file| file.cases.iter().map(|case| case.name.value.clone()))
            .collect();
        let made = fill::fill(&results.catalog, plan, missing, &taken);
        if made.is_empty() {
            continue;
        }
        let beside = format!("{}.test.yaml", own.trim_end_matches(".saga.yaml"));
        let path = file.map_or(beside, |file| sources.path(file.span.file).to_owned());
        let cases: Vec<(&str, &Script)> =
            made.iter().map(|one| (&*one.name, &one.script)).collect();
        cases::append(sources, file, &plan.name, &path, &cases)?;
        let cases = if made.len() == 1 { "case" } else { "cases" };
        out::say(Tone::Faint, &format!("added {} {cases} to {path}", made.len()));
    }
    Ok(())
}

fn missing(results: &Results, plan: &Arc<Plan>) -> BTreeSet<Item> {
    match results.covered.iter().find(|one| one.saga.name == plan.name) {
        Some(covered) => covered.missing().cloned().collect(),
        None => items(plan).into_iter().collect(),
    }
}
