//! One launcher from start to end: lock, definitions, log, socket, threads, signals. The order is
//! the contract: nothing
//! of the data directory is touched before its lock is held \[W11\].

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bus::Ring;
use crate::clock::Clock;
use crate::definition::Library;
use crate::diag::Diagnostics;
use crate::ids::Seq;
use crate::ipc::inbox::Inbox;
use crate::ipc::server::{Options, Server};
use crate::ipc::session::Allow;
use crate::ipc::transport::{BindError, Listener, Stale};
use crate::limits::{INBOX_BYTES, INBOX_MAX, RING_EVENTS};
use crate::log::{AppendError, Log, LogRead, LogReader, OpenError, ReadError, SqliteLog};
use crate::targets::pods;
use crate::targets::process::Processes;
use crate::targets::subprocess;
use crate::time::Timestamp;

use super::boot::{BootError, restore};
use super::builtins::{BuiltIns, Pods};
use super::core::{Core, Identity};
use super::events::{Read, read_events};
use super::library::{Loaded, read_directory};
use super::lock::{DataLock, LockError};
use super::services::{Declared, Place, Supervisor};
use super::signals;
use super::turns::{Manners, Message, Turns};

/// What a launcher is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of the log and its lock.
    pub data: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    /// Rights by kind \[W14\].
    pub allow: Allow,
    /// Retention, patience, and faults for tests.
    pub manners: Manners,
    /// Where its pods are; nothing: below its data.
    pub pods: Option<pods::Settings>,
    /// Processes to start and supervise, in order.
    pub services: Vec<Declared>,
}

