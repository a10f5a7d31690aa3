//! What may happen next at a moment: every answer that a step tells apart, silence, everybody's
//! going and coming, a crash, a cancel, a rival. Lets none of it happen.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::{CommandDecl, EventDecl};
use crate::expr::{comparisons, eval, eval_bool};
use crate::ids::SagaId;
use crate::plan::{Alternative, Plan, Source, Step, Verb};
use crate::saga::decide::SagaScope;
use crate::saga::owed::Owed;
use crate::saga::record::{Ending, State};
use crate::saga::state::{Phase, Run, Saga, StepKey};
use crate::sim::payload::{Known, answers};

use super::act::{Act, Node, Start};
use super::likeness::needed;
use super::values::{Of, representatives};
use super::{Detail, Setting};

/// What an incoming report means for a step: the place of the first entry that it satisfies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) enum Meaning {
    /// Of `fail_on`.
    Fails(usize),
    /// Of `await`.
    Satisfies(usize),
}

/// All beginnings: every way to start it, with its targets there, and with one of them away.
pub(super) fn beginnings(setting: &Setting) -> Vec<Act> {
    let mut all = Vec::new();
    let plan = setting.plan();
    let known = Known::default();
    let of = |declared: &EventDecl| {
        representatives(&declared.fields, &known, setting.reads_of(&plan.name), Of::Trigger)
    };
    let mut starts: Vec<Start> = Vec::new();
    for trigger in &plan.trigger.events {
        let declared = plan.events.get(&trigger.event).into_iter();
        let payloads = declared.flat_map(|declared| of(declared));
        starts.extend(payloads.map(|with| Start::Event(trigger.event.clone(), with)));
    }
    if let Some(call) = &plan.trigger.call {
        starts.extend(of(&call.fields).into_iter().map(Start::Call));
    }
    if !plan.trigger.schedules.is_empty() {
        starts.push(Start::Schedule);
    }
    for start in starts {
        let away = setting.targets.iter().map(|target| vec![target.clone()]);
        for away in std::iter::once(Vec::new()).chain(away) {
            all.push(Act::Begin { start: start.clone(), away });
        }
    }
    all
}

/// What may happen at that moment.
pub(super) fn choices(setting: &Setting, node: &Node) -> Vec<Act> {
    let mut all = Vec::new();
    let coordinator = node.world.coordinator();
    for (place, (id, _)) in node.books.sagas.iter().enumerate() {
        let saga = coordinator.saga(*id).filter(|(saga, _)| saga.is_open());
        let Some((saga, plan)) = saga.filter(|(saga, _)| setting.concerns(place, saga)) else {
            continue;
        };
        let mut moment = Moment { setting, node, saga, plan, acts: Vec::new() };
        moment.of_saga();
        // Of a rival that runs beside the saga only that all goes well with it matters.
        let most = if place == 0 || setting.is_called(saga) { usize::MAX } else { 1 };
        all.extend(moment.acts.into_iter().take(most));
    }
    let main = node.main().and_then(|id| coordinator.saga(id));
    let runs = main.is_some_and(|(s, _)| s.state == State::Running && s.verdict.is_none());
    if runs {
        all.push(Act::Cancel);
    }
    all.extend(coordinator.next_due().map(|_| Act::Wait));
    let calm = setting.detail == Detail::Least
        && setting.targets.iter().all(|one| node.world.is_connected(one));
    all.extend(main.filter(|it| calm && lingers(*it)).map(|_| Act::Linger));
    for target in needed(setting, node) {
        let there = node.world.is_connected(target);
        all.push(if there { Act::Leave(target.clone()) } else { Act::Come(target.clone()) });
    }
    all.push(Act::Crash);
    if node.has_said() {
        all.push(Act::Again);
    }
    if !node.met && main.is_some_and(|(saga, _)| saga.is_active()) {
        // The clock brings its own rivals.
        let ticks = matches!(node.begun, Some(Start::Schedule));
        all.extend((setting.meets() && !ticks).then_some(Act::Rival));
    }
    all
}

