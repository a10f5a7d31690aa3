//! `test --fill`: cases for what no case reaches, appended to the file of their saga. Makes none
//! itself.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::Results;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::definition::Scenarios;
use crate::plan::Plan;
use crate::sim::coverage::{Item, items};
use crate::sim::fill::{self, Made};
use crate::view::text::Tone;

/// The line that ties an editor to the schema.
const SCHEMA: &str = "# yaml-language-server: $schema=../schemas/test.schema.json\n";

/// How far an element of `cases` is indented in a new file.
const INDENT: usize = 2;

/// Fills the file of each saga that was asked for.
///
/// # Errors
/// A file cannot be read or written, or is not laid out so that a case can be appended.
pub(super) fn fill(results: &Results) -> Result<(), Failure> {
    for plan in &results.plans {
        let sources = &results.library.sources;
        let saga = results.library.sagas.iter().find(|saga| saga.name.value == *plan.name);
        let Some(saga) = saga else { continue };
        let own = sources.path(saga.span.file);
        let asked = |file: &&Scenarios| results.asked.contains(sources.path(file.span.file));
        let mut files = results.library.scenarios.iter();
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
        write(results, file, plan, &path, &made)?;
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

fn write(
    results: &Results,
    file: Option<&Scenarios>,
    plan: &Plan,
    path: &str,
    made: &[Made],
) -> Result<(), Failure> {
    let wrong = |words: &str| Failure::new(Exit::No, format!("cannot fill {path}: {words}"));
    let (mut text, indent) = match file {
        None => (format!("{SCHEMA}saga: {}\ncases:\n", plan.name), INDENT),
        Some(file) => {
            let text = results.library.sources.text(file.span.file).to_owned();
            let last = file.cases.last().ok_or_else(|| wrong("it has no case"))?;
            let indent = indent_of(&text, last.span.range().start)
                .ok_or_else(|| wrong("write its cases one below the other, each after a `- `"))?;
            (text, indent)
        }
    };
    if file.is_none() && fs::exists(path).unwrap_or(true) {
        return Err(wrong("it is there already and was not read"));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for one in made {
        text.push_str(&fill::write_case(&one.name, &one.script, indent));
    }
    fs::write(path, text).map_err(|error| wrong(&error.to_string()))
}

/// How far the `- ` before that place is indented; `None` where no `- ` begins its line.
fn indent_of(text: &str, at: usize) -> Option<usize> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let indent = line.len() - line.trim_start_matches(' ').len();
    (line[indent..].trim_end() == "-").then_some(indent)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_a_list_of_lines_can_be_gone_on() {
        assert_eq!(super::indent_of("cases:\n  - name: it\n", 11), Some(2));
        assert_eq!(super::indent_of("cases:\n- name: it\n", 9), Some(0));
        assert_eq!(super::indent_of("cases: [{ name: it }]\n", 8), None);
    }
}
