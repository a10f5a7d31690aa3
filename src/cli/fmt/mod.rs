//! `sagaflow fmt`: files laid out in place, compared, or passed through. Lays nothing out itself.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::diff;
use super::exit::{Exit, Failure, Outcome};
use super::load::{self, SAGAS};
use super::out::{self, Shape};
use super::rewrite;
use crate::definition::read::{FileKind, Texts, load_by};
use crate::definition::spread::InTurn;
use crate::diag::{Diagnostics, SourceMap, render};
use crate::format::{Refused, format, kind_of};
use crate::limits;
use crate::view::text::Tone;

/// Arguments of `fmt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or directories of them; `-` lays stdin out to stdout [default: sagas]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing; print what would change, and exit 1 when anything would
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    shape: Shape,
}

/// What became of the files.
#[derive(Debug, Default)]
struct Done {
    files: usize,
    changed: Vec<String>,
    diffs: String,
    refused: Vec<(Diagnostics, SourceMap)>,
    /// Files that are YAML and yet are left alone, with the reason.
    unusual: Vec<String>,
}

/// Lays out, or compares.
pub(super) fn run(args: &Args) -> Outcome {
    if args.paths.iter().any(|path| path == Path::new("-")) {
        if args.paths.len() > 1 {
            return Err(Failure::usage("`-` is stdin, and goes with no other path"));
        }
        return through(args);
    }
    let default = [PathBuf::from(SAGAS)];
    let paths = if args.paths.is_empty() { &default[..] } else { &args.paths };
    let mut done = Done::default();
    for (path, shown, content) in load::named(paths)? {
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(why) => {
                done.unreadable(shown, why);
                continue;
            }
        };
        let after = done.take(&shown, FileKind::of(&shown), &bytes);
        if let Some(after) = after
            && !args.check
        {
            rewrite::replace(&path, &bytes, &after).map_err(|why| {
                Failure::new(Exit::No, format!("cannot write {shown}: {why}; it is as it was"))
            })?;
        }
    }
    report(args, &done)
}

impl Done {
    /// Notes what would become of a text, and gives what it becomes when it changes.
    fn take(&mut self, shown: &str, kind: Option<FileKind>, bytes: &[u8]) -> Option<String> {
        self.files += 1;
        let text = String::from_utf8_lossy(bytes);
        // What is not UTF-8 is said by the reader, which is given the bytes' loss to find.
        let kind = kind.unwrap_or_else(|| kind_of(&text));
        let laid = match std::str::from_utf8(bytes) {
            Ok(text) => format(shown, kind, text),
            Err(_) => return self.not_utf8(shown, bytes),
        };
        match laid {
            Ok(after) if after == text => None,
            Ok(after) => {
                self.changed.push(shown.to_owned());
                self.diffs.push_str(&diff::unified(shown, &text, &after));
                Some(after)
            }
            Err(Refused::Unreadable(found, sources)) => {
                self.refused.push((found, sources));
                None
            }
            Err(Refused::Unusual { what, span }) => {
                let mut sources = SourceMap::default();
                let file = sources.add(shown, &*text);
                let at = sources.place(crate::diag::Span { file, ..span });
                let words = format!(
                    "{shown}:{}:{}: left as it is, for it holds {what}",
                    at.line, at.column
                );
                self.unusual.push(words);
                None
            }
        }
    }

    fn unreadable(&mut self, shown: String, why: String) {
        self.files += 1;
        let texts = Texts { files: Vec::new(), unreadable: vec![(shown, why)] };
        let (library, found) = load_by(texts, &InTurn);
        self.refused.push((found, library.sources));
    }

    fn not_utf8(&mut self, shown: &str, bytes: &[u8]) -> Option<String> {
        let mut sources = SourceMap::default();
        let mut found = Diagnostics::default();
        crate::definition::read::document(shown.to_owned(), bytes, &mut sources, &mut found);
        self.refused.push((found, sources));
        None
    }

    fn is_refused(&self) -> bool {
        !self.refused.is_empty() || !self.unusual.is_empty()
    }
}

/// From stdin to stdout.
fn through(args: &Args) -> Outcome {
    let mut bytes = Vec::new();
    let most = limits::YAML_BYTES_MAX as u64 + 1;
    io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Exit::No, format!("cannot read stdin: {error}")))?;
    let mut done = Done::default();
    let after = done.take("<stdin>", None, &bytes);
    if args.check || args.shape.is_json() {
        return report(args, &done);
    }
    // What comes out here goes into a file or onto a screen in place of what went in.
    if let Some((found, sources)) = done.refused.first() {
        let text = render::human(found, sources, out::colour());
        let message = format!("stdin cannot be laid out\n\n{}", text.trim_end());
        return Err(Failure::new(Exit::No, message));
    }
    if done.is_refused() {
        return report(args, &done);
    }
    let text = after.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
    out::text(&text)?;
    Ok(Exit::Fine)
}

fn report(args: &Args, done: &Done) -> Outcome {
    if args.shape.is_json() {
        let found: Vec<_> = done
            .refused
            .iter()
            .flat_map(|(found, sources)| {
                let shown = render::json(found, sources, 1);
                shown["diagnostics"].as_array().cloned().unwrap_or_default()
            })
            .collect();
        let left = &done.unusual;
        out::json(&json!({
            "files": done.files, "changed": done.changed, "left": left, "diagnostics": found,
        }))?;
    } else {
        for (found, sources) in &done.refused {
            out::text(&render::human(found, sources, out::colour()))?;
        }
        if args.check {
            out::text(&done.diffs)?;
        }
    }
    for words in &done.unusual {
        out::complain(words);
    }
    summary(args, done);
    let wrong = done.is_refused() || (args.check && !done.changed.is_empty());
    Ok(if wrong { Exit::No } else { Exit::Fine })
}

fn summary(args: &Args, done: &Done) {
    let would = if args.check { "would lay out" } else { "laid out" };
    for path in &done.changed {
        out::say(Tone::Plain, &format!("{would} {path}"));
    }
    let refused = done.refused.len() + done.unusual.len();
    let files = if done.files == 1 { "1 file".to_owned() } else { format!("{} files", done.files) };
    let mut words = match (done.changed.len(), args.check) {
        (0, _) => format!("{files}, none to lay out"),
        (count, true) => {
            format!("{files}, {count} to lay out: sagaflow fmt{}", args_again(args))
        }
        (count, false) => format!("{files}, {count} laid out"),
    };
    if refused > 0 {
        words.push_str(&format!(", {refused} left as it is"));
    }
    let bad = refused > 0 || (args.check && !done.changed.is_empty());
    out::say(if bad { Tone::Bad } else { Tone::Good }, &words);
}

fn args_again(args: &Args) -> String {
    args.paths.iter().map(|path| format!(" {}", path.display())).collect()
}
