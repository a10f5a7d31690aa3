//! One launcher's life in memory: turns, commits, hand-overs, crashes. Knows no scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::coordinator::{
    Client, Coordinator, Fact, IncomingReport, Refusal, Restored, Signal, TurnOut,
};
use crate::definition::Catalog;
use crate::ids::{SagaId, Seq, SessionNo};
use crate::plan::Plan;
use crate::saga::owed::Owed;
use crate::saga::record::{Record, Verdict};
use crate::time::{Millis, Timestamp};

use super::always::Watch;

/// When every world begins.
pub const START: Timestamp = Timestamp(1_800_000_000_000);

/// Turns of one stretch of time, at most: a saga may try again every second for a year.
const TURNS_MAX: u32 = 20_000;

/// The kind of client that stands for everybody who is no target.
const TOOL: &str = "tool";

/// A command that reached a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The session that it went to.
    pub session: SessionNo,
    /// The command.
    pub owed: Arc<Owed>,
}

/// A launcher's life.
#[derive(Debug)]
pub struct World {
    coordinator: Coordinator,
    catalog: Arc<Catalog>,
    plans: Vec<Arc<Plan>>,
    /// The log: every fact with its instant.
    facts: Vec<(Timestamp, Fact)>,
    now: Timestamp,
    clients: BTreeMap<Arc<str>, Client>,
    handed: BTreeSet<(Arc<str>, SessionNo, Seq)>,
    sent: Vec<Sent>,
    commits: u64,
    crash_after: Option<u64>,
    broken: Option<String>,
    watch: Watch,
    next_pid: u64,
}

impl World {
    /// A booted launcher with these definitions, and everybody but targets at hand.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) -> World {
        let mut world = World {
            coordinator: Coordinator::new(catalog.clone(), plans.clone()),
            catalog,
            plans,
            facts: Vec::new(),
            now: START,
            clients: BTreeMap::new(),
            handed: BTreeSet::new(),
            sent: Vec::new(),
            commits: 0,
            crash_after: None,
            broken: None,
            watch: Watch::default(),
            next_pid: 100,
        };
        world.coordinator.begin_turn(START);
        world.coordinator.boot(1, "simulated");
        world.turn();
        world.connect(&Arc::from(TOOL));
        world
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

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
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

    /// Commits what was decided and hands commands over \[R2\], until nothing follows from that.
    fn turn(&mut self) {
        loop {
            self.commit();
            let written = self.hand_over();
            if written.is_empty() {
                return;
            }
            for owed in written {
                self.coordinator.sent(owed.saga, &owed.command_id);
            }
        }
    }

