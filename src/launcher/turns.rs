//! The deciding loop: waits for messages or an instant, turns, stops cleanly \[L8\]. How it
//! survives a full disk is in `full_disk`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::ipc::inbox::Inbox;
use crate::ipc::server::Inbound;
use crate::limits::{
    DISK_RETRY, STOP_TIMEOUT, SWEEP_EVERY, SWEEP_PATIENCE, SWEEP_PAUSE, TURN_INPUTS_MAX,
};
use crate::log::{AppendError, Log, Retention};
use crate::time::{Millis, Timestamp};

use super::boot;
use super::core::{Core, Pending};
use super::services::Supervisor;
use super::supervised::{Input, Word};

/// What the deciding thread takes from its inbox.
#[derive(Debug)]
pub enum Message {
    /// Something of a connection.
    Inbound(Inbound),
    /// Something of a supervised process.
    Service(Word),
    /// Stop cleanly.
    Stop,
}

impl From<Inbound> for Message {
    fn from(inbound: Inbound) -> Message {
        Message::Inbound(inbound)
    }
}

/// How the loop is to treat the world.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// What retention keeps.
    pub retention: Retention,
    /// How long a full disk is waited for \[L7\].
    pub disk_retry: Millis,
    /// Die by SIGKILL right after that many commits, for crash tests.
    pub crash_after: Option<u64>,
}

impl Default for Manners {
    fn default() -> Self {
        let retention = Retention {
            sagas: crate::limits::RETENTION,
            events: crate::limits::EVENTS_RETENTION,
            events_max: crate::limits::EVENTS_RETENTION_MAX,
        };
        Manners { retention, disk_retry: DISK_RETRY, crash_after: None }
    }
}

/// The loop with all that it needs.
#[derive(Debug)]
pub struct Turns<L> {
    pub(super) core: Core<L>,
    pub(super) inbox: Arc<Inbox<Message>>,
    pub(super) clock: Clock,
    pub(super) manners: Manners,
    /// Messages that came while nothing could be decided.
    pub(super) stash: Vec<Input>,
    /// Somebody asked for the end while nothing could be decided.
    pub(super) stop_asked: bool,
    /// Who starts and ends the processes of the configuration; absent: there are none.
    pub(super) supervisor: Option<Supervisor>,
    /// How the processes of blocks are told to end; absent: they are served by nobody here.
    pub(super) rest: Option<watch::Sender<bool>>,
    sweep_at: Timestamp,
}

impl<L: Log> Turns<L> {
    /// A loop that has not turned yet.
    #[must_use]
    pub fn new(core: Core<L>, inbox: Arc<Inbox<Message>>, clock: Clock, manners: Manners) -> Self {
        let sweep_at = Timestamp::default();
        let (stash, stop_asked, supervisor, rest) = (Vec::new(), false, None, None);
        Turns { core, inbox, clock, manners, stash, stop_asked, supervisor, rest, sweep_at }
    }

