//! `validate --fix`: sure fixes applied, round by round, and shown or written. Offers none itself.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Args;
use crate::cli::diff;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::load::Files;
use crate::cli::{named, out, rewrite};
use crate::definition::read::Texts;
use crate::diag::{Code, Fix, LineColumn, apply};
use crate::launcher::Loaded;
use crate::view::text::Tone;

/// A cure may uncover the next mistake; a text that is never done is left after so many rounds.
const ROUNDS_MAX: usize = 20;

/// One fix that was applied.
pub(super) struct Done {
    code: Code,
    path: String,
    at: LineColumn,
    message: String,
}

/// What became of the files.
pub(super) struct Mended {
    /// What is left to say about them.
    pub loaded: Loaded,
    /// What was done.
    pub done: Vec<Done>,
    /// The files that changed.
    changed: Vec<Changed>,
}

struct Changed {
    path: PathBuf,
    /// The path as messages show it.
    shown: String,
    before: String,
    after: String,
}

/// Applies the sure fixes of the files that were asked for until none is offered.
pub(super) fn mend(files: Files) -> Mended {
    let Files { mut list, asked, unreadable } = files;
    let before = list.clone();
    let mut done = Vec::new();
    let load = |list: &[(String, Vec<u8>)]| {
        Loaded::of_texts(Texts { files: list.to_vec(), unreadable: unreadable.clone() })
    };
    let mut loaded = load(&list);
    for _ in 0..ROUNDS_MAX {
        let mut any = false;
        for (path, bytes) in list.iter_mut().filter(|(path, _)| asked.contains_key(path)) {
            let fixes = offered(&loaded, path);
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            let only: Vec<&Fix> = fixes.iter().map(|(_, fix)| *fix).collect();
            let (after, applied) = apply(text, &only);
            if after == text {
                continue;
            }
            any = true;
            done.extend(applied.iter().map(|index| note(&loaded, path, fixes[*index])));
            *bytes = after.into_bytes();
        }
        if !any {
            break;
        }
        loaded = load(&list);
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let pairs = before.into_iter().zip(list).filter(|(before, after)| before.1 != after.1);
    let changed = pairs.filter_map(|((shown, before), (_, after))| {
        let path = asked.get(&shown)?.clone();
        Some(Changed { path, shown, before: text(before), after: text(after) })
    });
    Mended { loaded, done, changed: changed.collect() }
}

fn offered<'l>(loaded: &'l Loaded, path: &str) -> Vec<(Code, &'l Fix)> {
    let sources = &loaded.defined.sources;
    let fixes = loaded.diagnostics.iter().filter_map(|one| Some((one.code, one.fix.as_ref()?)));
    fixes.filter(|(_, fix)| fix.edits.iter().all(|(at, _)| sources.path(at.file) == path)).collect()
}

fn note(loaded: &Loaded, path: &str, (code, fix): (Code, &Fix)) -> Done {
    let at = fix.edits.first().map(|(span, _)| loaded.defined.sources.place(*span));
    let at = at.unwrap_or(LineColumn { line: 1, column: 1 });
    Done { code, path: path.to_owned(), at, message: fix.message.clone() }
}

impl Mended {
    /// Writes the files that changed, each as a whole.
    ///
    /// # Errors
    /// One cannot be written, or is no longer what was checked.
    pub(super) fn write(&self) -> Result<(), Failure> {
        for Changed { path, shown, before, after } in &self.changed {
            rewrite::replace(path, before.as_bytes(), after).map_err(|why| {
                Failure::new(Exit::No, format!("cannot write {shown}: {why}; it is as it was"))
            })?;
        }
        Ok(())
    }
}

/// Says what was done, a line each.
pub(super) fn say(done: &[Done], did: &str) {
    for Done { code, path, at, message } in done {
        let words = format!("{did} {path}:{}:{}: {code}: {message}", at.line, at.column);
        out::say(Tone::Plain, &words);
    }
}

/// What was done, for tools.
pub(super) fn json(done: &[Done]) -> Value {
    let one = |one: &Done| {
        json!({
            "code": one.code.as_str(),
            "file": one.path,
            "line": one.at.line,
            "column": one.at.column,
            "message": one.message,
        })
    };
    done.iter().map(one).collect()
}

/// Prints what would be changed. The verdict is on the files as they are.
pub(super) fn show(args: &Args, files: Files) -> Outcome {
    let asked = files.asked.len();
    let texts = Texts { files: files.list.clone(), unreadable: files.unreadable.clone() };
    let mut found = Loaded::of_texts(texts);
    found.diagnostics = named::told(found.diagnostics, &found.defined, &files.asked);
    let mended = mend(files);
    let of = |one: &Changed| diff::unified(&one.shown, &one.before, &one.after);
    let diff: String = mended.changed.iter().map(of).collect();
    if args.is_json() {
        let mut told = crate::diag::render::json(&found.diagnostics, &found.defined.sources, asked);
        told["fixed"] = json(&mended.done);
        told["diff"] = diff.into();
        out::json(&told)?;
    } else {
        out::text(&diff)?;
        say(&mended.done, "would fix");
        super::summary(args, &found.diagnostics, asked);
    }
    Ok(super::verdict(args, &found.diagnostics))
}
