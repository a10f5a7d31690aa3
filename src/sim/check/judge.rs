//! What must hold in every history, held to the facts of each thing that happens. Chooses nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::coordinator::Fact;
use crate::ids::SagaId;
use crate::plan::{OnRestart, Plan, Policy};
use crate::saga::decide::SagaScope;
use crate::saga::record::{Cause, Ending, Record, State, Verdict};
use crate::saga::state::{Phase, Run, Saga, StepKey};
use crate::sim::ledger::Ledger;
use crate::time::Timestamp;

use super::act::{Done, Node};
use super::choices::{Meaning, meaning};

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
}

/// The sagas of one moment, folded on from the moment before by the facts in between.
pub(super) struct Folded {
    plan: Arc<Plan>,
    sagas: BTreeMap<SagaId, Saga>,
    found: Option<Broken>,
}

impl Folded {
    /// The sagas as they are before something happens.
    pub(super) fn before(plan: &Arc<Plan>, node: &Node) -> Folded {
        let all = node.world.coordinator().sagas();
        let sagas = all.map(|(saga, _)| (saga.id, saga.clone())).collect();
        Folded { plan: plan.clone(), sagas, found: None }
    }

    fn find(&mut self, property: Property, words: impl FnOnce() -> String) {
        if self.found.is_none() {
            self.found = Some(broken(property, words()));
        }
    }

    /// Folds what was done, keeps the node's books, and says what does not hold.
    pub(super) fn after(mut self, node: &mut Node, done: &Done) -> Option<Broken> {
        let books = &mut node.books;
        if let Some(said) = &done.said {
            let (owed, did) = (&said.owed, said.did);
            self.answered(books, owed.saga, (&owed.step, &owed.command_id), did);
        }
        for (at, fact) in done.facts() {
            self.fact(books, *at, fact);
            // What awaits nothing is done once it is written.
            if let (Record::Sent(of), Some(id)) = (&fact.record, fact.saga) {
                let mut sent = done.sent.iter().map(|sent| &sent.owed);
                if let Some(owed) = sent.find(|owed| owed.saga == id && owed.step == of.step) {
                    self.handed(books, id, (&owed.step, &owed.command_id));
                    self.answered(books, id, (&owed.step, &owed.command_id), true);
                }
            }
        }
        for owed in done.sent.iter().map(|sent| &sent.owed) {
            self.handed(books, owed.saga, (&owed.step, &owed.command_id));
        }
        self.compare(node);
        self.found.or_else(|| of_moment(&self.plan, node))
    }

    fn handed(&self, books: &mut Books, id: SagaId, (step, command): (&str, &Arc<str>)) {
        if let Some(saga) = self.sagas.get(&id) {
            books.ledger.handed(saga, &self.plan, step, command);
        }
    }

    fn answered(&self, books: &mut Books, id: SagaId, (step, command): (&str, &str), did: bool) {
        if let Some(saga) = self.sagas.get(&id) {
            books.ledger.answered(saga, &self.plan, step, command, did);
        }
    }

    /// Folds one fact, and looks at what it says.
    fn fact(&mut self, books: &mut Books, at: Timestamp, fact: &Fact) {
        let (Some(id), record) = (fact.saga, &fact.record) else { return };
        if let Record::Began(began) = record {
            self.sagas.insert(id, Saga::began(id, began, fact.seq, at));
            books.sagas.push((id, None));
            return;
        }
        if matches!(record, Record::Event(_)) {
            return;
        }
        let plan = self.plan.clone();
        let Some(saga) = self.sagas.get_mut(&id) else { return };
        if let Err(clash) = saga.apply(&plan, fact.seq, at, record) {
            return self.find(Property::Fold, || format!("saga {id} cannot be folded: {clash}"));
        }
        let Some(saga) = self.sagas.remove(&id) else { return };
        self.look(books, &saga, record);
        self.sagas.insert(id, saga);
    }

