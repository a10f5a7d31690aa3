//! What the core is told of supervised processes, and what it tells their supervisor: which of them
//! registered, and when a fact about them is durable. Starts and ends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::coordinator::{Refusal, Registered};
use crate::ids::ClientId;
use crate::ipc::protocol::Register;
use crate::ipc::server::Inbound;
use crate::log::Log;
use crate::saga::record::Service;

use super::core::Core;

/// Kinds and process ids of the clients that are connected.
pub type Members = Arc<BTreeSet<(Arc<str>, u64)>>;

/// What goes into a turn.
#[derive(Debug)]
pub enum Input {
    /// Something of a connection.
    Inbound(Inbound),
    /// Something of a supervised process.
    Service(Word),
}

impl From<Inbound> for Input {
    fn from(inbound: Inbound) -> Input {
        Input::Inbound(inbound)
    }
}

/// What a supervisor says.
#[derive(Debug)]
pub enum Word {
    /// A process waits at its gate.
    Began {
        /// Its number.
        pid: u64,
        /// Its service.
        name: Arc<str>,
        /// Whether it is told of now, because it may never register.
        tell: bool,
        /// Answered when that is durable.
        durable: oneshot::Sender<()>,
    },
    /// It has ended, and all of its group.
    Ended {
        /// Its number.
        pid: u64,
        /// Its service, and how it ended.
        service: Service,
        /// Answered when that is durable, or waits for the last lines of its connection.
        durable: oneshot::Sender<()>,
    },
    /// At a clean stop: none is left.
    AllStopped,
}

/// What the core knows of supervised processes.
#[derive(Debug)]
pub(super) struct Services {
    /// Those that run, by their numbers.
    running: BTreeMap<u64, Running>,
    /// Who waits until this turn is durable.
    waiting: Vec<oneshot::Sender<()>>,
    members: watch::Sender<Members>,
    /// Whether connections came or went since they were told.
    changed: bool,
    /// Whether none is left, at a clean stop.
    pub all_stopped: bool,
}

#[derive(Debug)]
struct Running {
    name: Arc<str>,
    was_told: bool,
    /// It has ended, and its connection's last lines are not all taken yet.
    ended: Option<Service>,
}

impl Default for Services {
    fn default() -> Services {
        Services {
            running: BTreeMap::new(),
            waiting: Vec::new(),
            members: watch::Sender::default(),
            changed: false,
            all_stopped: true,
        }
    }
}

impl<L: Log> Core<L> {
    /// Who is connected, for a supervisor to watch.
    #[must_use]
    pub fn members(&self) -> watch::Receiver<Members> {
        self.services.members.subscribe()
    }

    /// Takes a supervisor's word.
    pub(super) fn hear(&mut self, word: Word) {
        match word {
            Word::Began { pid, name, tell, durable } => {
                if tell {
                    self.coordinator.service_began(pid, &name);
                }
                self.services.running.insert(pid, Running { name, was_told: tell, ended: None });
                self.services.waiting.push(durable);
            }
            Word::Ended { pid, service, durable } => {
                self.services.waiting.push(durable);
                let stands = self.stands(pid);
                let Some(running) = self.services.running.get_mut(&pid) else { return };
                running.ended = Some(service);
                // What it said before it ended is on its way, and comes first.
                if !stands {
                    self.settle(pid);
                }
            }
            Word::AllStopped => self.services.all_stopped = true,
        }
    }

    /// Whether a connection of the process that gave that number stands.
    fn stands(&self, pid: u64) -> bool {
        let processes = &self.coordinator.world().processes;
        let client = processes.get(&pid).filter(|entry| entry.running);
        client.is_some_and(|entry| self.by_client.contains_key(&entry.process.client_id))
    }

    /// Tells that a supervised process has ended, if it has.
    fn settle(&mut self, pid: u64) {
        let Some(running) = self.services.running.get_mut(&pid) else { return };
        let (ended, was_told) = (running.ended.take(), running.was_told);
        if let Some(service) = ended {
            self.services.running.remove(&pid);
            self.coordinator.service_ended(pid, service, was_told);
        }
    }

    /// Tells the end of processes of whose connections none stands at the end of a stop.
    pub(super) fn settle_all(&mut self) {
        let ended = self.services.running.iter().filter(|(_, running)| running.ended.is_some());
        let ended: Vec<u64> = ended.map(|(pid, _)| *pid).collect();
        for pid in ended {
            self.settle(pid);
        }
    }

    /// Whether a client may register: a supervised one may again, once its connection is gone.
    pub(super) fn may_register(&self, register: &Register) -> Result<(), Refusal> {
        let (kind, pid) = (&register.kind, register.pid);
        if self.services.running.contains_key(&pid) && !self.stands(pid) {
            return self.coordinator.knows_kind(kind);
        }
        self.coordinator.may_register(kind, pid)
    }

    /// Registers a client, as what it is.
    pub(super) fn enrol(&mut self, register: &Register) -> Result<Registered, Refusal> {
        self.may_register(register)?;
        self.services.changed = true;
        let (kind, pid) = (&register.kind, register.pid);
        let words = (&*register.name, &*register.version);
        match self.services.running.get_mut(&pid) {
            Some(running) => {
                running.was_told = true;
                let name = running.name.clone();
                self.coordinator.register_service(kind, words, pid, &name)
            }
            None => self.coordinator.register(kind, words, pid),
        }
    }

    /// A client's connection has ended: with it a process, unless a supervisor knows better.
    pub(super) fn part(&mut self, client: ClientId) {
        self.services.changed = true;
        let entry = self.coordinator.world().process_of(client);
        let pid = entry.map(|entry| entry.process.pid);
        match pid.filter(|pid| self.services.running.contains_key(pid)) {
            Some(pid) => {
                self.coordinator.hang_up(client);
                self.settle(pid);
            }
            None => self.coordinator.leave(client),
        }
    }

    /// Tells supervisors what is durable now.
    pub(super) fn tell_supervisors(&mut self) {
        for durable in self.services.waiting.drain(..) {
            durable.send(()).ok();
        }
        if std::mem::take(&mut self.services.changed) && self.services.members.receiver_count() > 0
        {
            let world = self.coordinator.world();
            let clients = self.by_client.keys().filter_map(|client| world.process_of(*client));
            let members = clients.map(|it| (it.process.client_kind.clone(), it.process.pid));
            self.services.members.send_replace(Arc::new(members.collect()));
        }
    }
}
