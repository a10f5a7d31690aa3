//! Cases for what no case reaches: the interpreter is driven down one way after another, and ways
//! that reach something new are kept. Writes no file.

#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::Catalog;
use crate::definition::scenario::{End, Entry, Happening, Reply, Script, Start, When, With};
use crate::definition::{EventDecl, Fields};
use crate::diag::{At, Span};
use crate::expr::eval_bool;
use crate::plan::{Alternative, Plan, Policy, Source};
use crate::saga::decide::SagaScope;
use crate::saga::owed::Owed;
use crate::saga::record::Verdict;
use crate::saga::state::{Phase, Saga};

use super::coverage::{Item, reached};
use super::play::{Faults, Player, play};

use super::payload::{Known, answers, payloads};

pub use write::case as write_case;

/// Ways that are tried for one saga, at most.
pub const WAYS_MAX: usize = 4_000;

/// Entries of one script, at most: a way that is longer is given up.
const ENTRIES_MAX: usize = 80;

/// Payloads of one event that lead to the same entry, at most.
const ALIKE_MAX: usize = 5;

/// A case that reaches something new.
#[derive(Clone, Debug)]
pub struct Made {
    /// What is unusual about it, in words.
    pub name: String,
    /// What happens.
    pub script: Script,
}

/// What a search for cases came to.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The cases, the shortest first.
    pub made: Vec<Made>,
    /// Ways that were tried, at most [`WAYS_MAX`].
    pub tried: usize,
}

/// Makes cases until nothing of `missing` is left that any way within reach leads to.
#[must_use]
pub fn fill(
    catalog: &Arc<Catalog>,
    plan: &Arc<Plan>,
    mut missing: BTreeSet<Item>,
    taken: &BTreeSet<String>,
) -> Filled {
    let mut made: Vec<Made> = Vec::new();
    let mut taken = taken.clone();
    let mut ways = VecDeque::from([Vec::new()]);
    let mut tried = 0;
    while tried < WAYS_MAX && !missing.is_empty() {
        let Some(way) = ways.pop_front() else { break };
        tried += 1;
        let walked = walk(catalog, plan, &way);
        for place in way.len()..walked.choices.len() {
            let usual = walked.taken[..place].to_vec();
            for other in 1..walked.choices[place] {
                ways.push_back([&usual[..], &[other]].concat());
            }
        }
        let Some(script) = walked.script else { continue };
        let played = play(catalog, plan, &script, &Faults::default());
        let new: BTreeSet<Item> = reached(plan, &played).intersection(&missing).cloned().collect();
        if new.is_empty() || !played.passed() {
            continue;
        }
        missing.retain(|item| !new.contains(item));
        let name = distinct(&walked.words, &taken);
        taken.insert(name.clone());
        made.push(Made { name, script });
    }
    Filled { made, tried }
}

