//! Processes that register and leave, and the sessions of those that are targets \[W5, W10, W12,
//! P10\].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ids::{CLIENT_KINDS, ClientId, SagaId, SessionNo};
use crate::saga::decide::Input;
use crate::saga::record::{Lifecycle, Phase, Process, Record, Service, Session};

use super::{Coordinator, Refusal, RefusalCode};

/// The kind of a process that runs beside the launcher and has not registered.
const SERVICE: &str = "service";

/// A registered client, as far as a decision has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// What a registration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The new client's id.
    pub client_id: ClientId,
    /// Its session, if it serves a target.
    pub session: Option<SessionNo>,
    /// The clients that it takes over from \[W12\].
    pub superseded: Vec<ClientId>,
}

impl Coordinator {
    /// Whether a process of that kind and PID may register now.
    ///
    /// # Errors
    /// Its kind is unknown, or its PID's record still runs.
    pub fn may_register(&self, kind: &str, pid: u64) -> Result<(), Refusal> {
        self.knows_kind(kind)?;
        let running = self.world.processes.get(&pid).filter(|entry| entry.running);
        if let Some(entry) = running
            && !(self.is_target(kind) && *entry.process.client_kind == *kind)
        {
            let message = format!("a client with pid {pid} is registered and still running");
            return Err(Refusal::new(RefusalCode::AlreadyRegistered, message));
        }
        Ok(())
    }

    /// Whether anybody registers as that kind.
    ///
    /// # Errors
    /// Nobody does.
    pub fn knows_kind(&self, kind: &str) -> Result<(), Refusal> {
        if self.is_target(kind) || CLIENT_KINDS.contains(&kind) {
            return Ok(());
        }
        let known = CLIENT_KINDS.join(", ");
        let message = format!("`kind` is `{kind}`; it must be {known}, or a target of the catalog");
        Err(Refusal::new(RefusalCode::InvalidCommand, message))
    }

    /// Registers a process; opens a session when its kind is a target.
    ///
    /// # Errors
    /// As [`Coordinator::may_register`].
    pub fn register(
        &mut self,
        kind: &str,
        words: (&str, &str),
        pid: u64,
    ) -> Result<Registered, Refusal> {
        self.may_register(kind, pid)?;
        Ok(self.enrol(kind, words, pid, None))
    }

    /// Registers a process that runs as that service. Its record goes on where it was told of
    /// before and no connection of it stands, or it takes over from itself \[W12\].
    ///
    /// # Errors
    /// Nobody registers as that kind.
    pub fn register_service(
        &mut self,
        kind: &str,
        words: (&str, &str),
        pid: u64,
        service: &Arc<str>,
    ) -> Result<Registered, Refusal> {
        self.knows_kind(kind)?;
        Ok(self.enrol(kind, words, pid, Some(service)))
    }

    /// The record of a registration, and what it causes.
    fn enrol(
        &mut self,
        kind: &str,
        (name, version): (&str, &str),
        pid: u64,
        service: Option<&Arc<str>>,
    ) -> Registered {
        let is_target = self.is_target(kind);
        let own = service.map(|_| pid);
        let superseded = if is_target { self.supersede(kind, own) } else { Vec::new() };
        let running = self.world.processes.get(&pid).is_some_and(|entry| entry.running);
        let client_id = self.world.next_client;
        let kind: Arc<str> = Arc::from(kind);
        self.push_world(Record::ProcessSpawned(Process {
            pid,
            client_kind: kind.clone(),
            client_version: Arc::from(version),
            name: Arc::from(name),
            client_id,
            continues: service.is_some() && running,
            service: service.cloned().map(Service::running),
        }));
        if &*kind == "host" && self.world.phase == Phase::Starting {
            let (from, to) = (Phase::Starting, Phase::Running);
            self.push_world(Record::Lifecycle(Lifecycle { from, to }));
        }
        let session = is_target.then(|| self.open_session(&kind, client_id));
        self.cascade();
        Registered { client_id, session, superseded }
    }

