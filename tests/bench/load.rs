//! The real launcher under many sagas at once, over its real socket: a host that holds its answers
//! back until all sagas have begun, a client that reports the triggers, two that hear everything.
//! Beside it the same sagas in process, without sockets. Asserts no times, only that every saga
//! completes once and that everybody hears of it.

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use sagaflow::limits::TURN_INPUTS_MAX;
use sagaflow::log::{Filter, LogRead as _, LogReader};

use crate::house::{House, Launcher, Peer, Usage};
use crate::listener::{Heard, listen};
use crate::measure::{median, ms, size};
use crate::stage::{Command, Manner, START, Stage, placed};

const SAGAS: u64 = 10_000;
const ROUNDS: usize = 3;
/// Lines of one write.
const TOGETHER: usize = 256;

/// Runs it with so many sagas at once; a second number: rounds. Fails when not all complete.
pub fn run(args: &[String]) -> ExitCode {
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u64>().ok());
    let sagas = number(0).unwrap_or(SAGAS).max(1);
    let rounds = number(1).map_or(ROUNDS, |rounds| rounds.max(1) as usize);
    println!("{sagas} sagas of 3 steps in flight at once, 4 clients, {rounds} rounds");
    let mut ratios: [Vec<f64>; 2] = Default::default();
    for _ in 0..rounds {
        let alone = in_process(sagas);
        let loaded = match launched(sagas) {
            Ok(loaded) => loaded,
            Err(error) => {
                eprintln!("  not all completed, or somebody did not hear of it: {error}");
                return ExitCode::FAILURE;
            }
        };
        for ((launcher, alone), ratios) in loaded.iter().zip(alone).zip(&mut ratios) {
            ratios.push(alone.as_secs_f64() / launcher.as_secs_f64());
        }
        let [begin, answer] = alone.map(|time| rate(sagas, time));
        println!("  in process: begin {begin:.0} sagas/s, answer {answer:.0} sagas/s");
    }
    for (phase, ratios) in ["begin", "answer"].iter().zip(&mut ratios) {
        println!("  launcher / in process, {phase}: rate {}", median(ratios));
    }
    ExitCode::SUCCESS
}

fn rate(sagas: u64, time: Duration) -> f64 {
    sagas as f64 / time.as_secs_f64()
}

/// Time of both phases of the same load on one thread, in turns as large as the launcher's.
fn in_process(sagas: u64) -> [Duration; 2] {
    let scratch = tempfile::tempdir().expect("the machine has a disk");
    let manner = Manner { name: "in process", lines: true, subscribed: true };
    let mut stage = Stage::new(&scratch.path().join("log.db"), manner, START);
    let mut ids = 0..;
    let mut answers: Vec<String> = (0..sagas).map(|order| placed(order, ids.next())).collect();
    let mut begun = Duration::ZERO;
    for step in 0..4 {
        let lines = std::mem::take(&mut answers);
        for lines in lines.chunks(TURN_INPUTS_MAX) {
            let heard = stage.turn(lines);
            let commands = heard.lines().filter_map(Command::read);
            answers.extend(commands.map(|command| command.answer(ids.next())));
        }
        if step == 0 {
            begun = stage.time;
        }
    }
    assert_eq!(stage.core.coordinator().sagas().count(), 0, "every saga ends");
    [begun, stage.time - begun]
}

