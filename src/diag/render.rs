//! Findings as people, editors and CI read them: carets, JSON, GitHub annotations. Chooses no
//! stream and asks no terminal.

use std::borrow::Cow;
use std::collections::BTreeMap;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, FileId, Fix, Severity, SourceMap, Span};

/// Findings with their lines and carets, each followed by an empty line. Colour is the caller's
/// choice.
#[must_use]
pub fn human(found: &Diagnostics, sources: &SourceMap, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for one in found.iter() {
        out.push_str(&renderer.render(&report(one, sources)));
        out.push_str("\n\n");
    }
    out
}

/// One object: `{"files", "diagnostics": [{"code", "severity", "file", "line", "column", "message",
/// "help", "fix"}]}`; `fix` only where one is sure.
#[must_use]
pub fn json(found: &Diagnostics, sources: &SourceMap, files: usize) -> Value {
    let one = |one: &Diagnostic| {
        let at = sources.place(one.primary());
        let mut told = json!({
            "code": one.code.as_str(),
            "severity": severity(one.severity),
            "file": sources.path(one.primary().file),
            "line": at.line,
            "column": at.column,
            "message": one.message,
            "help": helps(one).join("; "),
        });
        if let Some(fix) = &one.fix {
            told["fix"] = cure(fix, sources);
        }
        told
    };
    json!({ "files": files, "diagnostics": found.iter().map(one).collect::<Vec<_>>() })
}

/// `{"message", "file", "edits": [{"line", "column", "end_line", "end_column", "text"}]}`; the end
/// is behind the last character that goes.
fn cure(fix: &Fix, sources: &SourceMap) -> Value {
    let edit = |(span, text): &(Span, String)| {
        let (start, end) = (sources.place(*span), sources.place(span.end()));
        json!({
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
            "text": text,
        })
    };
    json!({
        "message": fix.message,
        "file": fix.edits.first().map_or("", |(span, _)| sources.path(span.file)),
        "edits": fix.edits.iter().map(edit).collect::<Vec<_>>(),
    })
}

/// One workflow command a line, which GitHub shows beside the change.
#[must_use]
pub fn github(found: &Diagnostics, sources: &SourceMap) -> String {
    let mut out = String::new();
    for one in found.iter() {
        let at = sources.place(one.primary());
        let mut message = one.message.clone();
        for help in helps(one) {
            message.push_str("\nhelp: ");
            message.push_str(&help);
        }
        out.push_str(&format!(
            "::{} file={},line={},col={},title={}::{}\n",
            severity(one.severity),
            property(sources.path(one.primary().file)),
            at.line,
            at.column,
            one.code,
            data(&message),
        ));
    }
    out
}

/// What to do; where nothing else is said, what the fix does.
fn helps(found: &Diagnostic) -> Vec<Cow<'_, str>> {
    match &found.fix {
        Some(fix) if found.helps.is_empty() => vec![Cow::Borrowed(&fix.message)],
        Some(_) | None => found.advice(),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn report<'a>(found: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut main =
        Group::with_title(level.primary_title(found.message.as_str()).id(found.code.as_str()));
    for (file, labels) in by_file(found) {
        let mut snippet = Snippet::source(sources.text(file)).path(sources.path(file));
        for (first, span, words) in labels {
            let kind = if first { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mut annotation = kind.span(one_line(span, sources));
            if !words.is_empty() {
                annotation = annotation.label(words);
            }
            snippet = snippet.annotation(annotation);
        }
        main = main.element(snippet);
    }
    for help in found.advice() {
        main = main.element(Level::HELP.message(help));
    }
    let mut groups = vec![main];
    groups.extend(found.fix.as_ref().and_then(|fix| suggestion(fix, sources)));
    groups
}

/// Labels of one file: whether it is the primary one, its place, its words.
type Labels<'a> = Vec<(bool, Span, &'a str)>;

/// The labels of each file; the file of the primary label first.
fn by_file(found: &Diagnostic) -> Vec<(FileId, Labels<'_>)> {
    let mut files: BTreeMap<(bool, FileId), Labels<'_>> = BTreeMap::new();
    let home = found.primary().file;
    for (index, (span, words)) in found.labels.iter().enumerate() {
        let place = (span.file != home, span.file);
        files.entry(place).or_default().push((index == 0, *span, words));
    }
    files.into_iter().map(|((_, file), labels)| (file, labels)).collect()
}

/// The bytes to mark: a span of several lines is marked on its first one, where it is recognised.
fn one_line(span: Span, sources: &SourceMap) -> std::ops::Range<usize> {
    let text = sources.text(span.file);
    let fit = |at: u32| {
        let mut at = (at as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (fit(span.start), fit(span.end.max(span.start)));
    let line = text[start..end].find(['\n', '\r']).map_or(end, |newline| start + newline);
    start..line
}

fn suggestion<'a>(fix: &'a Fix, sources: &'a SourceMap) -> Option<Group<'a>> {
    let file = fix.edits.first()?.0.file;
    let mut snippet = Snippet::source(sources.text(file)).path(sources.path(file));
    for (span, text) in &fix.edits {
        snippet = snippet.patch(Patch::new(span.range(), text.as_str()));
    }
    Some(Level::HELP.secondary_title(fix.message.as_str()).element(snippet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;

    fn example() -> (Diagnostics, SourceMap) {
        let mut sources = SourceMap::default();
        let file = sources.add("a,b.saga.yaml", "saga: x\ntimout: 5s\n");
        let mut found = Diagnostics::default();
        let at = Span::new(file, 8..14);
        found.push(
            Diagnostic::new(Code::UnknownKey, at, "unknown key `timout` in a saga")
                .help("did you mean `timeout`?")
                .fix("write `timeout`", at, "timeout"),
        );
        (found, sources)
    }

    #[test]
    fn people_see_the_line_the_caret_and_the_cure() {
        let (found, sources) = example();
        let expected = "\
error[SF009]: unknown key `timout` in a saga
 --> a,b.saga.yaml:2:1
  |
2 | timout: 5s
  | ^^^^^^
  |
  = help: did you mean `timeout`?
help: write `timeout`
  |
2 | timeout: 5s
  |    +

";
        assert_eq!(human(&found, &sources, false), expected);
        assert!(human(&found, &sources, true).contains('\u{1b}'), "colour when asked");
    }

    #[test]
    fn machines_get_places_and_words() {
        let (found, sources) = example();
        let expected = json!({"files": 1, "diagnostics": [{
            "code": "SF009", "severity": "error", "file": "a,b.saga.yaml", "line": 2, "column": 1,
            "message": "unknown key `timout` in a saga", "help": "did you mean `timeout`?",
            "fix": {"message": "write `timeout`", "file": "a,b.saga.yaml", "edits": [{
                "line": 2, "column": 1, "end_line": 2, "end_column": 7, "text": "timeout",
            }]},
        }]});
        assert_eq!(json(&found, &sources, 1), expected);
        assert_eq!(
            github(&found, &sources),
            "::error file=a%2Cb.saga.yaml,line=2,col=1,title=SF009::unknown key `timout` in a saga\
             %0Ahelp: did you mean `timeout`?\n"
        );
    }
}