/// A name for what is unusual that no other case has.
fn distinct(words: &[String], taken: &BTreeSet<String>) -> String {
    let name = if words.is_empty() { "all goes well".to_owned() } else { words.join(", then ") };
    let numbered = (2u32..).map(|number| format!("{name} ({number})"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or(name)
}

/// What walking one way showed.
struct Walked {
    /// How many choices there were at each place.
    choices: Vec<usize>,
    /// Which one was taken.
    taken: Vec<usize>,
    /// What was unusual, in words.
    words: Vec<String>,
    /// The script; absent: the way leads nowhere.
    script: Option<Script>,
}

/// Something that may happen next, and how it is told where it is not the usual thing.
struct Choice {
    what: Happening,
    words: String,
}

fn at<T>(value: T) -> At<T> {
    At::new(value, Span::default())
}

fn with(fields: &Map<String, Value>) -> With {
    let pair = |(name, value): (&String, &Value)| (at(name.clone()), at(value.clone()));
    With { span: Span::default(), list: fields.iter().map(pair).collect() }
}

/// Takes the choices of `way`, then always the usual one.
fn walk(catalog: &Arc<Catalog>, plan: &Arc<Plan>, way: &[usize]) -> Walked {
    let mut walked =
        Walked { choices: Vec::new(), taken: Vec::new(), words: Vec::new(), script: None };
    let begins = beginnings(plan);
    let Some((when, words)) = walked.choose(way, begins, |(_, words)| words.clone()) else {
        return walked;
    };
    drop(words);
    let faults = Faults::default();
    let mut player = Player::new(catalog, plan, &faults);
    let mut script = Script { when, entries: Vec::new(), end: None };
    player.connect_targets(&script);
    if !player.begin(&script) {
        return walked;
    }
    while script.entries.len() < ENTRIES_MAX {
        player.absorb();
        let choices = choices(catalog, plan, &player, &script);
        if choices.is_empty() {
            let played = player.played();
            script.end = played.verdict.as_ref().map(end);
            walked.script = script.end.is_some().then_some(script);
            return walked;
        }
        let Some(choice) = walked.choose(way, choices, |one| one.words.clone()) else { break };
        if !player.happen(Span::default(), &choice.what) {
            break;
        }
        push(&mut script.entries, choice.what);
    }
    walked
}

impl Walked {
    fn choose<T>(
        &mut self,
        way: &[usize],
        choices: Vec<T>,
        words: impl Fn(&T) -> String,
    ) -> Option<T> {
        let place = self.choices.len();
        let pick = way.get(place).copied().unwrap_or_default();
        self.choices.push(choices.len());
        self.taken.push(pick);
        let choice = choices.into_iter().nth(pick)?;
        if pick > 0 {
            self.words.push(words(&choice));
        }
        Some(choice)
    }
}

/// Adds an entry; times that pass one after the other are one.
fn push(entries: &mut Vec<Entry>, what: Happening) {
    if let Happening::Advance(more) = &what
        && let Some(Entry { what: Happening::Advance(span), .. }) = entries.last_mut()
    {
        span.value.0 += more.value.0;
        return;
    }
    entries.push(Entry { span: Span::default(), what });
}

/// What may start the saga, the likely payload first.
fn beginnings(plan: &Plan) -> Vec<(When, String)> {
    let mut all = Vec::new();
    let mut add = |start: &Start, word: &str, fields: &Fields| {
        for payload in payloads(fields, &Known::default()).into_iter().take(ALIKE_MAX) {
            let when = When { span: Span::default(), start: start.clone(), with: with(&payload) };
            all.push((when, format!("another {word}")));
        }
    };
    for trigger in &plan.trigger.events {
        if let Some(declared) = plan.events.get(&trigger.event) {
            let start = Start::Event(at(trigger.event.to_string()));
            add(&start, &trigger.event, &declared.fields);
        }
    }
    if let Some(call) = &plan.trigger.call {
        add(&Start::Call, "call", &call.fields.fields);
    }
    if !plan.trigger.schedules.is_empty() {
        add(&Start::Schedule, "tick", &Fields::default());
    }
    all
}

fn end(verdict: &Verdict) -> End {
    let find = |words: &[&'static str], word: &str| {
        words.iter().find(|known| **known == word).copied().map(at)
    };
    let result = verdict.result.as_deref().and_then(Value::as_object);
    let result = result.filter(|result| !result.is_empty());
    End {
        span: Span::default(),
        state: find(crate::definition::keys::ENDS, verdict.state.as_str()),
        cause: verdict
            .cause
            .and_then(|cause| find(crate::definition::keys::CAUSES, cause.as_str())),
        reason: None,
        result: result.map(with),
    }
}

/// What may happen now, the usual thing first; nothing once all is over.
fn choices(catalog: &Catalog, plan: &Plan, player: &Player<'_>, script: &Script) -> Vec<Choice> {
    let mut all = match player.waiting.iter().find(|one| !one.again) {
        Some(waiting) => of_command(catalog, player, &waiting.owed),
        None => of_time(player, script),
    };
    // Once, and while there is somebody to give way.
    let first = script.entries.is_empty();
    if first && !all.is_empty() && plan.eviction.policy != Policy::Parallel {
        let with = script.when.with.clone();
        let what = match &script.when.start {
            Start::Event(event) => Happening::Report { event: event.clone(), with },
            Start::Call => Happening::Call(with),
            Start::Schedule => Happening::Advance(at(player.world.until_tick(&plan.name))),
        };
        all.push(Choice { what, words: "a second one comes".to_owned() });
    }
    all
}

/// A command came: every answer that its step tells apart, a refusal, silence.
fn of_command(catalog: &Catalog, player: &Player<'_>, owed: &Owed) -> Vec<Choice> {
    let fields = owed.with.as_object().cloned().unwrap_or_default();
    let expect = |reply: Reply| Happening::Expect {
        command: at(owed.cmd.to_string()),
        with: with(&fields),
        reply,
    };
    let path = &owed.step;
    let silence = Choice { what: expect(Reply::None), words: format!("{path} gets no answer") };
    let Some((saga, plan)) = player.world.coordinator().saga(owed.saga) else {
        return vec![silence];
    };
    let step = plan.find(path).map(|ix| plan.step(ix));
    let Some((step, wait)) = step.and_then(|step| Some((step, step.wait.as_ref()?))) else {
        return vec![silence];
    };
    let mut known = Known::default();
    [&*owed.with, &*saga.input, &*saga.fields].into_iter().for_each(|one| known.add(one));
    let fails: Vec<&Alternative> = step.fail_on.iter().map(|one| &one.on).collect();
    let ways: Vec<&Alternative> = wait.alternatives.iter().collect();
    let command = catalog.commands.get(&owed.cmd);
    let events: Vec<&Arc<EventDecl>> =
        command.iter().flat_map(|command| answers(command, &catalog.events)).collect();
    let mut good: Vec<Vec<Choice>> = ways.iter().map(|_| Vec::new()).collect();
    let mut bad: Vec<Vec<Choice>> = fails.iter().map(|_| Vec::new()).collect();
    for declared in events {
        for payload in payloads(&declared.fields, &known) {
            let seen = Seen { plan, saga, player, name: &declared.name, payload: &payload };
            let (place, gets) = match (seen.first(&fails), seen.first(&ways)) {
                (Some(at), _) => (&mut bad[at], "fails by"),
                (None, Some(at)) => (&mut good[at], "gets"),
                (None, None) => continue,
            };
            if place.len() < ALIKE_MAX {
                let event = at(declared.name.to_string());
                let reply = Reply::Echo { event, with: with(&payload) };
                let words = format!("{path} {gets} {}", declared.name);
                place.push(Choice { what: expect(reply), words });
            }
        }
    }
    let mut all: Vec<Choice> = good.into_iter().chain(bad).flatten().collect();
    let refused = Reply::Failed(at("it cannot be done".to_owned()));
    all.push(Choice { what: expect(refused), words: format!("{path} is refused") });
    all.push(silence);
    all
}

/// A payload as a waiting step would see it.
struct Seen<'a> {
    plan: &'a Plan,
    saga: &'a Saga,
    player: &'a Player<'a>,
    name: &'a Arc<str>,
    payload: &'a Map<String, Value>,
}

impl Seen<'_> {
    /// The first of these that it satisfies.
    fn first(&self, ways: &[&Alternative]) -> Option<usize> {
        let event = Value::Object(self.payload.clone());
        let now = self.player.world.now();
        let scope = SagaScope::new(self.saga, self.plan, now, Some(&event));
        ways.iter().position(|one| {
            let filter = one.filter.as_ref();
            one.event == *self.name && filter.is_none_or(|f| eval_bool(f, &scope).unwrap_or(false))
        })
    }
}

