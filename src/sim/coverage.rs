//! What the plan of a saga has, against what its cases reached. Judges facts, never a case's words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::coordinator::{Fact, fold};
use crate::expr::eval_bool;
use crate::ids::{SagaId, Seq};
use crate::plan::{Alternative, Plan, Policy, Source, Step, StepIx, Undo, Verb};
use crate::saga::decide::SagaScope;
use crate::saga::reactions;
use crate::saga::record::{Cause, Ending, Record};
use crate::time::Timestamp;

use super::play::Played;

/// What kind of thing a case can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A step that is entered.
    Step,
    /// One of the ways on: an answer, an `if` that is false, a trigger of several.
    Alternative,
    /// A step whose time runs out.
    Timeout,
    /// A step whose command is refused, an entry of `fail_on` or `cancel_on`.
    Failure,
    /// A step that is undone.
    Compensation,
    /// A newcomer of the same key.
    Eviction,
}

impl Kind {
    /// All kinds, in the order of the table.
    pub const ALL: [Kind; 6] = [
        Kind::Step,
        Kind::Alternative,
        Kind::Timeout,
        Kind::Failure,
        Kind::Compensation,
        Kind::Eviction,
    ];

    /// The kind in the plural, as the table and JSON name it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Kind::Step => "steps",
            Kind::Alternative => "alternatives",
            Kind::Timeout => "timeouts",
            Kind::Failure => "failures",
            Kind::Compensation => "compensations",
            Kind::Eviction => "evictions",
        }
    }
}

/// One thing that a case can reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// What kind of thing.
    pub kind: Kind,
    /// Which one.
    pub name: String,
}

fn item(kind: Kind, name: impl Into<String>) -> Item {
    Item { kind, name: name.into() }
}

/// All that cases of this saga can reach. Of steps that undo only their success counts.
#[must_use]
pub fn items(plan: &Plan) -> Vec<Item> {
    let mut items = Vec::new();
    for (ix, step) in (0u32..).map(StepIx).zip(&plan.steps) {
        if let Undo::Step { .. } = &step.undo {
            items.push(item(Kind::Compensation, &*step.path));
        }
        if !plan.is_undo(ix) {
            of_step(plan, step, &mut items);
            let asked = step.probe.iter().flat_map(|_| [true, false]);
            items.extend(asked.map(|done| item(Kind::Alternative, found(&step.path, done))));
        }
    }
    let ticks = !plan.trigger.schedules.is_empty();
    let others = usize::from(plan.trigger.call.is_some()) + usize::from(ticks);
    let reactions = (0..plan.reactions.len()).map(reactions::path);
    items.extend(reactions.map(|path| item(Kind::Step, &*path)));
    if plan.trigger.events.len() + others > 1 {
        let named = plan.trigger.events.iter().map(|trigger| &*trigger.event);
        let named = named.chain(plan.trigger.call.iter().map(|_| "call"));
        let named = named.chain(ticks.then_some("schedule"));
        items.extend(named.map(|name| item(Kind::Alternative, format!("trigger: {name}"))));
    }
    items.extend(plan.cancel_on.iter().map(|on| item(Kind::Failure, cancelled(&on.event))));
    if plan.eviction.policy != Policy::Parallel {
        items.push(item(Kind::Eviction, word(plan.eviction.policy)));
    }
    let mut seen = BTreeSet::new();
    items.retain(|item| seen.insert(item.clone()));
    items
}

fn of_step(plan: &Plan, step: &Step, items: &mut Vec<Item>) {
    let path = &step.path;
    // What others stand in is reached by reaching these.
    if !matches!(
        step.verb,
        Verb::Issue { .. }
            | Verb::Await
            | Verb::Emit { .. }
            | Verb::Delay(_)
            | Verb::Call(_)
            | Verb::Recall
            | Verb::Fail(_)
            | Verb::Done
    ) {
        return;
    }
    items.push(item(Kind::Step, &**path));
    if step.condition.is_some() {
        items.push(item(Kind::Alternative, skipped(path)));
    }
    if matches!(step.verb, Verb::Call(_)) {
        items.push(item(Kind::Failure, refused(path)));
        items.extend(step.timeout.map(|_| item(Kind::Timeout, &**path)));
    }
    let Some(wait) = &step.wait else { return };
    let ways = wait.alternatives.len();
    if ways > 1 {
        for (at, one) in wait.alternatives.iter().enumerate() {
            items.push(item(Kind::Alternative, answer(path, at, &one.event)));
        }
    }
    if step.timeout.is_some() {
        items.push(item(Kind::Timeout, &**path));
    }
    for (at, fails) in step.fail_on.iter().enumerate() {
        items.push(item(Kind::Failure, answer(path, at, &fails.on.event)));
    }
    // Who was asked nothing can refuse nothing.
    if matches!(step.verb, Verb::Issue { .. }) && !plan.observes {
        items.push(item(Kind::Failure, refused(path)));
    }
}

