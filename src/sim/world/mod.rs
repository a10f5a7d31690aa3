//! One launcher's life in memory: turns, commits, hand-overs, crashes. Knows no scenario.
//!
//! Scenarios and exhaustive checks need no more log than a list of facts. Who wants the rows and
//! lines of the production log as well, and a start that reads them, gives a [`Shelf`].

mod fresh;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::coordinator::{
    Client, Coordinator, Fact, IncomingReport, Refusal, Said, Signal, TurnOut,
};
use crate::definition::Catalog;
use crate::ids::{SagaId, Seq, SessionNo};
use crate::plan::Plan;
use crate::saga::owed::Owed;
use crate::saga::record::{Record, Verdict};
use crate::time::{Millis, Timestamp};

use super::always::Watch;
use super::past::Past;
use super::shelf::{Sent, Shelf};

/// When every world begins.
pub const START: Timestamp = Timestamp(1_800_000_000_000);

/// Turns of one stretch of time, at most: a saga may try again every second for a year.
const TURNS_MAX: u32 = 20_000;

/// The kind of client that stands for everybody who is no target.
const TOOL: &str = "tool";

/// A launcher's life. A clone is another life with the same past.
#[derive(Clone, Debug)]
pub struct World<S = ()> {
    pub(super) coordinator: Coordinator,
    pub(super) catalog: Arc<Catalog>,
    pub(super) plans: Vec<Arc<Plan>>,
    /// What ran before the definitions were changed.
    pub(super) older: Vec<Arc<Plan>>,
    /// The log up to the last [`World::settle`].
    pub(super) past: Option<Arc<Past>>,
    /// The log since then: every fact with its instant.
    pub(super) facts: Vec<(Timestamp, Fact)>,
    shelf: S,
    pub(super) now: Timestamp,
    clients: BTreeMap<Arc<str>, Client>,
    pub(super) handed: BTreeSet<(Arc<str>, SessionNo, Seq)>,
    pub(super) sent: Vec<Sent>,
    commits: u64,
    crash_after: Option<u64>,
    compares: bool,
    pub(super) broken: Option<String>,
    watch: Watch,
    next_pid: u64,
    /// How many pods a launcher that starts finds.
    pods: u64,
}

impl<S: Shelf> World<S> {
    /// A booted launcher with these definitions, to which nobody is connected.
    #[must_use]
    pub fn on(shelf: S, catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) -> World<S> {
        let mut world = World {
            coordinator: Coordinator::new(catalog.clone(), plans.clone()),
            catalog,
            plans,
            older: Vec::new(),
            past: None,
            facts: Vec::new(),
            shelf,
            now: START,
            clients: BTreeMap::new(),
            handed: BTreeSet::new(),
            sent: Vec::new(),
            commits: 0,
            crash_after: None,
            compares: false,
            broken: None,
            watch: Watch::default(),
            next_pid: 100,
            pods: 0,
        };
        world.decide(|coordinator| coordinator.boot_with(1, "simulated", 0));
        world
    }

    /// Holds the live state to the fold of the log after every turn from now on, or no more
    /// \[R3\]; what differs is [`World::broken`]. At every crash it is done anyway.
    pub fn compare_every_turn(&mut self, compares: bool) {
        self.compares = compares;
    }

    /// Lets the launcher die right after its commit of that number, counted from one.
    pub fn crash_after(&mut self, commit: u64) {
        self.crash_after = Some(commit);
    }