    /// The first turn: the boot's facts.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn boot(&mut self, pid: u32, version: &str) -> Result<(), AppendError> {
        let now = self.now();
        self.core.coordinator.begin_turn(now);
        self.core.coordinator.boot(pid, version);
        match boot::corrupt_rows(&self.core.log, &self.core.coordinator) {
            Ok(writes) => self.core.also_write(writes),
            Err(error) => tracing::error!(%error, "rows of corrupt sagas could not be read"),
        }
        self.turn(Vec::new())
    }

    /// Turns until somebody asks for the end, then parks or cancels, and closes the log.
    ///
    /// # Errors
    /// A commit failed: the launcher must end at once, with nothing half-told \[R2\].
    pub fn run(mut self) -> Result<(), AppendError> {
        loop {
            let wait = self.wait();
            let messages = self.inbox.recv(Some(wait), TURN_INPUTS_MAX);
            let mut inbound = std::mem::take(&mut self.stash);
            let mut stop = std::mem::take(&mut self.stop_asked);
            for message in messages {
                match message {
                    Message::Inbound(message) => inbound.push(Input::Inbound(message)),
                    Message::Service(word) => inbound.push(Input::Service(word)),
                    Message::Stop => stop = true,
                }
            }
            let idle = inbound.is_empty();
            self.turn(inbound)?;
            if stop {
                return self.stop();
            }
            if idle || self.clock.now().since(self.sweep_at) > SWEEP_PATIENCE {
                self.sweep()?;
            }
        }
    }

    fn turn(&mut self, inbound: Vec<Input>) -> Result<(), AppendError> {
        let now = self.now();
        self.core.decide(inbound, now);
        self.end_turn()
    }

    /// Commits what was decided, and hands it over.
    fn end_turn(&mut self) -> Result<(), AppendError> {
        let pending = self.core.end_turn();
        self.commit(&pending)?;
        self.core.hand_over(pending);
        Ok(())
    }

    fn now(&mut self) -> Timestamp {
        let reading = self.clock.read();
        for (wall, expected) in reading.jumps {
            tracing::warn!(%wall, %expected, "the wall clock jumped");
            self.core.coordinator.begin_turn(reading.now);
            self.core.coordinator.clock_jumped(wall, expected);
        }
        reading.now
    }

    /// How long nothing is due.
    fn wait(&mut self) -> Duration {
        if !self.stash.is_empty() || self.stop_asked || self.core.is_asked() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let due = self.core.next_due().unwrap_or(self.sweep_at).min(self.sweep_at);
        Duration::from_millis(due.since(now).0)
    }

    fn commit(&mut self, pending: &Pending) -> Result<(), AppendError> {
        match self.core.commit(pending) {
            Ok(()) => {}
            Err(AppendError::Full { why }) => self.outlast_full_disk(pending, &why)?,
            Err(fatal @ (AppendError::Fatal { .. } | AppendError::Lost { .. })) => {
                return Err(fatal);
            }
        }
        if self.manners.crash_after.is_some_and(|commits| self.core.log.commits() >= commits) {
            let own = nix::unistd::getpid();
            nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGKILL).ok();
        }
        Ok(())
    }

    /// Retention, one small batch at a time, between turns that had nothing to do; where there are
    /// none for long, all the same: a busy launcher's log grows fastest \[L6\].
    fn sweep(&mut self) -> Result<(), AppendError> {
        // The last turn's instant: all jumps up to it are known.
        let now = self.core.coordinator.now();
        if now < self.sweep_at {
            return Ok(());
        }
        let (Retention { sagas, events, events_max }, leaps) =
            (self.manners.retention, &self.core.coordinator.world().leaps);
        let (sagas, events) = (leaps.stretch(now, sagas), leaps.stretch(now, events));
        match self.core.log.sweep(now, &Retention { sagas, events, events_max }) {
            Ok(swept) => {
                let every = self.manners.retention.look_every();
                self.sweep_at = now + if swept.finished { every } else { SWEEP_PAUSE };
                Ok(())
            }
            // Nothing waits for it, so nothing has to end: a turn that finds no room says so [L7].
            Err(AppendError::Full { why }) => {
                tracing::warn!(%why, "the disk is full; old records stay for now");
                self.sweep_at = now + SWEEP_EVERY;
                Ok(())
            }
            Err(fatal @ (AppendError::Fatal { .. } | AppendError::Lost { .. })) => Err(fatal),
        }
    }

    /// A clean shutdown \[L8\].
    fn stop(mut self) -> Result<(), AppendError> {
        self.core.stopping = true;
        let now = self.now();
        self.core.coordinator.begin_turn(now);
        self.core.coordinator.quit();
        self.turn(Vec::new())?;
        let until = self.clock.now() + STOP_TIMEOUT;
        while self.core.coordinator.is_settling() && self.clock.now() < until {
            self.turn_once(until)?;
        }
        self.rest_blocks()?;
        self.stop_services()?;
        let now = self.now();
        self.core.coordinator.begin_turn(now);
        self.core.settle_all();
        self.core.coordinator.stopped();
        // Nothing is decided any more, what is due included: it is due at the next start as well.
        self.end_turn()?;
        for conn in self.core.conns.values() {
            conn.outbox.close_after_flush();
        }
        Box::new(self.core.log).close()
    }

    /// Ends what runs for blocks, while the log still takes how it ended. What does not end in time
    /// is ended all the same, and told by the next launcher \[T1\].
    fn rest_blocks(&mut self) -> Result<(), AppendError> {
        let Some(rest) = self.rest.take() else { return Ok(()) };
        rest.send_replace(true);
        let until = self.clock.now() + STOP_TIMEOUT;
        while self.core.runs_blocks() && self.clock.now() < until {
            self.turn_once(until)?;
        }
        Ok(())
    }

    /// Targets must be there for those who undo, so what is supervised goes last, while turns go
    /// on: what it still says is heard.
    fn stop_services(&mut self) -> Result<(), AppendError> {
        let Some(supervisor) = self.supervisor.take() else { return Ok(()) };
        self.core.services.all_stopped = false;
        supervisor.stop();
        while !self.core.services.all_stopped {
            let until = self.clock.now() + Millis(1_000);
            self.turn_once(until)?;
        }
        Ok(())
    }

    /// One turn of a launcher that stops, with what comes until then.
    fn turn_once(&mut self, until: Timestamp) -> Result<(), AppendError> {
        let now = self.clock.now();
        let due = self.core.next_due().map_or(until, |due| due.min(until));
        let wait = Duration::from_millis(due.since(now).0);
        let mut inbound = std::mem::take(&mut self.stash);
        for message in self.inbox.recv(Some(wait), TURN_INPUTS_MAX) {
            match message {
                Message::Inbound(message) => inbound.push(Input::Inbound(message)),
                Message::Service(word) => inbound.push(Input::Service(word)),
                Message::Stop => {}
            }
        }
        self.turn(inbound)
    }
}
