//! All sagas: who gets an event, who gives way, what is due. The only one that ends sagas \[R1\].
//! Pure: it is told the time, writes nothing, sends nothing; the turn's facts are taken from it
//! with `take_facts`, the rest with `take_turn`.

mod begin;
mod builtin;
mod clients;
mod dedup;
mod definitions;
mod family;
mod join;
mod keys;
mod leaps;
mod owed;
mod ports;
mod reports;
mod restore;
mod routing;
mod said;
mod schedules;
mod signals;
mod stop;
mod timetable;
mod turn;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::builtin::Builtin;
use crate::definition::catalog::Catalog;
use crate::ids::{DefinitionHash, SagaId, Seq};
use crate::plan::Plan;
use crate::saga::decide::{self, Input, Origin, Place, Report, next_due};
use crate::saga::owed::Owed;
use crate::saga::record::{Record, State};
use crate::saga::state::Saga;
use crate::time::Timestamp;

pub use clients::{Client, Registered};
pub use definitions::Definitions;
pub use owed::Debt;
pub use reports::IncomingReport;
pub use restore::Restored;
pub use restore::fold;
pub use said::Said;
pub use schedules::Tick;
pub use signals::Signal;
pub use turn::{BusEvent, SagaHead, SagaLine, Told, TurnOut, bus_event, own_fields};
pub use world::{ProcessEntry, World};

use keys::Keys;
use owed::OwedIndex;
use routing::Waits;
use schedules::Clock;
use timetable::{Due, Timetable};

/// Why something asked of the launcher is not done; nothing of it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The wire's word for it \[W6\].
    pub code: RefusalCode,
    /// What is wrong and what to do.
    pub message: String,
}

/// The refusals that a decision can give \[W6\].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// The command contradicts an earlier one, or names a kind that does not exist.
    InvalidCommand,
    /// A PID whose record still runs \[W5\].
    AlreadyRegistered,
    /// No declaration of that event.
    UnknownEvent,
    /// A field is unknown, missing or of the wrong type.
    InvalidPayload,
    /// A saga id never issued, or a saga name never loaded.
    UnknownSaga,
    /// In the saga's own words.
    Refused,
    /// Not this client's to say.
    NotAllowed,
}

impl Refusal {
    pub(crate) fn new(code: RefusalCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }
}

/// One fact of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its number.
    pub seq: Seq,
    /// The saga that it belongs to; a report belongs to the saga that it moved.
    pub saga: Option<SagaId>,
    /// What it says.
    pub record: Record,
}

/// A saga in memory, with what is derived from it.
#[derive(Clone, Debug)]
struct Live {
    saga: Saga,
    plan: Arc<Plan>,
    due: Option<Timestamp>,
    waits: Vec<routing::Wait>,
    owed: Vec<Arc<Owed>>,
    held: keys::Held,
    row: turn::RowState,
    /// Whether it is among those that changed in this turn.
    touched: bool,
    /// The facts that clash, once it turned out that some do \[L9\].
    clash: Option<String>,
}

/// Something on the bus, on its way to triggers and waits \[R6\].
#[derive(Clone, Debug)]
struct Occurrence {
    /// Number of its record.
    seq: Seq,
    name: Arc<str>,
    fields: Arc<Value>,
    echo: Option<Echo>,
    /// How many `emit`s led here \[R23\].
    depth: usize,
}

/// The saga and step that a report answers.
#[derive(Clone, Debug)]
struct Echo {
    saga: SagaId,
    step: Arc<str>,
    command_id: Option<Arc<str>>,
    /// At what depth the saga goes on; for everybody else the occurrence's own counts.
    depth: usize,
}

/// What a saga's decision may mean for others. A list and no recursion: a queue may be long.
#[derive(Clone, Debug)]
enum Follower {
    /// The registry of pods is asked something that it answers at once \[T4\].
    Answer { of: SagaId, asked: Box<builtin::Asked>, depth: usize },
    /// An absent target was issued something: its buffer may be full \[P2\].
    Buffer(Arc<str>),
    /// A saga, its caller or its sub-sagas may have to learn of each other.
    Family { of: SagaId, depth: usize },
    /// The saga may have given its keys free \[R18\].
    Queue { of: SagaId, depth: usize },
}

