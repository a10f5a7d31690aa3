//! One child that writes ten thousand lines a second, and turns of other blocks beside it: what its
//! lines cost them. Asserts no times, only that every turn ends.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::house::{House, Launcher, Peer, number};
use crate::measure::{median, ms};

/// Turns of one slice, one after the other.
const TURNS: usize = 40;
const ROUNDS: usize = 5;
/// Ten thousand lines a second and some more: what the shell itself takes is not in the pause.
const FLOOD: &str = "while :; do seq 1300; sleep 0.1; done";

const SAGA: &str = "\
saga: NAME
trigger: { call: { fields: { block: { type: string }, script: { type: string } } } }
input: { block: \"${{ trigger.block }}\", script: \"${{ trigger.script }}\" }
eviction: { policy: parallel }
timeout: none
steps:
  - id: run
    issue: COMMAND
    with: { block_id: \"${{ input.block }}\"MORE }
    await: { echo: ANSWER }
    timeout: 10m
";

/// Runs it; a number: rounds.
pub fn run(args: &[String]) -> ExitCode {
    let rounds = args.first().and_then(|arg| arg.parse().ok()).unwrap_or(ROUNDS).max(1);
    println!("a child that writes 10,000 lines a second, turns of another block beside it");
    match measured(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("  not all turns ended: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measured(rounds: usize) -> io::Result<()> {
    let house = House::new(None);
    let saga = |name: &str, command: &str, answer: &str, more: &str| {
        let text = SAGA.replace("NAME", name).replace("COMMAND", command).replace("ANSWER", answer);
        house.write(&format!("{name}.saga.yaml"), &text.replace("MORE", more));
    };
    let argv = ", argv: \"${{ ['sh', '-c', input.script] }}\", message: ''";
    saga("turn", "spawn_turn", "turn_ended", argv);
    saga("stop", "stop_turn", "turn_stopped", "");
    let launcher = house.launch();
    let lines = count_lines(&launcher)?;
    let mut asker =
        Asker { peer: launcher.register(1, "tool", r#"["saga_completed"]"#)?, asked: 0 };
    asker.slice()?;
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let quiet = asker.slice()?;
        let flood = asker.start("turn", "flood", FLOOD)?;
        let before = lines.load(Ordering::Relaxed);
        while lines.load(Ordering::Relaxed) < before + 10_000 {
            thread::sleep(Duration::from_millis(1));
        }
        let (from, before) = (Instant::now(), lines.load(Ordering::Relaxed));
        let loud = asker.slice()?;
        let passed = lines.load(Ordering::Relaxed) - before;
        let rate = passed as f64 / from.elapsed().as_secs_f64();
        let stop = asker.start("stop", "flood", "")?;
        asker.completed(&[flood, stop])?;
        println!(
            "  a turn takes {:.2} ms alone and {:.2} ms beside {rate:.0} lines a second",
            ms(quiet) / TURNS as f64,
            ms(loud) / TURNS as f64,
        );
        ratios.push(loud.as_secs_f64() / quiet.as_secs_f64());
        rates.push(rate);
    }
    println!("  beside / alone: {}", median(&mut ratios));
    println!("  lines a second that were told: {}", median(&mut rates));
    let used = launcher.usage();
    println!("  memory: {} kB, at most {} kB", used.held, used.peak);
    launcher.stop()
}

/// Counts the lines that are told, for as long as the launcher runs.
fn count_lines(launcher: &Launcher) -> io::Result<Arc<AtomicU64>> {
    let mut peer = launcher.register(2, "tool", r#"["turn_output"]"#)?;
    let lines = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lines);
    thread::spawn(move || {
        while peer.next().is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(lines)
}

struct Asker {
    peer: Peer,
    asked: u64,
}

impl Asker {
    /// Time of so many turns of a block, one after the other.
    fn slice(&mut self) -> io::Result<Duration> {
        let from = Instant::now();
        for _ in 0..TURNS {
            let saga = self.start("turn", "other", "echo one")?;
            self.completed(&[saga])?;
        }
        Ok(from.elapsed())
    }

    fn start(&mut self, saga: &str, block: &str, script: &str) -> io::Result<u64> {
        self.asked += 1;
        let asked = self.asked;
        self.peer.send(&format!(
            r#"{{"cmd":"start_saga","id":"{asked}","saga":"{saga}","input":{{"block":"{block}","script":"{script}"}}}}"#
        ))?;
        loop {
            let line = self.peer.next()?;
            if line.starts_with(r#"{"event":"saga_accepted""#) {
                return number(line, "saga_id").ok_or_else(|| io::Error::other(line.to_owned()));
            }
        }
    }

    fn completed(&mut self, sagas: &[u64]) -> io::Result<()> {
        let mut open = sagas.to_vec();
        while !open.is_empty() {
            let line = self.peer.next()?;
            let saga = number(line, "saga_id").filter(|_| line.contains("saga_completed"));
            open.retain(|one| saga != Some(*one));
        }
        Ok(())
    }
}
