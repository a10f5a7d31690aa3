//! What must hold in every history, held to the facts of each thing that happens. Chooses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::coordinator::Fact;
use crate::ids::SagaId;
use crate::plan::{OnRestart, Plan, Policy};
use crate::saga::owed::Owed;
use crate::saga::record::{Cause, Ending, Record, State, Verdict};
use crate::saga::state::{Phase, Run, Saga, StepKey};
use crate::sim::ledger::Ledger;
use crate::time::Timestamp;

use super::act::{Done, Node};
use super::rules;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// Every reachable moment has a way to an end.
    Ends,
    /// A saga ends once \[R1\].
    OneEnd,
    /// What ends `compensated` or `failed` has left no effect, and what completes none that it
    /// gave up \[R12\].
    NoLeak,
    /// Nothing is undone past the point of no return \[R13\].
    Pivot,
    /// No step reads what may not be there.
    Reads,
    /// Deadlines hold \[R9\].
    Deadlines,
    /// One saga of a key at a time, and none is left waiting \[R17, R18, R24\].
    Keys,
    /// The fold of the log is the live state \[R3\], and no two facts clash \[L9\].
    Fold,
    /// What was done last is undone first \[R12\].
    Backwards,
    /// What waits is asked for, as often as its step says, and twice only where that may be
    /// \[R11, P4\].
    Asking,
    /// A step succeeds by an answer, and a late one settles a doubt \[R19\].
    Answers,
    /// The author's own `always`.
    Always,
}

impl Property {
    /// The property in the words of reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Property::Ends => "every reachable state can end",
            Property::OneEnd => "a saga ends once",
            Property::NoLeak => "what was given up has left no effect",
            Property::Pivot => "nothing is undone past the point of no return",
            Property::Reads => "no step reads what may not be there",
            Property::Deadlines => "deadlines hold",
            Property::Keys => "one saga of a key at a time, and none is left waiting",
            Property::Fold => "a crash after any commit changes nothing",
            Property::Backwards => "what was done last is undone first",
            Property::Asking => "what waits is asked for, and no more often than it may be",
            Property::Answers => "a step succeeds by an answer, and a late one settles a doubt",
            Property::Always => "what the saga says under `always` holds",
        }
    }
}

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// Which one.
    pub property: Property,
    /// What is wrong, in words.
    pub words: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

pub(super) fn broken(property: Property, words: impl Into<String>) -> Broken {
    Broken { property, words: words.into() }
}

/// What is known of sagas beside their own facts: what they left in the world, and how they ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) ledger: Ledger,
    /// All sagas in the order in which they came, and how they ended, once they have.
    pub(super) sagas: Vec<(SagaId, Option<State>)>,
    /// Commands that went out. What may be asked once is known to be from the saga's own state, so
    /// this is no part of a moment's likeness.
    asked: BTreeSet<Arc<str>>,
}

/// The sagas of one moment, folded on from the moment before by the facts in between.
pub(super) struct Folded {
    pub(super) plans: Vec<Arc<Plan>>,
    pub(super) sagas: BTreeMap<SagaId, Saga>,
    pub(super) found: Option<Broken>,
}

impl Folded {
    /// The sagas as they are before something happens.
    pub(super) fn before(plans: &[Arc<Plan>], node: &Node) -> Folded {
        let all = node.world.coordinator().sagas();
        let sagas = all.map(|(saga, _)| (saga.id, saga.clone())).collect();
        Folded { plans: plans.to_vec(), sagas, found: None }
    }

    /// The plan of a saga; the first is that of the saga that is judged.
    pub(super) fn plan_of(&self, saga: &Saga) -> Arc<Plan> {
        let plan = self.plans.iter().find(|plan| plan.name == saga.name);
        plan.unwrap_or(&self.plans[0]).clone()
    }

    fn find(&mut self, property: Property, words: impl FnOnce() -> String) {
        if self.found.is_none() {
            self.found = Some(broken(property, words()));
        }
    }

    /// Folds what was done, keeps the node's books, and says what does not hold.
    pub(super) fn after(mut self, node: &mut Node, done: &Done) -> Option<Broken> {
        let books = &mut node.books;
        let mut settles = None;
        if let Some(said) = &done.said {
            let (owed, did) = (&said.owed, said.did);
            settles = self.settles(owed);
            self.answered(books, owed.saga, (&owed.step, &owed.command_id), did);
        }
        for (at, fact) in done.facts() {
            self.fact(books, *at, fact);
            self.engine(books, *at, fact, done);
            // What awaits nothing is done once it is written.
            if let (Record::Sent(of), Some(id)) = (&fact.record, fact.saga) {
                let mut sent = done.sent.iter().map(|sent| &sent.owed);
                if let Some(owed) = sent.find(|owed| owed.saga == id && owed.step == of.step) {
                    self.handed(books, id, (&owed.step, &owed.command_id));
                    self.answered(books, id, (&owed.step, &owed.command_id), true);
                }
            }
        }
        self.settled(settles);
        for owed in done.sent.iter().map(|sent| &sent.owed) {
            self.asked(books, owed);
            self.handed(books, owed.saga, (&owed.step, &owed.command_id));
        }
        self.compare(node);
        self.found.or_else(|| of_moment(node))
    }