/// All sagas and what they share.
#[derive(Clone, Debug)]
pub struct Coordinator {
    world: World,
    /// What built-in targets know, and whether they are served here: rehearsals answer in their
    /// place.
    builtin: Builtin,
    serves_builtin: bool,
    /// Boxed, so that a newcomer moves no other saga's bytes.
    live: BTreeMap<SagaId, Box<Live>>,
    /// Shared with who reads beside the deciding thread.
    corrupt: Arc<BTreeMap<SagaId, String>>,
    definitions: Definitions,
    /// Plans of older texts, and how many restored sagas still use each \[L4\].
    older: BTreeMap<DefinitionHash, (Arc<Plan>, usize)>,
    catalog: Arc<Catalog>,
    waits: Waits,
    keys: Keys,
    times: Timetable,
    /// The schedules of the definitions that start now.
    clocks: Vec<Clock>,
    owed: OwedIndex,
    occurrences: VecDeque<Occurrence>,
    facts: Vec<Fact>,
    /// Sagas that changed in this turn.
    touched: Vec<SagaId>,
    /// What this turn leaves behind so far.
    out: TurnOut,
    /// Definitions that sagas of this turn use.
    defined: BTreeMap<DefinitionHash, Arc<Plan>>,
    /// Triggers that were refused or ignored since the start, by saga name.
    turned_away: BTreeMap<Arc<str>, u64>,
    scratch: Vec<Record>,
    /// Whether a saga decides; what follows for others waits until it has.
    deciding: bool,
    followers: VecDeque<Follower>,
    now: Timestamp,
    /// The last record of the turn that wrote the world.
    world_written: Seq,
    /// The newest instant that the log held when it was restored; absent: it was empty.
    restored_at: Option<Timestamp>,
}