    fn commit(&mut self) {
        let mut facts = Vec::new();
        self.coordinator.take_facts(&mut facts);
        let out: TurnOut = self.coordinator.take_turn();
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

    /// The fold of the whole log; what clashes is kept as [`World::broken`].
    fn folded(&mut self) -> Coordinator {
        let mut folded = Coordinator::new(self.catalog.clone(), self.plans.clone());
        let time = self.facts.last().map_or(START, |(at, _)| *at);
        let seq = self.facts.last().map_or(Seq(0), |(_, fact)| fact.seq);
        folded.restore_numbers(Restored { seq, time, ..Restored::default() });
        let mut by_saga: BTreeMap<SagaId, Vec<(Seq, Timestamp, Record)>> = BTreeMap::new();
        for (at, fact) in &self.facts {
            folded.restore_record(fact.seq, *at, &fact.record);
            if let Some(id) = fact.saga {
                folded.restore_began(id, *at, &fact.record);
                by_saga.entry(id).or_default().push((fact.seq, *at, fact.record.clone()));
            }
        }
        for (id, records) in by_saga {
            let name = records.iter().find_map(|(_, _, record)| {
                let Record::Began(began) = record else { return None };
                Some(began.name.clone())
            });
            let plan = self.plans.iter().find(|plan| Some(&plan.name) == name.as_ref());
            let Some(plan) = plan.cloned() else { continue };
            if let Err(clash) = folded.restore_saga(id, plan, &records) {
                self.broken = Some(format!("saga {id} cannot be folded: {clash}"));
            }
        }
        folded.begin_turn(self.now);
        folded
    }

    /// \[R3\]: the fold of the log is the live state.
    fn compare(&mut self) {
        let folded = self.folded();
        if let Some(difference) = self.coordinator.difference(&folded) {
            self.broken = Some(format!("the fold of the log is not the live state: {difference}"));
        }
    }

    /// The launcher dies and comes back on its log; who was connected connects again.
    pub fn crash(&mut self) {
        self.coordinator = self.folded();
        let kinds: Vec<Arc<str>> = std::mem::take(&mut self.clients).into_keys().collect();
        self.handed.clear();
        self.coordinator.boot(1, "simulated");
        self.coordinator.tick();
        self.turn();
        for kind in kinds {
            self.connect(&kind);
        }
    }

    /// Connects a client of that kind, unless one is.
    pub fn connect(&mut self, kind: &Arc<str>) {
        if self.clients.contains_key(kind) {
            return;
        }
        self.next_pid += 1;
        let pid = self.next_pid;
        self.coordinator.begin_turn(self.now);
        if let Ok(registered) = self.coordinator.register(kind, (kind, "1"), pid) {
            let client =
                Client { id: registered.client_id, kind: kind.clone(), name: kind.clone() };
            self.clients.insert(kind.clone(), client);
        }
        self.turn();
    }

    /// The client of that kind goes away, if there is one.
    pub fn disconnect(&mut self, kind: &str) {
        if let Some(client) = self.clients.remove(kind) {
            self.coordinator.begin_turn(self.now);
            self.coordinator.leave(client.id);
            self.turn();
        }
    }

    /// Whether a client of that kind is connected.
    #[must_use]
    pub fn is_connected(&self, kind: &str) -> bool {
        self.clients.contains_key(kind)
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
        let report = IncomingReport {
            event: Arc::from(event),
            fields,
            echo: None,
            command_id: None,
            dedup: None,
        };
        self.coordinator.begin_turn(self.now);
        let client = self.tool();
        let done = self.coordinator.report(&client, report);
        self.turn();
        done.map(|_| ())
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
        self.coordinator.begin_turn(self.now);
        let done = self.coordinator.report(&client, report);
        self.turn();
        done.map(|_| ())
    }

    /// The command's target could not do it; nothing happens while it is away.
    ///
    /// # Errors
    /// The launcher does not take it.
    pub fn fail(&mut self, owed: &Owed, reason: &str) -> Result<(), Refusal> {
        let Some(client) = self.clients.get(&owed.target).cloned() else { return Ok(()) };
        self.coordinator.begin_turn(self.now);
        let step = (owed.saga, &*owed.step);
        let id = Some(&*owed.command_id);
        let done = self.coordinator.action_failed(&client, step, id, &Arc::from(reason));
        self.turn();
        done
    }

    /// A caller starts a saga by name.
    ///
    /// # Errors
    /// It may not start now.
    pub fn start(&mut self, saga: &str, fields: Map<String, Value>) -> Result<SagaId, Refusal> {
        self.coordinator.begin_turn(self.now);
        let client = self.tool();
        let done = self.coordinator.start(&client, saga, fields, None);
        self.turn();
        done
    }

    /// A person says something to a saga.
    ///
    /// # Errors
    /// It cannot be, now.
    pub fn signal(&mut self, saga: SagaId, signal: Signal, reason: &str) -> Result<(), Refusal> {
        self.coordinator.begin_turn(self.now);
        let client = self.tool();
        let done = self.coordinator.signal(&client, saga, signal, Some(reason));
        self.turn();
        done
    }

    /// Lets time pass, stopping at everything that is due.
    pub fn advance(&mut self, span: Millis) {
        let end = self.now + span;
        for _ in 0..TURNS_MAX {
            let due = self.coordinator.next_due().filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            self.coordinator.begin_turn(self.now);
            self.coordinator.tick();
            self.turn();
            if due.is_none() {
                return;
            }
        }
        let words = format!("{span} hold more than {TURNS_MAX} things that are due");
        self.broken = Some(format!("{words}: let less time pass at once"));
    }
}
