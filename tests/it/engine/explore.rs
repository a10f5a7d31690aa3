//! Explored worlds: every choice at every point up to a depth, and long random walks,
//! of small sagas against a target
//! that keeps its promise \[R1, R3, R12, R13, R20\]. A failure prints the choices that lead to it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sagaflow::coordinator::Signal;
use sagaflow::ids::SagaId;
use sagaflow::saga::record::{Ending, Record, State};
use sagaflow::time::Millis;
use serde_json::Value;

use super::go;
use super::target::{Answer, Target};
use crate::world::{Sent, World};

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    /// The target does what it read first, and says so.
    Do,
    /// It does it, and says nothing yet.
    DoSilently,
    /// It refuses what it read first.
    Refuse,
    /// It says what it had not said.
    Answer,
    /// It says its last answer again.
    Stutter,
    /// Nothing happens until something is due.
    Wait,
    /// Its connection breaks, or it comes back.
    Plug,
    /// The launcher dies and comes back.
    Crash,
    /// Somebody asks for the saga's end.
    Cancel,
    /// Somebody says what the saga awaits.
    GoOn,
    /// Somebody says what fails it.
    Stop,
}

use Choice::{
    Answer as Speak, Cancel, Crash, Do, DoSilently, GoOn, Plug, Refuse, Stop, Stutter, Wait,
};

const ALL: [Choice; 11] =
    [Do, DoSilently, Refuse, Speak, Stutter, Wait, Plug, Crash, Cancel, GoOn, Stop];

struct Explored {
    world: World,
    target: Target,
    connected: bool,
    crashes: u32,
    cancels: u32,
    plugs: u32,
}

impl Explored {
    fn new(pattern: &World) -> Explored {
        let mut world = pattern.again();
        world.connect("host");
        go(&mut world, "k");
        let target = Target::default();
        let mut new = Explored { world, target, connected: true, crashes: 0, cancels: 0, plugs: 0 };
        new.target.read(&new.world);
        new
    }

    fn is_over(&self) -> bool {
        self.world.open().is_empty()
    }

    /// Does it, if it can be done now.
    fn choose(&mut self, choice: Choice) -> bool {
        let reads = self.connected && !self.target.inbox.is_empty();
        match choice {
            Do if reads && self.target.unanswered.is_empty() => {
                self.target.handle(Answer::Did);
                self.target.answer(&mut self.world);
            }
            DoSilently if reads => self.target.handle(Answer::Did),
            Refuse if reads && self.target.unanswered.is_empty() => {
                self.target.handle(Answer::Refused);
                self.target.answer(&mut self.world);
            }
            Speak if self.connected && !self.target.unanswered.is_empty() => {
                self.target.answer(&mut self.world);
            }
            Stutter if self.connected && self.target.last.is_some() => {
                self.target.stutter(&mut self.world);
            }
            Wait => {
                let Some(due) = self.world.coordinator().next_due() else { return false };
                let span = due.since(self.world.now());
                self.world.advance(span);
            }
            Plug if self.connected => {
                self.world.disconnect("host");
                self.unplugged();
                self.plugs += 1;
            }
            Plug => self.connect(),
            Crash => {
                self.world.crash();
                self.unplugged();
                self.crashes += 1;
            }
            Cancel if !self.is_over() => {
                // Whether it is taken or refused is the saga's own affair.
                let _ = self.world.signal(SagaId(1), Signal::Cancel, "enough");
                self.cancels += 1;
            }
            // What is refused changes nothing.
            GoOn if self.world.say_to(1, "go_on", Value::Null, None).is_ok() => {}
            Stop if self.world.say_to(1, "stop", Value::Null, None).is_ok() => {}
            GoOn | Stop => return false,
            Do | DoSilently | Refuse | Speak | Stutter | Cancel => return false,
        }
        self.target.read(&self.world);
        true
    }

    fn unplugged(&mut self) {
        self.connected = false;
        self.target.inbox.clear();
    }

    fn connect(&mut self) {
        self.world.connect("host");
        self.connected = true;
    }

