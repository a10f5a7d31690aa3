//! The whole launcher behind its socket, with the shipped sagas: what clients send and what they
//! get, byte for byte. It runs in this process, so that a test can read its log; dying is for other
//! tests.

mod clients;
mod conversation;
mod errors;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sagaflow::clock::Clock;
use sagaflow::ipc::inbox::Inbox;
use sagaflow::ipc::server::{Options, Server};
use sagaflow::ipc::session::Allow;
use sagaflow::ipc::transport::{Listener, Stale};
use sagaflow::launcher::{
    Core, DataLock, Identity, LOG_FILE, Loaded, Manners, Message, Turns, read_directory, restore,
};
use sagaflow::log::SqliteLog;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything takes: a test that would hang fails instead.
const FOR_EVER: Duration = Duration::from_secs(60);

/// A launcher on a data directory of its own.
struct Launcher {
    directory: TempDir,
    inbox: Arc<Inbox<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Launcher {
    fn start() -> Self {
        Self::with(Allow::default())
    }

    fn with(allow: Allow) -> Self {
        Self::at(tempfile::tempdir().expect("there is room"), allow)
    }

    fn at(directory: TempDir, allow: Allow) -> Self {
        let inbox = Arc::new(Inbox::new(1024, sagaflow::limits::INBOX_BYTES));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (root, messages) = (directory.path().to_owned(), Arc::clone(&inbox));
        let thread = std::thread::spawn(move || serve(&root, &messages, allow, &ready));
        is_ready.recv_timeout(FOR_EVER).expect("it begins to serve");
        Self { directory, inbox, thread: Some(thread) }
    }

    /// Stops it cleanly and starts another on what it left.
    fn restart(mut self) -> Self {
        self.stop();
        let fresh = tempfile::tempdir().expect("there is room");
        let directory = std::mem::replace(&mut self.directory, fresh);
        Self::at(directory, Allow::default())
    }

    fn stop(&mut self) {
        self.inbox.post(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the launcher panicked");
        }
    }

    fn connect(&self) -> Peer {
        Peer::connect(&socket(self.directory.path()))
    }

    /// A client that registered and read everything up to `registered`.
    fn join(&self, kind: &str, pid: u64, subscribe: &[&str]) -> Peer {
        let mut peer = self.connect();
        peer.say(&json!({"cmd": "register", "kind": kind, "name": format!("{kind}-{pid}"),
            "pid": pid, "version": "1", "subscribe": subscribe}));
        peer.until("registered");
        peer
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.stop();
    }
}

fn socket(root: &Path) -> PathBuf {
    root.join("run/s")
}

fn serve(
    root: &Path,
    inbox: &Arc<Inbox<Message>>,
    allow: Allow,
    ready: &std::sync::mpsc::Sender<()>,
) {
    let sagas = Path::new(env!("CARGO_MANIFEST_DIR")).join("sagas");
    let mut texts = read_directory(&sagas).expect("the shipped sagas are here");
    texts
        .files
        .retain(|(path, _)| !crate::cli::is_of_built_in(path.rsplit('/').next().unwrap_or(path)));
    let loaded = Loaded::of_texts(texts);
    let lock = DataLock::take(&root.join("data")).expect("it is the only one");
    let path = root.join("data").join(LOG_FILE);
    let log = SqliteLog::open(&path).expect("there is room");
    let catalog = Arc::new(loaded.defined.catalog.clone());
    let coordinator = restore(&log, catalog, loaded.plans).expect("its own log can be read");
    let newest = coordinator.now();
    let identity = Identity { pid: 77, version: "0.1.0" };
    let mut core = Core::new(coordinator, log, identity, allow);
    core.read_beside(path).expect("a thread can be had");
    core.refill_ring().expect("its own log can be read");
    let clock = Clock::start(newest);
    let mut turns = Turns::new(core, Arc::clone(inbox), clock, Manners::default());
    turns.boot(77, "0.1.0").expect("its own log can be written");
    let listener = Listener::bind(&socket(root), Stale::Replace).expect("the place is private");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().expect("there is room for it");
    let server = {
        let _inside = runtime.enter();
        Server::start(listener, Arc::clone(inbox), Options::default()).expect("it is bound")
    };
    ready.send(()).expect("the test waits");
    turns.run().expect("the disk has room");
    inbox.close();
    runtime.block_on(server.finished());
    drop(lock);
}

/// A client that knows nothing but lines.
struct Peer {
    socket: BufReader<UnixStream>,
    asked: u64,
}

impl Peer {
    fn connect(path: &Path) -> Self {
        let socket = UnixStream::connect(path).expect("the launcher listens");
        socket.set_read_timeout(Some(FOR_EVER)).expect("it is not zero");
        Self { socket: BufReader::new(socket), asked: 0 }
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.get_mut().write_all(bytes.as_ref()).expect("the launcher reads");
    }

    fn say(&mut self, line: &Value) {
        self.write(format!("{line}\n"));
    }

    /// The next line; `None` where the launcher closed.
    fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        // A reset says the same as an end.
        self.socket.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(serde_json::from_str(&line).expect("the launcher writes JSON"))
    }

    /// The next line of that event, past all others.
    fn until(&mut self, event: &str) -> Value {
        loop {
            let line = self.hear().unwrap_or_else(|| panic!("closed before `{event}`"));
            if line["event"] == event {
                return line;
            }
        }
    }

    /// The next command.
    fn command(&mut self) -> Value {
        loop {
            let line = self.hear().expect("closed before a command");
            if line["kind"] == "command" {
                return line;
            }
        }
    }

    /// Asks, under an id of its own unless it has one, and returns the answer, past everything
    /// else.
    fn ask(&mut self, mut line: Value) -> Value {
        self.asked += 1;
        if line["id"].is_null() {
            line["id"] = self.asked.into();
        }
        self.say(&line);
        loop {
            let answer = self.hear().expect("closed before the answer");
            if answer["id"] == line["id"] {
                return answer;
            }
        }
    }

    fn all(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.hear()).collect()
    }
}

/// The names of events, in order.
fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap_or("command")).collect()
}
