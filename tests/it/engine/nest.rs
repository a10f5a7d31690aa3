//! Every construct in every other: it runs to its end, undoes all that it did when the saga fails
//! behind it or in it, and a crash in between changes nothing of that \[R1, R3, R12, R15\].

use std::collections::BTreeMap;

use sagaflow::saga::record::State;
use serde_json::Value;

use super::go;
use crate::world::{Sent, World};

/// What steps may stand in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Around {
    Group,
    /// A `parallel` with that `join`; the steps are its first branch.
    Parallel(&'static str),
    /// A `for_each` over two elements.
    Each(&'static str),
    /// Steps that run when a wait has timed out.
    OnTimeout,
    /// What undoes a step: the steps ask, and then the effect is taken back.
    Compensate,
    /// No step stands in it, but it stands in all others.
    Call,
}

const ALL: [Around; 9] = [
    Around::Group,
    Around::Parallel("all"),
    Around::Parallel("any"),
    Around::Parallel("settled"),
    Around::Each("all"),
    Around::Each("any"),
    Around::Each("settled"),
    Around::OnTimeout,
    Around::Compensate,
];

/// Where something is nested.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// On the way forward, where steps have effects.
    Forward,
    /// In `finally`, which only asks.
    Finally,
    /// In an undo, which only asks as well.
    Undo,
}

/// Writes steps with ids of their own.
#[derive(Default)]
struct Writer {
    ids: usize,
}

impl Writer {
    fn id(&mut self) -> String {
        self.ids += 1;
        format!("s{}", self.ids)
    }

    /// A step that does something, or asks something where nothing may be done.
    fn leaf(&mut self, part: Part) -> String {
        let id = self.id();
        let cmd = if part == Part::Forward { "a" } else { "look" };
        format!("{{ id: {id}, issue: {cmd}, await: {{ echo: did }} }}")
    }

    fn call(&mut self, part: Part) -> String {
        let id = self.id();
        let saga = if part == Part::Forward { "does" } else { "asks" };
        format!("{{ id: {id}, call: {saga} }}")
    }

    /// A step of that kind around a step, which is written for its part.
    fn around(
        &mut self,
        kind: Around,
        part: Part,
        inner: &mut dyn FnMut(&mut Writer, Part) -> String,
    ) -> String {
        let id = self.id();
        match kind {
            Around::Group => format!("{{ id: {id}, group: [{}] }}", inner(self, part)),
            Around::Parallel(join) => {
                let (one, other) = (inner(self, part), self.leaf(part));
                format!(
                    "{{ id: {id}, parallel: {{ one: [{one}], other: [{other}] }}, join: {join} }}"
                )
            }
            Around::Each(join) => {
                let steps = inner(self, part);
                format!(
                    "{{ id: {id}, for_each: {{ in: \"[input.k, 'z']\", as: of_{id} }}, steps: \
                     [{steps}], join: {join} }}"
                )
            }
            Around::OnTimeout => format!(
                "{{ id: {id}, await: {{ event: nudged, where: event.k == input.k }}, timeout: 5s, \
                 on_timeout: [{}] }}",
                inner(self, part)
            ),
            Around::Compensate => {
                let steps = inner(self, Part::Undo);
                format!(
                    "{{ id: {id}, issue: a, await: {{ echo: did }}, compensate: {{ group: \
                     [{steps}, {{ issue: un_a, await: {{ echo: undid }} }}] }} }}"
                )
            }
            Around::Call => self.call(part),
        }
    }
}

/// The saga with these steps, those behind them, and those of `finally`.
fn world(steps: &str, behind: &str, finally: &str) -> World {
    let head = |name: &str| {
        format!("saga: {name}\ntrigger: {{ call: {{}} }}\neviction: {{ policy: parallel }}\n")
    };
    let rest = |cmd: &str| {
        format!(
            "timeout: 1h\nsteps: [{{ id: it, issue: {cmd}, await: {{ echo: did }}, timeout: 1m }}]\n"
        )
    };
    let it = format!(
        "saga: it\ntrigger: {{ event: go }}\ninput: {{ k: \"${{{{ trigger.k }}}}\" }}\neviction: \
         {{ policy: parallel }}\ntimeout: 1d\ndefaults: {{ timeout: 1m }}\nsteps: \
         [{steps}{behind}]\n{finally}"
    );
    super::sagas(&[&it, &(head("does") + &rest("a")), &(head("asks") + &rest("look"))])
}

/// A host that answers everything once, but refuses its command of that number.
#[derive(Default)]
struct Host {
    read: usize,
    refuses: Option<usize>,
    words: BTreeMap<String, &'static str>,
    /// What stands in the world, by saga and path of the step that brought it about.
    effects: BTreeMap<(u64, String), bool>,
}

impl Host {
    fn answer(&mut self, world: &mut World, sent: &Sent) {
        let number = self.words.len();
        let cmd = sent.cmd().to_owned();
        // Questions stand in undos, and one that fails is an incident: that has tests of its own.
        let refuses = self.refuses == Some(number) && cmd == "a";
        let word = *self.words.entry(sent.id().to_owned()).or_insert_with(|| {
            let (saga, path) = (sent.owed.saga.0, &*sent.owed.step);
            match &*cmd {
                _ if refuses => return "",
                "a" => drop(self.effects.insert((saga, path.to_owned()), true)),
                "un_a" => {
                    let (undone, _) = path.rsplit_once(".undo").expect("it undoes a step");
                    self.effects.insert((saga, undone.to_owned()), false);
                }
                _ => {}
            }
            if cmd.starts_with("un_") { "undid" } else { "did" }
        });
        match word {
            "" => world.fail_exactly(sent, "no such thing"),
            // Whoever asked may have ended meanwhile.
            event => drop(world.answer(sent, event, Value::Null)),
        }
    }

