//! Claims about the wire, by what they are about; the ones on real sockets share the harness below.

mod client;
mod frames;
mod outbox;
mod protocol;
mod session;
mod sockets;
mod targets;
mod transport;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::server::{CloseWhy, Inbound, Options, Server};
use super::transport::{Listener, Stale};
use crate::ids::ConnId;

/// Longer than anything takes: a test that would hang fails instead.
const FOR_EVER: Duration = Duration::from_secs(60);

/// A server on a socket of its own; the test is the thread that decides.
struct House {
    directory: TempDir,
    inbox: Arc<Inbox<Inbound>>,
    server: Option<Server>,
    runtime: Runtime,
}

impl House {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("the system has room for a directory");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the system has room for two threads");
        let inbox = Arc::new(Inbox::new(1024, crate::limits::INBOX_BYTES));
        let listener = Listener::bind(&directory.path().join("run/s"), Stale::Refuse).unwrap();
        let server = {
            let _inside = runtime.enter();
            Server::start(listener, Arc::clone(&inbox), options).unwrap()
        };
        Self { directory, inbox, server: Some(server), runtime }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("run/s")
    }

    fn next(&self) -> Inbound {
        let mut one = self.inbox.recv(Some(FOR_EVER), 1);
        one.pop().expect("something comes")
    }

    /// A client that connected, and the launcher's end of it.
    fn connect(&self) -> (Peer, ConnId, Arc<Outbox>) {
        let peer = Peer::connect(&self.path());
        let Inbound::Opened { conn, outbox } = self.next() else { panic!("it opens first") };
        (peer, conn, outbox)
    }

    fn closed(&self, conn: ConnId) -> CloseWhy {
        match self.next() {
            Inbound::Closed { conn: closed, why } => {
                assert_eq!(closed, conn);
                why
            }
            other => panic!("not its end: {other:?}"),
        }
    }

    fn is_quiet(&self) -> bool {
        self.inbox.is_empty()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.inbox.close();
        self.server.take();
    }
}

/// A client that knows nothing but bytes.
struct Peer {
    socket: BufReader<UnixStream>,
}

impl Peer {
    fn connect(path: &std::path::Path) -> Self {
        let socket = UnixStream::connect(path).expect("the server listens");
        socket.set_read_timeout(Some(FOR_EVER)).expect("it is not zero");
        socket.set_write_timeout(Some(FOR_EVER)).expect("it is not zero");
        Self { socket: BufReader::new(socket) }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends no more, and still reads.
    fn shut(&mut self) {
        self.socket.get_mut().shutdown(std::net::Shutdown::Write).expect("it is open");
    }

    /// The next line without its end; `None` where the server closed, a torn line included.
    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        // A reset says the same as an end: nothing more comes.
        self.socket.read_until(b'\n', &mut line).ok()?;
        let whole = line.strip_suffix(b"\n")?;
        Some(String::from_utf8(whole.to_vec()).expect("the launcher writes UTF-8"))
    }

    fn json(&mut self) -> Value {
        let line = self.line().expect("a line comes");
        serde_json::from_str(&line).expect("the launcher writes JSON")
    }

    fn all_lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }
}
