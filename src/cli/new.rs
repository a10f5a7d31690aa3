//! `sagaflow new`: the first text of a saga, made of what the catalog has and checked before it is
//! written. Overwrites nothing.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure, Outcome};
use super::load::{self, SAGAS};
use super::out;
use crate::definition::{CatalogUndo, CommandDecl, FieldDecl, read};
use crate::diag::render;
use crate::launcher::Loaded;
use crate::view::text::Tone;

/// Arguments of `new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the saga, like close_window
    #[arg(value_parser = name)]
    name: String,
    /// Directory of the definitions; made if it is not there
    #[arg(long, value_name = "DIR", default_value = SAGAS)]
    sagas: PathBuf,
}

/// A name as the language has them.
fn name(text: &str) -> Result<String, String> {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(rest) {
        Ok(text.to_owned())
    } else {
        Err("names are snake_case: small letters, digits and `_`, a letter first".to_owned())
    }
}

/// Writes the saga, and a catalog where there is none.
pub(super) fn run(args: &Args) -> Outcome {
    let target = args.sagas.join(format!("{}.saga.yaml", args.name));
    let beside = if args.sagas.exists() { load::beside(&args.sagas)? } else { Vec::new() };
    let has_catalog =
        beside.iter().any(|(path, _)| read::FileKind::of(path) == Some(read::FileKind::Catalog));
    let mut made = Vec::new();
    if !has_catalog {
        let catalog = args.sagas.join(format!("{}.catalog.yaml", args.name));
        made.push((catalog, CATALOG.replace("NAME", &args.name)));
    }
    let text = saga(args, &target, beside, &made)?;
    made.insert(0, (target, text));
    write_new(&made)?;
    let schema = args.sagas.join("../schemas/saga.schema.json");
    if !schema.exists() {
        let words = "for an editor that completes names: sagaflow schema --write schemas --sagas";
        out::say(Tone::Faint, &format!("{words} {}", args.sagas.display()));
    }
    Ok(Exit::Fine)
}

/// Writes files that are not there yet: all or none.
///
/// # Errors
/// One of them is there, or cannot be written.
pub(super) fn write_new(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let there: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.symlink_metadata().is_ok())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !there.is_empty() {
        let there = there.join(", ");
        let message = format!("{there} is there already, and nothing is overwritten; move it away");
        return Err(Failure::new(Exit::No, message));
    }
    for (at, (path, text)) in files.iter().enumerate() {
        if let Err(error) = write_one(path, text) {
            files[..at].iter().for_each(|(path, _)| drop(fs::remove_file(path)));
            let message = format!("cannot write {}: {error}; nothing was written", path.display());
            return Err(Failure::new(Exit::No, message));
        }
    }
    for (path, _) in files {
        out::say(Tone::Good, &format!("wrote {}", path.display()));
    }
    Ok(())
}

