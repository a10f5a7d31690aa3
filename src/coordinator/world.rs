//! What belongs to no saga: numbers, targets' sessions, processes, the launcher's phase. A fold of
//! records \[R3\].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{ClientId, SagaId, Seq, SessionNo};
use crate::limits::EXITED_KEPT;
use crate::saga::record::{Boot, Dedup as Carried, Joined, Phase, Process, Record};
use crate::saga::targets::Targets;
use crate::time::Timestamp;

use super::dedup::{Answer, Dedup};
use super::leaps::Leaps;

/// A process that registered.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessEntry {
    /// What it said of itself, and its client id.
    pub process: Process,
    /// Whether its connection stands.
    pub running: bool,
    /// When it registered.
    pub since: Timestamp,
}

/// The fold of all records that belong to no saga, and of the numbers that all records use.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Number of the next record.
    pub next_seq: Seq,
    /// The next saga's id.
    pub next_saga: SagaId,
    /// The next client's id.
    pub next_client: ClientId,
    /// The next session's number.
    pub next_session: SessionNo,
    /// Targets' sessions.
    pub targets: Targets,
    /// Registered processes by the PID that they gave.
    pub processes: BTreeMap<u64, ProcessEntry>,
    /// The PIDs of those that run, by their client ids.
    running: BTreeMap<ClientId, u64>,
    /// The launcher's phase.
    pub phase: Phase,
    /// Report ids seen.
    pub dedup: Dedup,
    /// When this launcher took the log \[P3\].
    pub booted_at: Timestamp,
    /// Whether the last launcher stopped cleanly \[L5\].
    pub stopped_cleanly: bool,
    /// Schedules, by saga and text, and up to when their ticks are done \[R9\].
    pub schedules: BTreeMap<(Arc<str>, Arc<str>), Timestamp>,
    /// Times that nobody saw pass \[L6\].
    pub leaps: Leaps,
}

impl Default for World {
    fn default() -> Self {
        World {
            next_seq: Seq(1),
            next_saga: SagaId(1),
            next_client: ClientId(1),
            next_session: SessionNo(1),
            targets: Targets::default(),
            processes: BTreeMap::new(),
            running: BTreeMap::new(),
            phase: Phase::Starting,
            dedup: Dedup::default(),
            booted_at: Timestamp::default(),
            stopped_cleanly: true,
            schedules: BTreeMap::new(),
            leaps: Leaps::default(),
        }
    }
}

impl World {
    /// Folds one record; those of sagas count for the numbers that they use and the ids that they
    /// carry.
    pub fn apply(&mut self, seq: Seq, at: Timestamp, record: &Record) {
        self.next_seq = self.next_seq.max(seq.next());
        match record {
            Record::Boot(boot) => self.booted(boot, seq, at),
            Record::Stopped(_) => self.stopped_cleanly = true,
            Record::ProcessSpawned(process) => self.spawned(process, at),
            Record::ProcessExited(process) => {
                if let Some(entry) = self.processes.get_mut(&process.pid)
                    && entry.process.client_id == process.client_id
                {
                    entry.running = false;
                    entry.process.service.clone_from(&process.service);
                    self.running.remove(&process.client_id);
                }
            }
            Record::Lifecycle(change) => self.phase = change.to,
            Record::SessionOpened(session) => {
                self.next_session = self.next_session.max(session.session.next());
                self.targets.opened(&session.target, session.session);
            }
            Record::SessionClosed(session) => {
                self.targets.closed(&session.target, session.session, seq, at);
            }
            Record::Event(event) => self.remember(&event.client, event.dedup.as_ref(), seq, at),
            Record::Signalled(said) => self.remember(&said.by, said.dedup.as_ref(), seq, at),
            Record::Clock(jump) => self.leaps.add(jump.expected, jump.wall),
            Record::Scheduled(new) => self.ticked((&new.saga, &new.schedule), Some(at)),
            Record::Unscheduled(old) => self.ticked((&old.saga, &old.schedule), None),
            Record::Ticked(tick) => self.ticked((&tick.saga, &tick.schedule), Some(tick.done)),
            // What a saga does is folded in the saga.
            Record::Began(_)
            | Record::Dequeued(_)
            | Record::Joined(_)
            | Record::Issued(_)
            | Record::Reissued(_)
            | Record::Entered(_)
            | Record::Armed(_)
            | Record::Sent(_)
            | Record::Matched(_)
            | Record::Outcome(_)
            | Record::Backoff(_)
            | Record::Undoing(_)
            | Record::Emitted(_)
            | Record::Unwinding(_)
            | Record::Probing(_)
            | Record::Reacted(_)
            | Record::ReactionOver(_)
            | Record::Undone(_)
            | Record::Finishing(_)
            | Record::Ended(_)
            | Record::Dropped(_)
            | Record::Refused(_)
            | Record::Late(_)
            | Record::Child(_)
            | Record::Held(_)
            | Record::Recalled(_)
            | Record::Retried(_)
            | Record::Resolved(_)
            | Record::Settled(_) => {}
        }
    }

