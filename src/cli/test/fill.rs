//! `test --fill`: cases for what no case reaches, appended to the file of their saga. Makes none
//! itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Results;
use crate::cli::cases;
use crate::cli::exit::Failure;
use crate::cli::load;
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
        let at = |file: &Scenarios| results.asked.get(sources.path(file.span.file));
        let mut files = results.defined.scenarios.iter();
        let file = files.rfind(|file| file.saga.value == *plan.name && at(file).is_some());
        let beside = || results.asked.get(own).map(|own| load::scenarios_of(own));
        let Some(path) = file.and_then(at).cloned().or_else(beside) else { continue };
        let missing: BTreeSet<Item> = missing(results, plan);
        let taken: BTreeSet<String> = file
            .iter()
            .flat_map(|file| file.cases.iter().map(|case| case.name.value.clone()))
            .collect();
        let made = fill::fill(&results.catalog, plan, missing, &taken).made;
        if made.is_empty() {
            if file.is_none() {
                out::warn(&format!(
                    "no case could be made for `{}`: nothing that was tried leads to its end; \
                     write the first one by hand",
                    plan.name
                ));
            }
            continue;
        }
        let cases: Vec<(&str, &Script)> =
            made.iter().map(|one| (&*one.name, &one.script)).collect();
        cases::append(sources, file, &plan.name, &path, &cases)?;
        let cases = if made.len() == 1 { "case" } else { "cases" };
        out::say(Tone::Faint, &format!("added {} {cases} to {}", made.len(), path.display()));
    }
    Ok(())
}

fn missing(results: &Results, plan: &Arc<Plan>) -> BTreeSet<Item> {
    match results.covered.iter().find(|one| one.saga.name == plan.name) {
        Some(covered) => covered.missing().cloned().collect(),
        None => items(plan).into_iter().collect(),
    }
}