/// No command is open: the events that somebody waits for, time, and events that reactions alone
/// are there for.
fn of_time(player: &Player<'_>, script: &Script) -> Vec<Choice> {
    let coordinator = player.world.coordinator();
    let mut all = Vec::new();
    let open = coordinator.sagas().filter(|(saga, _)| saga.is_open());
    let open: Vec<(&Saga, &Plan)> = open.collect();
    for (saga, plan) in open.iter().copied() {
        for (path, on) in awaited(saga, plan) {
            of_event(player, saga, plan, &path, on, &mut all);
        }
    }
    if let Some(due) = coordinator.next_due().filter(|_| !open.is_empty()) {
        let span = due.since(player.world.now());
        let what = Happening::Advance(at(span));
        all.push(Choice { what, words: "time passes".to_owned() });
    }
    // What only a reaction takes leads the saga nowhere: once is enough, and never the usual thing.
    // Else such events would come for ever.
    let came = |name: &str| {
        script.entries.iter().any(|entry| match &entry.what {
            Happening::Report { event, .. } => event.value == name,
            Happening::Expect { .. }
            | Happening::Answer { .. }
            | Happening::Call(_)
            | Happening::Signal { .. }
            | Happening::Disconnect(_)
            | Happening::Connect(_)
            | Happening::Advance(_)
            | Happening::Crash => false,
        })
    };
    for (saga, plan) in open {
        let reactions = plan.reactions.iter().map(|one| &one.on);
        for on in reactions.filter(|on| on.source.is_public() && !came(&on.event)) {
            of_event(player, saga, plan, "a reaction", on, &mut all);
        }
    }
    all
}