fn write_one(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// The text of the saga: around the first command with which it is free of mistakes.
fn saga(
    args: &Args,
    target: &Path,
    beside: Vec<(String, Vec<u8>)>,
    made: &[(PathBuf, String)],
) -> Result<String, Failure> {
    let mut around = beside;
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    around.extend(made.iter().map(|(path, text)| (shown(path), text.clone().into_bytes())));
    let (library, found) = read::load(around.clone());
    if !library.catalog_is_whole {
        let text = render::human(&found, &library.sources, false);
        let message = format!("the catalog is not valid\n\n{}", text.trim());
        return Err(Failure::new(Exit::No, message));
    }
    if library.sagas.iter().any(|saga| saga.name.value == args.name) {
        let message = format!("there is a saga `{}` already; choose another name", args.name);
        return Err(Failure::new(Exit::No, message));
    }
    let built_in = read::builtin();
    let commands = library.catalog.commands.values();
    // One with an undo shows more than one without, and a built-in one less than the user's own.
    let rank = |decl: &CommandDecl| {
        let undo = match decl.undo {
            CatalogUndo::Command(_) => 0,
            CatalogUndo::None => 1,
            CatalogUndo::Irreversible => 2,
        };
        (built_in.commands.contains_key(&decl.name), decl.echoes.is_empty(), undo)
    };
    let mut commands: Vec<&CommandDecl> = commands.map(|decl| &**decl).collect();
    commands.sort_by_key(|decl| (rank(decl), decl.name.clone()));
    let texts = commands.into_iter().map(|decl| skeleton(&args.name, Some(decl)));
    texts
        .chain([skeleton(&args.name, None)])
        .find(|text| {
            let mut files = around.clone();
            files.push((shown(target), text.clone().into_bytes()));
            is_free_of_mistakes(target, files)
        })
        .ok_or_else(|| Failure::new(Exit::No, "no saga can be made of this catalog"))
}

/// Whether nothing is found in that file.
fn is_free_of_mistakes(target: &Path, files: Vec<(String, Vec<u8>)>) -> bool {
    let Loaded { defined: library, diagnostics: found, .. } = Loaded::of(files);
    let target = target.to_string_lossy();
    !found.iter().any(|one| library.sources.path(one.primary().file) == target)
}

/// A saga of one step: that command, or without one a pause.
fn skeleton(name: &str, command: Option<&CommandDecl>) -> String {
    let fields: Vec<&FieldDecl> = command
        .map(|decl| decl.fields.list.iter().filter(|field| field.required).collect())
        .unwrap_or_default();
    let mut text = format!("{SCHEMA_LINE}saga: {name}\n{HEAD}");
    if fields.is_empty() {
        text.push_str("trigger: { call: { fields: {} } }\n");
    } else {
        text.push_str("trigger:\n  call:\n    fields:\n");
        for field in &fields {
            text.push_str(&format!("      {}: {}\n", field.name, declared(field)));
        }
        text.push_str("\n# Taken from the trigger once, and frozen.\ninput:\n");
        for field in &fields {
            text.push_str(&format!("  {0}: \"${{{{ trigger.{0} }}}}\"\n", field.name));
        }
    }
    text.push_str(EVICTION);
    let key = fields.first().map_or(String::new(), |field| format!("key: input.{}, ", field.name));
    text.push_str(&format!("eviction: {{ {key}policy: queue, queue_max: 10 }}\n{TIMEOUT}"));
    match command {
        Some(decl) => text.push_str(&step(decl, &fields)),
        None => text.push_str("  - id: pause\n    delay: 1s\n"),
    }
    text
}

/// A field as it is declared, on one line: JSON is YAML.
fn declared(field: &FieldDecl) -> String {
    let only_type = field.schema.as_object().is_some_and(|schema| schema.len() == 1);
    if let Some(word) = field.schema["type"].as_str().filter(|_| only_type && !field.sensitive) {
        return format!("{{ type: {word} }}");
    }
    let mut schema = field.schema.clone();
    if field.sensitive && schema.is_object() {
        schema["sensitive"] = true.into();
    }
    schema.to_string()
}

fn step(decl: &CommandDecl, fields: &[&FieldDecl]) -> String {
    let mut text = format!("  - id: first\n    issue: {}\n", decl.name);
    if !fields.is_empty() {
        text.push_str("    with:\n");
    }
    for field in fields {
        text.push_str(&format!("      {0}: \"${{{{ input.{0} }}}}\"\n", field.name));
    }
    match &*decl.echoes {
        [] => text.push_str("    await: none # it has no answer: sent is done\n"),
        [echo] => text.push_str(&format!("    await: {{ echo: {echo} }}\n{STEP_TIMEOUT}")),
        echoes => {
            text.push_str("    await:\n      any_of: # the first that comes\n");
            for echo in echoes {
                text.push_str(&format!("        - {{ echo: {echo} }}\n"));
            }
            text.push_str(STEP_TIMEOUT);
        }
    }
    match &decl.undo {
        CatalogUndo::Command(undo) => text.push_str(&format!(
            "    # Undone by `{undo}`, as the catalog says; `compensate` would say otherwise.\n"
        )),
        CatalogUndo::None => {
            text.push_str("    # The catalog says that nothing is to be undone.\n");
        }
        CatalogUndo::Irreversible => {
            text.push_str("    pivot: true # cannot be undone: from here there is only forward\n");
        }
    }
    text
}

const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../schemas/saga.schema.json\n";

const HEAD: &str = "\
doc: Say in a sentence what it is for.

# What starts it: a caller, by name. An event would be `trigger: { event: EVENT, when: CONDITION }`.
";

const EVICTION: &str = "
# A second one of the same key: `replace`, `refuse`, `ignore`, `queue` or `parallel`.
";

const TIMEOUT: &str = "\
timeout: 1m # of the way forward; when it passes, what was done is undone

steps:
";

const STEP_TIMEOUT: &str = "    timeout: 10s # after that it may or may not have happened\n";

/// The vocabulary of a saga that is the first in its directory.
const CATALOG: &str = "\
# yaml-language-server: $schema=../schemas/catalog.schema.json
targets:
  host: { doc: The process that does it. }
events:
  NAME_done: { doc: It was done., fields: { label: { type: string } } }
  NAME_undone: { doc: It was undone., fields: { label: { type: string } } }
commands:
  do_NAME:
    target: host
    doc: Say what it does.
    fields: { label: { type: string } }
    echoes: [NAME_done] # what answers it
    idempotent: true # the same command twice is done once, and answered twice
    undo: undo_NAME
  undo_NAME:
    target: host
    doc: Undo it. Undoing what was never done is answered too.
    fields: { label: { type: string } }
    echoes: [NAME_undone]
    idempotent: true
    undo: irreversible
";
