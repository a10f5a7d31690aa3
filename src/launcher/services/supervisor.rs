//! All services together: started in the order in which they are written, each when the one before
//! it is ready; ended in the reverse order. What one of them does is its life's affair.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ipc::inbox::Inbox;
use crate::launcher::supervised::{Members, Word};
use crate::launcher::turns::Message;
use crate::targets::process::{ProcessId, Processes};

use super::Declared;
use super::journal::{self, Journal};
use super::life::{Life, State};

/// Where services live.
#[derive(Clone, Debug)]
pub struct Place {
    /// The way to start processes.
    pub(super) processes: Processes,
    /// The way to the core.
    pub(super) inbox: Arc<Inbox<Message>>,
    /// Who is connected.
    pub(super) members: watch::Receiver<Members>,
    /// The way to the files of what they write.
    pub(super) journal: Journal,
    /// The directory of their files.
    pub(super) directory: PathBuf,
    /// What all of them get in their environment.
    pub(super) env: Vec<(String, String)>,
    /// When this launcher began: marks of two launchers are never the same.
    pub(super) since: String,
}

impl Place {
    /// Makes room for services below a data directory. They find their launcher by its socket.
    ///
    /// # Errors
    /// There is none.
    pub(in crate::launcher) fn new(
        processes: Processes,
        inbox: Arc<Inbox<Message>>,
        members: watch::Receiver<Members>,
        (data, socket): (&Path, &Path),
    ) -> io::Result<Place> {
        let directory = journal::directory(data)?;
        let journal = Journal::start(directory.clone())?;
        let mut env = Vec::new();
        for (name, path) in [("SAGAFLOW_DATA", data), ("SAGAFLOW_SOCKET", socket)] {
            let path = std::path::absolute(path)?;
            env.extend(path.to_str().map(|path| (name.to_owned(), path.to_owned())));
        }
        let own = ProcessId::of(std::process::id());
        let since = own.map(|own| own.start.to_string()).unwrap_or_default();
        Ok(Place { processes, inbox, members, journal, directory, env, since })
    }
}

/// The handle of all services.
#[derive(Debug)]
pub struct Supervisor {
    stop: watch::Sender<bool>,
}

impl Supervisor {
    /// Begins to start them; in a runtime.
    #[must_use]
    pub fn start(services: Vec<Declared>, place: Place) -> Supervisor {
        let (stop, stops) = watch::channel(false);
        tokio::spawn(supervise(services, place, stops));
        Supervisor { stop }
    }

    /// Ends them all, the last one first. The core hears when none is left.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// One that was begun.
struct Begun {
    stop: watch::Sender<bool>,
    life: JoinHandle<()>,
}

async fn supervise(services: Vec<Declared>, place: Place, mut stops: watch::Receiver<bool>) {
    let inbox = place.inbox.clone();
    let mut begun: Vec<Begun> = Vec::new();
    for declared in services {
        if *stops.borrow() {
            break;
        }
        let name = declared.name.clone();
        let (stop, stopped) = watch::channel(false);
        let (state, mut states) = watch::channel(State::Coming);
        let life = Life::new(declared, place.clone(), stopped, state);
        begun.push(Begun { stop, life: tokio::spawn(life.live()) });
        let settled = tokio::select! {
            state = states.wait_for(|state| *state != State::Coming) => state.map(|state| *state),
            _ = stops.wait_for(|stop| *stop) => break,
        };
        if !matches!(settled, Ok(State::Up)) {
            tracing::error!(service = %name, "it was never ready and is not started again; those \
                            that are written after it are not started");
            break;
        }
    }
    // Whoever stops the launcher sends it, or drops its end.
    stops.wait_for(|stop| *stop).await.ok();
    for Begun { stop, life } in begun.into_iter().rev() {
        stop.send_replace(true);
        life.await.ok();
    }
    inbox.post(Message::Service(Word::AllStopped));
}
