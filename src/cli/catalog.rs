//! `sagaflow catalog`: the merged vocabulary, for people as a table, for tools as a catalog
//! document.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::load::{self, SAGAS};
use super::out::{self, Shape};
use crate::definition::spread::InTurn;
use crate::definition::{Catalog, CatalogUndo, CommandDecl, EventDecl, Fields, Overflow};
use crate::definition::{TargetDecl, read};
use crate::diag::render;
use crate::view::text::{Line, Tone};

/// Arguments of `catalog`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the catalogs; what is built in is always there [default: sagas, if it is there]
    #[arg(long, value_name = "DIR")]
    sagas: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the vocabulary.
pub(super) fn run(args: &Args) -> Outcome {
    let catalog = merged(args.sagas.as_deref())?;
    if args.shape.is_json() {
        out::json(&document(&catalog))?;
    } else {
        out::lines(&page(&catalog))?;
    }
    Ok(Exit::Fine)
}

/// The catalogs of a directory, what is built in included. Without a directory that of the
/// definitions, where there is one.
///
/// # Errors
/// The directory cannot be read, or its catalogs are not valid: the findings are printed.
pub(super) fn merged(directory: Option<&Path>) -> Result<Catalog, Failure> {
    let directory = directory.or_else(|| Some(Path::new(SAGAS)).filter(|path| path.is_dir()));
    let Some(directory) = directory else { return Ok(read::builtin()) };
    let files = load::files(&[directory.to_owned()], None)?;
    let is_catalog = |path: &str| read::FileKind::of(path) == Some(read::FileKind::Catalog);
    let mut texts = files.texts();
    texts.files.retain(|(path, _)| is_catalog(path));
    texts.unreadable.retain(|(path, _)| is_catalog(path));
    let (library, found) = read::load_by(texts, &InTurn);
    if found.has_errors() {
        let text = render::human(&found, &library.sources, false);
        return Err(Failure::new(Exit::No, format!("the catalog is not valid\n\n{}", text.trim())));
    }
    Ok(library.catalog)
}

/// The vocabulary as one catalog document: what a `*.catalog.yaml` may hold, as JSON.
fn document(catalog: &Catalog) -> Value {
    let targets = catalog.targets.values().map(|decl| (&*decl.name, target(decl)));
    let events = catalog.events.values().map(|decl| (&*decl.name, event(decl)));
    let commands = catalog.commands.values().map(|decl| (&*decl.name, command(decl)));
    json!({ "targets": named(targets), "events": named(events), "commands": named(commands) })
}

fn named<'a>(pairs: impl Iterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn target(decl: &TargetDecl) -> Value {
    json!({
        "doc": decl.doc,
        "buffer": decl.buffer,
        "disconnect_timeout": decl.disconnect_timeout.to_string(),
        "overflow": match decl.overflow {
            Overflow::FailOldest => "fail_oldest",
            Overflow::FailNewest => "fail_newest",
        },
    })
}

fn event(decl: &EventDecl) -> Value {
    json!({ "doc": decl.doc, "fields": fields(&decl.fields) })
}

fn command(decl: &CommandDecl) -> Value {
    json!({
        "target": &*decl.target,
        "doc": decl.doc,
        "fields": fields(&decl.fields),
        "echoes": names(&decl.echoes),
        "failures": names(&decl.failures),
        "idempotent": decl.idempotent,
        "undo": undo(&decl.undo),
    })
}

fn names(names: &[std::sync::Arc<str>]) -> Value {
    names.iter().map(|name| Value::from(&**name)).collect()
}

fn undo(undo: &CatalogUndo) -> &str {
    match undo {
        CatalogUndo::None => "none",
        CatalogUndo::Irreversible => "irreversible",
        CatalogUndo::Command(name) => name,
    }
}

/// Fields with their schemas and the two additions of the language.
fn fields(fields: &Fields) -> Value {
    let schema = |field: &crate::definition::FieldDecl| {
        let mut schema = match &field.schema {
            Value::Object(schema) => schema.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        // A list of an object's properties stands there already; such a field must come unless a
        // default is filled in.
        if !schema.contains_key("required") {
            schema.insert("required".to_owned(), field.required.into());
        }
        if field.sensitive {
            schema.insert("sensitive".to_owned(), true.into());
        }
        Value::Object(schema)
    };
    named(fields.list.iter().map(|field| (&*field.name, schema(field))))
}

fn page(catalog: &Catalog) -> Vec<Line> {
    let mut lines = Vec::new();
    for target in catalog.targets.values() {
        lines.push(Line::of(Tone::Strong, format!("target {}", target.name)));
        lines.extend(doc(&target.doc));
        let commands = catalog.commands.values().filter(|decl| decl.target == target.name);
        for decl in commands {
            lines.push(Line::default());
            lines.extend(command_lines(decl));
        }
        lines.push(Line::default());
    }
    lines.push(Line::of(Tone::Strong, "events"));
    for decl in catalog.events.values() {
        lines.push(signature(&decl.name, &decl.fields));
        lines.extend(doc(&decl.doc));
    }
    lines
}

fn command_lines(decl: &CommandDecl) -> Vec<Line> {
    let mut lines = vec![signature(&decl.name, &decl.fields)];
    lines.extend(doc(&decl.doc));
    let mut fact = |name: &str, words: String| {
        if !words.is_empty() {
            lines.push(Line::of(Tone::Faint, format!("      {name:<11}")).and(Tone::Plain, words));
        }
    };
    fact("echoes", decl.echoes.join(", "));
    fact("failures", decl.failures.join(", "));
    fact("undo", undo(&decl.undo).to_owned());
    fact("idempotent", if decl.idempotent { "yes" } else { "no" }.to_owned());
    lines
}

/// `name(label: string, crash_detected?: boolean)`: a `?` marks what may be left out.
fn signature(name: &str, fields: &Fields) -> Line {
    let one = |field: &crate::definition::FieldDecl| {
        let optional = if field.required { "" } else { "?" };
        format!("{}{optional}: {}", field.name, type_word(&field.schema))
    };
    let fields: Vec<String> = fields.list.iter().map(one).collect();
    Line::of(Tone::Good, format!("  {name}")).and(Tone::Plain, format!("({})", fields.join(", ")))
}

fn type_word(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        return words.join(" | ");
    }
    match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.join(" | ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "any".to_owned(),
    }
}

fn doc(text: &str) -> impl Iterator<Item = Line> {
    text.lines().map(|line| Line::of(Tone::Faint, format!("      {line}")))
}