    /// From here on the target answers, and so the saga has to end.
    fn let_it_end(&mut self) {
        for _ in 0..400 {
            if self.is_over() {
                return;
            }
            if !self.connected {
                self.connect();
                self.target.read(&self.world);
            } else if !self.choose(Speak) && !self.choose(Do) {
                assert!(
                    self.choose(Wait),
                    "nothing is due, nothing is asked, and it has not ended"
                );
            }
        }
        panic!("it does not end though everything is answered");
    }

    fn judge(&self) {
        let trail = self.world.trail(1);
        for started in self.world.published("saga_started") {
            let saga = started.fields["saga_id"].as_u64().expect("it has an id");
            assert_eq!(self.world.terminals(saga).len(), 1, "R1: one terminal of {saga}");
        }
        let standing: Vec<&String> =
            self.target.effects.iter().filter(|(_, stands)| **stands).map(|(cmd, _)| cmd).collect();
        let passed = trail.iter().any(|line| line == "turn succeeded");
        let turned = trail.iter().any(|line| line.starts_with("unwinding"));
        match self.world.state(1) {
            State::Completed => assert!(!turned, "what turned around does not complete"),
            State::Failed | State::Compensated => {
                assert!(standing.is_empty(), "R12: {standing:?} stand still");
            }
            State::FailedCompensation => {
                let stuck = trail.iter().any(|line| line.ends_with("compensation_failed"));
                assert!(stuck || !turned, "an incident that nothing explains");
            }
            State::Queued | State::Running | State::Compensating => panic!("it has not ended"),
        }
        if passed && !turned {
            let undone = self.undone_after_turn();
            assert!(!undone, "R13: something was undone past the point of no return");
        }
    }

    fn undone_after_turn(&self) -> bool {
        let turn = |record: &&Record| {
            let Record::Outcome(o) = record else { return false };
            &*o.step == "turn" && o.outcome == Ending::Succeeded
        };
        let undoes = |record: &Record| {
            let Record::Issued(issued) = record else { return false };
            issued.step.ends_with(".undo")
        };
        let mut records = self.world.of_saga(1);
        records.by_ref().find(turn).is_some() && records.any(undoes)
    }

    /// What makes two explored worlds one: the saga, the instant, and what the target knows.
    fn likeness(&self) -> String {
        let saga: Vec<_> = self.world.coordinator().sagas().map(|(saga, _)| saga).collect();
        let Target { inbox, unanswered, last, answers, effects, .. } = &self.target;
        let ids = |sent: &Sent| sent.id().to_owned();
        let frames: Vec<String> = inbox.iter().chain(unanswered).chain(last).map(ids).collect();
        let bounds = (self.connected, self.crashes, self.cancels, self.plugs, inbox.len());
        format!("{:?}{saga:?}{frames:?}{answers:?}{effects:?}{bounds:?}", self.world.now())
    }
}

/// Walks the choices; prints them if the walk fails.
fn walk(pattern: &World, choices: &[Choice]) -> Option<Explored> {
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let mut explored = Explored::new(pattern);
        let last = choices.len();
        let mut each = choices.iter().zip(1..);
        // The way to the last choice was walked before, and its turns were folded then.
        let walked = each.all(|(choice, number)| {
            explored.world.fold_every_turn(number == last);
            explored.choose(*choice)
        });
        explored.world.fold_every_turn(true);
        walked.then_some(explored)
    }));
    tried.unwrap_or_else(|panic| told(choices, panic))
}

fn finish(choices: &[Choice], mut explored: Explored) {
    let tried = catch_unwind(AssertUnwindSafe(|| {
        explored.let_it_end();
        explored.judge();
    }));
    if let Err(panic) = tried {
        eprintln!("{:#?}\n{:?}", explored.world.trail(1), explored.world.commands());
        told(choices, panic)
    }
}

fn told(choices: &[Choice], panic: Box<dyn std::any::Any + Send>) -> ! {
    eprintln!("the choices: {choices:?}");
    resume_unwind(panic)
}