impl Coordinator {
    /// A coordinator with no past.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, plans: Vec<Arc<Plan>>) -> Coordinator {
        Coordinator {
            world: World::default(),
            builtin: Builtin::default(),
            serves_builtin: false,
            live: BTreeMap::new(),
            corrupt: Arc::default(),
            older: BTreeMap::new(),
            definitions: Definitions::new(plans),
            catalog,
            waits: Waits::default(),
            keys: Keys::default(),
            times: Timetable::default(),
            clocks: Vec::new(),
            owed: OwedIndex::default(),
            occurrences: VecDeque::new(),
            facts: Vec::new(),
            touched: Vec::new(),
            out: TurnOut::default(),
            defined: BTreeMap::new(),
            turned_away: BTreeMap::new(),
            scratch: Vec::new(),
            deciding: false,
            followers: VecDeque::new(),
            now: Timestamp::default(),
            world_written: Seq(0),
            restored_at: None,
        }
    }

    /// The fold of everything that is not one saga's.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Sagas in memory: open ones and incidents.
    #[must_use]
    pub fn sagas(&self) -> impl DoubleEndedIterator<Item = (&Saga, &Plan)> {
        self.live.values().map(|live| (&live.saga, &*live.plan))
    }

    /// What a saga in memory owes, in the order of its steps.
    #[must_use]
    pub fn owed_by(&self, id: SagaId) -> &[Arc<Owed>] {
        self.live.get(&id).map_or(&[], |live| &live.owed)
    }

    /// A saga in memory.
    #[must_use]
    pub fn saga(&self, id: SagaId) -> Option<(&Saga, &Plan)> {
        self.live.get(&id).map(|live| (&live.saga, &*live.plan))
    }

    /// Sagas that were set aside, with the facts that clash \[L9\].
    #[must_use]
    pub fn corrupt(&self) -> &BTreeMap<SagaId, String> {
        &self.corrupt
    }

    /// The same as it is now, for who reads beside the deciding thread; nothing is copied.
    #[must_use]
    pub fn corrupt_now(&self) -> Arc<BTreeMap<SagaId, String>> {
        Arc::clone(&self.corrupt)
    }

    /// How many triggers of each saga were refused or ignored since the start \[R10, R17\].
    #[must_use]
    pub fn turned_away(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.turned_away
    }

    /// Sets the turn's instant; it never falls \[R9\].
    pub fn begin_turn(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.world.dedup.expire(self.now);
    }

    /// The turn's instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When something is due without any input.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        [self.times.first(), self.owed.next_check()].into_iter().flatten().min()
    }

    /// Lets time pass: deadlines, pauses, targets that stay away \[R9, P3\].
    pub fn tick(&mut self) {
        while let Some(due) = self.times.pop_due(self.now) {
            let id = match due {
                Due::Saga(id) => id,
                Due::Tick(place) => {
                    self.fire(place);
                    continue;
                }
            };
            self.decide(id, Input::Tick, 0);
            let due = self.live.get(&id).and_then(|live| live.due);
            if due.is_some_and(|due| due <= self.now) {
                self.break_off(id, "it is due, but nothing follows from that".to_owned());
                self.follow();
            }
            self.cascade();
        }
        self.check_targets();
        self.cascade();
    }

    /// Appends a fact that belongs to no saga, and folds it.
    fn push_world(&mut self, record: Record) -> Seq {
        let seq = self.world.next_seq;
        self.world.apply(seq, self.now, &record);
        self.world.next_seq = seq.next();
        // The launcher's own events trigger and feed sagas like any report.
        if !matches!(record, Record::Event(_))
            && let Some(event) = bus_event(seq, None, &record)
            && let Some(name) = event.own_name()
        {
            let (name, fields) = (Arc::from(name), Arc::new(own_fields(&event.told)));
            self.occurrences.push_back(Occurrence { seq, name, fields, echo: None, depth: 0 });
        }
        self.facts.push(Fact { seq, saga: None, record });
        seq
    }

    /// Appends a fact of a saga that no step decided, and folds it.
    fn push_saga(&mut self, id: SagaId, record: Record) -> Seq {
        let seq = self.world.next_seq;
        self.world.next_seq = seq.next();
        if let Some(live) = self.live.get_mut(&id) {
            let applied = live.saga.apply(&live.plan, seq, self.now, &record);
            assert!(applied.is_ok(), "an impossible record was chosen: {applied:?}");
        }
        self.facts.push(Fact { seq, saga: Some(id), record });
        self.refresh(id);
        self.note_family(id, 0);
        seq
    }

    /// Lets one saga decide, then those that it made room for or pushed out, one after the other.
    fn decide(&mut self, id: SagaId, input: Input<'_>, depth: usize) {
        let outermost = !std::mem::replace(&mut self.deciding, true);
        self.decide_one(id, input, depth);
        if outermost {
            self.follow();
            self.deciding = false;
        }
    }

    /// The same where no saga decides.
    fn follow_now(&mut self) {
        if !std::mem::replace(&mut self.deciding, true) {
            self.follow();
            self.deciding = false;
        }
    }

    /// Notes that a saga's kin may have to learn of what became of it.
    fn note_family(&mut self, of: SagaId, depth: usize) {
        let has_kin = |live: &Live| live.plan.has_calls || live.saga.parent.is_some();
        if self.live.get(&of).is_some_and(|live| has_kin(live)) {
            self.followers.push_back(Follower::Family { of, depth });
        }
    }

    fn follow(&mut self) {
        while let Some(follower) = self.followers.pop_front() {
            match follower {
                Follower::Answer { of, asked, depth } => self.answer(of, *asked, depth),
                Follower::Buffer(target) => self.overflow(&target),
                Follower::Queue { of, depth } => self.free_keys_of(of, depth),
                Follower::Family { of, depth } => self.settle_family(of, depth),
            }
        }
    }

    /// Lets one saga decide, and notes what its records mean for others.
    fn decide_one(&mut self, id: SagaId, input: Input<'_>, depth: usize) {
        let Some(live) = self.live.get_mut(&id).filter(|live| live.clash.is_none()) else { return };
        let mut seq = self.world.next_seq;
        let mut records = std::mem::take(&mut self.scratch);
        let place = Place { now: self.now, depth, seq: &mut self.world.next_seq };
        let Live { saga, plan, .. } = &mut **live;
        let decided = decide::decide(plan, saga, &self.world.targets, input, place, &mut records);
        if let Err(clash) = decided {
            // Nothing of such a decision is recorded.
            self.world.next_seq = seq;
            records.clear();
            self.break_off(id, clash.to_string());
        }
        // Most of what is offered to a saga changes nothing of it, and costs no more than the look.
        if records.is_empty() {
            self.scratch = records;
            return;
        }
        let mut issued_to: Vec<Arc<str>> = Vec::new();
        for record in records.drain(..) {
            if let Record::Emitted(emitted) = &record
                && !emitted.observed
            {
                self.occurrences.push_back(Occurrence {
                    seq,
                    name: emitted.event.clone(),
                    fields: emitted.fields.clone(),
                    echo: None,
                    depth: depth + 1,
                });
            }
            let issued = if let Record::Issued(issued) = &record {
                (!issued.observed).then_some(&issued.target)
            } else if let Record::Reacted(reacted) = &record {
                (!reacted.observed).then_some(&reacted.target)
            } else {
                None
            };
            if let Some(asked) = self.asked(&record) {
                self.followers.push_back(Follower::Answer { of: id, asked, depth });
            }
            let away = issued.filter(|target| !self.world.targets.is_open(target));
            issued_to.extend(away.cloned());
            self.facts.push(Fact { seq, saga: Some(id), record });
            seq = seq.next();
        }
        self.scratch = records;
        self.refresh(id);
        self.followers.extend(issued_to.into_iter().map(Follower::Buffer));
        self.note_family(id, depth);
        self.followers.push_back(Follower::Queue { of: id, depth });
    }

    /// Sets a saga aside whose facts turned out to clash: it is due, waits, holds and owes nothing
    /// any more, and harms no other \[L9\].
    fn break_off(&mut self, id: SagaId, clash: String) {
        let Some(live) = self.live.get_mut(&id) else { return };
        tracing::error!(saga_id = %id, %clash, "a saga is set aside as corrupt");
        live.clash = Some(clash);
        live.row = live.row.stale();
        live.saga.abandon();
        self.refresh(id);
        self.note_family(id, 0);
        self.orphan(id);
        self.followers.push_back(Follower::Queue { of: id, depth: 0 });
    }

    /// Brings what is derived from a saga up to date with it.
    fn refresh(&mut self, id: SagaId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if !std::mem::replace(&mut live.touched, true) {
            self.touched.push(id);
        }
        let due = next_due(&live.saga);
        if due != live.due {
            self.times.change(Due::Saga(id), live.due, due);
            live.due = due;
        }
        self.waits.change(id, live);
        self.keys.change(id, live);
        let debts = &mut self.out.debts;
        self.owed.change(live, &self.world.targets, self.now, &self.catalog, debts);
    }

    /// Offers what is on the bus to triggers and waits until nothing more follows \[R23\].
    fn cascade(&mut self) {
        while let Some(occurrence) = self.occurrences.pop_front() {
            self.offer(&occurrence);
        }
    }

    /// Triggers first, then the waiting sagas as they were before it \[R6, R21\].
    fn offer(&mut self, occurrence: &Occurrence) {
        let Occurrence { seq, name, fields, echo, depth } = occurrence;
        let mut waiting = self.waits.find(name, fields);
        if let Some(echo) = echo {
            waiting.insert(echo.saga);
        }
        self.trigger(name, fields, *depth);
        // Who waits for its turn first: what ends the one before it must not begin it meanwhile.
        let queued = |id: &SagaId| self.saga(*id).is_some_and(|(s, _)| s.state == State::Queued);
        let (queued, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(queued);
        for id in queued.into_iter().chain(others) {
            let (origin, depth) = match echo {
                Some(Echo { saga, step, command_id, depth }) if *saga == id => {
                    (Origin::Echo { step, command_id: command_id.as_deref() }, depth)
                }
                Some(_) => (Origin::OfSagas, depth),
                None if *depth > 0 => (Origin::OfSagas, depth),
                None => (Origin::Organic, depth),
            };
            let report = Report { seq: *seq, name, fields, origin };
            self.decide(id, Input::Report(report), *depth);
        }
    }
}
