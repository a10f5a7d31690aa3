//! Cases appended to the scenarios of a saga, as an author would write them. Makes none.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::exit::{Exit, Failure};
use super::rewrite;
use crate::definition::Scenarios;
use crate::definition::read::load;
use crate::definition::scenario::Script;
use crate::diag::SourceMap;
use crate::sim::fill::write_case;

/// The line that ties an editor to the schema.
const SCHEMA: &str = "# yaml-language-server: $schema=../schemas/test.schema.json\n";

/// How far an element of `cases` is indented in a new file.
const INDENT: usize = 2;

/// Appends named cases to that file of the saga's scenarios, or begins one there.
///
/// # Errors
/// It cannot be written, or is not laid out so that a case can be appended; then it is as it was.
pub(super) fn append(
    sources: &SourceMap,
    file: Option<&Scenarios>,
    saga: &str,
    path: &Path,
    cases: &[(&str, &Script)],
) -> Result<(), Failure> {
    let wrong =
        |words: &str| Failure::new(Exit::No, format!("cannot fill {}: {words}", path.display()));
    let Some(file) = file else {
        let text = format!("{SCHEMA}saga: {saga}\ncases:\n{}", written(cases, INDENT));
        return fs::File::create_new(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| wrong(&error.to_string()));
    };
    let before = sources.text(file.span.file);
    let after = with(before, file, cases)
        .ok_or_else(|| wrong("write its cases one below the other, each after a `- `"))?;
    rewrite::replace(path, before.as_bytes(), &after).map_err(|why| wrong(&why))
}

fn written(cases: &[(&str, &Script)], indent: usize) -> String {
    cases.iter().map(|(name, script)| write_case(name, script, indent)).collect()
}

/// The text of a file with more cases behind its last one, wherever that stands; `None` where it
/// would not be read as that.
fn with(text: &str, file: &Scenarios, cases: &[(&str, &Script)]) -> Option<String> {
    let last = file.cases.last()?.span.range();
    let more = written(cases, indent_of(text, last.start)?);
    let at = text[last.end..].find('\n').map_or(text.len(), |line| last.end + line + 1);
    let (above, below) = text.split_at(at);
    let gap = if above.ends_with('\n') { "" } else { "\n" };
    let mut grown = format!("{gap}{more}");
    if text.contains("\r\n") {
        grown = grown.replace('\n', "\r\n");
    }
    let grown = format!("{above}{grown}{below}");
    let own = file.cases.iter().map(|case| case.name.value.as_str());
    let names: Vec<&str> = own.chain(cases.iter().map(|(name, _)| *name)).collect();
    let (read, _) = load(vec![("grown.test.yaml".to_owned(), grown.clone().into_bytes())]);
    let found = read.scenarios.first()?;
    let same = found.saga.value == file.saga.value
        && found.cases.iter().map(|case| case.name.value.as_str()).eq(names);
    same.then_some(grown)
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
