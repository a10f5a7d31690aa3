//! Cases appended to the scenarios of a saga, as an author would write them. Makes none.

use std::fs;

use super::exit::{Exit, Failure};
use crate::definition::Scenarios;
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
/// It cannot be written, or is not laid out so that a case can be appended.
pub(super) fn append(
    sources: &SourceMap,
    file: Option<&Scenarios>,
    saga: &str,
    path: &str,
    cases: &[(&str, &Script)],
) -> Result<(), Failure> {
    let wrong = |words: &str| Failure::new(Exit::No, format!("cannot fill {path}: {words}"));
    let (mut text, indent) = match file {
        None => (format!("{SCHEMA}saga: {saga}\ncases:\n"), INDENT),
        Some(file) => {
            let text = sources.text(file.span.file).to_owned();
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
    for (name, script) in cases {
        text.push_str(&write_case(name, script, indent));
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