/// Whether it tries again and again until its deadline: past its point of no return it does, and
/// how often it did before is no part of a moment.
fn lingers((saga, plan): (&Saga, &Plan)) -> bool {
    let Some(deadline) = saga.due.filter(|_| saga.verdict.is_none()) else { return false };
    // Whatever else is open, by silence it comes to this.
    let again = |run: &Run| {
        let step = plan.step(run.key.step);
        let most = step.retry.as_ref().map_or(1, |retry| retry.attempts);
        matches!(&run.phase, Phase::Pausing { in_doubt: true, until, .. } if *until < deadline)
            && run.attempt >= most
    };
    // One that nothing can undo is passed while it is tried.
    let passed = |run: &Run| plan.step(run.key.step).pivot && run.phase != Phase::Idle;
    saga.runs.iter().any(passed) && saga.runs.iter().any(again)
}

/// One saga of a moment.
struct Moment<'a> {
    setting: &'a Setting,
    node: &'a Node,
    saga: &'a Saga,
    plan: &'a Plan,
    acts: Vec<Act>,
}

impl Moment<'_> {
    fn of_saga(&mut self) {
        for owed in self.node.world.coordinator().owed_by(self.saga.id) {
            if !owed.tells_sent && self.node.world.is_connected(&owed.target) {
                self.answers(owed);
            }
        }
        if !self.saga.observes {
            let doubted: Vec<Owed> =
                self.saga.runs.iter().filter_map(|run| self.doubted(run)).collect();
            for owed in doubted {
                self.answers(&Arc::new(owed));
            }
        }
        self.events();
    }

    /// The command of a step in doubt, whose answer may still come \[R19\].
    fn doubted(&self, run: &Run) -> Option<Owed> {
        let step = self.plan.step(run.key.step);
        let listens = match &run.phase {
            Phase::Pausing { in_doubt, .. } => *in_doubt,
            Phase::Probing { .. } => true,
            Phase::Ended { outcome, .. } => {
                *outcome == Ending::InDoubt
                    && run.undone.is_none()
                    && self.plan.is_forward(run.key.step)
                    && !self.plan.is_probe(run.key.step)
            }
            Phase::Idle | Phase::Waiting { .. } | Phase::Undoing { .. } => false,
        };
        let command = run.command.as_ref().filter(|_| listens && step.wait.is_some())?;
        let there = self.node.world.is_connected(&command.target);
        there.then(|| Owed {
            order: command.owed,
            issued: command.seq,
            since: command.at,
            target: command.target.clone(),
            cmd: command.cmd.clone(),
            with: command.with.clone(),
            command_id: command.id.clone(),
            saga: self.saga.id,
            step: self.saga.path(self.plan, run.key),
            attempt: run.attempt,
            undoes: self.plan.is_undo(run.key.step),
            tells_sent: false,
        })
    }

    /// Every answer to a command that its step tells apart, and a refusal.
    fn answers(&mut self, owed: &Arc<Owed>) {
        let Some(key) = self.saga.find(self.plan, &owed.step) else { return };
        let Some(run) = self.saga.run(key) else { return };
        let command: Option<&Arc<CommandDecl>> = self.plan.commands.get(&owed.cmd);
        let asked = self.asked_about(key);
        let sure = match asked {
            Some(asked) => self.is_known(asked),
            None => self.is_sure(owed.saga, &owed.command_id),
        };
        for declared in command.iter().flat_map(|one| answers(one, &self.setting.catalog.events)) {
            let refuses = command.is_some_and(|one| one.failures.contains(&declared.name));
            for (with, meaning) in self.told_apart(run, (declared, Source::Echo), Some(owed)) {
                let event = Value::Object(with.clone());
                let did = matches!(meaning, Meaning::Satisfies(_)) && !refuses;
                // A target tells the truth of what it is asked about.
                let did = self.finds(key, &event).unwrap_or(did);
                // A target's answer for a command never changes [R20].
                if did || !sure {
                    let (owed, event) = (owed.clone(), declared.name.clone());
                    self.acts.push(Act::Answer { owed, event, with, did });
                }
            }
        }
        // Who refuses to answer a question says no more than who is silent.
        if !sure && asked.is_none() {
            self.acts.push(Act::Refuse { owed: owed.clone() });
        }
    }

    fn is_sure(&self, saga: SagaId, command_id: &Arc<str>) -> bool {
        let mut standing = self.node.books.ledger.standing(saga);
        standing.any(|(id, effect)| id == command_id && effect.sure)
    }

    /// The step that this one asks about.
    fn asked_about(&self, key: StepKey) -> Option<StepKey> {
        let owner = self.saga.owner(self.plan, key)?;
        self.plan.is_probe(key.step).then_some(owner)
    }

    /// Whether that step has surely been done, by any of its commands.
    fn is_known(&self, key: StepKey) -> bool {
        let mut standing = self.node.books.ledger.standing(self.saga.id);
        standing.any(|(_, effect)| effect.step == key && effect.sure)
    }

    /// What an answer to a question says of the step that it is about.
    fn finds(&self, key: StepKey, event: &Value) -> Option<bool> {
        let asked = self.asked_about(key)?;
        let probe = self.plan.step(asked.step).probe.as_ref()?;
        let scope = SagaScope::new(self.saga, self.plan, self.node.world.now(), Some(event));
        let done = eval_bool(&probe.done_when, &scope.within(key.branch));
        Some(done.unwrap_or(false))
    }

    /// Payloads of an event that lead to different things, with what they mean.
    fn told_apart(
        &self,
        run: &Run,
        (declared, source): (&EventDecl, Source),
        owed: Option<&Arc<Owed>>,
    ) -> Vec<(Map<String, Value>, Meaning)> {
        let step = self.plan.step(run.key.step);
        let ways = ways(step).filter(|on| on.event == declared.name);
        let known = self.known(run.key.branch, ways, owed);
        let reads = self.setting.reads_of(&self.saga.name);
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for with in representatives(&declared.fields, &known, reads, Of::Event) {
            let event = Value::Object(with.clone());
            let is_signal = source == Source::Signal;
            let Some(meaning) = self.meaning(run, (&declared.name, is_signal), &event) else {
                continue;
            };
            let told = |name: &str| reads.decides_alone(name) || reads.decides_by_length(name);
            let kept = with.iter().filter_map(|(name, value)| match told(name) {
                true => Some(format!("{name}={value}")),
                false => reads.decides_by_presence(name).then(|| name.clone()),
            });
            let kept: Vec<String> = kept.collect();
            if seen.insert((meaning, self.finds(run.key, &event), kept)) {
                found.push((with, meaning));
            }
        }
        found
    }

    fn meaning(&self, run: &Run, name: (&str, bool), event: &Value) -> Option<Meaning> {
        let scope = SagaScope::new(self.saga, self.plan, self.node.world.now(), Some(event));
        meaning(self.plan, run, &scope, name)
    }

    /// Values that matter here: what fields are compared with first, then what everybody knows.
    fn known<'p>(
        &self,
        branch: u32,
        ways: impl Iterator<Item = &'p Alternative>,
        owed: Option<&Arc<Owed>>,
    ) -> Known {
        let mut known = Known::default();
        let scope = SagaScope::new(self.saga, self.plan, self.node.world.now(), None);
        let scope = scope.within(branch);
        for filter in ways.filter_map(|on| on.filter.as_ref()) {
            for pin in comparisons(filter) {
                if let ([field], Ok(value)) = (&*pin.field, eval(&pin.value, &scope)) {
                    let pair = (field.to_string(), value.into_owned());
                    known.add(&Value::Object([pair].into_iter().collect()));
                }
            }
        }
        owed.iter().for_each(|owed| known.add(&owed.with));
        [&*self.saga.input, &*self.saga.fields].into_iter().for_each(|one| known.add(one));
        known.add(&Value::Object(self.saga.vars.clone()));
        known
    }

    /// Events that steps wait for and nobody was asked for, and those that cancel it.
    fn events(&mut self) {
        let mut names: BTreeSet<(Arc<str>, bool, usize)> = BTreeSet::new();
        for (place, run) in self.saga.runs.iter().enumerate() {
            // Who looks on may see late what became of a doubt [R19].
            let late = self.saga.observes && self.doubted(run).is_some();
            if late || matches!(run.phase, Phase::Waiting { .. }) {
                let named = ways(self.plan.step(run.key.step));
                let named = named.filter(|on| on.source != Source::Echo);
                let named = named.map(|on| (on.event.clone(), on.source == Source::Signal, place));
                names.extend(named);
            }
        }
        for (event, is_signal, place) in names {
            let (declared, source) = match is_signal {
                true => (self.plan.signals.get(&event), Source::Signal),
                false => (self.plan.events.get(&event), Source::Event),
            };
            let Some(declared) = declared else { continue };
            let run = &self.saga.runs[place];
            for (with, _) in self.told_apart(run, (declared, source), None) {
                let event = event.clone();
                self.acts.push(match is_signal {
                    true => Act::Say { signal: event, with },
                    false => Act::Report { event, with },
                });
            }
        }
        if self.saga.state != State::Running || self.saga.verdict.is_some() {
            return;
        }
        // One at a time: what waits for its target comes no sooner for a second one.
        let calm = self.saga.reactions.owed.is_empty();
        let reactions = self.plan.reactions.iter().map(|one| &one.on);
        let reactions = reactions.filter(|on| calm && on.source.is_public());
        for on in self.plan.cancel_on.iter().chain(reactions) {
            let Some(declared) = self.plan.events.get(&on.event) else { continue };
            let known = self.known(0, std::iter::once(on), None);
            let reads = self.setting.reads_of(&self.saga.name);
            let fits = |with: &Map<String, Value>| {
                let event = Value::Object(with.clone());
                let now = self.node.world.now();
                let scope = SagaScope::new(self.saga, self.plan, now, Some(&event));
                on.filter.as_ref().is_none_or(|one| eval_bool(one, &scope).unwrap_or(false))
            };
            let all = representatives(&declared.fields, &known, reads, Of::Event);
            let fitting = all.into_iter().find(fits);
            let event = on.event.clone();
            self.acts.extend(fitting.map(|with| Act::Report { event, with }));
        }
    }
}