    /// A client's connection ended: a synthetic goodbye \[W10\].
    pub fn leave(&mut self, client: ClientId) {
        let Some(entry) = self.world.process_of(client) else { return };
        let process = entry.process.clone();
        self.close_session_of(&process);
        self.push_world(Record::ProcessExited(process));
        self.cascade();
    }

    /// The connection of a supervised process ended. Its supervisor tells when it has ended too.
    pub fn hang_up(&mut self, client: ClientId) {
        let Some(entry) = self.world.process_of(client) else { return };
        let process = entry.process.clone();
        self.close_session_of(&process);
        self.cascade();
    }

    fn close_session_of(&mut self, process: &Process) {
        let open = self.world.targets.get(&process.client_kind).and_then(|target| target.open);
        let serves = self.is_target(&process.client_kind);
        if let (true, Some(session)) = (serves, open) {
            let (target, client_id) = (process.client_kind.clone(), process.client_id);
            self.push_world(Record::SessionClosed(Session { target, session, client_id }));
            self.owed.target_left(&process.client_kind, self.now, &self.catalog);
        }
    }

    /// A supervised process was started that may never register: its supervisor tells of it.
    pub fn service_began(&mut self, pid: u64, name: &Arc<str>) {
        let running = self.world.processes.get(&pid).filter(|entry| entry.running);
        // Somebody gave that number as its own; it is another's now.
        if let Some(older) = running.map(|entry| entry.process.client_id) {
            self.leave(older);
        }
        self.push_world(Record::ProcessSpawned(Process {
            pid,
            client_kind: Arc::from(SERVICE),
            client_version: Arc::from(""),
            name: name.clone(),
            client_id: self.world.next_client,
            continues: false,
            service: Some(Service::running(name.clone())),
        }));
        self.cascade();
    }

    /// A supervised process has ended with its group, and no connection of it stands. One that was
    /// never told of is told of now: exactly one pair for each process.
    pub fn service_ended(&mut self, pid: u64, service: Service, was_told: bool) {
        if !was_told {
            self.service_began(pid, &service.name);
        }
        let running = self.world.processes.get(&pid).filter(|entry| entry.running);
        if let Some(process) = running.map(|entry| entry.process.clone()) {
            let ended = Process { service: Some(service), ..process };
            self.push_world(Record::ProcessExited(ended));
            self.cascade();
        }
    }

    /// Whether commands go to clients of that kind: the catalog declares it, or an open saga's own
    /// does.
    #[must_use]
    pub fn is_target(&self, kind: &str) -> bool {
        self.catalog.targets.contains_key(kind) || self.owed.knows(kind)
    }

    /// The older client of a target leaves before the newer one comes \[W12\]. One that is the
    /// very process `own` only loses its connection.
    fn supersede(&mut self, kind: &str, own: Option<u64>) -> Vec<ClientId> {
        let running = self.world.running();
        let older: Vec<(ClientId, u64)> = running
            .filter(|entry| *entry.process.client_kind == *kind)
            .map(|entry| (entry.process.client_id, entry.process.pid))
            .collect();
        for (client, pid) in &older {
            if own == Some(*pid) {
                self.hang_up(*client);
            } else {
                self.leave(*client);
            }
        }
        older.into_iter().map(|(client, _)| client).collect()
    }

    /// Opens a session: first, what the older one may have got and must not get again is in doubt
    /// \[P4\]; then the record; then undos that waited for it get their clock \[R14\].
    pub(super) fn open_session(&mut self, target: &Arc<str>, client_id: ClientId) -> SessionNo {
        let waiting: BTreeSet<SagaId> = self.owed.sagas_of(target);
        for id in &waiting {
            self.decide(*id, Input::SessionLost { target }, 0);
        }
        let session = self.world.next_session;
        let opened = Session { target: target.clone(), session, client_id };
        self.push_world(Record::SessionOpened(opened));
        self.owed.target_came(target);
        for id in self.owed.sagas_of(target) {
            // A command that may have been sent from now on can be a sub-saga's pivot [R13].
            self.note_family(id, 0);
            self.decide(id, Input::SessionOpened { target }, 0);
        }
        session
    }
}
