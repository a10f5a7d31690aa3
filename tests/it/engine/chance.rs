//! Sagas of chance: branches in branches, whatever is asked answered in any order and any way.
//! Exactly one terminal, what ends undone left nothing, losers left nothing \[R1, R12, R13, R22\].

use std::collections::BTreeMap;
use std::fmt::Write;

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::State;
use sagaflow::time::Millis;
use serde_json::{Value, json};

use crate::world::{Sent, World};

/// Commands that there are; a saga of chance uses each at most once.
const COMMANDS: u32 = 12;

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// A saga in the making.
struct Draft {
    text: String,
    used: u32,
    pivot: bool,
    with_pivot: bool,
}

impl Draft {
    fn new(chance: &mut Chance) -> Draft {
        let text = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: \
                    10h\ndefaults: { timeout: 10s }\nsteps:\n";
        let with_pivot = chance.one_in(3);
        let mut draft = Draft { text: text.to_owned(), used: 0, pivot: false, with_pivot };
        draft.list(chance, 2, 3);
        draft
    }

    fn line(&mut self, indent: usize, line: &str) {
        writeln!(self.text, "{:indent$}{line}", "").expect("a String takes it");
    }

    fn list(&mut self, chance: &mut Chance, indent: usize, depth: usize) {
        for _ in 0..=chance.below(2) {
            if depth > 0 && chance.one_in(2) && self.used + 3 < COMMANDS {
                self.parallel(chance, indent, depth);
            } else {
                self.step(chance, indent);
            }
        }
    }

    fn step(&mut self, chance: &mut Chance, indent: usize) {
        if self.used >= COMMANDS {
            self.used += 1;
            let pause = format!("- {{ id: p{}, delay: 1s }}", self.used);
            return self.line(indent, &pause);
        }
        let n = self.used;
        self.used += 1;
        let turns = self.with_pivot && !self.pivot && chance.one_in(3);
        self.pivot |= turns;
        let pivot = if turns { ", pivot: true" } else { "" };
        let step = format!("- {{ id: s{n}, issue: c{n}, await: {{ echo: did }}{pivot} }}");
        self.line(indent, &step);
    }

    fn parallel(&mut self, chance: &mut Chance, indent: usize, depth: usize) {
        let n = self.text.len();
        self.line(indent, &format!("- id: b{n}"));
        self.line(indent + 2, "parallel:");
        for branch in 0..=chance.below(3) {
            self.line(indent + 4, &format!("x{branch}:"));
            self.list(chance, indent + 6, depth - 1);
        }
        // Where there is a point of no return, all have to reach it.
        let join = ["all", "any", "settled"][if self.with_pivot { 0 } else { chance.below(3) }];
        self.line(indent + 2, &format!("join: {join}"));
        if !self.with_pivot && chance.one_in(3) {
            let retry = "retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }";
            self.line(indent + 2, retry);
        }
    }
}

fn catalog() -> String {
    let mut text =
        "targets: { host: {} }\nevents: { go: {}, did: {}, undid: {} }\ncommands:\n".to_owned();
    for n in 0..COMMANDS {
        let undo = "echoes: [undid], idempotent: true, undo: none";
        writeln!(
            text,
            "  c{n}: {{ target: host, echoes: [did], idempotent: true, undo: u{n} }}\n  u{n}: {{ \
             target: host, {undo} }}"
        )
        .expect("a String takes it");
    }
    text
}

/// A target that does what it reads in order, and answers when it likes.
#[derive(Default)]
struct Host {
    read: usize,
    /// What it did for each command, for ever.
    did: BTreeMap<String, bool>,
    unanswered: Vec<Sent>,
    /// What stands, by the number of its command.
    effects: BTreeMap<String, bool>,
}

impl Host {
    fn read(&mut self, world: &World, chance: &mut Chance) {
        for sent in &world.sent[self.read..] {
            let undoes = sent.cmd().starts_with('u');
            let new = !self.did.contains_key(sent.id());
            let did = undoes || !chance.one_in(5);
            let did = *self.did.entry(sent.id().to_owned()).or_insert(did);
            if new && did {
                self.effects.insert(sent.cmd()[1..].to_owned(), !undoes);
            }
            self.unanswered.push(sent.clone());
        }
        self.read = world.sent.len();
    }

