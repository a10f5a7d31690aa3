//! `sagaflow validate` on a directory of many sagas: the program as a process of its own, from its
//! start to its last word, and in process what its time goes into.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sagaflow::launcher::{Loaded, read_directory};

use crate::measure::ms;

const SAGAS: u64 = 1_000;
const STEPS: u64 = 10;
const ROUNDS: usize = 11;

/// What the sagas may say: what is done and undone to an order, with an answer for each.
const CATALOG: &str = r#"
targets: { host: { doc: "Stock, till and post office in one." } }
events:
  order_placed: { fields: { order: { type: string }, pieces: { type: integer } } }
  stock_reserved: { fields: { order: { type: string }, shelf: { type: string } } }
  stock_released: { fields: { order: { type: string } } }
  stock_short: { fields: { order: { type: string }, left: { type: integer } } }
commands:
  reserve_stock:
    target: host
    fields: { order: { type: string }, pieces: { type: integer }, note: { type: string } }
    echoes: [stock_reserved]
    failures: [stock_short]
    idempotent: true
    undo: release_stock
  release_stock:
    { target: host, fields: { order: { type: string } }, echoes: [stock_released],
      idempotent: true, undo: none }
"#;

/// Runs it with so many sagas of so many steps.
pub fn run(args: &[String]) {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let (sagas, steps) = (number(0).unwrap_or(SAGAS), number(1).unwrap_or(STEPS));
    let scratch = tempfile::tempdir().expect("the machine has a disk");
    let write = |name: &str, text: &str| {
        fs::write(scratch.path().join(name), text).expect("the disk has room");
    };
    write("shop.catalog.yaml", CATALOG);
    for saga in 0..sagas {
        write(&format!("order_{saga}.saga.yaml"), &saga_text(saga, steps));
    }
    let mut whole: Vec<Duration> = (0..ROUNDS).map(|_| process(scratch.path())).collect();
    let mut parts: Vec<(Duration, Duration)> =
        (0..ROUNDS).map(|_| in_process(scratch.path())).collect();
    whole.sort();
    parts.sort_by_key(|(read, compile)| *read + *compile);
    let (read, compile) = parts[ROUNDS / 2];
    println!("{sagas} sagas of {steps} steps, {ROUNDS} rounds");
    println!(
        "  validate, a process: median {:.0} ms, from {:.0} to {:.0}",
        ms(whole[ROUNDS / 2]),
        ms(whole[0]),
        ms(whole[ROUNDS - 1])
    );
    println!("  in process: files {:.0} ms, reading and checking {:.0} ms", ms(read), ms(compile));
}

/// A saga of that many steps, one after the other, each with an undo of its own, a way to fail and
/// an answer that later steps read.
fn saga_text(number: u64, steps: u64) -> String {
    let mut text = format!(
        r#"saga: order_{number}
doc: "Reserves the stock of an order, shelf by shelf."
trigger: {{ event: order_placed, when: "trigger.pieces > {number}" }}
input: {{ order: "${{{{ trigger.order }}}}", pieces: "${{{{ trigger.pieces }}}}" }}
eviction: {{ key: input.order, policy: refuse }}
timeout: 1h
defaults: {{ timeout: 1m }}
steps:
"#
    );
    for step in 0..steps {
        let note = match step.checked_sub(1) {
            None => "first of order ${{ input.order }}".to_owned(),
            Some(before) => format!("after ${{{{ vars.shelf_{before} }}}}"),
        };
        write!(
            text,
            r#"  - id: reserve_{step}
    issue: reserve_stock
    with: {{ order: "${{{{ input.order }}}}", pieces: "${{{{ input.pieces }}}}", note: "{note}" }}
    await:
      echo: stock_reserved
      where: event.order == input.order && size(event.shelf) > 0
      save: {{ shelf_{step}: "${{{{ event.shelf }}}}" }}
    fail_on:
      - {{ echo: stock_short, where: event.order == input.order && event.left < input.pieces,
          reason: "only ${{{{ string(event.left) }}}} of ${{{{ string(input.pieces) }}}} are left" }}
    retry: {{ attempts: 3, backoff: exponential, delay: 100ms, on: [timeout, unreachable] }}
"#
        )
        .expect("writing to a String cannot fail");
    }
    let last = steps.saturating_sub(1);
    writeln!(text, "result: {{ shelf: \"${{{{ vars.shelf_{last} }}}}\" }}")
        .expect("writing to a String cannot fail");
    text
}

/// The program from its start to its end.
fn process(directory: &Path) -> Duration {
    let from = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagaflow"));
    let output = command.arg("validate").arg(directory).output().expect("cargo has built it");
    let took = from.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("nothing wrong"), "{said}");
    took
}

/// The same without a process and without words: the files, then what is in them.
fn in_process(directory: &Path) -> (Duration, Duration) {
    let from = Instant::now();
    let texts = read_directory(directory).expect("it was written");
    let read = from.elapsed();
    let loaded = Loaded::of_texts(texts);
    assert!(loaded.diagnostics.iter().next().is_none(), "the bench's own sagas are right");
    (read, from.elapsed() - read)
}
