//! Findings as SARIF 2.1.0, for code scanning and for editors that read it. What is said is that of
//! `render`; only its shape is another.

use serde_json::{Value, json};

use super::{Code, Diagnostic, Diagnostics, Fix, Severity, SourceMap, Span};

/// One log with one run. The rules are those that were broken, each with its page as help.
#[must_use]
pub fn sarif(found: &Diagnostics, sources: &SourceMap) -> Value {
    let mut codes: Vec<Code> = found.iter().map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results: Vec<Value> = found.iter().map(|one| result(one, &codes, sources)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sagaflow",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.title() },
        "help": { "text": code.explain(), "markdown": code.explain() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(found: &Diagnostic, codes: &[Code], sources: &SourceMap) -> Value {
    let mut text = found.message.clone();
    for help in found.advice() {
        text.push_str("\nhelp: ");
        text.push_str(&help);
    }
    let mut result = json!({
        "ruleId": found.code.as_str(),
        "ruleIndex": codes.binary_search(&found.code).unwrap_or_default(),
        "level": level(found.severity),
        "message": { "text": text },
        "locations": [{ "physicalLocation": place(found.primary(), sources) }],
    });
    let related: Vec<Value> = found.labels.iter().skip(1).map(|one| label(one, sources)).collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if let Some(fix) = found.fix.as_ref().and_then(|fix| cure(fix, sources)) {
        result["fixes"] = json!([fix]);
    }
    result
}

fn label((span, words): &(Span, String), sources: &SourceMap) -> Value {
    let mut one = json!({ "physicalLocation": place(*span, sources) });
    if !words.is_empty() {
        one["message"] = json!({ "text": words });
    }
    one
}

fn cure(fix: &Fix, sources: &SourceMap) -> Option<Value> {
    let file = fix.edits.first()?.0.file;
    let replacement = |(span, text): &(Span, String)| {
        let deleted = region(*span, sources);
        json!({ "deletedRegion": deleted, "insertedContent": { "text": text } })
    };
    Some(json!({
        "description": { "text": fix.message },
        "artifactChanges": [{
            "artifactLocation": { "uri": uri(sources.path(file)) },
            "replacements": fix.edits.iter().map(replacement).collect::<Vec<_>>(),
        }],
    }))
}

fn place(span: Span, sources: &SourceMap) -> Value {
    json!({
        "artifactLocation": { "uri": uri(sources.path(span.file)) },
        "region": region(span, sources),
    })
}

/// The last column is the one after the last character, as SARIF counts.
fn region(span: Span, sources: &SourceMap) -> Value {
    let (start, end) = (sources.place(span), sources.place(span.end()));
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

/// A path as a URI: relative as it was given, so that it is found below the checkout.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("sagas/a b,ü.saga.yaml"), "sagas/a%20b%2C%C3%BC.saga.yaml");
        assert_eq!(uri("/srv/a.saga.yaml"), "file:///srv/a.saga.yaml");
    }
}