    /// What the engine promises of single facts.
    fn engine(&mut self, books: &Books, at: Timestamp, fact: &Fact, done: &Done) {
        let Some(saga) = fact.saga.and_then(|id| self.sagas.get(&id)) else { return };
        let record = &fact.record;
        let found = rules::of_fact(&self.plan_of(saga), saga, at, record, &books.ledger);
        let nobody = done.said.is_none();
        let found = found
            .or_else(|| rules::unanswered(&self.plan_of(saga), saga, record).filter(|_| nobody));
        self.found = self.found.take().or(found);
    }

    fn asked(&mut self, books: &mut Books, owed: &Owed) {
        let Some(saga) = self.sagas.get(&owed.saga).filter(|saga| !saga.retrying) else { return };
        if !books.asked.insert(owed.command_id.clone()) {
            let found = rules::asked_again(&self.plan_of(saga), saga, &owed.step);
            self.found = self.found.take().or(found);
        }
    }

    /// The step whose doubt that answer has to settle; one to an older command settles nothing.
    fn settles(&self, owed: &Owed) -> Option<(SagaId, StepKey)> {
        let (id, path) = (owed.saga, &owed.step);
        let saga = self.sagas.get(&id)?;
        let key = saga.find(&self.plan_of(saga), path)?;
        let command = saga.run(key).and_then(|run| run.command.as_ref())?;
        let is_newest = command.id == owed.command_id;
        (is_newest && rules::settles(&self.plan_of(saga), saga, key)).then_some((id, key))
    }

    fn settled(&mut self, settles: Option<(SagaId, StepKey)>) {
        let Some((id, key)) = settles else { return };
        let Some(saga) = self.sagas.get(&id) else { return };
        if saga.run(key).and_then(Run::outcome) == Some(Ending::InDoubt) {
            let path = saga.path(&self.plan_of(saga), key);
            self.find(Property::Answers, || format!("a late answer to step `{path}` is lost"));
        }
    }

    pub(super) fn handed(&self, books: &mut Books, id: SagaId, (step, command): (&str, &Arc<str>)) {
        if let Some(saga) = self.sagas.get(&id) {
            books.ledger.handed(saga, &self.plan_of(saga), step, command);
        }
    }

    pub(super) fn answered(
        &self,
        books: &mut Books,
        id: SagaId,
        (step, command): (&str, &str),
        did: bool,
    ) {
        if let Some(saga) = self.sagas.get(&id) {
            books.ledger.answered(saga, &self.plan_of(saga), step, command, did);
        }
    }

    /// Folds one fact, and looks at what it says.
    pub(super) fn fact(&mut self, books: &mut Books, at: Timestamp, fact: &Fact) {
        let (Some(id), record) = (fact.saga, &fact.record) else { return };
        if let Record::Began(began) = record {
            self.sagas.insert(id, Saga::began(id, began, fact.seq, at));
            books.sagas.push((id, None));
            return;
        }
        if matches!(record, Record::Event(_)) {
            return;
        }
        let Some(plan) = self.sagas.get(&id).map(|saga| self.plan_of(saga)) else { return };
        let Some(saga) = self.sagas.get_mut(&id) else { return };
        if let Err(clash) = saga.apply(&plan, fact.seq, at, record) {
            return self.find(Property::Fold, || format!("saga {id} cannot be folded: {clash}"));
        }
        let Some(saga) = self.sagas.remove(&id) else { return };
        self.look(books, &saga, record);
        self.sagas.insert(id, saga);
    }