/// What may come to a saga from anybody, each with the step that it comes to.
fn awaited<'a>(saga: &Saga, plan: &'a Plan) -> Vec<(String, &'a Alternative)> {
    let mut ways: Vec<(String, &Alternative)> = Vec::new();
    for run in saga.runs.iter().filter(|run| matches!(run.phase, Phase::Waiting { .. })) {
        let step = plan.step(run.key.step);
        // Of all that must come, nothing is awaited twice.
        let came = |place: u32| {
            step.wait.as_ref().is_some_and(|wait| wait.all) && run.matched.contains(&place)
        };
        let places = (0u32..).zip(step.wait.iter().flat_map(|wait| &wait.alternatives));
        let missing = places.filter(|(place, _)| !came(*place)).map(|(_, one)| one);
        let named = missing.chain(step.fail_on.iter().map(|one| &one.on));
        let named = named.filter(|one| one.source != Source::Echo);
        ways.extend(named.map(|one| (step.path.to_string(), one)));
    }
    ways.extend(plan.cancel_on.iter().map(|one| ("it".to_owned(), one)));
    ways
}

/// The payloads with which one event is taken.
fn of_event(
    player: &Player<'_>,
    saga: &Saga,
    plan: &Plan,
    path: &str,
    on: &Alternative,
    all: &mut Vec<Choice>,
) {
    let declared = match on.source {
        Source::Echo | Source::Organic | Source::Event => plan.events.get(&on.event),
        Source::Signal => plan.signals.get(&on.event),
    };
    let Some(declared) = declared else { return };
    let mut known = Known::default();
    [&*saga.input, &*saga.fields].into_iter().for_each(|one| known.add(one));
    known.add(&Value::Object(saga.vars.clone()));
    let name = &on.event;
    let fitting = payloads(&declared.fields, &known)
        .into_iter()
        .filter(|payload| Seen { plan, saga, player, name, payload }.first(&[on]).is_some());
    all.extend(fitting.take(ALIKE_MAX).map(|payload| {
        let (said, with) = (at(name.to_string()), with(&payload));
        let what = match on.source {
            Source::Echo | Source::Organic | Source::Event => {
                Happening::Report { event: said, with }
            }
            Source::Signal => Happening::Signal { name: said, with },
        };
        Choice { what, words: format!("{path} gets {name}") }
    }));
}
