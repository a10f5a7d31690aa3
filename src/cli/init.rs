//! `sagaflow init`: a directory in which the next command works: definitions, schemas, a host to
//! play. Overwrites nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure, Outcome};
use super::load::{self, SAGAS};
use super::{new, out, schema};
use crate::view::text::{Line, Tone};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Where the launcher keeps its log and socket.
const IGNORED: &str = ".sagaflow/";

/// Makes the current directory ready.
pub(super) fn run(_: &Args) -> Outcome {
    let sagas = Path::new(SAGAS);
    if sagas.is_dir() && !load::beside(sagas)?.is_empty() {
        let message = "sagas has definitions already; add one with: sagaflow new NAME";
        return Err(Failure::new(Exit::No, message));
    }
    let mut files: Vec<(PathBuf, String)> = [
        ("sagas/seats.catalog.yaml", CATALOG),
        ("sagas/book_seat.saga.yaml", SAGA),
        ("seats.host.yaml", SCRIPT),
    ]
    .map(|(path, text)| (path.into(), text.to_owned()))
    .into();
    let definitions =
        files[..2].iter().map(|(path, text)| (path.to_string_lossy().into(), text.clone().into()));
    for (name, text) in schema::of(definitions.collect::<Vec<_>>().into())? {
        files.push((Path::new("schemas").join(name), text));
    }
    new::write_new(&files)?;
    ignore()?;
    let next = [
        ("sagaflow run", "the launcher; leave it running"),
        ("sagaflow host --script seats.host.yaml", "in a second terminal: plays the target"),
        ("sagaflow start book_seat seat=12A --wait", "in a third: a saga, from end to end"),
    ];
    let lines = next.map(|(command, what)| {
        Line::of(Tone::Strong, format!("{command:<42}")).and(Tone::Faint, format!("# {what}"))
    });
    out::lines(&lines)?;
    Ok(Exit::Fine)
}

/// Adds the data directory to `.gitignore`, unless it is in it.
fn ignore() -> Result<(), Failure> {
    let path = Path::new(".gitignore");
    let wrong = |error: std::io::Error| {
        Failure::new(Exit::No, format!("cannot write {}: {error}", path.display()))
    };
    let mut text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(wrong(error)),
    };
    let bare = |line: &str| line.trim().trim_matches('/') == IGNORED.trim_matches('/');
    if text.lines().any(bare) {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{IGNORED}\n"));
    fs::write(path, text).map_err(wrong)?;
    out::say(Tone::Good, &format!("added {IGNORED} to {}", path.display()));
    Ok(())
}

const CATALOG: &str = "\
# yaml-language-server: $schema=../schemas/catalog.schema.json
targets:
  seats: { doc: Owns the seats and who sits on them. }
events:
  seat_reserved: { doc: The seat is kept., fields: { seat: { type: string } } }
  seat_released: { doc: The seat is free., fields: { seat: { type: string } } }
  ticket_issued: { doc: It is paid., fields: { seat: { type: string }, ticket: { type: string } } }
commands:
  reserve_seat:
    target: seats
    doc: Keep a seat for a while.
    fields: { seat: { type: string } }
    echoes: [seat_reserved] # what answers it
    idempotent: true # the same command twice is done once, and answered twice
    undo: release_seat
  release_seat:
    target: seats
    doc: Free a seat. Freeing a free one is answered too.
    fields: { seat: { type: string } }
    echoes: [seat_released]
    idempotent: true
    undo: irreversible
  issue_ticket:
    target: seats
    doc: Take the money and issue the ticket.
    fields: { seat: { type: string } }
    echoes: [ticket_issued]
    idempotent: true
    undo: irreversible # a ticket that is out is out
";

const SAGA: &str = "\
# yaml-language-server: $schema=../schemas/saga.schema.json
saga: book_seat
doc: Reserve a seat and issue its ticket.

trigger: { call: { fields: { seat: { type: string } } } }
input: { seat: \"${{ trigger.seat }}\" }

eviction: { key: input.seat, policy: refuse } # one booking of a seat at a time
timeout: 30s

steps:
  - id: reserve
    issue: reserve_seat
    with: { seat: \"${{ input.seat }}\" }
    await: { echo: seat_reserved }
    timeout: 5s # after that it may or may not have happened, and is undone by release_seat
  - id: ticket
    issue: issue_ticket
    with: { seat: \"${{ input.seat }}\" }
    await: { echo: ticket_issued, save: { ticket: \"${{ event.ticket }}\" } }
    timeout: 10s
    pivot: true # once it may have happened there is only forward

result: { ticket: \"${{ vars.ticket }}\" }
";

const SCRIPT: &str = "\
# Plays the target `seats`. Try `{ fail: sold out }` or `{ silent: true }` for a command.
target: seats
commands:
  reserve_seat: { reply: seat_reserved, after: 200ms }
  issue_ticket: { reply: ticket_issued, with: { ticket: \"T-${{ command.seat }}\" } }
  release_seat: { reply: seat_released }
";