    fn look(&mut self, books: &mut Books, saga: &Saga, record: &Record) {
        let plan = self.plan_of(saga);
        if let Record::Outcome(outcome) = record {
            if outcome.cause == Some(Cause::Fault) {
                let why = outcome.reason.as_deref().unwrap_or_default();
                self.find(Property::Reads, || format!("step `{}`: {why}", outcome.step));
            }
        } else if let Record::Unwinding(turn) = record {
            if turn.cause == Cause::Fault {
                self.find(Property::Reads, || turn.reason.to_string());
            }
            if let Some(pivot) = passed(saga, &plan) {
                self.find(Property::Pivot, || {
                    format!("it turns around past its point of no return, step `{pivot}`")
                });
            }
        } else if let Record::Undone(undone) = record {
            let Some(key) = saga.find(&plan, &undone.step) else { return };
            if let Some(words) = undone_past_pivot(saga, &plan, key) {
                self.find(Property::Pivot, || words);
            }
            if undone.ok {
                books.ledger.undone(saga, &plan, key);
            }
        } else if let Record::Finishing(verdict) = record {
            self.verdict(saga, verdict);
        } else if let Record::Ended(verdict) | Record::Dropped(verdict) | Record::Settled(verdict) =
            record
        {
            if plan.finally.is_empty() {
                self.verdict(saga, verdict);
            }
            self.ended(books, saga, verdict);
        }
    }

    fn ended(&mut self, books: &mut Books, saga: &Saga, verdict: &Verdict) {
        let plan = self.plan_of(saga);
        if let Some((_, ended)) = books.sagas.iter_mut().find(|(id, _)| *id == saga.id)
            && let Some(earlier) = ended.replace(verdict.state)
        {
            self.find(Property::OneEnd, || {
                format!("it ended {}, and then {}", earlier.as_str(), verdict.state.as_str())
            });
        }
        if let Some(words) = leak(&plan, saga, &books.ledger, verdict.state) {
            self.find(Property::NoLeak, || words);
        }
        books.ledger.forget(saga.id);
    }

    /// The verdict stands: what it says must follow from what was.
    fn verdict(&mut self, saga: &Saga, verdict: &Verdict) {
        if let Some(words) = unexplained(&self.plan_of(saga), saga, verdict.state) {
            self.find(Property::NoLeak, || words);
        }
    }

    /// \[R3\]: what was folded is what lives.
    fn compare(&mut self, node: &Node) {
        let coordinator = node.world.coordinator();
        for (id, saga) in &self.sagas {
            let live = coordinator.saga(*id).map(|(live, _)| live);
            let differs = match live {
                Some(live) => live != saga,
                None => saga.is_open() || saga.is_incident(),
            };
            if differs && coordinator.corrupt().is_empty() && self.found.is_none() {
                let words =
                    format!("the fold of the log is not the live state: {saga:?}, {live:?}");
                self.found = Some(broken(Property::Fold, words));
            }
        }
    }
}

/// The pivot that lies behind, as far as its step has succeeded.
fn passed(saga: &Saga, plan: &Plan) -> Option<Arc<str>> {
    let is_behind =
        |run: &&Run| plan.step(run.key.step).pivot && run.outcome() == Some(Ending::Succeeded);
    saga.runs.iter().find(is_behind).map(|run| saga.path(plan, run.key))
}

fn undone_past_pivot(saga: &Saga, plan: &Plan, key: StepKey) -> Option<String> {
    let pivot = passed(saga, plan)?;
    // Where branches run at once, one that lost is undone beside the pivot of the one that won.
    let its_own = *saga.path(plan, key) == *pivot;
    if plan.has_branches() && !its_own {
        return None;
    }
    let step = saga.path(plan, key);
    Some(format!("step `{step}` is undone past the point of no return, step `{pivot}`"))
}

/// Whether something stands that nobody stands by, should the saga end so.
pub(super) fn left_behind(plan: &Plan, saga: &Saga, ledger: &Ledger, state: State) -> bool {
    leak(plan, saga, ledger, state).is_some()
}

/// What stands that nobody stands by.
fn leak(plan: &Plan, saga: &Saga, ledger: &Ledger, state: State) -> Option<String> {
    let mut standing = ledger.standing(saga.id);
    let (id, effect) = match state {
        State::Compensated | State::Failed => standing.next()?,
        State::Completed => standing.find(|(id, effect)| {
            let stands_by = |run: &Run| {
                run.may_have_happened()
                    && run.undone.is_none()
                    && run.command.as_ref().is_some_and(|command| command.id == **id)
            };
            !saga.run(effect.step).is_some_and(stands_by) || has_lost(plan, saga, effect.step)
        })?,
        // A person looks after it.
        State::FailedCompensation => return None,
        State::Queued | State::Running | State::Compensating => return None,
    };
    let path = saga.path(plan, effect.step);
    let happened = if effect.sure { "happened" } else { "may have happened" };
    let why = if effect.irreversible { ", which nothing can undo" } else { "" };
    let word = state.as_str();
    let cmd = &effect.cmd;
    Some(format!("it ended {word}, and `{cmd}` of step `{path}` ({id}) {happened}{why}"))
}