    fn standing(&self) -> Vec<&(u64, String)> {
        self.effects.iter().filter(|(_, stands)| **stands).map(|(step, _)| step).collect()
    }
}

/// Plays it to its end; the launcher dies after that commit.
fn play(what: &str, pattern: &World, refuses: Option<usize>, crash: Option<u64>) -> (World, Host) {
    let mut world = pattern.again();
    world.fold_every_turn(crash.is_none() && refuses.is_none());
    world.connect("host");
    if let Some(commit) = crash {
        let before = world.commits();
        world.crash_after(before + commit);
    }
    go(&mut world, "x");
    let mut host = Host { refuses, ..Host::default() };
    for _ in 0..2_000 {
        if let Some(sent) = world.sent().get(host.read).cloned() {
            host.read += 1;
            host.answer(&mut world, &sent);
        } else if world.open().is_empty() {
            return (world, host);
        } else {
            let due = world.coordinator().next_due();
            let due = due.unwrap_or_else(|| panic!("{what}: stuck: {:?}", world.trail(1)));
            let span = due.since(world.now());
            world.advance(span);
        }
    }
    panic!("{what}: it does not end: {:?}", world.story());
}

/// Holds one saga to what it promises, in every mishap.
fn check(what: &str, steps: &str, finally: &str) {
    let finally =
        if finally.is_empty() { String::new() } else { format!("finally: [{finally}]\n") };
    let pattern = world(steps, "", &finally);
    let (done, host) = play(what, &pattern, None, None);
    assert_eq!(done.state(1), State::Completed, "{what}: {:?}", done.trail(1));
    let commands = host.words.len();
    for number in 0..commands {
        let what = format!("{what}, command {number} refused");
        let (world, host) = play(&what, &pattern, Some(number), None);
        one_end(&what, &world, &host);
    }
    let failing = self::world(steps, ", { id: last, fail: enough }", &finally);
    let what = format!("{what}, failing");
    let (world, host) = play(&what, &failing, None, None);
    one_end(&what, &world, &host);
    assert_ne!(world.state(1), State::Completed);
    // A call's own commits are swept by its own tests.
    if what.contains("Call") {
        return;
    }
    // One in three: each pair meets most of its commits in another one.
    let first = 1 + what.len() as u64 % 3;
    for commit in (first..=world.commits()).step_by(3) {
        let what = format!("{what}, crash after {commit}");
        let (crashed, host) = play(&what, &failing, None, Some(commit));
        one_end(&what, &crashed, &host);
        assert_eq!(crashed.state(1), world.state(1), "{what}");
    }
}

/// It ended once; what did not complete has left nothing.
fn one_end(what: &str, world: &World, host: &Host) {
    assert_eq!(world.terminals(1).len(), 1, "R1: {what}");
    let ended = world.state(1);
    assert_ne!(ended, State::FailedCompensation, "{what}: {:?}", world.trail(1));
    if ended != State::Completed {
        assert_eq!(
            host.standing(),
            Vec::<&(u64, String)>::new(),
            "R12: {what}: {:?}",
            world.trail(1)
        );
    }
}

/// Whether the language lets that stand in an undo.
fn in_undo(kind: Around) -> bool {
    match kind {
        Around::Group
        | Around::OnTimeout
        | Around::Call
        | Around::Parallel(_)
        | Around::Each(_) => true,
        Around::Compensate => false,
    }
}

/// Every kind in every other, and a leaf or a call in that.
fn pairs(part: Part) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for outer in ALL {
        for inner in ALL {
            for last in [None, Some(Around::Call)] {
                let undoing = part == Part::Undo || outer == Around::Compensate;
                let bad = (undoing && !in_undo(inner))
                    || (part == Part::Undo && !in_undo(outer))
                    || (part == Part::Finally && [outer, inner].contains(&Around::Compensate));
                if bad {
                    continue;
                }
                let mut writer = Writer::default();
                let step = writer.around(outer, part, &mut |writer, part| {
                    writer.around(inner, part, &mut |writer, part| match last {
                        None => writer.leaf(part),
                        Some(_) => writer.call(part),
                    })
                });
                all.push((format!("{outer:?} around {inner:?} around {last:?}"), step));
            }
        }
    }
    all
}

#[test]
fn r12_every_construct_nests_in_every_other_on_the_way_forward() {
    let all = pairs(Part::Forward);
    assert!(all.len() > 100, "only {} pairs", all.len());
    for (what, step) in all {
        check(&what, &step, "");
    }
}

#[test]
fn r15_every_construct_nests_in_every_other_in_finally() {
    for (what, step) in pairs(Part::Finally) {
        let mut writer = Writer { ids: 100 };
        check(&format!("finally: {what}"), &writer.leaf(Part::Forward), &step);
    }
}

#[test]
fn r12_every_construct_that_may_stand_in_an_undo_nests_there() {
    for (what, step) in pairs(Part::Undo) {
        let undone = format!(
            "{{ id: it, issue: a, await: {{ echo: did }}, compensate: {{ group: [{step}, {{ issue: \
             un_a, await: {{ echo: undid }} }}] }} }}"
        );
        check(&format!("undo: {what}"), &undone, "");
    }
}