    /// How many transactions were committed.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// All facts so far, in order.
    #[must_use]
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.facts.iter().map(|(_, fact)| fact)
    }

    /// All facts so far with their instants, in order.
    #[must_use]
    pub fn timed_facts(&self) -> &[(Timestamp, Fact)] {
        &self.facts
    }

    /// Everything that reached targets, in order; a command that is handed over again comes again.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// What clashed when the log was folded anew \[R3, L9\]; never, unless the engine is wrong.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// What of a saga's `always` did not hold first, after which commit ever, and in which state.
    #[must_use]
    pub fn unkept(&self) -> Option<&str> {
        self.watch.broken()
    }

    /// The coordinator, to be looked at.
    #[must_use]
    pub fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The coordinator, for what the methods here have no words for; a turn has to follow.
    pub fn coordinator_mut(&mut self) -> &mut Coordinator {
        &mut self.coordinator
    }

    /// Where turns are kept beside the facts.
    #[must_use]
    pub fn shelf(&self) -> &S {
        &self.shelf
    }

    /// The same, to be changed: a damaged log is found at the next start.
    pub fn shelf_mut(&mut self) -> &mut S {
        &mut self.shelf
    }

    /// The declared vocabulary.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The definitions that start now.
    #[must_use]
    pub fn plans(&self) -> &[Arc<Plan>] {
        &self.plans
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Sets the clock, and lets nothing happen: a launcher was away for so long, or the clock of
    /// its machine leapt.
    pub fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The sagas that exist or existed, in the order in which they began.
    pub fn began(&self) -> impl Iterator<Item = SagaId> {
        let began = self.facts().filter(|fact| matches!(fact.record, Record::Began(_)));
        began.filter_map(|fact| fact.saga)
    }

    /// How a saga ended, once it has.
    #[must_use]
    pub fn verdict(&self, saga: SagaId) -> Option<&Verdict> {
        let own = self.facts().rev().filter(|fact| fact.saga == Some(saga));
        own.map(|fact| &fact.record).find_map(|record| {
            let (Record::Ended(verdict) | Record::Dropped(verdict) | Record::Settled(verdict)) =
                record
            else {
                return None;
            };
            Some(verdict)
        })
    }

    /// Something is decided in a turn of its own, committed and handed over.
    pub fn decide<T>(&mut self, what: impl FnOnce(&mut Coordinator) -> T) -> T {
        self.coordinator.begin_turn(self.now);
        let done = what(&mut self.coordinator);
        self.turn();
        done
    }

    /// Commits what was decided and hands commands over \[R2\], until nothing follows from that.
    pub fn turn(&mut self) {
        loop {
            self.commit();
            if self.compares {
                self.compare();
            }
            let written = self.hand_over();
            if written.is_empty() {
                return;
            }
            for owed in written {
                self.coordinator.sent(owed.saga, &owed.command_id);
            }
        }
    }

    /// Commits what was decided, and tells nobody: what a launcher leaves that dies right then.
    pub fn commit(&mut self) {
        let mut facts = Vec::new();
        self.coordinator.take_facts(&mut facts);
        let out: TurnOut = self.coordinator.take_turn();
        self.shelf.keep(&facts, &out, &self.coordinator);
        if facts.is_empty() {
            return;
        }
        self.watch.committed(&self.plans, out.now, &facts);
        self.facts.extend(facts.into_iter().map(|fact| (out.now, fact)));
        self.commits += 1;
        if self.crash_after == Some(self.commits) {
            self.crash_after = None;
            self.compare();
            self.crash();
        }
    }

    /// Hands over what connected targets have not got in this session; those that tell `sent`.
    fn hand_over(&mut self) -> Vec<Arc<Owed>> {
        let mut tell = Vec::new();
        let targets: Vec<Arc<str>> = self.coordinator.owing_targets().cloned().collect();
        for target in targets {
            let sessions = &self.coordinator.world().targets;
            let Some(session) = sessions.get(&target).and_then(|t| t.open) else { continue };
            let owed: Vec<Arc<Owed>> = self.coordinator.owed_to(&target).cloned().collect();
            for owed in owed {
                if self.handed.insert((target.clone(), session, owed.order)) {
                    if owed.tells_sent {
                        tell.push(owed.clone());
                    }
                    self.sent.push(Sent { session, owed });
                }
            }
        }
        tell
    }

    /// The launcher dies and comes back on its log; who was connected connects again.
    pub fn crash(&mut self) {
        let kinds: Vec<Arc<str>> = self.clients.keys().cloned().collect();
        self.restart();
        for kind in kinds {
            self.connect(&kind);
        }
    }

    /// The same, where every fact was held to the live state when it came: what lives is the fold
    /// of the log, and nothing is folded anew.
    pub fn crash_as_it_stands(&mut self) {
        let kinds: Vec<Arc<str>> = self.clients.keys().cloned().collect();
        let since = self.facts.last().map(|(at, _)| *at);
        let last = since.or_else(|| self.past.as_deref().and_then(Past::last)).unwrap_or(START);
        self.coordinator = self.coordinator.reborn(self.catalog.clone(), self.plans.clone(), last);
        self.booted();
        for kind in kinds {
            self.connect(&kind);
        }
    }

    /// The launcher dies and comes back on its log; nobody is connected any more.
    pub fn restart(&mut self) {
        self.coordinator = match self.shelf.start(&self.catalog, &self.plans) {
            Some(coordinator) => coordinator,
            None => self.folded(),
        };
        self.booted();
    }

    fn booted(&mut self) {
        self.clients.clear();
        self.handed.clear();
        let pods = self.pods;
        self.decide(|coordinator| {
            coordinator.boot_with(1, "simulated", pods);
            coordinator.tick();
        });
    }

    /// The launcher dies and comes back on its log with other definitions, and nobody connected.
    pub fn restart_with(&mut self, catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) {
        self.catalog = catalog;
        self.older.append(&mut self.plans);
        self.plans = plans;
        self.restart();
    }

    /// Connects a client of that kind, unless one is.
    pub fn connect(&mut self, kind: &Arc<str>) {
        if !self.clients.contains_key(kind) {
            // A kind that nobody declares has nothing to connect.
            self.register(kind).ok();
        }
    }

    /// Connects one more client of that kind, named like it; of a target it takes the place of the
    /// older one \[W12\].
    ///
    /// # Errors
    /// There is no such kind.
    pub fn register(&mut self, kind: &Arc<str>) -> Result<Client, Refusal> {
        self.next_pid += 1;
        let pid = self.next_pid;
        self.coordinator.begin_turn(self.now);
        let done = self.coordinator.register(kind, (kind, "1"), pid);
        let client =
            done.map(|done| Client { id: done.client_id, kind: kind.clone(), name: kind.clone() });
        if let Ok(client) = &client {
            self.clients.insert(kind.clone(), client.clone());
        }
        self.turn();
        // A crash after that commit may have let it connect anew.
        client.map(|client| self.clients.get(kind).cloned().unwrap_or(client))
    }

    /// The client of that kind goes away, if there is one.
    pub fn disconnect(&mut self, kind: &str) {
        if let Some(client) = self.clients.remove(kind) {
            self.decide(|coordinator| coordinator.leave(client.id));
        }
    }

    /// Whether a client of that kind is connected.
    #[must_use]
    pub fn is_connected(&self, kind: &str) -> bool {
        self.clients.contains_key(kind)
    }

    /// The connected client of that kind.
    #[must_use]
    pub fn client(&self, kind: &str) -> Option<&Client> {
        self.clients.get(kind)
    }

    fn tool(&self) -> Client {
        let absent = || Client {
            id: crate::ids::ClientId::default(),
            kind: Arc::from(TOOL),
            name: Arc::from(TOOL),
        };
        self.clients.get(TOOL).cloned().unwrap_or_else(absent)
    }

    /// Somebody reports an event.
    ///
    /// # Errors
    /// The launcher does not take it.
    pub fn report(&mut self, event: &str, fields: Map<String, Value>) -> Result<(), Refusal> {
        if event == fresh::LAUNCHER_STARTED {
            self.pods = fields.get("pods").and_then(Value::as_u64).unwrap_or_default();
            self.crash();
            return Ok(());
        }
        let report = IncomingReport {
            event: Arc::from(event),
            fields,
            echo: None,
            command_id: None,
            dedup: None,
        };
        // What belongs to a built-in target it says itself.
        let declared = self.catalog.events.get(event);
        let client = match declared.and_then(|declared| declared.owner.clone()) {
            Some(owner) => Client { kind: owner.clone(), name: owner, ..self.tool() },
            None => self.tool(),
        };
        self.decide(|coordinator| coordinator.report(&client, report)).map(|_| ())
    }

    /// The command's target answers it with an event; nothing happens while it is away.
    ///
    /// # Errors
    /// The launcher does not take it.
    pub fn echo(
        &mut self,
        owed: &Owed,
        event: &str,
        fields: Map<String, Value>,
    ) -> Result<(), Refusal> {
        let Some(client) = self.clients.get(&owed.target).cloned() else { return Ok(()) };
        let report = IncomingReport {
            event: Arc::from(event),
            fields,
            echo: Some((owed.saga, owed.step.clone())),
            command_id: Some(owed.command_id.clone()),
            dedup: None,
        };
        self.decide(|coordinator| coordinator.report(&client, report)).map(|_| ())
    }

    /// The command's target could not do it; nothing happens while it is away.
    ///
    /// # Errors
    /// The launcher does not take it.
    pub fn fail(&mut self, owed: &Owed, reason: &str) -> Result<(), Refusal> {
        let Some(client) = self.clients.get(&owed.target).cloned() else { return Ok(()) };
        let (step, id) = ((owed.saga, &*owed.step), Some(&*owed.command_id));
        let reason = Arc::from(reason);
        self.decide(|coordinator| coordinator.action_failed(&client, step, id, &reason))
    }

    /// A caller starts a saga by name.
    ///
    /// # Errors
    /// It may not start now.
    pub fn start(&mut self, saga: &str, fields: Map<String, Value>) -> Result<SagaId, Refusal> {
        let client = self.tool();
        self.decide(|coordinator| coordinator.start(&client, saga, fields, None))
    }

    /// A person says something to a saga.
    ///
    /// # Errors
    /// It cannot be, now.
    pub fn signal(&mut self, saga: SagaId, signal: Signal, reason: &str) -> Result<(), Refusal> {
        let client = self.tool();
        self.decide(|coordinator| coordinator.signal(&client, saga, signal, Some(reason)))
    }

    /// How long it is until the clock starts that saga; no time where it never does.
    #[must_use]
    pub fn until_tick(&self, saga: &str) -> Millis {
        let ticks = self.coordinator.schedules().filter(|tick| &**tick.saga == saga);
        let next = ticks.filter_map(|tick| tick.next).min();
        next.map_or(Millis(0), |next| next.since(self.now))
    }

    /// A person says something of the saga's own to it.
    ///
    /// # Errors
    /// Its fields do not fit, or nobody awaits it now.
    pub fn say(
        &mut self,
        saga: SagaId,
        signal: &str,
        input: Map<String, Value>,
    ) -> Result<(), Refusal> {
        let client = self.tool();
        let said = Said { signal: Arc::from(signal), input, reason: None, dedup: None };
        self.decide(|coordinator| coordinator.say(&client, saga, said)).map(|_| ())
    }

    /// Lets time pass until something is due; whether anything is.
    pub fn wait(&mut self) -> bool {
        let Some(due) = self.coordinator.next_due() else { return false };
        self.now = due.max(self.now);
        self.decide(Coordinator::tick);
        true
    }

    /// Lets time pass, stopping at everything that is due.
    pub fn advance(&mut self, span: Millis) {
        let end = self.now + span;
        for _ in 0..TURNS_MAX {
            let due = self.coordinator.next_due().filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            self.decide(Coordinator::tick);
            if due.is_none() {
                return;
            }
        }
        let words = format!("{span} hold more than {TURNS_MAX} things that are due");
        self.broken = Some(format!("{words}: let less time pass at once"));
    }
}