/// Whether the step stands in a branch that another one has won against.
fn has_lost(plan: &Plan, saga: &Saga, key: StepKey) -> bool {
    let owners = std::iter::successors(saga.owner(plan, key), |at| saga.owner(plan, *at));
    owners
        .filter_map(|owner| saga.winner(plan, owner))
        .any(|won| key != won && !saga.is_within(plan, key, won))
}

/// An end whose state nothing explains.
fn unexplained(plan: &Plan, saga: &Saga, state: State) -> Option<String> {
    let any = |mark: bool| saga.runs.iter().any(|run| run.undone == Some(mark));
    let pivot = |run: &Run| plan.step(run.key.step).pivot && run.may_have_happened();
    match state {
        State::Compensated | State::Failed if any(false) => {
            Some(format!("it ended {}, and an undo had failed", state.as_str()))
        }
        State::Completed if saga.unwinding.is_some() => {
            Some("it completed after it had turned around".to_owned())
        }
        State::FailedCompensation => {
            let explained = any(false)
                || saga.runs.iter().any(pivot)
                || plan.on_restart == OnRestart::Fail
                || saga.retrying;
            let words =
                "it ended failed_compensation, and no undo had failed and no pivot lay behind";
            (!explained).then(|| words.to_owned())
        }
        State::Queued
        | State::Running
        | State::Compensating
        | State::Completed
        | State::Failed
        | State::Compensated => None,
    }
}

/// What must hold of one moment, however it came about.
fn of_moment(node: &Node) -> Option<Broken> {
    let coordinator = node.world.coordinator();
    if let Some(words) = node.world.broken() {
        return Some(broken(Property::Fold, words));
    }
    if let Some(words) = node.world.unkept() {
        return Some(broken(Property::Always, words));
    }
    if let Some((id, clash)) = coordinator.corrupt().first_key_value() {
        return Some(broken(Property::Fold, format!("saga {id} is set aside: {clash}")));
    }
    overdue(node)
        .or_else(|| keys(node))
        .or_else(|| rules::unowed(&node.world))
        .or_else(|| rules::idle(&node.world))
}

fn overdue(node: &Node) -> Option<Broken> {
    let now = node.world.now();
    for (saga, plan) in node.world.coordinator().sagas().filter(|(saga, _)| saga.is_open()) {
        for run in &saga.runs {
            let due = match &run.phase {
                Phase::Waiting { due } => *due,
                Phase::Pausing { until, .. } => Some(*until),
                Phase::Idle
                | Phase::Probing { .. }
                | Phase::Undoing { .. }
                | Phase::Ended { .. } => None,
            };
            if due.is_some_and(|due| due < now) {
                let path = saga.path(plan, run.key);
                return Some(broken(
                    Property::Deadlines,
                    format!("step `{path}` is past its deadline and goes on"),
                ));
            }
        }
        // Of a held one the way forward is over.
        let going = saga.verdict.is_none() && saga.held.is_none();
        let forward = saga.state == State::Running && going;
        if forward && saga.due.is_some_and(|due| due < now) {
            let words = "it is past its deadline and goes forward";
            return Some(broken(Property::Deadlines, words));
        }
    }
    None
}

/// Sagas contend when their definitions have one name and they share a key, and its own policy says
/// what one does about it \[R17\]; held ones let their family past.
fn keys(node: &Node) -> Option<Broken> {
    let sagas = node.world.coordinator().sagas();
    let sagas: Vec<&Saga> = sagas
        .filter(|(_, plan)| plan.eviction.policy != Policy::Parallel)
        .map(|(saga, _)| saga)
        .collect();
    let holds =
        |saga: &Saga| matches!(saga.state, State::Running | State::Compensating) && !saga.retrying;
    let meet = |a: &Saga, b: &Saga| {
        let shares = a.keys.iter().any(|key: &Value| b.keys.contains(key));
        a.id != b.id && a.name == b.name && shares
    };
    let past = |a: &Saga, b: &Saga| a.is_held() && a.root() == b.root();
    for (place, one) in sagas.iter().enumerate() {
        let active = sagas[place + 1..].iter().find(|two| {
            holds(one) && holds(two) && meet(one, two) && !past(one, two) && !past(two, one)
        });
        if let Some(two) = active {
            let words = format!("sagas {} and {} hold one key at once", one.id, two.id);
            return Some(broken(Property::Keys, words));
        }
        let waits = one.state == State::Queued;
        if waits && !sagas.iter().any(|two| holds(two) && meet(one, two) && !past(two, one)) {
            let words = format!("saga {} waits for a key that nobody holds", one.id);
            return Some(broken(Property::Keys, words));
        }
    }
    None
}