fn skipped(path: &str) -> String {
    format!("{path}: skipped")
}

/// What a probe says of its step.
fn found(path: &str, done: bool) -> String {
    format!("{path}.probe: {}", if done { "done" } else { "not done" })
}

fn refused(path: &str) -> String {
    format!("{path}: refused")
}

fn cancelled(event: &str) -> String {
    format!("cancel_on: {event}")
}

/// Two entries may name one event, so that their places tell them apart.
fn answer(path: &str, at: usize, event: &str) -> String {
    format!("{path}: {event} ({})", at + 1)
}

fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Replace => "replace",
        Policy::Refuse => "refuse",
        Policy::Ignore => "ignore",
        Policy::Queue => "queue",
        Policy::Parallel => "parallel",
        Policy::Join => "join",
    }
}

/// What a play reached.
#[must_use]
pub fn reached(plan: &Plan, played: &Played) -> BTreeSet<Item> {
    let mut reader = Reader {
        plan,
        past: BTreeMap::new(),
        event: None,
        used: BTreeSet::new(),
        reached: BTreeSet::new(),
        asked: None,
    };
    for (at, fact) in &played.facts {
        reader.fact(*at, fact);
    }
    if played.turned_away {
        reader.reached.insert(item(Kind::Eviction, word(plan.eviction.policy)));
    }
    reader.reached
}

/// Something that came in.
#[derive(Clone)]
struct Last {
    seq: Seq,
    name: Arc<str>,
    fields: Arc<Value>,
    is_signal: bool,
}

struct Reader<'a> {
    plan: &'a Plan,
    /// Each saga's records so far.
    past: BTreeMap<SagaId, Vec<(Seq, Timestamp, Record)>>,
    /// What was reported, emitted or said last.
    event: Option<Last>,
    /// Which sagas were moved by which event.
    used: BTreeSet<(SagaId, Seq)>,
    reached: BTreeSet<Item>,
    /// The step that a probe was just answered about.
    asked: Option<Arc<str>>,
}

impl<'a> Reader<'a> {
    fn fact(&mut self, at: Timestamp, fact: &Fact) {
        if let Record::Event(event) = &fact.record {
            self.came(fact.seq, &event.name, &event.fields, false);
        }
        if let Record::Signalled(said) = &fact.record {
            self.came(fact.seq, &said.signal, &said.fields, true);
        }
        // Of sub-sagas others tell.
        if let Some(saga) = fact.saga.filter(|saga| self.is_own(*saga, &fact.record)) {
            self.record(saga, at, &fact.record);
            let past = self.past.entry(saga).or_default();
            past.push((fact.seq, at, fact.record.clone()));
        }
        if let Record::Emitted(event) = &fact.record {
            self.came(fact.seq, &event.event, &event.fields, false);
        }
    }

    fn is_own(&self, saga: SagaId, record: &Record) -> bool {
        if let Record::Began(began) = record {
            return began.name == self.plan.name;
        }
        self.past.contains_key(&saga)
    }

    fn came(&mut self, seq: Seq, name: &Arc<str>, fields: &Arc<Value>, is_signal: bool) {
        self.event = Some(Last { seq, name: name.clone(), fields: fields.clone(), is_signal });
    }

    fn add(&mut self, kind: Kind, name: impl Into<String>) {
        self.reached.insert(item(kind, name));
    }

    fn record(&mut self, saga: SagaId, at: Timestamp, record: &Record) {
        self.answered(record);
        let policy = word(self.plan.eviction.policy);
        if let Record::Began(began) = record {
            self.add(Kind::Alternative, format!("trigger: {}", began.trigger));
            if began.queued {
                self.add(Kind::Eviction, policy);
            }
        } else if let Record::Joined(_) = record {
            self.add(Kind::Eviction, policy);
        } else if let Record::Unwinding(turned) = record {
            if turned.cause == Cause::Evicted {
                self.add(Kind::Eviction, policy);
            }
            if turned.cause == Cause::Cancelled
                && let Some(last) = self.event.clone()
            {
                self.add(Kind::Failure, cancelled(&last.name));
            }
        } else if let Record::Undone(undone) = record {
            if undone.ok {
                self.add(Kind::Compensation, &*self.name(&undone.step));
            }
        } else if let Record::Outcome(outcome) = record {
            let step = &outcome.step;
            match outcome.outcome {
                Ending::Skipped => {
                    return self.add(Kind::Alternative, skipped(&self.name(step)));
                }
                Ending::Succeeded => self.succeeded(saga, at, step),
                Ending::Failed | Ending::InDoubt => self.failed(saga, at, step, outcome.cause),
            }
        } else if let Record::Probing(probing) = record {
            self.failed(saga, at, &probing.step, Some(probing.cause));
        } else if let Record::Backoff(pause) = record {
            self.failed(saga, at, &pause.step, Some(pause.cause));
        } else if let Record::Reissued(again) = record {
            // Past the pivot a silent step is asked again without a pause.
            self.add(Kind::Timeout, &*self.name(&again.step));
        } else if let Record::Matched(matched) = record {
            let place = matched.alternative as usize;
            let wait = self.step(&matched.step).and_then(|step| step.wait.as_ref());
            let event = wait.and_then(|wait| wait.alternatives.get(place));
            if let Some(name) =
                event.map(|one| answer(&self.name(&matched.step), place, &one.event))
            {
                self.add(Kind::Alternative, name);
            }
        }
        if let Some(step) = record.step() {
            self.add(Kind::Step, &*self.name(step));
        }
    }

