//! Requests and their answers, in the shapes of the protocol. Works nothing out itself.

use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::desk::{Desk, Directory};
use super::places::{Lines, Units, path_of};
use super::server::{Answer, Wrong};
use crate::definition::read::FileKind;
use crate::diag::{Diagnostic, Severity, Span};
use crate::format::{Refused, format};
use crate::service::{Choice, ChoiceKind, Outlined, OutlinedKind};

/// What the server can do.
#[must_use]
pub fn capabilities(units: Units) -> Value {
    let encoding = match units {
        Units::Utf8 => "utf-8",
        Units::Utf16 => "utf-16",
    };
    json!({
        "capabilities": {
            "positionEncoding": encoding,
            "textDocumentSync": { "openClose": true, "change": 1, "save": true },
            "hoverProvider": true,
            "completionProvider": { "triggerCharacters": [".", " ", "{", "["] },
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "renameProvider": { "prepareProvider": true },
            "documentSymbolProvider": true,
            "documentFormattingProvider": true,
            "codeActionProvider": { "codeActionKinds": ["quickfix"] },
            "codeLensProvider": {},
            "executeCommandProvider": { "commands": ["sagaflow.test", "sagaflow.check"] },
        },
        "serverInfo": { "name": "sagaflow", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// A file that a request is about.
struct Asked<'a> {
    desk: &'a Desk,
    directory: &'a Directory,
    parent: &'a Path,
    name: String,
    text: &'a str,
    units: Units,
}

/// Answers a request about a file.
pub fn answer(desk: &Desk, units: Units, method: &str, params: &Value) -> Answer {
    let known = METHODS.iter().find(|(name, _)| *name == method);
    let Some((_, work)) = known else {
        return Err((Wrong::Method, format!("there is no method `{method}`")));
    };
    let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
    let Some(uri) = uri else {
        return Err((Wrong::Params, "the request names no file".to_owned()));
    };
    // A file that is none of ours has nothing to tell.
    let path = path_of(uri);
    let found = path.as_deref().and_then(|path| Some((path.parent()?, desk.of(path)?)));
    let Some((parent, (directory, name))) = found else { return Ok(Value::Null) };
    let Some(text) = directory.workspace.text(&name) else { return Ok(Value::Null) };
    work(&Asked { desk, directory, parent, name, text: &text, units }, params)
}

type Work = fn(&Asked<'_>, &Value) -> Answer;

const METHODS: &[(&str, Work)] = &[
    ("textDocument/hover", hover),
    ("textDocument/completion", completion),
    ("textDocument/definition", definition),
    ("textDocument/references", references),
    ("textDocument/documentHighlight", highlight),
    ("textDocument/prepareRename", prepare_rename),
    ("textDocument/rename", rename),
    ("textDocument/documentSymbol", symbols),
    ("textDocument/formatting", formatting),
    ("textDocument/codeAction", actions),
    ("textDocument/codeLens", lenses),
];

impl Asked<'_> {
    fn lines(&self) -> Lines<'_> {
        Lines::of(self.text, self.units)
    }

    fn at(&self, params: &Value) -> Result<usize, (Wrong, String)> {
        let position = params.get("position").and_then(|position| self.lines().byte(position));
        position.ok_or_else(|| (Wrong::Params, "the request names no place".to_owned()))
    }

    fn uri(&self, name: &str) -> String {
        self.desk.uri(&self.parent.join(name))
    }

    /// Places in several files, each as the protocol has it.
    fn locations(&self, places: &[(String, Range<usize>)]) -> Value {
        let location = |(name, range): &(String, Range<usize>)| {
            let text = self.directory.workspace.text(name)?;
            let range = Lines::of(&text, self.units).range(range.clone());
            Some(json!({ "uri": self.uri(name), "range": range }))
        };
        places.iter().filter_map(location).collect()
    }
}

fn hover(asked: &Asked<'_>, params: &Value) -> Answer {
    let found = asked.directory.workspace.hover(&asked.name, asked.at(params)?);
    Ok(found.map_or(Value::Null, |(range, text)| {
        let contents = json!({ "kind": "markdown", "value": text });
        json!({ "contents": contents, "range": asked.lines().range(range) })
    }))
}

fn completion(asked: &Asked<'_>, params: &Value) -> Answer {
    let choices = asked.directory.workspace.complete(&asked.name, asked.at(params)?);
    let lines = asked.lines();
    let item = |(at, choice): (usize, &Choice)| {
        let kind = match choice.kind {
            ChoiceKind::Key => 10,
            ChoiceKind::Word => 20,
            ChoiceKind::Event => 23,
            ChoiceKind::Command => 2,
            ChoiceKind::Module => 9,
            ChoiceKind::Field => 5,
            ChoiceKind::Variable => 6,
            ChoiceKind::Function => 3,
        };
        let edit = json!({ "range": lines.range(choice.range.clone()), "newText": choice.text });
        json!({
            "label": choice.label,
            "kind": kind,
            "detail": choice.detail,
            "documentation": { "kind": "markdown", "value": choice.doc },
            "sortText": format!("{at:04}"),
            "filterText": choice.label,
            "textEdit": edit,
        })
    };
    let items: Vec<Value> = choices.iter().enumerate().map(item).collect();
    Ok(json!({ "isIncomplete": false, "items": items }))
}

fn definition(asked: &Asked<'_>, params: &Value) -> Answer {
    let places = asked.directory.workspace.definition(&asked.name, asked.at(params)?);
    Ok(asked.locations(&places))
}

fn references(asked: &Asked<'_>, params: &Value) -> Answer {
    let with = params.pointer("/context/includeDeclaration").and_then(Value::as_bool);
    let at = asked.at(params)?;
    let places = asked.directory.workspace.references(&asked.name, at, with.unwrap_or(true));
    Ok(asked.locations(&places))
}

fn highlight(asked: &Asked<'_>, params: &Value) -> Answer {
    let at = asked.at(params)?;
    let places = asked.directory.workspace.references(&asked.name, at, true);
    let lines = asked.lines();
    let here = places.into_iter().filter(|(name, _)| *name == asked.name);
    Ok(here.map(|(_, range)| json!({ "range": lines.range(range) })).collect())
}

fn prepare_rename(asked: &Asked<'_>, params: &Value) -> Answer {
    let at = asked.at(params)?;
    let (_, range) =
        asked.directory.workspace.renamable(&asked.name, at).map_err(|why| (Wrong::Failed, why))?;
    let name = asked.text.get(range.clone()).unwrap_or_default();
    Ok(json!({ "range": asked.lines().range(range), "placeholder": name }))
}

fn rename(asked: &Asked<'_>, params: &Value) -> Answer {
    let Some(new) = params.get("newName").and_then(Value::as_str) else {
        return Err((Wrong::Params, "the request has no new name".to_owned()));
    };
    let at = asked.at(params)?;
    let places = asked
        .directory
        .workspace
        .rename(&asked.name, at, new)
        .map_err(|why| (Wrong::Failed, why))?;
    let mut changes: Map<String, Value> = Map::new();
    for (name, range) in places {
        let Some(text) = asked.directory.workspace.text(&name) else { continue };
        let edit = json!({ "range": Lines::of(&text, asked.units).range(range), "newText": new });
        let of = changes.entry(asked.uri(&name)).or_insert_with(|| json!([]));
        if let Some(list) = of.as_array_mut() {
            list.push(edit);
        }
    }
    Ok(json!({ "changes": changes }))
}

fn symbols(asked: &Asked<'_>, _: &Value) -> Answer {
    let lines = asked.lines();
    Ok(asked
        .directory
        .workspace
        .outline(&asked.name)
        .iter()
        .map(|one| outlined(one, &lines))
        .collect())
}

fn outlined(one: &Outlined, lines: &Lines<'_>) -> Value {
    let kind = match one.kind {
        OutlinedKind::Saga | OutlinedKind::Target => 2,
        OutlinedKind::Step | OutlinedKind::Command => 6,
        OutlinedKind::Part => 3,
        OutlinedKind::Event => 24,
        OutlinedKind::Case => 12,
    };
    let children: Vec<Value> = one.children.iter().map(|child| outlined(child, lines)).collect();
    json!({
        "name": one.name,
        "detail": one.detail,
        "kind": kind,
        "range": lines.range(one.range.clone()),
        "selectionRange": lines.range(one.name_range.clone()),
        "children": children,
    })
}

fn formatting(asked: &Asked<'_>, _: &Value) -> Answer {
    let Some(kind) = FileKind::of(&asked.name) else { return Ok(Value::Null) };
    match format(&asked.name, kind, asked.text) {
        Ok(text) if text == asked.text => Ok(json!([])),
        Ok(text) => {
            let range = asked.lines().range(0..asked.text.len());
            Ok(json!([{ "range": range, "newText": text }]))
        }
        // What is wrong with it is told beside its lines.
        Err(Refused::Unreadable(..)) => Ok(Value::Null),
        Err(Refused::Unusual { what, .. }) => {
            Err((Wrong::Failed, format!("left as it is, for it holds {what}")))
        }
    }
}

fn lenses(asked: &Asked<'_>, _: &Value) -> Answer {
    let lines = asked.lines();
    let check = crate::cli::command().find_subcommand("check").is_some();
    let lenses = asked.directory.workspace.lenses(&asked.name);
    let able = lenses.iter().filter(|lens| check || lens.command != "sagaflow.check");
    Ok(able
        .map(|lens| {
            let command = json!({
                "title": lens.title,
                "command": lens.command,
                "arguments": [asked.uri(&lens.file)],
            });
            json!({ "range": lines.range(lens.range.clone()), "command": command })
        })
        .collect())
}

/// Sure cures of what is wrong in a range.
fn actions(asked: &Asked<'_>, params: &Value) -> Answer {
    let lines = asked.lines();
    let place = |key: &str| params.pointer(key).and_then(|position| lines.byte(position));
    let (Some(start), Some(end)) = (place("/range/start"), place("/range/end")) else {
        return Err((Wrong::Params, "the request names no range".to_owned()));
    };
    let sources = &asked.directory.sources;
    let here = |one: &&Diagnostic| {
        let span = one.primary();
        let source = sources.get(span.file);
        source.is_some_and(|source| source.path == asked.name && &*source.text == asked.text)
            && span.range().start <= end
            && start <= span.range().end
    };
    let mut all = Vec::new();
    for one in asked.directory.found.iter().filter(here) {
        let Some(fix) = &one.fix else { continue };
        let mut edits = Vec::new();
        for (span, text) in &fix.edits {
            edits.push(json!({ "range": lines.range(span.range()), "newText": text }));
        }
        let mut changes = Map::new();
        changes.insert(asked.uri(&asked.name), Value::Array(edits));
        all.push(json!({
            "title": fix.message,
            "kind": "quickfix",
            "isPreferred": true,
            "diagnostics": [finding(one, asked.directory, asked.desk, asked.parent, asked.units)],
            "edit": { "changes": changes },
        }));
    }
    Ok(Value::Array(all))
}

/// What is to be told of a directory that was checked: its files with findings, and those that
/// had some.
#[must_use]
pub fn findings(desk: &mut Desk, path: &Path, units: Units) -> Vec<Value> {
    let Some((told, names)) = desk.directory(path).map(|directory| {
        let sources = &directory.sources;
        let wrong = directory.found.iter().map(|one| sources.path(one.primary().file).to_owned());
        let names: std::collections::BTreeSet<String> = wrong.collect();
        (std::mem::replace(&mut directory.told, names.clone()), names)
    }) else {
        return Vec::new();
    };
    let desk = &*desk;
    let Some((directory, _)) = desk.of(&path.join("any.saga.yaml")) else { return Vec::new() };
    // A file on the screen is told of also when all is well: its editor may wait for it.
    let open = directory.workspace.texts().into_iter().map(|(name, _)| name);
    let open = open.filter(|name| desk.is_open(&path.join(name)));
    let all: std::collections::BTreeSet<String> =
        told.into_iter().chain(names).chain(open).collect();
    let params = |name: String| {
        let ours =
            directory.found.iter().filter(|one| directory.sources.path(one.primary().file) == name);
        let list: Vec<Value> = ours.map(|one| finding(one, directory, desk, path, units)).collect();
        json!({ "uri": desk.uri(&path.join(name)), "diagnostics": list })
    };
    // What is built in has no file to tell of.
    let real = all.into_iter().filter(|name| directory.workspace.text(name).is_some());
    real.map(params).collect()
}

/// A finding in the protocol's shape.
fn finding(
    one: &Diagnostic,
    directory: &Directory,
    desk: &Desk,
    parent: &Path,
    units: Units,
) -> Value {
    let sources = &directory.sources;
    let range = |span: Span| Lines::of(sources.text(span.file), units).range(span.range());
    let mut message = one.message.clone();
    if let Some(label) =
        one.labels.first().map(|(_, words)| words).filter(|words| !words.is_empty())
    {
        message.push_str(&format!(": {label}"));
    }
    for help in one.advice() {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let related: Vec<Value> = one
        .labels
        .iter()
        .skip(1)
        .map(|(span, words)| {
            let uri = desk.uri(&parent.join(sources.path(span.file)));
            let words = if words.is_empty() { "here" } else { words };
            json!({ "location": { "uri": uri, "range": range(*span) }, "message": words })
        })
        .collect();
    json!({
        "range": range(one.primary()),
        "severity": match one.severity { Severity::Error => 1, Severity::Warning => 2 },
        "code": one.code.as_str(),
        "source": "sagaflow",
        "message": message,
        "relatedInformation": related,
    })
}
