//! Sagas of chance: branches in branches, whatever is asked answered in any order and any way.
//! Exactly one terminal, what ends undone left nothing, losers left nothing \[R1, R12, R13, R22\].

use std::collections::{BTreeMap, BTreeSet};
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
    /// How many loops are around.
    loops: u32,
    /// Sagas that it calls.
    called: Vec<String>,
    /// Groups with an undo of their own, and the steps that it stands for.
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Draft {
    fn new(chance: &mut Chance) -> Draft {
        let text = "saga: it\ntrigger: { event: go }\neviction: { policy: parallel }\ntimeout: \
                    10000h\ndefaults: { timeout: 10s }\nsteps:\n";
        let with_pivot = chance.one_in(3);
        let (text, called) = (text.to_owned(), Vec::new());
        let groups = BTreeMap::new();
        let mut draft = Draft { text, used: 0, pivot: false, with_pivot, loops: 0, called, groups };
        draft.list(chance, 2, 3);
        draft
    }

    fn line(&mut self, indent: usize, line: &str) {
        writeln!(self.text, "{:indent$}{line}", "").expect("a String takes it");
    }

    fn list(&mut self, chance: &mut Chance, indent: usize, depth: usize) {
        for _ in 0..=chance.below(2) {
            if depth > 0 && chance.one_in(5) && self.used + 3 < COMMANDS {
                self.call(chance, indent, depth);
            } else if depth > 0 && !self.with_pivot && chance.one_in(5) && self.used + 3 < COMMANDS
            {
                self.group(chance, indent, depth);
            } else if depth > 0 && chance.one_in(2) && self.used + 3 < COMMANDS {
                self.branches(chance, indent, depth);
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
        let turns = self.with_pivot && !self.pivot && self.loops == 0 && chance.one_in(3);
        self.pivot |= turns;
        let mut more = if turns { ", pivot: true" } else { "" }.to_owned();
        if chance.one_in(3) {
            let asks = format!("issue: q{n}, await: {{ echo: found }}, timeout: 5s");
            write!(more, ", probe: {{ {asks}, done_when: event.yes }}").expect("a String takes it");
        }
        if !turns && self.used < COMMANDS && chance.one_in(4) {
            let other = self.used;
            self.used += 1;
            let instead = format!("{{ id: s{other}, issue: c{other}, await: {{ echo: did }} }}");
            write!(more, ", on_timeout: [{instead}]").expect("a String takes it");
        }
        let step = format!("- {{ id: s{n}, issue: c{n}, await: {{ echo: did }}{more} }}");
        self.line(indent, &step);
    }

    /// A group with an undo of its own, which stands for all that is inside.
    fn group(&mut self, chance: &mut Chance, indent: usize, depth: usize) {
        let (id, undo) = (format!("g{}", self.text.len()), self.used);
        self.used += 1;
        self.line(indent, &format!("- id: {id}"));
        self.line(indent + 2, "group:");
        let first = self.used;
        self.list(chance, indent + 4, depth - 1);
        let inside = (first..self.used).map(|n| format!("s{n}")).collect();
        self.groups.insert(id, inside);
        self.line(
            indent + 2,
            &format!("compensate: {{ issue: u{undo}, await: {{ echo: undid }} }}"),
        );
        if chance.one_in(3) {
            let retry = "retry: { attempts: 2, backoff: constant, delay: 1s, on: [failed] }";
            self.line(indent + 2, retry);
        }
    }

    /// A call of a saga of its own, one at a time or all at once.
    fn call(&mut self, chance: &mut Chance, indent: usize, depth: usize) {
        let n = self.used;
        self.used += 1;
        self.line(indent, &format!("- {{ id: s{n}, call: sub{n} }}"));
        let policy = ["parallel", "queue, queue_max: 100"][chance.below(2)];
        // The deadline of the outer one has room for all of them.
        let hours = 10_u64.pow(depth as u32);
        let head = format!(
            "saga: sub{n}\ntrigger: {{ call: {{ fields: {{}} }} }}\neviction: {{ policy: {policy} \
             }}\ntimeout: {hours}h\ndefaults: {{ timeout: 10s }}\nsteps:\n"
        );
        let outer = std::mem::replace(&mut self.text, head);
        let (pivot, loops) = (std::mem::replace(&mut self.pivot, true), self.loops);
        self.loops = 0;
        self.list(chance, 2, depth - 1);
        (self.pivot, self.loops) = (pivot, loops);
        let inner = std::mem::replace(&mut self.text, outer);
        self.called.push(inner);
    }

    fn branches(&mut self, chance: &mut Chance, indent: usize, depth: usize) {
        let n = self.text.len();
        self.line(indent, &format!("- id: b{n}"));
        if chance.one_in(3) {
            let most = ["", ", max_parallel: 1", ", max_parallel: 2"][chance.below(3)];
            let over = format!("for_each: {{ in: \"[1, 2, 3]\", as: e{n}{most} }}");
            self.line(indent + 2, &over);
            self.line(indent + 2, "steps:");
            self.loops += 1;
            self.list(chance, indent + 4, depth - 1);
            self.loops -= 1;
        } else {
            self.line(indent + 2, "parallel:");
            for branch in 0..=chance.below(3) {
                self.line(indent + 4, &format!("x{branch}:"));
                self.list(chance, indent + 6, depth - 1);
            }
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
        "targets: { host: {} }\nevents: { go: {}, did: {}, undid: {}, found: { fields: { yes: { type: \
         boolean } } } }\ncommands:\n"
            .to_owned();
    for n in 0..COMMANDS {
        let undo = "echoes: [undid], idempotent: true, undo: none";
        writeln!(
            text,
            "  c{n}: {{ target: host, echoes: [did], idempotent: true, undo: u{n} }}\n  u{n}: {{ \
             target: host, {undo} }}\n  q{n}: {{ target: host, echoes: [found], idempotent: true, \
             undo: none }}"
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
    /// What stands, by the path of its step.
    effects: BTreeMap<String, bool>,
    /// What undos of groups stand for.
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Host {
    fn read(&mut self, world: &World, chance: &mut Chance) {
        for sent in &world.sent()[self.read..] {
            let undoes = sent.cmd().starts_with('u');
            let new = !self.did.contains_key(sent.id());
            let did = undoes || !chance.one_in(5);
            let did = *self.did.entry(sent.id().to_owned()).or_insert(did);
            if new && did && !sent.cmd().starts_with('q') {
                let step = path_of(world, sent);
                self.effect(step.trim_end_matches(".undo"), !undoes);
            }
            self.unanswered.push(sent.clone());
        }
        self.read = world.sent().len();
    }

    /// Notes an effect, or that it is taken back with all that it stands for.
    fn effect(&mut self, path: &str, stands: bool) {
        let (list, id) = path.rsplit_once('.').map_or(("", path), |(list, id)| (list, id));
        let Some(inside) = self.groups.get(id) else {
            self.effects.insert(path.to_owned(), stands);
            return;
        };
        for (path, stands) in &mut self.effects {
            let Some(rest) = path.strip_prefix(list) else { continue };
            let mut parts = rest.split(['.', '[']);
            *stands &= !parts.any(|part| inside.contains(part));
        }
    }

    fn answer(&mut self, world: &mut World, at: usize) {
        let sent = self.unanswered.swap_remove(at);
        if sent.cmd().starts_with('q') {
            let step = path_of(world, &sent);
            let yes = self.effects.get(step.trim_end_matches(".probe")).copied().unwrap_or(false);
            world.answer(&sent, "found", json!({ "yes": yes })).expect("it is its to say");
        } else if self.did[sent.id()] {
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

/// The path of a command's step, that of a sub-saga's under the step that called it.
fn path_of(world: &World, sent: &Sent) -> String {
    let mut path = sent.owed.step.to_string();
    let mut saga = world.coordinator().saga(sent.owed.saga);
    while let Some(parent) = saga.and_then(|(saga, _)| saga.parent.clone()) {
        path = format!("{}.{path}", parent.step);
        saga = world.coordinator().saga(parent.saga);
    }
    path
}

fn live(world: &mut World, host: &mut Host, chance: &mut Chance) {
    for round in 0..3000 {
        if world.open().is_empty() {
            return;
        }
        host.read(world, chance);
        let unrest = round < 80;
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
                if let Some(due) = world.coordinator().next_due() {
                    world.advance(due.since(world.now()));
                }
            }
            _ if !host.unanswered.is_empty() => {
                let at = chance.below(host.unanswered.len());
                host.answer(world, at);
            }
            _ => match world.coordinator().next_due() {
                Some(due) => world.advance(due.since(world.now())),
                None => world.advance(Millis(1)),
            },
        }
    }
    panic!("it does not end though everything is answered");
}

/// Steps of branches that lost have no effect: the records say which branch won.
fn judge_losers(trail: &[String], host: &Host, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.trim() == "join: any") {
        let indent = line.find("join").unwrap_or(0) - 2;
        let head = lines[..at].iter().rev().find(|line| line.find("- id: b") == Some(indent));
        let id = head.expect("it has a head").trim().trim_start_matches("- id: ");
        for (owner, won) in winners(trail, id) {
            // One that was cut off while its losers were undone is in doubt, and says so.
            if !trail.contains(&format!("{owner} succeeded")) {
                continue;
            }
            for (path, stands) in &host.effects {
                let of =
                    path.strip_prefix(owner.as_str()).is_some_and(|r| r.starts_with(['.', '[']));
                let lost = of && !path.starts_with(&format!("{won}."));
                assert!(!(lost && *stands), "{path} stands still, and {won} has won");
            }
        }
    }
}

/// The branch that won last, by the path of the step that has it.
fn winners(trail: &[String], id: &str) -> BTreeMap<String, String> {
    let mut won = BTreeMap::new();
    for path in trail.iter().filter_map(|line| line.strip_suffix(" succeeded")) {
        let owner = match path.rsplit_once('.') {
            Some((owner, branch)) if branch.starts_with('x') => owner,
            Some(_) | None if path.ends_with(']') => path.rsplit_once('[').expect("so it is").0,
            Some(_) | None => continue,
        };
        if owner.rsplit('.').next() == Some(id) {
            won.insert(owner.to_owned(), path.to_owned());
        }
    }
    won
}

/// In one list of steps what came later is undone before what came earlier is begun to be undone.
fn judge_order(trail: &[String]) {
    let at = |line: &str| trail.iter().position(|told| told == line);
    let issued: Vec<&str> = trail.iter().filter_map(|line| line.strip_suffix(" issued")).collect();
    for (place, earlier) in issued.iter().enumerate() {
        let list = earlier.rsplit_once('.').map_or("", |(list, _)| list);
        let Some(begun) = at(&format!("{earlier}.undo issued")) else { continue };
        for later in issued[place + 1..].iter().filter(|path| !path.ends_with(".undo")) {
            let beside = later.rsplit_once('.').map_or("", |(list, _)| list) == list;
            let under = later.starts_with(&format!("{list}.")) || list.is_empty();
            if let Some(undone) = at(&format!("{later} compensated"))
                && (beside || under)
            {
                assert!(undone < begun, "R12: {earlier} was undone before {later}");
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
        let names: Vec<String> =
            (0..draft.called.len()).map(|n| format!("sub{n}.saga.yaml")).collect();
        let mut files = vec![("c.catalog.yaml", &*catalog), ("it.saga.yaml", &*draft.text)];
        files.extend(names.iter().map(String::as_str).zip(draft.called.iter().map(|t| &**t)));
        let mut world = World::new(&files);
        world.connect("host");
        world.report("tool", "go", json!({})).expect("`go` is declared");
        let mut host = Host { groups: draft.groups.clone(), ..Host::default() };
        live(&mut world, &mut host, &mut chance);
        host.read(&world, &mut chance);
        let trail = world.trail(1);
        let told = || format!("seed {seed}\n{}\n{:?}\n{trail:#?}", draft.text, draft.called);
        for started in world.published("saga_started") {
            let saga = started.fields["saga_id"].as_u64().expect("it has an id");
            assert_eq!(world.terminals(saga).len(), 1, "R1 of {saga}, {}", told());
        }
        if !draft.text.contains("retry") && !draft.text.contains("join: any") {
            judge_order(&trail);
        }
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
