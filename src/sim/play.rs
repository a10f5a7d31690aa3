//! One case played: its script drives a world, and what comes is held to what is expected. What may
//! go wrong on the way is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::coordinator::{Fact, Signal};
use crate::definition::Catalog;
use crate::definition::scenario::{Entry, Happening, Reply, Script, Start, With};
use crate::diag::{At, Span};
use crate::ids::{SagaId, Seq};
use crate::plan::Plan;
use crate::saga::owed::Owed;
use crate::saga::record::Verdict;
use crate::saga::state::Phase;
use crate::time::Timestamp;

use super::check::judge_facts;
use super::script;
use super::transcript::Row;
use super::world::World;

/// What goes wrong while a case is played; every place is counted from zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The launcher dies right after its commit of that number, counted from one.
    pub crash_after: Option<u64>,
    /// These answers come twice.
    pub twice: BTreeSet<usize>,
    /// At these places that target goes away and comes back.
    pub away: BTreeSet<(usize, Arc<str>)>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Played {
    /// Both transcripts.
    pub rows: Vec<Row>,
    /// All facts with their instants, for coverage.
    pub facts: Vec<(Timestamp, Fact)>,
    /// How the saga ended, if it did.
    pub verdict: Option<Verdict>,
    /// Whether a newcomer was turned away while the saga ran \[R17\].
    pub turned_away: bool,
    /// Transactions that were committed.
    pub commits: u64,
    /// Answers that targets gave.
    pub answers: usize,
    /// Places where a target might go away.
    pub places: usize,
    /// A promise that was broken: by the saga, or in the engine itself.
    pub broken: Option<String>,
    /// What of the saga's `always` did not hold, and in which state.
    pub unkept: Option<String>,
}

impl Played {
    /// Whether everything came as it was expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.broken.is_none() && self.unkept.is_none() && self.rows.iter().all(|row| row.same)
    }

    /// Where the first difference was expected.
    #[must_use]
    pub fn differs_at(&self) -> Option<Span> {
        self.rows.iter().find(|row| !row.same).map(|row| row.span)
    }
}

/// Plays a script of that saga.
#[must_use]
pub fn play(catalog: &Arc<Catalog>, plan: &Arc<Plan>, script: &Script, faults: &Faults) -> Played {
    let mut player = Player::new(catalog, plan, faults);
    player.run(script);
    player.played()
}

/// A command that a target has got and no `expect` has named.
pub(super) struct Waiting {
    pub(super) owed: Arc<Owed>,
    /// Whether it came again without being asked for anew: it may be expected, and need not be.
    pub(super) again: bool,
}

/// A case while it is played.
pub(super) struct Player<'a> {
    pub(super) world: World,
    catalog: &'a Catalog,
    plan: &'a Arc<Plan>,
    faults: &'a Faults,
    rows: Vec<Row>,
    /// How many of the world's sent commands were looked at.
    seen: usize,
    pub(super) waiting: Vec<Waiting>,
    /// Commands that were expected and came, the oldest first.
    met: Vec<Arc<Owed>>,
    /// What each command was answered, and the record that made it owed.
    answered: BTreeMap<Arc<str>, (Seq, Reply)>,
    answers: usize,
    places: usize,
    turned_away: bool,
}