/// Why a launcher did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another launcher holds the data directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The definitions cannot be read from disk.
    #[error("the sagas in {} cannot be read: {source}", path.display())]
    Sagas {
        /// Where they were looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The definitions are wrong.
    #[error("the sagas do not pass their checks")]
    Invalid(Box<(Library, Diagnostics)>),
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The log cannot be written; nothing was told that is not in it \[R2\].
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The socket cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no threads or signals.
    #[error("the launcher cannot start: {0}")]
    Start(#[source] io::Error),
}

/// Name of the log in its data directory.
pub const LOG_FILE: &str = "sagaflow.db";

/// Runs a launcher on checked definitions until a signal ends it \[L8\]. `ready` is called once it
/// serves.
///
/// # Errors
/// It could not start, or a commit failed.
pub fn run(config: Config, loaded: Loaded, ready: impl FnOnce()) -> Result<(), RunError> {
    let was_used = DataLock::was_taken(&config.data);
    let mut lock = DataLock::take(&config.data)?;
    let path = config.data.join(LOG_FILE);
    let begun_again = was_used && fs::symlink_metadata(&path).is_err();
    lock.take_log(&path)?;
    let log = SqliteLog::open(&path)?;
    // It may have been made just now.
    lock.take_log(&path)?;
    if begun_again {
        let path = path.display();
        tracing::warn!("{path} was not there, though its directory was used: ids begin at 1");
    }
    let catalog = Arc::new(loaded.defined.catalog.clone());
    let coordinator = restore(&log, catalog, loaded.plans)?;
    let unclean = !coordinator.world().stopped_cleanly;
    let newest = coordinator.now();
    let identity = Identity { pid: std::process::id(), version: env!("CARGO_PKG_VERSION") };
    let mut core = Core::new(coordinator, log, identity.clone(), config.allow);
    core.read_beside(path.clone()).map_err(RunError::Start)?;
    core.refill_ring().map_err(BootError::Read)?;
    let inbox: Arc<Inbox<Message>> = Arc::new(Inbox::new(INBOX_MAX, INBOX_BYTES));
    let mut turns = Turns::new(core, inbox.clone(), Clock::start(newest), config.manners);
    // A socket that cannot be had must leave no boot in the log: the next start would take it for a
    // crash. Whoever connects before the boot is durable waits to be accepted.
    let listener = Listener::bind(&config.socket, Stale::Replace)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(RunError::Start)?;
    // From here on a signal waits for its turn: one that killed between the boot's commit and the
    // first turn would be taken for a crash as well.
    runtime.block_on(async { signals::watch(inbox.clone()) }).map_err(RunError::Start)?;
    let pods = match config.pods {
        Some(settings) => Pods::told(settings)?,
        None => Pods::below(&config.data).map_err(RunError::Start)?,
    };
    let processes = runtime.block_on(async { Processes::start(Processes::own_binary()?) });
    let processes = processes.map_err(RunError::Start)?;
    let built_in = runtime.block_on(async {
        let settings = subprocess::Settings::of(&config.data);
        BuiltIns::start(&mut turns, settings, pods, processes.clone())
    });
    let places = (config.data.as_path(), config.socket.as_path());
    let services = Services::new(config.services, processes, &turns, places);
    let services = services.map_err(RunError::Start)?;
    turns.boot(identity.pid, identity.version)?;
    let entered = runtime.enter();
    let server =
        Server::start(listener, inbox.clone(), Options::default()).map_err(RunError::Start)?;
    turns.supervisor = services.map(Services::start);
    drop(entered);
    if unclean {
        check_in_background(path);
    }
    ready();
    let ended = turns.run();
    inbox.close();
    server.stop_accepting();
    if ended.is_ok() {
        runtime.block_on(server.finished());
    }
    // What may not outlive the launcher ends with it, whatever else went wrong.
    runtime.block_on(built_in.ended());
    // After a failed commit nothing more may be told: the runtime is dropped with all it holds.
    runtime.shutdown_background();
    drop(lock);
    Ok(ended?)
}

/// Services that are about to be started.
struct Services(Vec<Declared>, Place);

impl Services {
    /// Makes room for them; nothing: there are none.
    fn new<L: Log>(
        declared: Vec<Declared>,
        processes: Processes,
        turns: &Turns<L>,
        places: (&Path, &Path),
    ) -> io::Result<Option<Services>> {
        if declared.is_empty() {
            return Ok(None);
        }
        let place = Place::new(processes, turns.inbox.clone(), turns.core.members(), places)?;
        Ok(Some(Services(declared, place)))
    }

    /// In a runtime, when there is somebody to register with.
    fn start(self) -> Supervisor {
        Supervisor::start(self.0, self.1)
    }
}

/// Reads and checks the definitions of a directory.
///
/// # Errors
/// They cannot be read, or do not pass their checks.
pub fn load(sagas: &Path) -> Result<Loaded, RunError> {
    let texts = read_directory(sagas)
        .map_err(|source| RunError::Sagas { path: sagas.to_owned(), source })?;
    let loaded = Loaded::of_texts(texts);
    if loaded.diagnostics.has_errors() {
        let Loaded { defined: library, diagnostics, .. } = loaded;
        return Err(RunError::Invalid(Box::new((library, diagnostics))));
    }
    Ok(loaded)
}

/// A full check after an unclean stop, by a reader of its own, while the launcher serves \[L1\].
fn check_in_background(path: PathBuf) {
    std::thread::spawn(move || {
        let found = LogReader::beside_writer(&path).map(|reader| reader.full_check());
        match found {
            Ok(Ok(wrong)) if wrong.is_empty() => tracing::info!("the log is sound"),
            Ok(Ok(wrong)) => tracing::error!(?wrong, "the log is damaged; keep a copy of it"),
            Ok(Err(error)) => tracing::error!(%error, "the log could not be checked"),
            Err(error) => tracing::error!(%error, "the log could not be checked"),
        }
    });
}

impl<L: Log> Core<L> {
    /// Fills the replay ring with the newest events of the log \[L10\].
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn refill_ring(&mut self) -> Result<(), ReadError> {
        let from = self.log.recent_from(Timestamp(i64::MIN), RING_EVENTS as u64)?;
        // What retention took of it is a hole that the ring must not hide.
        let since = self.log.high_water()?.forgotten.max(Seq(from.0.saturating_sub(1)));
        let mut ring = Ring::new(RING_EVENTS, since);
        read_events(&self.log, since, Seq(u64::MAX), &mut |read| {
            match read {
                Read::Event(event) => ring.push(event),
                // Nor may it hide what cannot be read: who asks for that is told by the log.
                Read::Gap(_, to) => ring = Ring::new(RING_EVENTS, to),
                Read::Upto(_) => {}
            }
            ControlFlow::Continue(())
        })?;
        self.ring = ring;
        Ok(())
    }
}