    fn answer(&mut self, world: &mut World, at: usize) {
        let sent = self.unanswered.swap_remove(at);
        if self.did[sent.id()] {
            let event = if sent.cmd().starts_with('u') { "undid" } else { "did" };
            world.answer(&sent, event, Value::Null).expect("it is its to say");
        } else {
            world.fail_exactly(&sent, "no such thing");
        }
    }

    fn standing(&self) -> Vec<&String> {
        self.effects.iter().filter(|(_, stands)| **stands).map(|(n, _)| n).collect()
    }
}

fn live(world: &mut World, host: &mut Host, chance: &mut Chance) {
    for round in 0..600 {
        if world.open().is_empty() {
            return;
        }
        host.read(world, chance);
        let unrest = round < 60;
        // An undo that nobody answers in time is an incident, and none of these is to be one.
        let undoing = host.unanswered.iter().any(|sent| sent.cmd().starts_with('u'));
        match chance.below(24) {
            0 if unrest => {
                world.crash();
                world.connect("host");
            }
            1 if unrest && chance.one_in(4) => {
                let _ = world.signal(SagaId(1), Signal::Cancel, "enough");
            }
            2 | 3 if unrest && !undoing => {
                if let Some(due) = world.coordinator.next_due() {
                    world.advance(due.since(world.now));
                }
            }
            _ if !host.unanswered.is_empty() => {
                let at = chance.below(host.unanswered.len());
                host.answer(world, at);
            }
            _ => match world.coordinator.next_due() {
                Some(due) => world.advance(due.since(world.now)),
                None => world.advance(Millis(1)),
            },
        }
    }
    panic!("it does not end though everything is answered");
}

/// Steps of branches that lost have no effect: the records say which branch won.
fn judge_losers(trail: &[String], host: &Host, text: &str) {
    let any = text.lines().zip(1..).filter(|(line, _)| line.trim() == "join: any");
    for (_, at) in any {
        let indent = text.lines().nth(at - 1).map_or(0, |line| line.find("join").unwrap_or(0));
        let above: Vec<&str> = text.lines().take(at).collect();
        let head = above.iter().rposition(|line| line.find("- id: b") == Some(indent - 2));
        let id = above[head.expect("it has a head")].trim().trim_start_matches("- id: ");
        let of = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let won = trail.iter().rev().find(|line| {
            let path = of(line);
            let last = path.rsplit('.').nth(1).unwrap_or_default().to_owned();
            last == id
                && line.ends_with(" succeeded")
                && path.rsplit('.').next().is_some_and(|b| b.starts_with('x'))
        });
        let Some(won) = won.map(|line| of(line)) else { continue };
        let roof = won.rsplit_once('.').expect("a branch has a path").0.to_owned();
        for line in trail.iter().filter(|line| line.ends_with(" issued")) {
            let path = of(line);
            let lost =
                path.starts_with(&format!("{roof}.")) && !path.starts_with(&format!("{won}."));
            let step = path.rsplit('.').next().and_then(|step| step.strip_prefix('s'));
            if let Some(step) = step.filter(|_| lost) {
                assert!(!host.effects.get(step).copied().unwrap_or(false), "{path} stands still");
            }
        }
    }
}

#[test]
fn r12_sagas_of_chance_end_once_and_leave_nothing_that_lost_or_was_undone() {
    let catalog = catalog();
    for seed in 1..150_u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let draft = Draft::new(&mut chance);
        let mut world = World::new(&[("c.catalog.yaml", &catalog), ("it.saga.yaml", &draft.text)]);
        world.connect("host");
        world.report("tool", "go", json!({})).expect("`go` is declared");
        let mut host = Host::default();
        live(&mut world, &mut host, &mut chance);
        host.read(&world, &mut chance);
        let trail = world.trail(1);
        let told = || format!("seed {seed}\n{}\n{trail:#?}", draft.text);
        assert_eq!(world.terminals(1).len(), 1, "R1, {}", told());
        let turned = trail.iter().any(|line| line.starts_with("unwinding"));
        match world.state(1) {
            State::Completed => {
                assert!(!turned, "{}", told());
                judge_losers(&trail, &host, &draft.text);
            }
            State::Failed | State::Compensated => {
                assert!(host.standing().is_empty(), "{:?}, {}", host.standing(), told());
            }
            State::FailedCompensation => assert!(draft.pivot && !turned, "{}", told()),
            State::Queued | State::Running | State::Compensating => panic!("{}", told()),
        }
        if draft.pivot && !turned {
            let undone = trail.iter().any(|line| line.contains(".undo issued"));
            assert!(!undone, "R13, {}", told());
        }
    }
}