/// Every choice at every point, a crash, a cancel and a lost connection at most once,
/// down to a depth.
pub fn exhaust(pattern: &World, depth: usize) {
    let mut seen = BTreeSet::new();
    let mut open: Vec<Vec<Choice>> = vec![Vec::new()];
    while let Some(choices) = open.pop() {
        let Some(explored) = walk(pattern, &choices) else { continue };
        let spent = explored.crashes > 1 || explored.cancels > 1 || explored.plugs > 1;
        if spent || !seen.insert(explored.likeness()) {
            continue;
        }
        if choices.len() < depth && !explored.is_over() {
            open.extend(ALL.iter().map(|choice| [&choices[..], &[*choice]].concat()));
        }
        finish(&choices, explored);
    }
    assert!(seen.len() > 50, "only {} worlds were found", seen.len());
}

/// Long walks, each from its own seed.
pub fn wander(pattern: &World, walks: u64, length: usize) {
    for seed in 0..walks {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut explored = Explored::new(pattern);
        let mut choices = Vec::new();
        while choices.len() < length && !explored.is_over() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let choice = ALL[(random >> 33) as usize % ALL.len()];
            if choice == Cancel && seed % 4 != 0 {
                continue;
            }
            choices.push(choice);
            let tried = catch_unwind(AssertUnwindSafe(|| explored.choose(choice)));
            match tried {
                Ok(true) => {}
                Ok(false) => {
                    choices.pop();
                    // Something can always be done: time can pass, or the plug be pulled.
                    explored.world.advance(Millis(0));
                }
                Err(panic) => told(&choices, panic),
            }
        }
        finish(&choices, explored);
    }
}

/// A saga of one key at a time, with that policy.
fn contended(policy: &str) -> String {
    format!(
        r#"
saga: it
trigger: {{ event: go }}
input: {{ k: "${{{{ trigger.k }}}}" }}
vars: {{ times: 0 }}
eviction: {{ key: input.k, policy: {policy} }}
timeout: 100s
defaults: {{ timeout: 10s }}
steps:
  - {{ id: one, issue: a, await: {{ echo: did }} }}
  - {{ id: two, issue: b, await: {{ echo: did }} }}
finally:
  - {{ id: tidy, if: vars.times >= 0, issue: look, await: {{ echo: did }} }}
"#
    )
}

/// Newcomers at every point of one another's lives: one of a key at a time, and none is stranded.
#[test]
fn r17_explored_newcomers_replace_or_join_one_another_one_at_a_time() {
    for policy in ["replace", "join, save: { times: \"${{ vars.times + 1 }}\" }"] {
        let pattern = super::of(&contended(policy));
        for seed in 0..30_u64 {
            meet(&pattern, &format!("{policy}, seed {seed}"), seed);
        }
    }
}

fn meet(pattern: &World, which: &str, seed: u64) {
    let mut random = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1;
    let mut explored = Explored::new(pattern);
    for _ in 0..30 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match (random >> 33) as usize % (ALL.len() + 1) {
            0 => go(&mut explored.world, "k"),
            other => drop(explored.choose(ALL[other - 1])),
        }
        let active = explored.world.coordinator().sagas().filter(|(saga, _)| saga.is_active());
        assert!(active.count() <= 1, "{which}: two hold one key");
        let sagas = explored.world.coordinator().sagas();
        let queued = sagas.filter(|(saga, _)| saga.state == State::Queued);
        assert!(queued.count() <= 1, "{which}: two wait for one key");
    }
    explored.target.read(&explored.world);
    explored.let_it_end();
    let started = explored.world.published("saga_started");
    for saga in started.iter().map(|event| event.fields["saga_id"].as_u64()) {
        let saga = saga.expect("it has an id");
        assert_eq!(explored.world.terminals(saga).len(), 1, "{which}");
        let trail = explored.world.trail(saga);
        let tidied = trail.iter().filter(|line| *line == "tidy issued").count();
        assert_eq!(tidied, 1, "R15, {which}: {trail:?}");
    }
}