impl<'a> Player<'a> {
    /// A launcher on which nothing has happened yet.
    pub(super) fn new(
        catalog: &'a Arc<Catalog>,
        plan: &'a Arc<Plan>,
        faults: &'a Faults,
    ) -> Player<'a> {
        let mut world = World::new(catalog.clone(), plan.family());
        if let Some(commit) = faults.crash_after {
            world.crash_after(commit);
        }
        Player {
            world,
            catalog,
            plan,
            faults,
            rows: Vec::new(),
            seen: 0,
            waiting: Vec::new(),
            met: Vec::new(),
            answered: BTreeMap::new(),
            answers: 0,
            places: 0,
            turned_away: false,
        }
    }

    fn run(&mut self, script: &Script) {
        let away = self.connect_targets(script);
        let rest = &script.entries[away..];
        if self.begin(script) {
            let mut entries = rest.iter();
            for entry in entries.by_ref() {
                self.place();
                if !self.happen(entry.span, &entry.what) {
                    break;
                }
            }
            self.absorb();
            self.tell_rest(script, entries.as_slice());
        } else {
            self.tell_rest(script, rest);
        }
    }

    /// A target that goes away before anything else happens is away from the start; how many do.
    pub(super) fn connect_targets(&mut self, script: &Script) -> usize {
        let gone = script.entries.iter().map_while(|entry| match &entry.what {
            Happening::Disconnect(target) => Some(target),
            Happening::Expect { .. }
            | Happening::Answer { .. }
            | Happening::Report { .. }
            | Happening::Call(_)
            | Happening::Signal { .. }
            | Happening::Connect(_)
            | Happening::Advance(_)
            | Happening::Crash => None,
        });
        let gone: Vec<&At<String>> = gone.collect();
        let family = self.plan.family();
        let commands = family.iter().flat_map(|plan| plan.commands.values());
        let targets: BTreeSet<Arc<str>> = commands.map(|command| command.target.clone()).collect();
        for target in targets {
            if !gone.iter().any(|gone| *gone.value == *target) {
                self.world.connect(&target);
            }
        }
        for entry in &script.entries[..gone.len()] {
            self.agree(entry.span, script::happening(&entry.what));
        }
        gone.len()
    }

    pub(super) fn begin(&mut self, script: &Script) -> bool {
        let when = &script.when;
        let fields = script::object(&when.with);
        let said = script::beginning(when);
        let refused = match &when.start {
            Start::Event(event) => self.world.report(&event.value, fields).err(),
            Start::Call => self.world.start(&self.plan.name, fields).err(),
            Start::Schedule => {
                self.world.advance(self.world.until_tick(&self.plan.name));
                None
            }
        };
        if self.world.began().next().is_some() {
            self.agree(when.span, said);
            return true;
        }
        let why = refused.map_or_else(
            || "its trigger or a guard turned it away".to_owned(),
            |refusal| refusal.message,
        );
        let got = format!("nothing started: {why}");
        self.rows.push(Row { span: when.span, expected: Some(said), got: Some(got), same: false });
        false
    }

    /// Lets one entry happen; whether the script goes on.
    pub(super) fn happen(&mut self, span: Span, what: &Happening) -> bool {
        let said = script::happening(what);
        match what {
            Happening::Expect { command, with, reply } => {
                return self.expect(span, &command.value, with, reply);
            }
            Happening::Answer { command, with, reply } => {
                let met = self.met.iter().rev();
                let Some(owed) = met.clone().find(|one| fits(one, &command.value, with)) else {
                    return self.differ(span, said, "no such command has come".to_owned());
                };
                let owed = owed.clone();
                self.reply(span, &owed, reply);
                return true;
            }
            Happening::Report { event, with } => {
                let before = self.turned_away();
                let done = self.world.report(&event.value, script::object(with));
                self.turned_away |= self.turned_away() > before;
                if let Err(refusal) = done {
                    return self.differ(span, said, format!("refused: {}", refusal.message));
                }
            }
            Happening::Call(with) => {
                let done = self.world.start(&self.plan.name, script::object(with));
                if let Err(refusal) = done {
                    self.turned_away = true;
                    self.agree_but(span, said, &refusal.message);
                    return true;
                }
            }
            Happening::Signal { name, with } => {
                if let Some(refused) = self.signal(&name.value, &script::object(with)) {
                    self.agree_but(span, said, &refused);
                    return true;
                }
            }
            Happening::Disconnect(target) => self.world.disconnect(&target.value),
            Happening::Connect(target) => self.world.connect(&Arc::from(&*target.value)),
            Happening::Advance(span) => {
                let before = self.turned_away();
                self.world.advance(span.value);
                self.turned_away |= self.turned_away() > before;
            }
            Happening::Crash => self.world.crash(),
        }
        self.agree(span, said);
        true
    }

    fn turned_away(&self) -> u64 {
        self.world.coordinator().turned_away().values().sum()
    }

    fn signal(&mut self, name: &str, with: &Map<String, Value>) -> Option<String> {
        let saga = self.world.began().next()?;
        let Some(signal) = Signal::parse(name) else {
            return self.world.say(saga, name, with.clone()).err().map(|refusal| refusal.message);
        };
        let reason = with.get("reason").and_then(Value::as_str).unwrap_or("the scenario says so");
        self.world.signal(saga, signal, reason).err().map(|refusal| refusal.message)
    }

    /// Takes up what targets have got since: what comes again is answered as it was before, and
    /// what was not answered before may be expected again \[R20\].
    pub(super) fn absorb(&mut self) {
        while let Some(sent) = self.world.sent().get(self.seen) {
            let owed = sent.owed.clone();
            self.seen += 1;
            let known = self.answered.get(&owed.command_id);
            let known = known.filter(|(order, _)| *order == owed.order).map(|(_, r)| r.clone());
            match known {
                Some(Reply::None) => self.waiting.push(Waiting { owed, again: true }),
                Some(reply) => self.answer(&owed, &reply),
                None => {
                    let same = |one: &Waiting| {
                        one.owed.command_id == owed.command_id && one.owed.order == owed.order
                    };
                    if !self.waiting.iter().any(same) {
                        self.waiting.push(Waiting { owed, again: false });
                    }
                }
            }
        }
    }

    fn answer(&mut self, owed: &Owed, reply: &Reply) {
        let done = match reply {
            Reply::None => return,
            Reply::Echo { event, with } => {
                self.world.echo(owed, &event.value, script::object(with))
            }
            Reply::Failed(reason) => self.world.fail(owed, &reason.value),
        };
        // The vocabulary was checked, so what is refused here is an answer to what is over.
        drop(done);
    }

    /// A place where a target may go away for a moment.
    fn place(&mut self) {
        let place = self.places;
        self.places += 1;
        let away = self.faults.away.iter().filter(|(at, _)| *at == place);
        let away: Vec<Arc<str>> = away.map(|(_, target)| target.clone()).collect();
        for target in away {
            if self.world.is_connected(&target) {
                self.world.disconnect(&target);
                self.world.connect(&target);
            }
        }
        self.absorb();
    }

    fn expect(&mut self, span: Span, command: &str, with: &With, reply: &Reply) -> bool {
        let target = self.target_of(command);
        let said = script::expected(&target, command, with);
        self.absorb();
        let fits = |owed: &Owed| fits(owed, command, with);
        let first = loop {
            let at = self.waiting.iter().position(|one| one.owed.target == target);
            let Some(at) = at else { break None };
            if !self.waiting[at].again || fits(&self.waiting[at].owed) {
                break Some(at);
            }
            // It came again, and nobody asks for it again.
            self.waiting.remove(at);
        };
        let Some(at) = first.filter(|at| fits(&self.waiting[*at].owed)) else {
            let got = first.map(|at| self.waiting.remove(at));
            let got = got.map_or_else(|| self.standing(), |one| script::came(&one.owed));
            return self.differ(span, said, got);
        };
        let owed = self.waiting.remove(at).owed;
        self.agree(span, said);
        self.met.push(owed.clone());
        self.reply(span, &owed, reply);
        true
    }

    /// Answers a command, and remembers it for when the command comes again.
    fn reply(&mut self, span: Span, owed: &Owed, reply: &Reply) {
        self.answered.insert(owed.command_id.clone(), (owed.order, reply.clone()));
        self.place();
        if let Some(said) = script::answer(&owed.target, reply) {
            let twice = self.faults.twice.contains(&self.answers);
            self.answers += 1;
            for _ in 0..=usize::from(twice) {
                self.answer(owed, reply);
            }
            self.agree(span, said);
        }
    }

    fn target_of(&self, command: &str) -> Arc<str> {
        let declared = self.catalog.commands.get(command);
        declared.map(|declared| declared.target.clone()).unwrap_or_default()
    }

    fn said(&self, what: &Happening) -> String {
        if let Happening::Expect { command, with, .. } = what {
            return script::expected(&self.target_of(&command.value), &command.value, with);
        }
        script::happening(what)
    }

    fn agree(&mut self, span: Span, said: String) {
        let got = Some(said.clone());
        self.rows.push(Row { span, expected: Some(said), got, same: true });
    }

    /// It happened, and the launcher said no to it, which the case may want.
    fn agree_but(&mut self, span: Span, said: String, refused: &str) {
        let got = Some(format!("{said} (refused: {refused})"));
        self.rows.push(Row { span, expected: Some(said), got, same: true });
    }

    fn differ(&mut self, span: Span, said: String, got: String) -> bool {
        self.rows.push(Row { span, expected: Some(said), got: Some(got), same: false });
        false
    }

    /// What was expected and did not come beside what came and was not expected; then the end.
    fn tell_rest(&mut self, script: &Script, rest: &[Entry]) {
        let mut came = self.waiting.iter().filter(|one| !one.again);
        let at = rest.first().map_or(script.when.span, |entry| entry.span);
        let at = script.entries.last().map_or(at, |entry| entry.span);
        let mut rows = Vec::new();
        for entry in rest {
            let got = came.next().map(|one| script::came(&one.owed));
            let expected = Some(self.said(&entry.what));
            rows.push(Row { span: entry.span, expected, got, same: false });
        }
        for one in came {
            let got = Some(script::came(&one.owed));
            rows.push(Row { span: at, expected: None, got, same: false });
        }
        self.rows.extend(rows);
        if let Some(end) = &script.end {
            let expected = script::wanted(end);
            let saga = self.saga();
            let verdict = saga.and_then(|saga| self.world.verdict(saga));
            let same = verdict.is_some_and(|verdict| script::holds(end, verdict));
            let got = match verdict {
                _ if same => expected.clone(),
                Some(verdict) => script::ended(verdict, end),
                None => self.standing(),
            };
            let span = end.span;
            self.rows.push(Row { span, expected: Some(expected), got: Some(got), same });
        }
    }

    fn saga(&self) -> Option<SagaId> {
        self.world.began().next()
    }

    /// What the saga is waiting for, in words.
    fn standing(&self) -> String {
        let Some(id) = self.saga() else { return "nothing started".to_owned() };
        if let Some(verdict) = self.world.verdict(id) {
            let cause = verdict.cause.map(|cause| format!(", {}", cause.as_str()));
            return format!("ended: {}{}", verdict.state.as_str(), cause.unwrap_or_default());
        }
        let Some((saga, plan)) = self.world.coordinator().saga(id) else {
            return "nothing".to_owned();
        };
        let waits = saga.runs.iter().filter_map(|run| match &run.phase {
            Phase::Waiting { due } => Some((run, *due)),
            Phase::Pausing { until, .. } => Some((run, Some(*until))),
            Phase::Idle | Phase::Probing { .. } | Phase::Undoing { .. } | Phase::Ended { .. } => {
                None
            }
        });
        let said = waits.map(|(run, due)| {
            let path = saga.path(plan, run.key);
            let now = self.world.now();
            let due = due.map(|due| format!(" for another {}", due.since(now)));
            format!("`{path}` waits{}", due.unwrap_or_default())
        });
        let said: Vec<String> = said.collect();
        let aside = if saga.observes { "it observes, so nothing is sent; it" } else { "it" };
        format!("nothing; {aside} is {}: {}", saga.state.as_str(), said.join(", "))
    }

    pub(super) fn played(self) -> Played {
        let verdict = self.saga().and_then(|saga| self.world.verdict(saga)).cloned();
        let facts = self.world.timed_facts().to_vec();
        let broken = self.world.broken().map(str::to_owned);
        let broken = broken.or_else(|| judge_facts(self.plan, &facts).map(|one| one.words));
        Played {
            rows: self.rows,
            facts,
            verdict,
            turned_away: self.turned_away,
            commits: self.world.commits(),
            answers: self.answers,
            places: self.places,
            broken,
            unkept: self.world.unkept().map(str::to_owned),
        }
    }
}

/// Whether that is the command, with these fields among its own.
fn fits(owed: &Owed, command: &str, with: &With) -> bool {
    let field =
        |(name, value): &(At<String>, At<Value>)| owed.with.get(&name.value) == Some(&value.value);
    *owed.cmd == *command && with.list.iter().all(field)
}