    fn booted(&mut self, boot: &Boot, seq: Seq, at: Timestamp) {
        if let Some(before) = boot.after {
            self.leaps.add(before, at);
        }
        self.targets.booted(seq, at);
        // Nobody's connection outlives the launcher that held it [W5].
        self.processes.values_mut().for_each(|entry| entry.running = false);
        self.running.clear();
        self.phase = Phase::Starting;
        self.booted_at = at;
        self.stopped_cleanly = false;
    }

    /// Notes up to when the ticks of a schedule are done; nothing: there is no such schedule.
    fn ticked(&mut self, (saga, text): (&Arc<str>, &Arc<str>), done: Option<Timestamp>) {
        let key = (saga.clone(), text.clone());
        match done {
            Some(done) => drop(self.schedules.insert(key, done)),
            None => drop(self.schedules.remove(&key)),
        }
    }

    /// Remembers what was accepted under a client's own id \[W9\].
    pub(super) fn remember(
        &mut self,
        client: &Arc<str>,
        dedup: Option<&Carried>,
        seq: Seq,
        at: Timestamp,
    ) {
        if let Some(dedup) = dedup {
            self.dedup.insert(client, dedup, Answer::Accepted(seq), at);
        }
    }

    fn spawned(&mut self, process: &Process, at: Timestamp) {
        self.next_client = self.next_client.max(process.client_id.next());
        let entry = ProcessEntry { process: process.clone(), running: true, since: at };
        if let Some(older) = self.processes.insert(process.pid, entry) {
            self.running.remove(&older.process.client_id);
        }
        self.running.insert(process.client_id, process.pid);
        // Exited processes are kept for people to see, but not without end.
        while self.processes.len() - self.running.len() > EXITED_KEPT {
            let exited = self.processes.values().filter(|entry| !entry.running);
            let Some(oldest) = exited.min_by_key(|entry| entry.process.client_id) else { return };
            let pid = oldest.process.pid;
            self.processes.remove(&pid);
        }
    }

    /// Folds the first record of a saga.
    pub fn apply_began(&mut self, id: SagaId, at: Timestamp, began: &crate::saga::record::Began) {
        self.next_saga = self.next_saga.max(id.next());
        self.apply_asked(id, at, (&began.client, &began.dedup));
    }

    /// Folds a newcomer that was merged into a saga.
    pub fn apply_joined(&mut self, id: SagaId, at: Timestamp, joined: &Joined) {
        self.apply_asked(id, at, (&joined.client, &joined.dedup));
    }

    fn apply_asked(
        &mut self,
        id: SagaId,
        at: Timestamp,
        asked: (&Option<Arc<str>>, &Option<Carried>),
    ) {
        if let (Some(client), Some(dedup)) = asked {
            self.dedup.insert(client, dedup, Answer::Saga(id), at);
        }
    }

    /// The client's process, if it still runs.
    #[must_use]
    pub fn process_of(&self, client: ClientId) -> Option<&ProcessEntry> {
        self.processes.get(self.running.get(&client)?)
    }

    /// The processes that run, at most one for each connection, in the order of their client ids.
    pub fn running(&self) -> impl Iterator<Item = &ProcessEntry> {
        self.running.values().filter_map(|pid| self.processes.get(pid))
    }
}