    /// What a probe said stands in the very next record of its step.
    fn answered(&mut self, record: &Record) {
        let asked = self.asked.take();
        let about = asked.filter(|asked| record.step() == Some(asked));
        let done = if let Record::Outcome(outcome) = record {
            let probe = outcome.step.strip_suffix(".probe").map(Arc::from);
            self.asked = probe.filter(|_| outcome.outcome == Ending::Succeeded);
            match outcome.outcome {
                Ending::Succeeded => Some(true),
                Ending::Failed => Some(false),
                Ending::InDoubt | Ending::Skipped => None,
            }
        } else if let Record::Backoff(pause) = record {
            Some(false).filter(|_| !pause.in_doubt)
        } else {
            None
        };
        if let Some((step, done)) = about.zip(done) {
            self.add(Kind::Alternative, found(&self.name(&step), done));
        }
    }

    fn step(&self, path: &str) -> Option<&'a Step> {
        let plan = self.plan;
        plan.find(path).map(|ix| plan.step(ix))
    }

    /// What the plan calls a step: the same for all elements of a loop.
    fn name(&self, path: &str) -> Arc<str> {
        self.step(path).map_or_else(|| path.into(), |step| step.path.clone())
    }

    fn succeeded(&mut self, saga: SagaId, at: Timestamp, path: &str) {
        let Some(step) = self.step(path) else { return };
        let ways = step.wait.iter().filter(|wait| !wait.all).flat_map(|wait| &wait.alternatives);
        let ways: Vec<&Alternative> = ways.collect();
        if let Some((place, event)) = self.which(saga, at, path, &ways) {
            self.add(Kind::Alternative, answer(&self.name(path), place, &event));
        }
    }

    fn failed(&mut self, saga: SagaId, at: Timestamp, path: &str, cause: Option<Cause>) {
        match cause {
            Some(Cause::TimedOut) => self.add(Kind::Timeout, &*self.name(path)),
            Some(Cause::ActionFailed) => {
                let Some(step) = self.step(path) else { return };
                let ways: Vec<&Alternative> = step.fail_on.iter().map(|one| &one.on).collect();
                let name = self.name(path);
                match self.which(saga, at, path, &ways) {
                    Some((place, event)) => self.add(Kind::Failure, answer(&name, place, &event)),
                    None => self.add(Kind::Failure, refused(&name)),
                }
            }
            Some(
                Cause::Evicted
                | Cause::Cancelled
                | Cause::FailStep
                | Cause::Unreachable
                | Cause::Fault
                | Cause::Restart
                | Cause::Shutdown,
            )
            | None => {}
        }
    }

    /// The first of these that the last event satisfies, asked as the saga asked.
    fn which(
        &mut self,
        saga: SagaId,
        at: Timestamp,
        path: &str,
        ways: &[&Alternative],
    ) -> Option<(usize, Arc<str>)> {
        let Last { seq, name, fields, is_signal } = self.event.clone()?;
        let past = self.past.get(&saga)?;
        if self.used.contains(&(saga, seq)) {
            return None;
        }
        let state = fold(saga, self.plan, past).ok()?;
        let scope = SagaScope::new(&state, self.plan, at, Some(&fields));
        let branch = state.find(self.plan, path).map_or(0, |key| key.branch);
        let scope = scope.within(branch);
        let fits = |one: &&Alternative| {
            let filter = one.filter.as_ref();
            let is_meant = is_signal == (one.source == Source::Signal) && one.event == name;
            is_meant && filter.is_none_or(|f| eval_bool(f, &scope).unwrap_or(false))
        };
        let place = ways.iter().position(fits)?;
        self.used.insert((saga, seq));
        Some((place, name))
    }
}