    fn look(&mut self, books: &mut Books, saga: &Saga, record: &Record) {
        let plan = self.plan.clone();
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
        let plan = self.plan.clone();
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
        if let Some(words) = unexplained(&self.plan, saga, verdict.state) {
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

/// What does not hold in a life that is over, as its facts alone tell it.
pub(in crate::sim) fn judge_facts(plan: &Arc<Plan>, facts: &[(Timestamp, Fact)]) -> Option<Broken> {
    let mut folded = Folded { plan: plan.clone(), sagas: BTreeMap::new(), found: None };
    let mut books = Books::default();
    for (at, fact) in facts {
        folded.answer(&mut books, *at, fact);
        folded.fact(&mut books, *at, fact);
        folded.command(&mut books, fact);
    }
    folded.found
}

impl Folded {
    /// A report that answers a command: what it says of it.
    fn answer(&self, books: &mut Books, at: Timestamp, fact: &Fact) {
        let Record::Event(event) = &fact.record else { return };
        let (Some(id), Some(step)) = (event.saga_id, &event.step) else { return };
        let Some(saga) = self.sagas.get(&id) else { return };
        let run = saga.find(&self.plan, step).and_then(|key| saga.run(key));
        let Some((run, command)) = run.and_then(|run| Some((run, run.command.as_ref()?))) else {
            return;
        };
        if event.command_id.as_ref().is_some_and(|id| *id != command.id) {
            return;
        }
        let scope = SagaScope::new(saga, &self.plan, at, Some(&event.fields));
        let Some(meaning) = meaning(&self.plan, run, &scope, (&event.name, false)) else { return };
        let declared = self.plan.commands.get(&command.cmd);
        let refuses = declared.is_some_and(|one| one.failures.contains(&event.name));
        let did = matches!(meaning, Meaning::Satisfies(_)) && !refuses;
        self.answered(books, id, (step, &command.id), did);
    }

    /// What the facts alone say of commands: that they went out, and that they came to nothing.
    fn command(&self, books: &mut Books, fact: &Fact) {
        let (Some(id), record) = (fact.saga, &fact.record) else { return };
        if let Record::Issued(issued) = record {
            self.handed(books, id, (&issued.step, &issued.command_id));
        }
        let of = |step: &Arc<str>| {
            let saga = self.sagas.get(&id)?;
            let run = saga.run(saga.find(&self.plan, step)?)?;
            run.command.as_ref().map(|command| command.id.clone())
        };
        let (step, did) = if let Record::Sent(sent) = record {
            (&sent.step, true)
        } else if let Record::Outcome(one) = record
            && one.outcome == Ending::Failed
        {
            (&one.step, false)
        } else if let Record::Backoff(pause) = record
            && !pause.in_doubt
        {
            (&pause.step, false)
        } else {
            return;
        };
        if let Some(command) = of(step) {
            self.answered(books, id, (step, &command), did);
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
            !saga.run(effect.step).is_some_and(stands_by)
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
fn of_moment(plan: &Plan, node: &Node) -> Option<Broken> {
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
    overdue(node).or_else(|| keys(plan, node))
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
        let forward = saga.state == State::Running && saga.verdict.is_none();
        if forward && saga.due.is_some_and(|due| due < now) {
            let words = "it is past its deadline and goes forward";
            return Some(broken(Property::Deadlines, words));
        }
    }
    None
}

fn keys(plan: &Plan, node: &Node) -> Option<Broken> {
    if plan.eviction.policy == Policy::Parallel {
        return None;
    }
    let sagas: Vec<&Saga> = node.world.coordinator().sagas().map(|(saga, _)| saga).collect();
    let shares = |a: &Saga, b: &Saga| a.keys.iter().any(|key: &Value| b.keys.contains(key));
    for (place, one) in sagas.iter().enumerate() {
        let active = sagas[place + 1..]
            .iter()
            .find(|two| one.is_active() && two.is_active() && shares(one, two));
        if let Some(two) = active {
            let words = format!("sagas {} and {} hold one key at once", one.id, two.id);
            return Some(broken(Property::Keys, words));
        }
        let waits = one.state == State::Queued;
        if waits && !sagas.iter().any(|two| two.id != one.id && two.is_active() && shares(one, two))
        {
            let words = format!("saga {} waits for a key that nobody holds", one.id);
            return Some(broken(Property::Keys, words));
        }
    }
    None
}