/// Everything that a step listens to, failures first \[R22\].
fn ways(step: &Step) -> impl Iterator<Item = &Alternative> {
    let fails = step.fail_on.iter().map(|fail| &fail.on);
    fails.chain(step.wait.iter().flat_map(|wait| &wait.alternatives))
}

/// What an event, or a signal, means for an open step.
pub(in crate::sim) fn meaning(
    plan: &Plan,
    run: &Run,
    scope: &SagaScope<'_>,
    (name, is_signal): (&str, bool),
) -> Option<Meaning> {
    let step = plan.step(run.key.step);
    let scope = scope.within(run.key.branch);
    let fits = |on: &Alternative| {
        let holds = |filter| eval_bool(filter, &scope).unwrap_or(false);
        let is_meant = is_signal == (on.source == Source::Signal) && *on.event == *name;
        is_meant && on.filter.as_ref().is_none_or(holds)
    };
    if let Some(place) = step.fail_on.iter().position(|fail| fits(&fail.on)) {
        return Some(Meaning::Fails(place));
    }
    let wait = step.wait.as_ref().filter(|_| !matches!(step.verb, Verb::Delay(_)))?;
    let came = |place: usize| wait.all && run.matched.iter().any(|one| *one as usize == place);
    let mut all = wait.alternatives.iter().enumerate();
    let place = all.find(|(place, on)| !came(*place) && fits(on)).map(|(place, _)| place)?;
    Some(Meaning::Satisfies(place))
}