/// Time of both phases with a launcher.
fn launched(sagas: u64) -> io::Result<[Duration; 2]> {
    let house = House::new(None);
    let launcher = house.launch();
    let host = launcher.register(1, "host", "[]")?;
    let reporter = launcher.register(2, "tool", "[]")?;
    let renderer = launcher.register(3, "renderer", r#"["*"]"#)?;
    let srv = launcher.register(4, "srv", r#"["*"]"#)?;
    let idle = launcher.usage();
    let from = Instant::now();
    let (hosted, heard) = thread::scope(|scope| {
        let host = scope.spawn(|| play_host(host, &launcher, sagas));
        let reporter = scope.spawn(|| report(reporter, sagas));
        let listeners = [renderer, srv].map(|peer| scope.spawn(move || listen(peer, sagas)));
        let host = host.join().expect("the host does not panic");
        reporter.join().expect("the reporter does not panic")?;
        let heard = listeners.map(|one| one.join().expect("a listener does not panic"));
        let heard: io::Result<Vec<Heard>> = heard.into_iter().collect();
        Ok::<_, io::Error>((host?, heard?))
    })?;
    let over = heard.iter().map(|heard| heard.over).max().unwrap_or(from);
    let phases = [hosted.begun - from, over - hosted.begun];
    print_launcher(sagas, phases, [idle, hosted.usage, launcher.usage()]);
    for heard in &heard {
        heard.print(hosted.over);
    }
    launcher.stop()?;
    let log = house.log();
    println!("    {} B of log a saga", size(&log) / sagas);
    let completed = Filter { states: vec!["completed".into()], ..Filter::default() };
    let reader = LogReader::open(&log).map_err(io::Error::other)?;
    let found = reader.list(&completed, usize::MAX).map_err(io::Error::other)?.len() as u64;
    if found != sagas {
        return Err(io::Error::other(format!("the log has {found} completed sagas")));
    }
    println!("    {found} sagas completed, each told once to each subscriber; none lost");
    Ok(phases)
}

fn print_launcher(sagas: u64, phases: [Duration; 2], usage: [Usage; 3]) {
    let [idle, held, over] = usage;
    let [begin, answer] = phases.map(|time| rate(sagas, time));
    println!(
        "  launcher: begin {begin:.0} sagas/s in {:.0} ms, answer {answer:.0} sagas/s in {:.0} ms",
        ms(phases[0]),
        ms(phases[1]),
    );
    let cpu = |from: Usage, to: Usage| (to.cpu - from.cpu).as_secs_f64() * 1e6 / sagas as f64;
    println!(
        "    CPU {:.1} + {:.1} us a saga; memory idle {:.1} MB, all waiting {:.1} MB ({} B a saga), \
         peak {:.1} MB",
        cpu(idle, held),
        cpu(held, over),
        idle.held as f64 / 1e3,
        held.held as f64 / 1e3,
        held.held.saturating_sub(idle.held) * 1024 / sagas,
        over.peak as f64 / 1e3,
    );
}

/// What the host saw.
struct Hosted {
    /// When every saga's first command had come.
    begun: Instant,
    /// What the launcher had used then.
    usage: Usage,
    /// When its last answer was accepted.
    over: Instant,
}

/// Keeps the answers to first commands until all sagas have begun, then answers whatever comes. Its
/// reading does not wait for its writing, because the launcher may wait for either.
fn play_host(mut peer: Peer, launcher: &Launcher, sagas: u64) -> io::Result<Hosted> {
    let mut ids = 0..;
    let mut held = Vec::new();
    while (held.len() as u64) < sagas {
        if let Some(command) = Command::read(peer.next()?) {
            held.push(command.answer(ids.next()));
        }
    }
    let (begun, usage) = (Instant::now(), launcher.usage());
    let (say, said) = channel();
    for together in held.chunks(TOGETHER) {
        say.send(together.join("\n")).ok();
    }
    let mut writer = peer.sender()?;
    thread::scope(|scope| {
        let writer = scope.spawn(move || said.iter().try_for_each(|lines| writer.send(&lines)));
        let (mut answers, mut accepted) = (Vec::new(), 0);
        while accepted < 3 * sagas {
            let line = peer.next()?;
            match Command::read(line) {
                Some(command) => answers.push(command.answer(ids.next())),
                None => accepted += u64::from(line.starts_with(r#"{"event":"accepted""#)),
            }
            if answers.len() >= TOGETHER || !answers.is_empty() && !peer.has_more() {
                say.send(answers.join("\n")).ok();
                answers.clear();
            }
        }
        drop(say);
        writer.join().expect("the writer does not panic")?;
        Ok(Hosted { begun, usage, over: Instant::now() })
    })
}

/// Reports all triggers, and waits until all are accepted.
fn report(mut peer: Peer, sagas: u64) -> io::Result<()> {
    let (say, said) = channel();
    let lines: Vec<String> = (0..sagas).map(|order| placed(order, Some(order))).collect();
    for together in lines.chunks(TOGETHER) {
        say.send(together.join("\n")).ok();
    }
    drop(say);
    let mut writer = peer.sender()?;
    thread::scope(|scope| {
        let writer = scope.spawn(move || said.iter().try_for_each(|lines| writer.send(&lines)));
        let mut accepted = 0;
        while accepted < sagas {
            accepted += u64::from(peer.next()?.starts_with(r#"{"event":"accepted""#));
        }
        writer.join().expect("the writer does not panic")
    })
}
